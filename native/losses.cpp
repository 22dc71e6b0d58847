// Losses: value and gradient of a part of the rows in one pass, computed in double.
#include "vectors.hpp"

#include "math.hpp"
#include "widen.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// The lanes' own numbers, from `first` on.
TT_INLINE IVec<double> count(std::ptrdiff_t first) {
    IVec<double> v;
    for (int i = 0; i < wide; ++i) v[i] = i;
    return v + (IVec<double>{} + first);
}

// The term of each element and its derivative, both times the scale.
struct Pair {
    Wide term, slope;
};

struct Squared {
    TT_INLINE Pair operator()(Wide y, Wide target, Wide scale, Wide) const {
        const Wide d = y - target;
        return {scale * (d * d), (scale + scale) * d};
    }
};
struct HalfSquared {
    TT_INLINE Pair operator()(Wide y, Wide target, Wide scale, Wide) const {
        const Wide d = y - target;
        return {scale * (splat(0.5) * d * d), scale * d};
    }
};
struct Absolute {
    TT_INLINE Pair operator()(Wide y, Wide target, Wide scale, Wide) const {
        const Wide d = y - target, zero{}, one = splat(1.0);
        const Wide sign = d > zero ? one : (d < zero ? -one : d);  // of NaN it is NaN
        return {scale * abs<double>(d), scale * sign};
    }
};
struct Huber {
    TT_INLINE Pair operator()(Wide y, Wide target, Wide scale, Wide delta) const {
        const Wide d = y - target, size = abs<double>(d);
        const Wide inner = size > delta ? delta : size;
        return {scale * (inner * (size - splat(0.5) * inner)), scale * copysign(inner, d)};
    }
};

// From logits; with one exponential for log(1 + e^-|z|) and for the sigmoid on both sides.
struct Sigmoid {
    TT_INLINE Pair operator()(Wide z, Wide target, Wide scale, Wide) const {
        const Wide one = splat(1.0), e = exp(minus_abs(z));
        const Wide large = one / (one + e), small = e * large;
        const IVec<double> positive = z > Wide{};
        const Wide yes = positive ? large : small, no = positive ? small : large;
        const Wide term = at_least(0.0, z) - target * z + log1p(e);
        // sigmoid(z) - t, written so that nothing cancels where the answer is nearly right
        return {scale * term, scale * ((one - target) * yes - target * no)};
    }
};

// The lanes from the m-th on are zero.
TT_INLINE Wide first_lanes(Wide v, int m) {
    return m == wide ? v : (count(0) < (IVec<double>{} + m) ? v : Wide{});
}

template <class S, class T, class Rule, bool weighted> double run(const Rows<S>& r) {
    const T* const target = static_cast<const T*>(r.target);
    const std::ptrdiff_t n = r.rows * r.cols;
    const Wide c = splat(r.scale), p = splat(r.parameter);
    const auto at = [&](std::ptrdiff_t i, int m) {
        const Wide scale = weighted ? load(r.scratch + i, m) : c;
        const Pair pair = Rule()(widen(r.y + i, m), widen(target + i, m), scale, p);
        narrow(r.dy + i, pair.slope, m);
        return first_lanes(pair.term, m);
    };
    // Sums go round four accumulators: one alone would wait for itself.
    Wide sums[4]{};
    std::ptrdiff_t i = 0;
    for (; i + 4 * wide <= n; i += 4 * wide)
        for (int part = 0; part < 4; ++part) sums[part] += at(i + part * wide, wide);
    for (int part = 0; i < n; i += wide, ++part)
        sums[part] += at(i, static_cast<int>(smaller(n - i, wide)));
    return total((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class S, class T, class Rule> double elementwise(const Rows<S>& r) {
    if (r.scales == nullptr) return run<S, T, Rule, false>(r);
    for (std::ptrdiff_t row = 0; row < r.rows; ++row)
        for (std::ptrdiff_t k = 0; k < r.cols; ++k) r.scratch[row * r.cols + k] = r.scales[row];
    return run<S, T, Rule, true>(r);
}

// Where the largest of n numbers is, the first of equal ones; NaN counts for nothing.
template <class S> TT_INLINE std::ptrdiff_t argmax(const S* z, std::ptrdiff_t n) {
    const Vec<S> lowest = splat(static_cast<S>(-__builtin_inf()));
    IVec<S> index;
    for (int i = 0; i < lanes<S>; ++i) index[i] = i;
    IVec<S> where = index;
    Vec<S> most = lowest;
    by(0, n, lanes<S>, [&](std::ptrdiff_t i, int m) {
        Vec<S> v = load(z + i, m);
        if (m < lanes<S>) v = index < (IVec<S>{} + static_cast<Int<S>>(n)) ? v : lowest;
        const IVec<S> better = v > most;
        most = better ? v : most;
        where = better ? index : where;
        index += lanes<S>;
    });
    S largest = most[0];
    for (int i = 1; i < lanes<S>; ++i) largest = most[i] > largest ? most[i] : largest;
    std::ptrdiff_t first = n - 1;
    for (int i = 0; i < lanes<S>; ++i)
        if (most[i] == largest && where[i] < first) first = where[i];
    return first;
}

// A softmax p = e / (1 + s): with the largest logit taken away its own exponential is exactly 1,
// and the sum s of the others gives log(sum) = log1p(s) and 1 - p = s / (1 + s) at the largest.
// Neither vanishes when the largest class is nearly certain.
struct Softmax {
    double largest, s;
    std::ptrdiff_t peak;  // where the largest logit is, the first of equal ones; e is zero there

    template <class S> Softmax(const S* z, std::ptrdiff_t n, double* e) {
        peak = argmax(z, n);
        largest = z[peak];
        const Wide top = splat(largest);
        by(0, n, wide,
           [&](std::ptrdiff_t i, int m) { store(e + i, exp(widen(z + i, m) - top), m); });
        e[peak] = 0.0;
        Wide sum{};
        by(0, n, wide, [&](std::ptrdiff_t i, int m) { sum += load(e + i, m); });
        s = total(sum);
    }
};

template <class S> TT_INLINE double scale_of(const Rows<S>& r, std::ptrdiff_t row) {
    return r.scales == nullptr ? r.scale : r.scales[row];
}

template <class S, class T> double softmax(const Rows<S>& r) {
    const std::ptrdiff_t cols = r.cols;
    double sum = 0.0;
    for (std::ptrdiff_t row = 0; row < r.rows; ++row) {
        const S* const y = r.y + row * cols;
        S* const dy = r.dy + row * cols;
        const T* const target = static_cast<const T*>(r.target) + row * cols;
        double* const e = r.scratch;
        const double scale = scale_of(r, row);
        const Softmax soft(y, cols, e);
        const double log_sum = __builtin_log1p(soft.s), unit = 1.0 / (1.0 + soft.s);
        const IVec<double> peak = IVec<double>{} + soft.peak;
        Wide targets_sum{}, terms{};
        by(0, cols, wide, [&](std::ptrdiff_t i, int m) {
            const Wide t = widen(target + i, m);
            const Wide log_p = (widen(y + i, m) - splat(soft.largest)) - splat(log_sum);
            targets_sum += t;
            // A class ruled out by a logit of -inf counts only if its target is not 0.
            terms += t == Wide{} ? Wide{} : t * log_p;
        });
        sum -= scale * total(terms);
        const Wide all = splat(total(targets_sum));
        by(0, cols, wide, [&](std::ptrdiff_t i, int m) {
            const Wide t = widen(target + i, m);
            const IVec<double> at_peak = count(i) == peak;
            const Wide p = at_peak ? splat(unit) : load(e + i, m) * splat(unit);
            const Wide not_p = at_peak ? splat(soft.s * unit) : splat(1.0) - p;
            // p sum(t) - t, written so that nothing cancels where the answer is nearly right
            narrow(dy + i, splat(scale) * (p * (all - t) - t * not_p), m);
        });
    }
    return sum;
}

template <class S> double softmax_class(const Rows<S>& r) {
    const std::ptrdiff_t cols = r.cols;
    double sum = 0.0;
    for (std::ptrdiff_t row = 0; row < r.rows; ++row) {
        const S* const y = r.y + row * cols;
        S* const dy = r.dy + row * cols;
        const std::int64_t k = static_cast<const std::int64_t*>(r.target)[row];
        double* const e = r.scratch;
        const double scale = scale_of(r, row);
        const Softmax soft(y, cols, e);
        const double unit = 1.0 / (1.0 + soft.s);
        const double not_p = k == soft.peak ? soft.s * unit : 1.0 - e[k] * unit;
        sum += scale * (__builtin_log1p(soft.s) - (static_cast<double>(y[k]) - soft.largest));
        const Wide factor = splat(scale * unit);
        by(0, cols, wide,
           [&](std::ptrdiff_t i, int m) { narrow(dy + i, load(e + i, m) * factor, m); });
        dy[soft.peak] = static_cast<S>(scale * unit);
        dy[k] = static_cast<S>(scale * (0.0 - not_p));
    }
    return sum;
}

}  // namespace

#define TT_BOTH(rule) {elementwise<S, float, rule>, elementwise<S, double, rule>}
template <class S>
inline constexpr Losses<S> losses{{TT_BOTH(Squared),
                                   TT_BOTH(HalfSquared),
                                   TT_BOTH(Absolute),
                                   TT_BOTH(Huber),
                                   TT_BOTH(Sigmoid),
                                   {softmax<S, float>, softmax<S, double>},
                                   {softmax_class<S>, softmax_class<S>}}};

extern const Losses<float> losses_f32 = losses<float>;
extern const Losses<double> losses_f64 = losses<double>;

}  // namespace throughtime::TT_LEVEL
