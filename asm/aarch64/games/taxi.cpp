// SPDX-License-Identifier: MIT
// Taxi with a fickle passenger; without one it is any tabular game.
#include "games/taxi.hpp"

#include "registry.hpp"
#include "tabular.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

using namespace taxi;

// clang-format off

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

static_assert(FIELD(State, s) == FIELD(tabular::State, s) &&
              FIELD(State, lastaction) == FIELD(tabular::State, lastaction));
static_assert(FIELD(State, fickle_step) == 2 && kDestinations == 4);
static_assert(kHalf == kIncLow + 1);

// [5] fickle passenger, and [3] the next state, whose reward is known already. `who` becomes whether that of the
// lane at byte `at`, lane `i` of its pair, changes the destination.
#define WHO(at, i, who)                                                                                      \
    OP(ldr, "x20", "[x0, #" at "]",                       "old s")                                           \
    OP(mov, "x21", D_OF(16, i),                           "s")                                               \
    OP(mov, "x22", "%[cell]",                             "")                                                \
    OP(udiv, "x23", "x20", "x22",                         "old cell")                                        \
    OP(udiv, "x21", "x21", "x22",                         "cell")                                            \
    OP(msub, "x20", "x23", "x22", "x20",                  "old s modulo the states of a cell")               \
    OP(sub, "x22", "x1", "x0",                            "")                                                \
    OP(add, "x22", "x22", "x1",                           "")                                                \
    OP(ldr, "x22", "[x22, #" at "]",                      "fickle_step")                                     \
    OP(ldr, "x24", "[x2, #" at "]",                       "elapsed")                                         \
    OP(cmp, "x21", "x23",                                 "moved?")                                          \
    OP(ccmp, "x20", "%[aboard]", "#0", "ne",              "carry: and aboard")                               \
    OP(ccmp, "x22", "#0", "#4", "hs",                     "and fickle_step?")                                \
    OP(ccmp, "x24", "#0", "#8", "ne",                     "and not starting?")                               \
    OP(cset, who, "ge",                                   "all of it")

// Seldom. x20-x25 are scratch, x24 in the end the value, then the destination.
#define REDIRECT(at, who)                                                                                    \
    OP(cbz, who, "6f",                                    "not this one")                                    \
    LABEL(4)                                                                                                 \
    OP(sub, "x22", "x10", "x9",                           "stride in bytes")                                 \
    OP(add, "x22", "x12", "x22",                          "half")                                            \
    OP(ldr, "x23", "[x22, #" at "]",                      "half")                                            \
    OP(mov, "w24", "w23",                                 "value, if there is one left")                     \
    OP(mov, "w25", "w23",                                 "has_uint32 = 0")                                  \
    OP(str, "x25", "[x22, #" at "]",                      "half")                                            \
    OP(tbnz, "x23", "#32", "5f",                          "there is")                                        \
    ADVANCE(at)                                                                                              \
    OP(str, "x20", "[x10, #" at "]",                      "state_low")                                       \
    OP(str, "x21", "[x9, #" at "]",                       "state_high")                                      \
    OUTPUT                                                                                                   \
    OP(mov, "w24", "w20",                                 "value = its low half")                            \
    OP(lsr, "x20", "x20", "#32",                          "its high half is kept")                           \
    OP(orr, "x20", "x20", "#0x100000000",                 "has_uint32 = 1")                                  \
    OP(sub, "x22", "x10", "x9",                           "stride in bytes")                                 \
    OP(add, "x22", "x12", "x22",                          "half")                                            \
    OP(str, "x20", "[x22, #" at "]",                      "half")                                            \
    LABEL(5)                                                                                                 \
    OP(cbz, "x24", "4b",                                  "value*3 is below the threshold 1: rejected")      \
    OP(add, "x24", "x24", "x24, lsl #1",                  "value * 3")                                       \
    OP(lsr, "x24", "x24", "#32",                          "integers(0, 3)")                                  \
    OP(ldr, "x20", "[x0, #" at "]",                       "s")                                               \
    OP(and, "x21", "x20", "#3",                           "destination")                                     \
    OP(cmp, "x24", "x21",                                 "is the other one behind it?")                     \
    OP(cinc, "x24", "x24", "hs",                          "+ 1 if it is")                                    \
    OP(bfi, "x20", "x24", "#0", "#2",                     "s with the other one")                            \
    OP(str, "x20", "[x0, #" at "]",                       "s")                                               \
    OP(str, "x20", "[x4, #" at "]",                       "observation")                                     \
    OP(sub, "x22", "x1", "x0",                            "")                                                \
    OP(add, "x22", "x22", "x1",                           "fickle_step")                                     \
    OP(str, "xzr", "[x22, #" at "]",                      "fickle_step = 0")                                 \
    LABEL(6)

#define FICKLE(p)                                                                                            \
    WHO(BYTE_##p, 0, "x26") WHO(BYTE_##p "+8", 1, "x27")                                                     \
    NEXT_STATE(p)                                                                                            \
    REDIRECT(BYTE_##p, "x26") REDIRECT(BYTE_##p "+8", "x27")

#define FICKLE_OPERANDS BATCH_OPERANDS, [cell] "i"(kCell), [aboard] "i"(kAboard * kDestinations)

__attribute__((noinline)) void step_fickle_1(const Batch* b) {
    asm volatile(STEP("taxi/step_fickle_1", 1, FICKLE) : [b] "+r"(b) : FICKLE_OPERANDS : CLOBBERS, "x27");
}

__attribute__((noinline)) void step_fickle_3(const Batch* b) {
    asm volatile(STEP("taxi/step_fickle_3", 3, FICKLE) : [b] "+r"(b) : FICKLE_OPERANDS : CLOBBERS, "x27");
}

__attribute__((noinline)) void step_fickle_any(const Batch* b) {
    asm volatile(STEP("taxi/step_fickle_any", ANY, FICKLE) : [b] "+r"(b) : FICKLE_OPERANDS : CLOBBERS, "x27");
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

}  // namespace compute_layers::asm_aarch64
