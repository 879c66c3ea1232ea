// SPDX-License-Identifier: MIT
#include "mountain_car.hpp"

#include "../numerics.hpp"
#include "../pcg64.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

using namespace mountain_car;

// Lanes whose flags wait in registers' width before they are narrowed: small enough for the L1 cache.
constexpr int64_t kBlock = 256;
// An integer a below 2**52 becomes a double in these bits: 2**52 + a. AVX2 has no conversion.
constexpr double kInteger = 0x1p52;

// mask ? a : b for a mask of all or no bits. Of `x[i] = mask ? x[i] : …` GCC would make a masked store, which
// is slower than a blend and delays the loads that follow.
inline double select(int64_t mask, double a, double b) {
    return __builtin_bit_cast(
        double, (mask & __builtin_bit_cast(int64_t, a)) | (~mask & __builtin_bit_cast(int64_t, b)));
}

// Python's min(max(x, low), high).
inline double clip(double x, double low, double high) {
    const double above = low > x ? low : x;
    return high < above ? high : above;
}

// Arrays are __restrict parameters of a function that is not inlined: compilers believe nothing less and
// would drop the vector loop for its alias checks. Masks are int64 so that all lanes are equally wide.
template <bool kPlain>
__attribute__((noinline)) void dynamics(const int64_t n, const Params& p, const int64_t limit,
                                        const int64_t* __restrict action, double* __restrict position,
                                        double* __restrict velocity, int64_t* __restrict elapsed,
                                        double* __restrict reward, int64_t* __restrict terminated,
                                        int64_t* __restrict truncated) {
    const double min_position = p.min_position, max_position = p.max_position, max_speed = p.max_speed,
                 goal_position = p.goal_position, goal_velocity = p.goal_velocity, force = p.force,
                 gravity = p.gravity;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const double old_position = position[i], old_velocity = velocity[i];
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;

        // [1] push
        const double shifted = __builtin_bit_cast(double, action[i] | __builtin_bit_cast(int64_t, kInteger));
        const double push = (shifted - (kInteger + 1.0)) * force;

        // [2] cos
        double sin, cos;
        if constexpr (kPlain) {
            sin_cos_near(3.0 * old_position, sin, cos);
        } else {
            sin_cos(3.0 * old_position, sin, cos);
        }

        // [3] velocity; a starting lane of the plain kernel is not accelerated
        const double acceleration = push + (cos * -gravity);
        const double pushed = old_velocity + (kPlain ? select(starting, 0.0, acceleration) : acceleration);
        const double clipped = clip(pushed, -max_speed, max_speed);

        // [4] position, and the wall
        const double new_position = clip(old_position + clipped, min_position, max_position);
        const int64_t stopped = (new_position == min_position) & (clipped < 0.0);
        const double new_velocity = select(-stopped, 0.0, clipped);

        // [5] termination and reward
        const int64_t out = (new_position >= goal_position) & (new_velocity >= goal_velocity);
        const int64_t now = elapsed[i] + 1;
        const int64_t ended = kPlain ? -out : -out & ~starting;
        const int64_t late = now >= limit ? -1 : 0;

        position[i] = kPlain ? new_position : select(starting, old_position, new_position);
        velocity[i] = kPlain ? new_velocity : select(starting, old_velocity, new_velocity);
        reward[i] = select(starting, 0.0, -1.0);
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

__attribute__((noinline)) void interleave(const int64_t n, const double* __restrict position,
                                          const double* __restrict velocity, float* __restrict observation) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        observation[2 * i + 0] = static_cast<float>(position[i]);
        observation[2 * i + 1] = static_cast<float>(velocity[i]);
    }
}

template <bool kPlain>
void step(const Batch* b) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    double* const position = b->state + FIELD(State, position) * b->stride;
    double* const velocity = b->state + FIELD(State, velocity) * b->stride;
    const int64_t* const action = static_cast<const int64_t*>(b->action);
    float* const observation = static_cast<float*>(b->observation);
    int64_t terminated[kBlock], truncated[kBlock];
    for (int64_t i = 0; i < b->n; i += kBlock) {
        const int64_t n = b->n - i < kBlock ? b->n - i : kBlock;
        dynamics<kPlain>(n, p, b->limit, action + i, position + i, velocity + i, b->elapsed + i,
                         b->reward + i, terminated, truncated);
        narrow(n, terminated, b->terminated + i);
        narrow(n, truncated, b->truncated + i);
        interleave(n, position + i, velocity + i, observation + kObservation * i);
    }
}

Step* select_step(const Batch* b, bool in_play) {
    return plain(*reinterpret_cast<const Params*>(b->params), in_play) ? step<true> : step<false>;
}

void reset(const Batch* b, const int64_t* lanes, int64_t count, const double* options) {
    const Options& o = *reinterpret_cast<const Options*>(options);
    for (int64_t j = 0; j < count; ++j) {
        double* const state = b->state + lanes[j];
        Pcg64 rng(b->stream, b->stride, lanes[j]);
        state[FIELD(State, position) * b->stride] = rng.uniform(o.low, o.high);
        state[FIELD(State, velocity) * b->stride] = 0.0;
        rng.store();
    }
}

void observe(const Batch* b, const int64_t* lanes, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
        float* const observation = static_cast<float*>(b->observation) + kObservation * lanes[j];
        for (int64_t k = 0; k < kObservation; ++k) {
            observation[k] = static_cast<float>(b->state[k * b->stride + lanes[j]]);
        }
    }
}

}  // namespace

const Game games::mountain_car = {
    Params::kNames, State::kNames, Options::kNames, select_step, reset, observe, 0, 0, false};

}  // namespace compute_layers::ISA
