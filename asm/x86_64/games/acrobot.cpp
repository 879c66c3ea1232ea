// SPDX-License-Identifier: MIT
#include "games/acrobot.hpp"

#include "../kernel.hpp"
#include "numerics.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace acrobot;

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(one, row(1.0)) ROW(half, row(0.5)) ROW(minus_one, row(-1.0))                                         \
    ROW(S0, row(kSin[0])) ROW(S1, row(kSin[1])) ROW(S2, row(kSin[2]))                                        \
    ROW(S3, row(kSin[3])) ROW(S4, row(kSin[4])) ROW(S5, row(kSin[5]))                                        \
    ROW(C0, row(kCos[0])) ROW(C1, row(kCos[1])) ROW(C2, row(kCos[2]))                                        \
    ROW(C3, row(kCos[3])) ROW(C4, row(kCos[4])) ROW(C5, row(kCos[5]))                                        \
    ROW(two_over_pi, row(kTwoOverPi)) ROW(round, row(kRound))                                                \
    ROW(P0, row(kPiOver2[0])) ROW(P1, row(kPiOver2[1])) ROW(P2, row(kPiOver2[2])) ROW(P3, row(kPiOver2[3]))  \
    ROW(half_pi, row(kPi / 2)) ROW(pi, row(kPi)) ROW(two_pi, row(2 * kPi))                                   \
    ROW(abs, row(kAbs)) ROW(sign, row(~kAbs)) ROW(ones, row(kOnes)) ROW(int_one, row(uint64_t{1}))           \
    ROW(flag_spread, row(kFlagSpread)) ROW(flag_bytes, row(kFlagBytes))

// Numbers of four lanes on their way through the stages.
#define LANES(ROW)                                                                                           \
    ROW(torque, ) ROW(arg_a, ) ROW(arg_b, ) ROW(arg_c, )                                                     \
    ROW(sin1, ) ROW(cos1, ) ROW(sin2, ) ROW(cos2, ) ROW(pull1, ) ROW(pull2, )                                \
    ROW(d1, ) ROW(d2, ) ROW(d2_by_d1, ) ROW(divisor, )                                                       \
    ROW(rate1, ) ROW(rate2, ) ROW(acc1, ) ROW(acc2, )                                                        \
    ROW(sum_rate1, ) ROW(sum_rate2, ) ROW(sum_acc1, ) ROW(sum_acc2, ) ROW(starting, )

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };
#define CHAIN_ROW(name, value) row(value),
struct Chain { ACROBOT_CHAIN(ROW_FIELD) };
constexpr Chain chain_of(const Params& p) { return { ACROBOT_CHAIN(CHAIN_ROW) }; }
constexpr Chain kPlainChain = chain_of(kStandard);
struct Lanes4 { LANES(ROW_FIELD) };
struct Scratch { Lanes4 low, high; };

// An iteration takes 8 lanes in two groups: LOW, lanes 0-3, and HIGH, lanes 4-7. What a group needs again waits
// in its rows of the scratch memory.
//
// General registers
//   r8   theta1            r11  seconds and weight of a stage    rax  scratch     [b]  the batch
//   r9   stride            r12  sin2 of the cache                rbx  counts stages and turns
//   r10  stride * 3        r13  end of theta1                    rcx  8 * lane    [k]  kConstants
//   rdx  rows of params    [c]  the chain                        [s]  the scratch memory
// all in bytes.
//
// Vector registers: two sets of five, A and B, for the angle whose sine and cosine are being evaluated and the one
// that is being reduced meanwhile; by what they hold in turn
//        A  B
//   q    0  5   shifted, whose low bits are the quadrant
//   k    1  6   k, high
//   t    2  7   t, excess, tail0 | z, sin
//   r    3  8   r, excess | z2, cos
//   h    4  9   high0, tail
// and scratch for the evaluation and everything else
//   s 10   b 11   w 12   e 13   c 14   d 15
#define R_A_q 0
#define R_A_k 1
#define R_A_t 2
#define R_A_r 3
#define R_A_h 4
#define R_B_q 5
#define R_B_k 6
#define R_B_t 7
#define R_B_r 8
#define R_B_h 9
#define V(set, name) V_OF(R_##set##_##name)
#define V_OF(n) Y(n)
#define S Y(10)
#define B_ Y(11)
#define W Y(12)
#define E Y(13)
#define C Y(14)
#define D Y(15)

// Rows of a group in the scratch memory, rows of the chain, arrays at a group.
#define FROM_LOW
#define FROM_HIGH " + .Lhigh"
#define L(g, name) "(.Lk_" #name FROM_##g ")(%[s])"
#define CH(name) ".Lk_" #name "(%[c])"
#define SECONDS "(%%r11)"
#define WEIGHT "32(%%r11)"
#define AT_LOW
#define AT_HIGH "32"
#define THETA1(g)     AT_##g "(%%r8)"
#define THETA2(g)     AT_##g "(%%r8,%%r9)"
#define THETA_DOT1(g) AT_##g "(%%r8,%%r9,2)"
#define THETA_DOT2(g) AT_##g "(%%r8,%%r10)"
#define SIN2(g)       AT_##g "(%%r12)"
#define COS2(g)       AT_##g "(%%r12,%%r9)"
// An array of 8 bytes a lane, once its beginning is in rax.
#define ARRAY(g)      AT_##g "(%%rax,%%rcx)"

static_assert(FIELD(State, theta1) == 0 && FIELD(State, theta2) == 1 && FIELD(State, theta_dot1) == 2 &&
              FIELD(State, theta_dot2) == 3 && FIELD(Cache, sin2) == 0 && FIELD(Cache, cos2) == 1);

#define B(field) "%c[" #field "](%[b])"
#define P(field) "%c[" #field "](%%rdx)"
#define PARAM(field) [field] "i"(FIELD(Params, field) * sizeof(Row))
// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    ROW_OFFSETS(ACROBOT_CHAIN)                                                                                       \
    ROW_OFFSETS(LANES)                                                                                       \
    "\t.set .Lhigh, .Lnext\n"                                                                                \
    OP(mov, B(state), "%%r8",                                     "theta1")                                  \
    OP(mov, B(stride), "%%r9",                                    "")                                        \
    OP(shl, "$3", "%%r9",                                         "stride in bytes")                         \
    OP(lea, "(%%r9,%%r9,2)", "%%r10",                             "stride * 3")                              \
    OP(mov, B(cache), "%%r12",                                    "sin2")                                    \
    OP(mov, B(rows), "%%rdx",                                     "")                                        \
    OP(mov, B(n), "%%r13",                                        "")                                        \
    OP(lea, "(%%r8,%%r13,8)", "%%r13",                            "end of theta1")                           \
    OP(xor, "%%ecx", "%%ecx",                                     "8 * lane")                                \
    OP(cmp, "%%r13", "%%r8",                                      "")                                        \
    OP(je, "2f",                                                  "no lanes")

#define NEXT                                                                                                 \
    OP(add, "$64", "%%r8",                                        "8 lanes on")                              \
    OP(add, "$64", "%%r12",                                       "")                                        \
    OP(add, "$64", "%%rcx",                                       "")                                        \
    OP(cmp, "%%r13", "%%r8",                                      "")

#define OPERANDS                                                                                             \
    [b] "r"(b), [k] "r"(&kConstants), [c] "r"(c), [s] "r"(s), OFFSET(Batch, n), OFFSET(Batch, stride),       \
        OFFSET(Batch, state), OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation),     \
        OFFSET(Batch, reward), OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, rows),     \
        OFFSET(Batch, cache), OFFSET(Batch, limit), PARAM(MAX_VEL_1), PARAM(MAX_VEL_2),                      \
        PARAM(AVAIL_TORQUE_0), PARAM(AVAIL_TORQUE_1), PARAM(AVAIL_TORQUE_2)
#define CLOBBERS                                                                                             \
    YMM_CLOBBERS, "memory", "cc", "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13"

// [1] torque
#define TORQUE_QUIET(g)                                                                                      \
    OP(mov, B(action), "%%rax",                                   "")                                        \
    OP(vmovdqa, ARRAY(g), S,                                      "action")                                  \
    OP(vpxor, B_, B_, B_,                                         "0")                                       \
    OP(vpcmpeqq, B_, S, B_,                                       "action == 0")                             \
    OP(vpcmpeqq, K(int_one), S, S,                                "action == 1")                             \
    OP(vmovapd, P(AVAIL_TORQUE_2), W,                             "AVAIL_TORQUE_2")                          \
    OP(vblendvpd, S, P(AVAIL_TORQUE_1), W, W,                     "AVAIL_TORQUE_1 if action == 1")           \
    OP(vblendvpd, B_, P(AVAIL_TORQUE_0), W, W,                    "AVAIL_TORQUE_0 if action == 0")           \
    OP(vmovapd, W, L(g, torque),                                  "torque")
// The noise has been drawn into the rewards.
#define TORQUE_NOISY(g)                                                                                      \
    TORQUE_QUIET(g)                                                                                          \
    OP(mov, B(reward), "%%rax",                                   "")                                        \
    OP(vaddpd, ARRAY(g), W, W,                                    "torque + noise")                          \
    OP(vmovapd, W, L(g, torque),                                  "torque")

// [2] sin, cos of x by the numbered steps of numerics.hpp; x is in memory. For |x| <= 2**19 each k*P is exact, and
// may be part of an fma; and what a difference left out is that of the operands and the rounded difference: it
// stands in a multiple of 2**-66 that is small enough, or its second operand is the smaller one.
#define REDUCE_1(set, x)                                                                                     \
    OP(vmovapd, x, V(set, t),                                     "x")                                       \
    OP(vmulpd, K(two_over_pi), V(set, t), V(set, q),              "x * two_over_pi")                         \
    OP(vaddpd, K(round), V(set, q), V(set, q),                    "shifted")                                 \
    OP(vsubpd, K(round), V(set, q), V(set, k),                    "k = shifted - round")                     \
    OP(vfnmadd231pd, K(P0), V(set, k), V(set, t),                 "t = x - k*P0")                            \
    OP(vmovapd, V(set, t), V(set, r),                             "t")
#define REDUCE_2(set)                                                                                        \
    OP(vfnmadd231pd, K(P1), V(set, k), V(set, r),                 "r = t - k*P1")                            \
    OP(vsubpd, V(set, r), V(set, t), V(set, t),                   "t - r")                                   \
    OP(vfmsub231pd, K(P1), V(set, k), V(set, t),                  "excess1 = k*P1 - (t - r)")                \
    OP(vmovapd, V(set, r), V(set, h),                             "r")                                       \
    OP(vfnmadd231pd, K(P2), V(set, k), V(set, h),                 "high0 = r - k*P2")                        \
    OP(vsubpd, V(set, h), V(set, r), V(set, r),                   "r - high0")                               \
    OP(vfmsub231pd, K(P2), V(set, k), V(set, r),                  "excess2 = k*P2 - (r - high0)")
#define REDUCE_3(set)                                                                                        \
    OP(vaddpd, V(set, r), V(set, t), V(set, t),                   "excess1 + excess2")                       \
    OP(vmulpd, K(P3), V(set, k), V(set, k),                       "k*P3")                                    \
    OP(vaddpd, V(set, k), V(set, t), V(set, t),                   "tail0")                                   \
    OP(vsubpd, V(set, t), V(set, h), V(set, k),                   "high = high0 - tail0")                    \
    OP(vsubpd, V(set, h), V(set, k), V(set, h),                   "high - high0")                            \
    OP(vaddpd, V(set, t), V(set, h), V(set, h),                   "tail = (high - high0) + tail0")
#define REDUCE(set, x) REDUCE_1(set, x) REDUCE_2(set) REDUCE_3(set)
#define REDUCE_ANY(set, x)                                                                                   \
    OP(vmovapd, x, V(set, t),                                     "x")                                       \
    OP(vmulpd, K(two_over_pi), V(set, t), V(set, q),              "x * two_over_pi")                         \
    OP(vaddpd, K(round), V(set, q), V(set, q),                    "shifted")                                 \
    OP(vsubpd, K(round), V(set, q), V(set, k),                    "k = shifted - round")                     \
    OP(vmulpd, K(P0), V(set, k), B_,                              "k*P0")                                    \
    OP(vsubpd, B_, V(set, t), V(set, t),                          "t = x - k*P0")                            \
    OP(vmulpd, K(P1), V(set, k), S,                               "p2 = k*P1")                               \
    OP(vsubpd, S, V(set, t), V(set, r),                           "r = t - p2")                              \
    OP(vsubpd, V(set, t), V(set, r), B_,                          "r_part = r - t")                          \
    OP(vaddpd, B_, S, S,                                          "p2 + r_part")                             \
    OP(vsubpd, B_, V(set, r), B_,                                 "r - r_part")                              \
    OP(vsubpd, B_, V(set, t), B_,                                 "t - (r - r_part)")                        \
    OP(vsubpd, B_, S, S,                                          "excess1")                                 \
    OP(vmulpd, K(P2), V(set, k), V(set, t),                       "p3 = k*P2")                               \
    OP(vsubpd, V(set, t), V(set, r), V(set, h),                   "high0 = r - p3")                          \
    OP(vsubpd, V(set, r), V(set, h), B_,                          "high0_part = high0 - r")                  \
    OP(vaddpd, B_, V(set, t), V(set, t),                          "p3 + high0_part")                         \
    OP(vsubpd, B_, V(set, h), B_,                                 "high0 - high0_part")                      \
    OP(vsubpd, B_, V(set, r), B_,                                 "r - (high0 - high0_part)")                \
    OP(vsubpd, B_, V(set, t), V(set, t),                          "excess2")                                 \
    OP(vaddpd, V(set, t), S, V(set, t),                           "excess1 + excess2")                       \
    OP(vmulpd, K(P3), V(set, k), V(set, k),                       "k*P3")                                    \
    OP(vaddpd, V(set, k), V(set, t), V(set, t),                   "tail0")                                   \
    OP(vsubpd, V(set, t), V(set, h), V(set, k),                   "high = high0 - tail0")                    \
    OP(vsubpd, V(set, h), V(set, k), V(set, h),                   "high - high0")                            \
    OP(vaddpd, V(set, t), V(set, h), V(set, h),                   "tail = (high - high0) + tail0")

#define SIN_REST(set)                                                                                        \
    OP(vmulpd, V(set, k), V(set, k), V(set, t),                   "z = high*high")                           \
    OP(vmulpd, V(set, t), V(set, t), V(set, r),                   "z2 = z*z")                                \
    OP(vmulpd, K(S4), V(set, t), S,                               "z*S4")                                    \
    OP(vaddpd, K(S3), S, S,                                       "S3 + z*S4")                               \
    OP(vmulpd, K(S5), V(set, r), B_,                              "z2*S5")                                   \
    OP(vaddpd, B_, S, S,                                          "(S3 + z*S4) + z2*S5")                     \
    OP(vmulpd, V(set, r), S, S,                                   "z2 * (…)")                                \
    OP(vmulpd, K(S2), V(set, t), B_,                              "z*S2")                                    \
    OP(vaddpd, K(S1), B_, B_,                                     "S1 + z*S2")                               \
    OP(vaddpd, B_, S, S,                                          "rest")
#define COS_REST(set)                                                                                        \
    OP(vmulpd, K(C4), V(set, t), C,                               "z*C4")                                    \
    OP(vaddpd, K(C3), C, C,                                       "C3 + z*C4")                               \
    OP(vmulpd, K(C5), V(set, r), E,                               "z2*C5")                                   \
    OP(vaddpd, E, C, C,                                           "(C3 + z*C4) + z2*C5")                     \
    OP(vmulpd, V(set, r), C, C,                                   "z2 * (…)")                                \
    OP(vmulpd, K(C2), V(set, t), E,                               "z*C2")                                    \
    OP(vaddpd, K(C1), E, E,                                       "C1 + z*C2")                               \
    OP(vaddpd, E, C, C,                                           "rest")
// 0.5*z is exact, and so may be part of an fma.
#define SIN(set)                                                                                             \
    OP(vmulpd, V(set, t), V(set, k), B_,                          "cube = high*z")                           \
    OP(vmulpd, V(set, t), B_, W,                                  "cube*z")                                  \
    OP(vmulpd, W, S, S,                                           "(cube*z) * rest")                         \
    OP(vmovapd, K(one), W,                                        "1")                                       \
    OP(vfnmadd231pd, K(half), V(set, t), W,                       "w = 1 - half")                            \
    OP(vmulpd, W, V(set, h), E,                                   "tail*w")                                  \
    OP(vaddpd, E, S, S,                                           "(cube*z)*rest + tail*w")                  \
    OP(vmulpd, K(S0), B_, B_,                                     "cube*S0")                                 \
    OP(vaddpd, B_, S, S,                                          "cube*S0 + (…)")                           \
    OP(vsubpd, S, V(set, k), S,                                   "s = high - (…)")                          \
    OP(vmulpd, S, V(set, h), V(set, h),                           "s*tail")
#define COS(set)                                                                                             \
    OP(vmulpd, V(set, t), C, C,                                   "z * rest")                                \
    OP(vaddpd, K(C0), C, C,                                       "C0 + z*rest")                             \
    OP(vmulpd, V(set, r), C, C,                                   "z2 * (C0 + z*rest)")                      \
    OP(vsubpd, K(one), W, E,                                      "w - 1")                                   \
    OP(vfnmsub231pd, K(half), V(set, t), E,                       "(1 - w) - half")                          \
    OP(vaddpd, V(set, h), E, E,                                   "((1 - w) - half) + s*tail")               \
    OP(vaddpd, E, C, C,                                           "(…) + z2*(C0 + z*rest)")                  \
    OP(vaddpd, W, C, C,                                           "c = w + (…)")
#define QUADRANT_COS(set, cos)                                                                               \
    OP(vpsllq, "$63", V(set, q), B_,                              "sign bit in quadrants 1, 3")              \
    OP(vpsllq, "$62", V(set, q), V(set, q),                       "sign bit in quadrants 2, 3")              \
    OP(vblendvpd, B_, S, C, V(set, r),                            "odd ? s : c")                             \
    OP(vxorpd, V(set, q), B_, B_,                                 "sign bit in quadrants 1, 2")              \
    OP(vandpd, K(sign), B_, B_,                                   "")                                        \
    OP(vxorpd, B_, V(set, r), V(set, r),                          "cos")                                     \
    OP(vmovapd, V(set, r), cos,                                   #cos)
#define QUADRANT_SIN_COS(set, sin, cos)                                                                      \
    OP(vpsllq, "$63", V(set, q), B_,                              "sign bit in quadrants 1, 3")              \
    OP(vpsllq, "$62", V(set, q), V(set, q),                       "sign bit in quadrants 2, 3")              \
    OP(vandpd, K(sign), V(set, q), V(set, q),                     "")                                        \
    OP(vblendvpd, B_, C, S, V(set, t),                            "odd ? c : s")                             \
    OP(vblendvpd, B_, S, C, V(set, r),                            "odd ? s : c")                             \
    OP(vxorpd, V(set, q), B_, B_,                                 "sign bit in quadrants 1, 2")              \
    OP(vxorpd, V(set, q), V(set, t), V(set, t),                   "sin")                                     \
    OP(vxorpd, B_, V(set, r), V(set, r),                          "cos")                                     \
    OP(vmovapd, V(set, t), sin,                                   #sin)                                      \
    OP(vmovapd, V(set, r), cos,                                   #cos)

// The sine and cosine of one angle, and the reduction of the next one.
#define EVALUATE(set) SIN_REST(set) SIN(set) COS_REST(set) COS(set)
#define SLOT_PLAIN(set, QUADRANT, next, x)                                                                   \
    SIN_REST(set)                                                                                            \
                            REDUCE_1(next, x)                                                                \
    SIN(set)                                                                                                 \
                            REDUCE_2(next)                                                                   \
    COS_REST(set) COS(set)                                                                                   \
                            REDUCE_3(next)                                                                   \
    QUADRANT
#define FIRST_PLAIN(set, x) REDUCE(set, x)
#define SLOT_ANY(set, QUADRANT, next, x) EVALUATE(set) QUADRANT REDUCE_ANY(next, x)
#define FIRST_ANY(set, x) REDUCE_ANY(set, x)

// [3] accelerations: first what depends on cos2 alone, of which much is 1 in play
#define DIVISORS_PLAIN(g, cos2)                                                                              \
    OP(vmovapd, cos2, S,                                          "cos2")                                    \
    OP(vaddpd, CH(squares), S, B_,                                "squares + cos2")                          \
    OP(vaddpd, CH(square1), B_, B_,                              "square1 + (…)")                          \
    OP(vaddpd, CH(moi), B_, B_,                                   "(…) + moi")                               \
    OP(vaddpd, CH(moi), B_, B_,                                   "d1")                                      \
    OP(vmovapd, CH(square2), W,                                   "square2")                                 \
    OP(vfmadd231pd, CH(lengths), S, W,                            "square2 + 0.5*cos2, exact")               \
    OP(vaddpd, CH(moi), W, W,                                     "d2")                                      \
    QUOTIENTS(g)
#define DIVISORS_ANY(g, cos2)                                                                                \
    OP(vmovapd, cos2, S,                                          "cos2")                                    \
    OP(vmulpd, CH(twice_lengths), S, B_,                          "twice_lengths * cos2")                    \
    OP(vaddpd, CH(squares), B_, B_,                               "squares + (…)")                           \
    OP(vmulpd, CH(mass2), B_, B_,                                 "mass2 * (…)")                             \
    OP(vaddpd, CH(square1), B_, B_,                              "square1 + (…)")                          \
    OP(vaddpd, CH(moi), B_, B_,                                   "(…) + moi")                               \
    OP(vaddpd, CH(moi), B_, B_,                                   "d1")                                      \
    OP(vmulpd, CH(lengths), S, W,                                 "lengths * cos2")                          \
    OP(vaddpd, CH(square2), W, W,                                 "square2 + (…)")                           \
    OP(vmulpd, CH(mass2), W, W,                                   "mass2 * (…)")                             \
    OP(vaddpd, CH(moi), W, W,                                     "d2")                                      \
    QUOTIENTS(g)
#define QUOTIENTS(g)                                                                                         \
    OP(vmovapd, B_, L(g, d1),                                     "d1")                                      \
    OP(vmovapd, W, L(g, d2),                                      "d2")                                      \
    OP(vdivpd, B_, W, E,                                          "d2 / d1")                                 \
    OP(vmovapd, E, L(g, d2_by_d1),                                "d2 / d1")                                 \
    OP(vmulpd, W, W, W,                                           "d2*d2")                                   \
    OP(vdivpd, B_, W, W,                                          "(d2*d2) / d1")                            \
    OP(vmovapd, CH(inertia2), C,                                  "inertia2")                                \
    OP(vsubpd, W, C, C,                                           "inertia2 - (…)")                          \
    OP(vmovapd, C, L(g, divisor),                                 "divisor of acc2")

// In play twice_swing is 1, and 0.5 times a number is exact.
#define PHI1_PLAIN(g, sin2)                                                                                  \
    OP(vmovapd, L(g, rate2), S,                                   "theta_dot2")                              \
    OP(vmulpd, S, S, B_,                                          "theta_dot2 * theta_dot2")                 \
    OP(vmulpd, sin2, B_, B_,                                      "(…) * sin2")                              \
    OP(vmulpd, L(g, rate1), S, S,                                 "theta_dot2 * theta_dot1")                 \
    OP(vmulpd, sin2, S, S,                                        "(…) * sin2")                              \
    OP(vfnmsub132pd, CH(swing), S, B_,                            "-0.5*(…) - (…)")
#define PHI1_ANY(g, sin2)                                                                                    \
    OP(vmovapd, L(g, rate2), S,                                   "theta_dot2")                              \
    OP(vmulpd, S, S, B_,                                          "theta_dot2 * theta_dot2")                 \
    OP(vmulpd, CH(minus_swing), B_, B_,                           "minus_swing * (…)")                       \
    OP(vmulpd, sin2, B_, B_,                                      "(…) * sin2")                              \
    OP(vmulpd, CH(twice_swing), S, S,                             "twice_swing * theta_dot2")                \
    OP(vmulpd, L(g, rate1), S, S,                                 "(…) * theta_dot1")                        \
    OP(vmulpd, sin2, S, S,                                        "(…) * sin2")                              \
    OP(vsubpd, S, B_, B_,                                         "(…) - (…)")
#define PUSH_PLAIN(g, sin2)                                                                                  \
    OP(vmovapd, L(g, rate1), D,                                   "theta_dot1")                              \
    OP(vmulpd, D, D, D,                                           "theta_dot1 * theta_dot1")                 \
    OP(vmulpd, sin2, D, D,                                        "(…) * sin2")                              \
    OP(vfnmadd231pd, CH(swing), D, C,                             "push - 0.5*(…)")
#define PUSH_ANY(g, sin2)                                                                                    \
    OP(vmovapd, L(g, rate1), D,                                   "theta_dot1")                              \
    OP(vmulpd, D, D, D,                                           "theta_dot1 * theta_dot1")                 \
    OP(vmulpd, CH(swing), D, D,                                   "swing * (…)")                             \
    OP(vmulpd, sin2, D, D,                                        "(…) * sin2")                              \
    OP(vsubpd, D, C, D,                                           "push - (…)")                              \
    OP(vpxor, S, S, S,                                            "0")                                       \
    OP(vcmpeqpd, CH(book_or_nips), S, S,                          "if book")                                 \
    OP(vblendvpd, S, D, C, C,                                     "push - (…) if book")
#define ACCELERATIONS(g, sin2, HOW)                                                                          \
    PHI1_##HOW(g, sin2)                                                                                      \
    OP(vmovapd, CH(gravity1), W,                                "gravity1")                              \
    OP(vmulpd, L(g, pull1), W, W,                                 "gravity1 * pull1")                      \
    OP(vaddpd, W, B_, B_,                                         "(…) + (…)")                               \
    OP(vmovapd, CH(gravity2), E,                                "gravity2")                              \
    OP(vmulpd, L(g, pull2), E, E,                                 "phi2 = gravity2 * pull2")               \
    OP(vaddpd, E, B_, B_,                                         "phi1 = (…) + phi2")                       \
    OP(vmulpd, L(g, d2_by_d1), B_, C,                             "(d2 / d1) * phi1")                        \
    OP(vaddpd, L(g, torque), C, C,                                "push = torque + (…)")                     \
    PUSH_##HOW(g, sin2)                                                                                      \
    OP(vsubpd, E, C, C,                                           "push - phi2")                             \
    OP(vdivpd, L(g, divisor), C, C,                               "acc2")                                    \
    OP(vmulpd, L(g, d2), C, W,                                    "d2 * acc2")                               \
    OP(vaddpd, W, B_, W,                                          "(…) + phi1")                              \
    OP(vxorpd, K(sign), W, W,                                     "-(…)")                                    \
    OP(vdivpd, L(g, d1), W, W,                                    "acc1")                                    \
    OP(vmovapd, C, L(g, acc2),                                    "acc2")                                    \
    OP(vmovapd, W, L(g, acc1),                                    "acc1")

// The first stage takes place at the state.
#define BEGIN(g, HOW, TORQUE)                                                                                \
    TORQUE(g)                                                                                                \
    OP(vmovapd, THETA1(g), S,                                     "theta1")                                  \
    OP(vsubpd, K(half_pi), S, B_,                                 "theta1 - pi/2")                           \
    OP(vmovapd, B_, L(g, arg_b),                                  "")                                        \
    OP(vaddpd, THETA2(g), S, S,                                   "theta1 + theta2")                         \
    OP(vsubpd, K(half_pi), S, S,                                  "(theta1 + theta2) - pi/2")                \
    OP(vmovapd, S, L(g, arg_c),                                   "")                                        \
    OP(vmovapd, THETA_DOT1(g), W,                                 "theta_dot1")                              \
    OP(vmovapd, W, L(g, rate1),                                   "")                                        \
    OP(vmovapd, W, L(g, sum_rate1),                               "")                                        \
    OP(vmovapd, THETA_DOT2(g), E,                                 "theta_dot2")                              \
    OP(vmovapd, E, L(g, rate2),                                   "")                                        \
    OP(vmovapd, E, L(g, sum_rate2),                               "")                                        \
    DIVISORS_##HOW(g, COS2(g))
#define FIRST_ACCELERATIONS(g, HOW)                                                                          \
    ACCELERATIONS(g, SIN2(g), HOW)                                                                           \
    OP(vmovapd, C, L(g, sum_acc2),                                "")                                        \
    OP(vmovapd, W, L(g, sum_acc1),                                "")

// The others at the state that the k before leads to; the weights are powers of 2, so that an fma is exact.
#define MOVE(g)                                                                                              \
    OP(vmovapd, SECONDS, S,                                       "seconds")                                 \
    OP(vmulpd, L(g, rate1), S, B_,                                "seconds * rate1")                         \
    OP(vaddpd, THETA1(g), B_, B_,                                 "theta1")                                  \
    OP(vmulpd, L(g, rate2), S, W,                                 "seconds * rate2")                         \
    OP(vaddpd, THETA2(g), W, W,                                   "theta2")                                  \
    OP(vmovapd, W, L(g, arg_a),                                   "")                                        \
    OP(vaddpd, W, B_, W,                                          "theta1 + theta2")                         \
    OP(vsubpd, K(half_pi), B_, B_,                                "theta1 - pi/2")                           \
    OP(vmovapd, B_, L(g, arg_b),                                  "")                                        \
    OP(vsubpd, K(half_pi), W, W,                                  "(theta1 + theta2) - pi/2")                \
    OP(vmovapd, W, L(g, arg_c),                                   "")                                        \
    MOVE_RATE(g, acc1, THETA_DOT1, rate1, sum_rate1)                                                         \
    MOVE_RATE(g, acc2, THETA_DOT2, rate2, sum_rate2)
#define MOVE_RATE(g, acc, THETA_DOT, rate, sum)                                                              \
    OP(vmulpd, L(g, acc), S, E,                                   "seconds * " #acc)                         \
    OP(vaddpd, THETA_DOT(g), E, E,                                #rate)                                     \
    OP(vmovapd, E, L(g, rate),                                    "")                                        \
    OP(vmovapd, L(g, sum), C,                                     #sum)                                      \
    OP(vfmadd231pd, WEIGHT, E, C,                                 "(…) + weight*" #rate)                     \
    OP(vmovapd, C, L(g, sum),                                     #sum)
#define NEXT_ACCELERATIONS(g, HOW)                                                                           \
    ACCELERATIONS(g, L(g, sin2), HOW)                                                                        \
    OP(vmovapd, WEIGHT, S,                                        "weight")                                  \
    OP(vfmadd213pd, L(g, sum_acc1), S, W,                         "sum_acc1 + weight*acc1")                  \
    OP(vmovapd, W, L(g, sum_acc1),                                "")                                        \
    OP(vfmadd213pd, L(g, sum_acc2), S, C,                         "sum_acc2 + weight*acc2")                  \
    OP(vmovapd, C, L(g, sum_acc2),                                "")

// [4] integration
#define INTEGRATE(g, sum, OLD, x)                                                                            \
    OP(vmovapd, CH(sixth), x,                                     "dt / 6")                                  \
    OP(vmulpd, L(g, sum), x, x,                                   "(dt / 6) * " #sum)                        \
    OP(vaddpd, OLD(g), x, x,                                      "the state + (…)")
// [5] turns and bounds: a turn, and the next one only if an angle needs it
#define TURN(x)                                                                                              \
    OP(vandpd, K(abs), x, W,                                      "abs(x)")                                  \
    OP(vcmpgt_oqpd, K(pi), W, W,                                  "abs(x) > pi")                             \
    OP(vandpd, K(sign), x, E,                                     "")                                        \
    OP(vorpd, K(two_pi), E, E,                                    "a turn with the sign of x")               \
    OP(vandpd, W, E, E,                                           "0 if abs(x) <= pi")                       \
    OP(vsubpd, E, x, x,                                           "x - (…)")
#define TURNS(g)                                                                                             \
    INTEGRATE(g, sum_rate1, THETA1, S)                                                                       \
    INTEGRATE(g, sum_rate2, THETA2, B_)                                                                      \
    OP(mov, "%[turns]", "%%ebx",                                  "turns")                                   \
    LABEL(3)                                                                                                 \
    TURN(S)                                                                                                  \
    TURN(B_)                                                                                                 \
    OP(vandpd, K(abs), S, W,                                      "abs(theta1)")                             \
    OP(vcmpgt_oqpd, K(pi), W, W,                                  "abs(theta1) > pi")                        \
    OP(vandpd, K(abs), B_, E,                                     "abs(theta2)")                             \
    OP(vcmpgt_oqpd, K(pi), E, E,                                  "abs(theta2) > pi")                        \
    OP(vorpd, E, W, W,                                            "")                                        \
    OP(vmovmskpd, W, "%%eax",                                     "bit i: lane i")                           \
    OP(test, "%%eax", "%%eax",                                    "")                                        \
    OP(jz, "4f",                                                  "all within")                              \
    OP(dec, "%%ebx",                                              "turns left")                              \
    OP(jnz, "3b",                                                 "")                                        \
    LABEL(4)                                                                                                 \
    OP(mov, B(elapsed), "%%rax",                                  "")                                        \
    OP(vpxor, D, D, D,                                            "0")                                       \
    OP(vpcmpgtq, ARRAY(g), D, D,                                  "starting = 0 > elapsed")                  \
    OP(vmovapd, D, L(g, starting),                                "")                                        \
    OP(vblendvpd, D, THETA1(g), S, S,                             "old if starting")                         \
    OP(vblendvpd, D, THETA2(g), B_, B_,                           "old if starting")                         \
    OP(vmovapd, S, THETA1(g),                                     "theta1")                                  \
    OP(vmovapd, B_, THETA2(g),                                    "theta2")                                  \
    OP(vaddpd, S, B_, S,                                          "theta2 + theta1")                         \
    OP(vmovapd, S, L(g, arg_c),                                   "")                                        \
    BOUND(g, sum_acc1, THETA_DOT1, MAX_VEL_1)                                                                \
    BOUND(g, sum_acc2, THETA_DOT2, MAX_VEL_2)
// Of a NaN both keep the second operand, the NaN.
#define BOUND(g, sum, THETA_DOT, most)                                                                       \
    INTEGRATE(g, sum, THETA_DOT, S)                                                                          \
    OP(vmovapd, P(most), W,                                       #most)                                     \
    OP(vxorpd, K(sign), W, E,                                     "-" #most)                                 \
    OP(vmaxpd, S, E, S,                                           "max(x, -" #most ")")                      \
    OP(vminpd, S, W, S,                                           "min(…, " #most ")")                       \
    OP(vblendvpd, D, THETA_DOT(g), S, S,                          "old if starting")                         \
    OP(vmovapd, S, THETA_DOT(g),                                  "theta_dot")

// [6] termination and reward. The negative of both sides is compared.
#define FLAGS(g, mask, array)                                                                                \
    OP(vmovmskpd, mask, "%%eax",                                  "bit i: lane i")                           \
    OP(imul, K(flag_spread), "%%eax",                             "bit 8i: lane i, others between")          \
    OP(and, K(flag_bytes), "%%eax",                               "byte i: lane i")                          \
    OP(mov, "%%rcx", "%%rbx",                                     "")                                        \
    OP(shr, "$3", "%%rbx",                                        "lane")                                    \
    OP(add, B(array), "%%rbx",                                    "")                                        \
    OP(mov, "%%eax", FLAG_##g "(%%rbx)",                          #array)
#define FLAG_LOW
#define FLAG_HIGH "4"
#define TERMINATION(g)                                                                                       \
    OP(vmovapd, L(g, cos1), S,                                    "cos1")                                    \
    OP(vaddpd, L(g, pull2), S, S,                                 "cos1 + cos(theta2 + theta1)")             \
    OP(vcmplt_oqpd, K(minus_one), S, S,                           "up = -(…) > 1")                           \
    OP(vmovapd, L(g, starting), B_,                               "starting")                                \
    OP(vandnpd, S, B_, S,                                         "ended = up and not starting")             \
    OP(vorpd, S, B_, B_,                                          "")                                        \
    OP(vandnpd, K(minus_one), B_, B_,                             "-1, 0 if ended or starting")              \
    OP(mov, B(reward), "%%rax",                                   "")                                        \
    OP(vmovapd, B_, ARRAY(g),                                     "reward")                                  \
    OP(vpbroadcastq, B(limit), C,                                 "limit")                                   \
    OP(mov, B(elapsed), "%%rax",                                  "")                                        \
    OP(vmovdqa, ARRAY(g), W,                                      "elapsed")                                 \
    OP(vpsubq, K(ones), W, W,                                     "now = elapsed + 1")                       \
    OP(vpaddq, K(ones), C, C,                                     "limit - 1")                               \
    OP(vpcmpgtq, C, W, E,                                         "late = now > limit - 1")                  \
    OP(vpor, S, W, W,                                             "now | ended")                             \
    OP(vpor, E, W, W,                                             "now | ended | late")                      \
    OP(vmovdqa, W, ARRAY(g),                                      "elapsed")                                 \
    FLAGS(g, S, terminated)                                                                                  \
    FLAGS(g, E, truncated)

// [7] observation: the columns cos1, sin1, cos2, sin2, theta_dot1, theta_dot2 of four lanes become rows. Pairs of
// columns are a = [cos1 sin1] …, b = [cos2 sin2] …, c = [theta_dot1 theta_dot2] … of the lanes 0 to 3:
//   [a0 b0] [c0 a1] [b1 c1] [a2 b2] [c2 a3] [b3 c3]
#define OBSERVATION(g)                                                                                       \
    OP(lea, "(%%rcx,%%rcx,2)", "%%rax",                           "24 * lane")                               \
    OP(add, B(observation), "%%rax",                              "")                                        \
    OP(vcvtpd2psy, L(g, cos1), X(10),                             "float(cos1)")                             \
    OP(vcvtpd2psy, L(g, sin1), X(11),                             "float(sin1)")                             \
    OP(vcvtpd2psy, COS2(g), X(12),                                "float(cos2)")                             \
    OP(vcvtpd2psy, SIN2(g), X(13),                                "float(sin2)")                             \
    OP(vcvtpd2psy, THETA_DOT1(g), X(14),                          "float(theta_dot1)")                       \
    OP(vcvtpd2psy, THETA_DOT2(g), X(15),                          "float(theta_dot2)")                       \
    OP(vunpcklps, X(11), X(10), X(0),                             "a0 a1")                                   \
    OP(vunpckhps, X(11), X(10), X(1),                             "a2 a3")                                   \
    OP(vunpcklps, X(13), X(12), X(2),                             "b0 b1")                                   \
    OP(vunpckhps, X(13), X(12), X(3),                             "b2 b3")                                   \
    OP(vunpcklps, X(15), X(14), X(4),                             "c0 c1")                                   \
    OP(vunpckhps, X(15), X(14), X(10),                            "c2 c3")                                   \
    ROWS(g, X(0), X(2), X(4), 0, 16, 32)                                                                     \
    ROWS(g, X(1), X(3), X(10), 48, 64, 80)
#define OUT_LOW
#define OUT_HIGH "96 + "
#define ROWS(g, a, b, c, first, second, third)                                                               \
    OP(vunpcklpd, b, a, X(11),                                    "a0 b0")                                   \
    OP(vshufpd, "$2", a, c, X(12),                                "c0 a1")                                   \
    OP(vunpckhpd, c, b, X(13),                                    "b1 c1")                                   \
    OP(vmovups, X(11), OUT_##g #first "(%%rax)",                  "")                                        \
    OP(vmovups, X(12), OUT_##g #second "(%%rax)",                 "")                                        \
    OP(vmovups, X(13), OUT_##g #third "(%%rax)",                  "")

#define STEP(name, HOW, TORQUE)                                                                              \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN("acrobot/" name ", k1 lanes=8")                                                                \
    BEGIN(LOW, HOW, TORQUE)                                                                                  \
    FIRST_##HOW(A, L(LOW, arg_b))                                                                            \
    BEGIN(HIGH, HOW, TORQUE)                                                                                 \
    SLOT_##HOW(A, QUADRANT_COS(A, L(LOW, pull1)), B, L(LOW, arg_c))                                          \
    SLOT_##HOW(B, QUADRANT_COS(B, L(LOW, pull2)), A, L(HIGH, arg_b))                                         \
    FIRST_ACCELERATIONS(LOW, HOW)                                                                            \
    SLOT_##HOW(A, QUADRANT_COS(A, L(HIGH, pull1)), B, L(HIGH, arg_c))                                        \
    EVALUATE(B) QUADRANT_COS(B, L(HIGH, pull2))                                                              \
    FIRST_ACCELERATIONS(HIGH, HOW)                                                                           \
    MCA_END                                                                                                  \
    OP(lea, CH(seconds2), "%%r11",                                "")                                        \
    OP(mov, "$3", "%%ebx",                                        "stages")                                  \
    LOOP(5)                                                                                                  \
    MCA_BEGIN("acrobot/" name ", k2 or k3 or k4 lanes=8")                                                    \
    MOVE(LOW)                                                                                                \
    FIRST_##HOW(A, L(LOW, arg_a))                                                                            \
    MOVE(HIGH)                                                                                               \
    SLOT_##HOW(A, QUADRANT_SIN_COS(A, L(LOW, sin2), L(LOW, cos2)), B, L(LOW, arg_b))                         \
    DIVISORS_##HOW(LOW, L(LOW, cos2))                                                                        \
    SLOT_##HOW(B, QUADRANT_COS(B, L(LOW, pull1)), A, L(LOW, arg_c))                                          \
    SLOT_##HOW(A, QUADRANT_COS(A, L(LOW, pull2)), B, L(HIGH, arg_a))                                         \
    NEXT_ACCELERATIONS(LOW, HOW)                                                                             \
    SLOT_##HOW(B, QUADRANT_SIN_COS(B, L(HIGH, sin2), L(HIGH, cos2)), A, L(HIGH, arg_b))                      \
    DIVISORS_##HOW(HIGH, L(HIGH, cos2))                                                                      \
    SLOT_##HOW(A, QUADRANT_COS(A, L(HIGH, pull1)), B, L(HIGH, arg_c))                                        \
    EVALUATE(B) QUADRANT_COS(B, L(HIGH, pull2))                                                              \
    NEXT_ACCELERATIONS(HIGH, HOW)                                                                            \
    OP(add, "$64", "%%r11",                                       "the next seconds and weight")             \
    OP(dec, "%%ebx",                                              "stages left")                             \
    MCA_END                                                                                                  \
    OP(jnz, "5b",                                                 "")                                        \
    TURNS(LOW)                                                                                               \
    TURNS(HIGH)                                                                                              \
    MCA_BEGIN("acrobot/" name ", the new state lanes=8")                                                     \
    FIRST_##HOW(A, THETA1(LOW))                                                                              \
    SLOT_##HOW(A, QUADRANT_SIN_COS(A, L(LOW, sin1), L(LOW, cos1)), B, THETA2(LOW))                           \
    SLOT_##HOW(B, QUADRANT_SIN_COS(B, SIN2(LOW), COS2(LOW)), A, L(LOW, arg_c))                               \
    SLOT_##HOW(A, QUADRANT_COS(A, L(LOW, pull2)), B, THETA1(HIGH))                                           \
    SLOT_##HOW(B, QUADRANT_SIN_COS(B, L(HIGH, sin1), L(HIGH, cos1)), A, THETA2(HIGH))                        \
    SLOT_##HOW(A, QUADRANT_SIN_COS(A, SIN2(HIGH), COS2(HIGH)), B, L(HIGH, arg_c))                            \
    EVALUATE(B) QUADRANT_COS(B, L(HIGH, pull2))                                                              \
    TERMINATION(LOW) OBSERVATION(LOW)                                                                        \
    TERMINATION(HIGH) OBSERVATION(HIGH)                                                                      \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(jne, "1b", "")                                                                                        \
    LABEL(2)                                                                                                 \
    OP(vzeroupper, "")

__attribute__((noinline)) void play(const Batch* b, const Chain* c, Scratch* s) {
    asm volatile(STEP("step_in_play", PLAIN, TORQUE_QUIET)
                 :
                 : OPERANDS, [turns] "i"(kTurns)
                 : CLOBBERS);
}

// Any params, any state.
__attribute__((noinline)) void play_any(const Batch* b, const Chain* c, Scratch* s) {
    asm volatile(STEP("step", ANY, TORQUE_QUIET)
                 :
                 : OPERANDS, [turns] "i"(kTurns)
                 : CLOBBERS);
}

__attribute__((noinline)) void play_noisy(const Batch* b, const Chain* c, Scratch* s) {
    asm volatile(STEP("step_with_noise", ANY, TORQUE_NOISY)
                 :
                 : OPERANDS, [turns] "i"(kTurns)
                 : CLOBBERS);
}

// clang-format on

void step_in_play(const Batch* b) {
    Scratch scratch;
    play(b, &kPlainChain, &scratch);
}

void step(const Batch* b) {
    Scratch scratch;
    const Chain numbers = chain_of(*reinterpret_cast<const Params*>(b->params));
    play_any(b, &numbers, &scratch);
}

void step_with_noise(const Batch* b) {
    Scratch scratch;
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    const Chain numbers = chain_of(p);
    draw_noise(b, p);
    play_noisy(b, &numbers, &scratch);
}

}  // namespace

Step* games::acrobot(const Batch* b, bool in_play) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    if (plain(p, in_play)) return step_in_play;
    return p.torque_noise_max > 0.0 ? step_with_noise : step;
}

}  // namespace compute_layers::asm_x86_64
