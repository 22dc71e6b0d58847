// The loops of one level, by cell.
#include "loops.hpp"

#include "simd.hpp"

namespace throughtime::TT_LEVEL {

#define TT_CELL(name) \
    void unroll_##name(const Unroll<float>&); \
    void unroll_##name(const Unroll<double>&); \
    void bptt_##name(const Bptt<float>&); \
    void bptt_##name(const Bptt<double>&); \
    std::size_t tape_bytes_##name(const Sizes<float>&, bool, bool); \
    std::size_t tape_bytes_##name(const Sizes<double>&, bool, bool);
TT_CELL(elman)
TT_CELL(gru)
TT_CELL(lstm)
#undef TT_CELL
void affine(const Affine<float>&);
void affine(const Affine<double>&);
void affine_back(const AffineBack<float>&);
void affine_back(const AffineBack<double>&);
std::size_t scratch_numbers(const StreamLayer<float>*, std::ptrdiff_t);
std::size_t scratch_numbers(const StreamLayer<double>*, std::ptrdiff_t);
void stream(const Stream<float>&);
void stream(const Stream<double>&);

namespace {

template <class S> std::size_t tape_bytes(const Sizes<S>& z, bool masked, bool timed) {
    switch (z.cell) {
        case Cell::elman: return tape_bytes_elman(z, masked, timed);
        case Cell::gru: return tape_bytes_gru(z, masked, timed);
        default: return tape_bytes_lstm(z, masked, timed);
    }
}
template <class S> void unroll(const Unroll<S>& u) {
    switch (u.sizes.cell) {
        case Cell::elman: return unroll_elman(u);
        case Cell::gru: return unroll_gru(u);
        default: return unroll_lstm(u);
    }
}
template <class S> void bptt(const Bptt<S>& b) {
    switch (b.forward.sizes.cell) {
        case Cell::elman: return bptt_elman(b);
        case Cell::gru: return bptt_gru(b);
        default: return bptt_lstm(b);
    }
}

}  // namespace

extern const Loops<float> loops_f32{tape_bytes<float>, unroll<float>, bptt<float>,
                                    affine, affine_back, scratch_numbers, stream};
extern const Loops<double> loops_f64{tape_bytes<double>, unroll<double>, bptt<double>,
                                     affine, affine_back, scratch_numbers, stream};

}  // namespace throughtime::TT_LEVEL
