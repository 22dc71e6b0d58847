// Numbers of either type as vectors of doubles, for sums that are taken in double.
#pragma once

#include "level/simd.hpp"

namespace throughtime::TT_LEVEL {

using Doubles = Vec<double>;
// As many floats.
typedef float Floats __attribute__((vector_size(vector_bytes / 2)));

// The first n numbers as doubles; the other lanes are 0.
TT_INLINE Doubles load_doubles(const double* p, int n) { return load(p, n); }
TT_INLINE Doubles load_doubles(const float* p, int n) {
    Floats v{};
    if (n >= lanes<double>)
        __builtin_memcpy(&v, p, sizeof v);
    else
        for (int i = 0; i < n; ++i) v[i] = p[i];
    return __builtin_convertvector(v, Doubles);
}

// Stores the first n lanes, each rounded to the nearest number of the type; one that is too large
// becomes infinite.
TT_INLINE void store_rounded(double* p, Doubles v, int n) { store(p, v, n); }
TT_INLINE void store_rounded(float* p, Doubles v, int n) {
    const Floats rounded = __builtin_convertvector(v, Floats);
    if (n >= lanes<double>)
        __builtin_memcpy(p, &rounded, sizeof rounded);
    else
        for (int i = 0; i < n; ++i) p[i] = rounded[i];
}

// The sum of the lanes, in their order.
TT_INLINE double total(Doubles v) {
    double sum = v[0];
    for (int i = 1; i < lanes<double>; ++i) sum += v[i];
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

// Calls f(first, how many) for parts of the numbers begin ... end: `step` each, the last part the
// rest.
template <class F> TT_INLINE void for_parts(Size begin, Size end, int step, F f) {
    Size i = begin;
    for (; i + step <= end; i += step) f(i, step);
    if (i < end) f(i, static_cast<int>(end - i));
}

}  // namespace throughtime::TT_LEVEL
