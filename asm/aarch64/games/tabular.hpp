// SPDX-License-Identifier: MIT
// The step of a tabular game for AArch64, in sections; taxi.cpp puts one of its own among them. Draws and
// look-ups are scalar, a lane at a time: NEON multiplies no 64-bit numbers.
#pragma once

#include "../kernel.hpp"
#include "games/tabular.hpp"

namespace compute_layers::asm_aarch64 {

// PCG64's multiplier.
constexpr uint64_t kMultiplierHigh = 0x2360ED051FC65DA4, kMultiplierLow = 0x4385DF649FCCF645;

}  // namespace compute_layers::asm_aarch64

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(multiplier_low, row(kMultiplierLow)) ROW(multiplier_high, row(kMultiplierHigh))                      \
    ROW(one, row(1.0)) ROW(ones, row(kOnes))

// An iteration takes 8 lanes in four pairs, at the bytes 0, 16, 32 and 48 of their arrays. Sections are
// macros of a pair p, or of the lane at byte `at`.
//
// General registers
//   x0  s           x5  reward      x10 state_low   x15 actions           x20-x26  scratch
//   x1  lastaction  x6  info        x11 inc_high    x16 multiplier_low    [k]      kConstants
//   x2  elapsed     x7  terminated  x12 inc_low     x17 multiplier_high   [b]      the batch, then lanes left
//   x3  action      x8  truncated   x13 thresholds  x19 outcomes of a row
//   x4  observation x9  state_high  x14 outcomes
//
// Vector registers
//   0, 1  outcome of the first lane: probability and reward, state and terminated    4  now
//   2, 3  that of the second                                                         5  starting
//   6  probability   7  reward   16  s   17  terminated   18  lastaction   19  old
//   20-23  ended of pairs 0-3    24-27  late of pairs 0-3     29  ones   30  limit   31  one
#define BYTE_0 "0"
#define BYTE_1 "16"
#define BYTE_2 "32"
#define BYTE_3 "48"
#define OF(array, p) "[" #array ", #" BYTE_##p "]"
#define ENDED_0(V) V(20)
#define ENDED_1(V) V(21)
#define ENDED_2(V) V(22)
#define ENDED_3(V) V(23)
#define LATE_0(V) V(24)
#define LATE_1(V) V(25)
#define LATE_2(V) V(26)
#define LATE_3(V) V(27)

// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(ldr, "x0", B(state),                               "s")                                               \
    OP(ldr, "x20", B(stride),                             "")                                                \
    OP(add, "x1", "x0", "x20, lsl #3",                    "lastaction")                                      \
    OP(ldr, "x2", B(elapsed),                             "elapsed")                                         \
    OP(ldr, "x3", B(action),                              "action")                                          \
    OP(ldr, "x4", B(observation),                         "observation")                                     \
    OP(ldr, "x5", B(reward),                              "reward")                                          \
    OP(ldr, "x6", B(info),                                "info")                                            \
    OP(ldr, "x7", B(terminated),                          "terminated")                                      \
    OP(ldr, "x8", B(truncated),                           "truncated")                                       \
    OP(ldr, "x9", B(stream),                              "state_high")                                      \
    OP(add, "x10", "x9", "x20, lsl #3",                   "state_low")                                       \
    OP(add, "x11", "x10", "x20, lsl #3",                  "inc_high")                                        \
    OP(add, "x12", "x11", "x20, lsl #3",                  "inc_low")                                         \
    OP(ldr, "x20", B(table),                              "table")                                           \
    OP(ldr, "x13", AT("x20", thresholds),                 "thresholds")                                      \
    OP(ldr, "x14", AT("x20", rows),                       "outcomes")                                        \
    OP(ldr, "x15", AT("x20", actions),                    "actions")                                         \
    OP(ldr, "x19", AT("x20", outcomes),                   "outcomes of a row")                               \
    OP(ldr, "x16", K(multiplier_low),                     "multiplier_low")                                  \
    OP(ldr, "x17", K(multiplier_high),                    "multiplier_high")                                 \
    OP(ldr, Q(29), K(ones),                               "ones")                                            \
    OP(ldr, Q(31), K(one),                                "1")                                               \
    OP(ldr, "x20", B(limit),                              "")                                                \
    OP(dup, D2(30), "x20",                                "limit")                                           \
    OP(ldr, "%[b]", B(n),                                 "lanes left; the last use of the batch")           \
    OP(cbz, "%[b]", "2f",                                 "none")

#define ON(array) OP(add, #array, #array, "#64", "")
#define NEXT                                                                                                 \
    ON(x0) ON(x1) ON(x2) ON(x3) ON(x4) ON(x5) ON(x6) ON(x9) ON(x10) ON(x11) ON(x12)                          \
    OP(add, "x7", "x7", "#8",                             "")                                                \
    OP(add, "x8", "x8", "#8",                             "")                                                \
    OP(subs, "%[b]", "%[b]", "#8",                        "8 lanes less")

#define BATCH_OPERANDS                                                                                       \
    [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),                     \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, stream), OFFSET(Batch, info),     \
        OFFSET(Batch, table), OFFSET(Batch, limit), OFFSET(Table, actions), OFFSET(Table, thresholds),       \
        OFFSET(Table, rows), OFFSET(Table, outcomes)
#define CLOBBERS                                                                                             \
    FREE_V_CLOBBERS, "memory", "cc", "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",      \
        "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25",    \
        "x26"
static_assert(compute_layers::kStateHigh == 0 && compute_layers::kStateLow == 1 &&
              compute_layers::kIncHigh == 2 && compute_layers::kIncLow == 3);
static_assert(FIELD(compute_layers::tabular::State, s) == 0 &&
              FIELD(compute_layers::tabular::State, lastaction) == 1);

// [1] draw: x20 becomes state_low, x21 state_high. A lane at byte `at`.
#define ADVANCE(at)                                                                                          \
    OP(ldr, "x22", "[x10, #" at "]",                      "state_low")                                       \
    OP(ldr, "x23", "[x9, #" at "]",                       "state_high")                                      \
    OP(ldr, "x24", "[x12, #" at "]",                      "inc_low")                                         \
    OP(ldr, "x25", "[x11, #" at "]",                      "inc_high")                                        \
    OP(mul, "x20", "x22", "x16",                          "low of low * multiplier_low")                     \
    OP(umulh, "x21", "x22", "x16",                        "high of it")                                      \
    OP(madd, "x21", "x22", "x17", "x21",                  "+ low * multiplier_high")                         \
    OP(madd, "x21", "x23", "x16", "x21",                  "+ high * multiplier_low")                         \
    OP(adds, "x20", "x20", "x24",                         "+ inc_low")                                       \
    OP(adc, "x21", "x21", "x25",                          "+ inc_high")
#define STREAM(at)                                                                                           \
    OP(ldr, "x24", "[x2, #" at "]",                       "elapsed")                                         \
    OP(cmp, "x24", "#0",                                  "starting?")                                       \
    OP(csel, "x22", "x22", "x20", "lt",                   "old if starting")                                 \
    OP(csel, "x23", "x23", "x21", "lt",                   "old if starting")                                 \
    OP(str, "x22", "[x10, #" at "]",                      "state_low")                                       \
    OP(str, "x23", "[x9, #" at "]",                       "state_high")
#define OUTPUT                                                                                               \
    OP(eor, "x20", "x20", "x21",                          "high xor low")                                    \
    OP(lsr, "x21", "x21", "#58",                          "turn")                                            \
    OP(ror, "x20", "x20", "x21",                          "output")
#define DRAW_1(at) ADVANCE(at) STREAM(at)
#define DRAW_3(at)                                                                                           \
    ADVANCE(at) STREAM(at) OUTPUT                                                                            \
    OP(lsr, "x20", "x20", "#11",                          "u * 2**53")
#define DRAW_ANY(at) DRAW_3(at)

// [2] outcome: x21 becomes its index.
#define ROW_OF(at)                                                                                           \
    OP(ldr, "x22", "[x0, #" at "]",                       "s")                                               \
    OP(ldr, "x23", "[x3, #" at "]",                       "action")                                          \
    OP(madd, "x22", "x22", "x15", "x23",                  "row = s*actions + action")
#define COUNT(threshold)                                                                                     \
    OP(cmp, "x20", threshold,                             "threshold <= u?")                                 \
    OP(cinc, "x21", "x21", "hs",                          "+ 1 if it is")
#define FIND_1(at)                                                                                           \
    ROW_OF(at)                                                                                               \
    OP(lsl, "x21", "x22", "#1",                           "row * 2: its first outcome")
#define FIND_3(at)                                                                                           \
    ROW_OF(at)                                                                                               \
    OP(lsl, "x21", "x22", "#2",                           "row * 4: its first outcome")                      \
    OP(add, "x22", "x22", "x22, lsl #1",                  "row * 3: its first threshold")                    \
    OP(add, "x22", "x13", "x22, lsl #3",                  "")                                                \
    OP(ldp, "x23", "x24", "[x22]",                        "thresholds")                                      \
    OP(ldr, "x25", "[x22, #16]",                          "")                                                \
    COUNT("x23") COUNT("x24") COUNT("x25")
#define FIND_ANY(at)                                                                                         \
    ROW_OF(at)                                                                                               \
    OP(mul, "x23", "x22", "x19",                          "row * outcomes: its first threshold")             \
    OP(add, "x21", "x22", "x23",                          "row * (outcomes + 1): its first outcome")         \
    OP(add, "x22", "x13", "x23, lsl #3",                  "")                                                \
    OP(mov, "x24", "x19",                                 "how many")                                        \
    LABEL(3)                                                                                                 \
    OP(ldr, "x23", "[x22]", "#8",                         "threshold")                                       \
    COUNT("x23")                                                                                             \
    OP(subs, "x24", "x24", "#1",                          "")                                                \
    OP(b.ne, "3b",                                        "the next one")
#define OUTCOME(first, second)                                                                               \
    OP(add, "x21", "x14", "x21, lsl #5",                  "32 bytes each")                                   \
    OP(ldp, Q(first), Q(second), "[x21]",                 "probability, reward | state, terminated")
#define OUTCOMES(p, k)                                                                                       \
    DRAW_##k(BYTE_##p) FIND_##k(BYTE_##p) OUTCOME(0, 1)                                                      \
    DRAW_##k(BYTE_##p "+8") FIND_##k(BYTE_##p "+8") OUTCOME(2, 3)                                            \
    OP(ldr, Q(4), OF(x2, p),                              "elapsed")                                         \
    OP(cmlt, D2(5), D2(4), "#0",                          "starting = elapsed < 0")                          \
    OP(zip1, D2(6), D2(0), D2(2),                         "probability")                                     \
    OP(zip2, D2(7), D2(0), D2(2),                         "reward")                                          \
    OP(zip1, D2(16), D2(1), D2(3),                        "state")                                           \
    OP(zip2, D2(17), D2(1), D2(3),                        "terminated")

// [3] next state
#define NEXT_STATE(p)                                                                                        \
    OP(bit, B16(6), B16(31), B16(5),                      "1 if starting")                                   \
    OP(str, Q(6), OF(x6, p),                              "probability")                                     \
    OP(ldr, Q(18), OF(x3, p),                             "action")                                          \
    OP(ldr, Q(19), OF(x1, p),                             "")                                                \
    OP(bit, B16(18), B16(19), B16(5),                     "old if starting")                                 \
    OP(str, Q(18), OF(x1, p),                             "lastaction")                                      \
    OP(ldr, Q(19), OF(x0, p),                             "")                                                \
    OP(bit, B16(16), B16(19), B16(5),                     "old if starting")                                 \
    OP(str, Q(16), OF(x0, p),                             "s")                                               \
    OP(str, Q(16), OF(x4, p),                             "observation")

// [4] termination and reward
#define SETTLE(p)                                                                                            \
    OP(bic, B16(7), B16(7), B16(5),                       "0 if starting")                                   \
    OP(str, Q(7), OF(x5, p),                              "reward")                                          \
    OP(bic, ENDED_##p(B16), B16(17), B16(5),              "terminated and not starting")                     \
    OP(sub, D2(4), D2(4), D2(29),                         "now = elapsed + 1")                               \
    OP(cmge, LATE_##p(D2), D2(4), D2(30),                 "late = now >= limit")                             \
    OP(orr, B16(4), B16(4), ENDED_##p(B16),               "now | ended")                                     \
    OP(orr, B16(4), B16(4), LATE_##p(B16),                "now | ended | late")                              \
    OP(str, Q(4), OF(x2, p),                              "elapsed")
#define FLAGS(a, b, c, d, array)                                                                             \
    OP(uzp1, S4(a), S4(a), S4(b),                         "4 bytes each")                                    \
    OP(uzp1, S4(c), S4(c), S4(d),                         "")                                                \
    OP(uzp1, H8(a), H8(a), H8(c),                         "2 bytes each")                                    \
    OP(xtn, B8(a), H8(a),                                 "1 byte each")                                     \
    OP(neg, B8(a), B8(a),                                 "1 for -1")                                        \
    OP(str, D(a), "[" #array "]",                         "terminated or truncated")

// K is 1, 3 or ANY number of thresholds; MOVE(p) is section 3.
#define PAIR(p, K, MOVE) OUTCOMES(p, K) MOVE(p) SETTLE(p)
#define STEP(name, K, MOVE)                                                                                  \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN(name " lanes=8")                                                                               \
    PAIR(0, K, MOVE) PAIR(1, K, MOVE) PAIR(2, K, MOVE) PAIR(3, K, MOVE)                                      \
    FLAGS(20, 21, 22, 23, x7) FLAGS(24, 25, 26, 27, x8)                                                      \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(b.ne, "1b", "")                                                                                       \
    LABEL(2)

// clang-format on
