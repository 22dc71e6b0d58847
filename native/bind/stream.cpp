// Networks that run as streams, for Python.
#include <nanobind/nanobind.h>

#include <cmath>
#include <vector>

#include "base/api.hpp"
#include "base/memory.hpp"
#include "bind/arrays.hpp"
#include "bind/form.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

// The arrays of one layer as Python gives them, None if there is none.
struct LayerArrays {
    nb::handle W_x, W_h, b, b_time, b_hn, h, c, started;
};

// The layers, for one type of numbers. Parameters and states belong to Python and are held.
template <class S> class Layers {
   public:
    static constexpr char kind = kind_of(S());

    void add(const Form& form, bool dense, Size rows, const LayerArrays& a) {
        Array W_x(a.W_x, "W_x", kind, 2), W_h(a.W_h, "W_h", kind, 2), b(a.b, "b", kind, 1);
        Array b_time(a.b_time, "b_time", kind, 1), b_hn(a.b_hn, "b_hn", kind, 1);
        Array h(a.h, "h", kind, 2, true), c(a.c, "c", kind, 2, true);
        Array started(a.started, "started", kind, 2, true);
        if (!dense && (!W_h || !h || has_c(form.cell) != static_cast<bool>(c) ||
                       static_cast<bool>(b_time) != static_cast<bool>(started)))
            throw std::invalid_argument("an array is missing");
        if (!dense && form.cell == CellKind::gru && !form.reset_after)
            throw std::invalid_argument("reset_after must be true");
        const Size G = dense ? 1 : gates_of(form.cell);
        const Size F = W_x.shape(0), H = dense ? W_x.shape(1) : W_h.shape(0);
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
        memory = Buffer(sizeof(S) * loops().scratch_numbers(layers.data(), count()));
    }

    bool step(Size rows, nb::handle x_, nb::handle y_) {
        View x(x_), y(y_);
        const Size F = layers.front().sizes.F, K = layers.back().sizes.H;
        if (!x.holds(kind, rows, F) || !y.holds(kind, rows, K)) return false;
        const S* numbers = static_cast<const S*>(x.data());
        for (Size i = 0; i < rows * F; ++i)
            if (!std::isfinite(numbers[i])) return false;
        loops().stream({layers.data(), count(), rows, numbers, static_cast<S*>(y.data()),
                        static_cast<S*>(memory.data())});
        return true;
    }

   private:
    static const Loops<S>& loops() { return api().loops.template of<S>(); }
    Size count() const { return static_cast<Size>(layers.size()); }

    std::vector<StreamLayer<S>> layers;
    std::vector<Array> held;
    Buffer memory;
};

// A step takes microseconds and keeps the GIL: without it, another thread could step at once.
class Stepper {
   public:
    Stepper(Size rows_, bool is_double_) : rows(rows_), is_double(is_double_) {}

    void add(const Form& form, bool dense, const LayerArrays& a) {
        is_double ? f64.add(form, dense, rows, a) : f32.add(form, dense, rows, a);
        empty = false;
    }
    bool step(nb::handle x, nb::handle y) {
        if (empty) return false;
        return is_double ? f64.step(rows, x, y) : f32.step(rows, x, y);
    }

   private:
    Size rows;
    bool is_double, empty = true;
    Layers<float> f32;
    Layers<double> f64;
};

}  // namespace

void bind_stream(nb::module_& m) {
    nb::class_<Stepper>(m, "Stepper", "A network that takes one step at a time.")
        .def(nb::init<Size, bool>(), "rows"_a, "is_double"_a)
        .def(
            "add",
            [](Stepper& self, const Form& form, bool dense, nb::handle W_x, nb::handle W_h,
               nb::handle b, nb::handle b_time, nb::handle b_hn, nb::handle h, nb::handle c,
               nb::handle started) {
                self.add(form, dense, {W_x, W_h, b, b_time, b_hn, h, c, started});
            },
            "form"_a, nb::kw_only(), "dense"_a, "W_x"_a, "W_h"_a = nb::none(), "b"_a = nb::none(),
            "b_time"_a = nb::none(), "b_hn"_a = nb::none(), "h"_a = nb::none(),
            "c"_a = nb::none(), "started"_a = nb::none(),
            "Add a layer. Each step changes h, c and started.")
        // The names are in the signature alone: with arguments that have names a call takes longer.
        .def("step", &Stepper::step, nb::sig("def step(self, x: object, y: object, /) -> bool"),
             "Fill y. Returns False, with nothing done, if x or y is not what it should be.");
}

}  // namespace throughtime
