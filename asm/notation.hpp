// SPDX-License-Identifier: MIT
// What the kernels of all architectures share: a notation for instructions, rows of constants, operands for
// structs.
//
//     OP(vmulpd, Y(x), Y(x), Y(z), "z = x*x")    one instruction; the last argument is its comment
//
// In a section macro x and z are parameters that stand for the numbers of registers. The order of an
// instruction's operands is that of the architecture's assembler, and so are the names of registers; they
// stand in its kernel.hpp, which also defines NOTE(text), a comment to the end of the line.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "batch.hpp"

namespace compute_layers {

// One number in every lane of a vector, as params have it in Batch::rows.
struct alignas(32) Row {
    uint64_t word[kRow];
};
static_assert(sizeof(Row) == 32);
constexpr Row row(uint64_t bits) { return {{bits, bits, bits, bits}}; }
constexpr Row row(double value) { return row(std::bit_cast<uint64_t>(value)); }
constexpr Row row(float value) { return row(uint64_t{std::bit_cast<uint32_t>(value)} * 0x1'0000'0001); }

constexpr uint64_t kAbs = INT64_MAX;    // all bits of a double but its sign
constexpr uint64_t kOnes = UINT64_MAX;  // a mask that is set; as an integer, -1

}  // namespace compute_layers

// clang-format off

#define OP(...) OP_OF(__VA_ARGS__, OP_4, OP_3, OP_2, OP_1, OP_0, )(__VA_ARGS__)
#define OP_OF(op, a, b, c, d, e, macro, ...) macro
#define OP_0(op, note) "\t" #op NOTE(note)
#define OP_1(op, a, note) "\t" #op " " a NOTE(note)
#define OP_2(op, a, b, note) "\t" #op " " a ", " b NOTE(note)
#define OP_3(op, a, b, c, note) "\t" #op " " a ", " b ", " c NOTE(note)
#define OP_4(op, a, b, c, d, note) "\t" #op " " a ", " b ", " c ", " d NOTE(note)

#define LABEL(n) #n ":\n"
#define LOOP(n) "\t.p2align 5\n" LABEL(n)

// tools/mca.py measures what stands between them; the name may end in "lanes=8".
#define MCA_BEGIN(name) NOTE("LLVM-MCA-BEGIN " name)
#define MCA_END NOTE("LLVM-MCA-END")

// Input operand [field]: the offset of a field in a struct, a plain number in the text. GCC allows 30
// operands, too few for the constants as well:
#define OFFSET(Struct, field) [field] "i"(offsetof(Struct, field))

// A table of constants from one list, `#define LIST(ROW) ROW(one, row(1.0)) ROW(abs, row(kAbs)) …`:
//     struct Constants { LIST(ROW_FIELD) };
//     constexpr Constants kConstants = { LIST(ROW_VALUE) };
// ROW_OFFSETS(LIST) at the top of the asm text defines the assembler's symbol .Lk_one, the offset of that
// row; K(one), in kernel.hpp, is the operand, relative to [k] "r"(&kConstants).
#define ROW_FIELD(name, value) Row name;
#define ROW_VALUE(name, value) value,
#define ROW_OFFSET(name, value) "\t.set .Lk_" #name ", .Lnext\n\t.set .Lnext, .Lnext + 32\n"
#define ROW_OFFSETS(LIST) "\t.set .Lnext, 0\n" LIST(ROW_OFFSET)

// clang-format on
