// SPDX-License-Identifier: MIT
// The step of a tabular game in AVX2, in sections; taxi.cpp puts one of its own among them.
#pragma once

#include "../kernel.hpp"
#include "games/tabular.hpp"

namespace compute_layers::asm_x86_64 {

// PCG64's multiplier.
constexpr uint64_t kMultiplierHigh = 0x2360ED051FC65DA4, kMultiplierLow = 0x4385DF649FCCF645;

constexpr uint64_t swapped(uint64_t halves) { return halves << 32 | halves >> 32; }

// Bytes of a vector: where the flags of lanes 0 to 7 stand in what FLAGS has packed, terminated before
// truncated.
constexpr Row kFlagOrder = {{0x0B0A'0302'0908'0100, 0x0F0E'0706'0D0C'0504, 0, 0}};

}  // namespace compute_layers::asm_x86_64

// clang-format off

// What CONSTANTS, the list of the file that includes this one, begins with.
#define TABULAR_CONSTANTS(ROW)                                                                               \
    ROW(low32, row(uint64_t{UINT32_MAX})) ROW(high32, row(uint64_t{UINT32_MAX} << 32))                       \
    ROW(M0, row(kMultiplierLow & UINT32_MAX)) ROW(M1, row(kMultiplierLow >> 32))                             \
    ROW(M2, row(kMultiplierHigh & UINT32_MAX))                                                               \
    ROW(M10, row(swapped(kMultiplierLow))) ROW(M32, row(swapped(kMultiplierHigh)))                           \
    ROW(sign, row(~kAbs)) ROW(sixty_four, row(uint64_t{64})) ROW(ones, row(kOnes)) ROW(one, row(1.0))        \
    ROW(flag_order, kFlagOrder)

// An iteration takes 8 lanes in two groups: LOW, lanes 0-3, and HIGH, lanes 4-7. Sections are macros of a
// group g.
//
// General registers
//   r8   lanes done          rdi  s of the 8 lanes       r10  observation    rax rbx rcx rdx  scratch
//   r9   stride in bytes     rsi  stream of the 8 lanes  r11  reward         [k]  kConstants
//   r12  thresholds          r13  outcomes                                   [b]  the batch
// There are too few for the other arrays: rdx takes their addresses from the batch when they are wanted.
//
// Vector registers: 0-6 belong to LOW, 7-13 (7 more) to HIGH, by what they hold in turn
//   0  low, x, u    | even0, reward       4  b: scratch  | probability, late
//   1  high         | even1, ended        5  starting
//   2  low          | odd0, lastaction    6  c: scratch  | s
//   3  a: scratch   | odd1, now
//   14 actions      15 limit - 1
#define R_x 0
#define R_high 1
#define R_low 2
#define R_a 3
#define R_b 4
#define R_starting 5
#define R_c 6
#define R_even0 0
#define R_even1 1
#define R_odd0 2
#define R_odd1 3
#define R_reward 0
#define R_ended 1
#define R_lastaction 2
#define R_now 3
#define R_probability 4
#define R_late 4
#define R_s 6

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

// Arrays at a group; rdx has the address of those without a register.
#define AT_LOW "0"
#define AT_HIGH "32"
#define STATE_HIGH(g) AT_##g "(%%rsi)"
#define STATE_LOW(g)  AT_##g "(%%rsi,%%r9)"
#define INC_HIGH(g)   AT_##g "(%%rsi,%%r9,2)"
#define INC_LOW(g)    AT_##g "(%%rdx,%%r9)"
#define S_OF(g)       AT_##g "(%%rdi)"
#define LASTACTION(g) AT_##g "(%%rdi,%%r9)"
#define OBSERVATION(g) AT_##g "(%%r10,%%r8,8)"
#define REWARD(g)     AT_##g "(%%r11,%%r8,8)"
#define OF_RDX(g)     AT_##g "(%%rdx,%%r8,8)"

static_assert(FIELD(compute_layers::tabular::State, s) == 0 &&
              FIELD(compute_layers::tabular::State, lastaction) == 1);
static_assert(compute_layers::kStateHigh == 0 && compute_layers::kStateLow == 1 &&
              compute_layers::kIncHigh == 2 && compute_layers::kIncLow == 3);

#define B(field) "%c[" #field "](%[b])"
#define T(field) "%c[" #field "](%%rdx)"
#define POINTERS                                                                                             \
    OP(mov, B(observation), "%%r10",                              "observation")                             \
    OP(mov, B(reward), "%%r11",                                   "reward")                                  \
    OP(mov, B(table), "%%rdx",                                    "table")                                   \
    OP(mov, T(thresholds), "%%r12",                               "thresholds")                              \
    OP(mov, T(rows), "%%r13",                                     "outcomes")
// Jumps to the end, label 2, if there are no lanes.
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(mov, B(stride), "%%r9",                                    "")                                        \
    OP(shl, "$3", "%%r9",                                         "stride in bytes")                         \
    OP(mov, B(state), "%%rdi",                                    "s")                                       \
    OP(mov, B(stream), "%%rsi",                                   "stream")                                  \
    POINTERS                                                                                                 \
    OP(vpbroadcastq, T(actions), Y(14),                           "actions")                                 \
    OP(vpbroadcastq, B(limit), Y(15),                             "")                                        \
    OP(vpaddq, K(ones), Y(15), Y(15),                             "limit - 1")                               \
    OP(xor, "%%r8d", "%%r8d",                                     "no lane done")                            \
    OP(cmp, B(n), "%%r8",                                         "")                                        \
    OP(je, "2f",                                                  "no lanes")

#define NEXT                                                                                                 \
    OP(add, "$64", "%%rdi",                                       "8 lanes on")                              \
    OP(add, "$64", "%%rsi",                                       "")                                        \
    OP(add, "$8", "%%r8",                                         "")                                        \
    OP(cmp, B(n), "%%r8",                                         "")

#define BATCH_OPERANDS                                                                                       \
    [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),                     \
        OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),    \
        OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, stream), OFFSET(Batch, info),     \
        OFFSET(Batch, table), OFFSET(Batch, limit), OFFSET(Table, actions), OFFSET(Table, thresholds),       \
        OFFSET(Table, rows), OFFSET(Table, outcomes)
#define CLOBBERS                                                                                             \
    YMM_CLOBBERS, "memory", "cc", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11",        \
        "r12", "r13"

// [1] draw: PCG64 in 32-bit digits. The state is (high, low), the multiplier has the digits M3 M2 M1 M0; high
// and low have the digits 1 and 0.
#define STARTING(g)                                                                                          \
    OP(mov, B(elapsed), "%%rdx",                                  "")                                        \
    OP(vpxor, V(g, starting), V(g, starting), V(g, starting),     "0")                                       \
    OP(vpcmpgtq, OF_RDX(g), V(g, starting), V(g, starting),       "0 > elapsed")
#define ADVANCE(g)                                                                                           \
    OP(vmovdqa, STATE_LOW(g), V(g, x),                            "low")                                     \
    OP(vpsrlq, "$32", V(g, x), V(g, high),                        "low1")                                    \
    OP(vpmuludq, K(M0), V(g, x), V(g, low),                       "low0 * M0")                               \
    OP(vpmuludq, K(M1), V(g, x), V(g, a),                         "low0 * M1")                               \
    OP(vpmuludq, K(M0), V(g, high), V(g, b),                      "low1 * M0")                               \
    OP(vpmuludq, K(M1), V(g, high), V(g, high),                   "low1 * M1")                               \
    OP(vpsrlq, "$32", V(g, low), V(g, c),                         "carry of digit 0")                        \
    OP(vpaddq, V(g, c), V(g, b), V(g, b),                         "low1*M0 + carry")                         \
    OP(vpand, K(low32), V(g, b), V(g, c),                         "its low half")                            \
    OP(vpaddq, V(g, c), V(g, a), V(g, a),                         "digit 1: low0*M1 + it")                   \
    OP(vpsrlq, "$32", V(g, b), V(g, b),                           "its high half")                           \
    OP(vpaddq, V(g, b), V(g, high), V(g, high),                   "low1*M1 + it")                            \
    OP(vpsrlq, "$32", V(g, a), V(g, c),                           "carry of digit 1")                        \
    OP(vpaddq, V(g, c), V(g, high), V(g, high),                   "high of low * M10")                       \
    OP(vpsllq, "$32", V(g, a), V(g, a),                           "digit 1 in its place")                    \
    OP(vpblendd, "$0xaa", V(g, a), V(g, low), V(g, low),          "low of low * M10")                        \
    OP(vpmulld, K(M32), V(g, x), V(g, a),                         "low0*M3, low1*M2")                        \
    OP(vpmuludq, K(M2), V(g, x), V(g, x),                         "low0 * M2")                               \
    OP(vmovdqa, STATE_HIGH(g), V(g, b),                           "high")                                    \
    OP(vpmulld, K(M10), V(g, b), V(g, c),                         "high0*M1, high1*M0")                      \
    OP(vpmuludq, K(M0), V(g, b), V(g, b),                         "high0 * M0")                              \
    OP(vpaddd, V(g, c), V(g, a), V(g, a),                         "two sums of digit 3")                     \
    OP(vpaddq, V(g, b), V(g, x), V(g, x),                         "low0*M2 + high0*M0")                      \
    OP(vpsllq, "$32", V(g, a), V(g, c),                           "")                                        \
    OP(vpaddd, V(g, c), V(g, a), V(g, a),                         "their sum in digit 3")                    \
    OP(vpand, K(high32), V(g, a), V(g, a),                        "and nothing else")                        \
    OP(vpaddq, V(g, x), V(g, high), V(g, high),                   "")                                        \
    OP(vpaddq, V(g, a), V(g, high), V(g, high),                   "high of state * multiplier")              \
    OP(lea, "(%%rsi,%%r9,2)", "%%rdx",                            "inc_high")                                \
    OP(vmovdqa, INC_LOW(g), V(g, a),                              "inc_low")                                 \
    OP(vpaddq, V(g, a), V(g, low), V(g, low),                     "low of state*multiplier + inc")           \
    OP(vpxor, K(sign), V(g, a), V(g, a),                          "signed as unsigned")                      \
    OP(vpxor, K(sign), V(g, low), V(g, b),                        "signed as unsigned")                      \
    OP(vpcmpgtq, V(g, b), V(g, a), V(g, a),                       "carry: inc_low > low")                    \
    OP(vpaddq, INC_HIGH(g), V(g, high), V(g, high),               "+ inc_high")                              \
    OP(vpsubq, V(g, a), V(g, high), V(g, high),                   "+ carry")
#define STREAM(g)                                                                                            \
    OP(vblendvpd, V(g, starting), STATE_HIGH(g), V(g, high), V(g, high), "old if starting")                  \
    OP(vblendvpd, V(g, starting), STATE_LOW(g), V(g, low), V(g, low), "old if starting")                     \
    OP(vmovdqa, V(g, high), STATE_HIGH(g),                        "state_high")                              \
    OP(vmovdqa, V(g, low), STATE_LOW(g),                          "state_low")
#define OUTPUT(g)                                                                                            \
    OP(vpxor, V(g, low), V(g, high), V(g, x),                     "high xor low")                            \
    OP(vpsrlq, "$58", V(g, high), V(g, a),                        "turn")                                    \
    OP(vpsrlvq, V(g, a), V(g, x), V(g, b),                        "x >> turn")                               \
    OP(vmovdqa, K(sixty_four), V(g, c),                           "64")                                      \
    OP(vpsubq, V(g, a), V(g, c), V(g, a),                         "64 - turn")                               \
    OP(vpsllvq, V(g, a), V(g, x), V(g, x),                        "x << (64 - turn)")                        \
    OP(vpor, V(g, b), V(g, x), V(g, x),                           "turned to the right")                     \
    OP(vpsrlq, "$11", V(g, x), V(g, x),                           "u * 2**53")

// [2] outcome. Its index is found lane by lane: what a lane needs for that passes through arrays of which
// this step writes these lanes later.
#define ROWS(g)                                                                                              \
    OP(mov, B(action), "%%rdx",                                   "")                                        \
    OP(vpmuludq, S_OF(g), Y(14), V(g, a),                         "s * actions")                             \
    OP(vpaddq, OF_RDX(g), V(g, a), V(g, a),                       "row = s*actions + action")
#define ROWS_1(g)                                                                                            \
    ROWS(g)                                                                                                  \
    OP(vpaddq, V(g, a), V(g, a), V(g, a),                         "row * 2")                                 \
    OP(vmovdqa, V(g, a), REWARD(g),                               "its first outcome")
#define ROWS_3(g)                                                                                            \
    ROWS(g)                                                                                                  \
    OP(vpaddq, V(g, a), V(g, a), V(g, b),                         "row * 2")                                 \
    OP(vpaddq, V(g, a), V(g, b), V(g, a),                         "row * 3")                                 \
    OP(vpaddq, V(g, b), V(g, b), V(g, b),                         "row * 4")                                 \
    OP(vmovdqa, V(g, a), OBSERVATION(g),                          "its first threshold")                     \
    OP(vmovdqa, V(g, b), REWARD(g),                               "its first outcome")
#define ROWS_ANY(g)                                                                                          \
    ROWS(g)                                                                                                  \
    OP(mov, B(table), "%%rdx",                                    "table")                                   \
    OP(vpbroadcastq, T(outcomes), V(g, b),                        "outcomes")                                \
    OP(vpmuludq, V(g, a), V(g, b), V(g, b),                       "row * outcomes")                          \
    OP(vpaddq, V(g, a), V(g, b), V(g, a),                         "row * (outcomes + 1)")                    \
    OP(vmovdqa, V(g, b), OBSERVATION(g),                          "its first threshold")                     \
    OP(vmovdqa, V(g, a), REWARD(g),                               "its first outcome")
#define PASS_DRAW(g)                                                                                         \
    OP(mov, B(info), "%%rdx",                                     "")                                        \
    OP(vmovdqa, V(g, x), OF_RDX(g),                               "u")

// rax becomes the index of the outcome of the lane at byte `at`.
#define FIND_1(at)                                                                                           \
    OP(mov, at "(%%r11,%%r8,8)", "%%rax",                         "the first one")
#define FIND(at)                                                                                             \
    OP(mov, B(info), "%%rdx",                                     "")                                        \
    OP(mov, at "(%%rdx,%%r8,8)", "%%rcx",                         "u")                                       \
    OP(mov, at "(%%r10,%%r8,8)", "%%rbx",                         "index of the first threshold")            \
    OP(mov, at "(%%r11,%%r8,8)", "%%rax",                         "index of the first outcome")
#define COUNT(threshold)                                                                                     \
    OP(cmp, threshold, "%%rcx",                                   "carry: u < threshold")                    \
    OP(sbb, "$-1", "%%rax",                                       "+ 1 if threshold <= u")
#define FIND_3(at)                                                                                           \
    FIND(at) COUNT("(%%r12,%%rbx,8)") COUNT("8(%%r12,%%rbx,8)") COUNT("16(%%r12,%%rbx,8)")
#define FIND_ANY(at)                                                                                         \
    FIND(at)                                                                                                 \
    OP(lea, "(%%r12,%%rbx,8)", "%%rbx",                           "the first threshold")                     \
    OP(mov, B(table), "%%rdx",                                    "table")                                   \
    OP(mov, T(outcomes), "%%rdx",                                 "how many")                                \
    LABEL(3)                                                                                                 \
    COUNT("(%%rbx)")                                                                                         \
    OP(add, "$8", "%%rbx",                                        "the next one")                            \
    OP(dec, "%%rdx",                                              "")                                        \
    OP(jnz, "3b",                                                 "")
// [even0 even1 | …] of lanes 0, 2 and [odd0 odd1 | …] of lanes 1, 3; an Outcome is two of a lane's 16 bytes.
#define OUTCOMES(g, FIND)                                                                                    \
    FIND(AT_##g "+0")                                                                                        \
    OP(shl, "$5", "%%rax",                                        "32 bytes each")                           \
    OP(vmovapd, "(%%r13,%%rax)", V128(g, even0),                  "lane 0: probability, reward")             \
    OP(vmovapd, "16(%%r13,%%rax)", V128(g, even1),                "state, terminated")                       \
    FIND(AT_##g "+8")                                                                                        \
    OP(shl, "$5", "%%rax",                                        "32 bytes each")                           \
    OP(vmovapd, "(%%r13,%%rax)", V128(g, odd0),                   "lane 1: probability, reward")             \
    OP(vmovapd, "16(%%r13,%%rax)", V128(g, odd1),                 "state, terminated")                       \
    FIND(AT_##g "+16")                                                                                       \
    OP(shl, "$5", "%%rax",                                        "32 bytes each")                           \
    OP(vinsertf128, "$1", "(%%r13,%%rax)", V(g, even0), V(g, even0), "lane 2: probability, reward")          \
    OP(vinsertf128, "$1", "16(%%r13,%%rax)", V(g, even1), V(g, even1), "state, terminated")                  \
    FIND(AT_##g "+24")                                                                                       \
    OP(shl, "$5", "%%rax",                                        "32 bytes each")                           \
    OP(vinsertf128, "$1", "(%%r13,%%rax)", V(g, odd0), V(g, odd0), "lane 3: probability, reward")            \
    OP(vinsertf128, "$1", "16(%%r13,%%rax)", V(g, odd1), V(g, odd1), "state, terminated")                    \
    OP(vunpcklpd, V(g, odd1), V(g, even1), V(g, s),               "state")                                   \
    OP(vunpckhpd, V(g, odd1), V(g, even1), V(g, ended),           "terminated")                              \
    OP(vunpcklpd, V(g, odd0), V(g, even0), V(g, probability),     "probability")                             \
    OP(vunpckhpd, V(g, odd0), V(g, even0), V(g, reward),          "reward")

// [3] next state
#define NEXT_STATE(g)                                                                                        \
    OP(mov, B(info), "%%rdx",                                     "")                                        \
    OP(vblendvpd, V(g, starting), K(one), V(g, probability), V(g, probability), "1 if starting")             \
    OP(vmovapd, V(g, probability), OF_RDX(g),                     "probability")                             \
    OP(mov, B(action), "%%rdx",                                   "")                                        \
    OP(vmovapd, OF_RDX(g), V(g, lastaction),                      "action")                                  \
    OP(vblendvpd, V(g, starting), LASTACTION(g), V(g, lastaction), V(g, lastaction), "old if starting")      \
    OP(vmovapd, V(g, lastaction), LASTACTION(g),                  "lastaction")                              \
    OP(vblendvpd, V(g, starting), S_OF(g), V(g, s), V(g, s),      "old if starting")                         \
    OP(vmovapd, V(g, s), S_OF(g),                                 "s")                                       \
    OP(vmovapd, V(g, s), OBSERVATION(g),                          "observation")

// [4] termination and reward
#define SETTLE(g)                                                                                            \
    OP(vandnpd, V(g, reward), V(g, starting), V(g, reward),       "0 if starting")                           \
    OP(vmovapd, V(g, reward), REWARD(g),                          "reward")                                  \
    OP(vandnpd, V(g, ended), V(g, starting), V(g, ended),         "terminated and not starting")             \
    OP(mov, B(elapsed), "%%rdx",                                  "")                                        \
    OP(vmovdqa, OF_RDX(g), V(g, now),                             "elapsed")                                 \
    OP(vpsubq, K(ones), V(g, now), V(g, now),                     "now = elapsed + 1")                       \
    OP(vpcmpgtq, Y(15), V(g, now), V(g, late),                    "late = now > limit - 1")                  \
    OP(vpor, V(g, ended), V(g, now), V(g, now),                   "now | ended")                             \
    OP(vpor, V(g, late), V(g, now), V(g, now),                    "now | ended | late")                      \
    OP(vmovdqa, V(g, now), OF_RDX(g),                             "elapsed")
// Masks of 8 bytes become bytes: first of the lanes 0 1 4 5 | 2 3 6 7, two bytes each, terminated before
// truncated in either half; then in their order.
#define FLAGS                                                                                                \
    OP(vpackssdw, V(HIGH, ended), V(LOW, ended), V(LOW, ended),   "4 bytes each")                            \
    OP(vpackssdw, V(HIGH, late), V(LOW, late), V(LOW, late),      "4 bytes each")                            \
    OP(vpacksswb, V(LOW, late), V(LOW, ended), V(LOW, ended),     "2 bytes each")                            \
    OP(vextracti128, "$1", V(LOW, ended), V128(LOW, late),        "lanes 2 3 6 7")                           \
    OP(vpacksswb, V128(LOW, late), V128(LOW, ended), V128(LOW, ended), "1 byte each")                        \
    OP(vpshufb, K(flag_order), V128(LOW, ended), V128(LOW, ended), "lanes 0 to 7, terminated | truncated")   \
    OP(vpabsb, V128(LOW, ended), V128(LOW, ended),                "1 for -1")                                \
    OP(mov, B(terminated), "%%rdx",                               "")                                        \
    OP(vmovq, V128(LOW, ended), "(%%rdx,%%r8)",                   "terminated")                              \
    OP(mov, B(truncated), "%%rdx",                                "")                                        \
    OP(vmovhps, V128(LOW, ended), "(%%rdx,%%r8)",                 "truncated")

#define DRAW_1(g)   ROWS_1(g) STARTING(g) ADVANCE(g) STREAM(g)
#define DRAW_3(g)   ROWS_3(g) STARTING(g) ADVANCE(g) OUTPUT(g) PASS_DRAW(g) STREAM(g)
#define DRAW_ANY(g) ROWS_ANY(g) STARTING(g) ADVANCE(g) OUTPUT(g) PASS_DRAW(g) STREAM(g)

// K is 1, 3 or ANY number of thresholds; MOVE(g) is section 3, SELDOM what it jumps to. Both groups draw
// first, so that nobody waits for what passes through memory.
#define STEP(name, K, MOVE, SELDOM)                                                                          \
    ENTER                                                                                                    \
    LOOP(1)                                                                                                  \
    MCA_BEGIN(name " lanes=8")                                                                               \
    DRAW_##K(LOW) DRAW_##K(HIGH)                                                                             \
    OUTCOMES(LOW, FIND_##K) MOVE(LOW) SETTLE(LOW)                                                            \
    OUTCOMES(HIGH, FIND_##K) MOVE(HIGH) SETTLE(HIGH)                                                         \
    FLAGS                                                                                                    \
    NEXT                                                                                                     \
    MCA_END                                                                                                  \
    OP(jne, "1b", "")                                                                                        \
    SELDOM                                                                                                   \
    LABEL(2)                                                                                                 \
    OP(vzeroupper, "")

// clang-format on
