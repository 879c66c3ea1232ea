// SPDX-License-Identifier: MIT
// Owns the arrays of a Batch.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

#include "batch.hpp"
#include "table.hpp"

namespace compute_layers {

// Sizes that Python's SPEC gives a game.
struct Shape {
    int64_t params;
    int64_t options;
    int64_t fields;        // of the state
    int64_t observations;  // of a Discrete or Tuple observation space, which are int64; 0 for a Box, float32
    int64_t observation;   // numbers in an observation
    int64_t actions;       // of a Discrete action space, which are int64; 0 for a Box, float32
    int64_t action;        // numbers in an action
    int64_t info;          // fields of `info`
    int64_t cache;         // fields of `cache`
    std::vector<int64_t> radix;  // of a Tuple observation space how many values each number has; else empty

    size_t observation_bytes() const { return static_cast<size_t>(observation) * (observations ? 8 : 4); }
    int64_t outputs() const { return actions ? actions : action; }
    size_t action_bytes() const { return actions ? 8 : static_cast<size_t>(action) * 4; }
    // What a policy is made for: of a Tuple observation space the numbers of its members, like a Discrete
    // one.
    Shape seen_by_policies() const {
        Shape seen = *this;
        if (!radix.empty()) seen.observation = 1;
        seen.radix.clear();
        return seen;
    }
};

// Where an arena's arrays lie: every one starts on a cache line and is followed, as the first is preceded,
// by at least one line of canary bytes that no kernel may touch.
class Arena {
  public:
    static constexpr size_t kLine = 64;

    // Reserves `count` arrays of `bytes` each; returns the offset of the first, `pitch` bytes apart.
    size_t reserve(size_t count, size_t bytes, size_t* pitch = nullptr);
    void allocate();
    template <typename T>
    T* at(size_t offset) const {
        return reinterpret_cast<T*>(memory_.get() + offset);
    }
    // Index of the first array whose canaries were overwritten, in order of reservation; -1 if none.
    int64_t damaged() const;
    int64_t arrays() const { return static_cast<int64_t>(used_.size()); }

  private:
    struct Free {
        std::align_val_t alignment;
        void operator()(std::byte* memory) const { ::operator delete[](memory, alignment); }
    };
    struct Span {
        size_t begin, end;
    };
    std::vector<Span> used_;
    size_t size_ = kLine;
    std::unique_ptr<std::byte[], Free> memory_{nullptr, Free{std::align_val_t{kLine}}};
};

class Lanes {
  public:
    // n >= 1 lanes, rounded up to kLanes; zeroed, but for the streams of the padding.
    Lanes(const Shape& shape, int64_t n, int64_t limit, const Table* table);
    Lanes(const Lanes&) = delete;
    Lanes& operator=(const Lanes&) = delete;

    void set_params(const double* params);
    // Lanes first … first + count - 1 as a batch of their own; both are multiples of kLanes.
    Batch block(int64_t first, int64_t count) const;
    int64_t damaged() const { return arena_.damaged(); }
    int64_t arrays() const { return arena_.arrays(); }

    const Shape shape;
    Batch batch{};

  private:
    Arena arena_;
};

// What policies see of observations that are numbers: of a Tuple, rows (a, b, c) as the digits of one number
// each; of a Discrete space the numbers themselves.
void number_rows(const Shape& shape, const int64_t* rows, int64_t n, int64_t* numbers);

// Native kernels draw for padding too, and a rejection loop would never leave a stream of zeros.
void seed_padding(uint64_t* stream, int64_t stride, int64_t first, int64_t end);

}  // namespace compute_layers
