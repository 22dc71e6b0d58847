// Activations of whole arrays, as every level offers them: what goes in and what comes out.
#pragma once

#include <cstddef>
#include <cstdint>

namespace throughtime {

// The numbers by which Python names them: the order of its own list, in activations.py.
enum class Activation : int {
    identity, sigmoid, tanh, relu, leaky_relu, elu, softplus, hard_sigmoid, exp, softmax,
};
inline constexpr int n_activations = 10;

// One call. Arrays are (rows, width), contiguous; softmax is over the width, all others are
// elementwise. Backwards z is not read, and dy and dz may be the same array.
template <class S> struct Pointwise {
    Activation kind;
    S parameter;                // slope, alpha or temperature
    std::ptrdiff_t width;
    const std::uint8_t* mask;   // (rows), 1 where a row counts, the others are 0; null: all count
    const S *z, *y, *dy;
    S* out;                     // y or dz
};

enum class Math : int { exp, expm1, log1p, tanh, sigmoid, softplus };
inline constexpr int n_math = 6;

template <class S> struct Pointwises {
    // Rows from begin to end.
    void (*forward)(const Pointwise<S>&, std::ptrdiff_t begin, std::ptrdiff_t end);
    void (*backward)(const Pointwise<S>&, std::ptrdiff_t begin, std::ptrdiff_t end);
    // The functions of math.hpp themselves, for tests.
    void (*math)(Math function, const S* x, S* y, std::ptrdiff_t n);
};

}  // namespace throughtime
