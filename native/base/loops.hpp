// The time loops, the dense products and the step of a stream, as each level offers them.
//
// All arrays are the caller's. The last axis is contiguous everywhere; other strides are counted in
// numbers, not in bytes. Weights have the layout of the Python side: W_x (F, G*H) and W_h (H, G*H),
// the gates in the order i f g o (LSTM) or r z n (GRU).
#pragma once

#include <cstdint>

#include "base/pointwise.hpp"
#include "base/common.hpp"

namespace throughtime {

// The cells by the number that each has as `kernel` in cells/ on the Python side.
enum class CellKind : int { elman, gru, lstm };
inline constexpr int n_cells = 3;

// G: gates side by side in W_x, W_h and b.
TT_INLINE constexpr int gates_of(CellKind cell) {
    return cell == CellKind::lstm ? 4 : cell == CellKind::gru ? 3 : 1;
}
// Whether the state has a second part, c.
TT_INLINE constexpr bool has_c(CellKind cell) { return cell == CellKind::lstm; }

// The sizes and options of one call, for one recurrent layer in one direction.
template <class S> struct Sizes {
    CellKind cell;
    Size N, T, F, H;
    Activation activation, gate_activation;
    S activation_parameter, gate_parameter;
    bool reset_after;  // of a GRU
    bool reverse;
    int threads;
};

template <class S> struct Weights {
    const S *W_x, *W_h;                   // (F, G*H), (H, G*H)
    const S *b, *b_time, *b_hn;           // (G*H), (G*H), (H); null if the layer has none
};

template <class S> struct Unroll {
    Sizes<S> sizes;
    Weights<S> weights;
    const S* x;                           // (N, T, F)
    Size x_row, x_step;
    const S *h_0, *c_0;                   // (N, H), contiguous
    const std::uint8_t* mask;             // (N, T), 0 at masked steps; null: no step is masked
    Size mask_row, mask_step;
    const std::uint8_t* started;          // (N), with b_time: whether a step came before this call
    const S* drop;                        // (N, H), contiguous, or null
    S* y;                                 // (N, T, H), contiguous
    S *h_T, *c_T;                         // (N, H)
    void* tape;                           // of tape_bytes(), or null; TapeArrays says what is in it
};

template <class S> struct Bptt {
    Unroll<S> forward;                    // the arrays of the forward pass, y as it left it
    const S* dy;                          // (N, T, H), or null: zero
    Size dy_row, dy_step;
    const S *dh_T, *dc_T;                 // (N, H), contiguous, or null: zero
    S *dW_x, *dW_h, *db, *db_time, *db_hn;  // added to; null if the layer has none
    S* dx;                                // (N, T, F), contiguous, or null: not needed
    S *dh_0, *dc_0;                       // (N, H)
};

// A dense layer's product, y = b + x W, or y += b + x W; everything is contiguous.
template <class S> struct Affine {
    Size M, F, K;                         // rows, inputs, outputs
    const S *x, *W, *b;                   // (M, F), (F, K), (K) or null
    S* y;                                 // (M, K)
    int threads;
    bool add;
};

template <class S> struct AffineBack {
    Affine<S> forward;                    // y is not read
    const S* dz;                          // (M, K)
    S *dW, *db;                           // added to; db null if there is no b
    S* dx;                                // (M, F), or null: not needed
};

// Products of many pairs of matrices; everything is contiguous.
template <class S> struct Products {
    Size B, M, F, K;                      // pairs, rows, inputs, outputs
    bool transposed;                      // whether W holds the transposes, (B, K, F)
    const S *x, *W;                       // (B, M, F), (B, F, K)
    S* y;                                 // (B, M, K)
    int threads;
};

// One layer of a network that runs as a stream; its states are changed in place.
template <class S> struct StreamLayer {
    bool dense;                           // else recurrent, a GRU with reset_after
    Sizes<S> sizes;                       // of a dense layer F, H and the activation
    Weights<S> weights;                   // of a dense layer W_x and b
    S *h, *c;                             // (N, H)
    S* started;                           // (N, 1), with b_time: not 0 if a step came before
};

template <class S> struct Stream {
    const StreamLayer<S>* layers;
    Size count, rows;
    const S* x;                           // (rows, F of the first layer)
    S* y;                                 // (rows, H of the last layer)
    S* scratch;                           // of scratch_numbers()
};

template <class S> struct Loops {
    std::size_t (*tape_bytes)(const Sizes<S>&, bool masked, bool timed);
    void (*unroll)(const Unroll<S>&);
    void (*bptt)(const Bptt<S>&);
    void (*affine)(const Affine<S>&);
    void (*affine_back)(const AffineBack<S>&);
    std::size_t (*scratch_numbers)(const StreamLayer<S>*, Size count);
    void (*stream)(const Stream<S>&);
    void (*products)(const Products<S>&);
};

}  // namespace throughtime
