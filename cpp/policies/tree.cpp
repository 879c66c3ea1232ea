// SPDX-License-Identifier: MIT
// The action of each leaf, whatever the head, is known when the tree is packed.
#include "trees.hpp"

namespace compute_layers::ISA {
namespace {

template <int64_t kWalks>
void act_discrete(const PolicyBatch* b) {
    const PackedTree& tree = *first_tree(packed_trees(b));
    uint64_t* const x = words(b);
    int64_t* const action = static_cast<int64_t*>(b->action);
    for (int64_t lane = 0; lane < b->n; lane += kWalks) {
        take_words<kWalks>(b, lane, x);
        const Places<kWalks> leaf = walk<kWalks>(tree, x);
        EACH_WALK(i) action[lane + i] = static_cast<int64_t>(leaf.at[i]);
    }
}

template <int64_t kWalks>
void act_box(const PolicyBatch* b) {
    const PackedTrees* const packed = packed_trees(b);
    const PackedTree& tree = *first_tree(packed);
    const float* const numbers = packed->numbers;
    uint64_t* const x = words(b);
    float* action = static_cast<float*>(b->action);
    const int64_t outputs = b->outputs;
    for (int64_t lane = 0; lane < b->n; lane += kWalks) {
        take_words<kWalks>(b, lane, x);
        const Places<kWalks> leaf = walk<kWalks>(tree, x);
        for (int64_t i = 0; i < kWalks; ++i, action += outputs) {
            for (int64_t r = 0; r < outputs; ++r) action[r] = numbers[leaf.at[i] + static_cast<uint64_t>(r)];
        }
    }
}

Act* select(const PolicyBatch* policy, bool single) {
    if (policy->head == Head::box) return single ? act_box<1> : act_box<kLanes>;
    return single ? act_discrete<1> : act_discrete<kLanes>;
}

Memory plan(const PolicyBatch* policy) {
    return {packed_bytes(policy, 1),
            kRoom + most_words(policy) * kLanes * static_cast<int64_t>(sizeof(uint64_t))};
}

void pack(const PolicyBatch* policy, void* memory) {
    const Tensor& leaf = policy->tensors[kLeaf];
    const int64_t rows = leaf.columns;
    const float* const numbers = static_cast<const float*>(leaf.data);
    Packer packer(policy, 1, memory);
    if (policy->head == Head::box) {
        float* const actions = packer.pack_numbers();
        for (int64_t i = 0; i < leaf.rows; ++i)
            decide<Head::box>(policy, numbers + i * rows, actions + i * rows);
    }
    packer.pack_trees([&](int64_t node) {
        int64_t action = 0;
        switch (policy->head) {
            case Head::vote:
                action = value(leaf, node);
                break;
            case Head::argmax:
                decide<Head::argmax>(policy, numbers + node * rows, &action);
                break;
            case Head::threshold:
                decide<Head::threshold>(policy, numbers + node * rows, &action);
                break;
            case Head::box:
                action = node * rows;  // where its numbers begin
                break;
        }
        return static_cast<uint32_t>(action);
    });
}

}  // namespace

const Policy policies::tree = {"feature, threshold, left, right, leaf", "", select, plan, pack};

}  // namespace compute_layers::ISA
