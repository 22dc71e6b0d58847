// Recurrent cells with options: layer normalisation, peepholes, coupled gates, projection, clipping,
// zoneout. Each level offers their time loops, and what stands around them.
//
// All arrays are contiguous and in the order of the loop: rows of a step, step after step. What does
// not depend on the state comes in as `a`, and the gradients of the weights are products of what
// comes out. T slots of an array are one slot, written again at each step, where nothing is kept.
#pragma once

#include "base/loops.hpp"

namespace throughtime {

template <class S> struct OptionLoop {
    Sizes<S> sizes;                       // F is not used
    Size P, G;                            // numbers in h; gates, 3 of an LSTM if they are coupled
    S cell_clip, hidden_clip;             // infinity: none
    S rates[2];                           // of zoneout of h and c where nothing is drawn
    bool keep;
    const S *W_h, *W_r;                   // (P, G*H); (H, P) or null
    const S *W_c, *g_h, *g_c, *b_c, *b_hn;  // (G - 1, H), (G*H), (H), (H), (H), or null
    const std::uint8_t* mask;             // (T, N), 0 at masked steps; null: no step is masked
    const S* drop;                        // (N, P), or null
    const std::uint8_t* hold[2];          // (T, N, P) and (T, N, H): what was drawn; or null
    const S* a;                           // (T, N, G*H)
    S *h, *c;                             // (T + 1, N, P) and (T + 1, N, H); slot 0 is given
    S *h_new, *c_new;                     // (T, N, ..): what the cell proposes; may be h + N*P
    S *gates, *phi, *m;                   // (T, N, G*H), (T, N, H): (L2), (L13), q of a GRU in phi
    S *w, *k, *w_c, *k_c;                 // (T, N, G*H), (T, N, 2), (T, N, H), (T, N): (L6), (L5)
};

template <class S> struct OptionBack {
    OptionLoop<S> forward;
    const S *W_h_T, *W_r_T;               // (G*H, P), (P, H)
    const S* dy;                          // (T, N, P), or null: zero
    S *dh, *dc;                           // (N, P), (N, H): of the final states, then of the first
    S *da, *du, *dr;                      // (T, N, G*H): of a_t, of the recurrent part, and of
                                          // h_{t-1} W_h; du may be da, and dr may be du
    S *dp, *dv;                           // (T, N, P), (T, N, H): of h_new and of v_t, (L13)
};

// (L5) and (L6) of rows, then a = g w + b. Each row is one part of `cut` numbers and another of the
// rest, or one part.
template <class S> struct Normalisation {
    Size M, W, cut;
    const S *v, *g, *b;                   // (M, W), (W), (W) or null
    S *w, *k, *a;                         // (M, W), (M, 2), (M, W); a may be v
    const S* da;                          // (M, W), backward only
    S* dv;                                // (M, W)
    int threads;
};

// out += the sum over rows of a b, or of a.
template <class S> struct ColumnSums {
    Size M, W;
    const S *a, *b;                       // (M, W); b null: ones
    Size a_row, b_row;
    S* out;
    int threads;
};

template <class S> struct OptionLoops {
    void (*forward)(const OptionLoop<S>&);
    void (*backward)(const OptionBack<S>&);
    void (*normalise)(const Normalisation<S>&);
    void (*normalise_back)(const Normalisation<S>&);
    void (*column_sums)(const ColumnSums<S>&);
};

}  // namespace throughtime
