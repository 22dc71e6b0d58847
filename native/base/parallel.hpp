// Threads: those of OpenMP if the compiler has it, else our own. No other file knows which.
#pragma once

#include "base/common.hpp"

namespace throughtime {

// How many threads a call may use: the number given to set_threads(), else the number that OpenMP
// says (OMP_NUM_THREADS, omp_set_num_threads). Without OpenMP: that variable, else the number of
// cores.
int threads();

// 0 leaves the number to OpenMP again.
void set_threads(int n);

// Whether the threads are OpenMP's.
bool openmp();

// Runs body(context, thread, n) for each thread in 0 .. n-1 at once, and returns when all have
// finished. The n that the body receives is the real number of threads: fewer than asked for
// inside another parallel(), in a forked process, or if the system has no more. The body must not
// throw. Several threads of the caller may be in here at once.
using Body = void (*)(void* context, int thread, int n);
void parallel(int n, Body body, void* context);

// Lets another thread of this machine have the core.
void yield_core();

// Where the n threads of one parallel() meet: none goes on before all have come, and each sees
// what the others wrote before. May be used again and again; n is the number that the body
// received.
class Barrier {
   public:
    Barrier() = default;
    Barrier(const Barrier&) = delete;
    Barrier& operator=(const Barrier&) = delete;

    TT_INLINE void wait(int n) {
        if (n == 1) return;
        const unsigned now = __atomic_load_n(&round, __ATOMIC_RELAXED);
        if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == n) {
            __atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&round, now + 1, __ATOMIC_RELEASE);
            return;
        }
        for (int spins = 0; __atomic_load_n(&round, __ATOMIC_ACQUIRE) == now; ++spins) {
            if (spins < spins_before_yield)
                pause();
            else
                yield_core();
        }
    }

   private:
    // Few: on a free core, to yield costs little. If there are more threads than cores, each spin
    // takes time from the thread that is waited for.
    static constexpr int spins_before_yield = 64;

    static TT_INLINE void pause() {
#if defined(__x86_64__) || defined(_M_X64)
        __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(_M_ARM64)
        __asm__ volatile("isb");
#endif
    }

    // On cache lines of their own: threads that wait must not slow down those that arrive.
    alignas(64) int arrived = 0;
    alignas(64) unsigned round = 0;
};

}  // namespace throughtime
