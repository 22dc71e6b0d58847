// GRU on tiles, in both forms: the equations of cells/gru.py, with their numbers.
#include "level/cell_loops.hpp"
#include "level/equations.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// What both forms share. The four vectors of da in a block are r, z, n and, with reset_after, q.
struct Gru {
    static constexpr CellKind kind = CellKind::gru;
    static constexpr int gates = 3;
    // No tail block: the sums with x and with h are of different vectors.
    static constexpr bool has_c = false, wide = false, packs_tail = false;

    template <class S> static bool whole_rows(const Sizes<S>&) { return false; }

    template <int V, int R, class S>
    TT_INLINE static void project(Tile<S, R>& acc, const S* const (&x)[R], const S* w, Size F) {
        accumulate<0, 1, 2>(acc, x, w, F);
    }

    // (G4'), (G3'): da_n and da_z; the part of dL/dh_{t-1} that comes through z is left in dh.
    // Returns false if the step is masked: then da = 0, and dh stays as it is.
    template <class S>
    TT_INLINE static bool derive_n_z(const BackwardStep<S>& step, Size n, Size block, int valid,
                                     const S* kept) {
        const Backward<S>& f = step.f;
        S* da = step.da(n, block);
        if (!f.unmasked(n, step.t)) {
            for (int v = 0; v < block_vectors; ++v) store(da + v * lanes<S>, Vec<S>{});
            return false;
        }
        const Size unit = block * lanes<S>;
        const Vec<S> zt = load(kept + lanes<S>), nt = load(kept + 2 * lanes<S>);
        const Vec<S> dh = step.dh(n, unit, valid);
        const S* h = f.h_before(n, step.s) + unit;
        if (step.s > 1) step.fetch_next(h, f.z.H);  // not at step 1: h_0 is in another array
        const Vec<S> before = load(h, valid);
        store(f.dh + n * f.Hs + unit, dh * zt);
        store(da + lanes<S>, dh * (before - nt) * gate_activation_slope(f.z, zt));
        store(da + 2 * lanes<S>, dh * (S(1) - zt) * activation_slope(f.z, nt));
        return true;
    }

    template <int... I, class S>
    static void outer_x_h(const Backward<S>& f, Size depth, int thread, int threads) {
        const Size H = f.z.H, G = gates * H;
        const Size gate_at[] = {0, H, 2 * H, 2 * H};
        const Blocks<S> blocks{H, wide};
        const Factor<S> x{f.x_panels, f.x_count, f.x_rows, nullptr, 0};
        const Factor<S> h{f.h_panels, H, nullptr, f.b.dW_h, G};
        outer_product<0, 1, 2>(f.chunk, x, blocks, gate_at, depth, threads - 1 - thread, threads);
        outer_product<I...>(f.chunk, h, blocks, gate_at, depth, thread, threads);
    }
};

struct ResetAfter : Gru {
    static constexpr bool has_recurrent_bias = true, has_second_product = false;
    static constexpr int h_vectors = 3;
    static constexpr int saved = 4;  // r z n q
    static constexpr int h_chosen[] = {0, 1, 3};

    template <class S> static void after_tiles(const ForwardStep<S>&, const Worker&) {}
    // q is the number 1, whose product with dq is db_hn.
    template <class S> static Size q_count(const Bptt<S>& b) { return b.db_hn != nullptr; }
    template <class S>
    static void fill_q(const Backward<S>& f, PanelWriter<S> to, Size, Size) {
        if (f.b.db_hn != nullptr) to.put(S(1));
    }

    template <int V, int R, class S>
    TT_INLINE static void recur(Tile<S, R>& acc, const S* const (&h)[R], const S* w, Size H) {
        accumulate<0, 1, 3>(acc, h, w, H);
    }

    template <int V, int R, class S>
    TT_INLINE static void equations(const ForwardStep<S>& step, const Tile<S, R>& acc, Size row,
                                    Size block) {
        const Forward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Size unit = block * lanes<S>;
        for (int r = 0; r < R; ++r) {
            const Size n = row + r;
            const Vec<S> before = load(f.h[step.s & 1] + n * f.Hs + unit);
            const GruValues<S> v = gru_equations(f.z, acc.at[r], before);
            step.put(n, unit, blocks.valid(block, 0), v.h);
            if (f.keep) {
                S* to = step.saved(n, block, blocks.count(), saved);
                store(to, v.r);
                store(to + lanes<S>, v.z);
                store(to + 2 * lanes<S>, v.n);
                store(to + 3 * lanes<S>, acc.at[r][3]);
            }
        }
    }

    template <class S>
    static void pack_back(Backward<S>& f, const Columns<S>& columns, Range part) {
        pack_transposed(f.W_h_T, f.u.weights.W_h, gates * f.z.H, f.z.H, columns, part);
    }

    template <class S>
    static void step_backward(const BackwardStep<S>& step, const Columns<S>& columns,
                              const Worker& worker) {
        const Backward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Range own = worker.own(blocks);
        for (Size n = worker.rows.begin; n < worker.rows.end; ++n) {
            for (Size i = own.begin; i < own.end; ++i) {
                const S* kept = step.saved(n, i, blocks.count(), saved);
                if (!derive_n_z(step, n, i, blocks.valid(i, 0), kept)) continue;
                S* da = step.da(n, i);
                const Vec<S> rt = load(kept), q = load(kept + 3 * lanes<S>);
                const Vec<S> da_n = load(da + 2 * lanes<S>);
                store(da, da_n * q * gate_activation_slope(f.z, rt));
                store(da + 3 * lanes<S>, da_n * rt);
            }
        }
        worker.wait_for_units();
        recur_back_step(step, columns, f.W_h_T, worker, Sink<S>{f.dh, nullptr, f.drop, f.dh});
    }

    template <class S>
    static void weight_gradients(const Backward<S>& f, Size depth, int thread, int threads) {
        outer_x_h<0, 1, 3>(f, depth, thread, threads);
        if (f.b.db_hn == nullptr) return;
        const Size gate_at[block_vectors] = {};
        const Factor<S> one{f.q_panels, 1, nullptr, f.b.db_hn, 0};
        outer_product<3>(f.chunk, one, Blocks<S>{f.z.H, wide}, gate_at, depth, thread, threads);
    }
};

// The reset gate acts before the product with W_hn, so n of each unit needs r of all units.
struct ResetBefore : Gru {
    static constexpr bool has_recurrent_bias = false, has_second_product = true;
    static constexpr int h_vectors = 2;
    static constexpr int saved = 3;  // r z n
    static constexpr int h_chosen[] = {0, 1};

    template <class S> static Size q_count(const Bptt<S>& b) { return b.forward.sizes.H; }
    // q = r * h_{t-1}, the left factor of dW_hn.
    template <class S>
    static void fill_q(const Backward<S>& f, PanelWriter<S> to, Size s, Size n) {
        const Blocks<S> blocks{f.z.H, wide};
        const BackwardStep<S> step{f, s, f.time(s), 0};
        const S* before = f.h_before(n, s);
        for (Size i = 0; i < f.z.H; ++i) {
            const S r = step.saved(n, i / lanes<S>, blocks.count(), saved)[i % lanes<S>];
            const S h = f.drop == nullptr ? before[i] : before[i] * f.drop[n * f.Hs + i];
            to.put(r * h);
        }
    }

    template <int V, int R, class S>
    TT_INLINE static void recur(Tile<S, R>& acc, const S* const (&h)[R], const S* w, Size H) {
        accumulate<0, 1>(acc, h, w, H);
    }

    template <int V, int R, class S>
    TT_INLINE static void equations(const ForwardStep<S>& step, const Tile<S, R>& acc, Size row,
                                    Size block) {
        const Forward<S>& f = step.f;
        const Size unit = block * lanes<S>, count = Blocks<S>{f.z.H, wide}.count();
        for (int r = 0; r < R; ++r) {
            const Size at = (row + r) * f.Hs + unit;
            const Vec<S> rt = gate_activation(f.z, acc.at[r][0]);  // (G1)
            S* to = step.saved(row + r, block, count, saved);
            store(to, rt);
            store(to + lanes<S>, gate_activation(f.z, acc.at[r][1]));  // (G2)
            store(to + 2 * lanes<S>, acc.at[r][2]);
            store(f.q + at, rt * load(f.used[step.s & 1] + at));
        }
    }

    // (G3b): the second product, in wide blocks of the gate n.
    template <class S> static void after_tiles(const ForwardStep<S>& step, const Worker& worker) {
        worker.wait_for_units();
        const Blocks<S> out{step.f.z.H, true};
        for_blocks(worker.spans, step.s, [&](Size i) {
            for_tiles(worker.rows.begin, worker.rows.end, [&](Size row, auto rows) {
                constexpr int R = decltype(rows)::count;
                with_vectors(out.vectors(i, 1), [&](auto width) {
                    candidate<decltype(width)::count, R>(step, row, i);
                });
            });
        });
    }

    template <int V, int R, class S>
    TT_INLINE static void candidate(const ForwardStep<S>& step, Size row, Size block) {
        const Forward<S>& f = step.f;
        const Blocks<S> out{f.z.H, true};
        const Size first = block * block_vectors, count = Blocks<S>{f.z.H, wide}.count();
        Tile<S, R> acc;
        const S* q[R];
        for (int r = 0; r < R; ++r) {
            q[r] = f.q + (row + r) * f.Hs;
            for (int v = 0; v < V; ++v)
                acc.at[r][v] = load(step.saved(row + r, first + v, count, saved) + 2 * lanes<S>);
        }
        const S* w = f.W_n + block * f.z.H * block_vectors * lanes<S>;
        accumulate_first<V>(acc, q, w, f.z.H);
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < V; ++v) {
                const Size n = row + r, unit = out.unit(block, v);
                S* kept = step.saved(n, first + v, count, saved);
                const Vec<S> nt = activation(f.z, acc.at[r][v]);
                const Vec<S> before = load(f.h[step.s & 1] + n * f.Hs + unit);
                store(kept + 2 * lanes<S>, nt);
                const Vec<S> h = fma(load(kept + lanes<S>), before - nt, nt);  // (G4)
                step.put(n, unit, out.valid(block, v), h);
            }
        }
    }

    template <class S> static Columns<S> n_columns(Size H) {
        return {{H, wide}, {2 * H, 0, 0, 0}, {2, 0, 0, 0}, 1};
    }
    // W_rz^T, and behind it W_n^T.
    template <class S> static S* W_n_T(const Backward<S>& f) {
        return f.W_h_T + Blocks<S>{f.z.H, true}.count() * block_vectors * lanes<S> * 2 * f.z.H;
    }
    template <class S>
    static void pack_back(Backward<S>& f, const Columns<S>& columns, Range part) {
        const Size G = gates * f.z.H;
        pack_transposed(f.W_h_T, f.u.weights.W_h, G, f.z.H, columns, part);
        pack_transposed(W_n_T(f), f.u.weights.W_h, G, f.z.H, n_columns<S>(f.z.H), part);
    }

    template <class S>
    static void step_backward(const BackwardStep<S>& step, const Columns<S>& columns,
                              const Worker& worker) {
        const Backward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Range own = worker.own(blocks);
        const auto each = [&](auto&& body) {
            for (Size n = worker.rows.begin; n < worker.rows.end; ++n)
                for (Size i = own.begin; i < own.end; ++i)
                    body(n, i, step.saved(n, i, blocks.count(), saved));
        };
        each([&](Size n, Size i, const S* kept) {
            derive_n_z(step, n, i, blocks.valid(i, 0), kept);
        });
        worker.wait_for_units();
        const Sink<S> du{f.du, nullptr, nullptr, nullptr};
        recur_back_step(step, n_columns<S>(f.z.H), W_n_T(f), worker, du);
        each([&](Size n, Size i, const S* kept) {
            const Size unit = i * lanes<S>, at = n * f.Hs + unit;
            const int valid = blocks.valid(i, 0);
            Vec<S> h = load(f.h_before(n, step.s) + unit, valid);
            if (f.drop != nullptr) h = h * load(f.drop + at);
            const Vec<S> rt = load(kept), du_t = load(f.du + at);
            const Vec<S> dr = du_t * h * gate_activation_slope(f.z, rt);
            store(step.da(n, i), f.unmasked(n, step.t) ? dr : Vec<S>{});
            store(f.du + at, du_t * rt);
        });
        worker.wait_for_units();
        recur_back_step(step, columns, f.W_h_T, worker, Sink<S>{f.dh, f.du, f.drop, f.dh});
    }

    template <class S>
    static void weight_gradients(const Backward<S>& f, Size depth, int thread, int threads) {
        outer_x_h<0, 1>(f, depth, thread, threads);
        const Size gate_at[] = {0, 0, 2 * f.z.H, 0};
        const Factor<S> q{f.q_panels, f.z.H, nullptr, f.b.dW_h, gates * f.z.H};
        outer_product<2>(f.chunk, q, Blocks<S>{f.z.H, wide}, gate_at, depth, thread, threads);
    }
};

static_assert(CellKernel<ResetAfter> && CellKernel<ResetBefore>);

}  // namespace

extern const CellLoops<float> gru_after_f32 = cell_loops<ResetAfter, float>;
extern const CellLoops<double> gru_after_f64 = cell_loops<ResetAfter, double>;
extern const CellLoops<float> gru_before_f32 = cell_loops<ResetBefore, float>;
extern const CellLoops<double> gru_before_f64 = cell_loops<ResetBefore, double>;

}  // namespace throughtime::TT_LEVEL
