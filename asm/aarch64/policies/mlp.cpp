// SPDX-License-Identifier: MIT
// Level asm, NEON, of the family `mlp`: every layer for up to 16 observations at a time, or for one, then a
// head. Comments in the words of python/compute_layers/policies/{linear,mlp}.py; cpp/policies/mlp.cpp says
// how the weights were packed.
#include "mlp.hpp"

#include "policies/activations.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

// clang-format off

#define CONSTANTS(ROW)                                                                                   \
    LAST_TERMS_CONSTANTS(ROW)                                                                            \
    ROW(minus_limit, row(-kLimit)) ROW(limit, row(kLimit))                                               \
    ROW(P0, row(kP[0])) ROW(P1, row(kP[1])) ROW(P2, row(kP[2])) ROW(P3, row(kP[3]))                      \
    ROW(Q0, row(kQ[0])) ROW(Q1, row(kQ[1])) ROW(Q2, row(kQ[2])) ROW(Q3, row(kQ[3]))                      \
    ROW(lowest, row(kLowest)) ROW(highest, row(kHighest)) ROW(minus_log2_e, row(kMinusLog2E))            \
    ROW(round, row(kRoundExponent)) ROW(ln2_high, row(kLn2High)) ROW(ln2_low, row(kLn2Low))              \
    ROW(E0, row(kExp[0])) ROW(E1, row(kExp[1])) ROW(E2, row(kExp[2])) ROW(E3, row(kExp[3]))              \
    ROW(E4, row(kExp[4])) ROW(E5, row(kExp[5])) ROW(E6, row(kExp[6])) ROW(one, row(1.0f))
struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// The bounds of a clip and the clip. fmax and fmin give NaN for NaN, which is what the comparisons leave, and
// no bound is a zero.
#define BOUNDS(lowest, highest)                                                                          \
    OP(ldr, Q(16), K(lowest),                               "the lower bound")                           \
    OP(ldr, Q(17), K(highest),                              "the upper bound")
#define CLIP(x)                                                                                          \
    OP(fmax, S4(x), S4(x), S4(16),                          "y = lower if lower > x else x")             \
    OP(fmin, S4(x), S4(x), S4(17),                          "y = upper if upper < y else y")

// y = tanh(y) of the clipped y in register x. fmla adds to its destination: with every step p and q move to
// the register into which the next coefficient was loaded.
#define TANH(x, z, a, c, d)                                                                              \
    OP(fmul, S4(z), S4(x), S4(x),                           "z = y*y")                                   \
    OP(ldr, Q(a), K(P0),                                    "p = P[0]")                                  \
    OP(ldr, Q(c), K(P1),                                    "P[1]")                                      \
    OP(ldr, Q(d), K(Q0),                                    "Q[0]")                                      \
    OP(fmla, S4(c), S4(a), S4(z),                           "p = p*z + P[1]")                            \
    OP(fadd, S4(d), S4(z), S4(d),                           "q = z + Q[0]")                              \
    OP(ldr, Q(a), K(Q1),                                    "Q[1]")                                      \
    OP(fmla, S4(a), S4(d), S4(z),                           "q = q*z + Q[1]")                            \
    OP(ldr, Q(d), K(P2),                                    "P[2]")                                      \
    OP(fmla, S4(d), S4(c), S4(z),                           "p = p*z + P[2]")                            \
    OP(ldr, Q(c), K(Q2),                                    "Q[2]")                                      \
    OP(fmla, S4(c), S4(a), S4(z),                           "q = q*z + Q[2]")                            \
    OP(ldr, Q(a), K(P3),                                    "P[3]")                                      \
    OP(fmla, S4(a), S4(d), S4(z),                           "p = p*z + P[3]")                            \
    OP(ldr, Q(d), K(Q3),                                    "Q[3]")                                      \
    OP(fmla, S4(d), S4(c), S4(z),                           "q = q*z + Q[3]")                            \
    OP(fmul, S4(x), S4(x), S4(a),                           "y*p")                                       \
    OP(fdiv, S4(x), S4(x), S4(d),                           "y*p / q")

// y = relu(y) in register x.
#define RELU(x, m)                                                                                       \
    OP(fcmgt, S4(m), S4(x), S4(16),                         "y > 0")                                     \
    OP(and, B16(x), B16(x), B16(m),                         "y if y > 0 else 0")

// y = sigmoid(y) of the clipped y in register x.
#define SIGMOID(x, t, n, p, c)                                                                           \
    OP(ldr, Q(t), K(round),                                 "ROUND")                                     \
    OP(ldr, Q(n), K(minus_log2_e),                          "MINUS_LOG2_E")                              \
    OP(mov, B16(p), B16(t),                                 "ROUND")                                     \
    OP(fmla, S4(t), S4(x), S4(n),                           "t = y*MINUS_LOG2_E + ROUND")                \
    OP(fsub, S4(n), S4(t), S4(p),                           "n = t - ROUND")                             \
    OP(ldr, Q(c), K(ln2_high),                              "LN2_HIGH")                                  \
    OP(fmla, S4(x), S4(n), S4(c),                           "y + n*LN2_HIGH")                            \
    OP(ldr, Q(c), K(ln2_low),                               "LN2_LOW")                                   \
    OP(fmla, S4(x), S4(n), S4(c),                           "q, and n*LN2_LOW")                          \
    OP(shl, S4(t), S4(t), "#23",                            "2**n")                                      \
    OP(ldr, Q(p), K(E0),                                    "p = EXP[0]")                                \
    OP(ldr, Q(n), K(E1),                                    "EXP[1]")                                    \
    OP(fmla, S4(n), S4(p), S4(x),                           "p = p*q + EXP[1]")                          \
    OP(ldr, Q(p), K(E2),                                    "EXP[2]")                                    \
    OP(fmla, S4(p), S4(n), S4(x),                           "p = p*q + EXP[2]")                          \
    OP(ldr, Q(n), K(E3),                                    "EXP[3]")                                    \
    OP(fmla, S4(n), S4(p), S4(x),                           "p = p*q + EXP[3]")                          \
    OP(ldr, Q(p), K(E4),                                    "EXP[4]")                                    \
    OP(fmla, S4(p), S4(n), S4(x),                           "p = p*q + EXP[4]")                          \
    OP(ldr, Q(n), K(E5),                                    "EXP[5]")                                    \
    OP(fmla, S4(n), S4(p), S4(x),                           "p = p*q + EXP[5]")                          \
    OP(ldr, Q(p), K(E6),                                    "EXP[6]")                                    \
    OP(fmla, S4(p), S4(n), S4(x),                           "p = p*q + EXP[6]")                          \
    OP(ldr, Q(c), K(one),                                   "1.0")                                       \
    OP(mov, B16(n), B16(c),                                 "1.0")                                       \
    OP(fmla, S4(n), S4(p), S4(t),                           "p*2**n + 1")                                \
    OP(fdiv, S4(x), S4(c), S4(n),                           "1 / (p*2**n + 1)")

// The activation of register 0, of 0 and 1, of 0 to 3, or of 0 to 15; registers from 16 on are scratch.
#define CLIP_4(x, y, z, w) CLIP(x) CLIP(y) CLIP(z) CLIP(w)
#define CLIP_16 CLIP_4(0, 1, 2, 3) CLIP_4(4, 5, 6, 7) CLIP_4(8, 9, 10, 11) CLIP_4(12, 13, 14, 15)
#define FOUR_AT_ONCE(MACRO, x, y, z, w)                                                                  \
    MACRO(x, 16, 17, 18, 19) MACRO(y, 20, 21, 22, 23) MACRO(z, 24, 25, 26, 27) MACRO(w, 28, 29, 30, 31)
#define ALL_16(MACRO)                                                                                    \
    FOUR_AT_ONCE(MACRO, 0, 1, 2, 3) FOUR_AT_ONCE(MACRO, 4, 5, 6, 7)                                      \
    FOUR_AT_ONCE(MACRO, 8, 9, 10, 11) FOUR_AT_ONCE(MACRO, 12, 13, 14, 15)

#define TANH_OF_1 BOUNDS(minus_limit, limit) CLIP(0) TANH(0, 16, 17, 18, 19)
#define TANH_OF_2                                                                                        \
    BOUNDS(minus_limit, limit) CLIP(0) CLIP(1) TANH(0, 16, 17, 18, 19) TANH(1, 20, 21, 22, 23)
#define TANH_OF_4 BOUNDS(minus_limit, limit) CLIP_4(0, 1, 2, 3) FOUR_AT_ONCE(TANH, 0, 1, 2, 3)
#define TANH_OF_16 BOUNDS(minus_limit, limit) CLIP_16 ALL_16(TANH)
#define RELU_OF_1 OP(movi, S4(16), "#0", "0.0") RELU(0, 17)
#define RELU_OF_2 RELU_OF_1 RELU(1, 18)
#define RELU_OF_4 RELU_OF_2 RELU(2, 19) RELU(3, 20)
#define RELU_OF_16                                                                                       \
    RELU_OF_4 RELU(4, 17) RELU(5, 18) RELU(6, 19) RELU(7, 20) RELU(8, 17) RELU(9, 18) RELU(10, 19)       \
    RELU(11, 20) RELU(12, 17) RELU(13, 18) RELU(14, 19) RELU(15, 20)
#define SIGMOID_OF_1 BOUNDS(lowest, highest) CLIP(0) SIGMOID(0, 16, 17, 18, 19)
#define SIGMOID_OF_2                                                                                     \
    BOUNDS(lowest, highest) CLIP(0) CLIP(1) SIGMOID(0, 16, 17, 18, 19) SIGMOID(1, 20, 21, 22, 23)
#define SIGMOID_OF_4 BOUNDS(lowest, highest) CLIP_4(0, 1, 2, 3) FOUR_AT_ONCE(SIGMOID, 0, 1, 2, 3)
#define SIGMOID_OF_16 BOUNDS(lowest, highest) CLIP_16 ALL_16(SIGMOID)

//  Vector registers of act_<head>, besides those of layer.hpp
//
//  v0-v3   y_r of lanes 0 to 3, 4 to 7, 8 to 11, 12 to 15; v4-v15 those of r+1 to r+3
//  v16     W[r..r+3,k]                                     v17-v20  x_k
//  v0, v1  p_0 of 8 lanes; v2-v15 those of p_1 to p_7      v16, v17 W[r,k..k+7]   v18-v25  x_k, four in turn
//  v16-v31 scratch of the activations

// Of each row: its number and the registers of its y.
#define EACH_ROW(MACRO)                                                                                  \
    MACRO(0, 0, 1, 2, 3) MACRO(1, 4, 5, 6, 7) MACRO(2, 8, 9, 10, 11) MACRO(3, 12, 13, 14, 15)

#define BIAS(j, x, y, z, w)                                                                              \
    OP(dup, S4(x), S_OF(16, j),                             "y_r+" #j " = b_r+" #j)                      \
    OP(dup, S4(y), S_OF(16, j),                             "lanes 4 to 7")                              \
    OP(dup, S4(z), S_OF(16, j),                             "lanes 8 to 11")                             \
    OP(dup, S4(w), S_OF(16, j),                             "lanes 12 to 15")
#define TERM(j, x, y, z, w)                                                                              \
    OP(fmla, S4(x), S4(17), S_OF(16, j),                    "y_r+" #j " + W[r+" #j ",k]*x_k")            \
    OP(fmla, S4(y), S4(18), S_OF(16, j),                    "lanes 4 to 7")                              \
    OP(fmla, S4(z), S4(19), S_OF(16, j),                    "lanes 8 to 11")                             \
    OP(fmla, S4(w), S4(20), S_OF(16, j),                    "lanes 12 to 15")
#define STORE_ROW(j, x, y, z, w)                                                                         \
    OP(stp, Q(x), Q(y), "[x22]", "#32",                     "y_r+" #j)                                   \
    OP(stp, Q(z), Q(w), "[x22]", "#32",                     "lanes 8 to 15")

// Rows r .. r+3 of a tile, then the next four: y_r = b_r, then W[r,k]*x_k, k ascending. After the terms x23
// stands inputs * 64 bytes above the bias.
#define TILES                                                                                            \
    OP(ldr, Q(16), "[x23]",                                 "b_r .. b_r+3")                              \
    EACH_ROW(BIAS)                                                                                       \
    FROM_X_0                                                                                             \
    LOOP(6)                                                                                              \
    MCA_BEGIN("mlp/sum_rows lanes=16")                                                                   \
    OP(ldr, Q(16), "[x23, #64]!",                           "W[r..r+3,k]")                               \
    OP(ldp, Q(17), Q(18), "[x9]", "#32",                    "x_k")                                       \
    OP(ldp, Q(19), Q(20), "[x9]", "#32",                    "x_k, lanes 8 to 15")                        \
    EACH_ROW(TERM)                                                                                       \
    OP(subs, "x10", "x10", "#1",                            "inputs left")                               \
    MCA_END                                                                                              \
    OP(b.ne, "6b",                                          "next k")                                    \
    ACTIVATE(16)                                                                                         \
    EACH_ROW(STORE_ROW)                                                                                  \
    OP(add, "x23", "x23", "#64",                            "behind the last term")                      \
    OP(subs, "x11", "x11", "#4",                            "rows left")                                 \
    OP(b.le, "9f",                                          "none")                                      \
    OP(add, "x23", "x23", "#16",                            "the next four rows")                        \
    OP(tst, "x23", "#48",                                   "of the next tile?")                         \
    OP(b.eq, "7f",                                          "yes")                                       \
    OP(ldr, "x10", AT("x24", columns),                      "inputs")                                    \
    OP(sub, "x23", "x23", "x10, lsl #6",                    "back to this tile")                         \
    LABEL(7)                                                                                             \
    OP(sub, "x23", "x23", "#64",                            "b_r")                                       \
    OP(b, "5b",                                             "next rows")

// Of each partial sum: its number, its registers, where its weight is and what x_k is loaded into.
#define PARTIAL_TERM(j, y, z, w, lane, a, c)                                                             \
    OP(ldp, Q(a), Q(c), "[x9]", "#64",                      "x_k+" #j)                                   \
    OP(fmla, S4(y), S4(a), S_OF(w, lane),                   "p_" #j " + W[r,k+" #j "]*x_k+" #j)          \
    OP(fmla, S4(z), S4(c), S_OF(w, lane),                   "lanes 4 to 7")
#define PARTIAL_TERM_0 PARTIAL_TERM(0, 0, 1, 16, 0, 18, 19)
#define PARTIAL_TERM_1 PARTIAL_TERM(1, 2, 3, 16, 1, 20, 21)
#define PARTIAL_TERM_2 PARTIAL_TERM(2, 4, 5, 16, 2, 22, 23)
#define PARTIAL_TERM_3 PARTIAL_TERM(3, 6, 7, 16, 3, 24, 25)
#define PARTIAL_TERM_4 PARTIAL_TERM(4, 8, 9, 17, 0, 18, 19)
#define PARTIAL_TERM_5 PARTIAL_TERM(5, 10, 11, 17, 1, 20, 21)
#define PARTIAL_TERM_6 PARTIAL_TERM(6, 12, 13, 17, 2, 22, 23)
#define PARTIAL_TERM_7 PARTIAL_TERM(7, 14, 15, 17, 3, 24, 25)
#define UNLESS_LAST                                                                                      \
    OP(subs, "x10", "x10", "#1",                            "terms left")                                \
    OP(b.eq, "35f",                                         "none")
#define NO_TERM(j, y, z)                                                                                 \
    OP(movi, S4(y), "#0",                                   "p_" #j " = 0")                              \
    OP(movi, S4(z), "#0",                                   "lanes 4 to 7")

// Row after row, for each half of the lanes: p_j takes the terms with k % 8 = j, p_0 starts with b_r.
#define PARTIAL_ROWS                                                                                     \
    LABEL(31)                                                                                            \
    OP(mov, "x9", "x21",                                    "x_0")                                       \
    LABEL(32)                                                                                            \
    OP(ld1r, ALL_OF(0), "[x23]",                            "p_0 = b_r")                                 \
    OP(mov, B16(1), B16(0),                                 "lanes 4 to 7")                              \
    NO_TERM(1, 2, 3)                                                                                     \
    NO_TERM(2, 4, 5)                                                                                     \
    NO_TERM(3, 6, 7)                                                                                     \
    NO_TERM(4, 8, 9)                                                                                     \
    NO_TERM(5, 10, 11)                                                                                   \
    NO_TERM(6, 12, 13)                                                                                   \
    NO_TERM(7, 14, 15)                                                                                   \
    OP(add, "x23", "x23", "#32",                            "W[r,0]")                                    \
    OP(ldr, "x10", AT("x24", columns),                      "inputs")                                    \
    OP(sub, "x10", "x10", "#8",                             "8 terms: there are 32")                     \
    LOOP(33)                                                                                             \
    MCA_BEGIN("mlp/partial_row lanes=8")                                                                 \
    OP(ldp, Q(16), Q(17), "[x23]", "#32",                   "W[r,k..k+7]")                               \
    PARTIAL_TERM_0                                                                                       \
    PARTIAL_TERM_1                                                                                       \
    PARTIAL_TERM_2                                                                                       \
    PARTIAL_TERM_3                                                                                       \
    PARTIAL_TERM_4                                                                                       \
    PARTIAL_TERM_5                                                                                       \
    PARTIAL_TERM_6                                                                                       \
    PARTIAL_TERM_7                                                                                       \
    OP(subs, "x10", "x10", "#8",                            "terms left")                                \
    MCA_END                                                                                              \
    OP(b.ge, "33b",                                         "next 8")                                    \
    OP(adds, "x10", "x10", "#8",                            "the last terms")                            \
    OP(b.eq, "35f",                                         "none")                                      \
    OP(ldp, Q(16), Q(17), "[x23]", "#32",                   "the last W[r,k]")                           \
    PARTIAL_TERM_0                                                                                       \
    UNLESS_LAST                                                                                          \
    PARTIAL_TERM_1                                                                                       \
    UNLESS_LAST                                                                                          \
    PARTIAL_TERM_2                                                                                       \
    UNLESS_LAST                                                                                          \
    PARTIAL_TERM_3                                                                                       \
    UNLESS_LAST                                                                                          \
    PARTIAL_TERM_4                                                                                       \
    UNLESS_LAST                                                                                          \
    PARTIAL_TERM_5                                                                                       \
    UNLESS_LAST                                                                                          \
    PARTIAL_TERM_6                                                                                       \
    LABEL(35)                                                                                            \
    OP(fadd, S4(0), S4(0), S4(8),                           "s_0 = p_0 + p_4")                           \
    OP(fadd, S4(1), S4(1), S4(9),                           "lanes 4 to 7")                              \
    OP(fadd, S4(2), S4(2), S4(10),                          "s_1")                                       \
    OP(fadd, S4(3), S4(3), S4(11),                          "lanes 4 to 7")                              \
    OP(fadd, S4(4), S4(4), S4(12),                          "s_2")                                       \
    OP(fadd, S4(5), S4(5), S4(13),                          "lanes 4 to 7")                              \
    OP(fadd, S4(6), S4(6), S4(14),                          "s_3")                                       \
    OP(fadd, S4(7), S4(7), S4(15),                          "lanes 4 to 7")                              \
    OP(fadd, S4(0), S4(0), S4(4),                           "t_0 = s_0 + s_2")                           \
    OP(fadd, S4(1), S4(1), S4(5),                           "lanes 4 to 7")                              \
    OP(fadd, S4(2), S4(2), S4(6),                           "t_1")                                       \
    OP(fadd, S4(3), S4(3), S4(7),                           "lanes 4 to 7")                              \
    OP(fadd, S4(0), S4(0), S4(2),                           "y_r = t_0 + t_1")                           \
    OP(fadd, S4(1), S4(1), S4(3),                           "lanes 4 to 7")                              \
    ACTIVATE(2)                                                                                          \
    OP(stp, Q(0), Q(1), "[x22]", "#32",                     "y_r")                                       \
    OP(tbz, "x22", "#5", "36f",                             "lanes 8 to 15 next? no")                    \
    OP(ldr, "x10", AT("x24", columns),                      "inputs")                                    \
    OP(add, "x10", "x10", "#15",                            "and the bias, rounded up")                  \
    OP(and, "x10", "x10", "#-8",                            "to a multiple of 8")                        \
    OP(sub, "x23", "x23", "x10, lsl #2",                    "back by a row: b_r")                        \
    OP(add, "x9", "x21", "#32",                             "x_0 of lanes 8 to 15")                      \
    OP(b, "32b",                                            "the same for them")                         \
    LABEL(36)                                                                                            \
    OP(subs, "x11", "x11", "#1",                            "rows left")                                 \
    OP(b.ne, "31b",                                         "next row")                                  \
    OP(add, "x23", "x23", "#32",                            "the next layer begins at a multiple of 64")

void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(ARGMAX)
        : : OPERANDS : CLOBBERS);
}

void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(THRESHOLD)
        : : OPERANDS : CLOBBERS);
}

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(BOX)
        : : OPERANDS : CLOBBERS);
}

// Rows r..r+15 of a tile, whose number is that of the register that stands in it.
#define TILE_BIAS(tile, x, y, z, w)                                                                      \
    OP(ldp, Q(x), Q(y), "[x" #tile "]", "#32",              "y_r..r+7 = b_r..r+7")                       \
    OP(ldp, Q(z), Q(w), "[x" #tile "]", "#32",              "y_r+8..r+15")
#define TILE_TERM(tile, x, y, z, w, a, c, d, e)                                                          \
    OP(ldp, Q(a), Q(c), "[x" #tile "]", "#32",              "W[r..r+7,k]")                               \
    OP(ldp, Q(d), Q(e), "[x" #tile "]", "#32",              "W[r+8..r+15,k]")                            \
    OP(fmla, S4(x), S4(a), S_OF(16, 0),                     "y_r..r+3 + W[r..r+3,k]*x_k")                \
    OP(fmla, S4(y), S4(c), S_OF(16, 0),                     "y_r+4..r+7")                                \
    OP(fmla, S4(z), S4(d), S_OF(16, 0),                     "y_r+8..r+11")                               \
    OP(fmla, S4(w), S4(e), S_OF(16, 0),                     "y_r+12..r+15")
#define STORE_TILE(x, y, z, w)                                                                           \
    OP(stp, Q(x), Q(y), "[x22]", "#32",                     "y_r..r+7")                                  \
    OP(stp, Q(z), Q(w), "[x22]", "#32",                     "y_r+8..r+15")

void act_argmax_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        ARGMAX_SINGLE
        : : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_threshold_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        THRESHOLD_SINGLE
        : : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_box_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        BOX_SINGLE
        : : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

// clang-format on

}  // namespace

Act* policies::mlp(const PolicyBatch* policy, bool single) {
    switch (policy->head) {
        case Head::argmax:
            return single ? act_argmax_single : act_argmax;
        case Head::threshold:
            return single ? act_threshold_single : act_threshold;
        case Head::box:
            return single ? act_box_single : act_box;
        case Head::vote:
            break;
    }
    return nullptr;
}

}  // namespace compute_layers::asm_aarch64
