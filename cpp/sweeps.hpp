// SPDX-License-Identifier: MIT
// Owns the arrays of a Sweep, and repeats it until the values stand still.
#pragma once

#include <functional>

#include "lanes.hpp"
#include "planner.hpp"

namespace compute_layers {

// A table's outcomes, one after the other by state, action and the order in which the row has them.
struct Transitions {
    int64_t states, actions;
    const int64_t* counts;  // [states][actions], how many outcomes a row has
    const double* probabilities;
    const double* rewards;
    const int64_t* next;
    const int64_t* terminated;  // 0 or not
};

class Sweeps {
  public:
    // Counts are at least 1 and add up to the length of the other arrays, `next` is a state; values:
    // [states]. Throws std::length_error for more states than `next` can number.
    Sweeps(const Transitions& table, double discount, const double* values);
    Sweeps(const Sweeps&) = delete;
    Sweeps& operator=(const Sweeps&) = delete;

    // Sweeps until the largest change is at most `tolerance`, or `most` times, at least once; returns how
    // often. `interrupted` is asked a few times a second; true ends it early.
    int64_t run(Backup* backup, double tolerance, int64_t most, const std::function<bool()>& interrupted);

    const double* values() const { return sweep_.values; }
    const int64_t* best() const { return sweep_.best; }
    double change() const { return *sweep_.change; }

  private:
    Arena arena_;
    Sweep sweep_{};
    double* values_[2];
};

}  // namespace compute_layers
