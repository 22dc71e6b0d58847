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

using Index = std::ptrdiff_t;

const Losses<float>& losses(float) { return *api().losses_f32; }
const Losses<double>& losses(double) { return *api().losses_f64; }

bool is_real(std::uint8_t flag) { return flag != 0; }

// The arrays of a call: outputs (..., K) at rows of steps, targets, and which rows count how much.
struct Arrays {
    Flat y, target, mask, weight;
    Index rows = 1, cols = 1;

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

// Which rows count, how much, and how they are cut into blocks: so many rows that count, whatever
// stands between them. A sum does not depend then on how much padding there is.
struct Plan {
    std::vector<std::uint8_t> flags;  // of rows whose weight is above zero, where there are weights
    const std::uint8_t* mask;         // null where all rows count
    std::vector<Index> starts;        // with a mask: where each block begins; then the end
    std::vector<double> scales;       // with weights: c_s of each row that counts
    double scale = 1.0;
    Index rows, size, real, blocks;

    Plan(const Arrays& a, bool mean, Index terms)
        : mask(a.mask.data<std::uint8_t>()), rows(a.rows),
          size(std::max<Index>(1, sum_block / a.cols)), real(a.rows) {
        const double* const weight = a.weight.data<double>();
        if (weight != nullptr) {
            flags.resize(static_cast<std::size_t>(rows));
            std::transform(weight, weight + rows, flags.begin(),
                           [](double w) { return static_cast<std::uint8_t>(w > 0.0); });
            mask = flags.data();
        }
        if (mask != nullptr) cut();
        blocks = (real + size - 1) / size;
        if (weight != nullptr)
            weigh(weight, mean, terms);
        else if (mean)
            scale = 1.0 / static_cast<double>(real * terms);
    }

    Index start(Index block) const {
        return starts.empty() ? std::min(block * size, rows)
                              : starts[static_cast<std::size_t>(block)];
    }

   private:
    void cut() {
        real = 0;
        starts.push_back(0);
        for (Index row = 0; row < rows; ++row)
            if (is_real(mask[row])) {
                if (real > 0 && real % size == 0) starts.push_back(row);
                ++real;
            }
        starts.push_back(rows);
    }

    // (J2) and (J3) of losses/base.py.
    void weigh(const double* weight, bool mean, Index terms) {
        for (Index row = 0; row < rows; ++row)
            if (is_real(mask[row])) scales.push_back(weight[row]);
        if (!mean || scales.empty()) return;
        const double largest = *std::max_element(scales.begin(), scales.end());
        double sum = 0.0;  // that of the weights may overflow, this one cannot
        for (double& c : scales) sum += c /= largest;
        for (double& c : scales) c /= sum * static_cast<double>(terms);
    }
};

// The blocks of a call, one after the other.
template <class S> class Work {
   public:
    Work(const Plan& plan_, LossKernel<S> kernel_, const Arrays& arrays, double parameter, S* dy_)
        : plan(plan_), kernel(kernel_), y(arrays.y.data<S>()), target(arrays.target.data<char>()),
          target_bytes(arrays.target.bytes() / arrays.rows), dy(dy_), cols(arrays.cols) {
        rows.cols = cols;
        rows.scale = plan.scale;
        rows.parameter = parameter;
    }

    // Of doubles that the kernel works in, and of rows that are moved next to each other.
    std::size_t scratch_bytes() const {
        const Index numbers = plan.scales.empty() ? cols : plan.size * cols;
        const Index moved = plan.mask == nullptr ? 0 : plan.size * (2 * row_bytes() + target_bytes);
        return sizeof(double) * static_cast<std::size_t>(numbers + 2) +
               static_cast<std::size_t>(moved);
    }

    double run(Index block, char* scratch) {
        const Index begin = plan.start(block), end = plan.start(block + 1);
        rows.rows = end - begin;
        if (!plan.scales.empty()) rows.scales = plan.scales.data() + block * plan.size;
        rows.scratch = reinterpret_cast<double*>(scratch);
        if (plan.mask == nullptr || std::all_of(plan.mask + begin, plan.mask + end, is_real)) {
            rows.y = y + begin * cols;
            rows.target = target + begin * target_bytes;
            rows.dy = dy + begin * cols;
            return kernel(rows);
        }
        return run_masked(begin, end, scratch);
    }

   private:
    Index row_bytes() const { return cols * static_cast<Index>(sizeof(S)); }

    // The rows that count next to each other, and their gradients back to where they belong.
    double run_masked(Index begin, Index end, char* scratch) {
        const std::uint8_t* const mask = plan.mask;
        rows.rows = std::count_if(mask + begin, mask + end, is_real);
        // Doubles first, then whatever the format of the numbers is: all are aligned.
        const Index numbers = plan.scales.empty() ? cols : plan.size * cols;
        char* place = scratch + sizeof(double) * static_cast<std::size_t>(numbers);
        const auto part = [&](Index bytes) {
            char* const own = place;
            place += (bytes + 7) / 8 * 8;
            return own;
        };
        char* const targets = part(rows.rows * target_bytes);
        char* const outputs = part(rows.rows * row_bytes());
        char* const slopes = part(rows.rows * row_bytes());
        Index k = 0;
        for (Index row = begin; row < end; ++row) {
            if (!is_real(mask[row])) continue;
            std::memcpy(outputs + k * row_bytes(), y + row * cols, row_bytes());
            std::memcpy(targets + k * target_bytes, target + row * target_bytes, target_bytes);
            ++k;
        }
        rows.y = reinterpret_cast<const S*>(outputs);
        rows.target = targets;
        rows.dy = reinterpret_cast<S*>(slopes);
        const double sum = kernel(rows);
        k = 0;
        for (Index row = begin; row < end; ++row) {
            if (is_real(mask[row]))
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
    Index target_bytes;  // of a row
    S* dy;
    Index cols;
    Rows<S> rows{};
};

template <class S>
double run(const Arrays& arrays, Loss loss, bool mean, double parameter, S* dy) {
    if (arrays.rows * arrays.cols == 0) return 0.0;
    const bool one_term = loss == Loss::softmax || loss == Loss::softmax_class;
    const Plan plan(arrays, mean, one_term ? 1 : arrays.cols);
    if (plan.real == 0) {
        std::fill_n(dy, arrays.rows * arrays.cols, S(0));
        return 0.0;
    }
    const LossKernel<S> kernel =
        losses(S()).of[static_cast<int>(loss)][arrays.target.kind() == 'f' ? 0 : 1];
    Partial sums(plan.blocks);
    const int team = team_for(arrays.rows * arrays.cols, plan.blocks);
    const Work<S> whole(plan, kernel, arrays, parameter, dy);
    const std::size_t bytes = (whole.scratch_bytes() + 63) / 64 * 64;
    const Buffer scratch(bytes * static_cast<std::size_t>(std::max(team, 1)));
    share(team, plan.blocks, [&](Index first, Index last, int thread) {
        Work<S> work = whole;
        char* const own = static_cast<char*>(scratch.data()) + bytes * static_cast<std::size_t>(thread);
        for (Index block = first; block < last; ++block) sums[block] = work.run(block, own);
    });
    return sums.sum();
}

// An array of the shape of another in memory from the pool.
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
    double value;
    {
        nb::gil_scoped_release release;
        value = run(arrays, loss, mean, parameter, data);
    }
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
    // y, target, the mask of the steps or None, their weights or None, whether the mean is taken,
    // and a parameter. With weights, the mask is in them.
    const auto bind = [&](const char* name, Loss loss) {
        const auto optional = nb::arg().none();
        m.def(
            name,
            [loss](nb::handle y, nb::handle target, nb::handle mask, nb::handle weight, bool mean,
                   double parameter) {
                return evaluate(loss, y, target, mask, weight, mean, parameter);
            },
            nb::arg(), nb::arg(), optional, optional, nb::arg(), nb::arg());
    };
    bind("squared_error", Loss::squared);
    bind("half_squared_error", Loss::half_squared);
    bind("absolute_error", Loss::absolute);
    bind("huber_error", Loss::huber);
    bind("sigmoid_crossentropy", Loss::sigmoid);
    bind("softmax_crossentropy", Loss::softmax);
}

}  // namespace throughtime
