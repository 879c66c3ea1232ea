// SPDX-License-Identifier: MIT
// What NEON kernels of Q-learning and SARSA share: all but the action whose value the target has. Comments in
// the words of python/compute_layers/learners/temporal_difference.py.
#pragma once

#include "../kernel.hpp"

// clang-format off

//  Two lanes at a time; their rows of the table become columns, one of each action, two by two.
//
//  General registers
//   x0  values, Q     x3  elapsed         x6  reward         x9   lanes left      x12  bytes of the columns
//   x1  seen          x4  next_cells      x7  terminated     x10  row of lane 0   x13  bytes that are done
//   x2  uniform       x5  action          x8  target         x11  row of lane 1   x14 x15  scratch
//
//  Vector registers
//   v0 v1  rows of the lanes, then scratch            v7   cells        v19  behind the end
//   v2  greatest, later the value of the target       v16  gamma        v20  2
//   v3  greedy, then action                           v17  epsilon      v21  1
//   v4  better, explores                              v18  actions      v22 v23  two columns
//   v5 v6  the actions of two columns
#define TD_PREPARE                                                                                          \
    OP(ldr, "x0", B(values),                                "Q")                                            \
    OP(ldr, "x1", B(seen),                                  "seen")                                         \
    OP(ldr, "x2", B(uniform),                               "uniform")                                      \
    OP(ldr, "x3", B(elapsed),                               "elapsed")                                      \
    OP(ldr, "x4", B(next_cells),                            "next_cells")                                   \
    OP(ldr, "x5", B(action),                                "action")                                       \
    OP(ldr, "x6", B(reward),                                "reward")                                       \
    OP(ldr, "x7", B(terminated),                            "terminated")                                   \
    OP(ldr, "x8", B(target),                                "target")                                       \
    OP(ldr, "x9", B(n),                                     "lanes")                                        \
    OP(ldr, "x12", B(actions),                              "actions")                                      \
    OP(ldr, D(16), B(gamma),                                "gamma")                                        \
    OP(ldr, D(17), B(epsilon),                              "epsilon")                                      \
    OP(ldr, D(19), B(end),                                  "the end")                                      \
    OP(scvtf, D(18), "x12",                                 "actions")                                      \
    OP(dup, D2(17), D_OF(17, 0),                            "epsilon in both lanes")                        \
    OP(dup, D2(18), D_OF(18, 0),                            "actions")                                      \
    OP(dup, D2(19), D_OF(19, 0),                            "the end")                                      \
    OP(mov, "x13", "#1",                                    "")                                             \
    OP(dup, D2(21), "x13",                                  "1")                                            \
    OP(add, D2(20), D2(21), D2(21),                         "2")                                            \
    OP(movi, D2(0), "#0",                                   "0")                                            \
    OP(zip1, D2(0), D2(0), D2(21),                          "0 1")                                          \
    OP(add, D2(19), D2(19), D2(0),                          "behind the end, lanes 0 1")                    \
    OP(add, "x12", "x12", "#1",                             "columns, two by two")                          \
    OP(and, "x12", "x12", "#-2",                            "")                                             \
    OP(lsl, "x12", "x12", "#3",                             "in bytes")

// Two columns, from `at` of the rows on.
#define TD_COLUMNS(at)                                                                                      \
    OP(ldr, Q(0), "[x10, " at "]",                          "two numbers of lane 0")                        \
    OP(ldr, Q(1), "[x11, " at "]",                          "lane 1")                                       \
    OP(zip1, D2(22), D2(0), D2(1),                          "the first column")                             \
    OP(zip2, D2(23), D2(0), D2(1),                          "the second one")

// [1] the greedy action; of equal ones the first
#define TD_GREEDY                                                                                           \
    OP(ldp, "x10", "x11", "[x1]",                           "s' of two lanes")                              \
    OP(add, "x10", "x0", "x10", "lsl #6",                   "the row of lane 0")                            \
    OP(add, "x11", "x0", "x11", "lsl #6",                   "of lane 1")                                    \
    TD_COLUMNS("#0")                                                                                        \
    OP(fcmgt, D2(4), D2(23), D2(22),                        "better = Q(s', 1) > Q(s', 0)")                 \
    OP(mov, B16(2), B16(22),                                "greatest: Q(s', 0)")                           \
    OP(bit, B16(2), B16(23), B16(4),                        "or Q(s', 1) if better")                        \
    OP(ushr, D2(3), D2(4), "#63",                           "greedy: 1 if better, else 0")                  \
    OP(mov, "x13", "#16",                                   "two columns")                                  \
    OP(cmp, "x13", "x12",                                   "all?")                                         \
    OP(b.eq, "3f",                                          "yes")                                          \
    OP(mov, B16(5), B16(20),                                "action 2")                                     \
    OP(add, D2(6), D2(20), D2(21),                          "action 3")                                     \
    LABEL(2)                                                                                                \
    TD_COLUMNS("x13")                                                                                       \
    OP(fcmgt, D2(4), D2(22), D2(2),                         "better = value > greatest")                    \
    OP(bit, B16(2), B16(22), B16(4),                        "value if better, else greatest")               \
    OP(bit, B16(3), B16(5), B16(4),                         "the action if better, else greedy")            \
    OP(fcmgt, D2(4), D2(23), D2(2),                         "the same for the second column")               \
    OP(bit, B16(2), B16(23), B16(4),                        "")                                             \
    OP(bit, B16(3), B16(6), B16(4),                         "")                                             \
    OP(add, D2(5), D2(5), D2(20),                           "two actions further")                          \
    OP(add, D2(6), D2(6), D2(20),                           "")                                             \
    OP(add, "x13", "x13", "#16",                            "two columns further")                          \
    OP(cmp, "x13", "x12",                                   "all?")                                         \
    OP(b.ne, "2b",                                          "no")                                           \
    LABEL(3)

// [2] a random one with probability epsilon
#define TD_EXPLORE                                                                                          \
    OP(ldr, Q(0), "[x2]", "#16",                            "uniform")                                      \
    OP(fmul, D2(0), D2(0), D2(18),                          "scaled = uniform*actions")                     \
    OP(fcvtzs, D2(1), D2(0),                                "random = int(scaled)")                         \
    OP(scvtf, D2(22), D2(1),                                "the whole part of scaled")                     \
    OP(fsub, D2(22), D2(0), D2(22),                         "its fraction")                                 \
    OP(fcmgt, D2(4), D2(17), D2(22),                        "explores = fraction < epsilon")                \
    OP(bit, B16(3), B16(1), B16(4),                         "random if explores, else greedy")              \
    OP(str, Q(3), "[x5]", "#16",                            "action")                                       \
    OP(ldr, Q(7), "[x1]", "#16",                            "s'")                                           \
    OP(shl, D2(7), D2(7), "#3",                             "8 numbers in a row")                           \
    OP(add, D2(7), D2(7), D2(3),                            "where Q(s', a') stands")                       \
    OP(ldr, Q(0), "[x3]", "#16",                            "elapsed")                                      \
    OP(cmlt, D2(0), D2(0), "#0",                            "negative if the episode is over")              \
    OP(bsl, B16(0), B16(19), B16(7),                        "behind the end if so")                         \
    OP(str, Q(0), "[x4]", "#16",                            "next_cells")                                   \
    OP(add, D2(19), D2(19), D2(20),                         "behind the end, 2 lanes further")

// [3] the target
#define TD_TARGET                                                                                           \
    OP(ldr, "h0", "[x7]", "#2",                             "terminated, two bytes")                        \
    OP(ushll, H8(0), B8(0), "#0",                           "of 16 bits")                                   \
    OP(ushll, S4(0), H4(0), "#0",                           "of 32")                                        \
    OP(ushll, D2(0), S2(0), "#0",                           "of 64")                                        \
    OP(cmeq, D2(0), D2(0), "#0",                            "all bits if not terminated")                   \
    OP(fmul, D2(2), D2(2), D_OF(16, 0),                     "gamma*value")                                  \
    OP(and, B16(2), B16(2), B16(0),                         "later: 0 if terminated")                       \
    OP(ldr, Q(1), "[x6]", "#16",                            "reward")                                       \
    OP(fadd, D2(2), D2(1), D2(2),                           "reward + later")                               \
    OP(str, Q(2), "[x8]", "#16",                            "target")                                       \
    OP(subs, "x9", "x9", "#2",                              "2 lanes less")

// [4] towards it, lane by lane
//
//  x1  cells     x2  target     x9  lanes left     x10  the cell
//  d0 value      d1 target, then the new value     d16 alpha
#define TD_UPDATE                                                                                           \
    OP(ldr, "x1", B(cells),                                 "cells")                                        \
    OP(ldr, "x2", B(target),                                "target")                                       \
    OP(ldr, "x9", B(valid),                                 "lanes that learn")                             \
    OP(ldr, D(16), B(alpha),                                "alpha")                                        \
    LOOP(4)                                                                                                 \
    OP(ldr, "x10", "[x1]", "#8",                            "the cell of Q(s, a)")                          \
    OP(ldr, D(0), "[x0, x10, lsl #3]",                      "value")                                        \
    OP(ldr, D(1), "[x2]", "#8",                             "target")                                       \
    OP(fsub, D(1), D(1), D(0),                              "target - value")                               \
    OP(fmul, D(1), D(16), D(1),                             "alpha*(target - value)")                       \
    OP(fadd, D(1), D(0), D(1),                              "value + alpha*(target - value)")               \
    OP(str, D(1), "[x0, x10, lsl #3]",                      "Q(s, a)")                                      \
    OP(subs, "x9", "x9", "#1",                              "one lane less")                                \
    OP(b.ne, "4b",                                          "the next one")

#define TD_OPERANDS                                                                                         \
    [b] "r"(step), OFFSET(TdStep, n), OFFSET(TdStep, valid), OFFSET(TdStep, actions), OFFSET(TdStep, end),  \
    OFFSET(TdStep, alpha), OFFSET(TdStep, gamma), OFFSET(TdStep, epsilon), OFFSET(TdStep, values),          \
    OFFSET(TdStep, cells), OFFSET(TdStep, next_cells), OFFSET(TdStep, seen), OFFSET(TdStep, reward),        \
    OFFSET(TdStep, elapsed), OFFSET(TdStep, terminated), OFFSET(TdStep, uniform), OFFSET(TdStep, action),   \
    OFFSET(TdStep, target)
#define TD_CLOBBERS                                                                                         \
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",   \
    FREE_V_CLOBBERS, "memory", "cc"

// clang-format on
