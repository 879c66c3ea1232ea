// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"

namespace compute_layers::mountain_car {

RECORD(Params, min_position, max_position, max_speed, goal_position, goal_velocity, force, gravity);
RECORD(State, position, velocity);
RECORD(Options, low, high);

constexpr int64_t kObservation = 2;

constexpr double kStartLow = -0.6, kStartHigh = -0.4;  // of the position after a reset with default options
constexpr double kNearPosition = 1.25;                 // three times that is below kNearAngle

// What the kernels for play may rely on. A live lane is between the bounds, so that the cosine needs the
// short reduction only. A parked state, which stems from a default reset, is a fixed point of a step without
// acceleration and not at the goal. No bound is 0, so that it does not matter which of two zeros is the
// larger.
static constexpr bool plain(const Params& p, bool in_play) {
    return in_play && -kNearPosition <= p.min_position && p.min_position < kStartLow &&
           0.0 < p.max_position && p.max_position <= kNearPosition && p.goal_position > kStartHigh &&
           p.max_speed > 0.0;
}

}  // namespace compute_layers::mountain_car
