// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"
#include "../pcg64.hpp"

namespace compute_layers::acrobot {

RECORD(Params, dt, LINK_LENGTH_1, LINK_LENGTH_2, LINK_MASS_1, LINK_MASS_2, LINK_COM_POS_1, LINK_COM_POS_2,
       LINK_MOI, MAX_VEL_1, MAX_VEL_2, AVAIL_TORQUE_0, AVAIL_TORQUE_1, AVAIL_TORQUE_2, torque_noise_max,
       book_or_nips);
RECORD(State, theta1, theta2, theta_dot1, theta_dot2);
RECORD(Options, low, high);
// Of theta2, which the first stage of the next step needs again.
RECORD(Cache, sin2, cos2);
constexpr int64_t kCacheFields = sizeof(Cache) / sizeof(double);

constexpr double kBook = 0.0;  // code of book_or_nips
constexpr double kGravity = 9.8;
constexpr double kPi = 0x1.921fb54442d18p+1;
constexpr int64_t kTurns = 8192;  // most that a step takes off an angle
constexpr int64_t kObservation = 6;

// Gymnasium's chain and step, which the kernels for play have built in.
constexpr double kDt = 0.2, kLength = 1.0, kMass = 1.0, kCenter = 0.5, kMoi = 1.0;

// What the kernels for play may rely on. |theta| <= pi and |theta_dot| within the limits after a step, less
// after a reset; then no angle of a stage exceeds 2**10, and 8192 turns are always enough.
static constexpr bool plain(const Params& p, bool in_play) {
    const auto within = [](double low, double value, double high) { return low <= value && value <= high; };
    return in_play && p.dt == kDt && p.LINK_LENGTH_1 == kLength && p.LINK_MASS_1 == kMass &&
           p.LINK_MASS_2 == kMass && p.LINK_COM_POS_1 == kCenter && p.LINK_COM_POS_2 == kCenter &&
           p.LINK_MOI == kMoi && within(0x1p-10, p.MAX_VEL_1, 13.0) && within(0x1p-10, p.MAX_VEL_2, 29.0) &&
           within(-16.0, p.AVAIL_TORQUE_0, 16.0) && within(-16.0, p.AVAIL_TORQUE_1, 16.0) &&
           within(-16.0, p.AVAIL_TORQUE_2, 16.0) && !(p.torque_noise_max > 0.0) && p.book_or_nips == kBook;
}

// Draws the noise of this step's torques for the lanes that play, into `reward`, which the step overwrites.
static inline void draw_noise(const Batch* b, const Params& p) {
    for (int64_t i = 0; i < b->n; ++i) {
        if (b->elapsed[i] < 0) continue;
        ISA::Pcg64 rng(b->stream, b->stride, i);
        b->reward[i] = rng.uniform(-p.torque_noise_max, p.torque_noise_max);
        rng.store();
    }
}

}  // namespace compute_layers::acrobot
