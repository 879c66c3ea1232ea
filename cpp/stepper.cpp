// SPDX-License-Identifier: MIT
#include "stepper.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

namespace compute_layers {

namespace {

// A large batch is stepped in blocks, so that the lanes whose episode ended are still in the cache when their
// next initial states are drawn.
constexpr int64_t kBlockLanes = 2048;
constexpr int64_t kCachedLanes = 16384;  // the streams of so many lanes are in the cache anyway

}  // namespace

void find_ended(const Batch& batch, int64_t n, int64_t first, std::vector<int64_t>& lanes) {
    static_assert(kLanes == sizeof(uint64_t) && std::endian::native == std::endian::little);
    // The flags of 64 lanes become one word of bits: which lanes end cannot be predicted, so there should be
    // few branches on it.
    constexpr int64_t kGroup = 64;
    for (int64_t i = 0; i < n; i += kGroup) {
        uint64_t bits = 0;
        const int64_t end = std::min(kGroup, n - i);
        for (int64_t j = 0; j < end; j += kLanes) {
            uint64_t terminated, truncated;
            std::memcpy(&terminated, batch.terminated + i + j, sizeof terminated);
            std::memcpy(&truncated, batch.truncated + i + j, sizeof truncated);
            // Multiplying moves bit 0 of byte k to bit k of the top byte.
            bits |= (((terminated | truncated) * 0x0102040810204080) >> 56) << j;
        }
        if (end < kGroup) bits &= (uint64_t{1} << end) - 1;
        for (; bits; bits &= bits - 1) lanes.push_back(first + i + std::countr_zero(bits));
    }
}

Stepper::Stepper(std::unique_ptr<GameLevel> game, const Shape& shape, int64_t n, int64_t limit,
                 Autoreset autoreset, std::vector<double> params, std::vector<double> options,
                 const Table* table)
    : game_(std::move(game)),
      lanes_(shape, n, limit, table),
      autoreset_(autoreset),
      options_(std::move(options)) {
    const size_t parked = arena_.reserve(1, static_cast<size_t>(lanes_.batch.n) * sizeof(Parked));
    arena_.allocate();
    parked_ = arena_.at<Parked>(parked);
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
    game_->prepare(lanes_.batch, in_play_);
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
    std::memcpy(const_cast<void*>(b.action), actions, static_cast<size_t>(b.valid) * size * sizeof(float));
    constexpr uint32_t kInfinite = 0x7F800000;
    for (int64_t i = 0; i < b.valid; ++i) {
        if (b.elapsed[i] < 0 && autoreset_ == Autoreset::next_step) {
            float* const taken =
                static_cast<float*>(const_cast<void*>(b.action)) + static_cast<size_t>(i) * size;
            std::fill_n(taken, size, 0.0f);
            continue;
        }
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
            if (b.elapsed[i] < 0 && !parked_[i].taken) ended_.push_back(i);
        }
        game_->reset(b, ended_.data(), static_cast<int64_t>(ended_.size()), options_.data());
    }
    ended_.clear();
    final_.clear();
    for (int64_t first = 0; first < b.n; first += kBlockLanes) {
        const Batch block = lanes_.block(first, std::min(kBlockLanes, b.n - first));
        game_->step(block);
        const size_t known = ended_.size();
        find_ended(block, game_->native() ? block.n : block.valid, first, ended_);
        if (ended_.size() > known) settle(known);
    }
    while (!ended_.empty() && ended_.back() >= b.valid) ended_.pop_back();
}

void Stepper::settle(size_t known) {
    const Batch& b = lanes_.batch;
    const int64_t* const lanes = ended_.data() + known;
    const int64_t count = static_cast<int64_t>(ended_.size() - known);
    // Padding, which comes last, always goes on as in NEXT_STEP.
    const int64_t valid = std::lower_bound(lanes, lanes + count, b.valid) - lanes;
    if (autoreset_ == Autoreset::next_step) {
        if (!parking_) {
            for (int64_t j = 0; j < count; ++j) parked_[lanes[j]].taken = 0;
        } else {
            park(lanes, count);
        }
        return;
    }
    game_->reset(b, lanes + valid, count - valid, options_.data());
    if (autoreset_ == Autoreset::disabled) {
        waiting_ = waiting_ || valid > 0;
        return;
    }
    const size_t size = lanes_.shape.observation_bytes();
    const auto* const observation = static_cast<const unsigned char*>(b.observation);
    for (int64_t j = 0; j < valid; ++j) {
        const auto* const row = observation + static_cast<size_t>(lanes[j]) * size;
        final_.insert(final_.end(), row, row + size);
        b.elapsed[lanes[j]] = 0;
    }
    game_->reset(b, lanes, valid, options_.data());
    game_->observe(b, lanes, valid);
}

void Stepper::park(const int64_t* lanes, int64_t count) {
    const Batch& b = lanes_.batch;
    // In a large batch each of these is a miss; asked for together they overlap.
    for (int64_t j = 0; b.n > kCachedLanes && j < count; ++j) {
        __builtin_prefetch(&parked_[lanes[j]], 1);
        for (int64_t f = 0; f < kStreamFields; ++f) __builtin_prefetch(b.stream + f * b.stride + lanes[j], 1);
    }
    for (int64_t j = 0; j < count; ++j) {
        parked_[lanes[j]] = {b.stream[kStateHigh * b.stride + lanes[j]],
                             b.stream[kStateLow * b.stride + lanes[j]], b.stream[kHalf * b.stride + lanes[j]],
                             1};
    }
    game_->reset(b, lanes, count, options_.data());
}

void Stepper::withdraw(const std::vector<int64_t>& lanes) {
    const Batch& b = lanes_.batch;
    for (const int64_t lane : lanes) {
        Parked& parked = parked_[lane];
        // Once the next episode has started the draw is no longer in advance.
        if (b.elapsed[lane] < 0 && parked.taken) {
            b.stream[kStateHigh * b.stride + lane] = parked.high;
            b.stream[kStateLow * b.stride + lane] = parked.low;
            b.stream[kHalf * b.stride + lane] = parked.half;
        }
        parked.taken = 0;
    }
}

void Stepper::set_parking(bool parking) {
    if (parking_ && !parking) withdraw(every_lane());
    parking_ = parking;
}

std::vector<int64_t> Stepper::every_lane() const {
    std::vector<int64_t> all(static_cast<size_t>(lanes_.batch.valid));
    std::iota(all.begin(), all.end(), 0);
    return all;
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

void Stepper::restart() { reset(every_lane(), options_); }

void Stepper::restored() {
    const Batch& b = lanes_.batch;
    set_in_play(false);
    waiting_ = false;
    std::vector<int64_t> undrawn;
    for (int64_t i = 0; i < b.valid; ++i) {
        if (b.elapsed[i] >= 0) continue;
        switch (autoreset_) {
            case Autoreset::disabled:
                waiting_ = true;
                break;
            case Autoreset::same_step:
                b.elapsed[i] = 0;
                if (!parked_[i].taken) undrawn.push_back(i);
                break;
            case Autoreset::next_step:
                if (parking_ && !parked_[i].taken) undrawn.push_back(i);
        }
    }
    if (autoreset_ == Autoreset::same_step) {
        game_->reset(b, undrawn.data(), static_cast<int64_t>(undrawn.size()), options_.data());
    } else {
        park(undrawn.data(), static_cast<int64_t>(undrawn.size()));
    }
    moved();
}

void Stepper::moved() {
    const std::vector<int64_t> all = every_lane();
    game_->observe(lanes_.batch, all.data(), lanes_.batch.valid);
}

int64_t Stepper::damaged() const {
    const int64_t first = lanes_.damaged(), own = arena_.damaged();
    return first >= 0 || own < 0 ? first : lanes_.arrays() + own;
}

void Stepper::resume(int64_t lane) {
    lanes_.batch.elapsed[lane] = 0;
    waiting_ = false;
    set_in_play(false);
}

}  // namespace compute_layers
