// The activations inside a cell: tanh and the logistic function straight away, any other by number.
#pragma once

#if __has_include("activations.hpp")
#include "activations.hpp"
#else
#include "math.hpp"
namespace throughtime::TT_LEVEL {
enum class Activation : int { identity, sigmoid, tanh, relu, leaky_relu, elu, softplus, hard_sigmoid, exp, softmax };
template <class S> Vec<S> activate(Activation, S, Vec<S> v) { return v; }
template <class S> Vec<S> derivative(Activation, S, Vec<S> v) { return v; }
template <class S> void softmax_row(S*, const S*, std::ptrdiff_t, S) {}
template <class S> void softmax_row_backward(S*, const S*, const S*, std::ptrdiff_t, S) {}
}
#endif
#include "loops.hpp"

namespace throughtime::TT_LEVEL {

template <class S> TT_INLINE Vec<S> apply(int kind, S parameter, Vec<S> v) {
    if (kind == static_cast<int>(Activation::tanh)) return tanh(v);
    if (kind == static_cast<int>(Activation::sigmoid)) return sigmoid(v);
    return activate(static_cast<Activation>(kind), parameter, v);
}
// f' from the output y.
template <class S> TT_INLINE Vec<S> slope(int kind, S parameter, Vec<S> y) {
    if (kind == static_cast<int>(Activation::tanh)) return S(1) - y * y;
    if (kind == static_cast<int>(Activation::sigmoid)) return y * (S(1) - y);
    return derivative(static_cast<Activation>(kind), parameter, y);
}

template <class S> TT_INLINE Vec<S> body(const Sizes<S>& z, Vec<S> v) {
    return apply(z.activation, z.activation_parameter, v);
}
template <class S> TT_INLINE Vec<S> gate(const Sizes<S>& z, Vec<S> v) {
    return apply(z.gate_activation, z.gate_parameter, v);
}
template <class S> TT_INLINE Vec<S> body_slope(const Sizes<S>& z, Vec<S> y) {
    return slope(z.activation, z.activation_parameter, y);
}
template <class S> TT_INLINE Vec<S> gate_slope(const Sizes<S>& z, Vec<S> y) {
    return slope(z.gate_activation, z.gate_parameter, y);
}

}  // namespace throughtime::TT_LEVEL
