// The products of a dense layer: y = b + x W for many rows, and its three gradients; and the
// products of many pairs of matrices, of attention.
#include "level/layout.hpp"
#include "level/products.hpp"
#include "level/sharing.hpp"

namespace throughtime::TT_LEVEL {
namespace {

// Rows that are multiplied with all weights before the next rows are: they stay in the cache.
constexpr Size band = 96;

template <class S> Trial trial_of(const Affine<S>& a, int way) {
    const double work =
        static_cast<double>(a.M) * static_cast<double>(a.F) * static_cast<double>(a.K);
    const int kind = 100 + 2 * way + (sizeof(S) == 8);
    return Trial(kind, work, threads_worth(work, smaller(a.threads, a.M / 2)), false);
}

template <int V, int R, class S>
TT_INLINE void affine_tile(const Affine<S>& a, const S* weights, Size row, Size block) {
    const Blocks<S> out{a.K, true};
    Tile<S, R> acc;
    const S* x[R];
    for (int r = 0; r < R; ++r) {
        x[r] = a.x + (row + r) * a.F;
        for (int v = 0; v < V; ++v)
            acc.at[r][v] = a.b == nullptr
                               ? Vec<S>{}
                               : load(a.b + out.unit(block, v), out.valid(block, v));
    }
    accumulate_first<V>(acc, x, weights, a.F);
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) {
            S* const to = a.y + (row + r) * a.K + out.unit(block, v);
            const int valid = out.valid(block, v);
            if (a.add) acc.at[r][v] = load(to, valid) + acc.at[r][v];
            store(to, acc.at[r][v], valid);
        }
}

template <class S> void affine_rows(const Affine<S>& a, const S* packed, Range rows) {
    const Blocks<S> out{a.K, true};
    for (Size first = rows.begin; first < rows.end; first += band) {
        const Size end = smaller(rows.end, first + band);
        for (Size i = 0; i < out.count(); ++i) {
            const S* w = packed + i * a.F * block_vectors * lanes<S>;
            for_tiles(first, end, [&](Size row, auto height) {
                with_vectors(out.vectors(i, 1), [&](auto width) {
                    affine_tile<decltype(width)::count, decltype(height)::count>(a, w, row, i);
                });
            });
        }
    }
}

template <class S> void forward(const Affine<S>& a) {
    const Blocks<S> out{a.K, true};
    const Trial trial = trial_of(a, 0);
    Arena own;
    S* packed = nullptr;
    own.add(packed, out.count() * block_vectors * lanes<S> * a.F);
    own.settle();
    Barrier barrier;
    auto work = [&](int thread, int threads) {
        const Size gate_at[block_vectors] = {};
        pack(packed, a.W, a.K, a.F, out, gate_at, 1, part_of(out.count(), thread, threads));
        barrier.wait(threads);
        affine_rows(a, packed, part_of(a.M, thread, threads));
    };
    run_parallel(trial.threads(), work);
}

template <class S> void backward(const AffineBack<S>& g) {
    const Affine<S>& a = g.forward;
    const Trial trial = trial_of(a, g.dx == nullptr ? 1 : 2);
    const Blocks<S> blocks{a.K, true};
    const Columns<S> columns{blocks, {}, {}, 1};
    const Size width = block_vectors * lanes<S>;
    const Size count = a.F + (g.db != nullptr);
    Chunk<S> chunk;
    chunk.K = smaller(a.M, chunk_rows);
    S *panels = nullptr, *W_T = nullptr, **rows = nullptr;
    Arena own;
    own.add(chunk.da, chunk.numbers(blocks.count()));
    own.add(panels, chunk.panel_numbers(count));
    own.add(rows, count);
    if (g.dx != nullptr) own.add(W_T, Blocks<S>{a.F, true}.count() * width * a.K);
    own.settle();
    for (Size m = 0; m < a.F; ++m) rows[m] = g.dW + m * a.K;
    if (g.db != nullptr) rows[a.F] = g.db;
    Barrier barrier;
    auto work = [&](int thread, int threads) {
        const auto mine = [&](Size n) { return part_of(n, thread, threads); };
        if (g.dx != nullptr)
            pack_transposed(W_T, a.W, a.K, a.F, columns, mine(Blocks<S>{a.F, true}.count()));
        for (Size first = 0; first < a.M; first += chunk.K) {
            const Size depth = smaller(chunk.K, a.M - first);
            const Range part = mine(depth);
            for (Size k = part.begin; k < part.end; ++k) {
                const S* dz = g.dz + (first + k) * a.K;
                for (Size i = 0; i < blocks.count(); ++i)
                    for (int v = 0; v < blocks.vectors(i, 1); ++v)
                        store(chunk.at(i, k) + v * lanes<S>,
                              load(dz + blocks.unit(i, v), blocks.valid(i, v)));
                PanelWriter<S> x(chunk, panels, k);
                x.put(a.x + (first + k) * a.F, a.F);
                if (g.db != nullptr) x.put(S(1));
            }
            barrier.wait(threads);
            const Size gate_at[block_vectors] = {};
            const Factor<S> left{panels, count, rows, nullptr, 0};
            outer_product(chunk, left, blocks, gate_at, depth, thread, threads);
            if (g.dx != nullptr)
                rows_back(chunk, columns, W_T, a.F, part,
                          [&](Size k) { return g.dx + (first + k) * a.F; });
            barrier.wait(threads);
        }
    };
    run_parallel(trial.threads(), work);
}

// Each thread packs for itself the matrices that its rows are multiplied with.
template <class S> void each_product(const Products<S>& p) {
    const Blocks<S> out{p.K, true};
    const Columns<S> columns{Blocks<S>{p.F, true}, {}, {}, 1};
    const double work = static_cast<double>(p.B) * static_cast<double>(p.M) *
                        static_cast<double>(p.F) * static_cast<double>(p.K);
    const Trial trial(106 + (sizeof(S) == 8), work,
                      threads_worth(work, smaller(p.threads, p.B * p.M)), false);
    const Size parts = (trial.threads() + p.B - 1) / p.B;  // of the rows of a pair
    const Size numbers = out.count() * block_vectors * lanes<S> * p.F;
    Arena own;
    S* packed = nullptr;
    own.add(packed, numbers * trial.threads());
    own.settle();
    auto compute = [&](int thread, int threads) {
        S* const W = packed + thread * numbers;
        const Range items = part_of(p.B * parts, thread, threads);
        const Size gate_at[block_vectors] = {};
        for (Size i = items.begin; i < items.end; ++i) {
            const Size pair = i / parts;
            const S* from = p.W + pair * p.F * p.K;
            if (i == items.begin || i % parts == 0) {
                if (p.transposed)
                    pack_transposed(W, from, p.F, p.K, columns, {0, out.count()});
                else
                    pack(W, from, p.K, p.F, out, gate_at, 1, {0, out.count()});
            }
            const Affine<S> one{p.M,     p.F, p.K, p.x + pair * p.M * p.F, nullptr,
                                nullptr, p.y + pair * p.M * p.K, 1, false};
            affine_rows(one, W, part_of(p.M, static_cast<int>(i % parts), static_cast<int>(parts)));
        }
    };
    run_parallel(trial.threads(), compute);
}

}  // namespace

void affine(const Affine<float>& a) { forward(a); }
void affine(const Affine<double>& a) { forward(a); }
void affine_back(const AffineBack<float>& g) { backward(g); }
void affine_back(const AffineBack<double>& g) { backward(g); }
void products(const Products<float>& p) { each_product(p); }
void products(const Products<double>& p) { each_product(p); }

}  // namespace throughtime::TT_LEVEL
