// The products that give the gradients of a layer, over a chunk of rows whose da is in the cache.
//
//     dL/dW += left^T da       the outer product; left is what W was multiplied with
//     dL/dx  = da W^T          for each row
#pragma once

#include "level/gemm.hpp"

namespace throughtime::TT_LEVEL {

// Rows of da in a chunk, about; and rows of one pass of the outer product, whose panels should
// stay in the cache.
inline constexpr Size chunk_rows = 256;
inline constexpr Size panel_rows = 256;

// dL/da of some rows: [block][row][4 vectors][lanes].
template <class S> struct Chunk {
    S* da = nullptr;
    Size K = 0;  // rows

    TT_INLINE S* at(Size block, Size k) const {
        return da + (block * (K + 1) + k) * block_vectors * lanes<S>;
    }
    Size numbers(Size blocks) const { return blocks * (K + 1) * block_vectors * lanes<S>; }

    // From one panel of a left factor, [panel][row][tile_rows], to the next. It is an odd number of
    // cache lines, and a block of da has one row more than needed: a row is written to all panels
    // at once, and at a distance of a power of two they would evict each other from the cache.
    Size panel_stride() const {
        constexpr Size line = 64 / sizeof(S);
        return ((tile_rows * K + line - 1) / line | 1) * line;
    }
    Size panel_numbers(Size count) const {
        return (count + tile_rows - 1) / tile_rows * panel_stride();
    }
};

// acc += da W^T for R rows and V vectors of a wide block of outputs.
template <int V, int R, class S>
TT_INLINE void accumulate_back(Tile<S, R>& acc, const Chunk<S>& chunk, const Columns<S>& columns,
                               const S* w, Size k) {
    columns.each([&](Size block, int v, Size, int n) {
        const S* a[R];
        for (int r = 0; r < R; ++r) a[r] = chunk.at(block, k + r) + v * lanes<S>;
        accumulate_first<V>(acc, a, w, n);
        w += static_cast<Size>(n) * V * lanes<S>;
    });
}

// da W^T for rows of the chunk, into rows of `outputs` numbers; to(k) is the place of row k.
// `packed` comes from pack_transposed().
template <class S, class To>
void rows_back(const Chunk<S>& chunk, const Columns<S>& columns, const S* packed, Size outputs,
               Range rows, To&& to) {
    const Blocks<S> out{outputs, true};
    const Size depth = columns.depth();
    for (Size i = 0; i < out.count(); ++i) {
        const S* w = packed + i * depth * block_vectors * lanes<S>;
        for_tiles(rows.begin, rows.end, [&](Size k, auto height) {
            constexpr int R = decltype(height)::count;
            const auto tile = [&](auto width) {
                constexpr int V = decltype(width)::count;
                Tile<S, R> acc{};
                accumulate_back<V>(acc, chunk, columns, w, k);
                for (int r = 0; r < R; ++r)
                    for (int v = 0; v < V; ++v)
                        store(to(k + r) + out.unit(i, v), acc.at[r][v], out.valid(i, v));
            };
            with_vectors(out.vectors(i, 1), tile);
        });
    }
}

// Writes one row of a left factor, cut into panels of tile_rows numbers.
template <class S> struct PanelWriter {
    S* at;
    Size stride;              // from panel to panel
    int lane = 0;

    PanelWriter(const Chunk<S>& chunk, S* panels, Size k)
        : at(panels + k * tile_rows), stride(chunk.panel_stride()) {}
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

// A left factor of the gradients of weights, and the places of the rows of the result.
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
TT_INLINE void outer_tile(const Chunk<S>& f, const Factor<S>& factor, const Blocks<S>& blocks,
                          const Size* gate_at, Size panel, Size block, Range k, RowCount<R>) {
    Tile<S, R> acc;
    const Size m = panel * tile_rows;
    for (int r = 0; r < R; ++r) {
        S* to = factor.row(m + r);
        ((acc.at[r][I] = load(to + gate_at[I] + blocks.unit(block, I), blocks.valid(block, I))),
         ...);
    }
    accumulate_outer<I...>(acc, factor.panels + panel * f.panel_stride() + k.begin * tile_rows,
                           f.at(block, k.begin), k.end - k.begin);
    for (int r = 0; r < R; ++r) {
        S* to = factor.row(m + r);
        (store(to + gate_at[I] + blocks.unit(block, I), acc.at[r][I], blocks.valid(block, I)), ...);
    }
}

// For the vectors I of each block; for all vectors of wide blocks if the list is empty. The last
// thread gets the largest part, so of two factors one counts its threads from behind.
template <int... I, class S>
void outer_product(const Chunk<S>& f, const Factor<S>& factor, const Blocks<S>& blocks,
                   const Size* gate_at, Size depth, int thread, int threads) {
    const Size panels = (factor.count + tile_rows - 1) / tile_rows;
    const Range tiles = part_of(panels * blocks.count(), thread, threads);
    for (Size k = 0; k < depth; k += panel_rows) {
        const Range part{k, smaller(depth, k + panel_rows)};
        for (Size tile = tiles.begin; tile < tiles.end; ++tile) {
            const Size block = tile / panels, panel = tile % panels;
            with_rows(smaller(tile_rows, factor.count - panel * tile_rows), [&](auto rows) {
                if constexpr (sizeof...(I) > 0) {
                    outer_tile<I...>(f, factor, blocks, gate_at, panel, block, part, rows);
                } else {
                    with_vectors(blocks.vectors(block, 1), [&](auto width) {
                        constexpr int V = decltype(width)::count;
                        if constexpr (V == 1)
                            outer_tile<0>(f, factor, blocks, gate_at, panel, block, part, rows);
                        if constexpr (V == 2)
                            outer_tile<0, 1>(f, factor, blocks, gate_at, panel, block, part, rows);
                        if constexpr (V == 3)
                            outer_tile<0, 1, 2>(f, factor, blocks, gate_at, panel, block, part,
                                                rows);
                        if constexpr (V == 4)
                            outer_tile<0, 1, 2, 3>(f, factor, blocks, gate_at, panel, block, part,
                                                   rows);
                    });
                }
            });
        }
    }
}

}  // namespace throughtime::TT_LEVEL
