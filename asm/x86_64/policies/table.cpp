// SPDX-License-Identifier: MIT
// Level asm, AVX2, of the family `table`.
//
// The table is read by scalar loads, many of them in flight: a gather is slower on Zen and no faster
// elsewhere.
#include "../kernel.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

//  Eight lanes at a time. Loads are what the CPU has fewest of, so that two states come by one of them; more
//  would ask too much of the one port that hands them over. The actions leave four by a store.
//
//  rdi  action     rsi  state     rdx  table      rcx  lanes left
//  rax rbx r8 r9 r10 r11 r12 r13  states of lanes 0 to 7                       xmm8  states of lanes 0 1
//  xmm0 xmm1 xmm2 xmm3            actions of lanes 0 1, 2 3, 4 5, 6 7
void act_discrete(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[tensors](%[b])", "%%rdx",               "tensors")
        OP(mov, "(%%rdx)", "%%rdx",                         "table")
        OP(mov, "%c[observation](%[b])", "%%rsi",           "states")
        OP(mov, "%c[action](%[b])", "%%rdi",                "actions")
        OP(mov, "%c[n](%[b])", "%%rcx",                     "lanes")
        LOOP(1)
        MCA_BEGIN("table/discrete lanes=8")
        OP(vmovdqu, "(%%rsi)", X(8),                        "state, lanes 0 1")
        OP(vmovq, X(8), "%%rax",                            "lane 0")
        OP(vpextrq, "$1", X(8), "%%rbx",                    "lane 1")
        OP(mov, "16(%%rsi)", "%%r8",                        "lane 2")
        OP(mov, "24(%%rsi)", "%%r9",                        "lane 3")
        OP(mov, "32(%%rsi)", "%%r10",                       "lane 4")
        OP(mov, "40(%%rsi)", "%%r11",                       "lane 5")
        OP(mov, "48(%%rsi)", "%%r12",                       "lane 6")
        OP(mov, "56(%%rsi)", "%%r13",                       "lane 7")
        OP(vmovq, "(%%rdx,%%rax,8)", X(0),                  "actions[state], lane 0")
        OP(vmovhps, "(%%rdx,%%rbx,8)", X(0), X(0),          "lane 1")
        OP(vmovq, "(%%rdx,%%r8,8)", X(1),                   "lane 2")
        OP(vmovhps, "(%%rdx,%%r9,8)", X(1), X(1),           "lane 3")
        OP(vinserti128, "$1", X(1), Y(0), Y(0),             "lanes 0 to 3")
        OP(vmovdqu, Y(0), "(%%rdi)",                        "action, lanes 0 to 3")
        OP(vmovq, "(%%rdx,%%r10,8)", X(2),                  "actions[state], lane 4")
        OP(vmovhps, "(%%rdx,%%r11,8)", X(2), X(2),          "lane 5")
        OP(vmovq, "(%%rdx,%%r12,8)", X(3),                  "lane 6")
        OP(vmovhps, "(%%rdx,%%r13,8)", X(3), X(3),          "lane 7")
        OP(vinserti128, "$1", X(3), Y(2), Y(2),             "lanes 4 to 7")
        OP(vmovdqu, Y(2), "32(%%rdi)",                      "action, lanes 4 to 7")
        OP(add, "$64", "%%rsi",                             "8 states further")
        OP(add, "$64", "%%rdi",                             "8 actions further")
        OP(sub, "$8", "%%rcx",                              "8 lanes less")
        MCA_END
        OP(jnz, "1b",                                       "next 8 lanes")
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors)
        : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", YMM_CLOBBERS,
          "memory", "cc");
}

//  rax  the state, its action     rdx  table      rdi  action
void act_discrete_single(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[observation](%[b])", "%%rax",           "states")
        OP(mov, "(%%rax)", "%%rax",                         "state")
        OP(mov, "%c[tensors](%[b])", "%%rdx",               "tensors")
        OP(mov, "(%%rdx)", "%%rdx",                         "table")
        OP(mov, "(%%rdx,%%rax,8)", "%%rax",                 "actions[state]")
        OP(mov, "%c[action](%[b])", "%%rdi",                "actions")
        OP(mov, "%%rax", "(%%rdi)",                         "action")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors)
        : "rax", "rdx", "rdi", "memory", "cc");
}

//  Rows of at least a piece, four lanes at a time: piece by piece, and a last piece that ends with the row and
//  may overlap the one before.
//
//  rsi  state                  rdx  table                        rcx  lanes left
//  r8   bytes of a row         r9   of its pieces so far, one more included
//  rax rbx r10 r11  rows of the table for lanes 0 to 3           rdi r12 r13 r14  where they go
#define PIECE(MOVE, R, bytes, end)                                                                       \
    OP(MOVE, "-" #bytes "(%%rax,%%" #end ")", R(0),         "a piece of the row, lane 0")                \
    OP(MOVE, "-" #bytes "(%%rbx,%%" #end ")", R(1),         "lane 1")                                    \
    OP(MOVE, "-" #bytes "(%%r10,%%" #end ")", R(2),         "lane 2")                                    \
    OP(MOVE, "-" #bytes "(%%r11,%%" #end ")", R(3),         "lane 3")                                    \
    OP(MOVE, R(0), "-" #bytes "(%%rdi,%%" #end ")",         "to the action, lane 0")                     \
    OP(MOVE, R(1), "-" #bytes "(%%r12,%%" #end ")",         "lane 1")                                    \
    OP(MOVE, R(2), "-" #bytes "(%%r13,%%" #end ")",         "lane 2")                                    \
    OP(MOVE, R(3), "-" #bytes "(%%r14,%%" #end ")",         "lane 3")

#define BOX(bytes, MOVE, R)                                                                              \
    OP(mov, "%c[tensors](%[b])", "%%rdx",               "tensors")                                       \
    OP(mov, "(%%rdx)", "%%rdx",                         "table")                                         \
    OP(mov, "%c[observation](%[b])", "%%rsi",           "states")                                        \
    OP(mov, "%c[action](%[b])", "%%rdi",                "actions")                                       \
    OP(mov, "%c[n](%[b])", "%%rcx",                     "lanes")                                         \
    OP(mov, "%c[outputs](%[b])", "%%r8",                "numbers in a row")                              \
    OP(shl, "$2", "%%r8",                               "bytes of a row")                                \
    LOOP(1)                                                                                              \
    MCA_BEGIN("table/box piece=" #bytes " lanes=4")                                                      \
    OP(mov, "%%r8", "%%rax",                            "bytes of a row")                                \
    OP(imul, "(%%rsi)", "%%rax",                        "state, lane 0: its place")                      \
    OP(mov, "%%r8", "%%rbx",                            "bytes of a row")                                \
    OP(imul, "8(%%rsi)", "%%rbx",                       "lane 1")                                        \
    OP(mov, "%%r8", "%%r10",                            "bytes of a row")                                \
    OP(imul, "16(%%rsi)", "%%r10",                      "lane 2")                                        \
    OP(mov, "%%r8", "%%r11",                            "bytes of a row")                                \
    OP(imul, "24(%%rsi)", "%%r11",                      "lane 3")                                        \
    OP(add, "%%rdx", "%%rax",                           "the row, lane 0")                               \
    OP(add, "%%rdx", "%%rbx",                           "lane 1")                                        \
    OP(add, "%%rdx", "%%r10",                           "lane 2")                                        \
    OP(add, "%%rdx", "%%r11",                           "lane 3")                                        \
    OP(lea, "(%%rdi,%%r8)", "%%r12",                    "action, lane 1")                                \
    OP(lea, "(%%rdi,%%r8,2)", "%%r13",                  "lane 2")                                        \
    OP(lea, "(%%r12,%%r8,2)", "%%r14",                  "lane 3")                                        \
    OP(mov, "$" #bytes, "%%r9d",                        "a piece")                                       \
    OP(cmp, "%%r8", "%%r9",                             "more than that?")                               \
    OP(jge, "3f",                                       "no")                                            \
    LABEL(2)                                                                                             \
    PIECE(MOVE, R, bytes, r9)                                                                            \
    OP(add, "$" #bytes, "%%r9",                         "one piece more")                                \
    OP(cmp, "%%r8", "%%r9",                             "more than that?")                               \
    OP(jl, "2b",                                        "next piece")                                    \
    LABEL(3)                                                                                             \
    PIECE(MOVE, R, bytes, r8)                                                                            \
    OP(add, "$32", "%%rsi",                             "4 states further")                              \
    OP(lea, "(%%r14,%%r8)", "%%rdi",                    "4 actions further")                             \
    OP(sub, "$4", "%%rcx",                              "4 lanes less")                                  \
    MCA_END                                                                                              \
    OP(jnz, "1b",                                       "next 4 lanes")                                  \
    OP(vzeroupper,                                      "leave no upper halves")

#define BOX_OPERANDS                                                                                     \
    OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, outputs), OFFSET(PolicyBatch, observation),              \
    OFFSET(PolicyBatch, action), OFFSET(PolicyBatch, tensors)
#define BOX_CLOBBERS                                                                                     \
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",             \
    YMM_CLOBBERS, "memory", "cc"

void act_box_8(const PolicyBatch* batch) {
    asm volatile(
        BOX(32, vmovups, Y)
        : [b] "+r"(batch) : BOX_OPERANDS : BOX_CLOBBERS);
}

void act_box_4(const PolicyBatch* batch) {
    asm volatile(
        BOX(16, vmovups, X)
        : [b] "+r"(batch) : BOX_OPERANDS : BOX_CLOBBERS);
}

void act_box_2(const PolicyBatch* batch) {
    asm volatile(
        BOX(8, vmovq, X)
        : [b] "+r"(batch) : BOX_OPERANDS : BOX_CLOBBERS);
}

void act_box_1(const PolicyBatch* batch) {
    asm volatile(
        BOX(4, vmovd, X)
        : [b] "+r"(batch) : BOX_OPERANDS : BOX_CLOBBERS);
}

// clang-format on

}  // namespace

Act* policies::table(const PolicyBatch* policy, bool single) {
    if (policy->head != Head::box) return single ? act_discrete_single : act_discrete;
    if (single) return nullptr;
    if (policy->outputs >= 8) return act_box_8;
    if (policy->outputs >= 4) return act_box_4;
    return policy->outputs >= 2 ? act_box_2 : act_box_1;
}

}  // namespace compute_layers::asm_x86_64
