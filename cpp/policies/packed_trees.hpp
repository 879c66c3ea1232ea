// SPDX-License-Identifier: MIT
// How the families of trees pack their tensors: what pack_trees writes, and every kernel reads.
//
// A comparison is one of unsigned integers. The *key* of a float is its bits, moved so that keys compare as
// floats do: all bits turned over if the sign is set, else only the sign; NaN has the key of -inf, for it
// goes left as that does. (-0 has the key below that of 0, so a threshold of -0 is packed as 0.) The key of a
// state is the state + 1; a threshold's is then 0, if it is negative, or 1 + its integer part.
//
//     word of a node      key of its threshold << 32 | 8 * place of its feature
//     word of a feature   key of the number << 32
//
// The walk goes right if node < feature as words: where the keys are equal, the low half of the node decides,
// and it is not less than 0. Nothing is greater than the word of a leaf.
#pragma once

#include "../batch.hpp"

namespace compute_layers {

constexpr uint64_t kLeafWord = 0xffff'ffff'0000'0000;
constexpr int64_t kWordBlock = 4;   // features that are turned into words together
constexpr int64_t kMissing = -1;    // place of a feature that no node asks for
constexpr int64_t kFullDepth = 8;   // a tree no deeper is packed as a complete one,
constexpr int64_t kFullLeaves = 4;  // and so is one whose complete one has no more leaves for each of its own
constexpr int64_t kRoom = 128;      // bytes of scratch memory before the words, for what finds no register

// At the beginning of the packed memory, before PackedTree[trees].
struct PackedTrees {
    int64_t trees;   // how many
    int64_t words;   // that an observation becomes
    int64_t blocks;  // of kWordBlock neighbouring features with one that some node asks for; an observation
                     // of fewer features has none: they all become words, one by one
    const int64_t* starts;  // [blocks], bytes from the beginning of an observation to each block
    const float* numbers;   // of the leaves, if they have any
};

// A complete tree has its root at 1 and the children of k at 2k and 2k + 1; all its leaves are `depth` >= 1
// steps away, those that are nearer in the file repeated. Other trees stand breadth-first from 0, with a list
// where the left child of each node stands, the right one next to it; a leaf is its own left child.
struct PackedTree {
    int64_t depth;           // steps from the root to the leaves; not used if there are links
    const uint64_t* nodes;   // the word of each node
    const uint32_t* links;   // the left child of each node; null for a complete tree
    const uint32_t* leaves;  // numbered as the nodes: the leaf's action, its counter, or its first number
};

}  // namespace compute_layers
