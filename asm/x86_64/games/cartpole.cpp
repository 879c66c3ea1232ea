// SPDX-License-Identifier: MIT
#include "games/cartpole.hpp"

#include <cmath>

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace cartpole;

// The total mass that `step_in_play` divides by without a division: y / c is fma(y, zh, y*zl), where zh + zl
// is 1/c to 106 bits. Right for every y whose y*zl is a normal number; see `moderate` for the others.
constexpr double kTotalMass = 0.1 + 1.0;
constexpr double kInverse = 1.0 / kTotalMass;
// 1 - zh*c in units of 2**-105, an integer below 2**53, is all that is left of it modulo 2**64.
constexpr double kResidue = static_cast<double>(static_cast<int64_t>(
    0 - static_cast<uint64_t>(kInverse * 0x1p53) * static_cast<uint64_t>(kTotalMass * 0x1p52)));
constexpr double kInverseLow = (kResidue * 0x1p-105) / kTotalMass;

// clang-format off
#define CONSTANTS(ROW)                                                                                 \
    ROW(one, row(1.0))                                                                                 \
    ROW(half, row(0.5))                                                                                \
    ROW(four_thirds, row(4.0 / 3.0))                                                                   \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                            \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                            \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                            \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                            \
    ROW(zh, row(kInverse))                                                                             \
    ROW(zl, row(kInverseLow))                                                                          \
    ROW(minus_zl, row(-kInverseLow))                                                                   \
    ROW(two_over_pi, row(kTwoOverPi))                                                                  \
    ROW(round, row(kRound))                                                                            \
    ROW(pi0, row(kPiOver2[0])) ROW(pi1, row(kPiOver2[1])) ROW(pi2, row(kPiOver2[2]))                   \
    ROW(pi3, row(kPiOver2[3]))                                                                         \
    ROW(euler, row(kEuler))                                                                            \
    ROW(abs, row(kAbs))                                                                                \
    ROW(sign, row(~kAbs))                                                                              \
    ROW(ones, row(kOnes))                                                                              \
    ROW(flag_bytes, row(kFlagBytes))
// clang-format on

struct Constants {
    CONSTANTS(ROW_FIELD)
};
constexpr Constants kConstants = {CONSTANTS(ROW_VALUE)};

static_assert(FIELD(State, x) == 0 && FIELD(State, x_dot) == 1 && FIELD(State, theta) == 2 &&
              FIELD(State, theta_dot) == 3);

// clang-format off

// General registers of both kernels
//   r8  x             r11 elapsed - x    r14 terminated              rax, rcx  scratch
//   r9  stride        r12 action - x     r15 truncated - terminated  [k]  kConstants
//   r10 stride * 3    r13 reward - x     rbx observation             [b]  the batch, in the loop the end of x
//                                        rdx rows of params
// all in bytes. Arrays of 8-byte elements move on with r8 alone.
#define X_AT(at)         #at "(%%r8)"
#define X_DOT_AT(at)     #at "(%%r8,%%r9)"
#define THETA_AT(at)     #at "(%%r8,%%r9,2)"
#define THETA_DOT_AT(at) #at "(%%r8,%%r10)"
#define ELAPSED_AT(at)   #at "(%%r8,%%r11)"
#define ACTION_AT(at)    #at "(%%r8,%%r12)"
#define REWARD_AT(at)    #at "(%%r8,%%r13)"
#define TERMINATED       "(%%r14)"
#define TRUNCATED        "(%%r14,%%r15)"
#define P(field)         "%c[" #field "](%%rdx)"
#define B(field)         "%c[" #field "](%[b])"

#define PARAM(field) [field] "i"(FIELD(Params, field) * sizeof(Row))

#define ENTER                                                                                          \
    ROW_OFFSETS(CONSTANTS)                                                                             \
    OP(mov, B(state), "%%r8", "x")                                                                     \
    OP(mov, B(stride), "%%r9", "")                                                                     \
    OP(shl, "$3", "%%r9", "stride in bytes")                                                           \
    OP(lea, "(%%r9,%%r9,2)", "%%r10", "stride * 3")                                                    \
    OP(mov, B(elapsed), "%%r11", "")                                                                   \
    OP(sub, "%%r8", "%%r11", "elapsed - x")                                                            \
    OP(mov, B(action), "%%r12", "")                                                                    \
    OP(sub, "%%r8", "%%r12", "action - x")                                                             \
    OP(mov, B(reward), "%%r13", "")                                                                    \
    OP(sub, "%%r8", "%%r13", "reward - x")                                                             \
    OP(mov, B(terminated), "%%r14", "")                                                                \
    OP(mov, B(truncated), "%%r15", "")                                                                 \
    OP(sub, "%%r14", "%%r15", "truncated - terminated")                                                \
    OP(mov, B(observation), "%%rbx", "")                                                               \
    OP(mov, B(rows), "%%rdx", "")                                                                      \
    OP(vpbroadcastq, B(limit), Y(15), "")                                                              \
    OP(vpaddq, K(ones), Y(15), Y(15), "limit - 1")                                                     \
    OP(mov, B(n), "%[b]", "last use of the batch")                                                     \
    OP(lea, "(%%r8,%[b],8)", "%[b]", "end of x")                                                       \
    OP(vmovapd, P(reward_running), Y(14), "")                                                          \
    OP(vxorpd, P(reward_terminated), Y(14), Y(14), "reward_running xor reward_terminated")             \
    OP(cmp, "%[b]", "%%r8", "")                                                                        \
    OP(je, "2f", "no lanes")

#define ENTER_OPERANDS                                                                                 \
    [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),               \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation),                     \
        OFFSET(Batch, reward), OFFSET(Batch, terminated), OFFSET(Batch, truncated),                    \
        OFFSET(Batch, rows), OFFSET(Batch, limit)

#define CLOBBERS                                                                                       \
    YMM_CLOBBERS, "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",    \
        "memory", "cc"

// [1] force; f is its negative
#define FORCE(at, f)                                                                                   \
    OP(vmovapd, ACTION_AT(at), Y(f), "action")                                                         \
    OP(vpsllq, "$63", Y(f), Y(f), "sign bit where action == 1")                                        \
    OP(vxorpd, P(force_mag), Y(f), Y(f), "-force")

// (c1 + z*c2) + z2*((c3 + z*c4) + z2*c5) into a; b is lost
#define REST(c, z, z2, a, b)                                                                           \
    OP(vmulpd, K(c##4), Y(z), Y(b), "z*c4")                                                            \
    OP(vmulpd, K(c##5), Y(z2), Y(a), "z2*c5")                                                          \
    OP(vaddpd, K(c##3), Y(b), Y(b), "c3 + z*c4")                                                       \
    OP(vaddpd, Y(a), Y(b), Y(b), "(c3 + z*c4) + z2*c5")                                                \
    OP(vmulpd, K(c##2), Y(z), Y(a), "z*c2")                                                            \
    OP(vmulpd, Y(z2), Y(b), Y(b), "z2 * (…)")                                                          \
    OP(vaddpd, K(c##1), Y(a), Y(a), "c1 + z*c2")                                                       \
    OP(vaddpd, Y(b), Y(a), Y(a), "rest")

// [2] sin, cos. 0.5*z is exact, so that it may be a part of an fma. z, z2, a, b are lost.
#define SIN_COS_REDUCED(at, sin, cos, z, z2, a, b)                                                     \
    OP(vmovapd, THETA_AT(at), Y(b), "theta")                                                           \
    OP(vmulpd, Y(b), Y(b), Y(z), "z = theta*theta")                                                    \
    OP(vmulpd, Y(z), Y(z), Y(z2), "z2 = z*z")                                                          \
    REST(S, z, z2, sin, b)                                                                             \
    OP(vmulpd, THETA_AT(at), Y(z), Y(a), "cube = theta*z")                                             \
    OP(vmulpd, Y(z), Y(a), Y(b), "cube*z")                                                             \
    OP(vmulpd, Y(b), Y(sin), Y(sin), "(cube*z) * sin_rest")                                            \
    OP(vmulpd, K(S0), Y(a), Y(a), "cube*S0")                                                           \
    OP(vaddpd, Y(a), Y(sin), Y(b), "cube*S0 + (cube*z)*sin_rest")                                      \
    OP(vmovapd, THETA_AT(at), Y(sin), "theta")                                                         \
    OP(vsubpd, Y(b), Y(sin), Y(sin), "sin = theta - (…)")                                              \
    REST(C, z, z2, cos, b)                                                                             \
    OP(vmulpd, Y(z), Y(cos), Y(cos), "z * cos_rest")                                                   \
    OP(vaddpd, K(C0), Y(cos), Y(cos), "C0 + z*cos_rest")                                               \
    OP(vmulpd, Y(z2), Y(cos), Y(cos), "z2 * (C0 + z*cos_rest)")                                        \
    OP(vmovapd, K(one), Y(a), "1")                                                                     \
    OP(vfnmadd231pd, K(half), Y(z), Y(a), "w = 1 - half")                                              \
    OP(vsubpd, K(one), Y(a), Y(b), "w - 1")                                                            \
    OP(vfnmsub231pd, K(half), Y(z), Y(b), "(1 - w) - half")                                            \
    OP(vaddpd, Y(b), Y(cos), Y(cos), "((1 - w) - half) + z2*(…)")                                      \
    OP(vaddpd, Y(a), Y(cos), Y(cos), "cos = w + (…)")

// [3] accelerations; f becomes temp, then x_acc; sin becomes theta_acc; cos, a, b are lost
#define ACCELERATIONS_BY_FMA(at, f, sin, cos, a, b)                                                    \
    OP(vmovapd, THETA_DOT_AT(at), Y(a), "theta_dot")                                                   \
    OP(vmulpd, Y(a), Y(a), Y(a), "theta_dot * theta_dot")                                              \
    OP(vmulpd, P(polemass_length), Y(a), Y(a), "polemass_length * (…)")                                \
    OP(vmulpd, Y(sin), Y(a), Y(a), "(…) * sin")                                                        \
    OP(vsubpd, Y(f), Y(a), Y(a), "force + (…)")                                                        \
    OP(vmulpd, K(zl), Y(a), Y(f), "")                                                                  \
    OP(vfmadd231pd, K(zh), Y(a), Y(f), "temp = (…) / total_mass")                                      \
    OP(vmulpd, Y(cos), Y(cos), Y(b), "cos*cos")                                                        \
    OP(vmulpd, P(masspole), Y(b), Y(b), "masspole * (cos*cos)")                                        \
    OP(vmulpd, K(minus_zl), Y(b), Y(a), "")                                                            \
    OP(vfnmadd231pd, K(zh), Y(b), Y(a), "-(masspole * (cos*cos)) / total_mass")                        \
    OP(vaddpd, K(four_thirds), Y(a), Y(a), "4/3 - (…)")                                                \
    OP(vmulpd, P(length), Y(a), Y(a), "length * (…)")                                                  \
    OP(vmulpd, P(gravity), Y(sin), Y(sin), "gravity * sin")                                            \
    OP(vmulpd, Y(f), Y(cos), Y(b), "cos * temp")                                                       \
    OP(vsubpd, Y(b), Y(sin), Y(sin), "gravity*sin - cos*temp")                                         \
    OP(vdivpd, Y(a), Y(sin), Y(sin), "theta_acc")                                                      \
    OP(vmulpd, P(polemass_length), Y(sin), Y(a), "polemass_length * theta_acc")                        \
    OP(vmulpd, Y(cos), Y(a), Y(a), "(…) * cos")                                                        \
    OP(vmulpd, K(zl), Y(a), Y(b), "")                                                                  \
    OP(vfmadd231pd, K(zh), Y(a), Y(b), "(…) / total_mass")                                             \
    OP(vsubpd, Y(b), Y(f), Y(f), "x_acc = temp - (…)")

// [4] integration; a starting lane adds tau = 0 times something. x_acc becomes x_dot, theta_acc theta_dot.
#define INTEGRATION_BY_TAU(at, starting, x, x_dot, theta, theta_dot, a)                                \
    OP(vpxor, X(starting), X(starting), X(starting), "0")                                              \
    OP(vpcmpgtq, ELAPSED_AT(at), Y(starting), Y(starting), "0 > elapsed")                              \
    OP(vandnpd, P(tau), Y(starting), Y(a), "tau, 0 if starting")                                       \
    OP(vmulpd, X_DOT_AT(at), Y(a), Y(x), "tau * x_dot")                                                \
    OP(vaddpd, X_AT(at), Y(x), Y(x), "x + tau*x_dot")                                                  \
    OP(vmovapd, Y(x), X_AT(at), "")                                                                    \
    OP(vmulpd, THETA_DOT_AT(at), Y(a), Y(theta), "tau * theta_dot")                                    \
    OP(vaddpd, THETA_AT(at), Y(theta), Y(theta), "theta + tau*theta_dot")                              \
    OP(vmovapd, Y(theta), THETA_AT(at), "")                                                            \
    OP(vmulpd, Y(theta_dot), Y(a), Y(theta_dot), "tau * theta_acc")                                    \
    OP(vaddpd, THETA_DOT_AT(at), Y(theta_dot), Y(theta_dot), "theta_dot + tau*theta_acc")              \
    OP(vmovapd, Y(theta_dot), THETA_DOT_AT(at), "")                                                    \
    OP(vmulpd, Y(x_dot), Y(a), Y(x_dot), "tau * x_acc")                                                \
    OP(vaddpd, X_DOT_AT(at), Y(x_dot), Y(x_dot), "x_dot + tau*x_acc")                                  \
    OP(vmovapd, Y(x_dot), X_DOT_AT(at), "")

// [5] termination and reward
#define TERMINATION(at, starting, x, theta, ended, late)                                               \
    OP(vandpd, K(abs), Y(x), Y(ended), "abs(x)")                                                       \
    OP(vcmpgt_oqpd, P(x_threshold), Y(ended), Y(ended), "abs(x) > x_threshold")                        \
    OP(vandpd, K(abs), Y(theta), Y(late), "abs(theta)")                                                \
    OP(vcmpgt_oqpd, P(theta_threshold_radians), Y(late), Y(late), "abs(theta) > theta_threshold")      \
    OP(vorpd, Y(late), Y(ended), Y(ended), "out")                                                      \
    OP(vandnpd, Y(ended), Y(starting), Y(ended), "ended = out and not starting")                       \
    OP(vandpd, Y(14), Y(ended), Y(late), "reward_running xor reward_terminated if ended")              \
    OP(vxorpd, P(reward_running), Y(late), Y(late), "ended ? reward_terminated : reward_running")      \
    OP(vandnpd, Y(late), Y(starting), Y(late), "0 if starting")                                        \
    OP(vmovapd, Y(late), REWARD_AT(at), "")                                                            \
    OP(vmovdqa, ELAPSED_AT(at), Y(starting), "elapsed")                                                \
    OP(vpsubq, K(ones), Y(starting), Y(starting), "now = elapsed + 1")                                 \
    OP(vpcmpgtq, Y(15), Y(starting), Y(late), "late = now > limit - 1")                                \
    OP(vpor, Y(ended), Y(starting), Y(starting), "now | ended")                                        \
    OP(vpor, Y(late), Y(starting), Y(starting), "now | ended | late")                                  \
    OP(vmovdqa, Y(starting), ELAPSED_AT(at), "")

// Masks of lanes 0-3 and 4-7 to 8 bytes of 0 or 1
#define FLAGS(low, high, array, note)                                                                  \
    OP(vmovmskpd, Y(low), "%%eax", "")                                                                 \
    OP(vmovmskpd, Y(high), "%%ecx", "")                                                                \
    OP(shl, "$4", "%%ecx", "")                                                                         \
    OP(or, "%%ecx", "%%eax", "bit i: lane i")                                                          \
    OP(pdep, K(flag_bytes), "%%rax", "%%rax", "byte i: lane i")                                        \
    OP(mov, "%%rax", array, note)

// [6] observation: four vectors of doubles become four rows of floats; a, b are lost
//   [x | theta], [x_dot | theta_dot]  ->  x0 x_dot0 x1 x_dot1 | theta0 …  ->  row 0 | row 1
#define OBSERVATION(at0, at1, x, x_dot, theta, theta_dot, a, b)                                        \
    OP(vcvtpd2psy, Y(x), X(x), "float(x)")                                                             \
    OP(vcvtpd2psy, Y(x_dot), X(x_dot), "float(x_dot)")                                                 \
    OP(vcvtpd2psy, Y(theta), X(theta), "float(theta)")                                                 \
    OP(vcvtpd2psy, Y(theta_dot), X(theta_dot), "float(theta_dot)")                                     \
    OP(vinsertf128, "$1", X(theta), Y(x), Y(x), "x | theta")                                           \
    OP(vinsertf128, "$1", X(theta_dot), Y(x_dot), Y(x_dot), "x_dot | theta_dot")                       \
    OP(vunpcklps, Y(x_dot), Y(x), Y(a), "x0 x_dot0 x1 x_dot1 | theta0 …")                              \
    OP(vunpckhps, Y(x_dot), Y(x), Y(b), "x2 x_dot2 x3 x_dot3 | theta2 …")                              \
    OP(vpermpd, "$0xd8", Y(a), Y(a), "rows 0, 1")                                                      \
    OP(vpermpd, "$0xd8", Y(b), Y(b), "rows 2, 3")                                                      \
    OP(vmovaps, Y(a), #at0 "(%%rbx)", "")                                                              \
    OP(vmovaps, Y(b), #at1 "(%%rbx)", "")

#define NEXT(lanes)                                                                                    \
    OP(add, "$8*" #lanes, "%%r8", "")                                                                  \
    OP(add, "$" #lanes, "%%r14", "")                                                                   \
    OP(add, "$16*" #lanes, "%%rbx", "")

// Euler's integrator, theta within 45 degrees, total_mass is kTotalMass and the other params are moderate.
//
//   ymm0-6 lanes 0-3, ymm7-13 lanes 4-7; ymm14 reward_running xor reward_terminated; ymm15 limit - 1
__attribute__((noinline)) void step_in_play(const Batch* b) {
    asm volatile(
        ENTER
        LOOP(1)
        MCA_BEGIN("cartpole/step_in_play lanes=8")
        FORCE(0, 0)
        FORCE(32, 7)
        SIN_COS_REDUCED(0, 1, 2, 3, 4, 5, 6)
        SIN_COS_REDUCED(32, 8, 9, 10, 11, 12, 13)
        ACCELERATIONS_BY_FMA(0, 0, 1, 2, 3, 4)
        ACCELERATIONS_BY_FMA(32, 7, 8, 9, 10, 11)
        INTEGRATION_BY_TAU(0, 2, 3, 0, 4, 1, 5)
        INTEGRATION_BY_TAU(32, 9, 10, 7, 11, 8, 12)
        TERMINATION(0, 2, 3, 4, 5, 6)
        TERMINATION(32, 9, 10, 11, 12, 13)
        FLAGS(5, 12, TERMINATED, "terminated")
        FLAGS(6, 13, TRUNCATED, "truncated")
        OBSERVATION(0, 32, 3, 0, 4, 1, 5, 6)
        OBSERVATION(64, 96, 10, 7, 11, 8, 12, 13)
        NEXT(8)
        OP(cmp, "%[b]", "%%r8", "")
        MCA_END
        OP(jne, "1b", "")
        LABEL(2)
        OP(vzeroupper, "")
        : [b] "+r"(b)
        : ENTER_OPERANDS, PARAM(gravity), PARAM(masspole), PARAM(length), PARAM(polemass_length),
          PARAM(force_mag), PARAM(tau), PARAM(theta_threshold_radians), PARAM(x_threshold),
          PARAM(reward_running), PARAM(reward_terminated)
        : CLOBBERS);
}

// The full sine and cosine of numerics.hpp, by its numbered steps; s, c and h to n are registers.
#define SIN_COS(at, sin, cos, q, z, h, t, i, j, l, m, n)                                               \
    OP(vmovapd, THETA_AT(at), Y(z), "theta")                                                           \
    OP(vmulpd, K(two_over_pi), Y(z), Y(q), "theta * two_over_pi")                                      \
    OP(vaddpd, K(round), Y(q), Y(q), "shifted, the quadrant in its low bits")                          \
    OP(vsubpd, K(round), Y(q), Y(h), "k = shifted - round")                                            \
    OP(vmulpd, K(pi0), Y(h), Y(i), "k * pi_over_2[0]")                                                 \
    OP(vsubpd, Y(i), Y(z), Y(i), "t = theta - k*pi_over_2[0]")                                         \
    OP(vmulpd, K(pi1), Y(h), Y(j), "p2 = k * pi_over_2[1]")                                            \
    OP(vsubpd, Y(j), Y(i), Y(l), "r = t - p2")                                                         \
    OP(vsubpd, Y(i), Y(l), Y(m), "r_part = r - t")                                                     \
    OP(vaddpd, Y(m), Y(j), Y(j), "p2 + r_part")                                                        \
    OP(vsubpd, Y(m), Y(l), Y(m), "r - r_part")                                                         \
    OP(vsubpd, Y(m), Y(i), Y(m), "t - (r - r_part)")                                                   \
    OP(vsubpd, Y(m), Y(j), Y(j), "excess1")                                                            \
    OP(vmulpd, K(pi2), Y(h), Y(i), "p3 = k * pi_over_2[2]")                                            \
    OP(vsubpd, Y(i), Y(l), Y(t), "high0 = r - p3")                                                     \
    OP(vsubpd, Y(l), Y(t), Y(m), "high0_part = high0 - r")                                             \
    OP(vaddpd, Y(m), Y(i), Y(i), "p3 + high0_part")                                                    \
    OP(vsubpd, Y(m), Y(t), Y(m), "high0 - high0_part")                                                 \
    OP(vsubpd, Y(m), Y(l), Y(m), "r - (high0 - high0_part)")                                           \
    OP(vsubpd, Y(m), Y(i), Y(i), "excess2")                                                            \
    OP(vaddpd, Y(i), Y(j), Y(j), "excess1 + excess2")                                                  \
    OP(vmulpd, K(pi3), Y(h), Y(h), "k * pi_over_2[3]")                                                 \
    OP(vaddpd, Y(h), Y(j), Y(j), "tail0")                                                              \
    OP(vsubpd, Y(j), Y(t), Y(h), "high = high0 - tail0")                                               \
    OP(vsubpd, Y(t), Y(h), Y(t), "high - high0")                                                       \
    OP(vaddpd, Y(j), Y(t), Y(t), "tail = (high - high0) + tail0")                                      \
    OP(vmulpd, Y(h), Y(h), Y(z), "z = high*high")                                                      \
    OP(vmulpd, Y(z), Y(z), Y(i), "z2 = z*z")                                                           \
    REST(S, z, i, l, m)                                                                                \
    OP(vmulpd, Y(z), Y(h), Y(j), "cube = high*z")                                                      \
    OP(vmulpd, Y(z), Y(j), Y(m), "cube*z")                                                             \
    OP(vmulpd, Y(m), Y(l), Y(l), "(cube*z) * sin_rest")                                                \
    OP(vmovapd, K(one), Y(n), "1")                                                                     \
    OP(vfnmadd231pd, K(half), Y(z), Y(n), "w = 1 - half")                                              \
    OP(vmulpd, Y(n), Y(t), Y(m), "tail*w")                                                             \
    OP(vaddpd, Y(m), Y(l), Y(l), "(cube*z)*sin_rest + tail*w")                                         \
    OP(vmulpd, K(S0), Y(j), Y(j), "cube*S0")                                                           \
    OP(vaddpd, Y(l), Y(j), Y(l), "cube*S0 + (…)")                                                      \
    OP(vsubpd, Y(l), Y(h), Y(l), "s = high - (…)")                                                     \
    OP(vmulpd, Y(t), Y(l), Y(h), "s*tail")                                                             \
    REST(C, z, i, t, m)                                                                                \
    OP(vmulpd, Y(z), Y(t), Y(t), "z * cos_rest")                                                       \
    OP(vaddpd, K(C0), Y(t), Y(t), "C0 + z*cos_rest")                                                   \
    OP(vmulpd, Y(i), Y(t), Y(t), "z2 * (C0 + z*cos_rest)")                                             \
    OP(vsubpd, K(one), Y(n), Y(m), "w - 1")                                                            \
    OP(vfnmsub231pd, K(half), Y(z), Y(m), "(1 - w) - half")                                            \
    OP(vaddpd, Y(h), Y(m), Y(m), "((1 - w) - half) + s*tail")                                          \
    OP(vaddpd, Y(t), Y(m), Y(m), "(…) + z2*(C0 + z*cos_rest)")                                         \
    OP(vaddpd, Y(m), Y(n), Y(m), "c = w + (…)")                                                        \
    OP(vpsllq, "$63", Y(q), Y(z), "odd quadrants")                                                     \
    OP(vblendvpd, Y(z), Y(m), Y(l), Y(sin), "swap")                                                    \
    OP(vblendvpd, Y(z), Y(l), Y(m), Y(cos), "")                                                        \
    OP(vpsllq, "$62", Y(q), Y(q), "quadrants 2, 3")                                                    \
    OP(vxorpd, Y(q), Y(z), Y(z), "quadrants 1, 2")                                                     \
    OP(vandpd, K(sign), Y(q), Y(q), "")                                                                \
    OP(vandpd, K(sign), Y(z), Y(z), "")                                                                \
    OP(vxorpd, Y(q), Y(sin), Y(sin), "sin")                                                            \
    OP(vxorpd, Y(z), Y(cos), Y(cos), "cos")

// [3] as above, by divisions
#define ACCELERATIONS(at, f, sin, cos, a, b)                                                           \
    OP(vmovapd, THETA_DOT_AT(at), Y(a), "theta_dot")                                                   \
    OP(vmulpd, Y(a), Y(a), Y(a), "theta_dot * theta_dot")                                              \
    OP(vmulpd, P(polemass_length), Y(a), Y(a), "polemass_length * (…)")                                \
    OP(vmulpd, Y(sin), Y(a), Y(a), "(…) * sin")                                                        \
    OP(vsubpd, Y(f), Y(a), Y(a), "force + (…)")                                                        \
    OP(vdivpd, P(total_mass), Y(a), Y(f), "temp = (…) / total_mass")                                   \
    OP(vmulpd, Y(cos), Y(cos), Y(b), "cos*cos")                                                        \
    OP(vmulpd, P(masspole), Y(b), Y(b), "masspole * (cos*cos)")                                        \
    OP(vdivpd, P(total_mass), Y(b), Y(b), "(masspole * (cos*cos)) / total_mass")                       \
    OP(vmovapd, K(four_thirds), Y(a), "4/3")                                                           \
    OP(vsubpd, Y(b), Y(a), Y(a), "4/3 - (…)")                                                          \
    OP(vmulpd, P(length), Y(a), Y(a), "length * (…)")                                                  \
    OP(vmulpd, P(gravity), Y(sin), Y(sin), "gravity * sin")                                            \
    OP(vmulpd, Y(f), Y(cos), Y(b), "cos * temp")                                                       \
    OP(vsubpd, Y(b), Y(sin), Y(sin), "gravity*sin - cos*temp")                                         \
    OP(vdivpd, Y(a), Y(sin), Y(sin), "theta_acc")                                                      \
    OP(vmulpd, P(polemass_length), Y(sin), Y(a), "polemass_length * theta_acc")                        \
    OP(vmulpd, Y(cos), Y(a), Y(a), "(…) * cos")                                                        \
    OP(vdivpd, P(total_mass), Y(a), Y(b), "(…) / total_mass")                                          \
    OP(vsubpd, Y(b), Y(f), Y(f), "x_acc = temp - (…)")

// [4] as above for either integrator; the state of a starting lane is blended in
#define INTEGRATION(at, starting, euler, x, x_dot, theta, theta_dot, a, b)                             \
    OP(vmulpd, P(tau), Y(x_dot), Y(x_dot), "tau * x_acc")                                              \
    OP(vmovapd, X_DOT_AT(at), Y(a), "x_dot")                                                           \
    OP(vaddpd, Y(x_dot), Y(a), Y(x_dot), "new_x_dot = x_dot + tau*x_acc")                              \
    OP(vblendvpd, Y(euler), Y(a), Y(x_dot), Y(x), "euler ? x_dot : new_x_dot")                         \
    OP(vmulpd, P(tau), Y(x), Y(x), "tau * (…)")                                                        \
    OP(vmovapd, X_AT(at), Y(b), "x")                                                                   \
    OP(vaddpd, Y(x), Y(b), Y(x), "new_x = x + tau*(…)")                                                \
    OP(vmovapd, ELAPSED_AT(at), Y(starting), "the sign bit: starting")                                 \
    OP(vblendvpd, Y(starting), Y(a), Y(x_dot), Y(x_dot), "starting ? x_dot : new_x_dot")               \
    OP(vmovapd, Y(x_dot), X_DOT_AT(at), "")                                                            \
    OP(vblendvpd, Y(starting), Y(b), Y(x), Y(x), "starting ? x : new_x")                               \
    OP(vmovapd, Y(x), X_AT(at), "")                                                                    \
    OP(vmulpd, P(tau), Y(theta_dot), Y(theta_dot), "tau * theta_acc")                                  \
    OP(vmovapd, THETA_DOT_AT(at), Y(a), "theta_dot")                                                   \
    OP(vaddpd, Y(theta_dot), Y(a), Y(theta_dot), "new_theta_dot = theta_dot + tau*theta_acc")          \
    OP(vblendvpd, Y(euler), Y(a), Y(theta_dot), Y(theta), "euler ? theta_dot : new_theta_dot")         \
    OP(vmulpd, P(tau), Y(theta), Y(theta), "tau * (…)")                                                \
    OP(vmovapd, THETA_AT(at), Y(b), "theta")                                                           \
    OP(vaddpd, Y(theta), Y(b), Y(theta), "new_theta = theta + tau*(…)")                                \
    OP(vblendvpd, Y(starting), Y(a), Y(theta_dot), Y(theta_dot), "starting ? theta_dot : …")           \
    OP(vmovapd, Y(theta_dot), THETA_DOT_AT(at), "")                                                    \
    OP(vblendvpd, Y(starting), Y(b), Y(theta), Y(theta), "starting ? theta : new_theta")               \
    OP(vmovapd, Y(theta), THETA_AT(at), "")                                                            \
    OP(vpxor, X(starting), X(starting), X(starting), "0")                                              \
    OP(vpcmpgtq, ELAPSED_AT(at), Y(starting), Y(starting), "0 > elapsed")

#define FLAGS_OF_4(mask, array, note)                                                                  \
    OP(vmovmskpd, Y(mask), "%%eax", "bit i: lane i")                                                   \
    OP(pdep, K(flag_bytes), "%%eax", "%%eax", "byte i: lane i")                                        \
    OP(mov, "%%eax", array, note)

// Any params, any state.
//
//   ymm0-12 four lanes; ymm13 integrator is euler; ymm14 reward_running xor reward_terminated;
//   ymm15 limit - 1
__attribute__((noinline)) void step_general(const Batch* b) {
    asm volatile(
        ENTER
        OP(vmovapd, P(kinematics_integrator), Y(13), "")
        OP(vcmpeqpd, K(euler), Y(13), Y(13), "integrator == euler")
        LOOP(1)
        MCA_BEGIN("cartpole/step_general lanes=4")
        FORCE(0, 0)
        SIN_COS(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
        ACCELERATIONS(0, 0, 1, 2, 3, 4)
        INTEGRATION(0, 2, 13, 3, 0, 4, 1, 5, 6)
        TERMINATION(0, 2, 3, 4, 5, 6)
        FLAGS_OF_4(5, TERMINATED, "terminated")
        FLAGS_OF_4(6, TRUNCATED, "truncated")
        OBSERVATION(0, 32, 3, 0, 4, 1, 5, 6)
        NEXT(4)
        OP(cmp, "%[b]", "%%r8", "")
        MCA_END
        OP(jne, "1b", "")
        LABEL(2)
        OP(vzeroupper, "")
        : [b] "+r"(b)
        : ENTER_OPERANDS, PARAM(gravity), PARAM(masspole), PARAM(total_mass), PARAM(length),
          PARAM(polemass_length), PARAM(force_mag), PARAM(tau), PARAM(theta_threshold_radians),
          PARAM(x_threshold), PARAM(kinematics_integrator), PARAM(reward_running), PARAM(reward_terminated)
        : CLOBBERS);
}

// clang-format on

bool moderate(double value) { return 0x1p-20 <= std::fabs(value) && std::fabs(value) <= 0x1p20; }

}  // namespace

Step* games::cartpole(const double* params, bool in_play) {
    const Params& p = *reinterpret_cast<const Params*>(params);
    const bool fast = in_play && p.kinematics_integrator == kEuler && p.theta_threshold_radians < kReducedAngle &&
                      p.total_mass == kTotalMass && 0.0 <= p.masspole && p.masspole <= p.total_mass &&
                      moderate(p.gravity) && moderate(p.length) && moderate(p.polemass_length) &&
                      moderate(p.force_mag) && moderate(p.tau);
    return fast ? step_in_play : step_general;
}

}  // namespace compute_layers::asm_x86_64
