// SPDX-License-Identifier: MIT
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

enum { kActions };

// Eight loads from the table at a time are in flight. A gather is no faster on any CPU that was tried.
__attribute__((noinline)) void look_up(const int64_t n, const int64_t* __restrict table,
                                       const int64_t* __restrict state, int64_t* __restrict action) {
    for (int64_t first = 0; first < n; first += kLanes) {
        for (int64_t i = 0; i < kLanes; ++i) action[first + i] = table[state[first + i]];
    }
}

void act_discrete(const PolicyBatch* b) {
    look_up(b->n, static_cast<const int64_t*>(b->tensors[kActions].data),
            static_cast<const int64_t*>(b->observation), static_cast<int64_t*>(b->action));
}

void act_discrete_single(const PolicyBatch* b) {
    const int64_t state = *static_cast<const int64_t*>(b->observation);
    *static_cast<int64_t*>(b->action) = static_cast<const int64_t*>(b->tensors[kActions].data)[state];
}

// Copies rows of at least kChunk numbers in pieces of kChunk; the last piece ends with the row and may
// overlap the one before.
template <int64_t kChunk>
void act_box(const PolicyBatch* b) {
    const int64_t length = b->outputs;
    const float* const table = static_cast<const float*>(b->tensors[kActions].data);
    const int64_t* const state = static_cast<const int64_t*>(b->observation);
    float* to = static_cast<float*>(b->action);
    for (int64_t i = 0; i < b->n; ++i) {
        const float* const from = table + state[i] * length;
        const int64_t last = length - kChunk;
        for (int64_t k = 0; k < last; k += kChunk) __builtin_memcpy(to + k, from + k, sizeof(float) * kChunk);
        __builtin_memcpy(to + last, from + last, sizeof(float) * kChunk);
        to += length;
    }
}

Act* select(const PolicyBatch* policy, bool single) {
    if (policy->head != Head::box) return single ? act_discrete_single : act_discrete;
    if (single) return nullptr;
    if (policy->outputs >= 8) return act_box<8>;
    if (policy->outputs >= 4) return act_box<4>;
    return policy->outputs >= 2 ? act_box<2> : act_box<1>;
}

}  // namespace

const Policy policies::table = {"actions", "", select, nullptr, nullptr};

}  // namespace compute_layers::ISA
