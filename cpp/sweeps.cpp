// SPDX-License-Identifier: MIT
#include "sweeps.hpp"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "float_mode.hpp"

namespace compute_layers {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::milliseconds(100);  // between questions whether to go on

}  // namespace

Sweeps::Sweeps(const Transitions& table, double discount, const double* values) {
    const int64_t groups = (table.states + kLanes - 1) / kLanes, lanes = groups * kLanes;
    if (lanes > int64_t{UINT32_MAX}) throw std::length_error("the table has too many states");

    // The longest row of each action in a group.
    std::vector<int64_t> counts(static_cast<size_t>(groups * table.actions), 1);
    size_t total = 0;
    for (int64_t s = 0; s < table.states; ++s) {
        for (int64_t a = 0; a < table.actions; ++a) {
            int64_t& longest = counts[static_cast<size_t>(s / kLanes * table.actions + a)];
            longest = std::max(longest, table.counts[s * table.actions + a]);
        }
    }
    for (const int64_t count : counts) total += static_cast<size_t>(count);

    size_t pitch = 0;
    const size_t count = arena_.reserve(1, counts.size() * sizeof(int64_t));
    const size_t outcome = arena_.reserve(1, total * sizeof(GroupOutcome));
    const size_t value = arena_.reserve(2, static_cast<size_t>(lanes + 1) * sizeof(double), &pitch);
    const size_t best = arena_.reserve(1, static_cast<size_t>(lanes) * sizeof(int64_t));
    const size_t change = arena_.reserve(1, sizeof(double));
    arena_.allocate();
    std::copy(counts.begin(), counts.end(), arena_.at<int64_t>(count));
    values_[0] = arena_.at<double>(value);
    values_[1] = arena_.at<double>(value + pitch);
    std::copy_n(values, table.states, values_[0]);

    // Where each state's rows begin, of which the next one is packed.
    std::vector<int64_t> at(static_cast<size_t>(lanes));
    int64_t sum = 0;
    for (int64_t s = 0; s < table.states; ++s) {
        at[static_cast<size_t>(s)] = sum;
        for (int64_t a = 0; a < table.actions; ++a) sum += table.counts[s * table.actions + a];
    }
    GroupOutcome* packed = arena_.at<GroupOutcome>(outcome);
    for (int64_t group = 0; group < groups; ++group) {
        for (int64_t a = 0; a < table.actions; ++a) {
            const int64_t longest = counts[static_cast<size_t>(group * table.actions + a)];
            for (int64_t i = 0; i < kLanes; ++i) {
                const int64_t s = group * kLanes + i;
                const int64_t length = s < table.states ? table.counts[s * table.actions + a] : 0;
                int64_t& from = at[static_cast<size_t>(s)];
                for (int64_t k = 0; k < longest; ++k) {
                    const bool padding = k >= length;
                    packed[k].probability[i] = padding ? 0.0 : table.probabilities[from + k];
                    packed[k].reward[i] = padding ? 0.0 : table.rewards[from + k];
                    packed[k].next[i] = static_cast<uint32_t>(
                        padding || table.terminated[from + k] ? lanes : table.next[from + k]);
                }
                from += length;
            }
            packed += longest;
        }
    }

    sweep_.groups = groups;
    sweep_.actions = table.actions;
    sweep_.discount = discount;
    sweep_.counts = arena_.at<int64_t>(count);
    sweep_.outcomes = arena_.at<GroupOutcome>(outcome);
    sweep_.values = values_[0];
    sweep_.next_values = values_[1];
    sweep_.best = arena_.at<int64_t>(best);
    sweep_.change = arena_.at<double>(change);
}

int64_t Sweeps::run(Backup* backup, double tolerance, int64_t most,
                    const std::function<bool()>& interrupted) {
    const DefaultFloatMode mode;
    Clock::time_point asked = Clock::now();
    for (int64_t sweeps = 1;; ++sweeps) {
        backup(&sweep_);
        std::swap(values_[0], values_[1]);
        sweep_.values = values_[0];
        sweep_.next_values = values_[1];
        if (change() <= tolerance || sweeps == most) return sweeps;
        // The clock costs as much as sweeping over a few states.
        if (sweeps % 16 == 0 || sweep_.groups > 1024) {
            if (Clock::now() - asked < kPatience) continue;
            if (interrupted()) return sweeps;
            asked = Clock::now();
        }
    }
}

}  // namespace compute_layers
