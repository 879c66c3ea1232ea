// SPDX-License-Identifier: MIT
// Level asm, NEON, of the family `constant`.
#include "../kernel.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

// clang-format off

//  x0  action        x1  lanes left        v0  the value, twice
void act_discrete(const PolicyBatch* batch) {
    asm volatile(
        OP(ldr, "x0", B(tensors),                           "tensors")
        OP(ldr, "x0", "[x0]",                               "value")
        OP(ld1r, "{v0.2d}", "[x0]",                         "value, twice")
        OP(ldr, "x0", B(action),                            "actions")
        OP(ldr, "x1", B(n),                                 "lanes")
        LOOP(1)
        MCA_BEGIN("constant/discrete lanes=8")
        OP(stp, Q(0), Q(0), "[x0]",                         "action, lanes 0 to 3")
        OP(stp, Q(0), Q(0), "[x0, #32]",                    "action, lanes 4 to 7")
        OP(add, "x0", "x0", "#64",                          "8 actions further")
        OP(subs, "x1", "x1", "#8",                          "8 lanes less")
        MCA_END
        OP(b.ne, "1b",                                      "next 8 lanes")
        :
        : [b] "r"(batch), OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors)
        : "x0", "x1", FREE_V_CLOBBERS, "memory", "cc");
}

//  Eight actions of k numbers, which are k pairs of vectors, are written number by number. All others are
//  copies of them.
//
//  x0  where the next action goes   x1  lanes left   x2  k = outputs   x3  value[j], then the first actions
//  x4  the value                    x5  numbers left, then pairs       w6  value[j]       x7  lanes of 8 left
void act_box(const PolicyBatch* batch) {
    asm volatile(
        OP(ldr, "x4", B(tensors),                           "tensors")
        OP(ldr, "x4", "[x4]",                               "value")
        OP(ldr, "x0", B(action),                            "actions")
        OP(ldr, "x2", B(outputs),                           "k")
        OP(ldr, "x1", B(n),                                 "lanes")
        OP(mov, "x7", "#8",                                 "8 lanes")
        LABEL(1)
        OP(mov, "x3", "x4",                                 "value[0]")
        OP(mov, "x5", "x2",                                 "k")
        LABEL(2)
        OP(ldr, "w6", "[x3]", "#4",                         "value[j]")
        OP(str, "w6", "[x0]", "#4",                         "action[j]")
        OP(subs, "x5", "x5", "#1",                          "numbers left")
        OP(b.ne, "2b",                                      "next number")
        OP(subs, "x7", "x7", "#1",                          "one lane less")
        OP(b.ne, "1b",                                      "next lane")
        LABEL(3)
        OP(subs, "x1", "x1", "#8",                          "8 lanes less")
        OP(b.eq, "5f",                                      "none left")
        OP(ldr, "x3", B(action),                            "the first 8 actions")
        OP(mov, "x5", "x2",                                 "pairs of vectors")
        LOOP(4)
        MCA_BEGIN("constant/box")
        OP(ldp, Q(0), Q(1), "[x3]", "#32",                  "a pair of vectors")
        OP(stp, Q(0), Q(1), "[x0]", "#32",                  "again")
        OP(subs, "x5", "x5", "#1",                          "pairs left")
        MCA_END
        OP(b.ne, "4b",                                      "next pair")
        OP(b, "3b",                                         "next 8 lanes")
        LABEL(5)
        :
        : [b] "r"(batch), OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, outputs), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors)
        : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", FREE_V_CLOBBERS, "memory", "cc");
}

// clang-format on

}  // namespace

Act* policies::constant(const PolicyBatch* policy, bool single) {
    if (single) return nullptr;
    return policy->head == Head::box ? act_box : act_discrete;
}

}  // namespace compute_layers::asm_aarch64
