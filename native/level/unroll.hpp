// The network unrolled: the forward pass over time, for every cell.
//
//     a_t = b + e_t b_time + x_t W_x          one chain of fma for each element,
//     u_t = a_t + h_{t-1} W_h                 continued over both products
//     h_t = the equations of the cell         while the tile is in registers
//
// bptt.py and cells/ on the Python side compute the same in NumPy and define what is right.
#pragma once

#include "level/cell.hpp"

namespace throughtime::TT_LEVEL {

// The sums of the last block, of V vectors; see TailBlock. Weights and biases are packed for it.
template <CellKernel Cell, int V, int R, class S>
TT_INLINE void tail_sums(Tile<S, R>& acc, const Forward<S>& f, const S* const (&x)[R],
                           const S* const (&h)[R], Size block, const TailBlock<S>& tail) {
    const Size stride = Cell::gates * lanes<S>;
    accumulate_first<V>(acc, x, f.W_x + block * f.z.F * stride, f.z.F);
    accumulate_first<V>(acc, h, f.W_h + block * f.z.H * stride, f.z.H);
    tail.template separate<V>(acc, Cell::gates);
}

// The sums, then the equations of the cell, for R rows of one block of V vectors.
template <CellKernel Cell, int V, int R, class S>
TT_INLINE void forward_tile(const ForwardStep<S>& step, Size row, Size block) {
    const Forward<S>& f = step.f;
    const Sizes<S>& z = f.z;
    constexpr int x_stride = Cell::wide ? block_vectors : Cell::gates;
    constexpr int h_stride = Cell::wide ? block_vectors : Cell::h_vectors;
    constexpr int x_width = Cell::wide ? V : Cell::gates;
    Tile<S, R> acc;
    const S *x[R], *h[R];
    for (int r = 0; r < R; ++r) {
        const Size n = row + r;
        const bool begun = f.tape.begun != nullptr && f.tape.begun[step.s * z.N + n] != 0;
        const S* bias = f.bias[begun] + block * x_stride * lanes<S>;
        for (int v = 0; v < x_width; ++v) acc.at[r][v] = load(bias + v * lanes<S>);
        if constexpr (Cell::has_recurrent_bias) acc.at[r][3] = load(f.b_hn + block * lanes<S>);
        x[r] = f.u.x + n * f.u.x_row + step.t * f.u.x_step;
        h[r] = f.used[step.s & 1] + n * f.Hs;
    }
    if constexpr (Cell::packs_tail) {
        const TailBlock<S> tail(Blocks<S>{z.H, false}, block, Cell::gates);
        switch (tail.vectors) {
            case 1: tail_sums<Cell, 1>(acc, f, x, h, block, tail); break;
            case 2: tail_sums<Cell, 2>(acc, f, x, h, block, tail); break;
            case 3: tail_sums<Cell, 3>(acc, f, x, h, block, tail); break;
        }
        if (tail.vectors != 0) return Cell::template equations<V>(step, acc, row, block);
    }
    Cell::template project<V>(acc, x, f.W_x + block * z.F * x_stride * lanes<S>, z.F);
    Cell::template recur<V>(acc, h, f.W_h + block * z.H * h_stride * lanes<S>, z.H);
    Cell::template equations<V>(step, acc, row, block);
}

template <CellKernel Cell, class S>
void forward_step(const ForwardStep<S>& step, const Worker& worker) {
    const Blocks<S> blocks{step.f.z.H, Cell::wide};
    for_blocks(worker.own(blocks), step.s, [&](Size i) {
        for_tiles(worker.rows.begin, worker.rows.end, [&](Size row, auto rows) {
            constexpr int R = decltype(rows)::count;
            if constexpr (!Cell::wide) {
                forward_tile<Cell, Cell::gates, R>(step, row, i);
            } else {
                with_vectors(blocks.vectors(i, 1), [&](auto width) {
                    forward_tile<Cell, decltype(width)::count, R>(step, row, i);
                });
            }
        });
    });
}

// Packs the last block once more, if it is a tail block.
template <CellKernel Cell, class S> void pack_tail(Forward<S>& f, Size block) {
    const Sizes<S>& z = f.z;
    const Weights<S>& w = f.u.weights;
    constexpr int gates = Cell::gates;
    const TailBlock<S> tail(Blocks<S>{z.H, false}, block, gates);
    if (tail.vectors == 0) return;
    const Size first = block * lanes<S>, width = gates * lanes<S>, G = gates * z.H;
    const Size gate_at[] = {first, z.H + first, 2 * z.H + first, 3 * z.H + first};
    tail.pack(f.W_x + block * z.F * width, w.W_x, G, z.F, gate_at, gates);
    tail.pack(f.W_h + block * z.H * width, w.W_h, G, z.H, gate_at, gates);
    S *const b = f.bias[0] + block * width, *const both = f.bias[1] + block * width;
    tail.pack(b, w.b, G, 1, gate_at, gates);
    tail.pack(both, w.b_time, G, 1, gate_at, gates);
    for (int v = 0; v < tail.vectors; ++v)
        store(both + v * lanes<S>, load(b + v * lanes<S>) + load(both + v * lanes<S>));
}

template <CellKernel Cell, class S> void forward_pack(Forward<S>& f, const Worker& worker) {
    const Sizes<S>& z = f.z;
    const Weights<S>& w = f.u.weights;
    const Blocks<S> blocks{z.H, Cell::wide};
    const Range part = worker.to_pack(blocks.count());
    const Size G = Cell::gates * z.H;
    const Size gate_at[block_vectors] = {0, z.H, 2 * z.H, 3 * z.H};
    pack(f.W_x, w.W_x, G, z.F, blocks, gate_at, Cell::gates, part);
    pack(f.W_h, w.W_h, G, z.H, blocks, gate_at, Cell::h_vectors, part);
    if constexpr (Cell::has_second_product) {
        const Blocks<S> wide{z.H, true};
        pack(f.W_n, w.W_h + Cell::h_vectors * z.H, G, z.H, wide, gate_at, 1,
             worker.to_pack(wide.count()));
    }
    const int width = Cell::wide ? block_vectors : Cell::gates;
    for (Size i = part.begin; i < part.end; ++i) {
        for (int v = 0; v < blocks.vectors(i, Cell::gates); ++v) {
            const int n = blocks.valid(i, v);
            const Size column = (Cell::wide ? 0 : gate_at[v]) + blocks.unit(i, v);
            const Vec<S> b = w.b == nullptr ? Vec<S>{} : load(w.b + column, n);
            const Vec<S> b_time = w.b_time == nullptr ? Vec<S>{} : load(w.b_time + column, n);
            store(f.bias[0] + (i * width + v) * lanes<S>, b);
            store(f.bias[1] + (i * width + v) * lanes<S>, b + b_time);
        }
        if constexpr (Cell::has_recurrent_bias)
            store(f.b_hn + i * lanes<S>, w.b_hn == nullptr
                                             ? Vec<S>{}
                                             : load(w.b_hn + i * lanes<S>, blocks.valid(i, 0)));
    }
    if constexpr (Cell::packs_tail)
        if (part.begin < part.end && part.end == blocks.count()) pack_tail<Cell>(f, part.end - 1);
    const Range rows = part_of(z.N, worker.thread, worker.threads);
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

// Adds the packed weights and biases to an arena.
template <CellKernel Cell, class S> void plan_weights(Arena& arena, Forward<S>& f) {
    const Sizes<S>& z = f.z;
    const Size columns = Blocks<S>{z.H, Cell::wide}.count() * lanes<S>;
    const int x_width = Cell::wide ? block_vectors : Cell::gates;
    const int h_width = Cell::wide ? block_vectors : Cell::h_vectors;
    arena.add(f.W_x, columns * x_width * z.F);
    arena.add(f.W_h, columns * h_width * z.H);
    for (S*& bias : f.bias) arena.add(bias, columns * x_width);
    if (Cell::has_recurrent_bias) arena.add(f.b_hn, columns);
    if (Cell::has_second_product)
        arena.add(f.W_n, Blocks<S>{z.H, true}.count() * block_vectors * lanes<S> * z.H);
}

template <CellKernel Cell, class S> void unroll(const Unroll<S>& u) {
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
    if (Cell::has_second_product) {
        own.add(common.q, z.N * Hs);
        if (!common.keep) own.add(common.values, z.N * blocks.count() * lanes<S> * Cell::saved);
    }
    if (u.drop != nullptr) {
        own.add(common.drop, z.N * Hs);
        for (S*& used : common.used) own.add(used, z.N * Hs);
    }
    const Way way = common.keep ? Way::forward : Way::infer;
    const Sharing<S> sharing(z, way, Cell::gates, Cell::whole_rows(z), Cell::has_second_product);
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
        Worker worker = sharing.worker(thread, threads, barrier);
        worker.own_weights = copies > 1;
        Forward<S> f = common;
        Arena at;
        plan_weights<Cell>(at, f);
        at.place(packed + (worker.own_weights ? thread * at.size : 0));
        forward_pack<Cell>(f, worker);
        worker.wait_for_weights();
        for (Size s = 0; s < z.T; ++s) {
            const ForwardStep<S> step{f, s, f.time(s)};
            forward_step<Cell>(step, worker);
            Cell::after_tiles(step, worker);
            worker.wait_for_units();
        }
        const Range rows = worker.by_units ? part_of(z.N, thread, threads) : worker.rows;
        unpad_rows(u.h_T, f.h[z.T & 1], z.H, rows);
        if (f.c != nullptr) unpad_rows(u.c_T, f.c, z.H, rows);
    };
    run_parallel(sharing.threads, work);
}

}  // namespace throughtime::TT_LEVEL
