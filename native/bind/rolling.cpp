// Smoothing from many origins, for Python. Each call releases the GIL and uses one thread: there
// are as many calls as series, and threads of Python make them at once.
#include <nanobind/nanobind.h>

#include <algorithm>
#include <numeric>
#include <tuple>
#include <vector>

#include "base/api.hpp"
#include "base/memory.hpp"
#include "bind/arrays.hpp"
#include "bind/gil.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace throughtime {
namespace {

// The arrays of a call, checked.
struct RollingCall {
    Array z, y, place, origins, pattern, columns;
    RollingSeries series{};
    RollingSettings settings{};

    RollingCall(nb::handle z_, nb::handle y_, nb::handle place_, nb::handle origins_,
                nb::handle pattern_, nb::handle columns_, Size begin, double start, bool log,
                double ceiling)
        : z(z_, "z", 'd', 1), y(y_, "y", 'd', 1), place(place_, "place", 'q', 1),
          origins(origins_, "origins", 'q', 1), pattern(pattern_, "pattern", 'd', 1),
          columns(columns_, "columns", 'd', 2) {
        const Size T = z.shape(0), O = origins.shape(0), P = pattern.shape(0),
                   C = columns.shape(1), H = place.shape(0) - T;
        z.of("z", {T});
        y.of("y", {T});
        place.of("place", {T + H});
        origins.of("origins", {O});
        pattern.of("pattern", {P});
        columns.of("columns", {9, C});
        if (H < 0) throw std::invalid_argument("place is shorter than z");
        const auto* const classes = place.data<std::int64_t>();
        if (!std::all_of(classes, classes + T + H, [=](auto p) { return p >= 0 && p < P; }))
            throw std::invalid_argument("place is beyond the pattern");
        const auto* const points = origins.data<std::int64_t>();
        for (Size i = 0; i < O; ++i)
            if (points[i] < 1 || points[i] > T || (i > 0 && points[i] <= points[i - 1]))
                throw std::invalid_argument("origins must increase, from 1 to the end of z");
        series = {z.data<double>(), y.data<double>(), classes, points, pattern.data<double>(),
                  T, O, H, P, begin, start, log, ceiling};
        const double* const numbers = columns.data<double>();
        settings = {numbers, numbers + C, numbers + 2 * C, numbers + 3 * C, numbers + 4 * C,
                    numbers + 5 * C, numbers + 6 * C, numbers + 7 * C, numbers + 8 * C, C};
    }

    // The settings one after the other: those of a group together and, in it, those alike, which
    // take the same way through the kernel.
    std::vector<Size> order(const std::int64_t* groups) const {
        std::vector<Size> which(static_cast<std::size_t>(settings.C));
        std::iota(which.begin(), which.end(), Size{0});
        const auto key = [&](Size c) {
            return std::make_tuple(groups == nullptr ? 0 : groups[c], settings.bent[c],
                                   settings.drift[c], settings.theta[c], settings.step[c],
                                   settings.phi[c]);
        };
        std::stable_sort(which.begin(), which.end(),
                         [&](Size a, Size b) { return key(a) < key(b); });
        return which;
    }

    Buffer scratch() const {
        return Buffer(sizeof(double) * static_cast<std::size_t>(api().rolling->scratch(series)));
    }
};

void rolling_states(nb::handle z, nb::handle place, nb::handle origins, nb::handle pattern,
                    nb::handle columns, Size begin, double start, nb::handle level_,
                    nb::handle slope_, nb::handle season_) {
    const RollingCall call(z, z, place, origins, pattern, columns, begin, start, false, 0.0);
    const RollingSeries& series = call.series;
    const Size C = call.settings.C;
    const Array level(level_, "level", 'd', 2, true), slope(slope_, "slope", 'd', 2, true);
    const Array season(season_, "season", 'd', 3, true);
    level.of("level", {series.O, C});
    slope.of("slope", {series.O, C});
    season.of("season", {series.O, C, series.P});
    without_gil([&] {
        const std::vector<Size> which = call.order(nullptr);
        const Buffer scratch = call.scratch();
        const Size width = api().rolling->width;
        for (Size c = 0; c < C; c += width)
            api().rolling->states(series, call.settings, which.data() + c, std::min(width, C - c),
                                  level.data<double>(), slope.data<double>(),
                                  season.data<double>(), static_cast<double*>(scratch.data()));
    });
}

void rolling_errors(nb::handle z, nb::handle y, nb::handle place, nb::handle origins,
                    nb::handle pattern, nb::handle columns, Size begin, double start, bool log,
                    double ceiling, nb::handle weight_, nb::handle errors_) {
    const RollingCall call(z, y, place, origins, pattern, columns, begin, start, log, ceiling);
    const RollingSeries& series = call.series;
    const Size C = call.settings.C;
    const Array weight(weight_, "weight", 'd', 1), errors(errors_, "errors", 'd', 2, true);
    weight.of("weight", {series.H});
    errors.of("errors", {series.O, C});
    without_gil([&] {
        const std::vector<Size> which = call.order(nullptr);
        const Buffer scratch = call.scratch();
        const Size width = api().rolling->width;
        for (Size c = 0; c < C; c += width)
            api().rolling->errors(series, call.settings, which.data() + c, std::min(width, C - c),
                                  weight.data<double>(), errors.data<double>(),
                                  static_cast<double*>(scratch.data()));
    });
}

void rolling_means(nb::handle z, nb::handle y, nb::handle place, nb::handle origins,
                   nb::handle pattern, nb::handle columns, Size begin, double start, bool log,
                   double ceiling, nb::handle weights_, nb::handle groups_, nb::handle means_) {
    const RollingCall call(z, y, place, origins, pattern, columns, begin, start, log, ceiling);
    const RollingSeries& series = call.series;
    const Size C = call.settings.C;
    const Array weights(weights_, "weights", 'd', 2), groups(groups_, "groups", 'q', 1);
    const Array means(means_, "means", 'd', 3, true);
    const Size G = means.shape(2);
    weights.of("weights", {series.O, C}, false);
    groups.of("groups", {C});
    means.of("means", {series.O, series.H, G});
    // 0 for weights that are the same at all origins.
    const Size row = weights.stride(0);
    const auto* const group = groups.data<std::int64_t>();
    if (!std::all_of(group, group + C, [=](auto g) { return g >= 0 && g < G; }))
        throw std::invalid_argument("groups is beyond the means");
    without_gil([&] {
        std::vector<Size> which = call.order(group);
        std::erase_if(which, [&](Size c) {
            const double* const own = weights.data<double>() + c;
            for (Size i = 0; i < series.O; ++i)
                if (own[i * row] != 0.0) return false;
            return true;
        });
        const Size used = static_cast<Size>(which.size());
        const Buffer scratch = call.scratch();
        std::fill_n(means.data<double>(), series.O * series.H * G, 0.0);
        for (Size c = 0, n = 0; c < used; c += n) {
            const Size own = group[which[static_cast<std::size_t>(c)]];
            const Size most = std::min(api().rolling->width, used - c);
            for (n = 1; n < most && group[which[static_cast<std::size_t>(c + n)]] == own;) ++n;
            api().rolling->means(series, call.settings, which.data() + c, n,
                                 weights.data<double>(), row, means.data<double>() + own, G,
                                 static_cast<double*>(scratch.data()));
        }
    });
}

}  // namespace

void bind_rolling(nb::module_& m) {
    m.def("rolling_states", &rolling_states, "z"_a, "place"_a, "origins"_a, "pattern"_a,
          "columns"_a, "begin"_a, "start"_a, "level"_a, "slope"_a, "season"_a,
          "Fill level, slope and season with the states of each setting at each origin.");
    m.def("rolling_errors", &rolling_errors, "z"_a, "y"_a, "place"_a, "origins"_a, "pattern"_a,
          "columns"_a, "begin"_a, "start"_a, "log"_a, "ceiling"_a, "weight"_a, "errors"_a,
          "Fill errors with the weighted mean absolute error of each setting from each origin.");
    m.def("rolling_means", &rolling_means, "z"_a, "y"_a, "place"_a, "origins"_a, "pattern"_a,
          "columns"_a, "begin"_a, "start"_a, "log"_a, "ceiling"_a, "weights"_a, "groups"_a,
          "means"_a, "Fill means with the weighted sums of the forecasts of each group.");
}

}  // namespace throughtime
