// SPDX-License-Identifier: MIT
// Sections that NEON kernels of policies with weights share: 8 observations turned into vectors of one
// feature each, the last terms of partial sums, and the heads. Comments in the words of
// python/compute_layers/policies/linear.py.
#pragma once

#include "../kernel.hpp"

// clang-format off

//  Registers
//
//  x0-x7   observations 0 to 7 of the group     x8   bytes of an observation      x9   where the features go
//  x10     features left                        x11  r                            x12  action of lane 0
//  x14     bytes of an action (box)             x16  rows                         x17  scratch
//  v0-v7, v16-v23  scratch of the transposition                                   v20-v23  of the heads
//  v28, v29  best of lanes 0 to 3, 4 to 7       v30, v31  its row, int32 (argmax)

// Vector registers as a list, one of them lane by lane, and the registers of a table.
#define S4_TO(first, last) "{v" #first ".4s-v" #last ".4s}"
#define ALL_OF(n) "{v" #n ".4s}"
#define LANE_OF(n, lane) "{v" #n ".s}[" #lane "]"
#define TABLE_OF(first, last) "{v" #first ".16b, v" #last ".16b}"

// x1-x7 from x0 on, x8 bytes apart.
#define NEXT_SEVEN                                                                                       \
    OP(add, "x1", "x0", "x8",                               "1")                                         \
    OP(add, "x2", "x0", "x8, lsl #1",                       "2")                                         \
    OP(add, "x3", "x1", "x8, lsl #1",                       "3")                                         \
    OP(add, "x4", "x0", "x8, lsl #2",                       "4")                                         \
    OP(add, "x5", "x1", "x8, lsl #2",                       "5")                                         \
    OP(add, "x6", "x2", "x8, lsl #2",                       "6")                                         \
    OP(add, "x7", "x3", "x8, lsl #2",                       "7")

// x_k of the 8 observations from x0 on to x9 for all k, vectors `stride` bytes apart, in blocks of four
// features; the last ones, fewer than four, one by one. x7 comes to stand at the next group.
#define TRANSPOSE(stride)                                                                                \
    NEXT_SEVEN                                                                                           \
    OP(ldr, "x10", B(inputs),                               "inputs")                                    \
    OP(subs, "x10", "x10", "#4",                            "a block of four?")                          \
    OP(b.lt, "12f",                                         "no")                                        \
    LOOP(11)                                                                                             \
    MCA_BEGIN("transpose")                                                                               \
    OP(ldr, Q(0), "[x0]", "#16",                            "x_k .. x_k+3 of lane 0")                    \
    OP(ldr, Q(1), "[x1]", "#16",                            "lane 1")                                    \
    OP(ldr, Q(2), "[x2]", "#16",                            "lane 2")                                    \
    OP(ldr, Q(3), "[x3]", "#16",                            "lane 3")                                    \
    OP(ldr, Q(4), "[x4]", "#16",                            "lane 4")                                    \
    OP(ldr, Q(5), "[x5]", "#16",                            "lane 5")                                    \
    OP(ldr, Q(6), "[x6]", "#16",                            "lane 6")                                    \
    OP(ldr, Q(7), "[x7]", "#16",                            "lane 7")                                    \
    OP(zip1, S4(16), S4(0), S4(1),                          "x_k, x_k+1 of lanes 0 1")                   \
    OP(zip1, S4(17), S4(2), S4(3),                          "lanes 2 3")                                 \
    OP(zip1, S4(18), S4(4), S4(5),                          "lanes 4 5")                                 \
    OP(zip1, S4(19), S4(6), S4(7),                          "lanes 6 7")                                 \
    OP(zip2, S4(20), S4(0), S4(1),                          "x_k+2, x_k+3 of lanes 0 1")                 \
    OP(zip2, S4(21), S4(2), S4(3),                          "lanes 2 3")                                 \
    OP(zip2, S4(22), S4(4), S4(5),                          "lanes 4 5")                                 \
    OP(zip2, S4(23), S4(6), S4(7),                          "lanes 6 7")                                 \
    OP(zip1, D2(0), D2(16), D2(17),                         "x_k of lanes 0 to 3")                       \
    OP(zip1, D2(1), D2(18), D2(19),                         "lanes 4 to 7")                              \
    OP(zip2, D2(2), D2(16), D2(17),                         "x_k+1")                                     \
    OP(zip2, D2(3), D2(18), D2(19),                         "lanes 4 to 7")                              \
    OP(zip1, D2(4), D2(20), D2(21),                         "x_k+2")                                     \
    OP(zip1, D2(5), D2(22), D2(23),                         "lanes 4 to 7")                              \
    OP(zip2, D2(6), D2(20), D2(21),                         "x_k+3")                                     \
    OP(zip2, D2(7), D2(22), D2(23),                         "lanes 4 to 7")                              \
    OP(stp, Q(0), Q(1), "[x9]", "#" #stride,                "x_k")                                       \
    OP(stp, Q(2), Q(3), "[x9]", "#" #stride,                "x_k+1")                                     \
    OP(stp, Q(4), Q(5), "[x9]", "#" #stride,                "x_k+2")                                     \
    OP(stp, Q(6), Q(7), "[x9]", "#" #stride,                "x_k+3")                                     \
    OP(subs, "x10", "x10", "#4",                            "another?")                                  \
    MCA_END                                                                                              \
    OP(b.ge, "11b",                                         "next block")                                \
    LABEL(12)                                                                                            \
    OP(adds, "x10", "x10", "#4",                            "features left")                             \
    OP(b.eq, "14f",                                         "none")                                      \
    LABEL(13)                                                                                            \
    OP(ldr, S(0), "[x0]", "#4",                             "x_k of lane 0")                             \
    OP(ldr, S(1), "[x4]", "#4",                             "lane 4")                                    \
    OP(ld1, LANE_OF(0, 1), "[x1]", "#4",                    "lane 1")                                    \
    OP(ld1, LANE_OF(1, 1), "[x5]", "#4",                    "lane 5")                                    \
    OP(ld1, LANE_OF(0, 2), "[x2]", "#4",                    "lane 2")                                    \
    OP(ld1, LANE_OF(1, 2), "[x6]", "#4",                    "lane 6")                                    \
    OP(ld1, LANE_OF(0, 3), "[x3]", "#4",                    "lane 3")                                    \
    OP(ld1, LANE_OF(1, 3), "[x7]", "#4",                    "lane 7")                                    \
    OP(stp, Q(0), Q(1), "[x9]", "#" #stride,                "x_k")                                       \
    OP(subs, "x10", "x10", "#1",                            "features left")                             \
    OP(b.ne, "13b",                                         "next feature")                              \
    LABEL(14)

// The last m = inputs % 8 terms of a row with partial sums, inputs in x10: of the last 8 numbers, there are
// at least 32, v26 and v27 move the last m to the front. What they fetch from behind the end tbl gives as 0
// and tbx leaves as it was, -0.0 in weights: the product -0.0 * 0.0 = -0.0 changes no partial sum, not even
// one that is a zero.
#define LAST_TERMS_CONSTANTS(ROW)                                                                        \
    ROW(bytes, (Row{{0x0706'0504'0302'0100, 0x0f0e'0d0c'0b0a'0908,                                       \
                     0x1716'1514'1312'1110, 0x1f1e'1d1c'1b1a'1918}}))
#define LAST_TERMS                                                                                       \
    OP(ldp, Q(26), Q(27), K(bytes),                         "0 .. 31")                                   \
    OP(neg, "w17", "w10",                                   "-inputs")                                   \
    OP(ubfiz, "w17", "w17", "#2", "#3",                     "bytes of 8 - m numbers, 0 for none")        \
    OP(dup, B16(16), "w17",                                 "for each byte")                             \
    OP(add, B16(26), B16(26), B16(16),                      "numbers 8 - m to 11 - m")                   \
    OP(add, B16(27), B16(27), B16(16),                      "and on")
#define LAST_X(low, high, from)                                                                          \
    OP(add, "x17", from, "x10, lsl #2",                     "back by 8 - m numbers")                     \
    OP(ldp, Q(18), Q(19), "[x17]",                          "the last 8 x_k")                            \
    OP(tbl, B16(low), TABLE_OF(18, 19), B16(26),            "the last m x_k, and 0.0")                   \
    OP(tbl, B16(high), TABLE_OF(18, 19), B16(27),           "and on")

// Heads: <HEAD>_BEGIN once, <HEAD>(a, b) for row r with y_r in registers y and z, which it may change,
// <HEAD>_LAST after all rows.
#define ARGMAX_BEGIN                                                                                     \
    OP(ldr, "x16", B(outputs),                              "rows")

#define ARGMAX(y, z)                                                                                     \
    OP(cbnz, "x11", "41f",                                  "r = 0? no")                                 \
    OP(mov, B16(28), B16(y),                                "best = y_0, even a NaN")                    \
    OP(mov, B16(29), B16(z),                                "lanes 4 to 7")                              \
    OP(movi, S4(30), "#0",                                  "its row")                                   \
    OP(movi, S4(31), "#0",                                  "lanes 4 to 7")                              \
    LABEL(41)                                                                                            \
    OP(dup, S4(20), "w11",                                  "r")                                         \
    OP(fcmgt, S4(21), S4(y), S4(28),                        "y_r > best")                                \
    OP(fcmgt, S4(22), S4(z), S4(29),                        "lanes 4 to 7")                              \
    OP(bit, B16(28), B16(y), B16(21),                       "best = y_r if y_r > best else best")        \
    OP(bit, B16(29), B16(z), B16(22),                       "lanes 4 to 7")                              \
    OP(bit, B16(30), B16(20), B16(21),                      "its row")                                   \
    OP(bit, B16(31), B16(20), B16(22),                      "lanes 4 to 7")                              \
    OP(add, "x11", "x11", "#1",                             "r + 1")

// int32 in registers y and z to int64 actions.
#define STORE_ACTIONS(y, z)                                                                              \
    OP(uxtl, D2(20), S2(y),                                 "int64, lanes 0 1")                          \
    OP(uxtl2, D2(21), S4(y),                                "lanes 2 3")                                 \
    OP(uxtl, D2(22), S2(z),                                 "lanes 4 5")                                 \
    OP(uxtl2, D2(23), S4(z),                                "lanes 6 7")                                 \
    OP(stp, Q(20), Q(21), "[x12]", "#32",                   "action, lanes 0 to 3")                      \
    OP(stp, Q(22), Q(23), "[x12]", "#32",                   "action, lanes 4 to 7")

#define ARGMAX_LAST STORE_ACTIONS(30, 31)

#define THRESHOLD_BEGIN                                                                                  \
    OP(mov, "x16", "#0",                                    "no row after row 0")

#define THRESHOLD(y, z)                                                                                  \
    OP(movi, S4(20), "#0",                                  "0.0")                                       \
    OP(fcmgt, S4(y), S4(y), S4(20),                         "y_0 > 0")                                   \
    OP(fcmgt, S4(z), S4(z), S4(20),                         "lanes 4 to 7")                              \
    OP(ushr, S4(y), S4(y), "#31",                           "1 or 0")                                    \
    OP(ushr, S4(z), S4(z), "#31",                           "lanes 4 to 7")                              \
    STORE_ACTIONS(y, z)

#define THRESHOLD_LAST

#define BOX_BEGIN                                                                                        \
    OP(ldr, "x16", B(outputs),                              "rows")                                      \
    OP(lsl, "x14", "x16", "#2",                             "bytes of an action")

// Comparisons: fmax and fmin would take +0 for greater than -0.
#define BOX(y, z)                                                                                        \
    OP(ldr, "x17", B(low),                                  "low")                                       \
    OP(ldr, S(20), "[x17, x11, lsl #2]",                    "low_r")                                     \
    OP(ldr, "x17", B(high),                                 "high")                                      \
    OP(ldr, S(21), "[x17, x11, lsl #2]",                    "high_r")                                    \
    OP(dup, S4(20), S_OF(20, 0),                            "low_r")                                     \
    OP(dup, S4(21), S_OF(21, 0),                            "high_r")                                    \
    OP(fcmgt, S4(22), S4(20), S4(y),                        "y_r < low_r")                               \
    OP(fcmgt, S4(23), S4(20), S4(z),                        "lanes 4 to 7")                              \
    OP(bit, B16(y), B16(20), B16(22),                       "v = low_r if y_r < low_r else y_r")         \
    OP(bit, B16(z), B16(20), B16(23),                       "lanes 4 to 7")                              \
    OP(fcmgt, S4(22), S4(y), S4(21),                        "v > high_r")                                \
    OP(fcmgt, S4(23), S4(z), S4(21),                        "lanes 4 to 7")                              \
    OP(bit, B16(y), B16(21), B16(22),                       "v = high_r if v > high_r else v")           \
    OP(bit, B16(z), B16(21), B16(23),                       "lanes 4 to 7")                              \
    OP(add, "x17", "x12", "x11, lsl #2",                    "action[r] of lane 0")                       \
    OP(add, "x11", "x11", "#1",                             "r + 1")                                     \
    OP(cmp, "x16", "#1",                                    "actions of one number?")                    \
    OP(b.ne, "42f",                                         "no")                                        \
    OP(stp, Q(y), Q(z), "[x17]",                            "v of all lanes")                            \
    OP(b, "43f",                                            "done")                                      \
    LABEL(42)                                                                                            \
    OP(st1, LANE_OF(y, 0), "[x17]", "x14",                  "v of lane 0")                               \
    OP(st1, LANE_OF(y, 1), "[x17]", "x14",                  "lane 1")                                    \
    OP(st1, LANE_OF(y, 2), "[x17]", "x14",                  "lane 2")                                    \
    OP(st1, LANE_OF(y, 3), "[x17]", "x14",                  "lane 3")                                    \
    OP(st1, LANE_OF(z, 0), "[x17]", "x14",                  "lane 4")                                    \
    OP(st1, LANE_OF(z, 1), "[x17]", "x14",                  "lane 5")                                    \
    OP(st1, LANE_OF(z, 2), "[x17]", "x14",                  "lane 6")                                    \
    OP(st1, LANE_OF(z, 3), "[x17]", "x14",                  "lane 7")                                    \
    LABEL(43)

#define BOX_LAST                                                                                         \
    OP(add, "x12", "x12", "x14, lsl #3",                    "8 actions further")

// The same for one observation: y in x21, action in x12. fcsel with gt and mi takes its first source if the
// comparison holds, and never for a NaN.
#define ARGMAX_SINGLE                                                                                    \
    OP(ldr, "x16", B(outputs),                              "rows")                                      \
    OP(ldr, S(0), "[x21]",                                  "best = y_0, even a NaN")                    \
    OP(mov, "x17", "#0",                                    "its row")                                   \
    OP(mov, "x11", "#1",                                    "r = 1")                                     \
    LABEL(40)                                                                                            \
    OP(cmp, "x11", "x16",                                   "a row left?")                               \
    OP(b.ge, "41f",                                         "no")                                        \
    OP(ldr, S(1), "[x21, x11, lsl #2]",                     "y_r")                                       \
    OP(fcmp, S(1), S(0),                                    "y_r > best?")                               \
    OP(fcsel, S(0), S(1), S(0), "gt",                       "best = y_r if y_r > best else best")        \
    OP(csel, "x17", "x11", "x17", "gt",                     "its row")                                   \
    OP(add, "x11", "x11", "#1",                             "r + 1")                                     \
    OP(b, "40b",                                            "next row")                                  \
    LABEL(41)                                                                                            \
    OP(str, "x17", "[x12]",                                 "action")

#define THRESHOLD_SINGLE                                                                                 \
    OP(ldr, S(0), "[x21]",                                  "y_0")                                       \
    OP(movi, D(1), "#0",                                    "0.0")                                       \
    OP(fcmp, S(0), S(1),                                    "y_0 > 0?")                                  \
    OP(cset, "x17", "gt",                                   "1 or 0")                                    \
    OP(str, "x17", "[x12]",                                 "action")

#define BOX_SINGLE                                                                                       \
    OP(ldr, "x16", B(outputs),                              "rows")                                      \
    OP(ldr, "x0", B(low),                                   "low")                                       \
    OP(ldr, "x1", B(high),                                  "high")                                      \
    LABEL(40)                                                                                            \
    OP(ldr, S(0), "[x21]", "#4",                            "y_r")                                       \
    OP(ldr, S(1), "[x0]", "#4",                             "low_r")                                     \
    OP(ldr, S(2), "[x1]", "#4",                             "high_r")                                    \
    OP(fcmp, S(0), S(1),                                    "y_r < low_r?")                              \
    OP(fcsel, S(0), S(1), S(0), "mi",                       "v = low_r if y_r < low_r else y_r")         \
    OP(fcmp, S(0), S(2),                                    "v > high_r?")                               \
    OP(fcsel, S(0), S(2), S(0), "gt",                       "v = high_r if v > high_r else v")           \
    OP(str, S(0), "[x12]", "#4",                            "action[r]")                                 \
    OP(subs, "x16", "x16", "#1",                            "a row left?")                               \
    OP(b.ne, "40b",                                         "next row")

// clang-format on
