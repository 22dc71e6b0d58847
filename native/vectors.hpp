// One pass over flat vectors: norms, clipping, penalties, optimiser steps, losses.
//
// The functions of a level take a part of a vector; the bindings cut vectors into parts and hand
// them to threads. What is summed is summed by blocks of a fixed size, in double, and the sums of
// the blocks are added in their order, so that a result has the same bits for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>

namespace throughtime {

// Numbers that are summed by themselves.
inline constexpr std::ptrdiff_t sum_block = 4096;

// What the numbers of an optimiser's step have in common; the equations stand in
// optimizers/__init__.py.
struct StepOptions {
    double lr;
    double first, second;  // sgd: momentum, 1 - dampening; adagrad: momentum; rmsprop: rho, momentum;
                           // adam: beta1, beta2
    double epsilon, root;  // of the divisor, root * sqrt(...) + epsilon
    double decay;          // weight decay times the learning rate
    bool decays, nesterov, begins;
};

// The vectors of a step. A moment that the options do without is null, and so is each vector that
// the caller left out.
template <class S> struct Step : StepOptions {
    S* params;
    const S* grads;
    S* moments[3];
    const S* multiplier;             // of the learning rate, number by number
    const std::uint8_t* decay_mask;  // 1 where the decay acts
    S* previous;                     // where the parameters go as they were before
};

enum class Loss : int { squared, half_squared, absolute, huber, sigmoid, softmax, softmax_class };
inline constexpr int n_losses = 7;

// Some rows of a batch. The targets are floats of either type, for softmax_class std::int64_t.
template <class S> struct Rows {
    const S* y;
    const void* target;
    S* dy;
    std::ptrdiff_t rows, cols;
    double scale;          // c_s of losses/base.py, of each row
    const double* scales;  // row by row instead, or null
    double parameter;      // of huber: delta
    double* scratch;       // as many numbers as the rows have, or as one row has without scales
};

// The sum of the terms times the scale; their derivative times the scale goes to dy.
template <class S> using LossKernel = double (*)(const Rows<S>&);

template <class S> struct Vectors {
    double (*sum_of_squares)(const S* x, std::ptrdiff_t n, double unit);  // of x / unit
    double (*largest)(const S* x, std::ptrdiff_t n);  // absolute value; NaN where one is NaN
    bool (*finite)(const S* x, std::ptrdiff_t n);
    void (*scale)(S* x, std::ptrdiff_t n, double factor);
    void (*cut)(S* x, std::ptrdiff_t n, double limit);
    // Adds the gradient of l1 sum |W| + l2/2 sum W^2 unless grads is null; sums: of |W|, of W^2.
    void (*penalise)(const S* weights, S* grads, std::ptrdiff_t n, double l1, double l2,
                     double* sums);
};

// A step of the numbers from begin to end; whether all of them are finite afterwards.
template <class S>
using StepKernel = bool (*)(const Step<S>& step, std::ptrdiff_t begin, std::ptrdiff_t end);

template <class S> struct Optimizers {
    StepKernel<S> sgd, adagrad, rmsprop, adam;
};

template <class S> struct Losses {
    LossKernel<S> of[n_losses][2];  // with targets of float, of double; those of classes are neither
};

}  // namespace throughtime
