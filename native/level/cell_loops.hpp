// The time loops of one cell: what its file offers to loops.cpp.
#pragma once

#include "level/bptt.hpp"
#include "level/cell.hpp"
#include "level/unroll.hpp"

namespace throughtime::TT_LEVEL {

template <class S> struct CellLoops {
    std::size_t (*tape_bytes)(const Sizes<S>&, bool masked, bool timed);
    void (*unroll)(const Unroll<S>&);
    void (*bptt)(const Bptt<S>&);
};

template <CellKernel Cell, class S>
std::size_t tape_bytes(const Sizes<S>& z, bool masked, bool timed) {
    Arena arena;
    TapeArrays<S> tape;
    const Size numbers = Blocks<S>{z.H, Cell::wide}.count() * Cell::saved * lanes<S>;
    tape.plan(arena, z, masked, timed, numbers);
    return static_cast<std::size_t>(arena.size);
}

template <CellKernel Cell, class S>
inline constexpr CellLoops<S> cell_loops{tape_bytes<Cell, S>, unroll<Cell, S>, bptt<Cell, S>};

}  // namespace throughtime::TT_LEVEL
