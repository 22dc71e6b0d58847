// Norms, clipping, penalties and optimiser steps, for Python. Each returns None where an array is
// none that it works on; the caller then goes the way of the reference engine.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "api.hpp"
#include "flat.hpp"
#include "team.hpp"

namespace nb = nanobind;

namespace throughtime {
namespace {

const Vectors<float>& vectors(float) { return *api().vectors_f32; }
const Vectors<double>& vectors(double) { return *api().vectors_f64; }
const Optimizers<float>& optimizers(float) { return *api().optimizers_f32; }
const Optimizers<double>& optimizers(double) { return *api().optimizers_f64; }

std::ptrdiff_t blocks_of(std::ptrdiff_t n) { return (n + sum_block - 1) / sum_block; }

// work(block, first number, how many) for each block of n numbers.
template <class F> void each_block(std::ptrdiff_t n, const F& work) {
    const std::ptrdiff_t blocks = blocks_of(n);
    share(team_for(n, blocks), blocks, [&](std::ptrdiff_t first, std::ptrdiff_t last, int) {
        for (std::ptrdiff_t block = first; block < last; ++block) {
            const std::ptrdiff_t begin = block * sum_block;
            work(block, begin, std::min(sum_block, n - begin));
        }
    });
}

template <class S> double sum_of_squares(const S* x, std::ptrdiff_t n, double unit) {
    Partial sums(blocks_of(n));
    each_block(n, [&](std::ptrdiff_t block, std::ptrdiff_t begin, std::ptrdiff_t count) {
        sums[block] = vectors(S()).sum_of_squares(x + begin, count, unit);
    });
    return sums.sum();
}

double norm(const float* x, std::ptrdiff_t n) {
    return std::sqrt(sum_of_squares(x, n, 1.0));  // no square of a float leaves a double's range
}

double norm(const double* x, std::ptrdiff_t n) {
    // Above, the squares that were too small for a double are too few to be seen in the sum.
    constexpr double safe = 0x1p-900;
    const double total = sum_of_squares(x, n, 1.0);
    if (std::isnan(total) || (total >= safe && std::isfinite(total))) return std::sqrt(total);
    const double largest = vectors(double()).largest(x, n);
    if (largest == 0.0 || !std::isfinite(largest)) return largest;
    int exponent;
    std::frexp(largest, &exponent);
    const double unit = std::ldexp(1.0, exponent - 1);  // dividing by it rounds nothing
    return unit * std::sqrt(sum_of_squares(x, n, unit));
}

template <class S> double clip_norm(S* x, std::ptrdiff_t n, double limit) {
    const double found = norm(x, n);
    if (limit < found && std::isfinite(found))
        each_block(n, [&](std::ptrdiff_t, std::ptrdiff_t begin, std::ptrdiff_t count) {
            vectors(S()).scale(x + begin, count, limit / found);
        });
    return found;
}

template <class S> double clip_value(S* x, std::ptrdiff_t n, double limit) {
    const double found = norm(x, n);
    // A limit beyond the largest number cuts nothing, and could not be converted.
    if (limit < found && std::isfinite(found) && limit < std::numeric_limits<S>::max())
        each_block(n, [&](std::ptrdiff_t, std::ptrdiff_t begin, std::ptrdiff_t count) {
            vectors(S()).cut(x + begin, count, limit);
        });
    return found;
}

template <class S> bool finite(const S* x, std::ptrdiff_t n) {
    bool result = true;
    each_block(n, [&](std::ptrdiff_t, std::ptrdiff_t begin, std::ptrdiff_t count) {
        if (!vectors(S()).finite(x + begin, count))
            __atomic_store_n(&result, false, __ATOMIC_RELAXED);
    });
    return result;
}

// f(pointer, how many numbers) of an array of floats, without the GIL.
template <class F> nb::object of_floats(nb::handle object, bool writable, const F& f) {
    const Flat x(object, writable);
    if (!x.floats()) return nb::none();
    const bool single = x.kind() == 'f';
    const auto value = [&] {
        nb::gil_scoped_release release;
        return single ? f(x.data<float>(), x.size()) : f(x.data<double>(), x.size());
    }();
    return nb::cast(value);
}

template <class S>
void penalise(const Flat& weights, const Flat& grads, double l1, double l2, double* result) {
    const std::ptrdiff_t n = weights.size();
    const S* const w = weights.data<S>();
    S* const g = grads.data<S>();
    Partial sizes(blocks_of(n)), squares(blocks_of(n));
    each_block(n, [&](std::ptrdiff_t block, std::ptrdiff_t begin, std::ptrdiff_t count) {
        double sums[2];
        vectors(S()).penalise(w + begin, g == nullptr ? nullptr : g + begin, count, l1, l2, sums);
        sizes[block] = sums[0];
        squares[block] = sums[1];
    });
    result[0] = sizes.sum();
    result[1] = squares.sum();
}

nb::object bind_penalise(nb::handle weights_, nb::handle grads_, double l1, double l2) {
    const Flat weights(weights_), grads(grads_, true);
    if (!weights.floats() || !(grads.absent() || grads.matches(weights))) return nb::none();
    double sums[2];
    {
        nb::gil_scoped_release release;
        if (weights.kind() == 'f')
            penalise<float>(weights, grads, l1, l2, sums);
        else
            penalise<double>(weights, grads, l1, l2, sums);
    }
    return nb::make_tuple(sums[0], sums[1]);
}

// The vectors of a step in this order, None for one that there is not, checked against each other.
struct StepArrays {
    Flat params, grads, first, second, third, multiplier, decay_mask, previous;

    explicit StepArrays(const nb::tuple& v)
        : params(of(v, 0), true), grads(of(v, 1)), first(of(v, 2), true), second(of(v, 3), true),
          third(of(v, 4), true), multiplier(of(v, 5)), decay_mask(of(v, 6)),
          previous(of(v, 7), true) {}

    static nb::handle of(const nb::tuple& v, std::size_t i) {
        if (v.size() != 8) throw std::invalid_argument("a step has 8 vectors");
        return v[i];
    }

    // Whether they are of one form, and the first `needed` moments there.
    bool fit(int needed) const {
        if (!params.floats() || params.ndim() != 1 || !grads.matches(params)) return false;
        if ((needed > 0 && first.absent()) || (needed > 1 && second.absent())) return false;
        for (const Flat* v : {&first, &second, &third, &multiplier, &previous})
            if (!v->absent() && !v->matches(params)) return false;
        return decay_mask.absent() || (decay_mask.kind() == '?' && decay_mask.ndim() == 1 &&
                                       decay_mask.size() == params.size());
    }

    template <class S> Step<S> step(const StepOptions& options) const {
        Step<S> s{};
        static_cast<StepOptions&>(s) = options;
        s.params = params.data<S>();
        s.grads = grads.data<S>();
        s.moments[0] = first.data<S>();
        s.moments[1] = second.data<S>();
        s.moments[2] = third.data<S>();
        s.multiplier = multiplier.data<S>();
        s.decay_mask = decay_mask.data<std::uint8_t>();
        s.previous = previous.data<S>();
        return s;
    }
};

template <class S>
bool run(const StepArrays& arrays, const StepOptions& options, StepKernel<S> kernel) {
    const Step<S> s = arrays.step<S>(options);
    const std::ptrdiff_t n = arrays.params.size();
    const std::ptrdiff_t blocks = blocks_of(n);
    bool result = true;
    share(team_for(n, blocks), blocks, [&](std::ptrdiff_t first, std::ptrdiff_t last, int) {
        if (!kernel(s, first * sum_block, std::min(last * sum_block, n)))
            __atomic_store_n(&result, false, __ATOMIC_RELAXED);
    });
    return result;
}

nb::object run(const nb::tuple& vectors, int needed, const StepOptions& options,
               StepKernel<float> Optimizers<float>::*f32,
               StepKernel<double> Optimizers<double>::*f64) {
    const StepArrays arrays(vectors);
    if (!arrays.fit(needed)) return nb::none();
    const bool single = arrays.params.kind() == 'f';
    bool result;
    {
        nb::gil_scoped_release release;
        result = single ? run(arrays, options, optimizers(float()).*f32)
                        : run(arrays, options, optimizers(double()).*f64);
    }
    return nb::bool_(result);
}

nb::object sgd(const nb::tuple& vectors, double lr, double momentum, double rest, bool nesterov,
               bool begins) {
    StepOptions options{};
    options.lr = lr;
    options.first = momentum;
    options.second = rest;
    options.nesterov = nesterov;
    options.begins = begins;
    return run(vectors, 0, options, &Optimizers<float>::sgd, &Optimizers<double>::sgd);
}

nb::object adagrad(const nb::tuple& vectors, double lr, double momentum, double epsilon) {
    StepOptions options{};
    options.lr = lr;
    options.first = momentum;
    options.epsilon = epsilon;
    return run(vectors, 1, options, &Optimizers<float>::adagrad, &Optimizers<double>::adagrad);
}

nb::object rmsprop(const nb::tuple& vectors, double lr, double rho, double momentum,
                   double epsilon) {
    StepOptions options{};
    options.lr = lr;
    options.first = rho;
    options.second = momentum;
    options.epsilon = epsilon;
    return run(vectors, 1, options, &Optimizers<float>::rmsprop, &Optimizers<double>::rmsprop);
}

nb::object adam(const nb::tuple& vectors, double lr, double beta1, double beta2, double root,
                double epsilon, nb::handle decay) {
    StepOptions options{};
    options.lr = lr;
    options.first = beta1;
    options.second = beta2;
    options.root = root;
    options.epsilon = epsilon;
    options.decays = !decay.is_none();
    if (options.decays) options.decay = nb::cast<double>(decay);
    return run(vectors, 2, options, &Optimizers<float>::adam, &Optimizers<double>::adam);
}

}  // namespace

void bind_vectors(nb::module_& m) {
    m.def("norm", [](nb::handle x) {
        return of_floats(x, false, [](auto* p, std::ptrdiff_t n) { return norm(p, n); });
    });
    m.def("clip_norm", [](nb::handle x, double limit) {
        return of_floats(x, true, [=](auto* p, std::ptrdiff_t n) { return clip_norm(p, n, limit); });
    });
    m.def("clip_value", [](nb::handle x, double limit) {
        return of_floats(x, true, [=](auto* p, std::ptrdiff_t n) { return clip_value(p, n, limit); });
    });
    m.def("finite", [](nb::handle x) {
        return of_floats(x, false, [](auto* p, std::ptrdiff_t n) { return finite(p, n); });
    });
    const auto optional = nb::arg().none();
    m.def("penalise", &bind_penalise, nb::arg(), optional, nb::arg(), nb::arg());
    m.def("sgd", &sgd);
    m.def("adagrad", &adagrad);
    m.def("rmsprop", &rmsprop);
    m.def("adam", &adam, nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(), nb::arg(),
          optional);
}

}  // namespace throughtime
