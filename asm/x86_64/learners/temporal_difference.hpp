// SPDX-License-Identifier: MIT
// What AVX2 kernels of Q-learning and SARSA share: all but the action whose value the target has. Comments in
// the words of python/compute_layers/learners/temporal_difference.py.
#pragma once

#include "../kernel.hpp"

// clang-format off

//  Four lanes at a time; their rows of the table become columns, one of each action, two by two.
//
//  General registers
//   rdx  values, Q      rdi  uniform      r10  action                 rcx  the first of the lanes
//   rsi  seen           r8   elapsed      r11  bytes of the columns   rbx  bytes of those that are done
//   rax r12 r13 r14     rows of the four lanes; then other arrays     r9   next_cells
//
//  Vector registers
//   0 1  rows of lanes 0 2 and 1 3, then columns      8  gamma        13  2
//   2    greatest, later the value of the target      9  epsilon      14  1
//   3    greedy, then action                          10 actions      15  scratch
//   4    better, explores                             11 behind the end
//   5 6  the actions of two columns                   12 0            7   cells of the four lanes
#define B(field) "%c[" #field "](%[b])"

#define TD_PREPARE                                                                                          \
    OP(mov, B(values), "%%rdx",                             "Q")                                            \
    OP(mov, B(seen), "%%rsi",                               "seen")                                         \
    OP(mov, B(uniform), "%%rdi",                            "uniform")                                      \
    OP(mov, B(elapsed), "%%r8",                             "elapsed")                                      \
    OP(mov, B(next_cells), "%%r9",                          "next_cells")                                   \
    OP(mov, B(action), "%%r10",                             "action")                                       \
    OP(mov, B(actions), "%%r11",                            "actions")                                      \
    OP(vbroadcastsd, B(gamma), Y(8),                        "gamma")                                        \
    OP(vbroadcastsd, B(epsilon), Y(9),                      "epsilon")                                      \
    OP(vpbroadcastq, B(end), Y(11),                         "the end")                                      \
    OP(vpxor, Y(12), Y(12), Y(12),                          "0")                                            \
    OP(vpcmpeqd, Y(14), Y(14), Y(14),                       "all bits")                                     \
    OP(vpsrlq, "$63", Y(14), Y(14),                         "1")                                            \
    OP(vpaddq, Y(14), Y(14), Y(13),                         "2")                                            \
    OP(vpslldq, "$8", Y(14), Y(0),                          "0 1 0 1")                                      \
    OP(vinserti128, "$1", X(13), Y(12), Y(1),               "0 0 2 2")                                      \
    OP(vpaddq, Y(0), Y(11), Y(11),                          "behind the end")                               \
    OP(vpaddq, Y(1), Y(11), Y(11),                          "lanes 0 to 3")                                 \
    OP(vcvtsi2sdq, "%%r11", X(12), X(10),                   "actions")                                      \
    OP(vbroadcastsd, X(10), Y(10),                          "in all lanes")                                 \
    OP(inc, "%%r11",                                        "columns, two by two")                          \
    OP(and, "$-2", "%%r11",                                 "")                                             \
    OP(shl, "$3", "%%r11",                                  "in bytes")                                     \
    OP(xor, "%%ecx", "%%ecx",                               "the first lane")

#define TD_ROW(row, lane)                                                                                   \
    OP(mov, #lane "*8(%%rsi,%%rcx,8)", row,                 "s', lane " #lane)                              \
    OP(shl, "$6", row,                                      "8 numbers in a row")                           \
    OP(add, "%%rdx", row,                                   "its row")

// Two columns, from `at` of the rows on.
#define TD_COLUMNS(at)                                                                                      \
    OP(vmovapd, "(%%rax" at ")", X(0),                      "two numbers of lane 0")                        \
    OP(vmovapd, "(%%r12" at ")", X(1),                      "lane 1")                                       \
    OP(vinsertf128, "$1", "(%%r13" at ")", Y(0), Y(0),      "lanes 0 2")                                    \
    OP(vinsertf128, "$1", "(%%r14" at ")", Y(1), Y(1),      "lanes 1 3")                                    \
    OP(vunpckhpd, Y(1), Y(0), Y(15),                        "the second column")                            \
    OP(vunpcklpd, Y(1), Y(0), Y(0),                         "the first one")

// [1] the greedy action; of equal ones the first
#define TD_GREEDY                                                                                           \
    TD_ROW("%%rax", 0)                                                                                      \
    TD_ROW("%%r12", 1)                                                                                      \
    TD_ROW("%%r13", 2)                                                                                      \
    TD_ROW("%%r14", 3)                                                                                      \
    TD_COLUMNS("")                                                                                          \
    OP(vcmppd, "$0x1E", Y(0), Y(15), Y(4),                  "better = Q(s', 1) > Q(s', 0)")                 \
    OP(vmaxpd, Y(0), Y(15), Y(2),                           "greatest: Q(s', 1) if better")                 \
    OP(vpsrlq, "$63", Y(4), Y(3),                           "greedy: 1 if better, else 0")                  \
    OP(mov, "$16", "%%ebx",                                 "two columns")                                  \
    OP(cmp, "%%r11", "%%rbx",                               "all?")                                         \
    OP(je, "3f",                                            "yes")                                          \
    OP(vmovdqa, Y(13), Y(5),                                "action 2")                                     \
    OP(vpaddq, Y(14), Y(13), Y(6),                          "action 3")                                     \
    LABEL(2)                                                                                                \
    MCA_BEGIN("temporal_difference/two_actions lanes=4")                                                    \
    TD_COLUMNS(",%%rbx")                                                                                    \
    OP(vcmppd, "$0x1E", Y(2), Y(0), Y(4),                   "better = value > greatest")                    \
    OP(vmaxpd, Y(2), Y(0), Y(2),                            "value if better, else greatest")               \
    OP(vblendvpd, Y(4), Y(5), Y(3), Y(3),                   "the action if better, else greedy")            \
    OP(vcmppd, "$0x1E", Y(2), Y(15), Y(4),                  "the same for the second column")               \
    OP(vmaxpd, Y(2), Y(15), Y(2),                           "")                                             \
    OP(vblendvpd, Y(4), Y(6), Y(3), Y(3),                   "")                                             \
    OP(vpaddq, Y(13), Y(5), Y(5),                           "two actions further")                          \
    OP(vpaddq, Y(13), Y(6), Y(6),                           "")                                             \
    OP(add, "$16", "%%rbx",                                 "two columns further")                          \
    OP(cmp, "%%r11", "%%rbx",                               "all?")                                         \
    MCA_END                                                                                                 \
    OP(jne, "2b",                                           "no")                                           \
    LABEL(3)

// [2] a random one with probability epsilon
#define TD_EXPLORE                                                                                          \
    MCA_BEGIN("temporal_difference/choose lanes=4")                                                         \
    OP(vmulpd, "(%%rdi,%%rcx,8)", Y(10), Y(0),              "scaled = uniform*actions")                     \
    OP(vroundpd, "$3", Y(0), Y(1),                          "its whole part")                               \
    OP(vsubpd, Y(1), Y(0), Y(1),                            "its fraction")                                 \
    OP(vcmppd, "$0x11", Y(9), Y(1), Y(4),                   "explores = fraction < epsilon")                \
    OP(vcvttpd2dqy, Y(0), X(0),                             "random = int(scaled)")                         \
    OP(vpmovzxdq, X(0), Y(0),                               "as int64")                                     \
    OP(vblendvpd, Y(4), Y(0), Y(3), Y(3),                   "random if explores, else greedy")              \
    OP(vmovdqa, Y(3), "(%%r10,%%rcx,8)",                    "action")                                       \
    OP(vmovdqa, "(%%rsi,%%rcx,8)", Y(7),                    "s'")                                           \
    OP(vpsllq, "$3", Y(7), Y(7),                            "8 numbers in a row")                           \
    OP(vpaddq, Y(3), Y(7), Y(7),                            "where Q(s', a') stands")                       \
    OP(vmovapd, "(%%r8,%%rcx,8)", Y(1),                     "elapsed, negative if the episode is over")     \
    OP(vblendvpd, Y(1), Y(11), Y(7), Y(1),                  "behind the end if so")                         \
    OP(vmovapd, Y(1), "(%%r9,%%rcx,8)",                     "next_cells")                                   \
    OP(vpaddq, Y(13), Y(11), Y(11),                         "behind the end,")                              \
    OP(vpaddq, Y(13), Y(11), Y(11),                         "4 lanes further")

// [3] the target
#define TD_TARGET                                                                                           \
    OP(mov, B(terminated), "%%rax",                         "terminated")                                   \
    OP(mov, B(reward), "%%r12",                             "reward")                                       \
    OP(mov, B(target), "%%r13",                             "target")                                       \
    OP(vpmovzxbq, "(%%rax,%%rcx)", Y(0),                    "four bytes")                                   \
    OP(vpcmpeqq, Y(12), Y(0), Y(0),                         "all bits if not terminated")                   \
    OP(vmulpd, Y(8), Y(2), Y(2),                            "gamma*value")                                  \
    OP(vandpd, Y(0), Y(2), Y(2),                            "later: 0 if terminated")                       \
    OP(vaddpd, "(%%r12,%%rcx,8)", Y(2), Y(2),               "reward + later")                               \
    OP(vmovapd, Y(2), "(%%r13,%%rcx,8)",                    "target")                                       \
    OP(add, "$4", "%%rcx",                                  "4 lanes further")                              \
    OP(cmp, B(n), "%%rcx",                                  "all?")                                         \
    MCA_END

// [4] towards it, lane by lane
//
//  rsi  cells     rdi  target     r8  lanes that learn     rax  the cell
//  xmm0 value     xmm1 target, then the new value          xmm8 alpha
#define TD_UPDATE                                                                                           \
    OP(mov, B(cells), "%%rsi",                              "cells")                                        \
    OP(mov, B(target), "%%rdi",                             "target")                                       \
    OP(mov, B(valid), "%%r8",                               "lanes that learn")                             \
    OP(vmovsd, B(alpha), X(8),                              "alpha")                                        \
    OP(xor, "%%ecx", "%%ecx",                               "the first lane")                               \
    LOOP(4)                                                                                                 \
    MCA_BEGIN("temporal_difference/update")                                                                 \
    OP(mov, "(%%rsi,%%rcx,8)", "%%rax",                     "the cell of Q(s, a)")                          \
    OP(vmovsd, "(%%rdx,%%rax,8)", X(0),                     "value")                                        \
    OP(vmovsd, "(%%rdi,%%rcx,8)", X(1),                     "target")                                       \
    OP(vsubsd, X(0), X(1), X(1),                            "target - value")                               \
    OP(vmulsd, X(1), X(8), X(1),                            "alpha*(target - value)")                       \
    OP(vaddsd, X(1), X(0), X(1),                            "value + alpha*(target - value)")               \
    OP(vmovsd, X(1), "(%%rdx,%%rax,8)",                     "Q(s, a)")                                      \
    OP(inc, "%%rcx",                                        "the next lane")                                \
    OP(cmp, "%%r8", "%%rcx",                                "all?")                                         \
    MCA_END                                                                                                 \
    OP(jne, "4b",                                           "no")                                           \
    OP(vzeroupper,                                          "leave no upper halves")

#define TD_OPERANDS                                                                                         \
    [b] "r"(step), OFFSET(TdStep, n), OFFSET(TdStep, valid), OFFSET(TdStep, actions), OFFSET(TdStep, end),  \
    OFFSET(TdStep, alpha), OFFSET(TdStep, gamma), OFFSET(TdStep, epsilon), OFFSET(TdStep, values),          \
    OFFSET(TdStep, cells), OFFSET(TdStep, next_cells), OFFSET(TdStep, seen), OFFSET(TdStep, reward),        \
    OFFSET(TdStep, elapsed), OFFSET(TdStep, terminated), OFFSET(TdStep, uniform), OFFSET(TdStep, action),   \
    OFFSET(TdStep, target)
#define TD_CLOBBERS                                                                                         \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", YMM_CLOBBERS,  \
    "memory", "cc"

// clang-format on
