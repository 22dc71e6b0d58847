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

namespace throughtime::TT_LEVEL {

// Rows of da that a chunk holds, about; and those of one pass of the outer product, whose panels
// are to stay in the cache.
inline constexpr Size chunk_rows = 512;
inline constexpr Size panel_rows = 256;

template <class S> struct Backward {
    const Bptt<S>& b;
    const Unroll<S>& u;
    const Sizes<S>& z;
    Size Hs;
    Tape<S> tape;
    Size K;                   // rows of a chunk's buffers
    S *da;                    // [block][row of the chunk][4][lanes]
    S *x_panels, *h_panels, *q_panels;  // [panel][row of the chunk][tile_rows]
    S *W_h_T, *W_x_T;
    S *dh, *dc;               // (N, Hs)
    S *drop;                  // (N, Hs), or null
    S** x_rows;               // where dW_x, db, db_time begin: the rows of their outer product
    Size x_count;

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
        return back + load(f.b.dy + n * f.b.dy_row + t * f.b.dy_step + unit, valid);
    }
    TT_INLINE S* da(Size n, Size block) const {
        return f.da + (block * f.K + k + n) * block_vectors * lanes<S>;
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

// dh_{t-1} = carried + drop * (da W^T), for R rows and one wide block of V vectors of units.
template <int V, int R, class S>
TT_INLINE void recur_back(const BackStep<S>& step, const Columns<S>& columns, const S* weights,
                          Size row, Size block, bool carried) {
    const Backward<S>& f = step.f;
    Tile<S, R> acc{};
    const S* w = weights;
    columns.each([&](Size i, int v, Size, int n) {
        const S* a[R];
        for (int r = 0; r < R; ++r) a[r] = step.da(row + r, i) + v * lanes<S>;
        if constexpr (V == 1) accumulate<0>(acc, a, w, n);
        if constexpr (V == 2) accumulate<0, 1>(acc, a, w, n);
        if constexpr (V == 3) accumulate<0, 1, 2>(acc, a, w, n);
        if constexpr (V == 4) accumulate<0, 1, 2, 3>(acc, a, w, n);
        w += n * V * lanes<S>;
    });
    for (int r = 0; r < R; ++r) {
        for (int v = 0; v < V; ++v) {
            const Size at = (row + r) * f.Hs + (block * block_vectors + v) * lanes<S>;
            Vec<S> d = acc.at[r][v];
            if (f.drop != nullptr) d = d * load(f.drop + at);
            if (carried) d = d + load(f.dh + at);
            store(f.dh + at, d);
        }
    }
}

// The product with W_h^T of one step, for a thread's rows and units.
template <class S>
void recur_back_step(const BackStep<S>& step, const Columns<S>& columns, const S* packed,
                     const Team& team, bool carried) {
    const Blocks<S> out{step.f.z.H, true};
    const Size depth = columns.depth();
    for (Size i = team.spans.begin; i < team.spans.end; ++i) {
        const S* w = packed + i * depth * block_vectors * lanes<S>;
        for_tiles(team.rows.begin, team.rows.end, [&](Size row, auto rows) {
            constexpr int R = decltype(rows)::count;
            switch (out.vectors(i, 1)) {
                case 1: return recur_back<1, R>(step, columns, w, row, i, carried);
                case 2: return recur_back<2, R>(step, columns, w, row, i, carried);
                case 3: return recur_back<3, R>(step, columns, w, row, i, carried);
                default: return recur_back<4, R>(step, columns, w, row, i, carried);
            }
        });
    }
}

// dL/dx = da W_x^T for rows of the chunk.
template <class S>
void input_gradient(const Backward<S>& f, const Columns<S>& columns, Size last, Range rows) {
    const Sizes<S>& z = f.z;
    const Blocks<S> out{z.F, true};
    const Size depth = columns.depth();
    for (Size i = 0; i < out.count(); ++i) {
        for_tiles(rows.begin, rows.end, [&](Size k, auto height) {
            constexpr int R = decltype(height)::count;
            Tile<S, R> acc{};
            const int width = out.vectors(i, 1);
            const S* w = f.W_x_T + i * depth * block_vectors * lanes<S>;
            columns.each([&](Size block, int v, Size, int n) {
                const S* a[R];
                for (int r = 0; r < R; ++r)
                    a[r] = f.da + ((block * f.K + k + r) * block_vectors + v) * lanes<S>;
                switch (width) {
                    case 1: accumulate<0>(acc, a, w, n); break;
                    case 2: accumulate<0, 1>(acc, a, w, n); break;
                    case 3: accumulate<0, 1, 2>(acc, a, w, n); break;
                    default: accumulate<0, 1, 2, 3>(acc, a, w, n);
                }
                w += static_cast<Size>(n) * width * lanes<S>;
            });
            for (int r = 0; r < R; ++r) {
                const Size s = last - (k + r) / z.N, n = (k + r) % z.N;
                S* to = f.b.dx + (n * z.T + f.time(s)) * z.F;
                for (int v = 0; v < width; ++v)
                    store(to + out.unit(i, v), acc.at[r][v], out.valid(i, v));
            }
        });
    }
}

// One row of a left factor, cut into panels of tile_rows numbers.
template <class S> struct PanelWriter {
    S* at;
    Size stride;              // from panel to panel
    int lane = 0;

    TT_INLINE void put(S value) {
        at[lane] = value;
        if (++lane == tile_rows) {
            lane = 0;
            at += stride;
        }
    }
    void put(const S* from, Size count) {
        Size i = 0;
        while (lane != 0 && i < count) put(from[i++]);
        for (; i + tile_rows <= count; i += tile_rows, at += stride)
            __builtin_memcpy(at, from + i, tile_rows * sizeof(S));
        while (i < count) put(from[i++]);
    }
};

// A left factor of the weights' gradients, and where the rows of the result stand.
template <class S> struct Factor {
    const S* panels;
    Size count;               // rows of the result
    S* const* rows;           // each of them, or
    S* first;                 // the first of them, `stride` apart
    Size stride;

    S* row(Size m) const { return rows != nullptr ? rows[m] : first + m * stride; }
};

// result[m][I] += sum over rows k of the chunk of left[k][m] da[k][I], for tiles begin ... end of
// the result, counted block by block.
template <int... I, int R, class S>
TT_INLINE void outer_tile(const Backward<S>& f, const Factor<S>& factor, const Blocks<S>& blocks,
                          const Size* gate, Size panel, Size block, Range k, Rows<R>) {
    Tile<S, R> acc;
    const Size m = panel * tile_rows;
    for (int r = 0; r < R; ++r) {
        S* to = factor.row(m + r);
        ((acc.at[r][I] = load(to + gate[I] + blocks.unit(block, I), blocks.valid(block, I))), ...);
    }
    accumulate_outer<I...>(acc, factor.panels + (panel * f.K + k.begin) * tile_rows,
                           f.da + (block * f.K + k.begin) * block_vectors * lanes<S>,
                           k.end - k.begin);
    for (int r = 0; r < R; ++r) {
        S* to = factor.row(m + r);
        (store(to + gate[I] + blocks.unit(block, I), acc.at[r][I], blocks.valid(block, I)), ...);
    }
}

template <int... I, class S>
void outer_product(const Backward<S>& f, const Factor<S>& factor, const Blocks<S>& blocks,
                   const Size* gate, Size depth, int thread, int threads) {
    const Size panels = (factor.count + tile_rows - 1) / tile_rows;
    const Range tiles = share(panels * blocks.count(), thread, threads);
    for (Size k = 0; k < depth; k += panel_rows) {
        const Range part{k, smaller(depth, k + panel_rows)};
        for (Size tile = tiles.begin; tile < tiles.end; ++tile) {
            const Size block = tile / panels, panel = tile % panels;
            with_rows(smaller(tile_rows, factor.count - panel * tile_rows), [&](auto rows) {
                if (!blocks.wide)
                    return outer_tile<I...>(f, factor, blocks, gate, panel, block, part, rows);
                switch (blocks.vectors(block, 1)) {
                    case 1: return outer_tile<0>(f, factor, blocks, gate, panel, block, part, rows);
                    case 2:
                        return outer_tile<0, 1>(f, factor, blocks, gate, panel, block, part, rows);
                    case 3:
                        return outer_tile<0, 1, 2>(f, factor, blocks, gate, panel, block, part,
                                                   rows);
                    default:
                        return outer_tile<0, 1, 2, 3>(f, factor, blocks, gate, panel, block, part,
                                                      rows);
                }
            });
        }
    }
}

// The left factors of a chunk's rows: [x 1 e] and h_{t-1} with its dropout.
template <class S> void fill_panels(const Backward<S>& f, Size last, Range rows) {
    const Sizes<S>& z = f.z;
    for (Size k = rows.begin; k < rows.end; ++k) {
        const Size s = last - k / z.N, n = k % z.N;
        PanelWriter<S> x{f.x_panels + k * tile_rows, f.K * tile_rows};
        x.put(f.u.x + n * f.u.x_row + f.time(s) * f.u.x_step, z.F);
        if (f.b.db != nullptr) x.put(S(1));
        if (f.b.db_time != nullptr) x.put(static_cast<S>(f.tape.begun[s * z.N + n]));
        PanelWriter<S> h{f.h_panels + k * tile_rows, f.K * tile_rows};
        const S* before = f.h_before(n, s);
        if (f.drop == nullptr) {
            h.put(before, z.H);
        } else {
            for (Size i = 0; i < z.H; ++i) h.put(before[i] * f.drop[n * f.Hs + i]);
        }
    }
}

}  // namespace throughtime::TT_LEVEL
