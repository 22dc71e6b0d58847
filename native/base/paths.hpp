// Losses that sum over paths through a sequence, as each level offers them: one sequence of a batch.
// The equations are those of losses/ctc.py and losses/crf.py.
#pragma once

#include <cstdint>

#include "base/common.hpp"

namespace throughtime {

// Labels without their times.
template <class S> struct Ctc {
    const S* z;                  // (T, K) logits
    S* dz;                       // (T, K); masked steps are left alone
    const Size* steps;           // (R) the unmasked steps
    const std::int64_t* labels;  // (L) below K
    Size R, K, L, blank;
    double scale;                // c_n of losses/sequence.py
    double* scratch;
};

// Potentials of pairs of tags.
template <class S> struct Crf {
    const S* y;                // (T, K K)
    S* dy;                     // (T, K K); masked steps are left alone
    const Size* steps;         // (R) the unmasked steps
    const std::int64_t* tags;  // (T) below K at unmasked steps
    Size R, K;
    double scale;              // c_n of losses/sequence.py
    double* scratch;
};

// The losses return the term; they write its derivative times the scale.
template <class S> struct Paths {
    double (*ctc)(const Ctc<S>&);
    double (*crf)(const Crf<S>&);
    // Doubles of working memory.
    Size (*ctc_scratch)(Size R, Size K, Size L);
    Size (*crf_scratch)(Size R, Size K);
};

}  // namespace throughtime
