// Which levels this machine can use. We ask the processor itself: the compilers' own functions for
// this differ in the names of the features, and clang-cl does not link them.
#include <atomic>
#include <cstring>
#include <initializer_list>
#include <stdexcept>

#include "base/api.hpp"

#if defined(__x86_64__) || defined(_M_X64)
#include <cpuid.h>
#define TT_X86 1
#endif

namespace throughtime {

#define TT_DECLARE(level) \
    namespace level { \
    const Api* table_of_level(); \
    }

#if defined(TT_X86)

TT_DECLARE(v2)
TT_DECLARE(v3)
TT_DECLARE(v4)

namespace {

struct Registers {
    unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf) {
    Registers r;
    __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);  // zeros if there is no such leaf
    return r;
}

// Which registers the operating system saves when it switches threads.
unsigned saved_registers() {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

constexpr bool has(unsigned word, std::initializer_list<int> bits) {
    for (int bit : bits)
        if (!(word >> bit & 1U)) return false;
    return true;
}

// The levels of the x86-64 psABI, by the bits of Intel's and AMD's manuals.
int best_level() {
    const Registers one = cpuid(1), seven = cpuid(7), extended = cpuid(0x80000001);
    const bool v2 = has(one.c, {0, 9, 13, 19, 20, 23})  // SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT
                    && has(extended.c, {0});            // LAHF
    if (!v2) return 1;
    if (!has(one.c, {27})) return 2;  // OSXSAVE: xgetbv can be asked
    const unsigned saved = saved_registers();
    const bool v3 = has(one.c, {12, 22, 28, 29})  // FMA, MOVBE, AVX, F16C
                    && has(seven.b, {3, 5, 8})    // BMI1, AVX2, BMI2
                    && has(extended.c, {5})       // LZCNT
                    && has(saved, {1, 2});        // XMM, YMM
    if (!v3) return 2;
    const bool v4 = has(seven.b, {16, 17, 28, 30, 31})  // AVX-512 F, DQ, CD, BW, VL
                    && has(saved, {5, 6, 7});           // masks, upper halves, registers 16-31
    return v4 ? 4 : 3;
}

}  // namespace

const Api* const* levels() {
    static const Api* const all[] = {v4::table_of_level(), v3::table_of_level(),
                                     v2::table_of_level(), nullptr};
    static const int best = best_level();
    if (best < 2)
        throw std::runtime_error("the native engine needs a processor with x86-64-v2 (SSE4.2)");
    return all + (4 - best);
}

#else

#if defined(__aarch64__) || defined(_M_ARM64)
#define TT_ONLY neon
#else
#define TT_ONLY base
#endif
TT_DECLARE(TT_ONLY)

const Api* const* levels() {
    static const Api* const all[] = {TT_ONLY::table_of_level(), nullptr};
    return all;
}

#endif

namespace {
std::atomic<const Api*> chosen{nullptr};
}

const Api& api() {
    const Api* table = chosen.load(std::memory_order_relaxed);
    if (table == nullptr) chosen.store(table = levels()[0], std::memory_order_relaxed);
    return *table;
}

bool use_level(const char* name) {
    for (const Api* const* table = levels(); *table != nullptr; ++table)
        if (std::strcmp((*table)->level, name) == 0) {
            chosen.store(*table, std::memory_order_relaxed);
            return true;
        }
    return false;
}

}  // namespace throughtime
