// SPDX-License-Identifier: MIT
// Sections that the AVX2 and AVX-512 kernels of the family `mlp` share: everything but the layers' sums and
// the activations. Comments in the words of python/compute_layers/policies/{linear,mlp}.py;
// cpp/policies/mlp.cpp says how the weights were packed.
#pragma once

#include "layer.hpp"
#include "policies/activations.hpp"

// clang-format off

#define ACTIVATION_CONSTANTS(ROW)                                                                        \
    ROW(minus_limit, row(-kLimit)) ROW(limit, row(kLimit))                                               \
    ROW(P0, row(kP[0])) ROW(P1, row(kP[1])) ROW(P2, row(kP[2])) ROW(P3, row(kP[3]))                      \
    ROW(Q0, row(kQ[0])) ROW(Q1, row(kQ[1])) ROW(Q2, row(kQ[2])) ROW(Q3, row(kQ[3]))                      \
    ROW(lowest, row(kLowest)) ROW(highest, row(kHighest)) ROW(minus_log2_e, row(kMinusLog2E))            \
    ROW(round, row(kRoundExponent)) ROW(ln2_high, row(kLn2High)) ROW(ln2_low, row(kLn2Low))              \
    ROW(E0, row(kExp[0])) ROW(E1, row(kExp[1])) ROW(E2, row(kExp[2])) ROW(E3, row(kExp[3]))              \
    ROW(E4, row(kExp[4])) ROW(E5, row(kExp[5])) ROW(E6, row(kExp[6])) ROW(one, row(1.0f))

// A row, where [k] is the table itself: a memory operand takes no register.
#define C(name) ".Lk_" #name "+%[k]"

//  Registers of act_<head>
//
//  rdi  observation 0 of the next group   rsi  bytes of an observation   rdx  of three, then y_r   rax  scratch
//  r8   x of the layer, float[inputs][16 lanes]   rcx  x_k    r10  packed weights   r15  the layer's tensors
//  rbx  layers left   r11  rows left   r12  action of lane 0  r13  lanes left       r14  bytes of an action

// The activation, if there is one after this layer; TANH_OF_ and so on are the kernel's.
#define ACTIVATE(registers)                                                                              \
    OP(cmp, "$1", "%%rbx",                                  "the last layer?")                           \
    OP(je, "23f",                                           "it has no activation")                      \
    OP(mov, "%c[choices](%[b])", "%%rax",                   "choices")                                   \
    OP(cmpq, "$1", "(%%rax)",                               "the activation")                            \
    OP(je, "21f",                                           "relu")                                      \
    OP(ja, "22f",                                           "sigmoid")                                   \
    TANH_OF_##registers                                                                                  \
    OP(jmp, "23f",                                          "done")                                      \
    LABEL(21)                                                                                            \
    RELU_OF_##registers                                                                                  \
    OP(jmp, "23f",                                          "done")                                      \
    LABEL(22)                                                                                            \
    SIGMOID_OF_##registers                                                                               \
    LABEL(23)

// x_k of the group: lanes 8 to 15 lie 32 bytes behind lanes 0 to 7. Without them the other half is computed
// all the same, of whatever lies there.
#define LOAD_GROUP                                                                                       \
    LABEL(1)                                                                                             \
    OP(mov, "%c[scratch](%[b])", "%%r8",                    "x of lanes 0 to 7")                         \
    LABEL(2)                                                                                             \
    OP(lea, "(%%rsi,%%rsi,2)", "%%rdx",                     "bytes of three observations")               \
    TRANSPOSE(64)                                                                                        \
    OP(test, "$32", "%%r8b",                                "lanes 8 to 15 just now?")                   \
    OP(jnz, "3f",                                           "done")                                      \
    OP(cmp, "$8", "%%r13",                                  "are there any?")                            \
    OP(je, "3f",                                            "no")                                        \
    OP(mov, "%c[scratch](%[b])", "%%r8",                    "scratch")                                   \
    OP(add, "$32", "%%r8",                                  "x of lanes 8 to 15")                        \
    OP(jmp, "2b",                                           "transpose them")

#define FIRST_LAYER                                                                                      \
    LABEL(3)                                                                                             \
    OP(mov, "%c[packed](%[b])", "%%r10",                    "packed")                                    \
    OP(mov, "%c[tensors](%[b])", "%%r15",                   "W0")                                        \
    OP(mov, "%c[tensor_count](%[b])", "%%rbx",              "tensors")                                   \
    OP(shr, "$1", "%%rbx",                                  "layers")

// y behind x; x is a multiple of 16 rows long.
#define PLACE_Y                                                                                          \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(mov, "%c[rows](%%r15)", "%%r11",                     "rows")                                      \
    OP(lea, "15(%%rax)", "%%rdx",                           "inputs, rounded up")                        \
    OP(and, "$-16", "%%rdx",                                "to a multiple of 16")                       \
    OP(shl, "$6", "%%rdx",                                  "bytes of x")                                \
    OP(add, "%%r8", "%%rdx",                                "y")

#define IF_PARTIAL(label)                                                                                \
    OP(cmp, "$32", "%%rax",                                 "32 inputs or more")                         \
    OP(jl, "5f",                                            "no")                                        \
    OP(cmp, "$8", "%%r11",                                  "for 8 rows or less?")                       \
    OP(jle, #label "f",                                     "partial sums")                              \
    LABEL(5)

// r10 to the next multiple of 64, where the next layer's weights begin; x = y.
#define NEXT_LAYER                                                                                       \
    LABEL(9)                                                                                             \
    OP(and, "$-64", "%%r10",                                "the next layer's weights")                  \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(add, "$15", "%%rax",                                 "rounded up")                                \
    OP(and, "$-16", "%%rax",                                "to a multiple of 16")                       \
    OP(shl, "$6", "%%rax",                                  "bytes of x")                                \
    OP(add, "%%rax", "%%r8",                                "x = y")                                     \
    OP(add, "%[layer]", "%%r15",                            "the next layer's tensors")                  \
    OP(dec, "%%rbx",                                        "layers left")                               \
    OP(jnz, "4b",                                           "next layer")

#define LAYERS                                                                                           \
    FIRST_LAYER                                                                                          \
    OP(mov, "%c[scratch](%[b])", "%%r8",                    "x")                                         \
    LABEL(4)                                                                                             \
    PLACE_Y                                                                                              \
    IF_PARTIAL(30)                                                                                       \
    TILES                                                                                                \
    LABEL(30)                                                                                            \
    PARTIAL_ROWS                                                                                         \
    NEXT_LAYER

// The head takes y_r from r8, half of the lanes at a time.
#define DECIDE(HEAD)                                                                                     \
    HEAD##_BEGIN                                                                                         \
    LABEL(40)                                                                                            \
    OP(mov, "%%r8", "%%rdx",                                "y_0")                                       \
    OP(xor, "%%r11d", "%%r11d",                             "r = 0")                                     \
    LABEL(50)                                                                                            \
    OP(vmovaps, "(%%rdx)", Y(0),                            "y_r")                                       \
    HEAD(0)                                                                                              \
    OP(add, "$64", "%%rdx",                                 "y_r+1")                                     \
    OP(cmp, "%%rbx", "%%r11",                               "a row left?")                               \
    OP(jl, "50b",                                           "next row")                                  \
    HEAD##_LAST                                                                                          \
    OP(sub, "$8", "%%r13",                                  "8 lanes less")                              \
    OP(jz, "51f",                                           "that was all")                              \
    OP(add, "$32", "%%r8",                                  "lanes 8 to 15")                             \
    OP(test, "$32", "%%r8b",                                "not yet done?")                             \
    OP(jnz, "40b",                                          "them too")                                  \
    OP(jmp, "1b",                                           "next group")                                \
    LABEL(51)                                                                                            \
    OP(vzeroupper,                                          "leave no upper halves")

#define BEGIN                                                                                            \
    OP(mov, "%c[observation](%[b])", "%%rdi",               "observations")                              \
    OP(mov, "%c[inputs](%[b])", "%%rsi",                    "inputs")                                    \
    OP(shl, "$2", "%%rsi",                                  "bytes of an observation")                   \
    OP(mov, "%c[action](%[b])", "%%r12",                    "actions")                                   \
    OP(mov, "%c[n](%[b])", "%%r13",                         "lanes")                                     \
    ROW_OFFSETS(ACTIVATION_CONSTANTS)

#define OPERANDS                                                                                         \
    OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, inputs), OFFSET(PolicyBatch, outputs),                   \
    OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors),         \
    OFFSET(PolicyBatch, tensor_count), OFFSET(PolicyBatch, packed), OFFSET(PolicyBatch, low),            \
    OFFSET(PolicyBatch, high), OFFSET(PolicyBatch, choices), OFFSET(PolicyBatch, scratch),               \
    OFFSET(Tensor, rows), OFFSET(Tensor, columns), [layer] "i"(2 * sizeof(Tensor)), [k] "m"(kConstants)

#define GENERAL_CLOBBERS                                                                                 \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc"

//  Registers of act_<head>_single
//
//  r8   x of the layer, float[inputs]   rcx  x_k    rdx  y_r     r12  y_0   r10  packed weights
//  r15  the layer's tensors             rbx  layers left         r11  rows left
//  rsi, rdi  bytes from a tile to the next, to the third from there         rax  scratch
//  0-7     y of 64 rows, or 0 and 1 of 16; only the even ones for AVX-512   8     x_k, V(8) in its width
//  ymm0    partial sums of a row        ymm14  selects the last x_k of them

#define FROM_X_0                                                                                         \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(mov, "%%r8", "%%rcx",                                "x_0")
#define NEXT_X                                                                                           \
    OP(add, "$64", "%%r10",                                 "W[r,k]")                                    \
    OP(vbroadcastss, "(%%rcx)", V(8),                       "x_k")                                       \
    OP(add, "$4", "%%rcx",                                  "x_k+1")

// Four tiles at a time, enough to hide the latency of a sum; then one by one.
#define TILES_SINGLE                                                                                     \
    OP(lea, "1(%%rax)", "%%rsi",                            "biases and weights of each input")          \
    OP(shl, "$6", "%%rsi",                                  "bytes of a tile")                           \
    OP(lea, "(%%rsi,%%rsi,2)", "%%rdi",                     "of three")                                  \
    LABEL(5)                                                                                             \
    OP(cmp, "$48", "%%r11",                                 "more than three tiles left?")               \
    OP(jle, "7f",                                           "no")                                        \
    TILE_BIAS("", 0, 1)                                                                                  \
    TILE_BIAS(",%%rsi", 2, 3)                                                                            \
    TILE_BIAS(",%%rsi,2", 4, 5)                                                                          \
    TILE_BIAS(",%%rdi", 6, 7)                                                                            \
    FROM_X_0                                                                                             \
    LOOP(6)                                                                                              \
    MCA_BEGIN("mlp/single rows=64")                                                                      \
    NEXT_X                                                                                               \
    TILE_TERM("", 0, 1)                                                                                  \
    TILE_TERM(",%%rsi", 2, 3)                                                                            \
    TILE_TERM(",%%rsi,2", 4, 5)                                                                          \
    TILE_TERM(",%%rdi", 6, 7)                                                                            \
    OP(dec, "%%rax",                                        "inputs left")                               \
    MCA_END                                                                                              \
    OP(jnz, "6b",                                           "next k")                                    \
    ACTIVATE(FOUR_TILES)                                                                                 \
    STORE_TILE(0, 0, 1)                                                                                  \
    STORE_TILE(64, 2, 3)                                                                                 \
    STORE_TILE(128, 4, 5)                                                                                \
    STORE_TILE(192, 6, 7)                                                                                \
    OP(add, "$256", "%%rdx",                                "y_r+64")                                    \
    OP(lea, "64(%%r10,%%rdi)", "%%r10",                     "the fourth tile from here")                 \
    OP(sub, "$64", "%%r11",                                 "rows left")                                 \
    OP(jg, "5b",                                            "next tiles")                                \
    OP(jmp, "9f",                                           "none")                                      \
    LABEL(7)                                                                                             \
    TILE_BIAS("", 0, 1)                                                                                  \
    FROM_X_0                                                                                             \
    LABEL(8)                                                                                             \
    NEXT_X                                                                                               \
    TILE_TERM("", 0, 1)                                                                                  \
    OP(dec, "%%rax",                                        "inputs left")                               \
    OP(jnz, "8b",                                           "next k")                                    \
    ACTIVATE(ONE_TILE)                                                                                   \
    STORE_TILE(0, 0, 1)                                                                                  \
    OP(add, "$64", "%%rdx",                                 "y_r+16")                                    \
    OP(add, "$64", "%%r10",                                 "the next tile")                             \
    OP(sub, "$16", "%%r11",                                 "rows left")                                 \
    OP(jg, "7b",                                            "next tile")                                 \
    OP(jmp, "9f",                                           "none")

// Row after row, all partial sums in one vector. Of the last x_k a mask keeps what there is; the weights in the
// other places are -0.0, and -0.0 * 0.0 = -0.0 changes no partial sum.
#define PARTIAL_ROWS_SINGLE                                                                              \
    OP(mov, "%%eax", "%%ecx",                               "inputs")                                    \
    OP(and, "$7", "%%ecx",                                  "last terms")                                \
    OP(shl, "$3", "%%ecx",                                  "a byte for each")                           \
    OP(mov, "$1", "%%eax",                                  "1")                                         \
    OP(shl, "%%cl", "%%rax",                                "1 above these bytes")                       \
    OP(dec, "%%rax",                                        "their bits")                                \
    OP(vmovq, "%%rax", X(14),                               "mask of bytes")                             \
    OP(vpmovsxbd, X(14), Y(14),                             "mask of floats")                            \
    LABEL(31)                                                                                            \
    OP(vmovaps, "(%%r10)", Y(0),                            "p_0 = b_r, p_1 .. p_7 = 0")                 \
    OP(add, "$32", "%%r10",                                 "W[r,0]")                                    \
    FROM_X_0                                                                                             \
    OP(sub, "$8", "%%rax",                                  "8 terms: there are 32")                     \
    LABEL(33)                                                                                            \
    OP(vmovups, "(%%rcx)", Y(1),                            "x_k..k+7")                                  \
    OP(vfmadd231ps, "(%%r10)", Y(1), Y(0),                  "p + W[r,k..k+7]*x_k..k+7")                  \
    OP(add, "$32", "%%r10",                                 "k + 8")                                     \
    OP(add, "$32", "%%rcx",                                 "k + 8")                                     \
    OP(sub, "$8", "%%rax",                                  "terms left")                                \
    OP(jge, "33b",                                          "next 8")                                    \
    OP(cmp, "$-8", "%%rax",                                 "none?")                                     \
    OP(je, "34f",                                           "none")                                      \
    OP(vmaskmovps, "(%%rcx)", Y(14), Y(1),                  "the last x_k, and 0.0")                     \
    OP(vfmadd231ps, "(%%r10)", Y(1), Y(0),                  "p + W[r,k]*x_k")                            \
    OP(add, "$32", "%%r10",                                 "the next row")                              \
    LABEL(34)                                                                                            \
    OP(vextractf128, "$1", Y(0), X(1),                      "p_4 .. p_7")                                \
    OP(vaddps, X(1), X(0), X(0),                            "s_j = p_j + p_j+4")                         \
    OP(vpermilpd, "$1", X(0), X(1),                         "s_2, s_3")                                  \
    OP(vaddps, X(1), X(0), X(0),                            "t_j = s_j + s_j+2")                         \
    OP(vmovshdup, X(0), X(1),                               "t_1")                                       \
    OP(vaddss, X(1), X(0), X(0),                            "y_r = t_0 + t_1")                           \
    ACTIVATE(ONE_TILE)                                                                                   \
    OP(vmovss, X(0), "(%%rdx)",                             "y_r")                                       \
    OP(add, "$4", "%%rdx",                                  "y_r+1")                                     \
    OP(dec, "%%r11",                                        "rows left")                                 \
    OP(jnz, "31b",                                          "next row")                                  \
    OP(add, "$32", "%%r10",                                 "the next layer begins at a multiple of 64") \
    OP(add, "$63", "%%rdx",                                 "and so does the next y")

#define LAYERS_SINGLE                                                                                    \
    ROW_OFFSETS(ACTIVATION_CONSTANTS)                                                                    \
    FIRST_LAYER                                                                                          \
    OP(mov, "%c[observation](%[b])", "%%r8",                "x: the observation")                        \
    OP(mov, "%c[scratch](%[b])", "%%rdx",                   "y")                                         \
    LABEL(4)                                                                                             \
    OP(and, "$-64", "%%rdx",                                "y_0")                                       \
    OP(mov, "%%rdx", "%%r12",                               "y_0")                                       \
    OP(mov, "%c[columns](%%r15)", "%%rax",                  "inputs")                                    \
    OP(mov, "%c[rows](%%r15)", "%%r11",                     "rows")                                      \
    IF_PARTIAL(30)                                                                                       \
    TILES_SINGLE                                                                                         \
    LABEL(30)                                                                                            \
    PARTIAL_ROWS_SINGLE                                                                                  \
    LABEL(9)                                                                                             \
    OP(and, "$-64", "%%r10",                                "the next layer's weights")                  \
    OP(mov, "%%r12", "%%r8",                                "x = y")                                     \
    OP(add, "%[layer]", "%%r15",                            "the next layer's tensors")                  \
    OP(dec, "%%rbx",                                        "layers left")                               \
    OP(jnz, "4b",                                           "next layer")                                \
    OP(mov, "%c[action](%[b])", "%%rdi",                    "action")                                    \
    OP(mov, "%c[outputs](%[b])", "%%rbx",                   "rows")

#define SINGLE_OPERANDS                                                                                  \
    OFFSET(PolicyBatch, outputs), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),         \
    OFFSET(PolicyBatch, tensors), OFFSET(PolicyBatch, tensor_count), OFFSET(PolicyBatch, packed),        \
    OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high), OFFSET(PolicyBatch, choices),                   \
    OFFSET(PolicyBatch, scratch), OFFSET(Tensor, rows), OFFSET(Tensor, columns),                         \
    [layer] "i"(2 * sizeof(Tensor)), [k] "m"(kConstants)

#define SINGLE_CLOBBERS                                                                                  \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r10", "r11", "r12", "r15", "memory", "cc"

// clang-format on
