// SPDX-License-Identifier: MIT
#include "lanes.hpp"

#include <algorithm>
#include <cstring>

#ifdef __linux__
#include <sys/mman.h>
#endif

#include "pcg64.hpp"

namespace compute_layers {

namespace {

constexpr unsigned char kCanary = 0xC5;
constexpr size_t kHugePage = size_t{1} << 21;

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

size_t Arena::reserve(size_t count, size_t bytes, size_t* pitch) {
    // An odd number of lines, so that the fields of one lane do not fall into one cache set.
    size_t lines = round_up(bytes, kLine) / kLine + 1;
    lines += 1 - lines % 2;
    const size_t first = size_;
    for (size_t i = 0; i < count; ++i) {
        used_.push_back({size_, size_ + bytes});
        size_ += lines * kLine;
    }
    if (pitch) *pitch = lines * kLine;
    return first;
}

void Arena::allocate() {
    const std::align_val_t alignment{size_ < kHugePage ? kLine : kHugePage};
    memory_ = {new (alignment) std::byte[size_], Free{alignment}};
#ifdef __linux__
    // Twenty arrays side by side: with small pages a large batch spends its time on TLB misses.
    if (size_ >= kHugePage) madvise(memory_.get(), size_, MADV_HUGEPAGE);
#endif
    size_t canary = 0;
    for (const Span& span : used_) {
        std::memset(memory_.get() + canary, kCanary, span.begin - canary);
        std::memset(memory_.get() + span.begin, 0, span.end - span.begin);
        canary = span.end;
    }
    std::memset(memory_.get() + canary, kCanary, size_ - canary);
}

int64_t Arena::damaged() const {
    const auto intact = [this](size_t begin, size_t end) {
        return std::all_of(memory_.get() + begin, memory_.get() + end,
                           [](std::byte byte) { return byte == std::byte{kCanary}; });
    };
    size_t canary = 0;
    for (size_t i = 0; i < used_.size(); ++i) {
        const size_t next = i + 1 < used_.size() ? used_[i + 1].begin : size_;
        if (!intact(canary, used_[i].begin) || !intact(used_[i].end, next)) return static_cast<int64_t>(i);
        canary = next;
    }
    return -1;
}

Lanes::Lanes(const Shape& shape, int64_t n, int64_t limit, const Table* table) : shape(shape) {
    const size_t lanes = round_up(static_cast<size_t>(n), kLanes);
    size_t pitch = 0;
    const size_t state = arena_.reserve(static_cast<size_t>(shape.fields), lanes * 8, &pitch);
    const size_t stream = arena_.reserve(kStreamFields, lanes * 8);
    const size_t elapsed = arena_.reserve(1, lanes * 8);
    const size_t action = arena_.reserve(1, lanes * shape.action_bytes());
    const size_t observation = arena_.reserve(1, lanes * shape.observation_bytes());
    const size_t reward = arena_.reserve(1, lanes * 8);
    const size_t terminated = arena_.reserve(1, lanes);
    const size_t truncated = arena_.reserve(1, lanes);
    const size_t info = arena_.reserve(static_cast<size_t>(shape.info), lanes * 8);
    const size_t cache = arena_.reserve(static_cast<size_t>(shape.cache), lanes * 8);
    const size_t params = arena_.reserve(1, static_cast<size_t>(shape.params) * 8);
    const size_t rows = arena_.reserve(1, static_cast<size_t>(shape.params * kRow) * 8);
    arena_.allocate();
    batch = {static_cast<int64_t>(lanes),
             n,
             static_cast<int64_t>(pitch / 8),
             arena_.at<double>(state),
             arena_.at<int64_t>(elapsed),
             arena_.at<void>(action),
             arena_.at<void>(observation),
             arena_.at<double>(reward),
             arena_.at<uint8_t>(terminated),
             arena_.at<uint8_t>(truncated),
             arena_.at<uint64_t>(stream),
             arena_.at<double>(params),
             arena_.at<double>(rows),
             arena_.at<double>(info),
             arena_.at<double>(cache),
             table,
             limit};
    seed_padding(batch.stream, batch.stride, batch.valid, batch.n);
}

void number_rows(const Shape& shape, const int64_t* rows, int64_t n, int64_t* numbers) {
    if (shape.radix.empty()) {
        std::copy_n(rows, n, numbers);
        return;
    }
    for (int64_t i = 0; i < n; ++i) {
        int64_t number = 0;
        for (const int64_t radix : shape.radix) number = number * radix + *rows++;
        numbers[i] = number;
    }
}

void seed_padding(uint64_t* stream, int64_t stride, int64_t first, int64_t end) {
    for (int64_t lane = first; lane < end; ++lane) baseline::seed(stream, stride, lane, 0);
}

void Lanes::set_params(const double* params) {
    double* const scalars = const_cast<double*>(batch.params);
    double* const rows = const_cast<double*>(batch.rows);
    for (int64_t i = 0; i < shape.params; ++i) {
        scalars[i] = params[i];
        std::fill_n(rows + i * kRow, kRow, params[i]);
    }
}

Batch Lanes::block(int64_t first, int64_t count) const {
    Batch block = batch;
    block.n = count;
    block.valid = std::clamp<int64_t>(batch.valid - first, 0, count);
    block.state += first;
    block.elapsed += first;
    block.action =
        static_cast<const char*>(batch.action) + first * static_cast<int64_t>(shape.action_bytes());
    block.observation =
        static_cast<char*>(batch.observation) + first * static_cast<int64_t>(shape.observation_bytes());
    block.reward += first;
    block.terminated += first;
    block.truncated += first;
    block.stream += first;
    block.info += first;
    block.cache += first;
    return block;
}

}  // namespace compute_layers
