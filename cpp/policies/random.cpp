// SPDX-License-Identifier: MIT
#include "../pcg64.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

void act_discrete(const PolicyBatch* b) {
    int64_t* const action = static_cast<int64_t*>(b->action);
    for (int64_t i = 0; i < b->n; ++i) {
        Pcg64 rng(b->stream, b->stride, i);
        action[i] = rng.integers(b->outputs);
        rng.store();
    }
}

void act_box(const PolicyBatch* b) {
    float* const action = static_cast<float*>(b->action);
    for (int64_t i = 0; i < b->n; ++i) {
        Pcg64 rng(b->stream, b->stride, i);
        for (int64_t j = 0; j < b->outputs; ++j) {
            action[i * b->outputs + j] =
                static_cast<float>(rng.uniform(double{b->low[j]}, double{b->high[j]}));
        }
        rng.store();
    }
}

Act* select(const PolicyBatch* policy, bool single) {
    if (single) return nullptr;
    return policy->head == Head::box ? act_box : act_discrete;
}

}  // namespace

const Policy policies::random = {"", "", select, nullptr, nullptr};

}  // namespace compute_layers::ISA
