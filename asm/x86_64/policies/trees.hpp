// SPDX-License-Identifier: MIT
// Sections of the families of trees: observations turned into words, walks; cpp/policies/packed_trees.hpp
// says what these are. Comments in the words of python/compute_layers/policies/tree.py.
#pragma once

#include "layer.hpp"
#include "policies/packed_trees.hpp"

namespace compute_layers::asm_x86_64 {

// What finds no register, at the beginning of the scratch memory.
struct Room {
    const void* seen;   // observation 0 of the group whose words come next
    void* chosen;       // action of lane 0 of the group that is decided next
    int64_t left;       // lanes
    const void* tree;   // of a forest: the tree that is walked through,
    int64_t remaining;  // how many there are with those behind it,
    int64_t groups;     // groups in the tile,
    int64_t more;       // and of these, how many are still to do
};
static_assert(sizeof(Room) <= kRoom);
static_assert(offsetof(Room, seen) == 0 && offsetof(PackedTrees, trees) == 0);
static_assert(offsetof(PackedTree, depth) == 0);

}  // namespace compute_layers::asm_x86_64

// clang-format off

//  Registers in walks
//
//  rax, rbx, rcx, rdx, r8-r11  k: the nodes where 8 walks are; at last what `leaves` has for them
//  rsi  nodes, then leaves   rdi  x, the words of the group   r12  word of a node   r13  place of its feature
//  r14  steps left, or links   ymm13  0   ymm14  -inf   ymm15  the sign   ymm0-7  scratch
//
//  A single walk has k in rax alone; rcx, rdx, r8 are scratch.
#define EACH_K(MACRO)                                                                                    \
    MACRO(0, "%%rax", "%%eax")                                                                           \
    MACRO(1, "%%rbx", "%%ebx")                                                                           \
    MACRO(2, "%%rcx", "%%ecx")                                                                           \
    MACRO(3, "%%rdx", "%%edx")                                                                           \
    MACRO(4, "%%r8", "%%r8d")                                                                            \
    MACRO(5, "%%r9", "%%r9d")                                                                            \
    MACRO(6, "%%r10", "%%r10d")                                                                          \
    MACRO(7, "%%r11", "%%r11d")

#define WALK_OPERANDS                                                                                    \
    OFFSET(PolicyBatch, inputs), OFFSET(PolicyBatch, states), OFFSET(PolicyBatch, observation),          \
    OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, outputs), OFFSET(PolicyBatch, packed),              \
    OFFSET(PolicyBatch, scratch), OFFSET(PackedTrees, blocks), OFFSET(PackedTrees, starts),              \
    OFFSET(PackedTrees, numbers), OFFSET(PackedTree, nodes), OFFSET(PackedTree, links),                  \
    OFFSET(PackedTree, leaves), [first] "i"(sizeof(PackedTrees)), [words_at] "i"(kRoom)

#define BATCH_OPERANDS                                                                                   \
    OFFSET(PolicyBatch, n), OFFSET(Room, chosen), OFFSET(Room, left)

#define CLOBBERS                                                                                         \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",             \
    YMM_CLOBBERS, "memory", "cc"

#define SINGLE_CLOBBERS                                                                                  \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "xmm0",     \
    "xmm1", "xmm13", "xmm14", "xmm15", "memory", "cc"

#define CONSTANTS(R)                                                                                     \
    OP(vpxor, X(13), X(13), X(13),                          "0")                                         \
    OP(vpcmpeqd, R(15), R(15), R(15),                       "all ones")                                  \
    OP(vpslld, "$23", R(15), R(14),                         "-inf")                                      \
    OP(vpslld, "$31", R(15), R(15),                         "the sign")

#define BEGIN                                                                                            \
    CONSTANTS(Y)                                                                                         \
    OP(mov, "%c[scratch](%[b])", "%%r14",                   "room")                                      \
    OP(mov, "%c[observation](%[b])", "%%rax",               "observation 0")                             \
    OP(mov, "%%rax", "(%%r14)",                     "of the first group")                                \
    OP(mov, "%c[action](%[b])", "%%rax",                    "action of lane 0")                          \
    OP(mov, "%%rax", "%c[chosen](%%r14)",                   "of the first group")                        \
    OP(mov, "%c[n](%[b])", "%%rax",                         "lanes")                                     \
    OP(mov, "%%rax", "%c[left](%%r14)",                     "all are left")

// The keys of the numbers in register x; vmaxps gives its last source, here -inf, for a NaN.
#define KEYS(R, x, t)                                                                                    \
    OP(vmaxps, R(14), R(x), R(x),                           "x, -inf for NaN")                           \
    OP(vpsrad, "$31", R(x), R(t),                           "all bits, if the sign is set")              \
    OP(vpor, R(15), R(t), R(t),                             "or only the sign")                          \
    OP(vpxor, R(t), R(x), R(x),                             "turned over: the keys")

// Words of a feature of the 8 lanes, whose order in register x is 0 1 4 5, 2 3 6 7.
#define STORE_WORDS(x, t, at)                                                                            \
    KEYS(Y, x, t)                                                                                        \
    OP(vpunpckldq, Y(x), Y(13), Y(t),                       "key << 32, lanes 0 to 3")                   \
    OP(vpunpckhdq, Y(x), Y(13), Y(x),                       "lanes 4 to 7")                              \
    OP(vmovdqa, Y(t), #at "(%%rdi)",                        "words of lanes 0 to 3")                     \
    OP(vmovdqa, Y(x), "32+" #at "(%%rdi)",                  "lanes 4 to 7")

// Words of the 8 observations that are seen next, to rdi. r8, r9  observations 0, 4   rsi, rdx  bytes of 1, 3
#define WORDS                                                                                            \
    OP(mov, "%c[scratch](%[b])", "%%r14",                   "room")                                      \
    OP(mov, "(%%r14)", "%%r8",                      "observation 0")                                     \
    OP(cmpq, "$0", "%c[states](%[b])",                      "states?")                                   \
    OP(jne, "14f",                                          "yes")                                       \
    OP(mov, "%c[inputs](%[b])", "%%r11",                    "inputs")                                    \
    OP(lea, "(,%%r11,4)", "%%rsi",                          "bytes of an observation")                   \
    OP(lea, "(%%rsi,%%rsi,2)", "%%rdx",                     "of three")                                  \
    OP(lea, "(%%r8,%%rsi,4)", "%%r9",                       "observation 4")                             \
    OP(lea, "(%%r8,%%rsi,8)", "%%rax",                      "observation 8")                             \
    OP(mov, "%%rax", "(%%r14)",                     "the next group")                                    \
    OP(cmp, "$4", "%%r11",                                  "enough for a block?")                       \
    OP(jl, "13f",                                           "no")                                        \
    OP(mov, "%c[packed](%[b])", "%%r10",                    "packed")                                    \
    OP(mov, "%c[blocks](%%r10)", "%%r11",                   "blocks")                                    \
    OP(mov, "%c[starts](%%r10)", "%%r10",                   "starts")                                    \
    OP(test, "%%r11", "%%r11",                              "none?")                                     \
    OP(jz, "15f",                                           "none")                                      \
    LABEL(11)                                                                                            \
    OP(mov, "(%%r10)", "%%rbx",                             "bytes to the block")                        \
    OP(lea, "(%%r9,%%rbx)", "%%rcx",                        "of observation 4")                          \
    OP(add, "%%r8", "%%rbx",                                "of observation 0")                          \
    MCA_BEGIN("trees/words lanes=8")                                                                     \
    OP(vmovups, "(%%rbx)", X(0),                            "x_k .. x_k+3 of lane 0")                    \
    OP(vmovups, "(%%rbx,%%rsi)", X(1),                      "lane 1")                                    \
    OP(vmovups, "(%%rcx)", X(2),                            "lane 4")                                    \
    OP(vmovups, "(%%rcx,%%rsi)", X(3),                      "lane 5")                                    \
    OP(vinsertf128, "$1", "(%%rbx,%%rsi,2)", Y(0), Y(0),    "lanes 0, 2")                                \
    OP(vinsertf128, "$1", "(%%rbx,%%rdx)", Y(1), Y(1),      "lanes 1, 3")                                \
    OP(vinsertf128, "$1", "(%%rcx,%%rsi,2)", Y(2), Y(2),    "lanes 4, 6")                                \
    OP(vinsertf128, "$1", "(%%rcx,%%rdx)", Y(3), Y(3),      "lanes 5, 7")                                \
    OP(vunpcklps, Y(1), Y(0), Y(4),                         "x_k, x_k+1 of lanes 0 1, 2 3")              \
    OP(vunpckhps, Y(1), Y(0), Y(5),                         "x_k+2, x_k+3")                              \
    OP(vunpcklps, Y(3), Y(2), Y(6),                         "x_k, x_k+1 of lanes 4 5, 6 7")              \
    OP(vunpckhps, Y(3), Y(2), Y(7),                         "x_k+2, x_k+3")                              \
    OP(vunpcklpd, Y(6), Y(4), Y(0),                         "x_k of lanes 0 1 4 5, 2 3 6 7")             \
    OP(vunpckhpd, Y(6), Y(4), Y(1),                         "x_k+1")                                     \
    OP(vunpcklpd, Y(7), Y(5), Y(2),                         "x_k+2")                                     \
    OP(vunpckhpd, Y(7), Y(5), Y(3),                         "x_k+3")                                     \
    STORE_WORDS(0, 4, 0)                                                                                 \
    STORE_WORDS(1, 5, 64)                                                                                \
    STORE_WORDS(2, 6, 128)                                                                               \
    STORE_WORDS(3, 7, 192)                                                                               \
    OP(add, "$256", "%%rdi",                                "words of the next block")                   \
    OP(add, "$8", "%%r10",                                  "its start")                                 \
    OP(dec, "%%r11",                                        "blocks left")                               \
    MCA_END                                                                                              \
    OP(jnz, "11b",                                          "next block")                                \
    OP(jmp, "15f",                                          "done")                                      \
    LABEL(13)                                                                                            \
    OP(vmovss, "(%%r8)", X(0),                              "x_k of lane 0")                             \
    OP(vmovss, "(%%r8,%%rsi,2)", X(1),                      "lane 2")                                    \
    OP(vinsertps, "$0x10", "(%%r8,%%rsi)", X(0), X(0),      "lane 1")                                    \
    OP(vinsertps, "$0x10", "(%%r8,%%rdx)", X(1), X(1),      "lane 3")                                    \
    OP(vinsertps, "$0x20", "(%%r9)", X(0), X(0),            "lane 4")                                    \
    OP(vinsertps, "$0x20", "(%%r9,%%rsi,2)", X(1), X(1),    "lane 6")                                    \
    OP(vinsertps, "$0x30", "(%%r9,%%rsi)", X(0), X(0),      "lane 5")                                    \
    OP(vinsertps, "$0x30", "(%%r9,%%rdx)", X(1), X(1),      "lane 7")                                    \
    OP(vinsertf128, "$1", X(1), Y(0), Y(0),                 "x_k")                                       \
    STORE_WORDS(0, 4, 0)                                                                                 \
    OP(add, "$64", "%%rdi",                                 "words of the next feature")                 \
    OP(add, "$4", "%%r8",                                   "k + 1")                                     \
    OP(add, "$4", "%%r9",                                   "k + 1")                                     \
    OP(dec, "%%r11",                                        "features left")                             \
    OP(jnz, "13b",                                          "next feature")                              \
    OP(jmp, "15f",                                          "done")                                      \
    LABEL(14)                                                                                            \
    OP(vpcmpeqd, Y(0), Y(0), Y(0),                          "-1")                                        \
    OP(vmovdqu, "(%%r8)", Y(1),                             "states of lanes 0 to 3")                    \
    OP(vmovdqu, "32(%%r8)", Y(2),                           "lanes 4 to 7")                              \
    OP(vpsubq, Y(0), Y(1), Y(1),                            "state + 1")                                 \
    OP(vpsubq, Y(0), Y(2), Y(2),                            "state + 1")                                 \
    OP(vpsllq, "$32", Y(1), Y(1),                           "key << 32")                                 \
    OP(vpsllq, "$32", Y(2), Y(2),                           "key << 32")                                 \
    OP(vmovdqa, Y(1), "(%%rdi)",                            "words of lanes 0 to 3")                     \
    OP(vmovdqa, Y(2), "32(%%rdi)",                          "lanes 4 to 7")                              \
    OP(add, "$64", "%%r8",                                  "observation 8")                             \
    OP(mov, "%%r8", "(%%r14)",                      "the next group")                                    \
    LABEL(15)

#define FROM_ROOT(i, k, low) OP(mov, "$1", low, "the root")
#define FROM_FIRST(i, k, low) OP(xor, low, low, "the root")

// node = right if x[feature] > threshold else left: the carry says that the word of the node is less.
#define STEP(i, k, low)                                                                                  \
    OP(mov, "(%%rsi," k ",8)", "%%r12",                     "word of the node")                          \
    OP(mov, "%%r12d", "%%r13d",                             "place of its feature")                      \
    OP(cmp, "8*" #i "(%%rdi,%%r13,8)", "%%r12",             "threshold < x[feature]?")                   \
    OP(adc, k, k,                                           "2*k, or 2*k + 1")

#define LINKED_STEP(i, k, low)                                                                           \
    OP(mov, "(%%rsi," k ",8)", "%%r12",                     "word of the node")                          \
    OP(mov, "(%%r14," k ",4)", low,                         "left")                                      \
    OP(mov, "%%r12d", "%%r13d",                             "place of its feature")                      \
    OP(cmp, "8*" #i "(%%rdi,%%r13,8)", "%%r12",             "threshold < x[feature]?")                   \
    OP(adc, "$0", k,                                        "left, or right")

#define IS_LEAF(i, k, low) OP(and, "4(%%rsi," k ",8)", "%%r12d", "all ones at a leaf")
#define LEAF(i, k, low) OP(mov, "(%%rsi," k ",4)", low, "leaf")

// WALK_BEGIN loads rdi, rsi and r14, the depth; WALK_LINKS and WALK_LEAVES what they say.
#define WALK(WALK_BEGIN, WALK_LINKS, WALK_LEAVES)                                                        \
    WALK_BEGIN                                                                                           \
    OP(test, "%%r14", "%%r14",                              "a complete tree?")                          \
    OP(jz, "22f",                                           "no")                                        \
    EACH_K(FROM_ROOT)                                                                                    \
    LOOP(21)                                                                                             \
    MCA_BEGIN("trees/steps lanes=8")                                                                     \
    EACH_K(STEP)                                                                                         \
    OP(dec, "%%r14",                                        "steps left")                                \
    MCA_END                                                                                              \
    OP(jnz, "21b",                                          "next step")                                 \
    OP(jmp, "24f",                                          "at the leaves")                             \
    LABEL(22)                                                                                            \
    WALK_LINKS                                                                                           \
    EACH_K(FROM_FIRST)                                                                                   \
    LOOP(23)                                                                                             \
    MCA_BEGIN("trees/linked_steps lanes=8")                                                              \
    EACH_K(LINKED_STEP)                                                                                  \
    EACH_K(LINKED_STEP)                                                                                  \
    EACH_K(LINKED_STEP)                                                                                  \
    EACH_K(LINKED_STEP)                                                                                  \
    OP(mov, "$-1", "%%r12d",                                "all ones")                                  \
    EACH_K(IS_LEAF)                                                                                      \
    OP(cmp, "$-1", "%%r12d",                                "all at leaves?")                            \
    MCA_END                                                                                              \
    OP(jne, "23b",                                          "no")                                        \
    LABEL(24)                                                                                            \
    WALK_LEAVES                                                                                          \
    EACH_K(LEAF)

#define FIRST_TREE                                                                                       \
    OP(mov, "%c[packed](%[b])", "%%r12",                    "packed")                                    \
    OP(add, "%[first]", "%%r12",                            "the first tree")

#define FIRST_WORDS                                                                                      \
    OP(mov, "%c[scratch](%[b])", "%%rdi",                   "room")                                      \
    OP(add, "%[words_at]", "%%rdi",                         "x")

// Words of one observation, to rdi.
#define SINGLE_WORDS                                                                                     \
    CONSTANTS(X)                                                                                         \
    OP(mov, "%c[observation](%[b])", "%%r8",                "observation")                               \
    OP(cmpq, "$0", "%c[states](%[b])",                      "a state?")                                  \
    OP(jne, "14f",                                          "yes")                                       \
    OP(mov, "%c[inputs](%[b])", "%%r11",                    "inputs")                                    \
    OP(cmp, "$4", "%%r11",                                  "enough for a block?")                       \
    OP(jl, "13f",                                           "no")                                        \
    OP(mov, "%c[packed](%[b])", "%%r10",                    "packed")                                    \
    OP(mov, "%c[blocks](%%r10)", "%%r11",                   "blocks")                                    \
    OP(mov, "%c[starts](%%r10)", "%%r10",                   "starts")                                    \
    OP(test, "%%r11", "%%r11",                              "none?")                                     \
    OP(jz, "15f",                                           "none")                                      \
    LABEL(11)                                                                                            \
    OP(mov, "(%%r10)", "%%rcx",                             "bytes to the block")                        \
    OP(vmovups, "(%%r8,%%rcx)", X(0),                       "x_k .. x_k+3")                              \
    KEYS(X, 0, 1)                                                                                        \
    OP(vpunpckldq, X(0), X(13), X(1),                       "key << 32")                                 \
    OP(vpunpckhdq, X(0), X(13), X(0),                       "of the other two")                          \
    OP(vmovdqa, X(1), "(%%rdi)",                            "words")                                     \
    OP(vmovdqa, X(0), "16(%%rdi)",                          "words")                                     \
    OP(add, "$32", "%%rdi",                                 "words of the next block")                   \
    OP(add, "$8", "%%r10",                                  "its start")                                 \
    OP(dec, "%%r11",                                        "blocks left")                               \
    OP(jnz, "11b",                                          "next block")                                \
    OP(jmp, "15f",                                          "done")                                      \
    LABEL(13)                                                                                            \
    OP(vmovss, "(%%r8)", X(0),                              "x_k")                                       \
    KEYS(X, 0, 1)                                                                                        \
    OP(vpunpckldq, X(0), X(13), X(0),                       "key << 32")                                 \
    OP(vmovq, X(0), "(%%rdi)",                              "word")                                      \
    OP(add, "$8", "%%rdi",                                  "word of the next feature")                  \
    OP(add, "$4", "%%r8",                                   "k + 1")                                     \
    OP(dec, "%%r11",                                        "features left")                             \
    OP(jnz, "13b",                                          "next feature")                              \
    OP(jmp, "15f",                                          "done")                                      \
    LABEL(14)                                                                                            \
    OP(mov, "(%%r8)", "%%rax",                              "state")                                     \
    OP(inc, "%%rax",                                        "state + 1")                                 \
    OP(shl, "$32", "%%rax",                                 "key << 32")                                 \
    OP(mov, "%%rax", "(%%rdi)",                             "word")                                      \
    LABEL(15)

// One walk through the tree in r12; rax is then what `leaves` has.
#define SINGLE_WALK                                                                                      \
    OP(mov, "%c[nodes](%%r12)", "%%rsi",                    "nodes")                                     \
    OP(mov, "%c[links](%%r12)", "%%r14",                    "links")                                     \
    OP(test, "%%r14", "%%r14",                              "a complete tree?")                          \
    OP(jnz, "22f",                                          "no")                                        \
    OP(mov, "(%%r12)", "%%r14",                             "depth")                                     \
    OP(mov, "$1", "%%eax",                                  "the root")                                  \
    LABEL(21)                                                                                            \
    MCA_BEGIN("trees/single")                                                                            \
    OP(mov, "(%%rsi,%%rax,8)", "%%rcx",                     "word of the node")                          \
    OP(mov, "%%ecx", "%%edx",                               "place of its feature")                      \
    OP(cmp, "(%%rdi,%%rdx)", "%%rcx",                       "threshold < x[feature]?")                   \
    OP(adc, "%%rax", "%%rax",                               "2*k, or 2*k + 1")                           \
    OP(dec, "%%r14",                                        "steps left")                                \
    MCA_END                                                                                              \
    OP(jnz, "21b",                                          "next step")                                 \
    OP(jmp, "24f",                                          "at the leaf")                               \
    LABEL(22)                                                                                            \
    OP(xor, "%%eax", "%%eax",                               "the root")                                  \
    LABEL(23)                                                                                            \
    OP(mov, "%%rax", "%%r8",                                "k")                                         \
    OP(mov, "(%%rsi,%%rax,8)", "%%rcx",                     "word of the node")                          \
    OP(mov, "(%%r14,%%rax,4)", "%%eax",                     "left")                                      \
    OP(mov, "%%ecx", "%%edx",                               "place of its feature")                      \
    OP(cmp, "(%%rdi,%%rdx)", "%%rcx",                       "threshold < x[feature]?")                   \
    OP(adc, "$0", "%%rax",                                  "left, or right")                            \
    OP(cmp, "%%r8", "%%rax",                                "a leaf?")                                   \
    OP(jne, "23b",                                          "no")                                        \
    LABEL(24)                                                                                            \
    OP(mov, "%c[leaves](%%r12)", "%%rsi",                   "leaves")                                    \
    OP(mov, "(%%rsi,%%rax,4)", "%%eax",                     "leaf")

// clang-format on
