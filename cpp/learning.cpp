// SPDX-License-Identifier: MIT
#include "learning.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "pcg64.hpp"

namespace compute_layers {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::milliseconds(100);  // between questions whether to go on
constexpr int64_t kSteps = 16;                              // between looks at the clock

}  // namespace

Learning::Learning(Stepper& stepper, std::function<void(const TdStep&)> learner, const Rates& rates,
                   uint64_t seed)
    : stepper_(stepper),
      learner_(std::move(learner)),
      rates_(rates),
      returns_(static_cast<size_t>(stepper.lanes().batch.n)) {
    const Shape& shape = stepper.lanes().shape;
    const Batch& b = stepper.lanes().batch;
    const int64_t end = shape.observations * kLanes;
    const size_t words = static_cast<size_t>(b.n) * sizeof(int64_t);
    size_t pitch = 0;
    const size_t values = arena_.reserve(1, static_cast<size_t>(end + b.n) * sizeof(double));
    const size_t cells = arena_.reserve(2, words, &pitch);
    const size_t numbers = arena_.reserve(1, shape.radix.empty() ? 0 : words);
    const size_t uniform = arena_.reserve(1, words);
    const size_t target = arena_.reserve(1, words);
    arena_.allocate();
    cells_[0] = arena_.at<int64_t>(cells);
    cells_[1] = arena_.at<int64_t>(cells + pitch);
    numbers_ = arena_.at<int64_t>(numbers);
    uniform_ = arena_.at<double>(uniform);

    td_ = {b.n,
           b.valid,
           shape.actions,
           end,
           rates.alpha,
           rates.gamma,
           rates.epsilon,
           arena_.at<double>(values),
           cells_[0],
           cells_[1],
           shape.radix.empty() ? static_cast<const int64_t*>(b.observation) : numbers_,
           b.reward,
           b.elapsed,
           b.terminated,
           uniform_,
           static_cast<int64_t*>(const_cast<void*>(b.action)),
           arena_.at<double>(target)};
    for (int64_t row = 0; row < end; row += kLanes) {
        std::fill(td_.values + row + shape.actions, td_.values + row + kLanes,
                  -std::numeric_limits<double>::infinity());
    }
    std::iota(cells_[0], cells_[0] + b.n, end);
    baseline::seed(stream_, 1, 0, seed);
}

void Learning::look() {
    const Lanes& lanes = stepper_.lanes();
    const Shape& shape = lanes.shape;
    if (!shape.radix.empty()) {
        number_rows(shape, static_cast<const int64_t*>(lanes.batch.observation), lanes.batch.n, numbers_);
    }
    if (stepper_.game().native()) return;
    for (int64_t i = 0; i < lanes.batch.valid; ++i) {
        if (td_.seen[i] < 0 || td_.seen[i] >= shape.observations) {
            throw std::out_of_range("an observation of the game is not of its observation space");
        }
    }
}

void Learning::draw() {
    baseline::Pcg64 rng(stream_, 1, 0);
    for (int64_t i = 0; i < td_.valid; ++i) uniform_[i] = rng.random();
    rng.store();
}

void Learning::run(int64_t steps, const std::function<bool()>& interrupted) {
    Clock::time_point asked = Clock::now();
    for (const int64_t last = done_ + std::min(steps, rates_.steps - done_); done_ < last;) {
        const double left = 1.0 - static_cast<double>(done_) / static_cast<double>(rates_.steps);
        td_.alpha = rates_.alpha * left;
        td_.epsilon = rates_.epsilon * left;
        look();
        draw();
        learner_(td_);
        std::swap(cells_[0], cells_[1]);
        td_.cells = cells_[0];
        td_.next_cells = cells_[1];

        stepper_.step();
        for (int64_t i = 0; i < td_.valid; ++i) returns_[static_cast<size_t>(i)] += td_.reward[i];
        for (const int64_t lane : stepper_.ended()) {
            double& value = returns_[static_cast<size_t>(lane)];
            total_ += value;
            value = 0.0;
            ++episodes_;
        }
        ++done_;
        if (done_ % kSteps == 0 && Clock::now() - asked >= kPatience) {
            if (interrupted()) return;
            asked = Clock::now();
        }
    }
}

void Learning::repeat(int64_t times) {
    for (int64_t t = 0; t < times; ++t) learner_(td_);
}

}  // namespace compute_layers
