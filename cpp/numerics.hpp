// SPDX-License-Identifier: MIT
// Sine and cosine with the same bits at every level, on every CPU. python/compute_layers/numerics.py is
// the specification: it explains the method and states the accuracy; tools/minimax.py derives the
// constants and measures them.
//
// No libm, no fused multiply-add, no branch, no conversion between integers and doubles (AVX2 has none
// for 64 bits), so that a loop over lanes vectorises. Compile with -ffp-contract=off.
#pragma once

#include <cstdint>

namespace compute_layers {

constexpr double kTwoOverPi = 0x1.45f306dc9c883p-1;
// Adding it rounds to an integer and leaves that integer, modulo 4, in the low two bits of the pattern.
constexpr double kRound = 0x1.8p52;
// pi/2 is their sum. The first three have 33 significant bits: times an integer below 2**20 is exact.
// None is negative, so that 0 times each is +0.
constexpr double kPiOver2[4] = {0x1.921fb54400000p+0, 0x1.0b4611a600000p-34, 0x1.3198a2e000000p-69,
                                0x1.b839a252049c1p-104};
// Their sum, exactly, as three doubles of 53 significant bits.
constexpr double kHalfPi[3] = {0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fc0p-110};
constexpr double kNearAngle = 3.9;  // up to here the integer nearest to x / (pi/2) is -2 … 2
// sin x = x - x*z*S(z), cos x = 1 - z/2 + z*z*C(z), with z = x*x.
constexpr double kSin[6] = {0x1.555555555554ep-3,   -0x1.111111110fec9p-7, 0x1.a01a019c8be80p-13,
                            -0x1.71de35a95ccacp-19, 0x1.ae5e6caa30e3ep-26, -0x1.5d8e287aac03ep-33};
constexpr double kCos[6] = {0x1.555555555554cp-5,   -0x1.6c16c16c1521fp-10, 0x1.a01a019cbf62cp-16,
                            -0x1.27e4f812b6bf2p-22, 0x1.1ee9f152ed033p-29,  -0x1.8fb1313de0a15p-37};

// The including translation unit is compiled once per isa; ISA is its name (-DISA=avx2).
namespace ISA {

// What follows the leading coefficient, divided by z.
static inline double sin_cos_rest(const double (&c)[6], double z, double z2) {
    return (c[1] + (z * c[2])) + (z2 * ((c[3] + (z * c[4])) + (z2 * c[5])));
}

// Sine and cosine of |x| <= pi/4: there, the same bytes as sin_cos. 33 floating-point operations.
static inline void sin_cos_reduced(double x, double& sine, double& cosine) {
    const double z = x * x;
    const double z2 = z * z;
    const double cube = x * z;
    const double half = 0.5 * z;
    const double w = 1.0 - half;
    const double sin_rest = sin_cos_rest(kSin, z, z2);
    const double cos_rest = sin_cos_rest(kCos, z, z2);
    sine = x - ((cube * kSin[0]) + ((cube * z) * sin_rest));
    cosine = w + (((1.0 - w) - half) + (z2 * (kCos[0] + (z * cos_rest))));
}

// Sections 3 and 4 of sin_cos, for an angle that is reduced.
static inline void sin_cos_with_tail(double high, double tail, uint64_t quadrant, double& sine,
                                     double& cosine) {
    // [3] sin, cos of high - tail
    const double z = high * high;
    const double z2 = z * z;
    const double cube = high * z;
    const double half = 0.5 * z;
    const double w = 1.0 - half;
    const double sin_rest = sin_cos_rest(kSin, z, z2);
    const double cos_rest = sin_cos_rest(kCos, z, z2);
    const double s = high - ((cube * kSin[0]) + (((cube * z) * sin_rest) + (tail * w)));
    const double c = w + ((((1.0 - w) - half) + (s * tail)) + (z2 * (kCos[0] + (z * cos_rest))));

    // [4] quadrant: odd swaps; sine is negative in 2 and 3, cosine in 1 and 2
    const uint64_t s_bits = __builtin_bit_cast(uint64_t, s);
    const uint64_t c_bits = __builtin_bit_cast(uint64_t, c);
    const uint64_t swap = (s_bits ^ c_bits) & (0 - (quadrant & 1));
    sine = __builtin_bit_cast(double, (s_bits ^ swap) ^ ((quadrant & 2) << 62));
    cosine = __builtin_bit_cast(double, (c_bits ^ swap) ^ (((quadrant + 1) & 2) << 62));
}

// Sine and cosine of |x| <= kNearAngle: there, the same bytes as sin_cos. 48 floating-point operations, 13 on
// integers. Multiplying by k, which is 0, ±1 or ±2, is exact, and so is x - k * kHalfPi[0]: `high` is the
// difference, rounded once, and `tail` what that leaves, rounded once. sin_cos finds the same two, but for x
// = ±0x1.921fb54442d19p+0, where sine and cosine are the same nevertheless. Whether they agree depends only
// on k and on the exponents of x and `high`, few enough for all to be tested.
static inline void sin_cos_near(double x, double& sine, double& cosine) {
    const double shifted = (x * kTwoOverPi) + kRound;
    const double k = shifted - kRound;
    const double t = x - (k * kHalfPi[0]);
    const double high = t - (k * kHalfPi[1]);
    const double tail = ((high - t) + (k * kHalfPi[1])) + (k * kHalfPi[2]);
    sin_cos_with_tail(high, tail, __builtin_bit_cast(uint64_t, shifted), sine, cosine);
}

// Sine and cosine of any x; accurate for |x| <= 2**20. 62 floating-point operations, 13 on integers.
static inline void sin_cos(double x, double& sine, double& cosine) {
    // [1] k, the integer nearest to x / (pi/2)
    const double shifted = (x * kTwoOverPi) + kRound;
    const double k = shifted - kRound;
    const uint64_t quadrant = __builtin_bit_cast(uint64_t, shifted);

    // [2] high - tail = x - k * pi/2; the excess is what rounding added to a difference
    const double t = x - (k * kPiOver2[0]);
    const double p2 = k * kPiOver2[1];
    const double r = t - p2;
    const double r_part = r - t;
    const double excess1 = (p2 + r_part) - (t - (r - r_part));
    const double p3 = k * kPiOver2[2];
    const double high0 = r - p3;
    const double high0_part = high0 - r;
    const double excess2 = (p3 + high0_part) - (r - (high0 - high0_part));
    const double tail0 = (excess1 + excess2) + (k * kPiOver2[3]);
    const double high = high0 - tail0;
    const double tail = (high - high0) + tail0;

    sin_cos_with_tail(high, tail, quadrant, sine, cosine);
}

}  // namespace ISA
}  // namespace compute_layers
