// SPDX-License-Identifier: MIT
// Level asm, AVX2, of the family `constant`.
#include "../kernel.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

//  rdi  action        rcx  lanes left        ymm0  the value, four times
void act_discrete(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[tensors](%[b])", "%%rsi",               "tensors")
        OP(mov, "(%%rsi)", "%%rsi",                         "value")
        OP(vpbroadcastq, "(%%rsi)", Y(0),                   "value, four times")
        OP(mov, "%c[action](%[b])", "%%rdi",                "actions")
        OP(mov, "%c[n](%[b])", "%%rcx",                     "lanes")
        LABEL(1)
        MCA_BEGIN("constant discrete lanes=8")
        OP(vmovdqu, Y(0), "(%%rdi)",                        "action, lanes 0 to 3")
        OP(vmovdqu, Y(0), "32(%%rdi)",                      "action, lanes 4 to 7")
        OP(add, "$64", "%%rdi",                             "8 actions further")
        OP(sub, "$8", "%%rcx",                              "8 lanes less")
        MCA_END
        OP(jnz, "1b",                                       "next 8 lanes")
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors)
        : "rcx", "rsi", "rdi", YMM_CLOBBERS, "memory", "cc");
}

//  Eight actions of k numbers fill k vectors. They are written number by number; then each of the k
//  vectors is repeated at a distance of k vectors.
//
//  rdi  vector v of the first 8 actions      rax  number j, then v          ymm0  vector v
//  rsi  the value                            rcx  actions, then groups of 8 left
//  rdx  k = outputs                          r9   groups of 8 after the first
//  r8   where vector v is repeated           r10  bytes of 8 actions       r11d  value[j]
void act_box(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[tensors](%[b])", "%%rsi",               "tensors")
        OP(mov, "(%%rsi)", "%%rsi",                         "value")
        OP(mov, "%c[action](%[b])", "%%rdi",                "actions")
        OP(mov, "%c[outputs](%[b])", "%%rdx",               "k")
        OP(mov, "%c[n](%[b])", "%%r9",                      "lanes")
        OP(shr, "$3", "%%r9",                               "groups of 8")
        OP(dec, "%%r9",                                     "without the first")
        OP(mov, "%%rdi", "%%r8",                            "the first action")
        OP(mov, "$8", "%%ecx",                              "lanes of the first group")
        LABEL(1)
        OP(xor, "%%eax", "%%eax",                           "j = 0")
        LABEL(2)
        OP(mov, "(%%rsi,%%rax,4)", "%%r11d",                "value[j]")
        OP(mov, "%%r11d", "(%%r8)",                         "action[j] of the lane")
        OP(add, "$4", "%%r8",                               "one number further")
        OP(inc, "%%rax",                                    "j + 1")
        OP(cmp, "%%rdx", "%%rax",                           "j < k?")
        OP(jl, "2b",                                        "next number")
        OP(dec, "%%rcx",                                    "one lane less")
        OP(jnz, "1b",                                       "next lane")
        OP(test, "%%r9", "%%r9",                            "groups after the first?")
        OP(jz, "5f",                                        "none")
        OP(mov, "%%rdx", "%%r10",                           "k")
        OP(shl, "$5", "%%r10",                              "32k bytes")
        OP(mov, "%%rdx", "%%rax",                           "v = k, counted down")
        LABEL(3)
        OP(vmovups, "(%%rdi)", Y(0),                        "vector v")
        OP(lea, "(%%rdi,%%r10)", "%%r8",                    "the same in the second group")
        OP(mov, "%%r9", "%%rcx",                            "groups")
        LABEL(4)
        MCA_BEGIN("constant box lanes=8")
        OP(vmovups, Y(0), "(%%r8)",                         "vector v")
        OP(add, "%%r10", "%%r8",                            "8 lanes further")
        OP(dec, "%%rcx",                                    "one group less")
        MCA_END
        OP(jnz, "4b",                                       "next group")
        OP(add, "$32", "%%rdi",                             "vector v + 1")
        OP(dec, "%%rax",                                    "one vector less")
        OP(jnz, "3b",                                       "next vector")
        LABEL(5)
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, outputs), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors)
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", YMM_CLOBBERS, "memory", "cc");
}

// clang-format on

}  // namespace

Act* policies::constant(Head head, int64_t, int64_t) {
    switch (head) {
        case Head::argmax: return act_discrete;
        case Head::box: return act_box;
        case Head::threshold: break;
    }
    return nullptr;
}

}  // namespace compute_layers::asm_x86_64
