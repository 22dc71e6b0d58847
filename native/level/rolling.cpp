// Forecasts of many settings of smoothing from many origins: one walk through the series for a few
// vectors of settings, whose states never leave the cache.
//
// Operations and their order are those of forecasting/smoothing.py, so that states have the same
// bits. A lane is computed by itself alone: no setting changes the bits of another.
#include "base/rolling.hpp"

#include "level/doubles.hpp"
#include "level/math.hpp"

namespace throughtime::TT_LEVEL {
namespace {

using Mask = IVec<double>;

constexpr Size width_of(int vectors) { return Size{vectors} * lanes<double>; }

// Steps of a walk wait for the ones before, so four vectors take turns.
constexpr int most_vectors = 4;

// Up to here exp() is 1 + small_expm1(), to the last bit: it subtracts no multiple of log 2.
constexpr double small_power = 0.34;

// Beyond e to this power, and 1 over it, forecasts are not taken apart into factors. No number of
// the data is as large.
constexpr double largest_power = 300.0;

// N vectors of settings with their states; lanes behind the last setting repeat it.
template <int N> struct Walk {
    const RollingSeries& s;
    Doubles alpha[N], phi[N], gamma[N], step[N], back[N], level[N], slope[N], mean[N];
    Mask drift[N], returns[N], straight[N], theta[N];
    bool drifts = false, returning = false, fitting = false, moving = false;
    // Means of the known steps and values, and sums around them: squares and products.
    double middle = 0.0, height = 0.0, square = 0.0, product = 0.0;
    // The season (P, N), with logarithms its exponential (P, N), and phi + ... + phi^h (H, N).
    double *season, *powers, *damped;

    TT_INLINE Walk(const RollingSeries& series, const RollingSettings& settings, const Size* which,
                   Size n, double* scratch)
        : s(series), season(scratch), powers(season + s.P * width_of(N)),
          damped(powers + s.P * width_of(N)) {
        const auto column = [&](const double* numbers, int v) {
            Doubles found;
            for (int i = 0; i < lanes<double>; ++i)
                found[i] = numbers[which[smaller(v * lanes<double> + i, n - 1)]];
            return found;
        };
        const Doubles zero{};
        for (int v = 0; v < N; ++v) {
            alpha[v] = column(settings.alpha, v);
            phi[v] = column(settings.phi, v);
            gamma[v] = column(settings.gamma, v);
            step[v] = column(settings.step, v);
            back[v] = column(settings.back, v);
            slope[v] = column(settings.slope, v);
            drift[v] = column(settings.drift, v) != zero;
            straight[v] = column(settings.bent, v) == zero;
            theta[v] = column(settings.theta, v) != zero;
            returns[v] = back[v] > zero;
            level[v] = splat(s.start);
            mean[v] = zero;
            drifts |= any<double>(drift[v]);
            returning |= any<double>(returns[v]);
            fitting |= any<double>(theta[v]);
            moving |= s.log && any<double>(gamma[v] != zero);
        }
        for (Size p = 0; p < s.P; ++p) {
            const Doubles own = splat(s.pattern[p]), power = s.log ? exp(own) : zero;
            for (int v = 0; v < N; ++v) {
                store(at(season, p, v), own);
                store(at(powers, p, v), power);
            }
        }
        for (int v = 0; v < N; ++v) {
            Doubles sum{}, power = splat(1.0);
            for (Size h = 0; h < s.H; ++h) {
                power *= phi[v];
                sum += power;
                store(at(damped, h, v), sum);
            }
        }
    }

    static TT_INLINE double* at(double* rows, Size row, int v) {
        return rows + row * width_of(N) + v * lanes<double>;
    }

    // Reads the value at step t, the `seen`-th that is known.
    TT_INLINE void read(Size t, double value, double seen) {
        const bool later = t > s.begin;
        const Doubles z = splat(value), count = splat(seen);
        const double apart = static_cast<double>(t) - middle;
        middle += apart / seen;
        const double after = static_cast<double>(t) - middle;
        square += apart * after;
        product += after * (value - height);
        height += (value - height) / seen;
        const Doubles half = splat(square > 0.0 ? 0.5 * (product / square) : 0.0);
        for (int v = 0; v < N; ++v) {
            double* const place = at(season, s.place[t], v);
            const Doubles own = load(place);
            const Doubles error = z - level[v] - own;   // (H1)
            level[v] = level[v] + alpha[v] * error;     // (H2)
            slope[v] = slope[v] + step[v] * error;      // (H3), local
            const Doubles next = own + gamma[v] * error;  // (H4)
            store(place, next);
            if (moving) store(at(powers, s.place[t], v), exp(next));
            if (drifts && later) {                      // (H3), drift
                const Doubles steps = splat(static_cast<double>(t - s.begin));
                slope[v] = select<double>(drift[v], (level[v] - s.start) / steps, slope[v]);
            }
            if (fitting) slope[v] = select<double>(theta[v], half, slope[v]);  // (H3), theta
            if (returning) {  // (H3), return
                mean[v] = mean[v] + (z - own - mean[v]) / count;
                slope[v] =
                    select<double>(returns[v], back[v] * (mean[v] - level[v]), slope[v]);
            }
        }
    }

    // Runs (H1) to (H4) and calls f(i, origin) at the i-th origin.
    template <class F> TT_INLINE void run(F f) {
        Size seen = 0;
        for (Size t = 0, i = 0; i < s.O; ++t) {
            if (t > s.begin)
                for (int v = 0; v < N; ++v) {
                    level[v] = level[v] + phi[v] * slope[v];
                    slope[v] = phi[v] * slope[v];
                }
            const double value = s.z[t];
            if (value == value) read(t, value, static_cast<double>(++seen));
            if (t + 1 == s.origins[i]) f(i++, t + 1);
        }
    }

    // Calls f(h, forecasts) for h = 0 ... ahead - 1: (H5) at step origin + h.
    template <class F> TT_INLINE void forecast(Size origin, Size ahead, F f) {
        if (s.log)
            forecast_exponentials(origin, ahead, f);
        else
            for (Size h = 0; h < ahead; ++h) {
                Doubles found[N];
                for (int v = 0; v < N; ++v)
                    found[v] = level[v] + load(at(damped, h, v)) * slope[v] +
                               load(at(season, s.place[origin + h], v));
                f(h, found);
            }
    }

    // exp(l + log(1 + rise) + s) is exp(l) exp(s) (1 + rise), and the exponentials of a season
    // change at one place in a step. What is left is exp(rise) where a rise bends or is a fall.
    // Factors of a setting that explodes may be infinite and 0: there all is one exponential.
    template <class F> TT_INLINE void forecast_exponentials(Size origin, Size ahead, F f) {
        if (ahead == 0) return;
        const Doubles zero{}, one = splat(1.0);
        Doubles base[N];
        Mask rising[N], wild[N];
        bool all = true, wide = false, tame = true;
        for (int v = 0; v < N; ++v) {
            base[v] = exp(level[v]);
            rising[v] = (straight[v] & (slope[v] > zero)) | (slope[v] == zero);
            all &= !any<double>(~rising[v]);
            const Doubles farthest = abs<double>(load(at(damped, ahead - 1, v)) * slope[v]);
            wide |= any<double>(~rising[v] & ~(farthest <= splat(small_power)));
            const Doubles most = splat(largest_power);
            wild[v] = ~((farthest <= most) & (abs<double>(level[v]) <= most));
            tame &= !any<double>(wild[v]);
        }
        for (Size h = 0; h < ahead; ++h) {
            const Size place = s.place[origin + h];
            Doubles found[N];
            for (int v = 0; v < N; ++v) {
                const Doubles rise = load(at(damped, h, v)) * slope[v];
                Doubles factor = one + rise;
                if (!all) {
                    const Doubles power = wide ? exp(rise) : one + small_expm1(rise);
                    factor = select<double>(rising[v], factor, power);
                }
                Doubles value = base[v] * load(at(powers, place, v)) * factor;
                if (!tame) {
                    const Doubles sum = level[v] + load(at(season, place, v));
                    const Doubles whole = select<double>(rising[v], (one + rise) * exp(sum),
                                                         exp(sum + rise));
                    value = select<double>(wild[v], whole, value);
                }
                found[v] = at_most(s.ceiling, value);
            }
            f(h, found);
        }
    }
};

template <int N>
void states_of(const RollingSeries& s, const RollingSettings& settings, const Size* which, Size n,
               double* level, double* slope, double* season, double* scratch) {
    Walk<N> walk(s, settings, which, n, scratch);
    walk.run([&](Size i, Size) {
        for (Size k = 0; k < n; ++k) {
            const Size own = i * settings.C + which[k];
            level[own] = walk.level[k / lanes<double>][k % lanes<double>];
            slope[own] = walk.slope[k / lanes<double>][k % lanes<double>];
            for (Size p = 0; p < s.P; ++p)
                season[own * s.P + p] = walk.season[p * width_of(N) + k];
        }
    });
}

template <int N>
void errors_of(const RollingSeries& s, const RollingSettings& settings, const Size* which, Size n,
               const double* weight, double* errors, double* scratch) {
    Walk<N> walk(s, settings, which, n, scratch);
    walk.run([&](Size i, Size origin) {
        Doubles sum[N]{};
        double total = 0.0;
        walk.forecast(origin, smaller(s.H, s.T - origin), [&](Size h, const Doubles(&found)[N]) {
            const double actual = s.y[origin + h];
            if (actual != actual) return;
            total += weight[h];
            for (int v = 0; v < N; ++v)
                sum[v] += splat(weight[h]) * abs<double>(found[v] - actual);
        });
        double* const row = errors + i * settings.C;
        for (Size k = 0; k < n; ++k)
            row[which[k]] = total > 0.0 ? sum[k / lanes<double>][k % lanes<double>] / total
                                        : __builtin_nan("");
    });
}

template <int N>
void means_of(const RollingSeries& s, const RollingSettings& settings, const Size* which, Size n,
              const double* weights, Size row, double* means, Size apart, double* scratch) {
    Walk<N> walk(s, settings, which, n, scratch);
    walk.run([&](Size i, Size origin) {
        Doubles weight[N]{};
        bool counts = false;
        for (Size k = 0; k < n; ++k) {
            const double own = weights[i * row + which[k]];
            weight[k / lanes<double>][k % lanes<double>] = own;
            counts |= own != 0.0;
        }
        if (!counts) return;
        double* const out = means + i * s.H * apart;
        walk.forecast(origin, s.H, [&](Size h, const Doubles(&found)[N]) {
            Doubles sum = weight[0] * found[0];
            for (int v = 1; v < N; ++v) sum += weight[v] * found[v];
            out[h * apart] += total(sum);
        });
    });
}

// The kernel for n settings.
#define TT_KERNEL(name, n) \
    ((n) > width_of(2) ? name<most_vectors> : (n) > width_of(1) ? name<2> : name<1>)

void states(const RollingSeries& s, const RollingSettings& settings, const Size* which, Size n,
            double* level, double* slope, double* season, double* scratch) {
    TT_KERNEL(states_of, n)(s, settings, which, n, level, slope, season, scratch);
}

void errors(const RollingSeries& s, const RollingSettings& settings, const Size* which, Size n,
            const double* weight, double* errors, double* scratch) {
    TT_KERNEL(errors_of, n)(s, settings, which, n, weight, errors, scratch);
}

void means(const RollingSeries& s, const RollingSettings& settings, const Size* which, Size n,
           const double* weights, Size row, double* means, Size apart, double* scratch) {
    TT_KERNEL(means_of, n)(s, settings, which, n, weights, row, means, apart, scratch);
}

Size scratch(const RollingSeries& s) { return (2 * s.P + s.H) * width_of(most_vectors); }

}  // namespace

extern const Rolling rolling;
const Rolling rolling{width_of(most_vectors), scratch, states, errors, means};

}  // namespace throughtime::TT_LEVEL
