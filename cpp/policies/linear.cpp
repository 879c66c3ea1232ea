// SPDX-License-Identifier: MIT
#include "layer.hpp"

namespace compute_layers::ISA {
namespace {

enum { kWeights, kBias };

constexpr int64_t kRows = 8;  // rows whose sums go on together: enough to hide the latency of each

// y[r] = b[r] + W[r]·x for kRows rows, fused, k ascending.
template <int64_t kRows>
inline void chains(int64_t inputs, const float* weights, const float* bias, const float* x, Vector* y) {
    Vector sum[kRows];
    for (int64_t r = 0; r < kRows; ++r) {
        EACH(i) sum[r].at[i] = bias[r];
    }
    for (int64_t k = 0; k < inputs; ++k) {
        for (int64_t r = 0; r < kRows; ++r) {
            const float weight = weights[r * inputs + k];
            EACH(i) {  // vectorised
                sum[r].at[i] = __builtin_fmaf(weight, x[k * kLanes + i], sum[r].at[i]);
            }
        }
    }
    for (int64_t r = 0; r < kRows; ++r) lanes(y[r]) = lanes(sum[r]);
}

// The same for one row with kPartials sums: term k goes to sum k % kPartials. Here the vectors hold the sums
// of one observation.
inline void partial_sums(int64_t inputs, const float* weights, float bias, const float* observation,
                         Vector& y) {
    Vector sum[kLanes];
    for (int64_t i = 0; i < kLanes; ++i) lanes(sum[i]) = Lanes{bias};
    int64_t k = 0;
    for (; k + kPartials <= inputs; k += kPartials) {
        for (int64_t i = 0; i < kLanes; ++i) {
            EACH(j) {  // vectorised
                sum[i].at[j] = __builtin_fmaf(weights[k + j], observation[i * inputs + k + j], sum[i].at[j]);
            }
        }
    }
    const int rest = static_cast<int>(inputs - k);
    if (rest) {
        for (int64_t i = 0; i < kLanes; ++i) {
            EACH(j) {  // vectorised
                // Beyond the row -0 * 0 = -0, which changes no sum, not even one that is a zero.
                const float weight = j < rest ? weights[k + j] : -0.0f;
                const float feature = j < rest ? observation[i * inputs + k + j] : 0.0f;
                sum[i].at[j] = __builtin_fmaf(weight, feature, sum[i].at[j]);
            }
        }
    }

    // s_j = p_j + p_j+4 of lanes i and i + 4, t_j = s_j + s_j+2 of four lanes, y = t_0 + t_1 of eight.
    Lanes s[4];
    for (int64_t i = 0; i < 4; ++i) {
        const Lanes p = lanes(sum[i]), q = lanes(sum[i + 4]);
        s[i] = __builtin_shufflevector(p, q, 0, 1, 2, 3, 8, 9, 10, 11) +
               __builtin_shufflevector(p, q, 4, 5, 6, 7, 12, 13, 14, 15);
    }
    const Lanes t01 = __builtin_shufflevector(s[0], s[1], 0, 1, 8, 9, 4, 5, 12, 13) +
                      __builtin_shufflevector(s[0], s[1], 2, 3, 10, 11, 6, 7, 14, 15);
    const Lanes t23 = __builtin_shufflevector(s[2], s[3], 0, 1, 8, 9, 4, 5, 12, 13) +
                      __builtin_shufflevector(s[2], s[3], 2, 3, 10, 11, 6, 7, 14, 15);
    lanes(y) = __builtin_shufflevector(t01, t23, 0, 2, 8, 10, 4, 6, 12, 14) +
               __builtin_shufflevector(t01, t23, 1, 3, 9, 11, 5, 7, 13, 15);
}

template <Head kHead, bool kPartial>
void act(const PolicyBatch* b) {
    const int64_t inputs = b->inputs, rows = rows_of(b);
    const float* const weights = static_cast<const float*>(b->tensors[kWeights].data);
    const float* const bias = static_cast<const float*>(b->tensors[kBias].data);
    float* const x = static_cast<float*>(b->scratch);
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
            transpose_all<kLanes>(observation, inputs, x);
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
        alignas(Vector) float x[4 * kLanes];
        transpose<kLanes>(static_cast<const float*>(b->observation) + 4 * lane, 4, x);
        int64_t* const action = static_cast<int64_t*>(b->action) + lane;
        EACH(i) {  // vectorised
            float y = __builtin_fmaf(w0, x[i], bias_w), other = 0.0f;
            y = __builtin_fmaf(w1, x[kLanes + i], y);
            y = __builtin_fmaf(w2, x[2 * kLanes + i], y);
            y = __builtin_fmaf(w3, x[3 * kLanes + i], y);
            if constexpr (kRows == 2) {
                other = y;
                y = __builtin_fmaf(v0, x[i], bias_v);
                y = __builtin_fmaf(v1, x[kLanes + i], y);
                y = __builtin_fmaf(v2, x[2 * kLanes + i], y);
                y = __builtin_fmaf(v3, x[3 * kLanes + i], y);
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
