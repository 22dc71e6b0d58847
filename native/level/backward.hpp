// The parts of backpropagation through time that a cell works with; bptt.hpp is the driver.
#pragma once

#include "level/layout.hpp"
#include "level/products.hpp"
#include "level/sharing.hpp"

namespace throughtime::TT_LEVEL {

// The arrays of a pass. Hs is H padded to whole vectors.
template <class S> struct Backward {
    const Bptt<S>& b;
    const Unroll<S>& u;
    const Sizes<S>& z;
    Size Hs;
    TapeArrays<S> tape;
    Chunk<S> chunk{};
    // Left factors [panel][row of the chunk][tile_rows]: [x 1 e], h_{t-1}, and q of the cell.
    S *x_panels = nullptr, *h_panels = nullptr, *q_panels = nullptr;
    S *W_h_T = nullptr, *W_x_T = nullptr;           // packed
    S *dh = nullptr, *dc = nullptr, *du = nullptr;  // (N, Hs)
    S* drop = nullptr;        // (N, Hs), or null
    S** x_rows = nullptr;     // the rows of dW_x, db and db_time, which one outer product adds to
    Size x_count = 0;

    Size time(Size s) const { return z.reverse ? z.T - 1 - s : s; }
    bool unmasked(Size n, Size t) const {
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

// One step of the loop, number s, at time t.
template <class S> struct BackwardStep {
    const Backward<S>& f;
    Size s, t;
    Size k;                   // the first row of this step in the chunk

    // dL/dh_t of one vector: the gradient from the step after, plus dL/dy_t.
    TT_INLINE Vec<S> dh(Size n, Size unit, int valid) const {
        const Vec<S> back = load(f.dh + n * f.Hs + unit);
        if (f.b.dy == nullptr) return back;
        const S* at = f.b.dy + n * f.b.dy_row + t * f.b.dy_step + unit;
        fetch_next(at, f.b.dy_step);
        return back + load(at, valid);
    }
    // Prefetches what the next step of this pass reads there. The rows of a step lie far apart in
    // the caller's arrays, so the hardware does not predict the next address.
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

// Where a product p with the transposed weights goes: to = (p + plus) * times + carried, each
// (N, Hs). Null means that the term is absent.
template <class S> struct Sink {
    S* to;
    const S *plus, *times, *carried;
};

// The product of da with W^T for R rows and one wide block of V vectors of units.
template <int V, int R, class S>
TT_INLINE void recur_back(const BackwardStep<S>& step, const Columns<S>& columns, const S* weights,
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

// The product with W_h^T of one step, for the rows and units of a thread.
template <class S>
void recur_back_step(const BackwardStep<S>& step, const Columns<S>& columns, const S* packed,
                     const Worker& worker, const Sink<S>& sink) {
    const Blocks<S> out{step.f.z.H, true};
    const Size depth = columns.depth();
    for_blocks(worker.spans, step.s, [&](Size i) {
        const S* w = packed + i * depth * block_vectors * lanes<S>;
        for_tiles(worker.rows.begin, worker.rows.end, [&](Size row, auto rows) {
            constexpr int R = decltype(rows)::count;
            with_vectors(out.vectors(i, 1), [&](auto width) {
                recur_back<decltype(width)::count, R>(step, columns, w, row, i, sink);
            });
        });
    });
}

}  // namespace throughtime::TT_LEVEL
