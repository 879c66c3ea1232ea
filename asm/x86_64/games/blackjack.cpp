// SPDX-License-Identifier: MIT
#include "games/blackjack.hpp"

#include "../kernel.hpp"
#include "pcg64.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace blackjack;

// Offsets of the lanes of a group of four, in bytes.
constexpr Row kOffsets = {{0x8'0000'0000, 0x18'0000'0010, 0x8'0000'0000, 0x18'0000'0010}};

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    ROW(offsets, kOffsets) ROW(next_offsets, row(uint64_t{0x20'0000'0020}))                                  \
    ROW(zero, row(uint64_t{0})) ROW(one, row(uint64_t{1})) ROW(ones, row(kOnes))                             \
    ROW(ten, row(uint64_t{kTen})) ROW(most, row(uint64_t{kMost}))                                            \
    ROW(stays, row(uint64_t{kDealerStays})) ROW(draws, row(uint64_t{kDealerStays - 1}))                      \
    ROW(won, row(1.0)) ROW(lost, row(-1.0)) ROW(natural_won, row(1.5))                                       \
    ROW(multiplier_high, row(static_cast<uint64_t>(kPcgMultiplier >> 64)))                                   \
    ROW(multiplier_low, row(static_cast<uint64_t>(kPcgMultiplier)))                                          \
    ROW(flag_spread, row(kFlagSpread)) ROW(flag_bytes, row(kFlagBytes))

// For a mask of four lanes: how many they are, and what brings the 32-bit numbers of these lanes together.
struct alignas(32) Pack {
    uint8_t shuffle[16];
    int64_t count;
};
static_assert(offsetof(Pack, count) == 16 && sizeof(Pack) == 32);

struct Constants {
    CONSTANTS(ROW_FIELD)
    Pack pack_low[16];   // at the low end of a register
    Pack pack_high[16];  // at the high end
};

constexpr Constants make_constants() {
    Constants constants = { CONSTANTS(ROW_VALUE) {}, {} };
    for (unsigned mask = 0; mask < 16; ++mask) {
        Pack &at_low = constants.pack_low[mask], &at_high = constants.pack_high[mask];
        at_low.count = at_high.count = std::popcount(mask);
        int low = 0, high = 16 - 4 * std::popcount(mask);
        for (int byte = 0; byte < 16; ++byte) {
            if (!(mask >> byte / 4 & 1)) continue;
            at_low.shuffle[low++] = at_high.shuffle[high++] = static_cast<uint8_t>(byte);
        }
    }
    return constants;
}

constexpr Constants kConstants = make_constants();
// Lanes of which everything stays in the L1 cache from one section to the next.
constexpr int64_t kBlock = 128;

static_assert(FIELD(State, player_sum) == 0 && FIELD(State, player_ace) == 1 &&
              FIELD(State, player_natural) == 2 && FIELD(State, dealer_sum) == 3 &&
              FIELD(State, dealer_ace) == 4 && FIELD(State, dealer_natural) == 5 &&
              FIELD(State, dealer_card) == 6);
static_assert(kStateHigh == 0 && kStateLow == 1 && kIncHigh == 2 && kIncLow == 3 && kHalf == 4);

// A block of up to kBlock lanes goes through sections 1 to 3, then the next.
//
// Section 1 keeps two lists of lanes that take a card: `with` those whose stream has a half left over, `without`
// those that must compute a new output. A card of one kind is followed by a card of the other, so that a lane
// that takes more goes from list to list. They stand in the block's rewards, which are written last: offsets of
// 4 bytes, `with` from the middle of the block upwards, `without` from there downwards.
//
// General registers of section 1, in bytes but for the counts
//   r8   stream of the block   r12  action - stream         rdi  middle of the lists
//   r9   stride                r13  player_sum - stream     [b]  how many are `with`
//   r10  stride * 3            rsi  stream of a lane        r14  minus how many are `without`
//   rax, rbx, rcx, rdx  scratch                             [k]  kConstants
// Of sections 2 and 3
//   rsi  player_sum            r12  action - player_sum     r8   terminated
//   r9   stride                rdi  reward - player_sum     r13  truncated - terminated
//   r10  stride * 3            rcx  elapsed - player_sum    r14  observation
//   rbx  stride * 5            rdx  end of player_sum       rax  scratch
//
// Vector registers
//   11  0      12  limit - 1      13  whether a natural pays more      14  sab
//   15  the batch, lanes done
#define B(field) "%c[" #field "](%[b])"
#define PARAM(field) [field] "i"(FIELD(Params, field) * sizeof(Row))
#define ENTER                                                                                                \
    ROW_OFFSETS(CONSTANTS)                                                                                   \
    OP(mov, B(rows), "%%rdx",                                     "")                                        \
    OP(vpxor, Y(11), Y(11), Y(11),                                "0")                                       \
    OP(vcmpneqpd, "%c[sab](%%rdx)", Y(11), Y(14),                 "sab")                                     \
    OP(vcmpneqpd, "%c[natural](%%rdx)", Y(11), Y(13),             "natural")                                 \
    OP(vandnpd, Y(13), Y(14), Y(13),                              "natural and not sab")                     \
    OP(vpbroadcastq, B(limit), Y(12),                             "limit")                                   \
    OP(vpaddq, K(ones), Y(12), Y(12),                             "limit - 1")                               \
    OP(vmovq, "%[b]", X(15),                                      "the batch, 0 lanes done")                 \
    OP(xor, "%%eax", "%%eax",                                     "lanes done")                              \
    OP(cmp, B(n), "%%rax",                                        "")                                        \
    OP(jge, "9f",                                                 "no lanes")

// The block begins at lane rax. [b] is the batch until its last use here.
#define BLOCK                                                                                                \
    OP(mov, B(n), "%%rdx",                                        "")                                        \
    OP(sub, "%%rax", "%%rdx",                                     "lanes left")                              \
    OP(cmp, "$%c[block]", "%%rdx",                                "")                                        \
    OP(jle, "2f",                                                 "")                                        \
    OP(mov, "$%c[block]", "%%edx",                                "lanes of the block")                      \
    LABEL(2)                                                                                                 \
    OP(mov, B(stride), "%%r9",                                    "")                                        \
    OP(shl, "$3", "%%r9",                                         "stride in bytes")                         \
    OP(mov, B(stream), "%%r8",                                    "")                                        \
    OP(mov, B(action), "%%r12",                                   "")                                        \
    OP(sub, "%%r8", "%%r12",                                      "action - stream")                         \
    OP(mov, B(state), "%%r13",                                    "")                                        \
    OP(sub, "%%r8", "%%r13",                                      "player_sum - stream")                     \
    OP(mov, B(elapsed), "%%rcx",                                  "")                                        \
    OP(sub, "%%r8", "%%rcx",                                      "elapsed - stream")                        \
    OP(lea, "(%%r8,%%rax,8)", "%%r8",                             "stream of the block")                     \
    OP(mov, B(reward), "%%rdi",                                   "")                                        \
    OP(lea, "(%%rdi,%%rax,8)", "%%rdi",                           "reward of the block")                     \
    OP(lea, "(%%rdi,%%rdx,4)", "%%rdi",                           "middle of the lists")                     \
    OP(add, "%%rdx", "%%rax",                                     "lanes done, soon")                        \
    OP(vpinsrq, "$1", "%%rax", X(15), X(15),                      "the batch, lanes done")                   \
    OP(lea, "(%%r9,%%r9,2)", "%%rbx",                             "stride * 3")                              \
    OP(add, "%%r13", "%%rbx",                                     "dealer_sum - stream")                     \
    OP(mov, "%%r8", "%%rsi",                                      "")                                        \
    OP(lea, "(%%r8,%%rdx,8)", "%%r10",                            "end of the stream of the block")          \
    OP(xor, "%k[b]", "%k[b]",                                     "none is with")                            \
    OP(xor, "%%r14d", "%%r14d",                                   "none is without")                         \
    OP(vmovdqa, K(offsets), X(4),                                 "offsets of lanes 0-3")

// [1] cards: who takes one. rsi runs through the block, rcx is elapsed - stream, rbx dealer_sum - stream, r10 the
// end of the block.
#define LIST                                                                                                 \
    OP(vpcmpeqq, "(%%rsi,%%r12)", Y(11), Y(1),                    "stick")                                   \
    OP(vmovdqa, "(%%rsi,%%rbx)", Y(2),                            "dealer_sum")                              \
    OP(vpcmpgtq, K(draws), Y(2), Y(2),                            "the dealer stays")                        \
    OP(vpand, Y(1), Y(2), Y(2),                                   "sticks, and the dealer stays")            \
    OP(vpor, "(%%rsi,%%rcx)", Y(2), Y(2),                         "or starts")                               \
    OP(vmovmskpd, Y(2), "%%eax",                                  "takes none")                              \
    OP(xor, "$15", "%%eax",                                       "takes a card")                            \
    OP(vmovdqa, "(%%rsi,%%r9,4)", Y(3),                           "half")                                    \
    OP(vpsllq, "$31", Y(3), Y(3),                                 "sign bit if one is left over")            \
    OP(vmovmskpd, Y(3), "%%edx",                                  "has a half")                              \
    OP(and, "%%eax", "%%edx",                                     "takes a card and has a half")             \
    OP(xor, "%%edx", "%%eax",                                     "takes a card and has none")               \
    OP(shl, "$5", "%%edx",                                        "row of pack_low")                         \
    OP(vpshufb, "%c[pack_low](%[k],%%rdx)", X(4), X(0),           "offsets, from below")                     \
    OP(vmovdqu, X(0), "(%%rdi,%[b],4)",                           "with")                                    \
    OP(add, "16+%c[pack_low](%[k],%%rdx)", "%[b]",                "so many more are with")                   \
    OP(shl, "$5", "%%eax",                                        "row of pack_high")                        \
    OP(vpshufb, "%c[pack_high](%[k],%%rax)", X(4), X(0),          "offsets, from above")                     \
    OP(vmovdqu, X(0), "-16(%%rdi,%%r14,4)",                       "without")                                 \
    OP(sub, "16+%c[pack_high](%[k],%%rax)", "%%r14",              "so many more are without")                \
    OP(vpaddd, K(next_offsets), X(4), X(4),                       "offsets of the next lanes")               \
    OP(add, "$32", "%%rsi",                                       "4 lanes on")                              \
    OP(cmp, "%%r10", "%%rsi",                                     "")

// A card by the 32-bit number in rax for the lane in rsi. Carry: it goes to the other list.
#define GIVE                                                                                                 \
    OP(lea, "(%%rax,%%rax,2)", "%%rdx",                           "number * 3")                              \
    OP(lea, "(%%rax,%%rdx,4)", "%%rax",                           "product = number * 13")                   \
    OP(mov, "%%rax", "%%rdx",                                     "")                                        \
    OP(shr, "$32", "%%rdx",                                       "rank")                                    \
    OP(add, "$1", "%%rdx",                                        "rank + 1")                                \
    OP(cmp, K(ten), "%%rdx",                                      "")                                        \
    OP(cmova, K(ten), "%%rdx",                                    "card = min(rank + 1, 10)")                \
    OP(xor, "%%ebx", "%%ebx",                                     "to the player")                           \
    OP(xor, "%%ecx", "%%ecx",                                     "who takes no more")                       \
    OP(cmpq, "$0", "(%%rsi,%%r12)",                               "stick?")                                  \
    OP(cmove, "%%r10", "%%rbx",                                   "to the dealer")                           \
    OP(cmove, K(stays), "%%rcx",                                  "who takes more below 17")                 \
    OP(cmp, "$%c[rejected]", "%%eax",                             "to be drawn again?")                      \
    OP(cmovb, K(zero), "%%rdx",                                   "no card")                                 \
    OP(cmovb, K(ones), "%%rcx",                                   "more in any case")                        \
    OP(add, "%%rsi", "%%rbx",                                     "")                                        \
    OP(add, "%%r13", "%%rbx",                                     "hand")                                    \
    OP(mov, "(%%rbx,%%r9)", "%%rax",                              "ace")                                     \
    OP(lea, "(%%rax,%%rax,4)", "%%rsi",                           "ace * 5")                                 \
    OP(cmp, K(one), "%%rdx",                                      "")                                        \
    OP(cmove, K(one), "%%rax",                                    "ace or card == 1")                        \
    OP(add, "(%%rbx)", "%%rdx",                                   "sum + card")                              \
    OP(add, "%%rsi", "%%rsi",                                     "10 * ace")                                \
    OP(sub, "%%rsi", "%%rdx",                                     "hard")                                    \
    OP(cmp, "$%c[most] - 10", "%%rdx",                            "hard + 10 > 21?")                         \
    OP(cmovg, K(zero), "%%rax",                                   "usable")                                  \
    OP(lea, "(%%rax,%%rax,4)", "%%rsi",                           "usable * 5")                              \
    OP(lea, "(%%rdx,%%rsi,2)", "%%rdx",                           "hard + 10*usable")                        \
    OP(mov, "%%rdx", "(%%rbx)",                                   "sum")                                     \
    OP(mov, "%%rax", "(%%rbx,%%r9)",                              "ace")                                     \
    OP(cmp, "%%rcx", "%%rdx",                                     "carry if the sum is below")

// next32() where a half is left over
#define WITH                                                                                                 \
    OP(mov, "-4(%%rdi,%[b],4)", "%%esi",                          "a lane")                                  \
    OP(mov, "%%esi", "-4(%%rdi,%%r14,4)",                         "perhaps without next")                    \
    OP(add, "%%r8", "%%rsi",                                      "its stream")                              \
    OP(mov, "(%%rsi,%%r9,4)", "%%eax",                            "number = half")                           \
    OP(mov, "%%rax", "(%%rsi,%%r9,4)",                            "no longer left over")                     \
    GIVE                                                                                                     \
    OP(sbb, "$0", "%%r14",                                        "without, if it takes more")               \
    OP(dec, "%[b]",                                               "one less is with")

// next32() where a new output is needed
#define WITHOUT                                                                                              \
    OP(mov, "(%%rdi,%%r14,4)", "%%esi",                           "a lane")                                  \
    OP(mov, "%%esi", "(%%rdi,%[b],4)",                            "perhaps with next")                       \
    OP(add, "%%r8", "%%rsi",                                      "its stream")                              \
    OP(mov, "(%%rsi,%%r9)", "%%rax",                              "low")                                     \
    OP(mov, "(%%rsi)", "%%rcx",                                   "high")                                    \
    OP(mov, "%%rax", "%%rbx",                                     "low")                                     \
    OP(imul, K(multiplier_low), "%%rcx",                          "high * multiplier_low")                   \
    OP(imul, K(multiplier_high), "%%rbx",                         "low * multiplier_high")                   \
    OP(mulq, K(multiplier_low),                                   "low * multiplier_low, 128 bits")          \
    OP(add, "%%rbx", "%%rcx",                                     "")                                        \
    OP(add, "%%rcx", "%%rdx",                                     "state * multiplier")                      \
    OP(add, "(%%rsi,%%r10)", "%%rax",                             "")                                        \
    OP(adc, "(%%rsi,%%r9,2)", "%%rdx",                            "state * multiplier + inc")                \
    OP(mov, "%%rax", "(%%rsi,%%r9)",                              "low")                                     \
    OP(mov, "%%rdx", "(%%rsi)",                                   "high")                                    \
    OP(xor, "%%rdx", "%%rax",                                     "high ^ low")                              \
    OP(mov, "%%rdx", "%%rcx",                                     "")                                        \
    OP(shr, "$58", "%%rcx",                                       "turn")                                    \
    OP(ror, "%%cl", "%%rax",                                      "output")                                  \
    OP(mov, "%%rax", "%%rdx",                                     "")                                        \
    OP(shr, "$32", "%%rdx",                                       "its upper half")                          \
    OP(bts, "$32", "%%rdx",                                       "is left over")                            \
    OP(mov, "%%rdx", "(%%rsi,%%r9,4)",                            "half")                                    \
    OP(mov, "%%eax", "%%eax",                                     "number = lower half")                     \
    GIVE                                                                                                     \
    OP(adc, "$0", "%[b]",                                         "with, if it takes more")                  \
    OP(inc, "%%r14",                                              "one less is without")

// From the registers of section 1 to those of sections 2 and 3; [b] is the batch again.
#define SETTLE                                                                                               \
    OP(vmovq, X(15), "%[b]",                                      "the batch")                               \
    OP(vpextrq, "$1", X(15), "%%rdx",                             "lanes done, with this block")             \
    OP(mov, B(state), "%%rsi",                                    "player_sum")                              \
    OP(mov, B(action), "%%r12",                                   "")                                        \
    OP(sub, "%%rsi", "%%r12",                                     "action - player_sum")                     \
    OP(mov, B(reward), "%%rdi",                                   "")                                        \
    OP(sub, "%%rsi", "%%rdi",                                     "reward - player_sum")                     \
    OP(mov, B(elapsed), "%%rcx",                                  "")                                        \
    OP(sub, "%%rsi", "%%rcx",                                     "elapsed - player_sum")                    \
    OP(lea, "-1(%%rdx)", "%%rax",                                 "")                                        \
    OP(and, "$-%c[block]", "%%rax",                               "where the block begins")                  \
    OP(lea, "(%%rsi,%%rdx,8)", "%%rdx",                           "end of player_sum")                       \
    OP(lea, "(%%rsi,%%rax,8)", "%%rsi",                           "player_sum")                              \
    OP(lea, "(%%r9,%%r9,4)", "%%rbx",                             "stride * 5")                              \
    OP(mov, B(terminated), "%%r8",                                "")                                        \
    OP(mov, B(truncated), "%%r13",                                "")                                        \
    OP(sub, "%%r8", "%%r13",                                      "truncated - terminated")                  \
    OP(add, "%%rax", "%%r8",                                      "terminated")                              \
    OP(lea, "(%%rax,%%rax,2)", "%%rax",                           "numbers of observations before")          \
    OP(mov, B(observation), "%%r14",                              "")                                        \
    OP(lea, "(%%r14,%%rax,8)", "%%r14",                           "observation")

// [2] termination and reward
#define FLAGS(mask, array)                                                                                   \
    OP(vmovmskpd, mask, "%%eax",                                  "bit i: lane i")                           \
    OP(imul, K(flag_spread), "%%eax",                             "bit 8i: lane i, others between")          \
    OP(and, K(flag_bytes), "%%eax",                               "byte i: lane i")                          \
    OP(mov, "%%eax", array,                                       "terminated or truncated")
#define SCORE                                                                                                \
    OP(vmovdqa, "(%%rsi)", Y(0),                                  "player")                                  \
    OP(vmovdqa, "(%%rsi,%%r10)", Y(1),                            "dealer")                                  \
    OP(vpcmpgtq, K(most), Y(0), Y(2),                             "bust")                                    \
    OP(vpcmpgtq, K(most), Y(1), Y(3),                             "the dealer's bust")                       \
    OP(vpandn, Y(0), Y(2), Y(4),                                  "player_score")                            \
    OP(vpandn, Y(1), Y(3), Y(5),                                  "dealer_score")                            \
    OP(vpcmpeqq, "(%%rsi,%%r12)", Y(11), Y(6),                    "stick")                                   \
    OP(vpcmpgtq, Y(5), Y(4), Y(7),                                "higher")                                  \
    OP(vpcmpgtq, Y(4), Y(5), Y(8),                                "lower")                                   \
    OP(vpcmpgtq, "(%%rsi,%%rcx)", Y(11), Y(1),                    "starting = 0 > elapsed")                  \
    OP(vpsubq, "(%%rsi,%%r9,2)", Y(11), Y(9),                     "player_natural")                          \
    OP(vpand, Y(6), Y(9), Y(9),                                   "natural = player_natural and stick")      \
    OP(vpcmpeqq, "(%%rsi,%%rbx)", Y(11), Y(10),                   "not dealer_natural")                      \
    OP(vpand, Y(9), Y(10), Y(10),                                 "")                                        \
    OP(vpand, Y(14), Y(10), Y(10),                                "beaten by sab's natural")                 \
    OP(vpor, Y(10), Y(7), Y(7),                                   "higher or beaten")                        \
    OP(vpand, Y(6), Y(7), Y(7),                                   "won")                                     \
    OP(vpblendvb, Y(6), Y(8), Y(2), Y(8),                         "stick ? lower : bust")                    \
    OP(vpandn, Y(8), Y(10), Y(8),                                 "lost")                                    \
    OP(vpand, Y(7), Y(9), Y(9),                                   "natural and won")                         \
    OP(vpand, Y(13), Y(9), Y(9),                                  "and pays more")                           \
    OP(vpand, K(won), Y(7), Y(7),                                 "1 if won")                                \
    OP(vpand, K(lost), Y(8), Y(8),                                "-1 if lost")                              \
    OP(vpand, K(natural_won), Y(9), Y(9),                         "1.5 if that")                             \
    OP(vpor, Y(7), Y(8), Y(8),                                    "")                                        \
    OP(vpor, Y(9), Y(8), Y(8),                                    "reward of the step")                      \
    OP(vpandn, Y(8), Y(1), Y(8),                                  "0 if starting")                           \
    OP(vmovdqa, Y(8), "(%%rsi,%%rdi)",                            "reward")                                  \
    OP(vpor, Y(6), Y(2), Y(2),                                    "stick or bust")                           \
    OP(vpandn, Y(2), Y(1), Y(2),                                  "ended = (…) and not starting")            \
    OP(vpor, Y(6), Y(1), Y(1),                                    "stick or starting")                       \
    OP(vpand, "(%%rsi,%%r9,2)", Y(1), Y(1),                       "a hit ends a natural")                    \
    OP(vmovdqa, Y(1), "(%%rsi,%%r9,2)",                           "player_natural")                          \
    FLAGS(Y(2), "(%%r8)")                                                                                    \
    OP(vmovdqa, "(%%rsi,%%rcx)", Y(1),                            "elapsed")                                 \
    OP(vpsubq, K(ones), Y(1), Y(1),                               "now = elapsed + 1")                       \
    OP(vpcmpgtq, Y(12), Y(1), Y(3),                               "late = now > limit - 1")                  \
    OP(vpor, Y(2), Y(1), Y(1),                                    "now | ended")                             \
    OP(vpor, Y(3), Y(1), Y(1),                                    "now | ended | late")                      \
    OP(vmovdqa, Y(1), "(%%rsi,%%rcx)",                            "elapsed")                                 \
    FLAGS(Y(3), "(%%r8,%%r13)")

// [3] observation: the columns player_sum, dealer_card, player_ace (here a, b, c) of four lanes become rows
//   [a0 b0 | c0 a1] [b1 c1 | a2 b2] [c2 a3 | b3 c3]
#define OBSERVATION                                                                                          \
    OP(vmovapd, "(%%rsi,%%r10,2)", Y(1),                          "dealer_card")                             \
    OP(vmovapd, "(%%rsi,%%r9)", Y(2),                             "player_ace")                              \
    OP(vunpcklpd, Y(1), Y(0), Y(3),                               "a0 b0 | a2 b2")                           \
    OP(vunpckhpd, Y(2), Y(1), Y(4),                               "b1 c1 | b3 c3")                           \
    OP(vblendpd, "$10", Y(0), Y(2), Y(5),                         "c0 a1 | c2 a3")                           \
    OP(vinsertf128, "$1", X(5), Y(3), Y(6),                       "a0 b0 | c0 a1")                           \
    OP(vblendpd, "$12", Y(3), Y(4), Y(7),                         "b1 c1 | a2 b2")                           \
    OP(vperm2f128, "$0x31", Y(4), Y(5), Y(8),                     "c2 a3 | b3 c3")                           \
    OP(vmovapd, Y(6), "(%%r14)",                                  "")                                        \
    OP(vmovapd, Y(7), "32(%%r14)",                                "")                                        \
    OP(vmovapd, Y(8), "64(%%r14)",                                "")                                        \
    OP(add, "$32", "%%rsi",                                       "4 lanes on")                              \
    OP(add, "$4", "%%r8",                                         "")                                        \
    OP(add, "$96", "%%r14",                                       "")                                        \
    OP(cmp, "%%rdx", "%%rsi",                                     "")

__attribute__((noinline)) void step(const Batch* b) {
    asm volatile(
        ENTER
        LABEL(1)
        BLOCK
        LOOP(3)
        MCA_BEGIN("blackjack/lists lanes=4")
        LIST
        MCA_END
        OP(jne, "3b",                                             "next 4 lanes")
        OP(lea, "(%%r9,%%r9,2)", "%%r10",                         "stride * 3")
        OP(test, "%[b]", "%[b]",                                  "")
        OP(je, "5f",                                              "none is with")
        LOOP(4)
        MCA_BEGIN("blackjack/card with a half lanes=1")
        WITH
        MCA_END
        OP(jne, "4b",                                             "next lane")
        LABEL(5)
        OP(test, "%%r14", "%%r14",                                "")
        OP(je, "7f",                                              "none is without")
        LOOP(6)
        MCA_BEGIN("blackjack/card without lanes=1")
        WITHOUT
        MCA_END
        OP(jne, "6b",                                             "next lane")
        OP(test, "%[b]", "%[b]",                                  "")
        OP(jne, "4b",                                             "some take more")
        LABEL(7)
        SETTLE
        LOOP(8)
        MCA_BEGIN("blackjack/settle lanes=4")
        SCORE
        OBSERVATION
        MCA_END
        OP(jne, "8b",                                             "next 4 lanes")
        OP(vpextrq, "$1", X(15), "%%rax",                         "lanes done")
        OP(cmp, B(n), "%%rax",                                    "")
        OP(jl, "1b",                                              "next block")
        LABEL(9)
        OP(vzeroupper,                                            "leave no upper halves")
        : [b] "+r"(b)
        : [k] "r"(&kConstants), OFFSET(Batch, n), OFFSET(Batch, stride), OFFSET(Batch, state),
          OFFSET(Batch, elapsed), OFFSET(Batch, action), OFFSET(Batch, observation), OFFSET(Batch, reward),
          OFFSET(Batch, terminated), OFFSET(Batch, truncated), OFFSET(Batch, stream), OFFSET(Batch, rows),
          OFFSET(Batch, limit), OFFSET(Constants, pack_low), OFFSET(Constants, pack_high), PARAM(sab),
          PARAM(natural), [block] "i"(kBlock), [most] "i"(kMost), [rejected] "i"(kRejected)
        : YMM_CLOBBERS, "memory", "cc", "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r12",
          "r13", "r14");
}

// clang-format on

}  // namespace

Step* games::blackjack(const Batch*, bool) { return step; }

}  // namespace compute_layers::asm_x86_64
