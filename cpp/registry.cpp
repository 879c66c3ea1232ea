// SPDX-License-Identifier: MIT
#include "registry.hpp"

namespace compute_layers {

// registry.def says 1 or 0 for the assembly of an architecture; the other architectures' is never built.
#define CHOOSE_0(symbol) nullptr
#define CHOOSE_1(symbol) &symbol
#define CHOOSE(written, symbol) CHOOSE_I(written, symbol)
#define CHOOSE_I(written, symbol) CHOOSE_##written(symbol)
#if defined(__x86_64__)
#define AVX2(symbol) &symbol
#define X86_64(written, symbol) CHOOSE(written, symbol)
#define AARCH64(written, symbol) nullptr
#elif defined(__aarch64__)
#define AVX2(symbol) nullptr
#define X86_64(written, symbol) nullptr
#define AARCH64(written, symbol) CHOOSE(written, symbol)
#else
#define AVX2(symbol) nullptr
#define X86_64(written, symbol) nullptr
#define AARCH64(written, symbol) nullptr
#endif

#define GAME(stem, kernel, ids, x86_64, aarch64)                     \
    {#stem,                                                          \
     ids,                                                            \
     {&baseline::games::kernel, AVX2(avx2::games::kernel), nullptr}, \
     {nullptr, X86_64(x86_64, asm_x86_64::games::kernel), AARCH64(aarch64, asm_aarch64::games::kernel)}},
#define POLICY(stem, x86_64, aarch64)
const GameEntry kGames[] = {
#include "registry.def"
};
#undef GAME
#undef POLICY

#define GAME(stem, kernel, ids, x86_64, aarch64)
#define POLICY(stem, x86_64, aarch64)                                  \
    {#stem,                                                            \
     {&baseline::policies::stem, AVX2(avx2::policies::stem), nullptr}, \
     {nullptr, X86_64(x86_64, asm_x86_64::policies::stem), AARCH64(aarch64, asm_aarch64::policies::stem)}},
const PolicyEntry kPolicies[] = {
#include "registry.def"
};
#undef GAME
#undef POLICY

const int kGameCount = sizeof(kGames) / sizeof(kGames[0]);
const int kPolicyCount = sizeof(kPolicies) / sizeof(kPolicies[0]);

}  // namespace compute_layers
