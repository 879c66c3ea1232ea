// SPDX-License-Identifier: MIT
#include "games/blackjack.hpp"

#include "../kernel.hpp"
#include "pcg64.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

using namespace blackjack;

// Lanes of which everything stays in the L1 cache from one section to the next.
constexpr int64_t kBlock = 128;

static_assert(FIELD(State, player_sum) == 0 && FIELD(State, player_ace) == 1 &&
              FIELD(State, player_natural) == 2 && FIELD(State, dealer_sum) == 3 &&
              FIELD(State, dealer_ace) == 4 && FIELD(State, dealer_natural) == 5 &&
              FIELD(State, dealer_card) == 6);
static_assert(kStateHigh == 0 && kStateLow == 1 && kIncHigh == 2 && kIncLow == 3 && kHalf == 4);

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(won, row(1.0)) ROW(lost, row(-1.0)) ROW(natural_won, row(1.5))                                       \
    ROW(multiplier_high, row(static_cast<uint64_t>(kPcgMultiplier >> 64)))                                   \
    ROW(multiplier_low, row(static_cast<uint64_t>(kPcgMultiplier)))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// A block of up to kBlock lanes goes through sections 1 to 3, then the next.
//
// Section 1 keeps two lists of lanes that take a card: `with` those whose stream has a half left over, `without`
// those that must compute a new output. A card of one kind is followed by a card of the other, so that a lane
// that takes more goes from list to list. They stand in the two halves of the block's rewards, which are written
// last: a lane's 4 bytes are its offset in the block.
//
// General registers: arrays at the block, in which x15, an offset, finds a lane
//   x2  state high    x6  half          x11  reward, `with`     [b]  the batch
//   x3  state low     x7  action        x12  `without`          x0   lanes done, then with this block
//   x4  inc high      x8  player_sum    x13  bytes of `with`    x1   stride, bytes
//   x5  inc low       x9  elapsed       x14  of `without`       x10  stride * 3
//   x17 bytes of a field of the block   x26  dealer_sum
// numbers
//   x19  10    x22  multiplier_high    x23  multiplier_low               [k]  kConstants
// scratch: x16, x20, x21, x24, x25, x27. In sections 2 and 3 stand instead
//   x2  player_ace        x4  dealer_card       x6   terminated          x14  observation
//   x3  player_natural    x5  dealer_natural    x13  truncated
//
// Vector registers
//   v0-v7, v16-v19, v28-v31  scratch      v20  21     v22  -1.0    v24  sab                      v26  limit
//                                         v21  1.0    v23  1.5     v25  whether a natural is more    v27  -1
#define PARAM(field) [field] "i"(FIELD(Params, field) * sizeof(Row))
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(ldr, "x16", B(rows),                                   "")                                            \
    OP(ldr, Q(24), AT("x16", sab),                            "sab")                                         \
    OP(ldr, Q(25), AT("x16", natural),                        "natural")                                     \
    OP(movi, D2(0), "#0",                                     "0")                                           \
    OP(fcmeq, D2(24), D2(24), D2(0),                          "not sab")                                     \
    OP(fcmeq, D2(25), D2(25), D2(0),                          "not natural")                                 \
    OP(bic, B16(25), B16(24), B16(25),                        "natural and not sab")                         \
    OP(mvn, B16(24), B16(24),                                 "sab")                                         \
    OP(ldr, "x16", B(limit),                                  "")                                            \
    OP(dup, D2(26), "x16",                                    "limit")                                       \
    OP(movi, D2(27), "#0xffffffffffffffff",                   "-1")                                          \
    OP(mov, "x16", "%[most]",                                 "")                                            \
    OP(dup, D2(20), "x16",                                    "21")                                          \
    OP(ldr, Q(21), K(won),                                    "1.0")                                         \
    OP(ldr, Q(22), K(lost),                                   "-1.0")                                        \
    OP(ldr, Q(23), K(natural_won),                            "1.5")                                         \
    OP(mov, "x19", "%[ten]",                                  "10")                                          \
    OP(ldr, "x22", K(multiplier_high),                        "")                                            \
    OP(ldr, "x23", K(multiplier_low),                         "")                                            \
    OP(ldr, "x1", B(stride),                                  "")                                            \
    OP(lsl, "x1", "x1", "#3",                                 "stride in bytes")                             \
    OP(add, "x10", "x1", "x1, lsl #1",                        "stride * 3")                                  \
    OP(mov, "x0", "#0",                                       "lanes done")                                  \
    OP(ldr, "x17", B(n),                                      "lanes")                                       \
    OP(cbz, "x17", "9f",                                      "none")

#define AT_BLOCK(x, field)                                                                                   \
    OP(ldr, x, B(field),                                      #field)                                        \
    OP(add, x, x, "x0, lsl #3",                               "at the block")
#define BLOCK                                                                                                \
    OP(ldr, "x17", B(n),                                      "lanes")                                       \
    OP(sub, "x17", "x17", "x0",                               "lanes left")                                  \
    OP(mov, "x16", "%[block]",                                "")                                            \
    OP(cmp, "x17", "x16",                                     "")                                            \
    OP(csel, "x17", "x17", "x16", "lt",                       "lanes of the block")                          \
    AT_BLOCK("x2", stream)                                                                                   \
    OP(add, "x3", "x2", "x1",                                 "state low")                                   \
    OP(add, "x4", "x3", "x1",                                 "inc high")                                    \
    OP(add, "x5", "x4", "x1",                                 "inc low")                                     \
    OP(add, "x6", "x5", "x1",                                 "half")                                        \
    AT_BLOCK("x7", action)                                                                                   \
    AT_BLOCK("x8", state)                                                                                    \
    AT_BLOCK("x9", elapsed)                                                                                  \
    AT_BLOCK("x11", reward)                                                                                  \
    OP(add, "x12", "x11", "x17, lsl #2",                      "the list without")                            \
    OP(add, "x26", "x8", "x10",                               "dealer_sum")                                  \
    OP(add, "x0", "x0", "x17",                                "lanes done, soon")                            \
    OP(lsl, "x17", "x17", "#3",                               "bytes of a field of the block")               \
    OP(mov, "x13", "#0",                                      "none is with")                                \
    OP(mov, "x14", "#0",                                      "none is without")                             \
    OP(mov, "x15", "#0",                                      "first lane")

// [1] cards: who takes one. The immediates of ccmp make "less" of what it does not compare.
#define LIST                                                                                                 \
    OP(ldr, "x16", "[x7, x15]",                               "action")                                      \
    OP(ldr, "x20", "[x26, x15]",                              "dealer_sum")                                  \
    OP(ldr, "x21", "[x9, x15]",                               "elapsed")                                     \
    OP(ldr, "x24", "[x6, x15]",                               "half")                                        \
    OP(cmp, "x16", "#0",                                      "stick?")                                      \
    OP(ccmp, "x20", "%[stays]", "#8", "eq",                   "less: hits, or the dealer draws")             \
    OP(ccmp, "x21", "#0", "#8", "lt",                         "not less: and plays")                         \
    OP(cset, "x16", "ge",                                     "takes a card")                                \
    OP(and, "x24", "x16", "x24, lsr #32",                     "and has a half")                              \
    OP(sub, "x16", "x16", "x24",                              "and has none")                                \
    OP(str, "w15", "[x11, x13]",                              "perhaps with")                                \
    OP(add, "x13", "x13", "x24, lsl #2",                      "")                                            \
    OP(str, "w15", "[x12, x14]",                              "perhaps without")                             \
    OP(add, "x14", "x14", "x16, lsl #2",                      "")                                            \
    OP(add, "x15", "x15", "#8",                               "next lane")                                   \
    OP(cmp, "x15", "x17",                                     "")

// A card by the 32-bit number in x16 for the lane at x15. x20: whether it goes to the other list.
#define GIVE                                                                                                 \
    OP(add, "x24", "x16", "x16, lsl #1",                      "number * 3")                                  \
    OP(add, "x16", "x16", "x24, lsl #2",                      "product = number * 13")                       \
    OP(lsr, "x24", "x16", "#32",                              "rank")                                        \
    OP(add, "x24", "x24", "#1",                               "rank + 1")                                    \
    OP(cmp, "x24", "x19",                                     "")                                            \
    OP(csel, "x24", "x24", "x19", "lo",                       "card = min(rank + 1, 10)")                    \
    OP(ldr, "x20", "[x7, x15]",                               "action")                                      \
    OP(mov, "x21", "%[stays]",                                "17")                                          \
    OP(cmp, "x20", "#0",                                      "stick?")                                      \
    OP(csel, "x20", "x10", "xzr", "eq",                       "to the dealer or the player")                 \
    OP(csel, "x21", "x21", "xzr", "eq",                       "who takes more: a dealer below 17")           \
    OP(cmp, "w16", "%[rejected]",                             "to be drawn again?")                          \
    OP(csel, "x24", "xzr", "x24", "lo",                       "no card")                                     \
    OP(csinv, "x21", "x21", "xzr", "hs",                      "more in any case")                            \
    OP(add, "x20", "x20", "x15",                              "")                                            \
    OP(add, "x20", "x20", "x8",                               "hand")                                        \
    OP(ldr, "x25", "[x20]",                                   "sum")                                         \
    OP(ldr, "x27", "[x20, x1]",                               "ace")                                         \
    OP(add, "x25", "x25", "x24",                              "sum + card")                                  \
    OP(msub, "x25", "x27", "x19", "x25",                      "hard = (…) - 10*ace")                         \
    OP(cmp, "x24", "#1",                                      "")                                            \
    OP(csinc, "x27", "x27", "xzr", "ne",                      "ace or card == 1")                            \
    OP(cmp, "x25", "%[most] - 10",                            "hard + 10 > 21?")                             \
    OP(csel, "x27", "x27", "xzr", "le",                       "usable")                                      \
    OP(madd, "x25", "x27", "x19", "x25",                      "hard + 10*usable")                            \
    OP(str, "x25", "[x20]",                                   "sum")                                         \
    OP(str, "x27", "[x20, x1]",                               "ace")                                         \
    OP(cmp, "x25", "x21",                                     "")                                            \
    OP(cset, "x20", "lo",                                     "takes more")

// next32() where a half is left over
#define WITH                                                                                                 \
    OP(sub, "x13", "x13", "#4",                               "one less is with")                            \
    OP(ldr, "w15", "[x11, x13]",                              "a lane")                                      \
    OP(str, "w15", "[x12, x14]",                              "perhaps without next")                        \
    OP(ldr, "w16", "[x6, x15]",                               "number = half")                               \
    OP(str, "x16", "[x6, x15]",                               "no longer left over")                         \
    GIVE                                                                                                     \
    OP(add, "x14", "x14", "x20, lsl #2",                      "without, if it takes more")

// next32() where a new output is needed
#define WITHOUT                                                                                              \
    OP(sub, "x14", "x14", "#4",                               "one less is without")                         \
    OP(ldr, "w15", "[x12, x14]",                              "a lane")                                      \
    OP(str, "w15", "[x11, x13]",                              "perhaps with next")                           \
    OP(ldr, "x20", "[x3, x15]",                               "low")                                         \
    OP(ldr, "x21", "[x2, x15]",                               "high")                                        \
    OP(ldr, "x25", "[x5, x15]",                               "inc low")                                     \
    OP(ldr, "x27", "[x4, x15]",                               "inc high")                                    \
    OP(mul, "x21", "x21", "x23",                              "high * multiplier_low")                       \
    OP(madd, "x21", "x20", "x22", "x21",                      "+ low * multiplier_high")                     \
    OP(umulh, "x24", "x20", "x23",                            "low * multiplier_low, high word")             \
    OP(mul, "x20", "x20", "x23",                              "low word")                                    \
    OP(add, "x21", "x21", "x24",                              "state * multiplier")                          \
    OP(adds, "x20", "x20", "x25",                             "")                                            \
    OP(adc, "x21", "x21", "x27",                              "state * multiplier + inc")                    \
    OP(str, "x20", "[x3, x15]",                               "low")                                         \
    OP(str, "x21", "[x2, x15]",                               "high")                                        \
    OP(eor, "x16", "x20", "x21",                              "high ^ low")                                  \
    OP(lsr, "x21", "x21", "#58",                              "turn")                                        \
    OP(ror, "x16", "x16", "x21",                              "output")                                      \
    OP(lsr, "x24", "x16", "#32",                              "its upper half")                              \
    OP(orr, "x24", "x24", "#0x100000000",                     "is left over")                                \
    OP(str, "x24", "[x6, x15]",                               "half")                                        \
    OP(mov, "w16", "w16",                                     "number = lower half")                         \
    GIVE                                                                                                     \
    OP(add, "x13", "x13", "x20, lsl #2",                      "with, if it takes more")

// The arrays of sections 2 and 3.
#define SETTLE                                                                                               \
    OP(sub, "x16", "x0", "x17, lsr #3",                       "lanes before the block")                      \
    OP(add, "x2", "x8", "x1",                                 "player_ace")                                  \
    OP(add, "x3", "x2", "x1",                                 "player_natural")                              \
    OP(add, "x4", "x8", "x10, lsl #1",                        "dealer_card")                                 \
    OP(sub, "x5", "x4", "x1",                                 "dealer_natural")                              \
    OP(ldr, "x6", B(terminated),                              "")                                            \
    OP(add, "x6", "x6", "x16",                                "terminated")                                  \
    OP(ldr, "x13", B(truncated),                              "")                                            \
    OP(add, "x13", "x13", "x16",                              "truncated")                                   \
    OP(ldr, "x14", B(observation),                            "")                                            \
    OP(add, "x16", "x16", "x16, lsl #1",                      "numbers of observations before")              \
    OP(add, "x14", "x14", "x16, lsl #3",                      "observation")                                 \
    OP(mov, "x15", "#0",                                      "first lanes")

// [2] termination and reward
#define FLAGS(v, array)                                                                                      \
    OP(xtn, S2(v), D2(v),                                     "")                                            \
    OP(xtn, H4(v), S4(v),                                     "")                                            \
    OP(xtn, B8(v), H8(v),                                     "byte i: lane i, -1 or 0")                     \
    OP(neg, B8(v), B8(v),                                     "1 or 0")                                      \
    OP(str, "h" #v, "[" array "]", "#2",                      "terminated or truncated")
#define SCORE                                                                                                \
    OP(ldr, Q(0), "[x8, x15]",                                "player")                                      \
    OP(ldr, Q(1), "[x26, x15]",                               "dealer")                                      \
    OP(ldr, Q(2), "[x7, x15]",                                "action")                                      \
    OP(ldr, Q(3), "[x9, x15]",                                "elapsed")                                     \
    OP(ldr, Q(4), "[x3, x15]",                                "player_natural")                              \
    OP(ldr, Q(5), "[x5, x15]",                                "dealer_natural")                              \
    OP(cmgt, D2(6), D2(0), D2(20),                            "bust")                                        \
    OP(cmgt, D2(7), D2(1), D2(20),                            "the dealer's bust")                           \
    OP(bic, B16(16), B16(0), B16(6),                          "player_score")                                \
    OP(bic, B16(17), B16(1), B16(7),                          "dealer_score")                                \
    OP(cmeq, D2(2), D2(2), "#0",                              "stick")                                       \
    OP(cmgt, D2(18), D2(16), D2(17),                          "higher")                                      \
    OP(cmgt, D2(19), D2(17), D2(16),                          "lower")                                       \
    OP(cmlt, D2(7), D2(3), "#0",                              "starting")                                    \
    OP(neg, D2(28), D2(4),                                    "player_natural")                              \
    OP(and, B16(28), B16(28), B16(2),                         "natural = player_natural and stick")          \
    OP(cmeq, D2(5), D2(5), "#0",                              "not dealer_natural")                          \
    OP(and, B16(5), B16(5), B16(28),                          "")                                            \
    OP(and, B16(5), B16(5), B16(24),                          "beaten by sab's natural")                     \
    OP(orr, B16(18), B16(18), B16(5),                         "higher or beaten")                            \
    OP(and, B16(18), B16(18), B16(2),                         "won")                                         \
    OP(mov, B16(29), B16(2),                                  "stick")                                       \
    OP(bsl, B16(29), B16(19), B16(6),                         "stick ? lower : bust")                        \
    OP(bic, B16(29), B16(29), B16(5),                         "lost")                                        \
    OP(and, B16(28), B16(28), B16(18),                        "natural and won")                             \
    OP(and, B16(28), B16(28), B16(25),                        "and pays more")                               \
    OP(and, B16(18), B16(18), B16(21),                        "1 if won")                                    \
    OP(and, B16(29), B16(29), B16(22),                        "-1 if lost")                                  \
    OP(and, B16(28), B16(28), B16(23),                        "1.5 if that")                                 \
    OP(orr, B16(18), B16(18), B16(29),                        "")                                            \
    OP(orr, B16(18), B16(18), B16(28),                        "reward of the step")                          \
    OP(bic, B16(18), B16(18), B16(7),                         "0 if starting")                               \
    OP(str, Q(18), "[x11, x15]",                              "reward")                                      \
    OP(orr, B16(6), B16(6), B16(2),                           "stick or bust")                               \
    OP(bic, B16(6), B16(6), B16(7),                           "ended = (…) and not starting")                \
    OP(orr, B16(7), B16(7), B16(2),                           "stick or starting")                           \
    OP(and, B16(4), B16(4), B16(7),                           "a hit ends a natural")                        \
    OP(str, Q(4), "[x3, x15]",                                "player_natural")                              \
    OP(sub, D2(3), D2(3), D2(27),                             "now = elapsed + 1")                           \
    OP(cmge, D2(19), D2(3), D2(26),                           "late = now >= limit")                         \
    OP(orr, B16(3), B16(3), B16(6),                           "now | ended")                                 \
    OP(orr, B16(3), B16(3), B16(19),                          "now | ended | late")                          \
    OP(str, Q(3), "[x9, x15]",                                "elapsed")                                     \
    FLAGS(6, "x6")                                                                                           \
    FLAGS(19, "x13")

// [3] observation: the columns player_sum, dealer_card, player_ace, which st3 writes as rows
#define OBSERVATION                                                                                          \
    OP(mov, B16(29), B16(0),                                  "player_sum")                                  \
    OP(ldr, Q(30), "[x4, x15]",                               "dealer_card")                                 \
    OP(ldr, Q(31), "[x2, x15]",                               "player_ace")                                  \
    OP(st3, "{v29.2d-v31.2d}", "[x14]", "#48",                "2 rows")                                      \
    OP(add, "x15", "x15", "#16",                              "2 lanes on")                                  \
    OP(cmp, "x15", "x17",                                     "")

__attribute__((noinline)) void step(const Batch* b) {
    asm volatile(
        ENTER
        LABEL(1)
        BLOCK
        LOOP(3)
        MCA_BEGIN("blackjack/lists lanes=1")
        LIST
        MCA_END
        OP(b.ne, "3b",                                        "next lane")
        OP(cbz, "x13", "5f",                                  "none is with")
        LOOP(4)
        MCA_BEGIN("blackjack/card with a half lanes=1")
        WITH
        MCA_END
        OP(cbnz, "x13", "4b",                                 "next lane")
        LABEL(5)
        OP(cbz, "x14", "7f",                                  "none is without")
        LOOP(6)
        MCA_BEGIN("blackjack/card without lanes=1")
        WITHOUT
        MCA_END
        OP(cbnz, "x14", "6b",                                 "next lane")
        OP(cbnz, "x13", "4b",                                 "some take more")
        LABEL(7)
        SETTLE
        LOOP(8)
        MCA_BEGIN("blackjack/settle lanes=2")
        SCORE
        OBSERVATION
        MCA_END
        OP(b.ne, "8b",                                        "next 2 lanes")
        OP(ldr, "x17", B(n),                                  "lanes")
        OP(cmp, "x0", "x17",                                  "")
        OP(b.lt, "1b",                                        "next block")
        LABEL(9)
        :
        : [b] "r"(b), [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),
          OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),
          OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, stream), OFFSET(Batch, rows),
          OFFSET(Batch, limit), PARAM(sab), PARAM(natural), [block] "i"(kBlock), [most] "i"(kMost),
          [ten] "i"(kTen), [stays] "i"(kDealerStays), [rejected] "i"(kRejected)
        : FREE_V_CLOBBERS, "memory", "cc", "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",
          "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
          "x26", "x27");
}

// clang-format on

}  // namespace

Step* games::blackjack(const Batch*, bool) { return step; }

}  // namespace compute_layers::asm_aarch64
