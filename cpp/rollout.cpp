// SPDX-License-Identifier: MIT
#include "rollout.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "float_mode.hpp"
#include "pcg64.hpp"
#include "stepper.hpp"

namespace compute_layers {

namespace {

// A block's arrays, about 130 bytes a lane, stay in the L1 cache for this many steps before the next block
// of the same thread has its turn.
constexpr int64_t kBlockLanes = 256;
constexpr int64_t kBlockSteps = 256;

constexpr uint32_t kPolicyKey = 1;  // a policy draws from SeedSequence(seed + k, spawn_key=(1,))
constexpr int64_t kIdle = Decider::kIdle;

// What the workers on one candidate share: its next episode, and where its results go.
struct Queue {
    std::atomic<int64_t> next{0};
    double* returns;   // [episodes]
    int64_t* lengths;  // [episodes]
};

using Stop = std::atomic<bool>;

// A policy that sees observations.
class Observer final : public Decider {
  public:
    explicit Observer(Player& player) : player_(player), workspace_(player) {}
    bool draws() const override { return player_.draws(); }
    void act(const Batch& b, int64_t rows, int64_t, const int64_t*, uint64_t* stream, int64_t stride,
             const Stop&) override {
        player_.act(workspace_, b.observation, b.elapsed, const_cast<void*>(b.action), rows, stream, stride);
    }

  private:
    Player& player_;
    Player::Workspace workspace_;
};

class Worker {
  public:
    Worker(const RolloutTask& task, std::unique_ptr<Decider> decider, int64_t lanes, Queue& queue,
           const Stop& stop)
        : task_(task),
          decider_(std::move(decider)),
          queue_(queue),
          stop_(stop),
          game_(task.game()),
          lanes_(task.shape, lanes, task.limit, task.table),
          policy_streams_(static_cast<size_t>(decider_->draws() ? kStreamFields * lanes_.batch.n : 0)),
          returns_(static_cast<size_t>(lanes_.batch.n)),
          episode_(static_cast<size_t>(lanes_.batch.n), kIdle),
          start_(static_cast<size_t>(lanes_.batch.n)) {
        // All lanes, for the queue may be empty before a lane has had an episode.
        seed_padding(lanes_.batch.stream, lanes_.batch.stride, 0, lanes_.batch.n);
        if (decider_->draws()) seed_padding(policy_streams_.data(), lanes_.batch.n, 0, lanes_.batch.n);
        lanes_.set_params(task.params.data());
        game_->prepare(lanes_.batch, true);
    }

    void run() {
        const int64_t n = game_->native() ? lanes_.batch.n : lanes_.batch.valid;
        for (int64_t lane = 0; lane < n; ++lane) starting_.push_back(lane);
        take_episodes(lanes_.batch, 0, 0);
        start_lanes(lanes_.batch);
        for (int64_t step = 0; busy_ > 0 && !stop_.load(std::memory_order_relaxed); step += kBlockSteps) {
            for (int64_t first = 0; first < lanes_.batch.n; first += kBlockLanes) {
                run_block(first, std::min(kBlockLanes, lanes_.batch.n - first), step);
            }
        }
    }

  private:
    void run_block(int64_t first, int64_t count, int64_t step) {
        const auto episodes = episode_.begin() + first;
        const auto idle = [&] {
            return std::all_of(episodes, episodes + count, [](int64_t episode) { return episode == kIdle; });
        };
        if (idle()) return;
        const Batch b = lanes_.block(first, count);
        const int64_t rows = game_->native() ? b.n : b.valid;
        double* const returns = returns_.data() + first;
        for (int64_t i = 0; i < kBlockSteps && !stop_.load(std::memory_order_relaxed); ++i) {
            decider_->act(b, rows, first, episode_.data() + first,
                          decider_->draws() ? policy_streams_.data() + first : nullptr, lanes_.batch.n,
                          stop_);
            game_->step(b);
            for (int64_t lane = 0; lane < b.n; ++lane) returns[lane] += b.reward[lane];
            starting_.clear();
            find_ended(b, rows, 0, starting_);
            if (starting_.empty()) continue;
            for (const int64_t lane : starting_) finish(first + lane, step + i + 1);
            take_episodes(b, first, step + i + 1);
            if (idle()) return;
            start_lanes(b);
        }
    }

    void finish(int64_t lane, int64_t step) {
        const int64_t k = episode_[static_cast<size_t>(lane)];
        if (k == kIdle) return;
        queue_.returns[k] = returns_[static_cast<size_t>(lane)];
        queue_.lengths[k] = step - start_[static_cast<size_t>(lane)];
        episode_[static_cast<size_t>(lane)] = kIdle;
        --busy_;
    }

    // Every lane of `starting_` (counted from `first`) takes the next episode of the queue, if there is one.
    void take_episodes(const Batch& b, int64_t first, int64_t step) {
        for (const int64_t lane : starting_) {
            const size_t i = static_cast<size_t>(first + lane);
            const bool padding = lane >= b.valid;
            const int64_t k = padding ? task_.episodes : queue_.next.fetch_add(1, std::memory_order_relaxed);
            b.elapsed[lane] = 0;
            if (k >= task_.episodes) continue;
            episode_[i] = k;
            returns_[i] = 0;
            start_[i] = step;
            ++busy_;
            const uint64_t low = task_.seed + static_cast<uint64_t>(k);
            const uint64_t high = low < task_.seed;
            baseline::seed(b.stream, b.stride, lane, low, high);
            if (decider_->draws()) {
                baseline::seed_spawned(policy_streams_.data() + first, lanes_.batch.n, lane, low, high,
                                       kPolicyKey);
            }
        }
    }

    // A lane without an episode plays on unrecorded, from a reset of its own: it stays within the game's
    // bounds.
    void start_lanes(const Batch& b) {
        const int64_t count = static_cast<int64_t>(starting_.size());
        game_->reset(b, starting_.data(), count, task_.options.data());
        game_->observe(b, starting_.data(), count);
    }

    const RolloutTask& task_;
    const std::unique_ptr<Decider> decider_;
    Queue& queue_;
    const Stop& stop_;
    std::unique_ptr<GameLevel> game_;
    Lanes lanes_;
    std::vector<uint64_t> policy_streams_;
    std::vector<double> returns_;
    std::vector<int64_t> episode_;
    std::vector<int64_t> start_;  // the worker's step count when the lane's episode began
    std::vector<int64_t> starting_;
    int64_t busy_ = 0;
};

RolloutResult empty_result(const RolloutTask& task, int64_t candidates) {
    const size_t count = static_cast<size_t>(candidates * task.episodes);
    return {std::vector<double>(count), std::vector<int64_t>(count)};
}

// Runs `work(thread, stop)` on so many threads and rethrows the first failure.
void run_threads(int64_t threads, const std::function<bool()>& interrupted,
                 const std::function<void(int64_t, const Stop&)>& work) {
    Stop stop{false};
    std::mutex mutex;
    std::condition_variable done;
    std::exception_ptr failure;
    int64_t running = threads;
    std::vector<std::thread> pool;
    try {
        for (int64_t t = 0; t < threads; ++t) {
            pool.emplace_back([&, t] {
                std::exception_ptr mine;
                try {
                    const DefaultFloatMode mode;
                    work(t, stop);
                } catch (...) {
                    mine = std::current_exception();
                    stop = true;
                }
                const std::lock_guard<std::mutex> lock(mutex);
                if (mine && !failure) failure = mine;
                --running;
                done.notify_one();
            });
        }
    } catch (...) {  // the system has no thread left
        stop = true;
        const std::lock_guard<std::mutex> lock(mutex);
        failure = std::current_exception();
        running -= threads - static_cast<int64_t>(pool.size());
    }
    {
        std::unique_lock<std::mutex> lock(mutex);
        while (running > 0) {
            done.wait_for(lock, std::chrono::milliseconds(50), [&] { return running == 0; });
            if (running == 0) break;
            lock.unlock();
            if (interrupted()) stop = true;
            lock.lock();
        }
    }
    for (std::thread& thread : pool) thread.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace

RolloutResult rollout(const RolloutTask& task,
                      const std::function<std::unique_ptr<Decider>(int64_t)>& decider,
                      const std::function<bool()>& interrupted) {
    RolloutResult result = empty_result(task, 1);
    Queue queue{0, result.returns.data(), result.lengths.data()};
    const int64_t lanes = std::min(task.num_envs, task.episodes);
    const int64_t threads = std::min(task.threads, lanes);
    run_threads(threads, interrupted, [&](int64_t thread, const Stop& stop) {
        const int64_t share = lanes / threads + (thread < lanes % threads);
        Worker(task, decider(share), share, queue, stop).run();
    });
    return result;
}

RolloutResult rollout(const RolloutTask& task, Player& player, const std::function<bool()>& interrupted) {
    return rollout(task, [&](int64_t) { return std::make_unique<Observer>(player); }, interrupted);
}

RolloutResult rollout_population(const RolloutTask& task, int64_t candidates,
                                 const std::function<std::unique_ptr<Player>(int64_t)>& player,
                                 const std::function<bool()>& interrupted) {
    RolloutResult result = empty_result(task, candidates);
    const int64_t lanes = std::min(task.num_envs, task.episodes);
    std::atomic<int64_t> next{0};
    run_threads(std::min(task.threads, candidates), interrupted, [&](int64_t, const Stop& stop) {
        for (int64_t c; !stop.load(std::memory_order_relaxed) && (c = next.fetch_add(1)) < candidates;) {
            Queue queue{0, result.returns.data() + c * task.episodes,
                        result.lengths.data() + c * task.episodes};
            const std::unique_ptr<Player> own = player(c);
            Worker(task, std::make_unique<Observer>(*own), lanes, queue, stop).run();
        }
    });
    return result;
}

}  // namespace compute_layers
