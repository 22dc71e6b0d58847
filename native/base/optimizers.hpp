// Steps of the optimisers, as each level offers them; the equations are in optimizers/ on the
// Python side.
#pragma once

#include <cstdint>

#include "base/common.hpp"

namespace throughtime {

// The scalars of a step. Fields that an optimiser does not use are zero.
struct OptimizerOptions {
    double lr;
    double first, second;  // SGD: momentum, 1 - dampening; Adagrad: momentum;
                           // RMSProp: rho, momentum; Adam: beta1, beta2
    double epsilon, root;  // of the divisor, root * sqrt(...) + epsilon
    double decay;          // weight decay times the learning rate
    bool decays, nesterov, begins;
};

// The vectors of a step. A moment that the options do not need is null, and so is each optional
// vector that the caller did not give.
template <class S> struct OptimizerStep : OptimizerOptions {
    S* params;
    const S* grads;
    S* moments[3];
    const S* multiplier;             // of the learning rate, one for each parameter
    const std::uint8_t* decay_mask;  // 1 where the weight decay acts
    S* previous;                     // receives the parameters as they were before the step
};

// Steps the parameters from begin to end; returns whether all of them are finite afterwards.
template <class S>
using OptimizerKernel = bool (*)(const OptimizerStep<S>& step, Size begin, Size end);

template <class S> struct Optimizers {
    OptimizerKernel<S> sgd, adagrad, rmsprop, adam;
};

}  // namespace throughtime
