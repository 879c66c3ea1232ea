// SPDX-License-Identifier: MIT
#include "search.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "stepper.hpp"

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
      low_(std::move(simulator.low)),
      high_(std::move(simulator.high)) {
    const Shape& shape = lanes_.shape;
    const size_t candidates = static_cast<size_t>(settings.candidates);
    const size_t horizon = static_cast<size_t>(settings.horizon);
    actions_.resize(horizon * static_cast<size_t>(lanes_.batch.n) * shape.action_bytes());
    mean_.resize(horizon * static_cast<size_t>(shape.outputs()));
    if (!shape.actions) deviation_.resize(mean_.size());
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
    const size_t done = static_cast<size_t>(settings_.commit) * lanes_.shape.action_bytes();
    baseline::Pcg64 rng(stream, stride, lane);

    // [1] one noise for all candidates
    const uint64_t noise = rng.next64();

    const int64_t rest = settings_.horizon - settings_.commit;
    bool fitted = false;
    if (goes_on && rest > 0 && settings_.iterations > 1) {
        put(0, static_cast<const std::byte*>(plan) + done, rest);
        expect(rest);
        fitted = true;
    }
    double best = 0.0;
    for (int64_t k = 0; k < settings_.iterations; ++k) {
        // [2] candidates
        for (int64_t c = 0; c < settings_.candidates; ++c) {
            int64_t kept = 0;
            if (k == 0 && c == 0 && goes_on) {
                kept = rest;
                put(0, static_cast<const std::byte*>(plan) + done, rest);
            }
            draw(rng, c, kept, fitted);
        }

        // [3] returns
        simulate(root, noise);

        // [4] the best so far; of equal ones the first of the last round
        std::iota(ranking_.begin(), ranking_.end(), 0);
        const auto better = [&](int64_t a, int64_t b) {
            return totals_[static_cast<size_t>(a)] > totals_[static_cast<size_t>(b)];
        };
        std::stable_sort(ranking_.begin(), ranking_.end(), better);
        const double greatest = totals_[static_cast<size_t>(ranking_[0])];
        if (k == 0 || greatest >= best) {
            best = greatest;
            get(ranking_[0], plan);
        }

        // [5] the distribution of the elites
        if (k + 1 < settings_.iterations) {
            fit();
            fitted = true;
        }
    }
    rng.store();
}

void NativeSearch::draw(baseline::Pcg64& rng, int64_t candidate, int64_t from, bool fitted) {
    for (int64_t position = from; position < settings_.horizon; ++position) {
        const size_t first = static_cast<size_t>(position * lanes_.shape.outputs());
        if (const int64_t actions = lanes_.shape.actions) {
            *at<int64_t>(position, candidate) =
                fitted ? draw_index(rng, mean_.data() + first, actions) : rng.integers(actions);
            continue;
        }
        float* const action = at<float>(position, candidate);
        for (size_t k = 0; k < low_.size(); ++k) {
            const double low = double{low_[k]}, high = double{high_[k]};
            if (!fitted) {
                action[k] = static_cast<float>(rng.uniform(low, high));
                continue;
            }
            double x = mean_[first + k] + (deviation_[first + k] * draw_normal(rng));
            x = x < low ? low : x;
            x = x > high ? high : x;
            action[k] = static_cast<float>(x);
        }
    }
}

void NativeSearch::put(int64_t candidate, const std::byte* sequence, int64_t length) {
    const size_t bytes = lanes_.shape.action_bytes();
    for (int64_t position = 0; position < length; ++position) {
        std::memcpy(at<std::byte>(position, candidate), sequence + static_cast<size_t>(position) * bytes,
                    bytes);
    }
}

void NativeSearch::get(int64_t candidate, void* sequence) {
    const size_t bytes = lanes_.shape.action_bytes();
    for (int64_t position = 0; position < settings_.horizon; ++position) {
        std::memcpy(static_cast<std::byte*>(sequence) + static_cast<size_t>(position) * bytes,
                    at<std::byte>(position, candidate), bytes);
    }
}

// The distribution around the first `rest` actions of candidate 0.
void NativeSearch::expect(int64_t rest) {
    const double elites = static_cast<double>(settings_.elites);
    for (int64_t position = 0; position < settings_.horizon; ++position) {
        const size_t first = static_cast<size_t>(position * lanes_.shape.outputs());
        if (const int64_t actions = lanes_.shape.actions) {
            const double n = static_cast<double>(actions);
            const int64_t expected = *at<int64_t>(position, 0);
            for (int64_t a = 0; a < actions; ++a) {
                mean_[first + static_cast<size_t>(a)] =
                    position >= rest ? 1.0 / n : (a == expected ? elites + 1.0 : 1.0) / (elites + n);
            }
            continue;
        }
        for (size_t k = 0; k < low_.size(); ++k) {
            const double low = double{low_[k]}, high = double{high_[k]};
            mean_[first + k] = position < rest ? double{at<float>(position, 0)[k]} : (low + high) * 0.5;
            deviation_[first + k] = (high - low) * 0.25;
        }
    }
}

void NativeSearch::fit() {
    const double elites = static_cast<double>(settings_.elites);
    const auto each = [&](auto&& take) {
        for (int64_t position = 0; position < settings_.horizon; ++position) {
            const size_t first = static_cast<size_t>(position * lanes_.shape.outputs());
            for (int64_t e = 0; e < settings_.elites; ++e) {
                take(first, position, ranking_[static_cast<size_t>(e)]);
            }
        }
    };
    if (const int64_t actions = lanes_.shape.actions) {
        // Each action is counted once more than it is chosen, so that none is given up.
        std::fill(mean_.begin(), mean_.end(), 1.0);
        each([&](size_t first, int64_t position, int64_t candidate) {
            mean_[first + static_cast<size_t>(*at<int64_t>(position, candidate))] += 1.0;
        });
        const double total = elites + static_cast<double>(actions);
        for (double& probability : mean_) probability /= total;
        return;
    }
    std::fill(mean_.begin(), mean_.end(), 0.0);
    std::fill(deviation_.begin(), deviation_.end(), 0.0);
    each([&](size_t first, int64_t position, int64_t candidate) {
        for (size_t k = 0; k < low_.size(); ++k)
            mean_[first + k] += double{at<float>(position, candidate)[k]};
    });
    for (double& mean : mean_) mean /= elites;
    each([&](size_t first, int64_t position, int64_t candidate) {
        for (size_t k = 0; k < low_.size(); ++k) {
            const double apart = double{at<float>(position, candidate)[k]} - mean_[first + k];
            deviation_[first + k] += apart * apart;
        }
    });
    for (double& deviation : deviation_) deviation = std::sqrt(deviation / elites);
}

// Padding, and a lane whose episode has ended, play on from the root: within the game's bounds.
void NativeSearch::simulate(const double* root, uint64_t noise) {
    const Batch& b = lanes_.batch;
    std::copy_n(root, root_.size(), root_.begin());
    for (int64_t lane = 0; lane < b.n; ++lane) rewind(lane);
    game_->observe(b, every_lane_.data(), b.n);
    for (size_t f = 0; f < root_cache_.size(); ++f)
        root_cache_[f] = b.cache[static_cast<int64_t>(f) * b.stride];
    baseline::seed(b.stream, b.stride, 0, noise);
    for (int64_t f = 0; f < kStreamFields; ++f) {
        std::fill_n(b.stream + f * b.stride + 1, b.n - 1, b.stream[f * b.stride]);
    }
    std::fill(totals_.begin(), totals_.end(), 0.0);
    std::fill(ended_.begin(), ended_.end(), uint8_t{0});
    const size_t actions = static_cast<size_t>(b.n) * lanes_.shape.action_bytes();
    int64_t playing = settings_.candidates;
    for (int64_t position = 0; position < settings_.horizon && playing > 0; ++position) {
        std::memcpy(const_cast<void*>(b.action), at<std::byte>(position, 0), actions);
        for (int64_t held = 0; held < settings_.hold && playing > 0; ++held) {
            game_->step(b);
            for (size_t c = 0; c < totals_.size(); ++c) totals_[c] += ended_[c] ? 0.0 : b.reward[c];
            stopped_.clear();
            find_ended(b, b.n, 0, stopped_);
            for (const int64_t lane : stopped_) {
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
