// SPDX-License-Identifier: MIT
#include "pendulum.hpp"

#include "../numerics.hpp"
#include "../pcg64.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

using namespace pendulum;

// Lanes whose cosines and masks wait in registers' width before they are narrowed: small enough for the L1
// cache.
constexpr int64_t kBlock = 256;

// kTurn is their sum; times an integer below 2**20 either is exact.
constexpr double kTurnHigh = 0x1.921fb544p+2;
constexpr double kTurnLow = kTurn - kTurnHigh;

// mask ? a : b for a mask of all or no bits. Of `x[i] = mask ? x[i] : …` GCC would make a masked store, which
// is slower than a blend and delays the loads that follow.
inline double select(int64_t mask, double a, double b) {
    return __builtin_bit_cast(
        double, (mask & __builtin_bit_cast(int64_t, a)) | (~mask & __builtin_bit_cast(int64_t, b)));
}

template <typename T>
inline T clip(T x, T low, T high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

// Arrays are __restrict parameters of functions that are not inlined: compilers believe nothing less and
// would drop the vector loops for their alias checks.
__attribute__((noinline)) void torques(const int64_t n, const Factors& f, const float* __restrict action,
                                       double* __restrict u, double* __restrict thrust,
                                       double* __restrict effort) {
    const float factor = f.thrust, max_torque = f.max_torque;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        // [1] torque
        const float torque = clip(action[i], -max_torque, max_torque);
        u[i] = torque;
        thrust[i] = factor * torque;
        effort[i] = kEffort * (torque * torque);
    }
}

__attribute__((noinline)) bool any_far(const int64_t n, const double* __restrict theta) {
    int64_t far = 0;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        far |= __builtin_fabs(theta[i]) > kFar ? -1 : 0;
    }
    return far != 0;
}

// The angle for the costs, of any theta. fmod is exact, whoever wrote it.
void normalise(const int64_t n, const double* theta, double* angle) {
    for (int64_t i = 0; i < n; ++i) {
        const double r = __builtin_fmod(theta[i] + kPi, kTurn);
        angle[i] = (r < 0.0 ? r + kTurn : r) - kPi;
    }
}

// Masks are int64 so that all lanes are equally wide.
template <bool kFarAngles>
__attribute__((noinline)) void dynamics(const int64_t n, const Params& p, const double gravity,
                                        const int64_t limit, const double* __restrict u,
                                        const double* __restrict thrust, const double* __restrict effort,
                                        const double* __restrict normal, double* __restrict theta,
                                        double* __restrict theta_dot, double* __restrict last_u,
                                        double* __restrict sin, double* __restrict cos,
                                        int64_t* __restrict elapsed, double* __restrict reward,
                                        int64_t* __restrict truncated) {
    const double dt = p.dt, max_speed = p.max_speed;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const double old_theta = theta[i], old_theta_dot = theta_dot[i];
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;

        // [2] costs
        double angle;
        if constexpr (kFarAngles) {
            angle = normal[i];
        } else {
            const double y = old_theta + kPi;
            const double k = ((y * kInverseTurn) + kRound) - kRound;
            const double r = (y - (k * kTurnHigh)) - (k * kTurnLow);
            angle = (r < 0.0 ? r + kTurn : r) - kPi;
        }
        const double costs = ((angle * angle) + (kFriction * (old_theta_dot * old_theta_dot))) + effort[i];

        // [3] acceleration
        const double acceleration = (gravity * sin[i]) + thrust[i];

        // [4] integration
        const double moved_theta_dot = clip(old_theta_dot + (acceleration * dt), -max_speed, max_speed);
        const double moved_theta = old_theta + (moved_theta_dot * dt);
        const double new_theta = select(starting, old_theta, moved_theta);
        theta[i] = new_theta;
        theta_dot[i] = select(starting, old_theta_dot, moved_theta_dot);
        last_u[i] = select(starting, last_u[i], u[i]);
        reward[i] = select(starting, 0.0, -costs);

        const int64_t now = elapsed[i] + 1;
        const int64_t late = now >= limit ? -1 : 0;
        truncated[i] = late;
        elapsed[i] = now | late;

        // [5] sin, cos, for the observation and for the next step
        double new_sin, new_cos;
        sin_cos(new_theta, new_sin, new_cos);
        sin[i] = new_sin;
        cos[i] = new_cos;
    }
}

__attribute__((noinline)) void narrow(const int64_t n, const int64_t* __restrict masks,
                                      uint8_t* __restrict flags) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        flags[i] = static_cast<uint8_t>(masks[i] & 1);
    }
}

__attribute__((noinline)) void interleave(const int64_t n, const double* __restrict cos,
                                          const double* __restrict sin, const double* __restrict theta_dot,
                                          float* __restrict observation) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        observation[3 * i + 0] = static_cast<float>(cos[i]);
        observation[3 * i + 1] = static_cast<float>(sin[i]);
        observation[3 * i + 2] = static_cast<float>(theta_dot[i]);
    }
}

template <bool kPlain>
void step(const Batch* b) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    const Factors f = factors(p);
    double* const theta = b->state + FIELD(State, theta) * b->stride;
    double* const theta_dot = b->state + FIELD(State, theta_dot) * b->stride;
    double* const last_u = b->state + FIELD(State, last_u) * b->stride;
    double* const sin = b->cache + FIELD(Cache, sin) * b->stride;
    const float* const action = static_cast<const float*>(b->action);
    float* const observation = static_cast<float*>(b->observation);
    double u[kBlock], thrust[kBlock], effort[kBlock], normal[kBlock], cos[kBlock];
    int64_t truncated[kBlock];
    for (int64_t i = 0; i < b->n; i += kBlock) {
        const int64_t n = b->n - i < kBlock ? b->n - i : kBlock;
        torques(n, f, action + i, u, thrust, effort);
        if (kPlain || !any_far(n, theta + i)) {
            dynamics<false>(n, p, f.gravity, b->limit, u, thrust, effort, normal, theta + i, theta_dot + i,
                            last_u + i, sin + i, cos, b->elapsed + i, b->reward + i, truncated);
        } else {
            normalise(n, theta + i, normal);
            dynamics<true>(n, p, f.gravity, b->limit, u, thrust, effort, normal, theta + i, theta_dot + i,
                           last_u + i, sin + i, cos, b->elapsed + i, b->reward + i, truncated);
        }
        narrow(n, truncated, b->truncated + i);
        interleave(n, cos, sin + i, theta_dot + i, observation + kObservation * i);
    }
    __builtin_memset(b->terminated, 0, static_cast<size_t>(b->n));
}

Step* select_step(const Batch* b, bool in_play) {
    return plain(*reinterpret_cast<const Params*>(b->params), b->limit, in_play) ? step<true> : step<false>;
}

void reset(const Batch* b, const int64_t* lanes, int64_t count, const double* options) {
    const Options& o = *reinterpret_cast<const Options*>(options);
    for (int64_t j = 0; j < count; ++j) {
        double* const state = b->state + lanes[j];
        Pcg64 rng(b->stream, b->stride, lanes[j]);
        state[FIELD(State, theta) * b->stride] = rng.uniform(-o.x_init, o.x_init);
        state[FIELD(State, theta_dot) * b->stride] = rng.uniform(-o.y_init, o.y_init);
        state[FIELD(State, last_u) * b->stride] = 0.0;
        rng.store();
    }
}

void observe(const Batch* b, const int64_t* lanes, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
        const double* const state = b->state + lanes[j];
        float* const observation = static_cast<float*>(b->observation) + kObservation * lanes[j];
        double sin, cos;
        sin_cos(state[FIELD(State, theta) * b->stride], sin, cos);
        b->cache[FIELD(Cache, sin) * b->stride + lanes[j]] = sin;
        observation[0] = static_cast<float>(cos);
        observation[1] = static_cast<float>(sin);
        observation[2] = static_cast<float>(state[FIELD(State, theta_dot) * b->stride]);
    }
}

}  // namespace

const Game games::pendulum = {
    Params::kNames, State::kNames, Options::kNames, select_step, reset, observe, 0, 1, false};

}  // namespace compute_layers::ISA
