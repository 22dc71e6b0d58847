// Losses that sum over paths, all in double: CTC over its states, a conditional random field over
// its tags.
#include "base/paths.hpp"

#include "level/doubles.hpp"
#include "level/math.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// FAR of losses/ctc.py and losses/crf.py.
constexpr double far = -1e300;

// Numbers of a row whose last vector may be loaded as a whole.
constexpr Size padded(Size n) { return (n + lanes<double> - 1) / lanes<double> * lanes<double>; }

// NaN is ignored.
TT_INLINE Doubles most(Doubles a, Doubles b) { return a > b ? a : b; }
TT_INLINE double largest(Doubles v) {
    double found = v[0];
    for (int i = 1; i < lanes<double>; ++i) found = v[i] > found ? v[i] : found;
    return found;
}

// log(v) of a normal number, v = 2^k (1 + f); of NaN it is NaN.
TT_INLINE Doubles log(Doubles v) {
    using F = Format<double>;
    const auto bits = (F::UVec)v;
    const auto fraction = bits & (((F::UVec{} + 1) << F::mantissa) - 1);
    const Doubles m = (Doubles)(fraction | (F::UVec)splat(1.0));  // in [1, 2)
    const IVec<double> halved = m > splat(1.41421356);
    const Doubles f = (halved ? splat(0.5) * m : m) - splat(1.0);
    // An integer in the lowest bits of 2^52 is added to it.
    const Doubles whole = (Doubles)((bits >> F::mantissa) | (F::UVec)splat(0x1p52));
    const Doubles k = whole - (halved ? splat(0x1p52 + F::bias - 1) : splat(0x1p52 + F::bias));
    const Doubles t = f / (f + splat(2.0)), t2 = t * t;
    const Doubles y = k * splat(F::ln2) + (f - t * (f - t2 * small_atanh(t2)));
    return v == v ? y : v;
}

// log(e^a + e^b + e^c).
TT_INLINE Doubles logsum(Doubles a, Doubles b, Doubles c) {
    const Doubles peak = most(most(a, b), c);
    return peak + log(exp(a - peak) + exp(b - peak) + exp(c - peak));
}

TT_INLINE void fill(double* p, Size n, double value) {
    for (Size i = 0; i < n; ++i) p[i] = value;
}

// Overwrites n numbers with their softmax; returns log(sum e^x). Lanes behind them hold `far`.
TT_INLINE double softmax(double* x, Size n) {
    Doubles top = splat(x[0]);
    for (Size i = 0; i < n; i += lanes<double>) top = most(load(x + i), top);
    const double peak = largest(top);
    Doubles sums{};
    for (Size i = 0; i < n; i += lanes<double>) {
        const Doubles e = exp(load(x + i) - splat(peak));
        store(x + i, e);
        sums += e;
    }
    const double sum = total(sums);
    for (Size i = 0; i < n; i += lanes<double>) store(x + i, load(x + i) / splat(sum));
    return peak + log(splat(sum))[0];
}

// -- labels without their times

// Where the parts of the working memory begin; states (S) in rows of `wide` numbers.
struct CtcPlan {
    Size S, wide, row, p, rest, log_y, a, skip, ahead, b, c, share, occupancy, end;

    TT_INLINE CtcPlan(Size R, Size K, Size L) : S(2 * L + 1), wide(padded(S)), row(wide + 2) {
        p = 0;                       // (R, K) probabilities
        rest = p + R * K;            // (R, 2) the place of the largest, and 1 - p there
        log_y = rest + 2 * R;        // (R, wide)
        a = log_y + R * wide;        // (R + 1, row) with two numbers before the states
        skip = a + (R + 1) * row;    // (wide) 0 or far, for a state and the one two before it
        ahead = skip + wide;         // (wide) the same for the one two behind it
        b = ahead + wide;            // (wide)
        c = b + wide;                // (row) with two numbers behind the states
        share = c + row;             // (wide)
        occupancy = share + wide;    // (K)
        end = occupancy + K;
    }
};

Size ctc_scratch(Size R, Size K, Size L) { return CtcPlan(R, K, L).end; }

// The class of a state.
template <class S> TT_INLINE Size class_of(const Ctc<S>& own, Size s) {
    return s % 2 == 0 ? own.blank : static_cast<Size>(own.labels[s / 2]);
}

// The softmax of each step, and the logarithms of what the states need of it.
template <class S> void ctc_outputs(const Ctc<S>& own, const CtcPlan& plan) {
    for (Size r = 0; r < own.R; ++r) {
        const S* const z = own.z + own.steps[r] * own.K;
        double* const p = own.scratch + plan.p + r * own.K;
        Size peak = 0;
        for (Size k = 1; k < own.K; ++k)
            if (z[k] > z[peak]) peak = k;
        const double top = z[peak];
        for_parts(0, own.K, lanes<double>, [&](Size k, int m) {
            store(p + k, exp(load_doubles(z + k, m) - splat(top)), m);
        });
        p[peak] = 0.0;
        Doubles sums{};
        for_parts(0, own.K, lanes<double>, [&](Size k, int m) { sums += load(p + k, m); });
        // The exponential of the largest is exactly 1; s are the others. See level/losses.cpp.
        const double s = total(sums), unit = 1.0 / (1.0 + s), log_sum = __builtin_log1p(s);
        for_parts(0, own.K, lanes<double>,
                  [&](Size k, int m) { store(p + k, load(p + k, m) * splat(unit), m); });
        p[peak] = unit;
        own.scratch[plan.rest + 2 * r] = static_cast<double>(peak);
        own.scratch[plan.rest + 2 * r + 1] = s * unit;
        double* const log_y = own.scratch + plan.log_y + r * plan.wide;
        fill(log_y + plan.S, plan.wide - plan.S, far);
        const auto log_p = [&](Size k) {
            const double v = (static_cast<double>(z[k]) - top) - log_sum;
            return v < far ? far : v;
        };
        const double blank = log_p(own.blank);
        for (Size i = 0; i < plan.S; i += 2) log_y[i] = blank;
        for (Size i = 0; i < own.L; ++i) log_y[2 * i + 1] = log_p(static_cast<Size>(own.labels[i]));
    }
}

template <class S> void ctc_forward(const Ctc<S>& own, const CtcPlan& plan) {
    double* const a = own.scratch + plan.a;
    const double* const skip = own.scratch + plan.skip;
    fill(a, (own.R + 1) * plan.row, far);
    a[2] = 0.0;  // the blank before the first label
    for (Size r = 0; r < own.R; ++r) {  // (CT2)
        const double* const before = a + r * plan.row;
        double* const now = a + (r + 1) * plan.row + 2;
        const double* const log_y = own.scratch + plan.log_y + r * plan.wide;
        for_parts(0, plan.S, lanes<double>, [&](Size s, int m) {
            const Doubles sum = logsum(load(before + s + 2), load(before + s + 1),
                                       load(before + s) + load(skip + s));
            store(now + s, load(log_y + s) + sum, m);
        });
    }
}

// The derivative at one step, from a and b of the states.
template <class S> void ctc_step(const Ctc<S>& own, const CtcPlan& plan, Size r) {
    double* const share = own.scratch + plan.share;
    double* const occupancy = own.scratch + plan.occupancy;
    const double* const a = own.scratch + plan.a + (r + 1) * plan.row + 2;
    const double* const b = own.scratch + plan.b;
    fill(share, plan.wide, far);
    for_parts(0, plan.S, lanes<double>,
              [&](Size s, int m) { store(share + s, load(a + s) + load(b + s), m); });
    softmax(share, plan.S);  // divided by their own sum, which is e^-l but for rounding errors
    fill(occupancy, own.K, 0.0);
    for (Size s = 0; s < plan.S; ++s) occupancy[class_of(own, s)] += share[s];  // (CT5)
    const double* const p = own.scratch + plan.p + r * own.K;
    S* const dz = own.dz + own.steps[r] * own.K;
    const Doubles one = splat(1.0), scale = splat(own.scale);
    for_parts(0, own.K, lanes<double>, [&](Size k, int m) {
        // p - occupancy, in a form without cancellation where the answer is nearly right
        const Doubles y = load(p + k, m), o = load(occupancy + k, m);
        store_rounded(dz + k, scale * (y * (one - o) - o * (one - y)), m);
    });
    const Size peak = static_cast<Size>(own.scratch[plan.rest + 2 * r]);
    const double not_p = own.scratch[plan.rest + 2 * r + 1], o = occupancy[peak];
    dz[peak] = static_cast<S>(own.scale * (p[peak] * (1.0 - o) - o * not_p));
}

template <class S> double ctc(const Ctc<S>& own) {
    const CtcPlan plan(own.R, own.K, own.L);
    double* const skip = own.scratch + plan.skip;
    double* const ahead = own.scratch + plan.ahead;
    fill(skip, 2 * plan.wide, far);
    for (Size i = 1; i < own.L; ++i)
        if (own.labels[i] != own.labels[i - 1]) skip[2 * i + 1] = ahead[2 * i - 1] = 0.0;
    ctc_outputs(own, plan);
    ctc_forward(own, plan);
    const double* const last = own.scratch + plan.a + own.R * plan.row + 2;
    double ends[lanes<double>];
    fill(ends, lanes<double>, far);
    ends[0] = last[plan.S - 1];
    if (plan.S > 1) ends[1] = last[plan.S - 2];
    const double loss = -softmax(ends, 2);  // (CT4)

    double* const b = own.scratch + plan.b;
    double* const c = own.scratch + plan.c;
    fill(b, plan.wide, far);
    fill(c, plan.row, far);
    b[plan.S - 1] = 0.0;
    if (plan.S > 1) b[plan.S - 2] = 0.0;
    for (Size r = own.R - 1; r >= 0; --r) {  // (CT3)
        ctc_step(own, plan, r);
        const double* const log_y = own.scratch + plan.log_y + r * plan.wide;
        for_parts(0, plan.S, lanes<double>,
                  [&](Size s, int m) { store(c + s, load(b + s) + load(log_y + s), m); });
        for_parts(0, plan.S, lanes<double>, [&](Size s, int m) {
            store(b + s, logsum(load(c + s), load(c + s + 1), load(c + s + 2) + load(ahead + s)), m);
        });
    }
    return loss > -far / 2 ? __builtin_inf() : loss;
}

// -- tags

struct CrfPlan {
    Size wide, e, unit, a, next, p, end;

    TT_INLINE CrfPlan(Size R, Size K) : wide(padded(K)) {
        e = 0;                       // (R, K, wide) exponentials of (CF5), not yet divided
        unit = e + R * K * wide;     // (R, wide) 1 / their sums
        a = unit + R * wide;         // (wide)
        next = a + wide;             // (wide)
        p = next + wide;             // (wide)
        end = p + wide;
    }
};

Size crf_scratch(Size R, Size K) { return CrfPlan(R, K).end; }

// One step of (CF3), from a to next; keeps (CF5).
template <class S> TT_INLINE void crf_step(const Crf<S>& own, const CrfPlan& plan, Size r) {
    const S* const y = own.y + own.steps[r] * own.K * own.K;
    double* const e = own.scratch + plan.e + r * own.K * plan.wide;
    double* const unit = own.scratch + plan.unit + r * plan.wide;
    const double* const a = own.scratch + plan.a;
    double* const next = own.scratch + plan.next;
    for_parts(0, own.K, lanes<double>, [&](Size j, int m) {
        Doubles peak = splat(a[0]) + load_doubles(y + j, m);
        for (Size i = 1; i < own.K; ++i)
            peak = most(splat(a[i]) + load_doubles(y + i * own.K + j, m), peak);
        Doubles sum{};
        for (Size i = 0; i < own.K; ++i) {
            const Doubles weight =
                exp(splat(a[i]) + load_doubles(y + i * own.K + j, m) - peak);
            store(e + i * plan.wide + j, weight);
            sum += weight;
        }
        store(unit + j, splat(1.0) / sum);
        store(next + j, peak + log(sum), m);
    });
}

// (CF6) and (CF7) at one step: p goes from its tag to the one before.
template <class S>
TT_INLINE void crf_back(const Crf<S>& own, const CrfPlan& plan, Size r, Size before, Size tag) {
    const double* const e = own.scratch + plan.e + r * own.K * plan.wide;
    double* const unit = own.scratch + plan.unit + r * plan.wide;
    double* const p = own.scratch + plan.p;
    S* const dy = own.dy + own.steps[r] * own.K * own.K;
    for (Size j = 0; j < own.K; j += lanes<double>)
        store(unit + j, load(unit + j) * load(p + j));
    const Doubles scale = splat(own.scale);
    for (Size i = 0; i < own.K; ++i) {
        Doubles sum{};
        for_parts(0, own.K, lanes<double>, [&](Size j, int m) {
            const Doubles pair = load(e + i * plan.wide + j) * load(unit + j);
            store_rounded(dy + i * own.K + j, scale * pair, m);
            sum += pair;
        });
        p[i] = total(sum);
    }
    const double pair = e[before * plan.wide + tag] * unit[tag];
    dy[before * own.K + tag] = static_cast<S>(own.scale * (pair - 1.0));
}

template <class S> double crf(const Crf<S>& own) {
    const CrfPlan plan(own.R, own.K);
    double* const a = own.scratch + plan.a;
    double* const next = own.scratch + plan.next;
    double* const p = own.scratch + plan.p;
    fill(a, 3 * plan.wide, far);
    a[0] = 0.0;
    double score = 0.0;
    Size before = 0;
    for (Size r = 0; r < own.R; ++r) {
        crf_step(own, plan, r);
        for (Size j = 0; j < own.K; ++j) a[j] = next[j];
        const Size t = own.steps[r], tag = static_cast<Size>(own.tags[t]);
        score += static_cast<double>(own.y[(t * own.K + before) * own.K + tag]);  // (CF2)
        before = tag;
    }
    for (Size j = 0; j < own.K; ++j) p[j] = a[j];
    const double log_z = softmax(p, own.K);
    for (Size r = own.R - 1; r >= 0; --r) {
        const Size tag = static_cast<Size>(own.tags[own.steps[r]]);
        before = r > 0 ? static_cast<Size>(own.tags[own.steps[r - 1]]) : 0;
        crf_back(own, plan, r, before, tag);
    }
    return log_z - score;  // (CF4)
}

}  // namespace

template <class S> inline constexpr Paths<S> paths{ctc<S>, crf<S>, ctc_scratch, crf_scratch};

extern const Paths<float> paths_f32 = paths<float>;
extern const Paths<double> paths_f64 = paths<double>;

}  // namespace throughtime::TT_LEVEL
