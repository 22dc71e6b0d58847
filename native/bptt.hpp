// The driver of backpropagation through time; the parts are in backward.hpp.
#pragma once

#include "backward.hpp"

namespace throughtime::TT_LEVEL {

// The columns that a product with the transposed weights sums over, gate by gate.
template <class Cell, class S> Columns<S> columns_of(Size H, const int* chosen, int count) {
    Columns<S> columns{{H, Cell::wide}, {0, H, 2 * H, 3 * H}, {}, count};
    for (int c = 0; c < count; ++c) columns.chosen[c] = chosen[c];
    return columns;
}

template <class Cell, class S> void bptt(const Bptt<S>& b) {
    const Unroll<S>& u = b.forward;
    const Sizes<S>& z = u.sizes;
    const Blocks<S> blocks{z.H, Cell::wide};
    const Size Hs = padded<S>(z.H), G = Cell::gates * z.H;
    Backward<S> common{.b = b, .u = u, .z = z, .Hs = Hs, .tape = {}};
    Arena kept, own;
    const bool timed = u.weights.b_time != nullptr;
    common.tape.plan(kept, z, u.mask != nullptr, timed, blocks.count() * Cell::saved * lanes<S>);
    kept.place(static_cast<char*>(u.tape));

    const Columns<S> x_columns = columns_of<Cell, S>(z.H, Cell::x_chosen, Cell::gates);
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
    if (Cell::two_products) own.add(common.du, z.N * Hs);
    if (u.drop != nullptr) own.add(common.drop, z.N * Hs);
    own.add(common.x_rows, common.x_count);
    const auto plan_weights = [&](Arena& arena, Backward<S>& back) {
        arena.add(back.W_h_T, transposed(z.H));
        if (b.dx != nullptr) arena.add(back.W_x_T, transposed(z.F));
    };
    const Sharing<S> sharing(z, Way::back, Cell::gates, Cell::whole_rows(z),
                             2 * (b.dx != nullptr) + Cell::two_products);
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
        Team team = sharing.team(thread, threads, barrier);
        team.own_weights = copies > 1;
        Backward<S> f = common;
        Arena at;
        plan_weights(at, f);
        at.place(packed + (team.own_weights ? thread * at.size : 0));
        const auto mine = [&](Size count) { return share(count, thread, threads); };
        Cell::pack_back(f, h_columns, team.to_pack(Blocks<S>{z.H, true}.count()));
        if (b.dx != nullptr)
            pack_transposed(f.W_x_T, u.weights.W_x, G, z.F, x_columns,
                            team.to_pack(Blocks<S>{z.F, true}.count()));
        pad_rows(f.dh, b.dh_T, z.H, mine(z.N));
        if (f.dc != nullptr) pad_rows(f.dc, b.dc_T, z.H, mine(z.N));
        if (f.drop != nullptr) pad_rows(f.drop, u.drop, z.H, mine(z.N));
        team.wait_for_weights();
        for (Size end = z.T; end > 0; end -= smaller(end, steps)) {
            const Size begin = larger(0, end - steps);
            for (Size s = end - 1; s >= begin; --s)
                Cell::back(BackStep<S>{f, s, f.time(s), (end - 1 - s) * z.N}, h_columns, team);
            const Size depth = (end - begin) * z.N;
            // Of its own rows, for which it has prepared everything itself.
            const Range past{0, end - begin};
            fill_panels<Cell>(f, end - 1, team.by_units ? mine(past.end) : past, team.rows);
            team.wait();
            Cell::outer(f, depth, thread, threads);
            if (b.dx != nullptr)
                rows_back(f.chunk, x_columns, f.W_x_T, z.F, mine(depth), [&](Size k) {
                    return b.dx + (k % z.N * z.T + f.time(end - 1 - k / z.N)) * z.F;
                });
            team.wait();
        }
        unpad_rows(b.dh_0, f.dh, z.H, mine(z.N));
        if (f.dc != nullptr) unpad_rows(b.dc_0, f.dc, z.H, mine(z.N));
    };
    parallel(
        sharing.threads,
        [](void* w, int thread, int n) { (*static_cast<decltype(work)*>(w))(thread, n); }, &work);
}

}  // namespace throughtime::TT_LEVEL
