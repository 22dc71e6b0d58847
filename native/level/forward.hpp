// The parts of a forward pass that a cell works with; unroll.hpp is the driver.
#pragma once

#include "level/layout.hpp"
#include "level/sharing.hpp"

namespace throughtime::TT_LEVEL {

// The arrays of a pass. Hs is H padded to whole vectors.
template <class S> struct Forward {
    const Unroll<S>& u;
    const Sizes<S>& z;
    Size Hs;
    TapeArrays<S> tape;
    bool keep;
    // Packed: the weights, the bias without and with b_time, b_hn.
    S *W_x = nullptr, *W_h = nullptr, *bias[2] = {}, *b_hn = nullptr;
    S* h[2] = {};     // (N, Hs): the state before and after a step, by turns
    S* used[2] = {};  // the same with the recurrent dropout applied; h itself without dropout
    S* c = nullptr;   // (N, Hs), of a cell with has_c
    S* drop = nullptr;  // (N, Hs), or null
    // Of a cell with a second product.
    S* W_n = nullptr;     // its packed weights
    S* q = nullptr;       // (N, Hs): its left factor
    S* values = nullptr;  // (N, blocks, vectors, lanes): the cell's values, if there is no tape

    Size time(Size s) const { return z.reverse ? z.T - 1 - s : s; }
    bool unmasked(Size n, Size t) const {
        return u.mask == nullptr || u.mask[n * u.mask_row + t * u.mask_step] != 0;
    }
};

// One step of the loop, number s, at time t.
template <class S> struct ForwardStep {
    const Forward<S>& f;
    Size s, t;

    // Puts out one vector of h of a row; if the step is masked, h stays as it was.
    TT_INLINE void put(Size n, Size unit, int valid, Vec<S> h) const {
        const Sizes<S>& z = f.z;
        const bool unmasked = f.unmasked(n, t);
        if (!unmasked) h = load(f.h[s & 1] + n * f.Hs + unit);
        store(f.h[~s & 1] + n * f.Hs + unit, h);
        if (f.drop != nullptr)
            store(f.used[~s & 1] + n * f.Hs + unit, h * load(f.drop + n * f.Hs + unit));
        const Size at = (n * z.T + t) * z.H + unit;
        store(f.u.y + at, unmasked ? h : Vec<S>{}, valid);
        if (f.tape.states != nullptr) store(f.tape.states + at, h, valid);
    }
    // Where the cell keeps its values of a row and block.
    TT_INLINE S* saved(Size n, Size block, Size blocks, int vectors) const {
        const Size row = f.keep ? s * f.z.N + n : n;
        S* base = f.keep ? f.tape.saved : f.values;
        return base + (row * blocks + block) * vectors * lanes<S>;
    }
};

}  // namespace throughtime::TT_LEVEL
