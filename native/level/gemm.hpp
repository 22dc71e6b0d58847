// Matrix products in the three forms that recurrent networks need, and the packed weights that they
// read.
//
// Each element of a result is ONE chain of fused multiply-adds in ascending order of the summed
// index. It does not matter how many rows a tile holds, where the sum is stored and continued, or
// which thread computes it: the bits of a row do not depend on the other rows.
//
// Outputs come in blocks of up to four vectors side by side. Weights are packed block by block,
// [block][k][vectors of the block][lane], so that they are read in a straight line.
#pragma once

#include "level/simd.hpp"

namespace throughtime::TT_LEVEL {


inline constexpr int block_vectors = 4;
// Rows of a tile: the accumulators (rows x 4), the weights (4) and a broadcast must fit into the
// registers.
inline constexpr int tile_rows = registers == 32 ? 6 : 2;

template <class S, int R> struct Tile {
    Vec<S> at[R][block_vectors];
};

// at[r][I] += sum_k a[r][k] w[k][i] for the i-th number I of the list.
template <int... I, int R, class S>
TT_INLINE void accumulate(Tile<S, R>& acc, const S* const (&a)[R], const S* w, Size depth) {
    constexpr int width = sizeof...(I);
    for (Size k = 0; k < depth; ++k, w += width * lanes<S>) {
        Vec<S> row[block_vectors];
        {
            int i = 0;
            ((row[I] = load(w + i++ * lanes<S>)), ...);
        }
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec<S> s = splat(a[r][k]);
            ((acc.at[r][I] = fma(s, row[I], acc.at[r][I])), ...);
        }
    }
}

// The same for the numbers 0 ... V - 1.
template <int V, int R, class S>
TT_INLINE void accumulate_first(Tile<S, R>& acc, const S* const (&a)[R], const S* w, Size depth) {
    if constexpr (V == 1) accumulate<0>(acc, a, w, depth);
    if constexpr (V == 2) accumulate<0, 1>(acc, a, w, depth);
    if constexpr (V == 3) accumulate<0, 1, 2>(acc, a, w, depth);
    if constexpr (V == 4) accumulate<0, 1, 2, 3>(acc, a, w, depth);
}

// at[r][i] += sum_k a[k][r] b[k][I] for the i-th number I of the list: a column panel of tile_rows
// numbers a step, times blocks of four vectors of which some are taken.
template <int... I, int R, class S>
TT_INLINE void accumulate_outer(Tile<S, R>& acc, const S* a, const S* b, Size depth) {
    for (Size k = 0; k < depth; ++k, a += tile_rows, b += block_vectors * lanes<S>) {
        Vec<S> row[block_vectors];
        ((row[I] = load(b + I * lanes<S>)), ...);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
            const Vec<S> s = splat(a[r]);
            ((acc.at[r][I] = fma(s, row[I], acc.at[r][I])), ...);
        }
    }
}

// Calls f with a compile-time number of rows, 1 ... tile_rows.
template <int R> struct RowCount {
    static constexpr int count = R;
};
template <class F> TT_INLINE void with_rows(Size rows, F&& f) {
    switch (rows) {
        case 1: return f(RowCount<1>{});
        case 2: return f(RowCount<2>{});
#if defined(__AVX512F__) || defined(__ARM_NEON)
        case 3: return f(RowCount<3>{});
        case 4: return f(RowCount<4>{});
        case 5: return f(RowCount<5>{});
        case 6: return f(RowCount<6>{});
#endif
        default: __builtin_unreachable();
    }
}

// Calls f with a compile-time number of vectors, 1 ... block_vectors.
template <int V> struct VectorCount {
    static constexpr int count = V;
};
template <class F> TT_INLINE void with_vectors(int vectors, F&& f) {
    switch (vectors) {
        case 1: return f(VectorCount<1>{});
        case 2: return f(VectorCount<2>{});
        case 3: return f(VectorCount<3>{});
        default: return f(VectorCount<4>{});
    }
}

// Cuts rows first ... end into tiles of nearly equal height; calls f(row, RowCount<R>) for each.
template <class F> TT_INLINE void for_tiles(Size first, Size end, F&& f) {
    Size tiles = (end - first + tile_rows - 1) / tile_rows;
    for (; tiles > 0; --tiles) {
        const Size rows = (end - first + tiles - 1) / tiles;
        with_rows(rows, [&](auto r) { f(first, r); });
        first += rows;
    }
}

struct Range {
    Size begin, end;
};
// The part of `count` things that one thread gets.
TT_INLINE Range part_of(Size count, int thread, int threads) {
    return {count * thread / threads, count * (thread + 1) / threads};
}

// Calls f(i) for each i of a range, upwards at even steps and downwards at odd ones: if the weights
// do not fit into the cache, those that the step before read last are still there.
template <class F> TT_INLINE void for_blocks(Range range, Size step, F&& f) {
    const bool down = (step & 1) != 0;
    for (Size k = 0; k < range.end - range.begin; ++k)
        f(down ? range.end - 1 - k : range.begin + k);
}

// Which outputs the vectors of a block hold. In a wide block they stand side by side in one gate:
// vector v of block i begins at unit (4 i + v) * lanes. Otherwise a block holds the same units of
// several gates: vector v of block i begins at unit i * lanes of gate v.
template <class S> struct Blocks {
    Size units;
    bool wide;

    Size count() const {
        const Size span = wide ? block_vectors * lanes<S> : lanes<S>;
        return (units + span - 1) / span;
    }
    Size unit(Size block, int v) const {
        return (wide ? block * block_vectors + v : block) * lanes<S>;
    }
    // Valid lanes of a vector; not positive behind the last vector of the last wide block.
    int valid(Size block, int v) const {
        return static_cast<int>(smaller(lanes<S>, units - unit(block, v)));
    }
    // Vectors of a block; of `gates` gates, unless it is wide.
    int vectors(Size block, int gates) const {
        if (!wide) return gates;
        const Size left = (units - block * block_vectors * lanes<S> + lanes<S> - 1) / lanes<S>;
        return static_cast<int>(smaller(block_vectors, left));
    }
};

// The last block of several gates, if so few units are left that the gates fit side by side into
// fewer vectors: gate v begins at lane v * units.
template <class S> struct TailBlock {
    int units = 0, vectors = 0;  // no vectors if nothing would be saved

    TailBlock(const Blocks<S>& blocks, Size block, int gates) : units(blocks.valid(block, 0)) {
        const int needed = (gates * units + lanes<S> - 1) / lanes<S>;
        if (units < lanes<S> && needed < gates) vectors = needed;
    }
    // From rows in which the block's units of gate v begin at gate_at[v]; null stands for zeros.
    void pack(S* to, const S* from, Size stride, Size depth, const Size* gate_at, int gates) const {
        for (Size k = 0; k < depth; ++k, to += vectors * lanes<S>) {
            for (int v = 0; v < gates; ++v)
                for (int i = 0; i < units; ++i)
                    to[v * units + i] = from == nullptr ? S(0) : from[k * stride + gate_at[v] + i];
            for (int i = gates * units; i < vectors * lanes<S>; ++i) to[i] = S(0);
        }
    }
    // Moves each gate's sums, which stand in V vectors, to a vector of its own.
    template <int V, int R> void separate(Tile<S, R>& acc, int gates) const {
        S row[block_vectors * lanes<S>];
        for (int r = 0; r < R; ++r) {
            for (int v = 0; v < V; ++v) store(row + v * lanes<S>, acc.at[r][v]);
            for (int v = 0; v < gates; ++v) acc.at[r][v] = load(row + v * units, units);
        }
    }
};

// Packs weights (depth, columns) with row stride `stride`, block by block; gate_at[v] is where the
// columns of vector v's gate begin. Lanes behind the last unit are zero.
template <class S>
void pack(S* to, const S* from, Size stride, Size depth, Blocks<S> blocks, const Size* gate_at,
          int gates, Range part) {
    for (Size i = part.begin; i < part.end; ++i) {
        const int width = blocks.vectors(i, gates);
        S* out = to + i * depth * (blocks.wide ? block_vectors : gates) * lanes<S>;
        for (Size k = 0; k < depth; ++k) {
            for (int v = 0; v < width; ++v, out += lanes<S>) {
                const S* in =
                    from + k * stride + (blocks.wide ? 0 : gate_at[v]) + blocks.unit(i, v);
                store(out, load(in, blocks.valid(i, v)));
            }
        }
    }
}

// The columns that a transposed product sums over: the valid lanes of chosen vectors of each
// block, in this order.
template <class S> struct Columns {
    Blocks<S> blocks;
    Size gate_at[block_vectors];
    int chosen[block_vectors];
    int count;

    // f(block, vector, first column, valid lanes) in the order of the sum.
    template <class F> TT_INLINE void each(F&& f) const {
        for (Size i = 0; i < blocks.count(); ++i) {
            const int width = blocks.wide ? blocks.vectors(i, count) : count;
            for (int c = 0; c < width; ++c) {
                const int v = blocks.wide ? c : chosen[c];
                const Size column = blocks.unit(i, v) + (blocks.wide ? 0 : gate_at[c]);
                f(i, v, column, blocks.valid(i, v));
            }
        }
    }
    Size depth() const {
        Size sum = 0;
        each([&](Size, int, Size, int n) { sum += n; });
        return sum;
    }
};

// Exchanges the blocks of B lanes of a and b that stand off the diagonal: a step of transpose().
template <int B, class V, class I> TT_INLINE void exchange(V& a, V& b) {
    I low{}, high{};
    constexpr int n = sizeof(V) / sizeof(a[0]);
    for (int j = 0; j < n; ++j) {
        low[j] = (j & B) == 0 ? j : n + j - B;
        high[j] = (j & B) == 0 ? j + B : n + j;
    }
    const V first = shuffle(a, b, low);
    b = shuffle(a, b, high);
    a = first;
}
template <int B, class S> TT_INLINE void transpose(Vec<S> (&rows)[lanes<S>]) {
#pragma GCC unroll 16
    for (int i = 0; i < lanes<S>; ++i)
        if ((i & B) == 0) exchange<B, Vec<S>, IVec<S>>(rows[i], rows[i + B]);
    if constexpr (B > 1) transpose<B / 2, S>(rows);
}

// Packs the transpose of weights (outputs, columns): [block of outputs][column in the order of the
// sum][lane], in wide blocks of outputs.
template <class S>
void pack_transposed(S* to, const S* from, Size stride, Size outputs, const Columns<S>& columns,
                     Range part) {
    const Blocks<S> out{outputs, true};
    const Size depth = columns.depth();
    for (Size i = part.begin; i < part.end; ++i) {
        const int width = out.vectors(i, 1);
        S* block = to + i * depth * block_vectors * lanes<S>;
        columns.each([&](Size, int, Size column, int n) {
            for (int v = 0; v < width; ++v) {
                const Size first = out.unit(i, v);
                Vec<S> square[lanes<S>];
                for (int u = 0; u < lanes<S>; ++u)
                    square[u] = first + u < outputs ? load(from + (first + u) * stride + column, n)
                                                    : Vec<S>{};
                transpose<lanes<S> / 2, S>(square);
                for (int j = 0; j < n; ++j) store(block + (j * width + v) * lanes<S>, square[j]);
            }
            block += static_cast<Size>(n) * width * lanes<S>;
        });
    }
}

}  // namespace throughtime::TT_LEVEL
