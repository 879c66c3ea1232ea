// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"

namespace compute_layers::continuous_mountain_car {

RECORD(Params, min_action, max_action, min_position, max_position, max_speed, goal_position, goal_velocity,
       power);
RECORD(State, position, velocity, fresh);  // fresh is an int64, 0 or 1
RECORD(Options, low, high);

constexpr double kGravity = 0.0025;
constexpr double kGoalReward = 100.0;
constexpr double kActionCost = 0.1;
constexpr int64_t kObservation = 2;

// What the kernels for play may rely on. A live state is within the bounds, and a fresh one is that of a default
// reset: at rest between -0.6 and -0.4. With an engine this weak it meets no bound and no goal in its first step,
// so that all bounds are needed in float32 only. A goal_velocity that is a float32 below max_speed compares alike
// with a velocity and with what a bound or a wall puts in its place.
static constexpr bool plain(const Params& p, bool in_play) {
    return in_play && -1.0 <= p.min_action && p.min_action <= p.max_action && p.max_action <= 1.0 &&
           -0.01 <= p.power && p.power <= 0.01 && p.min_position <= -0.75 && -0.25 <= p.max_position &&
           -0.25 <= p.goal_position && 0.02 <= p.max_speed && p.max_speed <= 1.0 &&
           -0.999 * p.max_speed <= p.goal_velocity && p.goal_velocity <= 0.999 * p.max_speed &&
           static_cast<double>(static_cast<float>(p.goal_velocity)) == p.goal_velocity;
}

}  // namespace compute_layers::continuous_mountain_car
