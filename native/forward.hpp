// The network unrolled: forward in time, for every cell.
//
//     a_t = b + e_t b_time + x_t W_x          one chain of fma for each element,
//     u_t = a_t + h_{t-1} W_h                 continued over both products
//     h_t = the cell's equations              while the tile is in registers
//
// A cell is a struct with its equations on tiles; see lstm.cpp. bptt.py and cells/ on the Python
// side say the same in NumPy and define what is right.
#pragma once

#include "layout.hpp"

namespace throughtime::TT_LEVEL {

template <class S> struct Forward {
    const Unroll<S>& u;
    const Sizes<S>& z;
    Size Hs;
    Tape<S> tape;
    bool keep;
    // Packed: weights, biases without and with b_time, b_hn.
    S *W_x = nullptr, *W_h = nullptr, *bias[2] = {}, *b_hn = nullptr;
    S* h[2] = {};   // (N, Hs): the state before and after a step, in turns
    S* used[2] = {};  // the same with the recurrent dropout applied; h itself without
    S* c = nullptr;   // (N, Hs), of an LSTM
    S* drop = nullptr;  // (N, Hs), or null
    // Of a cell with two products a step: what stands between them.
    S* W_n = nullptr;
    S* q = nullptr;       // (N, Hs)
    S* values = nullptr;  // (N, blocks, vectors, lanes), where the tape would hold them

    Size time(Size s) const { return z.reverse ? z.T - 1 - s : s; }
    bool real(Size n, Size t) const {
        return u.mask == nullptr || u.mask[n * u.mask_row + t * u.mask_step] != 0;
    }
};

// One step as a tile's equations see it.
template <class S> struct Step {
    const Forward<S>& f;
    Size s, t;

    // Put out h of one vector of a row; where the row is masked, keep what was.
    TT_INLINE void put(Size n, Size unit, int valid, Vec<S> h) const {
        const Sizes<S>& z = f.z;
        const bool real = f.real(n, t);
        if (!real) h = load(f.h[s & 1] + n * f.Hs + unit);
        store(f.h[~s & 1] + n * f.Hs + unit, h);
        if (f.drop != nullptr)
            store(f.used[~s & 1] + n * f.Hs + unit, h * load(f.drop + n * f.Hs + unit));
        const Size at = (n * z.T + t) * z.H + unit;
        store(f.u.y + at, real ? h : Vec<S>{}, valid);
        if (f.tape.states != nullptr) store(f.tape.states + at, h, valid);
    }
    // Where the cell keeps its values of a row and block.
    TT_INLINE S* saved(Size n, Size block, Size blocks, int vectors) const {
        const Size row = f.keep ? s * f.z.N + n : n;
        S* base = f.keep ? f.tape.saved : f.values;
        return base + (row * blocks + block) * vectors * lanes<S>;
    }
};

// A narrow block of V vectors; see Narrow. Weights and biases are packed so.
template <class Cell, int V, int R, class S>
TT_INLINE void narrow_sums(Tile<S, R>& acc, const Forward<S>& f, const S* const (&x)[R],
                           const S* const (&h)[R], Size block, const Narrow<S>& narrow) {
    const Size stride = Cell::x_vectors * lanes<S>;
    accumulate_first<V>(acc, x, f.W_x + block * f.z.F * stride, f.z.F);
    accumulate_first<V>(acc, h, f.W_h + block * f.z.H * stride, f.z.H);
    narrow.template spread<V>(acc, Cell::x_vectors);
}

// Sum, then the cell's equations, for R rows of one block of V vectors.
template <class Cell, int V, int R, class S>
TT_INLINE void forward_tile(const Step<S>& step, Size row, Size block) {
    const Forward<S>& f = step.f;
    const Sizes<S>& z = f.z;
    constexpr int x_stride = Cell::wide ? block_vectors : Cell::x_vectors;
    constexpr int h_stride = Cell::wide ? block_vectors : Cell::h_vectors;
    constexpr int x_width = Cell::wide ? V : Cell::x_vectors;
    Tile<S, R> acc;
    const S *x[R], *h[R];
    for (int r = 0; r < R; ++r) {
        const Size n = row + r;
        const bool begun = f.tape.begun != nullptr && f.tape.begun[step.s * z.N + n] != 0;
        const S* bias = f.bias[begun] + block * x_stride * lanes<S>;
        for (int v = 0; v < x_width; ++v) acc.at[r][v] = load(bias + v * lanes<S>);
        if constexpr (Cell::recurrent_bias) acc.at[r][3] = load(f.b_hn + block * lanes<S>);
        x[r] = f.u.x + n * f.u.x_row + step.t * f.u.x_step;
        h[r] = f.used[step.s & 1] + n * f.Hs;
    }
    if constexpr (Cell::narrows) {
        const Narrow<S> narrow(Blocks<S>{z.H, false}, block, Cell::x_vectors);
        switch (narrow.vectors) {
            case 1: narrow_sums<Cell, 1>(acc, f, x, h, block, narrow); break;
            case 2: narrow_sums<Cell, 2>(acc, f, x, h, block, narrow); break;
            case 3: narrow_sums<Cell, 3>(acc, f, x, h, block, narrow); break;
        }
        if (narrow.vectors != 0) return Cell::template finish<V>(step, acc, row, block);
    }
    Cell::template project<V>(acc, x, f.W_x + block * z.F * x_stride * lanes<S>, z.F);
    Cell::template recur<V>(acc, h, f.W_h + block * z.H * h_stride * lanes<S>, z.H);
    Cell::template finish<V>(step, acc, row, block);
}

template <class Cell, class S> void forward_step(const Step<S>& step, const Team& team) {
    const Blocks<S> blocks{step.f.z.H, Cell::wide};
    for_blocks(team.own(blocks), step.s, [&](Size i) {
        for_tiles(team.rows.begin, team.rows.end, [&](Size row, auto rows) {
            constexpr int R = decltype(rows)::count;
            if constexpr (!Cell::wide) {
                forward_tile<Cell, Cell::x_vectors, R>(step, row, i);
            } else {
                with_vectors(blocks.vectors(i, 1), [&](auto width) {
                    forward_tile<Cell, decltype(width)::count, R>(step, row, i);
                });
            }
        });
    });
}

// The last block once more, if it is a narrow one.
template <class Cell, class S> void pack_narrow(Forward<S>& f, Size block) {
    const Sizes<S>& z = f.z;
    const Weights<S>& w = f.u.weights;
    constexpr int gates = Cell::x_vectors;
    const Narrow<S> narrow(Blocks<S>{z.H, false}, block, gates);
    if (narrow.vectors == 0) return;
    const Size first = block * lanes<S>, width = gates * lanes<S>, G = gates * z.H;
    const Size gate[] = {first, z.H + first, 2 * z.H + first, 3 * z.H + first};
    narrow.pack(f.W_x + block * z.F * width, w.W_x, G, z.F, gate, gates);
    narrow.pack(f.W_h + block * z.H * width, w.W_h, G, z.H, gate, gates);
    S *const b = f.bias[0] + block * width, *const both = f.bias[1] + block * width;
    narrow.pack(b, w.b, G, 1, gate, gates);
    narrow.pack(both, w.b_time, G, 1, gate, gates);
    for (int v = 0; v < narrow.vectors; ++v)
        store(both + v * lanes<S>, load(b + v * lanes<S>) + load(both + v * lanes<S>));
}

template <class Cell, class S> void forward_pack(Forward<S>& f, const Team& team) {
    const Sizes<S>& z = f.z;
    const Weights<S>& w = f.u.weights;
    const Blocks<S> blocks{z.H, Cell::wide};
    const Range part = team.to_pack(blocks.count());
    const Size G = Cell::gates * z.H;
    const Size gate[block_vectors] = {0, z.H, 2 * z.H, 3 * z.H};
    pack(f.W_x, w.W_x, G, z.F, blocks, gate, Cell::x_vectors, part);
    pack(f.W_h, w.W_h, G, z.H, blocks, gate, Cell::h_vectors, part);
    if constexpr (Cell::two_products) {
        const Blocks<S> wide{z.H, true};
        pack(f.W_n, w.W_h + Cell::h_vectors * z.H, G, z.H, wide, gate, 1,
             team.to_pack(wide.count()));
    }
    const int width = Cell::wide ? block_vectors : Cell::x_vectors;
    for (Size i = part.begin; i < part.end; ++i) {
        for (int v = 0; v < blocks.vectors(i, Cell::x_vectors); ++v) {
            const int n = blocks.valid(i, v);
            const Size column = (Cell::wide ? 0 : gate[v]) + blocks.unit(i, v);
            const Vec<S> b = w.b == nullptr ? Vec<S>{} : load(w.b + column, n);
            const Vec<S> b_time = w.b_time == nullptr ? Vec<S>{} : load(w.b_time + column, n);
            store(f.bias[0] + (i * width + v) * lanes<S>, b);
            store(f.bias[1] + (i * width + v) * lanes<S>, b + b_time);
        }
        if constexpr (Cell::recurrent_bias)
            store(f.b_hn + i * lanes<S>, w.b_hn == nullptr
                                             ? Vec<S>{}
                                             : load(w.b_hn + i * lanes<S>, blocks.valid(i, 0)));
    }
    if constexpr (Cell::narrows)
        if (part.begin < part.end && part.end == blocks.count()) pack_narrow<Cell>(f, part.end - 1);
    const Range rows = share(z.N, team.thread, team.threads);
    pad_rows(f.h[0], f.u.h_0, z.H, rows);
    if (f.c != nullptr) pad_rows(f.c, f.u.c_0, z.H, rows);
    if (f.drop != nullptr) {
        pad_rows(f.drop, f.u.drop, z.H, rows);
        for (Size i = rows.begin * f.Hs; i < rows.end * f.Hs; i += lanes<S>)
            store(f.used[0] + i, load(f.h[0] + i) * load(f.drop + i));
    }
    if (f.keep) {
        pad_rows(f.tape.h_0, f.u.h_0, z.H, rows);
        if (f.c != nullptr) pad_rows(f.tape.c_0, f.u.c_0, z.H, rows);
    }
    if (f.tape.begun != nullptr) fill_begun(f.tape.begun, f.u, rows);
}

// Where packed weights and biases go.
template <class Cell, class S> void plan_weights(Arena& arena, Forward<S>& f) {
    const Sizes<S>& z = f.z;
    const Size columns = Blocks<S>{z.H, Cell::wide}.count() * lanes<S>;
    const int x_width = Cell::wide ? block_vectors : Cell::x_vectors;
    const int h_width = Cell::wide ? block_vectors : Cell::h_vectors;
    arena.add(f.W_x, columns * x_width * z.F);
    arena.add(f.W_h, columns * h_width * z.H);
    for (S*& bias : f.bias) arena.add(bias, columns * x_width);
    if (Cell::recurrent_bias) arena.add(f.b_hn, columns);
    if (Cell::two_products)
        arena.add(f.W_n, Blocks<S>{z.H, true}.count() * block_vectors * lanes<S> * z.H);
}

template <class Cell, class S> void unroll(const Unroll<S>& u) {
    const Sizes<S>& z = u.sizes;
    const Blocks<S> blocks{z.H, Cell::wide};
    const Size Hs = padded<S>(z.H);
    Forward<S> common{.u = u, .z = z, .Hs = Hs, .tape = {}, .keep = u.tape != nullptr};
    Arena kept, own;
    const bool timed = u.weights.b_time != nullptr;
    if (common.keep) {
        const Size numbers = blocks.count() * Cell::saved * lanes<S>;
        common.tape.plan(kept, z, u.mask != nullptr, timed, numbers);
        kept.place(static_cast<char*>(u.tape));
    } else {
        common.tape = {};
        if (timed) own.add(common.tape.begun, z.T * z.N);
    }
    for (S*& h : common.h) own.add(h, z.N * Hs);
    if (Cell::has_c) own.add(common.c, z.N * Hs);
    if (Cell::two_products) {
        own.add(common.q, z.N * Hs);
        if (!common.keep) own.add(common.values, z.N * blocks.count() * lanes<S> * Cell::saved);
    }
    if (u.drop != nullptr) {
        own.add(common.drop, z.N * Hs);
        for (S*& used : common.used) own.add(used, z.N * Hs);
    }
    const Way way = common.keep ? Way::forth : Way::infer;
    const Sharing<S> sharing(z, way, Cell::gates, Cell::whole_rows(z), Cell::two_products);
    Arena weights;
    plan_weights<Cell>(weights, common);
    const int copies = sharing.copies(weights.size);
    char* packed;
    own.add(packed, weights.size * copies);
    own.settle();
    if (u.drop == nullptr) {
        common.used[0] = common.h[0];
        common.used[1] = common.h[1];
    }

    Barrier barrier;
    auto work = [&](int thread, int threads) {
        Team team = sharing.team(thread, threads, barrier);
        team.own_weights = copies > 1;
        Forward<S> f = common;
        Arena at;
        plan_weights<Cell>(at, f);
        at.place(packed + (team.own_weights ? thread * at.size : 0));
        forward_pack<Cell>(f, team);
        team.wait_for_weights();
        for (Size s = 0; s < z.T; ++s) {
            const Step<S> step{f, s, f.time(s)};
            forward_step<Cell>(step, team);
            Cell::after_tiles(step, team);
            team.wait_for_units();
        }
        const Range rows = team.by_units ? share(z.N, thread, threads) : team.rows;
        unpad_rows(u.h_T, f.h[z.T & 1], z.H, rows);
        if (f.c != nullptr) unpad_rows(u.c_T, f.c, z.H, rows);
    };
    parallel(
        sharing.threads,
        [](void* w, int thread, int n) { (*static_cast<decltype(work)*>(w))(thread, n); }, &work);
}

}  // namespace throughtime::TT_LEVEL
