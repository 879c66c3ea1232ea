// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace compute_layers {

// Round to nearest, denormals kept, exceptions masked, whatever another library has set in this thread; the
// thread gets its mode back, status flags included.
class DefaultFloatMode {
  public:
    DefaultFloatMode() : caller_(read()) {
        if (caller_ != kDefault) write(kDefault);
    }
    ~DefaultFloatMode() {
        if (read() != caller_) write(caller_);
    }
    DefaultFloatMode(const DefaultFloatMode&) = delete;
    DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

  private:
#if defined(__x86_64__)
    static constexpr uint32_t kDefault = 0x1F80;  // MXCSR
    static uint32_t read() { return __builtin_ia32_stmxcsr(); }
    static void write(uint32_t mode) { __builtin_ia32_ldmxcsr(mode); }
    const uint32_t caller_;
#elif defined(__aarch64__)
    static constexpr uint64_t kDefault = 0;  // FPCR
    static uint64_t read() {
        uint64_t mode;
        __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
        return mode;
    }
    static void write(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
    const uint64_t caller_;
#else
    static constexpr int kDefault = 0;
    static int read() { return kDefault; }
    static void write(int) {}
    const int caller_;
#endif
};

}  // namespace compute_layers
