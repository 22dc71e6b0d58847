// Whole arrays as flat vectors, for bindings: what a kernel can work on, or nothing.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <cstring>

namespace throughtime {

namespace nb = nanobind;

// A view of an array whose numbers stand one after the other, held as long as it is used. Absent
// for None and for whatever is laid out otherwise, or read-only where it is to be written: the
// caller then leaves the work to the reference engine, which takes anything or says what is wrong.
class Flat {
   public:
    explicit Flat(nb::handle object, bool writable = false) : given(!object.is_none()) {
        if (!given) return;
        const int flags = PyBUF_FORMAT | PyBUF_C_CONTIGUOUS | (writable ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(object.ptr(), &view, flags) != 0) {
            PyErr_Clear();
            return;
        }
        held = true;
        const char* format = view.format;
        if (*format == '=' || *format == '<' || *format == '@') ++format;
        const auto place = reinterpret_cast<std::uintptr_t>(view.buf);
        const bool aligned = place % static_cast<std::size_t>(view.itemsize) == 0;
        if (*format != '\0' && format[1] == '\0' && aligned) format_ = *format;
    }
    Flat(const Flat&) = delete;
    Flat& operator=(const Flat&) = delete;
    ~Flat() {  // with the GIL
        if (held) PyBuffer_Release(&view);
    }

    // 'f' float32, 'd' float64, '?' bool, 'q' int64; 0 for what cannot be worked on.
    char kind() const {
        const bool whole = format_ == 'l' && view.itemsize == sizeof(std::int64_t);
        return whole ? 'q' : format_;
    }
    bool floats() const { return format_ == 'f' || format_ == 'd'; }
    bool absent() const { return !given; }

    template <class T> T* data() const {
        return format_ != 0 ? static_cast<T*>(view.buf) : nullptr;
    }
    std::ptrdiff_t size() const { return held ? view.len / view.itemsize : 0; }
    std::ptrdiff_t bytes() const { return held ? view.len : 0; }
    int ndim() const { return held ? view.ndim : 0; }
    std::ptrdiff_t shape(int axis) const { return view.shape[axis]; }

    // Whether the first n axes are those of the other.
    bool begins_like(const Flat& other, int n) const {
        return ndim() >= n && other.ndim() >= n &&
               std::memcmp(view.shape, other.view.shape, sizeof(Py_ssize_t) * n) == 0;
    }
    // Whether it can stand beside the other, number by number.
    bool matches(const Flat& other) const {
        return kind() == other.kind() && ndim() == other.ndim() && begins_like(other, ndim());
    }

   private:
    Py_buffer view{};
    bool given, held = false;
    char format_ = 0;
};

}  // namespace throughtime
