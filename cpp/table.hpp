// SPDX-License-Identifier: MIT
// The transitions of a tabular game, as its kernels read them. python/compute_layers/table.py says how
// Gymnasium's `P` and `initial_state_distrib` become one.
#pragma once

#include <cstdint>

namespace compute_layers {

// One 32-byte vector.
struct alignas(32) Outcome {
    double probability;
    double reward;
    int64_t state;       // the next one
    int64_t terminated;  // a mask: all bits or none
};

// Row r = state * actions + action has `outcomes` thresholds, ascending, and one outcome more. The outcome of
// a draw u in [0, 1) is the one whose index is the number of thresholds <= u. The last one, and those that
// pad a short row, repeat outcome 0, which is what Gymnasium takes when its sums end below u.
//
// As u is a multiple of 2^-53, thresholds are integers, in that unit and rounded up; 2^53 is never reached.
struct Table {
    int64_t states;
    int64_t actions;
    int64_t outcomes;                  // K, at least 1; where K is 1 the draw changes nothing
    const uint64_t* thresholds;        // [states * actions][K]
    const Outcome* rows;               // [states * actions][K + 1], on a cache line
    int64_t starts;                    // M, at least 1
    const uint64_t* start_thresholds;  // [M], as above
    const int64_t* start_states;       // [M + 1]
};

}  // namespace compute_layers
