// Networks that are fed step by step, for Python.
#include <nanobind/nanobind.h>

#include <cmath>
#include <memory>
#include <vector>

#include "api.hpp"
#include "arrays.hpp"
#include "form.hpp"
#include "memory.hpp"

namespace nb = nanobind;

namespace throughtime {
namespace {

const Loops<float>& loops(float) { return *api().loops_f32; }
const Loops<double>& loops(double) { return *api().loops_f64; }

// The layers of one type of numbers; parameters and states are Python's, held while this lives.
template <class S> class Layers {
   public:
    static constexpr char kind = kind_of(S());

    void add(const Form& form, bool dense, std::ptrdiff_t rows, const Handles<8>& a) {
        Array W_x(a[0], "W_x", kind, 2), W_h(a[1], "W_h", kind, 2), b(a[2], "b", kind, 1);
        Array b_time(a[3], "b_time", kind, 1), b_hn(a[4], "b_hn", kind, 1);
        Array h(a[5], "h", kind, 2, true), c(a[6], "c", kind, 2, true);
        Array started(a[7], "started", kind, 2, true);
        const bool lstm = !dense && form.cell == Cell::lstm, gru = !dense && form.cell == Cell::gru;
        const std::ptrdiff_t G = lstm ? 4 : gru ? 3 : 1;
        if (!W_x || (!dense && (!W_h || !h || lstm != static_cast<bool>(c) ||
                                static_cast<bool>(b_time) != static_cast<bool>(started))))
            throw std::invalid_argument("an array is missing");
        if (gru && !form.reset_after) throw std::invalid_argument("reset_after must be true");
        const std::ptrdiff_t F = W_x.shape(0), H = dense ? W_x.shape(1) : W_h.shape(0);
        if (!layers.empty() && layers.back().sizes.H != F)
            throw std::invalid_argument("the layers do not fit together");
        W_x.of("W_x", {F, G * H});
        W_h.of("W_h", {H, G * H});
        b.of("b", {G * H});
        b_time.of("b_time", {G * H});
        b_hn.of("b_hn", {H});
        h.of("h", {rows, H});
        c.of("c", {rows, H});
        started.of("started", {rows, 1});
        StreamLayer<S> layer{};
        layer.dense = dense;
        layer.sizes = sizes_of<S>(form, rows, 1, F, H);
        layer.weights = {W_x.template data<S>(), W_h.template data<S>(), b.template data<S>(),
                         b_time.template data<S>(), b_hn.template data<S>()};
        layer.h = h.template data<S>();
        layer.c = c.template data<S>();
        layer.started = started.template data<S>();
        layers.push_back(layer);
        for (Array* array : {&W_x, &W_h, &b, &b_time, &b_hn, &h, &c, &started})
            held.push_back(std::move(*array));
        memory = Buffer(sizeof(S) * loops(S()).scratch_numbers(
                                        layers.data(), static_cast<std::ptrdiff_t>(layers.size())));
    }

    bool step(std::ptrdiff_t rows, nb::handle x_, nb::handle y_) {
        View x(x_), y(y_);
        const std::ptrdiff_t F = layers.front().sizes.F, K = layers.back().sizes.H;
        if (!x.holds(kind, rows, F) || !y.holds(kind, rows, K)) return false;
        const S* numbers = static_cast<const S*>(x.data());
        for (std::ptrdiff_t i = 0; i < rows * F; ++i)
            if (!std::isfinite(numbers[i])) return false;
        loops(S()).stream({layers.data(), static_cast<std::ptrdiff_t>(layers.size()), rows, numbers,
                           static_cast<S*>(y.data()), static_cast<S*>(memory.data())});
        return true;
    }

   private:
    std::vector<StreamLayer<S>> layers;
    std::vector<Array> held;
    Buffer memory;
};

// A step takes microseconds, and the GIL with it: released, another thread could step at once.
class Stepper {
   public:
    Stepper(std::ptrdiff_t n, bool is_double) : rows(n), wide(is_double) {}

    void add(const Form& form, bool dense, const nb::args& arrays) {
        const Handles<8> a(arrays);
        wide ? f64.add(form, dense, rows, a) : f32.add(form, dense, rows, a);
        empty = false;
    }
    bool step(nb::handle x, nb::handle y) {
        if (empty) return false;
        return wide ? f64.step(rows, x, y) : f32.step(rows, x, y);
    }

   private:
    std::ptrdiff_t rows;
    bool wide, empty = true;
    Layers<float> f32;
    Layers<double> f64;
};

}  // namespace

void bind_stream(nb::module_& m) {
    nb::class_<Stepper>(m, "Stepper", "A network that is fed step by step.")
        .def(nb::init<std::ptrdiff_t, bool>())
        // Whether dense, then W_x W_h b b_time b_hn, and to be changed h c started; None where
        // there is none.
        .def("add", &Stepper::add)
        // False, and nothing done, where x or y is not as it should be.
        .def("step", &Stepper::step);
}

}  // namespace throughtime
