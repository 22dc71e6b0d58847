// LSTM on tiles; cells/lstm.py holds the same equations and their numbers.
#include "equations.hpp"
#include "bptt.hpp"
#include "forward.hpp"

namespace throughtime::TT_LEVEL {
namespace {

struct Lstm {
    static constexpr bool wide = false, narrows = true, recurrent_bias = false, has_c = true;
    static constexpr bool two_products = false;
    static constexpr int gates = 4, x_vectors = 4, h_vectors = 4;
    static constexpr int saved = 5;  // i f g o c_t
    static constexpr int x_chosen[] = {0, 1, 2, 3}, h_chosen[] = {0, 1, 2, 3};

    template <class S> static bool whole_rows(const Sizes<S>&) { return false; }
    template <class S> static Size q_count(const Bptt<S>&) { return 0; }
    template <class S> static void fill_q(const Backward<S>&, PanelWriter<S>, Size, Size) {}
    template <class S> static void after_tiles(const Step<S>&, const Team&) {}

    template <int V, int R, class S>
    TT_INLINE static void project(Tile<S, R>& acc, const S* const (&x)[R], const S* w, Size F) {
        accumulate<0, 1, 2, 3>(acc, x, w, F);
    }
    template <int V, int R, class S>
    TT_INLINE static void recur(Tile<S, R>& acc, const S* const (&h)[R], const S* w, Size H) {
        accumulate<0, 1, 2, 3>(acc, h, w, H);  // (L1)
    }

    template <int V, int R, class S>
    TT_INLINE static void finish(const Step<S>& step, const Tile<S, R>& acc, Size row, Size block) {
        const Forward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Size unit = block * lanes<S>;
        for (int r = 0; r < R; ++r) {
            const Size n = row + r;
            S* kept = f.c + n * f.Hs + unit;
            LstmValues<S> v = lstm_equations(f.z, acc.at[r], load(kept));
            if (!f.real(n, step.t)) v.c = load(kept);
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
    static void back(const BackStep<S>& step, const Columns<S>& columns, const Team& team) {
        const Backward<S>& f = step.f;
        const Blocks<S> blocks{f.z.H, wide};
        const Range own = team.own(blocks);
        for (Size n = team.rows.begin; n < team.rows.end; ++n) {
            const bool real = f.real(n, step.t);
            for (Size i = own.begin; i < own.end; ++i) derive(step, n, i, blocks, real);
        }
        team.wait_for_units();
        const Sink<S> to{f.dh, nullptr, f.drop, f.u.mask != nullptr ? f.dh : nullptr};
        recur_back_step(step, columns, f.W_h_T, team, to);  // (L1')
    }

    template <class S>
    TT_INLINE static void derive(const BackStep<S>& step, Size n, Size block,
                                 const Blocks<S>& blocks, bool real) {
        const Backward<S>& f = step.f;
        S* da = step.da(n, block);
        if (!real) {  // da = 0, and both gradients pass through
            for (int v = 0; v < gates; ++v) store(da + v * lanes<S>, Vec<S>{});
            return;
        }
        const Size unit = block * lanes<S>;
        const S* kept = step.saved(n, block, blocks.count(), saved);
        const Vec<S> i = load(kept), forget = load(kept + lanes<S>);
        const Vec<S> g = load(kept + 2 * lanes<S>), o = load(kept + 3 * lanes<S>);
        const Vec<S> phi = body(f.z, load(kept + 4 * lanes<S>));
        const Vec<S> dh = step.dh(n, unit, blocks.valid(block, 0));
        S* at = f.dc + n * f.Hs + unit;
        const Vec<S> dc = fma(dh * o, body_slope(f.z, phi), load(at));  // (L4')
        const Vec<S> c_before = step.c_before(n, block, blocks.count(), saved);
        store(da, dc * g * gate_slope(f.z, i));                                    // (L3'), (L2')
        store(da + lanes<S>, dc * c_before * gate_slope(f.z, forget));
        store(da + 2 * lanes<S>, dc * i * body_slope(f.z, g));
        store(da + 3 * lanes<S>, dh * phi * gate_slope(f.z, o));
        store(at, dc * forget);
        if (f.u.mask != nullptr) store(f.dh + n * f.Hs + unit, Vec<S>{});
    }

    template <class S>
    static void outer(const Backward<S>& f, Size depth, int thread, int threads) {
        const Size H = f.z.H, G = gates * H;
        const Size gate[] = {0, H, 2 * H, 3 * H};
        const Blocks<S> blocks{H, wide};
        const Factor<S> x{f.x_panels, f.x_count, f.x_rows, nullptr, 0};
        const Factor<S> h{f.h_panels, H, nullptr, f.b.dW_h, G};
        outer_product<0, 1, 2, 3>(f.chunk, x, blocks, gate, depth, threads - 1 - thread, threads);
        outer_product<0, 1, 2, 3>(f.chunk, h, blocks, gate, depth, thread, threads);
    }
};

}  // namespace

std::size_t tape_bytes_lstm(const Sizes<float>& z, bool masked, bool timed) {
    return tape_bytes<Lstm>(z, masked, timed);
}
std::size_t tape_bytes_lstm(const Sizes<double>& z, bool masked, bool timed) {
    return tape_bytes<Lstm>(z, masked, timed);
}
void unroll_lstm(const Unroll<float>& u) { unroll<Lstm>(u); }
void unroll_lstm(const Unroll<double>& u) { unroll<Lstm>(u); }
void bptt_lstm(const Bptt<float>& b) { bptt<Lstm>(b); }
void bptt_lstm(const Bptt<double>& b) { bptt<Lstm>(b); }

}  // namespace throughtime::TT_LEVEL
