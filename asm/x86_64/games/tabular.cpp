// SPDX-License-Identifier: MIT
#include "tabular.hpp"

#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

#define CONSTANTS(ROW) TABULAR_CONSTANTS(ROW)

struct Constants { CONSTANTS(ROW_FIELD) };
constexpr Constants kConstants = { CONSTANTS(ROW_VALUE) };

__attribute__((noinline)) void step_1(const Batch* b) {
    asm volatile(STEP("tabular/step_1", 1, NEXT_STATE, "") : [b] "+r"(b) : BATCH_OPERANDS : CLOBBERS);
}

__attribute__((noinline)) void step_3(const Batch* b) {
    asm volatile(STEP("tabular/step_3", 3, NEXT_STATE, "") : [b] "+r"(b) : BATCH_OPERANDS : CLOBBERS);
}

__attribute__((noinline)) void step_any(const Batch* b) {
    asm volatile(STEP("tabular/step_any", ANY, NEXT_STATE, "") : [b] "+r"(b) : BATCH_OPERANDS : CLOBBERS);
}

// clang-format on

}  // namespace

Step* games::tabular(const Batch* b, bool) {
    switch (static_cast<const Table*>(b->table)->outcomes) {
        case 1:
            return step_1;
        case 3:
            return step_3;
        default:
            return step_any;
    }
}

}  // namespace compute_layers::asm_x86_64
