// Norms, clipping and penalties of flat vectors.
#include "base/vectors.hpp"

#include "level/doubles.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// The sum of a block, in four vectors by turns: each addition to a single one would wait for the
// one before.
struct Sum {
    Doubles parts[4]{};

    TT_INLINE void add(int part, Doubles v) { parts[part] += v; }
    TT_INLINE double value() const {
        return total((parts[0] + parts[1]) + (parts[2] + parts[3]));
    }
};

// The sum over x of f(vector of doubles).
template <class S, class F> TT_INLINE double sum(const S* x, Size n, F f) {
    Sum s;
    Size i = 0;
    for (; i + 4 * lanes<double> <= n; i += 4 * lanes<double>)
        for (int part = 0; part < 4; ++part)
            s.add(part, f(load_doubles(x + i + part * lanes<double>, lanes<double>)));
    for (int part = 0; i < n; i += lanes<double>, ++part)
        s.add(part, f(load_doubles(x + i, static_cast<int>(smaller(n - i, lanes<double>)))));
    return s.value();
}

template <class S> double sum_of_squares(const S* x, Size n, double unit) {
    if (unit == 1.0) return sum(x, n, [](Doubles v) { return v * v; });
    const Doubles divisor = splat(unit);
    return sum(x, n, [=](Doubles v) {
        v /= divisor;
        return v * v;
    });
}

template <class S> double largest(const S* x, Size n) {
    Doubles most{};
    IVec<double> is_nan{};
    for_parts(0, n, lanes<double>, [&](Size i, int m) {
        const Doubles v = abs<double>(load_doubles(x + i, m));
        is_nan |= v != v;
        most = v > most ? v : most;
    });
    if (any<double>(is_nan)) return __builtin_nan("");
    double result = 0.0;
    for (int i = 0; i < lanes<double>; ++i) result = most[i] > result ? most[i] : result;
    return result;
}

template <class S> bool finite(const S* x, Size n) {
    IVec<S> bad{};
    for_parts(0, n, lanes<S>, [&](Size i, int m) {
        const Vec<S> v = load(x + i, m);
        bad |= (v - v) != Vec<S>{};
    });
    return !any<S>(bad);
}

template <class S> void scale(S* x, Size n, double factor) {
    const Doubles multiplier = splat(factor);
    for_parts(0, n, lanes<double>,
              [&](Size i, int m) { store_rounded(x + i, load_doubles(x + i, m) * multiplier, m); });
}

template <class S> void cut(S* x, Size n, double limit) {
    const Vec<S> high = splat(static_cast<S>(limit)), low = -high;
    for_parts(0, n, lanes<S>, [&](Size i, int m) {
        Vec<S> v = load(x + i, m);
        v = v > high ? high : v;
        store(x + i, v < low ? low : v, m);
    });
}

template <class S>
void penalise(const S* weights, S* grads, Size n, double l1, double l2, double* sums) {
    sums[0] = l1 != 0.0 ? sum(weights, n, [](Doubles v) { return abs<double>(v); }) : 0.0;
    sums[1] = l2 != 0.0 ? sum(weights, n, [](Doubles v) { return v * v; }) : 0.0;
    if (grads == nullptr) return;
    const Vec<S> zero{}, one = splat(S(1)), a = splat(static_cast<S>(l1)),
                 b = splat(static_cast<S>(l2));
    for_parts(0, n, lanes<S>, [&](Size i, int m) {
        const Vec<S> w = load(weights + i, m);
        Vec<S> g = load(grads + i, m);
        if (l2 != 0.0) g += b * w;
        if (l1 != 0.0) {
            const Vec<S> sign = w > zero ? one : (w < zero ? -one : w);  // of NaN it is NaN
            g += a * sign;
        }
        store(grads + i, g, m);
    });
}

}  // namespace

template <class S>
inline constexpr Vectors<S> vectors{sum_of_squares<S>, largest<S>, finite<S>,
                                    scale<S>,          cut<S>,     penalise<S>};

extern const Vectors<float> vectors_f32 = vectors<float>;
extern const Vectors<double> vectors_f64 = vectors<double>;

}  // namespace throughtime::TT_LEVEL
