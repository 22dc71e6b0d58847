// exp, expm1, tanh, sigmoid, log1p and softplus on vectors, at most 2 ulp from the correctly
// rounded result. For float this was checked for every number, for double for many millions.
//
// The argument is split into n ln2 + r with an integer n; the result is a short polynomial of r,
// combined with 2^n. There are no branches and no tables: every lane of every vector takes the same
// instructions. NaN stays NaN. A zero keeps its sign if the function is odd.
//
// The polynomials are minimax (Remez exchange) on an interval 1.0003 times as long as the one
// given, because n comes from a rounded quotient. Beside each stands its largest error with the
// coefficients as written.
#pragma once

#include "level/simd.hpp"

namespace throughtime::TT_LEVEL {

// The constants of a type. ln2 is split so that n * ln2_high is exact for each n in use.
template <class S> struct Format;
template <> struct Format<float> {
    typedef std::uint32_t UVec __attribute__((vector_size(vector_bytes)));
    static constexpr int mantissa = 23, bias = 127;
    static constexpr float log2e = 0x1.715476p+0f, ln2 = 0x1.62e43p-1f;
    static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
    // Beyond these the result is constant.
    static constexpr float exp_lowest = -104.5f, exp_highest = 89.0f;
    static constexpr float expm1_lowest = -18.0f, tanh_end = 9.2f;
    static constexpr float sigmoid_lowest = -88.7f, sigmoid_highest = 87.0f;
};
template <> struct Format<double> {
    typedef std::uint64_t UVec __attribute__((vector_size(vector_bytes)));
    static constexpr int mantissa = 52, bias = 1023;
    static constexpr double log2e = 0x1.71547652b82fep+0, ln2 = 0x1.62e42fefa39efp-1;
    static constexpr double ln2_high = 0x1.62e42fefa4p-1, ln2_low = -0x1.8432a1b0e2634p-43;
    static constexpr double exp_lowest = -746.0, exp_highest = 710.0;
    static constexpr double expm1_lowest = -38.0, tanh_end = 19.2;
    static constexpr double sigmoid_lowest = -709.7, sigmoid_highest = 708.0;
};

// v + shifter<S>(k) has the number round(v) + k in its lowest bits: one addition rounds v, and a
// shift makes a power of two of it. What is subtracted to get round(v) back is the same number.
template <class S> TT_INLINE Vec<S> shifter(int k) {
    return splat(S(3) * S(std::int64_t(1) << (Format<S>::mantissa - 1)) + S(k));
}

#if defined(__AVX512F__)
// GCC 12 warns about its own header if an instruction without a mask is used.
template <class S> inline constexpr unsigned all_lanes = (1U << lanes<S>) - 1U;
#endif

// min(bound, v) and max(bound, v); NaN gives NaN. One instruction instead of a comparison and a
// selection.
TT_INLINE Vec<float> at_most(float bound, Vec<float> v) {
#if defined(__AVX512F__)
    return (Vec<float>)_mm512_maskz_min_ps(all_lanes<float>, _mm512_set1_ps(bound), (__m512)v);
#elif defined(__AVX__)
    return (Vec<float>)_mm256_min_ps(_mm256_set1_ps(bound), (__m256)v);
#elif defined(__SSE2__)
    return (Vec<float>)_mm_min_ps(_mm_set1_ps(bound), (__m128)v);
#else
    return bound < v ? splat(bound) : v;
#endif
}
TT_INLINE Vec<float> at_least(float bound, Vec<float> v) {
#if defined(__AVX512F__)
    return (Vec<float>)_mm512_maskz_max_ps(all_lanes<float>, _mm512_set1_ps(bound), (__m512)v);
#elif defined(__AVX__)
    return (Vec<float>)_mm256_max_ps(_mm256_set1_ps(bound), (__m256)v);
#elif defined(__SSE2__)
    return (Vec<float>)_mm_max_ps(_mm_set1_ps(bound), (__m128)v);
#else
    return bound > v ? splat(bound) : v;
#endif
}
TT_INLINE Vec<double> at_most(double bound, Vec<double> v) {
#if defined(__AVX512F__)
    return (Vec<double>)_mm512_maskz_min_pd(all_lanes<double>, _mm512_set1_pd(bound), (__m512d)v);
#elif defined(__AVX__)
    return (Vec<double>)_mm256_min_pd(_mm256_set1_pd(bound), (__m256d)v);
#elif defined(__SSE2__)
    return (Vec<double>)_mm_min_pd(_mm_set1_pd(bound), (__m128d)v);
#else
    return bound < v ? splat(bound) : v;
#endif
}
TT_INLINE Vec<double> at_least(double bound, Vec<double> v) {
#if defined(__AVX512F__)
    return (Vec<double>)_mm512_maskz_max_pd(all_lanes<double>, _mm512_set1_pd(bound), (__m512d)v);
#elif defined(__AVX__)
    return (Vec<double>)_mm256_max_pd(_mm256_set1_pd(bound), (__m256d)v);
#elif defined(__SSE2__)
    return (Vec<double>)_mm_max_pd(_mm_set1_pd(bound), (__m128d)v);
#else
    return bound > v ? splat(bound) : v;
#endif
}

// The type of the numbers in a vector, so that functions of a vector need not be told.
template <class V> struct ElementOf;
template <> struct ElementOf<Vec<float>> {
    using type = float;
};
template <> struct ElementOf<Vec<double>> {
    using type = double;
};
template <class V> using Element = typename ElementOf<V>::type;

// 2^n, where the lowest bits are n + bias; infinite for n = bias + 1.
template <class V> TT_INLINE V power_of_two(V shifted) {
    using F = Format<Element<V>>;
    return (V)((typename F::UVec)shifted << F::mantissa);
}

template <class S> TT_INLINE IVec<S> sign_bit() { return (IVec<S>)splat(S(-0.0)); }

template <class V> TT_INLINE V minus_abs(V v) {
    using S = Element<V>;
    return (V)((IVec<S>)v | sign_bit<S>());
}

template <class V> TT_INLINE V copysign(V magnitude, V sign) {
    using S = Element<V>;
#if defined(__AVX512F__)
    constexpr int choose = 0xCA;  // the truth table of a ? b : c
    return (V)_mm512_ternarylogic_epi32((__m512i)sign_bit<S>(), (__m512i)sign,
                                        (__m512i)magnitude, choose);
#else
    return (V)(((IVec<S>)magnitude & ~sign_bit<S>()) | ((IVec<S>)sign & sign_bit<S>()));
#endif
}

// c_0 + c_1 x + c_2 x^2 ... by Horner's rule.
template <class V, class... C> TT_INLINE V polynomial(V x, Element<V> c, C... higher) {
    if constexpr (sizeof...(higher) == 0)
        return splat(c);
    else
        return fma(x, polynomial(x, higher...), splat(c));
}

// e^r - 1, |r| <= ln2 / 2. Relative error 1.7e-8 (float), 2.5e-17 (double).
TT_INLINE Vec<float> small_expm1(Vec<float> r) {
    return fma(r * r,
               polynomial(r, 0x1.fffffep-2f, 0x1.5554bp-3f, 0x1.555674p-5f, 0x1.122792p-7f,
                          0x1.6bec02p-10f),
               r);
}
TT_INLINE Vec<double> small_expm1(Vec<double> r) {
    return fma(r * r,
               polynomial(r, 0.5, 0x1.555555555553ep-3, 0x1.5555555553b05p-5, 0x1.1111111118d4p-7,
                          0x1.6c16c17a021aep-10, 0x1.a01a01719f1ebp-13, 0x1.a019b3902e812p-16,
                          0x1.71de97878af93p-19, 0x1.2897746c942cep-22, 0x1.ae4902058b5c1p-26),
               r);
}

// r coth(r / 2), |r| <= ln2 / 2. Error 4.4e-9 (float), 1.7e-18 (double). With this as c,
// e^r = (c + r) / (c - r): half as many terms as the polynomial of the exponential, for functions
// that divide anyway.
TT_INLINE Vec<float> small_coth(Vec<float> r) {
    return polynomial(r * r, 2.0f, 0x1.55551ep-3f, -0x1.6aa37ap-9f);
}
TT_INLINE Vec<double> small_coth(Vec<double> r) {
    return polynomial(r * r, 2.0, 0x1.555555555553ep-3, -0x1.6c16c16bebbd9p-9,
                      0x1.1566aaf2063fap-14, -0x1.bbd41b7577c47p-20, 0x1.63762bb385753p-25);
}

// (log((1 + t) / (1 - t)) - 2 t) / t^3 from t^2, |t| <= tan(pi / 8)^2. Times t^2 / 2, which is the
// relative error of the logarithm, 9.1e-10 (float), 1.9e-18 (double).
TT_INLINE Vec<float> small_atanh(Vec<float> t2) {
    return polynomial(t2, 0x1.55557ap-1f, 0x1.995ea8p-2f, 0x1.31e50ep-2f);
}
TT_INLINE Vec<double> small_atanh(Vec<double> t2) {
    return polynomial(t2, 0x1.5555555555593p-1, 0x1.999999997fc34p-2, 0x1.249249420837cp-2,
                      0x1.c71c51f556c34p-3, 0x1.74664343e9564p-3, 0x1.39a144224c952p-3,
                      0x1.2f0a49f378afcp-3);
}

// e^v. Infinite above the largest number, subnormal below the smallest normal one.
template <class V> TT_INLINE V exp(V v) {
    using S = Element<V>;
    using F = Format<S>;
    const V x = at_most(F::exp_highest, at_least(F::exp_lowest, v));
    const V shift = shifter<S>(2 * F::bias);
    const V shifted = fma(x, splat(F::log2e), shift);
    const V n = shifted - shift;
    const V r = fma(n, splat(-F::ln2_low), fma(n, splat(-F::ln2_high), x));
    const V y = splat(S(1)) + small_expm1(r);
#if defined(__AVX512F__)
    if constexpr (sizeof(S) == 4)
        return (V)_mm512_maskz_scalef_ps(all_lanes<float>, (__m512)y, (__m512)n);
    else
        return (V)_mm512_maskz_scalef_pd(all_lanes<double>, (__m512d)y, (__m512d)n);
#else
    // y 2^n may be a normal number although 2^n is not, so 2^n is applied as two factors. The
    // lowest bits are n + 2 bias, and each half of that is an exponent.
    const auto bits = (typename F::UVec)shifted;
    const auto half = bits >> 1;
    return y * power_of_two((V)half) * power_of_two((V)(bits - half));
#endif
}

// e^v - 1 = 2 (s (1 + q) - 1/2), s = 2^(n - 1): half of it is finite for each n in range.
template <class V> TT_INLINE V expm1(V v) {
    using S = Element<V>;
    using F = Format<S>;
    const V x = at_most(F::exp_highest, at_least(F::expm1_lowest, v));
    const V shift = shifter<S>(F::bias - 1);
    const V shifted = fma(x, splat(F::log2e), shift);
    const V n = shifted - shift;
    const V r = fma(n, splat(-F::ln2_low), fma(n, splat(-F::ln2_high), x));
    const V s = power_of_two(shifted);
    const V half = fma(s, small_expm1(r), s - S(0.5));
    return copysign(half + half, v);
}

// (e^2a - 1) / (e^2a + 1) with a = -|v|, so that no term exceeds 2. With e^2a = s (1 + q) the
// numerator is (s - 1) + s q. Its first part is exact, so that nothing cancels at 0.
template <class V> TT_INLINE V tanh(V v) {
    using S = Element<V>;
    using F = Format<S>;
    const V one = splat(S(1));
    const V a = at_least(-F::tanh_end, minus_abs(v));
    const V shift = shifter<S>(F::bias);
    const V shifted = fma(a, splat(2 * F::log2e), shift);
    const V s = power_of_two(shifted);
    const V q = small_expm1(fma(shifted - shift, splat(-F::ln2), a + a));
    return copysign(fma(s, q, s - one) / fma(s, q, s + one), v);
}

// 1 / (1 + e^-v) with e^-v = s (c - r) / (c + r). The tail at v << 0 keeps its relative precision
// down to the smallest normal number. If the denominator is infinite, below 2^-126.5 (double:
// 2^-1022.5), the result is 0.
template <class V> TT_INLINE V sigmoid(V v) {
    using S = Element<V>;
    using F = Format<S>;
    const V x = at_most(F::sigmoid_highest, at_least(F::sigmoid_lowest, v));
    const V shift = shifter<S>(F::bias);
    const V shifted = fma(x, splat(-F::log2e), shift);
    const V s = power_of_two(shifted);
    const V n = shifted - shift;
    const V r = fma(n, splat(F::ln2_low), fma(n, splat(F::ln2_high), x));
    const V c = small_coth(r);
    return (c + r) / fma(s, c - r, c + r);
}

// log(1 + v) for 0 <= v <= 1, which is what softplus needs. 1 + v = 2^k (1 + f), k = 0 or 1, and
// log(1 + f) = 2 t + t R = f - t (f - R) with t = f / (2 + f): the rounded term is small beside f.
template <class V> TT_INLINE V log1p(V v) {
    using S = Element<V>;
    const auto halved = (IVec<S>)(v > S(0.41421356));
    const V f = select<S>(halved, S(0.5) * (v - S(1)), v);
    const V t = f / (f + S(2));
    const V t2 = t * t;
    const V y = f - t * (f - t2 * small_atanh(t2));
    return select<S>(halved, y + Format<S>::ln2, y);
}

// log(1 + e^v).
template <class V> TT_INLINE V softplus(V v) {
    return at_least(Element<V>(0), v) + log1p(exp(minus_abs(v)));
}

}  // namespace throughtime::TT_LEVEL
