// SPDX-License-Identifier: MIT
// Declares what the translation units of registry.def define, and the tables made of it.
#pragma once

#include "batch.hpp"
#include "planner.hpp"

namespace compute_layers {

// Level cpp: every kernel file is compiled once per isa, into the isa's namespace.
#define GAME(stem, kernel, ids, x86_64, aarch64) extern const Game kernel;
#define POLICY(stem, x86_64, aarch64)
#define PLANNER(stem, x86_64, aarch64)
namespace baseline::games {
#include "registry.def"
}
namespace avx2::games {
#include "registry.def"
}
namespace avx512::games {
#include "registry.def"
}
#undef GAME
#undef POLICY
#undef PLANNER
#define GAME(stem, kernel, ids, x86_64, aarch64)
#define POLICY(stem, x86_64, aarch64) extern const Policy stem;
#define PLANNER(stem, x86_64, aarch64)
namespace baseline::policies {
#include "registry.def"
}
namespace avx2::policies {
#include "registry.def"
}
namespace avx512::policies {
#include "registry.def"
}
#undef GAME
#undef POLICY
#undef PLANNER

// Level asm: what picks the kernel for given params, or for a given head.
#define GAME(stem, kernel, ids, x86_64, aarch64) SelectStep kernel;
#define POLICY(stem, x86_64, aarch64)
#define PLANNER(stem, x86_64, aarch64)
namespace asm_x86_64::games {
#include "registry.def"
}
namespace asm_x86_64_avx512::games {
#include "registry.def"
}
namespace asm_aarch64::games {
#include "registry.def"
}
#undef GAME
#undef POLICY
#undef PLANNER
#define GAME(stem, kernel, ids, x86_64, aarch64)
#define POLICY(stem, x86_64, aarch64) SelectAct stem;
#define PLANNER(stem, x86_64, aarch64)
namespace asm_x86_64::policies {
#include "registry.def"
}
namespace asm_x86_64_avx512::policies {
#include "registry.def"
}
namespace asm_aarch64::policies {
#include "registry.def"
}
#undef GAME
#undef POLICY
#undef PLANNER

// Planners have one type at every level.
#define GAME(stem, kernel, ids, x86_64, aarch64)
#define POLICY(stem, x86_64, aarch64)
#define PLANNER(stem, x86_64, aarch64) Backup stem;
namespace baseline::planners {
#include "registry.def"
}
namespace avx2::planners {
#include "registry.def"
}
namespace avx512::planners {
#include "registry.def"
}
namespace asm_x86_64::planners {
#include "registry.def"
}
namespace asm_x86_64_avx512::planners {
#include "registry.def"
}
namespace asm_aarch64::planners {
#include "registry.def"
}
#undef GAME
#undef POLICY
#undef PLANNER

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

struct PlannerEntry {
    const char* stem;
    Backup* cpp[kIsas];
    Backup* assembly[kIsas];
};

extern const GameEntry kGames[];
extern const int kGameCount;
extern const PolicyEntry kPolicies[];
extern const int kPolicyCount;
extern const PlannerEntry kPlanners[];
extern const int kPlannerCount;

// The tables of this build, for tests that call kernels by their addresses: what the capsule _core.kernels
// points to. The sizes let somebody who was compiled apart see that the structs are the same.
struct Kernels {
    static constexpr const char* kName = "compute_layers._core.kernels";
    int64_t batch_bytes, policy_batch_bytes, game_bytes, policy_bytes, sweep_bytes;
    const GameEntry* games;
    int64_t game_count;
    const PolicyEntry* policies;
    int64_t policy_count;
    const PlannerEntry* planners;
    int64_t planner_count;
};

extern const Kernels kKernels;

}  // namespace compute_layers
