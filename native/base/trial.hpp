// One thread or a team of threads? Which is faster depends on the machine and on the other
// programs that use it, so calls that come again and again try both. The bits of the results are
// the same either way.
#pragma once

#include <cstdint>

namespace throughtime {

// The times of calls of one kind, and which way the next call should go: many calls go the way
// that was faster, then a few try the other way.
class Record {
   public:
    // Whether a team should make the next call.
    bool next();
    // Notes how long the call took, in any unit that is always the same. The first calls of a
    // team do not count: threads that sleep must wake up first.
    void took(float time);
    // There was a pause, so the threads of a team sleep and must wake up again.
    void rested() { done = 0; }

    std::uint64_t key = 0;   // the kind of the calls
    std::uint64_t used = 0;  // when the last one was, counted in calls

   private:
    void start(bool by_team, int calls);
    void turn();

    static constexpr int shortest = 16, longest = 1024, waking = 2, measured = 2;
    // After a trial of the slower way, the next trial waits until the faster way has taken this
    // many times as long: on a busy machine a thread may take milliseconds to wake up.
    static constexpr float rarely = 50;
    float mean[2] = {};  // of one thread, of a team; 0 while not known
    float spent = 0;     // on the trial
    int left = 0, done = 0, period = shortest;
    bool team = false, probing = true;
};

// One call: constructed before it, destroyed after it.
class Trial {
   public:
    // `kind` distinguishes calls that take different times for the same number of multiply-adds,
    // `work`. `most` is how many threads there may be. `meeting` says whether they wait for each
    // other at every step.
    Trial(int kind, double work, int most, bool meeting);
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    ~Trial();

    // How many threads the call should have: `most` or 1.
    int threads() const;

   private:
    int n;
    bool watched;
    float work;
    Record* record = nullptr;
    std::int64_t begin = 0;
};

}  // namespace throughtime
