// How the work of a time loop is shared among threads.
//
// There are two ways. By rows: each thread takes its rows of the batch through all steps and waits
// for the others between the parts of a pass only. By units, if there are too few rows: each thread
// computes some hidden units of all rows and waits once or twice a step, because each unit needs
// all others of the step before.
#pragma once

#include "base/loops.hpp"
#include "base/parallel.hpp"
#include "base/trial.hpp"
#include "level/gemm.hpp"

namespace throughtime::TT_LEVEL {

// One thread of a call: the rows and the units that it computes.
struct Worker {
    int thread, threads;
    Range rows;
    Range spans;   // of block_vectors * lanes units
    bool by_units;
    Barrier* barrier;
    bool own_weights = false;  // whether it packs all weights for itself, or a part for all threads

    // Its part in packing so many blocks.
    Range to_pack(Size blocks) const {
        return own_weights ? Range{0, blocks} : part_of(blocks, thread, threads);
    }
    // After packing. Everything else that a step needs, a thread prepares for its own rows.
    void wait_for_weights() const {
        if (!own_weights) wait();
    }

    void wait() const {
        barrier->wait(threads);
    }
    // Between parts of a step whose units depend on each other.
    void wait_for_units() const {
        if (by_units) wait();
    }
    // The blocks in its spans.
    template <class S> Range own(const Blocks<S>& blocks) const {
        const Size per_span = blocks.wide ? 1 : block_vectors;
        const Size count = blocks.count();
        return {smaller(count, spans.begin * per_span), smaller(count, spans.end * per_span)};
    }
};

// work(thread, n) on each of n threads, as parallel() does it.
template <class F> TT_INLINE void run_parallel(int n, F& work) {
    parallel(n, [](void* w, int thread, int threads) { (*static_cast<F*>(w))(thread, threads); },
             &work);
}

// Multiply-adds of a call below which a second thread costs more than it saves, about 5
// microseconds.
inline constexpr double worth_a_thread = 2.5e5;
// Multiply-adds of a step below which waiting at each step costs more, about half a microsecond.
inline constexpr double worth_a_barrier = 5e4;

// Bytes of packed weights that fit into a core's own cache beside everything else.
inline constexpr Size small_weights = Size{512} << 10;

// How many of `most` threads are worth it for a call of so many multiply-adds.
TT_INLINE int threads_worth(double work, Size most) {
    return static_cast<int>(larger(1, smaller(most, 1 + static_cast<Size>(work / worth_a_thread))));
}

// The purpose of a pass: the output alone, the output and a tape, or the gradients.
enum class Way : int { infer, forward, backward };

// How a call is shared. Calls with different `options` take different times for the same work.
template <class S> struct Sharing {
    Size N, spans;
    double step;  // multiply-adds
    bool by_units = false;
    int threads;
    Trial trial;

    Sharing(const Sizes<S>& z, Way way, int gates, bool rows_only, int options)
        : N(z.N), spans((z.H + block_vectors * lanes<S> - 1) / (block_vectors * lanes<S>)),
          step(static_cast<double>(z.N) * static_cast<double>(z.F + z.H) *
               static_cast<double>(z.H) * (way == Way::backward ? 2 * gates : gates)),
          threads(most(z, rows_only)),
          trial(((options * 3 + static_cast<int>(z.cell)) * 3 + static_cast<int>(way)) * 2 +
                    (sizeof(S) == 8),
                step * static_cast<double>(z.T), threads, by_units) {
        threads = trial.threads();
        if (threads == 1) by_units = false;
    }
    // How many copies of packed weights of so many bytes there should be. If the weights are small,
    // each thread with rows of its own packs a copy: that takes less time than to fetch what
    // another core has just written. Large ones would not stay in the core's cache.
    int copies(Size bytes) const {
        return by_units || bytes > small_weights ? 1 : threads;
    }
    // Thread `thread` of the n that there really are.
    Worker worker(int thread, int n, Barrier& barrier) const {
        const Range all{0, N}, whole{0, spans};
        return {thread, n, by_units ? all : part_of(N, thread, n),
                by_units ? part_of(spans, thread, n) : whole, by_units, &barrier};
    }
    int most(const Sizes<S>& z, bool rows_only) {
        const int worth = threads_worth(step * static_cast<double>(z.T), z.threads);
        if (worth == 1 || N >= 3 * worth || N % worth == 0) return worth;
        by_units = !rows_only && spans > 1 && step > worth_a_barrier;
        return static_cast<int>(smaller(worth, by_units ? spans : larger(N, 1)));
    }
};

}  // namespace throughtime::TT_LEVEL
