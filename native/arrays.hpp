// Arrays of the caller, through the buffer protocol: checked once, and held as long as they are used.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace throughtime {

namespace nb = nanobind;

// Whether a format of the buffer protocol is 'f' float32, 'd' float64 or 'b' bool.
inline bool is_kind(const char* format, char kind) {
    if (*format == '=' || *format == '<' || *format == '@') ++format;
    return (*format == '?' ? 'b' : *format) == kind && format[1] == '\0';
}

// The plainest view, for calls that take about as long as it does: what does not fit is refused
// without words.
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

    // (rows, width), or (width) where there is one row.
    bool holds(char kind, std::ptrdiff_t rows, std::ptrdiff_t width) const {
        if (!held || !is_kind(view.format, kind) ||
            reinterpret_cast<std::uintptr_t>(view.buf) % static_cast<std::size_t>(view.itemsize))
            return false;
        if (view.ndim == 1) return rows == 1 && view.shape[0] == width;
        return view.ndim == 2 && view.shape[0] == rows && view.shape[1] == width;
    }
    void* data() const { return view.buf; }

   private:
    Py_buffer view{};
    bool held = false;
};

// A view of an array, or of None, which every function here takes as an absent one.
class Array {
   public:
    // kind: 'f' float32, 'd' float64, 'b' bool. ndim: how many axes it must have.
    Array(nb::handle object, const char* name, char kind, int ndim, bool writable = false) {
        if (object.is_none()) return;
        const int flags = PyBUF_FORMAT | PyBUF_STRIDES | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &view, flags) != 0) throw nb::python_error();
        held = true;
        if (view.ndim != ndim || !matches(kind)) {
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
    ~Array() {  // with the GIL
        if (held) PyBuffer_Release(&view);
    }

    explicit operator bool() const { return held; }
    template <class T> T* data() const { return held ? static_cast<T*>(view.buf) : nullptr; }
    std::ptrdiff_t shape(int axis) const { return view.shape[axis]; }
    // In items.
    std::ptrdiff_t stride(int axis) const { return view.strides[axis] / view.itemsize; }

    // The shape must be this one; rows of the last axis must be contiguous, or all of it.
    const Array& of(const char* name, std::initializer_list<std::ptrdiff_t> wanted,
                    bool contiguous = true) const {
        if (!held) return *this;
        int axis = 0;
        for (std::ptrdiff_t n : wanted)
            if (view.shape[axis++] != n) throw std::invalid_argument(wrong(name, "of another shape"));
        std::ptrdiff_t expected = view.itemsize;
        for (int i = view.ndim - 1; i >= 0; --i) {
            const bool checked = contiguous || i == view.ndim - 1;
            if (checked && view.shape[i] > 1 && view.strides[i] != expected)
                throw std::invalid_argument(wrong(name, "not contiguous"));
            if (view.strides[i] % view.itemsize != 0)
                throw std::invalid_argument(wrong(name, "not aligned"));
            expected *= view.shape[i];
        }
        if (reinterpret_cast<std::uintptr_t>(view.buf) % static_cast<std::size_t>(view.itemsize))
            throw std::invalid_argument(wrong(name, "not aligned"));
        return *this;
    }

   private:
    bool matches(char kind) const { return is_kind(view.format, kind); }
    static std::string wrong(const char* name, const char* what) {
        return std::string(name) + " is " + what;
    }

    Py_buffer view{};
    bool held = false;
};

}  // namespace throughtime
