// Forecasts of many settings of exponential smoothing from many origins inside one series, as each
// level offers them. The equations are those of forecasting/smoothing.py.
#pragma once

#include <cstdint>

#include "base/common.hpp"

namespace throughtime {

// One series, and where it is forecast from.
struct RollingSeries {
    const double *z, *y;          // (T) transformed, and in the units of the data; NaN if missing
    const std::int64_t* place;    // (T + H) the class of the cycle, below P
    const std::int64_t* origins;  // (O) increasing, from 1 to T
    const double* pattern;        // (P) the first pattern
    Size T, O, H, P;
    Size begin;       // the step of the first level; -1 with a season
    double start;     // the first level
    bool log;         // whether z is the logarithm of y
    double ceiling;   // of a forecast, with logarithms
};

// The settings side by side: columns of C numbers.
struct RollingSettings {
    const double *alpha, *phi, *gamma;
    const double* step;   // alpha beta of the trend "local", else 0
    const double* back;   // (1 - phi) / phi of the trend "return", else 0
    const double* slope;  // the first slope
    const double* drift;  // 1 for the trend "drift", else 0
    const double* theta;  // 1 for the trend "theta", else 0
    const double* bent;   // 1 where a rise of logarithms stays one: the trend "return"; else 0
    Size C;
};

struct Rolling {
    Size width;  // the most settings of a call
    // Doubles of working memory of a call.
    Size (*scratch)(const RollingSeries&);
    // Fills level (O, C), slope (O, C) and season (O, C, P) at the n columns `which`. Reads no y.
    void (*states)(const RollingSeries&, const RollingSettings&, const Size* which, Size n,
                   double* level, double* slope, double* season, double* scratch);
    // Fills errors (O, C) at the n columns `which`. weight (H): of the steps ahead.
    void (*errors)(const RollingSeries&, const RollingSettings&, const Size* which, Size n,
                   const double* weight, double* errors, double* scratch);
    // Adds the forecasts of the n columns, times weights (O, C), whose rows are `row` numbers
    // apart, to means (O, H), whose numbers are `apart` numbers apart.
    void (*means)(const RollingSeries&, const RollingSettings&, const Size* which, Size n,
                  const double* weights, Size row, double* means, Size apart, double* scratch);
};

}  // namespace throughtime
