// Recurrent cells with options: what both directions of their loop use.
#pragma once

#include "base/options.hpp"
#include "level/layout.hpp"
#include "level/normalise.hpp"

namespace throughtime::TT_LEVEL {

// to = left W for some rows; `packed` holds W (depth, columns) in wide blocks.
template <class S>
void product(S* to, const S* left, Range rows, Size depth, const S* packed, Size columns, Size s) {
    const Blocks<S> out{columns, true};
    for_blocks(Range{0, out.count()}, s, [&](Size i) {
        const S* w = packed + i * depth * block_vectors * lanes<S>;
        for_tiles(rows.begin, rows.end, [&](Size row, auto height) {
            constexpr int R = decltype(height)::count;
            with_vectors(out.vectors(i, 1), [&](auto width) {
                constexpr int V = decltype(width)::count;
                Tile<S, R> acc{};
                const S* a[R];
                for (int r = 0; r < R; ++r) a[r] = left + (row + r) * depth;
                accumulate_first<V>(acc, a, w, depth);
                for (int r = 0; r < R; ++r)
                    for (int v = 0; v < V; ++v)
                        store(to + (row + r) * columns + out.unit(i, v), acc.at[r][v],
                              out.valid(i, v));
            });
        });
    });
}
template <class S> Size packed_numbers(Size depth, Size columns) {
    return Blocks<S>{columns, true}.count() * block_vectors * lanes<S> * depth;
}
template <class S> void pack_whole(S* to, const S* from, Size depth, Size columns) {
    const Size first[block_vectors] = {};
    const Blocks<S> out{columns, true};
    pack(to, from, columns, depth, out, first, 1, Range{0, out.count()});
}

template <class S> inline constexpr S no_clip = static_cast<S>(__builtin_inf());
// d where (L15) or (L11) left v as it was.
template <class S> TT_INLINE Vec<S> unclipped(Vec<S> d, Vec<S> v, S clip) {
    if (clip == no_clip<S>) return d;
    const Vec<S> high = splat(clip);
    return select<S>((v < high) & (v > -high), d, Vec<S>{});
}

// The sizes of a loop, and where things are in its arrays.
template <class S> struct Layout {
    const OptionLoop<S>& z;
    const Sizes<S>& sizes;
    Size N, H, P, GH, cut;

    explicit Layout(const OptionLoop<S>& loop)
        : z(loop), sizes(loop.sizes), N(loop.sizes.N), H(loop.sizes.H), P(loop.P),
          GH(loop.G * loop.sizes.H), cut(sizes.cell == CellKind::gru ? 2 * H : GH) {}

    bool unmasked(Size s, Size n) const { return z.mask == nullptr || z.mask[s * N + n] != 0; }
    // Row n of slot s of what a step keeps.
    Size at(Size s, Size n) const { return (z.keep ? s : 0) * N + n; }
};

// (L15) and (L16) of a row of D numbers; a masked row stays as it was.
template <class S>
void settle(S* to, const S* from, const S* before, Size D, S clip, const std::uint8_t* hold, S rate,
            bool unmasked) {
    const Vec<S> high = splat(clip), low = -high;
    for (Size i = 0; i < D; i += lanes<S>) {
        const int n = valid_lanes<S>(D - i);
        const Vec<S> old = load(before + i, n);
        Vec<S> v = load(from + i, n);
        v = select<S>(v > high, high, select<S>(v < low, low, v));
        if (hold != nullptr) {
            for (int j = 0; j < n; ++j)
                if (hold[i + j] != 0) v[j] = old[j];
        } else if (rate != S(0)) {
            v = rate * old + (S(1) - rate) * v;
        }
        store(to + i, unmasked ? v : old, n);
    }
}

// (L16') and (L15') of a row: from `d`, dL/ds_t, the part dL/ds_{t-1} stays in `d`, and that of what
// the cell proposed goes to `to`.
template <class S>
void settle_back(S* to, S* d, const S* proposed, Size D, S clip, const std::uint8_t* hold, S rate) {
    for (Size i = 0; i < D; i += lanes<S>) {
        const int n = valid_lanes<S>(D - i);
        Vec<S> all = load(d + i, n), kept{};
        if (hold != nullptr) {
            for (int j = 0; j < n; ++j)
                if (hold[i + j] != 0) kept[j] = all[j];
        } else if (rate != S(0)) {
            kept = rate * all;
        }
        const Vec<S> v = load(proposed + i, n);
        store(d + i, kept, n);
        store(to + i, unclipped(all - kept, v, clip), n);
    }
}

}  // namespace throughtime::TT_LEVEL
