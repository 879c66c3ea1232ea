// SPDX-License-Identifier: MIT
#include "games/mountain_car.hpp"

#include <limits>

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace mountain_car;

constexpr double kInteger = 0x1p52;  // an action in its low bits makes 2**52 + action of it
constexpr Row kSignOfEven{{~kAbs, 0, ~kAbs, 0}};

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(half, row(0.5)) ROW(one, row(1.0)) ROW(minus_one, row(-1.0)) ROW(three, row(3.0))                    \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(six_over_pi, row(3.0 * kTwoOverPi))                                \
    ROW(round, row(kRound)) ROW(round_1, row(kRound + 1.0))                                                  \
    ROW(H0, row(kHalfPi[0])) ROW(H1, row(kHalfPi[1])) ROW(H2, row(kHalfPi[2]))                               \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(integer, row(kInteger)) ROW(integer_1, row(kInteger + 1.0))                                          \
    ROW(minus_infinity, row(-std::numeric_limits<double>::infinity()))                                       \
    ROW(sign, row(~kAbs)) ROW(sign_of_even, kSignOfEven) ROW(ones, row(kOnes))                               \
    ROW(flag_spread, row(kFlagSpread)) ROW(flag_bytes, row(kFlagBytes))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// An iteration takes 8 lanes in two groups, LOW, lanes 0-3, and HIGH, lanes 4-7, and every line of a section is
// an instruction for both: they hide each other's latency and share the loads of constants.
//
// General registers
//   r8   position       r11  elapsed - position     r14  terminated              rax  scratch
//   r9   stride         r12  action - position      r15  truncated - terminated  [k]  kConstants
//   rcx  the limit      r13  reward - position      rbx  observation             [b]  the batch, then the end
//   rdx  rows of params                                                               of position
// all in bytes, so that position, velocity, elapsed, action and reward move on with r8.
//
// Vector registers: 0-6 belong to LOW, 7-13 (7 more) to HIGH, by what they hold in turn
//   0  q, whose low bits are the quadrant + 1          late
//   1  k, high, s                                      c: scratch
//   2  x, r, tail                                      elapsed, now
//   3  t, p3, z                                        d: scratch
//   4  p2, tail0, z2, w                                ended
//   5  a: scratch                                      velocity
//   6  b: scratch                                      position
//   14, 15  k0, k1: a constant or one of the params, the same for both
#define R_q 0
#define R_late 0
#define R_k 1
#define R_high 1
#define R_s 1
#define R_c 1
#define R_x 2
#define R_r 2
#define R_tail 2
#define R_elapsed 2
#define R_t 3
#define R_p3 3
#define R_z 3
#define R_d 3
#define R_p2 4
#define R_tail0 4
#define R_z2 4
#define R_w 4
#define R_ended 4
#define R_a 5
#define R_high0 5
#define R_velocity 5
#define R_b 6
#define R_position 6
#define R_k0 14
#define R_k1 15

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
#define HIGH_14(size) size(14)
#define HIGH_15(size) size(15)

// Arrays at a group.
#define AT_LOW         "(%%r8"
#define AT_HIGH        "32(%%r8"
#define POSITION(g)    AT_##g ")"
#define VELOCITY(g)    AT_##g ",%%r9)"
#define ELAPSED(g)     AT_##g ",%%r11)"
#define ACTION(g)      AT_##g ",%%r12)"
#define REWARD(g)      AT_##g ",%%r13)"
#define FLAG_LOW       "(%%r14"
#define FLAG_HIGH      "4(%%r14"
#define TERMINATED(g)  FLAG_##g ")"
#define TRUNCATED(g)   FLAG_##g ",%%r15)"
#define ROWS_01_LOW    "(%%rbx)"
#define ROWS_23_LOW    "16(%%rbx)"
#define ROWS_01_HIGH   "32(%%rbx)"
#define ROWS_23_HIGH   "48(%%rbx)"

// An instruction for each group: on registers, with a plain first operand, with an array.
#define EACH_2(op, a, d, note)                                                                               \
    OP(op, V(LOW, a), V(LOW, d), note) OP(op, V(HIGH, a), V(HIGH, d), note)
#define EACH(op, b, a, d, note)                                                                              \
    OP(op, V(LOW, b), V(LOW, a), V(LOW, d), note) OP(op, V(HIGH, b), V(HIGH, a), V(HIGH, d), note)
#define EACH_IF(mask, b, a, d, note)                                                                         \
    OP(vblendvpd, V(LOW, mask), V(LOW, b), V(LOW, a), V(LOW, d), note)                                       \
    OP(vblendvpd, V(HIGH, mask), V(HIGH, b), V(HIGH, a), V(HIGH, d), note)
#define EACH_BY(op, number, a, d, note)                                                                      \
    OP(op, number, V(LOW, a), V(LOW, d), note) OP(op, number, V(HIGH, a), V(HIGH, d), note)
#define EACH_AT(op, ARRAY, a, d, note)                                                                       \
    OP(op, ARRAY(LOW), V(LOW, a), V(LOW, d), note) OP(op, ARRAY(HIGH), V(HIGH, a), V(HIGH, d), note)
#define LOAD(ARRAY, d, note)                                                                                 \
    OP(vmovapd, ARRAY(LOW), V(LOW, d), note) OP(vmovapd, ARRAY(HIGH), V(HIGH, d), note)
#define STORE(a, ARRAY, note)                                                                                \
    OP(vmovapd, V(LOW, a), ARRAY(LOW), note) OP(vmovapd, V(HIGH, a), ARRAY(HIGH), note)

static_assert(FIELD(State, position) == 0 && FIELD(State, velocity) == 1);

#define B(field) "%c[" #field "](%[b])"
#define CONSTANT(k, name) OP(vmovapd, K(name), V(LOW, k), #name)
#define PARAM(k, name) OP(vmovapd, "%c[" #name "](%%rdx)", V(LOW, k), #name)
#define PARAM_OFFSET(field) [field] "i"(FIELD(Params, field) * sizeof(Row))
// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(mov, B(state), "%%r8",                               "position")                                      \
    OP(mov, B(stride), "%%r9",                              "")                                              \
    OP(shl, "$3", "%%r9",                                   "stride in bytes")                               \
    OP(mov, B(elapsed), "%%r11",                            "")                                              \
    OP(sub, "%%r8", "%%r11",                                "elapsed - position")                            \
    OP(mov, B(action), "%%r12",                             "")                                              \
    OP(sub, "%%r8", "%%r12",                                "action - position")                             \
    OP(mov, B(reward), "%%r13",                             "")                                              \
    OP(sub, "%%r8", "%%r13",                                "reward - position")                             \
    OP(mov, B(terminated), "%%r14",                         "")                                              \
    OP(mov, B(truncated), "%%r15",                          "")                                              \
    OP(sub, "%%r14", "%%r15",                               "truncated - terminated")                        \
    OP(mov, B(observation), "%%rbx",                        "")                                              \
    OP(mov, B(rows), "%%rdx",                               "")                                              \
    OP(lea, B(limit), "%%rcx",                              "where the limit stands")                        \
    OP(mov, B(n), "%[b]",                                   "the last use of the batch, but for the limit")  \
    OP(lea, "(%%r8,%[b],8)", "%[b]",                        "end of position")                               \
    OP(cmp, "%[b]", "%%r8",                                 "")                                              \
    OP(je, "2f",                                            "no lanes")

#define NEXT                                                                                                 \
    OP(add, "$64", "%%r8",                                  "8 lanes on")                                    \
    OP(add, "$8", "%%r14",                                  "")                                              \
    OP(add, "$64", "%%rbx",                                 "")                                              \
    OP(cmp, "%[b]", "%%r8",                                 "")

#define BATCH_OPERANDS                                                                                       \
    [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),                     \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows), OFFSET(Batch, limit)
#define PARAM_OPERANDS                                                                                       \
    PARAM_OFFSET(min_position), PARAM_OFFSET(max_position), PARAM_OFFSET(max_speed),                         \
        PARAM_OFFSET(goal_position), PARAM_OFFSET(goal_velocity), PARAM_OFFSET(force), PARAM_OFFSET(gravity)
#define CLOBBERS                                                                                             \
    YMM_CLOBBERS, "memory", "cc", "rax", "rbx", "rcx", "rdx", "r8", "r9", "r11", "r12", "r13", "r14", "r15"

// [2] cos, by the numbered steps of numerics.hpp. q is the quadrant + 1: bit 0 is clear where sine and cosine
// change places, bit 1 is set where the cosine is negative.

// sin_cos_near. k times a double is exact, and so may be part of an fma. k is found from the position: next to
// the odd multiples of pi/4 it may be another than sin_cos has, but the cosine is the same.
#define REDUCTION_NEAR                                                                                       \
    LOAD(POSITION, x,                                       "position")                                      \
    CONSTANT(k0, round_1)                                                                                    \
    CONSTANT(k1, six_over_pi)                                                                                \
    EACH_2(vmovapd, k0, q,                                  "round + 1")                                     \
    EACH(vfmadd231pd, k1, x, q,                             "q = shifted + 1")                               \
    CONSTANT(k1, three)                                                                                      \
    EACH(vsubpd, k0, q, b,                                  "k = shifted - round")                           \
    EACH(vmulpd, k1, x, x,                                  "x = 3*position")                                \
    CONSTANT(k0, H0)                                                                                         \
    CONSTANT(k1, H1)                                                                                         \
    EACH(vfnmadd231pd, k0, b, x,                            "t = x - k*H0")                                  \
    EACH_2(vmovapd, x, high,                                "t")                                             \
    EACH(vfnmadd231pd, k1, b, high,                         "high = t - k*H1")                               \
    EACH(vsubpd, x, high, tail,                             "high - t")                                      \
    CONSTANT(k0, H2)                                                                                         \
    EACH(vfmadd231pd, k1, b, tail,                          "(high - t) + k*H1")                             \
    EACH(vfmadd231pd, k0, b, tail,                          "tail = (…) + k*H2")

// sin_cos
#define REDUCTION                                                                                            \
    LOAD(POSITION, t,                                       "position")                                      \
    CONSTANT(k0, three)                                                                                      \
    CONSTANT(k1, two_over_pi)                                                                                \
    EACH(vmulpd, k0, t, t,                                  "x = 3*position")                                \
    EACH(vmulpd, k1, t, q,                                  "x * two_over_pi")                               \
    CONSTANT(k0, round)                                                                                      \
    CONSTANT(k1, ones)                                                                                       \
    EACH(vaddpd, k0, q, q,                                  "shifted")                                       \
    EACH(vsubpd, k0, q, k,                                  "k = shifted - round")                           \
    EACH(vpsubq, k1, q, q,                                  "q = shifted + 1, as an integer")                \
    CONSTANT(k0, P0)                                                                                         \
    CONSTANT(k1, P1)                                                                                         \
    EACH(vmulpd, k0, k, b,                                  "k*P0")                                          \
    EACH(vsubpd, b, t, t,                                   "t = x - k*P0")                                  \
    EACH(vmulpd, k1, k, p2,                                 "p2 = k*P1")                                     \
    EACH(vsubpd, p2, t, r,                                  "r = t - p2")                                    \
    EACH(vsubpd, t, r, a,                                   "r_part = r - t")                                \
    EACH(vaddpd, a, p2, p2,                                 "p2 + r_part")                                   \
    EACH(vsubpd, a, r, a,                                   "r - r_part")                                    \
    EACH(vsubpd, a, t, a,                                   "t - (r - r_part)")                              \
    EACH(vsubpd, a, p2, tail0,                              "excess1")                                       \
    CONSTANT(k0, P2)                                                                                         \
    CONSTANT(k1, P3)                                                                                         \
    EACH(vmulpd, k0, k, p3,                                 "p3 = k*P2")                                     \
    EACH(vsubpd, p3, r, high0,                              "high0 = r - p3")                                \
    EACH(vsubpd, r, high0, b,                               "high0_part = high0 - r")                        \
    EACH(vaddpd, b, p3, p3,                                 "p3 + high0_part")                               \
    EACH(vsubpd, b, high0, b,                               "high0 - high0_part")                            \
    EACH(vsubpd, b, r, b,                                   "r - (high0 - high0_part)")                      \
    EACH(vsubpd, b, p3, p3,                                 "excess2")                                       \
    EACH(vaddpd, p3, tail0, tail0,                          "excess1 + excess2")                             \
    EACH(vmulpd, k1, k, k,                                  "k*P3")                                          \
    EACH(vaddpd, k, tail0, tail0,                           "tail0")                                         \
    EACH(vsubpd, tail0, high0, high,                        "high = high0 - tail0")                          \
    EACH(vsubpd, high0, high, tail,                         "high - high0")                                  \
    EACH(vaddpd, tail0, tail, tail,                         "tail = (high - high0) + tail0")

// (c1 + z*c2) + z2*((c3 + z*c4) + z2*c5), in a
#define REST(c)                                                                                              \
    CONSTANT(k0, c##4)                                                                                       \
    CONSTANT(k1, c##5)                                                                                       \
    EACH(vmulpd, k0, z, b,                                  "z*c4")                                          \
    EACH(vmulpd, k1, z2, a,                                 "z2*c5")                                         \
    CONSTANT(k0, c##3)                                                                                       \
    CONSTANT(k1, c##2)                                                                                       \
    EACH(vaddpd, k0, b, b,                                  "c3 + z*c4")                                     \
    EACH(vaddpd, a, b, b,                                   "(c3 + z*c4) + z2*c5")                           \
    EACH(vmulpd, k1, z, a,                                  "z*c2")                                          \
    CONSTANT(k0, c##1)                                                                                       \
    EACH(vmulpd, z2, b, b,                                  "z2 * ((c3 + z*c4) + z2*c5)")                    \
    EACH(vaddpd, k0, a, a,                                  "c1 + z*c2")                                     \
    EACH(vaddpd, b, a, a,                                   "rest = (c1 + z*c2) + z2*(…)")
// 0.5*z is exact, and so may be part of an fma. Registers are short: cube and w are computed twice.
#define SIN_AND_COS                                                                                          \
    EACH(vmulpd, high, high, z,                             "z = high*high")                                 \
    EACH(vmulpd, z, z, z2,                                  "z2 = z*z")                                      \
    REST(S)                                                                                                  \
    CONSTANT(k0, one)                                                                                        \
    CONSTANT(k1, half)                                                                                       \
    EACH(vmulpd, z, high, b,                                "cube = high*z")                                 \
    EACH(vmulpd, z, b, b,                                   "cube*z")                                        \
    EACH(vmulpd, b, a, a,                                   "(cube*z) * rest")                               \
    EACH_2(vmovapd, k0, b,                                  "1")                                             \
    EACH(vfnmadd231pd, k1, z, b,                            "w = 1 - half")                                  \
    CONSTANT(k0, S0)                                                                                         \
    EACH(vmulpd, b, tail, b,                                "tail*w")                                        \
    EACH(vaddpd, b, a, a,                                   "(cube*z)*rest + tail*w")                        \
    EACH(vmulpd, z, high, b,                                "cube again")                                    \
    EACH(vmulpd, k0, b, b,                                  "cube*S0")                                       \
    EACH(vaddpd, b, a, a,                                   "cube*S0 + (…)")                                 \
    EACH(vsubpd, a, high, s,                                "s = high - (…)")                                \
    EACH(vmulpd, s, tail, tail,                             "s*tail")                                        \
    REST(C)                                                                                                  \
    CONSTANT(k0, C0)                                                                                         \
    EACH(vmulpd, z, a, a,                                   "z * rest")                                      \
    EACH(vaddpd, k0, a, a,                                  "C0 + z*rest")                                   \
    CONSTANT(k0, one)                                                                                        \
    CONSTANT(k1, half)                                                                                       \
    EACH(vmulpd, z2, a, a,                                  "z2 * (C0 + z*rest)")                            \
    EACH_2(vmovapd, k0, w,                                  "1")                                             \
    EACH(vfnmadd231pd, k1, z, w,                            "w = 1 - half")                                  \
    EACH(vsubpd, k0, w, b,                                  "w - 1")                                         \
    EACH(vfnmsub231pd, k1, z, b,                            "(1 - w) - half")                                \
    PARAM(k0, gravity)                                                                                       \
    CONSTANT(k1, sign_of_even)                                                                               \
    EACH(vaddpd, tail, b, b,                                "((1 - w) - half) + s*tail")                     \
    EACH(vaddpd, b, a, a,                                   "(…) + z2*(C0 + z*rest)")                        \
    EACH(vaddpd, w, a, a,                                   "c = w + (…)")                                   \
    EACH_BY(vpsllq, "$63", q, b,                            "sign bit in quadrants 0, 2")                    \
    EACH_IF(b, a, s, a,                                     "±cos = even ? c : s")

// [1] push, and the acceleration of [3], in a. (action - 1) * force is exact, and so part of an fma.
#define ACCELERATION                                                                                         \
    OP(vxorpd, V(LOW, k1), V(LOW, k0), V(LOW, k0),          "-gravity, gravity, …")                          \
    EACH(vpermilpd, q, k0, b,                               "cosine negative ? gravity : -gravity")          \
    EACH(vmulpd, b, a, a,                                   "cos * -gravity")                                \
    CONSTANT(k0, integer)                                                                                    \
    CONSTANT(k1, integer_1)                                                                                  \
    EACH_AT(vorpd, ACTION, k0, b,                           "2**52 + action")                                \
    PARAM(k0, force)                                                                                         \
    EACH(vsubpd, k1, b, b,                                  "action - 1")                                    \
    EACH(vfmadd231pd, k0, b, a,                             "push + cos * -gravity")                         \
    LOAD(ELAPSED, elapsed,                                  "elapsed: negative if starting")                 \
    EACH(vxorpd, d, d, d,                                   "0")

// [3] velocity
// [4] position, and the wall: in play, where no order of numbers matters. A starting lane is not accelerated.
#define MOTION_IN_PLAY                                                                                       \
    PARAM(k0, max_speed)                                                                                     \
    CONSTANT(k1, sign)                                                                                       \
    EACH_IF(elapsed, d, a, a,                               "0 if starting")                                 \
    EACH_AT(vaddpd, VELOCITY, a, a,                         "velocity + (…)")                                \
    EACH(vminpd, k0, a, a,                                  "min(velocity, max_speed)")                      \
    OP(vxorpd, V(LOW, k1), V(LOW, k0), V(LOW, k0),          "-max_speed")                                    \
    PARAM(k1, max_position)                                                                                  \
    EACH(vmaxpd, k0, a, a,                                  "max(…, -max_speed)")                            \
    PARAM(k0, min_position)                                                                                  \
    EACH_AT(vaddpd, POSITION, a, b,                         "position + velocity")                           \
    EACH(vmaxpd, k0, b, b,                                  "max(position, min_position)")                   \
    EACH(vminpd, k1, b, position,                           "min(…, max_position)")                          \
    CONSTANT(k1, minus_infinity)                                                                             \
    EACH(vcmpeq_oqpd, k0, position, c,                      "at the wall")                                   \
    EACH(vandnpd, k1, c, c,                                 "0 at the wall, else -inf")                      \
    EACH(vmaxpd, a, c, velocity,                            "0 if below 0 at the wall")
// [3], [4] for any state, which a starting lane keeps. As Python's, max and min return their second operand, here
// the state, if none is larger or one is NaN.
#define MOTION                                                                                               \
    PARAM(k0, max_speed)                                                                                     \
    CONSTANT(k1, sign)                                                                                       \
    EACH_AT(vaddpd, VELOCITY, a, a,                         "velocity + (…)")                                \
    OP(vxorpd, V(LOW, k1), V(LOW, k0), V(LOW, k1),          "-max_speed")                                    \
    EACH(vmaxpd, a, k1, a,                                  "max(velocity, -max_speed)")                     \
    EACH(vminpd, a, k0, a,                                  "min(…, max_speed)")                             \
    PARAM(k0, min_position)                                                                                  \
    PARAM(k1, max_position)                                                                                  \
    EACH_AT(vaddpd, POSITION, a, b,                         "position + velocity")                           \
    EACH(vmaxpd, b, k0, b,                                  "max(position, min_position)")                   \
    EACH(vminpd, b, k1, b,                                  "min(…, max_position)")                          \
    CONSTANT(k1, minus_infinity)                                                                             \
    EACH(vcmpeq_oqpd, k0, b, c,                             "at the wall")                                   \
    EACH(vandnpd, k1, c, c,                                 "0 at the wall, else -inf")                      \
    EACH(vmaxpd, a, c, a,                                   "0 if below 0 at the wall")                      \
    LOAD(VELOCITY, c,                                       "old velocity")                                  \
    EACH_IF(elapsed, c, a, velocity,                        "old if starting")                               \
    LOAD(POSITION, c,                                       "old position")                                  \
    EACH_IF(elapsed, c, b, position,                        "old if starting")

// [5] termination and reward
#define FLAGS(g, mask, ARRAY)                                                                                \
    OP(vmovmskpd, V(g, mask), "%%eax",                      "bit i: lane i")                                 \
    OP(imul, K(flag_spread), "%%eax",                       "bit 8i: lane i, others between")                \
    OP(and, K(flag_bytes), "%%eax",                         "byte i: lane i")                                \
    OP(mov, "%%eax", ARRAY(g),                              "terminated or truncated")
#define GOAL                                                                                                 \
    PARAM(k0, goal_velocity)                                                                                 \
    PARAM(k1, goal_position)                                                                                 \
    STORE(velocity, VELOCITY,                               "velocity")                                      \
    STORE(position, POSITION,                               "position")                                      \
    EACH(vcmpge_oqpd, k0, velocity, c,                      "velocity >= goal_velocity")                     \
    EACH(vcmpge_oqpd, k1, position, ended,                  "position >= goal_position")                     \
    EACH(vandpd, c, ended, ended,                           "at the goal")
// A state in play is not at the goal when its lane starts.
#define ENDED_IN_PLAY
#define ENDED                                                                                                \
    EACH_IF(elapsed, d, ended, ended,                       "not if starting")
#define REWARD_AND_ELAPSED                                                                                   \
    CONSTANT(k0, minus_one)                                                                                  \
    CONSTANT(k1, ones)                                                                                       \
    EACH_IF(elapsed, d, k0, c,                              "reward: -1, 0 if starting")                     \
    STORE(c, REWARD,                                        "reward")                                        \
    OP(vpbroadcastq, "(%%rcx)", V(LOW, k0),                 "limit")                                         \
    EACH(vpsubq, k1, elapsed, elapsed,                      "now = elapsed + 1")                             \
    OP(vpaddq, V(LOW, k1), V(LOW, k0), V(LOW, k0),          "limit - 1")                                     \
    EACH(vpcmpgtq, k0, elapsed, late,                       "late = now > limit - 1")                        \
    EACH(vpor, ended, elapsed, elapsed,                     "now | ended")                                   \
    EACH(vpor, late, elapsed, elapsed,                      "now | ended | late")                            \
    STORE(elapsed, ELAPSED,                                 "elapsed")                                       \
    FLAGS(LOW, ended, TERMINATED) FLAGS(HIGH, ended, TERMINATED)                                             \
    FLAGS(LOW, late, TRUNCATED) FLAGS(HIGH, late, TRUNCATED)

// [6] observation: the columns of four lanes become rows
#define OBSERVATION(g)                                                                                       \
    OP(vcvtpd2psy, V(g, position), V128(g, position),       "float(position)")                               \
    OP(vcvtpd2psy, V(g, velocity), V128(g, velocity),       "float(velocity)")                               \
    OP(vunpcklps, V128(g, velocity), V128(g, position), V128(g, c), "lanes 0, 1")                            \
    OP(vunpckhps, V128(g, velocity), V128(g, position), V128(g, d), "lanes 2, 3")                            \
    OP(vmovaps, V128(g, c), ROWS_01_##g,                    "rows 0, 1")                                     \
    OP(vmovaps, V128(g, d), ROWS_23_##g,                    "rows 2, 3")

#define STEP(name, REDUCTION_OF, MOTION_OF, ENDED_OF)                                                        \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("mountain_car/" name " lanes=8")                                                               \
    REDUCTION_OF SIN_AND_COS ACCELERATION MOTION_OF                                                          \
    GOAL ENDED_OF REWARD_AND_ELAPSED                                                                         \
    OBSERVATION(LOW) OBSERVATION(HIGH)                                                                       \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(jne, "1b",                                           "next 8 lanes")                                  \
    LABEL(2)                                                                                                 \
    OP(vzeroupper,                                          "")

__attribute__((noinline)) void step_in_play(const Batch* b) {
    asm volatile(STEP("step_in_play", REDUCTION_NEAR, MOTION_IN_PLAY, ENDED_IN_PLAY)
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

// Any params, any state.
__attribute__((noinline)) void step_any(const Batch* b) {
    asm volatile(STEP("step_any", REDUCTION, MOTION, ENDED)
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

// clang-format on

}  // namespace

Step* games::mountain_car(const Batch* b, bool in_play) {
    return plain(*reinterpret_cast<const Params*>(b->params), in_play) ? step_in_play : step_any;
}

}  // namespace compute_layers::asm_x86_64
