// Every built-in activation on vectors: f, and f' written from f's output as in activations.py.
#pragma once

#include "math.hpp"
#include "pointwise.hpp"

namespace throughtime::TT_LEVEL {

// f(z) of an elementwise activation; softmax takes whole rows, below.
template <Activation kind, class V>
TT_INLINE V activate([[maybe_unused]] Element<V> parameter, V z) {
    using S = Element<V>;
    if constexpr (kind == Activation::sigmoid) return sigmoid(z);
    if constexpr (kind == Activation::tanh) return tanh(z);
    if constexpr (kind == Activation::relu) return at_least(S(0), z);
    if constexpr (kind == Activation::leaky_relu) return select<S>(z > S(0), z, parameter * z);
    if constexpr (kind == Activation::elu) return select<S>(z > S(0), z, parameter * expm1(z));
    if constexpr (kind == Activation::softplus) return softplus(z);
    if constexpr (kind == Activation::hard_sigmoid)
        return at_most(S(1), at_least(S(0), z / S(6) + S(0.5)));
    if constexpr (kind == Activation::exp) return exp(z);
    return z;
}

// f'(z) from y = f(z).
template <Activation kind, class V>
TT_INLINE V derivative([[maybe_unused]] Element<V> parameter, V y) {
    using S = Element<V>;
    const V zero{}, one = splat(S(1));
    if constexpr (kind == Activation::sigmoid) return y * (one - y);
    if constexpr (kind == Activation::tanh) return one - y * y;
    if constexpr (kind == Activation::relu) return select<S>(y > zero, one, zero);
    if constexpr (kind == Activation::leaky_relu)
        return select<S>(y > zero, one, splat(parameter));
    if constexpr (kind == Activation::elu) return select<S>(y > zero, one, y + parameter);
    if constexpr (kind == Activation::softplus) return -expm1(-y);
    if constexpr (kind == Activation::hard_sigmoid)
        return select<S>((y > zero) & (y < one), splat(S(1) / S(6)), zero);
    if constexpr (kind == Activation::exp) return y;
    return one;
}

// work.template operator()<kind>() for a kind known at run time; softmax has no elementwise form.
template <class F> TT_INLINE auto with_activation(Activation kind, const F& work) {
    switch (kind) {
        case Activation::sigmoid: return work.template operator()<Activation::sigmoid>();
        case Activation::tanh: return work.template operator()<Activation::tanh>();
        case Activation::relu: return work.template operator()<Activation::relu>();
        case Activation::leaky_relu: return work.template operator()<Activation::leaky_relu>();
        case Activation::elu: return work.template operator()<Activation::elu>();
        case Activation::softplus: return work.template operator()<Activation::softplus>();
        case Activation::hard_sigmoid: return work.template operator()<Activation::hard_sigmoid>();
        case Activation::exp: return work.template operator()<Activation::exp>();
        case Activation::identity:
        case Activation::softmax: break;
    }
    return work.template operator()<Activation::identity>();
}

template <class S> TT_INLINE Vec<S> activate(Activation kind, S parameter, Vec<S> z) {
    return with_activation(kind, [&]<Activation k>() { return activate<k>(parameter, z); });
}
template <class S> TT_INLINE Vec<S> derivative(Activation kind, S parameter, Vec<S> y) {
    return with_activation(kind, [&]<Activation k>() { return derivative<k>(parameter, y); });
}

// ---- softmax: rows of n units. What is behind them is neither read nor written. Sums go lane by
// lane through the row and then over the lanes, in an order that only n decides.

// The lanes from n on are `rest`.
template <class S> TT_INLINE Vec<S> load_or(const S* p, std::ptrdiff_t n, S rest) {
    if (n >= lanes<S>) return load(p);
    Vec<S> v = splat(rest);
    for (int i = 0; i < static_cast<int>(n); ++i) v[i] = p[i];
    return v;
}

template <class S> TT_INLINE int valid_lanes(std::ptrdiff_t n) {
    return static_cast<int>(smaller(n, lanes<S>));
}

template <class S> TT_INLINE S sum_of_lanes(Vec<S> v) {
    S part[lanes<S>];
    store(part, v);
    for (int half = lanes<S> / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) part[i] += part[i + half];
    return part[0];
}

template <class S> TT_INLINE S largest(const S* z, std::ptrdiff_t n) {
    constexpr S lowest = -S(__builtin_inf());
    Vec<S> most = splat(lowest);
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const Vec<S> v = load_or(z + i, n - i, lowest);
        most = select<S>(v > most, v, most);
    }
    S result = most[0];
    for (int i = 1; i < lanes<S>; ++i) result = most[i] > result ? S(most[i]) : result;
    return result;
}

// y_i = exp((z_i - max z) / temperature) / sum of these; y may be z. A NaN makes all of them NaN.
template <class S> inline void softmax_row(S* y, const S* z, std::ptrdiff_t n, S temperature) {
    constexpr S lowest = -S(__builtin_inf());
    const S top = largest(z, n);
    Vec<S> total{};
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const Vec<S> e = exp((load_or(z + i, n - i, lowest) - top) / temperature);
        store(y + i, e, valid_lanes<S>(n - i));
        total += e;
    }
    const S sum = sum_of_lanes<S>(total);
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        store(y + i, load(y + i, valid) / sum, valid);
    }
}

// dz_i = y_i (dy_i - sum_j dy_j y_j) / temperature, the whole Jacobian; dz may be dy.
template <class S>
inline void softmax_row_backward(S* dz, const S* dy, const S* y, std::ptrdiff_t n, S temperature) {
    Vec<S> total{};
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        total += load(dy + i, valid) * load(y + i, valid);
    }
    const S inner = sum_of_lanes<S>(total);
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        store(dz + i, load(y + i, valid) * (load(dy + i, valid) - inner) / temperature, valid);
    }
}

}  // namespace throughtime::TT_LEVEL
