// SPDX-License-Identifier: MIT
// Policies that plan: they try sequences of actions in copies of the game and take the best one. The readable
// specification is python/compute_layers/searches/.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "lanes.hpp"
#include "level.hpp"
#include "pcg64.hpp"

namespace compute_layers {

// What decides for the lanes of a rollout's worker; each has one of its own.
class Decider {
  public:
    static constexpr int64_t kIdle = -1;

    virtual ~Decider() = default;
    // Whether it uses the streams.
    virtual bool draws() const = 0;
    // Actions for the first `rows` lanes of `b`, which are lanes `first` and on of the worker. Lane i plays
    // episode[i] and draws from column i of `stream`; where that is kIdle any action of the space will do.
    virtual void act(const Batch& b, int64_t rows, int64_t first, const int64_t* episode, uint64_t* stream,
                     int64_t stride, const std::atomic<bool>& stop) = 0;
};

// The numbers in a file, in the order of the families' tensors; shooting is one iteration without elites.
struct SearchSettings {
    int64_t candidates;  // sequences that are tried at a time
    int64_t horizon;     // actions in a sequence
    int64_t hold;        // steps for which each is held
    int64_t commit;      // actions of a plan that are carried out before the next one is made
    int64_t iterations = 1;
    int64_t elites = 1;  // candidates to which the distribution is fitted
};

// Makes plans at one level.
class SearchLevel {
  public:
    virtual ~SearchLevel() = default;
    virtual bool native() const = 0;
    // Writes the plan for the state `root`, [fields]: horizon actions as Batch::action has them. It draws
    // from column `lane` of `stream`. `goes_on`: `plan` holds the one before, of which `commit` actions are
    // done.
    virtual void plan(const double* root, bool goes_on, void* plan, uint64_t* stream, int64_t stride,
                      int64_t lane) = 0;
};

// What a NativeSearch tries its sequences in: copies of a game with these params.
struct Simulator {
    std::unique_ptr<GameLevel> game;
    Shape shape;
    const double* params;
    const Table* table;      // must outlive the search
    bool in_play;            // as for SelectStep
    std::vector<float> low;  // bounds of a Box action; empty for a Discrete one
    std::vector<float> high;
};

class NativeSearch final : public SearchLevel {
  public:
    NativeSearch(Simulator simulator, const SearchSettings& settings);
    bool native() const override { return true; }
    void plan(const double* root, bool goes_on, void* plan, uint64_t* stream, int64_t stride,
              int64_t lane) override;

  private:
    // The actions of a candidate from position `from` on.
    void draw(baseline::Pcg64& rng, int64_t candidate, int64_t from, bool fitted);
    void put(int64_t candidate, const std::byte* sequence, int64_t length);
    void get(int64_t candidate, void* sequence);
    template <typename T>
    T* at(int64_t position, int64_t candidate) {
        const size_t action = static_cast<size_t>(position * lanes_.batch.n + candidate);
        return reinterpret_cast<T*>(actions_.data() + action * lanes_.shape.action_bytes());
    }
    void expect(int64_t rest);
    void fit();
    void simulate(const double* root, uint64_t noise);
    void rewind(int64_t lane);

    std::unique_ptr<GameLevel> game_;
    const SearchSettings settings_;
    Lanes lanes_;
    const std::vector<float> low_, high_;
    std::vector<std::byte> actions_;  // [horizon][n], as Batch::action
    std::vector<double> totals_;      // [candidates]: returns
    std::vector<uint8_t> ended_;      // [candidates]
    std::vector<int64_t> ranking_;    // [candidates]: best first
    std::vector<double> mean_;        // [horizon][outputs]; of Discrete actions their probabilities
    std::vector<double> deviation_;   // [horizon][outputs]
    std::vector<int64_t> stopped_;
    std::vector<double> root_, root_cache_;  // what a lane of the simulation begins with
    std::vector<int64_t> every_lane_;
};

// The plans of n lanes.
class Search final : public Decider {
  public:
    // level: it must make plans with these settings.
    Search(std::unique_ptr<SearchLevel> level, const Shape& shape, const SearchSettings& settings, int64_t n);

    bool draws() const override { return true; }
    void act(const Batch& b, int64_t rows, int64_t first, const int64_t* episode, uint64_t* stream,
             int64_t stride, const std::atomic<bool>& stop) override;
    // The first action of a new plan for each of n states, [n][fields]; of lane 0.
    void act_rows(const double* states, void* action, int64_t n, uint64_t* stream, int64_t stride);
    bool native() const { return level_->native(); }

  private:
    std::byte* plan_of(int64_t lane) { return plans_.data() + static_cast<size_t>(lane) * plan_bytes_; }

    std::unique_ptr<SearchLevel> level_;
    const SearchSettings settings_;
    const size_t action_bytes_, plan_bytes_;
    std::vector<std::byte> plans_;  // [n][horizon]
    std::vector<double> root_;      // [fields]
};

}  // namespace compute_layers
