// The equations of the cells that scan.cpp runs, for one vector of units at one step, with the
// numbers of the cells in cells/ on the Python side.
//
//   step    replaces the states h by those after the step, from the sums a of the gates, and keeps
//           what back() needs
//   back    replaces dh, the gradient of the states after the step, by that of the states before
//           it, and adds to dc, the gradient of the coefficients
#pragma once

#include "base/scan.hpp"
#include "level/activations.hpp"

namespace throughtime::TT_LEVEL {

struct MinGru {
    static constexpr ScanKind kind = ScanKind::min_gru;
    static constexpr int gates = 2, states = 1, coefficients = 0;
    static constexpr int units = 2;  // vectors of units in a block
    static constexpr int saved = 2;  // z n
    static constexpr bool has_activation = true;

    template <Activation f, class V, class S>
    TT_INLINE static void step(const V* a, const V*, S parameter, V* h, V* kept) {
        kept[0] = sigmoid(a[0]);                     // (MG1)
        kept[1] = activate<f>(parameter, a[1]);      // (MG2)
        h[0] = fma(kept[0], kept[1] - h[0], h[0]);   // (MG3)
    }
    template <Activation f, class V, class S>
    TT_INLINE static void back(const V* kept, const V*, S parameter, const V* before, const V*,
                               V* dh, V* da, V*) {
        const V z = kept[0], n = kept[1];
        da[0] = dh[0] * (n - before[0]) * (z * (S(1) - z));     // (MG3'), (MG1')
        da[1] = dh[0] * z * derivative<f>(parameter, n);        // (MG3'), (MG2')
        dh[0] = dh[0] * (S(1) - z);                             // (MG3')
    }
};

struct MinLstm {
    static constexpr ScanKind kind = ScanKind::min_lstm;
    static constexpr int gates = 3, states = 1, coefficients = 0;
    static constexpr int units = 1;
    static constexpr int saved = 4;  // i s(-a_i) s(-a_f) g
    static constexpr bool has_activation = true;

    template <Activation f, class V, class S>
    TT_INLINE static void step(const V* a, const V*, S parameter, V* h, V* kept) {
        kept[0] = sigmoid(softplus(-a[1]) - softplus(-a[0]));   // (ML1b)
        kept[1] = sigmoid(-a[0]);
        kept[2] = sigmoid(-a[1]);
        kept[3] = activate<f>(parameter, a[2]);                 // (ML2)
        h[0] = fma(kept[0], kept[3] - h[0], h[0]);              // (ML3)
    }
    template <Activation f, class V, class S>
    TT_INLINE static void back(const V* kept, const V*, S parameter, const V* before, const V*,
                               V* dh, V* da, V*) {
        const V i = kept[0], g = kept[3];
        const V d = dh[0] * (g - before[0]) * (i * (S(1) - i));
        da[0] = d * kept[1];                                    // (ML3'), (ML1')
        da[1] = -d * kept[2];                                   // (ML3'), (ML1')
        da[2] = dh[0] * i * derivative<f>(parameter, g);        // (ML3'), (ML2')
        dh[0] = dh[0] * (S(1) - i);                             // (ML3')
    }
};

struct IndRnn {
    static constexpr ScanKind kind = ScanKind::ind_rnn;
    static constexpr int gates = 1, states = 1, coefficients = 1;
    static constexpr int units = 4;
    static constexpr int saved = 0;
    static constexpr bool has_activation = true;

    template <Activation f, class V, class S>
    TT_INLINE static void step(const V* a, const V* c, S parameter, V* h, V*) {
        h[0] = activate<f>(parameter, fma(c[0], h[0], a[0]));   // (IR1), (IR2)
    }
    template <Activation f, class V, class S>
    TT_INLINE static void back(const V*, const V* c, S parameter, const V* before, const V* after,
                               V* dh, V* da, V* dc) {
        da[0] = dh[0] * derivative<f>(parameter, after[0]);     // (IR2')
        dh[0] = c[0] * da[0];                                   // (IR1')
        dc[0] = fma(before[0], da[0], dc[0]);                   // (IR1'')
    }
};

// With the coefficients re lambda and im lambda; g of (LR2) is a factor of W.
struct Lru {
    static constexpr ScanKind kind = ScanKind::lru;
    static constexpr int gates = 2, states = 2, coefficients = 2;
    static constexpr int units = 2;
    static constexpr int saved = 0;
    static constexpr bool has_activation = false;

    template <Activation, class V, class S>
    TT_INLINE static void step(const V* a, const V* c, S, V* h, V*) {
        const V re = h[0], im = h[1];
        h[0] = fma(c[0], re, fma(-c[1], im, a[0]));             // (LR3)
        h[1] = fma(c[0], im, fma(c[1], re, a[1]));              // (LR3)
    }
    template <Activation, class V, class S>
    TT_INLINE static void back(const V*, const V* c, S, const V* before, const V*, V* dh, V* da,
                               V* dc) {
        const V re = dh[0], im = dh[1];
        da[0] = re;
        da[1] = im;
        dh[0] = fma(c[0], re, c[1] * im);                       // (LR3')
        dh[1] = fma(c[0], im, -c[1] * re);                      // (LR3')
        dc[0] = fma(re, before[0], fma(im, before[1], dc[0]));
        dc[1] = fma(im, before[0], fma(-re, before[1], dc[1]));
    }
};

}  // namespace throughtime::TT_LEVEL
