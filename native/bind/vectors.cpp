// Norms, clipping and penalties, for Python. Each function returns None if kernels cannot work on
// an array; the caller then takes the reference engine.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/api.hpp"
#include "base/split.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

template <class S> const Vectors<S>& vectors() { return api().vectors.of<S>(); }

// Calls work(block, first number, how many) for each block of n numbers.
template <class F> void each_block(Size n, const F& work) {
    const Size blocks = blocks_of(n);
    split(threads_for(n, blocks), blocks, [&](Size first, Size last, int) {
        for (Size block = first; block < last; ++block) {
            const Size begin = block * sum_block;
            work(block, begin, std::min(sum_block, n - begin));
        }
    });
}

template <class S> double sum_of_squares(const S* x, Size n, double unit) {
    BlockSums sums(blocks_of(n));
    each_block(n, [&](Size block, Size begin, Size count) {
        sums[block] = vectors<S>().sum_of_squares(x + begin, count, unit);
    });
    return sums.sum();
}

double norm(const float* x, Size n) {
    return std::sqrt(sum_of_squares(x, n, 1.0));  // no square of a float leaves a double's range
}

double norm(const double* x, Size n) {
    // If the sum is larger, squares too small for a double are too few to change it.
    constexpr double safe = 0x1p-900;
    const double total = sum_of_squares(x, n, 1.0);
    if (std::isnan(total) || (total >= safe && std::isfinite(total))) return std::sqrt(total);
    const double largest = vectors<double>().largest(x, n);
    if (largest == 0.0 || !std::isfinite(largest)) return largest;
    int exponent;
    std::frexp(largest, &exponent);
    const double unit = std::ldexp(1.0, exponent - 1);  // dividing by it rounds nothing
    return unit * std::sqrt(sum_of_squares(x, n, unit));
}

template <class S> double clip_norm(S* x, Size n, double limit) {
    const double found = norm(x, n);
    if (limit < found && std::isfinite(found))
        each_block(n, [&](Size, Size begin, Size count) {
            vectors<S>().scale(x + begin, count, limit / found);
        });
    return found;
}

template <class S> double clip_value(S* x, Size n, double limit) {
    const double found = norm(x, n);
    // A limit above the largest number cuts nothing, and has no value of this type.
    if (limit < found && std::isfinite(found) && limit < std::numeric_limits<S>::max())
        each_block(n, [&](Size, Size begin, Size count) {
            vectors<S>().cut(x + begin, count, limit);
        });
    return found;
}

template <class S> bool finite(const S* x, Size n) {
    bool result = true;
    each_block(n, [&](Size, Size begin, Size count) {
        if (!vectors<S>().finite(x + begin, count))
            __atomic_store_n(&result, false, __ATOMIC_RELAXED);
    });
    return result;
}

// f(pointer, how many numbers) for an array of floats, without the GIL.
template <class F> nb::object of_floats(nb::handle object, bool writable, const F& f) {
    const Flat x(object, writable);
    if (!x.floats()) return nb::none();
    const bool single = x.kind() == 'f';
    const auto value = without_gil([&] {
        return single ? f(x.data<float>(), x.size()) : f(x.data<double>(), x.size());
    });
    return nb::cast(value);
}

template <class S>
void penalise(const Flat& weights, const Flat& grads, double l1, double l2, double* result) {
    const Size n = weights.size();
    const S* const w = weights.data<S>();
    S* const g = grads.data<S>();
    BlockSums sizes(blocks_of(n)), squares(blocks_of(n));
    each_block(n, [&](Size block, Size begin, Size count) {
        double sums[2];
        vectors<S>().penalise(w + begin, g == nullptr ? nullptr : g + begin, count, l1, l2, sums);
        sizes[block] = sums[0];
        squares[block] = sums[1];
    });
    result[0] = sizes.sum();
    result[1] = squares.sum();
}

nb::object bind_penalise(nb::handle weights_, nb::handle grads_, double l1, double l2) {
    const Flat weights(weights_), grads(grads_, true);
    if (!weights.floats() || !(grads.absent() || grads.matches(weights))) return nb::none();
    double sums[2];
    without_gil([&] {
        if (weights.kind() == 'f')
            penalise<float>(weights, grads, l1, l2, sums);
        else
            penalise<double>(weights, grads, l1, l2, sums);
    });
    return nb::make_tuple(sums[0], sums[1]);
}

}  // namespace

void bind_vectors(nb::module_& m) {
    m.def(
        "norm",
        [](nb::handle x) {
            return of_floats(x, false, [](auto* p, Size n) { return norm(p, n); });
        },
        "x"_a, "Return the Euclidean norm.");
    m.def(
        "finite",
        [](nb::handle x) {
            return of_floats(x, false, [](auto* p, Size n) { return finite(p, n); });
        },
        "x"_a, "Return whether all numbers are finite.");
    m.def(
        "clip_norm",
        [](nb::handle grads, double limit) {
            return of_floats(grads, true, [=](auto* p, Size n) { return clip_norm(p, n, limit); });
        },
        "grads"_a, "limit"_a, "Scale down to the norm `limit`; return the norm that it had.");
    m.def(
        "clip_value",
        [](nb::handle grads, double limit) {
            return of_floats(grads, true, [=](auto* p, Size n) { return clip_value(p, n, limit); });
        },
        "grads"_a, "limit"_a, "Cut to [-limit, limit]; return the norm that it had.");
    m.def("penalise", &bind_penalise, "weights"_a, "grads"_a.none(), "l1"_a, "l2"_a,
          "Add the gradient of a penalty; return the sums of |W| and of W^2.");
}

}  // namespace throughtime
