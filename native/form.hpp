// What a cell computes, as Python describes it, and the arguments of a call.
#pragma once

#include <nanobind/nanobind.h>

#include <stdexcept>
#include <string>

#include "loops.hpp"
#include "parallel.hpp"
#include "pointwise.hpp"

namespace throughtime {

constexpr char kind_of(float) { return 'f'; }
constexpr char kind_of(double) { return 'd'; }

struct Form {
    Cell cell;
    int activation;
    double activation_parameter;
    int gate_activation;
    double gate_parameter;
    bool reset_after;

    Form(int cell_number, int activation_number, double parameter, int gate_number,
         double parameter_of_gates, bool after)
        : cell(static_cast<Cell>(cell_number)), activation(activation_number),
          activation_parameter(parameter), gate_activation(gate_number),
          gate_parameter(parameter_of_gates), reset_after(after) {
        const auto known = [](int number, int count) { return number >= 0 && number < count; };
        if (!known(cell_number, 3) || !known(activation, n_activations) ||
            !known(gate_activation, n_activations))
            throw std::invalid_argument("no such cell or activation");
    }
};

template <class S>
Sizes<S> sizes_of(const Form& form, std::ptrdiff_t N, std::ptrdiff_t T, std::ptrdiff_t F,
                  std::ptrdiff_t H, bool reverse = false) {
    return {form.cell, N, T, F, H, form.activation, form.gate_activation,
            static_cast<S>(form.activation_parameter), static_cast<S>(form.gate_parameter),
            form.reset_after, reverse, threads()};
}

// The positional arguments of a call, of which there must be so many.
template <int n> struct Handles {
    nanobind::handle at[n];

    explicit Handles(const nanobind::args& arguments) {
        if (arguments.size() != n)
            throw std::invalid_argument("expected " + std::to_string(n) + " arrays");
        for (int i = 0; i < n; ++i) at[i] = arguments[static_cast<std::size_t>(i)];
    }
    nanobind::handle operator[](int i) const { return at[i]; }
};

}  // namespace throughtime
