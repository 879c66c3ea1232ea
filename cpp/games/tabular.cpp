// SPDX-License-Identifier: MIT
// Any game that a Table says everything of; several stems share these kernels.
#include "tabular.hpp"

#include "../pcg64.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

using namespace tabular;

// Lanes whose outcomes wait for the lanes around them: small enough for the L1 cache.
constexpr int64_t kBlock = 128;

// A lane at a time: there are no vectors of 128-bit products. A starting lane draws in vain. kOutcomes is
// that of the table, or 0 for any.
template <int64_t kOutcomes>
__attribute__((noinline)) void draw(const int64_t n, const int64_t stride, const Table& table,
                                    const int64_t* __restrict action, const int64_t* __restrict s,
                                    const int64_t* __restrict elapsed, uint64_t* __restrict stream,
                                    Outcome* __restrict outcome) {
    const int64_t outcomes = kOutcomes ? kOutcomes : table.outcomes, actions = table.actions;
    const uint64_t* const thresholds = table.thresholds;
    const Outcome* const rows = table.rows;
    for (int64_t i = 0; i < n; ++i) {
        // [1] draw
        Pcg64 rng(stream, stride, i);
        const uint64_t u = rng.next53();
        rng.store_unless(elapsed[i] < 0);

        // [2] outcome
        const int64_t row = (s[i] * actions) + action[i];
        const uint64_t* const sums = thresholds + row * outcomes;
        int64_t index = 0;
        for (int64_t k = 0; kOutcomes != 1 && k < outcomes; ++k) index += sums[k] <= u;
        outcome[i] = rows[row * (outcomes + 1) + index];
    }
}

// mask ? a : b for a mask of all or no bits.
inline int64_t select(int64_t mask, int64_t a, int64_t b) { return (mask & a) | (~mask & b); }
inline double select(int64_t mask, double a, double b) {
    return __builtin_bit_cast(double,
                              select(mask, __builtin_bit_cast(int64_t, a), __builtin_bit_cast(int64_t, b)));
}

// Arrays are __restrict parameters of a function that is not inlined: compilers believe nothing less. Masks
// are int64 so that all lanes are equally wide.
__attribute__((noinline)) void settle(const int64_t n, const int64_t limit, const Outcome* __restrict outcome,
                                      const int64_t* __restrict action, int64_t* __restrict s,
                                      int64_t* __restrict lastaction, int64_t* __restrict elapsed,
                                      int64_t* __restrict observation, double* __restrict reward,
                                      double* __restrict probability, int64_t* __restrict terminated,
                                      int64_t* __restrict truncated) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const Outcome drawn = outcome[i];
        const int64_t old_s = s[i], old_lastaction = lastaction[i], chosen = action[i];
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;

        // [3] next state
        const int64_t new_s = select(starting, old_s, drawn.state);
        s[i] = new_s;
        observation[i] = new_s;
        lastaction[i] = select(starting, old_lastaction, chosen);

        // [4] termination and reward
        const int64_t now = elapsed[i] + 1;
        const int64_t ended = drawn.terminated & ~starting;
        const int64_t late = now >= limit ? -1 : 0;
        reward[i] = select(starting, 0.0, drawn.reward);
        probability[i] = select(starting, 1.0, drawn.probability);
        terminated[i] = ended;
        truncated[i] = late;
        elapsed[i] = now | ended | late;
    }
}

__attribute__((noinline)) void narrow(const int64_t n, const int64_t* __restrict masks,
                                      uint8_t* __restrict flags) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        flags[i] = static_cast<uint8_t>(masks[i] & 1);
    }
}

template <int64_t kOutcomes>
void step(const Batch* b) {
    int64_t* const s = reinterpret_cast<int64_t*>(b->state) + FIELD(State, s) * b->stride;
    int64_t* const lastaction = reinterpret_cast<int64_t*>(b->state) + FIELD(State, lastaction) * b->stride;
    const int64_t* const action = static_cast<const int64_t*>(b->action);
    int64_t* const observation = static_cast<int64_t*>(b->observation);
    const Table& table = *static_cast<const Table*>(b->table);
    Outcome outcome[kBlock];
    int64_t terminated[kBlock], truncated[kBlock];
    for (int64_t i = 0; i < b->n; i += kBlock) {
        const int64_t n = b->n - i < kBlock ? b->n - i : kBlock;
        draw<kOutcomes>(n, b->stride, table, action + i, s + i, b->elapsed + i, b->stream + i, outcome);
        settle(n, b->limit, outcome, action + i, s + i, lastaction + i, b->elapsed + i, observation + i,
               b->reward + i, b->info + i, terminated, truncated);
        narrow(n, terminated, b->terminated + i);
        narrow(n, truncated, b->truncated + i);
    }
}

Step* select_step(const Batch* b, bool) {
    switch (static_cast<const Table*>(b->table)->outcomes) {
        case 1:
            return step<1>;
        case 3:
            return step<3>;
        default:
            return step<0>;
    }
}

void reset(const Batch* b, const int64_t* lanes, int64_t count, const double*) {
    const Table& table = *static_cast<const Table*>(b->table);
    int64_t* const state = reinterpret_cast<int64_t*>(b->state);
    for (int64_t j = 0; j < count; ++j) {
        Pcg64 rng(b->stream, b->stride, lanes[j]);
        const uint64_t u = rng.next53();
        rng.store();
        // The index is in first … first + left.
        int64_t first = 0;
        for (int64_t left = table.starts; left > 0;) {
            const int64_t half = left / 2;
            const bool beyond = table.start_thresholds[first + half] <= u;
            first += beyond ? half + 1 : 0;
            left = beyond ? left - half - 1 : half;
        }
        state[FIELD(State, s) * b->stride + lanes[j]] = table.start_states[first];
        state[FIELD(State, lastaction) * b->stride + lanes[j]] = -1;
    }
}

void observe(const Batch* b, const int64_t* lanes, int64_t count) {
    const int64_t* const s = reinterpret_cast<const int64_t*>(b->state) + FIELD(State, s) * b->stride;
    int64_t* const observation = static_cast<int64_t*>(b->observation);
    for (int64_t j = 0; j < count; ++j) observation[lanes[j]] = s[lanes[j]];
}

}  // namespace

const Game games::tabular = {"", State::kNames, "", select_step, reset, observe, 1, 0, true};

}  // namespace compute_layers::ISA
