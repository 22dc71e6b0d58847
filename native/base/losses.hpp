// Losses, as each level offers them: value and gradient of some rows of a batch in one pass.
#pragma once

#include <cstdint>

#include "base/common.hpp"

namespace throughtime {

enum class Loss : int { squared, half_squared, absolute, huber, sigmoid, softmax, softmax_class };
inline constexpr int n_losses = 7;

// Some rows of a batch. Targets are floats of either type; for softmax_class they are std::int64_t.
template <class S> struct LossRows {
    const S* y;
    const void* target;
    S* dy;
    Size rows, cols;
    double scale;          // c_s of losses/base.py, the same for each row
    const double* scales;  // c_s row by row instead, or null
    double parameter;      // Huber's delta
    double* scratch;       // rows * cols numbers if there are scales, else cols numbers
};

// Returns the sum of the terms times the scale; writes their derivative times the scale to dy.
template <class S> using LossKernel = double (*)(const LossRows<S>&);

template <class S> struct Losses {
    // [loss][type of the targets: float, double]. Targets of softmax_class are neither; both
    // entries are the same kernel.
    LossKernel<S> of[n_losses][2];
};

}  // namespace throughtime
