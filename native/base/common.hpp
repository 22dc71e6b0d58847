// What all parts of the native engine share.
#pragma once

#include <cstddef>

// For functions in headers that kernels use: a copy compiled for one instruction set must not serve
// another, so no copy may exist.
#define TT_INLINE inline __attribute__((always_inline))

namespace throughtime {

// The one type of sizes and indices.
using Size = std::ptrdiff_t;

}  // namespace throughtime
