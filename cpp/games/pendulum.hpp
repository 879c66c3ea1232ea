// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"

namespace compute_layers::pendulum {

RECORD(Params, g, m, l, dt, max_speed, max_torque);
RECORD(State, theta, theta_dot, last_u);
RECORD(Options, x_init, y_init);
RECORD(Cache, sin);  // of the present theta

constexpr int64_t kObservation = 3;

constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr double kTurn = 2.0 * kPi;
constexpr double kInverseTurn = 1.0 / kTurn;
constexpr float kEffort = 0.001f;
constexpr double kFriction = 0.1;

// What the params come to, the same for all lanes; the torque's part is float32.
struct Factors {
    double gravity;
    float thrust;
    float max_torque;
};
static constexpr Factors factors(const Params& p) {
    return {(3.0 * p.g) / (2.0 * p.l), static_cast<float>(3.0 / (p.m * (p.l * p.l))),
            static_cast<float>(p.max_torque)};
}

// The remainder of y modulo a turn, between 0 and a turn, is r or r + kTurn, where r = y - k * kTurn and k is
// the integer nearest to y / kTurn. r is exact: it is a multiple of the last bit of y or of kTurn, and at
// most some half turn. So is r + kTurn if y >= 0; if y < 0 Python's `%` adds kTurn to the exact remainder
// too, with one rounding. From kFar on the products, or k itself, are no longer exact.
constexpr double kFar = 0x1p20;

// Whether no lane comes near kFar: it starts within half a turn, and the time limit ends its walk.
static constexpr bool plain(const Params& p, int64_t limit, bool in_play) {
    const double most = static_cast<double>(limit) * (p.max_speed * p.dt);
    return in_play && -0x1p19 < most && most < 0x1p19;
}

}  // namespace compute_layers::pendulum
