// SPDX-License-Identifier: MIT
#include "cartpole.hpp"

#include "../numerics.hpp"
#include "../pcg64.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

using namespace cartpole;

// Lanes whose flags wait in registers' width before they are narrowed: small enough for the L1 cache.
constexpr int64_t kBlock = 256;

// mask ? a : b for a mask of all or no bits. Of `x[i] = mask ? x[i] : …` GCC would make a masked store, which
// is slower than a blend and delays the loads that follow.
inline double select(int64_t mask, double a, double b) {
    return __builtin_bit_cast(
        double, (mask & __builtin_bit_cast(int64_t, a)) | (~mask & __builtin_bit_cast(int64_t, b)));
}

// Arrays are __restrict parameters of a function that is not inlined: compilers believe nothing less and
// would drop the vector loop for its alias checks. Masks are int64 so that all lanes are equally wide.
template <bool kPlain>
__attribute__((noinline)) void dynamics(const int64_t n, const Params& p, const int64_t limit,
                                        const int64_t* __restrict action, double* __restrict x,
                                        double* __restrict x_dot, double* __restrict theta,
                                        double* __restrict theta_dot, int64_t* __restrict elapsed,
                                        double* __restrict reward, int64_t* __restrict terminated,
                                        int64_t* __restrict truncated) {
    const double gravity = p.gravity, masspole = p.masspole, total_mass = p.total_mass, length = p.length,
                 polemass_length = p.polemass_length, force_mag = p.force_mag, tau = p.tau,
                 theta_limit = p.theta_threshold_radians, x_limit = p.x_threshold,
                 reward_running = p.reward_running, reward_terminated = p.reward_terminated;
    const bool euler = kPlain || p.kinematics_integrator == kEuler;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const double old_x = x[i], old_x_dot = x_dot[i], old_theta = theta[i], old_theta_dot = theta_dot[i];
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;

        // [1] force
        const double force = action[i] == 1 ? force_mag : -force_mag;

        // [2] sin, cos
        double sin, cos;
        if constexpr (kPlain) {
            sin_cos_reduced(old_theta, sin, cos);
        } else {
            sin_cos(old_theta, sin, cos);
        }

        // [3] accelerations
        const double temp =
            (force + ((polemass_length * (old_theta_dot * old_theta_dot)) * sin)) / total_mass;
        const double theta_acc = ((gravity * sin) - (cos * temp)) /
                                 (length * ((4.0 / 3.0) - ((masspole * (cos * cos)) / total_mass)));
        const double x_acc = temp - (((polemass_length * theta_acc) * cos) / total_mass);

        // [4] integration; a starting lane of the plain kernel adds 0 times something
        const double dt = kPlain && starting ? 0.0 : tau;
        const double new_x_dot = old_x_dot + (dt * x_acc);
        const double new_theta_dot = old_theta_dot + (dt * theta_acc);
        const double new_x = old_x + (dt * (euler ? old_x_dot : new_x_dot));
        const double new_theta = old_theta + (dt * (euler ? old_theta_dot : new_theta_dot));

        // [5] termination and reward
        const int64_t out =
            (new_x < -x_limit) | (new_x > x_limit) | (new_theta < -theta_limit) | (new_theta > theta_limit);
        const int64_t now = elapsed[i] + 1;
        const int64_t ended = -out & ~starting;
        const int64_t late = now >= limit ? -1 : 0;
        const double pay = out ? reward_terminated : reward_running;

        x[i] = kPlain ? new_x : select(starting, old_x, new_x);
        x_dot[i] = kPlain ? new_x_dot : select(starting, old_x_dot, new_x_dot);
        theta[i] = kPlain ? new_theta : select(starting, old_theta, new_theta);
        theta_dot[i] = kPlain ? new_theta_dot : select(starting, old_theta_dot, new_theta_dot);
        reward[i] = select(starting, 0.0, pay);
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

__attribute__((noinline)) void interleave(const int64_t n, const double* __restrict x,
                                          const double* __restrict x_dot, const double* __restrict theta,
                                          const double* __restrict theta_dot, float* __restrict observation) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        observation[4 * i + 0] = static_cast<float>(x[i]);
        observation[4 * i + 1] = static_cast<float>(x_dot[i]);
        observation[4 * i + 2] = static_cast<float>(theta[i]);
        observation[4 * i + 3] = static_cast<float>(theta_dot[i]);
    }
}

template <bool kPlain>
void step(const Batch* b) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    double* const x = b->state + FIELD(State, x) * b->stride;
    double* const x_dot = b->state + FIELD(State, x_dot) * b->stride;
    double* const theta = b->state + FIELD(State, theta) * b->stride;
    double* const theta_dot = b->state + FIELD(State, theta_dot) * b->stride;
    const int64_t* const action = static_cast<const int64_t*>(b->action);
    float* const observation = static_cast<float*>(b->observation);
    int64_t terminated[kBlock], truncated[kBlock];
    for (int64_t i = 0; i < b->n; i += kBlock) {
        const int64_t n = b->n - i < kBlock ? b->n - i : kBlock;
        dynamics<kPlain>(n, p, b->limit, action + i, x + i, x_dot + i, theta + i, theta_dot + i,
                         b->elapsed + i, b->reward + i, terminated, truncated);
        narrow(n, terminated, b->terminated + i);
        narrow(n, truncated, b->truncated + i);
        interleave(n, x + i, x_dot + i, theta + i, theta_dot + i, observation + kObservation * i);
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
        state[FIELD(State, x) * b->stride] = rng.uniform(o.low, o.high);
        state[FIELD(State, x_dot) * b->stride] = rng.uniform(o.low, o.high);
        state[FIELD(State, theta) * b->stride] = rng.uniform(o.low, o.high);
        state[FIELD(State, theta_dot) * b->stride] = rng.uniform(o.low, o.high);
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

const Game games::cartpole = {
    Params::kNames, State::kNames, Options::kNames, select_step, reset, observe, 0, 0, false};

}  // namespace compute_layers::ISA
