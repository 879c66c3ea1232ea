// SPDX-License-Identifier: MIT
#include "continuous_mountain_car.hpp"

#include "../numerics.hpp"
#include "../pcg64.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

using namespace continuous_mountain_car;

// Lanes whose flags wait in registers' width before they are narrowed, and that take the slower way together
// if one of them has to.
constexpr int64_t kBlock = 32;

// mask ? a : b for a mask of all or no bits. Of `x[i] = mask ? x[i] : …` GCC would make a masked store, which
// is slower than a blend and delays the loads that follow.
inline double select(int64_t mask, double a, double b) {
    return __builtin_bit_cast(
        double, (mask & __builtin_bit_cast(int64_t, a)) | (~mask & __builtin_bit_cast(int64_t, b)));
}

// To float32. Of one operation on float32 numbers, done in float64, this is the float32 result: 53 bits are
// more than twice 24, so that rounding twice rounds like once.
inline double single(double x) { return static_cast<double>(static_cast<float>(x)); }

// x in the type that it has where the mask is set, float64, or elsewhere, float32.
inline double of(int64_t wide, double x) { return select(wide, x, single(x)); }

// Arrays are __restrict parameters of a function that is not inlined: compilers believe nothing less and
// would drop the vector loop for its alias checks. Masks are int64 so that all lanes are equally wide.
//
// Any params, any state.
__attribute__((noinline)) void dynamics(const int64_t n, const Params& p, const int64_t limit,
                                        const float* __restrict action, double* __restrict position,
                                        double* __restrict velocity, int64_t* __restrict fresh,
                                        int64_t* __restrict elapsed, double* __restrict reward,
                                        int64_t* __restrict terminated, int64_t* __restrict truncated) {
    const double min_action = p.min_action, max_action = p.max_action, min_position = p.min_position,
                 max_position = p.max_position, max_speed = p.max_speed, goal_position = p.goal_position,
                 goal_velocity = p.goal_velocity, power = p.power;
    const double min_action_32 = single(min_action), max_action_32 = single(max_action),
                 min_position_32 = single(min_position), max_position_32 = single(max_position),
                 max_speed_32 = single(max_speed), goal_position_32 = single(goal_position),
                 goal_velocity_32 = single(goal_velocity), power_32 = single(power);
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const double a = static_cast<double>(action[i]), kept_position = position[i],
                     kept_velocity = velocity[i];
        const int64_t was_fresh = fresh[i], wide = -was_fresh;
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;
        const double old_position = of(wide, kept_position), old_velocity = of(wide, kept_velocity);

        // [1] force
        const int64_t below = a < min_action_32 ? -1 : 0;
        const double raised = select(below, min_action, a);
        const int64_t above = raised > select(below, max_action, max_action_32) ? -1 : 0;
        const double force = select(above, max_action, raised);

        // [2] cos
        double sin, cos;
        sin_cos(of(wide, 3.0 * old_position), sin, cos);

        // [3] acceleration, a float32 unless the force is clipped and the state wide
        const int64_t clipped = below | above;
        const double push = select(clipped, force * power, single(force * power_32));
        const double acceleration = of(clipped & wide, push - of(clipped, kGravity * cos));

        // [4] motion; what a bound has taken the place of is wide from there on
        double new_velocity = of(wide, old_velocity + acceleration);
        const int64_t forwards = new_velocity > select(wide, max_speed, max_speed_32) ? -1 : 0;
        new_velocity = select(forwards, max_speed, new_velocity);
        int64_t wide_velocity = wide | forwards;
        const int64_t backwards = new_velocity < select(wide_velocity, -max_speed, -max_speed_32) ? -1 : 0;
        new_velocity = select(backwards, -max_speed, new_velocity);
        wide_velocity |= backwards;
        double new_position = of(wide, old_position + of(wide, new_velocity));
        const int64_t right = new_position > select(wide, max_position, max_position_32) ? -1 : 0;
        new_position = select(right, max_position, new_position);
        int64_t wide_position = wide | right;
        const int64_t left = new_position < select(wide_position, min_position, min_position_32) ? -1 : 0;
        new_position = select(left, min_position, new_position);
        wide_position |= left;
        const int64_t at_wall = new_position == select(wide_position, min_position, min_position_32) ? -1 : 0;
        const int64_t stopped = at_wall & (new_velocity < 0.0 ? -1 : 0);
        new_velocity = select(stopped, 0.0, new_velocity);
        wide_velocity |= stopped;

        // [5] termination and reward
        const int64_t arrived =
            new_position >= select(wide_position, goal_position, goal_position_32) ? -1 : 0;
        const int64_t reached =
            arrived & (new_velocity >= select(wide_velocity, goal_velocity, goal_velocity_32) ? -1 : 0);
        const double pay = select(reached, kGoalReward, 0.0) - ((a * a) * kActionCost);
        const int64_t now = elapsed[i] + 1;
        const int64_t ended = reached & ~starting;
        const int64_t late = now >= limit ? -1 : 0;

        position[i] = select(starting, kept_position, single(new_position));
        velocity[i] = select(starting, kept_velocity, single(new_velocity));
        fresh[i] = was_fresh & starting;
        reward[i] = select(starting, 0.0, pay);
        terminated[i] = ended;
        truncated[i] = late;
        elapsed[i] = now | ended | late;
    }
}

// Whether all lanes are as `swing` wants them.
bool swings(const int64_t n, const float* action, const int64_t* fresh) {
    constexpr float bound = kForce;
    int64_t odd = 0;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        odd |= fresh[i] | (action[i] < -bound ? 1 : 0) | (action[i] > bound ? 1 : 0);
    }
    return !odd;
}

// The cosine of q as games/continuous_mountain_car.hpp has it.
inline double swing_cos(double q) {
    const double r = (__builtin_fabs(__builtin_fabs(q) - kPi) - kHalfPi[0]) + kSmallPart;
    const double z = r * r;
    const double z2 = z * z;
    const double p = ((kSwing[0] + (z * kSwing[1])) + (z2 * (kSwing[2] + (z * kSwing[3])))) +
                     ((z2 * z2) * ((kSwing[4] + (z * kSwing[5])) + (z2 * kSwing[6])));
    return r + ((r * z) * p);
}

// States in play, not fresh, so that all but the cosine is float32, and pushed by a force within the bounds.
__attribute__((noinline)) void swing(const int64_t n, const Params& p, const int64_t limit,
                                     const float* __restrict action, double* __restrict position,
                                     double* __restrict velocity, int64_t* __restrict elapsed,
                                     double* __restrict reward, int64_t* __restrict terminated,
                                     int64_t* __restrict truncated) {
    // Of the constants that these are GCC would know too much to vectorise the loop.
    const float min_position = static_cast<float>(p.min_position),
                max_position = static_cast<float>(p.max_position),
                max_speed = static_cast<float>(p.max_speed), power = static_cast<float>(p.power),
                goal_position = static_cast<float>(p.goal_position),
                goal_velocity = static_cast<float>(p.goal_velocity);
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        // [1] force
        const float force = action[i];
        const float old_position = static_cast<float>(position[i]);

        // [2] cos
        const double cos = swing_cos(static_cast<double>(3.0f * old_position));

        // [3] acceleration
        const float acceleration = (force * power) - static_cast<float>(kGravity * cos);

        // [4] motion
        float new_velocity = static_cast<float>(velocity[i]) + acceleration;
        new_velocity = new_velocity > max_speed ? max_speed : new_velocity;
        new_velocity = new_velocity < -max_speed ? -max_speed : new_velocity;
        float new_position = old_position + new_velocity;
        new_position = new_position > max_position ? max_position : new_position;
        new_position = new_position < min_position ? min_position : new_position;
        const bool stopped = (new_position == min_position) & (new_velocity < 0.0f);
        new_velocity = stopped ? 0.0f : new_velocity;

        // [5] termination and reward
        const bool reached = (new_position >= goal_position) & (new_velocity >= goal_velocity);
        const double a = static_cast<double>(force);
        const int64_t now = elapsed[i] + 1;
        const int64_t ended = reached ? -1 : 0;
        const int64_t late = now >= limit ? -1 : 0;

        position[i] = static_cast<double>(new_position);
        velocity[i] = static_cast<double>(new_velocity);
        reward[i] = select(ended, kGoalReward, 0.0) - ((a * a) * kActionCost);
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
    int64_t* const fresh = reinterpret_cast<int64_t*>(b->state + FIELD(State, fresh) * b->stride);
    const float* const action = static_cast<const float*>(b->action);
    float* const observation = static_cast<float*>(b->observation);
    int64_t terminated[kBlock], truncated[kBlock];
    for (int64_t i = 0; i < b->n; i += kBlock) {
        const int64_t n = b->n - i < kBlock ? b->n - i : kBlock;
        if (kPlain && swings(n, action + i, fresh + i)) {
            swing(n, p, b->limit, action + i, position + i, velocity + i, b->elapsed + i, b->reward + i,
                  terminated, truncated);
        } else {
            dynamics(n, p, b->limit, action + i, position + i, velocity + i, fresh + i, b->elapsed + i,
                     b->reward + i, terminated, truncated);
        }
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
        state[FIELD(State, fresh) * b->stride] = __builtin_bit_cast(double, int64_t{1});
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

const Game games::continuous_mountain_car = {
    Params::kNames, State::kNames, Options::kNames, select_step, reset, observe, 0, 0, false};

}  // namespace compute_layers::ISA
