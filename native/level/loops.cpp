// The time loops of one level: finds those of a cell.
#include "base/loops.hpp"

#include "level/cell_loops.hpp"

namespace throughtime::TT_LEVEL {

extern const CellLoops<float> elman_f32, gru_after_f32, gru_before_f32, lstm_f32;
extern const CellLoops<double> elman_f64, gru_after_f64, gru_before_f64, lstm_f64;

void affine(const Affine<float>&);
void affine(const Affine<double>&);
void affine_back(const AffineBack<float>&);
void affine_back(const AffineBack<double>&);
void products(const Products<float>&);
void products(const Products<double>&);
std::size_t scratch_numbers(const StreamLayer<float>*, Size);
std::size_t scratch_numbers(const StreamLayer<double>*, Size);
void stream(const Stream<float>&);
void stream(const Stream<double>&);

namespace {

const CellLoops<float>& of_cell(const Sizes<float>& z) {
    switch (z.cell) {
        case CellKind::elman: return elman_f32;
        case CellKind::gru: return z.reset_after ? gru_after_f32 : gru_before_f32;
        default: return lstm_f32;
    }
}
const CellLoops<double>& of_cell(const Sizes<double>& z) {
    switch (z.cell) {
        case CellKind::elman: return elman_f64;
        case CellKind::gru: return z.reset_after ? gru_after_f64 : gru_before_f64;
        default: return lstm_f64;
    }
}

template <class S> std::size_t tape_bytes(const Sizes<S>& z, bool masked, bool timed) {
    return of_cell(z).tape_bytes(z, masked, timed);
}
template <class S> void unroll(const Unroll<S>& u) { of_cell(u.sizes).unroll(u); }
template <class S> void bptt(const Bptt<S>& b) { of_cell(b.forward.sizes).bptt(b); }

}  // namespace

extern const Loops<float> loops_f32{tape_bytes<float>, unroll<float>, bptt<float>,
                                    affine, affine_back, scratch_numbers, stream, products};
extern const Loops<double> loops_f64{tape_bytes<double>, unroll<double>, bptt<double>,
                                     affine, affine_back, scratch_numbers, stream, products};

}  // namespace throughtime::TT_LEVEL
