// SPDX-License-Identifier: MIT
#include "blackjack.hpp"

#include "../pcg64.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

using namespace blackjack;

// Lanes of which everything stays in the L1 cache from one section to the next.
constexpr int64_t kBlock = 128;

struct Hand {
    int64_t sum;
    int64_t ace;  // 0 or 1
};

inline int64_t card_of(int64_t rank) { return rank < kTen ? rank + 1 : kTen; }

inline Hand add_card(Hand hand, int64_t card) {
    const int64_t hard = hand.sum - 10 * hand.ace + card;
    const int64_t usable = (hand.ace | (card == 1)) & (hard + 10 <= kMost);
    return {hard + 10 * usable, usable};
}

inline int64_t* field(const Batch* b, int64_t which) {
    return reinterpret_cast<int64_t*>(b->state) + which * b->stride;
}

// [1] cards. A lane takes none, one or some, and which ones do cannot be predicted: they stand in a list, which
// grows and shrinks without a branch. Each round gives one card to each lane of it and keeps those dealers who
// want another.
__attribute__((noinline)) void deal(const Batch* b, int64_t first, int64_t n) {
    const int64_t* const action = static_cast<const int64_t*>(b->action);
    const int64_t* const dealer_sum = field(b, FIELD(State, dealer_sum));
    const int64_t to_dealer = (FIELD(State, dealer_sum) - FIELD(State, player_sum)) * b->stride;
    int64_t list[kBlock];
    int64_t count = 0;
    for (int64_t i = first; i < first + n; ++i) {
        list[count] = i;
        count += (b->elapsed[i] >= 0) & ((action[i] != 0) | (dealer_sum[i] < kDealerStays));
    }
    while (count) {
        int64_t more = 0;
        for (int64_t j = 0; j < count; ++j) {
            const int64_t lane = list[j];
            const int64_t stick = action[lane] == 0;
            int64_t* const hand = field(b, FIELD(State, player_sum)) + (to_dealer & -stick) + lane;
            Pcg64 rng(b->stream, b->stride, lane);
            const Hand now = add_card({hand[0], hand[b->stride]}, card_of(rng.integers(kRanks)));
            rng.store();
            hand[0] = now.sum;
            hand[b->stride] = now.ace;
            list[more] = lane;
            more += stick & (now.sum < kDealerStays);
        }
        count = more;
    }
}

// Arrays are __restrict parameters of a function that is not inlined: compilers believe nothing less. Masks are
// int64 so that all lanes are equally wide.
__attribute__((noinline)) void settle(const int64_t n, const Params& p, const int64_t limit,
                                      const int64_t* __restrict action, const int64_t* __restrict player_sum,
                                      int64_t* __restrict player_natural,
                                      const int64_t* __restrict dealer_sum,
                                      const int64_t* __restrict dealer_natural, int64_t* __restrict elapsed,
                                      int64_t* __restrict reward, int64_t* __restrict terminated,
                                      int64_t* __restrict truncated) {
    const int64_t sab = p.sab != 0.0 ? -1 : 0;
    const int64_t pays_more = p.sab == 0.0 && p.natural != 0.0 ? -1 : 0;
    constexpr int64_t kWon = __builtin_bit_cast(int64_t, 1.0), kLost = __builtin_bit_cast(int64_t, -1.0),
                      kNaturalWon = __builtin_bit_cast(int64_t, 1.5);
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;
        const int64_t stick = action[i] == 0 ? -1 : 0;
        const int64_t player = player_sum[i], dealer = dealer_sum[i];

        // [2] termination and reward
        const int64_t bust = player > kMost ? -1 : 0;
        const int64_t player_score = player & ~bust, dealer_score = dealer > kMost ? 0 : dealer;
        const int64_t natural = stick & -player_natural[i];
        const int64_t beaten = natural & sab & (dealer_natural[i] - 1);
        const int64_t higher = player_score > dealer_score ? -1 : 0;
        const int64_t lower = player_score < dealer_score ? -1 : 0;
        const int64_t won = stick & (higher | beaten);
        const int64_t lost = ((stick & lower) | (~stick & bust)) & ~beaten;
        const int64_t most = won & natural & pays_more;
        const int64_t now = elapsed[i] + 1;
        const int64_t ended = (stick | bust) & ~starting;
        const int64_t late = now >= limit ? -1 : 0;

        player_natural[i] &= stick | starting;
        reward[i] = ((won & kWon) | (lost & kLost) | (most & kNaturalWon)) & ~starting;
        terminated[i] = ended;
        truncated[i] = late;
        elapsed[i] = now | ended | late;
    }
}

__attribute__((noinline)) void narrow(const int64_t n, const int64_t* __restrict masks,
                                      uint8_t* __restrict flags) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        flags[i] = static_cast<uint8_t>(masks[i] & 1);
    }
}

// [3] observation
__attribute__((noinline)) void interleave(const int64_t n, const int64_t* __restrict player_sum,
                                          const int64_t* __restrict dealer_card,
                                          const int64_t* __restrict player_ace,
                                          int64_t* __restrict observation) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        observation[3 * i + 0] = player_sum[i];
        observation[3 * i + 1] = dealer_card[i];
        observation[3 * i + 2] = player_ace[i];
    }
}

void step(const Batch* b) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    const int64_t* const action = static_cast<const int64_t*>(b->action);
    int64_t* const player_sum = field(b, FIELD(State, player_sum));
    int64_t* const player_ace = field(b, FIELD(State, player_ace));
    int64_t* const player_natural = field(b, FIELD(State, player_natural));
    const int64_t* const dealer_sum = field(b, FIELD(State, dealer_sum));
    const int64_t* const dealer_natural = field(b, FIELD(State, dealer_natural));
    const int64_t* const dealer_card = field(b, FIELD(State, dealer_card));
    int64_t* const observation = static_cast<int64_t*>(b->observation);
    int64_t terminated[kBlock], truncated[kBlock];
    for (int64_t i = 0; i < b->n; i += kBlock) {
        const int64_t n = b->n - i < kBlock ? b->n - i : kBlock;
        deal(b, i, n);
        settle(n, p, b->limit, action + i, player_sum + i, player_natural + i, dealer_sum + i,
               dealer_natural + i, b->elapsed + i, reinterpret_cast<int64_t*>(b->reward) + i, terminated,
               truncated);
        narrow(n, terminated, b->terminated + i);
        narrow(n, truncated, b->truncated + i);
        interleave(n, player_sum + i, dealer_card + i, player_ace + i, observation + kObservation * i);
    }
}

Step* select_step(const Batch*, bool) { return step; }

void reset(const Batch* b, const int64_t* lanes, int64_t count, const double*) {
    int64_t* const state = reinterpret_cast<int64_t*>(b->state);
    for (int64_t j = 0; j < count; ++j) {
        int64_t* const column = state + lanes[j];
        Pcg64 rng(b->stream, b->stride, lanes[j]);
        int64_t card[4], suit, face = 0;
        for (int64_t& drawn : card) drawn = card_of(rng.integers(kRanks));
        suit = rng.integers(kSuits);
        if (card[0] == kTen) face = rng.integers(kFaces);
        rng.store();
        const Hand dealer = add_card(add_card({0, 0}, card[0]), card[1]);
        const Hand player = add_card(add_card({0, 0}, card[2]), card[3]);
        column[FIELD(State, player_sum) * b->stride] = player.sum;
        column[FIELD(State, player_ace) * b->stride] = player.ace;
        column[FIELD(State, player_natural) * b->stride] = player.sum == kMost;
        column[FIELD(State, dealer_sum) * b->stride] = dealer.sum;
        column[FIELD(State, dealer_ace) * b->stride] = dealer.ace;
        column[FIELD(State, dealer_natural) * b->stride] = dealer.sum == kMost;
        column[FIELD(State, dealer_card) * b->stride] = card[0];
        column[FIELD(State, suit) * b->stride] = suit;
        column[FIELD(State, face) * b->stride] = face;
    }
}

void observe(const Batch* b, const int64_t* lanes, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
        int64_t* const observation = static_cast<int64_t*>(b->observation) + kObservation * lanes[j];
        observation[0] = field(b, FIELD(State, player_sum))[lanes[j]];
        observation[1] = field(b, FIELD(State, dealer_card))[lanes[j]];
        observation[2] = field(b, FIELD(State, player_ace))[lanes[j]];
    }
}

}  // namespace

const Game games::blackjack = {Params::kNames, State::kNames, "", select_step, reset, observe, 0, 0, false};

}  // namespace compute_layers::ISA
