// SPDX-License-Identifier: MIT
// Level asm, NEON, of the family `linear`: y_r = b_r + W[r]*x, fused, k ascending, for 8 observations at a
// time, then one of the three heads. Comments in the words of python/compute_layers/policies/linear.py.
//
// The kernels are put together from sections:
//
//     act_<head>           TRANSPOSE, then CHAINS of 8, 4 and 1 rows r, each y_r followed by the head's
//                          section
//     act_<head>_partial   PARTIAL_SUMS over the rows r, with the same heads; 32 inputs or more, up to 8 rows
//     act_four_<head>      four inputs, one or two rows: everything stays in registers
#include "layer.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

// clang-format off

struct Constants { LAST_TERMS_CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { LAST_TERMS_CONSTANTS(ROW_VALUE) };

// Where `data` of the second tensor stands from the first.
#define SECOND_TENSOR [second] "i"(sizeof(Tensor) + offsetof(Tensor, data))
static_assert(offsetof(compute_layers::Tensor, data) == 0);

//  Registers of act_<head> and act_<head>_partial, besides those of layer.hpp
//
//  x0-x7   observations 0 to 7, then W[r,k] .. W[r+7,k]      x8   bytes of an observation, and of a row
//  x9      x_k of the group; W[r,k] in _partial              x10  k left             x11  r     x15  b
//  x12     action of lane 0           x13  lanes left        x19  the next group     x20  W
//
//  v0, v1  y_r of lanes 0 to 3, 4 to 7; v2-v15 those of r+1 to r+7
//  v16-v23 W[r,k..k+3] .. W[r+7,k..k+3]                      v24-v27  x_k, x_k+1 in turn
//  v0, v1  partial sums of lane 0; v2-v15 of lanes 1 to 7    v16, v17 W[r,k..k+7]
//  v18-v25 x_k..k+7 of four lanes in turn                    v26, v27 for the last terms
#define OPERANDS                                                                                         \
    [b] "r"(batch), OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, inputs), OFFSET(PolicyBatch, outputs),   \
    OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors),         \
    OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high), OFFSET(PolicyBatch, scratch), SECOND_TENSOR

#define CLOBBERS                                                                                         \
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",       \
    "x15", "x16", "x17", "x19", "x20", V_CLOBBERS, "memory", "cc"

// What does not change from group to group; <HEAD>_BEGIN loads x16.
#define BEGIN                                                                                            \
    OP(ldr, "x19", B(observation),                          "observations")                              \
    OP(ldr, "x8", B(inputs),                                "inputs")                                    \
    OP(lsl, "x8", "x8", "#2",                               "bytes of an observation")                   \
    OP(ldr, "x12", B(action),                               "actions")                                   \
    OP(ldr, "x13", B(n),                                    "lanes")                                     \
    OP(ldr, "x15", B(tensors),                              "tensors")                                   \
    OP(ldr, "x20", "[x15]",                                 "W")                                         \
    OP(ldr, "x15", AT("x15", second),                       "b")

#define LOAD_GROUP                                                                                       \
    LABEL(1)                                                                                             \
    OP(mov, "x0", "x19",                                    "observation 0")                             \
    OP(ldr, "x9", B(scratch),                               "scratch")                                   \
    TRANSPOSE(32)                                                                                        \
    OP(mov, "x19", "x7",                                    "the next group")                            \
    OP(mov, "x0", "x20",                                    "W[0,0]")                                    \
    OP(mov, "x11", "#0",                                    "r = 0")

// Of the first 1, 4 or 8 rows: the number of the row, the registers of its y and of its weights, and what
// MACRO takes besides.
#define ROWS_1(MACRO, ...) MACRO(0, 0, 1, 16, __VA_ARGS__)
#define ROWS_4(MACRO, ...)                                                                               \
    ROWS_1(MACRO, __VA_ARGS__) MACRO(1, 2, 3, 17, __VA_ARGS__)                                           \
    MACRO(2, 4, 5, 18, __VA_ARGS__) MACRO(3, 6, 7, 19, __VA_ARGS__)
#define ROWS_8(MACRO, ...)                                                                               \
    ROWS_4(MACRO, __VA_ARGS__)                                                                           \
    MACRO(4, 8, 9, 20, __VA_ARGS__) MACRO(5, 10, 11, 21, __VA_ARGS__)                                    \
    MACRO(6, 12, 13, 22, __VA_ARGS__) MACRO(7, 14, 15, 23, __VA_ARGS__)

#define BIAS(j, y, z, w, ...)                                                                            \
    OP(ld1r, ALL_OF(y), "[x17]", "#4",                      "y_r+" #j " = b_r+" #j)                      \
    OP(mov, B16(z), B16(y),                                 "lanes 4 to 7")
#define WEIGHTS_OF_4(j, y, z, w, ...)                                                                    \
    OP(ldr, Q(w), "[x" #j "]", "#16",                       "W[r+" #j ",k..k+3]")
#define WEIGHT(j, y, z, w, ...)                                                                          \
    OP(ldr, S(w), "[x" #j "]", "#4",                        "W[r+" #j ",k]")
#define TERM(j, y, z, w, k, low, high)                                                                   \
    OP(fmla, S4(y), S4(low), S_OF(w, k),                    "y_r+" #j " + W[r+" #j ",k+" #k "]*x_k+" #k) \
    OP(fmla, S4(z), S4(high), S_OF(w, k),                   "lanes 4 to 7")

// y_r .. of `count` rows, four terms at a time, then one by one.
#define CHAINS(count)                                                                                    \
    OP(add, "x17", "x15", "x11, lsl #2",                    "b_r")                                       \
    ROWS_##count(BIAS)                                                                                   \
    OP(ldr, "x9", B(scratch),                               "x_0")                                       \
    OP(ldr, "x10", B(inputs),                               "inputs")                                    \
    OP(subs, "x10", "x10", "#4",                            "four terms?")                               \
    OP(b.lt, "22f",                                         "no")                                        \
    LOOP(21)                                                                                             \
    MCA_BEGIN("linear/chains_" #count)                                                                   \
    ROWS_##count(WEIGHTS_OF_4)                                                                           \
    OP(ldp, Q(24), Q(25), "[x9]", "#32",                    "x_k")                                       \
    OP(ldp, Q(26), Q(27), "[x9]", "#32",                    "x_k+1")                                     \
    ROWS_##count(TERM, 0, 24, 25)                                                                        \
    ROWS_##count(TERM, 1, 26, 27)                                                                        \
    OP(ldp, Q(24), Q(25), "[x9]", "#32",                    "x_k+2")                                     \
    OP(ldp, Q(26), Q(27), "[x9]", "#32",                    "x_k+3")                                     \
    ROWS_##count(TERM, 2, 24, 25)                                                                        \
    ROWS_##count(TERM, 3, 26, 27)                                                                        \
    OP(subs, "x10", "x10", "#4",                            "another four?")                             \
    MCA_END                                                                                              \
    OP(b.ge, "21b",                                         "next terms")                                \
    LABEL(22)                                                                                            \
    OP(adds, "x10", "x10", "#4",                            "terms left")                                \
    OP(b.eq, "24f",                                         "none")                                      \
    LABEL(23)                                                                                            \
    ROWS_##count(WEIGHT)                                                                                 \
    OP(ldp, Q(24), Q(25), "[x9]", "#32",                    "x_k")                                       \
    ROWS_##count(TERM, 0, 24, 25)                                                                        \
    OP(subs, "x10", "x10", "#1",                            "terms left")                                \
    OP(b.ne, "23b",                                         "next term")                                 \
    LABEL(24)

#define EACH_CHAIN(HEAD)                                                                                 \
    LABEL(5)                                                                                             \
    OP(add, "x17", "x11", "#8",                             "r + 8")                                     \
    OP(cmp, "x17", "x16",                                   "eight rows left?")                          \
    OP(b.gt, "2f",                                          "no")                                        \
    NEXT_SEVEN                                                                                           \
    CHAINS(8)                                                                                            \
    OP(mov, "x0", "x7",                                     "W[r+8,0]")                                  \
    HEAD(0, 1)                                                                                           \
    HEAD(2, 3)                                                                                           \
    HEAD(4, 5)                                                                                           \
    HEAD(6, 7)                                                                                           \
    HEAD(8, 9)                                                                                           \
    HEAD(10, 11)                                                                                         \
    HEAD(12, 13)                                                                                         \
    HEAD(14, 15)                                                                                         \
    OP(b, "5b",                                             "next rows")                                 \
    LABEL(2)                                                                                             \
    OP(add, "x17", "x11", "#4",                             "r + 4")                                     \
    OP(cmp, "x17", "x16",                                   "four rows left?")                           \
    OP(b.gt, "3f",                                          "no")                                        \
    NEXT_SEVEN                                                                                           \
    CHAINS(4)                                                                                            \
    OP(mov, "x0", "x3",                                     "W[r+4,0]")                                  \
    HEAD(0, 1)                                                                                           \
    HEAD(2, 3)                                                                                           \
    HEAD(4, 5)                                                                                           \
    HEAD(6, 7)                                                                                           \
    LABEL(3)                                                                                             \
    OP(cmp, "x11", "x16",                                   "a row left?")                               \
    OP(b.ge, "4f",                                          "no")                                        \
    CHAINS(1)                                                                                            \
    HEAD(0, 1)                                                                                           \
    OP(b, "3b",                                             "next row")                                  \
    LABEL(4)

// Of each lane: its number, the registers of its partial sums and of what is loaded.
#define EACH_LANE(MACRO)                                                                                 \
    MACRO(0, 0, 1, 18, 19) MACRO(1, 2, 3, 20, 21) MACRO(2, 4, 5, 22, 23) MACRO(3, 6, 7, 24, 25)          \
    MACRO(4, 8, 9, 18, 19) MACRO(5, 10, 11, 20, 21) MACRO(6, 12, 13, 22, 23) MACRO(7, 14, 15, 24, 25)

#define PARTIAL_BIAS(i, low, high, x, z)                                                                 \
    OP(ldr, S(low), "[x15, x11, lsl #2]",                   "p_0 = b_r, p_1 .. p_3 = 0: lane " #i)       \
    OP(movi, S4(high), "#0",                                "p_4 .. p_7 = 0")
#define PARTIAL_TERMS(i, low, high, x, z)                                                                \
    OP(ldp, Q(x), Q(z), "[x" #i "]", "#32",                 "x_k..k+7 of lane " #i)                      \
    OP(fmla, S4(low), S4(16), S4(x),                        "p_0 .. p_3 + W[r,k..k+3]*x_k..k+3")         \
    OP(fmla, S4(high), S4(17), S4(z),                       "p_4 .. p_7")
#define LAST_PARTIAL_TERMS(i, low, high, x, z)                                                           \
    LAST_X(20, 21, "x" #i)                                                                               \
    OP(fmla, S4(low), S4(16), S4(20),                       "p_0 .. p_3 + W[r,k]*x_k of lane " #i)       \
    OP(fmla, S4(high), S4(17), S4(21),                      "p_4 .. p_7")

#define BEGIN_PARTIAL                                                                                    \
    OP(ldr, "x10", B(inputs),                               "inputs")                                    \
    LAST_TERMS

#define FIRST_PARTIAL_ROW                                                                                \
    LABEL(1)                                                                                             \
    OP(mov, "x9", "x20",                                    "W[0,0]")                                    \
    OP(mov, "x11", "#0",                                    "r = 0")

// y_r of 8 lanes by 8 partial sums each: p_j takes the terms k with k % 8 = j, p_0 starts with b_r. x9 moves
// to row r + 1.
#define PARTIAL_SUMS                                                                                     \
    OP(mov, "x0", "x19",                                    "observation 0")                             \
    NEXT_SEVEN                                                                                           \
    EACH_LANE(PARTIAL_BIAS)                                                                              \
    OP(ldr, "x10", B(inputs),                               "inputs")                                    \
    OP(sub, "x10", "x10", "#8",                             "8 terms: there are 32")                     \
    LOOP(31)                                                                                             \
    MCA_BEGIN("linear/partial_sums lanes=8")                                                             \
    OP(ldp, Q(16), Q(17), "[x9]", "#32",                    "W[r,k..k+7]")                               \
    EACH_LANE(PARTIAL_TERMS)                                                                             \
    OP(subs, "x10", "x10", "#8",                            "terms left")                                \
    MCA_END                                                                                              \
    OP(b.ge, "31b",                                         "next 8")                                    \
    OP(cmn, "x10", "#8",                                    "none?")                                     \
    OP(b.eq, "32f",                                         "none")                                      \
    OP(add, "x17", "x9", "x10, lsl #2",                     "back by 8 - m numbers")                     \
    OP(ldp, Q(18), Q(19), "[x17]",                          "the last 8 W[r,k]")                         \
    OP(add, "x9", "x17", "#32",                             "W[r+1,0]")                                  \
    OP(movi, S4(16), "#0x80, lsl #24",                      "-0.0")                                      \
    OP(movi, S4(17), "#0x80, lsl #24",                      "-0.0")                                      \
    OP(tbx, B16(16), TABLE_OF(18, 19), B16(26),             "the last m W[r,k], and -0.0")               \
    OP(tbx, B16(17), TABLE_OF(18, 19), B16(27),             "and on")                                    \
    EACH_LANE(LAST_PARTIAL_TERMS)                                                                        \
    LABEL(32)                                                                                            \
    OP(fadd, S4(0), S4(0), S4(1),                           "s_j = p_j + p_j+4 of lane 0")               \
    OP(fadd, S4(1), S4(2), S4(3),                           "lane 1")                                    \
    OP(fadd, S4(2), S4(4), S4(5),                           "lane 2")                                    \
    OP(fadd, S4(3), S4(6), S4(7),                           "lane 3")                                    \
    OP(fadd, S4(4), S4(8), S4(9),                           "lane 4")                                    \
    OP(fadd, S4(5), S4(10), S4(11),                         "lane 5")                                    \
    OP(fadd, S4(6), S4(12), S4(13),                         "lane 6")                                    \
    OP(fadd, S4(7), S4(14), S4(15),                         "lane 7")                                    \
    OP(zip1, D2(16), D2(0), D2(1),                          "s_0, s_1 of lanes 0 1")                     \
    OP(zip1, D2(17), D2(2), D2(3),                          "lanes 2 3")                                 \
    OP(zip1, D2(18), D2(4), D2(5),                          "lanes 4 5")                                 \
    OP(zip1, D2(19), D2(6), D2(7),                          "lanes 6 7")                                 \
    OP(zip2, D2(20), D2(0), D2(1),                          "s_2, s_3 of lanes 0 1")                     \
    OP(zip2, D2(21), D2(2), D2(3),                          "lanes 2 3")                                 \
    OP(zip2, D2(22), D2(4), D2(5),                          "lanes 4 5")                                 \
    OP(zip2, D2(23), D2(6), D2(7),                          "lanes 6 7")                                 \
    OP(fadd, S4(16), S4(16), S4(20),                        "t_j = s_j + s_j+2 of lanes 0 1")            \
    OP(fadd, S4(17), S4(17), S4(21),                        "lanes 2 3")                                 \
    OP(fadd, S4(18), S4(18), S4(22),                        "lanes 4 5")                                 \
    OP(fadd, S4(19), S4(19), S4(23),                        "lanes 6 7")                                 \
    OP(faddp, S4(0), S4(16), S4(17),                        "y_r = t_0 + t_1 of lanes 0 to 3")           \
    OP(faddp, S4(1), S4(18), S4(19),                        "lanes 4 to 7")

#define EACH_PARTIAL(HEAD)                                                                               \
    LABEL(2)                                                                                             \
    PARTIAL_SUMS                                                                                         \
    HEAD(0, 1)                                                                                           \
    OP(cmp, "x11", "x16",                                   "a row left?")                               \
    OP(b.lt, "2b",                                          "next row")

#define NEXT_PARTIAL                                                                                     \
    OP(add, "x19", "x19", "x8, lsl #3",                     "observation 8: the next group")

#define NEXT_GROUP                                                                                       \
    OP(subs, "x13", "x13", "#8",                            "8 lanes less")                              \
    OP(b.ne, "1b",                                          "next group")

void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        ARGMAX_BEGIN
        LOAD_GROUP
        EACH_CHAIN(ARGMAX)
        ARGMAX_LAST
        NEXT_GROUP
        : : OPERANDS : CLOBBERS);
}

void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        CHAINS(1)
        THRESHOLD(0, 1)
        NEXT_GROUP
        : : OPERANDS : CLOBBERS);
}

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BOX_BEGIN
        LOAD_GROUP
        EACH_CHAIN(BOX)
        BOX_LAST
        NEXT_GROUP
        : : OPERANDS : CLOBBERS);
}

void act_argmax_partial(const PolicyBatch* batch) {
    asm volatile(
        ROW_OFFSETS(LAST_TERMS_CONSTANTS)
        BEGIN
        BEGIN_PARTIAL
        ARGMAX_BEGIN
        FIRST_PARTIAL_ROW
        EACH_PARTIAL(ARGMAX)
        ARGMAX_LAST
        NEXT_PARTIAL
        NEXT_GROUP
        : : OPERANDS, [k] "r"(&kConstants) : CLOBBERS);
}

void act_threshold_partial(const PolicyBatch* batch) {
    asm volatile(
        ROW_OFFSETS(LAST_TERMS_CONSTANTS)
        BEGIN
        BEGIN_PARTIAL
        FIRST_PARTIAL_ROW
        PARTIAL_SUMS
        THRESHOLD(0, 1)
        NEXT_PARTIAL
        NEXT_GROUP
        : : OPERANDS, [k] "r"(&kConstants) : CLOBBERS);
}

void act_box_partial(const PolicyBatch* batch) {
    asm volatile(
        ROW_OFFSETS(LAST_TERMS_CONSTANTS)
        BEGIN
        BEGIN_PARTIAL
        BOX_BEGIN
        FIRST_PARTIAL_ROW
        EACH_PARTIAL(BOX)
        BOX_LAST
        NEXT_PARTIAL
        NEXT_GROUP
        : : OPERANDS, [k] "r"(&kConstants) : CLOBBERS);
}

//  Registers of act_four_<head>
//
//  x0   observations   x1  b             v0-v3     x_0 .. x_3 of lanes 0 to 3     v4-v7     of lanes 4 to 7
//  x12  actions        x2  lanes left    v16, v17  y_0      v18, v19  y_1         v20-v23   actions
//  x3   W                                v24, v25  W[0,0..3], W[1,0..3]           v26, v27  b_0, b_1
#define BEGIN_FOUR                                                                                       \
    OP(ldr, "x0", B(observation),                           "observations")                              \
    OP(ldr, "x12", B(action),                               "actions")                                   \
    OP(ldr, "x2", B(n),                                     "lanes")                                     \
    OP(ldr, "x1", B(tensors),                               "tensors")                                   \
    OP(ldr, "x3", "[x1]",                                   "W")                                         \
    OP(ldr, "x1", AT("x1", second),                         "b")

#define LOAD_FOUR                                                                                        \
    OP(ld4, S4_TO(0, 3), "[x0]", "#64",                     "x_0 .. x_3 of lanes 0 to 3")                \
    OP(ld4, S4_TO(4, 7), "[x0]", "#64",                     "lanes 4 to 7")

// y in registers y and z.
#define SUM_FOUR(r, y, z, w)                                                                             \
    OP(fmla, S4(y), S4(0), S_OF(w, 0),                      "y_" #r " + W[" #r ",0]*x_0")                \
    OP(fmla, S4(z), S4(4), S_OF(w, 0),                      "lanes 4 to 7")                              \
    OP(fmla, S4(y), S4(1), S_OF(w, 1),                      "y_" #r " + W[" #r ",1]*x_1")                \
    OP(fmla, S4(z), S4(5), S_OF(w, 1),                      "lanes 4 to 7")                              \
    OP(fmla, S4(y), S4(2), S_OF(w, 2),                      "y_" #r " + W[" #r ",2]*x_2")                \
    OP(fmla, S4(z), S4(6), S_OF(w, 2),                      "lanes 4 to 7")                              \
    OP(fmla, S4(y), S4(3), S_OF(w, 3),                      "y_" #r " + W[" #r ",3]*x_3")                \
    OP(fmla, S4(z), S4(7), S_OF(w, 3),                      "lanes 4 to 7")

#define NEXT_FOUR                                                                                        \
    OP(subs, "x2", "x2", "#8",                              "8 lanes less")                              \
    MCA_END                                                                                              \
    OP(b.ne, "1b",                                          "next 8 lanes")

#define FOUR_OPERANDS                                                                                    \
    [b] "r"(batch), OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action), \
    OFFSET(PolicyBatch, tensors), SECOND_TENSOR

void act_four_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN_FOUR
        OP(ldr, Q(24), "[x3]",                              "W[0,0..3]")
        OP(ld1r, ALL_OF(26), "[x1]",                        "b_0")
        LOOP(1)
        MCA_BEGIN("linear/four_threshold lanes=8")
        LOAD_FOUR
        OP(mov, B16(16), B16(26),                           "y_0 = b_0")
        OP(mov, B16(17), B16(26),                           "lanes 4 to 7")
        SUM_FOUR(0, 16, 17, 24)
        THRESHOLD(16, 17)
        NEXT_FOUR
        : : FOUR_OPERANDS
        : "x0", "x1", "x2", "x3", "x12", FREE_V_CLOBBERS, "memory", "cc");
}

void act_four_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN_FOUR
        OP(ldp, Q(24), Q(25), "[x3]",                       "W[0,0..3], W[1,0..3]")
        OP(ld1r, ALL_OF(26), "[x1]", "#4",                  "b_0")
        OP(ld1r, ALL_OF(27), "[x1]",                        "b_1")
        LOOP(1)
        MCA_BEGIN("linear/four_argmax lanes=8")
        LOAD_FOUR
        OP(mov, B16(16), B16(26),                           "y_0 = b_0")
        OP(mov, B16(17), B16(26),                           "lanes 4 to 7")
        OP(mov, B16(18), B16(27),                           "y_1 = b_1")
        OP(mov, B16(19), B16(27),                           "lanes 4 to 7")
        SUM_FOUR(0, 16, 17, 24)
        SUM_FOUR(1, 18, 19, 25)
        OP(fcmgt, S4(16), S4(18), S4(16),                   "y_1 > y_0")
        OP(fcmgt, S4(17), S4(19), S4(17),                   "lanes 4 to 7")
        OP(ushr, S4(16), S4(16), "#31",                     "1 or 0")
        OP(ushr, S4(17), S4(17), "#31",                     "lanes 4 to 7")
        STORE_ACTIONS(16, 17)
        NEXT_FOUR
        : : FOUR_OPERANDS
        : "x0", "x1", "x2", "x3", "x12", FREE_V_CLOBBERS, "memory", "cc");
}

// clang-format on

}  // namespace

Act* policies::linear(const PolicyBatch* policy, bool single) {
    if (single) return nullptr;
    const int64_t inputs = policy->inputs, outputs = policy->outputs;
    const bool partial = inputs >= 32 && (policy->head == Head::threshold || outputs <= 8);
    switch (policy->head) {
        case Head::argmax:
            if (inputs == 4 && outputs == 2) return act_four_argmax;
            return partial ? act_argmax_partial : act_argmax;
        case Head::threshold:
            if (inputs == 4) return act_four_threshold;
            return partial ? act_threshold_partial : act_threshold;
        case Head::box:
            return partial ? act_box_partial : act_box;
        case Head::vote:
            break;
    }
    return nullptr;
}

}  // namespace compute_layers::asm_aarch64
