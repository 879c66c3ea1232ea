// SPDX-License-Identifier: MIT
// Level asm, AVX2, of the family `tree`: 8 walks at a time, or one. The action of each leaf, whatever the
// head, is known when the tree is packed. Comments in the words of python/compute_layers/policies/tree.py.
#include "registry.hpp"
#include "trees.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

#define WALK_THE_TREE WALK(START, LINKS, LEAVES)
#define START                                                                                            \
    FIRST_WORDS                                                                                          \
    OP(mov, "%c[packed](%[b])", "%%r12",                    "packed")                                    \
    OP(mov, "%c[first]+%c[nodes](%%r12)", "%%rsi",          "nodes")                                     \
    OP(mov, "%c[first](%%r12)", "%%r14",                    "depth")
#define LINKS                                                                                            \
    OP(mov, "%c[first]+%c[links](%%r12)", "%%r14",          "links")
#define LEAVES                                                                                           \
    OP(mov, "%c[packed](%[b])", "%%r12",                    "packed")                                    \
    OP(mov, "%c[first]+%c[leaves](%%r12)", "%%rsi",         "leaves")

#define NEXT_GROUP                                                                                       \
    OP(subq, "$8", "%c[left](%%r12)",                       "8 lanes less")                              \
    OP(jnz, "1b",                                           "next group")                                \
    OP(vzeroupper,                                          "leave no upper halves")

#define STORE_ACTION(i, k, low) OP(mov, k, "8*" #i "(%%r13)", "action")

void act_discrete(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LABEL(1)
        FIRST_WORDS
        WORDS
        WALK_THE_TREE
        OP(mov, "%c[scratch](%[b])", "%%r12",               "room")
        OP(mov, "%c[chosen](%%r12)", "%%r13",               "action of lane 0")
        EACH_K(STORE_ACTION)
        OP(addq, "$64", "%c[chosen](%%r12)",                "8 actions further")
        NEXT_GROUP
        : [b] "+r"(batch) : WALK_OPERANDS, BATCH_OPERANDS : CLOBBERS);
}

// Number r of a lane's leaf.
#define STORE_NUMBER(i, k, low)                                                                          \
    OP(mov, "(%%rsi," k ",4)", "%%r13d",                    "number r of the leaf")                      \
    OP(mov, "%%r13d", "(%%r12)",                            "action[r]")                                 \
    OP(add, "%%rdi", "%%r12",                               "next lane")

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LABEL(1)
        FIRST_WORDS
        WORDS
        WALK_THE_TREE
        OP(mov, "%c[packed](%[b])", "%%rsi",                "packed")
        OP(mov, "%c[numbers](%%rsi)", "%%rsi",              "numbers")
        OP(mov, "%c[scratch](%[b])", "%%r12",               "room")
        OP(mov, "%c[chosen](%%r12)", "%%r12",               "action[0] of lane 0")
        OP(mov, "%c[outputs](%[b])", "%%r14",               "numbers left")
        OP(lea, "(,%%r14,4)", "%%rdi",                      "bytes of an action")
        LABEL(2)
        EACH_K(STORE_NUMBER)
        OP(lea, "(,%%rdi,8)", "%%r13",                      "bytes of 8 actions")
        OP(sub, "%%r13", "%%r12",                           "action[r] of lane 0")
        OP(add, "$4", "%%r12",                              "r + 1")
        OP(add, "$4", "%%rsi",                              "r + 1")
        OP(dec, "%%r14",                                    "numbers left")
        OP(jnz, "2b",                                       "next number")
        OP(mov, "%c[scratch](%[b])", "%%r12",               "room")
        OP(add, "%%r13", "%c[chosen](%%r12)",               "8 actions further")
        NEXT_GROUP
        : [b] "+r"(batch) : WALK_OPERANDS, BATCH_OPERANDS : CLOBBERS);
}

#define SINGLE                                                                                           \
    FIRST_WORDS                                                                                          \
    SINGLE_WORDS                                                                                         \
    FIRST_WORDS                                                                                          \
    FIRST_TREE                                                                                           \
    SINGLE_WALK                                                                                          \
    OP(mov, "%c[action](%[b])", "%%rdi",                    "action")

void act_discrete_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE
        OP(mov, "%%rax", "(%%rdi)",                         "action")
        : [b] "+r"(batch) : WALK_OPERANDS : SINGLE_CLOBBERS);
}

void act_box_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE
        OP(mov, "%c[packed](%[b])", "%%r13",                "packed")
        OP(mov, "%c[numbers](%%r13)", "%%r13",              "numbers")
        OP(lea, "(%%r13,%%rax,4)", "%%rsi",                 "of the leaf")
        OP(mov, "%c[outputs](%[b])", "%%rcx",               "numbers left")
        LABEL(2)
        OP(mov, "-4(%%rsi,%%rcx,4)", "%%eax",               "the last of them")
        OP(mov, "%%eax", "-4(%%rdi,%%rcx,4)",               "action")
        OP(dec, "%%rcx",                                    "numbers left")
        OP(jnz, "2b",                                       "next number")
        : [b] "+r"(batch) : WALK_OPERANDS : SINGLE_CLOBBERS);
}

// clang-format on

}  // namespace

Act* policies::tree(const PolicyBatch* policy, bool single) {
    if (policy->head == Head::box) return single ? act_box_single : act_box;
    return single ? act_discrete_single : act_discrete;
}

}  // namespace compute_layers::asm_x86_64
