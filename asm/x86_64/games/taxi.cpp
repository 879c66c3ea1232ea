// SPDX-License-Identifier: MIT
// Taxi with a fickle passenger; without one it is any tabular game.
#include "games/taxi.hpp"

#include "registry.hpp"
#include "tabular.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

using namespace taxi;

// s / kCell is s * kCellInverse >> 16 for every state.
constexpr int64_t kStates = 25 * kCell;
constexpr uint64_t kBelow = kAboard * kDestinations - 1;  // s modulo kCell of a passenger aboard is above
constexpr uint64_t kCellInverse = (1 << 16) / kCell + 1;
constexpr bool divides() {
    for (uint64_t s = 0; s < kStates; ++s) {
        if (s * kCellInverse >> 16 != s / kCell) return false;
    }
    return true;
}
static_assert(divides());
static_assert(FIELD(State, s) == FIELD(tabular::State, s) &&
              FIELD(State, lastaction) == FIELD(tabular::State, lastaction));
static_assert(FIELD(State, fickle_step) == 2 && kDestinations == 4);

// clang-format off

#define CONSTANTS(ROW)                                                                                       \
    TABULAR_CONSTANTS(ROW)                                                                                   \
    ROW(cell_inverse, row(kCellInverse)) ROW(cell_states, row(uint64_t{kCell})) ROW(below, row(kBelow))      \
    ROW(multiplier_low, row(kMultiplierLow)) ROW(multiplier_high, row(kMultiplierHigh))

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

#define FICKLE_STEP(g) AT_##g "(%%rdi,%%r9,2)"

// [5] fickle passenger, and [3] the next state, whose reward is known already. A register of the other group is
// free.
#define OTHER_LOW(n)  HIGH(Y, n)
#define OTHER_HIGH(n) LOW(Y, n)
// Bit i of eax: the passenger of lane i changes the destination.
#define WHO(g)                                                                                               \
    OP(vmovdqa, S_OF(g), V(g, now),                               "old s")                                   \
    OP(vpmuludq, K(cell_inverse), V(g, now), V(g, lastaction),    "")                                        \
    OP(vpsrlq, "$16", V(g, lastaction), V(g, lastaction),         "old cell = s / 20")                       \
    OP(vpmuludq, K(cell_inverse), V(g, s), OTHER_##g(0),          "")                                        \
    OP(vpsrlq, "$16", OTHER_##g(0), OTHER_##g(0),                 "cell")                                    \
    OP(vpcmpeqq, V(g, lastaction), OTHER_##g(0), OTHER_##g(0),    "the same")                                \
    OP(vpor, V(g, starting), OTHER_##g(0), OTHER_##g(0),          "not moved: the same or starting")         \
    OP(vpmuludq, K(cell_states), V(g, lastaction), V(g, lastaction), "")                                     \
    OP(vpsubq, V(g, lastaction), V(g, now), V(g, now),            "old s modulo 20")                         \
    OP(vpcmpgtq, K(below), V(g, now), V(g, now),                  "aboard: the last four")                   \
    OP(vpandn, V(g, now), OTHER_##g(0), V(g, now),                "aboard and moved")                        \
    OP(vpxor, OTHER_##g(0), OTHER_##g(0), OTHER_##g(0),           "0")                                       \
    OP(vmovdqa, FICKLE_STEP(g), V(g, lastaction),                 "fickle_step")                             \
    OP(vpcmpgtq, OTHER_##g(0), V(g, lastaction), V(g, lastaction), "fickle_step > 0")                        \
    OP(vpand, V(g, lastaction), V(g, now), V(g, now),             "all of it")                               \
    OP(vmovmskpd, V(g, now), "%%eax",                             "")

#define FICKLE(g)                                                                                            \
    WHO(g) NEXT_STATE(g)                                                                                     \
    OP(test, "%%eax, %%eax",                                      "anybody?")                                \
    OP(jnz, GO_##g "f",                                           "seldom")                                  \
    LABEL_OF(BACK_##g)
#define GO_LOW "4"
#define GO_HIGH "5"
#define BACK_LOW "6"
#define BACK_HIGH "7"
#define LABEL_OF(n) n ":\n"

// Lane by lane.
//   rax  lanes left    rbx  the lane    rcx  half, then s    rdx  scratch, value, destination
//   r10  low, x        r11  high        r12  its stream      r13  its s
#define REDIRECT(g)                                                                                          \
    LABEL_OF(GO_##g)                                                                                         \
    OP(tzcnt, "%%rax", "%%rbx",                                   "lane")                                    \
    OP(lea, AT_##g "(%%rsi,%%rbx,8)", "%%r12",                    "stream")                                  \
    OP(lea, AT_##g "(%%rdi,%%rbx,8)", "%%r13",                    "s")                                       \
    LABEL(8)                                                                                                 \
    OP(mov, "(%%r12,%%r9,4)", "%%rcx",                            "half")                                    \
    OP(mov, "%%ecx", "%%edx",                                     "value, if there is one left")             \
    OP(btr, "$32", "%%rcx",                                       "has_uint32 = 0")                          \
    OP(jc, "9f",                                                  "there is")                                \
    OP(mov, "(%%r12,%%r9)", "%%rdx",                              "low")                                     \
    OP(mulx, K(multiplier_low), "%%r10", "%%r11",                 "low * multiplier_low")                    \
    OP(imul, K(multiplier_high), "%%rdx",                         "low * multiplier_high")                   \
    OP(add, "%%rdx", "%%r11",                                     "")                                        \
    OP(mov, K(multiplier_low), "%%rdx",                           "")                                        \
    OP(imul, "(%%r12)", "%%rdx",                                  "high * multiplier_low")                   \
    OP(add, "%%rdx", "%%r11",                                     "state * multiplier")                      \
    OP(lea, "(%%r12,%%r9,2)", "%%rdx",                            "inc_high")                                \
    OP(add, "(%%rdx,%%r9)", "%%r10",                              "+ inc_low")                               \
    OP(adc, "(%%rdx)", "%%r11",                                   "+ inc_high")                              \
    OP(mov, "%%r10", "(%%r12,%%r9)",                              "state_low")                               \
    OP(mov, "%%r11", "(%%r12)",                                   "state_high")                              \
    OP(rorx, "$58", "%%r11", "%%rcx",                             "turn, modulo 64")                         \
    OP(xor, "%%r11", "%%r10",                                     "high xor low")                            \
    OP(ror, "%%cl", "%%r10",                                      "output")                                  \
    OP(mov, "%%r10d", "%%edx",                                    "value = its low half")                    \
    OP(mov, "%%r10", "%%rcx",                                     "")                                        \
    OP(shr, "$32", "%%rcx",                                       "its high half is kept")                   \
    OP(bts, "$32", "%%rcx",                                       "has_uint32 = 1")                          \
    LABEL(9)                                                                                                 \
    OP(mov, "%%rcx", "(%%r12,%%r9,4)",                            "half")                                    \
    OP(test, "%%edx, %%edx",                                      "is value*3 below the threshold 1?")       \
    OP(jz, "8b",                                                  "rejected")                                \
    OP(lea, "(%%rdx,%%rdx,2)", "%%rdx",                           "value * 3")                               \
    OP(shr, "$32", "%%rdx",                                       "integers(0, 3)")                          \
    OP(mov, "(%%r13)", "%%rcx",                                   "s")                                       \
    OP(mov, "%%ecx", "%%r10d",                                    "")                                        \
    OP(and, "$3", "%%r10d",                                       "destination")                             \
    OP(cmp, "%%r10", "%%rdx",                                     "carry: the other one is before it")       \
    OP(sbb, "$-1", "%%rdx",                                       "or behind it: + 1")                       \
    OP(and, "$-4", "%%rcx",                                       "s without its destination")               \
    OP(or, "%%rdx", "%%rcx",                                      "with the other one")                      \
    OP(mov, "%%rcx", "(%%r13)",                                   "s")                                       \
    OP(movq, "$0", "(%%r13,%%r9,2)",                              "fickle_step = 0")                         \
    OP(mov, B(observation), "%%rdx",                              "")                                        \
    OP(lea, "(%%rdx,%%r8,8)", "%%rdx",                            "observation")                             \
    OP(mov, "%%rcx", AT_##g "(%%rdx,%%rbx,8)",                    "observation")                             \
    OP(blsr, "%%rax", "%%rax",                                    "one lane less")                           \
    OP(jnz, GO_##g "b",                                           "the next one")                            \
    POINTERS                                                                                                 \
    OP(jmp, BACK_##g "b",                                         "")
#define SELDOM                                                                                               \
    OP(jmp, "2f",                                                 "")                                        \
    REDIRECT(LOW) REDIRECT(HIGH)

__attribute__((noinline)) void step_fickle_1(const Batch* b) {
    asm volatile(STEP("taxi/step_fickle_1", 1, FICKLE, SELDOM)
                 : [b] "+r"(b) : BATCH_OPERANDS : CLOBBERS);
}

__attribute__((noinline)) void step_fickle_3(const Batch* b) {
    asm volatile(STEP("taxi/step_fickle_3", 3, FICKLE, SELDOM)
                 : [b] "+r"(b) : BATCH_OPERANDS : CLOBBERS);
}

__attribute__((noinline)) void step_fickle_any(const Batch* b) {
    asm volatile(STEP("taxi/step_fickle_any", ANY, FICKLE, SELDOM)
                 : [b] "+r"(b) : BATCH_OPERANDS : CLOBBERS);
}

// clang-format on

}  // namespace

Step* games::taxi(const Batch* b, bool in_play) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    if (p.fickle_passenger == 0.0) return games::tabular(b, in_play);
    switch (static_cast<const Table*>(b->table)->outcomes) {
        case 1:
            return step_fickle_1;
        case 3:
            return step_fickle_3;
        default:
            return step_fickle_any;
    }
}

}  // namespace compute_layers::asm_x86_64
