// How work on a long vector is shared among threads: by whole blocks, so that the results do not
// depend on how many there are. For code that is compiled once.
#pragma once

#include <cstddef>

#include "memory.hpp"
#include "parallel.hpp"

namespace throughtime {

// Numbers from which on a second thread gains more than it costs to wake.
inline constexpr std::ptrdiff_t worth_sharing = 200'000;

// How many threads should share the blocks of a vector of n numbers.
inline int team_for(std::ptrdiff_t n, std::ptrdiff_t blocks) {
    const std::ptrdiff_t most = n < worth_sharing ? 1 : threads();
    return static_cast<int>(blocks < most ? blocks : most);
}

// Calls work(first, last, thread) for ranges that together are the blocks 0 .. blocks - 1, each by
// one of the team, numbered from 0. The work must not throw.
template <class F> void share(int team, std::ptrdiff_t blocks, const F& work) {
    if (team <= 1) return work(std::ptrdiff_t{0}, blocks, 0);
    struct Context {
        const F& work;
        std::ptrdiff_t blocks;
    } context{work, blocks};
    const Body body = [](void* c, int thread, int n) {
        const Context& own = *static_cast<const Context*>(c);
        own.work(own.blocks * thread / n, own.blocks * (thread + 1) / n, thread);
    };
    parallel(team, body, &context);
}

// One number for each block, added up in the order of the blocks.
class Partial {
   public:
    explicit Partial(std::ptrdiff_t blocks) : n(blocks) {
        if (n <= few) return;
        memory = Buffer(sizeof(double) * static_cast<std::size_t>(n));
        numbers = static_cast<double*>(memory.data());
    }
    Partial(const Partial&) = delete;
    Partial& operator=(const Partial&) = delete;

    double& operator[](std::ptrdiff_t block) { return numbers[block]; }
    double sum() const {
        double total = 0.0;
        for (std::ptrdiff_t i = 0; i < n; ++i) total += numbers[i];
        return total;
    }

   private:
    static constexpr std::ptrdiff_t few = 64;
    std::ptrdiff_t n;
    double own[few];
    Buffer memory;
    double* numbers = own;
};

}  // namespace throughtime
