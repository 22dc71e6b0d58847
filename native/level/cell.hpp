// What a cell must offer: the concept CellKernel. unroll.hpp and bptt.hpp run any such cell over
// time; lstm.cpp is the plainest example, docs/ has a page on how to add one.
//
// A cell is a struct of constants and static function templates. It has no state of its own. It
// computes what the cell of the same name in cells/ on the Python side computes, and cites the
// numbers of its equations.
//
// The words used here:
//
//   vector   lanes<S> numbers of one gate, in a register
//   block    the vectors that are computed together, block_vectors (4) at most. Of a cell with
//            several gates: the same units of each gate. Of a wide cell: 4 vectors of its one gate.
//   tile     R rows of the batch by one block, in registers; acc.at[r][v] is vector v of row r
//   worker   one thread, with the rows and the units that it computes
#pragma once

#include <concepts>

#include "level/backward.hpp"
#include "level/forward.hpp"

namespace throughtime::TT_LEVEL {

// Its form.
template <class C>
concept HasCellConstants = requires {
    // Its number, from which the gates and the states follow.
    { C::kind } -> std::same_as<const CellKind&>;
    { C::gates } -> std::same_as<const int&>;
    { C::has_c } -> std::same_as<const bool&>;
    requires C::gates == gates_of(C::kind) && C::has_c == has_c(C::kind);
    // Blocks: side by side in one gate (only with one gate), or the same units of each gate. The
    // last block may be a tail block, if the sums with x and with h are of the same vectors.
    { C::wide } -> std::same_as<const bool&>;
    { C::packs_tail } -> std::same_as<const bool&>;
    requires C::wide == (C::gates == 1) && !(C::wide && C::packs_tail);
    // The vectors of a block that h_{t-1} is multiplied into: how many there are, and which vectors
    // of da their gradients are.
    { C::h_vectors } -> std::same_as<const int&>;
    requires C::h_vectors <= block_vectors;
    requires sizeof(C::h_chosen) == C::h_vectors * sizeof(int);
    // Whether vector 3 starts from b_hn.
    { C::has_recurrent_bias } -> std::same_as<const bool&>;
    // Whether the equations need a second product, of the columns of W_h behind h_vectors gates,
    // after all units of the first one are known. Forward::W_n, q and values are for it, and
    // Backward::du.
    { C::has_second_product } -> std::same_as<const bool&>;
    // How many vectors a block of a row keeps on the tape. If has_c, the last one is c_t.
    { C::saved } -> std::same_as<const int&>;
};

// One step forward, for R rows and one block (of V vectors, if wide). In this order:
template <class C, class S, int R>
concept StepsForward =
    requires(const Sizes<S>& z, Tile<S, R>& acc, const S* const (&rows)[R], const S* weights,
             Size depth, const ForwardStep<S>& step, Size row, Size block, const Worker& worker) {
        // Whether a row needs all of its units at once, so that work is shared by rows only.
        { C::whole_rows(z) } -> std::same_as<bool>;
        // Adds x_t W_x to the tile. It starts from the bias; `weights` are the packed ones of the
        // block, `depth` is F.
        C::template project<block_vectors>(acc, rows, weights, depth);
        // Adds h_{t-1} W_h, `depth` being H.
        C::template recur<block_vectors>(acc, rows, weights, depth);
        // Computes the equations from the sums and calls step.put() with h_t, or leaves that to
        // after_tiles(). Keeps its values at step.saved() if step.f.keep. At masked steps
        // step.put() keeps h; the cell itself keeps c.
        C::template equations<block_vectors>(step, acc, row, block);
        // What is left to do when all tiles of a worker are done: a second product, a softmax.
        C::after_tiles(step, worker);
    };

// One step backward, and the gradients of the weights over a chunk of steps.
template <class C, class S>
concept StepsBackward =
    requires(Backward<S>& f, const Columns<S>& columns, Range part, const BackwardStep<S>& step,
             const Worker& worker, const Bptt<S>& call, PanelWriter<S> panels, Size s, Size n,
             Size depth, int thread) {
        // Packs W_h^T into f.W_h_T, blocks part.begin ... part.end; `columns` are those that
        // h_chosen says.
        C::pack_back(f, columns, part);
        // Computes da_t into step.da() from step.dh() (and f.dc), zero at masked steps. Then
        // replaces f.dh (and f.dc) by the gradients of h_{t-1} (and c_{t-1}).
        C::step_backward(step, columns, worker);
        // q: a left factor of the cell's own, beside x and h_{t-1}. How many numbers a row has
        // (may be 0), and their values for loop step s and row n.
        { C::q_count(call) } -> std::same_as<Size>;
        C::fill_q(f, panels, s, n);
        // Adds dL/dW_x (with dL/db and dL/db_time, through f.x_rows), dL/dW_h and dL/db_hn of
        // `depth` rows of the chunk.
        C::weight_gradients(f, depth, thread, thread);
    };

template <class C>
concept CellKernel =
    HasCellConstants<C> &&
    StepsForward<C, float, 1> && StepsForward<C, double, 1> &&
    StepsForward<C, float, tile_rows> && StepsForward<C, double, tile_rows> &&
    StepsBackward<C, float> && StepsBackward<C, double>;

}  // namespace throughtime::TT_LEVEL
