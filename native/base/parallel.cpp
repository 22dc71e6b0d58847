#include "base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <thread>

#if defined(_OPENMP)
#include <omp.h>
#else
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <system_error>
#endif
#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace throughtime {

namespace {

#if defined(_OPENMP)

// How many threads this one's last parallel region had. GCC's runtime ends the threads that a
// smaller region does not need, and to start them again takes longer than a typical call. So they
// take part and do nothing.
thread_local int team_size = 1;

int usual() { return omp_get_max_threads(); }

bool inside() { return omp_in_parallel() != 0; }

void run(int n, Body body, void* context) {
    team_size = std::max(n, std::min(team_size, threads()));
#pragma omp parallel num_threads(team_size)
    {
        const int thread = omp_get_thread_num(), together = std::min(n, omp_get_num_threads());
        if (thread < together) body(context, thread, together);
    }
}

#else

// Our own threads, for compilers without OpenMP and for ThreadSanitizer, which cannot see how the
// threads of OpenMP wait for each other and would report false races.
int team_size = 1;
thread_local bool within = false;

bool inside() { return within; }

int usual() {
    static const int n = [] {
        const char* said = std::getenv("OMP_NUM_THREADS");
        const int wanted = said == nullptr ? 0 : std::atoi(said);
        const int cores = static_cast<int>(std::thread::hardware_concurrency());
        return std::clamp(wanted > 0 ? wanted : cores, 1, 1024);
    }();
    return n;
}

class ThreadPool {
   public:
    void run(int n, Body body, void* context) {
        const std::unique_lock mine(busy, std::try_to_lock);
        if (!mine.owns_lock()) return body(context, 0, 1);  // another caller has the threads
        n = grow(n);
        {
            const std::lock_guard lock(mutex);
            job = {body, context, n};
            working.store(n - 1, std::memory_order_relaxed);
            round.store(round.load(std::memory_order_relaxed) + 1, std::memory_order_release);
        }
        wake.notify_all();
        work(job, 0);
        for (int spins = 0; working.load(std::memory_order_acquire) != 0; ++spins)
            if (spins > spins_before_yield) yield_core();
    }

   private:
    struct Job {
        Body body;
        void* context;
        int n;
    };
    static constexpr int spins_before_yield = 2000;

    // Starts threads until there are n; returns how many of them there are.
    int grow(int n) {
        try {
            for (; team_size < n; ++team_size)
                std::thread(&ThreadPool::serve, this, team_size,
                            round.load(std::memory_order_relaxed))
                    .detach();
        } catch (const std::system_error&) {  // the system has no more
        }
        return std::min(n, team_size);
    }

    void serve(int thread, unsigned seen) {
        for (;;) {
            for (int spins = 0; round.load(std::memory_order_acquire) == seen; ++spins)
                if (spins > spins_before_yield) break;
            Job mine;
            {
                std::unique_lock lock(mutex);
                wake.wait(lock, [&] { return round.load(std::memory_order_relaxed) != seen; });
                seen = round.load(std::memory_order_relaxed);
                mine = job;
            }
            if (thread >= mine.n) continue;
            work(mine, thread);
            working.fetch_sub(1, std::memory_order_release);
        }
    }

    static void work(const Job& job, int thread) {
        within = true;
        job.body(job.context, thread, job.n);
        within = false;
    }

    std::mutex busy, mutex;
    std::condition_variable wake;
    std::atomic<unsigned> round{0};
    std::atomic<int> working{0};
    Job job{};
};

void run(int n, Body body, void* context) {
    // Never destroyed: its threads run until the process ends.
    static ThreadPool* const one = new ThreadPool;
    one->run(n, body, context);
}

#endif

std::atomic<int> chosen{0};

// fork() copies one thread alone, which would wait for the others for ever.
std::atomic<bool> forked{false};

#if !defined(_WIN32)
[[maybe_unused]] const int registered = pthread_atfork(nullptr, nullptr, [] {
    if (team_size > 1) forked.store(true, std::memory_order_relaxed);
});
#endif

}  // namespace

bool openmp() {
#if defined(_OPENMP)
    return true;
#else
    return false;
#endif
}

void set_threads(int n) { chosen.store(n, std::memory_order_relaxed); }

int threads() {
    if (forked.load(std::memory_order_relaxed)) return 1;
    const int n = chosen.load(std::memory_order_relaxed);
    return n > 0 ? n : usual();
}

void parallel(int n, Body body, void* context) {
    const bool alone = n <= 1 || inside() || forked.load(std::memory_order_relaxed);
    alone ? body(context, 0, 1) : run(n, body, context);
}

void yield_core() { std::this_thread::yield(); }

}  // namespace throughtime
