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

// Gymnasium's numbers, which the kernels for play have built in.
constexpr double kForce = 1.0;  // the bounds of the action are -kForce and kForce
constexpr double kPower = 0.0015;
constexpr double kMaxSpeed = 0.07;
constexpr double kMinPosition = -1.2;
constexpr double kMaxPosition = 0.6;

// What the kernels for play may rely on: a live state that is not fresh is within these bounds. The goal is
// where it makes no difference that Gymnasium compares a bound that took the place of a float32 in float64.
static constexpr bool plain(const Params& p, bool in_play) {
    return in_play && p.min_action == -kForce && p.max_action == kForce && p.power == kPower &&
           p.max_speed == kMaxSpeed && p.min_position == kMinPosition && p.max_position == kMaxPosition &&
           -1.0 <= p.goal_position && p.goal_position <= 0.5 && -0.0625 <= p.goal_velocity &&
           p.goal_velocity <= 0.0625;
}

// In the step of a lane that is neither fresh nor pushed beyond the bounds, its pull, kGravity * cos(q),
// becomes a float32, and q is three times a float32 between -1.2 and 0.6. There are few enough of these to
// try them all, and for each of them a shorter cosine than that of numerics.hpp gives the same float32,
// whether or not its products are fused:
//     cos q = sin r, r = | |q| - pi | - pi/2, sin r = r + r*z*P(z), z = r*r
// r is exact but for kSmallPart, which pi and pi/2 leave. P is the minimax polynomial for |r| <= pi/2.
constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kSmallPart = 0x1.1a62633145c07p-54;
constexpr double kSwing[7] = {-0x1.55555555554a8p-3, 0x1.111111110a54cp-7,   -0x1.a01a019a63e5bp-13,
                              0x1.71de38061f784p-19, -0x1.ae63557c4fb1dp-26, 0x1.60e6b77cd5d11p-33,
                              -0x1.9f142ceed4142p-41};

}  // namespace compute_layers::continuous_mountain_car
