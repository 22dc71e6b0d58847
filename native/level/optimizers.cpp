// Steps of the optimisers. Each number is read once; the operations and their order are those of
// optimizers/ on the Python side, whose equations are cited, so that the bits are the same.
#include "base/optimizers.hpp"

#include "level/doubles.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// The part of the vectors that a rule works on: `size` numbers from `first` on.
template <class S> struct Place {
    const OptimizerStep<S>& step;
    Size first;
    int size;

    TT_INLINE Vec<S> moment(int which) const { return load(step.moments[which] + first, size); }
    TT_INLINE Vec<S> keep(int which, Vec<S> v) const {
        store(step.moments[which] + first, v, size);
        return v;
    }
    // m <- rate m + (1 - rate) target
    TT_INLINE Vec<S> follow(int which, Vec<S> rate, Vec<S> rest, Vec<S> target) const {
        return keep(which, moment(which) * rate + target * rest);
    }
    // Momentum on a finished direction: u <- momentum u + d
    TT_INLINE Vec<S> accelerate(int which, Vec<S> momentum, Vec<S> direction) const {
        if (step.moments[which] == nullptr) return direction;
        return keep(which, moment(which) * momentum + direction);
    }
};

template <class S> TT_INLINE Vec<S> splat_as(double value) { return splat(static_cast<S>(value)); }

// As instructions: __builtin_sqrt may become a call of the library, lane by lane.
TT_INLINE Vec<float> sqrt(Vec<float> v) {
#if defined(__AVX512F__)
    return (Vec<float>)_mm512_maskz_sqrt_ps(static_cast<__mmask16>(-1), (__m512)v);
#elif defined(__AVX__)
    return (Vec<float>)_mm256_sqrt_ps((__m256)v);
#elif defined(__SSE2__)
    return (Vec<float>)_mm_sqrt_ps((__m128)v);
#elif defined(__ARM_NEON)
    return (Vec<float>)vsqrtq_f32((float32x4_t)v);
#else
    for (int i = 0; i < lanes<float>; ++i) v[i] = __builtin_sqrtf(v[i]);
    return v;
#endif
}
TT_INLINE Vec<double> sqrt(Vec<double> v) {
#if defined(__AVX512F__)
    return (Vec<double>)_mm512_maskz_sqrt_pd(static_cast<__mmask8>(-1), (__m512d)v);
#elif defined(__AVX__)
    return (Vec<double>)_mm256_sqrt_pd((__m256d)v);
#elif defined(__SSE2__)
    return (Vec<double>)_mm_sqrt_pd((__m128d)v);
#elif defined(__ARM_NEON)
    return (Vec<double>)vsqrtq_f64((float64x2_t)v);
#else
    for (int i = 0; i < lanes<double>; ++i) v[i] = __builtin_sqrt(v[i]);
    return v;
#endif
}

// The larger one; NaN if one of them is NaN.
template <class S> TT_INLINE Vec<S> maximum(Vec<S> a, Vec<S> b) {
    return ((a >= b) | (a != a)) ? a : b;
}

template <class S> struct Sgd {  // (O2)
    Vec<S> momentum, rest;
    explicit Sgd(const OptimizerStep<S>& s)
        : momentum(splat_as<S>(s.first)), rest(splat_as<S>(s.second)) {}

    TT_INLINE Vec<S> operator()(const Place<S>& at, Vec<S> g) const {
        if (at.step.moments[0] == nullptr) return g;
        const Vec<S> velocity =
            at.step.begins ? at.keep(0, g) : at.follow(0, momentum, rest, g);
        return at.step.nesterov ? velocity * momentum + g : velocity;
    }
};

template <class S> struct Adagrad {  // (O3)
    Vec<S> momentum, epsilon;
    explicit Adagrad(const OptimizerStep<S>& s)
        : momentum(splat_as<S>(s.first)), epsilon(splat_as<S>(s.epsilon)) {}

    TT_INLINE Vec<S> operator()(const Place<S>& at, Vec<S> g) const {
        const Vec<S> total = at.keep(0, at.moment(0) + g * g);
        return at.accelerate(2, momentum, g / (sqrt(total) + epsilon));
    }
};

template <class S> struct RmsProp {  // (O4)
    Vec<S> rho, rest, momentum, epsilon;
    explicit RmsProp(const OptimizerStep<S>& s)
        : rho(splat_as<S>(s.first)),
          rest(splat_as<S>(1.0 - s.first)),
          momentum(splat_as<S>(s.second)),
          epsilon(splat_as<S>(s.epsilon)) {}

    TT_INLINE Vec<S> operator()(const Place<S>& at, Vec<S> g) const {
        Vec<S> scale = at.follow(0, rho, rest, g * g);
        if (at.step.moments[1] != nullptr) {  // centered
            const Vec<S> mean = at.follow(1, rho, rest, g);
            scale = maximum<S>(scale - mean * mean, Vec<S>{});
        }
        return at.accelerate(2, momentum, g / (sqrt(scale) + epsilon));
    }
};

template <class S> struct Adam {  // (O5)
    Vec<S> beta1, rest1, beta2, rest2, root, epsilon;
    explicit Adam(const OptimizerStep<S>& s)
        : beta1(splat_as<S>(s.first)),
          rest1(splat_as<S>(1.0 - s.first)),
          beta2(splat_as<S>(s.second)),
          rest2(splat_as<S>(1.0 - s.second)),
          root(splat_as<S>(s.root)),
          epsilon(splat_as<S>(s.epsilon)) {}

    TT_INLINE Vec<S> operator()(const Place<S>& at, Vec<S> g) const {
        const Vec<S> mean = at.follow(0, beta1, rest1, g);
        Vec<S> square = at.follow(1, beta2, rest2, g * g);
        if (at.step.moments[2] != nullptr)
            square = at.keep(2, maximum<S>(at.moment(2), square));
        return mean / (sqrt(square) * root + epsilon);
    }
};

// Numbers for which the decay mask is converted to floats at once, in a plain loop: compilers turn
// that into good instructions, but not a conversion of one vector of bytes.
constexpr Size mask_chunk = 512;

template <class S, template <class> class Rule>
bool step(const OptimizerStep<S>& s, Size begin, Size end) {
    const Rule<S> rule(s);
    const Vec<S> lr = splat_as<S>(s.lr), decay = splat_as<S>(s.decay);
    const bool masked = s.decays && s.decay_mask != nullptr;
    alignas(64) S weights[mask_chunk];
    IVec<S> bad{};
    for (Size start = begin; start < end; start += mask_chunk) {
        const Size stop = smaller(start + mask_chunk, end);
        if (masked)
            for (Size i = start; i < stop; ++i)
                weights[i - start] = static_cast<S>(s.decay_mask[i]);
        for_parts(start, stop, lanes<S>, [&](Size i, int n) {
            Vec<S> theta = load(s.params + i, n);
            if (s.previous != nullptr) store(s.previous + i, theta, n);
            Vec<S> factor{};
            if (s.multiplier != nullptr) factor = load(s.multiplier + i, n);
            if (s.decays) {  // (O6)
                Vec<S> loss = theta * decay;
                if (s.multiplier != nullptr) loss *= factor;
                if (masked) loss *= load(weights + (i - start), n);
                theta -= loss;
            }
            Vec<S> change = rule(Place<S>{s, i, n}, load(s.grads + i, n)) * lr;  // (O1)
            if (s.multiplier != nullptr) change *= factor;
            theta -= change;
            store(s.params + i, theta, n);
            bad |= (theta - theta) != Vec<S>{};
        });
    }
    return !any<S>(bad);
}

}  // namespace

template <class S>
inline constexpr Optimizers<S> optimizers{step<S, Sgd>, step<S, Adagrad>, step<S, RmsProp>,
                                          step<S, Adam>};

extern const Optimizers<float> optimizers_f32 = optimizers<float>;
extern const Optimizers<double> optimizers_f64 = optimizers<double>;

}  // namespace throughtime::TT_LEVEL
