// SPDX-License-Identifier: MIT
// What Q-learning and SARSA share: all but the action whose value the target has.
#pragma once

#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

// Some lanes: a vector of this isa. Written out, for loads from wherever a state leads keep compilers from
// it.
#ifdef __AVX2__
constexpr int kWidth = 4;
#else
constexpr int kWidth = 2;
#endif
using Doubles [[gnu::vector_size(sizeof(double) * kWidth), gnu::may_alias]] = double;
using Two [[gnu::vector_size(16), gnu::may_alias]] = double;
using Integers [[gnu::vector_size(sizeof(int64_t) * kWidth), gnu::may_alias]] = int64_t;
using Halves [[gnu::vector_size(sizeof(int32_t) * kWidth), gnu::may_alias]] = int32_t;
using Bytes [[gnu::vector_size(kWidth), gnu::aligned(1), gnu::may_alias]] = uint8_t;

inline Doubles& part(double* x, int64_t i) { return *reinterpret_cast<Doubles*>(x + i); }
inline const Doubles& part(const double* x, int64_t i) { return *reinterpret_cast<const Doubles*>(x + i); }
inline Integers& part(int64_t* x, int64_t i) { return *reinterpret_cast<Integers*>(x + i); }
inline const Integers& part(const int64_t* x, int64_t i) { return *reinterpret_cast<const Integers*>(x + i); }
inline const Bytes& part(const uint8_t* x, int64_t i) { return *reinterpret_cast<const Bytes*>(x + i); }

inline Doubles gather(const double* values, const int64_t* cell) {
#ifdef __AVX2__
    return Doubles{values[cell[0]], values[cell[1]], values[cell[2]], values[cell[3]]};
#else
    return Doubles{values[cell[0]], values[cell[1]]};
#endif
}

// Two columns of the table at a time: actions a and a + 1 of the rows that begin at these cells.
struct Columns {
    Doubles first, second;
};
inline Columns columns(const double* values, const int64_t* row) {
    const auto two = [&](int k) { return *reinterpret_cast<const Two*>(values + row[k]); };
#ifdef __AVX2__
    const Doubles even = __builtin_shufflevector(two(0), two(2), 0, 1, 2, 3);
    const Doubles odd = __builtin_shufflevector(two(1), two(3), 0, 1, 2, 3);
    return {__builtin_shufflevector(even, odd, 0, 4, 2, 6), __builtin_shufflevector(even, odd, 1, 5, 3, 7)};
#else
    return {__builtin_shufflevector(two(0), two(1), 0, 2), __builtin_shufflevector(two(0), two(1), 1, 3)};
#endif
}

enum class Bootstrap { greedy, chosen };

template <Bootstrap kBootstrap>
inline void learn(const TdStep* s) {
    double* const values = s->values;
    const int64_t actions = s->actions;
    Integers behind;
    for (int k = 0; k < kWidth; ++k) behind[k] = s->end + k;
    const double alpha = s->alpha;
    const Doubles gamma = s->gamma - Doubles{}, epsilon = s->epsilon - Doubles{};
    const Doubles count = static_cast<double>(actions) - Doubles{};
    for (int64_t i = 0; i < s->n; i += kWidth) {
        // [1] the greedy action; of equal ones the first
        int64_t row[kWidth];
        for (int k = 0; k < kWidth; ++k) row[k] = s->seen[i + k] * kLanes;
        auto [greatest, second] = columns(values, row);
        Integers greedy = {};
        const auto compare = [&](const Doubles& q, int64_t action) {
            const Integers better = q > greatest;
            greatest = better ? q : greatest;
            greedy = better ? action - Integers{} : greedy;
        };
        compare(second, 1);
        for (int64_t a = 2; a < actions; a += 2) {
            const Columns more = columns(values + a, row);
            compare(more.first, a);
            compare(more.second, a + 1);
        }

        // [2] a random one with probability epsilon
        const Doubles scaled = part(s->uniform, i) * count;
        const Halves random = __builtin_convertvector(scaled, Halves);
        const Integers explores = scaled - __builtin_convertvector(random, Doubles) < epsilon;
        const Integers action = explores ? __builtin_convertvector(random, Integers) : greedy;
        part(s->action, i) = action;
        const Integers cell = part(s->seen, i) * kLanes + action;
        part(s->next_cells, i) = part(s->elapsed, i) < 0 ? behind : cell;
        behind += kWidth;

        // [3] the target
        Doubles value = greatest;
        if constexpr (kBootstrap == Bootstrap::chosen) {
            for (int k = 0; k < kWidth; ++k) row[k] = cell[k];
            value = gather(values, row);
        }
        const Integers terminated = __builtin_convertvector(part(s->terminated, i), Integers) != 0;
        const Doubles later = terminated ? Doubles{} : gamma * value;
        part(s->target, i) = part(s->reward, i) + later;
    }

    // [4] towards it, lane by lane
    for (int64_t i = 0; i < s->valid; ++i) {
        double& value = values[s->cells[i]];
        value = value + (alpha * (s->target[i] - value));
    }
}

}  // namespace
}  // namespace compute_layers::ISA
