// SPDX-License-Identifier: MIT
#include "stepper.hpp"

#include <bit>
#include <cstring>
#include <numeric>

namespace compute_layers {

void find_ended(const Batch& batch, int64_t n, std::vector<int64_t>& lanes) {
    static_assert(kLanes == sizeof(uint64_t));
    for (int64_t i = 0; i < n; i += kLanes) {
        uint64_t terminated, truncated;
        std::memcpy(&terminated, batch.terminated + i, sizeof terminated);
        std::memcpy(&truncated, batch.truncated + i, sizeof truncated);
        for (uint64_t flags = terminated | truncated; flags; flags &= flags - 1) {
            const int byte = std::countr_zero(flags) / 8;
            const int64_t lane = i + (std::endian::native == std::endian::little ? byte : 7 - byte);
            if (lane < n) lanes.push_back(lane);
        }
    }
}

Stepper::Stepper(std::unique_ptr<GameLevel> game, const Shape& shape, int64_t n, int64_t limit,
                 Autoreset autoreset, std::vector<double> params, std::vector<double> options)
    : game_(std::move(game)),
      lanes_(shape, n, limit),
      autoreset_(autoreset),
      options_(std::move(options)),
      parked_(static_cast<size_t>(kParkedFields * lanes_.batch.n)) {
    ended_.reserve(static_cast<size_t>(lanes_.batch.n));
    set_params(params);
    // Native kernels step the padding too: give it states and streams of its own.
    if (game_->native()) {
        std::vector<int64_t> padding(static_cast<size_t>(lanes_.batch.n - n));
        std::iota(padding.begin(), padding.end(), n);
        game_->reset(lanes_.batch, padding.data(), static_cast<int64_t>(padding.size()), options_.data());
    }
}

void Stepper::set_params(const std::vector<double>& params) {
    params_ = params;
    lanes_.set_params(params_.data());
    set_in_play(false);
}

void Stepper::set_in_play(bool in_play) {
    in_play_ = in_play;
    game_->prepare(lanes_.batch.params, in_play_);
}

int64_t Stepper::take(const void* actions) {
    const Batch& b = lanes_.batch;
    if (const int64_t count = lanes_.shape.actions) {
        const int64_t* const given = static_cast<const int64_t*>(actions);
        int64_t* const taken = static_cast<int64_t*>(const_cast<void*>(b.action));
        // The sign bit of a | (count - 1 - a) is set exactly where a is out of range.
        uint64_t out = 0;
        for (int64_t i = 0; i < b.valid; ++i) {
            const uint64_t a = static_cast<uint64_t>(given[i]);
            out |= a | (static_cast<uint64_t>(count - 1) - a);
            taken[i] = given[i];
        }
        if (!(out >> 63)) return -1;
        for (int64_t i = 0; i < b.valid; ++i) {
            if (given[i] >= 0 && given[i] < count) continue;
            if (b.elapsed[i] >= 0 || autoreset_ != Autoreset::next_step) return i;
            taken[i] = 0;
        }
        return -1;
    }
    const uint32_t* const given = static_cast<const uint32_t*>(actions);
    const size_t size = static_cast<size_t>(lanes_.shape.action);
    std::memcpy(const_cast<void*>(b.action), actions, static_cast<size_t>(b.valid) * size * 4);
    constexpr uint32_t kInfinite = 0x7F800000;
    for (int64_t i = 0; i < b.valid; ++i) {
        if (b.elapsed[i] < 0 && autoreset_ == Autoreset::next_step) continue;
        for (size_t k = 0; k < size; ++k) {
            if ((given[static_cast<size_t>(i) * size + k] & kInfinite) == kInfinite) return i;
        }
    }
    return -1;
}

void Stepper::step() {
    const Batch& b = lanes_.batch;
    if (!parking_ && autoreset_ == Autoreset::next_step) {
        ended_.clear();
        for (int64_t i = 0; i < b.valid; ++i) {
            if (b.elapsed[i] < 0) ended_.push_back(i);
        }
        game_->reset(b, ended_.data(), static_cast<int64_t>(ended_.size()), options_.data());
    }
    game_->step(b);
    settle();
}

void Stepper::settle() {
    const Batch& b = lanes_.batch;
    ended_.clear();
    find_ended(b, game_->native() ? b.n : b.valid, ended_);
    if (ended_.empty()) return;
    if (autoreset_ == Autoreset::next_step) {
        if (parking_) park();
        while (!ended_.empty() && ended_.back() >= b.valid) ended_.pop_back();
        return;
    }
    padding_.clear();
    while (!ended_.empty() && ended_.back() >= b.valid) {
        padding_.push_back(ended_.back());
        ended_.pop_back();
    }
    for (const int64_t lane : padding_) b.elapsed[lane] = 0;
    game_->reset(b, padding_.data(), static_cast<int64_t>(padding_.size()), options_.data());
    const int64_t count = static_cast<int64_t>(ended_.size());
    if (autoreset_ == Autoreset::disabled) {
        waiting_ = waiting_ || count > 0;
        return;
    }
    const size_t size = lanes_.shape.observation_bytes();
    final_.resize(ended_.size() * size);
    for (size_t j = 0; j < ended_.size(); ++j) {
        std::memcpy(final_.data() + j * size,
                    static_cast<const char*>(b.observation) + static_cast<size_t>(ended_[j]) * size, size);
        b.elapsed[ended_[j]] = 0;
    }
    game_->reset(b, ended_.data(), count, options_.data());
    game_->observe(b, ended_.data(), count);
}

void Stepper::park() {
    const Batch& b = lanes_.batch;
    uint64_t* const parked = parked_.data();
    for (const int64_t lane : ended_) {
        parked[kParkedHigh * b.n + lane] = b.stream[kStateHigh * b.stride + lane];
        parked[kParkedLow * b.n + lane] = b.stream[kStateLow * b.stride + lane];
        parked[kParkedHalf * b.n + lane] = b.stream[kHalf * b.stride + lane];
        parked[kParked * b.n + lane] = 1;
    }
    game_->reset(b, ended_.data(), static_cast<int64_t>(ended_.size()), options_.data());
}

void Stepper::withdraw(const std::vector<int64_t>& lanes) {
    const Batch& b = lanes_.batch;
    uint64_t* const parked = parked_.data();
    for (const int64_t lane : lanes) {
        // Once the next episode has started the draw is no longer in advance.
        if (b.elapsed[lane] < 0 && parked[kParked * b.n + lane]) {
            b.stream[kStateHigh * b.stride + lane] = parked[kParkedHigh * b.n + lane];
            b.stream[kStateLow * b.stride + lane] = parked[kParkedLow * b.n + lane];
            b.stream[kHalf * b.stride + lane] = parked[kParkedHalf * b.n + lane];
        }
        parked[kParked * b.n + lane] = 0;
    }
}

void Stepper::set_parking(bool parking) {
    if (parking_ && !parking) {
        std::vector<int64_t> all(static_cast<size_t>(lanes_.batch.valid));
        std::iota(all.begin(), all.end(), 0);
        withdraw(all);
    }
    parking_ = parking;
}

void Stepper::reset(const std::vector<int64_t>& lanes, const std::vector<double>& options) {
    const Batch& b = lanes_.batch;
    withdraw(lanes);
    for (const int64_t lane : lanes) b.elapsed[lane] = 0;
    game_->reset(b, lanes.data(), static_cast<int64_t>(lanes.size()), options.data());
    game_->observe(b, lanes.data(), static_cast<int64_t>(lanes.size()));
    const bool all = static_cast<int64_t>(lanes.size()) == b.valid;
    set_in_play(options == options_ && (all || in_play_));
    waiting_ = false;
    for (int64_t i = 0; autoreset_ == Autoreset::disabled && !all && i < b.valid; ++i) {
        waiting_ = waiting_ || b.elapsed[i] < 0;
    }
}

void Stepper::restored() {
    const Batch& b = lanes_.batch;
    std::vector<int64_t> all(static_cast<size_t>(b.valid));
    std::iota(all.begin(), all.end(), 0);
    set_in_play(false);
    game_->observe(b, all.data(), b.valid);
    waiting_ = false;
    for (int64_t i = 0; autoreset_ == Autoreset::disabled && i < b.valid; ++i) {
        waiting_ = waiting_ || b.elapsed[i] < 0;
    }
}

void Stepper::resume(int64_t lane) {
    lanes_.batch.elapsed[lane] = 0;
    waiting_ = false;
    set_in_play(false);
}

}  // namespace compute_layers
