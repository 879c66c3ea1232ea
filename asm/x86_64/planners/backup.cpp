// SPDX-License-Identifier: MIT
// Level asm, AVX2, of the planner `backup`. Comments in the words of
// python/compute_layers/planners/backup.py.
#include <limits>

#include "../kernel.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

#define CONSTANTS(ROW)                                                                                   \
    ROW(minus_infinity, row(-std::numeric_limits<double>::infinity()))                                   \
    ROW(abs, row(kAbs)) ROW(ones, row(kOnes))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

}  // namespace

// A group in two halves, lanes 0-3 and 4-7. Loads are what the CPU has fewest of: two numbers of next states
// come by one. A gather is slower on Zen and no faster elsewhere.
//
// General registers
//   rdi  outcomes       rdx  values, V        r10  groups left           rax rbx  next states of two lanes
//   rsi  counts         r8   next_values      r11  actions left          [k]      kConstants
//   rcx  outcomes left  r9   best             r12  the group in bytes    [b]      the sweep
//
// Vector registers, of lanes 0-3 and of lanes 4-7
//   0 1  V of the next states, then what is added to q    2 3  q    4 5  greatest    6 7  best
//   8  gamma            9  change             10  the action             11  better
//   12 -infinity        13 abs                14  -1                     15  V' - V
#define B(field) "%c[" #field "](%[b])"
#define O(field, byte) "%c[" #field "]+" byte "(%%rdi)"
#define TWO_VALUES(byte, v, lanes)                                                                       \
    OP(mov, O(next, byte), "%%rax",                     "next states, " lanes)                           \
    OP(mov, "%%eax", "%%ebx",                           "the first")                                     \
    OP(shr, "$32", "%%rax",                             "the second")                                    \
    OP(vmovsd, "(%%rdx,%%rbx,8)", X(v),                 "V(next) of the first")                          \
    OP(vmovhpd, "(%%rdx,%%rax,8)", X(v), X(v),          "and of the second")

// [1] what the action is worth
#define WORTH                                                                                           \
    OP(mov, "(%%rsi)", "%%rcx",                         "how many outcomes")                            \
    OP(add, "$8", "%%rsi",                              "")                                             \
    OP(vxorpd, Y(2), Y(2), Y(2),                        "q = 0")                                        \
    OP(vxorpd, Y(3), Y(3), Y(3),                        "lanes 4-7")                                    \
    LOOP(3)                                                                                             \
    MCA_BEGIN("backup/outcome lanes=8")                                                                 \
    TWO_VALUES("0", 0, "lanes 0 1")                                                                     \
    TWO_VALUES("8", 1, "lanes 2 3")                                                                     \
    OP(vinsertf128, "$1", X(1), Y(0), Y(0),             "lanes 0-3")                                    \
    TWO_VALUES("16", 1, "lanes 4 5")                                                                    \
    TWO_VALUES("24", 15, "lanes 6 7")                                                                   \
    OP(vinsertf128, "$1", X(15), Y(1), Y(1),            "lanes 4-7")                                    \
    OP(vmulpd, Y(0), Y(8), Y(0),                        "gamma*V")                                      \
    OP(vmulpd, Y(1), Y(8), Y(1),                        "lanes 4-7")                                    \
    OP(vaddpd, O(reward, "0"), Y(0), Y(0),              "reward + gamma*V")                             \
    OP(vaddpd, O(reward, "32"), Y(1), Y(1),             "lanes 4-7")                                    \
    OP(vmulpd, O(probability, "0"), Y(0), Y(0),         "probability*(reward + gamma*V)")               \
    OP(vmulpd, O(probability, "32"), Y(1), Y(1),        "lanes 4-7")                                    \
    OP(vaddpd, Y(0), Y(2), Y(2),                        "q + probability*(reward + gamma*V)")           \
    OP(vaddpd, Y(1), Y(3), Y(3),                        "lanes 4-7")                                    \
    OP(add, "%[outcome]", "%%rdi",                      "the next outcome")                             \
    OP(dec, "%%rcx",                                    "one less")                                     \
    MCA_END                                                                                             \
    OP(jnz, "3b",                                       "")

// [2] the best action so far; of equal ones the first
#define BEST                                                                                            \
    OP(vcmppd, "$0x1E", Y(4), Y(2), Y(11),              "better = q > greatest")                        \
    OP(vmaxpd, Y(4), Y(2), Y(4),                        "q if better, else greatest")                   \
    OP(vblendvpd, Y(11), Y(10), Y(6), Y(6),             "the action if better, else best")              \
    OP(vcmppd, "$0x1E", Y(5), Y(3), Y(11),              "the same for lanes 4-7")                       \
    OP(vmaxpd, Y(5), Y(3), Y(5),                        "")                                             \
    OP(vblendvpd, Y(11), Y(10), Y(7), Y(7),             "")

// [3] how far the value has moved
#define MOVED                                                                                           \
    OP(vsubpd, "(%%rdx,%%r12)", Y(4), Y(15),            "V' - V")                                       \
    OP(vandpd, Y(13), Y(15), Y(15),                     "|V' - V|")                                     \
    OP(vmaxpd, Y(9), Y(15), Y(9),                       "|V' - V| if it is > change, else change")      \
    OP(vsubpd, "32(%%rdx,%%r12)", Y(5), Y(15),          "the same for lanes 4-7")                       \
    OP(vandpd, Y(13), Y(15), Y(15),                     "")                                             \
    OP(vmaxpd, Y(9), Y(15), Y(9),                       "")                                             \
    OP(vmovapd, Y(4), "(%%r8,%%r12)",                   "V'")                                           \
    OP(vmovapd, Y(5), "32(%%r8,%%r12)",                 "lanes 4-7")                                    \
    OP(vmovdqa, Y(6), "(%%r9,%%r12)",                   "best")                                         \
    OP(vmovdqa, Y(7), "32(%%r9,%%r12)",                 "lanes 4-7")

void planners::backup(const Sweep* sweep) {
    asm volatile(
        ROW_OFFSETS(CONSTANTS)
        OP(mov, B(outcomes), "%%rdi",                       "outcomes")
        OP(mov, B(counts), "%%rsi",                         "how many of them")
        OP(mov, B(values), "%%rdx",                         "V")
        OP(mov, B(next_values), "%%r8",                     "V'")
        OP(mov, B(best), "%%r9",                            "best")
        OP(mov, B(groups), "%%r10",                         "groups")
        OP(xor, "%%r12d", "%%r12d",                         "the first group")
        OP(vbroadcastsd, B(discount), Y(8),                 "gamma")
        OP(vxorpd, Y(9), Y(9), Y(9),                        "change = 0")
        OP(vmovapd, K(minus_infinity), Y(12),               "-infinity")
        OP(vmovapd, K(abs), Y(13),                          "")
        OP(vmovdqa, K(ones), Y(14),                         "-1")
        LOOP(1)
        OP(vmovapd, Y(12), Y(4),                            "greatest = -infinity")
        OP(vmovapd, Y(12), Y(5),                            "lanes 4-7")
        OP(vpxor, Y(6), Y(6), Y(6),                         "best = 0")
        OP(vpxor, Y(7), Y(7), Y(7),                         "lanes 4-7")
        OP(vpxor, Y(10), Y(10), Y(10),                      "action 0")
        OP(mov, B(actions), "%%r11",                        "actions")
        LABEL(2)
        WORTH
        BEST
        OP(vpsubq, Y(14), Y(10), Y(10),                     "the next action")
        OP(dec, "%%r11",                                    "one less")
        OP(jnz, "2b",                                       "")
        MOVED
        OP(add, "$64", "%%r12",                             "8 states further")
        OP(dec, "%%r10",                                    "one group less")
        OP(jnz, "1b",                                       "")
        OP(vextractf128, "$1", Y(9), X(15),                 "change of lanes 2 and 3 of four")
        OP(vmaxpd, X(15), X(9), X(9),                       "of two")
        OP(vunpckhpd, X(9), X(9), X(15),                    "the second")
        OP(vmaxsd, X(15), X(9), X(9),                       "the largest")
        OP(mov, B(change), "%%rax",                         "")
        OP(vmovsd, X(9), "(%%rax)",                         "change")
        OP(vzeroupper,                                      "leave no upper halves")
        :
        : [b] "r"(sweep), [k] "r"(&kConstants), [outcome] "i"(sizeof(GroupOutcome)), OFFSET(Sweep, groups),
          OFFSET(Sweep, actions), OFFSET(Sweep, discount), OFFSET(Sweep, counts), OFFSET(Sweep, outcomes),
          OFFSET(Sweep, values), OFFSET(Sweep, next_values), OFFSET(Sweep, best), OFFSET(Sweep, change),
          OFFSET(GroupOutcome, probability), OFFSET(GroupOutcome, reward), OFFSET(GroupOutcome, next)
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", YMM_CLOBBERS, "memory",
          "cc");
}

// clang-format on

}  // namespace compute_layers::asm_x86_64
