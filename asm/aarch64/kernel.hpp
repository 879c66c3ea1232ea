// SPDX-License-Identifier: MIT
// What all NEON kernels share besides the notation. The destination comes first, but for stores.
//
// General registers x0-x17, x19-x28 and x30 may be used, x18 (the platform's), x29 (the frame) and sp may
// not. A clobber list keeps what a caller may rely on: x19-x28, x30, and the low halves of v8-v15. FPCR is
// left alone.
//
// fmla and fmls round once: in policies whose specification is fused, and where the product is exact.
#pragma once

#include "../notation.hpp"

// clang-format off

#define NOTE(text) "\t// " text "\n"

// A vector register: whole, for loads and stores; as lanes; its first lane alone.
#define Q(n) "q" #n
#define D2(n) "v" #n ".2d"
#define S4(n) "v" #n ".4s"
#define S2(n) "v" #n ".2s"
#define H8(n) "v" #n ".8h"
#define H4(n) "v" #n ".4h"
#define B16(n) "v" #n ".16b"
#define B8(n) "v" #n ".8b"
#define D(n) "d" #n
#define S(n) "s" #n
// One lane of it, as an operand or for moves.
#define D_OF(n, lane) "v" #n ".d[" #lane "]"
#define S_OF(n, lane) "v" #n ".s[" #lane "]"

// Nothing of v0-v7 and v16-v31 is the caller's, so that a kernel content with them saves nothing.
#define FREE_V_CLOBBERS                                                                                \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22",   \
    "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"
#define V_CLOBBERS                                                                                     \
    FREE_V_CLOBBERS, "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15"

// A field of the batch, whose operand is [b] "r" or "+r", by its OFFSET; and a field of a struct elsewhere.
#define B(field) "[%[b], %[" #field "]]"
#define AT(base, field) "[" base ", %[" #field "]]"

// A row of constants: OP(ldr, Q(0), K(one), "1").
#define K(name) "[%[k], .Lk_" #name "]"

// clang-format on
