// The activations inside a cell: tanh and the logistic function straight away, any other by number.
#pragma once

#include "activations.hpp"
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

// The gated cells' equations for one vector of units, from the sums that their gates are of; with
// the numbers of cells/lstm.py and cells/gru.py.
template <class S> struct LstmValues {
    Vec<S> i, f, g, o, c, h;
};
template <class S>
TT_INLINE LstmValues<S> lstm_equations(const Sizes<S>& z, const Vec<S>* u, Vec<S> c_before) {
    LstmValues<S> v;
    v.i = gate(z, u[0]);  // (L2)
    v.f = gate(z, u[1]);
    v.g = body(z, u[2]);
    v.o = gate(z, u[3]);
    v.c = fma(v.f, c_before, v.i * v.g);  // (L3)
    v.h = v.o * body(z, v.c);             // (L4)
    return v;
}

template <class S> struct GruValues {
    Vec<S> r, z, n, h;
};
// reset_after; u holds the sums of r, z, n without the recurrent part, and q.
template <class S>
TT_INLINE GruValues<S> gru_equations(const Sizes<S>& z, const Vec<S>* u, Vec<S> h_before) {
    GruValues<S> v;
    v.r = gate(z, u[0]);                     // (G1)
    v.z = gate(z, u[1]);                     // (G2)
    v.n = body(z, fma(v.r, u[3], u[2]));     // (G3)
    v.h = fma(v.z, h_before - v.n, v.n);     // (G4)
    return v;
}

}  // namespace throughtime::TT_LEVEL
