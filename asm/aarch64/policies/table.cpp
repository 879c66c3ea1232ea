// SPDX-License-Identifier: MIT
// Level asm, NEON, of the family `table`: scalar loads, many of them in flight; there is no gather.
#include "../kernel.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

// clang-format off

//  x0  action    x1  state    x2  table    x3  lanes left    x4-x11  states, then actions, of lanes 0 to 7
void act_discrete(const PolicyBatch* batch) {
    asm volatile(
        OP(ldr, "x2", B(tensors),                           "tensors")
        OP(ldr, "x2", "[x2]",                               "table")
        OP(ldr, "x1", B(observation),                       "states")
        OP(ldr, "x0", B(action),                            "actions")
        OP(ldr, "x3", B(n),                                 "lanes")
        LOOP(1)
        MCA_BEGIN("table/discrete lanes=8")
        OP(ldp, "x4", "x5", "[x1]", "#16",                  "state, lanes 0 1")
        OP(ldp, "x6", "x7", "[x1]", "#16",                  "lanes 2 3")
        OP(ldp, "x8", "x9", "[x1]", "#16",                  "lanes 4 5")
        OP(ldp, "x10", "x11", "[x1]", "#16",                "lanes 6 7")
        OP(ldr, "x4", "[x2, x4, lsl #3]",                   "actions[state], lane 0")
        OP(ldr, "x5", "[x2, x5, lsl #3]",                   "lane 1")
        OP(ldr, "x6", "[x2, x6, lsl #3]",                   "lane 2")
        OP(ldr, "x7", "[x2, x7, lsl #3]",                   "lane 3")
        OP(ldr, "x8", "[x2, x8, lsl #3]",                   "lane 4")
        OP(ldr, "x9", "[x2, x9, lsl #3]",                   "lane 5")
        OP(ldr, "x10", "[x2, x10, lsl #3]",                 "lane 6")
        OP(ldr, "x11", "[x2, x11, lsl #3]",                 "lane 7")
        OP(stp, "x4", "x5", "[x0]", "#16",                  "action, lanes 0 1")
        OP(stp, "x6", "x7", "[x0]", "#16",                  "lanes 2 3")
        OP(stp, "x8", "x9", "[x0]", "#16",                  "lanes 4 5")
        OP(stp, "x10", "x11", "[x0]", "#16",                "lanes 6 7")
        OP(subs, "x3", "x3", "#8",                          "8 lanes less")
        MCA_END
        OP(b.ne, "1b",                                      "next 8 lanes")
        :
        : [b] "r"(batch), OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, observation),
          OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors)
        : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "memory", "cc");
}

//  x0  action    x1  the state, its action    x2  table
void act_discrete_single(const PolicyBatch* batch) {
    asm volatile(
        OP(ldr, "x1", B(observation),                       "states")
        OP(ldr, "x1", "[x1]",                               "state")
        OP(ldr, "x2", B(tensors),                           "tensors")
        OP(ldr, "x2", "[x2]",                               "table")
        OP(ldr, "x1", "[x2, x1, lsl #3]",                   "actions[state]")
        OP(ldr, "x0", B(action),                            "actions")
        OP(str, "x1", "[x0]",                               "action")
        :
        : [b] "r"(batch), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors)
        : "x0", "x1", "x2", "memory", "cc");
}

//  Rows of at least a piece, four lanes at a time: piece by piece, and a last piece that ends with the row and
//  may overlap the one before.
//
//  x1  state          x2  table                         x3  lanes left
//  x14 bytes of a row x9  where a piece of it begins    x8  the last one
//  x4-x7  rows of the table for lanes 0 to 3            x10-x13  where they go
#define PIECE(R, start)                                                                                  \
    OP(ldr, R(0), "[x4, " start "]",                        "a piece of the row, lane 0")                \
    OP(ldr, R(1), "[x5, " start "]",                        "lane 1")                                    \
    OP(ldr, R(2), "[x6, " start "]",                        "lane 2")                                    \
    OP(ldr, R(3), "[x7, " start "]",                        "lane 3")                                    \
    OP(str, R(0), "[x10, " start "]",                       "to the action, lane 0")                     \
    OP(str, R(1), "[x11, " start "]",                       "lane 1")                                    \
    OP(str, R(2), "[x12, " start "]",                       "lane 2")                                    \
    OP(str, R(3), "[x13, " start "]",                       "lane 3")

#define BOX(bytes, R)                                                                                    \
    OP(ldr, "x2", B(tensors),                           "tensors")                                       \
    OP(ldr, "x2", "[x2]",                               "table")                                         \
    OP(ldr, "x1", B(observation),                       "states")                                        \
    OP(ldr, "x10", B(action),                           "actions")                                       \
    OP(ldr, "x3", B(n),                                 "lanes")                                         \
    OP(ldr, "x14", B(outputs),                          "numbers in a row")                              \
    OP(lsl, "x14", "x14", "#2",                         "bytes of a row")                                \
    OP(sub, "x8", "x14", "#" #bytes,                    "where the last piece begins")                   \
    LOOP(1)                                                                                              \
    MCA_BEGIN("table/box piece=" #bytes " lanes=4")                                                      \
    OP(ldp, "x4", "x5", "[x1]", "#16",                  "state, lanes 0 1")                              \
    OP(ldp, "x6", "x7", "[x1]", "#16",                  "lanes 2 3")                                     \
    OP(madd, "x4", "x4", "x14", "x2",                   "the row, lane 0")                               \
    OP(madd, "x5", "x5", "x14", "x2",                   "lane 1")                                        \
    OP(madd, "x6", "x6", "x14", "x2",                   "lane 2")                                        \
    OP(madd, "x7", "x7", "x14", "x2",                   "lane 3")                                        \
    OP(add, "x11", "x10", "x14",                        "action, lane 1")                                \
    OP(add, "x12", "x10", "x14, lsl #1",                "lane 2")                                        \
    OP(add, "x13", "x11", "x14, lsl #1",                "lane 3")                                        \
    OP(mov, "x9", "#0",                                 "the first piece")                               \
    OP(cbz, "x8", "3f",                                 "more than one? no")                             \
    LABEL(2)                                                                                             \
    PIECE(R, "x9")                                                                                       \
    OP(add, "x9", "x9", "#" #bytes,                     "the next piece")                                \
    OP(cmp, "x9", "x8",                                 "before the last one?")                          \
    OP(b.lt, "2b",                                      "next piece")                                    \
    LABEL(3)                                                                                             \
    PIECE(R, "x8")                                                                                       \
    OP(add, "x10", "x13", "x14",                        "4 actions further")                             \
    OP(subs, "x3", "x3", "#4",                          "4 lanes less")                                  \
    MCA_END                                                                                              \
    OP(b.ne, "1b",                                      "next 4 lanes")

#define BOX_OPERANDS                                                                                     \
    [b] "r"(batch), OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, outputs),                                \
    OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors)
#define BOX_CLOBBERS                                                                                     \
    "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14",             \
    FREE_V_CLOBBERS, "memory", "cc"

void act_box_4(const PolicyBatch* batch) {
    asm volatile(
        BOX(16, Q)
        : : BOX_OPERANDS : BOX_CLOBBERS);
}

void act_box_2(const PolicyBatch* batch) {
    asm volatile(
        BOX(8, D)
        : : BOX_OPERANDS : BOX_CLOBBERS);
}

void act_box_1(const PolicyBatch* batch) {
    asm volatile(
        BOX(4, S)
        : : BOX_OPERANDS : BOX_CLOBBERS);
}

// clang-format on

}  // namespace

Act* policies::table(const PolicyBatch* policy, bool single) {
    if (policy->head != Head::box) return single ? act_discrete_single : act_discrete;
    if (single) return nullptr;
    if (policy->outputs >= 4) return act_box_4;
    return policy->outputs >= 2 ? act_box_2 : act_box_1;
}

}  // namespace compute_layers::asm_aarch64
