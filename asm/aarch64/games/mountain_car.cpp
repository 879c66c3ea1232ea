// SPDX-License-Identifier: MIT
#include "games/mountain_car.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

using namespace mountain_car;

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(zero, row(0.0)) ROW(half, row(0.5)) ROW(one, row(1.0)) ROW(minus_one, row(-1.0)) ROW(three, row(3.0)) \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(six_over_pi, row(3.0 * kTwoOverPi))                                \
    ROW(round, row(kRound)) ROW(round_3, row(kRound + 3.0)) ROW(units_3, row(uint64_t{3}))                   \
    ROW(H0, row(kHalfPi[0])) ROW(H1, row(kHalfPi[1])) ROW(H2, row(kHalfPi[2]))                               \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(sign, row(~kAbs)) ROW(ones, row(kOnes))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// An iteration takes 8 lanes in four groups of two, G0 to G3, and every line of a section is an instruction
// for each of the four: enough independent work to hide the latency of arithmetic.
//
// General registers
//   x2  position   x4  elapsed   x6  reward       x8  truncated     x10  rows of params   x12  lanes left
//   x3  velocity   x5  action    x7  terminated   x9  observation   x11  limit
//   [k] kConstants               [b]  the batch
//
// Vector registers, in fours for the groups, by what they hold in turn
//   0-3    q, whose low bits are the quadrant + 3    | late
//   4-7    k, high, s                                | c: scratch
//   8-11   x, r, tail                                | starting
//   12-15  t, p3, z                                  | elapsed, now
//   16-19  p2, tail0, z2, w                          | ended
//   20-23  a: scratch                                | velocity
//   24-27  b: scratch                                | position
//   28-31  k0 to k3: a constant or one of the params, the same for all groups
#define R_q         0, 1, 2, 3
#define R_late      0, 1, 2, 3
#define R_k         4, 5, 6, 7
#define R_high      4, 5, 6, 7
#define R_s         4, 5, 6, 7
#define R_c         4, 5, 6, 7
#define R_x         8, 9, 10, 11
#define R_r         8, 9, 10, 11
#define R_tail      8, 9, 10, 11
#define R_starting  8, 9, 10, 11
#define R_t         12, 13, 14, 15
#define R_p3        12, 13, 14, 15
#define R_z         12, 13, 14, 15
#define R_elapsed   12, 13, 14, 15
#define R_p2        16, 17, 18, 19
#define R_tail0     16, 17, 18, 19
#define R_z2        16, 17, 18, 19
#define R_w         16, 17, 18, 19
#define R_ended     16, 17, 18, 19
#define R_a         20, 21, 22, 23
#define R_high0     20, 21, 22, 23
#define R_velocity  20, 21, 22, 23
#define R_b         24, 25, 26, 27
#define R_position  24, 25, 26, 27
#define R_k0        28, 28, 28, 28
#define R_k1        29, 29, 29, 29
#define R_k2        30, 30, 30, 30
#define R_k3        31, 31, 31, 31

#define G0(a, b, c, d) a
#define G1(a, b, c, d) b
#define G2(a, b, c, d) c
#define G3(a, b, c, d) d
#define V(form, g, name) V_OF(form, g, R_##name)
#define V_OF(form, g, ...) V_NUMBER(form, g(__VA_ARGS__))
#define V_NUMBER(form, n) form(n)

// An instruction for each group: on doubles (or integers as wide), with a plain third operand, on bits.
#define EACH_2(op, d, a, note)                                                                               \
    OP(op, V(D2, G0, d), V(D2, G0, a), note) OP(op, V(D2, G1, d), V(D2, G1, a), note)                        \
    OP(op, V(D2, G2, d), V(D2, G2, a), note) OP(op, V(D2, G3, d), V(D2, G3, a), note)
#define EACH(op, d, a, b, note)                                                                              \
    OP(op, V(D2, G0, d), V(D2, G0, a), V(D2, G0, b), note) OP(op, V(D2, G1, d), V(D2, G1, a), V(D2, G1, b), note) \
    OP(op, V(D2, G2, d), V(D2, G2, a), V(D2, G2, b), note) OP(op, V(D2, G3, d), V(D2, G3, a), V(D2, G3, b), note)
#define EACH_BY(op, d, a, number, note)                                                                      \
    OP(op, V(D2, G0, d), V(D2, G0, a), number, note) OP(op, V(D2, G1, d), V(D2, G1, a), number, note)        \
    OP(op, V(D2, G2, d), V(D2, G2, a), number, note) OP(op, V(D2, G3, d), V(D2, G3, a), number, note)
#define BITS_2(op, d, a, note)                                                                               \
    OP(op, V(B16, G0, d), V(B16, G0, a), note) OP(op, V(B16, G1, d), V(B16, G1, a), note)                    \
    OP(op, V(B16, G2, d), V(B16, G2, a), note) OP(op, V(B16, G3, d), V(B16, G3, a), note)
#define BITS(op, d, a, b, note)                                                                              \
    OP(op, V(B16, G0, d), V(B16, G0, a), V(B16, G0, b), note) OP(op, V(B16, G1, d), V(B16, G1, a), V(B16, G1, b), note) \
    OP(op, V(B16, G2, d), V(B16, G2, a), V(B16, G2, b), note) OP(op, V(B16, G3, d), V(B16, G3, a), V(B16, G3, b), note)

// The 8 lanes of an array.
#define LOAD(array, d, note)                                                                                 \
    OP(ldp, V(Q, G0, d), V(Q, G1, d), "[" array "]", note) OP(ldp, V(Q, G2, d), V(Q, G3, d), "[" array ", #32]", note)
#define STORE(array, d, note)                                                                                \
    OP(stp, V(Q, G0, d), V(Q, G1, d), "[" array "]", note) OP(stp, V(Q, G2, d), V(Q, G3, d), "[" array ", #32]", note)
#define POSITION    "x2"
#define VELOCITY    "x3"
#define ELAPSED     "x4"
#define ACTION      "x5"
#define REWARD      "x6"
#define TERMINATED  "x7"
#define TRUNCATED   "x8"
#define OBSERVATION "x9"
#define LIMIT       "[x11]"

#define CONSTANT(k, name) OP(ldr, V(Q, G0, k), K(name), #name)
#define PARAM(k, name) OP(ldr, V(Q, G0, k), AT("x10", name), #name)
#define PARAM_OFFSET(field) [field] "i"(FIELD(Params, field) * sizeof(Row))

static_assert(FIELD(State, position) == 0 && FIELD(State, velocity) == 1);

// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(ldr, "x12", B(n),                                    "lanes")                                         \
    OP(cbz, "x12", "2f",                                    "none")                                          \
    OP(ldr, POSITION, B(state),                             "position")                                      \
    OP(ldr, "x11", B(stride),                               "")                                              \
    OP(lsl, "x11", "x11", "#3",                             "stride in bytes")                               \
    OP(add, VELOCITY, POSITION, "x11",                      "velocity")                                      \
    OP(ldr, ELAPSED, B(elapsed),                            "")                                              \
    OP(ldr, ACTION, B(action),                              "")                                              \
    OP(ldr, REWARD, B(reward),                              "")                                              \
    OP(ldr, TERMINATED, B(terminated),                      "")                                              \
    OP(ldr, TRUNCATED, B(truncated),                        "")                                              \
    OP(ldr, OBSERVATION, B(observation),                    "")                                              \
    OP(ldr, "x10", B(rows),                                 "")                                              \
    OP(add, "x11", "%[b]", "%[limit]",                      "where the limit stands")

// The flags and the observation have moved on when they were stored.
#define NEXT                                                                                                 \
    OP(add, POSITION, POSITION, "#64",                      "8 lanes on")                                    \
    OP(add, VELOCITY, VELOCITY, "#64",                      "")                                              \
    OP(add, ELAPSED, ELAPSED, "#64",                        "")                                              \
    OP(add, ACTION, ACTION, "#64",                          "")                                              \
    OP(add, REWARD, REWARD, "#64",                          "")                                              \
    OP(subs, "x12", "x12", "#8",                            "lanes left")

#define BATCH_OPERANDS                                                                                       \
    [b] "r"(b), [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),         \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows), OFFSET(Batch, limit)
#define PARAM_OPERANDS                                                                                       \
    PARAM_OFFSET(min_position), PARAM_OFFSET(max_position), PARAM_OFFSET(max_speed),                         \
        PARAM_OFFSET(goal_position), PARAM_OFFSET(goal_velocity), PARAM_OFFSET(force), PARAM_OFFSET(gravity)
#define CLOBBERS                                                                                             \
    V_CLOBBERS, "memory", "cc", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12"

// [2] cos, by the numbered steps of numerics.hpp. q is the quadrant + 3: bit 0 is clear where sine and cosine
// change places, bit 1 is set where the cosine is positive.

// sin_cos_near. k times a double is exact, and so may be part of an fma. k is found from the position: near the
// odd multiples of pi/4 it may be another than sin_cos has, but the cosine is the same.
#define REDUCTION_NEAR                                                                                       \
    LOAD(POSITION, x,                                       "position")                                      \
    CONSTANT(k0, six_over_pi)                                                                                \
    CONSTANT(k1, round_3)                                                                                    \
    CONSTANT(k2, three)                                                                                      \
    CONSTANT(k3, H0)                                                                                         \
    BITS_2(mov, q, k1,                                      "round + 3")                                     \
    EACH(fmla, q, x, k0,                                    "q = shifted + 3")                               \
    EACH(fmul, x, x, k2,                                    "x = 3*position")                                \
    CONSTANT(k0, H1)                                                                                         \
    CONSTANT(k2, H2)                                                                                         \
    EACH(fsub, b, q, k1,                                    "k = shifted - round")                           \
    EACH(fmls, x, b, k3,                                    "t = x - k*H0")                                  \
    BITS_2(mov, high, x,                                    "t")                                             \
    EACH(fmls, high, b, k0,                                 "high = t - k*H1")                               \
    EACH(fsub, tail, high, x,                               "high - t")                                      \
    EACH(fmla, tail, b, k0,                                 "(high - t) + k*H1")                             \
    EACH(fmla, tail, b, k2,                                 "tail = (…) + k*H2")

// sin_cos
#define REDUCTION                                                                                            \
    LOAD(POSITION, t,                                       "position")                                      \
    CONSTANT(k0, three)                                                                                      \
    CONSTANT(k1, two_over_pi)                                                                                \
    CONSTANT(k2, round)                                                                                      \
    CONSTANT(k3, units_3)                                                                                    \
    EACH(fmul, t, t, k0,                                    "x = 3*position")                                \
    EACH(fmul, q, t, k1,                                    "x * two_over_pi")                               \
    EACH(fadd, q, q, k2,                                    "shifted")                                       \
    EACH(fsub, k, q, k2,                                    "k = shifted - round")                           \
    EACH(add, q, q, k3,                                     "q = shifted + 3, as an integer")                \
    CONSTANT(k0, P0)                                                                                         \
    CONSTANT(k1, P1)                                                                                         \
    CONSTANT(k2, P2)                                                                                         \
    CONSTANT(k3, P3)                                                                                         \
    EACH(fmul, b, k, k0,                                    "k*P0")                                          \
    EACH(fsub, t, t, b,                                     "t = x - k*P0")                                  \
    EACH(fmul, p2, k, k1,                                   "p2 = k*P1")                                     \
    EACH(fsub, r, t, p2,                                    "r = t - p2")                                    \
    EACH(fsub, a, r, t,                                     "r_part = r - t")                                \
    EACH(fadd, p2, p2, a,                                   "p2 + r_part")                                   \
    EACH(fsub, a, r, a,                                     "r - r_part")                                    \
    EACH(fsub, a, t, a,                                     "t - (r - r_part)")                              \
    EACH(fsub, tail0, p2, a,                                "excess1")                                       \
    EACH(fmul, p3, k, k2,                                   "p3 = k*P2")                                     \
    EACH(fsub, high0, r, p3,                                "high0 = r - p3")                                \
    EACH(fsub, b, high0, r,                                 "high0_part = high0 - r")                        \
    EACH(fadd, p3, p3, b,                                   "p3 + high0_part")                               \
    EACH(fsub, b, high0, b,                                 "high0 - high0_part")                            \
    EACH(fsub, b, r, b,                                     "r - (high0 - high0_part)")                      \
    EACH(fsub, p3, p3, b,                                   "excess2")                                       \
    EACH(fadd, tail0, tail0, p3,                            "excess1 + excess2")                             \
    EACH(fmul, k, k, k3,                                    "k*P3")                                          \
    EACH(fadd, tail0, tail0, k,                             "tail0")                                         \
    EACH(fsub, high, high0, tail0,                          "high = high0 - tail0")                          \
    EACH(fsub, tail, high, high0,                           "high - high0")                                  \
    EACH(fadd, tail, tail, tail0,                           "tail = (high - high0) + tail0")

// (c1 + z*c2) + z2*((c3 + z*c4) + z2*c5), in a
#define REST(c)                                                                                              \
    CONSTANT(k0, c##4)                                                                                       \
    CONSTANT(k1, c##5)                                                                                       \
    CONSTANT(k2, c##3)                                                                                       \
    CONSTANT(k3, c##2)                                                                                       \
    EACH(fmul, b, z, k0,                                    "z*c4")                                          \
    EACH(fmul, a, z2, k1,                                   "z2*c5")                                         \
    EACH(fadd, b, k2, b,                                    "c3 + z*c4")                                     \
    EACH(fadd, b, b, a,                                     "(c3 + z*c4) + z2*c5")                           \
    EACH(fmul, a, z, k3,                                    "z*c2")                                          \
    CONSTANT(k0, c##1)                                                                                       \
    EACH(fmul, b, z2, b,                                    "z2 * ((c3 + z*c4) + z2*c5)")                    \
    EACH(fadd, a, k0, a,                                    "c1 + z*c2")                                     \
    EACH(fadd, a, a, b,                                     "rest = (c1 + z*c2) + z2*(…)")
// Where registers are short, cube and w are computed twice.
#define COS                                                                                                  \
    EACH(fmul, z, high, high,                               "z = high*high")                                 \
    EACH(fmul, z2, z, z,                                    "z2 = z*z")                                      \
    REST(S)                                                                                                  \
    CONSTANT(k0, half)                                                                                       \
    CONSTANT(k1, one)                                                                                        \
    CONSTANT(k2, S0)                                                                                         \
    EACH(fmul, b, high, z,                                  "cube = high*z")                                 \
    EACH(fmul, b, b, z,                                     "cube*z")                                        \
    EACH(fmul, a, b, a,                                     "(cube*z) * rest")                               \
    EACH(fmul, b, k0, z,                                    "half = 0.5*z")                                  \
    EACH(fsub, b, k1, b,                                    "w = 1 - half")                                  \
    EACH(fmul, b, tail, b,                                  "tail*w")                                        \
    EACH(fadd, a, a, b,                                     "(cube*z)*rest + tail*w")                        \
    EACH(fmul, b, high, z,                                  "cube again")                                    \
    EACH(fmul, b, b, k2,                                    "cube*S0")                                       \
    EACH(fadd, a, b, a,                                     "cube*S0 + (…)")                                 \
    EACH(fsub, s, high, a,                                  "s = high - (…)")                                \
    EACH(fmul, tail, s, tail,                               "s*tail")                                        \
    REST(C)                                                                                                  \
    CONSTANT(k0, C0)                                                                                         \
    CONSTANT(k1, half)                                                                                       \
    CONSTANT(k2, one)                                                                                        \
    CONSTANT(k3, sign)                                                                                       \
    EACH(fmul, a, z, a,                                     "z * rest")                                      \
    EACH(fadd, a, k0, a,                                    "C0 + z*rest")                                   \
    EACH(fmul, a, z2, a,                                    "z2 * (C0 + z*rest)")                            \
    EACH(fmul, z, k1, z,                                    "half")                                          \
    EACH(fsub, w, k2, z,                                    "w = 1 - half")                                  \
    EACH(fsub, b, k2, w,                                    "1 - w")                                         \
    EACH(fsub, b, b, z,                                     "(1 - w) - half")                                \
    EACH(fadd, b, b, tail,                                  "((1 - w) - half) + s*tail")                     \
    EACH(fadd, a, b, a,                                     "(…) + z2*(C0 + z*rest)")                        \
    EACH(fadd, a, w, a,                                     "c = w + (…)")                                   \
    EACH_BY(shl, b, q, "#63",                               "sign bit in quadrants 0, 2")                    \
    EACH_BY(sshr, b, b, "#63",                              "even")                                          \
    BITS(bsl, b, a, s,                                      "even ? c : s")                                  \
    EACH_BY(shl, q, q, "#62",                               "sign bit in quadrants 0, 3")                    \
    BITS(and, q, q, k3,                                     "")                                              \
    BITS(eor, a, b, q,                                      "-cos")

// [1] push, and the acceleration of [3], in a. (action - 1) * force is exact, and so part of an fma.
#define ACCELERATION                                                                                         \
    PARAM(k0, gravity)                                                                                       \
    CONSTANT(k1, ones)                                                                                       \
    PARAM(k2, force)                                                                                         \
    EACH(fmul, a, a, k0,                                    "-cos * gravity")                                \
    LOAD(ACTION, b,                                         "action")                                        \
    EACH(add, b, b, k1,                                     "action - 1")                                    \
    EACH_2(scvtf, b, b,                                     "as a double")                                   \
    EACH(fmla, a, b, k2,                                    "push + cos * -gravity")                         \
    LOAD(ELAPSED, elapsed,                                  "elapsed")                                       \
    EACH_BY(cmlt, starting, elapsed, "#0",                  "elapsed < 0")

// [4] position, and the wall: the latter
#define WALL                                                                                                 \
    PARAM(k1, min_position)                                                                                  \
    CONSTANT(k3, zero)                                                                                       \
    EACH(fcmeq, c, position, k1,                            "at the wall")                                   \
    EACH(fcmgt, ended, k3, velocity,                        "velocity < 0")                                  \
    BITS(and, c, c, ended,                                  "stopped")                                       \
    BITS(bic, velocity, velocity, c,                        "0 if stopped")
// [3] velocity
// [4] position, in play, where no order of numbers matters. A starting lane is not accelerated.
#define MOTION_IN_PLAY                                                                                       \
    PARAM(k0, max_speed)                                                                                     \
    PARAM(k1, min_position)                                                                                  \
    PARAM(k2, max_position)                                                                                  \
    OP(fneg, D2(31), D2(28), "-max_speed")                                                                   \
    LOAD(VELOCITY, c,                                       "velocity")                                      \
    BITS(bic, a, a, starting,                               "0 if starting")                                 \
    EACH(fadd, a, c, a,                                     "velocity + (…)")                                \
    EACH(fmax, a, a, k3,                                    "max(velocity, -max_speed)")                     \
    EACH(fmin, velocity, a, k0,                             "min(…, max_speed)")                             \
    LOAD(POSITION, b,                                       "position")                                      \
    EACH(fadd, b, b, a,                                     "position + velocity")                           \
    EACH(fmax, b, b, k1,                                    "max(position, min_position)")                   \
    EACH(fmin, position, b, k2,                             "min(…, max_position)")                          \
    WALL
// [3], [4] for any state, which a starting lane keeps. As Python's, max and min leave the state if the bound is not
// beyond it or one is NaN.
#define MOTION                                                                                               \
    PARAM(k0, max_speed)                                                                                     \
    PARAM(k1, min_position)                                                                                  \
    PARAM(k2, max_position)                                                                                  \
    OP(fneg, D2(31), D2(28), "-max_speed")                                                                   \
    LOAD(VELOCITY, c,                                       "velocity")                                      \
    EACH(fadd, a, c, a,                                     "velocity + (…)")                                \
    EACH(fcmgt, c, k3, a,                                   "-max_speed > velocity")                         \
    BITS(bit, a, k3, c,                                     "max(velocity, -max_speed)")                     \
    EACH(fcmgt, c, a, k0,                                   "max_speed < velocity")                          \
    BITS(bit, velocity, k0, c,                              "min(…, max_speed)")                             \
    LOAD(POSITION, b,                                       "position")                                      \
    EACH(fadd, b, b, a,                                     "position + velocity")                           \
    EACH(fcmgt, c, k1, b,                                   "min_position > position")                       \
    BITS(bit, b, k1, c,                                     "max(position, min_position)")                   \
    EACH(fcmgt, c, b, k2,                                   "max_position < position")                       \
    BITS(bit, position, k2, c,                              "min(…, max_position)")                          \
    WALL                                                                                                     \
    LOAD(VELOCITY, c,                                       "old velocity")                                  \
    BITS(bit, velocity, c, starting,                        "old if starting")                               \
    LOAD(POSITION, c,                                       "old position")                                  \
    BITS(bit, position, c, starting,                        "old if starting")

// [5] termination and reward. Masks of 8 lanes become 8 bytes.
#define FLAGS(array, mask)                                                                                   \
    OP(uzp1, S4(28), V(S4, G0, mask), V(S4, G1, mask),      "lanes 0-3")                                     \
    OP(uzp1, S4(29), V(S4, G2, mask), V(S4, G3, mask),      "lanes 4-7")                                     \
    OP(uzp1, H8(28), H8(28), H8(29),                        "lanes 0-7")                                     \
    OP(xtn, B8(28), H8(28),                                 "byte i: lane i, -1 or 0")                       \
    OP(neg, B8(28), B8(28),                                 "1 or 0")                                        \
    OP(str, D(28), "[" array "]", "#8",                     "terminated or truncated")
#define TERMINATION                                                                                          \
    PARAM(k0, goal_position)                                                                                 \
    PARAM(k1, goal_velocity)                                                                                 \
    STORE(VELOCITY, velocity,                               "velocity")                                      \
    STORE(POSITION, position,                               "position")                                      \
    EACH(fcmge, ended, position, k0,                        "position >= goal_position")                     \
    EACH(fcmge, c, velocity, k1,                            "velocity >= goal_velocity")                     \
    BITS(and, ended, ended, c,                              "at the goal")                                   \
    BITS(bic, ended, ended, starting,                       "ended = at the goal and not starting")          \
    FLAGS(TERMINATED, ended)                                                                                 \
    CONSTANT(k0, minus_one)                                                                                  \
    BITS(bic, c, k0, starting,                              "reward: -1, 0 if starting")                     \
    STORE(REWARD, c,                                        "reward")
#define TRUNCATION                                                                                           \
    CONSTANT(k0, ones)                                                                                       \
    OP(ld1r, "{" D2(29) "}", LIMIT, "limit")                                                                 \
    EACH(sub, elapsed, elapsed, k0,                         "now = elapsed + 1")                             \
    EACH(cmge, late, elapsed, k1,                           "late = now >= limit")                           \
    BITS(orr, elapsed, elapsed, ended,                      "now | ended")                                   \
    BITS(orr, elapsed, elapsed, late,                       "now | ended | late")                            \
    STORE(ELAPSED, elapsed,                                 "elapsed")                                       \
    FLAGS(TRUNCATED, late)

// [6] observation: two columns of four lanes, which st2 writes as rows
#define COLUMN(column, name, low, high)                                                                      \
    OP(fcvtn, S2(column), V(D2, low, name),                 "float(" #name ")")                              \
    OP(fcvtn2, S4(column), V(D2, high, name),               "float(" #name ")")
#define OBSERVE                                                                                              \
    COLUMN(28, position, G0, G1)                                                                             \
    COLUMN(29, velocity, G0, G1)                                                                             \
    COLUMN(30, position, G2, G3)                                                                             \
    COLUMN(31, velocity, G2, G3)                                                                             \
    OP(st2, "{v28.4s-v29.4s}", "[" OBSERVATION "]", "#32",  "rows 0-3")                                      \
    OP(st2, "{v30.4s-v31.4s}", "[" OBSERVATION "]", "#32",  "rows 4-7")

#define STEP(name, REDUCTION_OF, MOTION_OF)                                                                  \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("mountain_car/" name " lanes=8")                                                               \
    REDUCTION_OF COS ACCELERATION MOTION_OF                                                                  \
    TERMINATION TRUNCATION                                                                                   \
    OBSERVE                                                                                                  \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(b.ne, "1b",                                          "next 8 lanes")                                  \
    LABEL(2)

__attribute__((noinline)) void step_in_play(const Batch* b) {
    asm volatile(STEP("step_in_play", REDUCTION_NEAR, MOTION_IN_PLAY)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

// Any params, any state.
__attribute__((noinline)) void step_any(const Batch* b) {
    asm volatile(STEP("step_any", REDUCTION, MOTION)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

// clang-format on

}  // namespace

Step* games::mountain_car(const Batch* b, bool in_play) {
    return plain(*reinterpret_cast<const Params*>(b->params), in_play) ? step_in_play : step_any;
}

}  // namespace compute_layers::asm_aarch64
