// SPDX-License-Identifier: MIT
// Sections that AVX2 kernels of policies with weights share: 8 observations turned into vectors of one
// feature each, and the heads. Comments in the words of python/compute_layers/policies/linear.py.
#pragma once

#include "../kernel.hpp"

// clang-format off

//  Registers
//
//  rdi  observation 0 of the 8 lanes   rsi, rdx  bytes of 1, 3 observations   rcx  observation 4, then scratch
//  r8   where the features go          rax       scratch                      r11  r      rbx  rows
//  r12  action of lane 0               r14       bytes of an action (box)
//  ymm0-7  scratch of the transposition   ymm8, ymm9  scratch of the heads
//  ymm10   best                           ymm11       its row, int32 (argmax)
#define OBSERVATION_0 "(%%rdi)"
#define OBSERVATION_1 "(%%rdi,%%rsi)"
#define OBSERVATION_2 "(%%rdi,%%rsi,2)"
#define OBSERVATION_3 "(%%rdi,%%rdx)"
#define OBSERVATION_4 "(%%rcx)"
#define OBSERVATION_5 "(%%rcx,%%rsi)"
#define OBSERVATION_6 "(%%rcx,%%rsi,2)"
#define OBSERVATION_7 "(%%rcx,%%rdx)"

// Features k .. k+3 of the 8 lanes to r8, vectors `stride` bytes apart.
#define TRANSPOSE_BLOCK(stride)                                                                          \
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
    OP(vmovaps, Y(1), "1*" #stride "(%%r8)",                  "x_k+1")                                   \
    OP(vmovaps, Y(2), "2*" #stride "(%%r8)",                  "x_k+2")                                   \
    OP(vmovaps, Y(3), "3*" #stride "(%%r8)",                  "x_k+3")                                   \
    OP(add, "$16", "%%rdi",                                 "k + 4")                                     \
    OP(add, "$16", "%%rcx",                                 "k + 4")                                     \
    OP(add, "$4*" #stride, "%%r8",                          "k + 4")

// x_k of the 8 lanes to r8 for all k, vectors `stride` bytes apart, in blocks of four features, the last of which may repeat some of
// the block before it. Fewer than four are taken one by one.
#define TRANSPOSE(stride)                                                                                \
    OP(lea, "(%%rdi,%%rsi,4)", "%%rcx",                     "observation 4")                             \
    OP(mov, "%c[inputs](%[b])", "%%rax",                    "inputs")                                    \
    OP(sub, "$4", "%%rax",                                  "a block of four?")                          \
    OP(jl, "12f",                                           "no")                                        \
    LABEL(11)                                                                                            \
    MCA_BEGIN("transpose")                                                                               \
    TRANSPOSE_BLOCK(stride)                                                                              \
    OP(sub, "$4", "%%rax",                                  "another?")                                  \
    MCA_END                                                                                              \
    OP(jge, "11b",                                          "next block")                                \
    OP(add, "$4", "%%rax",                                  "m: features left")                          \
    OP(jz, "14f",                                           "none")                                      \
    OP(lea, "-16(%%rdi,%%rax,4)", "%%rdi",                  "back by 4 - m features")                    \
    OP(lea, "-16(%%rcx,%%rax,4)", "%%rcx",                  "back by 4 - m features")                    \
    OP(sub, "$4", "%%rax",                                  "m - 4")                                     \
    OP(imul, "$" #stride, "%%rax", "%%rax",                 "in vectors")                                \
    OP(add, "%%rax", "%%r8",                                "back by 4 - m features")                    \
    TRANSPOSE_BLOCK(stride)                                                                              \
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
    OP(add, "$" #stride, "%%r8",                            "k + 1")                                     \
    OP(dec, "%%rax",                                        "features left")                             \
    OP(jnz, "13b",                                          "next feature")                              \
    LABEL(14)                                                                                            \
    OP(lea, "(%%rcx,%%rdx)", "%%rdi",                       "observation 5 + 3: the next group")

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

#define THRESHOLD_BEGIN                                                                                  \
    OP(xor, "%%ebx", "%%ebx",                               "no row after row 0")

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

#define THRESHOLD_LAST

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

// The same for one observation: y in r8, rows in rbx, action in rdi.
#define ARGMAX_SINGLE                                                                                    \
    OP(vmovss, "(%%r8)", X(0),                          "best = y_0, even a NaN")                        \
    OP(xor, "%%eax", "%%eax",                           "its row")                                       \
    OP(mov, "$1", "%%ecx",                              "r = 1")                                         \
    LABEL(40)                                                                                            \
    OP(cmp, "%%rbx", "%%rcx",                           "a row left?")                                   \
    OP(jge, "41f",                                      "no")                                            \
    OP(vmovss, "(%%r8,%%rcx,4)", X(1),                  "y_r")                                           \
    OP(vucomiss, X(0), X(1),                            "y_r > best?")                                   \
    OP(cmova, "%%rcx", "%%rax",                         "its row")                                       \
    OP(vmaxss, X(0), X(1), X(0),                        "best = y_r if y_r > best else best")            \
    OP(inc, "%%rcx",                                    "r + 1")                                         \
    OP(jmp, "40b",                                      "next row")                                      \
    LABEL(41)                                                                                            \
    OP(mov, "%%rax", "(%%rdi)",                         "action")                                        \
    OP(vzeroupper,                                      "leave no upper halves")

#define THRESHOLD_SINGLE                                                                                 \
    OP(vmovss, "(%%r8)", X(0),                          "y_0")                                           \
    OP(vxorps, X(1), X(1), X(1),                        "0.0")                                           \
    OP(xor, "%%eax", "%%eax",                           "0")                                             \
    OP(vucomiss, X(1), X(0),                            "y_0 > 0?")                                      \
    OP(seta, "%%al",                                    "1 or 0")                                        \
    OP(mov, "%%rax", "(%%rdi)",                         "action")                                        \
    OP(vzeroupper,                                      "leave no upper halves")

#define BOX_SINGLE                                                                                       \
    OP(mov, "%c[low](%[b])", "%%rsi",                   "low")                                           \
    OP(mov, "%c[high](%[b])", "%%rdx",                  "high")                                          \
    OP(xor, "%%ecx", "%%ecx",                           "r = 0")                                         \
    LABEL(40)                                                                                            \
    OP(vmovss, "(%%rsi,%%rcx,4)", X(0),                 "low_r")                                         \
    OP(vmovss, "(%%rdx,%%rcx,4)", X(1),                 "high_r")                                        \
    OP(vmaxss, "(%%r8,%%rcx,4)", X(0), X(0),            "v = low_r if y_r < low_r else y_r")             \
    OP(vminss, X(0), X(1), X(0),                        "v = high_r if v > high_r else v")               \
    OP(vmovss, X(0), "(%%rdi,%%rcx,4)",                 "action[r]")                                     \
    OP(inc, "%%rcx",                                    "r + 1")                                         \
    OP(cmp, "%%rbx", "%%rcx",                           "a row left?")                                   \
    OP(jl, "40b",                                       "next row")                                      \
    OP(vzeroupper,                                      "leave no upper halves")

// clang-format on
