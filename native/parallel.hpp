// Threads: OpenMP's where the compiler has it, else our own. Nothing else knows which.
#pragma once

namespace throughtime {

// How many threads a call may use: what set_threads() said, else what OpenMP says
// (OMP_NUM_THREADS, omp_set_num_threads); without OpenMP, that variable or the number of cores.
int threads();

// 0 leaves it to OpenMP again.
void set_threads(int n);

// Whether the threads are OpenMP's.
bool openmp();

// Runs body(context, thread, n) for each thread in 0 .. n-1 at once, and returns when all have.
// The n that the body is told is how many there really are: fewer than asked for inside another
// parallel(), in a forked process, or where the system has no more. The body must not throw.
// Several threads of the caller may be in here at once.
using Body = void (*)(void* context, int thread, int n);
void parallel(int n, Body body, void* context);

// Lets another thread of this machine have the core.
void yield_core();

// Where the n threads of one parallel() meet: none goes on before all have come, and each sees what
// the others wrote before. May be used again and again; n is the one that the body was told.
class Barrier {
   public:
    Barrier() = default;
    Barrier(const Barrier&) = delete;
    Barrier& operator=(const Barrier&) = delete;

    // Inlined always: a copy compiled for one instruction set must not serve another.
    inline __attribute__((always_inline)) void wait(int n) {
        if (n == 1) return;
        const unsigned now = __atomic_load_n(&round, __ATOMIC_RELAXED);
        if (__atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL) == n) {
            __atomic_store_n(&arrived, 0, __ATOMIC_RELAXED);
            __atomic_store_n(&round, now + 1, __ATOMIC_RELEASE);
            return;
        }
        for (int spins = 0; __atomic_load_n(&round, __ATOMIC_ACQUIRE) == now; ++spins) {
            if (spins < patience)
                pause();
            else
                yield_core();
        }
    }

   private:
    // Short: on a core that nobody else wants, to yield costs little; where there are more threads
    // than cores, every turn spent here is one that the awaited thread does not have.
    static constexpr int patience = 64;

    static inline __attribute__((always_inline)) void pause() {
#if defined(__x86_64__) || defined(_M_X64)
        __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(_M_ARM64)
        __asm__ volatile("isb");
#endif
    }

    // Apart, so that those who wait do not disturb those who arrive.
    alignas(64) int arrived = 0;
    alignas(64) unsigned round = 0;
};

}  // namespace throughtime
