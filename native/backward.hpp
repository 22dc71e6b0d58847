// Backpropagation through time, for every cell.
//
//     da_t, ds_{t-1} = the cell's derivative, from ds_t     on the values that the tape holds
//     dh_{t-1}      += da_t W_h^T                           one step at a time
//     dL/dW += [x_t 1 e_t]^T da_t, h_{t-1}^T da_t;  dL/dx_t = da_t W_x^T    many steps at once
//
// The loop runs over chunks of steps whose da stay in the cache until their three products are
// done; nothing but the chunk is ever stored. A sum over steps and rows is one chain in the order
// of the loop, last step first, so it does not depend on where chunks end.
#pragma once

#include "layout.hpp"
#include "products.hpp"

namespace throughtime::TT_LEVEL {

template <class S> struct Backward {
    const Bptt<S>& b;
    const Unroll<S>& u;
    const Sizes<S>& z;
    Size Hs;
    Tape<S> tape;
    Chunk<S> chunk{};
    // Left factors [panel][row of the chunk][tile_rows]: [x 1 e], h_{t-1}, and the cell's own.
    S *x_panels = nullptr, *h_panels = nullptr, *q_panels = nullptr;
    S *W_h_T = nullptr, *W_x_T = nullptr;
    S *dh = nullptr, *dc = nullptr, *du = nullptr;  // (N, Hs)
    S* drop = nullptr;        // (N, Hs)
    S** x_rows = nullptr;     // where dW_x, db, db_time begin: the rows of their outer product
    Size x_count = 0;

    Size time(Size s) const { return z.reverse ? z.T - 1 - s : s; }
    bool real(Size n, Size t) const {
        return u.mask == nullptr || u.mask[n * u.mask_row + t * u.mask_step] != 0;
    }
    // h_{t-1} of loop step s: a row of at least H numbers.
    const S* h_before(Size n, Size s) const {
        if (s == 0) return tape.h_0 + n * Hs;
        const S* states = tape.states != nullptr ? tape.states : u.y;
        return states + (n * z.T + time(s - 1)) * z.H;
    }
    const S* h_after(Size n, Size s) const { return h_before(n, s + 1); }
};

// One step as the cell's derivative sees it.
template <class S> struct BackStep {
    const Backward<S>& f;
    Size s, t;
    Size k;                   // where this step's rows begin in the chunk

    // dL/dh_t of one vector: what came back through time, and dL/dy_t.
    TT_INLINE Vec<S> dh(Size n, Size unit, int valid) const {
        const Vec<S> back = load(f.dh + n * f.Hs + unit);
        if (f.b.dy == nullptr) return back;
        const S* at = f.b.dy + n * f.b.dy_row + t * f.b.dy_step + unit;
        fetch_next(at, f.b.dy_step);
        return back + load(at, valid);
    }
    // What stands at this address, one time step on. The rows of a step lie far apart in the
    // caller's arrays, so the hardware does not see what comes next.
    TT_INLINE void fetch_next(const S* at, Size time_step) const {
        if (s > 0) __builtin_prefetch(at + (f.z.reverse ? time_step : -time_step), 0, 2);
    }
    TT_INLINE S* da(Size n, Size block) const {
        return f.chunk.at(block, k + n);
    }
    TT_INLINE const S* saved(Size n, Size block, Size blocks, int vectors) const {
        return f.tape.saved + ((s * f.z.N + n) * blocks + block) * vectors * lanes<S>;
    }
    TT_INLINE Vec<S> c_before(Size n, Size block, Size blocks, int vectors) const {
        if (s == 0) return load(f.tape.c_0 + n * f.Hs + block * lanes<S>);
        const Size before = ((s - 1) * f.z.N + n) * blocks + block;
        return load(f.tape.saved + (before * vectors + vectors - 1) * lanes<S>);
    }
};

// What becomes of a product p with the transposed weights: to = (p + plus) * times + carried, each
// (N, Hs), null meaning that it is absent.
template <class S> struct Sink {
    S* to;
    const S *plus, *times, *carried;
};

// The product of da with W^T for R rows and one wide block of V vectors of units.
template <int V, int R, class S>
TT_INLINE void recur_back(const BackStep<S>& step, const Columns<S>& columns, const S* weights,
                          Size row, Size block, const Sink<S>& sink) {
    Tile<S, R> acc{};
    accumulate_back<V>(acc, step.f.chunk, columns, weights, step.k + row);
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) {
            const Size at = (row + r) * step.f.Hs + (block * block_vectors + v) * lanes<S>;
            Vec<S> d = acc.at[r][v];
            if (sink.plus != nullptr) d = d + load(sink.plus + at);
            if (sink.times != nullptr) d = d * load(sink.times + at);
            if (sink.carried != nullptr) d = d + load(sink.carried + at);
            store(sink.to + at, d);
        }
    }
}

// The product with W_h^T of one step, for a thread's rows and units.
template <class S>
void recur_back_step(const BackStep<S>& step, const Columns<S>& columns, const S* packed,
                     const Team& team, const Sink<S>& sink) {
    const Blocks<S> out{step.f.z.H, true};
    const Size depth = columns.depth();
    for_blocks(team.spans, step.s, [&](Size i) {
        const S* w = packed + i * depth * block_vectors * lanes<S>;
        for_tiles(team.rows.begin, team.rows.end, [&](Size row, auto rows) {
            constexpr int R = decltype(rows)::count;
            with_vectors(out.vectors(i, 1), [&](auto width) {
                recur_back<decltype(width)::count, R>(step, columns, w, row, i, sink);
            });
        });
    });
}

// The left factors of a chunk's rows, row n of step last - past: [x 1 e] and h_{t-1} with its dropout.
template <class Cell, class S>
void fill_panels(const Backward<S>& f, Size last, Range steps, Range rows) {
    const Sizes<S>& z = f.z;
    const Size width = rows.end - rows.begin;
    for (Size j = steps.begin * width; j < steps.end * width; ++j) {
        const Size past = j / width, n = rows.begin + j % width;
        const Size s = last - past, k = past * z.N + n;
        PanelWriter<S> x(f.chunk, f.x_panels, k);
        x.put(f.u.x + n * f.u.x_row + f.time(s) * f.u.x_step, z.F);
        if (f.b.db != nullptr) x.put(S(1));
        if (f.b.db_time != nullptr) x.put(static_cast<S>(f.tape.begun[s * z.N + n]));
        PanelWriter<S> h(f.chunk, f.h_panels, k);
        const S* before = f.h_before(n, s);
        if (f.drop == nullptr) {
            h.put(before, z.H);
        } else {
            for (Size i = 0; i < z.H; ++i) h.put(before[i] * f.drop[n * f.Hs + i]);
        }
        Cell::fill_q(f, PanelWriter<S>(f.chunk, f.q_panels, k), s, n);
    }
}

}  // namespace throughtime::TT_LEVEL
