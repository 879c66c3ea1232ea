// SPDX-License-Identifier: MIT
// Level asm, AVX2, of the learner `sarsa`.
#include "registry.hpp"
#include "temporal_difference.hpp"

namespace compute_layers::asm_x86_64 {

// clang-format off

// The value of the target is that of the action, which stands in memory by now.
#define CHOSEN                                                                                           \
    OP(mov, "(%%r10,%%rcx,8)", "%%rbx",                     "action, lane 0")                            \
    OP(vmovsd, "(%%rax,%%rbx,8)", X(2),                     "Q(s', a')")                                 \
    OP(mov, "8(%%r10,%%rcx,8)", "%%rbx",                    "lane 1")                                    \
    OP(vmovhpd, "(%%r12,%%rbx,8)", X(2), X(2),              "lanes 0 1")                                 \
    OP(mov, "16(%%r10,%%rcx,8)", "%%rbx",                   "lane 2")                                    \
    OP(vmovsd, "(%%r13,%%rbx,8)", X(0),                     "")                                          \
    OP(mov, "24(%%r10,%%rcx,8)", "%%rbx",                   "lane 3")                                    \
    OP(vmovhpd, "(%%r14,%%rbx,8)", X(0), X(0),              "lanes 2 3")                                 \
    OP(vinsertf128, "$1", X(0), Y(2), Y(2),                 "value")

void learners::sarsa(const TdStep* step) {
    asm volatile(
        TD_PREPARE
        LOOP(1)
        TD_GREEDY
        TD_EXPLORE
        CHOSEN
        TD_TARGET
        OP(jne, "1b",                                       "no")
        TD_UPDATE
        : : TD_OPERANDS : TD_CLOBBERS);
}

// clang-format on

}  // namespace compute_layers::asm_x86_64
