// SPDX-License-Identifier: MIT
// Level asm, NEON, of the planner `backup`. Comments in the words of
// python/compute_layers/planners/backup.py.
#include <limits>

#include "../kernel.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

// clang-format off

#define CONSTANTS(ROW)                                                                                   \
    ROW(minus_infinity, row(-std::numeric_limits<double>::infinity())) ROW(ones, row(kOnes))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

}  // namespace

// A group in four pairs of lanes.
//
// General registers
//   x0  outcomes         x3  next_values      x6  outcomes left       x9 to x12  next states of two lanes
//   x1  counts           x4  best             x7  actions left        x13        of one
//   x2  values, V        x5  groups left      x8  V of the group
//
// Vector registers, of lanes 0 1, 2 3, 4 5, 6 7
//   v0 - v3  V of the next states, then what is added to q    v4 - v7  q
//   v16 - v19  greatest    v20 - v23  best      v24 - v27  rewards, probabilities, better
//   v28  gamma             v29  change          v30  the action             v31  -1
#define O(field, byte) "[x0, %[" #field "]+" byte "]"
// Next states of lanes i and i + 1 are in x<n>.
#define TWO_VALUES(v, n, lanes)                                                                          \
    OP(lsr, "x13", "x" #n, "#32",                       "the second next state, " lanes)                 \
    OP(ldr, D(v), "[x2, w" #n ", uxtw #3]",             "V(next) of the first")                          \
    OP(add, "x13", "x2", "x13", "lsl #3",               "where the second's stands")                     \
    OP(ld1, "{v" #v ".d}[1]", "[x13]",                  "V(next) of the second")

// [1] what the action is worth
#define WORTH                                                                                           \
    OP(ldr, "x6", "[x1]", "#8",                         "how many outcomes")                            \
    OP(movi, D2(4), "#0",                               "q = 0, lanes 0 1")                             \
    OP(movi, D2(5), "#0",                               "lanes 2 3")                                    \
    OP(movi, D2(6), "#0",                               "lanes 4 5")                                    \
    OP(movi, D2(7), "#0",                               "lanes 6 7")                                    \
    LOOP(3)                                                                                             \
    OP(ldp, "x9", "x10", O(next, "0"),                  "next states, lanes 0 to 3")                    \
    OP(ldp, "x11", "x12", O(next, "16"),                "lanes 4 to 7")                                 \
    TWO_VALUES(0, 9, "lanes 0 1")                                                                       \
    TWO_VALUES(1, 10, "lanes 2 3")                                                                      \
    TWO_VALUES(2, 11, "lanes 4 5")                                                                      \
    TWO_VALUES(3, 12, "lanes 6 7")                                                                      \
    OP(ldp, Q(24), Q(25), O(reward, "0"),               "reward, lanes 0 to 3")                         \
    OP(ldp, Q(26), Q(27), O(reward, "32"),              "lanes 4 to 7")                                 \
    OP(fmul, D2(0), D2(0), D_OF(28, 0),                 "gamma*V, lanes 0 1")                           \
    OP(fmul, D2(1), D2(1), D_OF(28, 0),                 "lanes 2 3")                                    \
    OP(fmul, D2(2), D2(2), D_OF(28, 0),                 "lanes 4 5")                                    \
    OP(fmul, D2(3), D2(3), D_OF(28, 0),                 "lanes 6 7")                                    \
    OP(fadd, D2(0), D2(24), D2(0),                      "reward + gamma*V, lanes 0 1")                  \
    OP(fadd, D2(1), D2(25), D2(1),                      "lanes 2 3")                                    \
    OP(fadd, D2(2), D2(26), D2(2),                      "lanes 4 5")                                    \
    OP(fadd, D2(3), D2(27), D2(3),                      "lanes 6 7")                                    \
    OP(ldp, Q(24), Q(25), O(probability, "0"),          "probability, lanes 0 to 3")                    \
    OP(ldp, Q(26), Q(27), O(probability, "32"),         "lanes 4 to 7")                                 \
    OP(fmul, D2(0), D2(24), D2(0),                      "probability*(reward + gamma*V), lanes 0 1")    \
    OP(fmul, D2(1), D2(25), D2(1),                      "lanes 2 3")                                    \
    OP(fmul, D2(2), D2(26), D2(2),                      "lanes 4 5")                                    \
    OP(fmul, D2(3), D2(27), D2(3),                      "lanes 6 7")                                    \
    OP(fadd, D2(4), D2(4), D2(0),                       "q + probability*(reward + gamma*V), lanes 0 1")\
    OP(fadd, D2(5), D2(5), D2(1),                       "lanes 2 3")                                    \
    OP(fadd, D2(6), D2(6), D2(2),                       "lanes 4 5")                                    \
    OP(fadd, D2(7), D2(7), D2(3),                       "lanes 6 7")                                    \
    OP(add, "x0", "x0", "%[outcome]",                   "the next outcome")                             \
    OP(subs, "x6", "x6", "#1",                          "one less")                                     \
    OP(b.ne, "3b",                                      "")

// [2] the best action so far; of equal ones the first
#define BEST                                                                                            \
    OP(fcmgt, D2(24), D2(4), D2(16),                    "better = q > greatest, lanes 0 1")             \
    OP(fcmgt, D2(25), D2(5), D2(17),                    "lanes 2 3")                                    \
    OP(fcmgt, D2(26), D2(6), D2(18),                    "lanes 4 5")                                    \
    OP(fcmgt, D2(27), D2(7), D2(19),                    "lanes 6 7")                                    \
    OP(bit, B16(16), B16(4), B16(24),                   "q if better, else greatest, lanes 0 1")        \
    OP(bit, B16(17), B16(5), B16(25),                   "lanes 2 3")                                    \
    OP(bit, B16(18), B16(6), B16(26),                   "lanes 4 5")                                    \
    OP(bit, B16(19), B16(7), B16(27),                   "lanes 6 7")                                    \
    OP(bit, B16(20), B16(30), B16(24),                  "the action if better, else best, lanes 0 1")   \
    OP(bit, B16(21), B16(30), B16(25),                  "lanes 2 3")                                    \
    OP(bit, B16(22), B16(30), B16(26),                  "lanes 4 5")                                    \
    OP(bit, B16(23), B16(30), B16(27),                  "lanes 6 7")

// [3] how far the value has moved
#define MOVED                                                                                           \
    OP(ldp, Q(0), Q(1), "[x8]", "#32",                  "V, lanes 0 to 3")                              \
    OP(ldp, Q(2), Q(3), "[x8]", "#32",                  "lanes 4 to 7")                                 \
    OP(fabd, D2(0), D2(16), D2(0),                      "|V' - V|, lanes 0 1")                          \
    OP(fabd, D2(1), D2(17), D2(1),                      "lanes 2 3")                                    \
    OP(fabd, D2(2), D2(18), D2(2),                      "lanes 4 5")                                    \
    OP(fabd, D2(3), D2(19), D2(3),                      "lanes 6 7")                                    \
    OP(fcmgt, D2(24), D2(0), D2(29),                    "|V' - V| > change, lanes 0 1")                 \
    OP(bit, B16(29), B16(0), B16(24),                   "then it is the change")                        \
    OP(fcmgt, D2(24), D2(1), D2(29),                    "the same for lanes 2 3")                       \
    OP(bit, B16(29), B16(1), B16(24),                   "")                                             \
    OP(fcmgt, D2(24), D2(2), D2(29),                    "lanes 4 5")                                    \
    OP(bit, B16(29), B16(2), B16(24),                   "")                                             \
    OP(fcmgt, D2(24), D2(3), D2(29),                    "lanes 6 7")                                    \
    OP(bit, B16(29), B16(3), B16(24),                   "")                                             \
    OP(stp, Q(16), Q(17), "[x3]", "#32",                "V', lanes 0 to 3")                             \
    OP(stp, Q(18), Q(19), "[x3]", "#32",                "lanes 4 to 7")                                 \
    OP(stp, Q(20), Q(21), "[x4]", "#32",                "best, lanes 0 to 3")                           \
    OP(stp, Q(22), Q(23), "[x4]", "#32",                "lanes 4 to 7")

void planners::backup(const Sweep* sweep) {
    asm volatile(
        ROW_OFFSETS(CONSTANTS)
        OP(ldr, "x0", B(outcomes),                          "outcomes")
        OP(ldr, "x1", B(counts),                            "how many of them")
        OP(ldr, "x2", B(values),                            "V")
        OP(ldr, "x3", B(next_values),                       "V'")
        OP(ldr, "x4", B(best),                              "best")
        OP(ldr, "x5", B(groups),                            "groups")
        OP(mov, "x8", "x2",                                 "V of the first group")
        OP(ldr, D(28), B(discount),                         "gamma")
        OP(movi, D2(29), "#0",                              "change = 0")
        OP(ldr, Q(31), K(ones),                             "-1")
        LOOP(1)
        OP(ldr, Q(16), K(minus_infinity),                   "greatest = -infinity, lanes 0 1")
        OP(mov, B16(17), B16(16),                           "lanes 2 3")
        OP(mov, B16(18), B16(16),                           "lanes 4 5")
        OP(mov, B16(19), B16(16),                           "lanes 6 7")
        OP(movi, D2(20), "#0",                              "best = 0, lanes 0 1")
        OP(movi, D2(21), "#0",                              "lanes 2 3")
        OP(movi, D2(22), "#0",                              "lanes 4 5")
        OP(movi, D2(23), "#0",                              "lanes 6 7")
        OP(movi, D2(30), "#0",                              "action 0")
        OP(ldr, "x7", B(actions),                           "actions")
        LABEL(2)
        WORTH
        BEST
        OP(sub, D2(30), D2(30), D2(31),                     "the next action")
        OP(subs, "x7", "x7", "#1",                          "one less")
        OP(b.ne, "2b",                                      "")
        MOVED
        OP(subs, "x5", "x5", "#1",                          "one group less")
        OP(b.ne, "1b",                                      "")
        OP(fmaxp, D(29), D2(29),                            "the larger of two")
        OP(ldr, "x0", B(change),                            "")
        OP(str, D(29), "[x0]",                              "change")
        :
        : [b] "r"(sweep), [k] "r"(&kConstants), [outcome] "i"(sizeof(GroupOutcome)), OFFSET(Sweep, groups),
          OFFSET(Sweep, actions), OFFSET(Sweep, discount), OFFSET(Sweep, counts), OFFSET(Sweep, outcomes),
          OFFSET(Sweep, values), OFFSET(Sweep, next_values), OFFSET(Sweep, best), OFFSET(Sweep, change),
          OFFSET(GroupOutcome, probability), OFFSET(GroupOutcome, reward), OFFSET(GroupOutcome, next)
        : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
          FREE_V_CLOBBERS, "memory", "cc");
}

// clang-format on

}  // namespace compute_layers::asm_aarch64
