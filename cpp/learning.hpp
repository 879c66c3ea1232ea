// SPDX-License-Identifier: MIT
// Owns the arrays of a TdStep, and takes one after the other with the lanes of a batch.
#pragma once

#include <functional>
#include <vector>

#include "learner.hpp"
#include "stepper.hpp"

namespace compute_layers {

// Alpha and epsilon fall linearly from these values towards 0, which they would have after `steps`.
struct Rates {
    double alpha, gamma, epsilon;
    int64_t steps;  // of every lane
};

class Learning {
  public:
    // The stepper is in NEXT_STEP mode, all its lanes have just been reset, its observations are numbers and
    // it has at most kLanes actions; nobody else steps it, and it outlives this. Q is 0 everywhere. Explores
    // with what PCG64(seed) draws: in each step a number for every valid lane.
    Learning(Stepper& stepper, std::function<void(const TdStep&)> learner, const Rates& rates, uint64_t seed);
    Learning(const Learning&) = delete;
    Learning& operator=(const Learning&) = delete;

    // Goes on for so many steps, of those that are left. `interrupted` is asked a few times a second; true
    // ends it early. Throws std::out_of_range for an observation beyond the space, as rules of level python
    // may have.
    void run(int64_t steps, const std::function<bool()>& interrupted);

    // Calls the learner so many times with what it saw last, for measuring.
    void repeat(int64_t times);

    int64_t done() const { return done_; }
    int64_t states() const { return td_.end / kLanes; }
    const double* values() const { return td_.values; }  // [states][kLanes]
    // Of the episodes that have ended so far: how many, and the sum of their returns.
    int64_t episodes() const { return episodes_; }
    double total() const { return total_; }

  private:
    void look();
    void draw();

    Stepper& stepper_;
    const std::function<void(const TdStep&)> learner_;
    const Rates rates_;
    Arena arena_;
    TdStep td_{};
    int64_t* cells_[2];
    int64_t* numbers_;  // of a Tuple observation
    double* uniform_;
    std::vector<double> returns_;  // of the lanes' present episodes
    uint64_t stream_[kStreamFields];
    int64_t done_ = 0;
    int64_t episodes_ = 0;
    double total_ = 0.0;
};

}  // namespace compute_layers
