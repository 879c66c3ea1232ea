// SPDX-License-Identifier: MIT
// Declares what the translation units of registry.def define, and the tables made of it.
#pragma once

#include "batch.hpp"
#include "learner.hpp"
#include "planner.hpp"

namespace compute_layers {

// Level cpp: every kernel file is compiled once per isa, into the isa's namespace.
// clang-format off
#define IN_CPP(kind, declaration)              \
    namespace baseline::kind { declaration; }  \
    namespace avx2::kind { declaration; }      \
    namespace avx512::kind { declaration; }
#define IN_ASM(kind, declaration)                       \
    namespace asm_x86_64::kind { declaration; }         \
    namespace asm_x86_64_avx512::kind { declaration; }  \
    namespace asm_aarch64::kind { declaration; }
// clang-format on
// Of games and policies level asm has what picks the kernel for given params, or for a given head; planners
// and learners have one type at every level.
#define GAME(stem, kernel, ids, x86_64, aarch64) \
    IN_CPP(games, extern const Game kernel) IN_ASM(games, SelectStep kernel)
#define POLICY(stem, x86_64, aarch64) \
    IN_CPP(policies, extern const Policy stem) IN_ASM(policies, SelectAct stem)
#define PLANNER(stem, x86_64, aarch64) IN_CPP(planners, Backup stem) IN_ASM(planners, Backup stem)
#define LEARNER(stem, x86_64, aarch64) IN_CPP(learners, Learn stem) IN_ASM(learners, Learn stem)
#include "registry.def"
#undef IN_CPP
#undef IN_ASM

// The native isas, narrow to wide. `baseline` is what every CPU of the architecture has; `avx2` means AVX2,
// FMA and BMI2 together, `avx512` these and AVX-512 F, BW, DQ and VL.
enum class Isa : int { baseline, avx2, avx512, neon };
constexpr int kIsas = 4;

// Kernels of a stem; a null entry is a level that was not written or not built.
struct GameEntry {
    const char* stem;
    const char* kernel;
    const char* ids;
    const Game* cpp[kIsas];
    SelectStep* assembly[kIsas];
};

struct PolicyEntry {
    const char* stem;
    const Policy* cpp[kIsas];
    SelectAct* assembly[kIsas];
};

template <typename Kernel>
struct KernelEntry {
    const char* stem;
    Kernel* cpp[kIsas];
    Kernel* assembly[kIsas];
};
using PlannerEntry = KernelEntry<Backup>;
using LearnerEntry = KernelEntry<Learn>;

extern const GameEntry kGames[];
extern const int kGameCount;
extern const PolicyEntry kPolicies[];
extern const int kPolicyCount;
extern const PlannerEntry kPlanners[];
extern const int kPlannerCount;
extern const LearnerEntry kLearners[];
extern const int kLearnerCount;

// The tables of this build, for tests that call kernels by their addresses: what the capsule _core.kernels
// points to. The sizes let somebody who was compiled apart see that the structs are the same.
struct Kernels {
    static constexpr const char* kName = "compute_layers._core.kernels";
    int64_t batch_bytes, policy_batch_bytes, game_bytes, policy_bytes, sweep_bytes, td_step_bytes;
    const GameEntry* games;
    int64_t game_count;
    const PolicyEntry* policies;
    int64_t policy_count;
    const PlannerEntry* planners;
    int64_t planner_count;
    const LearnerEntry* learners;
    int64_t learner_count;
};

extern const Kernels kKernels;

}  // namespace compute_layers
