// The time loops, as every level offers them: what goes in and what comes out.
//
// All arrays are the caller's. The last axis is contiguous everywhere; other strides are counted in
// numbers, not bytes. The layout of the weights is that of the Python side: W_x (F, G*H),
// W_h (H, G*H), gates i f g o of an LSTM, r z n of a GRU.
#pragma once

#include <cstddef>
#include <cstdint>

namespace throughtime {

enum class Cell : int { elman, gru, lstm };

// Of one recurrent layer in one direction, and of one call.
template <class S> struct Sizes {
    Cell cell;
    std::ptrdiff_t N, T, F, H;
    // Numbers as in native/activations.hpp, each with its one parameter.
    int activation, gate_activation;
    S activation_parameter, gate_parameter;
    bool reset_after;  // GRU
    bool reverse;
    int threads;
};

template <class S> struct Weights {
    const S *W_x, *W_h;                   // (F, G*H), (H, G*H)
    const S *b, *b_time, *b_hn;           // (G*H), (G*H), (H); null where the layer has none
};

// The memory of a pass that is kept for the way back; see Tape in layout.hpp for its layout.
template <class S> struct Unroll {
    Sizes<S> sizes;
    Weights<S> weights;
    const S* x;                           // (N, T, F)
    std::ptrdiff_t x_row, x_step;
    const S *h_0, *c_0;                   // (N, H), contiguous
    const std::uint8_t* mask;             // (N, T), 1 where a step is real; null: all are
    std::ptrdiff_t mask_row, mask_step;
    const std::uint8_t* started;          // (N), with b_time: the state goes on from earlier steps
    const S* drop;                        // (N, H), contiguous, or null
    S* y;                                 // (N, T, H), contiguous
    S *h_T, *c_T;                         // (N, H)
    void* tape;                           // of tape_bytes(), or null
};

template <class S> struct Bptt {
    Unroll<S> forward;                    // the same arrays as then; y as it was
    const S* dy;                          // (N, T, H), or null: zero
    std::ptrdiff_t dy_row, dy_step;
    const S *dh_T, *dc_T;                 // (N, H), contiguous, or null: zero
    S *dW_x, *dW_h, *db, *db_time, *db_hn;  // added to; null where the layer has none
    S* dx;                                // (N, T, F), contiguous, or null: not wanted
    S *dh_0, *dc_0;                       // (N, H)
};

// A dense layer's product, y = b + x W; everything contiguous.
template <class S> struct Affine {
    std::ptrdiff_t M, F, K;               // rows, inputs, outputs
    const S *x, *W, *b;                   // (M, F), (F, K), (K) or null
    S* y;                                 // (M, K)
    int threads;
};

template <class S> struct AffineBack {
    Affine<S> forward;                    // y is not read
    const S* dz;                          // (M, K)
    S *dW, *db;                           // added to; db null where there is no b
    S* dx;                                // (M, F), or null: not wanted
};

// One layer of a network that is fed step by step; its states are changed in place.
template <class S> struct StreamLayer {
    bool dense;                           // else recurrent, a GRU being reset after
    Sizes<S> sizes;                       // F and H, and of a dense layer the activation
    Weights<S> weights;                   // of a dense layer W_x and b
    S *h, *c;                             // (N, H)
    S* started;                           // (N, 1), with b_time: not 0 where a step came before
};

template <class S> struct Stream {
    const StreamLayer<S>* layers;
    std::ptrdiff_t count, rows;
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
    std::size_t (*scratch_numbers)(const StreamLayer<S>*, std::ptrdiff_t count);
    void (*stream)(const Stream<S>&);
};

}  // namespace throughtime
