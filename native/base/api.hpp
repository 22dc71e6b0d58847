// Everything that a level offers: one table of functions for each level, of which one is chosen
// for this machine.
//
// An area has a header in base/ with a struct of function pointers that knows no vector types, a
// constant of that struct in the namespace of each level, and its lines here and in
// level/level.cpp.
#pragma once

#include "base/loops.hpp"
#include "base/losses.hpp"
#include "base/optimizers.hpp"
#include "base/options.hpp"
#include "base/paths.hpp"
#include "base/pointwise.hpp"
#include "base/rolling.hpp"
#include "base/scan.hpp"
#include "base/vectors.hpp"

namespace throughtime {

// The same functions for numbers of type float and double.
template <template <class> class Functions> struct ForBoth {
    const Functions<float>* f32;
    const Functions<double>* f64;

    template <class S> const Functions<S>& of() const {
        if constexpr (sizeof(S) == sizeof(float))
            return *f32;
        else
            return *f64;
    }
};

struct Api {
    const char* level;
    int vector_bytes;
    ForBoth<Loops> loops;
    ForBoth<Vectors> vectors;
    ForBoth<Optimizers> optimizers;
    ForBoth<Losses> losses;
    ForBoth<Pointwises> pointwise;
    ForBoth<Scans> scans;
    ForBoth<OptionLoops> options;
    ForBoth<Paths> paths;
    const Rolling* rolling;
};

// The table in use: of the best level that this machine has, or of the level that use_level()
// chose.
const Api& api();

// The tables that this machine can use, best first, then a null pointer.
// Throws std::runtime_error if there is none.
const Api* const* levels();

// Chooses a level by name; returns false if this machine has no such level. To be called before
// anything is computed: memory that one level has laid out is of no use to another.
bool use_level(const char* name);

}  // namespace throughtime
