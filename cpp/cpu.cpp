// SPDX-License-Identifier: MIT
// Own cpuid and xgetbv: __builtin_cpu_supports does not link in every shared-library toolchain.
#include "cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace compute_layers {

#if defined(__x86_64__)

namespace {

struct Registers {
    unsigned a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(unsigned leaf) {
    Registers r;
    __get_cpuid_count(leaf, 0, &r.a, &r.b, &r.c, &r.d);
    return r;
}

constexpr unsigned kAvxState = 0x6;      // XMM and YMM
constexpr unsigned kAvx512State = 0xe6;  // these, the masks, and ZMM0 to ZMM31

// XCR0: which register files the operating system saves. Only where cpuid reports OSXSAVE.
unsigned xgetbv() {
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

}  // namespace

std::string missing(Isa isa) {
    if (isa == Isa::baseline) return "";
    if (isa == Isa::neon) return "isa neon is of AArch64; this is an x86-64 build";
    const Registers basic = cpuid(1), extended = cpuid(7);
    const unsigned saved = basic.c & bit_OSXSAVE ? xgetbv() : 0;
    if (!(basic.c & bit_AVX) || !(extended.b & bit_AVX2)) return "this CPU has no AVX2";
    if (!(basic.c & bit_FMA)) return "this CPU has AVX2 but no FMA";
    if (!(extended.b & bit_BMI2)) return "this CPU has AVX2 but no BMI2";
    if ((saved & kAvxState) != kAvxState) return "this operating system does not save the AVX registers";
    if (isa == Isa::avx2) return "";
    constexpr unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if ((extended.b & avx512) != avx512) return "this CPU has no AVX-512 with F, BW, DQ and VL";
    if ((saved & kAvx512State) != kAvx512State)
        return "this operating system does not save the AVX-512 registers";
    return "";
}

std::string cpu_name() {
    std::string name;
    if (cpuid(0x80000000).a < 0x80000004) return "x86-64";
    for (unsigned leaf = 0x80000002; leaf <= 0x80000004; ++leaf) {
        const Registers r = cpuid(leaf);
        for (const unsigned word : {r.a, r.b, r.c, r.d}) {
            for (int shift = 0; shift < 32; shift += 8) {
                const char letter = static_cast<char>(word >> shift);
                if (letter && !(letter == ' ' && (name.empty() || name.back() == ' '))) name += letter;
            }
        }
    }
    while (!name.empty() && name.back() == ' ') name.pop_back();
    return name;
}

#else

std::string missing(Isa isa) {
    if (isa == Isa::baseline) return "";
    if (isa == Isa::avx2) return "isa avx2 is of x86-64; this build is for another architecture";
    if (isa == Isa::avx512) return "isa avx512 is of x86-64; this build is for another architecture";
#if defined(__aarch64__)
    return "";
#else
    return "isa neon is of AArch64; this build is for another architecture";
#endif
}

std::string cpu_name() {
#if defined(__aarch64__)
    return "AArch64";
#else
    return "unknown";
#endif
}

#endif

}  // namespace compute_layers
