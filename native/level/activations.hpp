// All built-in activations on vectors: f, and f' as a function of the output, as in activations.py.
#pragma once

#include "level/math.hpp"
#include "base/pointwise.hpp"

namespace throughtime::TT_LEVEL {

// f(z) of an elementwise activation; softmax, which takes whole rows, is below.
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

// Calls work.template operator()<kind>() for a kind known at run time; softmax is not elementwise
// and counts as the identity.
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
// of a sum depends on n alone. A short row is summed from left to right, and the elementwise parts
// take many rows at once. In a long row each lane is summed, and then the sums of the lanes.

inline constexpr Size short_row = 32;

// Numbers of short rows that are computed at once.
inline constexpr Size row_space = 512;

template <class S> TT_INLINE int valid_lanes(Size n) {
    return static_cast<int>(smaller(n, lanes<S>));
}

// All bits set in the first n lanes.
template <class S> TT_INLINE IVec<S> first_lanes(Size n) {
    IVec<S> lane{};
    for (int i = 0; i < lanes<S>; ++i) lane[i] = i;
    return (IVec<S>)(lane < static_cast<Int<S>>(valid_lanes<S>(n)));
}

// Folds the lanes with f, one half with the other, until one is left.
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
TT_INLINE void combine(S* y, const S* a, const S* b, Size n, const F& f) {
    for (Size i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        store(y + i, f(load(a + i, valid), load(b + i, valid)), valid);
    }
}

template <class S>
inline void short_softmax(S* y, const S* z, Size n, Size rows, S temperature) {
    S of_row[row_space];
    for (Size i = 0; i < rows * n; i += n) {
        S top = z[i];
        for (Size j = i; j < i + n; ++j) top = z[j] > top ? z[j] : top;
        for (Size j = i; j < i + n; ++j) of_row[j] = top;
    }
    combine(y, z, of_row, rows * n,
        [=](Vec<S> v, Vec<S> top) { return exp((v - top) / temperature); });
    for (Size i = 0; i < rows * n; i += n) {
        S sum = 0;
        for (Size j = i; j < i + n; ++j) sum += y[j];
        for (Size j = i; j < i + n; ++j) of_row[j] = sum;
    }
    combine(y, y, of_row, rows * n, [](Vec<S> e, Vec<S> sum) { return e / sum; });
}

template <class S> inline void long_softmax(S* y, const S* z, Size n, S temperature) {
    const Vec<S> lowest = splat(-S(__builtin_inf()));
    Vec<S> most = lowest;
    for (Size i = 0; i < n; i += lanes<S>) {
        const Vec<S> v = load(z + i, valid_lanes<S>(n - i));
        most = select<S>((IVec<S>)(v > most) & first_lanes<S>(n - i), v, most);
    }
    const S top = largest_lane<S>(most);
    Vec<S> total{};
    for (Size i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        const Vec<S> e = exp((load(z + i, valid) - top) / temperature);
        store(y + i, e, valid);
        total += select<S>(first_lanes<S>(valid), e, Vec<S>{});
    }
    const S sum = sum_of_lanes<S>(total);
    combine(y, y, y, n, [=](Vec<S> e, Vec<S>) { return e / sum; });
}

// y_i = exp((z_i - max z) / temperature) / their sum, in each row; y may be z. A NaN makes its
// whole row NaN.
template <class S>
inline void softmax_rows(S* y, const S* z, Size n, Size rows, S temperature) {
    const Size step = n > short_row ? 1 : row_space / n;
    for (Size row = 0; row < rows; row += step) {
        if (n > short_row)
            long_softmax(y + row * n, z + row * n, n, temperature);
        else
            short_softmax(y + row * n, z + row * n, n, smaller(step, rows - row), temperature);
    }
}
template <class S> inline void softmax_row(S* y, const S* z, Size n, S temperature) {
    softmax_rows(y, z, n, 1, temperature);
}

template <class S>
inline void short_softmax_backward(S* dz, const S* dy, const S* y, Size n,
                                   Size rows, S temperature) {
    S centred[row_space];
    for (Size i = 0; i < rows * n; i += n) {
        S inner = 0;
        for (Size j = i; j < i + n; ++j) inner += dy[j] * y[j];
        for (Size j = i; j < i + n; ++j) centred[j] = dy[j] - inner;
    }
    combine(dz, y, centred, rows * n, [=](Vec<S> p, Vec<S> d) { return p * d / temperature; });
}

template <class S>
inline void long_softmax_backward(S* dz, const S* dy, const S* y, Size n, S temperature) {
    Vec<S> total{};
    for (Size i = 0; i < n; i += lanes<S>) {
        const int valid = valid_lanes<S>(n - i);
        total += load(dy + i, valid) * load(y + i, valid);
    }
    const S inner = sum_of_lanes<S>(total);
    combine(dz, y, dy, n, [=](Vec<S> p, Vec<S> d) { return p * (d - inner) / temperature; });
}

// dz_i = y_i (dy_i - sum_j dy_j y_j) / temperature, the whole Jacobian; dz may be dy.
template <class S>
inline void softmax_rows_backward(S* dz, const S* dy, const S* y, Size n,
                                  Size rows, S temperature) {
    const Size step = n > short_row ? 1 : row_space / n;
    for (Size row = 0; row < rows; row += step) {
        const Size at = row * n;
        if (n > short_row)
            long_softmax_backward(dz + at, dy + at, y + at, n, temperature);
        else
            short_softmax_backward(dz + at, dy + at, y + at, n, smaller(step, rows - row),
                                   temperature);
    }
}
template <class S>
inline void softmax_row_backward(S* dz, const S* dy, const S* y, Size n, S temperature) {
    softmax_rows_backward(dz, dy, y, n, 1, temperature);
}

}  // namespace throughtime::TT_LEVEL
