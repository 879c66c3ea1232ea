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
        MCA_BEGIN("constant/discrete lanes=8")
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

//  Eight actions of k numbers, which are k vectors, are written number by number. Then what is written is
//  doubled until all actions are.
//
//  rdi  actions                       rax  number j of the action        rdx  k = outputs
//  rsi  the value                     rcx  lanes left, of the first 8    r8   where the next number goes
//  r9   bytes written                 r10  bytes of all actions          r11  value[j]
//  then: rdx  where they continue     rcx  bytes to copy                 rax  bytes copied
void act_box(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[tensors](%[b])", "%%rsi",               "tensors")
        OP(mov, "(%%rsi)", "%%rsi",                         "value")
        OP(mov, "%c[action](%[b])", "%%rdi",                "actions")
        OP(mov, "%c[outputs](%[b])", "%%rdx",               "k")
        OP(mov, "%c[n](%[b])", "%%r10",                     "n")
        OP(imul, "%%rdx", "%%r10",                          "n*k")
        OP(shl, "$2", "%%r10",                              "bytes of all actions")
        OP(mov, "%%rdi", "%%r8",                            "the first number")
        OP(mov, "$8", "%%ecx",                              "8 lanes")
        LABEL(1)
        OP(xor, "%%eax", "%%eax",                           "j = 0")
        LABEL(2)
        OP(mov, "(%%rsi,%%rax,4)", "%%r11d",                "value[j]")
        OP(mov, "%%r11d", "(%%r8)",                         "action[j]")
        OP(add, "$4", "%%r8",                               "one number further")
        OP(inc, "%%rax",                                    "j + 1")
        OP(cmp, "%%rdx", "%%rax",                           "j < k?")
        OP(jl, "2b",                                        "next number")
        OP(dec, "%%rcx",                                    "one lane less")
        OP(jnz, "1b",                                       "next lane")
        OP(mov, "%%rdx", "%%r9",                            "k")
        OP(shl, "$5", "%%r9",                               "bytes written")
        LABEL(3)
        OP(mov, "%%r10", "%%rcx",                           "all bytes")
        OP(sub, "%%r9", "%%rcx",                            "bytes to write")
        OP(jz, "6f",                                        "none")
        OP(cmp, "%%r9", "%%rcx",                            "more than are written?")
        OP(cmovg, "%%r9", "%%rcx",                          "then as many")
        OP(lea, "(%%rdi,%%r9)", "%%rdx",                    "where they continue")
        OP(add, "%%rcx", "%%r9",                            "bytes written by then")
        OP(xor, "%%eax", "%%eax",                           "nothing copied")
        OP(test, "$32", "%%cl",                             "an odd vector?")
        OP(jz, "5f",                                        "no")
        OP(vmovups, "(%%rdi)", Y(0),                        "the first vector")
        OP(vmovups, Y(0), "(%%rdx)",                        "again")
        OP(mov, "$32", "%%eax",                             "one vector copied")
        OP(jmp, "5f",                                       "pairs")
        LABEL(4)
        MCA_BEGIN("constant/box")
        OP(vmovups, "(%%rdi,%%rax)", Y(0),                  "a pair of vectors")
        OP(vmovups, "32(%%rdi,%%rax)", Y(1),                "its second")
        OP(vmovups, Y(0), "(%%rdx,%%rax)",                  "again")
        OP(vmovups, Y(1), "32(%%rdx,%%rax)",                "its second")
        OP(add, "$64", "%%rax",                             "bytes copied")
        LABEL(5)
        OP(cmp, "%%rcx", "%%rax",                           "all?")
        MCA_END
        OP(jl, "4b",                                        "next pair")
        OP(jmp, "3b",                                       "twice as many")
        LABEL(6)
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, outputs), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors)
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", YMM_CLOBBERS, "memory", "cc");
}

// clang-format on

}  // namespace

Act* policies::constant(const PolicyBatch* policy, bool single) {
    if (single) return nullptr;
    return policy->head == Head::box ? act_box : act_discrete;
}

}  // namespace compute_layers::asm_x86_64
