// SPDX-License-Identifier: MIT
#include "games/continuous_mountain_car.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

using namespace continuous_mountain_car;

constexpr Row single(double value) { return row(static_cast<float>(value)); }

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(three32, row(3.0f)) ROW(force32, single(kForce)) ROW(power32, single(kPower))                        \
    ROW(max_speed32, single(kMaxSpeed)) ROW(min_speed32, single(-kMaxSpeed))                                 \
    ROW(min_position32, single(kMinPosition)) ROW(max_position32, single(kMaxPosition))                      \
    ROW(pi, row(kPi)) ROW(half_pi, row(kHalfPi[0])) ROW(small_part, row(kSmallPart))                         \
    ROW(W0, row(kSwing[0])) ROW(W1, row(kSwing[1])) ROW(W2, row(kSwing[2])) ROW(W3, row(kSwing[3]))          \
    ROW(W4, row(kSwing[4])) ROW(W5, row(kSwing[5])) ROW(W6, row(kSwing[6]))                                  \
    ROW(gravity, row(kGravity)) ROW(goal_reward, row(kGoalReward)) ROW(action_cost, row(kActionCost))        \
    ROW(ones, row(kOnes)) ROW(one, row(1.0)) ROW(half, row(0.5)) ROW(three, row(3.0))                        \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// Two ways to step. SWING takes 8 lanes in play that are not fresh, and so not starting, and pushed by no more
// than the engine has: then all but the cosine is float32. If one of the 8 is otherwise, all go the way of ANY,
// four at a time: any params, any state. That is a jump mispredicted twice in an episode, of 999 steps or of a
// hundred, and cheaper than to compute both types for every lane of every step.
//
// General registers
//   x2  position    x4  fresh     x7  action   x9   terminated   x11  observation    x13  limit
//   x3  velocity    x6  elapsed   x8  reward   x10  truncated    x12  rows of params
//   x14 lanes left  x15 scratch                [k]  kConstants   [b]  the batch
#define POSITION    "x2"
#define VELOCITY    "x3"
#define FRESH       "x4"
#define ELAPSED     "x6"
#define ACTION      "x7"
#define REWARD      "x8"
#define TERMINATED  "x9"
#define TRUNCATED   "x10"
#define OBSERVATION "x11"
#define LIMIT       "[x13]"

// The registers of a name, one for each group of two doubles: G0 to G3 in SWING, G0 and G1 in ANY.
#define G0(a, ...) a
#define G1(a, b, ...) b
#define G2(a, b, c, ...) c
#define G3(a, b, c, d, ...) d
#define V(form, g, name) V_OF(form, g, R_##name)
#define V_OF(form, g, ...) V_NUMBER(form, g(__VA_ARGS__))
#define V_NUMBER(form, n) form(n)

// A constant or one of the params, the same for all lanes.
#define R_k0 28, 28, 28, 28
#define R_k1 29, 29, 29, 29
#define R_k2 30, 30, 30, 30
#define R_k3 31, 31, 31, 31
#define CONSTANT(k, name) OP(ldr, V(Q, G0, k), K(name), #name)
#define PARAM(k, name) OP(ldr, V(Q, G0, k), AT("x12", name), #name)
#define PARAM_OFFSET(field) [field] "i"(FIELD(Params, field) * sizeof(Row))

// An instruction for two groups, and for four: on doubles (or integers as wide), on floats, on bits.
#define TWO_2(op, form, d, a, note)                                                                          \
    OP(op, V(form, G0, d), V(form, G0, a), note) OP(op, V(form, G1, d), V(form, G1, a), note)
#define TWO(op, form, d, a, b, note)                                                                         \
    OP(op, V(form, G0, d), V(form, G0, a), V(form, G0, b), note)                                             \
    OP(op, V(form, G1, d), V(form, G1, a), V(form, G1, b), note)
#define TWO_BY(op, d, a, number, note)                                                                       \
    OP(op, V(D2, G0, d), V(D2, G0, a), number, note) OP(op, V(D2, G1, d), V(D2, G1, a), number, note)
#define FOUR_2(op, form, d, a, note)                                                                         \
    TWO_2(op, form, d, a, note)                                                                              \
    OP(op, V(form, G2, d), V(form, G2, a), note) OP(op, V(form, G3, d), V(form, G3, a), note)
#define FOUR(op, form, d, a, b, note)                                                                        \
    TWO(op, form, d, a, b, note)                                                                             \
    OP(op, V(form, G2, d), V(form, G2, a), V(form, G2, b), note)                                             \
    OP(op, V(form, G3, d), V(form, G3, a), V(form, G3, b), note)

#define LOAD_2(array, d, note) OP(ldp, V(Q, G0, d), V(Q, G1, d), "[" array "]", note)
#define STORE_2(array, d, note) OP(stp, V(Q, G0, d), V(Q, G1, d), "[" array "]", note)
#define LOAD_4(array, d, note)                                                                               \
    LOAD_2(array, d, note) OP(ldp, V(Q, G2, d), V(Q, G3, d), "[" array ", #32]", note)
#define STORE_4(array, d, note)                                                                              \
    STORE_2(array, d, note) OP(stp, V(Q, G2, d), V(Q, G3, d), "[" array ", #32]", note)

// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(ldr, "x14", B(n),                                    "lanes")                                         \
    OP(cbz, "x14", "2f",                                    "none")                                          \
    OP(ldr, POSITION, B(state),                             "position")                                      \
    OP(ldr, "x13", B(stride),                               "")                                              \
    OP(lsl, "x13", "x13", "#3",                             "stride in bytes")                               \
    OP(add, VELOCITY, POSITION, "x13",                      "velocity")                                      \
    OP(add, FRESH, VELOCITY, "x13",                         "fresh")                                         \
    OP(ldr, ELAPSED, B(elapsed),                            "")                                              \
    OP(ldr, ACTION, B(action),                              "")                                              \
    OP(ldr, REWARD, B(reward),                              "")                                              \
    OP(ldr, TERMINATED, B(terminated),                      "")                                              \
    OP(ldr, TRUNCATED, B(truncated),                        "")                                              \
    OP(ldr, OBSERVATION, B(observation),                    "")                                              \
    OP(ldr, "x12", B(rows),                                 "")                                              \
    OP(add, "x13", "%[b]", "%[limit]",                      "where the limit stands")
static_assert(FIELD(State, position) == 0 && FIELD(State, velocity) == 1 && FIELD(State, fresh) == 2);

// Flags and observation, and in ANY the action, have moved on by now.
#define NEXT(lanes, bytes)                                                                                   \
    OP(add, POSITION, POSITION, bytes,                      "")                                              \
    OP(add, VELOCITY, VELOCITY, bytes,                      "")                                              \
    OP(add, FRESH, FRESH, bytes,                            "")                                              \
    OP(add, ELAPSED, ELAPSED, bytes,                        "")                                              \
    OP(add, REWARD, REWARD, bytes,                          "")                                              \
    OP(subs, "x14", "x14", lanes,                           "lanes left")

#define BATCH_OPERANDS                                                                                       \
    [b] "r"(b), [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),         \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows), OFFSET(Batch, limit)
#define PARAM_OPERANDS                                                                                       \
    PARAM_OFFSET(min_action), PARAM_OFFSET(max_action), PARAM_OFFSET(min_position),                          \
        PARAM_OFFSET(max_position), PARAM_OFFSET(max_speed), PARAM_OFFSET(goal_position),                    \
        PARAM_OFFSET(goal_velocity), PARAM_OFFSET(power)
#define CLOBBERS                                                                                             \
    V_CLOBBERS, "memory", "cc", "x2", "x3", "x4", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", \
        "x15"

// ---- SWING: 8 lanes, as doubles in four registers or as floats in two ----
//
//   0-3    r, cos, pull | cost, reward             20, 21  force
//   4-7    z | velocity | goal_reward              22, 24  position, before the velocity as st2 wants it
//   8-11   z2, z4 | elapsed                        23, 25  velocity
//   12-15  P | late                                26, 27  q, pull, reached
//   16-19  scratch | ended                         28-31   k0 to k3
#define R_r        0, 1, 2, 3
#define R_cost     0, 1, 2, 3
#define R_z        4, 5, 6, 7
#define R_wide     4, 5, 6, 7
#define R_payment  4, 5, 6, 7
#define R_z2       8, 9, 10, 11
#define R_now      8, 9, 10, 11
#define R_p        12, 13, 14, 15
#define R_late     12, 13, 14, 15
#define R_s        16, 17, 18, 19
#define R_ended    16, 17, 18, 19
#define R_force    20, 21
#define R_position 22, 24
#define R_velocity 23, 25
#define R_f        26, 27
#define R_g        16, 17

#define FLOATS(s, d, note)                                                                                   \
    OP(fcvtn, V(S2, G0, d), V(D2, G0, s), note) OP(fcvtn2, V(S4, G0, d), V(D2, G1, s), note)                 \
    OP(fcvtn, V(S2, G1, d), V(D2, G2, s), note) OP(fcvtn2, V(S4, G1, d), V(D2, G3, s), note)
#define DOUBLES(op, op2, s, d, note)                                                                         \
    OP(op, V(D2, G0, d), V(S2, G0, s), note) OP(op2, V(D2, G1, d), V(S4, G0, s), note)                       \
    OP(op, V(D2, G2, d), V(S2, G1, s), note) OP(op2, V(D2, G3, d), V(S4, G1, s), note)

// Jumps to label 3 if a lane is fresh or its action beyond the bounds.
#define LOOK                                                                                                 \
    LOAD_4(FRESH, r,                                        "fresh")                                         \
    LOAD_2(ACTION, force,                                   "action")                                        \
    CONSTANT(k0, force32)                                                                                    \
    TWO_2(fabs, S4, f, force,                               "abs(action)")                                   \
    TWO(fcmgt, S4, f, f, k0,                                "abs(action) > 1")                               \
    OP(orr, B16(0), B16(0), B16(1),                         "")                                              \
    OP(orr, B16(2), B16(2), B16(3),                         "")                                              \
    OP(orr, B16(26), B16(26), B16(27),                      "")                                              \
    OP(orr, B16(0), B16(0), B16(2),                         "")                                              \
    OP(orr, B16(0), B16(0), B16(26),                        "not for SWING")                                 \
    OP(umaxv, S(0), S4(0),                                  "")                                              \
    OP(fmov, "w15", S(0),                                   "")                                              \
    OP(cbnz, "w15", "3f",                                   "")

// [2] cos
#define COS                                                                                                  \
    LOAD_4(POSITION, z,                                     "position")                                      \
    FLOATS(z, position,                                     "position")                                      \
    CONSTANT(k0, three32)                                                                                    \
    TWO(fmul, S4, f, position, k0,                          "q = 3*position")                                \
    TWO_2(fabs, S4, f, f,                                   "abs(q)")                                        \
    DOUBLES(fcvtl, fcvtl2, f, r,                            "abs(q)")                                        \
    CONSTANT(k0, pi)                                                                                         \
    CONSTANT(k1, half_pi)                                                                                    \
    CONSTANT(k2, small_part)                                                                                 \
    FOUR(fsub, D2, r, r, k0,                                "abs(q) - pi")                                   \
    FOUR_2(fabs, D2, r, r,                                  "abs(…)")                                        \
    FOUR(fsub, D2, r, r, k1,                                "abs(…) - pi/2")                                 \
    FOUR(fadd, D2, r, r, k2,                                "r = … + small_part")                            \
    CONSTANT(k0, W0)                                                                                         \
    CONSTANT(k1, W1)                                                                                         \
    CONSTANT(k2, W2)                                                                                         \
    CONSTANT(k3, W3)                                                                                         \
    FOUR(fmul, D2, z, r, r,                                 "z = r*r")                                       \
    FOUR(fmul, D2, z2, z, z,                                "z2 = z*z")                                      \
    FOUR_2(mov, B16, p, k0,                                 "W0")                                            \
    FOUR_2(mov, B16, s, k2,                                 "W2")                                            \
    FOUR(fmla, D2, p, z, k1,                                "W0 + z*W1")                                     \
    FOUR(fmla, D2, s, z, k3,                                "W2 + z*W3")                                     \
    CONSTANT(k0, W4)                                                                                         \
    CONSTANT(k1, W5)                                                                                         \
    CONSTANT(k2, W6)                                                                                         \
    FOUR(fmla, D2, p, z2, s,                                "(W0 + z*W1) + z2*(W2 + z*W3)")                  \
    FOUR_2(mov, B16, s, k0,                                 "W4")                                            \
    FOUR(fmla, D2, s, z, k1,                                "W4 + z*W5")                                     \
    FOUR(fmla, D2, s, z2, k2,                               "(W4 + z*W5) + z2*W6")                           \
    FOUR(fmul, D2, z2, z2, z2,                              "z4 = z2*z2")                                    \
    FOUR(fmul, D2, z, r, z,                                 "r*z")                                           \
    FOUR(fmla, D2, p, z2, s,                                "P = (…) + z4*(…)")                              \
    FOUR(fmla, D2, r, z, p,                                 "cos = r + (r*z)*P")

// [3] acceleration
#define ACCELERATION                                                                                         \
    CONSTANT(k0, gravity)                                                                                    \
    CONSTANT(k1, power32)                                                                                    \
    FOUR(fmul, D2, r, r, k0,                                "gravity * cos")                                 \
    FLOATS(r, f,                                            "pull")                                          \
    TWO(fmul, S4, g, force, k1,                             "force * power")                                 \
    TWO(fsub, S4, g, g, f,                                  "acceleration = force*power - pull")

// [4] motion, [6] observation
#define MOTION                                                                                               \
    LOAD_4(VELOCITY, z,                                     "velocity")                                      \
    FLOATS(z, velocity,                                     "velocity")                                      \
    CONSTANT(k0, max_speed32)                                                                                \
    CONSTANT(k1, min_speed32)                                                                                \
    CONSTANT(k2, max_position32)                                                                             \
    CONSTANT(k3, min_position32)                                                                             \
    TWO(fadd, S4, velocity, velocity, g,                    "velocity + acceleration")                       \
    TWO(fmin, S4, velocity, velocity, k0,                   "at most max_speed")                             \
    TWO(fmax, S4, velocity, velocity, k1,                   "at least -max_speed")                           \
    TWO(fadd, S4, position, position, velocity,             "position + velocity")                           \
    TWO(fmin, S4, position, position, k2,                   "at most max_position")                          \
    TWO(fmax, S4, position, position, k3,                   "at least min_position")                         \
    OP(movi, D2(28), "#0",                                  "0")                                             \
    TWO(fcmeq, S4, f, position, k3,                         "at the wall")                                   \
    TWO(fcmgt, S4, g, k0, velocity,                         "0 > velocity")                                  \
    TWO(and, B16, f, f, g,                                  "stopped")                                       \
    TWO(bic, B16, velocity, velocity, f,                    "0 if stopped")                                  \
    PARAM(k0, goal_position)                                                                                 \
    PARAM(k1, goal_velocity)                                                                                 \
    OP(fcvtn, S2(30), D2(28),                               "")                                              \
    OP(fcvtn2, S4(30), D2(28),                              "goal_position")                                 \
    OP(fcvtn, S2(31), D2(29),                               "")                                              \
    OP(fcvtn2, S4(31), D2(29),                              "goal_velocity")                                 \
    TWO(fcmge, S4, f, position, k2,                         "position >= goal_position")                     \
    TWO(fcmge, S4, g, velocity, k3,                         "velocity >= goal_velocity")                     \
    TWO(and, B16, f, f, g,                                  "reached")                                       \
    DOUBLES(fcvtl, fcvtl2, position, wide,                  "position")                                      \
    STORE_4(POSITION, wide,                                 "position")                                      \
    DOUBLES(fcvtl, fcvtl2, velocity, wide,                  "velocity")                                      \
    STORE_4(VELOCITY, wide,                                 "velocity")                                      \
    OP(st2, "{v22.4s, v23.4s}", "[" OBSERVATION "]", "#32", "rows 0-3")                                      \
    OP(st2, "{v24.4s, v25.4s}", "[" OBSERVATION "]", "#32", "rows 4-7")

// [5] termination and reward. Masks of 8 lanes become 8 bytes, of four lanes four.
#define FLAGS_8(array, mask)                                                                                 \
    OP(uzp1, S4(28), V(S4, G0, mask), V(S4, G1, mask),      "lanes 0-3")                                     \
    OP(uzp1, S4(29), V(S4, G2, mask), V(S4, G3, mask),      "lanes 4-7")                                     \
    OP(uzp1, H8(28), H8(28), H8(29),                        "lanes 0-7")                                     \
    OP(xtn, B8(28), H8(28),                                 "byte i: lane i, -1 or 0")                       \
    OP(neg, B8(28), B8(28),                                 "1 or 0")                                        \
    OP(str, D(28), "[" array "]", "#8",                     "terminated or truncated")
#define OUTCOMES                                                                                             \
    CONSTANT(k0, action_cost)                                                                                \
    CONSTANT(k1, goal_reward)                                                                                \
    CONSTANT(k2, ones)                                                                                       \
    DOUBLES(fcvtl, fcvtl2, force, cost,                     "action")                                        \
    FOUR(fmul, D2, cost, cost, cost,                        "action*action")                                 \
    FOUR(fmul, D2, cost, cost, k0,                          "(action*action) * action_cost")                 \
    DOUBLES(sxtl, sxtl2, f, ended,                          "ended = reached")                               \
    FOUR(and, B16, payment, ended, k1,                      "goal_reward if reached, else 0")                \
    FOUR(fsub, D2, payment, payment, cost,                  "reward")                                        \
    STORE_4(REWARD, payment,                                "reward")                                        \
    LOAD_4(ELAPSED, now,                                    "elapsed")                                       \
    OP(ld1r, "{" D2(31) "}", LIMIT,                         "limit")                                         \
    FOUR(sub, D2, now, now, k2,                             "now = elapsed + 1")                             \
    FOUR(cmge, D2, late, now, k3,                           "late = now >= limit")                           \
    FOUR(orr, B16, now, now, ended,                         "now | ended")                                   \
    FOUR(orr, B16, now, now, late,                          "now | ended | late")                            \
    STORE_4(ELAPSED, now,                                   "elapsed")                                       \
    FLAGS_8(TERMINATED, ended)                                                                               \
    FLAGS_8(TRUNCATED, late)

// ---- ANY: four lanes as doubles in two registers ----
//
// A number that is float32 where the mask is not set is rounded there, by OF; what is done with it in between
// is done in double, which rounds alike (level cpp says why).
//   0, 1  old_wide = not float32 = fresh               12, 13  p2, tail0, y2, wide_position
//   2, 3  force * power, acceleration                  14, 15  r_part, high0, tail, reached
//   4, 5  clipped                                      16, 17  x, sin, starting
//   6, 7  a: force, w, new_velocity                    18, 19  b: scratch
//   8, 9  k, high, cos, new_position                   20, 21  d: quadrant, scratch
//   10, 11  t, p3, excess2, y, wide_velocity           22      action, 23 rows of the observation
#define R_old_wide      0, 1
#define R_push          2, 3
#define R_acceleration  2, 3
#define R_clipped       4, 5
#define R_a             6, 7
#define R_w             6, 7
#define R_new_velocity  6, 7
#define R_k             8, 9
#define R_high          8, 9
#define R_cos           8, 9
#define R_new_position  8, 9
#define R_t             10, 11
#define R_p3            10, 11
#define R_excess2       10, 11
#define R_y             10, 11
#define R_wide_velocity 10, 11
#define R_p2            12, 13
#define R_tail0         12, 13
#define R_y2            12, 13
#define R_wide_position 12, 13
#define R_r_part        14, 15
#define R_high0         14, 15
#define R_tail          14, 15
#define R_reached       14, 15
#define R_x             16, 17
#define R_sin           16, 17
#define R_starting      16, 17
#define R_b             18, 19
#define R_d             20, 21

#define SINGLE(s, d)                                                                                         \
    OP(fcvtn, V(S2, G0, d), V(D2, G0, s), "to float32") OP(fcvtn, V(S2, G1, d), V(D2, G1, s), "to float32")  \
    OP(fcvtl, V(D2, G0, d), V(S2, G0, d), "") OP(fcvtl, V(D2, G1, d), V(S2, G1, d), "")
#define OF(mask, number)                                                                                     \
    SINGLE(number, b)                                                                                        \
    TWO(bif, B16, number, b, mask,                          "wide or float32")
// k0 is a param, k1 as a float32, b in the type of what it is compared with.
#define PARAMS_OF(param)                                                                                     \
    PARAM(k0, param)                                                                                         \
    OP(fcvtn, S2(29), D2(28),                               "to float32")                                    \
    OP(fcvtl, D2(29), S2(29),                               "")
#define PARAM_OF(mask, param)                                                                                \
    PARAMS_OF(param)                                                                                         \
    TWO_2(mov, B16, b, mask,                                "")                                              \
    TWO(bsl, B16, b, k0, k1,                                #param)
#define ACTIONS(d)                                                                                           \
    OP(fcvtl, V(D2, G0, d), S2(22),                         "action")                                        \
    OP(fcvtl2, V(D2, G1, d), S4(22),                        "action")

// [1] force
#define FORCE                                                                                                \
    LOAD_2(FRESH, old_wide,                                 "fresh")                                         \
    OP(ldr, Q(22), "[" ACTION "]", "#16",                   "action")                                        \
    TWO_2(neg, D2, old_wide, old_wide,                      "old_wide = -fresh")                             \
    ACTIONS(a)                                                                                               \
    PARAMS_OF(min_action)                                                                                    \
    TWO(fcmgt, D2, clipped, k1, a,                          "min_action > action")                           \
    TWO(bit, B16, a, k0, clipped,                           "raised")                                        \
    PARAM_OF(clipped, max_action)                                                                            \
    TWO(fcmgt, D2, b, a, b,                                 "raised > max_action")                           \
    TWO(bit, B16, a, k0, b,                                 "force")                                         \
    TWO(orr, B16, clipped, clipped, b,                      "clipped")                                       \
    PARAMS_OF(power)                                                                                         \
    TWO(fmul, D2, push, a, k0,                              "force * power, wide")                           \
    TWO(fmul, D2, b, a, k1,                                 "force * power")                                 \
    SINGLE(b, b)                                                                                             \
    TWO(bif, B16, push, b, clipped,                         "push")

// [2] cos, by the numbered steps of numerics.hpp (y is its z, x its r); the low bits of d are the quadrant.
#define ANGLE                                                                                                \
    LOAD_2(POSITION, t,                                     "position")                                      \
    OF(old_wide, t)                                                                                          \
    CONSTANT(k0, three)                                                                                      \
    TWO(fmul, D2, t, t, k0,                                 "3 * position")                                  \
    OF(old_wide, t)
#define PARTS                                                                                                \
    CONSTANT(k0, two_over_pi)                                                                                \
    CONSTANT(k1, round)                                                                                      \
    CONSTANT(k2, P0)                                                                                         \
    CONSTANT(k3, P1)                                                                                         \
    TWO(fmul, D2, d, t, k0,                                 "angle * two_over_pi")                           \
    TWO(fadd, D2, d, d, k1,                                 "shifted")                                       \
    TWO(fsub, D2, k, d, k1,                                 "k = shifted - round")                           \
    TWO(fmul, D2, b, k, k2,                                 "k*P0")                                          \
    TWO(fsub, D2, t, t, b,                                  "t = angle - k*P0")                              \
    TWO(fmul, D2, p2, k, k3,                                "p2 = k*P1")                                     \
    TWO(fsub, D2, x, t, p2,                                 "r = t - p2")                                    \
    TWO(fsub, D2, r_part, x, t,                             "r_part = r - t")                                \
    TWO(fadd, D2, p2, p2, r_part,                           "p2 + r_part")                                   \
    TWO(fsub, D2, r_part, x, r_part,                        "r - r_part")                                    \
    TWO(fsub, D2, r_part, t, r_part,                        "t - (r - r_part)")                              \
    TWO(fsub, D2, tail0, p2, r_part,                        "excess1")
#define HIGH_AND_TAIL                                                                                        \
    CONSTANT(k0, P2)                                                                                         \
    CONSTANT(k1, P3)                                                                                         \
    TWO(fmul, D2, p3, k, k0,                                "p3 = k*P2")                                     \
    TWO(fsub, D2, high0, x, p3,                             "high0 = r - p3")                                \
    TWO(fsub, D2, b, high0, x,                              "high0_part = high0 - r")                        \
    TWO(fadd, D2, p3, p3, b,                                "p3 + high0_part")                               \
    TWO(fsub, D2, b, high0, b,                              "high0 - high0_part")                            \
    TWO(fsub, D2, b, x, b,                                  "r - (high0 - high0_part)")                      \
    TWO(fsub, D2, excess2, p3, b,                           "excess2")                                       \
    TWO(fadd, D2, tail0, tail0, excess2,                    "excess1 + excess2")                             \
    TWO(fmul, D2, k, k, k1,                                 "k*P3")                                          \
    TWO(fadd, D2, tail0, tail0, k,                          "tail0")                                         \
    TWO(fsub, D2, high, high0, tail0,                       "high = high0 - tail0")                          \
    TWO(fsub, D2, tail, high, high0,                        "high - high0")                                  \
    TWO(fadd, D2, tail, tail, tail0,                        "tail = (high - high0) + tail0")                 \
    TWO(fmul, D2, y, high, high,                            "z = high*high")                                 \
    TWO(fmul, D2, y2, y, y,                                 "z2 = z*z")
// (c1 + z*c2) + z2*((c3 + z*c4) + z2*c5)
#define REST(c, rest)                                                                                        \
    CONSTANT(k0, c##4)                                                                                       \
    CONSTANT(k1, c##5)                                                                                       \
    CONSTANT(k2, c##3)                                                                                       \
    CONSTANT(k3, c##2)                                                                                       \
    TWO(fmul, D2, b, y, k0,                                 "z*c4")                                          \
    TWO(fmul, D2, rest, y2, k1,                             "z2*c5")                                         \
    TWO(fadd, D2, b, k2, b,                                 "c3 + z*c4")                                     \
    TWO(fadd, D2, b, b, rest,                               "(c3 + z*c4) + z2*c5")                           \
    TWO(fmul, D2, rest, y, k3,                              "z*c2")                                          \
    CONSTANT(k0, c##1)                                                                                       \
    TWO(fmul, D2, b, y2, b,                                 "z2 * ((c3 + z*c4) + z2*c5)")                    \
    TWO(fadd, D2, rest, k0, rest,                           "c1 + z*c2")                                     \
    TWO(fadd, D2, rest, rest, b,                            "rest = (c1 + z*c2) + z2*(…)")
#define SIN_WITH_TAIL                                                                                        \
    CONSTANT(k0, one)                                                                                        \
    CONSTANT(k1, half)                                                                                       \
    CONSTANT(k2, S0)                                                                                         \
    TWO(fmul, D2, b, high, y,                               "cube = high*z")                                 \
    TWO(fmul, D2, b, b, y,                                  "cube*z")                                        \
    TWO(fmul, D2, sin, b, sin,                              "(cube*z) * rest")                               \
    TWO(fmul, D2, b, k1, y,                                 "half = 0.5*z")                                  \
    TWO(fsub, D2, w, k0, b,                                 "w = 1 - half")                                  \
    TWO(fmul, D2, b, tail, w,                               "tail*w")                                        \
    TWO(fadd, D2, sin, sin, b,                              "(cube*z)*rest + tail*w")                        \
    TWO(fmul, D2, b, high, y,                               "cube again")                                    \
    TWO(fmul, D2, b, b, k2,                                 "cube*S0")                                       \
    TWO(fadd, D2, sin, b, sin,                              "cube*S0 + (…)")                                 \
    TWO(fsub, D2, sin, high, sin,                           "s = high - (…)")                                \
    TWO(fmul, D2, tail, sin, tail,                          "s*tail")
#define COS_WITH_TAIL                                                                                        \
    CONSTANT(k0, C0)                                                                                         \
    CONSTANT(k1, half)                                                                                       \
    CONSTANT(k2, one)                                                                                        \
    TWO(fmul, D2, cos, y, cos,                              "z * rest")                                      \
    TWO(fadd, D2, cos, k0, cos,                             "C0 + z*rest")                                   \
    TWO(fmul, D2, cos, y2, cos,                             "z2 * (C0 + z*rest)")                            \
    TWO(fmul, D2, y, k1, y,                                 "half = 0.5*z")                                  \
    TWO(fsub, D2, b, k2, w,                                 "1 - w")                                         \
    TWO(fsub, D2, b, b, y,                                  "(1 - w) - half")                                \
    TWO(fadd, D2, b, b, tail,                               "((1 - w) - half) + s*tail")                     \
    TWO(fadd, D2, cos, b, cos,                              "(…) + z2*(C0 + z*rest)")                        \
    TWO(fadd, D2, cos, w, cos,                              "c = w + (…)")
#define QUADRANT                                                                                             \
    TWO_BY(shl, b, d, "#63",                                "sign bit in quadrants 1, 3")                    \
    TWO_BY(ushr, d, d, "#1",                                "")                                              \
    TWO_BY(shl, d, d, "#63",                                "sign bit in quadrants 2, 3")                    \
    TWO(eor, B16, d, d, b,                                  "sign bit in quadrants 1, 2")                    \
    TWO_BY(sshr, b, b, "#63",                               "odd")                                           \
    TWO(bit, B16, cos, sin, b,                              "odd ? s : c")                                   \
    TWO(eor, B16, cos, cos, d,                              "cos")

// [3] acceleration
#define ACCELERATION_OF                                                                                      \
    CONSTANT(k0, gravity)                                                                                    \
    TWO(fmul, D2, d, cos, k0,                               "pull = gravity * cos")                          \
    OF(clipped, d)                                                                                           \
    TWO(fsub, D2, acceleration, push, d,                    "force*power - pull")                            \
    TWO(and, B16, clipped, clipped, old_wide,               "float32 unless both")                           \
    OF(clipped, acceleration)

// [4] motion; what a bound has taken the place of is wide from there on. now_wide = was_wide | replaced.
#define REPLACED(number, was_wide, now_wide)                                                                 \
    TWO(bit, B16, number, k0, d,                            #number)                                         \
    TWO(orr, B16, now_wide, was_wide, d,                    "")
#define MOTION_OF                                                                                            \
    LOAD_2(VELOCITY, new_velocity,                          "velocity")                                      \
    OF(old_wide, new_velocity)                                                                               \
    TWO(fadd, D2, new_velocity, new_velocity, acceleration, "velocity + acceleration")                       \
    OF(old_wide, new_velocity)                                                                               \
    PARAM_OF(old_wide, max_speed)                                                                            \
    TWO(fcmgt, D2, d, new_velocity, b,                      "velocity > max_speed")                          \
    REPLACED(new_velocity, old_wide, wide_velocity)                                                          \
    PARAM_OF(wide_velocity, max_speed)                                                                       \
    TWO_2(fneg, D2, b, b,                                   "-max_speed")                                    \
    OP(fneg, D2(28), D2(28),                                "-max_speed")                                    \
    TWO(fcmgt, D2, d, b, new_velocity,                      "-max_speed > velocity")                         \
    REPLACED(new_velocity, wide_velocity, wide_velocity)                                                     \
    TWO_2(mov, B16, d, new_velocity,                        "velocity")                                      \
    OF(old_wide, d)                                                                                          \
    LOAD_2(POSITION, new_position,                          "position")                                      \
    OF(old_wide, new_position)                                                                               \
    TWO(fadd, D2, new_position, new_position, d,            "position + velocity")                           \
    OF(old_wide, new_position)                                                                               \
    PARAM_OF(old_wide, max_position)                                                                         \
    TWO(fcmgt, D2, d, new_position, b,                      "position > max_position")                       \
    REPLACED(new_position, old_wide, wide_position)                                                          \
    PARAM_OF(wide_position, min_position)                                                                    \
    TWO(fcmgt, D2, d, b, new_position,                      "min_position > position")                       \
    REPLACED(new_position, wide_position, wide_position)                                                     \
    PARAM_OF(wide_position, min_position)                                                                    \
    OP(movi, D2(30), "#0",                                  "0")                                             \
    TWO(fcmeq, D2, b, new_position, b,                      "position == min_position")                      \
    TWO(fcmgt, D2, d, k2, new_velocity,                     "0 > velocity")                                  \
    TWO(and, B16, b, b, d,                                  "stopped")                                       \
    TWO(bic, B16, new_velocity, new_velocity, b,            "0 if stopped")                                  \
    TWO(orr, B16, wide_velocity, wide_velocity, b,          "")

// [5] termination and reward
#define FLAGS_4(array, mask)                                                                                 \
    OP(uzp1, S4(28), V(S4, G0, mask), V(S4, G1, mask),      "lanes 0-3")                                     \
    OP(xtn, H4(28), S4(28),                                 "")                                              \
    OP(xtn, B8(28), H8(28),                                 "byte i: lane i, -1 or 0")                       \
    OP(neg, B8(28), B8(28),                                 "1 or 0")                                        \
    OP(str, S(28), "[" array "]", "#4",                     "terminated or truncated")
#define TERMINATION                                                                                          \
    PARAM_OF(wide_position, goal_position)                                                                   \
    TWO(fcmge, D2, reached, new_position, b,                "position >= goal_position")                     \
    PARAM_OF(wide_velocity, goal_velocity)                                                                   \
    TWO(fcmge, D2, b, new_velocity, b,                      "velocity >= goal_velocity")                     \
    TWO(and, B16, reached, reached, b,                      "reached")                                       \
    LOAD_2(ELAPSED, starting,                               "elapsed")                                       \
    TWO_BY(cmlt, starting, starting, "#0",                  "elapsed < 0")                                   \
    CONSTANT(k0, action_cost)                                                                                \
    CONSTANT(k1, goal_reward)                                                                                \
    CONSTANT(k2, ones)                                                                                       \
    OP(ld1r, "{" D2(31) "}", LIMIT,                         "limit")                                         \
    ACTIONS(b)                                                                                               \
    TWO(fmul, D2, b, b, b,                                  "action*action")                                 \
    TWO(fmul, D2, b, b, k0,                                 "(action*action) * action_cost")                 \
    TWO(and, B16, d, reached, k1,                           "goal_reward if reached, else 0")                \
    TWO(fsub, D2, d, d, b,                                  "reward of the step")                            \
    TWO(bic, B16, d, d, starting,                           "0 if starting")                                 \
    STORE_2(REWARD, d,                                      "reward")                                        \
    TWO(bic, B16, reached, reached, starting,               "ended = reached and not starting")              \
    LOAD_2(ELAPSED, b,                                      "elapsed")                                       \
    TWO(sub, D2, b, b, k2,                                  "now = elapsed + 1")                             \
    TWO(cmge, D2, d, b, k3,                                 "late = now >= limit")                           \
    TWO(orr, B16, b, b, reached,                            "now | ended")                                   \
    TWO(orr, B16, b, b, d,                                  "now | ended | late")                            \
    STORE_2(ELAPSED, b,                                     "elapsed")                                       \
    FLAGS_4(TERMINATED, reached)                                                                             \
    FLAGS_4(TRUNCATED, d)

// The new state is float32; a starting lane keeps the old one. [6] observation.
#define KEEP(number, array)                                                                                  \
    SINGLE(number, number)                                                                                   \
    LOAD_2(array, b,                                        "")                                              \
    TWO(bit, B16, number, b, starting,                      "old if starting")                               \
    STORE_2(array, number,                                  #number)
#define STATE                                                                                                \
    KEEP(new_position, POSITION)                                                                             \
    KEEP(new_velocity, VELOCITY)                                                                             \
    LOAD_2(FRESH, b,                                        "fresh")                                         \
    TWO(and, B16, b, b, starting,                           "fresh if starting, else 0")                     \
    STORE_2(FRESH, b,                                       "fresh")                                         \
    OP(fcvtn, S2(22), V(D2, G0, new_position),              "float(position)")                               \
    OP(fcvtn2, S4(22), V(D2, G1, new_position),             "float(position)")                               \
    OP(fcvtn, S2(23), V(D2, G0, new_velocity),              "float(velocity)")                               \
    OP(fcvtn2, S4(23), V(D2, G1, new_velocity),             "float(velocity)")                               \
    OP(st2, "{v22.4s, v23.4s}", "[" OBSERVATION "]", "#32", "rows 0-3")

#define ANY                                                                                                  \
    FORCE ANGLE PARTS HIGH_AND_TAIL REST(S, sin) SIN_WITH_TAIL REST(C, cos) COS_WITH_TAIL QUADRANT           \
    ACCELERATION_OF MOTION_OF TERMINATION STATE                                                              \
    NEXT("#4", "#32")

__attribute__((noinline)) void step_in_play(const Batch* b) {
    asm volatile(ENTER
                 LOOP(1)
                 MCA_BEGIN("continuous_mountain_car/step_in_play lanes=8")
                 LOOK COS ACCELERATION MOTION OUTCOMES
                 OP(add, ACTION, ACTION, "#32", "")
                 NEXT("#8", "#64")
                 MCA_END
                 OP(b.ne, "1b", "next 8 lanes")
                 OP(b, "2f", "")
                 LOOP(3)
                 ANY
                 OP(tbnz, "x14", "#2", "3b", "the other four")
                 OP(cbnz, "x14", "1b", "next 8 lanes")
                 LABEL(2)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

__attribute__((noinline)) void step_any(const Batch* b) {
    asm volatile(ENTER
                 LOOP(1)
                 MCA_BEGIN("continuous_mountain_car/step_any lanes=4")
                 ANY
                 MCA_END
                 OP(b.ne, "1b", "next 4 lanes")
                 LABEL(2)
                 :
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

// clang-format on

}  // namespace

Step* games::continuous_mountain_car(const Batch* b, bool in_play) {
    return plain(*reinterpret_cast<const Params*>(b->params), in_play) ? step_in_play : step_any;
}

}  // namespace compute_layers::asm_aarch64
