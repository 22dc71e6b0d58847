// Numbers of either format as vectors of doubles.
#pragma once

#include "simd.hpp"

namespace throughtime::TT_LEVEL {

using Wide = Vec<double>;
inline constexpr int wide = lanes<double>;
typedef float Narrow __attribute__((vector_size(vector_bytes / 2)));

TT_INLINE Wide widen(const double* p, int n) { return load(p, n); }
TT_INLINE Wide widen(const float* p, int n) {
    Narrow v{};
    if (n >= wide)
        __builtin_memcpy(&v, p, sizeof v);
    else
        for (int i = 0; i < n; ++i) v[i] = p[i];
    return __builtin_convertvector(v, Wide);
}

// Rounded to the nearest number of the format; one that is too large becomes infinite.
TT_INLINE void narrow(double* p, Wide v, int n) { store(p, v, n); }
TT_INLINE void narrow(float* p, Wide v, int n) {
    const Narrow rounded = __builtin_convertvector(v, Narrow);
    if (n >= wide)
        __builtin_memcpy(p, &rounded, sizeof rounded);
    else
        for (int i = 0; i < n; ++i) p[i] = rounded[i];
}

// The lanes in their order.
TT_INLINE double total(Wide v) {
    double sum = v[0];
    for (int i = 1; i < wide; ++i) sum += v[i];
    return sum;
}

template <class S> TT_INLINE Vec<S> abs(Vec<S> v) {
    return (Vec<S>)((IVec<S>)v & ~(IVec<S>)splat(S(-0.0)));
}
template <class S> TT_INLINE bool any(IVec<S> condition) {
    Int<S> found = 0;
    for (int i = 0; i < lanes<S>; ++i) found |= condition[i];
    return found != 0;
}

// Calls f(first, how many) for parts of n numbers, each of `step` but the last.
template <class F> TT_INLINE void by(std::ptrdiff_t begin, std::ptrdiff_t end, int step, F f) {
    std::ptrdiff_t i = begin;
    for (; i + step <= end; i += step) f(i, step);
    if (i < end) f(i, static_cast<int>(end - i));
}

}  // namespace throughtime::TT_LEVEL
