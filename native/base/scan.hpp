// Scans: recurrent cells without a product in their time loop, as each level offers them.
//
// The arrays are laid out as in loops.hpp.
#pragma once

#include <cstdint>

#include "base/common.hpp"
#include "base/pointwise.hpp"

namespace throughtime {

// The cells by the number that each has as `scan` in cells/ on the Python side.
enum class ScanKind : int { min_gru, min_lstm, ind_rnn, lru };
inline constexpr int n_scans = 4;

// G: gates side by side in W and b.
constexpr int scan_gates(ScanKind kind) {
    constexpr int gates[n_scans] = {2, 3, 1, 2};
    return gates[static_cast<int>(kind)];
}
// States, all of which are the output, side by side.
constexpr int scan_states(ScanKind kind) { return kind == ScanKind::lru ? 2 : 1; }
// Rows of c.
constexpr int scan_coefficients(ScanKind kind) {
    constexpr int coefficients[n_scans] = {0, 0, 1, 2};
    return coefficients[static_cast<int>(kind)];
}

template <class S> struct Scan {
    ScanKind kind;
    Size N, T, F, H;
    Activation activation;
    S parameter;                          // of the activation
    bool reverse;
    int threads;
    const S* x;                           // (N, T, F)
    Size x_row, x_step;
    const S *W, *b, *c;                   // (F, G*H), (G*H) or null, (coefficients, H)
    const S* first[2];                    // (N, H): the initial states; null beyond the last state
    const std::uint8_t* mask;             // (N, T), 0 at masked steps; null: no step is masked
    Size mask_row, mask_step;
    S* y;                                 // (N, T, states*H), contiguous
    S* last[2];                           // (N, H): the final states
    void* tape;                           // of tape_bytes(), or null
};

template <class S> struct ScanBack {
    Scan<S> forward;                      // the arrays of the forward pass, y as it left it
    const S* dy;                          // (N, T, states*H), or null: zero
    Size dy_row, dy_step;
    const S* d_last[2];                   // (N, H), or null: zero
    S *dW, *db, *dc;                      // added to; db null if there is no b
    S* dx;                                // (N, T, F), contiguous, or null: not needed
    S* d_first[2];                        // (N, H)
};

template <class S> struct Scans {
    std::size_t (*tape_bytes)(const Scan<S>&);
    void (*forward)(const Scan<S>&);
    void (*backward)(const ScanBack<S>&);
};

}  // namespace throughtime
