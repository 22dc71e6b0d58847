// Activations of whole arrays, for Python. Each function returns False if kernels cannot work on an
// array; the caller then takes the reference engine.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>

#include <stdexcept>
#include <string>

#include "base/api.hpp"
#include "base/split.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

template <class S> const Pointwises<S>& pointwise() { return api().pointwise.of<S>(); }

constexpr const char* math_names[n_math] = {"exp", "expm1", "log1p", "tanh", "sigmoid", "softplus"};

// A call. All arrays have one shape; the mask has all axes but the last.
struct Call {
    Activation kind;
    double parameter;
    const Flat &like, &mask;

    Call(int number, double parameter_, const Flat& like_, const Flat& mask_)
        : kind(static_cast<Activation>(number)), parameter(parameter_), like(like_), mask(mask_) {
        if (number < 0 || number >= n_activations)
            throw std::invalid_argument("no such activation: " + std::to_string(number));
    }

    bool fits() const {
        if (!like.floats() || like.ndim() == 0 || like.size() == 0) return false;
        return mask.absent() || (mask.kind() == '?' && mask.ndim() == like.ndim() - 1 &&
                                 mask.begins_like(like, mask.ndim()));
    }

    // Without a mask, only softmax needs rows.
    template <class S> Pointwise<S> base() const {
        const bool by_number = mask.absent() && kind != Activation::softmax;
        Pointwise<S> call{};
        call.kind = kind;
        call.parameter = static_cast<S>(parameter);
        call.width = by_number ? 1 : like.shape(like.ndim() - 1);
        call.mask = mask.absent() ? nullptr : mask.data<std::uint8_t>();
        return call;
    }
};

template <class S, class Kernel>
void run(const Pointwise<S>& call, Size n, Kernel kernel) {
    without_gil([&] {
        const Size rows = n / call.width;
        split(threads_for(n, rows), rows,
              [&](Size begin, Size end, int) { kernel(call, begin, end); });
    });
}

template <class S> bool forward(const Call& shared, const Flat& z, const Flat& y) {
    Pointwise<S> call = shared.base<S>();
    call.z = z.data<S>();
    call.out = y.data<S>();
    run(call, z.size(), pointwise<S>().forward);
    return true;
}

template <class S>
bool backward(const Call& shared, const Flat& dy, const Flat& y, const Flat& dz) {
    Pointwise<S> call = shared.base<S>();
    call.dy = dy.data<S>();
    call.y = y.data<S>();
    call.out = dz.data<S>();
    run(call, y.size(), pointwise<S>().backward);
    return true;
}

bool activate(int kind, double parameter, nb::handle z_, nb::handle y_, nb::handle mask_) {
    const Flat z(z_), y(y_, true), mask(mask_);
    const Call call(kind, parameter, z, mask);
    if (!call.fits() || !y.matches(z)) return false;
    return z.kind() == 'f' ? forward<float>(call, z, y) : forward<double>(call, z, y);
}

bool activate_backward(int kind, double parameter, nb::handle dy_, nb::handle y_, nb::handle dz_,
                       nb::handle mask_) {
    const Flat dy(dy_), y(y_), dz(dz_, true), mask(mask_);
    const Call call(kind, parameter, y, mask);
    if (!call.fits() || !dy.matches(y) || !dz.matches(y)) return false;
    return y.kind() == 'f' ? backward<float>(call, dy, y, dz) : backward<double>(call, dy, y, dz);
}

bool math(const std::string& name, nb::handle x_, nb::handle y_) {
    const Flat x(x_), y(y_, true);
    int function = 0;
    while (function < n_math && name != math_names[function]) ++function;
    if (function == n_math) throw std::invalid_argument("no such function: " + name);
    if (!x.floats() || !y.matches(x)) return false;
    const auto of = static_cast<Math>(function);
    if (x.kind() == 'f')
        pointwise<float>().math(of, x.data<float>(), y.data<float>(), x.size());
    else
        pointwise<double>().math(of, x.data<double>(), y.data<double>(), x.size());
    return true;
}

}  // namespace

void bind_pointwise(nb::module_& m) {
    m.def("activate", &activate, "kind"_a, "parameter"_a, "z"_a, "y"_a, "mask"_a = nb::none(),
          "Fill y with f(z); rows that the mask excludes are 0.");
    m.def("activate_backward", &activate_backward, "kind"_a, "parameter"_a, "dy"_a, "y"_a, "dz"_a,
          "mask"_a = nb::none(), "Fill dz with the gradient; rows that the mask excludes are 0.");
    m.def("math", &math, "name"_a, "x"_a, "y"_a,
          "Fill y with a function of level/math.hpp, for tests.");
}

}  // namespace throughtime
