// The time loops and the dense products, for Python.
#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

#include "api.hpp"
#include "arrays.hpp"
#include "form.hpp"
#include "memory.hpp"
#include "parallel.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

const Loops<float>& loops(float) { return *api().loops_f32; }
const Loops<double>& loops(double) { return *api().loops_f64; }

// Whether an array holds float64; the kernels exist for it and for float32.
bool is_double(nb::handle array) {
    Py_buffer view;
    if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_FORMAT | PyBUF_STRIDES) != 0)
        throw nb::python_error();
    const bool found = view.itemsize == sizeof(double);
    PyBuffer_Release(&view);
    return found;
}

// The arrays of a forward pass and the memory behind them.
template <class S> struct Pass {
    static constexpr char kind = kind_of(S());
    Array x, W_x, W_h, b, b_time, b_hn, h_0, c_0, mask, started, drop, y, h_T, c_T;
    Buffer memory;
    Unroll<S> unroll{};

    Pass(const Form& form, const Handles<14>& a, bool reverse, bool keep)
        : x(a[0], "x", kind, 3), W_x(a[1], "W_x", kind, 2), W_h(a[2], "W_h", kind, 2),
          b(a[3], "b", kind, 1), b_time(a[4], "b_time", kind, 1), b_hn(a[5], "b_hn", kind, 1),
          h_0(a[6], "h_0", kind, 2), c_0(a[7], "c_0", kind, 2), mask(a[8], "mask", 'b', 2),
          started(a[9], "started", 'b', 1), drop(a[10], "drop", kind, 2),
          y(a[11], "y", kind, 3, true), h_T(a[12], "h_T", kind, 2, true),
          c_T(a[13], "c_T", kind, 2, true) {
        const bool lstm = form.cell == Cell::lstm;
        if (!x || !W_x || !W_h || !h_0 || !y || !h_T || lstm != static_cast<bool>(c_0) ||
            lstm != static_cast<bool>(c_T))
            throw std::invalid_argument("an array is missing");
        const std::ptrdiff_t N = x.shape(0), T = x.shape(1), F = x.shape(2), H = h_0.shape(1);
        const std::ptrdiff_t G = lstm ? 4 : form.cell == Cell::gru ? 3 : 1;
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
        memory = Buffer(loops(S()).tape_bytes(unroll.sizes, static_cast<bool>(mask),
                                              static_cast<bool>(b_time)));
        unroll.tape = memory.data();
    }

    void run() {
        nb::gil_scoped_release release;
        loops(S()).unroll(unroll);
    }

    void back(const Handles<11>& a) const {
        const Sizes<S>& z = unroll.sizes;
        const bool lstm = z.cell == Cell::lstm;
        const std::ptrdiff_t G = W_x.shape(1);
        Array dy(a[0], "dy", kind, 3), dh_T(a[1], "dh_T", kind, 2), dc_T(a[2], "dc_T", kind, 2);
        Array dW_x(a[3], "dW_x", kind, 2, true), dW_h(a[4], "dW_h", kind, 2, true);
        Array db(a[5], "db", kind, 1, true), db_time(a[6], "db_time", kind, 1, true);
        Array db_hn(a[7], "db_hn", kind, 1, true);
        Array dx(a[8], "dx", kind, 3, true), dh_0(a[9], "dh_0", kind, 2, true);
        Array dc_0(a[10], "dc_0", kind, 2, true);
        if (!dW_x || !dW_h || !dh_0 || lstm != static_cast<bool>(dc_0))
            throw std::invalid_argument("an array is missing");
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
        nb::gil_scoped_release release;
        loops(S()).bptt(call);
    }
};

// A pass of either type that was kept for the way back.
struct Kept {
    std::unique_ptr<Pass<float>> f32;
    std::unique_ptr<Pass<double>> f64;
};

template <class S>
std::unique_ptr<Pass<S>> run(const Form& form, const Handles<14>& a, bool reverse, bool keep) {
    auto pass = std::make_unique<Pass<S>>(form, a, reverse, keep);
    pass->run();
    return pass;
}

template <class S> struct AffineArrays {
    static constexpr char kind = kind_of(S());
    Array x, W, b;
    Affine<S> call{};

    AffineArrays(nb::handle x_, nb::handle W_, nb::handle b_)
        : x(x_, "x", kind, 2), W(W_, "W", kind, 2), b(b_, "b", kind, 1) {
        if (!x || !W) throw std::invalid_argument("an array is missing");
        x.of("x", {x.shape(0), W.shape(0)});
        W.of("W", {W.shape(0), W.shape(1)});
        b.of("b", {W.shape(1)});
        call = {x.shape(0), W.shape(0), W.shape(1), x.data<S>(), W.data<S>(), b.data<S>(),
                nullptr, threads()};
    }
};

template <class S> void affine(const Handles<4>& h) {
    AffineArrays<S> a(h[0], h[1], h[2]);
    Array y(h[3], "y", a.kind, 2, true);
    y.of("y", {a.call.M, a.call.K});
    a.call.y = y.data<S>();
    if (a.call.y == nullptr) throw std::invalid_argument("y is missing");
    nb::gil_scoped_release release;
    loops(S()).affine(a.call);
}

template <class S> void affine_back(const Handles<6>& h) {
    AffineArrays<S> a(h[0], h[1], nb::none());
    Array dz(h[2], "dz", a.kind, 2), dW(h[3], "dW", a.kind, 2, true);
    Array db(h[4], "db", a.kind, 1, true), dx(h[5], "dx", a.kind, 2, true);
    dz.of("dz", {a.call.M, a.call.K});
    dW.of("dW", {a.call.F, a.call.K});
    db.of("db", {a.call.K});
    dx.of("dx", {a.call.M, a.call.F});
    if (!dz || !dW) throw std::invalid_argument("an array is missing");
    const AffineBack<S> call{a.call, dz.data<S>(), dW.data<S>(), db.data<S>(), dx.data<S>()};
    nb::gil_scoped_release release;
    loops(S()).affine_back(call);
}

}  // namespace

void bind_loops(nb::module_& m) {
    nb::class_<Form>(m, "Form", "What a cell computes.")
        .def(nb::init<int, int, double, int, double, bool>());
    nb::class_<Kept>(m, "Tape", "What a forward pass kept.");

    // Arrays come in a row, None where there is none: x, W_x W_h b b_time b_hn, h_0 c_0, mask,
    // started, drop, and to be filled y h_T c_T.
    m.def("unroll", [](const Form& form, bool reverse, bool keep, nb::args arrays) {
        const Handles<14> a(arrays);
        Kept kept;
        if (is_double(a[0]))
            kept.f64 = run<double>(form, a, reverse, keep);
        else
            kept.f32 = run<float>(form, a, reverse, keep);
        return keep ? nb::cast(std::move(kept)) : nb::none();
    });
    // dy, dh_T dc_T, to be added to dW_x dW_h db db_time db_hn, to be filled dx dh_0 dc_0.
    m.def("bptt", [](const Kept& kept, nb::args arrays) {
        const Handles<11> a(arrays);
        if (kept.f64)
            kept.f64->back(a);
        else
            kept.f32->back(a);
    });
    // x, W, b, to be filled y.
    m.def("affine", [](nb::args arrays) {
        const Handles<4> a(arrays);
        is_double(a[0]) ? affine<double>(a) : affine<float>(a);
    });
    // x, W, dz, to be added to dW db, to be filled dx.
    m.def("affine_back", [](nb::args arrays) {
        const Handles<6> a(arrays);
        is_double(a[0]) ? affine_back<double>(a) : affine_back<float>(a);
    });
}

}  // namespace throughtime
