// SPDX-License-Identifier: MIT
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

enum { kValue };

__attribute__((noinline)) void fill(const int64_t n, const int64_t value, int64_t* __restrict action) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        action[i] = value;
    }
}

void act_discrete(const PolicyBatch* b) {
    fill(b->n, *static_cast<const int64_t*>(b->tensors[kValue].data), static_cast<int64_t*>(b->action));
}

void act_box(const PolicyBatch* b) {
    float* const action = static_cast<float*>(b->action);
    const float* const value = static_cast<const float*>(b->tensors[kValue].data);
    const int64_t size = b->n * b->outputs;
    __builtin_memcpy(action, value, sizeof(float) * static_cast<size_t>(b->outputs));
    for (int64_t done = b->outputs; done < size; done *= 2) {  // what is written doubles
        const int64_t more = done < size - done ? done : size - done;
        __builtin_memcpy(action + done, action, sizeof(float) * static_cast<size_t>(more));
    }
}

Act* select(const PolicyBatch* policy, bool single) {
    if (single) return nullptr;
    return policy->head == Head::box ? act_box : act_discrete;
}

}  // namespace

const Policy policies::constant = {"value", "", select, nullptr, nullptr};

}  // namespace compute_layers::ISA
