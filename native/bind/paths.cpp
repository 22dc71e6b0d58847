// Losses that sum over paths, for Python. Each function returns False if kernels cannot work on the
// arrays; the caller then takes the reference engine. Sequences are split among threads, and no
// number of one depends on another.
#include <nanobind/nanobind.h>

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

// The arrays of a call: outputs (N, T, K) and their derivative; integers of each sequence; the mask
// (N, T); scales and terms (N). A sequence of scale 0 is left alone.
struct PathArrays {
    Flat y, target, mask, scale, terms, dy;
    Size N = 0, T = 0, K = 0;

    PathArrays(nb::handle y_, nb::handle target_, nb::handle mask_, nb::handle scale_,
               nb::handle terms_, nb::handle dy_)
        : y(y_), target(target_), mask(mask_), scale(scale_), terms(terms_, true), dy(dy_, true) {
        if (y.ndim() != 3) return;
        N = y.shape(0);
        T = y.shape(1);
        K = y.shape(2);
    }

    bool fit() const {
        const auto a_number_each = [&](const Flat& v) {
            return v.kind() == 'd' && v.ndim() == 1 && v.shape(0) == N;
        };
        if (!y.floats() || y.ndim() != 3 || K == 0 || !dy.matches(y)) return false;
        if (!mask.absent() &&
            !(mask.kind() == '?' && mask.ndim() == 2 && mask.begins_like(y, 2)))
            return false;
        return a_number_each(scale) && a_number_each(terms) && target.kind() == 'q' &&
               target.ndim() == 2 && target.shape(0) == N;
    }
};

// Calls work(n, steps, scratch) for each sequence that counts, with its unmasked steps.
template <class F> void for_sequences(const PathArrays& arrays, Size scratch, const F& work) {
    const auto* const mask = arrays.mask.data<std::uint8_t>();
    const double* const scale = arrays.scale.data<double>();
    double* const terms = arrays.terms.data<double>();
    const Size N = arrays.N, T = arrays.T;
    const int threads = threads_for(N * T * arrays.K, N);
    const std::size_t bytes =
        (sizeof(double) * static_cast<std::size_t>(scratch + T) + 63) / 64 * 64;
    const Buffer memory(bytes * static_cast<std::size_t>(std::max(threads, 1)));
    split(threads, N, [&](Size first, Size last, int thread) {
        char* const own = static_cast<char*>(memory.data()) + bytes * static_cast<std::size_t>(thread);
        Size* const steps = reinterpret_cast<Size*>(own);
        double* const numbers = reinterpret_cast<double*>(own + sizeof(Size) * T);
        for (Size n = first; n < last; ++n) {
            if (!(scale[n] > 0.0)) continue;
            Size count = 0;
            for (Size t = 0; t < T; ++t)
                if (mask == nullptr || mask[n * T + t] != 0) steps[count++] = t;
            terms[n] = work(n, steps, count, numbers);
        }
    });
}

// How many labels a row has before the first number below 0.
Size labels_of(const std::int64_t* row, Size most) {
    Size n = 0;
    while (n < most && row[n] >= 0) ++n;
    return n;
}

template <class S> void run_ctc(const PathArrays& arrays, Size blank) {
    const Paths<S>& paths = api().paths.of<S>();
    const auto* const labels = arrays.target.data<std::int64_t>();
    const Size T = arrays.T, K = arrays.K, L = arrays.target.shape(1);
    for_sequences(arrays, paths.ctc_scratch(T, K, L),
                  [&](Size n, const Size* steps, Size count, double* scratch) {
                      const std::int64_t* const own = labels + n * L;
                      const Size at = n * T * K;
                      return paths.ctc({arrays.y.data<S>() + at, arrays.dy.data<S>() + at, steps,
                                        own, count, K, labels_of(own, L), blank,
                                        arrays.scale.data<double>()[n], scratch});
                  });
}

template <class S> void run_crf(const PathArrays& arrays, Size tags) {
    const Paths<S>& paths = api().paths.of<S>();
    const auto* const target = arrays.target.data<std::int64_t>();
    const Size T = arrays.T, K = arrays.K;
    for_sequences(arrays, paths.crf_scratch(T, tags),
                  [&](Size n, const Size* steps, Size count, double* scratch) {
                      const Size at = n * T * K;
                      return paths.crf({arrays.y.data<S>() + at, arrays.dy.data<S>() + at, steps,
                                        target + n * T, count, tags,
                                        arrays.scale.data<double>()[n], scratch});
                  });
}

bool below(const Flat& numbers, Size limit) {
    const auto* const first = numbers.data<std::int64_t>();
    return std::all_of(first, first + numbers.size(),
                       [=](std::int64_t k) { return k < static_cast<std::int64_t>(limit); });
}

bool ctc(nb::handle y, nb::handle labels, nb::handle mask, nb::handle scale, Size blank,
         nb::handle terms, nb::handle dz) {
    const PathArrays arrays(y, labels, mask, scale, terms, dz);
    if (!arrays.fit() || blank < 0 || blank >= arrays.K || !below(arrays.target, arrays.K))
        return false;
    without_gil([&] {
        if (arrays.y.kind() == 'f')
            run_ctc<float>(arrays, blank);
        else
            run_ctc<double>(arrays, blank);
    });
    return true;
}

bool crf(nb::handle y, nb::handle tags, nb::handle mask, nb::handle scale, nb::handle terms,
         nb::handle dy) {
    const PathArrays arrays(y, tags, mask, scale, terms, dy);
    if (!arrays.fit() || !arrays.target.begins_like(arrays.y, 2)) return false;
    Size n_tags = 1;
    while ((n_tags + 1) * (n_tags + 1) <= arrays.K) ++n_tags;
    const auto* const first = arrays.target.data<std::int64_t>();
    const bool numbers = std::all_of(first, first + arrays.target.size(),
                                     [](std::int64_t k) { return k >= 0; });
    if (n_tags * n_tags != arrays.K || !numbers || !below(arrays.target, n_tags)) return false;
    without_gil([&] {
        if (arrays.y.kind() == 'f')
            run_crf<float>(arrays, n_tags);
        else
            run_crf<double>(arrays, n_tags);
    });
    return true;
}

}  // namespace

void bind_paths(nb::module_& m) {
    m.def("ctc", ctc, "y"_a, "labels"_a, "mask"_a.none(), "scale"_a, "blank"_a, "terms"_a, "dz"_a,
          "Fill the terms of CTC and their gradient; return whether it could.");
    m.def("crf", crf, "y"_a, "tags"_a, "mask"_a.none(), "scale"_a, "terms"_a, "dy"_a,
          "Fill the terms of a conditional random field and their gradient; return whether it"
          " could.");
}

}  // namespace throughtime
