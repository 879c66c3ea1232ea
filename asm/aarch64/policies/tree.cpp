// SPDX-License-Identifier: MIT
// Level asm, NEON, of the family `tree`: 8 walks at a time, or one. The action of each leaf, whatever the
// head, is known when the tree is packed. Comments in the words of python/compute_layers/policies/tree.py.
#include "registry.hpp"
#include "trees.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

// clang-format off

#define WALK_GROUP                                                                                       \
    LABEL(1)                                                                                             \
    OP(mov, "x9", "x15",                                    "x")                                         \
    WORDS                                                                                                \
    WALK

#define NEXT_GROUP                                                                                       \
    OP(subs, "x30", "x30", "#8",                            "8 lanes less")                              \
    OP(b.ne, "1b",                                          "next group")

void act_discrete(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        FIRST_WORDS
        FIRST_TREE
        WALK_GROUP
        OP(stp, "x0", "x1", "[x12]", "#16",                 "action, lanes 0 1")
        OP(stp, "x2", "x3", "[x12]", "#16",                 "lanes 2 3")
        OP(stp, "x4", "x5", "[x12]", "#16",                 "lanes 4 5")
        OP(stp, "x6", "x7", "[x12]", "#16",                 "lanes 6 7")
        NEXT_GROUP
        : : WALK_OPERANDS, OFFSET(PolicyBatch, n) : CLOBBERS);
}

// Number r of a lane's leaf.
#define STORE_NUMBER(i, x)                                                                               \
    OP(ldr, "w8", "[x10, x" #i ", lsl #2]",                 "number r of the leaf")                      \
    OP(str, "w8", "[x9]",                                   "action[r]")                                 \
    OP(add, "x9", "x9", "x13",                              "next lane")

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        FIRST_WORDS
        FIRST_TREE
        WALK_GROUP
        OP(ldr, "x10", B(packed),                           "packed")
        OP(ldr, "x10", AT("x10", numbers),                  "numbers")
        OP(ldr, "x11", B(outputs),                          "numbers left")
        OP(lsl, "x13", "x11", "#2",                         "bytes of an action")
        OP(mov, "x16", "x12",                               "action[0] of lane 0")
        LABEL(2)
        OP(mov, "x9", "x16",                                "action[r] of lane 0")
        EACH_K(STORE_NUMBER)
        OP(add, "x10", "x10", "#4",                         "r + 1")
        OP(add, "x16", "x16", "#4",                         "r + 1")
        OP(subs, "x11", "x11", "#1",                        "numbers left")
        OP(b.ne, "2b",                                      "next number")
        OP(add, "x12", "x12", "x13, lsl #3",                "8 actions further")
        NEXT_GROUP
        : : WALK_OPERANDS, OFFSET(PolicyBatch, n) : CLOBBERS);
}

#define SINGLE                                                                                           \
    SINGLE_WORDS                                                                                         \
    FIRST_TREE                                                                                           \
    SINGLE_WALK                                                                                          \
    OP(ldr, "x12", B(action),                               "action")

void act_discrete_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE
        OP(str, "x0", "[x12]",                              "action")
        : : WALK_OPERANDS : SINGLE_CLOBBERS);
}

void act_box_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE
        OP(ldr, "x10", AT("x16", numbers),                  "numbers")
        OP(add, "x10", "x10", "x0, lsl #2",                 "of the leaf")
        OP(ldr, "x11", B(outputs),                          "numbers left")
        LABEL(2)
        OP(ldr, "w8", "[x10]", "#4",                        "number r")
        OP(str, "w8", "[x12]", "#4",                        "action[r]")
        OP(subs, "x11", "x11", "#1",                        "numbers left")
        OP(b.ne, "2b",                                      "next number")
        : : WALK_OPERANDS : SINGLE_CLOBBERS);
}

// clang-format on

}  // namespace

Act* policies::tree(const PolicyBatch* policy, bool single) {
    if (policy->head == Head::box) return single ? act_box_single : act_box;
    return single ? act_discrete_single : act_discrete;
}

}  // namespace compute_layers::asm_aarch64
