#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TT_THREAD_SANITIZER 1
#endif
#elif defined(__SANITIZE_THREAD__)
#define TT_THREAD_SANITIZER 1
#endif

#if defined(TT_THREAD_SANITIZER)
#include <vector>
#elif defined(_OPENMP)
#include <omp.h>
#if !defined(_WIN32)
#include <pthread.h>
#endif
#endif

namespace throughtime {

namespace {
std::atomic<int> chosen{0};
}

void set_threads(int n) { chosen.store(n, std::memory_order_relaxed); }

void yield_core() { std::this_thread::yield(); }

#if defined(TT_THREAD_SANITIZER)

// ThreadSanitizer does not see how OpenMP's threads wait for each other and would report races that
// are none. It sees threads that start and end.
namespace {
thread_local bool inside = false;
}

bool threaded() { return true; }

int threads() {
    const int n = chosen.load(std::memory_order_relaxed);
    return n > 0 ? n : static_cast<int>(std::thread::hardware_concurrency());
}

void parallel(int n, Body body, void* context) {
    if (n <= 1 || inside) return body(context, 0, 1);
    const auto run = [=](int thread) {
        inside = true;
        body(context, thread, n);
        inside = false;
    };
    std::vector<std::thread> others;
    for (int thread = 1; thread < n; ++thread) others.emplace_back(run, thread);
    run(0);
    for (std::thread& other : others) other.join();
}

#elif defined(_OPENMP)

namespace {

// How many threads wait for this one's calls. GCC's runtime ends those that a smaller parallel region
// leaves out, and to start a thread takes longer than many a call; so they take part and do nothing.
thread_local int team = 0;

// After fork() only one thread goes on in the new process, and GCC's runtime would wait for the
// others for ever.
std::atomic<bool> forked{false};

#if !defined(_WIN32)
const int registered = pthread_atfork(nullptr, nullptr, [] {
    if (team > 1) forked.store(true, std::memory_order_relaxed);
});
#endif

}  // namespace

bool threaded() { return true; }

int threads() {
    if (forked.load(std::memory_order_relaxed)) return 1;
    const int n = chosen.load(std::memory_order_relaxed);
    return n > 0 ? n : omp_get_max_threads();
}

void parallel(int n, Body body, void* context) {
    if (n <= 1 || omp_in_parallel() || forked.load(std::memory_order_relaxed))
        return body(context, 0, 1);
    team = std::max(n, std::min(team, threads()));
#pragma omp parallel num_threads(team)
    {
        const int thread = omp_get_thread_num(), together = std::min(n, omp_get_num_threads());
        if (thread < together) body(context, thread, together);
    }
}

#else

bool threaded() { return false; }

int threads() { return 1; }

void parallel(int, Body body, void* context) { body(context, 0, 1); }

#endif

}  // namespace throughtime
