// SPDX-License-Identifier: MIT
// What all AVX2 kernels share besides the notation. AT&T order: the destination comes last.
#pragma once

#include "../notation.hpp"

namespace compute_layers::asm_x86_64 {

// Bit i of four becomes byte i: times kFlagSpread it stands in the bits i + 7k, all of them distinct, of
// which kFlagBytes keeps 8i. (pdep, made for this, takes Zen 1 and 2 some twenty cycles.)
constexpr uint64_t kFlagSpread = 1 << 0 | 1 << 7 | 1 << 14 | 1 << 21;
constexpr uint64_t kFlagBytes = 0x0101'0101;

}  // namespace compute_layers::asm_x86_64

// clang-format off

#define NOTE(text) "\t# " text "\n"

#define X(n) "%%xmm" #n
#define Y(n) "%%ymm" #n
#define YMM_CLOBBERS                                                                                   \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",  \
    "xmm12", "xmm13", "xmm14", "xmm15"

// An OFFSET is used as %c[field](base).
#define K(name) ".Lk_" #name "(%[k])"

// clang-format on
