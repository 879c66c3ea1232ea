// SPDX-License-Identifier: MIT
#include "games/cartpole.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
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
    ROW(one, row(1.0)) ROW(half, row(0.5)) ROW(four_thirds, row(4.0 / 3.0)) ROW(ones, row(kOnes))            \
    ROW(zh, row(kInverse)) ROW(zl, row(kInverseLow)) ROW(minus_zl, row(-kInverseLow))                        \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// An iteration takes 8 lanes in four groups of two, G0 to G3, and every line of a section is an instruction
// for each of the four: enough independent work to hide the latency of arithmetic.
//
// General registers
//   x2  x       x4  theta       x6  elapsed   x8  reward       x10  truncated     x12  rows of params
//   x3  x_dot   x5  theta_dot   x7  action    x9  terminated   x11  observation   x13  limit
//   x14 lanes left                            [k] kConstants   [b]  the batch
//
// Vector registers, in fours for the groups, by what they hold in turn
//   0-3    -force, temp, x_acc, x_dot     | w
//   4-7    sin, theta_acc, theta_dot      | k, high, c
//   8-11   cos, starting                  | r, s
//   12-15  z, denominator, x              | t, p3, excess2
//   16-19  z2, theta                      | p2, excess1, tail0
//   20-23  a: scratch, ended              | r_part, high0, tail, q
//   24-27  b: scratch, late
//   28-31  k0 to k3: a constant or one of the params, the same for all groups
#define R_force       0, 1, 2, 3
#define R_temp        0, 1, 2, 3
#define R_x_acc       0, 1, 2, 3
#define R_x_dot       0, 1, 2, 3
#define R_sin         4, 5, 6, 7
#define R_theta_acc   4, 5, 6, 7
#define R_theta_dot   4, 5, 6, 7
#define R_cos         8, 9, 10, 11
#define R_starting    8, 9, 10, 11
#define R_z           12, 13, 14, 15
#define R_denominator 12, 13, 14, 15
#define R_x           12, 13, 14, 15
#define R_z2          16, 17, 18, 19
#define R_theta       16, 17, 18, 19
#define R_a           20, 21, 22, 23
#define R_ended       20, 21, 22, 23
#define R_b           24, 25, 26, 27
#define R_late        24, 25, 26, 27
#define R_w           0, 1, 2, 3
#define R_k           4, 5, 6, 7
#define R_high        4, 5, 6, 7
#define R_c           4, 5, 6, 7
#define R_r           8, 9, 10, 11
#define R_s           8, 9, 10, 11
#define R_t           12, 13, 14, 15
#define R_p3          12, 13, 14, 15
#define R_p2          16, 17, 18, 19
#define R_tail0       16, 17, 18, 19
#define R_high0       20, 21, 22, 23
#define R_tail        20, 21, 22, 23
#define R_q           20, 21, 22, 23
#define R_k0          28, 28, 28, 28
#define R_k1          29, 29, 29, 29
#define R_k2          30, 30, 30, 30
#define R_k3          31, 31, 31, 31

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
#define X           "x2"
#define X_DOT       "x3"
#define THETA       "x4"
#define THETA_DOT   "x5"
#define ELAPSED     "x6"
#define ACTION      "x7"
#define REWARD      "x8"
#define TERMINATED  "x9"
#define TRUNCATED   "x10"
#define OBSERVATION "x11"
#define LIMIT       "[x13]"

#define CONSTANT(k, name) OP(ldr, V(Q, G0, k), K(name), #name)
#define PARAM(k, name) OP(ldr, V(Q, G0, k), AT("x12", name), #name)
#define PARAM_OFFSET(field) [field] "i"(FIELD(Params, field) * sizeof(Row))

static_assert(FIELD(State, x) == 0 && FIELD(State, x_dot) == 1 && FIELD(State, theta) == 2 &&
              FIELD(State, theta_dot) == 3);

// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(ldr, "x14", B(n),                                    "lanes")                                         \
    OP(cbz, "x14", "2f",                                    "none")                                          \
    OP(ldr, X, B(state),                                    "x")                                             \
    OP(ldr, "x13", B(stride),                               "")                                              \
    OP(lsl, "x13", "x13", "#3",                             "stride in bytes")                               \
    OP(add, X_DOT, X, "x13",                                "x_dot")                                         \
    OP(add, THETA, X_DOT, "x13",                            "theta")                                         \
    OP(add, THETA_DOT, THETA, "x13",                        "theta_dot")                                     \
    OP(ldr, ELAPSED, B(elapsed),                            "")                                              \
    OP(ldr, ACTION, B(action),                              "")                                              \
    OP(ldr, REWARD, B(reward),                              "")                                              \
    OP(ldr, TERMINATED, B(terminated),                      "")                                              \
    OP(ldr, TRUNCATED, B(truncated),                        "")                                              \
    OP(ldr, OBSERVATION, B(observation),                    "")                                              \
    OP(ldr, "x12", B(rows),                                 "")                                              \
    OP(add, "x13", "%[b]", "%[limit]",                      "where the limit stands")

// The flags and the observation have moved on when they were stored.
#define NEXT                                                                                                 \
    OP(add, X, X, "#64",                                    "8 lanes on")                                    \
    OP(add, X_DOT, X_DOT, "#64",                            "")                                              \
    OP(add, THETA, THETA, "#64",                            "")                                              \
    OP(add, THETA_DOT, THETA_DOT, "#64",                    "")                                              \
    OP(add, ELAPSED, ELAPSED, "#64",                        "")                                              \
    OP(add, ACTION, ACTION, "#64",                          "")                                              \
    OP(add, REWARD, REWARD, "#64",                          "")                                              \
    OP(subs, "x14", "x14", "#8",                            "lanes left")

#define BATCH_OPERANDS                                                                                       \
    [b] "r"(b), [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),         \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows), OFFSET(Batch, limit)
#define PARAM_OPERANDS                                                                                       \
    PARAM_OFFSET(gravity), PARAM_OFFSET(masspole), PARAM_OFFSET(total_mass), PARAM_OFFSET(length),           \
        PARAM_OFFSET(polemass_length), PARAM_OFFSET(force_mag), PARAM_OFFSET(tau),                           \
        PARAM_OFFSET(theta_threshold_radians), PARAM_OFFSET(x_threshold), PARAM_OFFSET(reward_running),      \
        PARAM_OFFSET(reward_terminated)
#define CLOBBERS                                                                                             \
    V_CLOBBERS, "memory", "cc", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",  \
        "x14"

// [1] force, negative: a subtrahend
#define FORCE                                                                                                \
    LOAD(ACTION, force,                                     "action")                                        \
    EACH_BY(shl, force, force, "#63",                       "sign bit if action == 1")                       \
    PARAM(k0, force_mag)                                                                                     \
    BITS(eor, force, force, k0,                             "-force")

// [2] sin, cos
#define SQUARES                                                                                              \
    LOAD(THETA, b,                                          "theta")                                         \
    EACH(fmul, z, b, b,                                     "z = theta*theta")                               \
    EACH(fmul, z2, z, z,                                    "z2 = z*z")
// (c1 + z*c2) + z2*((c3 + z*c4) + z2*c5)
#define REST(c, rest)                                                                                        \
    CONSTANT(k0, c##4)                                                                                       \
    CONSTANT(k1, c##5)                                                                                       \
    CONSTANT(k2, c##3)                                                                                       \
    CONSTANT(k3, c##2)                                                                                       \
    EACH(fmul, b, z, k0,                                    "z*c4")                                          \
    EACH(fmul, rest, z2, k1,                                "z2*c5")                                         \
    EACH(fadd, b, k2, b,                                    "c3 + z*c4")                                     \
    EACH(fadd, b, b, rest,                                  "(c3 + z*c4) + z2*c5")                           \
    EACH(fmul, rest, z, k3,                                 "z*c2")                                          \
    CONSTANT(k0, c##1)                                                                                       \
    EACH(fmul, b, z2, b,                                    "z2 * ((c3 + z*c4) + z2*c5)")                    \
    EACH(fadd, rest, k0, rest,                              "c1 + z*c2")                                     \
    EACH(fadd, rest, rest, b,                               "rest = (c1 + z*c2) + z2*(…)")
#define SIN                                                                                                  \
    LOAD(THETA, a,                                          "theta")                                         \
    CONSTANT(k0, S0)                                                                                         \
    EACH(fmul, a, a, z,                                     "cube = theta*z")                                \
    EACH(fmul, b, a, z,                                     "cube*z")                                        \
    EACH(fmul, sin, b, sin,                                 "(cube*z) * rest")                               \
    EACH(fmul, a, a, k0,                                    "cube*S0")                                       \
    EACH(fadd, b, a, sin,                                   "cube*S0 + (cube*z)*rest")                       \
    LOAD(THETA, a,                                          "theta")                                         \
    EACH(fsub, sin, a, b,                                   "sin = theta - (…)")
#define COS                                                                                                  \
    CONSTANT(k0, C0)                                                                                         \
    CONSTANT(k1, half)                                                                                       \
    CONSTANT(k2, one)                                                                                        \
    EACH(fmul, cos, z, cos,                                 "z * rest")                                      \
    EACH(fadd, cos, k0, cos,                                "C0 + z*rest")                                   \
    EACH(fmul, cos, z2, cos,                                "z2 * (C0 + z*rest)")                            \
    EACH(fmul, z, k1, z,                                    "half = 0.5*z")                                  \
    EACH(fsub, a, k2, z,                                    "w = 1 - half")                                  \
    EACH(fsub, b, k2, a,                                    "1 - w")                                         \
    EACH(fsub, b, b, z,                                     "(1 - w) - half")                                \
    EACH(fadd, cos, b, cos,                                 "((1 - w) - half) + z2*(…)")                     \
    EACH(fadd, cos, a, cos,                                 "cos = w + (…)")

// [2] for any theta, by the numbered steps of numerics.hpp; the low bits of q are the quadrant.
#define PARTS                                                                                                \
    LOAD(THETA, t,                                          "theta")                                         \
    CONSTANT(k0, two_over_pi)                                                                                \
    CONSTANT(k1, round)                                                                                      \
    CONSTANT(k2, P0)                                                                                         \
    CONSTANT(k3, P1)                                                                                         \
    EACH(fmul, k, t, k0,                                    "theta * two_over_pi")                           \
    EACH(fadd, k, k, k1,                                    "shifted")                                       \
    EACH(fsub, k, k, k1,                                    "k = shifted - round")                           \
    EACH(fmul, b, k, k2,                                    "k*P0")                                          \
    EACH(fsub, t, t, b,                                     "t = theta - k*P0")                              \
    EACH(fmul, p2, k, k3,                                   "p2 = k*P1")                                     \
    EACH(fsub, r, t, p2,                                    "r = t - p2")                                    \
    EACH(fsub, a, r, t,                                     "r_part = r - t")                                \
    EACH(fadd, p2, p2, a,                                   "p2 + r_part")                                   \
    EACH(fsub, a, r, a,                                     "r - r_part")                                    \
    EACH(fsub, a, t, a,                                     "t - (r - r_part)")                              \
    EACH(fsub, tail0, p2, a,                                "excess1")
#define HIGH_AND_TAIL                                                                                        \
    CONSTANT(k0, P2)                                                                                         \
    CONSTANT(k1, P3)                                                                                         \
    EACH(fmul, p3, k, k0,                                   "p3 = k*P2")                                     \
    EACH(fsub, high0, r, p3,                                "high0 = r - p3")                                \
    EACH(fsub, b, high0, r,                                 "high0_part = high0 - r")                        \
    EACH(fadd, p3, p3, b,                                   "p3 + high0_part")                               \
    EACH(fsub, b, high0, b,                                 "high0 - high0_part")                            \
    EACH(fsub, b, r, b,                                     "r - (high0 - high0_part)")                      \
    EACH(fsub, p3, p3, b,                                   "excess2")                                       \
    EACH(fadd, tail0, tail0, p3,                            "excess1 + excess2")                             \
    EACH(fmul, k, k, k1,                                    "k*P3")                                          \
    EACH(fadd, tail0, tail0, k,                             "tail0")                                         \
    EACH(fsub, high, high0, tail0,                          "high = high0 - tail0")                          \
    EACH(fsub, tail, high, high0,                           "high - high0")                                  \
    EACH(fadd, tail, tail, tail0,                           "tail = (high - high0) + tail0")                 \
    EACH(fmul, z, high, high,                               "z = high*high")                                 \
    EACH(fmul, z2, z, z,                                    "z2 = z*z")
#define SIN_WITH_TAIL                                                                                        \
    CONSTANT(k0, one)                                                                                        \
    CONSTANT(k1, half)                                                                                       \
    CONSTANT(k2, S0)                                                                                         \
    EACH(fmul, b, high, z,                                  "cube = high*z")                                 \
    EACH(fmul, b, b, z,                                     "cube*z")                                        \
    EACH(fmul, s, b, s,                                     "(cube*z) * rest")                               \
    EACH(fmul, b, k1, z,                                    "half = 0.5*z")                                  \
    EACH(fsub, w, k0, b,                                    "w = 1 - half")                                  \
    EACH(fmul, b, tail, w,                                  "tail*w")                                        \
    EACH(fadd, s, s, b,                                     "(cube*z)*rest + tail*w")                        \
    EACH(fmul, b, high, z,                                  "cube again")                                    \
    EACH(fmul, b, b, k2,                                    "cube*S0")                                       \
    EACH(fadd, s, b, s,                                     "cube*S0 + (…)")                                 \
    EACH(fsub, s, high, s,                                  "s = high - (…)")                                \
    EACH(fmul, tail, s, tail,                               "s*tail")
#define COS_WITH_TAIL                                                                                        \
    CONSTANT(k0, C0)                                                                                         \
    CONSTANT(k1, half)                                                                                       \
    CONSTANT(k2, one)                                                                                        \
    EACH(fmul, c, z, c,                                     "z * rest")                                      \
    EACH(fadd, c, k0, c,                                    "C0 + z*rest")                                   \
    EACH(fmul, c, z2, c,                                    "z2 * (C0 + z*rest)")                            \
    EACH(fmul, z, k1, z,                                    "half = 0.5*z")                                  \
    EACH(fsub, b, k2, w,                                    "1 - w")                                         \
    EACH(fsub, b, b, z,                                     "(1 - w) - half")                                \
    EACH(fadd, b, b, tail,                                  "((1 - w) - half) + s*tail")                     \
    EACH(fadd, c, b, c,                                     "(…) + z2*(C0 + z*rest)")                        \
    EACH(fadd, c, w, c,                                     "c = w + (…)")
#define QUADRANT                                                                                             \
    LOAD(THETA, q,                                          "theta")                                         \
    CONSTANT(k0, two_over_pi)                                                                                \
    CONSTANT(k1, round)                                                                                      \
    EACH(fmul, q, q, k0,                                    "theta * two_over_pi")                           \
    EACH(fadd, q, q, k1,                                    "q = shifted, again")                            \
    EACH_BY(shl, b, q, "#63",                               "sign bit in quadrants 1, 3")                    \
    EACH_BY(ushr, q, q, "#1",                               "")                                              \
    EACH_BY(shl, q, q, "#63",                               "sign bit in quadrants 2, 3")                    \
    EACH_BY(sshr, z, b, "#63",                              "odd")                                           \
    BITS(eor, z2, s, c,                                     "s ^ c")                                         \
    BITS(and, z2, z2, z,                                    "swap = (s ^ c) & odd")                          \
    BITS(eor, z, s, z2,                                     "odd ? c : s")                                   \
    BITS(eor, z2, c, z2,                                    "odd ? s : c")                                   \
    BITS(eor, b, b, q,                                      "sign bit in quadrants 1, 2")                    \
    BITS(eor, sin, z, q,                                    "sin")                                           \
    BITS(eor, cos, z2, b,                                   "cos")

// [3] accelerations. q = y / total_mass and q = 4/3 - y / total_mass: FMA if that is kTotalMass, DIV if it is
// any number. k2 and k3 are lost.
#define QUOTIENT_FMA(y, q)                                                                                   \
    CONSTANT(k2, zl)                                                                                         \
    CONSTANT(k3, zh)                                                                                         \
    EACH(fmul, q, y, k2,                                    "y*zl")                                          \
    EACH(fmla, q, y, k3,                                    "(…) / total_mass")
#define QUOTIENT_DIV(y, q)                                                                                   \
    PARAM(k2, total_mass)                                                                                    \
    EACH(fdiv, q, y, k2,                                    "(…) / total_mass")
#define FOUR_THIRDS_LESS_FMA(y, q)                                                                           \
    CONSTANT(k2, minus_zl)                                                                                   \
    CONSTANT(k3, zh)                                                                                         \
    EACH(fmul, q, y, k2,                                    "-y*zl")                                         \
    EACH(fmls, q, y, k3,                                    "-(…) / total_mass")                             \
    CONSTANT(k2, four_thirds)                                                                                \
    EACH(fadd, q, k2, q,                                    "4/3 - (…) / total_mass")
#define FOUR_THIRDS_LESS_DIV(y, q)                                                                           \
    PARAM(k2, total_mass)                                                                                    \
    CONSTANT(k3, four_thirds)                                                                                \
    EACH(fdiv, q, y, k2,                                    "(…) / total_mass")                              \
    EACH(fsub, q, k3, q,                                    "4/3 - (…) / total_mass")
#define TEMP(HOW)                                                                                            \
    LOAD(THETA_DOT, a,                                      "theta_dot")                                     \
    PARAM(k0, polemass_length)                                                                               \
    EACH(fmul, a, a, a,                                     "theta_dot * theta_dot")                         \
    EACH(fmul, a, k0, a,                                    "polemass_length * (…)")                         \
    EACH(fmul, a, a, sin,                                   "(polemass_length * (…)) * sin")                 \
    EACH(fsub, a, a, force,                                 "force + (…)")                                   \
    QUOTIENT_##HOW(a, temp)
#define THETA_ACC(HOW)                                                                                       \
    PARAM(k0, masspole)                                                                                      \
    PARAM(k1, length)                                                                                        \
    EACH(fmul, b, cos, cos,                                 "cos*cos")                                       \
    EACH(fmul, b, k0, b,                                    "masspole * (cos*cos)")                          \
    FOUR_THIRDS_LESS_##HOW(b, denominator)                                                                   \
    PARAM(k0, gravity)                                                                                       \
    EACH(fmul, denominator, k1, denominator,                "length * (…)")                                  \
    EACH(fmul, sin, k0, sin,                                "gravity * sin")                                 \
    EACH(fmul, a, cos, temp,                                "cos * temp")                                    \
    EACH(fsub, sin, sin, a,                                 "gravity*sin - cos*temp")                        \
    EACH(fdiv, theta_acc, sin, denominator,                 "theta_acc")
#define X_ACC(HOW)                                                                                           \
    PARAM(k0, polemass_length)                                                                               \
    EACH(fmul, a, k0, theta_acc,                            "polemass_length * theta_acc")                   \
    EACH(fmul, a, a, cos,                                   "(…) * cos")                                     \
    QUOTIENT_##HOW(a, b)                                                                                     \
    EACH(fsub, x_acc, temp, b,                              "x_acc = temp - (…)")

// [4] integration
#define STARTING                                                                                             \
    LOAD(ELAPSED, starting,                                 "elapsed")                                       \
    EACH_BY(cmlt, starting, starting, "#0",                 "elapsed < 0")

// [4] in play: a starting lane, whose state is never -0, adds 0 times something; dt is a
#define INTEGRATION_IN_PLAY(position, velocity, acceleration, POSITION, VELOCITY)                            \
    LOAD(VELOCITY, position,                                "velocity")                                      \
    LOAD(POSITION, b,                                       "position")                                      \
    EACH(fmul, position, a, position,                       "dt * velocity")                                 \
    EACH(fadd, position, b, position,                       "position + dt*velocity")                        \
    STORE(POSITION, position,                               "position")                                      \
    LOAD(VELOCITY, b,                                       "velocity")                                      \
    EACH(fmul, velocity, a, acceleration,                   "dt * acceleration")                             \
    EACH(fadd, velocity, b, velocity,                       "velocity + dt*acceleration")                    \
    STORE(VELOCITY, velocity,                               "velocity")
#define IN_PLAY                                                                                              \
    PARAM(k0, tau)                                                                                           \
    BITS(bic, a, k0, starting,                              "dt = tau, 0 if starting")                       \
    INTEGRATION_IN_PLAY(theta, theta_dot, theta_acc, THETA, THETA_DOT)                                       \
    INTEGRATION_IN_PLAY(x, x_dot, x_acc, X, X_DOT)

// [4] for any state, which a starting lane keeps; the old velocity, a, or the new one moves the position
#define INTEGRATION(position, velocity, acceleration, POSITION, VELOCITY, velocity_used)                     \
    LOAD(VELOCITY, a,                                       "velocity")                                      \
    LOAD(POSITION, b,                                       "position")                                      \
    EACH(fmul, velocity, k0, acceleration,                  "tau * acceleration")                            \
    EACH(fadd, velocity, a, velocity,                       "velocity + tau*acceleration")                   \
    EACH(fmul, position, k0, velocity_used,                 "tau * velocity")                                \
    EACH(fadd, position, b, position,                       "position + tau*velocity")                       \
    BITS(bit, velocity, a, starting,                        "old if starting")                               \
    BITS(bit, position, b, starting,                        "old if starting")                               \
    STORE(VELOCITY, velocity,                               "velocity")                                      \
    STORE(POSITION, position,                               "position")
#define EULER                                                                                                \
    PARAM(k0, tau)                                                                                           \
    INTEGRATION(theta, theta_dot, theta_acc, THETA, THETA_DOT, a)                                            \
    INTEGRATION(x, x_dot, x_acc, X, X_DOT, a)
#define SEMI_IMPLICIT                                                                                        \
    PARAM(k0, tau)                                                                                           \
    INTEGRATION(theta, theta_dot, theta_acc, THETA, THETA_DOT, theta_dot)                                    \
    INTEGRATION(x, x_dot, x_acc, X, X_DOT, x_dot)

// [5] termination and reward. Masks of 8 lanes become 8 bytes.
#define FLAGS(array, mask)                                                                                   \
    OP(uzp1, S4(28), V(S4, G0, mask), V(S4, G1, mask),      "lanes 0-3")                                     \
    OP(uzp1, S4(29), V(S4, G2, mask), V(S4, G3, mask),      "lanes 4-7")                                     \
    OP(uzp1, H8(28), H8(28), H8(29),                        "lanes 0-7")                                     \
    OP(xtn, B8(28), H8(28),                                 "byte i: lane i, -1 or 0")                       \
    OP(neg, B8(28), B8(28),                                 "1 or 0")                                        \
    OP(str, D(28), "[" array "]", "#8",                     "terminated or truncated")
#define TERMINATION                                                                                          \
    PARAM(k0, x_threshold)                                                                                   \
    PARAM(k1, theta_threshold_radians)                                                                       \
    EACH_2(fabs, ended, x,                                  "abs(x)")                                        \
    EACH(fcmgt, ended, ended, k0,                           "abs(x) > x_threshold")                          \
    EACH_2(fabs, b, theta,                                  "abs(theta)")                                    \
    EACH(fcmgt, b, b, k1,                                   "abs(theta) > theta_threshold")                  \
    BITS(orr, ended, ended, b,                              "out")                                           \
    BITS(bic, ended, ended, starting,                       "ended = out and not starting")                  \
    FLAGS(TERMINATED, ended)                                                                                 \
    PARAM(k0, reward_running)                                                                                \
    PARAM(k1, reward_terminated)                                                                             \
    BITS_2(mov, b, ended,                                   "ended")                                         \
    BITS(bsl, b, k1, k0,                                    "reward of the step")                            \
    BITS(bic, b, b, starting,                               "0 if starting")                                 \
    STORE(REWARD, b,                                        "reward")
#define TRUNCATION                                                                                           \
    LOAD(ELAPSED, starting,                                 "elapsed")                                       \
    CONSTANT(k0, ones)                                                                                       \
    OP(ld1r, "{" D2(29) "}", LIMIT,                         "limit")                                         \
    EACH(sub, starting, starting, k0,                       "now = elapsed + 1")                             \
    EACH(cmge, late, starting, k1,                          "late = now >= limit")                           \
    BITS(orr, starting, starting, ended,                    "now | ended")                                   \
    BITS(orr, starting, starting, late,                     "now | ended | late")                            \
    STORE(ELAPSED, starting,                                "elapsed")                                       \
    FLAGS(TRUNCATED, late)

// [6] observation: four columns of four lanes, which st4 writes as rows
#define COLUMN(column, name, low, high)                                                                      \
    OP(fcvtn, S2(column), V(D2, low, name),                 "float(" #name ")")                              \
    OP(fcvtn2, S4(column), V(D2, high, name),               "float(" #name ")")
#define OBSERVE                                                                                              \
    COLUMN(20, x, G0, G1)                                                                                    \
    COLUMN(21, x_dot, G0, G1)                                                                                \
    COLUMN(22, theta, G0, G1)                                                                                \
    COLUMN(23, theta_dot, G0, G1)                                                                            \
    COLUMN(24, x, G2, G3)                                                                                    \
    COLUMN(25, x_dot, G2, G3)                                                                                \
    COLUMN(26, theta, G2, G3)                                                                                \
    COLUMN(27, theta_dot, G2, G3)                                                                            \
    OP(st4, "{v20.4s-v23.4s}", "[" OBSERVATION "]", "#64",  "rows 0-3")                                      \
    OP(st4, "{v24.4s-v27.4s}", "[" OBSERVATION "]", "#64",  "rows 4-7")

#define STEP(name, SIN_AND_COS, HOW, INTEGRATION_OF)                                                         \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("cartpole/" name " lanes=8")                                                                   \
    SIN_AND_COS FORCE                                                                                        \
    TEMP(HOW) THETA_ACC(HOW) X_ACC(HOW)                                                                      \
    STARTING INTEGRATION_OF                                                                                  \
    TERMINATION TRUNCATION                                                                                   \
    OBSERVE                                                                                                  \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(b.ne, "1b",                                          "next 8 lanes")                                  \
    LABEL(2)

#define REDUCED SQUARES REST(S, sin) SIN REST(C, cos) COS
#define ANY_ANGLE PARTS HIGH_AND_TAIL REST(S, s) SIN_WITH_TAIL REST(C, c) COS_WITH_TAIL QUADRANT

__attribute__((noinline)) void step_in_play(const Batch* b) {
    asm volatile(STEP("step_in_play", REDUCED, FMA, IN_PLAY)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

__attribute__((noinline)) void step_in_play_any_mass(const Batch* b) {
    asm volatile(STEP("step_in_play_any_mass", REDUCED, DIV, IN_PLAY)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

// Any params, any state. A kernel for each integrator is less than a blend of the two.
__attribute__((noinline)) void step_euler(const Batch* b) {
    asm volatile(STEP("step_euler", ANY_ANGLE, DIV, EULER)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

__attribute__((noinline)) void step_semi_implicit(const Batch* b) {
    asm volatile(STEP("step_semi_implicit", ANY_ANGLE, DIV, SEMI_IMPLICIT)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
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

}  // namespace compute_layers::asm_aarch64
