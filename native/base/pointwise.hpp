// Activations of whole arrays, as each level offers them.
#pragma once

#include <cstdint>

#include "base/common.hpp"

namespace throughtime {

// The order of the list in activations.py: Python names an activation by its number.
enum class Activation : int {
    identity, sigmoid, tanh, relu, leaky_relu, elu, softplus, hard_sigmoid, exp, softmax,
};
inline constexpr int n_activations = 10;

// One call. Arrays are (rows, width), contiguous. Softmax is taken over the width; all others are
// elementwise. The backward pass does not read z; its dy and dz may be the same array.
template <class S> struct Pointwise {
    Activation kind;
    S parameter;                // slope, alpha or temperature
    Size width;
    const std::uint8_t* mask;   // (rows): 0 where a row of the output is set to 0; or null
    const S *z, *y, *dy;
    S* out;                     // y or dz
};

enum class Math : int { exp, expm1, log1p, tanh, sigmoid, softplus };
inline constexpr int n_math = 6;

template <class S> struct Pointwises {
    // Rows from begin to end.
    void (*forward)(const Pointwise<S>&, Size begin, Size end);
    void (*backward)(const Pointwise<S>&, Size begin, Size end);
    // The functions of level/math.hpp themselves, for tests.
    void (*math)(Math function, const S* x, S* y, Size n);
};

}  // namespace throughtime
