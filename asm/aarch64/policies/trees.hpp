// SPDX-License-Identifier: MIT
// Sections of the families of trees: observations turned into words, walks; cpp/policies/packed_trees.hpp
// says what these are. Comments in the words of python/compute_layers/policies/tree.py.
#pragma once

#include "layer.hpp"
#include "policies/packed_trees.hpp"

static_assert(offsetof(compute_layers::PackedTrees, trees) == 0);
static_assert(offsetof(compute_layers::PackedTree, depth) == 0);

// clang-format off

//  Registers, besides those of layer.hpp
//
//  x0-x7    observations 0 to 7; then k: the nodes where 8 walks are, at last what `leaves` has for them
//  x8, x9   scratch; words of a node and of its feature       x10  nodes, then leaves    x11  steps left
//  x12      action of lane 0    x13  links    x14  tree       x15  x, the words of the group
//  x16, x17 scratch             x19  observation 0 of the group whose words come next
//  x20-x27  x of lanes 0 to 7   x30  lanes left
//
//  v24  -inf   v25  the sign   v26  0   v27  -1   v0-v7, v16-v23  scratch
#define EACH_K(MACRO)                                                                                    \
    MACRO(0, 20) MACRO(1, 21) MACRO(2, 22) MACRO(3, 23)                                                  \
    MACRO(4, 24) MACRO(5, 25) MACRO(6, 26) MACRO(7, 27)

#define WALK_OPERANDS                                                                                    \
    [b] "r"(batch), OFFSET(PolicyBatch, inputs), OFFSET(PolicyBatch, states),                            \
    OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, outputs),         \
    OFFSET(PolicyBatch, packed), OFFSET(PolicyBatch, scratch), OFFSET(PackedTrees, blocks),              \
    OFFSET(PackedTrees, starts), OFFSET(PackedTrees, numbers), OFFSET(PackedTree, nodes),                \
    OFFSET(PackedTree, links), OFFSET(PackedTree, leaves), [first] "i"(sizeof(PackedTrees)),             \
    [words_at] "i"(kRoom)

#define CLOBBERS                                                                                         \
    "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",       \
    "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x30",           \
    FREE_V_CLOBBERS, "memory", "cc"

#define VECTORS                                                                                          \
    OP(movz, "w8", "#0xff80", "lsl #16",                    "bits of -inf")                              \
    OP(dup, S4(24), "w8",                                   "-inf")                                      \
    OP(movi, S4(25), "#0x80", "lsl #24",                    "the sign")                                  \
    OP(movi, S4(26), "#0",                                  "0")                                         \
    OP(movi, D2(27), "#0xffffffffffffffff",                 "-1")

#define BEGIN                                                                                            \
    VECTORS                                                                                              \
    OP(ldr, "x19", B(observation),                          "observation 0")                             \
    OP(ldr, "x12", B(action),                               "action of lane 0")                          \
    OP(ldr, "x30", B(n),                                    "lanes")

#define FIRST_WORDS                                                                                      \
    OP(ldr, "x15", B(scratch),                              "room")                                      \
    OP(add, "x15", "x15", "%[words_at]",                    "x")

#define FIRST_TREE                                                                                       \
    OP(ldr, "x14", B(packed),                               "packed")                                    \
    OP(add, "x14", "x14", "%[first]",                       "the first tree")

// The keys of the numbers in register x.
#define KEYS(x, t)                                                                                       \
    OP(fcmeq, S4(t), S4(x), S4(x),                          "no NaN?")                                   \
    OP(bif, B16(x), B16(24), B16(t),                        "x, -inf for NaN")                           \
    OP(sshr, S4(t), S4(x), "#31",                           "all bits, if the sign is set")              \
    OP(orr, B16(t), B16(t), B16(25),                        "or only the sign")                          \
    OP(eor, B16(x), B16(x), B16(t),                         "turned over: the keys")

// Words of the 4 numbers in register x, to x9.
#define STORE_WORDS(x, t, u)                                                                             \
    KEYS(x, t)                                                                                           \
    OP(zip1, S4(t), S4(26), S4(x),                          "key << 32, lanes 0 1")                      \
    OP(zip2, S4(u), S4(26), S4(x),                          "lanes 2 3")                                 \
    OP(stp, Q(t), Q(u), "[x9]", "#32",                      "words")

// Words of the 8 observations that are seen next, to x9.
#define WORDS                                                                                            \
    OP(ldr, "x8", B(states),                                "states")                                    \
    OP(cbnz, "x8", "14f",                                   "states? yes")                               \
    OP(ldr, "x10", B(inputs),                               "inputs")                                    \
    OP(lsl, "x8", "x10", "#2",                              "bytes of an observation")                   \
    OP(cmp, "x10", "#4",                                    "enough for a block?")                       \
    OP(b.lt, "13f",                                         "no")                                        \
    OP(ldr, "x10", B(packed),                               "packed")                                    \
    OP(ldr, "x11", AT("x10", starts),                       "starts")                                    \
    OP(ldr, "x10", AT("x10", blocks),                       "blocks")                                    \
    OP(cbz, "x10", "12f",                                   "none?")                                     \
    LOOP(11)                                                                                             \
    OP(ldr, "x0", "[x11]", "#8",                            "bytes to the block")                        \
    OP(add, "x0", "x19", "x0",                              "of observation 0")                          \
    NEXT_SEVEN                                                                                           \
    OP(ldr, Q(0), "[x0]",                                   "x_k .. x_k+3 of lane 0")                    \
    OP(ldr, Q(1), "[x1]",                                   "lane 1")                                    \
    OP(ldr, Q(2), "[x2]",                                   "lane 2")                                    \
    OP(ldr, Q(3), "[x3]",                                   "lane 3")                                    \
    OP(ldr, Q(4), "[x4]",                                   "lane 4")                                    \
    OP(ldr, Q(5), "[x5]",                                   "lane 5")                                    \
    OP(ldr, Q(6), "[x6]",                                   "lane 6")                                    \
    OP(ldr, Q(7), "[x7]",                                   "lane 7")                                    \
    OP(zip1, S4(16), S4(0), S4(1),                          "x_k, x_k+1 of lanes 0 1")                   \
    OP(zip1, S4(17), S4(2), S4(3),                          "lanes 2 3")                                 \
    OP(zip1, S4(18), S4(4), S4(5),                          "lanes 4 5")                                 \
    OP(zip1, S4(19), S4(6), S4(7),                          "lanes 6 7")                                 \
    OP(zip2, S4(20), S4(0), S4(1),                          "x_k+2, x_k+3 of lanes 0 1")                 \
    OP(zip2, S4(21), S4(2), S4(3),                          "lanes 2 3")                                 \
    OP(zip2, S4(22), S4(4), S4(5),                          "lanes 4 5")                                 \
    OP(zip2, S4(23), S4(6), S4(7),                          "lanes 6 7")                                 \
    OP(zip1, D2(0), D2(16), D2(17),                         "x_k of lanes 0 to 3")                       \
    OP(zip1, D2(1), D2(18), D2(19),                         "lanes 4 to 7")                              \
    OP(zip2, D2(2), D2(16), D2(17),                         "x_k+1")                                     \
    OP(zip2, D2(3), D2(18), D2(19),                         "lanes 4 to 7")                              \
    OP(zip1, D2(4), D2(20), D2(21),                         "x_k+2")                                     \
    OP(zip1, D2(5), D2(22), D2(23),                         "lanes 4 to 7")                              \
    OP(zip2, D2(6), D2(20), D2(21),                         "x_k+3")                                     \
    OP(zip2, D2(7), D2(22), D2(23),                         "lanes 4 to 7")                              \
    STORE_WORDS(0, 16, 17)                                                                               \
    STORE_WORDS(1, 18, 19)                                                                               \
    STORE_WORDS(2, 16, 17)                                                                               \
    STORE_WORDS(3, 18, 19)                                                                               \
    STORE_WORDS(4, 16, 17)                                                                               \
    STORE_WORDS(5, 18, 19)                                                                               \
    STORE_WORDS(6, 16, 17)                                                                               \
    STORE_WORDS(7, 18, 19)                                                                               \
    OP(subs, "x10", "x10", "#1",                            "blocks left")                               \
    OP(b.ne, "11b",                                         "next block")                                \
    LABEL(12)                                                                                            \
    OP(add, "x19", "x19", "x8, lsl #3",                     "the next group")                            \
    OP(b, "15f",                                            "done")                                      \
    LABEL(13)                                                                                            \
    OP(mov, "x0", "x19",                                    "observation 0")                             \
    NEXT_SEVEN                                                                                           \
    OP(add, "x19", "x19", "x8, lsl #3",                     "the next group")                            \
    LOOP(16)                                                                                             \
    OP(ldr, S(0), "[x0]", "#4",                             "x_k of lane 0")                             \
    OP(ldr, S(1), "[x4]", "#4",                             "lane 4")                                    \
    OP(ld1, LANE_OF(0, 1), "[x1]", "#4",                    "lane 1")                                    \
    OP(ld1, LANE_OF(1, 1), "[x5]", "#4",                    "lane 5")                                    \
    OP(ld1, LANE_OF(0, 2), "[x2]", "#4",                    "lane 2")                                    \
    OP(ld1, LANE_OF(1, 2), "[x6]", "#4",                    "lane 6")                                    \
    OP(ld1, LANE_OF(0, 3), "[x3]", "#4",                    "lane 3")                                    \
    OP(ld1, LANE_OF(1, 3), "[x7]", "#4",                    "lane 7")                                    \
    STORE_WORDS(0, 16, 17)                                                                               \
    STORE_WORDS(1, 18, 19)                                                                               \
    OP(subs, "x10", "x10", "#1",                            "features left")                             \
    OP(b.ne, "16b",                                         "next feature")                              \
    OP(b, "15f",                                            "done")                                      \
    LABEL(14)                                                                                            \
    OP(ldp, Q(0), Q(1), "[x19]", "#32",                     "states of lanes 0 to 3")                    \
    OP(ldp, Q(2), Q(3), "[x19]", "#32",                     "lanes 4 to 7")                              \
    OP(sub, D2(0), D2(0), D2(27),                           "state + 1")                                 \
    OP(sub, D2(1), D2(1), D2(27),                           "lanes 2 3")                                 \
    OP(sub, D2(2), D2(2), D2(27),                           "lanes 4 5")                                 \
    OP(sub, D2(3), D2(3), D2(27),                           "lanes 6 7")                                 \
    OP(shl, D2(0), D2(0), "#32",                            "key << 32")                                 \
    OP(shl, D2(1), D2(1), "#32",                            "lanes 2 3")                                 \
    OP(shl, D2(2), D2(2), "#32",                            "lanes 4 5")                                 \
    OP(shl, D2(3), D2(3), "#32",                            "lanes 6 7")                                 \
    OP(stp, Q(0), Q(1), "[x9]", "#32",                      "words of lanes 0 to 3")                     \
    OP(stp, Q(2), Q(3), "[x9]", "#32",                      "lanes 4 to 7")                              \
    LABEL(15)

#define LANE_X(i, x) OP(add, "x" #x, "x15", "#8*" #i, "x of the lane")
#define FROM_ROOT(i, x) OP(mov, "x" #i, "#1", "the root")
#define FROM_FIRST(i, x) OP(mov, "x" #i, "#0", "the root")

// node = right if x[feature] > threshold else left; the low half of a node's word is 8 times a place.
#define STEP(i, x)                                                                                       \
    OP(ldr, "x8", "[x10, x" #i ", lsl #3]",                 "word of the node")                          \
    OP(lsl, "x" #i, "x" #i, "#1",                           "left")                                      \
    OP(ldr, "x9", "[x" #x ", w8, uxtw #3]",                 "word of its feature")                       \
    OP(cmp, "x9", "x8",                                     "x[feature] > threshold?")                   \
    OP(cinc, "x" #i, "x" #i, "hi",                          "left, or right")

#define LINKED_STEP(i, x)                                                                                \
    OP(ldr, "x8", "[x10, x" #i ", lsl #3]",                 "word of the node")                          \
    OP(ldr, "w" #i, "[x13, x" #i ", lsl #2]",               "left")                                      \
    OP(ldr, "x9", "[x" #x ", w8, uxtw #3]",                 "word of its feature")                       \
    OP(cmp, "x9", "x8",                                     "x[feature] > threshold?")                   \
    OP(cinc, "x" #i, "x" #i, "hi",                          "left, or right")

#define IS_LEAF(i, x)                                                                                    \
    OP(ldr, "x9", "[x10, x" #i ", lsl #3]",                 "word of the node")                          \
    OP(and, "x8", "x8", "x9",                               "high half all ones at a leaf")
#define LEAF(i, x) OP(ldr, "w" #i, "[x10, x" #i ", lsl #2]", "leaf")

// Through the tree in x14.
#define WALK                                                                                             \
    EACH_K(LANE_X)                                                                                       \
    OP(ldr, "x10", AT("x14", nodes),                        "nodes")                                     \
    OP(ldr, "x13", AT("x14", links),                        "links")                                     \
    OP(cbnz, "x13", "22f",                                  "a complete tree? no")                       \
    OP(ldr, "x11", "[x14]",                                 "depth")                                     \
    EACH_K(FROM_ROOT)                                                                                    \
    LOOP(21)                                                                                             \
    EACH_K(STEP)                                                                                         \
    OP(subs, "x11", "x11", "#1",                            "steps left")                                \
    OP(b.ne, "21b",                                         "next step")                                 \
    OP(b, "24f",                                            "at the leaves")                             \
    LABEL(22)                                                                                            \
    EACH_K(FROM_FIRST)                                                                                   \
    LOOP(23)                                                                                             \
    EACH_K(LINKED_STEP)                                                                                  \
    EACH_K(LINKED_STEP)                                                                                  \
    EACH_K(LINKED_STEP)                                                                                  \
    EACH_K(LINKED_STEP)                                                                                  \
    OP(mov, "x8", "#-1",                                    "all ones")                                  \
    EACH_K(IS_LEAF)                                                                                      \
    OP(asr, "x8", "x8", "#32",                              "the high half")                             \
    OP(cmn, "x8", "#1",                                     "all at leaves?")                            \
    OP(b.ne, "23b",                                         "no")                                        \
    LABEL(24)                                                                                            \
    OP(ldr, "x10", AT("x14", leaves),                       "leaves")                                    \
    EACH_K(LEAF)

//  Registers of a single walk
//
//  x0   k          x8, x9, x17  scratch    x10  nodes, then leaves    x11  steps left   x12  action
//  x13  links      x14  tree               x15  x                     x16  packed       x19  observation
//  x20  trees left x21  y                  x22  rows

// Words of one observation.
#define SINGLE_WORDS                                                                                     \
    FIRST_WORDS                                                                                          \
    VECTORS                                                                                              \
    OP(ldr, "x16", B(packed),                               "packed")                                    \
    OP(ldr, "x19", B(observation),                          "observation")                               \
    OP(mov, "x9", "x15",                                    "x")                                         \
    OP(ldr, "x8", B(states),                                "states")                                    \
    OP(cbnz, "x8", "14f",                                   "a state? yes")                              \
    OP(ldr, "x10", B(inputs),                               "inputs")                                    \
    OP(cmp, "x10", "#4",                                    "enough for a block?")                       \
    OP(b.lt, "13f",                                         "no")                                        \
    OP(ldr, "x11", AT("x16", starts),                       "starts")                                    \
    OP(ldr, "x10", AT("x16", blocks),                       "blocks")                                    \
    OP(cbz, "x10", "15f",                                   "none?")                                     \
    LOOP(11)                                                                                             \
    OP(ldr, "x8", "[x11]", "#8",                            "bytes to the block")                        \
    OP(ldr, Q(0), "[x19, x8]",                              "x_k .. x_k+3")                              \
    STORE_WORDS(0, 16, 17)                                                                               \
    OP(subs, "x10", "x10", "#1",                            "blocks left")                               \
    OP(b.ne, "11b",                                         "next block")                                \
    OP(b, "15f",                                            "done")                                      \
    LABEL(13)                                                                                            \
    OP(ldr, S(0), "[x19]", "#4",                            "x_k")                                       \
    KEYS(0, 16)                                                                                          \
    OP(zip1, S4(0), S4(26), S4(0),                          "key << 32")                                 \
    OP(str, D(0), "[x9]", "#8",                             "word")                                      \
    OP(subs, "x10", "x10", "#1",                            "features left")                             \
    OP(b.ne, "13b",                                         "next feature")                              \
    OP(b, "15f",                                            "done")                                      \
    LABEL(14)                                                                                            \
    OP(ldr, "x8", "[x19]",                                  "state")                                     \
    OP(add, "x8", "x8", "#1",                               "state + 1")                                 \
    OP(lsl, "x8", "x8", "#32",                              "key << 32")                                 \
    OP(str, "x8", "[x9]",                                   "word")                                      \
    LABEL(15)

// Through the tree in x14; x0 is then what `leaves` has.
#define SINGLE_WALK                                                                                      \
    OP(ldr, "x10", AT("x14", nodes),                        "nodes")                                     \
    OP(ldr, "x13", AT("x14", links),                        "links")                                     \
    OP(cbnz, "x13", "22f",                                  "a complete tree? no")                       \
    OP(ldr, "x11", "[x14]",                                 "depth")                                     \
    OP(mov, "x0", "#1",                                     "the root")                                  \
    LOOP(21)                                                                                             \
    OP(ldr, "x8", "[x10, x0, lsl #3]",                      "word of the node")                          \
    OP(lsl, "x0", "x0", "#1",                               "left")                                      \
    OP(ldr, "x9", "[x15, w8, uxtw]",                        "word of its feature")                       \
    OP(cmp, "x9", "x8",                                     "x[feature] > threshold?")                   \
    OP(cinc, "x0", "x0", "hi",                              "left, or right")                            \
    OP(subs, "x11", "x11", "#1",                            "steps left")                                \
    OP(b.ne, "21b",                                         "next step")                                 \
    OP(b, "24f",                                            "at the leaf")                               \
    LABEL(22)                                                                                            \
    OP(mov, "x0", "#0",                                     "the root")                                  \
    LOOP(23)                                                                                             \
    OP(mov, "x17", "x0",                                    "k")                                         \
    OP(ldr, "x8", "[x10, x0, lsl #3]",                      "word of the node")                          \
    OP(ldr, "w0", "[x13, x0, lsl #2]",                      "left")                                      \
    OP(ldr, "x9", "[x15, w8, uxtw]",                        "word of its feature")                       \
    OP(cmp, "x9", "x8",                                     "x[feature] > threshold?")                   \
    OP(cinc, "x0", "x0", "hi",                              "left, or right")                            \
    OP(cmp, "x0", "x17",                                    "a leaf?")                                   \
    OP(b.ne, "23b",                                         "no")                                        \
    LABEL(24)                                                                                            \
    OP(ldr, "x10", AT("x14", leaves),                       "leaves")                                    \
    OP(ldr, "w0", "[x10, x0, lsl #2]",                      "leaf")

#define SINGLE_CLOBBERS                                                                                  \
    "x0", "x1", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x19", "x20",        \
    "x21", "x22", "v0", "v1", "v2", "v16", "v17", "v24", "v25", "v26", "v27", "memory", "cc"

// clang-format on
