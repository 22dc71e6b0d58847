// Alone or by a team: which is faster depends on the machine and on who else uses it, so calls that
// come again and again try both. The results are the same bits either way.
#pragma once

#include <cstdint>

namespace throughtime {

// What calls of one kind took, and what the next one should do: in turns of many calls the way that
// was faster, between them a short turn the other way.
class Record {
   public:
    // Whether the next call should be a team's.
    bool next();
    // How long it took, in any unit that is always the same. It counts unless it was one of the
    // first of a team's turn: threads that have gone to sleep must wake.
    void took(float time);
    // There was a pause: if it is a team's turn, its threads must wake again.
    void rested() { done = 0; }

    std::uint64_t key = 0;   // of whose calls these are
    std::uint64_t used = 0;  // when there was one last, counted in calls

   private:
    void start(bool by_team, int calls);
    void turn();

    static constexpr int shortest = 16, longest = 1024, waking = 2, measured = 2;
    // If the trial before a turn was for nothing, the turn takes so many times as long as it did:
    // on a busy machine a thread may take milliseconds to wake.
    static constexpr float rarely = 50;
    float mean[2] = {};  // alone, by a team; 0 while not known
    float spent = 0;     // on the trial
    int left = 0, done = 0, period = shortest;
    bool team = false, probing = true;
};

// One call: made before it, and gone when it is over.
class Trial {
   public:
    // `kind` tells apart calls that take other times for as many multiply-adds, `work`; `most` is
    // how many threads there may be, and `meeting` says whether they wait for each other at every
    // step.
    Trial(int kind, double work, int most, bool meeting);
    Trial(const Trial&) = delete;
    Trial& operator=(const Trial&) = delete;
    ~Trial();

    // How many it should have: `most` or 1.
    int threads() const;

   private:
    int n;
    bool watched;
    float work;
    Record* record = nullptr;
    std::int64_t begin = 0;
};

}  // namespace throughtime
