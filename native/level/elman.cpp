// Elman's cell on tiles: the equations of cells/elman.py, with their numbers.
#include "level/cell_loops.hpp"
#include "level/equations.hpp"

namespace throughtime::TT_LEVEL {
namespace {

struct Elman {
    static constexpr CellKind kind = CellKind::elman;
    static constexpr int gates = 1, h_vectors = 1;
    static constexpr bool has_c = false, wide = true, packs_tail = false;
    static constexpr bool has_recurrent_bias = false, has_second_product = false;
    static constexpr int saved = 0;  // each built-in derivative is a function of h_t
    static constexpr int h_chosen[] = {0};

    // Softmax needs all units of a row at once; all other activations are elementwise.
    template <class S> static bool whole_rows(const Sizes<S>& z) {
        return z.activation == Activation::softmax;
    }
    template <class S> static Size q_count(const Bptt<S>&) { return 0; }
    template <class S> static void fill_q(const Backward<S>&, PanelWriter<S>, Size, Size) {}

    template <int V, int R, class S>
    TT_INLINE static void project(Tile<S, R>& acc, const S* const (&x)[R], const S* w, Size F) {
        accumulate_first<V>(acc, x, w, F);
    }
    template <int V, int R, class S>
    TT_INLINE static void recur(Tile<S, R>& acc, const S* const (&h)[R], const S* w, Size H) {
        project<V>(acc, h, w, H);  // (E1)
    }

    template <int V, int R, class S>
    TT_INLINE static void equations(const ForwardStep<S>& step, const Tile<S, R>& acc, Size row,
                                    Size block) {
        const Forward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        if (whole_rows(f.z)) {
            for (int r = 0; r < R; ++r)
                for (int v = 0; v < V; ++v)
                    store(f.h[~step.s & 1] + (row + r) * f.Hs + blocks.unit(block, v),
                          acc.at[r][v]);
            return;
        }
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v)
                step.put(row + r, blocks.unit(block, v), blocks.valid(block, v),
                         activation(f.z, acc.at[r][v]));  // (E2)
    }

    template <class S> static void after_tiles(const ForwardStep<S>& step, const Worker& worker) {
        const Forward<S>& f = step.f;
        if (!whole_rows(f.z)) return;
        for (Size n = worker.rows.begin; n < worker.rows.end; ++n) {
            S* row = f.h[~step.s & 1] + n * f.Hs;
            softmax_row(row, row, f.z.H, f.z.activation_parameter);
            for (Size unit = 0; unit < f.z.H; unit += lanes<S>)
                step.put(n, unit, static_cast<int>(smaller(lanes<S>, f.z.H - unit)),
                         load(row + unit));
        }
    }

    template <class S>
    static void pack_back(Backward<S>& f, const Columns<S>& columns, Range part) {
        pack_transposed(f.W_h_T, f.u.weights.W_h, f.z.H, f.z.H, columns, part);
    }

    template <class S>
    static void step_backward(const BackwardStep<S>& step, const Columns<S>& columns,
                              const Worker& worker) {
        const Backward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Range own = worker.own(blocks);
        for (Size n = worker.rows.begin; n < worker.rows.end; ++n) {
            const bool unmasked = f.unmasked(n, step.t);
            const S* h = f.h_after(n, step.s);
            if (whole_rows(f.z) && unmasked) {
                derive_row(step, n, h, blocks);
                continue;
            }
            for (Size i = own.begin; i < own.end; ++i)
                for (int v = 0; v < blocks.vectors(i, 1); ++v) derive(step, n, i, v, h, unmasked);
        }
        worker.wait_for_units();
        const Sink<S> to{f.dh, nullptr, f.drop, f.u.mask != nullptr ? f.dh : nullptr};
        recur_back_step(step, columns, f.W_h_T, worker, to);  // (E1')
    }

    template <class S>
    TT_INLINE static void derive(const BackwardStep<S>& step, Size n, Size block, int v, const S* h,
                                 bool unmasked) {
        const Backward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Size unit = blocks.unit(block, v);
        S* da = step.da(n, block) + v * lanes<S>;
        if (!unmasked) return store(da, Vec<S>{});  // and the gradient passes through
        const int valid = blocks.valid(block, v);
        step.fetch_next(h + unit, f.z.H);
        store(da, step.dh(n, unit, valid) * activation_slope(f.z, load(h + unit, valid)));  // (E2')
        if (f.u.mask != nullptr) store(f.dh + n * f.Hs + unit, Vec<S>{});
    }

    // The whole Jacobian of softmax, one row at a time.
    template <class S>
    static void derive_row(const BackwardStep<S>& step, Size n, const S* h,
                           const Blocks<S>& blocks) {
        const Backward<S>& f = step.f;
        S* dh = f.dh + n * f.Hs;
        for (Size unit = 0; unit < f.z.H; unit += lanes<S>)
            store(dh + unit, step.dh(n, unit, static_cast<int>(smaller(lanes<S>, f.z.H - unit))));
        softmax_row_backward(dh, dh, h, f.z.H, f.z.activation_parameter);
        for (Size i = 0; i < blocks.count(); ++i) {
            for (int v = 0; v < blocks.vectors(i, 1); ++v) {
                S* at = dh + blocks.unit(i, v);
                store(step.da(n, i) + v * lanes<S>, load(at));
                store(at, Vec<S>{});
            }
        }
    }

    template <class S>
    static void weight_gradients(const Backward<S>& f, Size depth, int thread, int threads) {
        const Size H = f.z.H;
        const Size gate_at[block_vectors] = {};
        const Blocks<S> blocks{H, wide};
        const Factor<S> x{f.x_panels, f.x_count, f.x_rows, nullptr, 0};
        const Factor<S> h{f.h_panels, H, nullptr, f.b.dW_h, H};
        outer_product(f.chunk, x, blocks, gate_at, depth, threads - 1 - thread, threads);
        outer_product(f.chunk, h, blocks, gate_at, depth, thread, threads);
    }
};

static_assert(CellKernel<Elman>);

}  // namespace

extern const CellLoops<float> elman_f32 = cell_loops<Elman, float>;
extern const CellLoops<double> elman_f64 = cell_loops<Elman, double>;

}  // namespace throughtime::TT_LEVEL
