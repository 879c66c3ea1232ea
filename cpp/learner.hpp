// SPDX-License-Identifier: MIT
// The C ABI of a learner: a kernel that takes one step of temporal-difference learning with the lanes of a
// batch, which share one table of action values. It looks at what the last step of the game has brought,
// learns from it, and chooses the actions of the next one.
//
// First every lane chooses, and computes its target, from the table as it stood before the call; then the
// lanes update it, one after the other in ascending order.
#pragma once

#include "batch.hpp"

namespace compute_layers {

struct TdStep {
    int64_t n;        // lanes, a multiple of kLanes
    int64_t valid;    // lanes that learn; the others are padding, and only choose
    int64_t actions;  // 1 to kLanes
    int64_t end;      // states * kLanes: where the table ends
    double alpha;     // the step size, 0 to 1
    double gamma;     // the discount, 0 to 1
    double epsilon;   // the probability of a random action, 0 to 1
    double* values;  // [end + n], Q: of each state kLanes actions, -infinity where the game has fewer. Behind
                     // the table a number for each lane, of which nobody asks what becomes
    const int64_t* cells;    // [n], where in `values` the Q(s, a) stands that the step of the game was about;
                             // end + lane where it only began an episode
    int64_t* next_cells;     // [n], where Q(s', a') stands; end + lane where the episode is over
    const int64_t* seen;     // [n], s'
    const double* reward;    // [n]
    const int64_t* elapsed;  // [n], negative where the episode is over
    const uint8_t* terminated;  // [n], 0 or 1; an episode that is over without it was truncated
    const double* uniform;      // [n], in [0, 1)
    int64_t* action;            // [n], a'
    double* target;             // [n], what Q(s, a) moves towards
};

using Learn = void(const TdStep*);

}  // namespace compute_layers
