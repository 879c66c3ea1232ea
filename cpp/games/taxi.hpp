// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"

namespace compute_layers::taxi {

RECORD(Params, fickle_passenger, fickle_probability);
RECORD(State, s, lastaction, fickle_step);  // int64; s = (cell * 5 + passenger) * 4 + destination

constexpr int64_t kDestinations = 4;
constexpr int64_t kPassengers = 5;  // where the passenger may be: at a destination's stand, or
constexpr int64_t kAboard = 4;
constexpr int64_t kCell = kPassengers * kDestinations;  // states of a cell

}  // namespace compute_layers::taxi
