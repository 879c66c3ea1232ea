// SPDX-License-Identifier: MIT
#include "player.hpp"

#include <algorithm>
#include <cstring>

namespace compute_layers {

Player::Player(std::unique_ptr<PolicyLevel> policy, const Shape& shape, const Parameters& parameters)
    : policy_(std::move(policy)),
      shape_(shape),
      seen_(shape.seen_by_policies()),
      draws_(parameters.draws),
      steps_(parameters.steps),
      choices_(parameters.choices),
      low_(parameters.low),
      high_(parameters.high) {
    std::vector<size_t> offsets;
    for (const auto& tensor : parameters.tensors) offsets.push_back(arena_.reserve(1, tensor.bytes));
    arena_.allocate();
    for (size_t i = 0; i < offsets.size(); ++i) {
        const Parameters::Source& tensor = parameters.tensors[i];
        void* const own = arena_.at<void>(offsets[i]);
        if (tensor.bytes) std::memcpy(own, tensor.data, tensor.bytes);
        tensors_.push_back({own, tensor.rows, tensor.columns});
    }
    batch_.inputs = seen_.observation;
    batch_.states = seen_.observations * std::max<int64_t>(steps_, 1);
    batch_.outputs = seen_.outputs();
    batch_.tensors = tensors_.data();
    batch_.tensor_count = static_cast<int64_t>(tensors_.size());
    batch_.low = low_.data();
    batch_.high = high_.data();
    batch_.choices = choices_.data();
    batch_.head = parameters.head;
    const Memory memory = policy_->plan(batch_);
    const size_t packed = packed_.reserve(1, static_cast<size_t>(memory.packed));
    packed_.allocate();
    batch_.packed = packed_.at<void>(packed);
    scratch_bytes_ = static_cast<size_t>(memory.scratch);
    policy_->prepare(batch_, packed_.at<void>(packed));
}

Player::Workspace::Workspace(const Player& player) {
    const Shape& shape = player.seen_;
    const size_t scratch = arena_.reserve(1, player.scratch_bytes_);
    const size_t observation = arena_.reserve(1, kLanes * shape.observation_bytes());
    const size_t action = arena_.reserve(1, kLanes * shape.action_bytes());
    const size_t stream = arena_.reserve(1, kStreamFields * kLanes * sizeof(uint64_t));
    const size_t numbers = arena_.reserve(1, player.sees_other_numbers() ? kNumberRows * sizeof(int64_t) : 0);
    arena_.allocate();
    numbers_ = arena_.at<int64_t>(numbers);
    stream_ = arena_.at<uint64_t>(stream);
    seed_padding(stream_, kLanes, 0, kLanes);
    scratch_ = arena_.at<void>(scratch);
    observation_ = arena_.at<std::byte>(observation);
    action_ = arena_.at<std::byte>(action);
}

void Player::act(Workspace& workspace, const void* observation, const int64_t* elapsed, void* action,
                 int64_t n, uint64_t* stream, int64_t stride) {
    if (!sees_other_numbers()) return act_rows(workspace, observation, action, n, stream, stride);
    const int64_t* const rows = static_cast<const int64_t*>(observation);
    int64_t* const numbers = workspace.numbers_;
    for (int64_t first = 0; first < n; first += kNumberRows) {
        const int64_t count = std::min(kNumberRows, n - first);
        number_rows(shape_, rows + first * shape_.observation, count, numbers);
        for (int64_t i = 0; i < count && sees_time(); ++i) {
            numbers[i] += std::clamp<int64_t>(elapsed[first + i], 0, steps_ - 1) * shape_.observations;
        }
        act_rows(workspace, numbers,
                 static_cast<std::byte*>(action) + static_cast<size_t>(first) * shape_.action_bytes(), count,
                 draws_ ? stream + first : stream, stride);
    }
}

void Player::act_rows(Workspace& workspace, const void* observation, void* action, int64_t n,
                      uint64_t* stream, int64_t stride) {
    PolicyBatch batch = batch_;
    batch.scratch = workspace.scratch_;
    batch.stream = stream;
    batch.stride = stride;
    if (n == 1 && policy_->takes_single_rows()) {
        batch.n = batch.valid = 1;
        batch.observation = observation;
        batch.action = action;
        policy_->act(batch);
        return;
    }
    const int64_t whole = n - n % kLanes;
    if (whole) {
        batch.n = batch.valid = whole;
        batch.observation = observation;
        batch.action = action;
        policy_->act(batch);
    }
    if (const size_t rest = static_cast<size_t>(n - whole)) {
        const size_t observation_bytes = seen_.observation_bytes(), action_bytes = seen_.action_bytes();
        std::memcpy(
            workspace.observation_,
            static_cast<const std::byte*>(observation) + static_cast<size_t>(whole) * observation_bytes,
            rest * observation_bytes);
        batch.n = kLanes;
        batch.valid = static_cast<int64_t>(rest);
        batch.observation = workspace.observation_;
        batch.action = workspace.action_;
        batch.stream = workspace.stream_;
        batch.stride = kLanes;
        const auto each_word = [&](auto&& copy) {
            for (int64_t f = 0; draws_ && f < kStreamFields; ++f) {
                for (int64_t i = 0; i < n - whole; ++i) {
                    copy(workspace.stream_[f * kLanes + i], stream[f * stride + whole + i]);
                }
            }
        };
        each_word([](uint64_t& here, const uint64_t& there) { here = there; });
        policy_->act(batch);
        each_word([](const uint64_t& here, uint64_t& there) { there = here; });
        std::memcpy(static_cast<std::byte*>(action) + static_cast<size_t>(whole) * action_bytes,
                    workspace.action_, rest * action_bytes);
    }
}

}  // namespace compute_layers
