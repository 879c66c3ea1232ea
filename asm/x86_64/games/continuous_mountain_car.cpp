// SPDX-License-Identifier: MIT
#include "games/continuous_mountain_car.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace continuous_mountain_car;

constexpr Row single(double value) { return row(static_cast<float>(value)); }

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(abs32, row(uint64_t{0x7FFF'FFFF'7FFF'FFFF})) ROW(three32, row(3.0f)) ROW(force32, single(kForce))    \
    ROW(power32, single(kPower)) ROW(max_speed32, single(kMaxSpeed)) ROW(min_speed32, single(-kMaxSpeed))    \
    ROW(min_position32, single(kMinPosition)) ROW(max_position32, single(kMaxPosition))                      \
    ROW(pi, row(kPi)) ROW(half_pi, row(kHalfPi[0])) ROW(small_part, row(kSmallPart))                            \
    ROW(W0, row(kSwing[0])) ROW(W1, row(kSwing[1])) ROW(W2, row(kSwing[2])) ROW(W3, row(kSwing[3]))          \
    ROW(W4, row(kSwing[4])) ROW(W5, row(kSwing[5])) ROW(W6, row(kSwing[6]))                                  \
    ROW(gravity, row(kGravity)) ROW(goal_reward, row(kGoalReward)) ROW(action_cost, row(kActionCost))        \
    ROW(abs, row(kAbs)) ROW(sign, row(~kAbs)) ROW(ones, row(kOnes))                                          \
    ROW(one, row(1.0)) ROW(half, row(0.5)) ROW(three, row(3.0))                                              \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(flag_spread, row(kFlagSpread)) ROW(flag_bytes, row(kFlagBytes))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

// Two ways to step. SWING takes 8 lanes in play that are not fresh, and so not starting, and pushed by no more
// than the engine has: then all but the cosine is float32. If one of the 8 is otherwise, all go the way of ANY,
// for any params and any state. That is a jump mispredicted twice in an episode, of 999 steps or of a
// hundred, and cheaper than to compute both types for every lane of every step.
//
// General registers
//   r8   position        r11  elapsed - position   r12  action                  rbx  observation - position
//   r9   stride          r13  reward - position    r14  terminated              rax  scratch
//   rdx  rows of params                            r15  truncated - terminated
//   [k]  kConstants      [b]  the batch, then the end of position
// all in bytes, so that elapsed, reward and observation move on with r8.
//
// Vector registers that all lanes share
//   15 limit - 1; in SWING 13 goal_position, 14 goal_velocity, both float32

#define POSITION   "(%%r8)"
#define VELOCITY   "(%%r8,%%r9)"
#define FRESH      "(%%r8,%%r9,2)"
#define ELAPSED    "(%%r8,%%r11)"
#define REWARD     "(%%r8,%%r13)"
#define OBSERVED   "(%%r8,%%rbx)"
#define ACTION     "(%%r12)"
#define TERMINATED "(%%r14)"
#define TRUNCATED  "(%%r14,%%r15)"
#define AFTER(bytes, array) bytes array  // so many bytes further
// At the group of four lanes.
#define AT_LOW(high, array) array
#define AT_HIGH(high, array) high array
#define AT(g, array) AT_##g("32", array)
#define ACTION_OF(g) AT_##g("16", ACTION)
#define FLAGS_OF(g, array) AT_##g("4", array)
#define ROWS_01(g) AT_##g("32", OBSERVED)
#define ROWS_23_LOW "16" OBSERVED
#define ROWS_23_HIGH "48" OBSERVED

static_assert(FIELD(State, position) == 0 && FIELD(State, velocity) == 1 && FIELD(State, fresh) == 2);

#define B(field) "%c[" #field "](%[b])"
#define P(field) "%c[" #field "](%%rdx)"
#define PARAM(field) [field] "i"(FIELD(Params, field) * sizeof(Row))

// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(mov, B(state), "%%r8",                                     "position")                                \
    OP(mov, B(stride), "%%r9",                                    "")                                        \
    OP(shl, "$3", "%%r9",                                         "stride in bytes")                         \
    OP(mov, B(elapsed), "%%r11",                                  "")                                        \
    OP(sub, "%%r8", "%%r11",                                      "elapsed - position")                      \
    OP(mov, B(reward), "%%r13",                                   "")                                        \
    OP(sub, "%%r8", "%%r13",                                      "reward - position")                       \
    OP(mov, B(observation), "%%rbx",                              "")                                        \
    OP(sub, "%%r8", "%%rbx",                                      "observation - position")                  \
    OP(mov, B(action), "%%r12",                                   "")                                        \
    OP(mov, B(terminated), "%%r14",                               "")                                        \
    OP(mov, B(truncated), "%%r15",                                "")                                        \
    OP(sub, "%%r14", "%%r15",                                     "truncated - terminated")                  \
    OP(mov, B(rows), "%%rdx",                                     "")                                        \
    OP(vpbroadcastq, B(limit), Y(15),                             "")                                        \
    OP(vpaddq, K(ones), Y(15), Y(15),                             "limit - 1")                               \
    OP(mov, B(n), "%[b]",                                         "the last use of the batch")               \
    OP(lea, "(%%r8,%[b],8)", "%[b]",                              "end of position")                         \
    OP(cmp, "%[b]", "%%r8",                                       "")                                        \
    OP(je, "2f",                                                  "no lanes")

#define BATCH_OPERANDS                                                                                       \
    [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),                     \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows), OFFSET(Batch, limit)
#define PARAM_OPERANDS                                                                                       \
    PARAM(min_action), PARAM(max_action), PARAM(min_position), PARAM(max_position), PARAM(max_speed),        \
        PARAM(goal_position), PARAM(goal_velocity), PARAM(power)
#define CLOBBERS                                                                                             \
    YMM_CLOBBERS, "memory", "cc", "rax", "rbx", "rdx", "r8", "r9", "r11", "r12", "r13", "r14", "r15"

// ---- SWING: 8 lanes as floats, or as doubles in two groups, LOW and HIGH ----
//
//   0  action                3  velocity                     LOW, HIGH  by what they hold in turn
//   1  position              4  q, scratch, reached, flags    2,  7      r, cos, pull
//   2  pull                  5  scratch                       3,  8      z
//   7  now, bounds to 10     6  scratch                       4,  9      z2, z4
//   8  late of LOW           9  late of HIGH                  5, 10      P
//                                                             6, 11      scratch
#define LOW(n) n
#define HIGH(n) HIGH_##n
#define HIGH_2 7
#define HIGH_3 8
#define HIGH_4 9
#define HIGH_5 10
#define HIGH_6 11
#define D(g, n) D_OF(g(n))
#define D_OF(n) D_NUMBER(n)
#define D_NUMBER(n) Y(n)

// Jumps to label 3 if a lane is fresh or its action beyond the bounds.
#define LOOK                                                                                                 \
    OP(vmovdqa, FRESH, Y(2),                                      "fresh, LOW")                              \
    OP(vpor, AFTER("32", FRESH), Y(2), Y(2),                      "fresh, HIGH")                             \
    OP(vmovups, ACTION, Y(0),                                     "action")                                  \
    OP(vandps, K(abs32), Y(0), Y(1),                              "abs(action)")                             \
    OP(vcmpgt_oqps, K(force32), Y(1), Y(1),                       "abs(action) > 1")                         \
    OP(vpor, Y(1), Y(2), Y(2),                                    "not for SWING")                           \
    OP(vptest, Y(2), Y(2),                                        "")                                        \
    OP(jnz, "3f",                                                 "")

#define FLOATS(array, d, t)                                                                                  \
    OP(vcvtpd2psy, array, X(d),                                   "LOW")                                     \
    OP(vcvtpd2psy, AFTER("32", array), X(t),                      "HIGH")                                    \
    OP(vinsertf128, "$1", X(t), Y(d), Y(d),                       "8 floats")

// [2] cos
#define ANGLES                                                                                               \
    FLOATS(POSITION, 1, 2)                                                                                   \
    OP(vmulps, K(three32), Y(1), Y(4),                            "q = 3*position")                          \
    OP(vandps, K(abs32), Y(4), Y(4),                              "abs(q)")                                  \
    OP(vcvtps2pd, X(4), Y(2),                                     "abs(q), LOW")                             \
    OP(vextractf128, "$1", Y(4), X(4),                            "")                                        \
    OP(vcvtps2pd, X(4), Y(7),                                     "abs(q), HIGH")
#define BOTH_3(op, a, b, d, note)                                                                            \
    OP(op, a, D(LOW, b), D(LOW, d), note) OP(op, a, D(HIGH, b), D(HIGH, d), note)
#define BOTH(op, a, b, d, note)                                                                              \
    OP(op, D(LOW, a), D(LOW, b), D(LOW, d), note) OP(op, D(HIGH, a), D(HIGH, b), D(HIGH, d), note)
#define BOTH_MOVE(a, d, note)                                                                                \
    OP(vmovapd, a, D(LOW, d), note) OP(vmovapd, a, D(HIGH, d), note)
#define COS                                                                                                  \
    BOTH_3(vsubpd, K(pi), 2, 2,                                   "abs(q) - pi")                             \
    BOTH_3(vandpd, K(abs), 2, 2,                                  "abs(…)")                                  \
    BOTH_3(vsubpd, K(half_pi), 2, 2,                              "abs(…) - pi/2")                           \
    BOTH_3(vaddpd, K(small_part), 2, 2,                           "r = … + small_part")                      \
    BOTH_MOVE(K(W1), 5,                                           "W1")                                      \
    BOTH_MOVE(K(W3), 6,                                           "W3")                                      \
    BOTH(vmulpd, 2, 2, 3,                                         "z = r*r")                                 \
    BOTH(vmulpd, 3, 3, 4,                                         "z2 = z*z")                                \
    BOTH_3(vfmadd213pd, K(W0), 3, 5,                              "W0 + z*W1")                               \
    BOTH_3(vfmadd213pd, K(W2), 3, 6,                              "W2 + z*W3")                               \
    BOTH(vfmadd231pd, 6, 4, 5,                                    "(W0 + z*W1) + z2*(W2 + z*W3)")            \
    BOTH_MOVE(K(W5), 6,                                           "W5")                                      \
    BOTH_3(vfmadd213pd, K(W4), 3, 6,                              "W4 + z*W5")                               \
    BOTH_3(vfmadd231pd, K(W6), 4, 6,                              "(W4 + z*W5) + z2*W6")                     \
    BOTH(vmulpd, 4, 4, 4,                                         "z4 = z2*z2")                              \
    BOTH(vmulpd, 2, 3, 3,                                         "r*z")                                     \
    BOTH(vfmadd231pd, 6, 4, 5,                                    "P = (…) + z4*(…)")                        \
    BOTH(vfmadd231pd, 5, 3, 2,                                    "cos = r + (r*z)*P")

// [3] acceleration
#define ACCELERATION                                                                                         \
    BOTH_3(vmulpd, K(gravity), 2, 2,                              "gravity * cos")                           \
    OP(vcvtpd2psy, Y(2), X(2),                                    "LOW")                                     \
    OP(vcvtpd2psy, Y(7), X(7),                                    "HIGH")                                    \
    OP(vinsertf128, "$1", X(7), Y(2), Y(2),                       "pull")                                    \
    OP(vmulps, K(power32), Y(0), Y(4),                            "force * power")                           \
    OP(vsubps, Y(2), Y(4), Y(4),                                  "acceleration = force*power - pull")

// [4] motion. Where the wall stands the velocity is at least 0, elsewhere at least what it is. Of two zeros,
// and of a NaN and a bound, min and max take what stands first.
#define MOTION                                                                                               \
    FLOATS(VELOCITY, 3, 5)                                                                                   \
    OP(vaddps, Y(4), Y(3), Y(3),                                  "velocity + acceleration")                 \
    OP(vmovaps, K(max_speed32), Y(7),                             "max_speed")                               \
    OP(vmovaps, K(min_speed32), Y(8),                             "-max_speed")                              \
    OP(vmovaps, K(max_position32), Y(9),                          "max_position")                            \
    OP(vmovaps, K(min_position32), Y(10),                         "min_position")                            \
    OP(vminps, Y(3), Y(7), Y(3),                                  "at most max_speed")                       \
    OP(vmaxps, Y(3), Y(8), Y(3),                                  "at least -max_speed")                     \
    OP(vaddps, Y(3), Y(1), Y(1),                                  "position + velocity")                     \
    OP(vminps, Y(1), Y(9), Y(1),                                  "at most max_position")                    \
    OP(vmaxps, Y(1), Y(10), Y(1),                                 "at least min_position")                   \
    OP(vcmpeqps, Y(10), Y(1), Y(4),                               "at the wall")                             \
    OP(vandnps, Y(8), Y(4), Y(4),                                 "0 at the wall, else -max_speed")          \
    OP(vmaxps, Y(3), Y(4), Y(3),                                  "velocity")                                \
    OP(vunpcklps, Y(3), Y(1), Y(5),                               "lanes 0, 1 | 4, 5")                       \
    OP(vunpckhps, Y(3), Y(1), Y(6),                               "lanes 2, 3 | 6, 7")                       \
    OP(vmovaps, X(5), OBSERVED,                                   "[6] rows 0, 1")                           \
    OP(vmovaps, X(6), AFTER("16", OBSERVED),                      "rows 2, 3")                               \
    OP(vextractf128, "$1", Y(5), AFTER("32", OBSERVED),           "rows 4, 5")                               \
    OP(vextractf128, "$1", Y(6), AFTER("48", OBSERVED),           "rows 6, 7")                               \
    OP(vcmpge_oqps, Y(13), Y(1), Y(4),                            "position >= goal_position")               \
    OP(vcmpge_oqps, Y(14), Y(3), Y(5),                            "velocity >= goal_velocity")               \
    OP(vandps, Y(5), Y(4), Y(4),                                  "reached")                                 \
    DOUBLES(1, 6, POSITION)                                                                                  \
    DOUBLES(3, 5, VELOCITY)
#define DOUBLES(s, t, array)                                                                                 \
    OP(vcvtps2pd, X(s), Y(t),                                     "LOW")                                     \
    OP(vmovapd, Y(t), array,                                      "")                                        \
    OP(vextractf128, "$1", Y(s), X(s),                            "HIGH")                                    \
    OP(vcvtps2pd, X(s), Y(t),                                     "")                                        \
    OP(vmovapd, Y(t), AFTER("32", array),                         "")

// [5] termination and reward of four lanes, `reached` as 32-bit masks
#define OUTCOME(at, action, reached, late)                                                                   \
    OP(vcvtps2pd, action, Y(5),                                   "action")                                  \
    OP(vmulpd, Y(5), Y(5), Y(5),                                  "action*action")                           \
    OP(vmulpd, K(action_cost), Y(5), Y(5),                        "(action*action) * action_cost")           \
    OP(vpmovsxdq, reached, Y(6),                                  "ended = reached")                         \
    OP(vandpd, K(goal_reward), Y(6), Y(7),                        "goal_reward if reached, else 0")          \
    OP(vsubpd, Y(5), Y(7), Y(7),                                  "reward")                                  \
    OP(vmovapd, Y(7), AFTER(at, REWARD),                          "")                                        \
    OP(vmovdqa, AFTER(at, ELAPSED), Y(7),                         "elapsed")                                 \
    OP(vpsubq, K(ones), Y(7), Y(7),                               "now = elapsed + 1")                       \
    OP(vpcmpgtq, Y(15), Y(7), Y(late),                            "late = now > limit - 1")                  \
    OP(vpor, Y(6), Y(7), Y(7),                                    "now | ended")                             \
    OP(vpor, Y(late), Y(7), Y(7),                                 "now | ended | late")                      \
    OP(vmovdqa, Y(7), AFTER(at, ELAPSED),                         "elapsed")
// The masks of both kinds, 32 bits each, become bytes: 16-bit numbers are packed within 128 bits.
#define OUTCOMES                                                                                             \
    OP(vextractf128, "$1", Y(4), X(1),                            "reached, HIGH")                           \
    OUTCOME("", X(0), X(4), 8)                                                                               \
    OP(vextractf128, "$1", Y(0), X(0),                            "action, HIGH")                            \
    OUTCOME("32", X(0), X(1), 9)                                                                             \
    OP(vextractf128, "$1", Y(8), X(5),                            "late, lanes 2, 3")                        \
    OP(vextractf128, "$1", Y(9), X(6),                            "late, lanes 6, 7")                        \
    OP(vshufps, "$0x88", X(5), X(8), X(8),                        "late, LOW")                               \
    OP(vshufps, "$0x88", X(6), X(9), X(9),                        "late, HIGH")                              \
    OP(vpackssdw, X(1), X(4), X(4),                               "reached")                                 \
    OP(vpackssdw, X(9), X(8), X(8),                               "late")                                    \
    OP(vpacksswb, X(8), X(4), X(4),                               "reached | late")                          \
    OP(vpabsb, X(4), X(4),                                        "1 or 0")                                  \
    OP(vmovlps, X(4), TERMINATED,                                 "terminated")                              \
    OP(vmovhps, X(4), TRUNCATED,                                  "truncated")

// ---- ANY: 8 lanes as doubles in two groups, LOW and HIGH, whose sections take turns ----
//
// A number that is float32 where the mask is not set is rounded there, by OF; what is done with it in between
// is done in double, which rounds alike (level cpp says why).
//
// Vector registers: 0-6 belong to LOW, 7-13 (7 more) to HIGH, by what they hold in turn
//   0  q, w               | wide, starting
//   1  k, high, c, cos    | velocity
//   2  r, s               | push = force * power, acceleration, position
//   3  t, p3, excess2, z  | clipped, wide_velocity
//   4  p2, tail0, z2      | a: the force, wide_position, e: scratch
//   5  r_part, high0, tail | d: scratch, reached
//   6  b: scratch
#define R_q 0
#define R_w 0
#define R_wide 0
#define R_starting 0
#define R_k 1
#define R_high 1
#define R_c 1
#define R_cos 1
#define R_velocity 1
#define R_r 2
#define R_s 2
#define R_push 2
#define R_acceleration 2
#define R_position 2
#define R_t 3
#define R_p3 3
#define R_excess2 3
#define R_z 3
#define R_clipped 3
#define R_wide_velocity 3
#define R_p2 4
#define R_tail0 4
#define R_z2 4
#define R_a 4
#define R_wide_position 4
#define R_e 4
#define R_r_part 5
#define R_high0 5
#define R_tail 5
#define R_d 5
#define R_reached 5
#define R_b 6

#define V(g, name) V_##g(Y, R_##name)
#define V128(g, name) V_##g(X, R_##name)
#define V_LOW(size, n) size(n)
#define V_HIGH(size, n) V_HIGH_OF(size, n)
#define V_HIGH_OF(size, n) V_HIGH_##n(size)
#define V_HIGH_0(size) size(7)
#define V_HIGH_1(size) size(8)
#define V_HIGH_2(size) size(9)
#define V_HIGH_3(size) size(10)
#define V_HIGH_4(size) size(11)
#define V_HIGH_5(size) size(12)
#define V_HIGH_6(size) size(13)

#define SINGLE(g, s, d)                                                                                      \
    OP(vcvtpd2psy, s, V128(g, d),                                 "to float32")                              \
    OP(vcvtps2pd, V128(g, d), V(g, d),                            "")
#define OF(g, mask, x)                                                                                       \
    SINGLE(g, V(g, x), b)                                                                                    \
    OP(vblendvpd, V(g, mask), V(g, x), V(g, b), V(g, x),          "wide or float32")
// b is a param in the type of what it is compared with.
#define PARAM_OF(g, mask, param)                                                                             \
    SINGLE(g, P(param), b)                                                                                   \
    OP(vblendvpd, V(g, mask), P(param), V(g, b), V(g, b),         #param)

// [1] force
#define FORCE(g)                                                                                             \
    OP(vpxor, V(g, wide), V(g, wide), V(g, wide),                 "0")                                       \
    OP(vpsubq, AT(g, FRESH), V(g, wide), V(g, wide),              "wide = -fresh")                           \
    OP(vcvtps2pd, ACTION_OF(g), V(g, a),                          "action")                                  \
    SINGLE(g, P(min_action), b)                                                                              \
    OP(vcmplt_oqpd, V(g, b), V(g, a), V(g, clipped),              "action < min_action")                     \
    OP(vblendvpd, V(g, clipped), P(min_action), V(g, a), V(g, a), "raised")                                  \
    PARAM_OF(g, clipped, max_action)                                                                         \
    OP(vcmpgt_oqpd, V(g, b), V(g, a), V(g, d),                    "raised > max_action")                     \
    OP(vblendvpd, V(g, d), P(max_action), V(g, a), V(g, a),       "force")                                   \
    OP(vorpd, V(g, d), V(g, clipped), V(g, clipped),              "clipped")                                 \
    SINGLE(g, P(power), b)                                                                                   \
    OP(vmulpd, V(g, b), V(g, a), V(g, b),                         "force * power")                           \
    SINGLE(g, V(g, b), b)                                                                                    \
    OP(vmulpd, P(power), V(g, a), V(g, push),                     "force * power, wide")                     \
    OP(vblendvpd, V(g, clipped), V(g, push), V(g, b), V(g, push), "push")

// [2] cos, by the numbered steps of numerics.hpp; the low bits of q are the quadrant.
#define ANGLE(g)                                                                                             \
    OP(vpxor, V(g, wide), V(g, wide), V(g, wide),                 "0")                                       \
    OP(vpsubq, AT(g, FRESH), V(g, wide), V(g, wide),              "wide = -fresh")                           \
    OP(vmovapd, AT(g, POSITION), V(g, t),                         "position")                                \
    OF(g, wide, t)                                                                                           \
    OP(vmulpd, K(three), V(g, t), V(g, t),                        "3 * position")                            \
    OF(g, wide, t)
#define PARTS(g)                                                                                             \
    OP(vmulpd, K(two_over_pi), V(g, t), V(g, q),                  "angle * two_over_pi")                     \
    OP(vaddpd, K(round), V(g, q), V(g, q),                        "shifted")                                 \
    OP(vmovapd, V(g, q), AT(g, REWARD),                           "q, kept where the reward will stand")     \
    OP(vsubpd, K(round), V(g, q), V(g, k),                        "k = shifted - round")                     \
    OP(vmulpd, K(P0), V(g, k), V(g, b),                           "k*P0")                                    \
    OP(vsubpd, V(g, b), V(g, t), V(g, t),                         "t = angle - k*P0")                        \
    OP(vmulpd, K(P1), V(g, k), V(g, p2),                          "p2 = k*P1")                               \
    OP(vsubpd, V(g, p2), V(g, t), V(g, r),                        "r = t - p2")                              \
    OP(vsubpd, V(g, t), V(g, r), V(g, r_part),                    "r_part = r - t")                          \
    OP(vaddpd, V(g, r_part), V(g, p2), V(g, p2),                  "p2 + r_part")                             \
    OP(vsubpd, V(g, r_part), V(g, r), V(g, r_part),               "r - r_part")                              \
    OP(vsubpd, V(g, r_part), V(g, t), V(g, r_part),               "t - (r - r_part)")                        \
    OP(vsubpd, V(g, r_part), V(g, p2), V(g, tail0),               "excess1")
#define HIGH_AND_TAIL(g)                                                                                     \
    OP(vmulpd, K(P2), V(g, k), V(g, p3),                          "p3 = k*P2")                               \
    OP(vsubpd, V(g, p3), V(g, r), V(g, high0),                    "high0 = r - p3")                          \
    OP(vsubpd, V(g, r), V(g, high0), V(g, b),                     "high0_part = high0 - r")                  \
    OP(vaddpd, V(g, b), V(g, p3), V(g, p3),                       "p3 + high0_part")                         \
    OP(vsubpd, V(g, b), V(g, high0), V(g, b),                     "high0 - high0_part")                      \
    OP(vsubpd, V(g, b), V(g, r), V(g, b),                         "r - (high0 - high0_part)")                \
    OP(vsubpd, V(g, b), V(g, p3), V(g, excess2),                  "excess2")                                 \
    OP(vaddpd, V(g, excess2), V(g, tail0), V(g, tail0),           "excess1 + excess2")                       \
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
    OP(vmovapd, AT(g, REWARD), V(g, q),                           "q")                                       \
    OP(vpsllq, "$63", V(g, q), V(g, b),                           "sign bit in quadrants 1, 3")              \
    OP(vpsllq, "$62", V(g, q), V(g, q),                           "sign bit in quadrants 2, 3")              \
    OP(vblendvpd, V(g, b), V(g, s), V(g, c), V(g, cos),           "odd ? s : c")                             \
    OP(vxorpd, V(g, q), V(g, b), V(g, b),                         "sign bit in quadrants 1, 2")              \
    OP(vandpd, K(sign), V(g, b), V(g, b),                         "")                                        \
    OP(vxorpd, V(g, b), V(g, cos), V(g, cos),                     "cos")

// [3] acceleration
#define ACCELERATION_OF(g)                                                                                   \
    OP(vmulpd, K(gravity), V(g, cos), V(g, d),                    "pull = gravity * cos")                    \
    OF(g, clipped, d)                                                                                        \
    OP(vsubpd, V(g, d), V(g, push), V(g, acceleration),           "force*power - pull")                      \
    OP(vandpd, V(g, wide), V(g, clipped), V(g, clipped),          "float32 unless both")                     \
    OF(g, clipped, acceleration)

// [4] motion; what a bound has taken the place of is wide from there on. x_wide = old_wide | replaced.
#define BOUND(g, x, compare, old_wide, x_wide, param)                                                        \
    PARAM_OF(g, old_wide, param)                                                                             \
    OP(compare, V(g, b), V(g, x), V(g, d),                        "beyond " #param)                          \
    OP(vblendvpd, V(g, d), P(param), V(g, x), V(g, x),            #x)                                        \
    OP(vorpd, V(g, d), V(g, old_wide), V(g, x_wide),              "")
#define MOTION_OF(g)                                                                                         \
    OP(vmovapd, AT(g, VELOCITY), V(g, velocity),                  "velocity")                                \
    OF(g, wide, velocity)                                                                                    \
    OP(vaddpd, V(g, acceleration), V(g, velocity), V(g, velocity), "velocity + acceleration")                \
    OF(g, wide, velocity)                                                                                    \
    BOUND(g, velocity, vcmpgt_oqpd, wide, wide_velocity, max_speed)                                          \
    OP(vmovapd, P(max_speed), V(g, position),                     "")                                        \
    OP(vxorpd, K(sign), V(g, position), V(g, position),           "-max_speed")                              \
    SINGLE(g, V(g, position), b)                                                                             \
    OP(vblendvpd, V(g, wide_velocity), V(g, position), V(g, b), V(g, b), "-max_speed")                       \
    OP(vcmplt_oqpd, V(g, b), V(g, velocity), V(g, d),             "velocity < -max_speed")                   \
    OP(vblendvpd, V(g, d), V(g, position), V(g, velocity), V(g, velocity), "velocity")                       \
    OP(vorpd, V(g, d), V(g, wide_velocity), V(g, wide_velocity),  "")                                        \
    OP(vmovapd, V(g, velocity), V(g, d),                          "velocity")                                \
    OF(g, wide, d)                                                                                           \
    OP(vmovapd, AT(g, POSITION), V(g, position),                  "position")                                \
    OF(g, wide, position)                                                                                    \
    OP(vaddpd, V(g, d), V(g, position), V(g, position),           "position + velocity")                     \
    OF(g, wide, position)                                                                                    \
    BOUND(g, position, vcmpgt_oqpd, wide, wide_position, max_position)                                       \
    BOUND(g, position, vcmplt_oqpd, wide_position, wide_position, min_position)                              \
    PARAM_OF(g, wide_position, min_position)                                                                 \
    OP(vcmpeqpd, V(g, b), V(g, position), V(g, b),                "position == min_position")                \
    OP(vxorpd, V(g, d), V(g, d), V(g, d),                         "0")                                       \
    OP(vcmplt_oqpd, V(g, d), V(g, velocity), V(g, d),             "velocity < 0")                            \
    OP(vandpd, V(g, d), V(g, b), V(g, b),                         "stopped")                                 \
    OP(vandnpd, V(g, velocity), V(g, b), V(g, velocity),          "0 if stopped")                            \
    OP(vorpd, V(g, b), V(g, wide_velocity), V(g, wide_velocity),  "")

// [5] termination and reward
#define FLAGS(g, mask, array)                                                                                \
    OP(vmovmskpd, V(g, mask), "%%eax",                            "bit i: lane i")                           \
    OP(imul, K(flag_spread), "%%eax",                             "bit 8i: lane i, others between")          \
    OP(and, K(flag_bytes), "%%eax",                               "byte i: lane i")                          \
    OP(mov, "%%eax", array,                                       "terminated or truncated")
#define TERMINATION(g)                                                                                       \
    PARAM_OF(g, wide_position, goal_position)                                                                \
    OP(vcmpge_oqpd, V(g, b), V(g, position), V(g, reached),       "position >= goal_position")               \
    PARAM_OF(g, wide_velocity, goal_velocity)                                                                \
    OP(vcmpge_oqpd, V(g, b), V(g, velocity), V(g, b),             "velocity >= goal_velocity")               \
    OP(vandpd, V(g, b), V(g, reached), V(g, reached),             "reached")                                 \
    OP(vpxor, V(g, starting), V(g, starting), V(g, starting),     "0")                                       \
    OP(vpcmpgtq, AT(g, ELAPSED), V(g, starting), V(g, starting),  "0 > elapsed")                             \
    OP(vcvtps2pd, ACTION_OF(g), V(g, b),                          "action")                                  \
    OP(vmulpd, V(g, b), V(g, b), V(g, b),                         "action*action")                           \
    OP(vmulpd, K(action_cost), V(g, b), V(g, b),                  "(action*action) * action_cost")           \
    OP(vandpd, K(goal_reward), V(g, reached), V(g, e),            "goal_reward if reached, else 0")          \
    OP(vsubpd, V(g, b), V(g, e), V(g, e),                         "reward of the step")                      \
    OP(vandnpd, V(g, e), V(g, starting), V(g, e),                 "0 if starting")                           \
    OP(vmovapd, V(g, e), AT(g, REWARD),                           "reward")                                  \
    OP(vandnpd, V(g, reached), V(g, starting), V(g, reached),     "ended = reached and not starting")        \
    FLAGS(g, reached, FLAGS_OF(g, TERMINATED))                                                               \
    OP(vmovdqa, AT(g, ELAPSED), V(g, b),                          "elapsed")                                 \
    OP(vpsubq, K(ones), V(g, b), V(g, b),                         "now = elapsed + 1")                       \
    OP(vpcmpgtq, Y(15), V(g, b), V(g, e),                         "late = now > limit - 1")                  \
    OP(vpor, V(g, reached), V(g, b), V(g, b),                     "now | ended")                             \
    OP(vpor, V(g, e), V(g, b), V(g, b),                           "now | ended | late")                      \
    OP(vmovdqa, V(g, b), AT(g, ELAPSED),                          "elapsed")                                 \
    FLAGS(g, e, FLAGS_OF(g, TRUNCATED))

// The new state is float32; a starting lane keeps the old one. [6] observation.
#define KEEP(g, x, array)                                                                                    \
    SINGLE(g, V(g, x), x)                                                                                    \
    OP(vblendvpd, V(g, starting), array, V(g, x), V(g, x),        "old if starting")                         \
    OP(vmovapd, V(g, x), array,                                   #x)
#define STATE(g)                                                                                             \
    KEEP(g, position, AT(g, POSITION))                                                                       \
    KEEP(g, velocity, AT(g, VELOCITY))                                                                       \
    OP(vpand, AT(g, FRESH), V(g, starting), V(g, b),              "fresh if starting, else 0")               \
    OP(vmovdqa, V(g, b), AT(g, FRESH),                            "fresh")                                   \
    OP(vcvtpd2psy, V(g, position), V128(g, position),             "float(position)")                         \
    OP(vcvtpd2psy, V(g, velocity), V128(g, velocity),             "float(velocity)")                         \
    OP(vunpcklps, V128(g, velocity), V128(g, position), V128(g, b), "lanes 0, 1")                            \
    OP(vunpckhps, V128(g, velocity), V128(g, position), V128(g, e), "lanes 2, 3")                            \
    OP(vmovaps, V128(g, b), ROWS_01(g),                           "rows 0, 1")                               \
    OP(vmovaps, V128(g, e), ROWS_23_##g,                          "rows 2, 3")

#define BOTH_OF(SECTION, ...) SECTION(LOW __VA_OPT__(,) __VA_ARGS__) SECTION(HIGH __VA_OPT__(,) __VA_ARGS__)
#define ANY                                                                                                  \
    BOTH_OF(ANGLE) BOTH_OF(PARTS) BOTH_OF(HIGH_AND_TAIL) BOTH_OF(REST, S, s) BOTH_OF(SIN_WITH_TAIL)          \
    BOTH_OF(REST, C, c) BOTH_OF(COS_WITH_TAIL) BOTH_OF(QUADRANT) BOTH_OF(FORCE) BOTH_OF(ACCELERATION_OF)     \
    BOTH_OF(MOTION_OF) BOTH_OF(TERMINATION) BOTH_OF(STATE)

#define NEXT                                                                                                 \
    OP(add, "$32", "%%r12",                                       "8 lanes on")                              \
    OP(add, "$8", "%%r14",                                        "")                                        \
    OP(add, "$64", "%%r8",                                        "")                                        \
    OP(cmp, "%[b]", "%%r8",                                       "")

// What ANY takes from SWING, and gives back here.
#define GOAL                                                                                                 \
    OP(vcvtpd2psy, P(goal_position), X(13),                       "")                                        \
    OP(vinsertf128, "$1", X(13), Y(13), Y(13),                    "goal_position")                           \
    OP(vcvtpd2psy, P(goal_velocity), X(14),                       "")                                        \
    OP(vinsertf128, "$1", X(14), Y(14), Y(14),                    "goal_velocity")

__attribute__((noinline)) void step_in_play(const Batch* b) {
    asm volatile(ENTER
                 GOAL
                 LOOP(1)
                 MCA_BEGIN("continuous_mountain_car/step_in_play lanes=8")
                 LOOK ANGLES COS ACCELERATION MOTION OUTCOMES
                 NEXT
                 MCA_END
                 OP(jne, "1b", "")
                 OP(jmp, "2f", "")
                 LABEL(3)
                 ANY
                 GOAL
                 NEXT
                 OP(jne, "1b", "")
                 LABEL(2)
                 OP(vzeroupper, "")
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

__attribute__((noinline)) void step_any(const Batch* b) {
    asm volatile(ENTER
                 LOOP(1)
                 MCA_BEGIN("continuous_mountain_car/step_any lanes=8")
                 ANY
                 NEXT
                 MCA_END
                 OP(jne, "1b", "")
                 LABEL(2)
                 OP(vzeroupper, "")
                 : [b] "+r"(b)
                 : BATCH_OPERANDS, PARAM_OPERANDS
                 : CLOBBERS);
}

// clang-format on

}  // namespace

Step* games::continuous_mountain_car(const Batch* b, bool in_play) {
    return plain(*reinterpret_cast<const Params*>(b->params), in_play) ? step_in_play : step_any;
}

}  // namespace compute_layers::asm_x86_64
