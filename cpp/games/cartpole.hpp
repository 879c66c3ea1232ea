// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"

namespace compute_layers::cartpole {

RECORD(Params, gravity, masscart, masspole, total_mass, length, polemass_length, force_mag, tau,
       theta_threshold_radians, x_threshold, kinematics_integrator, reward_running, reward_terminated);
RECORD(State, x, x_dot, theta, theta_dot);
RECORD(Options, low, high);

constexpr double kEuler = 0.0;  // code of kinematics_integrator
constexpr int64_t kObservation = 4;

// With theta within 45° the reduction of sin and cos is the identity. A live lane of a batch that is in
// play is within its own threshold.
inline constexpr double kReducedAngle = 0.785;

}  // namespace compute_layers::cartpole
