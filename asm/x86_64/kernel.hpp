// SPDX-License-Identifier: MIT
// What all AVX2 kernels share: a notation for instructions, rows of constants, operands for structs.
//
//     OP(vmulpd, Y(x), Y(x), Y(z), "z = x*x")    one instruction; the last argument is its comment
//
// In a section macro x and z are parameters that stand for the numbers of registers.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "batch.hpp"

namespace compute_layers::asm_x86_64 {

// One number in every lane of a vector.
struct alignas(32) Row {
    uint64_t word[kRow];
};
constexpr Row row(uint64_t bits) { return {{bits, bits, bits, bits}}; }
constexpr Row row(double value) { return row(std::bit_cast<uint64_t>(value)); }
constexpr Row row(float value) { return row(uint64_t{std::bit_cast<uint32_t>(value)} * 0x1'0000'0001); }

constexpr uint64_t kAbs = INT64_MAX;                    // all bits of a double but its sign
constexpr uint64_t kOnes = UINT64_MAX;                  // a mask that is set; as an integer, -1
constexpr uint64_t kFlagBytes = 0x0101'0101'0101'0101;  // where pdep puts the flags of 8 lanes

}  // namespace compute_layers::asm_x86_64

// clang-format off

// AT&T order: the destination comes last.
#define OP(...) OP_OF(__VA_ARGS__, OP_4, OP_3, OP_2, OP_1, OP_0, )(__VA_ARGS__)
#define OP_OF(op, a, b, c, d, e, macro, ...) macro
#define OP_0(op, note) "\t" #op "\t# " note "\n"
#define OP_1(op, a, note) "\t" #op " " a "\t# " note "\n"
#define OP_2(op, a, b, note) "\t" #op " " a ", " b "\t# " note "\n"
#define OP_3(op, a, b, c, note) "\t" #op " " a ", " b ", " c "\t# " note "\n"
#define OP_4(op, a, b, c, d, note) "\t" #op " " a ", " b ", " c ", " d "\t# " note "\n"

#define LABEL(n) #n ":\n"
#define LOOP(n) "\t.p2align 5\n" LABEL(n)
#define X(n) "%%xmm" #n
#define Y(n) "%%ymm" #n
#define YMM_CLOBBERS                                                                                   \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",  \
    "xmm12", "xmm13", "xmm14", "xmm15"

// tools/mca.py measures what stands between them; the name may end in "lanes=8".
#define MCA_BEGIN(name) "\t# LLVM-MCA-BEGIN " name "\n"
#define MCA_END "\t# LLVM-MCA-END\n"

// Input operand [field]: the offset of a field in a struct, for use as %c[field](base). GCC allows 30
// operands, too few for the constants as well:
#define OFFSET(Struct, field) [field] "i"(offsetof(Struct, field))

// A table of constants from one list, `#define LIST(ROW) ROW(one, row(1.0)) ROW(abs, row(kAbs)) …`:
//     struct Constants { LIST(ROW_FIELD) };
//     constexpr Constants kConstants = { LIST(ROW_VALUE) };
// ROW_OFFSETS(LIST) at the top of the asm text defines the assembler's symbol .Lk_one, the offset of that
// row; K(one) is the operand, relative to [k] "r"(&kConstants).
#define ROW_FIELD(name, value) Row name;
#define ROW_VALUE(name, value) value,
#define ROW_OFFSET(name, value) "\t.set .Lk_" #name ", .Lnext\n\t.set .Lnext, .Lnext + 32\n"
#define ROW_OFFSETS(LIST) "\t.set .Lnext, 0\n" LIST(ROW_OFFSET)
#define K(name) ".Lk_" #name "(%[k])"

// clang-format on

static_assert(sizeof(compute_layers::asm_x86_64::Row) == 32);
