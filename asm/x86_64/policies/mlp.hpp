// SPDX-License-Identifier: MIT
// The numbers of the activations, for all kernels of the family `mlp`.
#pragma once

#include "../kernel.hpp"
#include "policies/activations.hpp"

// clang-format off

#define ACTIVATION_CONSTANTS(ROW)                                                                        \
    ROW(minus_limit, row(-kLimit)) ROW(limit, row(kLimit))                                               \
    ROW(P0, row(kP[0])) ROW(P1, row(kP[1])) ROW(P2, row(kP[2])) ROW(P3, row(kP[3]))                      \
    ROW(Q0, row(kQ[0])) ROW(Q1, row(kQ[1])) ROW(Q2, row(kQ[2])) ROW(Q3, row(kQ[3]))                      \
    ROW(lowest, row(kLowest)) ROW(highest, row(kHighest)) ROW(minus_log2_e, row(kMinusLog2E))            \
    ROW(round, row(kRoundExponent)) ROW(ln2_high, row(kLn2High)) ROW(ln2_low, row(kLn2Low))              \
    ROW(E0, row(kExp[0])) ROW(E1, row(kExp[1])) ROW(E2, row(kExp[2])) ROW(E3, row(kExp[3]))              \
    ROW(E4, row(kExp[4])) ROW(E5, row(kExp[5])) ROW(E6, row(kExp[6])) ROW(one, row(1.0f))

// A row, where [k] is the table itself: a memory operand takes no register.
#define C(name) ".Lk_" #name "+%[k]"

// clang-format on
