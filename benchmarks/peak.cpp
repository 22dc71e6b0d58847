// The peak of float32 multiply-adds on this machine. "peak THREADS SECONDS" prints the GFLOP/s of the
// best round. WIDTH is the bytes of a vector.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

namespace {

typedef float Vec __attribute__((vector_size(WIDTH)));
constexpr int lanes = WIDTH / sizeof(float);
constexpr long steps = 100000;

// Each chain is one variable, which stays in a register. There are more chains than a core executes
// multiply-adds at once, and fewer than it has registers.
#define EACH_CHAIN(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
constexpr int chains = 12;

// Each line becomes one fma. The sums stay finite, and the compiler can remove none of them.
float spin(float start) {
    const Vec factor = Vec{} + 0.5f, term = Vec{} + start;
#define BEGIN(k) Vec sum##k = Vec{} + k##.0f;
    EACH_CHAIN(BEGIN)
    for (long i = 0; i < steps; ++i) {
#define ADVANCE(k) sum##k = sum##k * factor + term;
        EACH_CHAIN(ADVANCE)
    }
    Vec sum{};
#define ADD(k) sum += sum##k;
    EACH_CHAIN(ADD)
    float total = 0;
    for (int j = 0; j < lanes; ++j) total += sum[j];
    return total;
}

double round_of(int threads) {
    std::atomic<int> ready{0};
    std::atomic<float> sink{0};
    std::vector<std::thread> pool;
    using Clock = std::chrono::steady_clock;
    std::vector<double> seconds(threads);
    for (int t = 0; t < threads; ++t)
        pool.emplace_back([&, t] {
            ++ready;
            while (ready < threads) {}
            const auto begin = Clock::now();
            sink = spin(static_cast<float>(t + 1));
            seconds[t] = std::chrono::duration<double>(Clock::now() - begin).count();
        });
    for (auto& thread : pool) thread.join();
    const double longest = *std::max_element(seconds.begin(), seconds.end());
    return 2.0 * chains * lanes * steps * threads / longest / 1e9;
}

}  // namespace

int main(int count, char** words) {
    const int threads = count > 1 ? std::atoi(words[1]) : 1;
    const double limit = count > 2 ? std::atof(words[2]) : 1;
    const auto begin = std::chrono::steady_clock::now();
    double best = 0;
    do best = std::max(best, round_of(threads));
    while (std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() < limit);
    std::printf("%.2f\n", best);
}
