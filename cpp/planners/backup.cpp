// SPDX-License-Identifier: MIT
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

// A part of a group: a vector of this isa. Written out, for what is gathered by scalar loads would else pass
// through memory on its way into one, and wait there.
#ifdef __AVX2__
constexpr int kWidth = 4;
#else
constexpr int kWidth = 2;
#endif
constexpr int kParts = kLanes / kWidth;
using Doubles [[gnu::vector_size(sizeof(double) * kWidth), gnu::may_alias]] = double;
using Integers [[gnu::vector_size(sizeof(int64_t) * kWidth), gnu::may_alias]] = int64_t;

inline const Doubles& part(const double* x) { return *reinterpret_cast<const Doubles*>(x); }

inline void gather(const double* values, const uint32_t* index, Doubles& x) {
#ifdef __AVX2__
    x = Doubles{values[index[0]], values[index[1]], values[index[2]], values[index[3]]};
#else
    x = Doubles{values[index[0]], values[index[1]]};
#endif
}

}  // namespace

void planners::backup(const Sweep* s) {
    const double* const values = s->values;
    double* const next_values = s->next_values;
    int64_t* const best_actions = s->best;
    const int64_t states = s->groups * kLanes, actions = s->actions;
    const int64_t* count = s->counts;
    const GroupOutcome* outcome = s->outcomes;
    const Doubles discount = s->discount - Doubles{};
    Doubles change[kParts] = {};
    for (int64_t first = 0; first < states; first += kLanes) {
        Doubles greatest[kParts];
        for (int i = 0; i < kParts; ++i) greatest[i] = -__builtin_inf() - Doubles{};
        Integers best[kParts] = {};
        for (int64_t a = 0; a < actions; ++a) {
            // [1] what the action is worth
            Doubles q[kParts] = {};
            for (const GroupOutcome* const end = outcome + *count++; outcome < end; ++outcome) {
                for (int i = 0; i < kParts; ++i) {
                    Doubles value;
                    gather(values, outcome->next + i * kWidth, value);
                    q[i] += part(outcome->probability + i * kWidth) *
                            (part(outcome->reward + i * kWidth) + discount * value);
                }
            }

            // [2] the best action so far; of equal ones the first
            for (int i = 0; i < kParts; ++i) {
                const Integers better = q[i] > greatest[i];
                greatest[i] = better ? q[i] : greatest[i];
                best[i] = better ? a - Integers{} : best[i];
            }
        }

        // [3] how far the value has moved
        for (int i = 0; i < kParts; ++i) {
            const int64_t at = first + i * kWidth;
            const Doubles moved = greatest[i] - part(values + at);
            const Doubles distance = moved < 0.0 ? -moved : moved;
            change[i] = distance > change[i] ? distance : change[i];
            *reinterpret_cast<Doubles*>(next_values + at) = greatest[i];
            *reinterpret_cast<Integers*>(best_actions + at) = best[i];
        }
    }
    double largest = 0.0;
    for (const Doubles& most : change) {
        for (int i = 0; i < kWidth; ++i) largest = most[i] > largest ? most[i] : largest;
    }
    *s->change = largest;
}

}  // namespace compute_layers::ISA
