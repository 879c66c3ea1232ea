// SPDX-License-Identifier: MIT
#include "player.hpp"

#include <cstring>

namespace compute_layers {

Player::Player(std::unique_ptr<PolicyLevel> policy, const Shape& shape,
               const std::vector<std::vector<std::byte>>& tensors, std::vector<float> low,
               std::vector<float> high, bool draws)
    : policy_(std::move(policy)), shape_(shape), low_(std::move(low)), high_(std::move(high)), draws_(draws) {
    std::vector<size_t> offsets;
    for (const auto& tensor : tensors) offsets.push_back(arena_.reserve(1, tensor.size()));
    arena_.allocate();
    for (size_t i = 0; i < tensors.size(); ++i) {
        if (!tensors[i].empty())
            std::memcpy(arena_.at<void>(offsets[i]), tensors[i].data(), tensors[i].size());
        tensors_.push_back(arena_.at<void>(offsets[i]));
    }
}

Player::Workspace::Workspace(const Player& player) {
    const Shape& shape = player.shape_;
    const size_t inputs = static_cast<size_t>(shape.observation + 3) / 4 * 4;
    const size_t scratch = arena_.reserve(1, inputs * kLanes * sizeof(float));
    const size_t observation = arena_.reserve(1, kLanes * shape.observation_bytes());
    const size_t action = arena_.reserve(1, kLanes * shape.action_bytes());
    const size_t stream = arena_.reserve(1, kStreamFields * kLanes * sizeof(uint64_t));
    arena_.allocate();
    stream_ = arena_.at<uint64_t>(stream);
    seed_padding(stream_, kLanes, 0, kLanes);
    observation_ = arena_.at<std::byte>(observation);
    action_ = arena_.at<std::byte>(action);
    batch_ = {};
    batch_.inputs = shape.observation;
    batch_.outputs = shape.outputs();
    batch_.tensors = player.tensors_.data();
    batch_.low = player.low_.data();
    batch_.high = player.high_.data();
    batch_.scratch = arena_.at<float>(scratch);
}

void Player::act(Workspace& workspace, const void* observation, void* action, int64_t n, uint64_t* stream,
                 int64_t stride) {
    PolicyBatch batch = workspace.batch_;
    batch.stream = stream;
    batch.stride = stride;
    const int64_t whole = n - n % kLanes;
    if (whole) {
        batch.n = batch.valid = whole;
        batch.observation = observation;
        batch.action = action;
        policy_->act(batch);
    }
    if (const size_t rest = static_cast<size_t>(n - whole)) {
        const size_t observation_bytes = shape_.observation_bytes(), action_bytes = shape_.action_bytes();
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
