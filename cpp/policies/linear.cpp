// SPDX-License-Identifier: MIT
#include "layer.hpp"

namespace compute_layers::ISA {
namespace {

enum { kWeights, kBias };

constexpr int64_t kRows = 8;  // rows whose sums go on together: enough to hide the latency of each

template <Head kHead, bool kPartial>
void act(const PolicyBatch* b) {
    const int64_t inputs = b->inputs, rows = rows_of(b);
    const float* const weights = static_cast<const float*>(b->tensors[kWeights].data);
    const float* const bias = static_cast<const float*>(b->tensors[kBias].data);
    Vector* const x = static_cast<Vector*>(b->scratch);
    for (int64_t lane = 0; lane < b->n; lane += kLanes) {
        const float* const observation = static_cast<const float*>(b->observation) + lane * inputs;
        Decision<kHead> decision;
        Vector y[kRows];
        int64_t r = 0;
        if constexpr (kPartial) {
            for (; r < rows; ++r) {
                partial_sums(inputs, weights + r * inputs, bias[r], observation, y[0]);
                decision.take(b, lane, r, y[0]);
            }
        } else {
            transpose_all(observation, inputs, x);
            for (; r + kRows <= rows; r += kRows) {
                chains<kRows>(inputs, weights + r * inputs, bias + r, x, y);
                for (int64_t j = 0; j < kRows; ++j) decision.take(b, lane, r + j, y[j]);
            }
            for (; r + kBlock <= rows; r += kBlock) {
                chains<kBlock>(inputs, weights + r * inputs, bias + r, x, y);
                for (int64_t j = 0; j < kBlock; ++j) decision.take(b, lane, r + j, y[j]);
            }
            for (; r < rows; ++r) {
                chains<1>(inputs, weights + r * inputs, bias + r, x, y);
                decision.take(b, lane, r, y[0]);
            }
        }
        decision.finish(b, lane);
    }
}

// Four inputs and one row (threshold) or two (argmax): neither scratch nor loops over features and rows.
template <int64_t kRows>
void act_four(const PolicyBatch* b) {
    static_assert(kRows == 1 || kRows == 2);
    const float* const weights = static_cast<const float*>(b->tensors[kWeights].data);
    const float* const bias = static_cast<const float*>(b->tensors[kBias].data);
    const float *const w = weights, *const v = weights + (kRows - 1) * 4;
    const float w0 = w[0], w1 = w[1], w2 = w[2], w3 = w[3], bias_w = bias[0];
    const float v0 = v[0], v1 = v[1], v2 = v[2], v3 = v[3], bias_v = bias[kRows - 1];
    for (int64_t lane = 0; lane < b->n; lane += kLanes) {
        Vector x[4];
        transpose(static_cast<const float*>(b->observation) + 4 * lane, 4, x);
        int64_t* const action = static_cast<int64_t*>(b->action) + lane;
        EACH(i) {  // vectorised
            float y = __builtin_fmaf(w0, x[0].at[i], bias_w), other = 0.0f;
            y = __builtin_fmaf(w1, x[1].at[i], y);
            y = __builtin_fmaf(w2, x[2].at[i], y);
            y = __builtin_fmaf(w3, x[3].at[i], y);
            if constexpr (kRows == 2) {
                other = y;
                y = __builtin_fmaf(v0, x[0].at[i], bias_v);
                y = __builtin_fmaf(v1, x[1].at[i], y);
                y = __builtin_fmaf(v2, x[2].at[i], y);
                y = __builtin_fmaf(v3, x[3].at[i], y);
            }
            action[i] = y > other;
        }
    }
}

template <bool kPartial>
Act* select_sum(Head head) {
    switch (head) {
        case Head::argmax:
            return act<Head::argmax, kPartial>;
        case Head::threshold:
            return act<Head::threshold, kPartial>;
        case Head::box:
            return act<Head::box, kPartial>;
        case Head::vote:
            break;
    }
    return nullptr;
}

Act* select(const PolicyBatch* policy, bool single) {
    if (single) return nullptr;
    const int64_t inputs = policy->inputs, rows = rows_of(policy);
    if (inputs == 4 && policy->head == Head::threshold) return act_four<1>;
    if (inputs == 4 && policy->head == Head::argmax && rows == 2) return act_four<2>;
    return has_partial_sums(inputs, rows) ? select_sum<true>(policy->head) : select_sum<false>(policy->head);
}

// The features of kLanes observations, one vector each.
Memory plan(const PolicyBatch* policy) { return {0, policy->inputs * static_cast<int64_t>(sizeof(Vector))}; }

}  // namespace

const Policy policies::linear = {"W, b", "", select, plan, nullptr};

}  // namespace compute_layers::ISA
