// SPDX-License-Identifier: MIT
// A policy family with its parameters, at one level, for one pair of spaces.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lanes.hpp"
#include "level.hpp"

namespace compute_layers {

class Player {
  public:
    // `tensors` are copied; low and high bound a Box action and are empty for a Discrete one; `draws`:
    // whether the family uses its stream.
    Player(std::unique_ptr<PolicyLevel> policy, const Shape& shape,
           const std::vector<std::vector<std::byte>>& tensors, std::vector<float> low,
           std::vector<float> high, bool draws);

    // Scratch memory of one thread.
    class Workspace {
      public:
        explicit Workspace(const Player& player);

      private:
        friend class Player;
        Arena arena_;
        PolicyBatch batch_;       // everything but the rows
        std::byte* observation_;  // kLanes rows: the last ones of a batch that is no multiple of kLanes
        std::byte* action_;
        uint64_t*
            stream_;  // [kStreamFields][kLanes]: kernels draw for padding too, but not from a row's stream
    };

    // Actions for n rows; n need not be a multiple of kLanes. Row i draws from column i of `stream`.
    void act(Workspace& workspace, const void* observation, void* action, int64_t n, uint64_t* stream,
             int64_t stride);

    const Shape& shape() const { return shape_; }
    bool native() const { return policy_->native(); }
    bool draws() const { return draws_; }

  private:
    std::unique_ptr<PolicyLevel> policy_;
    const Shape shape_;
    Arena arena_;
    std::vector<const void*> tensors_;
    const std::vector<float> low_, high_;
    const bool draws_;
};

}  // namespace compute_layers
