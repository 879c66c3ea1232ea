// SPDX-License-Identifier: MIT
// Level asm, AVX2 and FMA, of the family `linear`: y_r = b_r + W[r]*x, fused, k ascending, for 8 observations
// at a time, then one of the three heads. Comments in the words of python/compute_layers/policies/linear.py.
//
// The kernels are put together from sections:
//
//     act_<head>           TRANSPOSE, then CHAINS_4 and CHAIN_1 over the rows r, each y_r followed by the
//                          head's section
//     act_<head>_partial   PARTIAL_SUMS over the rows r, with the same heads; 32 inputs or more, up to 8 rows
//     act_four_<head>      four inputs, one or two rows: everything stays in registers
#include "layer.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

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

#define NEXT_GROUP                                                                                       \
    OP(sub, "$8", "%%r13",                                  "8 lanes less")                              \
    OP(jnz, "1b",                                           "next group")                                \
    OP(vzeroupper,                                          "leave no upper halves")

void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        ARGMAX_BEGIN
        LABEL(1)
        OP(mov, "%c[scratch](%[b])", "%%r8",                "scratch")
        TRANSPOSE(32)
        FIRST_ROW
        EACH_CHAIN(ARGMAX)
        ARGMAX_LAST
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LABEL(1)
        OP(mov, "%c[scratch](%[b])", "%%r8",                "scratch")
        TRANSPOSE(32)
        FIRST_ROW
        CHAIN_1
        THRESHOLD(0)
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BOX_BEGIN
        LABEL(1)
        OP(mov, "%c[scratch](%[b])", "%%r8",                "scratch")
        TRANSPOSE(32)
        FIRST_ROW
        EACH_CHAIN(BOX)
        BOX_LAST
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_argmax_partial(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BEGIN_PARTIAL
        ARGMAX_BEGIN
        LABEL(1)
        FIRST_ROW
        EACH_PARTIAL(ARGMAX)
        ARGMAX_LAST
        NEXT_PARTIAL
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_threshold_partial(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BEGIN_PARTIAL
        LABEL(1)
        FIRST_ROW
        PARTIAL_SUMS
        THRESHOLD(0)
        NEXT_PARTIAL
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_box_partial(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BEGIN_PARTIAL
        BOX_BEGIN
        LABEL(1)
        FIRST_ROW
        EACH_PARTIAL(BOX)
        BOX_LAST
        NEXT_PARTIAL
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

// x_0 .. x_3 of 8 observations into ymm0-3. The order of lanes is the one in which unpacking flags with zeros
// gives the int64 actions 0 to 3 and 4 to 7.
#define TRANSPOSE_FOUR                                                                                   \
    OP(vmovups, "(%%rdi)", X(0),                            "x of lane 0")                               \
    OP(vmovups, "16(%%rdi)", X(1),                          "lane 1")                                    \
    OP(vmovups, "64(%%rdi)", X(2),                          "lane 4")                                    \
    OP(vmovups, "80(%%rdi)", X(3),                          "lane 5")                                    \
    OP(vinsertf128, "$1", "32(%%rdi)", Y(0), Y(0),          "lanes 0, 2")                                \
    OP(vinsertf128, "$1", "48(%%rdi)", Y(1), Y(1),          "lanes 1, 3")                                \
    OP(vinsertf128, "$1", "96(%%rdi)", Y(2), Y(2),          "lanes 4, 6")                                \
    OP(vinsertf128, "$1", "112(%%rdi)", Y(3), Y(3),         "lanes 5, 7")                                \
    OP(vunpcklps, Y(1), Y(0), Y(4),                         "x_0, x_1 of lanes 0 1, 2 3")                \
    OP(vunpcklps, Y(3), Y(2), Y(6),                         "x_0, x_1 of lanes 4 5, 6 7")                \
    OP(vunpckhps, Y(1), Y(0), Y(5),                         "x_2, x_3 of lanes 0 1, 2 3")                \
    OP(vunpckhps, Y(3), Y(2), Y(7),                         "x_2, x_3 of lanes 4 5, 6 7")                \
    OP(vunpcklpd, Y(6), Y(4), Y(0),                         "x_0 of lanes 0 1 4 5, 2 3 6 7")             \
    OP(vunpckhpd, Y(6), Y(4), Y(1),                         "x_1")                                       \
    OP(vunpcklpd, Y(7), Y(5), Y(2),                         "x_2")                                       \
    OP(vunpckhpd, Y(7), Y(5), Y(3),                         "x_3")

//  rdi  observations   rcx  lanes left   ymm0-3    x_0 .. x_3, then y in ymm0      ymm11     b
//  r12  actions        rsi  scratch      ymm4-7    scratch                        ymm12-15  W[0,0] .. W[0,3]
//                                        ymm10     0.0
void act_four_threshold(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[observation](%[b])", "%%rdi",           "observations")
        OP(mov, "%c[action](%[b])", "%%r12",                "actions")
        OP(mov, "%c[n](%[b])", "%%rcx",                     "lanes")
        OP(mov, "%c[tensors](%[b])", "%[b]",                "tensors")
        OP(mov, "(%[b])", "%%rsi",                          "W")
        OP(mov, "%c[second](%[b])", "%[b]",                 "b")
        OP(vbroadcastss, "(%%rsi)", Y(12),                  "W[0,0]")
        OP(vbroadcastss, "4(%%rsi)", Y(13),                 "W[0,1]")
        OP(vbroadcastss, "8(%%rsi)", Y(14),                 "W[0,2]")
        OP(vbroadcastss, "12(%%rsi)", Y(15),                "W[0,3]")
        OP(vbroadcastss, "(%[b])", Y(11),                   "b_0")
        OP(vxorps, X(10), X(10), X(10),                     "0.0")
        LABEL(1)
        MCA_BEGIN("linear/four_threshold lanes=8")
        TRANSPOSE_FOUR
        OP(vfmadd213ps, Y(11), Y(12), Y(0),                 "y = b_0 + W[0,0]*x_0")
        OP(vfmadd231ps, Y(1), Y(13), Y(0),                  "y + W[0,1]*x_1")
        OP(vfmadd231ps, Y(2), Y(14), Y(0),                  "y + W[0,2]*x_2")
        OP(vfmadd231ps, Y(3), Y(15), Y(0),                  "y + W[0,3]*x_3")
        OP(vcmpgt_oqps, Y(10), Y(0), Y(0),                  "y > 0")
        OP(vpsrld, "$31", Y(0), Y(0),                       "1 or 0")
        OP(vpunpckldq, Y(10), Y(0), Y(1),                   "int64, lanes 0 to 3")
        OP(vpunpckhdq, Y(10), Y(0), Y(2),                   "int64, lanes 4 to 7")
        OP(vmovdqu, Y(1), "(%%r12)",                        "action, lanes 0 to 3")
        OP(vmovdqu, Y(2), "32(%%r12)",                      "action, lanes 4 to 7")
        OP(sub, "$-128", "%%rdi",                           "8 observations further")
        OP(add, "$64", "%%r12",                             "8 actions further")
        OP(sub, "$8", "%%rcx",                              "8 lanes less")
        MCA_END
        OP(jnz, "1b",                                       "next 8 lanes")
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors), SECOND_TENSOR
        : "rcx", "rsi", "rdi", "r12", YMM_CLOBBERS, "memory", "cc");
}

//  As above with two rows: ymm8-11 W[0,k], ymm12-15 W[1,k], ymm4 and ymm5 y_0 and y_1, ymm6 0.0.
void act_four_argmax(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[observation](%[b])", "%%rdi",           "observations")
        OP(mov, "%c[action](%[b])", "%%r12",                "actions")
        OP(mov, "%c[n](%[b])", "%%rcx",                     "lanes")
        OP(mov, "%c[tensors](%[b])", "%[b]",                "tensors")
        OP(mov, "(%[b])", "%%rsi",                          "W")
        OP(mov, "%c[second](%[b])", "%[b]",                 "b")
        OP(vbroadcastss, "(%%rsi)", Y(8),                   "W[0,0]")
        OP(vbroadcastss, "4(%%rsi)", Y(9),                  "W[0,1]")
        OP(vbroadcastss, "8(%%rsi)", Y(10),                 "W[0,2]")
        OP(vbroadcastss, "12(%%rsi)", Y(11),                "W[0,3]")
        OP(vbroadcastss, "16(%%rsi)", Y(12),                "W[1,0]")
        OP(vbroadcastss, "20(%%rsi)", Y(13),                "W[1,1]")
        OP(vbroadcastss, "24(%%rsi)", Y(14),                "W[1,2]")
        OP(vbroadcastss, "28(%%rsi)", Y(15),                "W[1,3]")
        LABEL(1)
        MCA_BEGIN("linear/four_argmax lanes=8")
        TRANSPOSE_FOUR
        OP(vbroadcastss, "(%[b])", Y(4),                    "y_0 = b_0")
        OP(vbroadcastss, "4(%[b])", Y(5),                   "y_1 = b_1")
        OP(vfmadd231ps, Y(0), Y(8), Y(4),                   "y_0 + W[0,0]*x_0")
        OP(vfmadd231ps, Y(0), Y(12), Y(5),                  "y_1 + W[1,0]*x_0")
        OP(vfmadd231ps, Y(1), Y(9), Y(4),                   "y_0 + W[0,1]*x_1")
        OP(vfmadd231ps, Y(1), Y(13), Y(5),                  "y_1 + W[1,1]*x_1")
        OP(vfmadd231ps, Y(2), Y(10), Y(4),                  "y_0 + W[0,2]*x_2")
        OP(vfmadd231ps, Y(2), Y(14), Y(5),                  "y_1 + W[1,2]*x_2")
        OP(vfmadd231ps, Y(3), Y(11), Y(4),                  "y_0 + W[0,3]*x_3")
        OP(vfmadd231ps, Y(3), Y(15), Y(5),                  "y_1 + W[1,3]*x_3")
        OP(vxorps, X(6), X(6), X(6),                        "0")
        OP(vcmpgt_oqps, Y(4), Y(5), Y(0),                   "y_1 > y_0")
        OP(vpsrld, "$31", Y(0), Y(0),                       "1 or 0")
        OP(vpunpckldq, Y(6), Y(0), Y(1),                    "int64, lanes 0 to 3")
        OP(vpunpckhdq, Y(6), Y(0), Y(2),                    "int64, lanes 4 to 7")
        OP(vmovdqu, Y(1), "(%%r12)",                        "action, lanes 0 to 3")
        OP(vmovdqu, Y(2), "32(%%r12)",                      "action, lanes 4 to 7")
        OP(sub, "$-128", "%%rdi",                           "8 observations further")
        OP(add, "$64", "%%r12",                             "8 actions further")
        OP(sub, "$8", "%%rcx",                              "8 lanes less")
        MCA_END
        OP(jnz, "1b",                                       "next 8 lanes")
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors), SECOND_TENSOR
        : "rcx", "rsi", "rdi", "r12", YMM_CLOBBERS, "memory", "cc");
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

}  // namespace compute_layers::asm_x86_64
