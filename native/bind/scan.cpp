// The scans, for Python.
#include <nanobind/nanobind.h>

#include <memory>
#include <stdexcept>
#include <utility>

#include "base/api.hpp"
#include "base/memory.hpp"
#include "base/parallel.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

template <class S> const Scans<S>& scans() { return api().scans.of<S>(); }

// What a scan computes, as Python describes it.
struct ScanForm {
    ScanKind kind;
    Activation activation;
    double parameter;

    ScanForm(int kind_number, int activation_number, double parameter_)
        : kind(static_cast<ScanKind>(kind_number)),
          activation(static_cast<Activation>(activation_number)), parameter(parameter_) {
        if (kind_number < 0 || kind_number >= n_scans || activation_number < 0 ||
            activation_number >= n_activations || activation == Activation::softmax)
            throw std::invalid_argument("no such scan or activation");
    }
};

// The arrays as Python gives them, None if there is none. The second ones are those of the second
// state.
struct ScanArrays {
    nb::handle x, W, b, c, first, first_2, mask, y, last, last_2;
};
struct ScanGradients {
    nb::handle dy, d_last, d_last_2, dW, db, dc, dx, d_first, d_first_2;
};

// The arrays of a forward pass, checked, and the memory of its tape.
template <class S> struct ScanPass {
    static constexpr char kind = kind_of(S());
    Array x, W, b, c, first, first_2, mask, y, last, last_2;
    Buffer memory;
    Scan<S> scan{};

    ScanPass(const ScanForm& form, const ScanArrays& a, bool reverse, bool keep)
        : x(a.x, "x", kind, 3), W(a.W, "W", kind, 2), b(a.b, "b", kind, 1), c(a.c, "c", kind, 2),
          first(a.first, "first", kind, 2), first_2(a.first_2, "first_2", kind, 2),
          mask(a.mask, "mask", '?', 2), y(a.y, "y", kind, 3, true),
          last(a.last, "last", kind, 2, true), last_2(a.last_2, "last_2", kind, 2, true) {
        const Size states = scan_states(form.kind), rows = scan_coefficients(form.kind);
        if (static_cast<bool>(first_2) != (states > 1) || static_cast<bool>(last_2) != (states > 1))
            throw std::invalid_argument("first_2 and last_2 go with two states");
        if (static_cast<bool>(c) != (rows > 0))
            throw std::invalid_argument("c goes with a cell that has coefficients");
        const Size N = x.shape(0), T = x.shape(1), F = x.shape(2), H = first.shape(1);
        const Size G = scan_gates(form.kind);
        x.of("x", {N, T, F}, false);
        W.of("W", {F, G * H});
        b.of("b", {G * H});
        c.of("c", {rows, H});
        first.of("first", {N, H});
        first_2.of("first_2", {N, H});
        if (mask && (mask.shape(0) != N || mask.shape(1) != T))
            throw std::invalid_argument("mask is of another shape");
        y.of("y", {N, T, states * H});
        last.of("last", {N, H});
        last_2.of("last_2", {N, H});

        scan.kind = form.kind;
        scan.N = N;
        scan.T = T;
        scan.F = F;
        scan.H = H;
        scan.activation = form.activation;
        scan.parameter = static_cast<S>(form.parameter);
        scan.reverse = reverse;
        scan.threads = threads();
        scan.x = x.data<S>();
        scan.x_row = x.stride(0);
        scan.x_step = x.stride(1);
        scan.W = W.data<S>();
        scan.b = b.data<S>();
        scan.c = c.data<S>();
        scan.first[0] = first.data<S>();
        scan.first[1] = first_2.data<S>();
        if (mask) {
            scan.mask = mask.data<std::uint8_t>();
            scan.mask_row = mask.stride(0);
            scan.mask_step = mask.stride(1);
        }
        scan.y = y.data<S>();
        scan.last[0] = last.data<S>();
        scan.last[1] = last_2.data<S>();
        if (!keep) return;
        // y has its memory, so the sizes multiplied here cannot overflow.
        bytes_of(sizeof(S) * 8, {N, T + 1, H + 64});
        memory = Buffer(scans<S>().tape_bytes(scan));
        scan.tape = memory.data();
    }

    void run() {
        without_gil([&] { scans<S>().forward(scan); });
    }

    void back(const ScanGradients& a) const {
        Array dy(a.dy, "dy", kind, 3), d_last(a.d_last, "d_last", kind, 2);
        Array d_last_2(a.d_last_2, "d_last_2", kind, 2);
        Array dW(a.dW, "dW", kind, 2, true), db(a.db, "db", kind, 1, true);
        Array dc(a.dc, "dc", kind, 2, true), dx(a.dx, "dx", kind, 3, true);
        Array d_first(a.d_first, "d_first", kind, 2, true);
        Array d_first_2(a.d_first_2, "d_first_2", kind, 2, true);
        const Size N = scan.N, T = scan.T, H = scan.H, G = W.shape(1);
        const Size states = scan_states(scan.kind);
        if (static_cast<bool>(d_first_2) != (states > 1))
            throw std::invalid_argument("d_first_2 goes with two states");
        if (static_cast<bool>(dc) != static_cast<bool>(c) ||
            static_cast<bool>(db) != static_cast<bool>(b))
            throw std::invalid_argument("db goes with b, and dc with c");
        dy.of("dy", {N, T, states * H}, false);
        d_last.of("d_last", {N, H});
        d_last_2.of("d_last_2", {N, H});
        dW.of("dW", {scan.F, G});
        db.of("db", {G});
        dc.of("dc", {scan_coefficients(scan.kind), H});
        dx.of("dx", {N, T, scan.F});
        d_first.of("d_first", {N, H});
        d_first_2.of("d_first_2", {N, H});

        ScanBack<S> call{};
        call.forward = scan;
        call.forward.threads = threads();
        if (dy) {
            call.dy = dy.data<S>();
            call.dy_row = dy.stride(0);
            call.dy_step = dy.stride(1);
        }
        call.d_last[0] = d_last.data<S>();
        call.d_last[1] = d_last_2.data<S>();
        call.dW = dW.data<S>();
        call.db = db.data<S>();
        call.dc = dc.data<S>();
        call.dx = dx.data<S>();
        call.d_first[0] = d_first.data<S>();
        call.d_first[1] = d_first_2.data<S>();
        without_gil([&] { scans<S>().backward(call); });
    }
};

// A pass of either type that is kept for the backward pass.
struct ScanTape {
    std::unique_ptr<ScanPass<float>> f32;
    std::unique_ptr<ScanPass<double>> f64;
};

template <class S>
std::unique_ptr<ScanPass<S>> run(const ScanForm& form, const ScanArrays& a, bool reverse,
                                 bool keep) {
    auto pass = std::make_unique<ScanPass<S>>(form, a, reverse, keep);
    pass->run();
    return pass;
}

nb::object scan(const ScanForm& form, bool reverse, bool keep, const ScanArrays& a) {
    ScanTape tape;
    if (is_double(a.x))
        tape.f64 = run<double>(form, a, reverse, keep);
    else
        tape.f32 = run<float>(form, a, reverse, keep);
    return keep ? nb::cast(std::move(tape)) : nb::none();
}

void scan_back(const ScanTape& tape, const ScanGradients& a) {
    if (tape.f64)
        tape.f64->back(a);
    else
        tape.f32->back(a);
}

}  // namespace

void bind_scan(nb::module_& m) {
    nb::class_<ScanForm>(m, "ScanForm", "What a scan computes.")
        .def(nb::init<int, int, double>(), "kind"_a, "activation"_a, "parameter"_a);
    nb::class_<ScanTape>(m, "ScanTape", "What a scan keeps for its backward pass.");
    m.def(
        "scan",
        [](const ScanForm& form, bool reverse, bool keep, nb::handle x, nb::handle W, nb::handle b,
           nb::handle c, nb::handle first, nb::handle first_2, nb::handle mask, nb::handle y,
           nb::handle last, nb::handle last_2) {
            return scan(form, reverse, keep, {x, W, b, c, first, first_2, mask, y, last, last_2});
        },
        "form"_a, nb::kw_only(), "reverse"_a, "keep"_a, "x"_a, "W"_a, "b"_a.none(), "c"_a.none(),
        "first"_a, "first_2"_a.none(), "mask"_a.none(), "y"_a, "last"_a, "last_2"_a.none(),
        "Run a scan over time. Fills y and last; returns a ScanTape if keep is true.");
    m.def(
        "scan_back",
        [](const ScanTape& tape, nb::handle dy, nb::handle d_last, nb::handle d_last_2,
           nb::handle dW, nb::handle db, nb::handle dc, nb::handle dx, nb::handle d_first,
           nb::handle d_first_2) {
            scan_back(tape, {dy, d_last, d_last_2, dW, db, dc, dx, d_first, d_first_2});
        },
        "tape"_a, nb::kw_only(), "dy"_a.none(), "d_last"_a.none(), "d_last_2"_a.none(), "dW"_a,
        "db"_a.none(), "dc"_a.none(), "dx"_a.none(), "d_first"_a, "d_first_2"_a.none(),
        "The gradients of a scan. Adds to dW, db and dc; fills dx and d_first.");
}

}  // namespace throughtime
