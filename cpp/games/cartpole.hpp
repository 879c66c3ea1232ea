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

constexpr double kReducedAngle = 0.785;  // up to here the reduction of sin and cos is the identity

// What the kernels for play may rely on. A live lane is within its threshold, so that sin and cos need no
// reduction; a parked state stems from a default reset, so that it holds no -0; and with params of ordinary
// size nothing overflows, so that 0 times anything is 0.
static constexpr bool plain(const Params& p, bool in_play) {
    const auto moderate = [](double value) {
        return (0x1p-20 <= value && value <= 0x1p20) || (-0x1p20 <= value && value <= -0x1p-20);
    };
    return in_play && p.kinematics_integrator == kEuler && p.theta_threshold_radians < kReducedAngle &&
           0.0 <= p.masspole && p.masspole <= p.total_mass && moderate(p.total_mass) && moderate(p.gravity) &&
           moderate(p.length) && moderate(p.polemass_length) && moderate(p.force_mag) && moderate(p.tau);
}

}  // namespace compute_layers::cartpole
