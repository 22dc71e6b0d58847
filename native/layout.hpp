// How the memory of a time loop is laid out, and how its work is shared among threads.
//
// Two ways to share. By rows: each thread takes its rows of the batch through all steps and waits
// for the others between the parts of a pass alone. By units, where there are too few rows: each
// thread computes some hidden units of all rows and waits once or twice a step, because every unit
// needs all others of the step before.
#pragma once

#include "gemm.hpp"
#include "loops.hpp"
#include "memory.hpp"
#include "parallel.hpp"
#include "trial.hpp"

namespace throughtime::TT_LEVEL {

template <class S> TT_INLINE Size padded(Size units) {
    return (units + lanes<S> - 1) / lanes<S> * lanes<S>;
}

// A block of memory cut into arrays: first add() all of them, then ask for their places.
class Arena {
   public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena() {
        if (owned) give(base);
    }
    template <class T> void add(T*& place, Size count) {
        slots[used++] = {reinterpret_cast<void**>(&place), size};
        size += (count * static_cast<Size>(sizeof(T)) + 63) / 64 * 64;
    }
    void settle() {
        owned = true;
        place(static_cast<char*>(take(static_cast<std::size_t>(size))));
    }
    void place(char* at) {
        base = at;
        for (int i = 0; i < used; ++i) *slots[i].place = base + slots[i].offset;
    }
    Size size = 0;

   private:
    struct Slot {
        void** place;
        Size offset;
    };
    Slot slots[24] = {};
    int used = 0;
    char* base = nullptr;
    bool owned = false;
};

// What a pass keeps. States stand in the order of the caller's time, values in that of the loop.
template <class S> struct Tape {
    S *h_0, *c_0;             // (N, Hs): the initial state, padded
    S* states;                // (N, T, H): h_t carried over masked steps; null without a mask (y)
    S* saved;                 // (T, N, blocks, vectors, lanes): what the cell keeps
    std::uint8_t* begun;      // (T, N): e_t of the time bias

    void plan(Arena& arena, const Sizes<S>& z, bool masked, bool timed, Size saved_numbers) {
        h_0 = c_0 = states = saved = nullptr;
        begun = nullptr;
        const Size rows = z.N * padded<S>(z.H);
        arena.add(h_0, rows);
        if (z.cell == Cell::lstm) arena.add(c_0, rows);
        if (masked) arena.add(states, z.N * z.T * z.H);
        if (timed) arena.add(begun, z.T * z.N);
        arena.add(saved, z.T * z.N * saved_numbers);
    }
};

template <class Cell, class S> std::size_t tape_bytes(const Sizes<S>& z, bool masked, bool timed) {
    Arena arena;
    Tape<S> tape;
    const Size numbers = Blocks<S>{z.H, Cell::wide}.count() * Cell::saved * lanes<S>;
    tape.plan(arena, z, masked, timed, numbers);
    return static_cast<std::size_t>(arena.size);
}

// Which rows and which units are a thread's own.
struct Team {
    int thread, threads;
    Range rows;
    Range spans;   // of block_vectors * lanes units
    bool by_units;
    Barrier* barrier;
    bool own_weights = false;  // packed by this thread for itself, or by all together

    // Its part in packing so many blocks.
    Range to_pack(Size blocks) const {
        return own_weights ? Range{0, blocks} : share(blocks, thread, threads);
    }
    // After packing: whatever else is prepared, each thread prepares for its own rows.
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
    // Blocks in this thread's spans.
    template <class S> Range own(const Blocks<S>& blocks) const {
        const Size per_span = blocks.wide ? 1 : block_vectors;
        const Size count = blocks.count();
        return {smaller(count, spans.begin * per_span), smaller(count, spans.end * per_span)};
    }
};

// Multiply-adds below which a second thread costs more than it brings: about 5 microseconds.
inline constexpr double worth_a_thread = 2.5e5;
// And those of one step below which waiting at every step does: about half a microsecond.
inline constexpr double worth_a_barrier = 5e4;

// Bytes of packed weights that a core's own cache holds beside all else.
inline constexpr Size small_weights = Size{512} << 10;

// How many of `most` threads a call of so many multiply-adds may have.
TT_INLINE int threads_worth(double work, Size most) {
    return static_cast<int>(larger(1, smaller(most, 1 + static_cast<Size>(work / worth_a_thread))));
}

// What a pass is for: nothing but its output, or the way back as well; or it is the way back.
enum class Way : int { infer, forth, back };

// How a call is shared. Calls of other `options` take other times for the same work.
template <class S> struct Sharing {
    Size N, spans;
    double step;  // multiply-adds
    bool by_units = false;
    int threads;
    Trial trial;

    Sharing(const Sizes<S>& z, Way way, int gates, bool rows_only, int options)
        : N(z.N), spans((z.H + block_vectors * lanes<S> - 1) / (block_vectors * lanes<S>)),
          step(static_cast<double>(z.N) * static_cast<double>(z.F + z.H) *
               static_cast<double>(z.H) * (way == Way::back ? 2 * gates : gates)),
          threads(most(z, rows_only)),
          trial(((options * 3 + static_cast<int>(z.cell)) * 3 + static_cast<int>(way)) * 2 +
                    (sizeof(S) == 8),
                step * static_cast<double>(z.T), threads, by_units) {
        threads = trial.threads();
        if (threads == 1) by_units = false;
    }
    // How many copies of packed weights of so many bytes there should be: one for each thread that
    // has rows of its own, as long as they are small. What another core has just written takes
    // longer to come than to be packed once more; large ones would not stay in the core's cache.
    int copies(Size bytes) const {
        return by_units || bytes > small_weights ? 1 : threads;
    }
    // Thread `thread` of the n that there really are.
    Team team(int thread, int n, Barrier& barrier) const {
        const Range all{0, N}, whole{0, spans};
        return {thread, n, by_units ? all : share(N, thread, n),
                by_units ? share(spans, thread, n) : whole, by_units, &barrier};
    }
    int most(const Sizes<S>& z, bool rows_only) {
        const int worth = threads_worth(step * static_cast<double>(z.T), z.threads);
        if (worth == 1 || N >= 3 * worth || N % worth == 0) return worth;
        by_units = !rows_only && spans > 1 && step > worth_a_barrier;
        return static_cast<int>(smaller(worth, by_units ? spans : larger(N, 1)));
    }
};

// e_t: whether a real step, or a given state, precedes loop step s of a row.
template <class S> void fill_begun(std::uint8_t* begun, const Unroll<S>& u, Range rows) {
    const Sizes<S>& z = u.sizes;
    for (Size n = rows.begin; n < rows.end; ++n) {
        std::uint8_t now = u.started != nullptr && u.started[n] != 0;
        for (Size s = 0; s < z.T; ++s) {
            const Size t = z.reverse ? z.T - 1 - s : s;
            begun[s * z.N + n] = now;
            now |= u.mask == nullptr || u.mask[n * u.mask_row + t * u.mask_step] != 0;
        }
    }
}

// Copy (rows, H) to rows padded with zeros, or back.
template <class S> void pad_rows(S* to, const S* from, Size H, Range rows) {
    const Size Hs = padded<S>(H);
    for (Size n = rows.begin; n < rows.end; ++n)
        for (Size i = 0; i < Hs; i += lanes<S>)
            store(to + n * Hs + i, from == nullptr
                                       ? Vec<S>{}
                                       : load(from + n * H + i,
                                              static_cast<int>(smaller(lanes<S>, H - i))));
}
template <class S> void unpad_rows(S* to, const S* from, Size H, Range rows) {
    const Size Hs = padded<S>(H);
    for (Size n = rows.begin; n < rows.end; ++n)
        for (Size i = 0; i < H; i += lanes<S>)
            store(to + n * H + i, load(from + n * Hs + i),
                  static_cast<int>(smaller(lanes<S>, H - i)));
}

}  // namespace throughtime::TT_LEVEL
