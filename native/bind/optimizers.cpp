// Steps of the optimisers, for Python. Each function returns None if kernels cannot work on an
// array; the caller then takes the reference engine.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <stdexcept>

#include "base/api.hpp"
#include "base/split.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

// The vectors of a step, in this order; None for one that is absent.
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

    // Whether kernels can work on them: all alike, and the first `needed` moments present.
    bool fit(int needed) const {
        if (!params.floats() || params.ndim() != 1 || !grads.matches(params)) return false;
        if ((needed > 0 && first.absent()) || (needed > 1 && second.absent())) return false;
        for (const Flat* v : {&first, &second, &third, &multiplier, &previous})
            if (!v->absent() && !v->matches(params)) return false;
        return decay_mask.absent() || (decay_mask.kind() == '?' && decay_mask.ndim() == 1 &&
                                       decay_mask.size() == params.size());
    }

    template <class S> OptimizerStep<S> step(const OptimizerOptions& options) const {
        OptimizerStep<S> s{};
        static_cast<OptimizerOptions&>(s) = options;
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
bool run(const StepArrays& arrays, const OptimizerOptions& options, OptimizerKernel<S> kernel) {
    const OptimizerStep<S> s = arrays.step<S>(options);
    const Size n = arrays.params.size();
    const Size blocks = blocks_of(n);
    bool result = true;
    split(threads_for(n, blocks), blocks, [&](Size first, Size last, int) {
        if (!kernel(s, first * sum_block, std::min(last * sum_block, n)))
            __atomic_store_n(&result, false, __ATOMIC_RELAXED);
    });
    return result;
}

nb::object run(const nb::tuple& vectors, int needed, const OptimizerOptions& options,
               OptimizerKernel<float> Optimizers<float>::*f32,
               OptimizerKernel<double> Optimizers<double>::*f64) {
    const StepArrays arrays(vectors);
    if (!arrays.fit(needed)) return nb::none();
    const bool single = arrays.params.kind() == 'f';
    const bool result = without_gil([&] {
        return single ? run(arrays, options, api().optimizers.of<float>().*f32)
                      : run(arrays, options, api().optimizers.of<double>().*f64);
    });
    return nb::bool_(result);
}

nb::object sgd(const nb::tuple& vectors, double lr, double momentum, double rest, bool nesterov,
               bool begins) {
    OptimizerOptions options{};
    options.lr = lr;
    options.first = momentum;
    options.second = rest;
    options.nesterov = nesterov;
    options.begins = begins;
    return run(vectors, 0, options, &Optimizers<float>::sgd, &Optimizers<double>::sgd);
}

nb::object adagrad(const nb::tuple& vectors, double lr, double momentum, double epsilon) {
    OptimizerOptions options{};
    options.lr = lr;
    options.first = momentum;
    options.epsilon = epsilon;
    return run(vectors, 1, options, &Optimizers<float>::adagrad, &Optimizers<double>::adagrad);
}

nb::object rmsprop(const nb::tuple& vectors, double lr, double rho, double momentum,
                   double epsilon) {
    OptimizerOptions options{};
    options.lr = lr;
    options.first = rho;
    options.second = momentum;
    options.epsilon = epsilon;
    return run(vectors, 1, options, &Optimizers<float>::rmsprop, &Optimizers<double>::rmsprop);
}

nb::object adam(const nb::tuple& vectors, double lr, double beta1, double beta2, double root,
                double epsilon, nb::handle decay) {
    OptimizerOptions options{};
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

void bind_optimizers(nb::module_& m) {
    m.def("sgd", &sgd, "vectors"_a, "lr"_a, "momentum"_a, "rest"_a, "nesterov"_a, "begins"_a,
          "Make a step; return whether all parameters are finite.");
    m.def("adagrad", &adagrad, "vectors"_a, "lr"_a, "momentum"_a, "epsilon"_a,
          "Make a step; return whether all parameters are finite.");
    m.def("rmsprop", &rmsprop, "vectors"_a, "lr"_a, "rho"_a, "momentum"_a, "epsilon"_a,
          "Make a step; return whether all parameters are finite.");
    m.def("adam", &adam, "vectors"_a, "lr"_a, "beta1"_a, "beta2"_a, "root"_a, "epsilon"_a,
          "decay"_a.none(), "Make a step; return whether all parameters are finite.");
}

}  // namespace throughtime
