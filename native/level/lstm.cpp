// LSTM on tiles: the equations of cells/lstm.py, with their numbers.
#include "level/cell_loops.hpp"
#include "level/equations.hpp"

namespace throughtime::TT_LEVEL {
namespace {

struct Lstm {
    static constexpr CellKind kind = CellKind::lstm;
    static constexpr int gates = 4, h_vectors = 4;
    static constexpr bool has_c = true, wide = false, packs_tail = true;
    static constexpr bool has_recurrent_bias = false, has_second_product = false;
    static constexpr int saved = 5;  // i f g o c_t
    static constexpr int h_chosen[] = {0, 1, 2, 3};

    template <class S> static bool whole_rows(const Sizes<S>&) { return false; }
    template <class S> static Size q_count(const Bptt<S>&) { return 0; }
    template <class S> static void fill_q(const Backward<S>&, PanelWriter<S>, Size, Size) {}
    template <class S> static void after_tiles(const ForwardStep<S>&, const Worker&) {}

    template <int V, int R, class S>
    TT_INLINE static void project(Tile<S, R>& acc, const S* const (&x)[R], const S* w, Size F) {
        accumulate<0, 1, 2, 3>(acc, x, w, F);
    }
    template <int V, int R, class S>
    TT_INLINE static void recur(Tile<S, R>& acc, const S* const (&h)[R], const S* w, Size H) {
        accumulate<0, 1, 2, 3>(acc, h, w, H);  // (L1)
    }

    template <int V, int R, class S>
    TT_INLINE static void equations(const ForwardStep<S>& step, const Tile<S, R>& acc, Size row,
                                    Size block) {
        const Forward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Size unit = block * lanes<S>;
        for (int r = 0; r < R; ++r) {
            const Size n = row + r;
            S* kept = f.c + n * f.Hs + unit;
            LstmValues<S> v = lstm_equations(f.z, acc.at[r], load(kept));
            if (!f.unmasked(n, step.t)) v.c = load(kept);
            store(kept, v.c);
            step.put(n, unit, blocks.valid(block, 0), v.h);
            if (f.keep) {
                S* to = step.saved(n, block, blocks.count(), saved);
                store(to, v.i);
                store(to + lanes<S>, v.f);
                store(to + 2 * lanes<S>, v.g);
                store(to + 3 * lanes<S>, v.o);
                store(to + 4 * lanes<S>, v.c);
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
            const bool unmasked = f.unmasked(n, step.t);
            for (Size i = own.begin; i < own.end; ++i) derive(step, n, i, blocks, unmasked);
        }
        worker.wait_for_units();
        const Sink<S> to{f.dh, nullptr, f.drop, f.u.mask != nullptr ? f.dh : nullptr};
        recur_back_step(step, columns, f.W_h_T, worker, to);  // (L1')
    }

    template <class S>
    TT_INLINE static void derive(const BackwardStep<S>& step, Size n, Size block,
                                 const Blocks<S>& blocks, bool unmasked) {
        const Backward<S>& f = step.f;
        S* da = step.da(n, block);
        if (!unmasked) {  // da = 0, and both gradients pass through
            for (int v = 0; v < gates; ++v) store(da + v * lanes<S>, Vec<S>{});
            return;
        }
        const Size unit = block * lanes<S>;
        const S* kept = step.saved(n, block, blocks.count(), saved);
        const Vec<S> i = load(kept), forget = load(kept + lanes<S>);
        const Vec<S> g = load(kept + 2 * lanes<S>), o = load(kept + 3 * lanes<S>);
        const Vec<S> phi = activation(f.z, load(kept + 4 * lanes<S>));
        const Vec<S> dh = step.dh(n, unit, blocks.valid(block, 0));
        S* at = f.dc + n * f.Hs + unit;
        const Vec<S> dc = fma(dh * o, activation_slope(f.z, phi), load(at));  // (L4')
        const Vec<S> c_before = step.c_before(n, block, blocks.count(), saved);
        store(da, dc * g * gate_activation_slope(f.z, i));  // (L3'), (L2')
        store(da + lanes<S>, dc * c_before * gate_activation_slope(f.z, forget));
        store(da + 2 * lanes<S>, dc * i * activation_slope(f.z, g));
        store(da + 3 * lanes<S>, dh * phi * gate_activation_slope(f.z, o));
        store(at, dc * forget);
        if (f.u.mask != nullptr) store(f.dh + n * f.Hs + unit, Vec<S>{});
    }

    template <class S>
    static void weight_gradients(const Backward<S>& f, Size depth, int thread, int threads) {
        const Size H = f.z.H, G = gates * H;
        const Size gate_at[] = {0, H, 2 * H, 3 * H};
        const Blocks<S> blocks{H, wide};
        const Factor<S> x{f.x_panels, f.x_count, f.x_rows, nullptr, 0};
        const Factor<S> h{f.h_panels, H, nullptr, f.b.dW_h, G};
        outer_product<0, 1, 2, 3>(f.chunk, x, blocks, gate_at, depth, threads - 1 - thread,
                                  threads);
        outer_product<0, 1, 2, 3>(f.chunk, h, blocks, gate_at, depth, thread, threads);
    }
};

static_assert(CellKernel<Lstm>);

}  // namespace

extern const CellLoops<float> lstm_f32 = cell_loops<Lstm, float>;
extern const CellLoops<double> lstm_f64 = cell_loops<Lstm, double>;

}  // namespace throughtime::TT_LEVEL
