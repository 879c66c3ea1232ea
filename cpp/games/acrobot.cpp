// SPDX-License-Identifier: MIT
#include "acrobot.hpp"

#include "../numerics.hpp"
#include "../registry.hpp"

namespace compute_layers::ISA {
namespace {

using namespace acrobot;

// Lanes whose numbers wait for the next loop: few enough for the L1 cache.
constexpr int64_t kBlock = 64;

// The lanes of a block on their way through the stages. As members of one struct compilers know the arrays
// apart.
struct Work {
    using Column = double[kBlock];
    alignas(64) Column torque;
    Column theta1, theta2, theta_dot1, theta_dot2;  // the state
    Column rate1, rate2, acc1, acc2;                // its derivatives, k of a stage
    Column sum_rate1, sum_rate2, sum_acc1, sum_acc2;
    Column sin1, cos1;
    int64_t far[kBlock];  // masks of the lanes that need more turns than one
};

// mask ? a : b for a mask of all or no bits. Of `x[i] = mask ? x[i] : …` GCC would make a masked store, which
// is slower than a blend and delays the loads that follow.
inline double select(int64_t mask, double a, double b) {
    return __builtin_bit_cast(
        double, (mask & __builtin_bit_cast(int64_t, a)) | (~mask & __builtin_bit_cast(int64_t, b)));
}

#define CHAIN_FIELD(name, value) double name;
#define CHAIN_VALUE(name, value) value,
struct Chain {
    ACROBOT_CHAIN(CHAIN_FIELD)
};
constexpr Chain chain_of(const Params& p) { return {ACROBOT_CHAIN(CHAIN_VALUE)}; }
constexpr Chain kPlainChain = chain_of(kStandard);

// [3] accelerations. For play the numbers are known to the compiler, which drops factors of 1.
template <bool kPlain>
inline void accelerations(const Chain& any, double torque, double theta_dot1, double theta_dot2, double sin2,
                          double cos2, double pull1, double pull2, double& acc1, double& acc2) {
    const Chain c = kPlain ? kPlainChain : any;
    const double d1 = ((c.square1 + (c.mass2 * (c.squares + (c.twice_lengths * cos2)))) + c.moi) + c.moi;
    const double d2 = (c.mass2 * (c.square2 + (c.lengths * cos2))) + c.moi;
    const double phi2 = c.gravity2 * pull2;
    const double phi1 = ((((c.minus_swing * (theta_dot2 * theta_dot2)) * sin2) -
                          (((c.twice_swing * theta_dot2) * theta_dot1) * sin2)) +
                         (c.gravity1 * pull1)) +
                        phi2;
    const double push = torque + ((d2 / d1) * phi1);
    const double less = push - ((c.swing * (theta_dot1 * theta_dot1)) * sin2);
    acc2 = ((c.book_or_nips == kBook ? less : push) - phi2) / (c.inertia2 - ((d2 * d2) / d1));
    acc1 = (-((d2 * acc2) + phi1)) / d1;
}

inline double cosine(double x) {
    double sin, cos;
    sin_cos(x, sin, cos);
    return cos;
}

// Arrays are __restrict parameters of functions that are not inlined: compilers believe nothing less and
// would drop the vector loop for its alias checks. Masks are int64 so that all lanes are equally wide.

__attribute__((noinline)) void torques(const int64_t n, const Params& p, const int64_t* __restrict action,
                                       double* __restrict torque) {
    const double torque0 = p.AVAIL_TORQUE_0, torque1 = p.AVAIL_TORQUE_1, torque2 = p.AVAIL_TORQUE_2;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        // [1] torque
        const double other = action[i] == 1 ? torque1 : torque2;
        torque[i] = action[i] == 0 ? torque0 : other;
    }
}

__attribute__((noinline)) void add_noise(const int64_t n, const double* __restrict noise,
                                         double* __restrict torque) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        torque[i] = torque[i] + noise[i];
    }
}

// k1; the sine and cosine of theta2 are known.
template <bool kPlain>
__attribute__((noinline)) void first_stage(const int64_t n, const Chain& c, const double* __restrict theta1,
                                           const double* __restrict theta2,
                                           const double* __restrict theta_dot1,
                                           const double* __restrict theta_dot2, const double* __restrict sin2,
                                           const double* __restrict cos2, Work* __restrict w) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const double old1 = theta1[i], old2 = theta2[i], old_dot1 = theta_dot1[i], old_dot2 = theta_dot2[i];

        // [2] sin, cos
        const double pull1 = cosine(old1 - (kPi / 2));
        const double pull2 = cosine((old1 + old2) - (kPi / 2));

        double acc1, acc2;
        accelerations<kPlain>(c, w->torque[i], old_dot1, old_dot2, sin2[i], cos2[i], pull1, pull2, acc1,
                              acc2);
        w->theta1[i] = old1;
        w->theta2[i] = old2;
        w->theta_dot1[i] = w->rate1[i] = w->sum_rate1[i] = old_dot1;
        w->theta_dot2[i] = w->rate2[i] = w->sum_rate2[i] = old_dot2;
        w->acc1[i] = w->sum_acc1[i] = acc1;
        w->acc2[i] = w->sum_acc2[i] = acc2;
    }
}

// k2, k3, k4: at the state that the k before leads to.
template <bool kPlain>
__attribute__((noinline)) void stage(const int64_t n, const Chain& c, const double seconds,
                                     const double weight, Work* __restrict w) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const double theta1 = w->theta1[i] + (seconds * w->rate1[i]);
        const double theta2 = w->theta2[i] + (seconds * w->rate2[i]);
        const double theta_dot1 = w->theta_dot1[i] + (seconds * w->acc1[i]);
        const double theta_dot2 = w->theta_dot2[i] + (seconds * w->acc2[i]);

        // [2] sin, cos
        double sin2, cos2;
        sin_cos(theta2, sin2, cos2);
        const double pull1 = cosine(theta1 - (kPi / 2));
        const double pull2 = cosine((theta1 + theta2) - (kPi / 2));

        double acc1, acc2;
        accelerations<kPlain>(c, w->torque[i], theta_dot1, theta_dot2, sin2, cos2, pull1, pull2, acc1, acc2);
        w->rate1[i] = theta_dot1;
        w->rate2[i] = theta_dot2;
        w->acc1[i] = acc1;
        w->acc2[i] = acc2;
        w->sum_rate1[i] = w->sum_rate1[i] + (weight * theta_dot1);
        w->sum_rate2[i] = w->sum_rate2[i] + (weight * theta_dot2);
        w->sum_acc1[i] = w->sum_acc1[i] + (weight * acc1);
        w->sum_acc2[i] = w->sum_acc2[i] + (weight * acc2);
    }
}

// One turn towards [-pi, pi].
inline double turned(double x) {
    const double down = x > kPi ? x - (2 * kPi) : x;
    return x < -kPi ? x + (2 * kPi) : down;
}

inline double bound(double x, double most) {
    const double above = -most > x ? -most : x;
    return most < above ? most : above;
}

__attribute__((noinline)) void integrate(const int64_t n, const Params& p, Work* __restrict w,
                                         const int64_t* __restrict elapsed, double* __restrict theta1,
                                         double* __restrict theta2, double* __restrict theta_dot1,
                                         double* __restrict theta_dot2) {
    const double seconds = p.dt / 6, max1 = p.MAX_VEL_1, max2 = p.MAX_VEL_2;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const double old1 = w->theta1[i], old2 = w->theta2[i];
        const double old_dot1 = w->theta_dot1[i], old_dot2 = w->theta_dot2[i];
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;

        // [4] integration
        const double new1 = old1 + (seconds * w->sum_rate1[i]);
        const double new2 = old2 + (seconds * w->sum_rate2[i]);
        const double new_dot1 = old_dot1 + (seconds * w->sum_acc1[i]);
        const double new_dot2 = old_dot2 + (seconds * w->sum_acc2[i]);

        // [5] turns and bounds
        const double turned1 = turned(new1), turned2 = turned(new2);
        const bool out = (turned1 > kPi) | (turned1 < -kPi) | (turned2 > kPi) | (turned2 < -kPi);
        w->far[i] = out ? ~starting : 0;
        theta1[i] = select(starting, old1, turned1);
        theta2[i] = select(starting, old2, turned2);
        theta_dot1[i] = select(starting, old_dot1, bound(new_dot1, max1));
        theta_dot2[i] = select(starting, old_dot2, bound(new_dot2, max2));
    }
}

__attribute__((noinline)) int64_t any(const int64_t n, const int64_t* __restrict masks) {
    int64_t found = 0;
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        found |= masks[i];
    }
    return found;
}

// The turns after the first.
void turn_further(const int64_t n, const int64_t* elapsed, double* theta) {
    for (int64_t i = 0; i < n; ++i) {
        if (elapsed[i] < 0) continue;
        for (int64_t turns = 1; (theta[i] > kPi || theta[i] < -kPi) && turns < kTurns; ++turns) {
            theta[i] = turned(theta[i]);
        }
    }
}

__attribute__((noinline)) void finish(const int64_t n, const int64_t limit, const double* __restrict theta1,
                                      const double* __restrict theta2, int64_t* __restrict elapsed,
                                      double* __restrict sin2, double* __restrict cos2, Work* __restrict w,
                                      double* __restrict reward, int64_t* __restrict terminated,
                                      int64_t* __restrict truncated) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        const int64_t starting = elapsed[i] < 0 ? -1 : 0;

        // [6] termination and reward, and what the observation needs of it
        double s1, c1, s2, c2;
        sin_cos(theta1[i], s1, c1);
        sin_cos(theta2[i], s2, c2);
        const int64_t up = ((-c1) - cosine(theta2[i] + theta1[i])) > 1.0 ? -1 : 0;
        const int64_t now = elapsed[i] + 1;
        const int64_t ended = up & ~starting;
        const int64_t late = now >= limit ? -1 : 0;

        w->sin1[i] = s1;
        w->cos1[i] = c1;
        sin2[i] = s2;
        cos2[i] = c2;
        reward[i] = select(ended | starting, 0.0, -1.0);
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

// [7] observation, as pairs of float32 in a word
using Word = int64_t __attribute__((may_alias));

inline Word pair(double low, double high) {
    return static_cast<Word>(__builtin_bit_cast(uint32_t, static_cast<float>(low)) |
                             uint64_t{__builtin_bit_cast(uint32_t, static_cast<float>(high))} << 32);
}

__attribute__((noinline)) void interleave(const int64_t n, const Work* __restrict w,
                                          const double* __restrict sin2, const double* __restrict cos2,
                                          const double* __restrict theta_dot1,
                                          const double* __restrict theta_dot2, Word* __restrict observation) {
    for (int64_t i = 0; i < n; ++i) {  // vectorised
        observation[3 * i + 0] = pair(w->cos1[i], w->sin1[i]);
        observation[3 * i + 1] = pair(cos2[i], sin2[i]);
        observation[3 * i + 2] = pair(theta_dot1[i], theta_dot2[i]);
    }
}

template <bool kPlain>
void step(const Batch* b) {
    const Params& p = *reinterpret_cast<const Params*>(b->params);
    const Chain chain = chain_of(p);
    const bool noisy = !kPlain && p.torque_noise_max > 0.0;
    if (noisy) draw_noise(b, p);
    double* const state = b->state;
    double* const cache = b->cache;
    Work work;
    int64_t terminated[kBlock], truncated[kBlock];
    for (int64_t i = 0; i < b->n; i += kBlock) {
        const int64_t n = b->n - i < kBlock ? b->n - i : kBlock;
        double* const theta1 = state + FIELD(State, theta1) * b->stride + i;
        double* const theta2 = state + FIELD(State, theta2) * b->stride + i;
        double* const theta_dot1 = state + FIELD(State, theta_dot1) * b->stride + i;
        double* const theta_dot2 = state + FIELD(State, theta_dot2) * b->stride + i;
        double* const sin2 = cache + FIELD(Cache, sin2) * b->stride + i;
        double* const cos2 = cache + FIELD(Cache, cos2) * b->stride + i;
        int64_t* const elapsed = b->elapsed + i;
        torques(n, p, static_cast<const int64_t*>(b->action) + i, work.torque);
        if (noisy) add_noise(n, b->reward + i, work.torque);
        first_stage<kPlain>(n, chain, theta1, theta2, theta_dot1, theta_dot2, sin2, cos2, &work);
        stage<kPlain>(n, chain, chain.seconds2, chain.weight2, &work);
        stage<kPlain>(n, chain, chain.seconds3, chain.weight3, &work);
        stage<kPlain>(n, chain, chain.seconds4, chain.weight4, &work);
        integrate(n, p, &work, elapsed, theta1, theta2, theta_dot1, theta_dot2);
        if (any(n, work.far)) {
            turn_further(n, elapsed, theta1);
            turn_further(n, elapsed, theta2);
        }
        finish(n, b->limit, theta1, theta2, elapsed, sin2, cos2, &work, b->reward + i, terminated, truncated);
        narrow(n, terminated, b->terminated + i);
        narrow(n, truncated, b->truncated + i);
        interleave(n, &work, sin2, cos2, theta_dot1, theta_dot2,
                   static_cast<Word*>(b->observation) + kObservation / 2 * i);
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
        state[FIELD(State, theta1) * b->stride] = static_cast<float>(rng.uniform(o.low, o.high));
        state[FIELD(State, theta2) * b->stride] = static_cast<float>(rng.uniform(o.low, o.high));
        state[FIELD(State, theta_dot1) * b->stride] = static_cast<float>(rng.uniform(o.low, o.high));
        state[FIELD(State, theta_dot2) * b->stride] = static_cast<float>(rng.uniform(o.low, o.high));
        rng.store();
    }
}

void observe(const Batch* b, const int64_t* lanes, int64_t count) {
    for (int64_t j = 0; j < count; ++j) {
        const double* const state = b->state + lanes[j];
        double* const cache = b->cache + lanes[j];
        float* const observation = static_cast<float*>(b->observation) + kObservation * lanes[j];
        double sin1, cos1, sin2, cos2;
        sin_cos(state[FIELD(State, theta1) * b->stride], sin1, cos1);
        sin_cos(state[FIELD(State, theta2) * b->stride], sin2, cos2);
        cache[FIELD(Cache, sin2) * b->stride] = sin2;
        cache[FIELD(Cache, cos2) * b->stride] = cos2;
        observation[0] = static_cast<float>(cos1);
        observation[1] = static_cast<float>(sin1);
        observation[2] = static_cast<float>(cos2);
        observation[3] = static_cast<float>(sin2);
        observation[4] = static_cast<float>(state[FIELD(State, theta_dot1) * b->stride]);
        observation[5] = static_cast<float>(state[FIELD(State, theta_dot2) * b->stride]);
    }
}

}  // namespace

const Game games::acrobot = {Params::kNames, State::kNames, Options::kNames, select_step, reset, observe, 0,
                             kCacheFields,   false};

}  // namespace compute_layers::ISA
