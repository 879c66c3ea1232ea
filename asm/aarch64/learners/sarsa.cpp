// SPDX-License-Identifier: MIT
// Level asm, NEON, of the learner `sarsa`.
#include "registry.hpp"
#include "temporal_difference.hpp"

namespace compute_layers::asm_aarch64 {

// clang-format off

// The value of the target is that of the action.
#define CHOSEN                                                                                           \
    OP(mov, "x14", D_OF(3, 0),                              "action, lane 0")                            \
    OP(mov, "x15", D_OF(3, 1),                              "lane 1")                                    \
    OP(ldr, D(2), "[x10, x14, lsl #3]",                     "Q(s', a'), lane 0")                         \
    OP(ldr, D(0), "[x11, x15, lsl #3]",                     "lane 1")                                    \
    OP(mov, D_OF(2, 1), D_OF(0, 0),                         "value")

void learners::sarsa(const TdStep* step) {
    asm volatile(
        TD_PREPARE
        LOOP(1)
        TD_GREEDY
        TD_EXPLORE
        CHOSEN
        TD_TARGET
        OP(b.ne, "1b",                                      "the next ones")
        TD_UPDATE
        : : TD_OPERANDS : TD_CLOBBERS);
}

// clang-format on

}  // namespace compute_layers::asm_aarch64
