// SPDX-License-Identifier: MIT
#include "guarded_array.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "valgrind.hpp"

namespace compute_layers::check {

namespace {

constexpr std::byte kCanary{0xC5};

size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

}  // namespace

GuardedArray::GuardedArray(std::string name, size_t bytes, size_t pieces, size_t alignment,
                           Placement placement)
    : name_(std::move(name)), bytes_(bytes), pieces_(pieces), guarded_(placement != Placement::heap) {
    if (!guarded_) {
        // Fields that lie a pitch apart are one allocation; what is between them is forbidden.
        constexpr size_t kLine = 64;
        pitch_ = round_up(bytes, kLine) + kLine;
        size_ = (pieces - 1) * pitch_ + bytes;
        void* allocation = nullptr;
        if (posix_memalign(&allocation, kLine, size_)) throw std::bad_alloc();
        first_ = mapping_ = static_cast<std::byte*>(allocation);
        for (size_t piece = 0; piece + 1 < pieces; ++piece) {
            VALGRIND_MAKE_MEM_NOACCESS(first_ + piece * pitch_ + bytes, pitch_ - bytes);
        }
        return;
    }
    guard_ = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    room_ = round_up(bytes ? bytes : 1, guard_);
    pitch_ = room_ + guard_;
    size_ = guard_ + pieces * pitch_;
    void* const mapping = mmap(nullptr, size_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::bad_alloc();
    mapping_ = static_cast<std::byte*>(mapping);
    unprotect();
    // An array of no bytes has the address of a guard page.
    const size_t shift = placement == Placement::end || !bytes ? room_ - round_up(bytes, alignment) : 0;
    first_ = pages(0) + shift;
}

GuardedArray::~GuardedArray() {
    if (guarded_) {
        munmap(mapping_, size_);
    } else {
        std::free(mapping_);
    }
}

template <typename Visit>
void GuardedArray::each_piece(Visit&& visit) const {
    for (size_t piece = 0; piece < pieces_; ++piece) visit(piece, first_ + piece * pitch_);
}

void GuardedArray::set_canaries() {
    if (!guarded_) return;
    each_piece([this](size_t piece, std::byte* data) {
        std::memset(pages(piece), static_cast<int>(kCanary), static_cast<size_t>(data - pages(piece)));
        std::byte* const end = data + bytes_;
        std::memset(end, static_cast<int>(kCanary), static_cast<size_t>(pages(piece) + room_ - end));
    });
}

void GuardedArray::fill(std::byte value) {
    each_piece([&](size_t, std::byte* data) {
        if (guarded_) {
            std::memset(data, static_cast<int>(value), bytes_);
        } else {
            VALGRIND_MAKE_MEM_UNDEFINED(data, bytes_);
        }
    });
}

void GuardedArray::copy_from(const void* contents) {
    if (!bytes_) return;
    each_piece([&](size_t piece, std::byte* data) {
        std::memcpy(data, static_cast<const std::byte*>(contents) + piece * bytes_, bytes_);
    });
}

void GuardedArray::copy_to(void* contents) const {
    if (!bytes_) return;
    each_piece([&](size_t piece, std::byte* data) {
        std::memcpy(static_cast<std::byte*>(contents) + piece * bytes_, data, bytes_);
    });
}

void GuardedArray::protect() {
    if (!guarded_) return;
    each_piece([this](size_t piece, std::byte*) { mprotect(pages(piece), room_, PROT_READ); });
}

void GuardedArray::unprotect() {
    if (!guarded_) return;
    each_piece([this](size_t piece, std::byte*) { mprotect(pages(piece), room_, PROT_READ | PROT_WRITE); });
}

std::string GuardedArray::damage() const {
    std::string found;
    if (!guarded_) return found;
    each_piece([&](size_t piece, std::byte* data) {
        const auto look = [&](const std::byte* from, const std::byte* to) {
            for (; from < to && found.empty(); ++from) {
                if (*from != kCanary) found = place(reinterpret_cast<uintptr_t>(from));
            }
        };
        look(pages(piece), data);
        look(data + bytes_, pages(piece) + room_);
    });
    return found;
}

std::string GuardedArray::place(uintptr_t address) const {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(mapping_);
    if (!guarded_ || address < begin || address >= begin + size_) return "";
    // Before the first piece, or from its pages to the end of the guard page behind them; of the guard
    // between two pieces the lower half counts as behind.
    size_t piece = address < begin + guard_ / 2 ? 0 : (address - begin - guard_ / 2) / pitch_;
    if (piece >= pieces_) piece = pieces_ - 1;
    const int64_t offset =
        static_cast<int64_t>(address - reinterpret_cast<uintptr_t>(first_ + piece * pitch_));
    const int64_t size = static_cast<int64_t>(bytes_);
    const std::string which = pieces_ > 1 ? name_ + "[" + std::to_string(piece) + "]" : name_;
    if (offset < 0) return std::to_string(-offset) + " bytes before " + which;
    if (offset < size) return "byte " + std::to_string(offset) + " of " + which;
    return "byte " + std::to_string(offset) + ", " + std::to_string(offset - size) + " beyond the end, of " +
           which;
}

}  // namespace compute_layers::check
