// SPDX-License-Identifier: MIT
#include "trees.hpp"

namespace compute_layers::ISA {
namespace {

enum { kRoot = kLeaf + 1 };

constexpr int64_t kTile =
    8;  // groups of kLanes observations that a tree serves in turn, while the cache has it

template <Head>
struct Kind {
    using Sum = float;
    static constexpr Sum kNothing = -0.0f;  // -0 + x is x, even for -0
};

template <>
struct Kind<Head::vote> {
    using Sum = uint32_t;
    static constexpr Sum kNothing = 0;
};

template <Head kHead>
using Sum = typename Kind<kHead>::Sum;

template <Head kHead>
inline int64_t sums_of(const PolicyBatch* b) {
    return kHead == Head::vote ? b->outputs : rows_of(b);
}

// What a tree adds for kWalks observations: y[rows][kWalks], or votes y[outputs][kLanes].
template <Head kHead, int64_t kWalks>
inline void add(const PolicyBatch* b, const PackedTree& tree, const uint64_t* x, Sum<kHead>* y) {
    const Places<kWalks> leaf = walk<kWalks>(tree, x);
    if constexpr (kHead == Head::vote) {
        EACH_WALK(i)++ y[leaf.at[i] + static_cast<uint64_t>(i)];
    } else {
        const float* number = packed_trees(b)->numbers;
        for (int64_t r = 0; r < rows_of(b); ++r, ++number, y += kWalks) {
            if constexpr (kWalks == 1) {
                *y += number[leaf.at[0]];
            } else {
                lanes(y) +=
                    Lanes{number[leaf.at[0]], number[leaf.at[1]], number[leaf.at[2]], number[leaf.at[3]],
                          number[leaf.at[4]], number[leaf.at[5]], number[leaf.at[6]], number[leaf.at[7]]};
            }
        }
    }
}

template <Head kHead>
inline void finish(const PolicyBatch* b, int64_t lane, const Sum<kHead>* y) {
    if constexpr (kHead == Head::vote) {
        alignas(Vector) uint32_t best[kLanes], action[kLanes];
        EACH(i) best[i] = y[i];
        EACH(i) action[i] = 0;
        for (int64_t r = 1; r < b->outputs; ++r) {
            y += kLanes;
            const uint32_t row = static_cast<uint32_t>(r);
            EACH(i) {  // vectorised
                const bool better = y[i] > best[i];
                best[i] = better ? y[i] : best[i];
                action[i] = better ? row : action[i];
            }
        }
        int64_t* const chosen = static_cast<int64_t*>(b->action) + lane;
        EACH(i) chosen[i] = action[i];
    } else {
        Decision<kHead> decision;
        for (int64_t r = 0; r < rows_of(b); ++r) {
            Vector sum;
            EACH(i) sum.at[i] = y[r * kLanes + i];
            decision.take(b, lane, r, sum);
        }
        decision.finish(b, lane);
    }
}

template <Head kHead>
void act(const PolicyBatch* b) {
    const PackedTrees* const packed = packed_trees(b);
    const PackedTree* const trees = first_tree(packed);
    const int64_t width = packed->words * kLanes, sums = sums_of<kHead>(b) * kLanes;
    uint64_t* const x = words(b);
    Sum<kHead>* const y = reinterpret_cast<Sum<kHead>*>(x + kTile * width);
    for (int64_t lane = 0; lane < b->n; lane += kTile * kLanes) {
        const int64_t left = (b->n - lane) / kLanes, groups = left < kTile ? left : kTile;
        for (int64_t g = 0; g < groups; ++g) take_words<kLanes>(b, lane + g * kLanes, x + g * width);
        for (int64_t j = 0; j < groups * sums; ++j) y[j] = Kind<kHead>::kNothing;
        for (int64_t t = 0; t < packed->trees; ++t) {
            for (int64_t g = 0; g < groups; ++g) add<kHead, kLanes>(b, trees[t], x + g * width, y + g * sums);
        }
        for (int64_t g = 0; g < groups; ++g) finish<kHead>(b, lane + g * kLanes, y + g * sums);
    }
}

template <Head kHead>
void act_single(const PolicyBatch* b) {
    const PackedTrees* const packed = packed_trees(b);
    const PackedTree* const trees = first_tree(packed);
    uint64_t* const x = words(b);
    Sum<kHead>* const y = reinterpret_cast<Sum<kHead>*>(x + packed->words);
    take_words<1>(b, 0, x);
    const int64_t sums = sums_of<kHead>(b) * (kHead == Head::vote ? kLanes : 1);
    for (int64_t j = 0; j < sums; ++j) y[j] = Kind<kHead>::kNothing;
    for (int64_t t = 0; t < packed->trees; ++t) add<kHead, 1>(b, trees[t], x, y);
    if constexpr (kHead == Head::vote) {
        int64_t action = 0;
        for (int64_t r = 1; r < b->outputs; ++r) action = y[r * kLanes] > y[action * kLanes] ? r : action;
        *static_cast<int64_t*>(b->action) = action;
    } else {
        decide<kHead>(b, y, b->action);
    }
}

Act* select(const PolicyBatch* policy, bool single) {
    switch (policy->head) {
        case Head::argmax:
            return single ? act_single<Head::argmax> : act<Head::argmax>;
        case Head::threshold:
            return single ? act_single<Head::threshold> : act<Head::threshold>;
        case Head::box:
            return single ? act_single<Head::box> : act<Head::box>;
        case Head::vote:
            return single ? act_single<Head::vote> : act<Head::vote>;
    }
    return nullptr;
}

Memory plan(const PolicyBatch* policy) {
    const int64_t sums = policy->head == Head::vote ? policy->outputs : rows_of(policy);
    const int64_t bytes = most_words(policy) * static_cast<int64_t>(sizeof(uint64_t)) +
                          sums * static_cast<int64_t>(sizeof(float));
    return {packed_bytes(policy, policy->tensors[kRoot].rows), kRoom + kTile * kLanes * bytes};
}

void pack(const PolicyBatch* policy, void* memory) {
    const Tensor& leaf = policy->tensors[kLeaf];
    Packer packer(policy, policy->tensors[kRoot].rows, memory);
    if (policy->head == Head::vote) {
        packer.pack_trees([&](int64_t node) { return static_cast<uint32_t>(value(leaf, node) * kLanes); });
    } else {
        packer.pack_numbers();
        packer.pack_trees([&](int64_t node) { return static_cast<uint32_t>(node * leaf.columns); });
    }
}

}  // namespace

const Policy policies::forest = {"feature, threshold, left, right, leaf, root", "", select, plan, pack};

}  // namespace compute_layers::ISA
