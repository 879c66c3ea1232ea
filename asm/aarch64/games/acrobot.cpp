// SPDX-License-Identifier: MIT
#include "games/acrobot.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

using namespace acrobot;

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(one, row(1.0)) ROW(half, row(0.5)) ROW(minus_one, row(-1.0)) ROW(ones, row(kOnes))                   \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(half_pi, row(kPi / 2)) ROW(pi, row(kPi)) ROW(two_pi, row(2 * kPi)) ROW(sign, row(~kAbs))             \
    ROW(int_one, row(uint64_t{1}))

// Numbers of eight lanes on their way through the stages.
#define LANES(ROW)                                                                                           \
    ROW(torque, ) ROW(arg_a, ) ROW(arg_b, ) ROW(arg_c, )                                                     \
    ROW(sin1, ) ROW(cos1, ) ROW(sin2, ) ROW(cos2, ) ROW(pull1, ) ROW(pull2, )                                \
    ROW(d1, ) ROW(d2, ) ROW(d2_by_d1, ) ROW(divisor, )                                                       \
    ROW(rate1, ) ROW(rate2, ) ROW(acc1, ) ROW(acc2, )                                                        \
    ROW(sum_rate1, ) ROW(sum_rate2, ) ROW(sum_acc1, ) ROW(sum_acc2, ) ROW(starting, )
#define LANES_FIELD(name, value) Row name[2];
#define LANES_OFFSET(name, value) "\t.set .Ls_" #name ", .Lnext\n\t.set .Lnext, .Lnext + 64\n"

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };
#define CHAIN_ROW(name, value) row(value),
struct Chain { ACROBOT_CHAIN(ROW_FIELD) };
constexpr Chain chain_of(const Params& p) { return { ACROBOT_CHAIN(CHAIN_ROW) }; }
struct Scratch { LANES(LANES_FIELD) };

// An iteration takes 8 lanes in four groups of two, G0 to G3, and every line of a section is an instruction
// for each of the four: enough independent work to hide the latency of arithmetic. What is needed again waits in
// the scratch memory.
//
// General registers
//   x2  theta1       x6  elapsed   x10 truncated        x14 lanes left       x19 seconds and weight of a stage
//   x3  theta2       x7  action    x11 observation      x15 scratch          x20 stages or turns left
//   x4  theta_dot1   x8  reward    x12 rows of params   x16 sin2 (cache)     [b] the batch      [c] the chain
//   x5  theta_dot2   x9  terminated x13 limit           x17 cos2 (cache)     [k] kConstants     [s] scratch memory
//
// Vector registers, in fours for the groups, by what they hold in turn; elsewhere u0 to u6
//   0-3    u0   w
//   4-7    u1   k, high, c, sin
//   8-11   u2   r, excess, s, cos
//   12-15  u3   t, p3, excess, z
//   16-19  u4   p2, excess, tail0, z2
//   20-23  u5   a: high0, tail, q
//   24-27  u6   b: scratch
//   28-31  k0 to k3: a constant or one of the params, the same for all groups
#define R_u0    0, 1, 2, 3
#define R_u1    4, 5, 6, 7
#define R_u2    8, 9, 10, 11
#define R_u3    12, 13, 14, 15
#define R_u4    16, 17, 18, 19
#define R_u5    20, 21, 22, 23
#define R_u6    24, 25, 26, 27
#define R_w     R_u0
#define R_k     R_u1
#define R_high  R_u1
#define R_c     R_u1
#define R_sin   R_u1
#define R_r     R_u2
#define R_s     R_u2
#define R_cos   R_u2
#define R_t     R_u3
#define R_p3    R_u3
#define R_z     R_u3
#define R_p2    R_u4
#define R_tail0 R_u4
#define R_z2    R_u4
#define R_a     R_u5
#define R_high0 R_u5
#define R_tail  R_u5
#define R_q     R_u5
#define R_b     R_u6
#define R_k0    28, 28, 28, 28
#define R_k1    29, 29, 29, 29
#define R_k2    30, 30, 30, 30
#define R_k3    31, 31, 31, 31

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

// The 8 lanes of an array, which is what a register points to, or a row of the scratch memory.
#define LOAD(array, d, note) array(LOAD_FROM, d, note)
#define STORE(array, d, note) array(STORE_TO, d, note)
#define LOAD_FROM(x, d, note)                                                                                \
    OP(ldp, V(Q, G0, d), V(Q, G1, d), "[" x "]", note) OP(ldp, V(Q, G2, d), V(Q, G3, d), "[" x ", #32]", note)
#define STORE_TO(x, d, note)                                                                                 \
    OP(stp, V(Q, G0, d), V(Q, G1, d), "[" x "]", note) OP(stp, V(Q, G2, d), V(Q, G3, d), "[" x ", #32]", note)
#define THETA1(HOW, d, note)     HOW("x2", d, note)
#define THETA2(HOW, d, note)     HOW("x3", d, note)
#define THETA_DOT1(HOW, d, note) HOW("x4", d, note)
#define THETA_DOT2(HOW, d, note) HOW("x5", d, note)
#define ELAPSED(HOW, d, note)    HOW("x6", d, note)
#define ACTION(HOW, d, note)     HOW("x7", d, note)
#define REWARD(HOW, d, note)     HOW("x8", d, note)
#define SIN2(HOW, d, note)       HOW("x16", d, note)
#define COS2(HOW, d, note)       HOW("x17", d, note)
#define OF_LANES(HOW, name, d, note)                                                                         \
    OP(add, "x15", "%[s]", ".Ls_" #name, #name) HOW("x15", d, note)
#define L_torque(HOW, d, note)    OF_LANES(HOW, torque, d, note)
#define L_arg_a(HOW, d, note)     OF_LANES(HOW, arg_a, d, note)
#define L_arg_b(HOW, d, note)     OF_LANES(HOW, arg_b, d, note)
#define L_arg_c(HOW, d, note)     OF_LANES(HOW, arg_c, d, note)
#define L_sin1(HOW, d, note)      OF_LANES(HOW, sin1, d, note)
#define L_cos1(HOW, d, note)      OF_LANES(HOW, cos1, d, note)
#define L_sin2(HOW, d, note)      OF_LANES(HOW, sin2, d, note)
#define L_cos2(HOW, d, note)      OF_LANES(HOW, cos2, d, note)
#define L_pull1(HOW, d, note)     OF_LANES(HOW, pull1, d, note)
#define L_pull2(HOW, d, note)     OF_LANES(HOW, pull2, d, note)
#define L_d1(HOW, d, note)        OF_LANES(HOW, d1, d, note)
#define L_d2(HOW, d, note)        OF_LANES(HOW, d2, d, note)
#define L_d2_by_d1(HOW, d, note)  OF_LANES(HOW, d2_by_d1, d, note)
#define L_divisor(HOW, d, note)   OF_LANES(HOW, divisor, d, note)
#define L_rate1(HOW, d, note)     OF_LANES(HOW, rate1, d, note)
#define L_rate2(HOW, d, note)     OF_LANES(HOW, rate2, d, note)
#define L_acc1(HOW, d, note)      OF_LANES(HOW, acc1, d, note)
#define L_acc2(HOW, d, note)      OF_LANES(HOW, acc2, d, note)
#define L_sum_rate1(HOW, d, note) OF_LANES(HOW, sum_rate1, d, note)
#define L_sum_rate2(HOW, d, note) OF_LANES(HOW, sum_rate2, d, note)
#define L_sum_acc1(HOW, d, note)  OF_LANES(HOW, sum_acc1, d, note)
#define L_sum_acc2(HOW, d, note)  OF_LANES(HOW, sum_acc2, d, note)
#define L_starting(HOW, d, note)  OF_LANES(HOW, starting, d, note)
#define TERMINATED  "x9"
#define TRUNCATED   "x10"
#define OBSERVATION "x11"
#define LIMIT       "[x13]"

#define CONSTANT(k, name) OP(ldr, V(Q, G0, k), K(name), #name)
#define PARAM(k, name) OP(ldr, V(Q, G0, k), AT("x12", name), #name)
#define CHAIN(k, name) OP(ldr, V(Q, G0, k), "[%[c], .Lk_" #name "]", #name)
#define SECONDS(k) OP(ldr, V(Q, G0, k), "[x19]", "seconds")
#define WEIGHT(k) OP(ldr, V(Q, G0, k), "[x19, #32]", "weight")
#define PARAM_OFFSET(field) [field] "i"(FIELD(Params, field) * sizeof(Row))

static_assert(FIELD(State, theta1) == 0 && FIELD(State, theta2) == 1 && FIELD(State, theta_dot1) == 2 &&
              FIELD(State, theta_dot2) == 3 && FIELD(Cache, sin2) == 0 && FIELD(Cache, cos2) == 1);

// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    ROW_OFFSETS(ACROBOT_CHAIN)                                                                               \
    "\t.set .Lnext, 0\n" LANES(LANES_OFFSET)                                                                 \
    OP(ldr, "x14", B(n),                                    "lanes")                                         \
    OP(cbz, "x14", "2f",                                    "none")                                          \
    OP(ldr, "x2", B(state),                                 "theta1")                                        \
    OP(ldr, "x13", B(stride),                               "")                                              \
    OP(lsl, "x13", "x13", "#3",                             "stride in bytes")                               \
    OP(add, "x3", "x2", "x13",                              "theta2")                                        \
    OP(add, "x4", "x3", "x13",                              "theta_dot1")                                    \
    OP(add, "x5", "x4", "x13",                              "theta_dot2")                                    \
    OP(ldr, "x16", B(cache),                                "sin2")                                          \
    OP(add, "x17", "x16", "x13",                            "cos2")                                          \
    OP(ldr, "x6", B(elapsed),                               "")                                              \
    OP(ldr, "x7", B(action),                                "")                                              \
    OP(ldr, "x8", B(reward),                                "")                                              \
    OP(ldr, TERMINATED, B(terminated),                      "")                                              \
    OP(ldr, TRUNCATED, B(truncated),                        "")                                              \
    OP(ldr, OBSERVATION, B(observation),                    "")                                              \
    OP(ldr, "x12", B(rows),                                 "")                                              \
    OP(add, "x13", "%[b]", "%[limit]",                      "where the limit stands")

// The flags and the observation have moved on when they were stored.
#define NEXT                                                                                                 \
    OP(add, "x2", "x2", "#64",                              "8 lanes on")                                    \
    OP(add, "x3", "x3", "#64",                              "")                                              \
    OP(add, "x4", "x4", "#64",                              "")                                              \
    OP(add, "x5", "x5", "#64",                              "")                                              \
    OP(add, "x16", "x16", "#64",                            "")                                              \
    OP(add, "x17", "x17", "#64",                            "")                                              \
    OP(add, "x6", "x6", "#64",                              "")                                              \
    OP(add, "x7", "x7", "#64",                              "")                                              \
    OP(add, "x8", "x8", "#64",                              "")                                              \
    OP(subs, "x14", "x14", "#8",                            "lanes left")

#define OPERANDS                                                                                             \
    [b] "r"(b), [k] "r"(&kConstants), [c] "r"(c), [s] "r"(s), OFFSET(Batch, n), OFFSET(Batch, stride),       \
        OFFSET(Batch, state), OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation),     \
        OFFSET(Batch, reward), OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows),     \
        OFFSET(Batch, cache), OFFSET(Batch, limit), PARAM_OFFSET(MAX_VEL_1), PARAM_OFFSET(MAX_VEL_2),        \
        PARAM_OFFSET(AVAIL_TORQUE_0), PARAM_OFFSET(AVAIL_TORQUE_1), PARAM_OFFSET(AVAIL_TORQUE_2),            \
        [turns] "i"(kTurns)
#define CLOBBERS                                                                                             \
    V_CLOBBERS, "memory", "cc", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",  \
        "x14", "x15", "x16", "x17", "x19", "x20"

// [1] torque
#define TORQUE_QUIET                                                                                         \
    LOAD(ACTION, u0,                                        "action")                                        \
    CONSTANT(k0, int_one)                                                                                    \
    PARAM(k1, AVAIL_TORQUE_0)                                                                                \
    PARAM(k2, AVAIL_TORQUE_1)                                                                                \
    PARAM(k3, AVAIL_TORQUE_2)                                                                                \
    EACH_BY(cmeq, u1, u0, "#0",                             "action == 0")                                   \
    EACH(cmeq, u0, u0, k0,                                  "action == 1")                                   \
    BITS_2(mov, u2, k3,                                     "AVAIL_TORQUE_2")                                \
    BITS(bit, u2, k2, u0,                                   "AVAIL_TORQUE_1 if action == 1")                 \
    BITS(bit, u2, k1, u1,                                   "AVAIL_TORQUE_0 if action == 0")                 \
    STORE(L_torque, u2,                                     "torque")
// The noise has been drawn into the rewards.
#define TORQUE_NOISY                                                                                         \
    TORQUE_QUIET                                                                                             \
    LOAD(REWARD, u0,                                        "noise")                                         \
    EACH(fadd, u2, u2, u0,                                  "torque + noise")                                \
    STORE(L_torque, u2,                                     "torque")

// [2] sin, cos of x by the numbered steps of numerics.hpp. For |x| <= 2**19 each k*P is exact, and may be part of an
// fma; and what a difference left out is that of the operands and the rounded difference: it stands in a multiple of
// 2**-66 that is small enough, or its second operand is the smaller one. Its negative comes more easily.
#define REDUCE_PLAIN(x)                                                                                      \
    LOAD(x, t,                                              "x")                                             \
    CONSTANT(k0, two_over_pi)                                                                                \
    CONSTANT(k1, round)                                                                                      \
    CONSTANT(k2, P0)                                                                                         \
    CONSTANT(k3, P1)                                                                                         \
    EACH(fmul, k, t, k0,                                    "x * two_over_pi")                               \
    EACH(fadd, k, k, k1,                                    "shifted")                                       \
    EACH(fsub, k, k, k1,                                    "k = shifted - round")                           \
    EACH(fmls, t, k, k2,                                    "t = x - k*P0")                                  \
    BITS_2(mov, r, t,                                       "t")                                             \
    EACH(fmls, r, k, k3,                                    "r = t - k*P1")                                  \
    EACH(fsub, t, t, r,                                     "t - r")                                         \
    EACH(fmls, t, k, k3,                                    "-excess1 = (t - r) - k*P1")                     \
    CONSTANT(k0, P2)                                                                                         \
    CONSTANT(k1, P3)                                                                                         \
    BITS_2(mov, high0, r,                                   "r")                                             \
    EACH(fmls, high0, k, k0,                                "high0 = r - k*P2")                              \
    EACH(fsub, r, r, high0,                                 "r - high0")                                     \
    EACH(fmls, r, k, k0,                                    "-excess2 = (r - high0) - k*P2")                 \
    EACH(fadd, t, t, r,                                     "-(excess1 + excess2)")                          \
    EACH(fmul, k, k, k1,                                    "k*P3")                                          \
    EACH(fsub, tail0, k, t,                                 "tail0")                                         \
    HIGH_AND_TAIL
#define REDUCE_ANY(x)                                                                                        \
    LOAD(x, t,                                              "x")                                             \
    CONSTANT(k0, two_over_pi)                                                                                \
    CONSTANT(k1, round)                                                                                      \
    CONSTANT(k2, P0)                                                                                         \
    CONSTANT(k3, P1)                                                                                         \
    EACH(fmul, k, t, k0,                                    "x * two_over_pi")                               \
    EACH(fadd, k, k, k1,                                    "shifted")                                       \
    EACH(fsub, k, k, k1,                                    "k = shifted - round")                           \
    EACH(fmul, b, k, k2,                                    "k*P0")                                          \
    EACH(fsub, t, t, b,                                     "t = x - k*P0")                                  \
    EACH(fmul, p2, k, k3,                                   "p2 = k*P1")                                     \
    EACH(fsub, r, t, p2,                                    "r = t - p2")                                    \
    EACH(fsub, a, r, t,                                     "r_part = r - t")                                \
    EACH(fadd, p2, p2, a,                                   "p2 + r_part")                                   \
    EACH(fsub, a, r, a,                                     "r - r_part")                                    \
    EACH(fsub, a, t, a,                                     "t - (r - r_part)")                              \
    EACH(fsub, tail0, p2, a,                                "excess1")                                       \
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
    HIGH_AND_TAIL
#define HIGH_AND_TAIL                                                                                        \
    EACH(fsub, high, high0, tail0,                          "high = high0 - tail0")                          \
    EACH(fsub, tail, high, high0,                           "high - high0")                                  \
    EACH(fadd, tail, tail, tail0,                           "tail = (high - high0) + tail0")                 \
    EACH(fmul, z, high, high,                               "z = high*high")                                 \
    EACH(fmul, z2, z, z,                                    "z2 = z*z")
// (c1 + z*c2) + z2*((c3 + z*c4) + z2*c5)
#define REST(c, rest)                                                                                        \
    CONSTANT(k0, c##4)                                                                                       \
    CONSTANT(k1, c##5)                                                                                       \
    CONSTANT(k2, c##3)                                                                                       \
    CONSTANT(k3, c##2)                                                                                       \
    EACH(fmul, rest, z, k0,                                 "z*c4")                                          \
    EACH(fadd, rest, rest, k2,                              "c3 + z*c4")                                     \
    EACH(fmul, b, z2, k1,                                   "z2*c5")                                         \
    EACH(fadd, rest, rest, b,                               "(c3 + z*c4) + z2*c5")                           \
    CONSTANT(k0, c##1)                                                                                       \
    EACH(fmul, rest, z2, rest,                              "z2 * (…)")                                      \
    EACH(fmul, b, z, k3,                                    "z*c2")                                          \
    EACH(fadd, b, b, k0,                                    "c1 + z*c2")                                     \
    EACH(fadd, rest, b, rest,                               "rest")
#define SIN                                                                                                  \
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
#define COS                                                                                                  \
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
#define QUADRANT(x)                                                                                          \
    LOAD(x, q,                                              "x")                                             \
    CONSTANT(k0, two_over_pi)                                                                                \
    CONSTANT(k1, round)                                                                                      \
    EACH(fmul, q, q, k0,                                    "x * two_over_pi")                               \
    EACH(fadd, q, q, k1,                                    "q = shifted, again: its low bits")              \
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
#define SIN_COS(HOW, x) REDUCE_##HOW(x) REST(S, s) SIN REST(C, c) COS QUADRANT(x)
#define COS_TO(HOW, x, cosine)                                                                               \
    SIN_COS(HOW, x)                                                                                          \
    STORE(cosine, cos,                                      "cos")
#define SIN_COS_TO(HOW, x, sine, cosine)                                                                     \
    SIN_COS(HOW, x)                                                                                          \
    STORE(sine, sin,                                        "sin")                                           \
    STORE(cosine, cos,                                      "cos")

// [3] accelerations: first what depends on cos2 alone
#define DIVISORS(cosine)                                                                                     \
    LOAD(cosine, u0,                                        "cos2")                                          \
    CHAIN(k0, twice_lengths)                                                                                 \
    CHAIN(k1, squares)                                                                                       \
    CHAIN(k2, mass2)                                                                                         \
    CHAIN(k3, square1)                                                                                       \
    EACH(fmul, u1, k0, u0,                                  "twice_lengths * cos2")                          \
    EACH(fadd, u1, k1, u1,                                  "squares + (…)")                                 \
    EACH(fmul, u1, k2, u1,                                  "mass2 * (…)")                                   \
    EACH(fadd, u1, k3, u1,                                  "square1 + (…)")                                 \
    CHAIN(k0, moi)                                                                                           \
    CHAIN(k1, lengths)                                                                                       \
    CHAIN(k3, square2)                                                                                       \
    EACH(fadd, u1, u1, k0,                                  "(…) + moi")                                     \
    EACH(fadd, u1, u1, k0,                                  "d1")                                            \
    EACH(fmul, u2, k1, u0,                                  "lengths * cos2")                                \
    EACH(fadd, u2, k3, u2,                                  "square2 + (…)")                                 \
    EACH(fmul, u2, k2, u2,                                  "mass2 * (…)")                                   \
    EACH(fadd, u2, u2, k0,                                  "d2")                                            \
    CHAIN(k0, inertia2)                                                                                      \
    STORE(L_d1, u1,                                         "d1")                                            \
    STORE(L_d2, u2,                                         "d2")                                            \
    EACH(fdiv, u3, u2, u1,                                  "d2 / d1")                                       \
    STORE(L_d2_by_d1, u3,                                   "d2 / d1")                                       \
    EACH(fmul, u2, u2, u2,                                  "d2*d2")                                         \
    EACH(fdiv, u2, u2, u1,                                  "(d2*d2) / d1")                                  \
    EACH(fsub, u2, k0, u2,                                  "inertia2 - (…)")                                \
    STORE(L_divisor, u2,                                    "divisor of acc2")
// acc2 is u4 then, acc1 u3.
#define ACCELERATIONS(sine)                                                                                  \
    LOAD(L_rate2, u0,                                       "theta_dot2")                                    \
    LOAD(L_rate1, u1,                                       "theta_dot1")                                    \
    LOAD(sine, u2,                                          "sin2")                                          \
    CHAIN(k0, minus_swing)                                                                                   \
    CHAIN(k1, twice_swing)                                                                                   \
    CHAIN(k2, gravity1)                                                                                      \
    CHAIN(k3, gravity2)                                                                                      \
    EACH(fmul, u3, u0, u0,                                  "theta_dot2 * theta_dot2")                       \
    EACH(fmul, u3, k0, u3,                                  "minus_swing * (…)")                             \
    EACH(fmul, u3, u3, u2,                                  "(…) * sin2")                                    \
    EACH(fmul, u0, k1, u0,                                  "twice_swing * theta_dot2")                      \
    EACH(fmul, u0, u0, u1,                                  "(…) * theta_dot1")                              \
    EACH(fmul, u0, u0, u2,                                  "(…) * sin2")                                    \
    EACH(fsub, u3, u3, u0,                                  "(…) - (…)")                                     \
    LOAD(L_pull1, u0,                                       "pull1")                                         \
    EACH(fmul, u0, k2, u0,                                  "gravity1 * pull1")                              \
    EACH(fadd, u3, u3, u0,                                  "(…) + (…)")                                     \
    LOAD(L_pull2, u0,                                       "pull2")                                         \
    EACH(fmul, u0, k3, u0,                                  "phi2 = gravity2 * pull2")                       \
    EACH(fadd, u3, u3, u0,                                  "phi1 = (…) + phi2")                             \
    LOAD(L_d2_by_d1, u4,                                    "d2 / d1")                                       \
    LOAD(L_torque, u5,                                      "torque")                                        \
    CHAIN(k0, swing)                                                                                         \
    CHAIN(k1, book_or_nips)                                                                                  \
    EACH(fmul, u4, u4, u3,                                  "(d2 / d1) * phi1")                              \
    EACH(fadd, u4, u5, u4,                                  "push = torque + (…)")                           \
    EACH(fmul, u1, u1, u1,                                  "theta_dot1 * theta_dot1")                       \
    EACH(fmul, u1, k0, u1,                                  "swing * (…)")                                   \
    EACH(fmul, u1, u1, u2,                                  "(…) * sin2")                                    \
    EACH(fsub, u1, u4, u1,                                  "push - (…)")                                    \
    OP(cmeq, V(D2, G0, k1), V(D2, G0, k1), "#0",            "if book: +0")                                     \
    BITS(bit, u4, u1, k1,                                   "push - (…) if book")                            \
    EACH(fsub, u4, u4, u0,                                  "push - phi2")                                   \
    LOAD(L_divisor, u0,                                     "divisor")                                       \
    EACH(fdiv, u4, u4, u0,                                  "acc2")                                          \
    LOAD(L_d2, u1,                                          "d2")                                            \
    LOAD(L_d1, u2,                                          "d1")                                            \
    EACH(fmul, u1, u1, u4,                                  "d2 * acc2")                                     \
    EACH(fadd, u1, u1, u3,                                  "(…) + phi1")                                    \
    EACH_2(fneg, u1, u1,                                    "-(…)")                                          \
    EACH(fdiv, u3, u1, u2,                                  "acc1")                                          \
    STORE(L_acc2, u4,                                       "acc2")                                          \
    STORE(L_acc1, u3,                                       "acc1")

// theta1 and theta2 are u1 and u2.
#define ARGUMENTS                                                                                            \
    CONSTANT(k0, half_pi)                                                                                    \
    EACH(fadd, u2, u1, u2,                                  "theta1 + theta2")                               \
    EACH(fsub, u1, u1, k0,                                  "theta1 - pi/2")                                 \
    EACH(fsub, u2, u2, k0,                                  "(theta1 + theta2) - pi/2")                      \
    STORE(L_arg_b, u1,                                      "")                                              \
    STORE(L_arg_c, u2,                                      "")
// The first stage takes place at the state.
#define FIRST_STAGE(HOW)                                                                                     \
    LOAD(THETA1, u1,                                        "theta1")                                        \
    LOAD(THETA2, u2,                                        "theta2")                                        \
    ARGUMENTS                                                                                                \
    LOAD(THETA_DOT1, u0,                                    "theta_dot1")                                    \
    STORE(L_rate1, u0,                                      "")                                              \
    STORE(L_sum_rate1, u0,                                  "")                                              \
    LOAD(THETA_DOT2, u0,                                    "theta_dot2")                                    \
    STORE(L_rate2, u0,                                      "")                                              \
    STORE(L_sum_rate2, u0,                                  "")                                              \
    DIVISORS(COS2)                                                                                           \
    COS_TO(HOW, L_arg_b, L_pull1)                                                                            \
    COS_TO(HOW, L_arg_c, L_pull2)                                                                            \
    ACCELERATIONS(SIN2)                                                                                      \
    STORE(L_sum_acc2, u4,                                   "")                                              \
    STORE(L_sum_acc1, u3,                                   "")
// The others at the state that the k before leads to; the weights are powers of 2, so that an fma is exact.
#define ADD_UP(sum, k)                                                                                       \
    LOAD(sum, u0,                                           "the sum")                                       \
    EACH(fmla, u0, k, k1,                                   "(…) + weight*k")                                \
    STORE(sum, u0,                                          "the sum")
#define MOVE_RATE(acc, THETA_DOT, rate, sum)                                                                 \
    LOAD(acc, u1,                                           "acceleration")                                  \
    LOAD(THETA_DOT, u2,                                     "theta_dot")                                     \
    EACH(fmul, u1, k0, u1,                                  "seconds * acceleration")                        \
    EACH(fadd, u1, u2, u1,                                  "theta_dot + (…)")                               \
    STORE(rate, u1,                                         "")                                              \
    ADD_UP(sum, u1)
#define NEXT_STAGE(HOW)                                                                                      \
    SECONDS(k0)                                                                                              \
    LOAD(L_rate1, u1,                                       "rate1")                                         \
    LOAD(L_rate2, u2,                                       "rate2")                                         \
    LOAD(THETA1, u3,                                        "theta1")                                        \
    LOAD(THETA2, u4,                                        "theta2")                                        \
    EACH(fmul, u1, k0, u1,                                  "seconds * rate1")                               \
    EACH(fmul, u2, k0, u2,                                  "seconds * rate2")                               \
    EACH(fadd, u1, u3, u1,                                  "theta1 + (…)")                                  \
    EACH(fadd, u2, u4, u2,                                  "theta2 + (…)")                                  \
    STORE(L_arg_a, u2,                                      "")                                              \
    ARGUMENTS                                                                                                \
    SECONDS(k0)                                                                                              \
    WEIGHT(k1)                                                                                               \
    MOVE_RATE(L_acc1, THETA_DOT1, L_rate1, L_sum_rate1)                                                      \
    MOVE_RATE(L_acc2, THETA_DOT2, L_rate2, L_sum_rate2)                                                      \
    SIN_COS_TO(HOW, L_arg_a, L_sin2, L_cos2)                                                                 \
    DIVISORS(L_cos2)                                                                                         \
    COS_TO(HOW, L_arg_b, L_pull1)                                                                            \
    COS_TO(HOW, L_arg_c, L_pull2)                                                                            \
    ACCELERATIONS(L_sin2)                                                                                    \
    WEIGHT(k1)                                                                                               \
    ADD_UP(L_sum_acc2, u4)                                                                                   \
    ADD_UP(L_sum_acc1, u3)

// [4] integration
#define INTEGRATE(sum, OLD, x)                                                                               \
    CHAIN(k0, sixth)                                                                                         \
    LOAD(sum, x,                                            "the sum")                                       \
    LOAD(OLD, u6,                                           "the state")                                     \
    EACH(fmul, x, k0, x,                                    "(dt / 6) * (…)")                                \
    EACH(fadd, x, u6, x,                                    "the state + (…)")
// [5] turns and bounds: a turn, and the next one only if an angle needs it. k0 is pi, k1 two_pi, k2 sign.
#define OUTSIDE(x, mask)                                                                                     \
    EACH_2(fabs, mask, x,                                   "abs(x)")                                        \
    EACH(fcmgt, mask, mask, k0,                             "abs(x) > pi")
#define TURN(x)                                                                                              \
    OUTSIDE(x, u3)                                                                                           \
    BITS(and, u4, x, k2,                                    "")                                              \
    BITS(orr, u4, u4, k1,                                   "a turn with the sign of x")                     \
    BITS(and, u4, u4, u3,                                   "0 if abs(x) <= pi")                             \
    EACH(fsub, x, x, u4,                                    "x - (…)")
#define TURNS                                                                                                \
    INTEGRATE(L_sum_rate1, THETA1, u1)                                                                       \
    INTEGRATE(L_sum_rate2, THETA2, u2)                                                                       \
    CONSTANT(k0, pi)                                                                                         \
    CONSTANT(k1, two_pi)                                                                                     \
    CONSTANT(k2, sign)                                                                                       \
    OP(mov, "x20", "%[turns]",                              "turns")                                         \
    LABEL(3)                                                                                                 \
    TURN(u1)                                                                                                 \
    TURN(u2)                                                                                                 \
    OUTSIDE(u1, u3)                                                                                          \
    OUTSIDE(u2, u4)                                                                                          \
    BITS(orr, u3, u3, u4,                                   "")                                              \
    OP(orr, V(B16, G0, u3), V(B16, G0, u3), V(B16, G1, u3), "")                                              \
    OP(orr, V(B16, G2, u3), V(B16, G2, u3), V(B16, G3, u3), "")                                              \
    OP(orr, V(B16, G0, u3), V(B16, G0, u3), V(B16, G2, u3), "")                                              \
    OP(umaxp, V(S4, G0, u3), V(S4, G0, u3), V(S4, G0, u3),  "any lane, in the low half")                     \
    OP(fmov, "x15", V(D, G0, u3),                           "")                                              \
    OP(cbz, "x15", "4f",                                    "all within")                                    \
    OP(subs, "x20", "x20", "#1",                            "turns left")                                    \
    OP(b.ne, "3b",                                          "")                                              \
    LABEL(4)                                                                                                 \
    LOAD(ELAPSED, u5,                                       "elapsed")                                       \
    EACH_BY(cmlt, u5, u5, "#0",                             "starting = elapsed < 0")                        \
    STORE(L_starting, u5,                                   "starting")                                      \
    LOAD(THETA1, u3,                                        "theta1")                                        \
    LOAD(THETA2, u4,                                        "theta2")                                        \
    BITS(bit, u1, u3, u5,                                   "old if starting")                               \
    BITS(bit, u2, u4, u5,                                   "old if starting")                               \
    STORE(THETA1, u1,                                       "theta1")                                        \
    STORE(THETA2, u2,                                       "theta2")                                        \
    EACH(fadd, u1, u2, u1,                                  "theta2 + theta1")                               \
    STORE(L_arg_c, u1,                                      "")                                              \
    BOUND(L_sum_acc1, THETA_DOT1, MAX_VEL_1)                                                                 \
    BOUND(L_sum_acc2, THETA_DOT2, MAX_VEL_2)
#define BOUND(sum, THETA_DOT, most)                                                                          \
    INTEGRATE(sum, THETA_DOT, u1)                                                                            \
    PARAM(k0, most)                                                                                          \
    OP(fneg, V(D2, G0, k1), V(D2, G0, k0),                  "-" #most)                                       \
    EACH(fcmgt, u2, k1, u1,                                 "-" #most " > x")                                \
    BITS(bit, u1, k1, u2,                                   "max(x, -" #most ")")                            \
    EACH(fcmgt, u2, u1, k0,                                 "(…) > " #most)                                  \
    BITS(bit, u1, k0, u2,                                   "min(…, " #most ")")                             \
    BITS(bit, u1, u6, u5,                                   "old if starting")                               \
    STORE(THETA_DOT, u1,                                    "theta_dot")

// [6] termination and reward; the negative of both sides is compared. Masks of 8 lanes become 8 bytes.
#define FLAGS(array, mask)                                                                                   \
    OP(uzp1, S4(28), V(S4, G0, mask), V(S4, G1, mask),      "lanes 0-3")                                     \
    OP(uzp1, S4(29), V(S4, G2, mask), V(S4, G3, mask),      "lanes 4-7")                                     \
    OP(uzp1, H8(28), H8(28), H8(29),                        "lanes 0-7")                                     \
    OP(xtn, B8(28), H8(28),                                 "byte i: lane i, -1 or 0")                       \
    OP(neg, B8(28), B8(28),                                 "1 or 0")                                        \
    OP(str, D(28), "[" array "]", "#8",                     "terminated or truncated")
#define TERMINATION                                                                                          \
    LOAD(L_cos1, u0,                                        "cos1")                                          \
    LOAD(L_pull2, u1,                                       "cos(theta2 + theta1)")                          \
    LOAD(L_starting, u2,                                    "starting")                                      \
    CONSTANT(k0, minus_one)                                                                                  \
    EACH(fadd, u1, u0, u1,                                  "cos1 + cos(theta2 + theta1)")                   \
    EACH(fcmgt, u1, k0, u1,                                 "up = -(…) > 1")                                 \
    BITS(bic, u1, u1, u2,                                   "ended = up and not starting")                   \
    BITS(orr, u2, u1, u2,                                   "")                                              \
    BITS(bic, u2, k0, u2,                                   "-1, 0 if ended or starting")                    \
    STORE(REWARD, u2,                                       "reward")                                        \
    LOAD(ELAPSED, u2,                                       "elapsed")                                       \
    CONSTANT(k0, ones)                                                                                       \
    OP(ld1r, "{" D2(29) "}", LIMIT,                         "limit")                                         \
    EACH(sub, u2, u2, k0,                                   "now = elapsed + 1")                             \
    EACH(cmge, u3, u2, k1,                                  "late = now >= limit")                           \
    BITS(orr, u2, u2, u1,                                   "now | ended")                                   \
    BITS(orr, u2, u2, u3,                                   "now | ended | late")                            \
    STORE(ELAPSED, u2,                                      "elapsed")                                       \
    FLAGS(TERMINATED, u1)                                                                                    \
    FLAGS(TRUNCATED, u3)

// [7] observation: of two lanes the pairs of columns, which st3 writes as rows
#define PAIR(to, g, low, high, note)                                                                         \
    OP(fcvtn, S2(24), V(D2, g, low),                        "float")                                         \
    OP(fcvtn, S2(25), V(D2, g, high),                       "float")                                         \
    OP(zip1, S4(to), S4(24), S4(25),                        note)
#define ROWS_OF(g)                                                                                           \
    PAIR(28, g, u0, u1,                                     "cos1 sin1")                                     \
    PAIR(29, g, u2, u3,                                     "cos2 sin2")                                     \
    PAIR(30, g, u4, u5,                                     "theta_dot1 theta_dot2")                         \
    OP(st3, "{v28.2d-v30.2d}", "[" OBSERVATION "]", "#48",  "two rows")
#define OBSERVE                                                                                              \
    LOAD(L_sin1, u1,                                        "sin1")                                          \
    LOAD(COS2, u2,                                          "cos2")                                          \
    LOAD(SIN2, u3,                                          "sin2")                                          \
    LOAD(THETA_DOT1, u4,                                    "theta_dot1")                                    \
    LOAD(THETA_DOT2, u5,                                    "theta_dot2")                                    \
    ROWS_OF(G0) ROWS_OF(G1) ROWS_OF(G2) ROWS_OF(G3)

#define STEP(name, HOW, TORQUE)                                                                              \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("acrobot/" name ", k1 lanes=8")                                                                \
    TORQUE                                                                                                   \
    FIRST_STAGE(HOW)                                                                                         \
    MCA_END                                                                                                  \
    OP(add, "x19", "%[c]", ".Lk_seconds2",                  "")                                              \
    OP(mov, "x20", "#3",                                    "stages")                                        \
    LOOP(5)                                                                                                  \
    MCA_BEGIN("acrobot/" name ", k2 or k3 or k4 lanes=8")                                                    \
    NEXT_STAGE(HOW)                                                                                          \
    OP(add, "x19", "x19", "#64",                            "the next seconds and weight")                   \
    OP(subs, "x20", "x20", "#1",                            "stages left")                                   \
    MCA_END                                                                                                  \
    OP(b.ne, "5b",                                          "")                                              \
    TURNS                                                                                                    \
    MCA_BEGIN("acrobot/" name ", the new state lanes=8")                                                     \
    SIN_COS_TO(HOW, THETA1, L_sin1, L_cos1)                                                                  \
    SIN_COS_TO(HOW, THETA2, SIN2, COS2)                                                                      \
    COS_TO(HOW, L_arg_c, L_pull2)                                                                            \
    TERMINATION                                                                                              \
    OBSERVE                                                                                                  \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(b.ne, "1b",                                          "next 8 lanes")                                  \
    LABEL(2)

__attribute__((noinline)) void play(const Batch* b, const Chain* c, Scratch* s) {
    asm volatile(STEP("step_in_play", PLAIN, TORQUE_QUIET)
                 :
                 : OPERANDS
                 : CLOBBERS);
}

// Any params, any state.
__attribute__((noinline)) void play_any(const Batch* b, const Chain* c, Scratch* s) {
    asm volatile(STEP("step", ANY, TORQUE_QUIET)
                 :
                 : OPERANDS
                 : CLOBBERS);
}

__attribute__((noinline)) void play_noisy(const Batch* b, const Chain* c, Scratch* s) {
    asm volatile(STEP("step_with_noise", ANY, TORQUE_NOISY)
                 :
                 : OPERANDS
                 : CLOBBERS);
}

// clang-format on

void step_in_play(const Batch* b) {
    static constexpr Chain kPlainChain = chain_of(kStandard);
    Scratch scratch;
    play(b, &kPlainChain, &scratch);
}

void step(const Batch* b) {
    const Chain chain = chain_of(*reinterpret_cast<const Params*>(b->params));
    Scratch scratch;
    play_any(b, &chain, &scratch);
}

void step_with_noise(const Batch* b) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    const Chain chain = chain_of(p);
    Scratch scratch;
    draw_noise(b, p);
    play_noisy(b, &chain, &scratch);
}

}  // namespace

// Where `plain` holds every angle is small enough for the reduction by fma.
Step* games::acrobot(const Batch* b, bool in_play) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    if (plain(p, in_play)) return step_in_play;
    return p.torque_noise_max > 0.0 ? step_with_noise : step;
}

}  // namespace compute_layers::asm_aarch64
