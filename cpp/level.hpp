// SPDX-License-Identifier: MIT
// A game, and a policy, at one level: what drives them does not know which. Level python implements these
// with Python callables (module.cpp).
#pragma once

#include <stdexcept>

#include "registry.hpp"

namespace compute_layers {

class GameLevel {
  public:
    virtual ~GameLevel() = default;
    // Whether calls may be made without Python's global lock.
    virtual bool native() const = 0;
    // Called before the first step and whenever params or in_play change.
    virtual void prepare(const Batch& batch, bool in_play) = 0;
    virtual void step(const Batch& batch) = 0;
    virtual void reset(const Batch& batch, const int64_t* lanes, int64_t count, const double* options) = 0;
    virtual void observe(const Batch& batch, const int64_t* lanes, int64_t count) = 0;
};

class NativeGame final : public GameLevel {
  public:
    // Level asm shares the drawing and observing routines of level cpp.
    NativeGame(const Game& game, SelectStep* select) : game_(game), select_(select) {}
    bool native() const override { return true; }
    void prepare(const Batch& batch, bool in_play) override { step_ = select_(&batch, in_play); }
    void step(const Batch& batch) override { step_(&batch); }
    void reset(const Batch& batch, const int64_t* lanes, int64_t count, const double* options) override {
        game_.reset(&batch, lanes, count, options);
    }
    void observe(const Batch& batch, const int64_t* lanes, int64_t count) override {
        game_.observe(&batch, lanes, count);
    }

  private:
    const Game& game_;
    SelectStep* select_;
    Step* step_ = nullptr;
};

class PolicyLevel {
  public:
    virtual ~PolicyLevel() = default;
    virtual bool native() const = 0;
    virtual Memory plan(const PolicyBatch& policy) const = 0;
    // Called once, with everything but the rows filled in; `packed` has the size that was planned.
    virtual void prepare(const PolicyBatch& policy, void* packed) = 0;
    // Whether `act` takes exactly one row as well as multiples of kLanes.
    virtual bool takes_single_rows() const = 0;
    virtual void act(const PolicyBatch& batch) = 0;
};

class NativePolicy final : public PolicyLevel {
  public:
    // Level asm shares the packing of level cpp.
    NativePolicy(const Policy& policy, SelectAct* select) : policy_(policy), select_(select) {}
    bool native() const override { return true; }
    Memory plan(const PolicyBatch& policy) const override {
        return policy_.plan ? policy_.plan(&policy) : Memory{0, 0};
    }
    void prepare(const PolicyBatch& policy, void* packed) override {
        if (policy_.pack) policy_.pack(&policy, packed);
        act_ = select_(&policy, false);
        single_ = select_(&policy, true);
        if (!act_) throw std::runtime_error("the policy has no kernel for its head");
    }
    bool takes_single_rows() const override { return single_ != nullptr; }
    void act(const PolicyBatch& batch) override { (batch.n == 1 ? single_ : act_)(&batch); }

  private:
    const Policy& policy_;
    SelectAct* select_;
    Act* act_ = nullptr;
    Act* single_ = nullptr;
};

}  // namespace compute_layers
