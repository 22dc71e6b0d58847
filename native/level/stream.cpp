// One step of a stack of layers, for a few rows.
//
// There is so little work that the weights are not packed: that would read them twice. Each sum is
// the same chain as in the time loops (the bias, x, then h), so the bits are the same.
#include "level/equations.hpp"
#include "level/gemm.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// Vectors of sums in registers at once: enough chains to hide the latency of fma.
constexpr int chain_vectors = registers == 32 ? 16 : 8;

// z[j] += sum_k x[k] W[k][j] for V vectors, the last of which has `valid` lanes.
template <int V, class S>
void chain_panel(S* z, const S* x, Size depth, const S* W, Size stride, int valid) {
    Vec<S> acc[V];
    for (int v = 0; v < V - 1; ++v) acc[v] = load(z + v * lanes<S>);
    acc[V - 1] = load(z + (V - 1) * lanes<S>, valid);
    for (Size k = 0; k < depth; ++k, W += stride) {
        const Vec<S> s = splat(x[k]);
#pragma GCC unroll 16
        for (int v = 0; v < V - 1; ++v) acc[v] = fma(s, load(W + v * lanes<S>), acc[v]);
        acc[V - 1] = fma(s, load(W + (V - 1) * lanes<S>, valid), acc[V - 1]);
    }
    for (int v = 0; v < V - 1; ++v) store(z + v * lanes<S>, acc[v]);
    store(z + (V - 1) * lanes<S>, acc[V - 1], valid);
}

// z[j] += sum_k x[k] W[k][j], j = 0 ... n - 1.
template <class S>
void chain(S* z, const S* x, Size depth, const S* W, Size stride, Size n) {
    Size j = 0;
    for (; n - j >= chain_vectors * lanes<S>; j += chain_vectors * lanes<S>)
        chain_panel<chain_vectors>(z + j, x, depth, W + j, stride, lanes<S>);
    for (; n - j >= 4 * lanes<S>; j += 4 * lanes<S>)
        chain_panel<4>(z + j, x, depth, W + j, stride, lanes<S>);
    for (; j < n; j += lanes<S>)
        chain_panel<1>(z + j, x, depth, W + j, stride,
                       static_cast<int>(smaller(lanes<S>, n - j)));
}

// to = a, or 0 if a is null.
template <class S> void start(S* to, const S* a, Size n) {
    for (Size i = 0; i < n; ++i) to[i] = a == nullptr ? S(0) : a[i];
}

// The layer's output for one row, from its input x; z is scratch.
template <class S> const S* layer_step(const StreamLayer<S>& layer, Size row, const S* x, S* z) {
    const Sizes<S>& sizes = layer.sizes;
    const Weights<S>& w = layer.weights;
    const Size F = sizes.F, H = sizes.H, G = (layer.dense ? 1 : gates_of(sizes.cell)) * H;
    start(z, w.b, G);
    if (w.b_time != nullptr && layer.started[row] != S(0))
        for (Size i = 0; i < G; ++i) z[i] = z[i] + w.b_time[i];
    chain(z, x, F, w.W_x, G, G);
    S* const h = layer.dense ? z : layer.h + row * H;
    S* const c = layer.c == nullptr ? nullptr : layer.c + row * H;
    S* const q = z + G;
    const bool gru = !layer.dense && sizes.cell == CellKind::gru;
    if (gru) {
        start(q, w.b_hn, H);
        chain(z, h, H, w.W_h, G, 2 * H);
        chain(q, h, H, w.W_h + 2 * H, G, H);
    } else if (!layer.dense) {
        chain(z, h, H, w.W_h, G, G);
    }
    if (w.b_time != nullptr) layer.started[row] = S(1);

    const bool lstm = !layer.dense && sizes.cell == CellKind::lstm;
    if (!gru && !lstm && sizes.activation == Activation::softmax) {
        softmax_row(h, z, H, sizes.activation_parameter);
        return h;
    }
    for (Size i = 0; i < H; i += lanes<S>) {
        const int n = static_cast<int>(smaller(lanes<S>, H - i));
        if (lstm) {
            const Vec<S> u[] = {load(z + i, n), load(z + H + i, n), load(z + 2 * H + i, n),
                                load(z + 3 * H + i, n)};
            const LstmValues<S> v = lstm_equations(sizes, u, load(c + i, n));
            store(c + i, v.c, n);
            store(h + i, v.h, n);
        } else if (gru) {
            const Vec<S> u[] = {load(z + i, n), load(z + H + i, n), load(z + 2 * H + i, n),
                                load(q + i, n)};
            store(h + i, gru_equations(sizes, u, load(h + i, n)).h, n);
        } else {
            store(h + i, activation(sizes, load(z + i, n)), n);
        }
    }
    return h;
}

// Numbers of scratch for the sums of the largest layer. Two such parts are used by turns, because
// the output of a dense layer stays in its part.
template <class S> Size largest_layer(const StreamLayer<S>* layers, Size count) {
    Size most = 0;
    for (Size i = 0; i < count; ++i) most = larger(most, 4 * layers[i].sizes.H);
    return most;
}

template <class S> void run(const Stream<S>& s) {
    const Size half = largest_layer(s.layers, s.count);
    const Size F = s.layers[0].sizes.F, K = s.layers[s.count - 1].sizes.H;
    for (Size row = 0; row < s.rows; ++row) {
        const S* x = s.x + row * F;
        for (Size i = 0; i < s.count; ++i)
            x = layer_step(s.layers[i], row, x, s.scratch + (i & 1) * half);
        __builtin_memcpy(s.y + row * K, x, sizeof(S) * static_cast<std::size_t>(K));
    }
}

}  // namespace

std::size_t scratch_numbers(const StreamLayer<float>* layers, Size count) {
    return static_cast<std::size_t>(2 * largest_layer(layers, count));
}
std::size_t scratch_numbers(const StreamLayer<double>* layers, Size count) {
    return static_cast<std::size_t>(2 * largest_layer(layers, count));
}
void stream(const Stream<float>& s) { run(s); }
void stream(const Stream<double>& s) { run(s); }

}  // namespace throughtime::TT_LEVEL
