// Layer normalisation of one row, as in cells/normalisation.py, with its numbers. A row is one part
// of `cut` numbers and another of the rest, or one part.
#pragma once

#include "level/activations.hpp"

namespace throughtime::TT_LEVEL {

inline constexpr double epsilon = 1e-5;  // EPSILON of cells/normalisation.py

TT_INLINE float root(float x) { return __builtin_sqrtf(x); }
TT_INLINE double root(double x) { return __builtin_sqrt(x); }

// The lanes of a sum, one after the other.
template <class S> TT_INLINE S total(Vec<S> v) {
    S sum = v[0];
    for (int i = 1; i < lanes<S>; ++i) sum += v[i];
    return sum;
}

// w may be v.
template <class S> S normalise_part(const S* v, Size D, S* w) {
    Vec<S> sum{};
    for (Size i = 0; i < D; i += lanes<S>) sum = sum + load(v + i, valid_lanes<S>(D - i));
    const Vec<S> mean = splat(total<S>(sum) / static_cast<S>(D));
    Vec<S> squares{};
    for (Size i = 0; i < D; i += lanes<S>) {
        const int n = valid_lanes<S>(D - i);
        store(w + i, load(v + i, n) - mean, n);
        const Vec<S> centred = load(w + i, n);  // zero behind the last number
        squares = squares + centred * centred;
    }
    const S k = S(1) / root(total<S>(squares) / static_cast<S>(D) + static_cast<S>(epsilon));  // (L5)
    for (Size i = 0; i < D; i += lanes<S>) {
        const int n = valid_lanes<S>(D - i);
        store(w + i, k * load(w + i, n), n);  // (L6)
    }
    return k;
}

// (L6') of da g.
template <class S>
void normalise_part_back(const S* da, const S* g, const S* w, S k, Size D, S* dv) {
    Vec<S> sum{}, along{};
    for (Size i = 0; i < D; i += lanes<S>) {
        const int n = valid_lanes<S>(D - i);
        const Vec<S> d = load(da + i, n) * load(g + i, n);
        sum = sum + d;
        along = along + d * load(w + i, n);
    }
    const Vec<S> mean = splat(total<S>(sum) / static_cast<S>(D));
    const Vec<S> slope = splat(total<S>(along) / static_cast<S>(D));
    for (Size i = 0; i < D; i += lanes<S>) {
        const int n = valid_lanes<S>(D - i);
        const Vec<S> d = load(da + i, n) * load(g + i, n);
        store(dv + i, k * (d - mean - load(w + i, n) * slope), n);
    }
}

template <class S> void normalise_row(const S* v, Size W, Size cut, S* w, S* k) {
    k[0] = normalise_part(v, cut, w);
    k[1] = cut < W ? normalise_part(v + cut, W - cut, w + cut) : S(0);
}
template <class S>
void normalise_row_back(const S* da, const S* g, const S* w, const S* k, Size W, Size cut, S* dv) {
    normalise_part_back(da, g, w, k[0], cut, dv);
    if (cut < W) normalise_part_back(da + cut, g + cut, w + cut, k[1], W - cut, dv + cut);
}

}  // namespace throughtime::TT_LEVEL
