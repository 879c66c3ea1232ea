// SPDX-License-Identifier: MIT
// What AVX-512 kernels need besides the notation of the AVX2 ones.
#pragma once

#include "../x86_64/kernel.hpp"

// clang-format off

#define Z(n) "%%zmm" #n
// zmm0-15 are what YMM_CLOBBERS names. GCC lets nobody clobber the others but functions for AVX-512.
#define AVX512 [[gnu::target("avx512f")]]
#define ZMM_CLOBBERS                                                                                     \
    "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26",   \
    "xmm27", "xmm28", "xmm29", "xmm30", "xmm31"

// The first number of a row of constants in every lane; [k] is the table itself.
#define EACH(name) ".Lk_" #name "+%[k]%{1to16%}"

// clang-format on
