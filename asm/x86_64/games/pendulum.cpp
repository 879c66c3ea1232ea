// SPDX-License-Identifier: MIT
#include "games/pendulum.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace pendulum;

// With fused multiply-add the remainder modulo a turn is exact for much larger angles than without: r is, and
// k is near enough, below 2**50 turns. Angles beyond kFused are first taken modulo 2**1008 turns, 2**960
// turns and so on down to 2**48 turns, each of which is exact for the same reason.
constexpr double kFused = 0x1p50;

// What the step needs of the params.
struct Rows {
    Row gravity, dt, max_speed, min_speed, thrust, max_torque, min_torque;
};
constexpr Rows rows_of(const Params& p) {
    const Factors f = factors(p);
    return {row(f.gravity), row(p.dt),         row(p.max_speed),  row(-p.max_speed),
            row(f.thrust),  row(f.max_torque), row(-f.max_torque)};
}

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(one, row(1.0)) ROW(half, row(0.5)) ROW(pi, row(kPi)) ROW(turn, row(kTurn))                           \
    ROW(inverse_turn, row(kInverseTurn)) ROW(minus_friction, row(-kFriction)) ROW(effort, row(kEffort))             \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(abs, row(kAbs)) ROW(sign, row(~kAbs)) ROW(ones, row(kOnes))                                          \
    ROW(fused, row(kFused)) ROW(many_turns, row(0x1p1008 * kTurn))                                           \
    ROW(fewer, row(0x1p-48))         \
    ROW(flag_spread, row(kFlagSpread)) ROW(flag_bytes, row(kFlagBytes))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// An iteration takes 8 lanes in two groups: LOW, lanes 0-3, and HIGH, lanes 4-7. Sections are macros of a
// group g, cut small so that the kernels can interleave the two.
//
// General registers
//   r8   theta            r11  reward - theta       r14  truncated                 rax  scratch
//   r9   stride           r12  sin - theta          r15  terminated - truncated    [k]  kConstants
//   r10  elapsed - theta  r13  action               rbx  observation               [f]  Rows
//   [b]  the batch, then the end of theta
// all in bytes, so that theta, elapsed, reward and the cached sine move on with r8.
//
// Vector registers: 0-6 belong to LOW, 7-13 (7 more) to HIGH, by what they hold in turn
//   0  elapsed, now           | w
//   1  thrust, theta_dot      | k, high, c
//   2  effort                 | r, excess2, s, cos
//   3  u, theta               | theta, t, excess1, p3, z
//   4  y, angle               | p2, tail0, z2
//   5  a: scratch, late       | r_part, high0, tail
//   6  b: scratch
//   14 q of the group that is in section 5
//   15 limit - 1
#define R_elapsed 0
#define R_thrust 1
#define R_theta_dot 1
#define R_effort 2
#define R_u 3
#define R_old 3
#define R_turns 1
#define R_theta 3
#define R_y 4
#define R_angle 4
#define R_a 5
#define R_now 0
#define R_b 6
#define R_late 5
#define R_w 0
#define R_k 1
#define R_high 1
#define R_c 1
#define R_sin 1
#define R_r 2
#define R_excess2 2
#define R_s 2
#define R_cos 2
#define R_t 3
#define R_excess1 3
#define R_p3 3
#define R_z 3
#define R_p2 4
#define R_tail0 4
#define R_z2 4
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

// Arrays at a group. The pointers move on between section 4 (FRONT) and section 5 (BACK) of HIGH.
#define FRONT_LOW  "(%%r8"
#define FRONT_HIGH "32(%%r8"
#define BACK_LOW   "(%%r8"
#define BACK_HIGH  "-32(%%r8"
#define THETA(g)         FRONT_##g ")"
#define THETA_DOT(g)     FRONT_##g ",%%r9)"
#define LAST_U(g)        FRONT_##g ",%%r9,2)"
#define ELAPSED_OF(g)    FRONT_##g ",%%r10)"
#define REWARD_OF(g)     FRONT_##g ",%%r11)"
#define SIN_OF(g)        FRONT_##g ",%%r12)"
#define NEW_THETA_DOT(g) BACK_##g ",%%r9)"
#define NEW_SIN_OF(g)    BACK_##g ",%%r12)"
#define ACTION_LOW       "(%%r13)"
#define ACTION_HIGH      "16(%%r13)"
#define TRUNCATED_LOW    "(%%r14)"
#define TRUNCATED_HIGH   "4(%%r14)"
#define TERMINATED       "(%%r14,%%r15)"
#define ROWS_0_LOW       "(%%rbx)"
#define ROWS_1_LOW       "16(%%rbx)"
#define ROWS_2_LOW       "32(%%rbx)"
#define ROWS_0_HIGH      "-48(%%rbx)"
#define ROWS_1_HIGH      "-32(%%rbx)"
#define ROWS_2_HIGH      "-16(%%rbx)"

static_assert(FIELD(State, theta) == 0 && FIELD(State, theta_dot) == 1 && FIELD(State, last_u) == 2);
static_assert(FIELD(Cache, sin) == 0);

#define B(field) "%c[" #field "](%[b])"
#define F(field) "%c[" #field "](%[f])"
// Jumps to the end, label 3, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(mov, B(state), "%%r8",                                     "theta")                                   \
    OP(mov, B(stride), "%%r9",                                    "")                                        \
    OP(shl, "$3", "%%r9",                                         "stride in bytes")                         \
    OP(mov, B(elapsed), "%%r10",                                  "")                                        \
    OP(sub, "%%r8", "%%r10",                                      "elapsed - theta")                         \
    OP(mov, B(reward), "%%r11",                                   "")                                        \
    OP(sub, "%%r8", "%%r11",                                      "reward - theta")                          \
    OP(mov, B(cache), "%%r12",                                    "")                                        \
    OP(sub, "%%r8", "%%r12",                                      "sin - theta")                             \
    OP(mov, B(action), "%%r13",                                   "")                                        \
    OP(mov, B(truncated), "%%r14",                                "")                                        \
    OP(mov, B(terminated), "%%r15",                               "")                                        \
    OP(sub, "%%r14", "%%r15",                                     "terminated - truncated")                  \
    OP(mov, B(observation), "%%rbx",                              "")                                        \
    OP(vpbroadcastq, B(limit), Y(15),                             "")                                        \
    OP(vpaddq, K(ones), Y(15), Y(15),                             "limit - 1")                               \
    OP(mov, B(n), "%[b]",                                         "the last use of the batch")               \
    OP(lea, "(%%r8,%[b],8)", "%[b]",                              "end of theta")                            \
    OP(cmp, "%[b]", "%%r8",                                       "")                                        \
    OP(je, "3f",                                                  "no lanes")

#define NEXT                                                                                                 \
    OP(movq, "$0", TERMINATED,                                    "never")                                   \
    OP(add, "$64", "%%r8",                                        "8 lanes on")                              \
    OP(add, "$32", "%%r13",                                       "")                                        \
    OP(add, "$8", "%%r14",                                        "")                                        \
    OP(add, "$96", "%%rbx",                                       "")                                        \
    OP(cmp, "%[b]", "%%r8",                                       "")                                        \
    OP(je, "2f",                                                  "these were the last")

#define FACTOR(field) [field] "i"(offsetof(Rows, field))
#define OPERANDS                                                                                             \
    [k] "r"(&kConstants), [f] "r"(rows), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),      \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, limit), OFFSET(Batch, cache),     \
        FACTOR(gravity), FACTOR(dt), FACTOR(max_speed), FACTOR(min_speed), FACTOR(thrust),                   \
        FACTOR(max_torque), FACTOR(min_torque)
#define CLOBBERS                                                                                             \
    YMM_CLOBBERS, "memory", "cc", "rax", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"

// A blend looks at the sign of elapsed alone: negative if the lane is starting.
#define STARTING(g)                                                                                          \
    OP(vmovapd, ELAPSED_OF(g), V(g, elapsed),                     "elapsed")

// [1] torque, float32 until it is stored or added. A max of its bound and x is x if they are equal, or x is NaN.
#define TORQUE(g)                                                                                            \
    OP(vmovaps, F(min_torque), V128(g, u),                        "-max_torque")                             \
    OP(vmaxps, ACTION_##g, V128(g, u), V128(g, u),                "-max_torque if action < -max_torque")     \
    OP(vmovaps, F(max_torque), V128(g, a),                        "max_torque")                              \
    OP(vminps, V128(g, u), V128(g, a), V128(g, u),                "u: max_torque if above")                  \
    OP(vmulps, F(thrust), V128(g, u), V128(g, thrust),            "thrust")                                  \
    OP(vmulps, V128(g, u), V128(g, u), V128(g, effort),           "u*u")                                     \
    OP(vmulps, K(effort), V128(g, effort), V128(g, effort),       "effort = 0.001 * (u*u)")                  \
    OP(vcvtps2pd, V128(g, u), V(g, u),                            "u")                                       \
    OP(vcvtps2pd, V128(g, thrust), V(g, thrust),                  "thrust")                                  \
    OP(vcvtps2pd, V128(g, effort), V(g, effort),                  "effort")                                  \
    OP(vblendvpd, V(g, elapsed), LAST_U(g), V(g, u), V(g, u),    "old if starting")                         \
    OP(vmovapd, V(g, u), LAST_U(g),                               "last_u")

// [2] costs, but for the angle's
#define FRICTION(g)                                                                                          \
    OP(vmovapd, THETA_DOT(g), V(g, old),                          "theta_dot")                               \
    OP(vmulpd, V(g, old), V(g, old), V(g, b),                     "theta_dot*theta_dot")                     \
    OP(vmulpd, K(minus_friction), V(g, b), V(g, b),               "-0.1 * (…)")

// [3] acceleration
#define ACCELERATION(g)                                                                                      \
    OP(vmovapd, SIN_OF(g), V(g, a),                               "sin")                                     \
    OP(vmulpd, F(gravity), V(g, a), V(g, a),                      "gravity * sin")                           \
    OP(vaddpd, V(g, a), V(g, thrust), V(g, thrust),               "acceleration = gravity*sin + thrust")

// [4] integration; a starting lane keeps its state
#define VELOCITY(g)                                                                                          \
    OP(vmulpd, F(dt), V(g, theta_dot), V(g, theta_dot),           "acceleration * dt")                       \
    OP(vaddpd, V(g, old), V(g, theta_dot), V(g, theta_dot),       "theta_dot + (…)")                         \
    OP(vmovapd, F(min_speed), V(g, a),                            "-max_speed")                              \
    OP(vmaxpd, V(g, theta_dot), V(g, a), V(g, theta_dot),         "-max_speed if below")                     \
    OP(vmovapd, F(max_speed), V(g, a),                            "max_speed")                               \
    OP(vminpd, V(g, theta_dot), V(g, a), V(g, theta_dot),         "max_speed if above")
#define POSITION(g)                                                                                          \
    OP(vmulpd, F(dt), V(g, theta_dot), V(g, a),                   "theta_dot * dt")                          \
    OP(vblendvpd, V(g, elapsed), V(g, old), V(g, theta_dot), V(g, theta_dot), "old if starting")             \
    OP(vmovapd, V(g, theta_dot), THETA_DOT(g),                    "theta_dot")                               \
    OP(vmovapd, THETA(g), V(g, old),                              "theta")                                   \
    OP(vaddpd, K(pi), V(g, old), V(g, y),                         "y = theta + pi")                          \
    OP(vaddpd, V(g, old), V(g, a), V(g, a),                       "theta + theta_dot*dt")                    \
    OP(vblendvpd, V(g, elapsed), V(g, old), V(g, a), V(g, theta), "old if starting")                         \
    OP(vmovapd, V(g, theta), THETA(g),                            "theta")

// [2] costs. y becomes the angle: r, what remains of y less k turns, is between minus half a turn and half a
// turn, and never -0, so that its sign tells whether a turn is missing.
#define FEWER_TURNS_IN_PLAY(g)
#define FEWER_TURNS_OF_ANY_ANGLE(g)                                                                          \
    OP(vandpd, K(abs), V(g, y), V(g, a),                          "abs(y)")                                  \
    OP(vcmpgt_oqpd, K(fused), V(g, a), V(g, a),                   "abs(y) > fused")                          \
    OP(vtestpd, V(g, a), V(g, a),                                 "in any lane?")                            \
    OP(je, "5f",                                                  "no")                                      \
    OP(vmovapd, K(many_turns), V(g, a),                           "so many turns")                                   \
    LABEL(4)                                                                                                 \
    OP(vdivpd, V(g, a), V(g, y), V(g, turns),                        "y / turns")                               \
    OP(vroundpd, "$0", V(g, turns), V(g, turns),                        "k")                                       \
    OP(vfnmadd231pd, V(g, a), V(g, turns), V(g, y),                  "y - k*turns")                             \
    OP(vmulpd, K(fewer), V(g, a), V(g, a),                        "turns, fewer")                            \
    OP(vcomisd, K(turn), V128(g, a),                              "more than one?")                          \
    OP(ja, "4b",                                                  "yes")                                     \
    LABEL(5)
#define COSTS(g)                                                                                             \
    OP(vmulpd, K(inverse_turn), V(g, y), V(g, a),                 "y / turn")                                \
    OP(vroundpd, "$0", V(g, a), V(g, a),                          "k")                                       \
    OP(vfnmadd231pd, K(turn), V(g, a), V(g, y),                   "r = y - k*turn")                          \
    OP(vaddpd, K(turn), V(g, y), V(g, a),                         "r + turn")                                \
    OP(vblendvpd, V(g, y), V(g, a), V(g, y), V(g, y),             "(theta + pi) modulo turn: that if r < 0") \
    OP(vsubpd, K(pi), V(g, y), V(g, angle),                       "angle")                                   \
    OP(vmulpd, V(g, angle), V(g, angle), V(g, angle),             "angle*angle")                             \
    OP(vsubpd, V(g, angle), V(g, b), V(g, b),                     "-(angle*angle + 0.1*(…))")                \
    OP(vsubpd, V(g, effort), V(g, b), V(g, b),                    "-costs = -((…) + effort)")                \
    OP(vpxor, V(g, a), V(g, a), V(g, a),                          "0")                                       \
    OP(vblendvpd, V(g, elapsed), V(g, a), V(g, b), V(g, b),       "0 if starting")                           \
    OP(vmovapd, V(g, b), REWARD_OF(g),                            "reward")

#define ELAPSED(g)                                                                                           \
    OP(vpsubq, K(ones), V(g, elapsed), V(g, now),                 "now = elapsed + 1")                       \
    OP(vpcmpgtq, Y(15), V(g, now), V(g, late),                    "late = now > limit - 1")                  \
    OP(vpor, V(g, late), V(g, now), V(g, now),                    "now | late")                              \
    OP(vmovdqa, V(g, now), ELAPSED_OF(g),                         "elapsed")                                 \
    OP(vmovmskpd, V(g, late), "%%eax",                            "bit i: lane i")                           \
    OP(imul, K(flag_spread), "%%eax",                             "bit 8i: lane i, others between")          \
    OP(and, K(flag_bytes), "%%eax",                               "byte i: lane i")                          \
    OP(mov, "%%eax", TRUNCATED_##g,                               "truncated")

// [5] sin, cos by the numbered steps of numerics.hpp; the low bits of q are the quadrant.
#define QUARTER_TURNS(g)                                                                                     \
    OP(vmulpd, K(two_over_pi), V(g, t), Y(14),                    "theta * two_over_pi")                     \
    OP(vaddpd, K(round), Y(14), Y(14),                            "shifted")                                 \
    OP(vsubpd, K(round), Y(14), V(g, k),                          "k = shifted - round")
// In play the products are exact, and so may be part of an fma. An excess, what rounding added to a difference,
// is exact too, and therefore the same by any exact way: r - t is, for p2 has few bits below those of t.
#define REDUCTION_IN_PLAY(g)                                                                                 \
    OP(vfnmadd231pd, K(P0), V(g, k), V(g, t),                     "t = theta - k*P0")                        \
    OP(vmovapd, V(g, t), V(g, r),                                 "t")                                       \
    OP(vfnmadd231pd, K(P1), V(g, k), V(g, r),                     "r = t - p2")                              \
    OP(vsubpd, V(g, t), V(g, r), V(g, t),                         "r - t")                                   \
    OP(vfmadd231pd, K(P1), V(g, k), V(g, excess1),                "excess1 = (r - t) + p2")                  \
    OP(vmovapd, V(g, r), V(g, high0),                             "r")                                       \
    OP(vfnmadd231pd, K(P2), V(g, k), V(g, high0),                 "high0 = r - p3")                          \
    OP(vsubpd, V(g, r), V(g, high0), V(g, r),                     "high0 - r")                               \
    OP(vfmadd231pd, K(P2), V(g, k), V(g, excess2),                "excess2 = (high0 - r) + p3")              \
    OP(vaddpd, V(g, excess2), V(g, excess1), V(g, tail0),         "excess1 + excess2")
#define REDUCTION_OF_ANY_ANGLE(g)                                                                            \
    OP(vmulpd, K(P0), V(g, k), V(g, b),                           "k*P0")                                    \
    OP(vsubpd, V(g, b), V(g, t), V(g, t),                         "t = theta - k*P0")                        \
    OP(vmulpd, K(P1), V(g, k), V(g, p2),                          "p2 = k*P1")                               \
    OP(vsubpd, V(g, p2), V(g, t), V(g, r),                        "r = t - p2")                              \
    OP(vsubpd, V(g, t), V(g, r), V(g, a),                         "r_part = r - t")                          \
    OP(vaddpd, V(g, a), V(g, p2), V(g, p2),                       "p2 + r_part")                             \
    OP(vsubpd, V(g, a), V(g, r), V(g, a),                         "r - r_part")                              \
    OP(vsubpd, V(g, a), V(g, t), V(g, a),                         "t - (r - r_part)")                        \
    OP(vsubpd, V(g, a), V(g, p2), V(g, tail0),                    "excess1")                                 \
    OP(vmulpd, K(P2), V(g, k), V(g, p3),                          "p3 = k*P2")                               \
    OP(vsubpd, V(g, p3), V(g, r), V(g, high0),                    "high0 = r - p3")                          \
    OP(vsubpd, V(g, r), V(g, high0), V(g, b),                     "high0_part = high0 - r")                  \
    OP(vaddpd, V(g, b), V(g, p3), V(g, p3),                       "p3 + high0_part")                         \
    OP(vsubpd, V(g, b), V(g, high0), V(g, b),                     "high0 - high0_part")                      \
    OP(vsubpd, V(g, b), V(g, r), V(g, b),                         "r - (high0 - high0_part)")                \
    OP(vsubpd, V(g, b), V(g, p3), V(g, p3),                       "excess2")                                 \
    OP(vaddpd, V(g, p3), V(g, tail0), V(g, tail0),                "excess1 + excess2")
#define HIGH_AND_TAIL(g)                                                                                     \
    OP(vmulpd, K(P3), V(g, k), V(g, k),                           "k*P3")                                    \
    OP(vaddpd, V(g, k), V(g, tail0), V(g, tail0),                 "tail0")                                   \
    OP(vsubpd, V(g, tail0), V(g, high0), V(g, high),              "high = high0 - tail0")                    \
    OP(vsubpd, V(g, high0), V(g, high), V(g, tail),               "high - high0")                            \
    OP(vaddpd, V(g, tail0), V(g, tail), V(g, tail),               "tail = (high - high0) + tail0")           \
    OP(vmulpd, V(g, high), V(g, high), V(g, z),                   "z = high*high")                           \
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
// 0.5*z is exact, and so may be part of an fma.
#define SIN(g)                                                                                               \
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
#define COS(g)                                                                                               \
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
    OP(vandpd, K(sign), Y(14), Y(14),                             "and no other")                            \
    OP(vxorpd, Y(14), V(g, b), V(g, b),                           "sign bit in quadrants 1, 2")              \
    OP(vxorpd, Y(14), V(g, z), V(g, sin),                         "sin")                                     \
    OP(vxorpd, V(g, b), V(g, z2), V(g, cos),                      "cos")

// The observation: the columns cos, sin, theta_dot (here c, s, t) of four lanes become rows. In the rows each
// number of a column has a place of its own in its vector, so that a column is permuted once:
//   [c0 c3 c2 c1]      [c0 s0 t0 c1]
//   [s1 s0 s3 s2]  ->  [s1 t1 c2 s2]
//   [t2 t1 t0 t3]      [t2 c3 s3 t3]
#define OBSERVATION(g)                                                                                       \
    OP(vmovapd, V(g, sin), NEW_SIN_OF(g),                         "sin")                                     \
    OP(vcvtpd2psy, V(g, cos), V128(g, cos),                       "float(cos)")                              \
    OP(vcvtpd2psy, V(g, sin), V128(g, sin),                       "float(sin)")                              \
    OP(vcvtpd2psy, NEW_THETA_DOT(g), V128(g, t),                  "float(theta_dot)")                        \
    OP(vpermilps, "$0x6c", V128(g, cos), V128(g, cos),            "c0 c3 c2 c1")                             \
    OP(vpermilps, "$0xb1", V128(g, sin), V128(g, sin),            "s1 s0 s3 s2")                             \
    OP(vpermilps, "$0xc6", V128(g, t), V128(g, t),                "t2 t1 t0 t3")                             \
    OP(vblendps, "$2", V128(g, sin), V128(g, cos), V128(g, a),    "c0 s0 c2 c1")                             \
    OP(vblendps, "$4", V128(g, t), V128(g, a), V128(g, a),        "c0 s0 t0 c1")                             \
    OP(vblendps, "$2", V128(g, t), V128(g, sin), V128(g, b),      "s1 t1 s3 s2")                             \
    OP(vblendps, "$4", V128(g, cos), V128(g, b), V128(g, b),      "s1 t1 c2 s2")                             \
    OP(vblendps, "$2", V128(g, cos), V128(g, t), V128(g, t),      "t2 c3 t0 t3")                             \
    OP(vblendps, "$4", V128(g, sin), V128(g, t), V128(g, t),      "t2 c3 s3 t3")                             \
    OP(vmovups, V128(g, a), ROWS_0_##g,                           "rows 0, 1")                               \
    OP(vmovups, V128(g, b), ROWS_1_##g,                           "rows 1, 2")                               \
    OP(vmovups, V128(g, t), ROWS_2_##g,                           "rows 2, 3")

// Section 5 of one group, mostly latency, among sections 1 to 4 of the group after it.
#define STEP_AND_NEXT(g, next, HOW)                                                                          \
    QUARTER_TURNS(g)                                                                                         \
                            STARTING(next) TORQUE(next) FRICTION(next)                                       \
    REDUCTION_##HOW(g)                                                                                       \
                            ACCELERATION(next) VELOCITY(next)                                                \
    HIGH_AND_TAIL(g)                                                                                         \
                            POSITION(next)                                                                   \
    REST(g, S, s) SIN(g)                                                                                     \
                            FEWER_TURNS_##HOW(next) COSTS(next)                                              \
    REST(g, C, c)                                                                                            \
                            ELAPSED(next)                                                                    \
    COS(g) QUADRANT(g) OBSERVATION(g)

#define STEP(name, HOW)                                                                                      \
    ENTER                                                                                                    \
    STARTING(LOW) TORQUE(LOW) FRICTION(LOW) ACCELERATION(LOW) VELOCITY(LOW) POSITION(LOW)                    \
    FEWER_TURNS_##HOW(LOW) COSTS(LOW) ELAPSED(LOW)                                                           \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("pendulum/" name " lanes=8")                                                                   \
    STEP_AND_NEXT(LOW, HIGH, HOW)                                                                            \
    NEXT                                                                                                     \
    STEP_AND_NEXT(HIGH, LOW, HOW)                                                                            \
    MCA_END                                                                                                  \
    OP(jmp, "1b",                                                 "next 8 lanes")                            \
    LABEL(2)                                                                                                 \
    QUARTER_TURNS(HIGH) REDUCTION_##HOW(HIGH) HIGH_AND_TAIL(HIGH)                                            \
    REST(HIGH, S, s) SIN(HIGH) REST(HIGH, C, c) COS(HIGH) QUADRANT(HIGH) OBSERVATION(HIGH)                   \
    LABEL(3)                                                                                                 \
    OP(vzeroupper, "")

__attribute__((noinline)) void lanes_in_play(const Batch* b, const Rows* rows) {
    asm volatile(STEP("step_in_play", IN_PLAY) : [b] "+r"(b) : OPERANDS : CLOBBERS);
}

__attribute__((noinline)) void lanes_at_any_angle(const Batch* b, const Rows* rows) {
    asm volatile(STEP("step_any_angle", OF_ANY_ANGLE) : [b] "+r"(b) : OPERANDS : CLOBBERS);
}

// clang-format on

void step_in_play(const Batch* b) {
    const Rows rows = rows_of(*reinterpret_cast<const Params*>(b->params));
    lanes_in_play(b, &rows);
}

void step_any_angle(const Batch* b) {
    const Rows rows = rows_of(*reinterpret_cast<const Params*>(b->params));
    lanes_at_any_angle(b, &rows);
}

}  // namespace

Step* games::pendulum(const Batch* b, bool in_play) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    return plain(p, b->limit, in_play) ? step_in_play : step_any_angle;
}

}  // namespace compute_layers::asm_x86_64
