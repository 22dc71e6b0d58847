// Norms, clipping and penalties of flat vectors.
#include "vectors.hpp"

#include "widen.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// Sums of a block are taken in four vectors at a time: one would wait for itself.
struct Sum {
    Wide parts[4]{};

    TT_INLINE void add(int part, Wide v) { parts[part] += v; }
    TT_INLINE double value() const {
        return total((parts[0] + parts[1]) + (parts[2] + parts[3]));
    }
};

// f(vector of doubles) summed over x.
template <class S, class F> TT_INLINE double sum(const S* x, std::ptrdiff_t n, F f) {
    Sum s;
    std::ptrdiff_t i = 0;
    for (; i + 4 * wide <= n; i += 4 * wide)
        for (int part = 0; part < 4; ++part) s.add(part, f(widen(x + i + part * wide, wide)));
    for (int part = 0; i < n; i += wide, ++part)
        s.add(part, f(widen(x + i, static_cast<int>(smaller(n - i, wide)))));
    return s.value();
}

template <class S> double sum_of_squares(const S* x, std::ptrdiff_t n, double unit) {
    if (unit == 1.0) return sum(x, n, [](Wide v) { return v * v; });
    const Wide divisor = splat(unit);
    return sum(x, n, [=](Wide v) {
        v /= divisor;
        return v * v;
    });
}

template <class S> double largest(const S* x, std::ptrdiff_t n) {
    Wide most{};
    IVec<double> strange{};
    by(0, n, wide, [&](std::ptrdiff_t i, int m) {
        const Wide v = abs<double>(widen(x + i, m));
        strange |= v != v;
        most = v > most ? v : most;
    });
    if (any<double>(strange)) return __builtin_nan("");
    double result = 0.0;
    for (int i = 0; i < wide; ++i) result = most[i] > result ? most[i] : result;
    return result;
}

template <class S> bool finite(const S* x, std::ptrdiff_t n) {
    IVec<S> bad{};
    by(0, n, lanes<S>, [&](std::ptrdiff_t i, int m) {
        const Vec<S> v = load(x + i, m);
        bad |= (v - v) != Vec<S>{};
    });
    return !any<S>(bad);
}

template <class S> void scale(S* x, std::ptrdiff_t n, double factor) {
    const Wide by_what = splat(factor);
    by(0, n, wide, [&](std::ptrdiff_t i, int m) { narrow(x + i, widen(x + i, m) * by_what, m); });
}

template <class S> void cut(S* x, std::ptrdiff_t n, double limit) {
    const Vec<S> high = splat(static_cast<S>(limit)), low = -high;
    by(0, n, lanes<S>, [&](std::ptrdiff_t i, int m) {
        Vec<S> v = load(x + i, m);
        v = v > high ? high : v;
        store(x + i, v < low ? low : v, m);
    });
}

template <class S>
void penalise(const S* weights, S* grads, std::ptrdiff_t n, double l1, double l2, double* sums) {
    sums[0] = l1 != 0.0 ? sum(weights, n, [](Wide v) { return abs<double>(v); }) : 0.0;
    sums[1] = l2 != 0.0 ? sum(weights, n, [](Wide v) { return v * v; }) : 0.0;
    if (grads == nullptr) return;
    const Vec<S> zero{}, one = splat(S(1)), a = splat(static_cast<S>(l1)),
                 b = splat(static_cast<S>(l2));
    by(0, n, lanes<S>, [&](std::ptrdiff_t i, int m) {
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
