// SPDX-License-Identifier: MIT
// What the families of trees share: packing, observations turned into words, walks. A walk has no branch that
// depends on an observation; kLanes of them go on together, to hide the latency of each.
#pragma once

#include "layer.hpp"
#include "packed_trees.hpp"

namespace compute_layers::ISA {
namespace {

// Both families name these first and in this order.
enum { kFeature, kThreshold, kLeft, kRight, kLeaf };

inline int64_t value(const Tensor& tensor, int64_t i) { return static_cast<const int64_t*>(tensor.data)[i]; }

// What stands so many bytes from there.
template <typename T>
inline const T* at(const void* begin, int64_t bytes) {
    return reinterpret_cast<const T*>(static_cast<const char*>(begin) + bytes);
}

template <typename T>
inline T* at(void* begin, int64_t bytes) {
    return reinterpret_cast<T*>(static_cast<char*>(begin) + bytes);
}

inline const PackedTrees* packed_trees(const PolicyBatch* b) {
    return static_cast<const PackedTrees*>(b->packed);
}

inline const PackedTree* first_tree(const PackedTrees* packed) {
    return at<PackedTree>(packed, sizeof(PackedTrees));
}

// Where the words of observations begin.
inline uint64_t* words(const PolicyBatch* b) { return at<uint64_t>(b->scratch, kRoom); }

// ---- packing ----

// Nodes of tree t, which begin at `first`: its entry of the tensor `root`, if there is one.
struct Range {
    int64_t first, nodes;
};

inline Range nodes_of(const PolicyBatch* b, int64_t trees, int64_t t) {
    const int64_t all = b->tensors[kFeature].rows;
    if (b->tensor_count == kLeaf + 1) return {0, all};
    const Tensor& root = b->tensors[kLeaf + 1];
    const int64_t first = value(root, t);
    return {first, (t + 1 < trees ? value(root, t + 1) : all) - first};
}

// Bytes of the largest complete tree that pack_trees would make of so many nodes.
inline int64_t full_bytes(int64_t nodes) {
    const int64_t deepest = nodes / 2;
    const int64_t least = int64_t{1} << (deepest < kFullDepth ? deepest : kFullDepth);
    const int64_t leaves = kFullLeaves * (nodes + 1) / 2;
    return (leaves > least ? leaves : least) * static_cast<int64_t>(sizeof(uint64_t) + sizeof(uint32_t));
}

inline int64_t linked_bytes(int64_t nodes) {
    return nodes * static_cast<int64_t>(sizeof(uint64_t) + 2 * sizeof(uint32_t));
}

constexpr int64_t kAligned = 64;
inline int64_t aligned(int64_t bytes) { return (bytes + kAligned - 1) / kAligned * kAligned; }

inline int64_t most_blocks(const PolicyBatch* b) { return (b->inputs + kWordBlock - 1) / kWordBlock; }

// Words of an observation, at most.
inline int64_t most_words(const PolicyBatch* b) { return kWordBlock * most_blocks(b); }

// Bytes that are enough for `trees` trees, and for the notes made while packing.
inline int64_t packed_bytes(const PolicyBatch* b, int64_t trees) {
    const Tensor& leaf = b->tensors[kLeaf];
    int64_t bytes = aligned(static_cast<int64_t>(sizeof(PackedTrees)) +
                            trees * static_cast<int64_t>(sizeof(PackedTree))) +
                    aligned(most_blocks(b) * static_cast<int64_t>(sizeof(int64_t))) +
                    aligned(leaf.rows * leaf.columns * static_cast<int64_t>(sizeof(float)));
    int64_t largest = 0;
    for (int64_t t = 0; t < trees; ++t) {
        const int64_t nodes = nodes_of(b, trees, t).nodes;
        const int64_t full = full_bytes(nodes), linked = linked_bytes(nodes);
        bytes += aligned(full > linked ? full : linked) + 2 * kAligned;
        largest = nodes > largest ? nodes : largest;
    }
    return bytes + static_cast<int64_t>(sizeof(int64_t)) * (b->inputs + largest);
}

// Of a number that is not NaN.
inline uint32_t key_of(float x) {
    const int32_t bits = __builtin_bit_cast(int32_t, x);
    return static_cast<uint32_t>(bits ^ ((bits >> 31) | INT32_MIN));
}

// Of a threshold: of a state that is not less than the threshold, rounded down, the key is greater.
inline uint32_t threshold_key(const PolicyBatch* b, float threshold) {
    if (!b->states) return key_of(threshold + 0.0f);
    if (threshold < 0.0f) return 0;
    return threshold < static_cast<float>(b->states) ? static_cast<uint32_t>(threshold) + 1 : UINT32_MAX - 1;
}

class Packer {
  public:
    Packer(const PolicyBatch* b, int64_t trees, void* memory)
        : b_(b),
          packed_(static_cast<PackedTrees*>(memory)),
          places_(at<int64_t>(packed_, packed_bytes(b, trees)) - b->inputs) {
        *packed_ = {trees, 0, 0, nullptr, nullptr};
        end_ = sizeof(PackedTrees) + trees * static_cast<int64_t>(sizeof(PackedTree));
        pack_starts();
    }

    // The leaves' numbers, as the tensor has them.
    float* pack_numbers() {
        const Tensor& leaf = tensor(kLeaf);
        const int64_t count = leaf.rows * leaf.columns;
        float* const numbers = take<float>(count);
        __builtin_memcpy(numbers, leaf.data, sizeof(float) * static_cast<size_t>(count));
        packed_->numbers = numbers;
        return numbers;
    }

    // All trees; `entry` gives what stands in `leaves` of PackedTree for a leaf.
    template <typename Entry>
    void pack_trees(const Entry& entry) {
        for (int64_t t = 0; t < packed_->trees; ++t) pack_tree(t, entry);
    }

  private:
    template <typename T>
    T* take(int64_t count) {
        T* const taken = at<T>(packed_, aligned(end_));
        end_ = aligned(end_) + count * static_cast<int64_t>(sizeof(T));
        return taken;
    }

    const Tensor& tensor(int64_t i) const { return b_->tensors[i]; }

    // The blocks of features that are asked for, and the place of each feature among the words.
    void pack_starts() {
        const int64_t inputs = b_->inputs;
        for (int64_t f = 0; f < inputs; ++f) places_[f] = inputs < kWordBlock ? f : kMissing;
        packed_->words = inputs;
        if (inputs < kWordBlock) return;
        bool asked = false;
        for (int64_t node = 0; node < tensor(kFeature).rows; ++node) {
            const int64_t feature = value(tensor(kFeature), node);
            if (feature < 0) continue;
            places_[feature] = 0;
            asked = true;
        }
        // A walk that stands at a leaf compares it with the first word: there must be one, though nobody
        // asks.
        if (!asked) places_[0] = 0;
        int64_t* const starts = take<int64_t>(most_blocks(b_));
        packed_->starts = starts;
        for (int64_t f = 0; f < inputs; ++f) {
            if (places_[f] == kMissing) continue;
            const int64_t start = f + kWordBlock < inputs ? f : inputs - kWordBlock;
            starts[packed_->blocks] = start * static_cast<int64_t>(sizeof(float));
            for (; f < start + kWordBlock; ++f) places_[f] = packed_->blocks * kWordBlock + f - start;
            --f;
            ++packed_->blocks;
        }
        packed_->words = packed_->blocks * kWordBlock;
    }

    uint64_t word_of(int64_t node) const {
        const float threshold = static_cast<const float*>(tensor(kThreshold).data)[node];
        const int64_t place = places_[value(tensor(kFeature), node)];
        return uint64_t{threshold_key(b_, threshold)} << 32 | static_cast<uint64_t>(8 * place);
    }

    template <typename Entry>
    void pack_tree(int64_t t, const Entry& entry) {
        const Range range = nodes_of(b_, packed_->trees, t);
        int64_t* const notes = places_ - range.nodes;
        int64_t depth = 0, leaves = 0;
        notes[0] = 0;
        for (int64_t i = 0; i < range.nodes; ++i) {  // parents stand before their children
            depth = notes[i] > depth ? notes[i] : depth;
            const int64_t left = value(tensor(kLeft), range.first + i);
            const int64_t right = value(tensor(kRight), range.first + i);
            leaves += left < 0;
            if (left >= 0) notes[left] = notes[right] = notes[i] + 1;
        }
        const bool full = depth <= kFullDepth || (depth < 32 && int64_t{1} << depth <= kFullLeaves * leaves);
        PackedTree& tree = at<PackedTree>(packed_, sizeof(PackedTrees))[t];
        if (depth && full) {
            pack_full(tree, range, depth, notes, entry);
        } else {
            pack_linked(tree, range, notes, entry);
        }
    }

    template <typename Entry>
    void pack_full(PackedTree& tree, const Range& range, int64_t depth, int64_t* number, const Entry& entry) {
        const int64_t leaves = int64_t{1} << depth;
        uint64_t* const words = take<uint64_t>(leaves);
        uint32_t* const entries = take<uint32_t>(leaves) - leaves;  // the first leaf has the number `leaves`
        tree = {depth, words, nullptr, entries};
        for (int64_t k = 0; k < leaves; ++k) words[k] = kLeafWord;
        number[0] = 1;
        for (int64_t i = 0; i < range.nodes; ++i) {
            const int64_t node = range.first + i, left = value(tensor(kLeft), node);
            int64_t k = number[i];
            if (left >= 0) {
                words[k] = word_of(node);
                number[left] = 2 * k;
                number[value(tensor(kRight), node)] = 2 * k + 1;
                continue;
            }
            int64_t repeated = 1;
            for (; k < leaves; k *= 2) repeated *= 2;
            for (int64_t j = 0; j < repeated; ++j) entries[k + j] = entry(node);
        }
    }

    template <typename Entry>
    void pack_linked(PackedTree& tree, const Range& range, int64_t* order, const Entry& entry) {
        uint64_t* const words = take<uint64_t>(range.nodes);
        uint32_t* const links = take<uint32_t>(range.nodes);
        uint32_t* const entries = take<uint32_t>(range.nodes);
        tree = {0, words, links, entries};
        int64_t end = 1;
        order[0] = 0;
        for (int64_t k = 0; k < range.nodes; ++k) {
            const int64_t node = range.first + order[k], left = value(tensor(kLeft), node);
            entries[k] = entry(node);
            words[k] = left >= 0 ? word_of(node) : kLeafWord;
            links[k] = static_cast<uint32_t>(left >= 0 ? end : k);
            if (left < 0) continue;
            order[end++] = left;
            order[end++] = value(tensor(kRight), node);
        }
    }

    const PolicyBatch* const b_;
    PackedTrees* const packed_;
    int64_t* const places_;  // of each feature among the words; before it stand the notes on a tree
    int64_t end_;
};

// ---- words ----

inline uint64_t word_of(int64_t state) { return static_cast<uint64_t>(state + 1) << 32; }

// Words of kLanes numbers.
inline void take_lanes(const float* number, uint64_t* x) {
    Vector raised;
    EACH(i) {  // vectorised
        raised.at[i] = number[i] > -__builtin_inff() ? number[i] : -__builtin_inff();
    }
    EACH(i) {  // vectorised
        x[i] = uint64_t{key_of(raised.at[i])} << 32;
    }
}

#define EACH_WALK(i) _Pragma("GCC unroll 8") for (int i = 0; i < static_cast<int>(kWalks); ++i)

// Words of kWalks observations from `lane` on, kLanes or a single one: x[words][kWalks].
template <int64_t kWalks>
inline void take_words(const PolicyBatch* b, int64_t lane, uint64_t* x) {
    if (b->states) {
        const int64_t* const state = static_cast<const int64_t*>(b->observation) + lane;
        EACH_WALK(i) x[i] = word_of(state[i]);
        return;
    }
    const PackedTrees* const packed = packed_trees(b);
    const int64_t inputs = b->inputs;
    const float* const observation = static_cast<const float*>(b->observation) + lane * inputs;
    if constexpr (kWalks == 1) {
        Vector block{};
        const auto take = [&](const float* number, int64_t width) {
            for (int64_t k = 0; k < width; ++k) block.at[k] = number[k];
            take_lanes(block.at, x);  // whose other words nobody reads
            x += width;
        };
        if (inputs < kWordBlock) return take(observation, inputs);
        for (int64_t j = 0; j < packed->blocks; ++j)
            take(at<float>(observation, packed->starts[j]), kWordBlock);
    } else {
        alignas(Vector) float features[kWordBlock * kLanes];
        const auto take = [&](int64_t width) {
            for (int64_t k = 0; k < width; ++k, x += kLanes) take_lanes(features + k * kLanes, x);
        };
        if (inputs < kWordBlock) {
            transpose_all<kLanes>(observation, inputs, features);
            return take(inputs);
        }
        for (int64_t j = 0; j < packed->blocks; ++j) {
            transpose<kLanes>(at<float>(observation, packed->starts[j]), inputs, features);
            take(kWordBlock);
        }
    }
}

// ---- walks ----

// The nodes where kWalks walks are: kLanes observations, or one.
template <int64_t kWalks>
struct Places {
    uint64_t at[kWalks];
};

// Whether walk i goes right at a node. x[words][kWalks].
template <int64_t kWalks>
inline bool goes_right(uint64_t node, const uint64_t* x, int i) {
    const uint64_t place = static_cast<uint32_t>(node) * uint64_t{kWalks};
    return node < *reinterpret_cast<const uint64_t*>(reinterpret_cast<const char*>(x + i) + place);
}

template <int64_t kWalks>
inline Places<kWalks> walk(const PackedTree& tree, const uint64_t* x) {
    const uint64_t* const nodes = tree.nodes;
    Places<kWalks> k;
    if (!tree.links) {
        EACH_WALK(i) k.at[i] = 1;
        for (int64_t step = 0; step < tree.depth; ++step) {
            EACH_WALK(i) {
                const uint64_t node = nodes[k.at[i]];
                const uint64_t left = 2 * k.at[i], right = left + 1;  // so GCC adds with carry
                k.at[i] = goes_right<kWalks>(node, x, i) ? right : left;
            }
        }
    } else {
        constexpr int kSteps = 4;  // between the questions whether all walks have ended
        EACH_WALK(i) k.at[i] = 0;
        uint64_t all;
        do {
            for (int step = 0; step < kSteps; ++step) {
                EACH_WALK(i) {
                    const uint64_t node = nodes[k.at[i]];
                    k.at[i] = tree.links[k.at[i]] + goes_right<kWalks>(node, x, i);
                }
            }
            all = kLeafWord;
            EACH_WALK(i) all &= nodes[k.at[i]];
        } while (all != kLeafWord);
    }
    EACH_WALK(i) k.at[i] = tree.leaves[k.at[i]];
    return k;
}

}  // namespace
}  // namespace compute_layers::ISA
