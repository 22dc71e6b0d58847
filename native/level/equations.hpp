// The activations inside a cell, and the equations of the gated cells.
//
// Tanh and the logistic function are tested for first; the others are found by their number.
#pragma once

#include "level/activations.hpp"
#include "base/loops.hpp"

namespace throughtime::TT_LEVEL {

template <class S> TT_INLINE Vec<S> apply(Activation kind, S parameter, Vec<S> v) {
    if (kind == Activation::tanh) return tanh(v);
    if (kind == Activation::sigmoid) return sigmoid(v);
    return activate(kind, parameter, v);
}
// f' from the output y.
template <class S> TT_INLINE Vec<S> slope(Activation kind, S parameter, Vec<S> y) {
    if (kind == Activation::tanh) return S(1) - y * y;
    if (kind == Activation::sigmoid) return y * (S(1) - y);
    return derivative(kind, parameter, y);
}

template <class S> TT_INLINE Vec<S> activation(const Sizes<S>& z, Vec<S> v) {
    return apply(z.activation, z.activation_parameter, v);
}
template <class S> TT_INLINE Vec<S> gate_activation(const Sizes<S>& z, Vec<S> v) {
    return apply(z.gate_activation, z.gate_parameter, v);
}
template <class S> TT_INLINE Vec<S> activation_slope(const Sizes<S>& z, Vec<S> y) {
    return slope(z.activation, z.activation_parameter, y);
}
template <class S> TT_INLINE Vec<S> gate_activation_slope(const Sizes<S>& z, Vec<S> y) {
    return slope(z.gate_activation, z.gate_parameter, y);
}

// One vector of units of a gated cell, from the sums u of its gates: the equations of cells/lstm.py
// and cells/gru.py, with their numbers. The time loops and the streams both use them.
template <class S> struct LstmValues {
    Vec<S> i, f, g, o, c, h;
};
template <class S>
TT_INLINE LstmValues<S> lstm_equations(const Sizes<S>& z, const Vec<S>* u, Vec<S> c_before) {
    LstmValues<S> v;
    v.i = gate_activation(z, u[0]);  // (L2)
    v.f = gate_activation(z, u[1]);
    v.g = activation(z, u[2]);
    v.o = gate_activation(z, u[3]);
    v.c = fma(v.f, c_before, v.i * v.g);  // (L3)
    v.h = v.o * activation(z, v.c);             // (L4)
    return v;
}

template <class S> struct GruValues {
    Vec<S> r, z, n, h;
};
// With reset_after. u holds the sums of r and z, of n without the recurrent part, and q.
template <class S>
TT_INLINE GruValues<S> gru_equations(const Sizes<S>& z, const Vec<S>* u, Vec<S> h_before) {
    GruValues<S> v;
    v.r = gate_activation(z, u[0]);                     // (G1)
    v.z = gate_activation(z, u[1]);                     // (G2)
    v.n = activation(z, fma(v.r, u[3], u[2]));     // (G3)
    v.h = fma(v.z, h_before - v.n, v.n);     // (G4)
    return v;
}

}  // namespace throughtime::TT_LEVEL
