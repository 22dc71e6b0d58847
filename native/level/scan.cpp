// Cells without a product in their time loop: their units do not depend on each other.
//
//     a_t = b + x_t W                     one chain of fma for each element
//     h_t = the equations of the cell     while a_t is in the cache
//
// One row of the batch and one block of units go through a band of steps at once. Backwards, the
// loop runs over chunks of rows and steps, as in bptt.hpp: the da of a chunk stay in the cache
// until their products are done. A sum over rows and steps is one chain, row by row and each row
// from its last step to its first, so it does not depend on where chunks end.
#include "level/layout.hpp"
#include "level/products.hpp"
#include "level/scan_cells.hpp"
#include "level/sharing.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// Steps of a band: a_t of a block should take half of the first cache.
constexpr Size band_steps = 32;
// Steps of all blocks of a row that are computed before later ones: their y stays in the cache.
constexpr Size stretch = 256;

// One pass. A block holds C::units vectors of units, those of all gates of a vector side by side;
// behind the last unit there is room for zeros.
template <class C, class S> struct Scanner {
    const Scan<S>& z;

    static constexpr int width = C::units * C::gates;     // vectors of a block
    static constexpr int kept = C::units * C::saved;      // vectors that a block keeps of a step

    Size Hs() const { return padded<S>(z.H); }
    Size blocks() const {
        return (z.H + C::units * lanes<S> - 1) / (C::units * lanes<S>);
    }
    Size unit(Size block, int u) const { return (block * C::units + u) * lanes<S>; }
    int valid(Size unit) const {
        return static_cast<int>(larger(0, smaller(lanes<S>, z.H - unit)));
    }
    Size time(Size s) const { return z.reverse ? z.T - 1 - s : s; }
    bool unmasked(Size n, Size t) const {
        return z.mask == nullptr || z.mask[n * z.mask_row + t * z.mask_step] != 0;
    }
    Size row_of(Size n, Size t) const { return (n * z.T + t) * C::states * z.H; }

    // On the tape: the states at all steps, carried over masked ones, if steps may be masked; else
    // they are y. Then what the cell keeps, [row][block][step of the loop][vector][lane].
    Size states_numbers() const { return z.mask == nullptr ? 0 : z.N * z.T * C::states * z.H; }
    Size kept_numbers() const { return z.N * blocks() * z.T * kept * lanes<S>; }
    S* states() const { return z.mask == nullptr ? z.y : static_cast<S*>(z.tape); }
    S* kept_at(Size n, Size block, Size s) const {
        S* base = static_cast<S*>(z.tape) + states_numbers();
        return base + ((n * blocks() + block) * z.T + s) * kept * lanes<S>;
    }

    // The coefficients of one vector of units.
    TT_INLINE void coefficients(Vec<S>* c, Size unit) const {
        for (int i = 0; i < C::coefficients; ++i)
            c[i] = load(z.c + i * z.H + unit, valid(unit));
    }

    // ---- forward

    // Packs W and b of a block: [k][vector][lane].
    void pack(S* W, S* b, Size block) const {
        for (Size k = 0; k <= z.F; ++k) {
            const S* from = k < z.F ? z.W + k * C::gates * z.H : z.b;
            S* to = k < z.F ? W + (block * z.F + k) * width * lanes<S>
                            : b + block * width * lanes<S>;
            for (int u = 0; u < C::units; ++u) {
                for (int g = 0; g < C::gates; ++g, to += lanes<S>) {
                    const Size at = unit(block, u);
                    store(to, from == nullptr ? Vec<S>{} : load(from + g * z.H + at, valid(at)));
                }
            }
        }
    }

    // a_t of steps begin ... end - 1 of a row and block: [step][vector][lane].
    void project(S* a, const S* W, const S* b, Size n, Size block, Size begin, Size end) const {
        for_tiles(begin, end, [&](Size s, auto height) {
            constexpr int R = decltype(height)::count;
            Tile<S, R> acc;
            const S* x[R];
            for (int r = 0; r < R; ++r) {
                x[r] = z.x + n * z.x_row + time(s + r) * z.x_step;
                for (int v = 0; v < width; ++v)
                    acc.at[r][v] = load(b + (block * width + v) * lanes<S>);
            }
            accumulate_first<width>(acc, x, W + block * z.F * width * lanes<S>, z.F);
            for (int r = 0; r < R; ++r)
                for (int v = 0; v < width; ++v)
                    store(a + ((s + r - begin) * width + v) * lanes<S>, acc.at[r][v]);
        });
    }

    // The states of a block, from `carried` and back to it: [state][padded units].
    template <Activation f>
    void scan(S* carried, const S* a, Size n, Size block, Size begin, Size end) const {
        Vec<S> h[C::units][C::states], c[C::units][C::coefficients + 1];
        for (int u = 0; u < C::units; ++u) {
            for (int i = 0; i < C::states; ++i) h[u][i] = load(carried + at(i, block, u));
            coefficients(c[u], unit(block, u));
        }
        S* const carried_over = z.mask == nullptr || z.tape == nullptr ? nullptr : states();
        S* keep = z.tape == nullptr ? nullptr : kept_at(n, block, begin);
        for (Size s = begin; s < end; ++s) {
            const Size t = time(s), row = row_of(n, t);
            const bool real = unmasked(n, t);
#pragma GCC unroll 4
            for (int u = 0; u < C::units; ++u, a += C::gates * lanes<S>) {
                Vec<S> gate[C::gates], value[C::saved + 1], next[C::states];
                for (int g = 0; g < C::gates; ++g) gate[g] = load(a + g * lanes<S>);
                for (int i = 0; i < C::states; ++i) next[i] = h[u][i];
                C::template step<f>(gate, c[u], z.parameter, next, value);
                if (keep != nullptr)
                    for (int v = 0; v < C::saved; ++v, keep += lanes<S>) store(keep, value[v]);
                const Size j = unit(block, u);
                const int n_valid = valid(j);
                for (int i = 0; i < C::states; ++i) {
                    if (real) h[u][i] = next[i];
                    store(z.y + row + i * z.H + j, real ? h[u][i] : Vec<S>{}, n_valid);
                    if (carried_over != nullptr)
                        store(carried_over + row + i * z.H + j, h[u][i], n_valid);
                }
            }
        }
        for (int u = 0; u < C::units; ++u)
            for (int i = 0; i < C::states; ++i) store(carried + at(i, block, u), h[u][i]);
    }

    // ---- backward

    // Where a vector of states stands in a row of states with room for zeros.
    Size stride() const { return blocks() * C::units * lanes<S>; }
    Size at(int state, Size block, int u) const { return state * stride() + unit(block, u); }

    void fetch(S* to, const S* const* from, Size n, Size block) const {
        for (int i = 0; i < C::states; ++i)
            for (int u = 0; u < C::units; ++u) {
                const Size j = unit(block, u);
                store(to + at(i, block, u), from[i] == nullptr
                                                ? Vec<S>{}
                                                : load(from[i] + n * z.H + j, valid(j)));
            }
    }
    void deliver(S* const* to, const S* from, Size n, Size block) const {
        for (int i = 0; i < C::states; ++i)
            for (int u = 0; u < C::units; ++u) {
                const Size j = unit(block, u);
                store(to[i] + n * z.H + j, load(from + at(i, block, u)), valid(j));
            }
    }

    // Where state i of a row stands before loop step s.
    TT_INLINE const S* before(int i, Size n, Size s) const {
        return s == 0 ? z.first[i] + n * z.H : states() + row_of(n, time(s - 1)) + i * z.H;
    }

    // da of steps begin ... end - 1 of a row and block, the last one first, to rows k ... of the
    // chunk. `carried` holds dL/dh, and sum the gradients of the coefficients.
    template <Activation f>
    void scan_back(const ScanBack<S>& back, const Chunk<S>& chunk, S* carried, S* sum, Size n,
                   Size block, Size begin, Size end, Size k) const {
        Vec<S> dh[C::units][C::states], c[C::units][C::coefficients + 1];
        Vec<S> dc[C::units][C::coefficients + 1], after[C::units][C::states];
        S* to[C::units][C::gates];
        int lanes_in[C::units];
        const Size in_gate = padded<S>(z.H) / lanes<S>;
#pragma GCC unroll 4
        for (int u = 0; u < C::units; ++u) {
            const Size j = unit(block, u);
            lanes_in[u] = valid(j);
            for (int i = 0; i < C::states; ++i) {
                dh[u][i] = load(carried + at(i, block, u));
                after[u][i] = load(before(i, n, end) + j, lanes_in[u]);
            }
            for (int i = 0; i < C::coefficients; ++i) dc[u][i] = load(sum + at(i, block, u));
            coefficients(c[u], j);
            for (int g = 0; g < C::gates; ++g) {
                const Size v = g * in_gate + block * C::units + u;
                to[u][g] = chunk.at(v / block_vectors, k) + v % block_vectors * lanes<S>;
            }
        }
        const Size first = unit(block, 0);
        const S* value = kept_at(n, block, end - 1);
        for (Size s = end - 1; s >= begin; --s, value -= kept * lanes<S>) {
            const Size t = time(s);
            const bool real = unmasked(n, t);
            const S *h[C::states], *dy[C::states];
            for (int i = 0; i < C::states; ++i) {
                h[i] = before(i, n, s) + first;
                dy[i] = back.dy == nullptr
                            ? nullptr
                            : back.dy + n * back.dy_row + t * back.dy_step + i * z.H + first;
                fetch_later(h[i], C::states * z.H);
                if (back.dy != nullptr) fetch_later(dy[i], back.dy_step);
            }
#pragma GCC unroll 4
            for (int u = 0; u < C::units; ++u) {
                Vec<S> own[C::saved + 1], da[C::gates] = {}, now[C::states];
                for (int v = 0; v < C::saved; ++v)
                    own[v] = load(value + (u * C::saved + v) * lanes<S>);
                for (int i = 0; i < C::states; ++i)
                    now[i] = load(h[i] + u * lanes<S>, lanes_in[u]);
                if (real) {
                    if (back.dy != nullptr)
                        for (int i = 0; i < C::states; ++i)
                            dh[u][i] = dh[u][i] + load(dy[i] + u * lanes<S>, lanes_in[u]);
                    C::template back<f>(own, c[u], z.parameter, now, after[u], dh[u], da, dc[u]);
                }
                for (int i = 0; i < C::states; ++i) after[u][i] = now[i];
                for (int g = 0; g < C::gates; ++g) {
                    if (lanes_in[u] > 0) store(to[u][g], da[g]);
                    to[u][g] += block_vectors * lanes<S>;
                }
            }
        }
#pragma GCC unroll 4
        for (int u = 0; u < C::units; ++u) {
            for (int i = 0; i < C::states; ++i) store(carried + at(i, block, u), dh[u][i]);
            for (int i = 0; i < C::coefficients; ++i) store(sum + at(i, block, u), dc[u][i]);
        }
    }

    // Prefetches what a later step of this pass reads of a block, where a step is `stride` numbers
    // after the one before it in time. The rows are too far apart for the hardware to see.
    TT_INLINE void fetch_later(const S* from, Size stride) const {
        const S* there = from + (z.reverse ? ahead : -ahead) * stride;
#pragma GCC unroll 4
        for (int u = 0; u < C::units; ++u) __builtin_prefetch(there + u * lanes<S>, 0, 3);
    }

    // work.template operator()<f>() for the activation of the cell.
    template <class F> TT_INLINE void with_own_activation(const F& work) const {
        if constexpr (C::has_activation)
            with_activation(z.activation, work);
        else
            work.template operator()<Activation::identity>();
    }

    double work() const {
        return static_cast<double>(z.N) * static_cast<double>(z.T) * static_cast<double>(z.H) *
               C::gates * static_cast<double>(z.F + scan_work);
    }
    Trial trial(int way, Size parts) const {
        const int kind = 200 + (way * n_scans + static_cast<int>(C::kind)) * 2 + (sizeof(S) == 8);
        return Trial(kind, work(), threads_worth(work(), smaller(z.threads, parts)), false);
    }

   private:
    static constexpr Size ahead = 8;  // steps; fewer would still be under way when they are needed
    // Multiply-adds that take as long as the equations of one gate, about.
    static constexpr Size scan_work = 16;
};

template <class C, class S> void forward(const Scan<S>& z) {
    using P = Scanner<C, S>;
    const P pass{z};
    const Size blocks = pass.blocks(), items = z.N * blocks;
    const Trial trial = pass.trial(z.tape != nullptr, items);
    Arena own;
    S *W = nullptr, *b = nullptr, *carried = nullptr;
    own.add(W, blocks * z.F * P::width * lanes<S>);
    own.add(b, blocks * P::width * lanes<S>);
    own.add(carried, trial.threads() * C::states * pass.stride());
    own.settle();
    Barrier barrier;
    auto work = [&](int thread, int threads) {
        const Range packing = part_of(blocks, thread, threads);
        for (Size i = packing.begin; i < packing.end; ++i) pass.pack(W, b, i);
        barrier.wait(threads);
        S* const h = carried + thread * C::states * pass.stride();
        alignas(64) S a[band_steps * P::width * lanes<S>];
        const Range mine = part_of(items, thread, threads);
        for (Size item = mine.begin; item < mine.end;) {
            const Size n = item / blocks, end = smaller(mine.end, (n + 1) * blocks);
            const Range own_blocks{item - n * blocks, end - n * blocks};
            for (Size i = own_blocks.begin; i < own_blocks.end; ++i) pass.fetch(h, z.first, n, i);
            for (Size far = 0; far < z.T; far += stretch)
                for (Size i = own_blocks.begin; i < own_blocks.end; ++i)
                    for (Size s = far; s < smaller(z.T, far + stretch); s += band_steps) {
                        const Size until = smaller(z.T, s + band_steps);
                        pass.project(a, W, b, n, i, s, until);
                        pass.with_own_activation([&]<Activation f>() {
                            pass.template scan<f>(h, a, n, i, s, until);
                        });
                    }
            for (Size i = own_blocks.begin; i < own_blocks.end; ++i)
                pass.deliver(z.last, h, n, i);
            item = end;
        }
    };
    run_parallel(trial.threads(), work);
}

// Rows of the batch and steps of a chunk: some rows with all their steps, or a part of one row.
struct ChunkShape {
    Size rows, steps;

    ChunkShape(Size N, Size T) {
        const Size parts = larger(1, (T + chunk_rows - 1) / chunk_rows);
        steps = (T + parts - 1) / parts;
        rows = parts > 1 ? 1 : smaller(larger(N, 1), larger(1, chunk_rows / larger(T, 1)));
    }
};

// Adds parts of H numbers, which begin `apart` numbers apart, to parts that stand side by side.
template <class S> void add_parts(S* to, const S* from, int parts, Size H, Size apart) {
    for (int i = 0; i < parts; ++i)
        for (Size j = 0; j < H; ++j) to[i * H + j] = to[i * H + j] + from[i * apart + j];
}

template <class C, class S> void backward(const ScanBack<S>& g) {
    using P = Scanner<C, S>;
    const Scan<S>& z = g.forward;
    const P pass{z};
    const Size blocks = pass.blocks(), Hs = pass.Hs(), G = C::gates * Hs;
    const ChunkShape shape(z.N, z.T);
    const Trial trial = pass.trial(g.dx == nullptr ? 2 : 3, shape.rows * blocks);
    // The products see the gates with each padded to Hs columns.
    const Blocks<S> wide{G, true}, inputs{z.F, true};
    const Columns<S> columns{wide, {}, {}, 1};
    const Size gate_at[block_vectors] = {};
    const Size count = z.F + (g.db != nullptr);
    Chunk<S> chunk;
    chunk.K = shape.rows * shape.steps;
    Arena own;
    S *panels = nullptr, *W = nullptr, *W_T = nullptr, *dW = nullptr;
    S *carried = nullptr, *sums = nullptr, *dc = nullptr;
    const Size state_numbers = C::states * pass.stride();
    const Size sum_numbers = C::coefficients * pass.stride();
    own.add(chunk.da, chunk.numbers(wide.count()));
    own.add(panels, chunk.panel_numbers(count));
    own.add(dW, count * G);
    own.add(carried, shape.rows * state_numbers);
    own.add(sums, shape.rows * sum_numbers);
    own.add(dc, sum_numbers);
    if (g.dx != nullptr) {
        own.add(W, z.F * G);
        own.add(W_T, inputs.count() * block_vectors * lanes<S> * G);
    }
    own.settle();
    Barrier barrier;
    auto work = [&](int thread, int threads) {
        const auto mine = [&](Size n) { return part_of(n, thread, threads); };
        // Calls f(row of the batch, row of the chunk, block) for the part of a thread.
        const auto each = [&](Size first, Size rows, const auto& f) {
            const Range part = mine(rows * blocks);
            for (Size i = part.begin; i < part.end; ++i)
                f(first + i / blocks, i / blocks, i % blocks);
        };
        const Range numbers = mine(count * G);
        for (Size i = numbers.begin; i < numbers.end; ++i) dW[i] = S(0);
        const Range all_sums = mine(sum_numbers);
        for (Size i = all_sums.begin; i < all_sums.end; ++i) dc[i] = S(0);
        if (g.dx != nullptr) {
            const Range rows = mine(z.F * C::gates);
            pad_rows(W, z.W, z.H, rows);  // each gate of each input is a row
            barrier.wait(threads);
            pack_transposed(W_T, W, G, z.F, columns, mine(inputs.count()));
        }
        for (Size first = 0; first < z.N; first += shape.rows) {
            const Size rows = smaller(shape.rows, z.N - first);
            each(first, rows, [&](Size n, Size r, Size block) {
                pass.fetch(carried + r * state_numbers, g.d_last, n, block);
                for (int i = 0; i < C::coefficients; ++i)
                    for (int u = 0; u < C::units; ++u)
                        store(sums + r * sum_numbers + pass.at(i, block, u), Vec<S>{});
            });
            for (Size end = z.T; end > 0; end -= smaller(end, shape.steps)) {
                const Size steps = smaller(end, shape.steps), begin = end - steps;
                const Size depth = rows * steps;
                pass.with_own_activation([&]<Activation f>() {
                    each(first, rows, [&](Size n, Size r, Size block) {
                        pass.template scan_back<f>(g, chunk, carried + r * state_numbers,
                                                   sums + r * sum_numbers, n, block, begin, end,
                                                   r * steps);
                    });
                });
                const Range part = mine(depth);
                for (Size k = part.begin; k < part.end; ++k) {
                    const Size n = first + k / steps, t = pass.time(end - 1 - k % steps);
                    PanelWriter<S> x(chunk, panels, k);
                    x.put(z.x + n * z.x_row + t * z.x_step, z.F);
                    if (g.db != nullptr) x.put(S(1));
                }
                barrier.wait(threads);
                const Factor<S> left{panels, count, nullptr, dW, G};
                outer_product(chunk, left, wide, gate_at, depth, thread, threads);
                if (g.dx != nullptr)
                    rows_back(chunk, columns, W_T, z.F, part, [&](Size k) {
                        const Size n = first + k / steps, t = pass.time(end - 1 - k % steps);
                        return g.dx + (n * z.T + t) * z.F;
                    });
                barrier.wait(threads);
            }
            each(first, rows, [&](Size n, Size r, Size block) {
                pass.deliver(g.d_first, carried + r * state_numbers, n, block);
            });
            if constexpr (C::coefficients > 0) {
                if (z.T == 0) barrier.wait(threads);  // else the chunks have waited
                for (Size r = 0; r < rows; ++r)
                    for (Size i = all_sums.begin; i < all_sums.end; ++i)
                        dc[i] = dc[i] + sums[r * sum_numbers + i];
            }
            // The next rows use the same places, and they may be shared otherwise.
            barrier.wait(threads);
        }
        const Range rows = mine(count);
        for (Size m = rows.begin; m < rows.end; ++m)
            add_parts(m < z.F ? g.dW + m * C::gates * z.H : g.db, dW + m * G, C::gates, z.H, Hs);
        if (thread == 0) add_parts(g.dc, dc, C::coefficients, z.H, pass.stride());
    };
    run_parallel(trial.threads(), work);
}

// f.template operator()<C>() for the cell of a call.
template <class F> auto with_cell(ScanKind kind, const F& f) {
    switch (kind) {
        case ScanKind::min_gru: return f.template operator()<MinGru>();
        case ScanKind::min_lstm: return f.template operator()<MinLstm>();
        case ScanKind::ind_rnn: return f.template operator()<IndRnn>();
        case ScanKind::lru: break;
    }
    return f.template operator()<Lru>();
}

template <class S> std::size_t tape_bytes(const Scan<S>& z) {
    return with_cell(z.kind, [&]<class C>() {
        const Scanner<C, S> pass{z};
        const Size numbers = pass.states_numbers() + pass.kept_numbers();
        return sizeof(S) * static_cast<std::size_t>(numbers);
    });
}
template <class S> void run(const Scan<S>& z) {
    with_cell(z.kind, [&]<class C>() { forward<C>(z); });
}
template <class S> void run_back(const ScanBack<S>& g) {
    with_cell(g.forward.kind, [&]<class C>() { backward<C>(g); });
}

}  // namespace

extern const Scans<float> scans_f32;
extern const Scans<double> scans_f64;
const Scans<float> scans_f32{tape_bytes<float>, run<float>, run_back<float>};
const Scans<double> scans_f64{tape_bytes<double>, run<double>, run_back<double>};

}  // namespace throughtime::TT_LEVEL
