// Backpropagation through time, for every cell.
//
//     da_t, ds_{t-1} = the derivative of the cell, from ds_t and the values on the tape
//     dh_{t-1}      += da_t W_h^T                           one step at a time
//     dL/dW += [x_t 1 e_t]^T da_t, h_{t-1}^T da_t;  dL/dx_t = da_t W_x^T    many steps at once
//
// The loop runs over chunks of steps. The da of a chunk stay in the cache until their three
// products are done; the da of all steps are never stored. A sum over steps and rows is one chain
// in the order of the loop, last step first, so it does not depend on where chunks end.
#pragma once

#include "level/cell.hpp"

namespace throughtime::TT_LEVEL {

// Fills the left factors of a chunk's rows: [x 1 e], h_{t-1} with dropout, and q of the cell.
// `steps` counts backwards from the step `last`.
template <CellKernel Cell, class S>
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

// The columns that a product with transposed weights sums over: the chosen vectors of each block.
template <CellKernel Cell, class S> Columns<S> columns_of(Size H, const int* chosen, int count) {
    Columns<S> columns{{H, Cell::wide}, {0, H, 2 * H, 3 * H}, {}, count};
    for (int c = 0; c < count; ++c) columns.chosen[c] = chosen[c];
    return columns;
}

template <CellKernel Cell, class S> void bptt(const Bptt<S>& b) {
    const Unroll<S>& u = b.forward;
    const Sizes<S>& z = u.sizes;
    const Blocks<S> blocks{z.H, Cell::wide};
    const Size Hs = padded<S>(z.H), G = Cell::gates * z.H;
    Backward<S> common{.b = b, .u = u, .z = z, .Hs = Hs, .tape = {}};
    Arena kept, own;
    const bool timed = u.weights.b_time != nullptr;
    common.tape.plan(kept, z, u.mask != nullptr, timed, blocks.count() * Cell::saved * lanes<S>);
    kept.place(static_cast<char*>(u.tape));

    const int every[block_vectors] = {0, 1, 2, 3};
    const Columns<S> x_columns = columns_of<Cell, S>(z.H, every, Cell::gates);
    const Columns<S> h_columns = columns_of<Cell, S>(z.H, Cell::h_chosen, Cell::h_vectors);
    const Size steps = larger(1, smaller(z.T, chunk_rows / larger(z.N, 1)));
    common.chunk.K = steps * z.N;
    common.x_count = z.F + (b.db != nullptr) + (b.db_time != nullptr);
    const auto transposed = [&](Size outputs) {
        return Blocks<S>{outputs, true}.count() * block_vectors * lanes<S> * G;
    };
    own.add(common.chunk.da, common.chunk.numbers(blocks.count()));
    own.add(common.x_panels, common.chunk.panel_numbers(common.x_count));
    own.add(common.h_panels, common.chunk.panel_numbers(z.H));
    own.add(common.q_panels, common.chunk.panel_numbers(Cell::q_count(b)));
    own.add(common.dh, z.N * Hs);
    if (Cell::has_c) own.add(common.dc, z.N * Hs);
    if (Cell::has_second_product) own.add(common.du, z.N * Hs);
    if (u.drop != nullptr) own.add(common.drop, z.N * Hs);
    own.add(common.x_rows, common.x_count);
    const auto plan_weights = [&](Arena& arena, Backward<S>& back) {
        arena.add(back.W_h_T, transposed(z.H));
        if (b.dx != nullptr) arena.add(back.W_x_T, transposed(z.F));
    };
    const Sharing<S> sharing(z, Way::backward, Cell::gates, Cell::whole_rows(z),
                             2 * (b.dx != nullptr) + Cell::has_second_product);
    Arena weights;
    plan_weights(weights, common);
    const int copies = sharing.copies(weights.size);
    char* packed;
    own.add(packed, weights.size * copies);
    own.settle();
    for (Size m = 0; m < z.F; ++m) common.x_rows[m] = b.dW_x + m * G;
    if (b.db != nullptr) common.x_rows[z.F] = b.db;
    if (b.db_time != nullptr) common.x_rows[common.x_count - 1] = b.db_time;

    Barrier barrier;
    auto work = [&](int thread, int threads) {
        Worker worker = sharing.worker(thread, threads, barrier);
        worker.own_weights = copies > 1;
        Backward<S> f = common;
        Arena at;
        plan_weights(at, f);
        at.place(packed + (worker.own_weights ? thread * at.size : 0));
        const auto mine = [&](Size count) { return part_of(count, thread, threads); };
        Cell::pack_back(f, h_columns, worker.to_pack(Blocks<S>{z.H, true}.count()));
        if (b.dx != nullptr)
            pack_transposed(f.W_x_T, u.weights.W_x, G, z.F, x_columns,
                            worker.to_pack(Blocks<S>{z.F, true}.count()));
        pad_rows(f.dh, b.dh_T, z.H, mine(z.N));
        if (f.dc != nullptr) pad_rows(f.dc, b.dc_T, z.H, mine(z.N));
        if (f.drop != nullptr) pad_rows(f.drop, u.drop, z.H, mine(z.N));
        worker.wait_for_weights();
        for (Size end = z.T; end > 0; end -= smaller(end, steps)) {
            const Size begin = larger(0, end - steps);
            for (Size s = end - 1; s >= begin; --s)
                Cell::step_backward(BackwardStep<S>{f, s, f.time(s), (end - 1 - s) * z.N},
                                    h_columns, worker);
            const Size depth = (end - begin) * z.N;
            // No wait before this: the left factors depend on the forward pass alone.
            const Range past{0, end - begin};
            fill_panels<Cell>(f, end - 1, worker.by_units ? mine(past.end) : past, worker.rows);
            worker.wait();
            Cell::weight_gradients(f, depth, thread, threads);
            if (b.dx != nullptr)
                rows_back(f.chunk, x_columns, f.W_x_T, z.F, mine(depth), [&](Size k) {
                    return b.dx + (k % z.N * z.T + f.time(end - 1 - k / z.N)) * z.F;
                });
            worker.wait();
        }
        unpad_rows(b.dh_0, f.dh, z.H, mine(z.N));
        if (f.dc != nullptr) unpad_rows(b.dc_0, f.dc, z.H, mine(z.N));
    };
    run_parallel(sharing.threads, work);
}

}  // namespace throughtime::TT_LEVEL
