// Flat vectors: norms, clipping and penalties, as each level offers them.
//
// A kernel works on one part of a vector. The bindings cut the vector into parts (split.hpp) and
// share them among threads.
#pragma once

#include "base/common.hpp"

namespace throughtime {

template <class S> struct Vectors {
    double (*sum_of_squares)(const S* x, Size n, double unit);  // of x / unit
    double (*largest)(const S* x, Size n);  // the largest absolute value; NaN if a number is NaN
    bool (*finite)(const S* x, Size n);
    void (*scale)(S* x, Size n, double factor);
    void (*cut)(S* x, Size n, double limit);  // to [-limit, limit]
    // Adds the gradient of l1 sum |W| + l2/2 sum W^2 to grads, unless grads is null.
    // sums: the sum of |W| and the sum of W^2.
    void (*penalise)(const S* weights, S* grads, Size n, double l1, double l2, double* sums);
};

}  // namespace throughtime
