// Losses: value and gradient of some rows in one pass, computed in double.
#include "base/losses.hpp"

#include "level/math.hpp"
#include "level/doubles.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// The numbers of the lanes, from `first` on.
TT_INLINE IVec<double> lane_numbers(Size first) {
    IVec<double> v;
    for (int i = 0; i < lanes<double>; ++i) v[i] = i;
    return v + (IVec<double>{} + first);
}

// The term of each element and its derivative, both times the scale.
struct Pair {
    Doubles term, slope;
};

struct Squared {
    TT_INLINE Pair operator()(Doubles y, Doubles target, Doubles scale, Doubles) const {
        const Doubles d = y - target;
        return {scale * (d * d), (scale + scale) * d};
    }
};
struct HalfSquared {
    TT_INLINE Pair operator()(Doubles y, Doubles target, Doubles scale, Doubles) const {
        const Doubles d = y - target;
        return {scale * (splat(0.5) * d * d), scale * d};
    }
};
struct Absolute {
    TT_INLINE Pair operator()(Doubles y, Doubles target, Doubles scale, Doubles) const {
        const Doubles d = y - target, zero{}, one = splat(1.0);
        const Doubles sign = d > zero ? one : (d < zero ? -one : d);  // of NaN it is NaN
        return {scale * abs<double>(d), scale * sign};
    }
};
struct Huber {
    TT_INLINE Pair operator()(Doubles y, Doubles target, Doubles scale, Doubles delta) const {
        const Doubles d = y - target, size = abs<double>(d);
        const Doubles inner = size > delta ? delta : size;
        return {scale * (inner * (size - splat(0.5) * inner)), scale * copysign(inner, d)};
    }
};

// From logits. One exponential serves log(1 + e^-|z|) and the sigmoid of z and of -z.
struct Sigmoid {
    TT_INLINE Pair operator()(Doubles z, Doubles target, Doubles scale, Doubles) const {
        const Doubles one = splat(1.0), e = exp(minus_abs(z));
        const Doubles large = one / (one + e), small = e * large;
        const IVec<double> positive = z > Doubles{};
        const Doubles yes = positive ? large : small, no = positive ? small : large;
        const Doubles term = at_least(0.0, z) - target * z + log1p(e);
        // sigmoid(z) - t, written so that nothing cancels if the answer is nearly right
        return {scale * term, scale * ((one - target) * yes - target * no)};
    }
};

// The first m lanes; the others are 0.
TT_INLINE Doubles keep_lanes(Doubles v, int m) {
    return m == lanes<double> ? v : (lane_numbers(0) < (IVec<double>{} + m) ? v : Doubles{});
}

template <class S, class T, class Rule, bool weighted> double run(const LossRows<S>& r) {
    const T* const target = static_cast<const T*>(r.target);
    const Size n = r.rows * r.cols;
    const Doubles c = splat(r.scale), p = splat(r.parameter);
    const auto at = [&](Size i, int m) {
        const Doubles scale = weighted ? load(r.scratch + i, m) : c;
        const Pair pair = Rule()(load_doubles(r.y + i, m), load_doubles(target + i, m), scale, p);
        store_rounded(r.dy + i, pair.slope, m);
        return keep_lanes(pair.term, m);
    };
    // Four accumulators by turns: each addition to a single one would wait for the one before.
    Doubles sums[4]{};
    Size i = 0;
    for (; i + 4 * lanes<double> <= n; i += 4 * lanes<double>)
        for (int part = 0; part < 4; ++part)
            sums[part] += at(i + part * lanes<double>, lanes<double>);
    for (int part = 0; i < n; i += lanes<double>, ++part)
        sums[part] += at(i, static_cast<int>(smaller(n - i, lanes<double>)));
    return total((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <class S, class T, class Rule> double elementwise(const LossRows<S>& r) {
    if (r.scales == nullptr) return run<S, T, Rule, false>(r);
    for (Size row = 0; row < r.rows; ++row)
        for (Size k = 0; k < r.cols; ++k) r.scratch[row * r.cols + k] = r.scales[row];
    return run<S, T, Rule, true>(r);
}

// The place of the largest of n numbers, the first of equal ones; NaN is ignored.
template <class S> TT_INLINE Size argmax(const S* z, Size n) {
    const Vec<S> lowest = splat(static_cast<S>(-__builtin_inf()));
    IVec<S> index;
    for (int i = 0; i < lanes<S>; ++i) index[i] = i;
    IVec<S> where = index;
    Vec<S> most = lowest;
    for_parts(0, n, lanes<S>, [&](Size i, int m) {
        Vec<S> v = load(z + i, m);
        if (m < lanes<S>) v = index < (IVec<S>{} + static_cast<Int<S>>(n)) ? v : lowest;
        const IVec<S> better = v > most;
        most = better ? v : most;
        where = better ? index : where;
        index += lanes<S>;
    });
    S largest = most[0];
    for (int i = 1; i < lanes<S>; ++i) largest = most[i] > largest ? most[i] : largest;
    Size first = n - 1;
    for (int i = 0; i < lanes<S>; ++i)
        if (most[i] == largest && where[i] < first) first = where[i];
    return first;
}

// A softmax p = e / (1 + s). With the largest logit subtracted, its own exponential is exactly 1.
// The sum s of the others gives log(sum) = log1p(s), and 1 - p = s / (1 + s) at the largest.
// Neither vanishes if the largest class is nearly certain.
struct Softmax {
    double largest, s;
    Size peak;  // the place of the largest logit, the first of equal ones; e is zero there

    template <class S> Softmax(const S* z, Size n, double* e) {
        peak = argmax(z, n);
        largest = z[peak];
        const Doubles top = splat(largest);
        for_parts(0, n, lanes<double>,
           [&](Size i, int m) { store(e + i, exp(load_doubles(z + i, m) - top), m); });
        e[peak] = 0.0;
        Doubles sum{};
        for_parts(0, n, lanes<double>, [&](Size i, int m) { sum += load(e + i, m); });
        s = total(sum);
    }
};

template <class S> TT_INLINE double scale_of(const LossRows<S>& r, Size row) {
    return r.scales == nullptr ? r.scale : r.scales[row];
}

template <class S, class T> double softmax(const LossRows<S>& r) {
    const Size cols = r.cols;
    double sum = 0.0;
    for (Size row = 0; row < r.rows; ++row) {
        const S* const y = r.y + row * cols;
        S* const dy = r.dy + row * cols;
        const T* const target = static_cast<const T*>(r.target) + row * cols;
        double* const e = r.scratch;
        const double scale = scale_of(r, row);
        const Softmax soft(y, cols, e);
        const double log_sum = __builtin_log1p(soft.s), unit = 1.0 / (1.0 + soft.s);
        const IVec<double> peak = IVec<double>{} + soft.peak;
        Doubles targets_sum{}, terms{};
        for_parts(0, cols, lanes<double>, [&](Size i, int m) {
            const Doubles t = load_doubles(target + i, m);
            const Doubles log_p = (load_doubles(y + i, m) - splat(soft.largest)) - splat(log_sum);
            targets_sum += t;
            // A class ruled out by a logit of -inf counts only if its target is not 0.
            terms += t == Doubles{} ? Doubles{} : t * log_p;
        });
        sum -= scale * total(terms);
        const Doubles all = splat(total(targets_sum));
        for_parts(0, cols, lanes<double>, [&](Size i, int m) {
            const Doubles t = load_doubles(target + i, m);
            const IVec<double> at_peak = lane_numbers(i) == peak;
            const Doubles p = at_peak ? splat(unit) : load(e + i, m) * splat(unit);
            const Doubles not_p = at_peak ? splat(soft.s * unit) : splat(1.0) - p;
            // p sum(t) - t, written so that nothing cancels if the answer is nearly right
            store_rounded(dy + i, splat(scale) * (p * (all - t) - t * not_p), m);
        });
    }
    return sum;
}

template <class S> double softmax_class(const LossRows<S>& r) {
    const Size cols = r.cols;
    double sum = 0.0;
    for (Size row = 0; row < r.rows; ++row) {
        const S* const y = r.y + row * cols;
        S* const dy = r.dy + row * cols;
        const std::int64_t k = static_cast<const std::int64_t*>(r.target)[row];
        double* const e = r.scratch;
        const double scale = scale_of(r, row);
        const Softmax soft(y, cols, e);
        const double unit = 1.0 / (1.0 + soft.s);
        const double not_p = k == soft.peak ? soft.s * unit : 1.0 - e[k] * unit;
        sum += scale * (__builtin_log1p(soft.s) - (static_cast<double>(y[k]) - soft.largest));
        const Doubles factor = splat(scale * unit);
        for_parts(0, cols, lanes<double>,
           [&](Size i, int m) { store_rounded(dy + i, load(e + i, m) * factor, m); });
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
