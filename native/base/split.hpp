// How a long vector is split into blocks, and the blocks among threads. A result does not depend
// on the number of threads: each block is summed by itself, in double, and the sums of the blocks
// are added in their order.
#pragma once

#include "base/memory.hpp"
#include "base/parallel.hpp"
#include "base/common.hpp"

namespace throughtime {

// Numbers of a block.
inline constexpr Size sum_block = 4096;

inline Size blocks_of(Size n) { return (n + sum_block - 1) / sum_block; }

// With fewer numbers, waking a second thread costs more than it saves.
inline constexpr Size worth_sharing = 200'000;

// How many threads should share the blocks of a vector of n numbers.
inline int threads_for(Size n, Size blocks) {
    const Size most = n < worth_sharing ? 1 : threads();
    return static_cast<int>(blocks < most ? blocks : most);
}

// Calls work(first, last, thread) for ranges that together are the blocks 0 .. blocks - 1. Each
// thread, numbered from 0, gets one range. The work must not throw.
template <class F> void split(int threads, Size blocks, const F& work) {
    if (threads <= 1) return work(Size{0}, blocks, 0);
    struct Context {
        const F& work;
        Size blocks;
    } context{work, blocks};
    const Body body = [](void* c, int thread, int n) {
        const Context& own = *static_cast<const Context*>(c);
        own.work(own.blocks * thread / n, own.blocks * (thread + 1) / n, thread);
    };
    parallel(threads, body, &context);
}

// One number for each block, added in the order of the blocks.
class BlockSums {
   public:
    explicit BlockSums(Size blocks) : n(blocks) {
        if (n <= few) return;
        memory = Buffer(sizeof(double) * static_cast<std::size_t>(n));
        numbers = static_cast<double*>(memory.data());
    }
    BlockSums(const BlockSums&) = delete;
    BlockSums& operator=(const BlockSums&) = delete;

    double& operator[](Size block) { return numbers[block]; }
    double sum() const {
        double total = 0.0;
        for (Size i = 0; i < n; ++i) total += numbers[i];
        return total;
    }

   private:
    static constexpr Size few = 64;  // up to which no memory is taken
    Size n;
    double own[few];
    Buffer memory;
    double* numbers = own;
};

}  // namespace throughtime
