// SPDX-License-Identifier: MIT
// Arrays whose surroundings cannot be touched unseen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace compute_layers::check {

enum class Placement : int64_t {
    start,  // every array begins where a guard page ends
    end,    // every array ends where a guard page begins, if its alignment lets it
    heap,   // every array is an allocation of its exact size: valgrind watches instead
};

// An array, or the `pieces` equally long fields of a struct of arrays, each between guard pages of its own.
class GuardedArray {
  public:
    GuardedArray(std::string name, size_t bytes, size_t pieces, size_t alignment, Placement placement);
    ~GuardedArray();
    GuardedArray(const GuardedArray&) = delete;
    GuardedArray& operator=(const GuardedArray&) = delete;

    const std::string& name() const { return name_; }
    std::byte* data() const { return first_; }
    // Bytes from one piece to the next.
    size_t pitch() const { return pitch_; }
    // Every byte that no piece has, up to the guard pages, becomes a canary.
    void set_canaries();
    void fill(std::byte value);
    void copy_from(const void* contents);
    void copy_to(void* contents) const;
    // From here to `unprotect` a write is a fault.
    void protect();
    void unprotect();
    // Which piece's canaries were overwritten, and how far from it; empty if none.
    std::string damage() const;
    // If the address is in this array's pages or their guards: where, counted from the nearest end of a
    // piece.
    std::string place(uintptr_t address) const;

  private:
    template <typename Visit>
    void each_piece(Visit&& visit) const;
    std::byte* pages(size_t piece) const { return mapping_ + guard_ + piece * pitch_; }

    const std::string name_;
    const size_t bytes_, pieces_;
    const bool guarded_;
    size_t guard_ = 0;  // bytes of a guard page
    size_t room_ = 0;   // bytes of the pages of a piece
    size_t pitch_ = 0;
    size_t size_ = 0;
    std::byte* mapping_ = nullptr;
    std::byte* first_ = nullptr;
};

}  // namespace compute_layers::check
