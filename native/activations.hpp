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

// ---- softmax: rows of n units, one behind the other. Nothing else is read or written. The order
// of a sum depends on n alone: a short row is added up from left to right, and what is elementwise
// takes many rows at once; in a long one the lanes are added up, and then their sums.

inline constexpr std::ptrdiff_t short_row = 32;

// Numbers of short rows that are worked on at once.
inline constexpr std::ptrdiff_t row_space = 512;

template <class S> TT_INLINE int valid_lanes(std::ptrdiff_t n) {
    return static_cast<int>(smaller(n, lanes<S>));
}

// All bits set in the first n lanes.
template <class S> TT_INLINE IVec<S> first_lanes(std::ptrdiff_t n) {
    IVec<S> lane{};
    for (int i = 0; i < lanes<S>; ++i) lane[i] = i;
    return (IVec<S>)(lane < static_cast<Int<S>>(valid_lanes<S>(n)));
}

// f over the lanes: one half with the other, until one is left.
template <class S, class F> TT_INLINE S fold(Vec<S> v, const F& f) {
    S part[lanes<S>];
    store(part, v);
    for (int half = lanes<S> / 2; half > 0; half /= 2)
        for (int i = 0; i < half; ++i) part[i] = f(part[i], part[i + half]);
    return part[0];
}
template <class S> TT_INLINE S sum_of_lanes(Vec<S> v) {
    return fold<S>(v, [](S a, S b) { return a + b; });
}
template <class S> TT_INLINE S largest_lane(Vec<S> v) {
    return fold<S>(v, [](S a, S b) { return a > b ? a : b; });
}

// y_i = f(a_i, b_i); the arrays may be the same.
template <class S, class F>
TT_INLINE void map(S* y, const S* a, const S* b, std::ptrdiff_t n, const F& f) {
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        store(y + i, f(load(a + i, valid), load(b + i, valid)), valid);
    }
}

template <class S>
inline void short_softmax(S* y, const S* z, std::ptrdiff_t n, std::ptrdiff_t rows, S temperature) {
    S of_row[row_space];
    for (std::ptrdiff_t i = 0; i < rows * n; i += n) {
        S top = z[i];
        for (std::ptrdiff_t j = i; j < i + n; ++j) top = z[j] > top ? z[j] : top;
        for (std::ptrdiff_t j = i; j < i + n; ++j) of_row[j] = top;
    }
    map(y, z, of_row, rows * n,
        [=](Vec<S> v, Vec<S> top) { return exp((v - top) / temperature); });
    for (std::ptrdiff_t i = 0; i < rows * n; i += n) {
        S sum = 0;
        for (std::ptrdiff_t j = i; j < i + n; ++j) sum += y[j];
        for (std::ptrdiff_t j = i; j < i + n; ++j) of_row[j] = sum;
    }
    map(y, y, of_row, rows * n, [](Vec<S> e, Vec<S> sum) { return e / sum; });
}

template <class S> inline void long_softmax(S* y, const S* z, std::ptrdiff_t n, S temperature) {
    const Vec<S> lowest = splat(-S(__builtin_inf()));
    Vec<S> most = lowest;
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const Vec<S> v = load(z + i, valid_lanes<S>(n - i));
        most = select<S>((IVec<S>)(v > most) & first_lanes<S>(n - i), v, most);
    }
    const S top = largest_lane<S>(most);
    Vec<S> total{};
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        const Vec<S> e = exp((load(z + i, valid) - top) / temperature);
        store(y + i, e, valid);
        total += select<S>(first_lanes<S>(valid), e, Vec<S>{});
    }
    const S sum = sum_of_lanes<S>(total);
    map(y, y, y, n, [=](Vec<S> e, Vec<S>) { return e / sum; });
}

// y_i = exp((z_i - max z) / temperature) / sum of these, in each row; y may be z. A NaN makes its
// whole row NaN.
template <class S>
inline void softmax_rows(S* y, const S* z, std::ptrdiff_t n, std::ptrdiff_t rows, S temperature) {
    const std::ptrdiff_t step = n > short_row ? 1 : row_space / n;
    for (std::ptrdiff_t row = 0; row < rows; row += step) {
        if (n > short_row)
            long_softmax(y + row * n, z + row * n, n, temperature);
        else
            short_softmax(y + row * n, z + row * n, n, smaller(step, rows - row), temperature);
    }
}
template <class S> inline void softmax_row(S* y, const S* z, std::ptrdiff_t n, S temperature) {
    softmax_rows(y, z, n, 1, temperature);
}

template <class S>
inline void short_softmax_backward(S* dz, const S* dy, const S* y, std::ptrdiff_t n,
                                   std::ptrdiff_t rows, S temperature) {
    S centred[row_space];
    for (std::ptrdiff_t i = 0; i < rows * n; i += n) {
        S inner = 0;
        for (std::ptrdiff_t j = i; j < i + n; ++j) inner += dy[j] * y[j];
        for (std::ptrdiff_t j = i; j < i + n; ++j) centred[j] = dy[j] - inner;
    }
    map(dz, y, centred, rows * n, [=](Vec<S> p, Vec<S> d) { return p * d / temperature; });
}

template <class S>
inline void long_softmax_backward(S* dz, const S* dy, const S* y, std::ptrdiff_t n, S temperature) {
    Vec<S> total{};
    for (std::ptrdiff_t i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        total += load(dy + i, valid) * load(y + i, valid);
    }
    const S inner = sum_of_lanes<S>(total);
    map(dz, y, dy, n, [=](Vec<S> p, Vec<S> d) { return p * (d - inner) / temperature; });
}

// dz_i = y_i (dy_i - sum_j dy_j y_j) / temperature, the whole Jacobian; dz may be dy.
template <class S>
inline void softmax_rows_backward(S* dz, const S* dy, const S* y, std::ptrdiff_t n,
                                  std::ptrdiff_t rows, S temperature) {
    const std::ptrdiff_t step = n > short_row ? 1 : row_space / n;
    for (std::ptrdiff_t row = 0; row < rows; row += step) {
        const std::ptrdiff_t at = row * n;
        if (n > short_row)
            long_softmax_backward(dz + at, dy + at, y + at, n, temperature);
        else
            short_softmax_backward(dz + at, dy + at, y + at, n, smaller(step, rows - row),
                                   temperature);
    }
}
template <class S>
inline void softmax_row_backward(S* dz, const S* dy, const S* y, std::ptrdiff_t n, S temperature) {
    softmax_rows_backward(dz, dy, y, n, 1, temperature);
}

}  // namespace throughtime::TT_LEVEL
