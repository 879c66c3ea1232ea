// SPDX-License-Identifier: MIT
// Level asm, AVX2 and FMA, of the family `linear`: y_r = b_r + W[r]*x, fused, k ascending, for 8 observations
// at a time, then one of the three heads. Comments in the words of python/compute_layers/policies/linear.py.
//
// The kernels are put together from sections:
//
//     act_<head>           TRANSPOSE, then CHAINS_4 and CHAIN_1 over the rows r, each y_r followed by the
//                          head's section
//     act_<head>_partial   PARTIAL_SUMS over the rows r, with the same heads; 32 inputs or more, up to 8 rows
//     act_four_<head>      four inputs, one or two rows: everything stays in registers
#include "layer.hpp"
#include "registry.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        ARGMAX_BEGIN
        LABEL(1)
        TRANSPOSE
        FIRST_ROW
        EACH_CHAIN(ARGMAX)
        ARGMAX_LAST
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        LABEL(1)
        TRANSPOSE
        FIRST_ROW
        CHAIN_1
        THRESHOLD(0)
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BOX_BEGIN
        LABEL(1)
        TRANSPOSE
        FIRST_ROW
        EACH_CHAIN(BOX)
        BOX_LAST
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_argmax_partial(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BEGIN_PARTIAL
        ARGMAX_BEGIN
        LABEL(1)
        FIRST_ROW
        EACH_PARTIAL(ARGMAX)
        ARGMAX_LAST
        NEXT_PARTIAL
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_threshold_partial(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BEGIN_PARTIAL
        LABEL(1)
        FIRST_ROW
        PARTIAL_SUMS
        THRESHOLD(0)
        NEXT_PARTIAL
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_box_partial(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        BEGIN_PARTIAL
        BOX_BEGIN
        LABEL(1)
        FIRST_ROW
        EACH_PARTIAL(BOX)
        BOX_LAST
        NEXT_PARTIAL
        NEXT_GROUP
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

// x_0 .. x_3 of 8 observations into ymm0-3. The order of lanes is the one in which unpacking flags with zeros
// gives the int64 actions 0 to 3 and 4 to 7.
#define TRANSPOSE_FOUR                                                                                   \
    OP(vmovups, "(%%rdi)", X(0),                            "x of lane 0")                               \
    OP(vmovups, "16(%%rdi)", X(1),                          "lane 1")                                    \
    OP(vmovups, "64(%%rdi)", X(2),                          "lane 4")                                    \
    OP(vmovups, "80(%%rdi)", X(3),                          "lane 5")                                    \
    OP(vinsertf128, "$1", "32(%%rdi)", Y(0), Y(0),          "lanes 0, 2")                                \
    OP(vinsertf128, "$1", "48(%%rdi)", Y(1), Y(1),          "lanes 1, 3")                                \
    OP(vinsertf128, "$1", "96(%%rdi)", Y(2), Y(2),          "lanes 4, 6")                                \
    OP(vinsertf128, "$1", "112(%%rdi)", Y(3), Y(3),         "lanes 5, 7")                                \
    OP(vunpcklps, Y(1), Y(0), Y(4),                         "x_0, x_1 of lanes 0 1, 2 3")                \
    OP(vunpcklps, Y(3), Y(2), Y(6),                         "x_0, x_1 of lanes 4 5, 6 7")                \
    OP(vunpckhps, Y(1), Y(0), Y(5),                         "x_2, x_3 of lanes 0 1, 2 3")                \
    OP(vunpckhps, Y(3), Y(2), Y(7),                         "x_2, x_3 of lanes 4 5, 6 7")                \
    OP(vunpcklpd, Y(6), Y(4), Y(0),                         "x_0 of lanes 0 1 4 5, 2 3 6 7")             \
    OP(vunpckhpd, Y(6), Y(4), Y(1),                         "x_1")                                       \
    OP(vunpcklpd, Y(7), Y(5), Y(2),                         "x_2")                                       \
    OP(vunpckhpd, Y(7), Y(5), Y(3),                         "x_3")

//  rdi  observations   rcx  lanes left   ymm0-3    x_0 .. x_3, then y in ymm0      ymm11     b
//  r12  actions        rsi  scratch      ymm4-7    scratch                        ymm12-15  W[0,0] .. W[0,3]
//                                        ymm10     0.0
void act_four_threshold(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[observation](%[b])", "%%rdi",           "observations")
        OP(mov, "%c[action](%[b])", "%%r12",                "actions")
        OP(mov, "%c[n](%[b])", "%%rcx",                     "lanes")
        OP(mov, "%c[tensors](%[b])", "%[b]",                "tensors")
        OP(mov, "(%[b])", "%%rsi",                          "W")
        OP(mov, "%c[second](%[b])", "%[b]",                 "b")
        OP(vbroadcastss, "(%%rsi)", Y(12),                  "W[0,0]")
        OP(vbroadcastss, "4(%%rsi)", Y(13),                 "W[0,1]")
        OP(vbroadcastss, "8(%%rsi)", Y(14),                 "W[0,2]")
        OP(vbroadcastss, "12(%%rsi)", Y(15),                "W[0,3]")
        OP(vbroadcastss, "(%[b])", Y(11),                   "b_0")
        OP(vxorps, X(10), X(10), X(10),                     "0.0")
        LABEL(1)
        MCA_BEGIN("linear/four_threshold lanes=8")
        TRANSPOSE_FOUR
        OP(vfmadd213ps, Y(11), Y(12), Y(0),                 "y = b_0 + W[0,0]*x_0")
        OP(vfmadd231ps, Y(1), Y(13), Y(0),                  "y + W[0,1]*x_1")
        OP(vfmadd231ps, Y(2), Y(14), Y(0),                  "y + W[0,2]*x_2")
        OP(vfmadd231ps, Y(3), Y(15), Y(0),                  "y + W[0,3]*x_3")
        OP(vcmpgt_oqps, Y(10), Y(0), Y(0),                  "y > 0")
        OP(vpsrld, "$31", Y(0), Y(0),                       "1 or 0")
        OP(vpunpckldq, Y(10), Y(0), Y(1),                   "int64, lanes 0 to 3")
        OP(vpunpckhdq, Y(10), Y(0), Y(2),                   "int64, lanes 4 to 7")
        OP(vmovdqu, Y(1), "(%%r12)",                        "action, lanes 0 to 3")
        OP(vmovdqu, Y(2), "32(%%r12)",                      "action, lanes 4 to 7")
        OP(sub, "$-128", "%%rdi",                           "8 observations further")
        OP(add, "$64", "%%r12",                             "8 actions further")
        OP(sub, "$8", "%%rcx",                              "8 lanes less")
        MCA_END
        OP(jnz, "1b",                                       "next 8 lanes")
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors), SECOND_TENSOR
        : "rcx", "rsi", "rdi", "r12", YMM_CLOBBERS, "memory", "cc");
}

//  As above with two rows: ymm8-11 W[0,k], ymm12-15 W[1,k], ymm4 and ymm5 y_0 and y_1, ymm6 0.0.
void act_four_argmax(const PolicyBatch* batch) {
    asm volatile(
        OP(mov, "%c[observation](%[b])", "%%rdi",           "observations")
        OP(mov, "%c[action](%[b])", "%%r12",                "actions")
        OP(mov, "%c[n](%[b])", "%%rcx",                     "lanes")
        OP(mov, "%c[tensors](%[b])", "%[b]",                "tensors")
        OP(mov, "(%[b])", "%%rsi",                          "W")
        OP(mov, "%c[second](%[b])", "%[b]",                 "b")
        OP(vbroadcastss, "(%%rsi)", Y(8),                   "W[0,0]")
        OP(vbroadcastss, "4(%%rsi)", Y(9),                  "W[0,1]")
        OP(vbroadcastss, "8(%%rsi)", Y(10),                 "W[0,2]")
        OP(vbroadcastss, "12(%%rsi)", Y(11),                "W[0,3]")
        OP(vbroadcastss, "16(%%rsi)", Y(12),                "W[1,0]")
        OP(vbroadcastss, "20(%%rsi)", Y(13),                "W[1,1]")
        OP(vbroadcastss, "24(%%rsi)", Y(14),                "W[1,2]")
        OP(vbroadcastss, "28(%%rsi)", Y(15),                "W[1,3]")
        LABEL(1)
        MCA_BEGIN("linear/four_argmax lanes=8")
        TRANSPOSE_FOUR
        OP(vbroadcastss, "(%[b])", Y(4),                    "y_0 = b_0")
        OP(vbroadcastss, "4(%[b])", Y(5),                   "y_1 = b_1")
        OP(vfmadd231ps, Y(0), Y(8), Y(4),                   "y_0 + W[0,0]*x_0")
        OP(vfmadd231ps, Y(0), Y(12), Y(5),                  "y_1 + W[1,0]*x_0")
        OP(vfmadd231ps, Y(1), Y(9), Y(4),                   "y_0 + W[0,1]*x_1")
        OP(vfmadd231ps, Y(1), Y(13), Y(5),                  "y_1 + W[1,1]*x_1")
        OP(vfmadd231ps, Y(2), Y(10), Y(4),                  "y_0 + W[0,2]*x_2")
        OP(vfmadd231ps, Y(2), Y(14), Y(5),                  "y_1 + W[1,2]*x_2")
        OP(vfmadd231ps, Y(3), Y(11), Y(4),                  "y_0 + W[0,3]*x_3")
        OP(vfmadd231ps, Y(3), Y(15), Y(5),                  "y_1 + W[1,3]*x_3")
        OP(vxorps, X(6), X(6), X(6),                        "0")
        OP(vcmpgt_oqps, Y(4), Y(5), Y(0),                   "y_1 > y_0")
        OP(vpsrld, "$31", Y(0), Y(0),                       "1 or 0")
        OP(vpunpckldq, Y(6), Y(0), Y(1),                    "int64, lanes 0 to 3")
        OP(vpunpckhdq, Y(6), Y(0), Y(2),                    "int64, lanes 4 to 7")
        OP(vmovdqu, Y(1), "(%%r12)",                        "action, lanes 0 to 3")
        OP(vmovdqu, Y(2), "32(%%r12)",                      "action, lanes 4 to 7")
        OP(sub, "$-128", "%%rdi",                           "8 observations further")
        OP(add, "$64", "%%r12",                             "8 actions further")
        OP(sub, "$8", "%%rcx",                              "8 lanes less")
        MCA_END
        OP(jnz, "1b",                                       "next 8 lanes")
        OP(vzeroupper,                                      "leave no upper halves")
        : [b] "+r"(batch)
        : OFFSET(PolicyBatch, n), OFFSET(PolicyBatch, observation), OFFSET(PolicyBatch, action),
          OFFSET(PolicyBatch, tensors), SECOND_TENSOR
        : "rcx", "rsi", "rdi", "r12", YMM_CLOBBERS, "memory", "cc");
}

// clang-format on

}  // namespace

Act* policies::linear(const PolicyBatch* policy, bool single) {
    if (single) return nullptr;
    const int64_t inputs = policy->inputs, outputs = policy->outputs;
    const bool partial = inputs >= 32 && (policy->head == Head::threshold || outputs <= 8);
    switch (policy->head) {
        case Head::argmax:
            if (inputs == 4 && outputs == 2) return act_four_argmax;
            return partial ? act_argmax_partial : act_argmax;
        case Head::threshold:
            if (inputs == 4) return act_four_threshold;
            return partial ? act_threshold_partial : act_threshold;
        case Head::box:
            return partial ? act_box_partial : act_box;
        case Head::vote:
            break;
    }
    return nullptr;
}

}  // namespace compute_layers::asm_x86_64
