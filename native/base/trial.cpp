#include "base/trial.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <exception>

namespace throughtime {

namespace {

// Multiply-adds from which threads that need not meet are always faster, about 15 milliseconds of
// one thread; and those below which a call after a pause ends before the threads are awake.
constexpr double sure = 1e9, worth_waking = 2e7;
// Nanoseconds for which threads spin before they sleep, or a little less.
constexpr std::int64_t awake = 200'000;

// When the last call ended that a team might have made: soon after it, the team is still awake.
std::atomic<std::int64_t> last_end{0};

// A few records for each hash of a key; the one unused for the longest time makes room.
struct Shelf {
    Record records[4];
};
thread_local Shelf shelves[16];
thread_local std::uint64_t calls = 0;

std::int64_t now() {
    const auto time = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
}

Record& record_of(std::uint64_t key) {
    Shelf& shelf = shelves[key * 0x9E3779B97F4A7C15 >> 60];
    Record* found = shelf.records;
    for (Record& record : shelf.records) {
        if (record.key == key) {
            found = &record;
            break;
        }
        if (record.used < found->used) found = &record;
    }
    if (found->key != key) *found = Record();
    found->key = key;
    found->used = ++calls;
    return *found;
}

// Work that agrees in two binary digits is of one kind: batches are not all equally long.
std::uint64_t about(double work) { return std::bit_cast<std::uint64_t>(work) >> 50; }

}  // namespace

bool Record::next() {
    if (!probing && mean[team] > mean[!team])
        start(!team, period = shortest);
    else if (left == 0)
        turn();
    --left;
    return team;
}

void Record::took(float time) {
    if (probing) spent += time;
    const int counted = ++done - (team ? waking : 0);
    if (counted <= 0) return;
    float& known = mean[team];
    if (probing)  // the least of several: one disturbed call must not decide
        known = counted == 1 ? time : std::min(known, time);
    else
        known += (std::min(time, 4 * known) - known) / 8;
}

void Record::start(bool by_team, int calls) {
    team = by_team;
    left = calls;
    done = 0;
    spent = 0;
}

void Record::turn() {
    const bool known = mean[0] != 0 && mean[1] != 0;
    if (known && probing) {
        const bool better = mean[team] <= mean[!team];
        const float worth = std::min(rarely * spent / mean[!team], 1e6F);
        const int longer = std::max(std::min(2 * period, longest), static_cast<int>(worth));
        period = better ? shortest : longer;
        probing = false;
        return start(better ? team : !team, period);
    }
    probing = true;
    const bool other = !team;
    start(other, other ? waking + measured : measured);
}

Trial::Trial(int kind, double multiply_adds, int most, bool meeting)
    : n(std::max(most, 1)), watched(most > 1), work(static_cast<float>(multiply_adds)) {
    if (!watched || (multiply_adds >= sure && !meeting)) return;
    begin = now();
    const std::uint64_t options =
        static_cast<std::uint64_t>(kind) << 12 | static_cast<unsigned>(most);
    record = &record_of(options << 16 | about(multiply_adds));
    const bool rested = begin - last_end.load(std::memory_order_relaxed) > awake;
    if (rested) record->rested();
    if (rested && multiply_adds < worth_waking) {
        record = nullptr;
        n = 1;
    } else if (!record->next()) {
        n = 1;
    }
}

Trial::~Trial() {
    if (!watched) return;
    const std::int64_t end = now();
    last_end.store(end, std::memory_order_relaxed);
    if (record != nullptr && std::uncaught_exceptions() == 0)
        record->took(static_cast<float>(end - begin) / work);
}

int Trial::threads() const { return n; }

}  // namespace throughtime
