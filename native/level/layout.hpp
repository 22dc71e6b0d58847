// How the memory of a time loop is laid out.
#pragma once

#include "base/loops.hpp"
#include "base/memory.hpp"
#include "level/gemm.hpp"

namespace throughtime::TT_LEVEL {

template <class S> TT_INLINE Size padded(Size units) {
    return (units + lanes<S> - 1) / lanes<S> * lanes<S>;
}

// A block of memory cut into arrays: add() all of them, then settle() or place() the block.
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

// What a forward pass keeps for the backward pass: the arrays in the memory of a tape. States stand
// in the order of the caller's time, values of a cell in the order of the loop.
template <class S> struct TapeArrays {
    S *h_0, *c_0;             // (N, Hs): the initial state, padded
    S* states;                // (N, T, H): h_t, carried over masked steps; null without a mask (y)
    S* saved;                 // (T, N, blocks, vectors, lanes): what the cell keeps
    std::uint8_t* begun;      // (T, N): e_t of the time bias

    void plan(Arena& arena, const Sizes<S>& z, bool masked, bool timed, Size saved_numbers) {
        h_0 = c_0 = states = saved = nullptr;
        begun = nullptr;
        const Size rows = z.N * padded<S>(z.H);
        arena.add(h_0, rows);
        if (has_c(z.cell)) arena.add(c_0, rows);
        if (masked) arena.add(states, z.N * z.T * z.H);
        if (timed) arena.add(begun, z.T * z.N);
        arena.add(saved, z.T * z.N * saved_numbers);
    }
};

// Fills e_t: 1 if an unmasked step, or a given state, precedes loop step s of a row.
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

// Copies (rows, H) to rows padded with zeros; null stands for zeros.
template <class S> void pad_rows(S* to, const S* from, Size H, Range rows) {
    const Size Hs = padded<S>(H);
    for (Size n = rows.begin; n < rows.end; ++n)
        for (Size i = 0; i < Hs; i += lanes<S>)
            store(to + n * Hs + i, from == nullptr
                                       ? Vec<S>{}
                                       : load(from + n * H + i,
                                              static_cast<int>(smaller(lanes<S>, H - i))));
}
// Copies padded rows to (rows, H).
template <class S> void unpad_rows(S* to, const S* from, Size H, Range rows) {
    const Size Hs = padded<S>(H);
    for (Size n = rows.begin; n < rows.end; ++n)
        for (Size i = 0; i < H; i += lanes<S>)
            store(to + n * H + i, load(from + n * Hs + i),
                  static_cast<int>(smaller(lanes<S>, H - i)));
}

}  // namespace throughtime::TT_LEVEL
