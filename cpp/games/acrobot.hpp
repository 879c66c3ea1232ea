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

// clang-format off
// What the params become once for all lanes: seconds and weights of k2, k3 and k4, and the products of the rules,
// named after what they are of or multiply.
#define ACROBOT_CHAIN(NUMBER)                                                                                \
    NUMBER(seconds2, p.dt / 2)                                                                               \
    NUMBER(weight2, 2.0)                                                                                     \
    NUMBER(seconds3, p.dt / 2)                                                                               \
    NUMBER(weight3, 2.0)                                                                                     \
    NUMBER(seconds4, p.dt)                                                                                   \
    NUMBER(weight4, 1.0)                                                                                     \
    NUMBER(sixth, p.dt / 6)                                                                                  \
    NUMBER(square1, p.LINK_MASS_1 * (p.LINK_COM_POS_1 * p.LINK_COM_POS_1))                                   \
    NUMBER(squares, (p.LINK_LENGTH_1 * p.LINK_LENGTH_1) + (p.LINK_COM_POS_2 * p.LINK_COM_POS_2))             \
    NUMBER(square2, p.LINK_COM_POS_2 * p.LINK_COM_POS_2)                                                     \
    NUMBER(twice_lengths, (2 * p.LINK_LENGTH_1) * p.LINK_COM_POS_2)                                          \
    NUMBER(lengths, p.LINK_LENGTH_1 * p.LINK_COM_POS_2)                                                      \
    NUMBER(mass2, p.LINK_MASS_2)                                                                             \
    NUMBER(moi, p.LINK_MOI)                                                                                  \
    NUMBER(inertia2, (p.LINK_MASS_2 * (p.LINK_COM_POS_2 * p.LINK_COM_POS_2)) + p.LINK_MOI)                   \
    NUMBER(gravity1, ((p.LINK_MASS_1 * p.LINK_COM_POS_1) + (p.LINK_MASS_2 * p.LINK_LENGTH_1)) * kGravity)    \
    NUMBER(gravity2, (p.LINK_MASS_2 * p.LINK_COM_POS_2) * kGravity)                                          \
    NUMBER(swing, (p.LINK_MASS_2 * p.LINK_LENGTH_1) * p.LINK_COM_POS_2)                                      \
    NUMBER(minus_swing, ((-p.LINK_MASS_2) * p.LINK_LENGTH_1) * p.LINK_COM_POS_2)                             \
    NUMBER(twice_swing, ((2 * p.LINK_MASS_2) * p.LINK_LENGTH_1) * p.LINK_COM_POS_2)                          \
    NUMBER(book_or_nips, p.book_or_nips)

// Gymnasium's chain and step, which the kernels for play have built in; the other params are not.
constexpr Params kStandard = {
    .dt = 0.2, .LINK_LENGTH_1 = 1.0, .LINK_LENGTH_2 = 0, .LINK_MASS_1 = 1.0, .LINK_MASS_2 = 1.0,
    .LINK_COM_POS_1 = 0.5, .LINK_COM_POS_2 = 0.5, .LINK_MOI = 1.0, .MAX_VEL_1 = 0, .MAX_VEL_2 = 0,
    .AVAIL_TORQUE_0 = 0, .AVAIL_TORQUE_1 = 0, .AVAIL_TORQUE_2 = 0, .torque_noise_max = 0,
    .book_or_nips = kBook};
// clang-format on

// What the kernels for play may rely on. |theta| <= pi and |theta_dot| within the limits after a step, less
// after a reset; then no angle of a stage exceeds 2**10, and 8192 turns are always enough.
static constexpr bool plain(const Params& p, bool in_play) {
    const auto within = [](double low, double value, double high) { return low <= value && value <= high; };
    return in_play && p.dt == kStandard.dt && p.LINK_LENGTH_1 == kStandard.LINK_LENGTH_1 &&
           p.LINK_MASS_1 == kStandard.LINK_MASS_1 && p.LINK_MASS_2 == kStandard.LINK_MASS_2 &&
           p.LINK_COM_POS_1 == kStandard.LINK_COM_POS_1 && p.LINK_COM_POS_2 == kStandard.LINK_COM_POS_2 &&
           p.LINK_MOI == kStandard.LINK_MOI && p.book_or_nips == kStandard.book_or_nips &&
           !(p.torque_noise_max > 0.0) && within(0x1p-10, p.MAX_VEL_1, 13.0) &&
           within(0x1p-10, p.MAX_VEL_2, 29.0) && within(-16.0, p.AVAIL_TORQUE_0, 16.0) &&
           within(-16.0, p.AVAIL_TORQUE_1, 16.0) && within(-16.0, p.AVAIL_TORQUE_2, 16.0);
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
