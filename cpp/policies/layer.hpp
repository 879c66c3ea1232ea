// SPDX-License-Identifier: MIT
// What the families with weights share: observations turned into vectors of kLanes, one for each feature, and
// the heads that make actions of sums. The order of every sum is that of python's policies/linear.py.
#pragma once

#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

constexpr int64_t kBlock = 4;     // features that are transposed, or rows that are summed, together
constexpr int64_t kPartials = 8;  // sums of a row of at least kWide terms, in a layer of at most kNarrow rows
constexpr int64_t kWide = 32;
constexpr int64_t kNarrow = 8;

inline bool has_partial_sums(int64_t inputs, int64_t rows) { return inputs >= kWide && rows <= kNarrow; }

// Rows of the last layer.
inline int64_t rows_of(const PolicyBatch* b) { return b->head == Head::threshold ? 1 : b->outputs; }

// A loop over lanes or partial sums becomes one vector instruction per operation. Left alone, both compilers
// would unroll it first; GCC then vectorises across rows instead, with a shuffle for every sum.
#define EACH(i) _Pragma("GCC unroll 1") for (int i = 0; i < static_cast<int>(kLanes); ++i)
static_assert(kPartials == kLanes);

struct alignas(sizeof(float) * kLanes) Vector {
    float at[kLanes];
};

// Views of a Vector, for shuffles and copies: GCC copies structs in pieces, which stalls the next load.
using Lanes [[gnu::vector_size(sizeof(Vector)), gnu::may_alias]] = float;
using Block [[gnu::vector_size(sizeof(float) * kBlock)]] = float;

inline Lanes& lanes(Vector& v) { return *reinterpret_cast<Lanes*>(&v); }
inline Lanes& lanes(float* x) { return *reinterpret_cast<Lanes*>(x); }

// kBlock features of two observations that are four lanes apart, side by side.
inline void load(const float* observation, int64_t inputs, Lanes& pair) {
    Block first, second;
    __builtin_memcpy(&first, observation, sizeof first);
    __builtin_memcpy(&second, observation + 4 * inputs, sizeof second);
    pair = __builtin_shufflevector(first, second, 0, 1, 2, 3, 4, 5, 6, 7);
}

// kBlock features of kLanes observations; they come to lie kStride numbers apart.
template <int64_t kStride>
inline void transpose(const float* observation, int64_t inputs, float* x) {
    Lanes r0, r1, r2, r3;
    load(observation, inputs, r0);
    load(observation + inputs, inputs, r1);
    load(observation + 2 * inputs, inputs, r2);
    load(observation + 3 * inputs, inputs, r3);
    const Lanes low01 = __builtin_shufflevector(r0, r1, 0, 8, 1, 9, 4, 12, 5, 13),
                low23 = __builtin_shufflevector(r2, r3, 0, 8, 1, 9, 4, 12, 5, 13),
                high01 = __builtin_shufflevector(r0, r1, 2, 10, 3, 11, 6, 14, 7, 15),
                high23 = __builtin_shufflevector(r2, r3, 2, 10, 3, 11, 6, 14, 7, 15);
    lanes(x) = __builtin_shufflevector(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
    lanes(x + kStride) = __builtin_shufflevector(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
    lanes(x + 2 * kStride) = __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
    lanes(x + 3 * kStride) = __builtin_shufflevector(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
}

// All features of kLanes observations. The last block may repeat features of the one before it.
template <int64_t kStride>
inline void transpose_all(const float* observation, int64_t inputs, float* x) {
    for (int64_t k = 0; k + kBlock <= inputs; k += kBlock) {
        transpose<kStride>(observation + k, inputs, x + k * kStride);
    }
    if (inputs >= kBlock) {
        transpose<kStride>(observation + inputs - kBlock, inputs, x + (inputs - kBlock) * kStride);
        return;
    }
    for (int64_t k = 0; k < inputs; ++k) {
        const float *const low = observation + k, *const high = low + 4 * inputs;
        lanes(x + k * kStride) = Lanes{low[0],  low[inputs],  low[2 * inputs],  low[3 * inputs],
                                       high[0], high[inputs], high[2 * inputs], high[3 * inputs]};
    }
}

// How the sums of kLanes observations, given row by row, become their actions.
template <Head>
struct Decision;

template <>
struct Decision<Head::argmax> {
    Vector best = {};
    int32_t index[kLanes] = {};

    void take(const PolicyBatch*, int64_t, int64_t r, const Vector& y) {
        const int32_t row = static_cast<int32_t>(r);
        EACH(i) {  // vectorised
            const bool better = (row == 0) | (y.at[i] > best.at[i]);
            best.at[i] = better ? y.at[i] : best.at[i];
            index[i] = better ? row : index[i];
        }
    }

    void finish(const PolicyBatch* b, int64_t lane) const {
        int64_t* const action = static_cast<int64_t*>(b->action) + lane;
        EACH(i) action[i] = index[i];
    }
};

template <>
struct Decision<Head::threshold> {
    void take(const PolicyBatch* b, int64_t lane, int64_t, const Vector& y) {
        int64_t* const action = static_cast<int64_t*>(b->action) + lane;
        EACH(i) {  // vectorised
            action[i] = y.at[i] > 0.0f;
        }
    }

    void finish(const PolicyBatch*, int64_t) const {}
};

template <>
struct Decision<Head::box> {
    void take(const PolicyBatch* b, int64_t lane, int64_t r, const Vector& y) {
        float* const action = static_cast<float*>(b->action) + lane * b->outputs + r;
        const float low = b->low[r], high = b->high[r];
        Vector v;
        EACH(i) {  // vectorised
            const float raised = y.at[i] < low ? low : y.at[i];
            v.at[i] = raised > high ? high : raised;
        }
        for (int64_t i = 0; i < kLanes; ++i) action[i * b->outputs] = v.at[i];
    }

    void finish(const PolicyBatch*, int64_t) const {}
};

// The same for the sums of one observation.
template <Head kHead>
inline void decide(const PolicyBatch* b, const float* y, void* action) {
    if constexpr (kHead == Head::argmax) {
        int64_t best = 0;
        for (int64_t r = 1; r < b->outputs; ++r) best = y[r] > y[best] ? r : best;
        *static_cast<int64_t*>(action) = best;
    } else if constexpr (kHead == Head::threshold) {
        *static_cast<int64_t*>(action) = y[0] > 0.0f;
    } else {
        for (int64_t r = 0; r < b->outputs; ++r) {
            const float raised = y[r] < b->low[r] ? b->low[r] : y[r];
            static_cast<float*>(action)[r] = raised > b->high[r] ? b->high[r] : raised;
        }
    }
}

}  // namespace
}  // namespace compute_layers::ISA
