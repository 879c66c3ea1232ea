// SPDX-License-Identifier: MIT
// Sections of AVX2 kernels of policies with weights: a layer for 8 observations at a time, fused, k
// ascending, and the heads. Comments in the words of python/compute_layers/policies/linear.py.
#pragma once

#include "../kernel.hpp"

// clang-format off

// Where `data` of the second tensor stands from the first.
#define SECOND_TENSOR [second] "i"(sizeof(Tensor) + offsetof(Tensor, data))
static_assert(offsetof(compute_layers::Tensor, data) == 0);

//  Registers of act_<head> and act_<head>_partial.
//
//  rdi  observation 0 of the group   rcx  observation 4, then scratch   rsi, rdx  bytes of 1, 3 observations
//  r10  W[r,k]                       r15  b                             r11  r      rbx  rows
//  r8   x_k of the group; in _partial the bytes of a row's whole vectors    rax  k left, then scratch
//  r12  action of lane 0             r14  bytes of an action (box)      r13  lanes left
//
//  ymm0-3   y_r .. y_r+3 of 8 lanes  ymm4  x_k  ymm5-8  W[r,k] .. W[r+3,k]  ymm8, ymm9  scratch of the heads
//  ymm0-7   y_r .. y_r+7 of 8 lanes  ymm8  x_k  ymm9, ymm12-14  W[r,k] .. W[r+7,k] in turn, rcx  W[r+4,k]
//  ymm0-7   partial sums of lanes 0-7           ymm8    W[r,k..k+7]         ymm14, ymm15  for the last terms
//  ymm10    best   ymm11  its row, int32 (argmax)
#define OBSERVATION_0 "(%%rdi)"
#define OBSERVATION_1 "(%%rdi,%%rsi)"
#define OBSERVATION_2 "(%%rdi,%%rsi,2)"
#define OBSERVATION_3 "(%%rdi,%%rdx)"
#define OBSERVATION_4 "(%%rcx)"
#define OBSERVATION_5 "(%%rcx,%%rsi)"
#define OBSERVATION_6 "(%%rcx,%%rsi,2)"
#define OBSERVATION_7 "(%%rcx,%%rdx)"

#define OPERANDS                                                                                         \
    OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, inputs), OFFSET(PolicyBatch, outputs),                   \
    OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors),         \
    OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high), OFFSET(PolicyBatch, scratch), SECOND_TENSOR

#define CLOBBERS                                                                                         \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r10", "r11", "r12", "r13", "r14", "r15",            \
    YMM_CLOBBERS, "memory", "cc"

// What does not change from group to group; <HEAD>_BEGIN loads rbx.
#define BEGIN                                                                                            \
    OP(mov, "%c[observation](%[b])", "%%rdi",               "observations")                              \
    OP(mov, "%c[inputs](%[b])", "%%rsi",                    "inputs")                                    \
    OP(shl, "$2", "%%rsi",                                  "bytes of an observation")                   \
    OP(lea, "(%%rsi,%%rsi,2)", "%%rdx",                     "bytes of three")                            \
    OP(mov, "%c[action](%[b])", "%%r12",                    "actions")                                   \
    OP(mov, "%c[n](%[b])", "%%r13",                         "lanes")                                     \
    OP(mov, "%c[tensors](%[b])", "%%r15",                   "tensors")                                   \
    OP(mov, "%c[second](%%r15)", "%%r15",                   "b")

#define FIRST_ROW                                                                                        \
    OP(mov, "%c[tensors](%[b])", "%%r10",                   "tensors")                                   \
    OP(mov, "(%%r10)", "%%r10",                             "W[0,0]")                                    \
    OP(xor, "%%r11d", "%%r11d",                             "r = 0")

// Features k .. k+3 of the 8 lanes into scratch.
#define TRANSPOSE_BLOCK                                                                                  \
    OP(vmovups, OBSERVATION_0, X(0),                        "x_k .. x_k+3 of lane 0")                    \
    OP(vmovups, OBSERVATION_1, X(1),                        "lane 1")                                    \
    OP(vmovups, OBSERVATION_2, X(2),                        "lane 2")                                    \
    OP(vmovups, OBSERVATION_3, X(3),                        "lane 3")                                    \
    OP(vinsertf128, "$1", OBSERVATION_4, Y(0), Y(0),        "lanes 0, 4")                                \
    OP(vinsertf128, "$1", OBSERVATION_5, Y(1), Y(1),        "lanes 1, 5")                                \
    OP(vinsertf128, "$1", OBSERVATION_6, Y(2), Y(2),        "lanes 2, 6")                                \
    OP(vinsertf128, "$1", OBSERVATION_7, Y(3), Y(3),        "lanes 3, 7")                                \
    OP(vunpcklps, Y(1), Y(0), Y(4),                         "x_k, x_k+1 of lanes 0 1, 4 5")              \
    OP(vunpckhps, Y(1), Y(0), Y(5),                         "x_k+2, x_k+3 of lanes 0 1, 4 5")            \
    OP(vunpcklps, Y(3), Y(2), Y(6),                         "x_k, x_k+1 of lanes 2 3, 6 7")              \
    OP(vunpckhps, Y(3), Y(2), Y(7),                         "x_k+2, x_k+3 of lanes 2 3, 6 7")            \
    OP(vunpcklpd, Y(6), Y(4), Y(0),                         "x_k")                                       \
    OP(vunpckhpd, Y(6), Y(4), Y(1),                         "x_k+1")                                     \
    OP(vunpcklpd, Y(7), Y(5), Y(2),                         "x_k+2")                                     \
    OP(vunpckhpd, Y(7), Y(5), Y(3),                         "x_k+3")                                     \
    OP(vmovaps, Y(0), "(%%r8)",                             "x_k")                                       \
    OP(vmovaps, Y(1), "32(%%r8)",                           "x_k+1")                                     \
    OP(vmovaps, Y(2), "64(%%r8)",                           "x_k+2")                                     \
    OP(vmovaps, Y(3), "96(%%r8)",                           "x_k+3")                                     \
    OP(add, "$16", "%%rdi",                                 "k + 4")                                     \
    OP(add, "$16", "%%rcx",                                 "k + 4")                                     \
    OP(sub, "$-128", "%%r8",                                "k + 4")

// x_k of the 8 lanes into scratch for all k, in blocks of four features, the last of which may repeat some of
// the block before it. Fewer than four are taken one by one.
#define TRANSPOSE                                                                                        \
    OP(lea, "(%%rdi,%%rsi,4)", "%%rcx",                     "observation 4")                             \
    OP(mov, "%c[scratch](%[b])", "%%r8",                    "scratch")                                   \
    OP(mov, "%c[inputs](%[b])", "%%rax",                    "inputs")                                    \
    OP(sub, "$4", "%%rax",                                  "a block of four?")                          \
    OP(jl, "12f",                                           "no")                                        \
    LABEL(11)                                                                                            \
    MCA_BEGIN("linear/transpose")                                                                        \
    TRANSPOSE_BLOCK                                                                                      \
    OP(sub, "$4", "%%rax",                                  "another?")                                  \
    MCA_END                                                                                              \
    OP(jge, "11b",                                          "next block")                                \
    OP(add, "$4", "%%rax",                                  "m: features left")                          \
    OP(jz, "14f",                                           "none")                                      \
    OP(lea, "-16(%%rdi,%%rax,4)", "%%rdi",                  "back by 4 - m features")                    \
    OP(lea, "-16(%%rcx,%%rax,4)", "%%rcx",                  "back by 4 - m features")                    \
    OP(shl, "$5", "%%rax",                                  "bytes of m features in scratch")            \
    OP(lea, "-128(%%r8,%%rax)", "%%r8",                     "back by 4 - m features")                    \
    TRANSPOSE_BLOCK                                                                                      \
    OP(jmp, "14f",                                          "done")                                      \
    LABEL(12)                                                                                            \
    OP(add, "$4", "%%rax",                                  "features left")                             \
    LABEL(13)                                                                                            \
    OP(vmovss, OBSERVATION_0, X(0),                         "x_k of lane 0")                             \
    OP(vmovss, OBSERVATION_4, X(1),                         "lane 4")                                    \
    OP(vinsertps, "$0x10", OBSERVATION_1, X(0), X(0),       "lane 1")                                    \
    OP(vinsertps, "$0x10", OBSERVATION_5, X(1), X(1),       "lane 5")                                    \
    OP(vinsertps, "$0x20", OBSERVATION_2, X(0), X(0),       "lane 2")                                    \
    OP(vinsertps, "$0x20", OBSERVATION_6, X(1), X(1),       "lane 6")                                    \
    OP(vinsertps, "$0x30", OBSERVATION_3, X(0), X(0),       "lane 3")                                    \
    OP(vinsertps, "$0x30", OBSERVATION_7, X(1), X(1),       "lane 7")                                    \
    OP(vinsertf128, "$1", X(1), Y(0), Y(0),                 "x_k")                                       \
    OP(vmovaps, Y(0), "(%%r8)",                             "x_k")                                       \
    OP(add, "$4", "%%rdi",                                  "k + 1")                                     \
    OP(add, "$4", "%%rcx",                                  "k + 1")                                     \
    OP(add, "$32", "%%r8",                                  "k + 1")                                     \
    OP(dec, "%%rax",                                        "features left")                             \
    OP(jnz, "13b",                                          "next feature")                              \
    LABEL(14)                                                                                            \
    OP(lea, "(%%rcx,%%rdx)", "%%rdi",                       "observation 5 + 3: the next group")

// Term k + j of four rows. W's rows are as long as observations.
#define TERM_OF_4(j)                                                                                     \
    OP(vmovaps, "32*" #j "(%%r8)", Y(4),                    "x_k")                                       \
    OP(vbroadcastss, "4*" #j "(%%r10)", Y(5),               "W[r,k]")                                    \
    OP(vbroadcastss, "4*" #j "(%%r10,%%rsi)", Y(6),         "W[r+1,k]")                                  \
    OP(vbroadcastss, "4*" #j "(%%r10,%%rsi,2)", Y(7),       "W[r+2,k]")                                  \
    OP(vbroadcastss, "4*" #j "(%%r10,%%rdx)", Y(8),         "W[r+3,k]")                                  \
    OP(vfmadd231ps, Y(4), Y(5), Y(0),                       "y_r + W[r,k]*x_k")                          \
    OP(vfmadd231ps, Y(4), Y(6), Y(1),                       "y_r+1 + W[r+1,k]*x_k")                      \
    OP(vfmadd231ps, Y(4), Y(7), Y(2),                       "y_r+2 + W[r+2,k]*x_k")                      \
    OP(vfmadd231ps, Y(4), Y(8), Y(3),                       "y_r+3 + W[r+3,k]*x_k")

// y_r .. y_r+3; r10 moves to row r + 4.
#define CHAINS_4                                                                                         \
    OP(vbroadcastss, "(%%r15,%%r11,4)", Y(0),               "y_r = b_r")                                 \
    OP(vbroadcastss, "4(%%r15,%%r11,4)", Y(1),              "y_r+1 = b_r+1")                             \
    OP(vbroadcastss, "8(%%r15,%%r11,4)", Y(2),              "y_r+2 = b_r+2")                             \
    OP(vbroadcastss, "12(%%r15,%%r11,4)", Y(3),             "y_r+3 = b_r+3")                             \
    OP(mov, "%c[scratch](%[b])", "%%r8",                    "x_0")                                       \
    OP(mov, "%c[inputs](%[b])", "%%rax",                    "inputs")                                    \
    OP(sub, "$4", "%%rax",                                  "four terms?")                               \
    OP(jl, "22f",                                           "no")                                        \
    LABEL(21)                                                                                            \
    MCA_BEGIN("linear/chains_4")                                                                         \
    TERM_OF_4(0)                                                                                         \
    TERM_OF_4(1)                                                                                         \
    TERM_OF_4(2)                                                                                         \
    TERM_OF_4(3)                                                                                         \
    OP(sub, "$-128", "%%r8",                                "k + 4")                                     \
    OP(add, "$16", "%%r10",                                 "k + 4")                                     \
    OP(sub, "$4", "%%rax",                                  "another four?")                             \
    MCA_END                                                                                              \
    OP(jge, "21b",                                          "next terms")                                \
    LABEL(22)                                                                                            \
    OP(add, "$4", "%%rax",                                  "terms left")                                \
    OP(jz, "24f",                                           "none")                                      \
    LABEL(23)                                                                                            \
    TERM_OF_4(0)                                                                                         \
    OP(add, "$32", "%%r8",                                  "k + 1")                                     \
    OP(add, "$4", "%%r10",                                  "k + 1")                                     \
    OP(dec, "%%rax",                                        "terms left")                                \
    OP(jnz, "23b",                                          "next term")                                 \
    LABEL(24)                                                                                            \
    OP(add, "%%rdx", "%%r10",                               "W[r+4,0]")

// Term k + j of eight rows, which are enough to hide the latency of their sums.
#define TERM_OF_8(j)                                                                                     \
    OP(vmovaps, "32*" #j "(%%r8)", Y(8),                    "x_k")                                       \
    OP(vbroadcastss, "4*" #j "(%%r10)", Y(9),               "W[r,k]")                                    \
    OP(vbroadcastss, "4*" #j "(%%r10,%%rsi)", Y(12),        "W[r+1,k]")                                  \
    OP(vfmadd231ps, Y(8), Y(9), Y(0),                       "y_r + W[r,k]*x_k")                          \
    OP(vfmadd231ps, Y(8), Y(12), Y(1),                      "y_r+1 + W[r+1,k]*x_k")                      \
    OP(vbroadcastss, "4*" #j "(%%r10,%%rsi,2)", Y(13),      "W[r+2,k]")                                  \
    OP(vbroadcastss, "4*" #j "(%%r10,%%rdx)", Y(14),        "W[r+3,k]")                                  \
    OP(vfmadd231ps, Y(8), Y(13), Y(2),                      "y_r+2 + W[r+2,k]*x_k")                      \
    OP(vfmadd231ps, Y(8), Y(14), Y(3),                      "y_r+3 + W[r+3,k]*x_k")                      \
    OP(vbroadcastss, "4*" #j "(%%rcx)", Y(9),               "W[r+4,k]")                                  \
    OP(vbroadcastss, "4*" #j "(%%rcx,%%rsi)", Y(12),        "W[r+5,k]")                                  \
    OP(vfmadd231ps, Y(8), Y(9), Y(4),                       "y_r+4 + W[r+4,k]*x_k")                      \
    OP(vfmadd231ps, Y(8), Y(12), Y(5),                      "y_r+5 + W[r+5,k]*x_k")                      \
    OP(vbroadcastss, "4*" #j "(%%rcx,%%rsi,2)", Y(13),      "W[r+6,k]")                                  \
    OP(vbroadcastss, "4*" #j "(%%rcx,%%rdx)", Y(14),        "W[r+7,k]")                                  \
    OP(vfmadd231ps, Y(8), Y(13), Y(6),                      "y_r+6 + W[r+6,k]*x_k")                      \
    OP(vfmadd231ps, Y(8), Y(14), Y(7),                      "y_r+7 + W[r+7,k]*x_k")

// y_r .. y_r+7; r10 moves to row r + 8.
#define CHAINS_8                                                                                         \
    OP(vbroadcastss, "(%%r15,%%r11,4)", Y(0),               "y_r = b_r")                                 \
    OP(vbroadcastss, "4(%%r15,%%r11,4)", Y(1),              "y_r+1 = b_r+1")                             \
    OP(vbroadcastss, "8(%%r15,%%r11,4)", Y(2),              "y_r+2 = b_r+2")                             \
    OP(vbroadcastss, "12(%%r15,%%r11,4)", Y(3),             "y_r+3 = b_r+3")                             \
    OP(vbroadcastss, "16(%%r15,%%r11,4)", Y(4),             "y_r+4 = b_r+4")                             \
    OP(vbroadcastss, "20(%%r15,%%r11,4)", Y(5),             "y_r+5 = b_r+5")                             \
    OP(vbroadcastss, "24(%%r15,%%r11,4)", Y(6),             "y_r+6 = b_r+6")                             \
    OP(vbroadcastss, "28(%%r15,%%r11,4)", Y(7),             "y_r+7 = b_r+7")                             \
    OP(lea, "(%%r10,%%rsi,4)", "%%rcx",                     "W[r+4,0]")                                  \
    OP(mov, "%c[scratch](%[b])", "%%r8",                    "x_0")                                       \
    OP(mov, "%c[inputs](%[b])", "%%rax",                    "inputs")                                    \
    OP(sub, "$2", "%%rax",                                  "two terms?")                                \
    OP(jl, "52f",                                           "no")                                        \
    LABEL(51)                                                                                            \
    MCA_BEGIN("linear/chains_8")                                                                         \
    TERM_OF_8(0)                                                                                         \
    TERM_OF_8(1)                                                                                         \
    OP(add, "$64", "%%r8",                                  "k + 2")                                     \
    OP(add, "$8", "%%r10",                                  "k + 2")                                     \
    OP(add, "$8", "%%rcx",                                  "k + 2")                                     \
    OP(sub, "$2", "%%rax",                                  "another two?")                              \
    MCA_END                                                                                              \
    OP(jge, "51b",                                          "next terms")                                \
    LABEL(52)                                                                                            \
    OP(add, "$2", "%%rax",                                  "terms left")                                \
    OP(jz, "53f",                                           "none")                                      \
    TERM_OF_8(0)                                                                                         \
    OP(add, "$4", "%%rcx",                                  "k + 1")                                     \
    LABEL(53)                                                                                            \
    OP(lea, "(%%rcx,%%rdx)", "%%r10",                       "W[r+7,inputs] = W[r+8,0]")

// Term k + j of one row.
#define TERM_OF_1(j)                                                                                     \
    OP(vbroadcastss, "4*" #j "(%%r10)", Y(5),               "W[r,k]")                                    \
    OP(vfmadd231ps, "32*" #j "(%%r8)", Y(5), Y(0),          "y_r + W[r,k]*x_k")

// y_r; r10 moves to row r + 1.
#define CHAIN_1                                                                                          \
    OP(vbroadcastss, "(%%r15,%%r11,4)", Y(0),               "y_r = b_r")                                 \
    OP(mov, "%c[scratch](%[b])", "%%r8",                    "x_0")                                       \
    OP(mov, "%c[inputs](%[b])", "%%rax",                    "inputs")                                    \
    OP(sub, "$4", "%%rax",                                  "four terms?")                               \
    OP(jl, "26f",                                           "no")                                        \
    LABEL(25)                                                                                            \
    MCA_BEGIN("linear/chain_1")                                                                          \
    TERM_OF_1(0)                                                                                         \
    TERM_OF_1(1)                                                                                         \
    TERM_OF_1(2)                                                                                         \
    TERM_OF_1(3)                                                                                         \
    OP(sub, "$-128", "%%r8",                                "k + 4")                                     \
    OP(add, "$16", "%%r10",                                 "k + 4")                                     \
    OP(sub, "$4", "%%rax",                                  "another four?")                             \
    MCA_END                                                                                              \
    OP(jge, "25b",                                          "next terms")                                \
    LABEL(26)                                                                                            \
    OP(add, "$4", "%%rax",                                  "terms left")                                \
    OP(jz, "28f",                                           "none")                                      \
    LABEL(27)                                                                                            \
    TERM_OF_1(0)                                                                                         \
    OP(add, "$32", "%%r8",                                  "k + 1")                                     \
    OP(add, "$4", "%%r10",                                  "k + 1")                                     \
    OP(dec, "%%rax",                                        "terms left")                                \
    OP(jnz, "27b",                                          "next term")                                 \
    LABEL(28)

#define EACH_CHAIN(HEAD)                                                                                 \
    LABEL(5)                                                                                             \
    OP(lea, "8(%%r11)", "%%rax",                            "r + 8")                                     \
    OP(cmp, "%%rbx", "%%rax",                               "eight rows left?")                          \
    OP(jg, "2f",                                            "no")                                        \
    CHAINS_8                                                                                             \
    HEAD(0)                                                                                              \
    HEAD(1)                                                                                              \
    HEAD(2)                                                                                              \
    HEAD(3)                                                                                              \
    HEAD(4)                                                                                              \
    HEAD(5)                                                                                              \
    HEAD(6)                                                                                              \
    HEAD(7)                                                                                              \
    OP(jmp, "5b",                                           "next rows")                                 \
    LABEL(2)                                                                                             \
    OP(lea, "4(%%r11)", "%%rax",                            "r + 4")                                     \
    OP(cmp, "%%rbx", "%%rax",                               "four rows left?")                           \
    OP(jg, "3f",                                            "no")                                        \
    CHAINS_4                                                                                             \
    HEAD(0)                                                                                              \
    HEAD(1)                                                                                              \
    HEAD(2)                                                                                              \
    HEAD(3)                                                                                              \
    OP(jmp, "2b",                                           "next rows")                                 \
    LABEL(3)                                                                                             \
    OP(cmp, "%%rbx", "%%r11",                               "a row left?")                               \
    OP(jge, "4f",                                           "no")                                        \
    CHAIN_1                                                                                              \
    HEAD(0)                                                                                              \
    OP(jmp, "3b",                                           "next row")                                  \
    LABEL(4)

// For the inputs % 8 last terms of a row: ymm15 selects them; ymm14 is -0.0 in the other places, where the
// product -0.0 * 0.0 = -0.0 changes no partial sum, not even one that is a zero.
#define BEGIN_PARTIAL                                                                                    \
    OP(mov, "%c[inputs](%[b])", "%%ecx",                    "inputs")                                    \
    OP(and, "$7", "%%ecx",                                  "last terms")                                \
    OP(shl, "$3", "%%ecx",                                  "a byte for each")                           \
    OP(mov, "$1", "%%eax",                                  "1")                                         \
    OP(shl, "%%cl", "%%rax",                                "1 above these bytes")                       \
    OP(dec, "%%rax",                                        "their bits")                                \
    OP(vmovq, "%%rax", X(15),                               "mask of bytes")                             \
    OP(vpmovsxbd, X(15), Y(15),                             "mask of floats")                            \
    OP(vpcmpeqd, Y(14), Y(14), Y(14),                       "all ones")                                  \
    OP(vpslld, "$31", Y(14), Y(14),                         "-0.0")                                      \
    OP(vandnps, Y(14), Y(15), Y(14),                        "-0.0 where the mask is not")                \
    OP(mov, "%%rsi", "%%r8",                                "bytes of a row")                            \
    OP(and, "$-32", "%%r8",                                 "of its whole vectors")

// y_r of 8 lanes by 8 partial sums each: p_j takes the terms k with k % 8 = j, p_0 starts with b_r. r10 moves
// to row r + 1.
#define PARTIAL_SUMS                                                                                     \
    OP(vmovss, "(%%r15,%%r11,4)", X(0),                     "p_0 = b_r, p_1 .. p_7 = 0: lane 0")         \
    OP(vmovaps, Y(0), Y(1),                                 "lane 1")                                    \
    OP(vmovaps, Y(0), Y(2),                                 "lane 2")                                    \
    OP(vmovaps, Y(0), Y(3),                                 "lane 3")                                    \
    OP(vmovaps, Y(0), Y(4),                                 "lane 4")                                    \
    OP(vmovaps, Y(0), Y(5),                                 "lane 5")                                    \
    OP(vmovaps, Y(0), Y(6),                                 "lane 6")                                    \
    OP(vmovaps, Y(0), Y(7),                                 "lane 7")                                    \
    OP(lea, "(%%rdi,%%rsi,4)", "%%rcx",                     "observation 4")                             \
    OP(mov, "%%r8", "%%rax",                                "bytes of whole vectors")                    \
    LABEL(31)                                                                                            \
    MCA_BEGIN("linear/partial_sums")                                                                     \
    OP(vmovups, "(%%r10)", Y(8),                            "W[r,k..k+7]")                               \
    OP(vfmadd231ps, OBSERVATION_0, Y(8), Y(0),              "p + W[r,k]*x_k, lane 0")                    \
    OP(vfmadd231ps, OBSERVATION_1, Y(8), Y(1),              "lane 1")                                    \
    OP(vfmadd231ps, OBSERVATION_2, Y(8), Y(2),              "lane 2")                                    \
    OP(vfmadd231ps, OBSERVATION_3, Y(8), Y(3),              "lane 3")                                    \
    OP(vfmadd231ps, OBSERVATION_4, Y(8), Y(4),              "lane 4")                                    \
    OP(vfmadd231ps, OBSERVATION_5, Y(8), Y(5),              "lane 5")                                    \
    OP(vfmadd231ps, OBSERVATION_6, Y(8), Y(6),              "lane 6")                                    \
    OP(vfmadd231ps, OBSERVATION_7, Y(8), Y(7),              "lane 7")                                    \
    OP(add, "$32", "%%r10",                                 "k + 8")                                     \
    OP(add, "$32", "%%rdi",                                 "k + 8")                                     \
    OP(add, "$32", "%%rcx",                                 "k + 8")                                     \
    OP(sub, "$32", "%%rax",                                 "bytes left")                                \
    MCA_END                                                                                              \
    OP(jnz, "31b",                                          "next k")                                    \
    OP(cmp, "%%rsi", "%%r8",                                "all terms?")                                \
    OP(je, "32f",                                           "yes")                                       \
    OP(vmaskmovps, "(%%r10)", Y(15), Y(8),                  "the last W[r,k]")                           \
    OP(vorps, Y(14), Y(8), Y(8),                            "and -0.0")                                  \
    OP(vmaskmovps, OBSERVATION_0, Y(15), Y(9),              "the last x_k, and 0.0: lane 0")             \
    OP(vfmadd231ps, Y(9), Y(8), Y(0),                       "p + W[r,k]*x_k")                            \
    OP(vmaskmovps, OBSERVATION_1, Y(15), Y(9),              "lane 1")                                    \
    OP(vfmadd231ps, Y(9), Y(8), Y(1),                       "p + W[r,k]*x_k")                            \
    OP(vmaskmovps, OBSERVATION_2, Y(15), Y(9),              "lane 2")                                    \
    OP(vfmadd231ps, Y(9), Y(8), Y(2),                       "p + W[r,k]*x_k")                            \
    OP(vmaskmovps, OBSERVATION_3, Y(15), Y(9),              "lane 3")                                    \
    OP(vfmadd231ps, Y(9), Y(8), Y(3),                       "p + W[r,k]*x_k")                            \
    OP(vmaskmovps, OBSERVATION_4, Y(15), Y(9),              "lane 4")                                    \
    OP(vfmadd231ps, Y(9), Y(8), Y(4),                       "p + W[r,k]*x_k")                            \
    OP(vmaskmovps, OBSERVATION_5, Y(15), Y(9),              "lane 5")                                    \
    OP(vfmadd231ps, Y(9), Y(8), Y(5),                       "p + W[r,k]*x_k")                            \
    OP(vmaskmovps, OBSERVATION_6, Y(15), Y(9),              "lane 6")                                    \
    OP(vfmadd231ps, Y(9), Y(8), Y(6),                       "p + W[r,k]*x_k")                            \
    OP(vmaskmovps, OBSERVATION_7, Y(15), Y(9),              "lane 7")                                    \
    OP(vfmadd231ps, Y(9), Y(8), Y(7),                       "p + W[r,k]*x_k")                            \
    LABEL(32)                                                                                            \
    OP(sub, "%%r8", "%%rdi",                                "observation 0 again")                       \
    OP(sub, "%%r8", "%%r10",                                "W[r,0]")                                    \
    OP(add, "%%rsi", "%%r10",                               "W[r+1,0]")                                  \
    OP(vinsertf128, "$1", X(4), Y(0), Y(8),                 "p_0 .. p_3 of lanes 0, 4")                  \
    OP(vperm2f128, "$0x31", Y(4), Y(0), Y(9),               "p_4 .. p_7")                                \
    OP(vaddps, Y(9), Y(8), Y(0),                            "s_j = p_j + p_j+4, lanes 0, 4")             \
    OP(vinsertf128, "$1", X(5), Y(1), Y(8),                 "p_0 .. p_3 of lanes 1, 5")                  \
    OP(vperm2f128, "$0x31", Y(5), Y(1), Y(9),               "p_4 .. p_7")                                \
    OP(vaddps, Y(9), Y(8), Y(1),                            "s_j, lanes 1, 5")                           \
    OP(vinsertf128, "$1", X(6), Y(2), Y(8),                 "p_0 .. p_3 of lanes 2, 6")                  \
    OP(vperm2f128, "$0x31", Y(6), Y(2), Y(9),               "p_4 .. p_7")                                \
    OP(vaddps, Y(9), Y(8), Y(2),                            "s_j, lanes 2, 6")                           \
    OP(vinsertf128, "$1", X(7), Y(3), Y(8),                 "p_0 .. p_3 of lanes 3, 7")                  \
    OP(vperm2f128, "$0x31", Y(7), Y(3), Y(9),               "p_4 .. p_7")                                \
    OP(vaddps, Y(9), Y(8), Y(3),                            "s_j, lanes 3, 7")                           \
    OP(vunpcklpd, Y(1), Y(0), Y(8),                         "s_0 s_1 of lanes 0 1, 4 5")                 \
    OP(vunpckhpd, Y(1), Y(0), Y(9),                         "s_2 s_3")                                   \
    OP(vaddps, Y(9), Y(8), Y(0),                            "t_j = s_j + s_j+2, lanes 0 1, 4 5")         \
    OP(vunpcklpd, Y(3), Y(2), Y(8),                         "s_0 s_1 of lanes 2 3, 6 7")                 \
    OP(vunpckhpd, Y(3), Y(2), Y(9),                         "s_2 s_3")                                   \
    OP(vaddps, Y(9), Y(8), Y(2),                            "t_j, lanes 2 3, 6 7")                       \
    OP(vshufps, "$0x88", Y(2), Y(0), Y(8),                  "t_0 of 8 lanes")                            \
    OP(vshufps, "$0xdd", Y(2), Y(0), Y(9),                  "t_1 of 8 lanes")                            \
    OP(vaddps, Y(9), Y(8), Y(0),                            "y_r = t_0 + t_1")

#define EACH_PARTIAL(HEAD)                                                                               \
    LABEL(2)                                                                                             \
    PARTIAL_SUMS                                                                                         \
    HEAD(0)                                                                                              \
    OP(cmp, "%%rbx", "%%r11",                               "a row left?")                               \
    OP(jl, "2b",                                            "next row")

#define NEXT_PARTIAL                                                                                     \
    OP(lea, "(%%rdi,%%rsi,8)", "%%rdi",                     "observation 8: the next group")

// Heads: <HEAD>_BEGIN once, <HEAD>(y) for row r with y_r in register y, <HEAD>_LAST after all rows.
#define ARGMAX_BEGIN                                                                                     \
    OP(mov, "%c[outputs](%[b])", "%%rbx",                   "rows")

// vmaxps gives its last source, here best, unless y_r is truly greater: as the comparison says.
#define ARGMAX(y)                                                                                        \
    OP(test, "%%r11", "%%r11",                              "r = 0?")                                    \
    OP(jnz, "41f",                                          "no")                                        \
    OP(vmovaps, Y(y), Y(10),                                "best = y_0, even a NaN")                    \
    OP(vpxor, X(11), X(11), X(11),                          "its row")                                   \
    LABEL(41)                                                                                            \
    OP(vmovd, "%%r11d", X(9),                               "r")                                         \
    OP(vpbroadcastd, X(9), Y(9),                            "r")                                         \
    OP(vcmpgt_oqps, Y(10), Y(y), Y(8),                      "y_r > best")                                \
    OP(vmaxps, Y(10), Y(y), Y(10),                          "best = y_r if y_r > best else best")        \
    OP(vblendvps, Y(8), Y(9), Y(11), Y(11),                 "its row")                                   \
    OP(inc, "%%r11",                                        "r + 1")

#define ARGMAX_LAST                                                                                      \
    OP(vextracti128, "$1", Y(11), X(8),                     "rows of lanes 4 to 7")                      \
    OP(vpmovsxdq, X(11), Y(9),                              "int64, lanes 0 to 3")                       \
    OP(vpmovsxdq, X(8), Y(8),                               "int64, lanes 4 to 7")                       \
    OP(vmovdqu, Y(9), "(%%r12)",                            "action, lanes 0 to 3")                      \
    OP(vmovdqu, Y(8), "32(%%r12)",                          "action, lanes 4 to 7")                      \
    OP(add, "$64", "%%r12",                                 "8 actions further")

#define THRESHOLD(y)                                                                                     \
    OP(vxorps, X(9), X(9), X(9),                            "0.0")                                       \
    OP(vcmpgt_oqps, Y(9), Y(y), Y(8),                       "y_0 > 0")                                   \
    OP(vpsrld, "$31", Y(8), Y(8),                           "1 or 0")                                    \
    OP(vextracti128, "$1", Y(8), X(9),                      "lanes 4 to 7")                              \
    OP(vpmovsxdq, X(8), Y(8),                               "int64, lanes 0 to 3")                       \
    OP(vpmovsxdq, X(9), Y(9),                               "int64, lanes 4 to 7")                       \
    OP(vmovdqu, Y(8), "(%%r12)",                            "action, lanes 0 to 3")                      \
    OP(vmovdqu, Y(9), "32(%%r12)",                          "action, lanes 4 to 7")                      \
    OP(add, "$64", "%%r12",                                 "8 actions further")

#define BOX_BEGIN                                                                                        \
    OP(mov, "%c[outputs](%[b])", "%%rbx",                   "rows")                                      \
    OP(lea, "(,%%rbx,4)", "%%r14",                          "bytes of an action")

// vmaxps and vminps give their last source, here y_r, unless the other is truly greater or less: a NaN stays.
#define BOX(y)                                                                                           \
    OP(mov, "%c[low](%[b])", "%%rax",                       "low")                                       \
    OP(vbroadcastss, "(%%rax,%%r11,4)", Y(8),               "low_r")                                     \
    OP(vmaxps, Y(y), Y(8), Y(8),                            "v = low_r if y_r < low_r else y_r")         \
    OP(mov, "%c[high](%[b])", "%%rax",                      "high")                                      \
    OP(vbroadcastss, "(%%rax,%%r11,4)", Y(9),               "high_r")                                    \
    OP(vminps, Y(8), Y(9), Y(8),                            "v = high_r if v > high_r else v")           \
    OP(lea, "(%%r12,%%r11,4)", "%%rax",                     "action[r] of lane 0")                       \
    OP(inc, "%%r11",                                        "r + 1")                                     \
    OP(cmp, "$4", "%%r14",                                  "actions of one number?")                    \
    OP(jne, "42f",                                          "no")                                        \
    OP(vmovups, Y(8), "(%%rax)",                            "v of all lanes")                            \
    OP(jmp, "43f",                                          "done")                                      \
    LABEL(42)                                                                                            \
    OP(vextractf128, "$1", Y(8), X(9),                      "v of lanes 4 to 7")                         \
    OP(lea, "(%%rax,%%r14,2)", "%%rcx",                     "lane 2")                                    \
    OP(vmovss, X(8), "(%%rax)",                             "v of lane 0")                               \
    OP(vextractps, "$1", X(8), "(%%rax,%%r14)",             "lane 1")                                    \
    OP(vextractps, "$2", X(8), "(%%rcx)",                   "lane 2")                                    \
    OP(vextractps, "$3", X(8), "(%%rcx,%%r14)",             "lane 3")                                    \
    OP(vmovss, X(9), "(%%rcx,%%r14,2)",                     "lane 4")                                    \
    OP(vextractps, "$2", X(9), "(%%rcx,%%r14,4)",           "lane 6")                                    \
    OP(add, "%%r14", "%%rcx",                               "lane 3")                                    \
    OP(vextractps, "$1", X(9), "(%%rcx,%%r14,2)",           "lane 5")                                    \
    OP(vextractps, "$3", X(9), "(%%rcx,%%r14,4)",           "lane 7")                                    \
    LABEL(43)

#define BOX_LAST                                                                                         \
    OP(lea, "(%%r12,%%r14,8)", "%%r12",                     "8 actions further")

#define NEXT_GROUP                                                                                       \
    OP(sub, "$8", "%%r13",                                  "8 lanes less")                              \
    OP(jnz, "1b",                                           "next group")                                \
    OP(vzeroupper,                                          "leave no upper halves")

// clang-format on
