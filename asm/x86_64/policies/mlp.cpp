// SPDX-License-Identifier: MIT
// Level asm, AVX2 and FMA, of the family `mlp`: every layer for up to 16 observations at a time, or for one,
// then a head. Comments in the words of python/compute_layers/policies/{linear,mlp}.py; cpp/policies/mlp.cpp
// says how the weights were packed.
#include "mlp.hpp"

#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

struct Constants { ACTIVATION_CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { ACTIVATION_CONSTANTS(ROW_VALUE) };

// y = tanh(y) in registers a and b, with the scratch registers z, p, q and u, w, v.
#define TANH_2(a, b, z, p, q, u, w, v)                                                                   \
    OP(vmovaps, C(minus_limit), Y(z),                       "-LIMIT")                                    \
    OP(vmovaps, C(minus_limit), Y(u),                       "-LIMIT")                                    \
    OP(vmovaps, C(limit), Y(q),                             "LIMIT")                                     \
    OP(vmaxps, Y(a), Y(z), Y(a),                            "y = -LIMIT if -LIMIT > x else x")           \
    OP(vmaxps, Y(b), Y(u), Y(b),                            "y")                                         \
    OP(vminps, Y(a), Y(q), Y(a),                            "y = LIMIT if LIMIT < y else y")             \
    OP(vminps, Y(b), Y(q), Y(b),                            "y")                                         \
    OP(vmulps, Y(a), Y(a), Y(z),                            "z = y*y")                                   \
    OP(vmulps, Y(b), Y(b), Y(u),                            "z")                                         \
    OP(vmovaps, C(P0), Y(p),                                "P[0]")                                      \
    OP(vmovaps, C(P0), Y(w),                                "P[0]")                                      \
    OP(vaddps, C(Q0), Y(z), Y(q),                           "z + Q[0]")                                  \
    OP(vaddps, C(Q0), Y(u), Y(v),                           "z + Q[0]")                                  \
    OP(vfmadd213ps, C(P1), Y(z), Y(p),                      "p*z + P[1]")                                \
    OP(vfmadd213ps, C(P1), Y(u), Y(w),                      "p*z + P[1]")                                \
    OP(vfmadd213ps, C(Q1), Y(z), Y(q),                      "q*z + Q[1]")                                \
    OP(vfmadd213ps, C(Q1), Y(u), Y(v),                      "q*z + Q[1]")                                \
    OP(vfmadd213ps, C(P2), Y(z), Y(p),                      "p*z + P[2]")                                \
    OP(vfmadd213ps, C(P2), Y(u), Y(w),                      "p*z + P[2]")                                \
    OP(vfmadd213ps, C(Q2), Y(z), Y(q),                      "q*z + Q[2]")                                \
    OP(vfmadd213ps, C(Q2), Y(u), Y(v),                      "q*z + Q[2]")                                \
    OP(vfmadd213ps, C(P3), Y(z), Y(p),                      "p = p*z + P[3]")                            \
    OP(vfmadd213ps, C(P3), Y(u), Y(w),                      "p")                                         \
    OP(vfmadd213ps, C(Q3), Y(z), Y(q),                      "q = q*z + Q[3]")                            \
    OP(vfmadd213ps, C(Q3), Y(u), Y(v),                      "q")                                         \
    OP(vmulps, Y(a), Y(p), Y(a),                            "y*p")                                       \
    OP(vmulps, Y(b), Y(w), Y(b),                            "y*p")                                       \
    OP(vdivps, Y(q), Y(a), Y(a),                            "y*p / q")                                   \
    OP(vdivps, Y(v), Y(b), Y(b),                            "y*p / q")

// y = relu(y) in register a; vmaxps gives its last source, here 0.0, unless the other is truly greater.
#define RELU(a, zero)                                                                                    \
    OP(vmaxps, Y(zero), Y(a), Y(a),                         "y if y > 0 else 0")

// y = sigmoid(y) in register a.
#define SIGMOID(a, t, p, n)                                                                              \
    OP(vmovaps, C(lowest), Y(t),                            "LOWEST")                                    \
    OP(vmovaps, C(highest), Y(p),                           "HIGHEST")                                   \
    OP(vmaxps, Y(a), Y(t), Y(a),                            "y = LOWEST if LOWEST > x else x")           \
    OP(vminps, Y(a), Y(p), Y(a),                            "y = HIGHEST if HIGHEST < y else y")         \
    OP(vmovaps, C(minus_log2_e), Y(t),                      "MINUS_LOG2_E")                              \
    OP(vmovaps, C(E0), Y(p),                                "EXP[0]")                                    \
    OP(vfmadd213ps, C(round), Y(a), Y(t),                   "t = y*MINUS_LOG2_E + ROUND")                \
    OP(vsubps, C(round), Y(t), Y(n),                        "n = t - ROUND")                             \
    OP(vpslld, "$23", Y(t), Y(t),                           "2**n")                                      \
    OP(vfmadd231ps, C(ln2_high), Y(n), Y(a),                "y + n*LN2_HIGH")                            \
    OP(vfmadd231ps, C(ln2_low), Y(n), Y(a),                 "q, and n*LN2_LOW")                          \
    OP(vmovaps, C(one), Y(n),                               "1.0")                                       \
    OP(vfmadd213ps, C(E1), Y(a), Y(p),                      "p*q + EXP[1]")                              \
    OP(vfmadd213ps, C(E2), Y(a), Y(p),                      "p*q + EXP[2]")                              \
    OP(vfmadd213ps, C(E3), Y(a), Y(p),                      "p*q + EXP[3]")                              \
    OP(vfmadd213ps, C(E4), Y(a), Y(p),                      "p*q + EXP[4]")                              \
    OP(vfmadd213ps, C(E5), Y(a), Y(p),                      "p*q + EXP[5]")                              \
    OP(vfmadd213ps, C(E6), Y(a), Y(p),                      "p = p*q + EXP[6]")                          \
    OP(vfmadd213ps, Y(n), Y(t), Y(p),                       "p*2**n + 1")                                \
    OP(vdivps, Y(p), Y(n), Y(a),                            "1 / (p*2**n + 1)")

// The activation, if there is one after this layer, of registers 0 and 1, of 0 to 7, or of 0 alone.
#define TANH_OF_2 TANH_2(0, 1, 8, 9, 10, 11, 12, 13)
#define TANH_OF_8                                                                                        \
    TANH_2(0, 1, 8, 9, 10, 11, 12, 13)                                                                   \
    TANH_2(2, 3, 8, 9, 10, 11, 12, 13)                                                                   \
    TANH_2(4, 5, 8, 9, 10, 11, 12, 13)                                                                   \
    TANH_2(6, 7, 8, 9, 10, 11, 12, 13)
#define RELU_ZERO OP(vxorps, X(8), X(8), X(8),              "0.0")
#define RELU_OF_2 RELU_ZERO RELU(0, 8) RELU(1, 8)
#define RELU_OF_8                                                                                        \
    RELU_OF_2 RELU(2, 8) RELU(3, 8) RELU(4, 8) RELU(5, 8) RELU(6, 8) RELU(7, 8)
#define SIGMOID_OF_2 SIGMOID(0, 8, 9, 10) SIGMOID(1, 11, 12, 13)
#define SIGMOID_OF_8                                                                                     \
    SIGMOID(0, 8, 9, 10) SIGMOID(1, 11, 12, 13) SIGMOID(2, 8, 9, 10) SIGMOID(3, 11, 12, 13)              \
    SIGMOID(4, 8, 9, 10) SIGMOID(5, 11, 12, 13) SIGMOID(6, 8, 9, 10) SIGMOID(7, 11, 12, 13)

#define TERM(w, a, b, note)                                                                              \
    OP(vfmadd231ps, Y(8), Y(w), Y(a),                       note)                                        \
    OP(vfmadd231ps, Y(9), Y(w), Y(b),                       note)

//  Vector registers of act_<head>, besides those of layer.hpp
//
//  ymm0, ymm1   y_r of lanes 0 to 7, 8 to 15; ymm2-7 those of r+1 to r+3   ymm8, ymm9  x_k  ymm10-13  W[r,k] ..
//  ymm0-7       partial sums of 8 lanes                                    ymm8        W[r,k]
//  ymm8-13      scratch of the activations

// Rows r .. r+3 of a tile: y_r = b_r, then W[r,k]*x_k, k ascending.
#define SUM_ROWS                                                                                         \
    OP(vbroadcastss, "(%%r10)", Y(0),                       "y_r = b_r")                                 \
    OP(vbroadcastss, "4(%%r10)", Y(2),                      "y_r+1")                                     \
    OP(vbroadcastss, "8(%%r10)", Y(4),                      "y_r+2")                                     \
    OP(vbroadcastss, "12(%%r10)", Y(6),                     "y_r+3")                                     \
    OP(vmovaps, Y(0), Y(1),                                 "lanes 8 to 15")                             \
    OP(vmovaps, Y(2), Y(3),                                 "lanes 8 to 15")                             \
    OP(vmovaps, Y(4), Y(5),                                 "lanes 8 to 15")                             \
    OP(vmovaps, Y(6), Y(7),                                 "lanes 8 to 15")                             \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(mov, "%%r8", "%%rcx",                                "x_0")                                       \
    LOOP(6)                                                                                              \
    MCA_BEGIN("mlp/sum_rows lanes=16")                                                                   \
    OP(add, "$64", "%%r10",                                 "W[r,k]")                                    \
    OP(vmovaps, "(%%rcx)", Y(8),                            "x_k")                                       \
    OP(vmovaps, "32(%%rcx)", Y(9),                          "x_k, lanes 8 to 15")                        \
    OP(vbroadcastss, "(%%r10)", Y(10),                      "W[r,k]")                                    \
    OP(vbroadcastss, "4(%%r10)", Y(11),                     "W[r+1,k]")                                  \
    OP(vbroadcastss, "8(%%r10)", Y(12),                     "W[r+2,k]")                                  \
    OP(vbroadcastss, "12(%%r10)", Y(13),                    "W[r+3,k]")                                  \
    TERM(10, 0, 1,                                          "y_r + W[r,k]*x_k")                          \
    TERM(11, 2, 3,                                          "y_r+1 + W[r+1,k]*x_k")                      \
    TERM(12, 4, 5,                                          "y_r+2 + W[r+2,k]*x_k")                      \
    TERM(13, 6, 7,                                          "y_r+3 + W[r+3,k]*x_k")                      \
    OP(add, "$64", "%%rcx",                                 "x_k+1")                                     \
    OP(dec, "%%rax",                                        "inputs left")                               \
    MCA_END                                                                                              \
    OP(jnz, "6b",                                           "next k")

#define STORE_ROWS                                                                                       \
    OP(vmovaps, Y(0), "(%%rdx)",                            "y_r")                                       \
    OP(vmovaps, Y(1), "32(%%rdx)",                          "y_r, lanes 8 to 15")                        \
    OP(vmovaps, Y(2), "64(%%rdx)",                          "y_r+1")                                     \
    OP(vmovaps, Y(3), "96(%%rdx)",                          "y_r+1, lanes 8 to 15")                      \
    OP(vmovaps, Y(4), "128(%%rdx)",                         "y_r+2")                                     \
    OP(vmovaps, Y(5), "160(%%rdx)",                         "y_r+2, lanes 8 to 15")                      \
    OP(vmovaps, Y(6), "192(%%rdx)",                         "y_r+3")                                     \
    OP(vmovaps, Y(7), "224(%%rdx)",                         "y_r+3, lanes 8 to 15")                      \
    OP(add, "$256", "%%rdx",                                "y_r+4")

// All rows, four at a time. r10 stands inputs * 64 bytes below the next four of the tile, or 16 below the bias
// of the next tile.
#define TILES                                                                                            \
    SUM_ROWS                                                                                             \
    ACTIVATE(8)                                                                                          \
    STORE_ROWS                                                                                           \
    OP(add, "$64", "%%r10",                                 "behind the last term")                      \
    OP(sub, "$4", "%%r11",                                  "rows left")                                 \
    OP(jle, "9f",                                           "none")                                      \
    OP(add, "$16", "%%r10",                                 "the next four rows")                        \
    OP(test, "$48", "%%r10b",                               "of the next tile?")                         \
    OP(jz, "7f",                                            "yes")                                       \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(shl, "$6", "%%rax",                                  "bytes of a tile's weights")                 \
    OP(sub, "%%rax", "%%r10",                               "back to this tile")                         \
    LABEL(7)                                                                                             \
    OP(sub, "$64", "%%r10",                                 "b_r")                                       \
    OP(jmp, "5b",                                           "next rows")

#define PARTIAL_TERM(j)                                                                                  \
    OP(vbroadcastss, "4*" #j "(%%r10)", Y(8),               "W[r,k]")                                    \
    OP(vfmadd231ps, "64*" #j "(%%rcx)", Y(8), Y(j),         "p_j + W[r,k]*x_k")
#define LAST_PARTIAL_TERM(j)                                                                             \
    PARTIAL_TERM(j)                                                                                      \
    OP(dec, "%%rax",                                        "terms left")                                \
    OP(jz, "34f",                                           "none")

// Row after row, for each half of the lanes: p_j takes the terms with k % 8 = j, p_0 starts with b_r.
#define PARTIAL_ROWS                                                                                     \
    LABEL(31)                                                                                            \
    OP(mov, "%%r8", "%%rcx",                                "x_0")                                       \
    LABEL(32)                                                                                            \
    OP(vbroadcastss, "(%%r10)", Y(0),                       "p_0 = b_r")                                 \
    OP(vxorps, X(1), X(1), X(1),                            "p_1 = 0")                                   \
    OP(vxorps, X(2), X(2), X(2),                            "p_2")                                       \
    OP(vxorps, X(3), X(3), X(3),                            "p_3")                                       \
    OP(vxorps, X(4), X(4), X(4),                            "p_4")                                       \
    OP(vxorps, X(5), X(5), X(5),                            "p_5")                                       \
    OP(vxorps, X(6), X(6), X(6),                            "p_6")                                       \
    OP(vxorps, X(7), X(7), X(7),                            "p_7")                                       \
    OP(add, "$32", "%%r10",                                 "W[r,0]")                                    \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(sub, "$8", "%%rax",                                  "8 terms: there are 32")                     \
    LOOP(33)                                                                                             \
    MCA_BEGIN("mlp/partial_row lanes=8")                                                                 \
    PARTIAL_TERM(0)                                                                                      \
    PARTIAL_TERM(1)                                                                                      \
    PARTIAL_TERM(2)                                                                                      \
    PARTIAL_TERM(3)                                                                                      \
    PARTIAL_TERM(4)                                                                                      \
    PARTIAL_TERM(5)                                                                                      \
    PARTIAL_TERM(6)                                                                                      \
    PARTIAL_TERM(7)                                                                                      \
    OP(add, "$32", "%%r10",                                 "k + 8")                                     \
    OP(add, "$512", "%%rcx",                                "k + 8")                                     \
    OP(sub, "$8", "%%rax",                                  "terms left")                                \
    MCA_END                                                                                              \
    OP(jge, "33b",                                          "next 8")                                    \
    OP(add, "$8", "%%rax",                                  "the last terms")                            \
    OP(jz, "35f",                                           "none")                                      \
    LAST_PARTIAL_TERM(0)                                                                                 \
    LAST_PARTIAL_TERM(1)                                                                                 \
    LAST_PARTIAL_TERM(2)                                                                                 \
    LAST_PARTIAL_TERM(3)                                                                                 \
    LAST_PARTIAL_TERM(4)                                                                                 \
    LAST_PARTIAL_TERM(5)                                                                                 \
    PARTIAL_TERM(6)                                                                                      \
    LABEL(34)                                                                                            \
    OP(add, "$32", "%%r10",                                 "the next row")                              \
    LABEL(35)                                                                                            \
    OP(vaddps, Y(4), Y(0), Y(0),                            "s_0 = p_0 + p_4")                           \
    OP(vaddps, Y(5), Y(1), Y(1),                            "s_1")                                       \
    OP(vaddps, Y(6), Y(2), Y(2),                            "s_2")                                       \
    OP(vaddps, Y(7), Y(3), Y(3),                            "s_3")                                       \
    OP(vaddps, Y(2), Y(0), Y(0),                            "t_0 = s_0 + s_2")                           \
    OP(vaddps, Y(3), Y(1), Y(1),                            "t_1")                                       \
    OP(vaddps, Y(1), Y(0), Y(0),                            "y_r = t_0 + t_1")                           \
    ACTIVATE(2)                                                                                          \
    OP(vmovaps, Y(0), "(%%rdx)",                            "y_r")                                       \
    OP(add, "$32", "%%rdx",                                 "lanes 8 to 15, or y_r+1")                   \
    OP(test, "$32", "%%dl",                                 "lanes 8 to 15 next?")                       \
    OP(jz, "36f",                                           "no")                                        \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(add, "$15", "%%rax",                                 "and the bias, rounded up")                  \
    OP(and, "$-8", "%%rax",                                 "to a multiple of 8")                        \
    OP(neg, "%%rax",                                        "back by a row")                             \
    OP(lea, "(%%r10,%%rax,4)", "%%r10",                     "b_r")                                       \
    OP(lea, "32(%%r8)", "%%rcx",                            "x_0 of lanes 8 to 15")                      \
    OP(jmp, "32b",                                          "the same for them")                         \
    LABEL(36)                                                                                            \
    OP(dec, "%%r11",                                        "rows left")                                 \
    OP(jnz, "31b",                                          "next row")                                  \
    OP(add, "$32", "%%r10",                                 "the next layer begins at a multiple of 64")

void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(ARGMAX)
        : [b] "+r"(batch) : OPERANDS : GENERAL_CLOBBERS, YMM_CLOBBERS);
}

void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(THRESHOLD)
        : [b] "+r"(batch) : OPERANDS : GENERAL_CLOBBERS, YMM_CLOBBERS);
}

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(BOX)
        : [b] "+r"(batch) : OPERANDS : GENERAL_CLOBBERS, YMM_CLOBBERS);
}

#define V(n) Y(n)
#define TANH_OF_FOUR_TILES TANH_OF_8
#define TANH_OF_ONE_TILE TANH_OF_2
#define RELU_OF_FOUR_TILES RELU_OF_8
#define RELU_OF_ONE_TILE RELU_OF_2
#define SIGMOID_OF_FOUR_TILES SIGMOID_OF_8
#define SIGMOID_OF_ONE_TILE SIGMOID_OF_2

// W[r..r+15,k] * x_k of a tile.
#define TILE_TERM(tile, a, b)                                                                            \
    OP(vfmadd231ps, "(%%r10" tile ")", Y(8), Y(a),          "y_r..r+7 + W[r..r+7,k]*x_k")                \
    OP(vfmadd231ps, "32(%%r10" tile ")", Y(8), Y(b),        "y_r+8..r+15")
#define TILE_BIAS(tile, a, b)                                                                            \
    OP(vmovaps, "(%%r10" tile ")", Y(a),                    "y_r..r+7 = b_r..r+7")                       \
    OP(vmovaps, "32(%%r10" tile ")", Y(b),                  "y_r+8..r+15")
#define STORE_TILE(at, a, b)                                                                             \
    OP(vmovaps, Y(a), #at "(%%rdx)",                        "y_r..r+7")                                  \
    OP(vmovaps, Y(b), "32+" #at "(%%rdx)",                  "y_r+8..r+15")

void act_argmax_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        ARGMAX_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS, YMM_CLOBBERS);
}

void act_threshold_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        THRESHOLD_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS, YMM_CLOBBERS);
}

void act_box_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        BOX_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS, YMM_CLOBBERS);
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

}  // namespace compute_layers::asm_x86_64
