// SPDX-License-Identifier: MIT
// Taxi is the tabular game; a fickle passenger may then think of another destination.
#include "taxi.hpp"

#include "../pcg64.hpp"
#include "../registry.hpp"
#include "tabular.hpp"

namespace compute_layers::ISA {
namespace {

using namespace taxi;

static_assert(FIELD(State, s) == FIELD(tabular::State, s) &&
              FIELD(State, lastaction) == FIELD(tabular::State, lastaction));

// Lanes whose states of before the step are kept: small enough for the L1 cache.
constexpr int64_t kBlock = 256;

const Params& params_of(const Batch* b) { return *reinterpret_cast<const Params*>(b->params); }

// Lanes first … first + n - 1 as a batch of their own.
Batch part(const Batch* b, int64_t first, int64_t n) {
    Batch p = *b;
    p.n = n;
    p.state += first;
    p.elapsed += first;
    p.action = static_cast<const int64_t*>(b->action) + first;
    p.observation = static_cast<int64_t*>(b->observation) + first;
    p.reward += first;
    p.terminated += first;
    p.truncated += first;
    p.stream += first;
    p.info += first;
    return p;
}

// Which passengers change the destination: those aboard before a step that moved, if they are to. In 32 bits,
// in which compilers divide vectors.
__attribute__((noinline)) void find_changes(const int64_t n, const int64_t* __restrict old_s,
                                            const int64_t* __restrict s,
                                            const int64_t* __restrict fickle_step,
                                            uint32_t* __restrict changes) {
    constexpr uint32_t kStates = kCell, kFirstAboard = kAboard * kDestinations;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const uint32_t old = static_cast<uint32_t>(old_s[i]), now = static_cast<uint32_t>(s[i]);
        const uint32_t cell = old / kStates;
        changes[i] = static_cast<uint32_t>(fickle_step[i]) & (cell != now / kStates) &
                     (old - (cell * kStates) >= kFirstAboard);
    }
}

void step_fickle(const Batch* b) {
    Step* const step = games::tabular.select(b, false);
    int64_t* const s = reinterpret_cast<int64_t*>(b->state) + FIELD(State, s) * b->stride;
    int64_t* const fickle_step = reinterpret_cast<int64_t*>(b->state) + FIELD(State, fickle_step) * b->stride;
    int64_t* const observation = static_cast<int64_t*>(b->observation);
    int64_t old_s[kBlock];
    uint32_t changes[kBlock];
    for (int64_t first = 0; first < b->n; first += kBlock) {
        const Batch block = part(b, first, b->n - first < kBlock ? b->n - first : kBlock);
        for (int64_t i = 0; i < block.n; ++i) old_s[i] = s[first + i];
        // [1] draw
        // [2] outcome
        // [3] next state
        // [4] termination and reward; all as in any table
        step(&block);

        // [5] fickle passenger, seldom; a starting lane has not moved
        find_changes(block.n, old_s, s + first, fickle_step + first, changes);
        for (int64_t i = 0; i < block.n; ++i) {
            if (!changes[i]) continue;
            const int64_t lane = first + i, destination = old_s[i] % kDestinations;
            Pcg64 rng(b->stream, b->stride, lane);
            const int64_t other = rng.integers(kDestinations - 1);
            rng.store();
            fickle_step[lane] = 0;
            s[lane] += other + (other >= destination) - destination;
            observation[lane] = s[lane];
        }
    }
}

Step* select_step(const Batch* b, bool in_play) {
    return params_of(b).fickle_passenger != 0.0 ? step_fickle : games::tabular.select(b, in_play);
}

void reset(const Batch* b, const int64_t* lanes, int64_t count, const double* options) {
    games::tabular.reset(b, lanes, count, options);
    const Params& p = params_of(b);
    int64_t* const fickle_step = reinterpret_cast<int64_t*>(b->state) + FIELD(State, fickle_step) * b->stride;
    for (int64_t j = 0; j < count; ++j) fickle_step[lanes[j]] = 0;
    for (int64_t j = 0; p.fickle_passenger != 0.0 && j < count; ++j) {
        Pcg64 rng(b->stream, b->stride, lanes[j]);
        fickle_step[lanes[j]] = rng.random() < p.fickle_probability;
        rng.store();
    }
}

void observe(const Batch* b, const int64_t* lanes, int64_t count) { games::tabular.observe(b, lanes, count); }

}  // namespace

const Game games::taxi = {Params::kNames, State::kNames, "", select_step, reset, observe, 1, 0, true};

}  // namespace compute_layers::ISA
