// SPDX-License-Identifier: MIT
// Steps a batch of environments as Gymnasium's SyncVectorEnv does, at any level.
#pragma once

#include <memory>
#include <vector>

#include "lanes.hpp"
#include "level.hpp"

namespace compute_layers {

enum class Autoreset { next_step, same_step, disabled };

class Stepper {
  public:
    // options: defaults of reset, used by autoresets. table: of a tabular game; it must outlive the stepper.
    Stepper(std::unique_ptr<GameLevel> game, const Shape& shape, int64_t n, int64_t limit,
            Autoreset autoreset, std::vector<double> params, std::vector<double> options, const Table* table);

    void set_params(const std::vector<double>& params);
    // Takes actions of the valid lanes: -1 if they are in range (Discrete) or finite (Box), else the first
    // lane whose action is not, and then nothing changes. A lane about to start an episode may bring any.
    int64_t take(const void* actions);
    // One step with the actions taken. In DISABLED mode no lane may have ended.
    void step();
    // Lanes whose episode ended in the last step.
    const std::vector<int64_t>& ended() const { return ended_; }
    // Whether a lane waits for an explicit reset (DISABLED only).
    bool waiting() const { return waiting_; }
    // SAME_STEP: the observations that ended the episodes of `ended`, in its order.
    const std::vector<unsigned char>& final_observations() const { return final_; }

    // Starts new episodes. Draws taken in advance for those lanes are given back first.
    void reset(const std::vector<int64_t>& lanes, const std::vector<double>& options);
    void restart();  // all lanes, default options
    // Gives back the draws that NEXT_STEP made in advance.
    void withdraw(const std::vector<int64_t>& lanes);
    // Whether NEXT_STEP draws an initial state right after the step that ended an episode (parks it in the
    // state arrays), or only when the next step needs it, as somebody who watches the streams expects.
    void set_parking(bool parking);
    // The state arrays were written from outside: lanes may be out of bounds, and some that ended may not
    // have their next state yet. Observations follow the state.
    void restored();
    // The state arrays were overwritten with states that play could have reached; observations follow.
    void moved();
    // Lets a lane that ended go on (what Gymnasium's single environments do).
    void resume(int64_t lane);

    GameLevel& game() { return *game_; }
    Lanes& lanes() { return lanes_; }
    const Lanes& lanes() const { return lanes_; }
    // As Arena::damaged, over all arrays of the batch.
    int64_t damaged() const;
    Autoreset autoreset() const { return autoreset_; }
    const std::vector<double>& params() const { return params_; }

    // The stream of a lane before the draws for its parked state; `taken` is 0 if there were none. One line
    // of memory, because lanes end at random.
    struct Parked {
        uint64_t high, low, half, taken;
    };
    Parked* parked() { return parked_; }

  private:
    // Deals with the lanes from position `known` of ended_ on.
    void settle(size_t known);
    // Draws the next initial states of these lanes in advance.
    void park(const int64_t* lanes, int64_t count);
    std::vector<int64_t> every_lane() const;
    void set_in_play(bool in_play);

    std::unique_ptr<GameLevel> game_;
    Lanes lanes_;
    const Autoreset autoreset_;
    std::vector<double> params_;
    const std::vector<double> options_;
    Arena arena_;
    Parked* parked_;  // [n]
    std::vector<int64_t> ended_;
    std::vector<unsigned char> final_;
    bool in_play_ = false;
    bool parking_ = true;
    bool waiting_ = false;
};

// Lanes below n whose episode has just ended are appended to `lanes`, counted from `first`.
void find_ended(const Batch& batch, int64_t n, int64_t first, std::vector<int64_t>& lanes);

}  // namespace compute_layers
