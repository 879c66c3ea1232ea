// SPDX-License-Identifier: MIT
// Whole episodes of a policy in a game, without returning to Python when both are native.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "lanes.hpp"
#include "level.hpp"
#include "player.hpp"
#include "search.hpp"

namespace compute_layers {

struct RolloutTask {
    std::function<std::unique_ptr<GameLevel>()> game;  // one for each thread
    Shape shape;
    std::vector<double> params;
    std::vector<double> options;
    const Table* table;  // of a tabular game; must outlive the task
    int64_t limit;       // steps after which an episode is truncated
    int64_t episodes;
    uint64_t seed;     // of episode 0; episode k has seed + k
    int64_t num_envs;  // lanes in all, of a population for each candidate
    int64_t threads;
};

struct RolloutResult {
    std::vector<double> returns;   // [candidates][episodes]
    std::vector<int64_t> lengths;  // [candidates][episodes]
};

// As `rollout` below, of a policy that plans: `decider` makes the one for so many lanes, on the thread that
// plays them.
RolloutResult rollout(const RolloutTask& task,
                      const std::function<std::unique_ptr<Decider>(int64_t)>& decider,
                      const std::function<bool()>& interrupted);
// `interrupted` is asked from the calling thread a few times a second; true ends the work early.
RolloutResult rollout(const RolloutTask& task, Player& player, const std::function<bool()>& interrupted);

// The same episodes for each of many candidates; the threads share the candidates, not their episodes.
// `player` makes a candidate's player, on the thread that plays it.
RolloutResult rollout_population(const RolloutTask& task, int64_t candidates,
                                 const std::function<std::unique_ptr<Player>(int64_t)>& player,
                                 const std::function<bool()>& interrupted);

}  // namespace compute_layers
