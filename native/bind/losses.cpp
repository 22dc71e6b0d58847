// Losses with their gradients, for Python. Each function returns None if kernels cannot work on an
// array; the caller then takes the reference engine.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <algorithm>
#include <vector>

#include "base/api.hpp"
#include "base/memory.hpp"
#include "base/split.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {


bool is_set(std::uint8_t flag) { return flag != 0; }

// The arrays of a call: outputs (..., K), a row for each step; targets; mask and weights of rows.
struct Arrays {
    Flat y, target, mask, weight;
    Size rows = 1, cols = 1;

    Arrays(nb::handle y_, nb::handle target_, nb::handle mask_, nb::handle weight_)
        : y(y_), target(target_), mask(mask_), weight(weight_) {
        if (y.ndim() == 0) return;
        cols = y.shape(y.ndim() - 1);
        for (int axis = 0; axis < y.ndim() - 1; ++axis) rows *= y.shape(axis);
    }

    bool fit(bool classes) const {
        const int steps = y.ndim() - 1;
        const auto a_number_a_step = [&](const Flat& v, char kind) {
            return v.kind() == kind && v.ndim() == steps && v.begins_like(y, steps);
        };
        if (!y.floats() || steps < 1 || steps > 2) return false;
        if (!mask.absent() && !a_number_a_step(mask, '?')) return false;
        if (!weight.absent() && !a_number_a_step(weight, 'd')) return false;
        if (!classes) return target.floats() && target.ndim() == y.ndim() &&
                             target.begins_like(y, y.ndim());
        if (!a_number_a_step(target, 'q')) return false;
        const auto* const numbers = target.data<std::int64_t>();
        return std::all_of(numbers, numbers + rows,
                           [&](std::int64_t k) { return k >= 0 && k < cols; });
    }
};

// Which rows count, how much, and how they are cut into blocks. Each block has the same number of
// rows that count, so that a sum does not depend on how much padding there is.
struct Plan {
    std::vector<std::uint8_t> flags;  // with weights: whether the weight of a row is above zero
    const std::uint8_t* mask;         // null if all rows count
    std::vector<Size> starts;         // with a mask: where each block begins; then the end
    std::vector<double> scales;       // with weights: c_s of each row that counts
    double scale = 1.0;
    Size rows, size, counted, blocks;

    Plan(const Arrays& a, bool mean, Size terms)
        : mask(a.mask.data<std::uint8_t>()), rows(a.rows),
          size(std::max<Size>(1, sum_block / a.cols)), counted(a.rows) {
        const double* const weight = a.weight.data<double>();
        if (weight != nullptr) {
            flags.resize(static_cast<std::size_t>(rows));
            std::transform(weight, weight + rows, flags.begin(),
                           [](double w) { return static_cast<std::uint8_t>(w > 0.0); });
            mask = flags.data();
        }
        if (mask != nullptr) cut();
        blocks = (counted + size - 1) / size;
        if (weight != nullptr)
            weigh(weight, mean, terms);
        else if (mean)
            scale = 1.0 / static_cast<double>(counted * terms);
    }

    Size start(Size block) const {
        return starts.empty() ? std::min(block * size, rows)
                              : starts[static_cast<std::size_t>(block)];
    }

   private:
    void cut() {
        counted = 0;
        starts.push_back(0);
        for (Size row = 0; row < rows; ++row)
            if (is_set(mask[row])) {
                if (counted > 0 && counted % size == 0) starts.push_back(row);
                ++counted;
            }
        starts.push_back(rows);
    }

    // (J2) and (J3) of losses/base.py.
    void weigh(const double* weight, bool mean, Size terms) {
        for (Size row = 0; row < rows; ++row)
            if (is_set(mask[row])) scales.push_back(weight[row]);
        if (!mean || scales.empty()) return;
        const double largest = *std::max_element(scales.begin(), scales.end());
        double sum = 0.0;  // that of the weights may overflow, this one cannot
        for (double& c : scales) sum += c /= largest;
        for (double& c : scales) c /= sum * static_cast<double>(terms);
    }
};

// Runs the kernel on the blocks of a call. Each thread has one of its own.
template <class S> class Work {
   public:
    Work(const Plan& plan_, LossKernel<S> kernel_, const Arrays& arrays, double parameter, S* dy_)
        : plan(plan_), kernel(kernel_), y(arrays.y.data<S>()), target(arrays.target.data<char>()),
          target_bytes(arrays.target.bytes() / arrays.rows), dy(dy_), cols(arrays.cols) {
        rows.cols = cols;
        rows.scale = plan.scale;
        rows.parameter = parameter;
    }

    // For doubles that the kernel works in, and for rows that are moved next to each other.
    std::size_t scratch_bytes() const {
        const Size numbers = plan.scales.empty() ? cols : plan.size * cols;
        const Size moved = plan.mask == nullptr ? 0 : plan.size * (2 * row_bytes() + target_bytes);
        return sizeof(double) * static_cast<std::size_t>(numbers + 2) +
               static_cast<std::size_t>(moved);
    }

    double run(Size block, char* scratch) {
        const Size begin = plan.start(block), end = plan.start(block + 1);
        rows.rows = end - begin;
        if (!plan.scales.empty()) rows.scales = plan.scales.data() + block * plan.size;
        rows.scratch = reinterpret_cast<double*>(scratch);
        if (plan.mask == nullptr || std::all_of(plan.mask + begin, plan.mask + end, is_set)) {
            rows.y = y + begin * cols;
            rows.target = target + begin * target_bytes;
            rows.dy = dy + begin * cols;
            return kernel(rows);
        }
        return run_masked(begin, end, scratch);
    }

   private:
    Size row_bytes() const { return cols * static_cast<Size>(sizeof(S)); }

    // Moves the rows that count next to each other, and their gradients back to their places.
    double run_masked(Size begin, Size end, char* scratch) {
        const std::uint8_t* const mask = plan.mask;
        rows.rows = std::count_if(mask + begin, mask + end, is_set);
        // Doubles first, then numbers of any type: so all are aligned.
        const Size numbers = plan.scales.empty() ? cols : plan.size * cols;
        char* place = scratch + sizeof(double) * static_cast<std::size_t>(numbers);
        const auto part = [&](Size bytes) {
            char* const own = place;
            place += (bytes + 7) / 8 * 8;
            return own;
        };
        char* const targets = part(rows.rows * target_bytes);
        char* const outputs = part(rows.rows * row_bytes());
        char* const slopes = part(rows.rows * row_bytes());
        Size k = 0;
        for (Size row = begin; row < end; ++row) {
            if (!is_set(mask[row])) continue;
            std::memcpy(outputs + k * row_bytes(), y + row * cols, row_bytes());
            std::memcpy(targets + k * target_bytes, target + row * target_bytes, target_bytes);
            ++k;
        }
        rows.y = reinterpret_cast<const S*>(outputs);
        rows.target = targets;
        rows.dy = reinterpret_cast<S*>(slopes);
        const double sum = kernel(rows);
        k = 0;
        for (Size row = begin; row < end; ++row) {
            if (is_set(mask[row]))
                std::memcpy(dy + row * cols, slopes + k++ * row_bytes(), row_bytes());
            else
                std::memset(dy + row * cols, 0, row_bytes());
        }
        return sum;
    }

    const Plan& plan;
    LossKernel<S> kernel;
    const S* y;
    const char* target;
    Size target_bytes;  // of a row
    S* dy;
    Size cols;
    LossRows<S> rows{};
};

template <class S>
double run(const Arrays& arrays, Loss loss, bool mean, double parameter, S* dy) {
    if (arrays.rows * arrays.cols == 0) return 0.0;
    const bool one_term = loss == Loss::softmax || loss == Loss::softmax_class;
    const Plan plan(arrays, mean, one_term ? 1 : arrays.cols);
    if (plan.counted == 0) {
        std::fill_n(dy, arrays.rows * arrays.cols, S(0));
        return 0.0;
    }
    const LossKernel<S> kernel =
        api().losses.of<S>().of[static_cast<int>(loss)][arrays.target.kind() == 'f' ? 0 : 1];
    BlockSums sums(plan.blocks);
    const int threads = threads_for(arrays.rows * arrays.cols, plan.blocks);
    const Work<S> whole(plan, kernel, arrays, parameter, dy);
    const std::size_t bytes = (whole.scratch_bytes() + 63) / 64 * 64;
    const Buffer scratch(bytes * static_cast<std::size_t>(std::max(threads, 1)));
    split(threads, plan.blocks, [&](Size first, Size last, int thread) {
        Work<S> work = whole;
        char* const own =
            static_cast<char*>(scratch.data()) + bytes * static_cast<std::size_t>(thread);
        for (Size block = first; block < last; ++block) sums[block] = work.run(block, own);
    });
    return sums.sum();
}

// A new array of the shape of another, in memory that take() returns.
template <class S> nb::object like(const Flat& other, S*& data) {
    data = static_cast<S*>(take(sizeof(S) * static_cast<std::size_t>(other.size())));
    const nb::capsule owner(data, [](void* block) noexcept { give(block); });
    std::size_t shape[3];
    for (int axis = 0; axis < other.ndim(); ++axis)
        shape[axis] = static_cast<std::size_t>(other.shape(axis));
    return nb::cast(
        nb::ndarray<nb::numpy, S>(data, static_cast<std::size_t>(other.ndim()), shape, owner));
}

template <class S>
nb::object value_and_gradient(const Arrays& arrays, Loss loss, bool mean, double parameter) {
    S* data;
    const nb::object dy = like(arrays.y, data);
    const double value = without_gil([&] { return run(arrays, loss, mean, parameter, data); });
    return nb::make_tuple(value, dy);
}

nb::object evaluate(Loss loss, nb::handle y, nb::handle target, nb::handle mask, nb::handle weight,
                    bool mean, double parameter) {
    const Arrays arrays(y, target, mask, weight);
    if (loss == Loss::softmax && arrays.target.kind() == 'q') loss = Loss::softmax_class;
    if (!arrays.fit(loss == Loss::softmax_class)) return nb::none();
    return arrays.y.kind() == 'f' ? value_and_gradient<float>(arrays, loss, mean, parameter)
                                  : value_and_gradient<double>(arrays, loss, mean, parameter);
}

}  // namespace

void bind_losses(nb::module_& m) {
    // mask and weight have a number for each row; with a weight, the mask is not read.
    const auto bind = [&](const char* name, Loss loss) {
        m.def(
            name,
            [loss](nb::handle y, nb::handle target, nb::handle mask, nb::handle weight, bool mean,
                   double parameter) {
                return evaluate(loss, y, target, mask, weight, mean, parameter);
            },
            "y"_a, "target"_a, "mask"_a.none(), "weight"_a.none(), "mean"_a, "parameter"_a,
            "Return the value and the gradient.");
    };
    bind("squared_error", Loss::squared);
    bind("half_squared_error", Loss::half_squared);
    bind("absolute_error", Loss::absolute);
    bind("huber_error", Loss::huber);
    bind("sigmoid_crossentropy", Loss::sigmoid);
    bind("softmax_crossentropy", Loss::softmax);
}

}  // namespace throughtime
