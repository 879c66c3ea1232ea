// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"

namespace compute_layers::blackjack {

RECORD(Params, natural, sab);
// All int64. The hands have the same fields in the same order, so that a card goes to either by an offset.
RECORD(State, player_sum, player_ace, player_natural, dealer_sum, dealer_ace, dealer_natural, dealer_card,
       suit, face);

constexpr int64_t kObservation = 3;

constexpr int64_t kRanks = 13, kSuits = 4, kFaces = 3;
constexpr int64_t kRejected = (int64_t{1} << 32) % kRanks;  // low words of a product by kRanks below it
constexpr int64_t kTen = 10;                                // what ten, jack, queen and king count
constexpr int64_t kMost = 21;                               // beyond it a hand is bust
constexpr int64_t kDealerStays = 17;

}  // namespace compute_layers::blackjack
