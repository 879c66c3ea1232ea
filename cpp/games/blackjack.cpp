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

// An ace among two cards is always usable.
inline Hand two_cards(int64_t first, int64_t second) {
    const int64_t ace = (first == 1) | (second == 1);
    return {first + second + 10 * ace, ace};
}

inline int64_t* field(const Batch* b, int64_t which) {
    return reinterpret_cast<int64_t*>(b->state) + which * b->stride;
}

// [1] cards. A lane takes none, one or some, and which ones do cannot be predicted: they stand in lists,
// which grow and shrink without a branch. One is of the lanes whose stream has a half left over, `without` of
// those that must compute a new output: a card of one kind is followed by a card of the other. A number that
// must be drawn again counts as card 0, which changes no sum, and keeps its lane.
__attribute__((noinline)) void deal(const Batch* b, int64_t first, int64_t n) {
    const int64_t* const action = static_cast<const int64_t*>(b->action);
    const int64_t* const elapsed = b->elapsed;
    const int64_t* const dealer_sum = field(b, FIELD(State, dealer_sum));
    int64_t* const hands = field(b, FIELD(State, player_sum));
    uint64_t* const stream = b->stream;
    const int64_t stride = b->stride;
    uint64_t* const half = stream + kHalf * stride;
    const int64_t to_dealer = (FIELD(State, dealer_sum) - FIELD(State, player_sum)) * stride;
    const auto give = [=](int64_t lane, uint32_t number) {
        const int64_t stick = action[lane] == 0;
        int64_t* const hand = hands + (to_dealer & -stick) + lane;
        const uint64_t product = uint64_t{number} * kRanks;
        const int64_t again = static_cast<uint32_t>(product) < kRejected;
        const int64_t card = card_of(static_cast<int64_t>(product >> 32)) & (again - 1);
        const Hand now = add_card({hand[0], hand[stride]}, card);
        hand[0] = now.sum;
        hand[stride] = now.ace;
        return again | (stick & (now.sum < kDealerStays));
    };
    int64_t with[kBlock], without[kBlock];
    int64_t with_count = 0, without_count = 0;
    for (int64_t i = first; i < first + n; ++i) {
        const int64_t takes = (elapsed[i] >= 0) & ((action[i] != 0) | (dealer_sum[i] < kDealerStays));
        const int64_t has = static_cast<int64_t>(half[i] >> 32);
        with[with_count] = without[without_count] = i;
        with_count += takes & has;
        without_count += takes & ~has;
    }
    do {
        for (int64_t j = 0; j < with_count; ++j) {
            const int64_t lane = with[j];
            const uint32_t number = static_cast<uint32_t>(half[lane]);
            half[lane] = number;
            without[without_count] = lane;
            without_count += give(lane, number);
        }
        with_count = 0;
        for (int64_t j = 0; j < without_count; ++j) {
            const int64_t lane = without[j];
            Pcg64 rng(stream, stride, lane);
            const uint64_t output = rng.next64();
            rng.store();
            half[lane] = uint64_t{1} << 32 | output >> 32;
            with[with_count] = lane;
            with_count += give(lane, static_cast<uint32_t>(output));
        }
        without_count = 0;
    } while (with_count);
}

// Arrays are __restrict parameters of a function that is not inlined: compilers believe nothing less. Masks
// are int64 so that all lanes are equally wide.
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

// What a hand begins with.
struct Deal {
    int64_t card[4];  // two of the dealer's, the first one up, two of the player's
    int64_t suit;
    int64_t face;
};

// Once in a hundred million hands.
__attribute__((noinline)) Deal draw_one_by_one(const Batch* b, int64_t lane) {
    Pcg64 rng(b->stream, b->stride, lane);
    Deal deal;
    for (int64_t& card : deal.card) card = card_of(rng.integers(kRanks));
    deal.suit = rng.integers(kSuits);
    deal.face = deal.card[0] == kTen ? rng.integers(kFaces) : 0;
    rng.store();
    return deal;
}

// Lemire's draw from one 32-bit number; `again` is set if it is one of the few that must be drawn again.
inline int64_t below(int64_t n, uint32_t number, bool& again) {
    const uint64_t m = uint64_t{number} * static_cast<uint64_t>(n);
    again |= static_cast<uint32_t>(m) < (uint64_t{1} << 32) % static_cast<uint64_t>(n);
    return static_cast<int64_t>(m >> 32);
}

inline Deal draw(const Batch* b, int64_t lane) {
    Pcg64 rng(b->stream, b->stride, lane);
    const auto ahead = rng.look_ahead<3>();
    bool again = false;
    Deal deal;
    for (int k = 0; k < 4; ++k) deal.card[k] = card_of(below(kRanks, ahead[k], again));
    deal.suit = below(kSuits, ahead[4], again);
    const int64_t ten = deal.card[0] == kTen;
    deal.face = below(kFaces, ahead[5], again) & -ten;
    if (again) [[unlikely]]
        return draw_one_by_one(b, lane);
    rng.take(ahead, 5 + ten);
    rng.store();
    return deal;
}

void reset(const Batch* b, const int64_t* lanes, int64_t count, const double*) {
    int64_t* const state = reinterpret_cast<int64_t*>(b->state);
    const int64_t stride = b->stride;
    for (int64_t j = 0; j < count; ++j) {
        int64_t* const column = state + lanes[j];
        const auto [card, suit, face] = draw(b, lanes[j]);
        const Hand dealer = two_cards(card[0], card[1]);
        const Hand player = two_cards(card[2], card[3]);
        column[FIELD(State, player_sum) * stride] = player.sum;
        column[FIELD(State, player_ace) * stride] = player.ace;
        column[FIELD(State, player_natural) * stride] = player.sum == kMost;
        column[FIELD(State, dealer_sum) * stride] = dealer.sum;
        column[FIELD(State, dealer_ace) * stride] = dealer.ace;
        column[FIELD(State, dealer_natural) * stride] = dealer.sum == kMost;
        column[FIELD(State, dealer_card) * stride] = card[0];
        column[FIELD(State, suit) * stride] = suit;
        column[FIELD(State, face) * stride] = face;
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
