// Recurrent cells with options: the equations of cells/general_lstm.py, norm_gru.py, norm_elman.py
// and update.py, with their numbers; and those of the plain cells where their states are clipped or
// kept.
//
// Each thread takes its rows of the batch through all steps. A step is a product for all its rows,
// then the equations row by row, because a normalised row needs all sums of the row.
#include "level/equations.hpp"
#include "level/option_rows.hpp"
#include "level/sharing.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// ---- forward

template <class S> struct Step : Layout<S> {
    using Layout<S>::z;
    using Layout<S>::sizes;
    using Layout<S>::N;
    using Layout<S>::H;
    using Layout<S>::P;
    using Layout<S>::GH;
    using Layout<S>::at;
    S *sums, *used;       // (N, GH), (N, P)
    const S *W_h, *W_r;   // packed

    explicit Step(const OptionLoop<S>& loop) : Layout<S>(loop) {}

    void run(Size s, Range rows) const {
        const S* before = z.h + s * N * P;
        if (z.drop != nullptr) {
            for (Size i = rows.begin * P; i < rows.end * P; ++i) used[i] = before[i] * z.drop[i];
            before = used;
        }
        product(sums, before, rows, P, W_h, GH, s);
        for (Size n = rows.begin; n < rows.end; ++n) {
            const Size row = at(s, n);
            S* r = sums + n * GH;
            if (z.g_h != nullptr) {
                S* w = z.w + row * GH;
                normalise_row(r, GH, this->cut, w, z.k + row * 2);
                for (Size i = 0; i < GH; i += lanes<S>) {
                    const int v = valid_lanes<S>(GH - i);
                    store(r + i, load(w + i, v) * load(z.g_h + i, v), v);
                }
            }
            const S* a = z.a + (s * N + n) * GH;
            switch (sizes.cell) {
                case CellKind::elman: elman(s, n, a, r); break;
                case CellKind::gru: gru(s, n, a, r); break;
                default: lstm(s, n, a, r);
            }
        }
        if (z.W_r != nullptr)
            product(z.h_new + at(s, 0) * P, z.m + at(s, 0) * H, rows, H, W_r, P, s);  // (L14)
        for (Size n = rows.begin; n < rows.end; ++n) {
            const Size next = ((s + 1) * N + n) * P;
            settle(z.h + next, z.h_new + at(s, n) * P, z.h + (s * N + n) * P, P, z.hidden_clip,
                   z.hold[0] == nullptr ? nullptr : z.hold[0] + (s * N + n) * P, z.rates[0],
                   this->unmasked(s, n));
        }
    }

    void elman(Size s, Size n, const S* a, const S* r) const {
        S* h = z.h_new + at(s, n) * H;
        for (Size i = 0; i < H; i += lanes<S>) {
            const int v = valid_lanes<S>(H - i);
            store(h + i, activation(sizes, load(a + i, v) + load(r + i, v)), v);  // (L17), (E2)
        }
    }

    void gru(Size s, Size n, const S* a, const S* r) const {
        const Size row = at(s, n);
        S *gates = z.gates + row * GH, *q = z.phi + row * H, *h = z.h_new + at(s, n) * H;
        const S* before = z.h + (s * N + n) * H;
        for (Size i = 0; i < H; i += lanes<S>) {
            const int v = valid_lanes<S>(H - i);
            const auto gate = [&](const S* from, int g) { return load(from + g * H + i, v); };
            Vec<S> own = gate(r, 2);
            if (z.b_hn != nullptr) own = own + load(z.b_hn + i, v);
            const Vec<S> u[] = {gate(a, 0) + gate(r, 0), gate(a, 1) + gate(r, 1), gate(a, 2), own};
            const GruValues<S> value = gru_equations(sizes, u, load(before + i, v));  // (L19), (L20)
            store(gates + i, value.r, v);
            store(gates + H + i, value.z, v);
            store(gates + 2 * H + i, value.n, v);
            store(q + i, own, v);
            store(h + i, value.h, v);
        }
    }

    void lstm(Size s, Size n, const S* a, const S* r) const {
        const Size row = at(s, n), last = z.G - 1;
        const bool coupled = z.G == 3;
        S *gates = z.gates + row * GH, *phi = z.phi + row * H;
        S *c_new = z.c_new + at(s, n) * H, *out = z.W_r == nullptr ? z.h_new + row * H
                                                                     : z.m + row * H;
        const S* before = z.c + (s * N + n) * H;
        const Vec<S> high = splat(z.cell_clip);
        for (Size i = 0; i < H; i += lanes<S>) {
            const int v = valid_lanes<S>(H - i);
            const auto sum = [&](Size g) { return load(a + g * H + i, v) + load(r + g * H + i, v); };
            const auto look = [&](Size g) { return load(z.W_c + g * H + i, v); };
            const Vec<S> old = load(before + i, v);
            Vec<S> u_i = sum(0), u_f = coupled ? Vec<S>{} : sum(1), u_o = sum(last);
            if (z.W_c != nullptr) {  // (L9)
                u_i = u_i + look(0) * old;
                if (!coupled) u_f = u_f + look(1) * old;
            }
            const Vec<S> in = gate_activation(sizes, u_i), g = activation(sizes, sum(last - 1));
            const Vec<S> forget = coupled ? S(1) - in : gate_activation(sizes, u_f);  // (L10)
            Vec<S> c = fma(forget, old, in * g);
            c = select<S>(c > high, high, select<S>(c < -high, -high, c));  // (L11)
            if (z.W_c != nullptr) u_o = u_o + look(last - 1) * c;
            store(gates + i, in, v);
            if (!coupled) store(gates + H + i, forget, v);
            store(gates + (last - 1) * H + i, g, v);
            store(gates + last * H + i, gate_activation(sizes, u_o), v);  // (L12)
            store(c_new + i, c, v);
        }
        const S* shown = c_new;
        S* w = nullptr;
        if (z.g_c != nullptr) {
            w = z.w_c + row * H;
            z.k_c[row] = normalise_part(c_new, H, w);
            shown = w;
        }
        for (Size i = 0; i < H; i += lanes<S>) {
            const int v = valid_lanes<S>(H - i);
            Vec<S> x = load(shown + i, v);
            if (w != nullptr) x = x * load(z.g_c + i, v);
            if (w != nullptr && z.b_c != nullptr) x = x + load(z.b_c + i, v);
            const Vec<S> y = activation(sizes, x);
            store(phi + i, y, v);
            store(out + i, load(gates + last * H + i, v) * y, v);  // (L13)
        }
        settle(z.c + ((s + 1) * N + n) * H, c_new, before, H, no_clip<S>,
               z.hold[1] == nullptr ? nullptr : z.hold[1] + (s * N + n) * H, z.rates[1],
               this->unmasked(s, n));
    }
};

// How many threads share the rows.
template <class S> int rows_threads(const Layout<S>& z) {
    const double work = static_cast<double>(z.N * z.sizes.T) *
                        static_cast<double>(z.GH * z.P + (z.z.W_r == nullptr ? 0 : z.H * z.P));
    return threads_worth(work, smaller(z.sizes.threads, larger(z.N, 1)));
}

template <class S> void forward(const OptionLoop<S>& loop) {
    Step<S> step(loop);
    Arena own;
    S *W_h, *W_r = nullptr;
    own.add(step.sums, step.N * step.GH);
    own.add(step.used, loop.drop == nullptr ? 0 : step.N * step.P);
    own.add(W_h, packed_numbers<S>(step.P, step.GH));
    if (loop.W_r != nullptr) own.add(W_r, packed_numbers<S>(step.H, step.P));
    own.settle();
    pack_whole(W_h, loop.W_h, step.P, step.GH);
    if (loop.W_r != nullptr) pack_whole(W_r, loop.W_r, step.H, step.P);
    step.W_h = W_h;
    step.W_r = W_r;
    auto work = [&](int thread, int threads) {
        const Range rows = part_of(step.N, thread, threads);
        for (Size s = 0; s < loop.sizes.T; ++s) step.run(s, rows);
    };
    run_parallel(rows_threads(step), work);
}

// ---- backward

template <class S> struct BackStep : Layout<S> {
    using Layout<S>::z;
    using Layout<S>::sizes;
    using Layout<S>::N;
    using Layout<S>::H;
    using Layout<S>::P;
    using Layout<S>::GH;
    const OptionBack<S>& b;
    S *dm, *dh;           // (N, H), (N, P)
    const S *W_h, *W_r;   // packed, transposed

    explicit BackStep(const OptionBack<S>& back) : Layout<S>(back.forward), b(back) {}

    void run(Size s, Range rows) const {
        for (Size n = rows.begin; n < rows.end; ++n) {
            const Size row = s * N + n;
            S *d = b.dh + n * P, *dp = b.dp + row * P;
            if (!this->unmasked(s, n)) {
                clear(dp, P);
                continue;
            }
            if (b.dy != nullptr)
                for (Size i = 0; i < P; ++i) d[i] += b.dy[row * P + i];  // (B3')
            settle_back(dp, d, z.h_new + row * P, P, z.hidden_clip,
                        z.hold[0] == nullptr ? nullptr : z.hold[0] + row * P, z.rates[0]);
        }
        const S* dm_rows = b.dp + s * N * P;
        if (z.W_r != nullptr) {
            product(dm, dm_rows, rows, P, W_r, H, s);  // (L14')
            dm_rows = dm;
        }
        for (Size n = rows.begin; n < rows.end; ++n) {
            const Size row = s * N + n;
            S *da = b.da + row * GH, *du = b.du + row * GH, *dr = b.dr + row * GH;
            if (!this->unmasked(s, n)) {
                clear(da, GH);
                clear(du, GH);
                clear(dr, GH);
                if (b.dv != nullptr) clear(b.dv + row * H, H);
                continue;
            }
            switch (sizes.cell) {
                case CellKind::elman: elman(row, dm_rows + n * H, da); break;
                case CellKind::gru: gru(row, n, dm_rows + n * H, da, du); break;
                default: lstm(row, n, dm_rows + n * H, da);
            }
            if (z.g_h != nullptr)  // (L8'), (L17'), (L18'), (L19')
                normalise_row_back(du, z.g_h, z.w + row * GH, z.k + row * 2, GH, this->cut, dr);
        }
        product(dh, b.dr + s * N * GH, rows, GH, W_h, P, s);
        for (Size i = rows.begin * P; i < rows.end * P; ++i)
            b.dh[i] += z.drop == nullptr ? dh[i] : dh[i] * z.drop[i];
    }

    static void clear(S* to, Size count) {
        for (Size i = 0; i < count; ++i) to[i] = S(0);
    }

    void elman(Size row, const S* d, S* da) const {
        const S* h = z.h_new + row * H;
        for (Size i = 0; i < H; i += lanes<S>) {
            const int v = valid_lanes<S>(H - i);
            store(da + i, load(d + i, v) * activation_slope(sizes, load(h + i, v)), v);  // (E2')
        }
    }

    void gru(Size row, Size n, const S* d, S* da, S* du) const {
        const S *gates = z.gates + row * GH, *q = z.phi + row * H, *before = z.h + row * H;
        S* carried = b.dh + n * H;
        for (Size i = 0; i < H; i += lanes<S>) {
            const int v = valid_lanes<S>(H - i);
            const Vec<S> dh = load(d + i, v), rt = load(gates + i, v);
            const Vec<S> zt = load(gates + H + i, v), nt = load(gates + 2 * H + i, v);
            const Vec<S> da_n = dh * (S(1) - zt) * activation_slope(sizes, nt);  // (G4'), (G3')
            const Vec<S> da_z =
                dh * (load(before + i, v) - nt) * gate_activation_slope(sizes, zt);
            const Vec<S> da_r = da_n * load(q + i, v) * gate_activation_slope(sizes, rt);
            store(da + i, da_r, v);
            store(da + H + i, da_z, v);
            store(da + 2 * H + i, da_n, v);
            store(du + i, da_r, v);
            store(du + H + i, da_z, v);
            store(du + 2 * H + i, da_n * rt, v);  // (L20')
            store(carried + i, fma(dh, zt, load(carried + i, v)), v);
        }
    }

    void lstm(Size row, Size n, const S* dm_row, S* da) const {
        const Size last = z.G - 1;
        const bool coupled = z.G == 3;
        const S *gates = z.gates + row * GH, *phi = z.phi + row * H;
        const S *before = z.c + row * H, *c_new = z.c_new + row * H;
        S *dc = b.dc + n * H, *dv = b.dv + row * H, *dc_new = dc_of(n);
        for (Size i = 0; i < H; i += lanes<S>) {  // (L13')
            const int v = valid_lanes<S>(H - i);
            const Vec<S> d = load(dm_row + i, v) * load(gates + last * H + i, v);
            store(dv + i, d * activation_slope(sizes, load(phi + i, v)), v);
        }
        settle_back(dc_new, dc, c_new, H, no_clip<S>,
                    z.hold[1] == nullptr ? nullptr : z.hold[1] + row * H, z.rates[1]);
        const S* shown = dv;
        if (z.g_c != nullptr) {
            normalise_part_back(dv, z.g_c, z.w_c + row * H, z.k_c[row], H, normalised_of(n));
            shown = normalised_of(n);
        }
        for (Size i = 0; i < H; i += lanes<S>) {
            const int v = valid_lanes<S>(H - i);
            const auto value = [&](Size g) { return load(gates + g * H + i, v); };
            const auto look = [&](Size g) { return load(z.W_c + g * H + i, v); };
            const Vec<S> c = load(c_new + i, v), old = load(before + i, v);
            const Vec<S> in = value(0), g = value(last - 1), o = value(last);
            const Vec<S> du_o = load(dm_row + i, v) * load(phi + i, v) *
                                gate_activation_slope(sizes, o);
            Vec<S> d = load(dc_new + i, v) + load(shown + i, v);
            if (z.W_c != nullptr) d = fma(du_o, look(last - 1), d);       // (L12')
            d = unclipped(d, c, z.cell_clip);                             // (L11')
            const Vec<S> forget = coupled ? S(1) - in : value(1);
            const Vec<S> di = coupled ? d * (g - old) : d * g;            // (L10'), (L3')
            const Vec<S> du_i = di * gate_activation_slope(sizes, in);
            Vec<S> back = d * forget;
            if (z.W_c != nullptr) back = fma(du_i, look(0), back);        // (L9')
            if (!coupled) {
                const Vec<S> du_f = d * old * gate_activation_slope(sizes, forget);
                if (z.W_c != nullptr) back = fma(du_f, look(1), back);
                store(da + H + i, du_f, v);
            }
            store(da + i, du_i, v);
            store(da + (last - 1) * H + i, d * in * activation_slope(sizes, g), v);
            store(da + last * H + i, du_o, v);
            store(dc + i, load(dc + i, v) + back, v);
        }
    }

    // Room for a row of dL/dc_t, and for (L6') of it.
    S* rows_of_c = nullptr;  // (N, 2, H)
    S* dc_of(Size n) const { return rows_of_c + 2 * n * H; }
    S* normalised_of(Size n) const { return dc_of(n) + H; }
};

template <class S> void backward(const OptionBack<S>& back) {
    const OptionLoop<S>& loop = back.forward;
    BackStep<S> step(back);
    Arena own;
    S *W_h, *W_r = nullptr;
    own.add(step.dm, loop.W_r == nullptr ? 0 : step.N * step.H);
    own.add(step.dh, step.N * step.P);
    if (has_c(loop.sizes.cell)) own.add(step.rows_of_c, 2 * step.N * step.H);
    own.add(W_h, packed_numbers<S>(step.GH, step.P));
    if (loop.W_r != nullptr) own.add(W_r, packed_numbers<S>(step.P, step.H));
    own.settle();
    pack_whole(W_h, back.W_h_T, step.GH, step.P);
    if (loop.W_r != nullptr) pack_whole(W_r, back.W_r_T, step.P, step.H);
    step.W_h = W_h;
    step.W_r = W_r;
    auto work = [&](int thread, int threads) {
        const Range rows = part_of(step.N, thread, threads);
        for (Size s = loop.sizes.T - 1; s >= 0; --s) step.run(s, rows);
    };
    run_parallel(rows_threads(step), work);
}

// ---- what stands around the loop

// Numbers below which a second thread costs more than it saves.
constexpr double numbers_worth_a_thread = 3e4;

template <class F> void share(Size count, double numbers, int threads, F&& f) {
    const Size worth = 1 + static_cast<Size>(numbers / numbers_worth_a_thread);
    auto work = [&](int thread, int n) { f(part_of(count, thread, n)); };
    run_parallel(static_cast<int>(larger(1, smaller(smaller(worth, threads), count))), work);
}

template <class S> void normalise(const Normalisation<S>& z) {
    share(z.M, static_cast<double>(z.M) * static_cast<double>(z.W), z.threads, [&](Range rows) {
        for (Size m = rows.begin; m < rows.end; ++m) {
            S *w = z.w + m * z.W, *a = z.a + m * z.W;
            normalise_row(z.v + m * z.W, z.W, z.cut, w, z.k + 2 * m);
            for (Size i = 0; i < z.W; i += lanes<S>) {
                const int n = valid_lanes<S>(z.W - i);
                Vec<S> value = load(w + i, n) * load(z.g + i, n);
                if (z.b != nullptr) value = value + load(z.b + i, n);
                store(a + i, value, n);
            }
        }
    });
}

template <class S> void normalise_back(const Normalisation<S>& z) {
    share(z.M, static_cast<double>(z.M) * static_cast<double>(z.W), z.threads, [&](Range rows) {
        for (Size m = rows.begin; m < rows.end; ++m)
            normalise_row_back(z.da + m * z.W, z.g, z.w + m * z.W, z.k + 2 * m, z.W, z.cut,
                               z.dv + m * z.W);
    });
}

// Vectors of columns that are summed together.
constexpr Size sum_vectors = 4;

template <class S> void column_sums(const ColumnSums<S>& z) {
    constexpr Size span = sum_vectors * lanes<S>;
    const Size spans = (z.W + span - 1) / span;
    share(spans, static_cast<double>(z.M) * static_cast<double>(z.W), z.threads, [&](Range part) {
        for (Size j = part.begin * span; j < smaller(z.W, part.end * span); j += span) {
            Vec<S> sum[sum_vectors] = {};
            int n[sum_vectors];
            for (Size v = 0; v < sum_vectors; ++v)
                n[v] = static_cast<int>(larger(0, smaller(lanes<S>, z.W - j - v * lanes<S>)));
            for (Size m = 0; m < z.M; ++m) {
                for (Size v = 0; v < sum_vectors; ++v) {
                    if (n[v] == 0) break;
                    const Size at = j + v * lanes<S>;
                    const Vec<S> a = load(z.a + m * z.a_row + at, n[v]);
                    sum[v] = z.b == nullptr ? sum[v] + a
                                            : fma(a, load(z.b + m * z.b_row + at, n[v]), sum[v]);
                }
            }
            for (Size v = 0; v < sum_vectors && n[v] > 0; ++v) {
                S* out = z.out + j + v * lanes<S>;
                store(out, load(out, n[v]) + sum[v], n[v]);
            }
        }
    });
}

}  // namespace

extern const OptionLoops<float> options_f32{forward<float>, backward<float>, normalise<float>,
                                            normalise_back<float>, column_sums<float>};
extern const OptionLoops<double> options_f64{forward<double>, backward<double>, normalise<double>,
                                             normalise_back<double>, column_sums<double>};

}  // namespace throughtime::TT_LEVEL
