// SPDX-License-Identifier: MIT
// Sections that the NEON kernels of the family `mlp` are put together from: everything but the layers' terms
// and the activations. Comments in the words of python/compute_layers/policies/{linear,mlp}.py;
// cpp/policies/mlp.cpp says how the weights were packed.
#pragma once

#include "layer.hpp"

// clang-format off

//  Registers of act_<head>, besides those of layer.hpp
//
//  x9   x_k               x10  inputs left             x11  rows left, then r       x13  lanes left
//  x19  the next group    x20  layers left             x21  x of the layer, float[inputs][16 lanes]
//  x22  y_r               x23  packed weights          x24  the layer's tensors                    x25  y_0

// The activation of registers 0 to `count` - 1, if there is one after this layer.
#define ACTIVATE(count)                                                                                  \
    OP(cmp, "x20", "#1",                                    "the last layer?")                           \
    OP(b.eq, "23f",                                         "it has no activation")                      \
    OP(ldr, "x17", B(choices),                              "choices")                                   \
    OP(ldr, "x17", "[x17]",                                 "the activation")                            \
    OP(cmp, "x17", "%[relu]",                               "which?")                                    \
    OP(b.eq, "21f",                                         "relu")                                      \
    OP(b.gt, "22f",                                         "sigmoid")                                   \
    TANH_OF_##count                                                                                      \
    OP(b, "23f",                                            "done")                                      \
    LABEL(21)                                                                                            \
    RELU_OF_##count                                                                                      \
    OP(b, "23f",                                            "done")                                      \
    LABEL(22)                                                                                            \
    SIGMOID_OF_##count                                                                                   \
    LABEL(23)

#define BEGIN                                                                                            \
    ROW_OFFSETS(CONSTANTS)                                                                               \
    OP(ldr, "x19", B(observation),                          "observations")                              \
    OP(ldr, "x8", B(inputs),                                "inputs")                                    \
    OP(lsl, "x8", "x8", "#2",                               "bytes of an observation")                   \
    OP(ldr, "x12", B(action),                               "actions")                                   \
    OP(ldr, "x13", B(n),                                    "lanes")

// x_k of the group: lanes 8 to 15 lie 32 bytes behind lanes 0 to 7. Without them the other half is computed
// all the same, of whatever lies there.
#define LOAD_GROUP                                                                                       \
    LABEL(1)                                                                                             \
    OP(ldr, "x21", B(scratch),                              "x")                                         \
    OP(mov, "x9", "x21",                                    "x of lanes 0 to 7")                         \
    LABEL(2)                                                                                             \
    OP(mov, "x0", "x19",                                    "observation 0 of these lanes")              \
    TRANSPOSE(64)                                                                                        \
    OP(mov, "x19", "x7",                                    "the next group")                            \
    OP(tbnz, "x9", "#5", "3f",                              "lanes 8 to 15 just now? done")              \
    OP(cmp, "x13", "#8",                                    "are there any?")                            \
    OP(b.eq, "3f",                                          "no")                                        \
    OP(add, "x9", "x21", "#32",                             "x of lanes 8 to 15")                        \
    OP(b, "2b",                                             "transpose them")                            \
    LABEL(3)

#define FIRST_LAYER                                                                                      \
    OP(ldr, "x23", B(packed),                               "packed")                                    \
    OP(ldr, "x24", B(tensors),                              "W0")                                        \
    OP(ldr, "x20", B(tensor_count),                         "tensors")                                   \
    OP(lsr, "x20", "x20", "#1",                             "layers")

#define SHAPE                                                                                            \
    OP(ldr, "x10", AT("x24", columns),                      "inputs")                                    \
    OP(ldr, "x11", AT("x24", rows),                         "rows")

#define IF_PARTIAL(label)                                                                                \
    OP(cmp, "x10", "#32",                                   "32 inputs or more")                         \
    OP(b.lt, "5f",                                          "no")                                        \
    OP(cmp, "x11", "#8",                                    "for 8 rows or less?")                       \
    OP(b.le, #label "f",                                    "partial sums")                              \
    LABEL(5)

#define FROM_X_0                                                                                         \
    OP(ldr, "x10", AT("x24", columns),                      "inputs")                                    \
    OP(mov, "x9", "x21",                                    "x_0")

// x23 to the next multiple of 64, where the next layer's weights begin; x = y.
#define NEXT_LAYER                                                                                       \
    LABEL(9)                                                                                             \
    OP(and, "x23", "x23", "#-64",                           "the next layer's weights")                  \
    OP(mov, "x21", "x25",                                   "x = y")                                     \
    OP(add, "x24", "x24", "%[layer]",                       "the next layer's tensors")                  \
    OP(subs, "x20", "x20", "#1",                            "layers left")                               \
    OP(b.ne, "4b",                                          "next layer")

// y behind x, which is a multiple of 16 rows long.
#define LAYERS                                                                                           \
    FIRST_LAYER                                                                                          \
    LABEL(4)                                                                                             \
    SHAPE                                                                                                \
    OP(add, "x25", "x10", "#15",                            "inputs, rounded up")                        \
    OP(and, "x25", "x25", "#-16",                           "to a multiple of 16")                       \
    OP(add, "x25", "x21", "x25, lsl #6",                    "y_0")                                       \
    OP(mov, "x22", "x25",                                   "y_0")                                       \
    IF_PARTIAL(30)                                                                                       \
    TILES                                                                                                \
    LABEL(30)                                                                                            \
    PARTIAL_ROWS                                                                                         \
    NEXT_LAYER

// The head takes y_r from x21, half of the lanes at a time.
#define DECIDE(HEAD)                                                                                     \
    HEAD##_BEGIN                                                                                         \
    LABEL(40)                                                                                            \
    OP(mov, "x22", "x21",                                   "y_0")                                       \
    OP(mov, "x11", "#0",                                    "r = 0")                                     \
    LABEL(50)                                                                                            \
    OP(ldp, Q(0), Q(1), "[x22]", "#64",                     "y_r")                                       \
    HEAD(0, 1)                                                                                           \
    OP(cmp, "x11", "x16",                                   "a row left?")                               \
    OP(b.lt, "50b",                                         "next row")                                  \
    HEAD##_LAST                                                                                          \
    OP(subs, "x13", "x13", "#8",                            "8 lanes less")                              \
    OP(b.eq, "51f",                                         "that was all")                              \
    OP(add, "x21", "x21", "#32",                            "lanes 8 to 15")                             \
    OP(tbnz, "x21", "#5", "40b",                            "not yet done? them too")                    \
    OP(b, "1b",                                             "next group")                                \
    LABEL(51)

#define SINGLE_OPERANDS                                                                                  \
    [b] "r"(batch), [k] "r"(&kConstants), [relu] "i"(kRelu), [layer] "i"(2 * sizeof(Tensor)),            \
    OFFSET(PolicyBatch, outputs), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),         \
    OFFSET(PolicyBatch, tensors), OFFSET(PolicyBatch, tensor_count), OFFSET(PolicyBatch, packed),        \
    OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high), OFFSET(PolicyBatch, choices),                   \
    OFFSET(PolicyBatch, scratch), OFFSET(Tensor, rows), OFFSET(Tensor, columns)
#define OPERANDS SINGLE_OPERANDS, OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, inputs)

#define CLOBBERS                                                                                         \
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",       \
    "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", V_CLOBBERS, "memory", "cc"

//  Registers of act_<head>_single
//
//  x0-x3  W[r,k] of four tiles   x8   bytes of a tile                 x9   x_k         x10  inputs left
//  x11    rows left, then r      x12  action                          x16  rows        x17  scratch
//  x20    layers left            x21  x of the layer, float[inputs]   x22  y_r         x25  y_0
//  x23    packed weights         x24  the layer's tensors
//
//  v0-v15 y of 64 rows, v0-v3 of 16, v0 and v1 the partial sums of one    v16-v31  W and x

// Four tiles at a time, enough to hide the latency of a sum; then one by one.
#define TILES_SINGLE                                                                                     \
    OP(add, "x8", "x10", "#1",                              "biases and weights of each input")          \
    OP(lsl, "x8", "x8", "#6",                               "bytes of a tile")                           \
    LABEL(5)                                                                                             \
    OP(cmp, "x11", "#48",                                   "more than three tiles left?")               \
    OP(b.le, "7f",                                          "no")                                        \
    OP(mov, "x0", "x23",                                    "the first tile")                            \
    OP(add, "x1", "x0", "x8",                               "the second")                                \
    OP(add, "x2", "x0", "x8, lsl #1",                       "the third")                                 \
    OP(add, "x3", "x1", "x8, lsl #1",                       "the fourth")                                \
    TILE_BIAS(0, 0, 1, 2, 3)                                                                             \
    TILE_BIAS(1, 4, 5, 6, 7)                                                                             \
    TILE_BIAS(2, 8, 9, 10, 11)                                                                           \
    TILE_BIAS(3, 12, 13, 14, 15)                                                                         \
    FROM_X_0                                                                                             \
    LOOP(6)                                                                                              \
    MCA_BEGIN("mlp/single rows=64")                                                                      \
    OP(ldr, S(16), "[x9]", "#4",                            "x_k")                                       \
    TILE_TERM(0, 0, 1, 2, 3, 17, 18, 19, 20)                                                             \
    TILE_TERM(1, 4, 5, 6, 7, 21, 22, 23, 24)                                                             \
    TILE_TERM(2, 8, 9, 10, 11, 25, 26, 27, 28)                                                           \
    TILE_TERM(3, 12, 13, 14, 15, 17, 18, 19, 20)                                                         \
    OP(subs, "x10", "x10", "#1",                            "inputs left")                               \
    MCA_END                                                                                              \
    OP(b.ne, "6b",                                          "next k")                                    \
    OP(mov, "x23", "x3",                                    "behind the fourth tile")                    \
    ACTIVATE(16)                                                                                         \
    STORE_TILE(0, 1, 2, 3)                                                                               \
    STORE_TILE(4, 5, 6, 7)                                                                               \
    STORE_TILE(8, 9, 10, 11)                                                                             \
    STORE_TILE(12, 13, 14, 15)                                                                           \
    OP(subs, "x11", "x11", "#64",                           "rows left")                                 \
    OP(b.gt, "5b",                                          "next tiles")                                \
    OP(b, "9f",                                             "none")                                      \
    LABEL(7)                                                                                             \
    TILE_BIAS(23, 0, 1, 2, 3)                                                                            \
    FROM_X_0                                                                                             \
    LOOP(8)                                                                                              \
    OP(ldr, S(16), "[x9]", "#4",                            "x_k")                                       \
    TILE_TERM(23, 0, 1, 2, 3, 17, 18, 19, 20)                                                            \
    OP(subs, "x10", "x10", "#1",                            "inputs left")                               \
    OP(b.ne, "8b",                                          "next k")                                    \
    ACTIVATE(4)                                                                                          \
    STORE_TILE(0, 1, 2, 3)                                                                               \
    OP(subs, "x11", "x11", "#16",                           "rows left")                                 \
    OP(b.gt, "7b",                                          "next tile")                                 \
    OP(b, "9f",                                             "none")

// Row after row, all partial sums in two vectors. The packed weights end with -0.0 where there is no x_k.
#define PARTIAL_ROWS_SINGLE                                                                              \
    LAST_TERMS                                                                                           \
    LABEL(31)                                                                                            \
    OP(ldp, Q(0), Q(1), "[x23]", "#32",                     "p_0 = b_r, p_1 .. p_7 = 0")                 \
    FROM_X_0                                                                                             \
    OP(sub, "x10", "x10", "#8",                             "8 terms: there are 32")                     \
    LOOP(33)                                                                                             \
    MCA_BEGIN("mlp/single_partial_row")                                                                  \
    OP(ldp, Q(16), Q(17), "[x23]", "#32",                   "W[r,k..k+7]")                               \
    OP(ldp, Q(18), Q(19), "[x9]", "#32",                    "x_k..k+7")                                  \
    OP(fmla, S4(0), S4(16), S4(18),                         "p_0 .. p_3 + W[r,k..k+3]*x_k..k+3")         \
    OP(fmla, S4(1), S4(17), S4(19),                         "p_4 .. p_7")                                \
    OP(subs, "x10", "x10", "#8",                            "terms left")                                \
    MCA_END                                                                                              \
    OP(b.ge, "33b",                                         "next 8")                                    \
    OP(cmn, "x10", "#8",                                    "none?")                                     \
    OP(b.eq, "34f",                                         "none")                                      \
    OP(ldp, Q(16), Q(17), "[x23]", "#32",                   "the last m W[r,k], and -0.0")               \
    LAST_X(20, 21, "x9")                                                                                 \
    OP(fmla, S4(0), S4(16), S4(20),                         "p_0 .. p_3 + W[r,k]*x_k")                   \
    OP(fmla, S4(1), S4(17), S4(21),                         "p_4 .. p_7")                                \
    LABEL(34)                                                                                            \
    OP(fadd, S4(0), S4(0), S4(1),                           "s_j = p_j + p_j+4")                         \
    OP(ext, B16(1), B16(0), B16(0), "#8",                   "s_2, s_3")                                  \
    OP(fadd, S2(0), S2(0), S2(1),                           "t_j = s_j + s_j+2")                         \
    OP(faddp, S(0), S2(0),                                  "y_r = t_0 + t_1")                           \
    ACTIVATE(1)                                                                                          \
    OP(str, S(0), "[x22]", "#4",                            "y_r")                                       \
    OP(subs, "x11", "x11", "#1",                            "rows left")                                 \
    OP(b.ne, "31b",                                         "next row")                                  \
    OP(add, "x23", "x23", "#32",                            "the next layer begins at a multiple of 64") \
    OP(add, "x22", "x22", "#63",                            "and so does the next y")

#define LAYERS_SINGLE                                                                                    \
    ROW_OFFSETS(CONSTANTS)                                                                               \
    FIRST_LAYER                                                                                          \
    OP(ldr, "x21", B(observation),                          "x: the observation")                        \
    OP(ldr, "x22", B(scratch),                              "y")                                         \
    LABEL(4)                                                                                             \
    SHAPE                                                                                                \
    OP(and, "x22", "x22", "#-64",                           "y_0")                                       \
    OP(mov, "x25", "x22",                                   "y_0")                                       \
    IF_PARTIAL(30)                                                                                       \
    TILES_SINGLE                                                                                         \
    LABEL(30)                                                                                            \
    PARTIAL_ROWS_SINGLE                                                                                  \
    NEXT_LAYER                                                                                           \
    OP(ldr, "x12", B(action),                               "action")

#define SINGLE_CLOBBERS                                                                                  \
    "x0", "x1", "x2", "x3", "x8", "x9", "x10", "x11", "x12", "x16", "x17", "x20", "x21", "x22", "x23",   \
    "x24", "x25", V_CLOBBERS, "memory", "cc"

// clang-format on
