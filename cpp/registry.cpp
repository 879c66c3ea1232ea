// SPDX-License-Identifier: MIT
#include "registry.hpp"

namespace compute_layers {

// registry.def says which assembly of an architecture is written; the other architectures' is never built.
#if defined(__x86_64__)
#define CHOOSE(x86_64, aarch64, symbol, level) CHOOSE_I(x86_64, symbol, level)
#define CHOOSE_I(x86_64, symbol, level) level##_X86_64_##x86_64(symbol)
#elif defined(__aarch64__)
#define CHOOSE(x86_64, aarch64, symbol, level) CHOOSE_I(aarch64, symbol, level)
#define CHOOSE_I(aarch64, symbol, level) level##_AARCH64_##aarch64(symbol)
#else
#define CHOOSE(x86_64, aarch64, symbol, level) level##_AARCH64_0(symbol)
#endif
// In the order of Isa.
#define CPP_X86_64_0(symbol) {&baseline::symbol, &avx2::symbol, nullptr, nullptr}
#define CPP_X86_64_1(symbol) CPP_X86_64_0(symbol)
#define CPP_X86_64_2(symbol) {&baseline::symbol, &avx2::symbol, &avx512::symbol, nullptr}
#define CPP_AARCH64_0(symbol) {&baseline::symbol, nullptr, nullptr, nullptr}
#define CPP_AARCH64_1(symbol) CPP_AARCH64_0(symbol)
#define ASM_X86_64_0(symbol) {nullptr, nullptr, nullptr, nullptr}
#define ASM_X86_64_1(symbol) {nullptr, &asm_x86_64::symbol, nullptr, nullptr}
#define ASM_X86_64_2(symbol) {nullptr, &asm_x86_64::symbol, &asm_x86_64_avx512::symbol, nullptr}
#define ASM_AARCH64_0(symbol) {nullptr, nullptr, nullptr, nullptr}
#define ASM_AARCH64_1(symbol) {nullptr, nullptr, nullptr, &asm_aarch64::symbol}

#define GAME(stem, kernel, ids, x86_64, aarch64)                       \
    {#stem, #kernel, ids, CHOOSE(x86_64, aarch64, games::kernel, CPP), \
     CHOOSE(x86_64, aarch64, games::kernel, ASM)},
const GameEntry kGames[] = {
#include "registry.def"
};

// The others: stem, level cpp, level asm.
#define ENTRY(kind, stem, x86_64, aarch64) \
    {#stem, CHOOSE(x86_64, aarch64, kind::stem, CPP), CHOOSE(x86_64, aarch64, kind::stem, ASM)},

#define POLICY(stem, x86_64, aarch64) ENTRY(policies, stem, x86_64, aarch64)
const PolicyEntry kPolicies[] = {
#include "registry.def"
};

#define PLANNER(stem, x86_64, aarch64) ENTRY(planners, stem, x86_64, aarch64)
const PlannerEntry kPlanners[] = {
#include "registry.def"
};

#define LEARNER(stem, x86_64, aarch64) ENTRY(learners, stem, x86_64, aarch64)
const LearnerEntry kLearners[] = {
#include "registry.def"
};

const int kGameCount = sizeof(kGames) / sizeof(kGames[0]);
const int kPolicyCount = sizeof(kPolicies) / sizeof(kPolicies[0]);
const int kPlannerCount = sizeof(kPlanners) / sizeof(kPlanners[0]);
const int kLearnerCount = sizeof(kLearners) / sizeof(kLearners[0]);

const Kernels kKernels = {sizeof(Batch), sizeof(PolicyBatch), sizeof(Game), sizeof(Policy),
                          sizeof(Sweep), sizeof(TdStep),      kGames,       kGameCount,
                          kPolicies,     kPolicyCount,        kPlanners,    kPlannerCount,
                          kLearners,     kLearnerCount};

}  // namespace compute_layers
