// Losses with their gradients, for Python. Each returns None where an array is none that it works
// on; the caller then goes the way of the reference engine.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <vector>

#include "api.hpp"
#include "flat.hpp"
#include "team.hpp"

namespace nb = nanobind;

namespace throughtime {
namespace {

const Losses<float>& losses(float) { return *api().losses_f32; }
const Losses<double>& losses(double) { return *api().losses_f64; }

// Where each block of `size` real rows begins among all rows; the last entry is the end. Masked
// rows count for nothing, so that a sum does not depend on how much padding there is.
std::vector<std::ptrdiff_t> cut_rows(const std::uint8_t* mask, std::ptrdiff_t rows,
                                     std::ptrdiff_t size, std::ptrdiff_t& real) {
    std::vector<std::ptrdiff_t> starts{0};
    real = 0;
    for (std::ptrdiff_t row = 0; row < rows; ++row)
        if (mask[row]) {
            if (real > 0 && real % size == 0) starts.push_back(row);
            ++real;
        }
    starts.push_back(rows);
    return starts;
}

// What is the same for all blocks of a call.
template <class S> struct Work {
    LossKernel<S> kernel;
    const S* y;
    const char* target;
    std::ptrdiff_t target_bytes;  // of one row
    S* dy;
    const std::uint8_t* mask;
    std::ptrdiff_t cols;
    double scale, parameter;

    double run(std::ptrdiff_t begin, std::ptrdiff_t end, char* scratch) const {
        if (mask == nullptr || std::all_of(mask + begin, mask + end, [](auto m) { return m; }))
            return kernel(y + begin * cols, target + begin * target_bytes, dy + begin * cols,
                          end - begin, cols, scale, parameter, doubles(scratch));
        return run_masked(begin, end, scratch);
    }

    // The real rows of a block next to each other, and their gradients back to where they belong.
    double run_masked(std::ptrdiff_t begin, std::ptrdiff_t end, char* scratch) const {
        const std::size_t bytes = sizeof(S) * static_cast<std::size_t>(cols);
        const std::ptrdiff_t real = std::count_if(mask + begin, mask + end, [](auto m) { return m; });
        char* const targets = scratch + sizeof(double) * static_cast<std::size_t>(cols);
        S* const own = reinterpret_cast<S*>(targets + real * wide_row());
        S* const slopes = own + real * cols;
        std::ptrdiff_t k = 0;
        for (std::ptrdiff_t row = begin; row < end; ++row) {
            if (!mask[row]) continue;
            std::memcpy(own + k * cols, y + row * cols, bytes);
            std::memcpy(targets + k * target_bytes, target + row * target_bytes, target_bytes);
            ++k;
        }
        const double sum =
            kernel(own, targets, slopes, real, cols, scale, parameter, doubles(scratch));
        k = 0;
        for (std::ptrdiff_t row = begin; row < end; ++row) {
            if (mask[row])
                std::memcpy(dy + row * cols, slopes + k++ * cols, bytes);
            else
                std::memset(dy + row * cols, 0, bytes);
        }
        return sum;
    }

    // Bytes of a row of targets, such that what stands behind some of them is aligned.
    std::ptrdiff_t wide_row() const { return (target_bytes + 7) / 8 * 8; }
    // For a block of `real` rows.
    std::size_t scratch_bytes(std::ptrdiff_t real) const {
        const std::ptrdiff_t row = wide_row() + 2 * cols * static_cast<std::ptrdiff_t>(sizeof(S));
        return sizeof(double) * static_cast<std::size_t>(cols) +
               (mask == nullptr ? 0 : static_cast<std::size_t>(real * row));
    }
    static double* doubles(char* scratch) { return reinterpret_cast<double*>(scratch); }
};

struct Arrays {
    Flat y, target, mask;
    std::ptrdiff_t rows = 1, cols = 1;

    Arrays(nb::handle y_, nb::handle target_, nb::handle mask_)
        : y(y_), target(target_), mask(mask_) {
        if (y.ndim() == 0) return;
        cols = y.shape(y.ndim() - 1);
        for (int axis = 0; axis < y.ndim() - 1; ++axis) rows *= y.shape(axis);
    }

    bool fit(bool classes) const {
        const int steps = y.ndim() - 1;
        if (!y.floats() || steps < 1) return false;
        if (!mask.absent() &&
            (mask.kind() != '?' || mask.ndim() != steps || !mask.begins_like(y, steps)))
            return false;
        if (!classes)
            return target.floats() && target.ndim() == y.ndim() && target.begins_like(y, y.ndim());
        if (target.kind() != 'q' || target.ndim() != steps || !target.begins_like(y, steps))
            return false;
        const auto* const numbers = target.data<std::int64_t>();
        return std::all_of(numbers, numbers + rows,
                           [&](std::int64_t k) { return k >= 0 && k < cols; });
    }
};

template <class S>
double run(const Arrays& arrays, Loss loss, bool mean, double parameter, S* dy) {
    const bool classes = loss == Loss::softmax_class;
    const std::ptrdiff_t rows = arrays.rows, cols = arrays.cols;
    const int target_type = arrays.target.kind() == 'f' ? 0 : 1;
    const std::ptrdiff_t target_size = target_type == 0 ? sizeof(float) : sizeof(double);
    Work<S> work{losses(S()).of[static_cast<int>(loss)][target_type],
                 arrays.y.data<S>(),
                 arrays.target.data<char>(),
                 classes ? static_cast<std::ptrdiff_t>(sizeof(std::int64_t)) : cols * target_size,
                 dy,
                 arrays.mask.data<std::uint8_t>(),
                 cols,
                 1.0,
                 parameter};
    if (rows * cols == 0) return 0.0;
    const std::ptrdiff_t size = std::max<std::ptrdiff_t>(1, sum_block / cols);
    std::ptrdiff_t real = rows;
    std::vector<std::ptrdiff_t> starts;
    if (work.mask != nullptr) starts = cut_rows(work.mask, rows, size, real);
    if (real == 0) {
        std::fill(dy, dy + rows * cols, S(0));
        return 0.0;
    }
    const bool by_step = loss == Loss::softmax || classes;
    if (mean) work.scale = 1.0 / (static_cast<double>(real) * (by_step ? 1.0 : cols));
    const std::ptrdiff_t blocks = (real + size - 1) / size;
    const auto start = [&](std::ptrdiff_t block) {
        return starts.empty() ? std::min(block * size, rows) : starts[block];
    };
    Partial sums(blocks);
    share(rows * cols, blocks, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        const Buffer scratch(work.scratch_bytes(size));
        for (std::ptrdiff_t block = first; block < last; ++block)
            sums[block] =
                work.run(start(block), start(block + 1), static_cast<char*>(scratch.data()));
    });
    return sums.sum();
}

// An array of the shape of another in memory from the pool.
template <class S> nb::object like(const Flat& other, S*& data) {
    data = static_cast<S*>(take(sizeof(S) * static_cast<std::size_t>(other.size())));
    const nb::capsule owner(data, [](void* block) noexcept { give(block); });
    std::size_t shape[3];
    for (int axis = 0; axis < other.ndim(); ++axis) shape[axis] = other.shape(axis);
    return nb::cast(nb::ndarray<nb::numpy, S>(data, other.ndim(), shape, owner));
}

template <class S>
nb::object value_and_gradient(const Arrays& arrays, Loss loss, bool mean, double parameter) {
    S* data;
    const nb::object dy = like(arrays.y, data);
    double value;
    {
        nb::gil_scoped_release release;
        value = run(arrays, loss, mean, parameter, data);
    }
    return nb::make_tuple(value, dy);
}

nb::object evaluate(Loss loss, nb::handle y, nb::handle target, nb::handle mask, bool mean,
                    double parameter) {
    const Arrays arrays(y, target, mask);
    if (loss == Loss::softmax && arrays.target.kind() == 'q') loss = Loss::softmax_class;
    if (!arrays.fit(loss == Loss::softmax_class)) return nb::none();
    if (arrays.y.ndim() > 3) return nb::none();
    return arrays.y.kind() == 'f' ? value_and_gradient<float>(arrays, loss, mean, parameter)
                                  : value_and_gradient<double>(arrays, loss, mean, parameter);
}

}  // namespace

void bind_losses(nb::module_& m) {
    // (y, target, mask or None, whether the mean is taken, a parameter) -> (value, dL/dy)
    const auto bind = [&](const char* name, Loss loss) {
        m.def(
            name,
            [loss](nb::handle y, nb::handle target, nb::handle mask, bool mean, double parameter) {
                return evaluate(loss, y, target, mask, mean, parameter);
            },
            nb::arg(), nb::arg(), nb::arg().none(), nb::arg(), nb::arg());
    };
    bind("squared_error", Loss::squared);
    bind("half_squared_error", Loss::half_squared);
    bind("absolute_error", Loss::absolute);
    bind("huber_error", Loss::huber);
    bind("softmax_crossentropy", Loss::softmax);
}

}  // namespace throughtime
