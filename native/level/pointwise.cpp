// Activations of whole arrays.
#include "level/activations.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// y = f(x), elementwise. The tail takes the same instructions, so that a number has the same result
// at each place.
template <class S, class F>
TT_INLINE void apply_each(const S* x, S* y, Size n, const F& f) {
    Size i = 0;
    for (; i + lanes<S> <= n; i += lanes<S>) store(y + i, f(load(x + i)));
    if (const int rest = static_cast<int>(n - i); rest > 0)
        store(y + i, f(load(x + i, rest)), rest);
}

// dz = dy f'(z).
template <class S, class F>
TT_INLINE void apply_each_slope(const S* dy, const S* y, S* dz, Size n, const F& slope) {
    Size i = 0;
    for (; i + lanes<S> <= n; i += lanes<S>) store(dz + i, load(dy + i) * slope(load(y + i)));
    if (const int rest = static_cast<int>(n - i); rest > 0)
        store(dz + i, load(dy + i, rest) * slope(load(y + i, rest)), rest);
}

template <class S>
void clear_masked(const Pointwise<S>& call, Size begin, Size end) {
    if (call.mask == nullptr) return;
    for (Size row = begin; row < end; ++row)
        if (!call.mask[row])
            __builtin_memset(call.out + row * call.width, 0,
                             sizeof(S) * static_cast<std::size_t>(call.width));
}

template <class S>
void forward(const Pointwise<S>& call, Size begin, Size end) {
    const Size first = begin * call.width, n = (end - begin) * call.width;
    const S parameter = call.parameter;
    if (call.kind == Activation::softmax)
        softmax_rows(call.out + first, call.z + first, call.width, end - begin, parameter);
    else
        with_activation(call.kind, [&]<Activation kind>() {
            apply_each(call.z + first, call.out + first, n,
                [=](Vec<S> z) { return activate<kind>(parameter, z); });
        });
    clear_masked(call, begin, end);
}

template <class S>
void backward(const Pointwise<S>& call, Size begin, Size end) {
    const Size first = begin * call.width, n = (end - begin) * call.width;
    const S parameter = call.parameter;
    if (call.kind == Activation::softmax)
        softmax_rows_backward(call.out + first, call.dy + first, call.y + first, call.width,
                              end - begin, parameter);
    else
        with_activation(call.kind, [&]<Activation kind>() {
            apply_each_slope(call.dy + first, call.y + first, call.out + first, n,
                     [=](Vec<S> y) { return derivative<kind>(parameter, y); });
        });
    clear_masked(call, begin, end);
}

template <class S> void math(Math function, const S* x, S* y, Size n) {
    switch (function) {
        case Math::exp: return apply_each(x, y, n, [](Vec<S> v) { return exp(v); });
        case Math::expm1: return apply_each(x, y, n, [](Vec<S> v) { return expm1(v); });
        case Math::log1p: return apply_each(x, y, n, [](Vec<S> v) { return log1p(v); });
        case Math::tanh: return apply_each(x, y, n, [](Vec<S> v) { return tanh(v); });
        case Math::sigmoid: return apply_each(x, y, n, [](Vec<S> v) { return sigmoid(v); });
        case Math::softplus: return apply_each(x, y, n, [](Vec<S> v) { return softplus(v); });
    }
}

}  // namespace

extern const Pointwises<float> pointwise_f32;
extern const Pointwises<double> pointwise_f64;
const Pointwises<float> pointwise_f32{forward, backward, math};
const Pointwises<double> pointwise_f64{forward, backward, math};

}  // namespace throughtime::TT_LEVEL
