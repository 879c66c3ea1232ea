// SPDX-License-Identifier: MIT
// The activations of the family `mlp`, with the same bits at every level: python's policies/mlp.py is the
// specification and states the accuracy. All float32; without branches, so that a loop over lanes vectorises.
#pragma once

#include <cstdint>

namespace compute_layers {

enum Activation : int64_t { kTanh, kRelu, kSigmoid };  // the family's choice `activation`

constexpr float kLimit = 0x1.f1f174p+2f;
constexpr float kP[4] = {0x1.73e306p+5f, 0x1.7766c2p+13f, 0x1.010e34p+19f, 0x1.f1431ap+21f};
constexpr float kQ[4] = {0x1.e5974ep+9f, 0x1.7ad19ap+16f, 0x1.cc08dap+20f, 0x1.f1431ep+21f};

constexpr float kExp[7] = {0x1.6feff2p-10f, -0x1.1257dap-7f, 0x1.5552fep-5f, -0x1.555466p-3f,
                           0x1.0p-1f,       -0x1.0p+0f,      0x1.0p+0f};
constexpr float kMinusLog2E = -0x1.715476p+0f;
constexpr float kLn2High = 0x1.62e430p-1f;
constexpr float kLn2Low = -0x1.05c610p-29f;
constexpr float kRoundExponent = 0x1.8p23f + 127.0f;
constexpr float kLowest = -89.0f;
constexpr float kHighest = 88.0f;

namespace ISA {
namespace {

template <Activation>
float activate(float);

template <>
inline float activate<kTanh>(float x) {
    const float raised = -kLimit > x ? -kLimit : x;
    const float y = kLimit < raised ? kLimit : raised;
    const float z = y * y;
    const float p = __builtin_fmaf(__builtin_fmaf(__builtin_fmaf(kP[0], z, kP[1]), z, kP[2]), z, kP[3]);
    const float q = __builtin_fmaf(__builtin_fmaf(__builtin_fmaf(z + kQ[0], z, kQ[1]), z, kQ[2]), z, kQ[3]);
    return (y * p) / q;
}

template <>
inline float activate<kRelu>(float x) {
    return x > 0.0f ? x : 0.0f;
}

template <>
inline float activate<kSigmoid>(float x) {
    const float raised = kLowest > x ? kLowest : x;
    const float y = kHighest < raised ? kHighest : raised;
    const float t = __builtin_fmaf(y, kMinusLog2E, kRoundExponent);
    const float n = t - kRoundExponent;
    const float q = __builtin_fmaf(n, kLn2Low, __builtin_fmaf(n, kLn2High, y));
    float p = __builtin_fmaf(kExp[0], q, kExp[1]);
    p = __builtin_fmaf(p, q, kExp[2]);
    p = __builtin_fmaf(p, q, kExp[3]);
    p = __builtin_fmaf(p, q, kExp[4]);
    p = __builtin_fmaf(p, q, kExp[5]);
    p = __builtin_fmaf(p, q, kExp[6]);
    const float scale = __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, t) << 23);
    return 1.0f / __builtin_fmaf(p, scale, 1.0f);
}

}  // namespace
}  // namespace ISA
}  // namespace compute_layers
