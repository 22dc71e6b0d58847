// Work without the GIL, so that other threads of Python go on meanwhile. The only place where the
// extension releases it and takes it back.
#pragma once

#include <nanobind/nanobind.h>

namespace throughtime {

// Takes the GIL back. If the interpreter has ended meanwhile, never returns.
void take_gil(PyThreadState* state);

// Returns work(), computed without the GIL. The work must not touch any Python object.
template <class F> auto without_gil(const F& work) {
    struct Released {
        PyThreadState* const state = PyEval_SaveThread();
        ~Released() { take_gil(state); }
    } released;
    return work();
}

}  // namespace throughtime
