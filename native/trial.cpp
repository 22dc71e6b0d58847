#include "trial.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>

namespace throughtime {

namespace {

// Multiply-adds from which on a team is always faster: some 15 milliseconds of one thread. And those
// below which a call that comes after a pause is over before sleeping threads are awake.
constexpr double sure = 1e9, worth_waking = 2e7;
// For how long threads look for work before they sleep, or a little less.
constexpr std::int64_t awake = 200'000;

// When the last call of anybody ended: what follows soon finds the threads awake.
std::atomic<std::int64_t> last_end{0};

// A few for each remainder of the key; the oldest makes room.
constexpr int ways = 4;
struct Shelf {
    Record records[ways];
    int oldest = 0;
};
thread_local Shelf shelves[16];

std::int64_t now() {
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

Record& record_of(std::uint64_t key) {
    Shelf& shelf = shelves[key * 0x9E3779B97F4A7C15 >> 60];
    for (Record& record : shelf.records)
        if (record.key == key) return record;
    Record& fresh = shelf.records[shelf.oldest];
    shelf.oldest = (shelf.oldest + 1) % ways;
    fresh = Record();
    fresh.key = key;
    return fresh;
}

}  // namespace

bool Record::next() {
    if (!probing && time[team] > time[!team])
        start(!team, period = shortest);
    else if (left == 0)
        turn();
    --left;
    return team;
}

void Record::took(float nanoseconds) {
    if (team && ++done <= waking) return;
    float& mean = time[team];
    if (mean == 0)
        mean = nanoseconds;
    else  // whatever may have come between, one call does not decide
        mean += (std::min(nanoseconds, 4 * mean) - mean) / (probing ? 2 : 8);
}

void Record::start(bool by_team, int calls) {
    team = by_team;
    left = calls;
    done = 0;
}

void Record::turn() {
    const bool known = time[0] != 0 && time[1] != 0;
    if (known && probing) {
        const bool better = time[team] <= time[!team];
        period = better ? shortest : std::min(2 * period, longest);
        probing = false;
        return start(better ? team : !team, period);
    }
    probing = true;
    const bool other = !team;
    start(other, other ? waking + 1 : 1);
}

Trial::Trial(int kind, double work, int most) : n(std::max(most, 1)) {
    if (most <= 1 || work >= sure) return;
    begin = now();
    if (work < worth_waking && begin - last_end.load(std::memory_order_relaxed) > awake) {
        n = 1;
        return;
    }
    const auto key = std::bit_cast<std::uint64_t>(work) ^ static_cast<std::uint64_t>(kind * 1024 + most);
    record = &record_of(key);
    if (!record->next()) n = 1;
}

Trial::~Trial() {
    if (begin == 0) return;
    const std::int64_t end = now();
    last_end.store(end, std::memory_order_relaxed);
    if (record != nullptr) record->took(static_cast<float>(end - begin));
}

}  // namespace throughtime
