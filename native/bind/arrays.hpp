// Arrays of the caller, through the buffer protocol. A view is checked once and held as long as it
// is used; it is made and destroyed with the GIL.
//
// There are three views, for three kinds of callers:
//
//   Array   any strides; throws in words if the array is not what the call needs
//   Flat    contiguous; absent if the array is not what kernels work on, so that the caller takes
//           the reference engine, which accepts everything or says what is wrong
//   View    contiguous; for calls that take about as long as the checks
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "base/common.hpp"

namespace throughtime {

namespace nb = nanobind;

// What kernels work on: 'f' float32, 'd' float64, '?' bool, 'q' int64; 0 for anything else.
inline char kind_of(const Py_buffer& view) {
    const char* format = view.format;
    if (*format == '=' || *format == '<' || *format == '@') ++format;
    if (*format == '\0' || format[1] != '\0') return 0;
    switch (*format) {
        case 'f':
        case 'd':
        case '?':
        case 'q': return *format;
        case 'l': return view.itemsize == sizeof(std::int64_t) ? 'q' : 0;
        default: return 0;
    }
}
constexpr char kind_of(float) { return 'f'; }
constexpr char kind_of(double) { return 'd'; }

// Only for a kind that kernels work on: an item of another array may have 0 bytes.
inline bool is_aligned(const Py_buffer& view) {
    return reinterpret_cast<std::uintptr_t>(view.buf) % static_cast<std::size_t>(view.itemsize) ==
           0;
}

// Whether an array holds float64. Kernels exist for it and for float32.
inline bool is_double(nb::handle array) {
    Py_buffer view;
    if (PyObject_GetBuffer(array.ptr(), &view, PyBUF_FORMAT | PyBUF_STRIDES) != 0)
        throw nb::python_error();
    const bool found = view.itemsize == sizeof(double);
    PyBuffer_Release(&view);
    return found;
}

class View {
   public:
    explicit View(nb::handle object) {
        held = PyObject_GetBuffer(object.ptr(), &view, PyBUF_FORMAT | PyBUF_C_CONTIGUOUS) == 0;
        if (!held) PyErr_Clear();
    }
    View(const View&) = delete;
    View& operator=(const View&) = delete;
    ~View() {
        if (held) PyBuffer_Release(&view);
    }

    // Whether the shape is (rows, width), or (width) if there is one row.
    bool holds(char kind, Size rows, Size width) const {
        if (!held || kind_of(view) != kind || !is_aligned(view)) return false;
        if (view.ndim == 1) return rows == 1 && view.shape[0] == width;
        return view.ndim == 2 && view.shape[0] == rows && view.shape[1] == width;
    }
    void* data() const { return view.buf; }

   private:
    Py_buffer view{};
    bool held = false;
};

class Array {
   public:
    // None is an absent array. ndim is the number of axes that it must have.
    Array(nb::handle object, const char* name, char kind, int ndim, bool writable = false) {
        if (object.is_none()) return;
        const int flags = PyBUF_FORMAT | PyBUF_STRIDES | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &view, flags) != 0) throw nb::python_error();
        held = true;
        if (view.ndim != ndim || kind_of(view) != kind) {
            const std::string message = std::string(name) + " must be an array of " +
                                        std::to_string(ndim) + " axes and type '" + kind + "'";
            PyBuffer_Release(&view);
            held = false;
            throw std::invalid_argument(message);
        }
    }
    Array(Array&& other) noexcept : view(other.view), held(other.held) { other.held = false; }
    Array(const Array&) = delete;
    Array& operator=(const Array&) = delete;
    ~Array() {
        if (held) PyBuffer_Release(&view);
    }

    explicit operator bool() const { return held; }
    template <class T> T* data() const { return held ? static_cast<T*>(view.buf) : nullptr; }
    Size shape(int axis) const { return view.shape[axis]; }
    // In items, not in bytes.
    Size stride(int axis) const { return view.strides[axis] / view.itemsize; }

    // Throws unless the array has this shape and is aligned and contiguous: all of it, or the last
    // axis only. An absent array is accepted.
    const Array& of(const char* name, std::initializer_list<Size> wanted,
                    bool contiguous = true) const {
        if (!held) return *this;
        int axis = 0;
        for (Size n : wanted)
            if (view.shape[axis++] != n)
                throw std::invalid_argument(wrong(name, "of another shape"));
        Size expected = view.itemsize;
        for (int i = view.ndim - 1; i >= 0; --i) {
            const bool checked = contiguous || i == view.ndim - 1;
            if (checked && view.shape[i] > 1 && view.strides[i] != expected)
                throw std::invalid_argument(wrong(name, "not contiguous"));
            if (view.strides[i] % view.itemsize != 0)
                throw std::invalid_argument(wrong(name, "not aligned"));
            expected *= view.shape[i];
        }
        if (!is_aligned(view)) throw std::invalid_argument(wrong(name, "not aligned"));
        return *this;
    }

   private:
    static std::string wrong(const char* name, const char* what) {
        return std::string(name) + " is " + what;
    }

    Py_buffer view{};
    bool held = false;
};

class Flat {
   public:
    // None is an absent array that was not given.
    explicit Flat(nb::handle object, bool writable = false) : given(!object.is_none()) {
        if (!given) return;
        const int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &view, flags) != 0) {
            PyErr_Clear();
            return;
        }
        held = true;
        const char kind = kind_of(view);
        if (kind != 0 && is_aligned(view)) kind_ = kind;
    }
    Flat(const Flat&) = delete;
    Flat& operator=(const Flat&) = delete;
    ~Flat() {
        if (held) PyBuffer_Release(&view);
    }

    // As kind_of() says; 0 if kernels cannot work on it.
    char kind() const { return kind_; }
    bool floats() const { return kind_ == 'f' || kind_ == 'd'; }
    bool absent() const { return !given; }

    template <class T> T* data() const {
        return kind_ != 0 ? static_cast<T*>(view.buf) : nullptr;
    }
    Size size() const { return kind_ != 0 ? view.len / view.itemsize : 0; }
    Size bytes() const { return held ? view.len : 0; }
    int ndim() const { return held ? view.ndim : 0; }
    Size shape(int axis) const { return view.shape[axis]; }

    // Whether the first n axes are those of the other.
    bool begins_like(const Flat& other, int n) const {
        return ndim() >= n && other.ndim() >= n &&
               std::memcmp(view.shape, other.view.shape, sizeof(Py_ssize_t) * n) == 0;
    }
    // Whether it has the type and the shape of the other.
    bool matches(const Flat& other) const {
        return kind() == other.kind() && ndim() == other.ndim() && begins_like(other, ndim());
    }

   private:
    Py_buffer view{};
    bool given, held = false;
    char kind_ = 0;
};

}  // namespace throughtime
