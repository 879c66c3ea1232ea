// SPDX-License-Identifier: MIT
// Level asm, NEON, of the learner `q_learning`.
#include "registry.hpp"
#include "temporal_difference.hpp"

namespace compute_layers::asm_aarch64 {

// clang-format off

// The value of the target is the greatest one.
void learners::q_learning(const TdStep* step) {
    asm volatile(
        TD_PREPARE
        LOOP(1)
        TD_GREEDY
        TD_EXPLORE
        TD_TARGET
        OP(b.ne, "1b",                                      "the next ones")
        TD_UPDATE
        : : TD_OPERANDS : TD_CLOBBERS);
}

// clang-format on

}  // namespace compute_layers::asm_aarch64
