// SPDX-License-Identifier: MIT
#include "games/pendulum.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
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
    ROW(inverse_turn, row(kInverseTurn)) ROW(minus_friction, row(-kFriction)) ROW(effort, row(kEffort))      \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(ones, row(kOnes)) ROW(fused, row(kFused)) ROW(many_turns, row(0x1p1008 * kTurn))                     \
    ROW(fewer, row(0x1p-48))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// An iteration takes 8 lanes in four groups of two, G0 to G3, and every line of a section is an instruction
// for each of the four: enough independent work to hide the latency of arithmetic. float32 numbers of 8 lanes
// are the vectors G0 and G1 of a name.
//
// General registers
//   x2  theta       x5  sin       x8   reward       x11  observation   x14  lanes left
//   x3  theta_dot   x6  elapsed   x9   terminated   x12  scratch       [k]  kConstants   [b]  the batch
//   x4  last_u      x7  action    x10  truncated    x13  limit         [f]  Rows
//
// Vector registers, in fours for the groups, by what they hold in turn
//   0-3    starting                 | w
//   4-7    thrust, theta_dot, turns | k, high, c
//   8-11   effort                   | r, s
//   12-15  u, old, theta            | theta, t, p3, z
//   16-19  float32, y, angle        | p2, tail0, z2
//   20-23  a: scratch, late         | r_part, high0, tail, q
//   24-27  b: scratch
//   28-31  k0 to k3: a constant or one of the params, the same for all groups
#define R_starting  0, 1, 2, 3
#define R_thrust    4, 5, 6, 7
#define R_theta_dot 4, 5, 6, 7
#define R_turns     4, 5, 6, 7
#define R_effort    8, 9, 10, 11
#define R_u         12, 13, 14, 15
#define R_old       12, 13, 14, 15
#define R_theta     12, 13, 14, 15
#define R_narrow    16, 17, 18, 19
#define R_y         16, 17, 18, 19
#define R_angle     16, 17, 18, 19
#define R_a         20, 21, 22, 23
#define R_late      20, 21, 22, 23
#define R_b         24, 25, 26, 27
#define R_w         0, 1, 2, 3
#define R_k         4, 5, 6, 7
#define R_high      4, 5, 6, 7
#define R_c         4, 5, 6, 7
#define R_sin       4, 5, 6, 7
#define R_r         8, 9, 10, 11
#define R_excess2   8, 9, 10, 11
#define R_s         8, 9, 10, 11
#define R_cos       8, 9, 10, 11
#define R_t         12, 13, 14, 15
#define R_excess1   12, 13, 14, 15
#define R_p3        12, 13, 14, 15
#define R_z         12, 13, 14, 15
#define R_p2        16, 17, 18, 19
#define R_tail0     16, 17, 18, 19
#define R_z2        16, 17, 18, 19
#define R_high0     20, 21, 22, 23
#define R_tail      20, 21, 22, 23
#define R_q         20, 21, 22, 23
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
// An instruction on 8 lanes of float32, and their conversion to doubles.
#define PAIR(op, d, a, b, note)                                                                              \
    OP(op, V(S4, G0, d), V(S4, G0, a), V(S4, G0, b), note) OP(op, V(S4, G1, d), V(S4, G1, a), V(S4, G1, b), note)
#define PAIR_BITS(op, d, a, b, note)                                                                         \
    OP(op, V(B16, G0, d), V(B16, G0, a), V(B16, G0, b), note) OP(op, V(B16, G1, d), V(B16, G1, a), V(B16, G1, b), note)
#define WIDEN(d, a, note)                                                                                    \
    OP(fcvtl, V(D2, G0, d), V(S2, G0, a), note) OP(fcvtl2, V(D2, G1, d), V(S4, G0, a), note)                 \
    OP(fcvtl, V(D2, G2, d), V(S2, G1, a), note) OP(fcvtl2, V(D2, G3, d), V(S4, G1, a), note)

#define THETA       "x2"
#define THETA_DOT   "x3"
#define LAST_U      "x4"
#define SIN_OF      "x5"
#define ELAPSED_OF  "x6"
#define ACTION      "x7"
#define REWARD      "x8"
#define TERMINATED  "x9"
#define TRUNCATED   "x10"
#define OBSERVATION "x11"
#define LIMIT       "[x13]"

#define CONSTANT(k, name) OP(ldr, V(Q, G0, k), K(name), #name)
#define FACTOR(k, name) OP(ldr, V(Q, G0, k), "[%[f], %[" #name "]]", #name)
#define FACTOR_OFFSET(field) [field] "i"(offsetof(Rows, field))

static_assert(FIELD(State, theta) == 0 && FIELD(State, theta_dot) == 1 && FIELD(State, last_u) == 2);
static_assert(FIELD(Cache, sin) == 0);

// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(ldr, "x14", B(n),                                    "lanes")                                         \
    OP(cbz, "x14", "2f",                                    "none")                                          \
    OP(ldr, THETA, B(state),                                "theta")                                         \
    OP(ldr, "x13", B(stride),                               "")                                              \
    OP(lsl, "x13", "x13", "#3",                             "stride in bytes")                               \
    OP(add, THETA_DOT, THETA, "x13",                        "theta_dot")                                     \
    OP(add, LAST_U, THETA_DOT, "x13",                       "last_u")                                        \
    OP(ldr, SIN_OF, B(cache),                               "sin")                                           \
    OP(ldr, ELAPSED_OF, B(elapsed),                         "")                                              \
    OP(ldr, ACTION, B(action),                              "")                                              \
    OP(ldr, REWARD, B(reward),                              "")                                              \
    OP(ldr, TERMINATED, B(terminated),                      "")                                              \
    OP(ldr, TRUNCATED, B(truncated),                        "")                                              \
    OP(ldr, OBSERVATION, B(observation),                    "")                                              \
    OP(add, "x13", "%[b]", "%[limit]",                      "where the limit stands")

// The flags and the observation have moved on when they were stored.
#define NEXT                                                                                                 \
    OP(add, THETA, THETA, "#64",                            "8 lanes on")                                    \
    OP(add, THETA_DOT, THETA_DOT, "#64",                    "")                                              \
    OP(add, LAST_U, LAST_U, "#64",                          "")                                              \
    OP(add, SIN_OF, SIN_OF, "#64",                          "")                                              \
    OP(add, ELAPSED_OF, ELAPSED_OF, "#64",                  "")                                              \
    OP(add, ACTION, ACTION, "#32",                          "")                                              \
    OP(add, REWARD, REWARD, "#64",                          "")                                              \
    OP(subs, "x14", "x14", "#8",                            "lanes left")

#define OPERANDS                                                                                             \
    [b] "r"(b), [k] "r"(&kConstants), [f] "r"(rows), OFFSET(Batch, n), OFFSET(Batch, stride),                \
        OFFSET(Batch, state), OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation),     \
        OFFSET(Batch, reward), OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, limit),    \
        OFFSET(Batch, cache), FACTOR_OFFSET(gravity), FACTOR_OFFSET(dt), FACTOR_OFFSET(max_speed),           \
        FACTOR_OFFSET(min_speed), FACTOR_OFFSET(thrust), FACTOR_OFFSET(max_torque), FACTOR_OFFSET(min_torque)
#define CLOBBERS                                                                                             \
    V_CLOBBERS, "memory", "cc", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",  \
        "x14"

#define STARTING                                                                                             \
    LOAD(ELAPSED_OF, starting,                              "elapsed")                                       \
    EACH_BY(cmlt, starting, starting, "#0",                 "elapsed < 0")

// [1] torque, float32 until it is stored or added
#define TORQUE                                                                                               \
    OP(ldp, V(Q, G0, a), V(Q, G1, a), "[" ACTION "]",       "action")                                        \
    FACTOR(k0, min_torque)                                                                                   \
    FACTOR(k1, max_torque)                                                                                   \
    FACTOR(k2, thrust)                                                                                       \
    CONSTANT(k3, effort)                                                                                     \
    PAIR(fcmgt, b, k0, a,                                   "action < -max_torque")                          \
    PAIR_BITS(bit, a, k0, b,                                "-max_torque if so")                             \
    PAIR(fcmgt, b, a, k1,                                   "action > max_torque")                           \
    PAIR_BITS(bit, a, k1, b,                                "u: max_torque if so")                           \
    PAIR(fmul, narrow, a, k2,                               "thrust")                                        \
    WIDEN(thrust, narrow,                                   "thrust")                                        \
    PAIR(fmul, narrow, a, a,                                "u*u")                                           \
    PAIR(fmul, narrow, narrow, k3,                          "effort = 0.001 * (u*u)")                        \
    WIDEN(effort, narrow,                                   "effort")                                        \
    WIDEN(u, a,                                             "u")                                             \
    LOAD(LAST_U, b,                                         "last_u")                                        \
    BITS(bit, u, b, starting,                               "old if starting")                               \
    STORE(LAST_U, u,                                        "last_u")

// [2] costs, but for the angle's
#define FRICTION                                                                                             \
    CONSTANT(k0, minus_friction)                                                                             \
    LOAD(THETA_DOT, old,                                    "theta_dot")                                     \
    EACH(fmul, b, old, old,                                 "theta_dot*theta_dot")                           \
    EACH(fmul, b, b, k0,                                    "-0.1 * (…)")

// [3] acceleration
#define ACCELERATION                                                                                         \
    FACTOR(k0, gravity)                                                                                      \
    LOAD(SIN_OF, a,                                         "sin")                                           \
    EACH(fmul, a, a, k0,                                    "gravity * sin")                                 \
    EACH(fadd, thrust, a, thrust,                           "acceleration = gravity*sin + thrust")

// [4] integration; a starting lane keeps its state
#define VELOCITY                                                                                             \
    FACTOR(k0, dt)                                                                                           \
    FACTOR(k1, min_speed)                                                                                    \
    FACTOR(k2, max_speed)                                                                                    \
    EACH(fmul, theta_dot, theta_dot, k0,                    "acceleration * dt")                             \
    EACH(fadd, theta_dot, old, theta_dot,                   "theta_dot + (…)")                               \
    EACH(fcmgt, a, k1, theta_dot,                           "below -max_speed")                              \
    BITS(bit, theta_dot, k1, a,                             "-max_speed if so")                              \
    EACH(fcmgt, a, theta_dot, k2,                           "above max_speed")                               \
    BITS(bit, theta_dot, k2, a,                             "max_speed if so")
#define POSITION                                                                                             \
    CONSTANT(k1, pi)                                                                                         \
    EACH(fmul, a, theta_dot, k0,                            "theta_dot * dt")                                \
    BITS(bit, theta_dot, old, starting,                     "old if starting")                               \
    STORE(THETA_DOT, theta_dot,                             "theta_dot")                                     \
    LOAD(THETA, old,                                        "theta")                                         \
    EACH(fadd, y, old, k1,                                  "y = theta + pi")                                \
    EACH(fadd, a, old, a,                                   "theta + theta_dot*dt")                          \
    BITS(bif, theta, a, starting,                           "old if starting")                               \
    STORE(THETA, theta,                                     "theta")

// [2] costs. y becomes the angle: r, what remains of y less k turns, is between minus half a turn and half a
// turn, and never -0, so that its sign tells whether a turn is missing.
#define FEWER_TURNS_IN_PLAY
#define FEWER_TURNS_OF_ANY_ANGLE                                                                             \
    CONSTANT(k0, fused)                                                                                      \
    EACH_2(fabs, a, y,                                      "abs(y)")                                        \
    EACH(fcmgt, a, a, k0,                                   "abs(y) > fused")                                \
    OP(orr, V(B16, G0, a), V(B16, G0, a), V(B16, G1, a),    "lanes 0-3")                                     \
    OP(orr, V(B16, G2, a), V(B16, G2, a), V(B16, G3, a),    "lanes 4-7")                                     \
    OP(orr, V(B16, G0, a), V(B16, G0, a), V(B16, G2, a),    "in any lane?")                                  \
    OP(umaxv, V(S, G0, a), V(S4, G0, a),                    "")                                              \
    OP(fmov, "w12", V(S, G0, a),                            "")                                              \
    OP(cbz, "w12", "5f",                                    "no")                                            \
    CONSTANT(k0, many_turns)                                                                                 \
    CONSTANT(k1, fewer)                                                                                      \
    CONSTANT(k2, turn)                                                                                       \
    LABEL(4)                                                                                                 \
    EACH(fdiv, turns, y, k0,                                "y / so many turns")                             \
    EACH_2(frintn, turns, turns,                            "k")                                             \
    EACH(fmls, y, turns, k0,                                "y - k*turns")                                   \
    OP(fmul, V(D2, G0, k0), V(D2, G0, k0), V(D2, G0, k1),   "so many turns, fewer")                          \
    OP(fcmp, V(D, G0, k0), V(D, G0, k2),                    "more than one?")                                \
    OP(b.gt, "4b",                                          "yes")                                           \
    LABEL(5)
#define COSTS                                                                                                \
    CONSTANT(k0, inverse_turn)                                                                               \
    CONSTANT(k1, turn)                                                                                       \
    CONSTANT(k2, pi)                                                                                         \
    EACH(fmul, a, y, k0,                                    "y / turn")                                      \
    EACH_2(frintn, a, a,                                    "k")                                             \
    EACH(fmls, y, a, k1,                                    "r = y - k*turn")                                \
    EACH(fadd, a, y, k1,                                    "r + turn")                                      \
    EACH_BY(cmlt, turns, y, "#0",                           "r < 0")                                         \
    BITS(bit, y, a, turns,                                  "(theta + pi) modulo turn")                      \
    EACH(fsub, angle, y, k2,                                "angle")                                         \
    EACH(fmul, angle, angle, angle,                         "angle*angle")                                   \
    EACH(fsub, b, b, angle,                                 "-(angle*angle + 0.1*(…))")                      \
    EACH(fsub, b, b, effort,                                "-costs = -((…) + effort)")                      \
    BITS(bic, b, b, starting,                               "0 if starting")                                 \
    STORE(REWARD, b,                                        "reward")

// Masks of 8 lanes become 8 bytes.
#define ELAPSED                                                                                              \
    LOAD(ELAPSED_OF, y,                                     "elapsed")                                       \
    CONSTANT(k0, ones)                                                                                       \
    OP(ld1r, "{" D2(29) "}", LIMIT,                         "limit")                                         \
    EACH(sub, y, y, k0,                                     "now = elapsed + 1")                             \
    EACH(cmge, late, y, k1,                                 "late = now >= limit")                           \
    BITS(orr, y, y, late,                                   "now | late")                                    \
    STORE(ELAPSED_OF, y,                                    "elapsed")                                       \
    OP(uzp1, S4(28), V(S4, G0, late), V(S4, G1, late),      "lanes 0-3")                                     \
    OP(uzp1, S4(29), V(S4, G2, late), V(S4, G3, late),      "lanes 4-7")                                     \
    OP(uzp1, H8(28), H8(28), H8(29),                        "lanes 0-7")                                     \
    OP(xtn, B8(28), H8(28),                                 "byte i: lane i, -1 or 0")                       \
    OP(neg, B8(28), B8(28),                                 "1 or 0")                                        \
    OP(str, D(28), "[" TRUNCATED "]", "#8",                 "truncated")                                     \
    OP(str, "xzr", "[" TERMINATED "]", "#8",                "never")

// [5] sin, cos by the numbered steps of numerics.hpp
#define QUARTER_TURNS                                                                                        \
    CONSTANT(k0, two_over_pi)                                                                                \
    CONSTANT(k1, round)                                                                                      \
    EACH(fmul, k, theta, k0,                                "theta * two_over_pi")                           \
    EACH(fadd, k, k, k1,                                    "shifted")                                       \
    EACH(fsub, k, k, k1,                                    "k = shifted - round")
// In play the products are exact, and so may be part of an fma. An excess, what rounding added to a difference,
// is exact too, and therefore the same by any exact way: r - t is, for p2 has few bits below those of t.
#define REDUCTION_IN_PLAY                                                                                    \
    CONSTANT(k0, P0)                                                                                         \
    CONSTANT(k1, P1)                                                                                         \
    CONSTANT(k2, P2)                                                                                         \
    EACH(fmls, t, k, k0,                                    "t = theta - k*P0")                              \
    BITS_2(mov, r, t,                                       "t")                                             \
    EACH(fmls, r, k, k1,                                    "r = t - p2")                                    \
    EACH(fsub, t, r, t,                                     "r - t")                                         \
    EACH(fmla, excess1, k, k1,                              "excess1 = (r - t) + p2")                        \
    BITS_2(mov, high0, r,                                   "r")                                             \
    EACH(fmls, high0, k, k2,                                "high0 = r - p3")                                \
    EACH(fsub, r, high0, r,                                 "high0 - r")                                     \
    EACH(fmla, excess2, k, k2,                              "excess2 = (high0 - r) + p3")                    \
    EACH(fadd, tail0, excess1, excess2,                     "excess1 + excess2")
#define REDUCTION_OF_ANY_ANGLE                                                                               \
    CONSTANT(k0, P0)                                                                                         \
    CONSTANT(k1, P1)                                                                                         \
    CONSTANT(k2, P2)                                                                                         \
    EACH(fmul, b, k, k0,                                    "k*P0")                                          \
    EACH(fsub, t, t, b,                                     "t = theta - k*P0")                              \
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
    EACH(fadd, tail0, tail0, p3,                            "excess1 + excess2")
#define HIGH_AND_TAIL                                                                                        \
    CONSTANT(k0, P3)                                                                                         \
    EACH(fmul, k, k, k0,                                    "k*P3")                                          \
    EACH(fadd, tail0, tail0, k,                             "tail0")                                         \
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

// The observation: three columns of four lanes, which st3 writes as rows
#define COLUMN(column, name, low, high)                                                                      \
    OP(fcvtn, S2(column), V(D2, low, name),                 "float(" #name ")")                              \
    OP(fcvtn2, S4(column), V(D2, high, name),               "float(" #name ")")
#define OBSERVE                                                                                              \
    STORE(SIN_OF, sin,                                      "sin")                                           \
    LOAD(THETA_DOT, z,                                      "theta_dot")                                     \
    COLUMN(20, cos, G0, G1)                                                                                  \
    COLUMN(21, sin, G0, G1)                                                                                  \
    COLUMN(22, z, G0, G1)                                                                                    \
    COLUMN(24, cos, G2, G3)                                                                                  \
    COLUMN(25, sin, G2, G3)                                                                                  \
    COLUMN(26, z, G2, G3)                                                                                    \
    OP(st3, "{v20.4s-v22.4s}", "[" OBSERVATION "]", "#48",  "rows 0-3")                                      \
    OP(st3, "{v24.4s-v26.4s}", "[" OBSERVATION "]", "#48",  "rows 4-7")

#define STEP(name, HOW)                                                                                      \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("pendulum/" name " lanes=8")                                                                   \
    STARTING TORQUE FRICTION ACCELERATION VELOCITY POSITION                                                  \
    FEWER_TURNS_##HOW COSTS ELAPSED                                                                          \
    QUARTER_TURNS REDUCTION_##HOW HIGH_AND_TAIL                                                              \
    REST(S, s) SIN REST(C, c) COS QUADRANT                                                                   \
    OBSERVE                                                                                                  \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(b.ne, "1b",                                          "next 8 lanes")                                  \
    LABEL(2)

__attribute__((noinline)) void lanes_in_play(const Batch* b, const Rows* rows) {
    asm volatile(STEP("step_in_play", IN_PLAY) : : OPERANDS : CLOBBERS);
}

__attribute__((noinline)) void lanes_at_any_angle(const Batch* b, const Rows* rows) {
    asm volatile(STEP("step_any_angle", OF_ANY_ANGLE) : : OPERANDS : CLOBBERS);
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

}  // namespace compute_layers::asm_aarch64
