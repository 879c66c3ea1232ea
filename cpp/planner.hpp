// SPDX-License-Identifier: MIT
// The C ABI of a planner: a kernel that sweeps once over all states of a table and gives each a new value.
// Values of the sweep before and of this one lie apart, so that what a state becomes depends on no order.
//
// kLanes states are a group and go together. The last group is padded with states of which every outcome is
// padding. A row of outcomes that is shorter than others of its group is padded too: with probability 0,
// reward 0 and the end of the episode, which add 0 and change no sum.
#pragma once

#include "batch.hpp"

namespace compute_layers {

// An outcome of an action in each state of a group: 160 bytes, on a 32-byte boundary.
struct alignas(32) GroupOutcome {
    double probability[kLanes];
    double reward[kLanes];
    uint32_t next[kLanes];  // where the value of the next state stands; of one that terminates, the end's
};
static_assert(sizeof(GroupOutcome) == 160);

struct Sweep {
    int64_t groups;
    int64_t actions;
    double discount;               // gamma, 0 to 1
    const int64_t* counts;         // [groups][actions], at least 1: the longest row of the group
    const GroupOutcome* outcomes;  // `counts` of the first group's first action, then of its second one, …
    const double* values;          // [groups * kLanes + 1], V; the last one is the end's and is 0
    double* next_values;           // [groups * kLanes], V'
    int64_t* best;                 // [groups * kLanes], the action that V' is of; of equal ones the first
    double* change;                // [1], the largest |V' - V|
};

using Backup = void(const Sweep*);

}  // namespace compute_layers
