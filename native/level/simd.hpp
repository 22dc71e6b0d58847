// Vectors of one instruction set, from the compiler's vector types.
//
// Each source in this folder is compiled once for each level (x86-64-v2, v3, v4, or NEON). TT_LEVEL
// names the namespace, so that nothing compiled for a newer level can be linked into the code of an
// older one. For the same reason kernels use no inline function of the standard library.
//
// Contraction is off (-ffp-contract=off): a product and a sum are rounded once in fma() and twice
// everywhere else, so that a value has the same bits in each loop that computes it.
#pragma once

#include <cstdint>

#include "base/common.hpp"

#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifndef TT_LEVEL
#error "TT_LEVEL names the namespace of this instruction set: v2, v3, v4 or neon"
#endif

namespace throughtime::TT_LEVEL {

#if defined(__AVX512F__)
inline constexpr int vector_bytes = 64;
#elif defined(__AVX__)
inline constexpr int vector_bytes = 32;
#else
inline constexpr int vector_bytes = 16;
#endif

#if defined(__AVX512F__) || defined(__ARM_NEON)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif

// The vectors of a type, and the integers of the same size: results of comparisons, bit patterns.
template <class S> struct Scalar;
template <> struct Scalar<float> {
    using Int = std::int32_t;
    typedef float Vec __attribute__((vector_size(vector_bytes)));
    typedef std::int32_t IVec __attribute__((vector_size(vector_bytes)));
};
template <> struct Scalar<double> {
    using Int = std::int64_t;
    typedef double Vec __attribute__((vector_size(vector_bytes)));
    typedef std::int64_t IVec __attribute__((vector_size(vector_bytes)));
};

template <class S> using Vec = typename Scalar<S>::Vec;
template <class S> using IVec = typename Scalar<S>::IVec;
template <class S> using Int = typename Scalar<S>::Int;
template <class S> inline constexpr int lanes = vector_bytes / static_cast<int>(sizeof(S));

template <class S> TT_INLINE Vec<S> splat(S value) { return value - Vec<S>{}; }

// memcpy reads a vector from an address of any alignment without breaking the aliasing rules.
template <class S> TT_INLINE Vec<S> load(const S* p) {
    Vec<S> v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}
template <class S> TT_INLINE void store(S* p, Vec<S> v) { __builtin_memcpy(p, &v, sizeof v); }

// The first n lanes, n <= lanes; the others are 0. Memory behind them is not touched.
template <class S> TT_INLINE Vec<S> load(const S* p, int n) {
    if (n >= lanes<S>) return load(p);
#if defined(__AVX512F__)
    const unsigned first = (1U << n) - 1U;
    if constexpr (sizeof(S) == 4)
        return (Vec<S>)_mm512_maskz_loadu_ps(static_cast<__mmask16>(first), p);
    else
        return (Vec<S>)_mm512_maskz_loadu_pd(static_cast<__mmask8>(first), p);
#else
    Vec<S> v{};
    for (int i = 0; i < n; ++i) v[i] = p[i];
    return v;
#endif
}
template <class S> TT_INLINE void store(S* p, Vec<S> v, int n) {
    if (n >= lanes<S>) return store(p, v);
#if defined(__AVX512F__)
    const unsigned first = (1U << n) - 1U;
    if constexpr (sizeof(S) == 4)
        _mm512_mask_storeu_ps(p, static_cast<__mmask16>(first), (__m512)v);
    else
        _mm512_mask_storeu_pd(p, static_cast<__mmask8>(first), (__m512d)v);
#else
    for (int i = 0; i < n; ++i) p[i] = v[i];
#endif
}

// a * b + c, rounded once if the instruction set can do so. Level v2 cannot and rounds twice,
// everywhere.
TT_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
#if defined(__AVX512F__)
    return (Vec<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
    return (Vec<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__ARM_NEON)
    return (Vec<float>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}
TT_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
#if defined(__AVX512F__)
    return (Vec<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
    return (Vec<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#elif defined(__ARM_NEON)
    return (Vec<double>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
#else
    return a * b + c;
#endif
}

// a if the condition holds (all bits set), else b. Either may be NaN.
template <class S> TT_INLINE Vec<S> select(IVec<S> condition, Vec<S> a, Vec<S> b) {
    return condition ? a : b;
}
// Lane i[j] of a and b side by side.
template <class V, class I> TT_INLINE V shuffle(V a, V b, I i) {
#if defined(__clang__)
    constexpr int n = sizeof(V) / sizeof(a[0]);
    V result;
    for (int j = 0; j < n; ++j) result[j] = i[j] < n ? a[i[j]] : b[i[j] - n];
    return result;
#else
    return __builtin_shuffle(a, b, i);
#endif
}

// Because std::min and std::max are inline functions of the library.
TT_INLINE Size smaller(Size a, Size b) { return a < b ? a : b; }
TT_INLINE Size larger(Size a, Size b) { return a > b ? a : b; }

}  // namespace throughtime::TT_LEVEL
