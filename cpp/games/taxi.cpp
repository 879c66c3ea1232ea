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

void step_fickle(const Batch* b) {
    Step* const step = games::tabular.select(b, false);
    int64_t* const s = reinterpret_cast<int64_t*>(b->state) + FIELD(State, s) * b->stride;
    int64_t* const fickle_step = reinterpret_cast<int64_t*>(b->state) + FIELD(State, fickle_step) * b->stride;
    int64_t* const observation = static_cast<int64_t*>(b->observation);
    int64_t old_s[kBlock];
    for (int64_t first = 0; first < b->n; first += kBlock) {
        const Batch block = part(b, first, b->n - first < kBlock ? b->n - first : kBlock);
        for (int64_t i = 0; i < block.n; ++i) old_s[i] = s[first + i];
        step(&block);

        // [5] fickle passenger; a starting lane has not moved
        for (int64_t i = 0; i < block.n; ++i) {
            const int64_t lane = first + i, old = old_s[i], now = s[lane];
            const bool aboard = old / kDestinations % kPassengers == kAboard;
            const bool moved = old / (kDestinations * kPassengers) != now / (kDestinations * kPassengers);
            if (!(aboard & moved & (fickle_step[lane] != 0))) continue;
            Pcg64 rng(b->stream, b->stride, lane);
            const int64_t destination = old % kDestinations, chosen = rng.integers(kDestinations - 1);
            rng.store();
            fickle_step[lane] = 0;
            s[lane] = (now - now % kDestinations) + chosen + (chosen >= destination);
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
