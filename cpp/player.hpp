// SPDX-License-Identifier: MIT
// A policy family with its parameters, at one level, for one pair of spaces.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "lanes.hpp"
#include "level.hpp"

namespace compute_layers {

// What a policy file says, in the words of PolicyBatch; the constructor of Player copies it.
struct Parameters {
    struct Source {
        const void* data;
        size_t bytes;
        int64_t rows, columns;
    };
    Head head;
    std::vector<Source> tensors;
    std::vector<int64_t> choices;
    std::vector<float> low, high;  // bounds of a Box action; empty for a Discrete one
    bool draws;                    // whether the family uses its stream
    int64_t steps =
        0;  // of a policy that sees the time: what it sees is min(elapsed, steps - 1) * states + state
};

class Player {
  public:
    Player(std::unique_ptr<PolicyLevel> policy, const Shape& shape, const Parameters& parameters);
    Player(const Player&) = delete;
    Player& operator=(const Player&) = delete;

    // Scratch memory of one thread.
    class Workspace {
      public:
        explicit Workspace(const Player& player);

      private:
        friend class Player;
        Arena arena_;
        void* scratch_;
        int64_t*
            numbers_;  // [kNumberRows]: what becomes of so many rows, where the policy sees other numbers
        std::byte* observation_;  // kLanes rows: the last ones of a batch that is no multiple of kLanes
        std::byte* action_;
        uint64_t*
            stream_;  // [kStreamFields][kLanes]: kernels draw for padding too, but not from a row's stream
    };

    // Actions for n rows of observations as the game writes them; n need not be a multiple of kLanes. Row i
    // draws from column i of `stream`. A policy that sees the time reads that of row i in elapsed[i].
    void act(Workspace& workspace, const void* observation, const int64_t* elapsed, void* action, int64_t n,
             uint64_t* stream, int64_t stride);

    const Shape& shape() const { return shape_; }
    bool native() const { return policy_->native(); }
    bool draws() const { return draws_; }
    bool sees_time() const { return steps_ > 0; }

  private:
    static constexpr int64_t kNumberRows = 256;

    bool sees_other_numbers() const { return !shape_.radix.empty() || sees_time(); }

    void act_rows(Workspace& workspace, const void* observation, void* action, int64_t n, uint64_t* stream,
                  int64_t stride);

    std::unique_ptr<PolicyLevel> policy_;
    const Shape shape_;  // of the game
    const Shape seen_;   // of the policy: a Tuple observation (a, b, c) comes to it as one number
    const bool draws_;
    const int64_t steps_;
    Arena arena_, packed_;
    std::vector<Tensor> tensors_;
    std::vector<int64_t> choices_;
    std::vector<float> low_, high_;
    PolicyBatch batch_{};  // everything but the rows and the scratch memory
    size_t scratch_bytes_ = 0;
};

}  // namespace compute_layers
