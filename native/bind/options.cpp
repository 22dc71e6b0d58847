// Recurrent cells with options, for Python.
#include <nanobind/nanobind.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/api.hpp"
#include "base/parallel.hpp"
#include "bind/arrays.hpp"
#include "bind/form.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

template <class S> const OptionLoops<S>& loops() { return api().options.of<S>(); }

// The arrays of a call by their names; they are held as long as this object.
class Named {
   public:
    Named(nb::dict given, char kind) : arrays(std::move(given)), kind(kind) {}

    // Null if there is no such array.
    template <class T>
    T* get(const char* name, std::initializer_list<Size> shape, bool writable = false) {
        if (!arrays.contains(name)) return nullptr;
        const char type = sizeof(T) == 1 ? '?' : kind;
        held.emplace_back(arrays[name], name, type, static_cast<int>(shape.size()), writable);
        return held.back().of(name, shape).template data<T>();
    }
    template <class T>
    T* need(const char* name, std::initializer_list<Size> shape, bool writable = false) {
        T* found = get<T>(name, shape, writable);
        if (found == nullptr) throw std::invalid_argument(std::string(name) + " is missing");
        return found;
    }
    Size axis(const char* name, int ndim, int number) {
        if (!arrays.contains(name)) throw std::invalid_argument(std::string(name) + " is missing");
        return Array(arrays[name], name, kind, ndim).shape(number);
    }

   private:
    nb::dict arrays;
    char kind;
    std::vector<Array> held;
};

struct Numbers {
    double cell_clip, hidden_clip, zoneout, cell_zoneout;
};

template <class S>
OptionLoop<S> loop_of(Named& a, const Form& form, const Numbers& numbers, bool keep) {
    const Size T = a.axis("a", 3, 0), N = a.axis("a", 3, 1), GH = a.axis("a", 3, 2);
    const Size P = a.axis("h", 3, 2);
    const bool two = has_c(form.cell);
    const Size H = two ? a.axis("c", 3, 2) : P;
    const Size G = H == 0 ? 0 : GH / H;
    if (G * H != GH || (G != gates_of(form.cell) && !(two && G == 3)))
        throw std::invalid_argument("a is of another shape");
    const Size slots = keep ? T : 1;
    OptionLoop<S> z{};
    z.sizes = sizes_of<S>(form, N, T, 0, H);
    z.P = P;
    z.G = G;
    z.cell_clip = static_cast<S>(numbers.cell_clip);
    z.hidden_clip = static_cast<S>(numbers.hidden_clip);
    z.rates[0] = static_cast<S>(numbers.zoneout);
    z.rates[1] = static_cast<S>(numbers.cell_zoneout);
    z.keep = keep;
    z.a = a.need<const S>("a", {T, N, GH});
    z.W_h = a.need<const S>("W_h", {P, GH});
    z.mask = a.get<const std::uint8_t>("mask", {T, N});
    z.drop = a.get<const S>("drop", {N, P});
    z.hold[0] = a.get<const std::uint8_t>("hold", {T, N, P});
    z.h = a.need<S>("h", {T + 1, N, P}, true);
    z.h_new = a.need<S>("h_new", {slots, N, P}, true);
    z.g_h = a.get<const S>("g_h", {GH});
    if (z.g_h != nullptr) {
        z.w = a.need<S>("w", {slots, N, GH}, true);
        z.k = a.need<S>("k", {slots, N, 2}, true);
    }
    if (form.cell != CellKind::elman) {
        z.gates = a.need<S>("gates", {slots, N, GH}, true);
        z.phi = a.need<S>("phi", {slots, N, H}, true);
    }
    z.b_hn = a.get<const S>("b_hn", {H});
    if (!two) return z;
    z.hold[1] = a.get<const std::uint8_t>("cell_hold", {T, N, H});
    z.c = a.need<S>("c", {T + 1, N, H}, true);
    z.c_new = a.need<S>("c_new", {slots, N, H}, true);
    z.W_c = a.get<const S>("W_c", {G - 1, H});
    z.W_r = a.get<const S>("W_r", {H, P});
    if (z.W_r != nullptr)
        z.m = a.need<S>("m", {slots, N, H}, true);
    else if (P != H)
        throw std::invalid_argument("W_r is missing");
    z.g_c = a.get<const S>("g_c", {H});
    z.b_c = a.get<const S>("b_c", {H});
    if (z.g_c != nullptr) {
        z.w_c = a.need<S>("w_c", {slots, N, H}, true);
        z.k_c = a.need<S>("k_c", {slots, N}, true);
    }
    return z;
}

template <class S>
void forward_of(const Form& form, const nb::dict& arrays, const Numbers& numbers, bool keep) {
    Named a(arrays, kind_of(S()));
    const OptionLoop<S> call = loop_of<S>(a, form, numbers, keep);
    without_gil([&] { loops<S>().forward(call); });
}

template <class S>
void backward_of(const Form& form, const nb::dict& arrays, const Numbers& numbers) {
    Named a(arrays, kind_of(S()));
    OptionBack<S> call{};
    call.forward = loop_of<S>(a, form, numbers, true);
    const OptionLoop<S>& z = call.forward;
    const Size T = z.sizes.T, N = z.sizes.N, H = z.sizes.H, P = z.P, GH = z.G * H;
    call.W_h_T = a.need<const S>("W_h_T", {GH, P});
    if (z.W_r != nullptr) call.W_r_T = a.need<const S>("W_r_T", {P, H});
    call.dy = a.get<const S>("dy", {T, N, P});
    call.dh = a.need<S>("dh", {N, P}, true);
    call.da = a.need<S>("da", {T, N, GH}, true);
    call.du = a.need<S>("du", {T, N, GH}, true);
    call.dr = a.need<S>("dr", {T, N, GH}, true);
    call.dp = a.need<S>("dp", {T, N, P}, true);
    if (has_c(form.cell)) {
        call.dc = a.need<S>("dc", {N, H}, true);
        call.dv = a.need<S>("dv", {T, N, H}, true);
    }
    without_gil([&] { loops<S>().backward(call); });
}

template <class S> Normalisation<S> normalisation_of(Named& a, Size cut) {
    Normalisation<S> z{};
    z.M = a.axis("w", 2, 0);
    z.W = a.axis("w", 2, 1);
    z.cut = cut;
    if (cut < 1 || cut > z.W) throw std::invalid_argument("cut is out of range");
    z.w = a.need<S>("w", {z.M, z.W}, true);
    z.k = a.need<S>("k", {z.M, 2}, true);
    z.g = a.need<const S>("g", {z.W});
    z.threads = threads();
    return z;
}

template <class S> void normalise_of(const nb::dict& arrays, Size cut) {
    Named a(arrays, kind_of(S()));
    Normalisation<S> z = normalisation_of<S>(a, cut);
    z.v = a.need<const S>("v", {z.M, z.W});
    z.b = a.get<const S>("b", {z.W});
    z.a = a.need<S>("a", {z.M, z.W}, true);
    without_gil([&] { loops<S>().normalise(z); });
}

template <class S> void normalise_back_of(const nb::dict& arrays, Size cut) {
    Named a(arrays, kind_of(S()));
    Normalisation<S> z = normalisation_of<S>(a, cut);
    z.da = a.need<const S>("da", {z.M, z.W});
    z.dv = a.need<S>("dv", {z.M, z.W}, true);
    without_gil([&] { loops<S>().normalise_back(z); });
}

template <class S> void column_sums_of(nb::handle a_, nb::handle b_, nb::handle out_) {
    constexpr char kind = kind_of(S());
    Array a(a_, "a", kind, 2), b(b_, "b", kind, 2), out(out_, "out", kind, 1, true);
    const Size M = a.shape(0), W = a.shape(1);
    a.of("a", {M, W}, false);
    b.of("b", {M, W}, false);
    out.of("out", {W});
    const ColumnSums<S> call{M,           W,           a.data<S>(),   b.data<S>(), a.stride(0),
                             b ? b.stride(0) : 0, out.data<S>(), threads()};
    without_gil([&] { loops<S>().column_sums(call); });
}

}  // namespace

void bind_options(nb::module_& m) {
    m.def(
        "option_forward",
        [](const Form& form, nb::dict arrays, double cell_clip, double hidden_clip, double zoneout,
           double cell_zoneout, bool keep) {
            const Numbers numbers{cell_clip, hidden_clip, zoneout, cell_zoneout};
            is_double(arrays["a"]) ? forward_of<double>(form, arrays, numbers, keep)
                                   : forward_of<float>(form, arrays, numbers, keep);
        },
        "form"_a, "arrays"_a, "cell_clip"_a, "hidden_clip"_a, "zoneout"_a, "cell_zoneout"_a,
        "keep"_a, "Run a cell with options over time.");
    m.def(
        "option_backward",
        [](const Form& form, nb::dict arrays, double cell_clip, double hidden_clip, double zoneout,
           double cell_zoneout) {
            const Numbers numbers{cell_clip, hidden_clip, zoneout, cell_zoneout};
            is_double(arrays["a"]) ? backward_of<double>(form, arrays, numbers)
                                   : backward_of<float>(form, arrays, numbers);
        },
        "form"_a, "arrays"_a, "cell_clip"_a, "hidden_clip"_a, "zoneout"_a, "cell_zoneout"_a,
        "Backpropagate through time, as far as the gradients of the sums of each step.");
    m.def(
        "normalise",
        [](nb::dict arrays, Size cut) {
            is_double(arrays["w"]) ? normalise_of<double>(arrays, cut)
                                   : normalise_of<float>(arrays, cut);
        },
        "arrays"_a, "cut"_a, "Layer-normalise rows v: fill w, k and a.");
    m.def(
        "normalise_back",
        [](nb::dict arrays, Size cut) {
            is_double(arrays["w"]) ? normalise_back_of<double>(arrays, cut)
                                   : normalise_back_of<float>(arrays, cut);
        },
        "arrays"_a, "cut"_a, "Fill dv from da, w and k.");
    m.def(
        "column_sums",
        [](nb::handle a, nb::handle b, nb::handle out) {
            is_double(a) ? column_sums_of<double>(a, b, out) : column_sums_of<float>(a, b, out);
        },
        "a"_a, "b"_a.none(), "out"_a, "Add to out the sum over rows of a b, or of a.");
}

}  // namespace throughtime
