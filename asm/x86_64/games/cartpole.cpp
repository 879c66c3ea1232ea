// SPDX-License-Identifier: MIT
#include "games/cartpole.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace cartpole;

// Gymnasium's total mass c, by which step_in_play divides without a division: y / c is fma(y, zh, y*zl),
// where zh + zl is 1/c to 106 bits. That is so for every y for which y*zl is a normal number or y is +0:
// before the last rounding the relative error is below 2**-106, and of all y only four come that close to
// the middle of two doubles; they round rightly. See the end of the file for the other y.
constexpr double kTotalMass = 0.1 + 1.0;
constexpr double kInverse = 1.0 / kTotalMass;
// 1 - zh*c in units of 2**-105, an integer below 2**53: its value modulo 2**64 is enough.
constexpr double kResidue = static_cast<double>(static_cast<int64_t>(
    0 - static_cast<uint64_t>(kInverse * 0x1p53) * static_cast<uint64_t>(kTotalMass * 0x1p52)));
constexpr double kInverseLow = (kResidue * 0x1p-105) / kTotalMass;

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(one, row(1.0)) ROW(half, row(0.5)) ROW(four_thirds, row(4.0 / 3.0))                                  \
    ROW(zh, row(kInverse)) ROW(zl, row(kInverseLow)) ROW(minus_zl, row(-kInverseLow))                        \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(abs, row(kAbs)) ROW(sign, row(~kAbs)) ROW(ones, row(kOnes))                            \
    ROW(flag_spread, row(kFlagSpread)) ROW(flag_bytes, row(kFlagBytes))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// An iteration takes 8 lanes in two groups: LOW, lanes 0-3, and HIGH, lanes 4-7. Sections are macros of a
// group g, cut small so that the kernels can interleave the two.
//
// General registers
//   r8   x               r11  elapsed - x     r14  terminated              rax  scratch
//   r9   stride          r12  action - x      r15  truncated - terminated  [k]  kConstants
//   r10  stride * 3      r13  reward - x      rbx  observation             [b]  the batch, then the end of x
//   rcx  x of the LOW group whose sections 1 and 2 come next               rdx  rows of params
// all in bytes, so that x, elapsed, action and reward move on with r8.
//
// Vector registers: 0-6 belong to LOW, 7-13 (7 more) to HIGH, by what they hold in turn
//   0  -force, temp, x_acc, x_dot            | w
//   1  sin, theta_acc, theta_dot             | k, high, c
//   2  cos, starting                         | r, s
//   3  z, denominator, x                     | t, p3, excess2
//   4  z2, theta                             | p2, excess1, tail0
//   5  a: scratch, ended                     | r_part, high0, tail
//   6  b: scratch, late
//   14 reward_running xor reward_terminated  | q of the group that is in sections 1 and 2
//   15 limit - 1
#define R_force 0
#define R_temp 0
#define R_x_acc 0
#define R_x_dot 0
#define R_sin 1
#define R_theta_acc 1
#define R_theta_dot 1
#define R_cos 2
#define R_starting 2
#define R_z 3
#define R_denominator 3
#define R_x 3
#define R_z2 4
#define R_theta 4
#define R_a 5
#define R_ended 5
#define R_b 6
#define R_late 6
#define R_w 0
#define R_k 1
#define R_high 1
#define R_c 1
#define R_r 2
#define R_s 2
#define R_t 3
#define R_p3 3
#define R_p2 4
#define R_tail0 4
#define R_high0 5
#define R_tail 5

#define V(g, name) g(Y, R_##name)
#define V128(g, name) g(X, R_##name)
#define LOW(size, n) size(n)
#define HIGH(size, n) HIGH_(size, n)
#define HIGH_(size, n) HIGH_##n(size)
#define HIGH_0(size) size(7)
#define HIGH_1(size) size(8)
#define HIGH_2(size) size(9)
#define HIGH_3(size) size(10)
#define HIGH_4(size) size(11)
#define HIGH_5(size) size(12)
#define HIGH_6(size) size(13)

// Arrays at a group: sections 1 and 2 (FRONT) may be an iteration ahead of the others.
#define FRONT_LOW  "(%%rcx"
#define FRONT_HIGH "32(%%r8"
#define BACK_LOW   "(%%r8"
#define BACK_HIGH  "32(%%r8"
#define FRONT_THETA(g)  FRONT_##g ",%%r9,2)"
#define FRONT_ACTION(g) FRONT_##g ",%%r12)"
#define X_OF(g)         BACK_##g ")"
#define X_DOT(g)        BACK_##g ",%%r9)"
#define THETA(g)        BACK_##g ",%%r9,2)"
#define THETA_DOT(g)    BACK_##g ",%%r10)"
#define ELAPSED_OF(g)   BACK_##g ",%%r11)"
#define REWARD_OF(g)    BACK_##g ",%%r13)"
#define FLAG_LOW        "(%%r14"
#define FLAG_HIGH       "4(%%r14"
#define TERMINATED(g)   FLAG_##g ")"
#define TRUNCATED(g)    FLAG_##g ",%%r15)"
#define ROWS_01_LOW     "(%%rbx)"
#define ROWS_23_LOW     "32(%%rbx)"
#define ROWS_01_HIGH    "64(%%rbx)"
#define ROWS_23_HIGH    "96(%%rbx)"

static_assert(FIELD(State, x) == 0 && FIELD(State, x_dot) == 1 && FIELD(State, theta) == 2 &&
              FIELD(State, theta_dot) == 3);

#define B(field) "%c[" #field "](%[b])"
#define P(field) "%c[" #field "](%%rdx)"
#define PARAM(field) [field] "i"(FIELD(Params, field) * sizeof(Row))
// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(mov, B(state), "%%r8",                                     "x")                                       \
    OP(mov, "%%r8", "%%rcx",                                      "")                                        \
    OP(mov, B(stride), "%%r9",                                    "")                                        \
    OP(shl, "$3", "%%r9",                                         "stride in bytes")                         \
    OP(lea, "(%%r9,%%r9,2)", "%%r10",                             "stride * 3")                              \
    OP(mov, B(elapsed), "%%r11",                                  "")                                        \
    OP(sub, "%%r8", "%%r11",                                      "elapsed - x")                             \
    OP(mov, B(action), "%%r12",                                   "")                                        \
    OP(sub, "%%r8", "%%r12",                                      "action - x")                              \
    OP(mov, B(reward), "%%r13",                                   "")                                        \
    OP(sub, "%%r8", "%%r13",                                      "reward - x")                              \
    OP(mov, B(terminated), "%%r14",                               "")                                        \
    OP(mov, B(truncated), "%%r15",                                "")                                        \
    OP(sub, "%%r14", "%%r15",                                     "truncated - terminated")                  \
    OP(mov, B(observation), "%%rbx",                              "")                                        \
    OP(mov, B(rows), "%%rdx",                                     "")                                        \
    OP(vpbroadcastq, B(limit), Y(15),                             "")                                        \
    OP(vpaddq, K(ones), Y(15), Y(15),                             "limit - 1")                               \
    OP(mov, B(n), "%[b]",                                         "the last use of the batch")               \
    OP(lea, "(%%r8,%[b],8)", "%[b]",                              "end of x")                                \
    OP(cmp, "%[b]", "%%r8",                                       "")                                        \
    OP(je, "2f",                                                  "no lanes")

#define NEXT_LOW                                                                                             \
    OP(lea, "64(%%r8)", "%%rcx",                                  "the next LOW")                            \
    OP(cmp, "%[b]", "%%rcx",                                      "")                                        \
    OP(cmove, "%%r8", "%%rcx",                                    "none: never read beyond the end")

#define NEXT                                                                                                 \
    OP(add, "$64", "%%r8",                                        "8 lanes on")                              \
    OP(add, "$8", "%%r14",                                        "")                                        \
    OP(sub, "$-128", "%%rbx",                                     "")                                        \
    OP(cmp, "%[b]", "%%r8",                                       "")

#define BATCH_OPERANDS                                                                                       \
    [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),                     \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows), OFFSET(Batch, limit)
#define PARAM_OPERANDS                                                                                       \
    PARAM(gravity), PARAM(masspole), PARAM(length), PARAM(polemass_length), PARAM(force_mag), PARAM(tau),    \
        PARAM(theta_threshold_radians), PARAM(x_threshold), PARAM(reward_running), PARAM(reward_terminated)
#define CLOBBERS                                                                                             \
    YMM_CLOBBERS, "memory", "cc", "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13",        \
        "r14", "r15"
// [1] force, negative: a subtrahend
#define FORCE(g)                                                                                             \
    OP(vmovapd, FRONT_ACTION(g), V(g, force),                     "action")                                  \
    OP(vpsllq, "$63", V(g, force), V(g, force),                   "sign bit if action == 1")                 \
    OP(vxorpd, P(force_mag), V(g, force), V(g, force),            "-force")

// [2] sin, cos
#define SQUARES(g)                                                                                           \
    OP(vmovapd, FRONT_THETA(g), V(g, b),                          "theta")                                   \
    OP(vmulpd, V(g, b), V(g, b), V(g, z),                         "z = theta*theta")                         \
    OP(vmulpd, V(g, z), V(g, z), V(g, z2),                        "z2 = z*z")
// (c1 + z*c2) + z2*((c3 + z*c4) + z2*c5)
#define REST(g, c, rest)                                                                                     \
    OP(vmulpd, K(c##4), V(g, z), V(g, b),                         "z*c4")                                    \
    OP(vmulpd, K(c##5), V(g, z2), V(g, rest),                     "z2*c5")                                   \
    OP(vaddpd, K(c##3), V(g, b), V(g, b),                         "c3 + z*c4")                               \
    OP(vaddpd, V(g, rest), V(g, b), V(g, b),                      "(c3 + z*c4) + z2*c5")                     \
    OP(vmulpd, K(c##2), V(g, z), V(g, rest),                      "z*c2")                                    \
    OP(vmulpd, V(g, z2), V(g, b), V(g, b),                        "z2 * ((c3 + z*c4) + z2*c5)")              \
    OP(vaddpd, K(c##1), V(g, rest), V(g, rest),                   "c1 + z*c2")                               \
    OP(vaddpd, V(g, b), V(g, rest), V(g, rest),                   "rest = (c1 + z*c2) + z2*(…)")
#define SIN(g)                                                                                               \
    OP(vmulpd, FRONT_THETA(g), V(g, z), V(g, a),                  "cube = theta*z")                          \
    OP(vmulpd, V(g, z), V(g, a), V(g, b),                         "cube*z")                                  \
    OP(vmulpd, V(g, b), V(g, sin), V(g, sin),                     "(cube*z) * rest")                         \
    OP(vmulpd, K(S0), V(g, a), V(g, a),                           "cube*S0")                                 \
    OP(vaddpd, V(g, a), V(g, sin), V(g, b),                       "cube*S0 + (cube*z)*rest")                 \
    OP(vmovapd, FRONT_THETA(g), V(g, sin),                        "theta")                                   \
    OP(vsubpd, V(g, b), V(g, sin), V(g, sin),                     "sin = theta - (…)")
// 0.5*z is exact, and so may be part of an fma.
#define COS(g)                                                                                               \
    OP(vmulpd, V(g, z), V(g, cos), V(g, cos),                     "z * rest")                                \
    OP(vaddpd, K(C0), V(g, cos), V(g, cos),                       "C0 + z*rest")                             \
    OP(vmulpd, V(g, z2), V(g, cos), V(g, cos),                    "z2 * (C0 + z*rest)")                      \
    OP(vmovapd, K(one), V(g, a),                                  "1")                                       \
    OP(vfnmadd231pd, K(half), V(g, z), V(g, a),                   "w = 1 - half")                            \
    OP(vsubpd, K(one), V(g, a), V(g, b),                          "w - 1")                                   \
    OP(vfnmsub231pd, K(half), V(g, z), V(g, b),                   "(1 - w) - half")                          \
    OP(vaddpd, V(g, b), V(g, cos), V(g, cos),                     "((1 - w) - half) + z2*(…)")               \
    OP(vaddpd, V(g, a), V(g, cos), V(g, cos),                     "cos = w + (…)")

// [2] for any theta, by the numbered steps of numerics.hpp; the low bits of q are the quadrant.
#define PARTS(g)                                                                                             \
    OP(vmovapd, FRONT_THETA(g), V(g, t),                          "theta")                                   \
    OP(vmulpd, K(two_over_pi), V(g, t), Y(14),                    "theta * two_over_pi")                     \
    OP(vaddpd, K(round), Y(14), Y(14),                            "shifted")                                 \
    OP(vsubpd, K(round), Y(14), V(g, k),                          "k = shifted - round")                     \
    OP(vmulpd, K(P0), V(g, k), V(g, b),                           "k*P0")                                    \
    OP(vsubpd, V(g, b), V(g, t), V(g, t),                         "t = theta - k*P0")                        \
    OP(vmulpd, K(P1), V(g, k), V(g, p2),                          "p2 = k*P1")                               \
    OP(vsubpd, V(g, p2), V(g, t), V(g, r),                        "r = t - p2")                              \
    OP(vsubpd, V(g, t), V(g, r), V(g, a),                         "r_part = r - t")                          \
    OP(vaddpd, V(g, a), V(g, p2), V(g, p2),                       "p2 + r_part")                             \
    OP(vsubpd, V(g, a), V(g, r), V(g, a),                         "r - r_part")                              \
    OP(vsubpd, V(g, a), V(g, t), V(g, a),                         "t - (r - r_part)")                        \
    OP(vsubpd, V(g, a), V(g, p2), V(g, tail0),                    "excess1")
#define HIGH_AND_TAIL(g)                                                                                     \
    OP(vmulpd, K(P2), V(g, k), V(g, p3),                          "p3 = k*P2")                               \
    OP(vsubpd, V(g, p3), V(g, r), V(g, high0),                    "high0 = r - p3")                          \
    OP(vsubpd, V(g, r), V(g, high0), V(g, b),                     "high0_part = high0 - r")                  \
    OP(vaddpd, V(g, b), V(g, p3), V(g, p3),                       "p3 + high0_part")                         \
    OP(vsubpd, V(g, b), V(g, high0), V(g, b),                     "high0 - high0_part")                      \
    OP(vsubpd, V(g, b), V(g, r), V(g, b),                         "r - (high0 - high0_part)")                \
    OP(vsubpd, V(g, b), V(g, p3), V(g, p3),                       "excess2")                                 \
    OP(vaddpd, V(g, p3), V(g, tail0), V(g, tail0),                "excess1 + excess2")                       \
    OP(vmulpd, K(P3), V(g, k), V(g, k),                           "k*P3")                                    \
    OP(vaddpd, V(g, k), V(g, tail0), V(g, tail0),                 "tail0")                                   \
    OP(vsubpd, V(g, tail0), V(g, high0), V(g, high),              "high = high0 - tail0")                    \
    OP(vsubpd, V(g, high0), V(g, high), V(g, tail),               "high - high0")                            \
    OP(vaddpd, V(g, tail0), V(g, tail), V(g, tail),               "tail = (high - high0) + tail0")           \
    OP(vmulpd, V(g, high), V(g, high), V(g, z),                   "z = high*high")                           \
    OP(vmulpd, V(g, z), V(g, z), V(g, z2),                        "z2 = z*z")
#define SIN_WITH_TAIL(g)                                                                                     \
    OP(vmulpd, V(g, z), V(g, high), V(g, b),                      "cube = high*z")                           \
    OP(vmulpd, V(g, z), V(g, b), V(g, b),                         "cube*z")                                  \
    OP(vmulpd, V(g, b), V(g, s), V(g, s),                         "(cube*z) * rest")                         \
    OP(vmovapd, K(one), V(g, w),                                  "1")                                       \
    OP(vfnmadd231pd, K(half), V(g, z), V(g, w),                   "w = 1 - half")                            \
    OP(vmulpd, V(g, w), V(g, tail), V(g, b),                      "tail*w")                                  \
    OP(vaddpd, V(g, b), V(g, s), V(g, s),                         "(cube*z)*rest + tail*w")                  \
    OP(vmulpd, V(g, z), V(g, high), V(g, b),                      "cube again")                              \
    OP(vmulpd, K(S0), V(g, b), V(g, b),                           "cube*S0")                                 \
    OP(vaddpd, V(g, b), V(g, s), V(g, s),                         "cube*S0 + (…)")                           \
    OP(vsubpd, V(g, s), V(g, high), V(g, s),                      "s = high - (…)")                          \
    OP(vmulpd, V(g, s), V(g, tail), V(g, tail),                   "s*tail")
#define COS_WITH_TAIL(g)                                                                                     \
    OP(vmulpd, V(g, z), V(g, c), V(g, c),                         "z * rest")                                \
    OP(vaddpd, K(C0), V(g, c), V(g, c),                           "C0 + z*rest")                             \
    OP(vmulpd, V(g, z2), V(g, c), V(g, c),                        "z2 * (C0 + z*rest)")                      \
    OP(vsubpd, K(one), V(g, w), V(g, b),                          "w - 1")                                   \
    OP(vfnmsub231pd, K(half), V(g, z), V(g, b),                   "(1 - w) - half")                          \
    OP(vaddpd, V(g, tail), V(g, b), V(g, b),                      "((1 - w) - half) + s*tail")               \
    OP(vaddpd, V(g, b), V(g, c), V(g, c),                         "(…) + z2*(C0 + z*rest)")                  \
    OP(vaddpd, V(g, w), V(g, c), V(g, c),                         "c = w + (…)")
#define QUADRANT(g)                                                                                          \
    OP(vpsllq, "$63", Y(14), V(g, b),                             "sign bit in quadrants 1, 3")              \
    OP(vpsllq, "$62", Y(14), Y(14),                               "sign bit in quadrants 2, 3")              \
    OP(vblendvpd, V(g, b), V(g, c), V(g, s), V(g, z),             "odd ? c : s")                             \
    OP(vblendvpd, V(g, b), V(g, s), V(g, c), V(g, z2),            "odd ? s : c")                             \
    OP(vxorpd, Y(14), V(g, b), V(g, b),                           "sign bit in quadrants 1, 2")              \
    OP(vandpd, K(sign), Y(14), Y(14),                             "")                                        \
    OP(vandpd, K(sign), V(g, b), V(g, b),                         "")                                        \
    OP(vxorpd, Y(14), V(g, z), V(g, sin),                         "sin")                                     \
    OP(vxorpd, V(g, b), V(g, z2), V(g, cos),                      "cos")

// [3] accelerations. q = y / total_mass and q = 4/3 - y / total_mass: FMA if that is kTotalMass, DIV if it is
// any number. y is lost.
#define QUOTIENT_FMA(y, q)                                                                                   \
    OP(vmulpd, K(zl), y, q,                                       "y*zl")                                    \
    OP(vfmadd231pd, K(zh), y, q,                                  "(…) / total_mass")
#define QUOTIENT_DIV(y, q)                                                                                   \
    OP(vdivpd, P(total_mass), y, q,                               "(…) / total_mass")
#define FOUR_THIRDS_LESS_FMA(y, q)                                                                           \
    OP(vmulpd, K(minus_zl), y, q,                                 "-y*zl")                                   \
    OP(vfnmadd231pd, K(zh), y, q,                                 "-(…) / total_mass")                       \
    OP(vaddpd, K(four_thirds), q, q,                              "4/3 - (…) / total_mass")
#define FOUR_THIRDS_LESS_DIV(y, q)                                                                           \
    OP(vdivpd, P(total_mass), y, y,                               "(…) / total_mass")                        \
    OP(vmovapd, K(four_thirds), q,                                "4/3")                                     \
    OP(vsubpd, y, q, q,                                           "4/3 - (…) / total_mass")
#define TEMP(g, HOW)                                                                                         \
    OP(vmovapd, THETA_DOT(g), V(g, a),                            "theta_dot")                               \
    OP(vmulpd, V(g, a), V(g, a), V(g, a),                         "theta_dot * theta_dot")                   \
    OP(vmulpd, P(polemass_length), V(g, a), V(g, a),              "polemass_length * (…)")                   \
    OP(vmulpd, V(g, sin), V(g, a), V(g, a),                       "(polemass_length * (…)) * sin")           \
    OP(vsubpd, V(g, force), V(g, a), V(g, a),                     "force + (…)")                             \
    QUOTIENT_##HOW(V(g, a), V(g, temp))
#define THETA_ACC(g, HOW)                                                                                    \
    OP(vmulpd, V(g, cos), V(g, cos), V(g, b),                     "cos*cos")                                 \
    OP(vmulpd, P(masspole), V(g, b), V(g, b),                     "masspole * (cos*cos)")                    \
    FOUR_THIRDS_LESS_##HOW(V(g, b), V(g, denominator))                                                       \
    OP(vmulpd, P(length), V(g, denominator), V(g, denominator),   "length * (…)")                            \
    OP(vmulpd, P(gravity), V(g, sin), V(g, sin),                  "gravity * sin")                           \
    OP(vmulpd, V(g, temp), V(g, cos), V(g, a),                    "cos * temp")                              \
    OP(vsubpd, V(g, a), V(g, sin), V(g, sin),                     "gravity*sin - cos*temp")                  \
    OP(vdivpd, V(g, denominator), V(g, sin), V(g, theta_acc),     "theta_acc")
#define X_ACC(g, HOW)                                                                                        \
    OP(vmulpd, P(polemass_length), V(g, theta_acc), V(g, a),      "polemass_length * theta_acc")             \
    OP(vmulpd, V(g, cos), V(g, a), V(g, a),                       "(…) * cos")                               \
    QUOTIENT_##HOW(V(g, a), V(g, b))                                                                         \
    OP(vsubpd, V(g, b), V(g, temp), V(g, x_acc),                  "x_acc = temp - (…)")

// [4] integration; a starting lane, whose state is never -0, adds 0 times something
#define POSITIONS(g)                                                                                         \
    OP(vpxor, V(g, starting), V(g, starting), V(g, starting),     "0")                                       \
    OP(vpcmpgtq, ELAPSED_OF(g), V(g, starting), V(g, starting),   "0 > elapsed")                             \
    OP(vandnpd, P(tau), V(g, starting), V(g, a),                  "tau, 0 if starting")                      \
    OP(vmulpd, X_DOT(g), V(g, a), V(g, x),                        "tau * x_dot")                             \
    OP(vaddpd, X_OF(g), V(g, x), V(g, x),                         "x + tau*x_dot")                           \
    OP(vmovapd, V(g, x), X_OF(g),                                 "x")                                       \
    OP(vmulpd, THETA_DOT(g), V(g, a), V(g, theta),                "tau * theta_dot")                         \
    OP(vaddpd, THETA(g), V(g, theta), V(g, theta),                "theta + tau*theta_dot")                   \
    OP(vmovapd, V(g, theta), THETA(g),                            "theta")
#define VELOCITIES(g)                                                                                        \
    OP(vmulpd, V(g, theta_acc), V(g, a), V(g, theta_dot),         "tau * theta_acc")                         \
    OP(vaddpd, THETA_DOT(g), V(g, theta_dot), V(g, theta_dot),    "theta_dot + tau*theta_acc")               \
    OP(vmovapd, V(g, theta_dot), THETA_DOT(g),                    "theta_dot")                               \
    OP(vmulpd, V(g, x_acc), V(g, a), V(g, x_dot),                 "tau * x_acc")                             \
    OP(vaddpd, X_DOT(g), V(g, x_dot), V(g, x_dot),                "x_dot + tau*x_acc")                       \
    OP(vmovapd, V(g, x_dot), X_DOT(g),                            "x_dot")

// [4] for any state, which a starting lane keeps; the old velocity, a, or the new one moves the position
#define INTEGRATION(g, position, velocity, acceleration, POSITION, VELOCITY, velocity_used)                  \
    OP(vmulpd, P(tau), V(g, acceleration), V(g, velocity),        "tau * acceleration")                      \
    OP(vmovapd, VELOCITY(g), V(g, a),                             "velocity")                                \
    OP(vaddpd, V(g, velocity), V(g, a), V(g, velocity),           "velocity + tau*acceleration")             \
    OP(vmulpd, P(tau), V(g, velocity_used), V(g, position),       "tau * velocity")                          \
    OP(vmovapd, POSITION(g), V(g, b),                             "position")                                \
    OP(vaddpd, V(g, position), V(g, b), V(g, position),           "position + tau*velocity")                 \
    OP(vblendvpd, V(g, starting), V(g, a), V(g, velocity), V(g, velocity), "old if starting")                \
    OP(vblendvpd, V(g, starting), V(g, b), V(g, position), V(g, position), "old if starting")                \
    OP(vmovapd, V(g, velocity), VELOCITY(g),                      "velocity")                                \
    OP(vmovapd, V(g, position), POSITION(g),                      "position")
#define INTEGRATION_EULER(g, position, velocity, acceleration, POSITION, VELOCITY)                           \
    INTEGRATION(g, position, velocity, acceleration, POSITION, VELOCITY, a)
#define INTEGRATION_SEMI_IMPLICIT(g, position, velocity, acceleration, POSITION, VELOCITY)                   \
    INTEGRATION(g, position, velocity, acceleration, POSITION, VELOCITY, velocity)
#define STARTING(g)                                                                                          \
    OP(vpxor, V(g, starting), V(g, starting), V(g, starting),     "0")                                       \
    OP(vpcmpgtq, ELAPSED_OF(g), V(g, starting), V(g, starting),   "0 > elapsed")

// [5] termination and reward
#define FLAGS(mask, array)                                                                                   \
    OP(vmovmskpd, mask, "%%eax",                                  "bit i: lane i")                           \
    OP(imul, K(flag_spread), "%%eax",                             "bit 8i: lane i, others between")          \
    OP(and, K(flag_bytes), "%%eax",                               "byte i: lane i")                          \
    OP(mov, "%%eax", array,                                       "terminated or truncated")
#define TERMINATION(g)                                                                                       \
    OP(vandpd, K(abs), V(g, x), V(g, ended),                      "abs(x)")                                  \
    OP(vcmpgt_oqpd, P(x_threshold), V(g, ended), V(g, ended),     "abs(x) > x_threshold")                    \
    OP(vandpd, K(abs), V(g, theta), V(g, b),                      "abs(theta)")                              \
    OP(vcmpgt_oqpd, P(theta_threshold_radians), V(g, b), V(g, b), "abs(theta) > theta_threshold")            \
    OP(vorpd, V(g, b), V(g, ended), V(g, ended),                  "out")                                     \
    OP(vandnpd, V(g, ended), V(g, starting), V(g, ended),         "ended = out and not starting")            \
    FLAGS(V(g, ended), TERMINATED(g))
#define REWARD(g)                                                                                            \
    OP(vandpd, Y(14), V(g, ended), V(g, b),                       "")                                        \
    OP(vxorpd, P(reward_running), V(g, b), V(g, b),               "reward of the step")                      \
    OP(vandnpd, V(g, b), V(g, starting), V(g, b),                 "0 if starting")                           \
    OP(vmovapd, V(g, b), REWARD_OF(g),                            "reward")
#define REWARD_BY_BLEND(g)                                                                                   \
    OP(vmovapd, P(reward_running), V(g, b),                       "reward_running")                          \
    OP(vblendvpd, V(g, ended), P(reward_terminated), V(g, b), V(g, b), "reward of the step")                 \
    OP(vandnpd, V(g, b), V(g, starting), V(g, b),                 "0 if starting")                           \
    OP(vmovapd, V(g, b), REWARD_OF(g),                            "reward")
#define ELAPSED(g)                                                                                           \
    OP(vmovdqa, ELAPSED_OF(g), V(g, starting),                    "elapsed")                                 \
    OP(vpsubq, K(ones), V(g, starting), V(g, starting),           "now = elapsed + 1")                       \
    OP(vpcmpgtq, Y(15), V(g, starting), V(g, late),               "late = now > limit - 1")                  \
    OP(vpor, V(g, ended), V(g, starting), V(g, starting),         "now | ended")                             \
    OP(vpor, V(g, late), V(g, starting), V(g, starting),          "now | ended | late")                      \
    OP(vmovdqa, V(g, starting), ELAPSED_OF(g),                    "elapsed")                                 \
    FLAGS(V(g, late), TRUNCATED(g))

// [6] observation: the columns x, x_dot, theta, theta_dot (here a, b, c, d) of four lanes become rows
//   [a0 a1 a2 a3 | c0 c1 c2 c3]  ->  [a0 b0 a1 b1 | c0 d0 c1 d1]  ->  [a0 b0 c0 d0 | a1 b1 c1 d1]
//   [b0 b1 b2 b3 | d0 d1 d2 d3]
#define OBSERVATION(g)                                                                                       \
    OP(vcvtpd2psy, V(g, x), V128(g, x),                           "float(x)")                                \
    OP(vcvtpd2psy, V(g, theta), V128(g, theta),                   "float(theta)")                            \
    OP(vcvtpd2psy, V(g, x_dot), V128(g, x_dot),                   "float(x_dot)")                            \
    OP(vcvtpd2psy, V(g, theta_dot), V128(g, theta_dot),           "float(theta_dot)")                        \
    OP(vinsertf128, "$1", V128(g, theta), V(g, x), V(g, x),       "x | theta")                               \
    OP(vinsertf128, "$1", V128(g, theta_dot), V(g, x_dot), V(g, x_dot), "x_dot | theta_dot")                 \
    OP(vunpcklps, V(g, x_dot), V(g, x), V(g, a),                  "lanes 0, 1")                              \
    OP(vunpckhps, V(g, x_dot), V(g, x), V(g, b),                  "lanes 2, 3")                              \
    OP(vpermpd, "$0xd8", V(g, a), V(g, a),                        "rows 0, 1")                               \
    OP(vpermpd, "$0xd8", V(g, b), V(g, b),                        "rows 2, 3")                               \
    OP(vmovaps, V(g, a), ROWS_01_##g,                             "rows 0, 1")                               \
    OP(vmovaps, V(g, b), ROWS_23_##g,                             "rows 2, 3")

// Sections 3 to 6 of one group, mostly latency, among sections 1 and 2 of the group after it: the order that
// llvm-mca (Zen 3, Skylake) and measurements liked best. Sections 1 and 2 of LOW run one iteration ahead;
// after the last one they take the same lanes again, in vain.
#define STEP_AND_NEXT(g, next, HOW)                                                                          \
                            FORCE(next) SQUARES(next)                                                        \
    TEMP(g, HOW)                                                                                             \
                            REST(next, S, sin) SIN(next) REST(next, C, cos)                                  \
    THETA_ACC(g, HOW)                                                                                        \
                            COS(next)                                                                        \
    X_ACC(g, HOW) POSITIONS(g) VELOCITIES(g) TERMINATION(g) REWARD(g) ELAPSED(g) OBSERVATION(g)

#define STEP_IN_PLAY(name, HOW)                                                                              \
    ENTER                                                                                                    \
    OP(vmovapd, P(reward_running), Y(14), "")                                                                \
    OP(vxorpd, P(reward_terminated), Y(14), Y(14), "reward_running xor reward_terminated")                   \
    FORCE(LOW) SQUARES(LOW) REST(LOW, S, sin) SIN(LOW) REST(LOW, C, cos) COS(LOW)                            \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("cartpole/" name " lanes=8")                                                                   \
    STEP_AND_NEXT(LOW, HIGH, HOW)                                                                            \
    NEXT_LOW                                                                                                 \
    STEP_AND_NEXT(HIGH, LOW, HOW)                                                                            \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(jne, "1b", "")                                                                                        \
    LABEL(2)                                                                                                 \
    OP(vzeroupper, "")

__attribute__((noinline)) void step_in_play(const Batch* b) {
    asm volatile(STEP_IN_PLAY("step_in_play", FMA)
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

__attribute__((noinline)) void step_in_play_any_mass(const Batch* b) {
    asm volatile(STEP_IN_PLAY("step_in_play_any_mass", DIV)
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS, PARAM(total_mass)
                 : CLOBBERS);
}

#define STEP_ANY_AND_NEXT(g, next, INTEGRATION_OF)                                                           \
                            PARTS(next)                                                                      \
    TEMP(g, DIV)                                                                                             \
                            HIGH_AND_TAIL(next) REST(next, S, s)                                             \
    THETA_ACC(g, DIV) X_ACC(g, DIV) STARTING(g)                                                              \
                            SIN_WITH_TAIL(next)                                                              \
    INTEGRATION_OF(g, theta, theta_dot, theta_acc, THETA, THETA_DOT)                                         \
    INTEGRATION_OF(g, x, x_dot, x_acc, X_OF, X_DOT)                                                          \
    TERMINATION(g)                                                                                           \
                            REST(next, C, c)                                                                 \
    REWARD_BY_BLEND(g) ELAPSED(g)                                                                            \
                            COS_WITH_TAIL(next) QUADRANT(next) FORCE(next)                                   \
    OBSERVATION(g)

#define STEP_GENERAL(name, INTEGRATION_OF)                                                                   \
    ENTER                                                                                                    \
    PARTS(LOW) HIGH_AND_TAIL(LOW)                                                                            \
    REST(LOW, S, s) SIN_WITH_TAIL(LOW) REST(LOW, C, c) COS_WITH_TAIL(LOW)                                    \
    QUADRANT(LOW) FORCE(LOW)                                                                                 \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("cartpole/" name " lanes=8")                                                                   \
    STEP_ANY_AND_NEXT(LOW, HIGH, INTEGRATION_OF)                                                             \
    NEXT_LOW                                                                                                 \
    STEP_ANY_AND_NEXT(HIGH, LOW, INTEGRATION_OF)                                                             \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(jne, "1b", "")                                                                                        \
    LABEL(2)                                                                                                 \
    OP(vzeroupper, "")

// Any params, any state. A kernel for each integrator is less than a blend of the two.
__attribute__((noinline)) void step_euler(const Batch* b) {
    asm volatile(STEP_GENERAL("step_euler", INTEGRATION_EULER)
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS, PARAM(total_mass)
                 : CLOBBERS);
}

__attribute__((noinline)) void step_semi_implicit(const Batch* b) {
    asm volatile(STEP_GENERAL("step_semi_implicit", INTEGRATION_SEMI_IMPLICIT)
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS, PARAM(total_mass)
                 : CLOBBERS);
}

// clang-format on

}  // namespace

// Where `plain` holds the fast kernels write the general one's bytes. The last two angles of a live lane are
// within 45 degrees; hence |theta_dot| < 2**130 and |theta_acc| < 2**320.
//   starting lane  What it multiplies by 0 is finite, and no state that a reset draws is -0.
//   temp           |force| >= 2**-20, so that force + (…) is +0 or at least 2**-75: the fma is exact.
//   denominator    Not 0, as 0 <= masspole <= total_mass. 4/3 absorbs a masspole too small for the fma.
//   x_acc          A temp other than +0 absorbs a quotient that is -0 or too small for the fma. If temp is
//                  +0, |sin| > 2**-300, and the quotient is far from too small.
Step* games::cartpole(const Batch* b, bool in_play) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    if (plain(p, in_play)) return p.total_mass == kTotalMass ? step_in_play : step_in_play_any_mass;
    return p.kinematics_integrator == kEuler ? step_euler : step_semi_implicit;
}

}  // namespace compute_layers::asm_x86_64
