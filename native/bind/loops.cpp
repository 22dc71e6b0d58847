// The time loops and the dense products, for Python.
#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

#include "base/api.hpp"
#include "base/memory.hpp"
#include "base/parallel.hpp"
#include "bind/arrays.hpp"
#include "bind/form.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

template <class S> const Loops<S>& loops() { return api().loops.of<S>(); }

// The arrays of unroll() and bptt() as Python gives them, None if there is none.
struct Forwards {
    nb::handle x, W_x, W_h, b, b_time, b_hn, h_0, c_0, mask, started, drop, y, h_T, c_T;
};
struct Backwards {
    nb::handle dy, dh_T, dc_T, dW_x, dW_h, db, db_time, db_hn, dx, dh_0, dc_0;
};

// The arrays of a forward pass, checked, and the memory of its tape.
template <class S> struct Pass {
    static constexpr char kind = kind_of(S());
    Array x, W_x, W_h, b, b_time, b_hn, h_0, c_0, mask, started, drop, y, h_T, c_T;
    Buffer memory;
    Unroll<S> unroll{};

    Pass(const Form& form, const Forwards& a, bool reverse, bool keep)
        : x(a.x, "x", kind, 3), W_x(a.W_x, "W_x", kind, 2), W_h(a.W_h, "W_h", kind, 2),
          b(a.b, "b", kind, 1), b_time(a.b_time, "b_time", kind, 1), b_hn(a.b_hn, "b_hn", kind, 1),
          h_0(a.h_0, "h_0", kind, 2), c_0(a.c_0, "c_0", kind, 2), mask(a.mask, "mask", '?', 2),
          started(a.started, "started", '?', 1), drop(a.drop, "drop", kind, 2),
          y(a.y, "y", kind, 3, true), h_T(a.h_T, "h_T", kind, 2, true),
          c_T(a.c_T, "c_T", kind, 2, true) {
        const bool two_states = has_c(form.cell);
        if (two_states != static_cast<bool>(c_0) || two_states != static_cast<bool>(c_T))
            throw std::invalid_argument("c_0 and c_T go with a cell that has c");
        const Size N = x.shape(0), T = x.shape(1), F = x.shape(2), H = h_0.shape(1);
        const Size G = gates_of(form.cell);
        x.of("x", {N, T, F}, false);
        W_x.of("W_x", {F, G * H});
        W_h.of("W_h", {H, G * H});
        b.of("b", {G * H});
        b_time.of("b_time", {G * H});
        b_hn.of("b_hn", {H});
        h_0.of("h_0", {N, H});
        c_0.of("c_0", {N, H});
        if (mask && (mask.shape(0) != N || mask.shape(1) != T))
            throw std::invalid_argument("mask is of another shape");
        started.of("started", {N});
        drop.of("drop", {N, H});
        y.of("y", {N, T, H});
        h_T.of("h_T", {N, H});
        c_T.of("c_T", {N, H});

        unroll.sizes = sizes_of<S>(form, N, T, F, H, reverse);
        unroll.weights = {W_x.data<S>(), W_h.data<S>(), b.data<S>(), b_time.data<S>(),
                          b_hn.data<S>()};
        unroll.x = x.data<S>();
        unroll.x_row = x.stride(0);
        unroll.x_step = x.stride(1);
        unroll.h_0 = h_0.data<S>();
        unroll.c_0 = c_0.data<S>();
        if (mask) {
            unroll.mask = mask.data<std::uint8_t>();
            unroll.mask_row = mask.stride(0);
            unroll.mask_step = mask.stride(1);
        }
        unroll.started = started.data<std::uint8_t>();
        unroll.drop = drop.data<S>();
        unroll.y = y.data<S>();
        unroll.h_T = h_T.data<S>();
        unroll.c_T = c_T.data<S>();
        if (!keep) return;
        // y has its memory, so the sizes multiplied here cannot overflow.
        bytes_of(sizeof(S) * 8, {N, T + 1, H + 64});
        memory = Buffer(loops<S>().tape_bytes(unroll.sizes, static_cast<bool>(mask),
                                              static_cast<bool>(b_time)));
        unroll.tape = memory.data();
    }

    void run() {
        without_gil([&] { loops<S>().unroll(unroll); });
    }

    void back(const Backwards& a) const {
        const Sizes<S>& z = unroll.sizes;
        const Size G = W_x.shape(1);
        Array dy(a.dy, "dy", kind, 3), dh_T(a.dh_T, "dh_T", kind, 2);
        Array dc_T(a.dc_T, "dc_T", kind, 2);
        Array dW_x(a.dW_x, "dW_x", kind, 2, true), dW_h(a.dW_h, "dW_h", kind, 2, true);
        Array db(a.db, "db", kind, 1, true), db_time(a.db_time, "db_time", kind, 1, true);
        Array db_hn(a.db_hn, "db_hn", kind, 1, true);
        Array dx(a.dx, "dx", kind, 3, true), dh_0(a.dh_0, "dh_0", kind, 2, true);
        Array dc_0(a.dc_0, "dc_0", kind, 2, true);
        if (has_c(z.cell) != static_cast<bool>(dc_0))
            throw std::invalid_argument("dc_0 goes with a cell that has c");
        dy.of("dy", {z.N, z.T, z.H}, false);
        dh_T.of("dh_T", {z.N, z.H});
        dc_T.of("dc_T", {z.N, z.H});
        dW_x.of("dW_x", {z.F, G});
        dW_h.of("dW_h", {z.H, G});
        db.of("db", {G});
        db_time.of("db_time", {G});
        db_hn.of("db_hn", {z.H});
        dx.of("dx", {z.N, z.T, z.F});
        dh_0.of("dh_0", {z.N, z.H});
        dc_0.of("dc_0", {z.N, z.H});
        if (db_time && !b_time) throw std::invalid_argument("db_time goes with b_time");

        Bptt<S> call{};
        call.forward = unroll;
        call.forward.sizes.threads = threads();
        if (dy) {
            call.dy = dy.data<S>();
            call.dy_row = dy.stride(0);
            call.dy_step = dy.stride(1);
        }
        call.dh_T = dh_T.data<S>();
        call.dc_T = dc_T.data<S>();
        call.dW_x = dW_x.data<S>();
        call.dW_h = dW_h.data<S>();
        call.db = db.data<S>();
        call.db_time = db_time.data<S>();
        call.db_hn = db_hn.data<S>();
        call.dx = dx.data<S>();
        call.dh_0 = dh_0.data<S>();
        call.dc_0 = dc_0.data<S>();
        without_gil([&] { loops<S>().bptt(call); });
    }
};

// A pass of either type that is kept for the backward pass.
struct Tape {
    std::unique_ptr<Pass<float>> f32;
    std::unique_ptr<Pass<double>> f64;
};

template <class S>
std::unique_ptr<Pass<S>> run(const Form& form, const Forwards& a, bool reverse, bool keep) {
    auto pass = std::make_unique<Pass<S>>(form, a, reverse, keep);
    pass->run();
    return pass;
}

nb::object unroll(const Form& form, bool reverse, bool keep, const Forwards& a) {
    Tape tape;
    if (is_double(a.x))
        tape.f64 = run<double>(form, a, reverse, keep);
    else
        tape.f32 = run<float>(form, a, reverse, keep);
    return keep ? nb::cast(std::move(tape)) : nb::none();
}

void bptt(const Tape& tape, const Backwards& a) {
    if (tape.f64)
        tape.f64->back(a);
    else
        tape.f32->back(a);
}

template <class S> struct AffineArrays {
    static constexpr char kind = kind_of(S());
    Array x, W, b;
    Affine<S> call{};

    AffineArrays(nb::handle x_, nb::handle W_, nb::handle b_)
        : x(x_, "x", kind, 2), W(W_, "W", kind, 2), b(b_, "b", kind, 1) {
        x.of("x", {x.shape(0), W.shape(0)});
        W.of("W", {W.shape(0), W.shape(1)});
        b.of("b", {W.shape(1)});
        call = {x.shape(0), W.shape(0), W.shape(1), x.data<S>(), W.data<S>(), b.data<S>(),
                nullptr, threads(), false};
    }
};

template <class S>
void affine_of(nb::handle x, nb::handle W, nb::handle b, nb::handle y_, bool add) {
    AffineArrays<S> a(x, W, b);
    Array y(y_, "y", a.kind, 2, true);
    y.of("y", {a.call.M, a.call.K});
    a.call.y = y.data<S>();
    a.call.add = add;
    without_gil([&] { loops<S>().affine(a.call); });
}

template <class S>
void affine_back_of(nb::handle x, nb::handle W, nb::handle dz_, nb::handle dW_, nb::handle db_,
                    nb::handle dx_) {
    const AffineArrays<S> a(x, W, nb::none());
    Array dz(dz_, "dz", a.kind, 2), dW(dW_, "dW", a.kind, 2, true);
    Array db(db_, "db", a.kind, 1, true), dx(dx_, "dx", a.kind, 2, true);
    dz.of("dz", {a.call.M, a.call.K});
    dW.of("dW", {a.call.F, a.call.K});
    db.of("db", {a.call.K});
    dx.of("dx", {a.call.M, a.call.F});
    const AffineBack<S> call{a.call, dz.data<S>(), dW.data<S>(), db.data<S>(), dx.data<S>()};
    without_gil([&] { loops<S>().affine_back(call); });
}

void affine(nb::handle x, nb::handle W, nb::handle b, nb::handle y, bool add) {
    is_double(x) ? affine_of<double>(x, W, b, y, add) : affine_of<float>(x, W, b, y, add);
}

void affine_back(nb::handle x, nb::handle W, nb::handle dz, nb::handle dW, nb::handle db,
                 nb::handle dx) {
    is_double(x) ? affine_back_of<double>(x, W, dz, dW, db, dx)
                 : affine_back_of<float>(x, W, dz, dW, db, dx);
}

template <class S> void products_of(nb::handle x_, nb::handle W_, nb::handle y_, bool transposed) {
    constexpr char kind = kind_of(S());
    Array x(x_, "x", kind, 3), W(W_, "W", kind, 3), y(y_, "y", kind, 3, true);
    const Size B = x.shape(0), M = x.shape(1), F = x.shape(2), K = W.shape(transposed ? 1 : 2);
    x.of("x", {B, M, F});
    W.of("W", {B, transposed ? K : F, transposed ? F : K});
    y.of("y", {B, M, K});
    if (B == 0 || M == 0 || K == 0) return;
    const Products<S> call{B, M, F, K, transposed, x.data<S>(), W.data<S>(), y.data<S>(),
                           threads()};
    without_gil([&] { loops<S>().products(call); });
}

void products(nb::handle x, nb::handle W, nb::handle y, bool transposed) {
    is_double(x) ? products_of<double>(x, W, y, transposed)
                 : products_of<float>(x, W, y, transposed);
}

}  // namespace

void bind_loops(nb::module_& m) {
    nb::class_<Form>(m, "Form", "What a cell computes.")
        .def(nb::init<int, int, double, int, double, bool>(), "cell"_a, "activation"_a,
             "activation_parameter"_a, "gate_activation"_a, "gate_parameter"_a, "reset_after"_a);
    nb::class_<Tape>(m, "Tape", "What a forward pass keeps for the backward pass.");

    m.def(
        "unroll",
        [](const Form& form, bool reverse, bool keep, nb::handle x, nb::handle W_x, nb::handle W_h,
           nb::handle b, nb::handle b_time, nb::handle b_hn, nb::handle h_0, nb::handle c_0,
           nb::handle mask, nb::handle started, nb::handle drop, nb::handle y, nb::handle h_T,
           nb::handle c_T) {
            return unroll(
                form, reverse, keep,
                {x, W_x, W_h, b, b_time, b_hn, h_0, c_0, mask, started, drop, y, h_T, c_T});
        },
        "form"_a, nb::kw_only(), "reverse"_a, "keep"_a, "x"_a, "W_x"_a, "W_h"_a, "b"_a.none(),
        "b_time"_a.none(), "b_hn"_a.none(), "h_0"_a, "c_0"_a.none(), "mask"_a.none(),
        "started"_a.none(), "drop"_a.none(), "y"_a, "h_T"_a, "c_T"_a.none(),
        "Run a cell over time. Fills y, h_T and c_T; returns a Tape if keep is true.");
    m.def(
        "bptt",
        [](const Tape& tape, nb::handle dy, nb::handle dh_T, nb::handle dc_T, nb::handle dW_x,
           nb::handle dW_h, nb::handle db, nb::handle db_time, nb::handle db_hn, nb::handle dx,
           nb::handle dh_0, nb::handle dc_0) {
            bptt(tape, {dy, dh_T, dc_T, dW_x, dW_h, db, db_time, db_hn, dx, dh_0, dc_0});
        },
        "tape"_a, nb::kw_only(), "dy"_a.none(), "dh_T"_a.none(), "dc_T"_a.none(), "dW_x"_a,
        "dW_h"_a, "db"_a.none(), "db_time"_a.none(), "db_hn"_a.none(), "dx"_a.none(), "dh_0"_a,
        "dc_0"_a.none(),
        "Backpropagate through time. Adds to dW_x ... db_hn; fills dx, dh_0 and dc_0.");
    m.def("affine", &affine, "x"_a, "W"_a, "b"_a.none(), "y"_a, "add"_a = false,
          "Fill y with b + x W, or add that to it.");
    m.def("affine_back", &affine_back, "x"_a, "W"_a, "dz"_a, "dW"_a, "db"_a.none(), "dx"_a.none(),
          "Add to dW and db, and fill dx: the gradients of affine().");
    m.def("products", &products, "x"_a, "W"_a, "y"_a, "transposed"_a,
          "Fill y with x W of each pair; transposed: W holds the transposes.");
}

}  // namespace throughtime
