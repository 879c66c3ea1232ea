// SPDX-License-Identifier: MIT
#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

namespace compute_layers {

namespace {

// Bell-shaped, of mean 0 and variance 1: the sum of three uniform numbers, with exact scaling.
double draw_normal(baseline::Pcg64& rng) {
    const double a = rng.random(), b = rng.random(), c = rng.random();
    return (((a + b) + c) - 1.5) * 2.0;
}

int64_t draw_index(baseline::Pcg64& rng, const double* probabilities, int64_t n) {
    const double u = rng.random();
    double sum = probabilities[0];
    int64_t index = 0;
    while (index < n - 1 && u >= sum) sum += probabilities[++index];
    return index;
}

}  // namespace

// ---- shooting and the cross-entropy method ----

NativeSearch::NativeSearch(Simulator simulator, const SearchSettings& settings)
    : game_(std::move(simulator.game)),
      settings_(settings),
      lanes_(simulator.shape, settings.candidates, kNoLimit, simulator.table),
      width_(simulator.shape.action),
      low_(std::move(simulator.low)),
      high_(std::move(simulator.high)) {
    const Shape& shape = lanes_.shape;
    const size_t candidates = static_cast<size_t>(settings.candidates);
    const size_t horizon = static_cast<size_t>(settings.horizon);
    const size_t numbers = horizon * static_cast<size_t>(width_);
    if (shape.actions) {
        integers_.resize(candidates * numbers);
        mean_.resize(horizon * static_cast<size_t>(shape.actions));
    } else {
        floats_.resize(candidates * numbers);
        mean_.resize(numbers);
        deviation_.resize(numbers);
    }
    totals_.resize(candidates);
    ended_.resize(candidates);
    ranking_.resize(candidates);
    root_.resize(static_cast<size_t>(shape.fields));
    root_cache_.resize(static_cast<size_t>(shape.cache));
    every_lane_.resize(static_cast<size_t>(lanes_.batch.n));
    std::iota(every_lane_.begin(), every_lane_.end(), 0);
    lanes_.set_params(simulator.params);
    game_->prepare(lanes_.batch, simulator.in_play);
}

void NativeSearch::plan(const double* root, bool goes_on, void* plan, uint64_t* stream, int64_t stride,
                        int64_t lane) {
    const size_t horizon = static_cast<size_t>(settings_.horizon);
    const size_t bytes = horizon * lanes_.shape.action_bytes();
    baseline::Pcg64 rng(stream, stride, lane);

    // [1] one noise for all candidates
    const uint64_t noise = rng.next64();

    double best = 0.0;
    for (int64_t k = 0; k < settings_.iterations; ++k) {
        // [2] candidates: uniform at first, with the rest of the plan before them; then like the elites
        for (int64_t c = 0; c < settings_.candidates; ++c) {
            int64_t kept = 0;
            if (k == 0 && c == 0 && goes_on) {
                kept = settings_.horizon - settings_.commit;
                const size_t done = bytes / horizon * static_cast<size_t>(settings_.commit);
                std::memcpy(sequence(0), static_cast<const std::byte*>(plan) + done, bytes - done);
            }
            draw(rng, c, kept, k > 0);
        }

        // [3] returns
        simulate(root, noise);

        // [4] the best so far; of equal ones the first
        std::iota(ranking_.begin(), ranking_.end(), 0);
        const auto better = [&](int64_t a, int64_t b) {
            return totals_[static_cast<size_t>(a)] > totals_[static_cast<size_t>(b)];
        };
        std::stable_sort(ranking_.begin(), ranking_.end(), better);
        const double greatest = totals_[static_cast<size_t>(ranking_[0])];
        if (k == 0 || greatest > best) {
            best = greatest;
            std::memcpy(plan, sequence(ranking_[0]), bytes);
        }

        // [5] the distribution of the elites
        if (k + 1 < settings_.iterations) fit();
    }
    rng.store();
}

void NativeSearch::draw(baseline::Pcg64& rng, int64_t candidate, int64_t from, bool fitted) {
    if (const int64_t actions = lanes_.shape.actions) {
        int64_t* const action = static_cast<int64_t*>(sequence(candidate));
        for (int64_t i = from; i < settings_.horizon; ++i) {
            action[i] = fitted ? draw_index(rng, mean_.data() + i * actions, actions) : rng.integers(actions);
        }
        return;
    }
    float* const number = static_cast<float*>(sequence(candidate));
    for (int64_t i = from * width_; i < settings_.horizon * width_; ++i) {
        const double low = double{low_[static_cast<size_t>(i % width_)]};
        const double high = double{high_[static_cast<size_t>(i % width_)]};
        if (!fitted) {
            number[i] = static_cast<float>(rng.uniform(low, high));
            continue;
        }
        const size_t at = static_cast<size_t>(i);
        double x = mean_[at] + (deviation_[at] * draw_normal(rng));
        x = x < low ? low : x;
        x = x > high ? high : x;
        number[i] = static_cast<float>(x);
    }
}

void* NativeSearch::sequence(int64_t candidate) {
    const size_t first = static_cast<size_t>(candidate * settings_.horizon * width_);
    if (lanes_.shape.actions) return integers_.data() + first;
    return floats_.data() + first;
}

void NativeSearch::fit() {
    const size_t numbers = static_cast<size_t>(settings_.horizon * width_);
    const double elites = static_cast<double>(settings_.elites);
    if (const int64_t actions = lanes_.shape.actions) {
        // Each action is counted once more than it is chosen, so that none is given up.
        std::fill(mean_.begin(), mean_.end(), 1.0);
        for (int64_t e = 0; e < settings_.elites; ++e) {
            const int64_t* const sequence = integers_.data() + ranking_[static_cast<size_t>(e)] * settings_.horizon;
            for (int64_t position = 0; position < settings_.horizon; ++position) {
                mean_[static_cast<size_t>(position * actions + sequence[position])] += 1.0;
            }
        }
        const double total = elites + static_cast<double>(actions);
        for (double& probability : mean_) probability /= total;
        return;
    }
    const auto each = [&](auto&& take) {
        for (int64_t e = 0; e < settings_.elites; ++e) {
            const size_t candidate = static_cast<size_t>(ranking_[static_cast<size_t>(e)]);
            for (size_t i = 0; i < numbers; ++i) take(i, double{floats_[candidate * numbers + i]});
        }
    };
    std::fill(mean_.begin(), mean_.end(), 0.0);
    std::fill(deviation_.begin(), deviation_.end(), 0.0);
    each([&](size_t i, double x) { mean_[i] += x; });
    for (double& mean : mean_) mean /= elites;
    each([&](size_t i, double x) { deviation_[i] += (x - mean_[i]) * (x - mean_[i]); });
    for (double& deviation : deviation_) deviation = std::sqrt(deviation / elites);
}

// Padding, and a lane whose episode has ended, play on from the root: within the game's bounds.
void NativeSearch::simulate(const double* root, uint64_t noise) {
    const Batch& b = lanes_.batch;
    const size_t horizon = static_cast<size_t>(settings_.horizon), width = static_cast<size_t>(width_);
    std::copy_n(root, root_.size(), root_.begin());
    for (int64_t lane = 0; lane < b.n; ++lane) rewind(lane);
    game_->observe(b, every_lane_.data(), b.n);
    for (size_t f = 0; f < root_cache_.size(); ++f) root_cache_[f] = b.cache[static_cast<int64_t>(f) * b.stride];
    baseline::seed(b.stream, b.stride, 0, noise);
    for (int64_t f = 0; f < kStreamFields; ++f) {
        std::fill_n(b.stream + f * b.stride + 1, b.n - 1, b.stream[f * b.stride]);
    }
    std::fill(totals_.begin(), totals_.end(), 0.0);
    std::fill(ended_.begin(), ended_.end(), uint8_t{0});
    int64_t playing = settings_.candidates;
    for (size_t position = 0; position < horizon && playing > 0; ++position) {
        if (lanes_.shape.actions) {
            int64_t* const action = static_cast<int64_t*>(const_cast<void*>(b.action));
            for (size_t c = 0; c < totals_.size(); ++c) action[c] = integers_[c * horizon + position];
        } else {
            float* const action = static_cast<float*>(const_cast<void*>(b.action));
            for (size_t c = 0; c < totals_.size(); ++c) {
                std::copy_n(floats_.data() + (c * horizon + position) * width, width, action + c * width);
            }
        }
        for (int64_t held = 0; held < settings_.hold && playing > 0; ++held) {
            game_->step(b);
            for (size_t c = 0; c < totals_.size(); ++c) totals_[c] += ended_[c] ? 0.0 : b.reward[c];
            for (int64_t lane = 0; lane < b.n; ++lane) {
                if (!b.terminated[lane]) continue;
                rewind(lane);
                if (lane >= settings_.candidates || ended_[static_cast<size_t>(lane)]) continue;
                ended_[static_cast<size_t>(lane)] = 1;
                --playing;
            }
        }
    }
    for (double& total : totals_) {
        if (std::isnan(total)) total = -std::numeric_limits<double>::infinity();
    }
}

void NativeSearch::rewind(int64_t lane) {
    const Batch& b = lanes_.batch;
    for (size_t f = 0; f < root_.size(); ++f) b.state[static_cast<int64_t>(f) * b.stride + lane] = root_[f];
    for (size_t f = 0; f < root_cache_.size(); ++f) {
        b.cache[static_cast<int64_t>(f) * b.stride + lane] = root_cache_[f];
    }
    b.elapsed[lane] = 0;
}

// ---- the plans of many lanes ----

Search::Search(std::unique_ptr<SearchLevel> level, const Shape& shape, const SearchSettings& settings,
               int64_t n)
    : level_(std::move(level)),
      settings_(settings),
      action_bytes_(shape.action_bytes()),
      plan_bytes_(action_bytes_ * static_cast<size_t>(settings.horizon)),
      plans_(plan_bytes_ * static_cast<size_t>(n)),
      root_(static_cast<size_t>(shape.fields)) {}

void Search::act(const Batch& b, int64_t rows, int64_t first, const int64_t* episode, uint64_t* stream,
                 int64_t stride, const std::atomic<bool>& stop) {
    std::byte* const action = static_cast<std::byte*>(const_cast<void*>(b.action));
    for (int64_t lane = 0; lane < rows && !stop.load(std::memory_order_relaxed); ++lane) {
        std::byte* const taken = action + static_cast<size_t>(lane) * action_bytes_;
        if (episode[lane] == kIdle) {
            std::memset(taken, 0, action_bytes_);
            continue;
        }
        const int64_t elapsed = b.elapsed[lane], since = elapsed % (settings_.hold * settings_.commit);
        std::byte* const plan = plan_of(first + lane);
        if (since == 0) {
            for (size_t f = 0; f < root_.size(); ++f) {
                root_[f] = b.state[static_cast<int64_t>(f) * b.stride + lane];
            }
            level_->plan(root_.data(), elapsed > 0, plan, stream, stride, lane);
        }
        std::memcpy(taken, plan + static_cast<size_t>(since / settings_.hold) * action_bytes_, action_bytes_);
    }
}

void Search::act_rows(const double* states, void* action, int64_t n, uint64_t* stream, int64_t stride) {
    for (int64_t i = 0; i < n; ++i) {
        level_->plan(states + i * static_cast<int64_t>(root_.size()), false, plan_of(0), stream, stride, i);
        std::memcpy(static_cast<std::byte*>(action) + static_cast<size_t>(i) * action_bytes_, plan_of(0),
                    action_bytes_);
    }
}

}  // namespace compute_layers
