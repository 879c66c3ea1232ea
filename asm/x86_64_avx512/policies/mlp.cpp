// SPDX-License-Identifier: MIT
// Level asm, AVX-512, of the family `mlp`: as asm/x86_64/policies/mlp.cpp, 16 rows of 16 observations at a
// time. Comments in the words of python/compute_layers/policies/{linear,mlp}.py.
#include "../../x86_64/policies/mlp.hpp"

#include "../kernel.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64_avx512 {
namespace {

// clang-format off

struct Constants { ACTIVATION_CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { ACTIVATION_CONSTANTS(ROW_VALUE) };

// y = tanh(y) in register x, in three parts, so that four of them overlap.
#define TANH_CLIP(x, z, p)                                                                               \
    OP(vbroadcastss, C(minus_limit), Z(z),                  "-LIMIT")                                    \
    OP(vbroadcastss, C(limit), Z(p),                        "LIMIT")                                     \
    OP(vmaxps, Z(x), Z(z), Z(x),                            "y = -LIMIT if -LIMIT > x else x")           \
    OP(vminps, Z(x), Z(p), Z(x),                            "y = LIMIT if LIMIT < y else y")             \
    OP(vmulps, Z(x), Z(x), Z(z),                            "z = y*y")
#define TANH_SUMS(x, z, p, q)                                                                            \
    OP(vbroadcastss, C(P0), Z(p),                           "P[0]")                                      \
    OP(vaddps, EACH(Q0), Z(z), Z(q),                        "z + Q[0]")                                  \
    OP(vfmadd213ps, EACH(P1), Z(z), Z(p),                   "p*z + P[1]")                                \
    OP(vfmadd213ps, EACH(Q1), Z(z), Z(q),                   "q*z + Q[1]")                                \
    OP(vfmadd213ps, EACH(P2), Z(z), Z(p),                   "p*z + P[2]")                                \
    OP(vfmadd213ps, EACH(Q2), Z(z), Z(q),                   "q*z + Q[2]")                                \
    OP(vfmadd213ps, EACH(P3), Z(z), Z(p),                   "p = p*z + P[3]")                            \
    OP(vfmadd213ps, EACH(Q3), Z(z), Z(q),                   "q = q*z + Q[3]")                            \
    OP(vmulps, Z(x), Z(p), Z(x),                            "y*p")                                       \
    OP(vdivps, Z(q), Z(x), Z(x),                            "y*p / q")
#define TANH_4(a, b, c, d)                                                                               \
    TANH_CLIP(a, 16, 17) TANH_CLIP(b, 19, 20) TANH_CLIP(c, 22, 23) TANH_CLIP(d, 25, 26)                  \
    TANH_SUMS(a, 16, 17, 18) TANH_SUMS(b, 19, 20, 21) TANH_SUMS(c, 22, 23, 24) TANH_SUMS(d, 25, 26, 27)

// y = relu(y) in register a; vmaxps gives its last source, here 0.0, unless the other is truly greater.
#define RELU(a)                                                                                          \
    OP(vmaxps, Z(16), Z(a), Z(a),                           "y if y > 0 else 0")

// y = sigmoid(y) in register a.
#define SIGMOID(a, t, p, n)                                                                              \
    OP(vbroadcastss, C(lowest), Z(t),                       "LOWEST")                                    \
    OP(vbroadcastss, C(highest), Z(p),                      "HIGHEST")                                   \
    OP(vmaxps, Z(a), Z(t), Z(a),                            "y = LOWEST if LOWEST > x else x")           \
    OP(vminps, Z(a), Z(p), Z(a),                            "y = HIGHEST if HIGHEST < y else y")         \
    OP(vbroadcastss, C(minus_log2_e), Z(t),                 "MINUS_LOG2_E")                              \
    OP(vbroadcastss, C(E0), Z(p),                           "EXP[0]")                                    \
    OP(vfmadd213ps, EACH(round), Z(a), Z(t),                "t = y*MINUS_LOG2_E + ROUND")                \
    OP(vsubps, EACH(round), Z(t), Z(n),                     "n = t - ROUND")                             \
    OP(vpslld, "$23", Z(t), Z(t),                           "2**n")                                      \
    OP(vfmadd231ps, EACH(ln2_high), Z(n), Z(a),             "y + n*LN2_HIGH")                            \
    OP(vfmadd231ps, EACH(ln2_low), Z(n), Z(a),              "q, and n*LN2_LOW")                          \
    OP(vbroadcastss, C(one), Z(n),                          "1.0")                                       \
    OP(vfmadd213ps, EACH(E1), Z(a), Z(p),                   "p*q + EXP[1]")                              \
    OP(vfmadd213ps, EACH(E2), Z(a), Z(p),                   "p*q + EXP[2]")                              \
    OP(vfmadd213ps, EACH(E3), Z(a), Z(p),                   "p*q + EXP[3]")                              \
    OP(vfmadd213ps, EACH(E4), Z(a), Z(p),                   "p*q + EXP[4]")                              \
    OP(vfmadd213ps, EACH(E5), Z(a), Z(p),                   "p*q + EXP[5]")                              \
    OP(vfmadd213ps, EACH(E6), Z(a), Z(p),                   "p = p*q + EXP[6]")                          \
    OP(vfmadd213ps, Z(n), Z(t), Z(p),                       "p*2**n + 1")                                \
    OP(vdivps, Z(p), Z(n), Z(a),                            "1 / (p*2**n + 1)")

// The activation of register 0, of 0 to 7 or of 0 to 15; registers from 16 on are scratch.
#define TANH_OF_1 TANH_CLIP(0, 16, 17) TANH_SUMS(0, 16, 17, 18)
#define TANH_OF_8 TANH_4(0, 1, 2, 3) TANH_4(4, 5, 6, 7)
#define TANH_OF_16 TANH_OF_8 TANH_4(8, 9, 10, 11) TANH_4(12, 13, 14, 15)
#define RELU_OF_1 OP(vpxord, Z(16), Z(16), Z(16),           "0.0") RELU(0)
#define RELU_OF_8 RELU_OF_1 RELU(1) RELU(2) RELU(3) RELU(4) RELU(5) RELU(6) RELU(7)
#define RELU_OF_16 RELU_OF_8 RELU(8) RELU(9) RELU(10) RELU(11) RELU(12) RELU(13) RELU(14) RELU(15)
#define SIGMOID_OF_1 SIGMOID(0, 16, 17, 18)
#define SIGMOID_OF_8                                                                                     \
    SIGMOID(0, 16, 17, 18) SIGMOID(1, 19, 20, 21) SIGMOID(2, 22, 23, 24) SIGMOID(3, 25, 26, 27)          \
    SIGMOID(4, 16, 17, 18) SIGMOID(5, 19, 20, 21) SIGMOID(6, 22, 23, 24) SIGMOID(7, 25, 26, 27)
#define SIGMOID_OF_16                                                                                    \
    SIGMOID_OF_8 SIGMOID(8, 16, 17, 18) SIGMOID(9, 19, 20, 21) SIGMOID(10, 22, 23, 24)                   \
    SIGMOID(11, 25, 26, 27) SIGMOID(12, 16, 17, 18) SIGMOID(13, 19, 20, 21) SIGMOID(14, 22, 23, 24)      \
    SIGMOID(15, 25, 26, 27)

#define EACH_OF_8(MACRO) MACRO(0) MACRO(1) MACRO(2) MACRO(3) MACRO(4) MACRO(5) MACRO(6) MACRO(7)
#define EACH_OF_16(MACRO)                                                                                \
    EACH_OF_8(MACRO) MACRO(8) MACRO(9) MACRO(10) MACRO(11) MACRO(12) MACRO(13) MACRO(14) MACRO(15)

//  Vector registers of act_<head>, besides those of layer.hpp
//
//  zmm0-15   y_r .. y_r+15 of 16 lanes; zmm0-7 also the partial sums of a row   zmm16, zmm17  x_k, x_k+1
//  zmm16-27  scratch of the activations

#define BIAS(r)                                                                                          \
    OP(vbroadcastss, "4*" #r "(%%r10)", Z(r),               "y_r = b_r")
#define TERM(r)                                                                                          \
    OP(vfmadd231ps, "4*" #r "(%%r10)%{1to16%}", Z(16), Z(r), "y_r + W[r,k]*x_k")
#define NEXT_TERM(r)                                                                                     \
    OP(vfmadd231ps, "64+4*" #r "(%%r10)%{1to16%}", Z(17), Z(r), "y_r + W[r,k+1]*x_k+1")
#define STORE(r)                                                                                         \
    OP(vmovaps, Z(r), "64*" #r "(%%rdx)",                   "y_r")

// `count` rows of a tile: y_r = b_r, then W[r,k]*x_k, k ascending, two k at a time after the odd one.
#define ROWS(count)                                                                                      \
    EACH_OF_##count(BIAS)                                                                                \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(mov, "%%r8", "%%rcx",                                "x_0")                                       \
    OP(add, "$64", "%%r10",                                 "W[r,0]")                                    \
    OP(test, "$1", "%%al",                                  "an odd number of terms?")                   \
    OP(jz, "6f",                                            "no")                                        \
    OP(vmovaps, "(%%rcx)", Z(16),                           "x_0")                                       \
    EACH_OF_##count(TERM)                                                                                \
    OP(add, "$64", "%%r10",                                 "k + 1")                                     \
    OP(add, "$64", "%%rcx",                                 "k + 1")                                     \
    OP(dec, "%%rax",                                        "terms left")                                \
    OP(jz, "8f",                                            "none")                                      \
    LOOP(6)                                                                                              \
    MCA_BEGIN("mlp/sum_rows rows=" #count " lanes=16")                                                   \
    OP(vmovaps, "(%%rcx)", Z(16),                           "x_k")                                       \
    OP(vmovaps, "64(%%rcx)", Z(17),                         "x_k+1")                                     \
    EACH_OF_##count(TERM)                                                                                \
    EACH_OF_##count(NEXT_TERM)                                                                           \
    OP(sub, "$-128", "%%r10",                               "k + 2")                                     \
    OP(sub, "$-128", "%%rcx",                               "k + 2")                                     \
    OP(sub, "$2", "%%rax",                                  "terms left")                                \
    MCA_END                                                                                              \
    OP(jnz, "6b",                                           "next k")                                    \
    LABEL(8)                                                                                             \
    ACTIVATE(count)                                                                                      \
    EACH_OF_##count(STORE)

#define TILES                                                                                            \
    OP(cmp, "$8", "%%r11",                                  "8 rows or less left?")                      \
    OP(jle, "7f",                                           "yes")                                       \
    ROWS(16)                                                                                             \
    OP(add, "$1024", "%%rdx",                               "y_r+16")                                    \
    OP(sub, "$16", "%%r11",                                 "rows left")                                 \
    OP(jg, "5b",                                            "next tile")                                 \
    OP(jmp, "9f",                                           "none")                                      \
    LABEL(7)                                                                                             \
    ROWS(8)                                                                                              \
    OP(jmp, "9f",                                           "that was all")

#define PARTIAL_TERM(j)                                                                                  \
    OP(vmovaps, "64*" #j "(%%rcx)", Z(16),                  "x_k")                                       \
    OP(vfmadd231ps, "4*" #j "(%%r10)%{1to16%}", Z(16), Z(j), "p_j + W[r,k]*x_k")
#define LAST_PARTIAL_TERM(j)                                                                             \
    PARTIAL_TERM(j)                                                                                      \
    OP(dec, "%%rax",                                        "terms left")                                \
    OP(jz, "34f",                                           "none")

// Row after row: p_j takes the terms with k % 8 = j, p_0 starts with b_r.
#define PARTIAL_ROWS                                                                                     \
    LABEL(31)                                                                                            \
    OP(vbroadcastss, "(%%r10)", Z(0),                       "p_0 = b_r")                                 \
    OP(vxorps, X(1), X(1), X(1),                            "p_1 = 0")                                   \
    OP(vxorps, X(2), X(2), X(2),                            "p_2 = 0")                                   \
    OP(vxorps, X(3), X(3), X(3),                            "p_3 = 0")                                   \
    OP(vxorps, X(4), X(4), X(4),                            "p_4 = 0")                                   \
    OP(vxorps, X(5), X(5), X(5),                            "p_5 = 0")                                   \
    OP(vxorps, X(6), X(6), X(6),                            "p_6 = 0")                                   \
    OP(vxorps, X(7), X(7), X(7),                            "p_7 = 0")                                   \
    OP(mov, "%%r8", "%%rcx",                                "x_0")                                       \
    OP(add, "$32", "%%r10",                                 "W[r,0]")                                    \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(sub, "$8", "%%rax",                                  "8 terms: there are 32")                     \
    LOOP(33)                                                                                             \
    MCA_BEGIN("mlp/partial_row lanes=16")                                                                \
    EACH_OF_8(PARTIAL_TERM)                                                                              \
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
    OP(vaddps, Z(4), Z(0), Z(0),                            "s_0 = p_0 + p_4")                           \
    OP(vaddps, Z(5), Z(1), Z(1),                            "s_1")                                       \
    OP(vaddps, Z(6), Z(2), Z(2),                            "s_2")                                       \
    OP(vaddps, Z(7), Z(3), Z(3),                            "s_3")                                       \
    OP(vaddps, Z(2), Z(0), Z(0),                            "t_0 = s_0 + s_2")                           \
    OP(vaddps, Z(3), Z(1), Z(1),                            "t_1")                                       \
    OP(vaddps, Z(1), Z(0), Z(0),                            "y_r = t_0 + t_1")                           \
    ACTIVATE(1)                                                                                          \
    OP(vmovaps, Z(0), "(%%rdx)",                            "y_r")                                       \
    OP(add, "$64", "%%rdx",                                 "y_r+1")                                     \
    OP(dec, "%%r11",                                        "rows left")                                 \
    OP(jnz, "31b",                                          "next row")                                  \
    OP(add, "$32", "%%r10",                                 "the next layer begins at a multiple of 64")

AVX512 void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(ARGMAX)
        : [b] "+r"(batch) : OPERANDS : GENERAL_CLOBBERS, YMM_CLOBBERS, ZMM_CLOBBERS);
}

AVX512 void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(THRESHOLD)
        : [b] "+r"(batch) : OPERANDS : GENERAL_CLOBBERS, YMM_CLOBBERS, ZMM_CLOBBERS);
}

AVX512 void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LOAD_GROUP
        LAYERS
        DECIDE(BOX)
        : [b] "+r"(batch) : OPERANDS : GENERAL_CLOBBERS, YMM_CLOBBERS, ZMM_CLOBBERS);
}

#define V(n) Z(n)
#define TANH_OF_FOUR_TILES TANH_4(0, 2, 4, 6)
#define TANH_OF_ONE_TILE TANH_OF_1
#define RELU_OF_FOUR_TILES RELU_OF_1 RELU(2) RELU(4) RELU(6)
#define RELU_OF_ONE_TILE RELU_OF_1
#define SIGMOID_OF_FOUR_TILES SIGMOID(0, 16, 17, 18) SIGMOID(2, 19, 20, 21) SIGMOID(4, 22, 23, 24) SIGMOID(6, 25, 26, 27)
#define SIGMOID_OF_ONE_TILE SIGMOID_OF_1

// W[r..r+15,k] * x_k of a tile.
#define TILE_TERM(tile, a, b)                                                                            \
    OP(vfmadd231ps, "(%%r10" tile ")", Z(8), Z(a),          "y_r..r+15 + W[r..r+15,k]*x_k")
#define TILE_BIAS(tile, a, b)                                                                            \
    OP(vmovaps, "(%%r10" tile ")", Z(a),                    "y_r..r+15 = b_r..r+15")
#define STORE_TILE(at, a, b)                                                                             \
    OP(vmovaps, Z(a), #at "(%%rdx)",                        "y_r..r+15")

AVX512 void act_argmax_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        ARGMAX_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS, YMM_CLOBBERS, ZMM_CLOBBERS);
}

AVX512 void act_threshold_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        THRESHOLD_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS, YMM_CLOBBERS, ZMM_CLOBBERS);
}

AVX512 void act_box_single(const PolicyBatch* batch) {
    asm volatile(
        LAYERS_SINGLE
        BOX_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS, YMM_CLOBBERS, ZMM_CLOBBERS);
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

}  // namespace compute_layers::asm_x86_64_avx512
