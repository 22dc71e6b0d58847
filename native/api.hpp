// Everything that a level offers: one table of functions a level, chosen once for this machine.
//
// An area has a header of its own, with a struct of function pointers that knows no vector types,
// a constant of that struct in the namespace of each level, and one line here and in level.cpp.
#pragma once

#include "loops.hpp"
#include "pointwise.hpp"
#include "vectors.hpp"

namespace throughtime {

struct Api {
    const char* level;
    int vector_bytes;
    const Loops<float>* loops_f32;  // time loops and dense products
    const Loops<double>* loops_f64;
    const Vectors<float>* vectors_f32;  // norms, clipping, penalties
    const Vectors<double>* vectors_f64;
    const Optimizers<float>* optimizers_f32;
    const Optimizers<double>* optimizers_f64;
    const Losses<float>* losses_f32;
    const Losses<double>* losses_f64;
    const Pointwises<float>* pointwise_f32;  // activations
    const Pointwises<double>* pointwise_f64;
};

// The table in use: the best level that this machine has, or that use_level() chose.
const Api& api();

// The tables that this machine can use, best first; the list ends with a null pointer.
// Throws std::runtime_error where there is none.
const Api* const* levels();

// Chooses by name; false where this machine has no such level. Call it before anything is computed:
// what is packed for one level is of no use to another.
bool use_level(const char* name);

}  // namespace throughtime
