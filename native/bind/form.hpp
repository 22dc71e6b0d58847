// What a cell computes, as Python describes it.
#pragma once

#include <stdexcept>

#include "base/loops.hpp"
#include "base/parallel.hpp"

namespace throughtime {

struct Form {
    CellKind cell;
    Activation activation, gate_activation;
    double activation_parameter, gate_parameter;
    bool reset_after;

    Form(int cell_number, int activation_number, double activation_parameter_, int gate_number,
         double gate_parameter_, bool reset_after_)
        : cell(static_cast<CellKind>(cell_number)),
          activation(static_cast<Activation>(activation_number)),
          gate_activation(static_cast<Activation>(gate_number)),
          activation_parameter(activation_parameter_), gate_parameter(gate_parameter_),
          reset_after(reset_after_) {
        const auto known = [](int number, int count) { return number >= 0 && number < count; };
        if (!known(cell_number, n_cells) || !known(activation_number, n_activations) ||
            !known(gate_number, n_activations))
            throw std::invalid_argument("no such cell or activation");
    }
};

template <class S>
Sizes<S> sizes_of(const Form& form, Size N, Size T, Size F, Size H, bool reverse = false) {
    return {form.cell,
            N,
            T,
            F,
            H,
            form.activation,
            form.gate_activation,
            static_cast<S>(form.activation_parameter),
            static_cast<S>(form.gate_parameter),
            form.reset_after,
            reverse,
            threads()};
}

}  // namespace throughtime
