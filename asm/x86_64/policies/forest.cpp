// SPDX-License-Identifier: MIT
// Level asm, AVX2, of the family `forest`: for a tile of up to 8 groups of 8 observations, or for one
// observation, tree after tree adds a vote or numbers; then a head. Comments in the words of
// python/compute_layers/policies/{tree,forest}.py.
#include "registry.hpp"
#include "trees.hpp"

namespace compute_layers::asm_x86_64 {
namespace {

// clang-format off

#define OPERANDS                                                                                         \
    WALK_OPERANDS, BATCH_OPERANDS, OFFSET(Room, tree), OFFSET(Room, remaining), OFFSET(Room, groups),    \
    OFFSET(Room, more), OFFSET(PackedTrees, words),                                                      \
    [next_tree] "i"(sizeof(PackedTree))

// What a walk starts with stays in registers while the trees are walked through; from memory it would come
// later.
//
//  xmm4  y behind the last group   xmm5, xmm6  bytes from group to group of y, x   xmm7  y of the group
//  xmm8  nodes   xmm9  leaves   xmm10  depth   xmm11  links   xmm12  x of the group
#define LOAD_TREE                                                                                        \
    OP(vmovq, "%c[nodes](%%r12)", X(8),                     "nodes")                                     \
    OP(vmovq, "%c[leaves](%%r12)", X(9),                    "leaves")                                    \
    OP(vmovq, "(%%r12)", X(10),                             "depth")                                     \
    OP(vmovq, "%c[links](%%r12)", X(11),                    "links")
#define START                                                                                            \
    OP(vmovq, X(12), "%%rdi",                               "x")                                         \
    OP(vmovq, X(8), "%%rsi",                                "nodes")                                     \
    OP(vmovq, X(10), "%%r14",                               "depth")
#define LINKS OP(vmovq, X(11), "%%r14", "links")
#define LEAVES OP(vmovq, X(9), "%%rsi", "leaves")

// Room in r14; x in rdi and y in rdx are those of the tile's first group, rsi bytes of a group's words.
#define FIRST_OF_TILE                                                                                    \
    OP(mov, "%c[scratch](%[b])", "%%r14",                   "room")                                      \
    OP(mov, "%c[groups](%%r14)", "%%rax",                   "groups")                                    \
    OP(mov, "%%rax", "%c[more](%%r14)",                     "all to do")                                 \
    OP(mov, "%c[packed](%[b])", "%%rsi",                    "packed")                                    \
    OP(mov, "%c[words](%%rsi)", "%%rsi",                    "words of an observation")                   \
    OP(shl, "$6", "%%rsi",                                  "bytes of a group's")                        \
    OP(lea, "%c[words_at](%%r14)", "%%rdi",                 "x")                                         \
    OP(lea, "(%%rdi,%%rsi,8)", "%%rdx",                     "y, behind the words of 8 groups")

// Words of all groups, and y = nothing for them, which register `nothing` has. LOAD_ROWS loads the rows to
// rcx.
#define TILE_BEGIN(nothing, LOAD_ROWS)                                                                   \
    LABEL(1)                                                                                             \
    OP(mov, "%c[scratch](%[b])", "%%r14",                   "room")                                      \
    OP(mov, "%c[left](%%r14)", "%%rax",                     "lanes left")                                \
    OP(shr, "$3", "%%rax",                                  "groups left")                               \
    OP(mov, "$8", "%%ecx",                                  "a tile has 8")                              \
    OP(cmp, "%%rcx", "%%rax",                               "more?")                                     \
    OP(cmova, "%%rcx", "%%rax",                             "then 8")                                    \
    OP(mov, "%%rax", "%c[groups](%%r14)",                   "groups")                                    \
    FIRST_OF_TILE                                                                                        \
    LABEL(2)                                                                                             \
    OP(vmovq, "%%rdi", X(12),                               "x")                                         \
    WORDS                                                                                                \
    OP(mov, "%c[packed](%[b])", "%%rsi",                    "packed")                                    \
    OP(mov, "%c[words](%%rsi)", "%%rsi",                    "words of an observation")                   \
    OP(shl, "$6", "%%rsi",                                  "bytes of a group's")                        \
    OP(vmovq, X(12), "%%rdi",                               "x")                                         \
    OP(add, "%%rsi", "%%rdi",                               "x of the next group")                       \
    OP(decq, "%c[more](%%r14)",                             "groups left")                               \
    OP(jnz, "2b",                                           "next group")                                \
    FIRST_OF_TILE                                                                                        \
    LOAD_ROWS                                                                                            \
    OP(imul, "%%rcx", "%%rax",                              "rows of all groups")                        \
    LABEL(3)                                                                                             \
    OP(vmovaps, Y(nothing), "(%%rdx)",                      "y_r = nothing")                             \
    OP(add, "$32", "%%rdx",                                 "r + 1")                                     \
    OP(dec, "%%rax",                                        "rows left")                                 \
    OP(jnz, "3b",                                           "next row")                                  \
    OP(shl, "$5", "%%rcx",                                  "bytes of a group's y")                      \
    OP(vmovq, "%%rcx", X(5),                                "from group to group")

#define ONE_ROW OP(mov, "$1", "%%ecx", "one row")
#define ALL_ROWS OP(mov, "%c[outputs](%[b])", "%%rcx", "rows")

// ADD adds what tree after tree has for the lanes of group after group, to y in rdi.
#define TREES(ADD)                                                                                       \
    FIRST_TREE                                                                                           \
    OP(mov, "%%r12", "%c[tree](%%r14)",                     "tree")                                      \
    OP(mov, "%c[packed](%[b])", "%%rax",                    "packed")                                    \
    OP(mov, "(%%rax)", "%%rax",                             "trees")                                     \
    OP(mov, "%%rax", "%c[remaining](%%r14)",                "all to do")                                 \
    LABEL(4)                                                                                             \
    FIRST_OF_TILE                                                                                        \
    OP(vmovq, "%%rdi", X(12),                               "x")                                         \
    OP(vmovq, "%%rdx", X(7),                                "y")                                         \
    OP(vmovq, "%%rsi", X(6),                                "from group to group")                       \
    OP(vmovq, X(5), "%%rcx",                                "bytes of a group's y")                      \
    OP(imul, "%%rax", "%%rcx",                              "of all groups'")                            \
    OP(add, "%%rcx", "%%rdx",                               "y behind the last")                         \
    OP(vmovq, "%%rdx", X(4),                                "y behind the last")                         \
    OP(mov, "%c[tree](%%r14)", "%%r12",                     "tree")                                      \
    LOAD_TREE                                                                                            \
    LABEL(5)                                                                                             \
    WALK(START, LINKS, LEAVES)                                                                           \
    OP(vmovq, X(7), "%%rdi",                                "y")                                         \
    ADD                                                                                                  \
    OP(vpaddq, X(6), X(12), X(12),                          "x of the next group")                       \
    OP(vpaddq, X(5), X(7), X(7),                            "y of the next group")                       \
    OP(vmovq, X(7), "%%rdi",                                "y")                                         \
    OP(vmovq, X(4), "%%r12",                                "y behind the last")                         \
    OP(cmp, "%%r12", "%%rdi",                               "a group left?")                             \
    OP(jne, "5b",                                           "next group")                                \
    OP(mov, "%c[scratch](%[b])", "%%r14",                   "room")                                      \
    OP(addq, "%[next_tree]", "%c[tree](%%r14)",             "tree")                                      \
    OP(decq, "%c[remaining](%%r14)",                        "trees left")                                \
    OP(jnz, "4b",                                           "next tree")

#define COUNT(i, k, low) OP(incl, "4*" #i "(%%rdi," k ",4)", "votes of the action + 1")
#define ADD_VOTES EACH_K(COUNT)

#define ADD_NUMBERS(LOAD_ROWS)                                                                           \
    OP(mov, "%c[packed](%[b])", "%%rsi",                    "packed")                                    \
    OP(mov, "%c[numbers](%%rsi)", "%%rsi",                  "numbers")                                   \
    LOAD_ROWS                                                                                            \
    LABEL(31)                                                                                            \
    MCA_BEGIN("forest/add lanes=8")                                                                      \
    OP(vmovss, "(%%rsi,%%rax,4)", X(0),                     "number r of the leaf, lane 0")              \
    OP(vmovss, "(%%rsi,%%r8,4)", X(1),                      "lane 4")                                    \
    OP(vinsertps, "$0x10", "(%%rsi,%%rbx,4)", X(0), X(0),   "lane 1")                                    \
    OP(vinsertps, "$0x10", "(%%rsi,%%r9,4)", X(1), X(1),    "lane 5")                                    \
    OP(vinsertps, "$0x20", "(%%rsi,%%rcx,4)", X(0), X(0),   "lane 2")                                    \
    OP(vinsertps, "$0x20", "(%%rsi,%%r10,4)", X(1), X(1),   "lane 6")                                    \
    OP(vinsertps, "$0x30", "(%%rsi,%%rdx,4)", X(0), X(0),   "lane 3")                                    \
    OP(vinsertps, "$0x30", "(%%rsi,%%r11,4)", X(1), X(1),   "lane 7")                                    \
    OP(vinsertf128, "$1", X(1), Y(0), Y(0),                 "number r")                                  \
    OP(vaddps, "(%%rdi)", Y(0), Y(0),                       "y_r + number r")                            \
    OP(vmovaps, Y(0), "(%%rdi)",                            "y_r")                                       \
    OP(add, "$4", "%%rsi",                                  "r + 1")                                     \
    OP(add, "$32", "%%rdi",                                 "r + 1")                                     \
    OP(dec, "%%r14",                                        "rows left")                                 \
    MCA_END                                                                                              \
    OP(jnz, "31b",                                          "next row")

#define TO_ADD_ONE OP(mov, "$1", "%%r14d", "one row")
#define TO_ADD_ALL OP(mov, "%c[outputs](%[b])", "%%r14", "rows")

// HEAD makes actions of the y of group after group.
#define DECIDE(HEAD)                                                                                     \
    FIRST_OF_TILE                                                                                        \
    OP(mov, "%%rdx", "%%r8",                                "y")                                         \
    LABEL(6)                                                                                             \
    OP(mov, "%c[chosen](%%r14)", "%%r12",                   "action of lane 0")                          \
    OP(xor, "%%r11d", "%%r11d",                             "r = 0")                                     \
    HEAD##_BEGIN                                                                                         \
    LABEL(7)                                                                                             \
    OP(vmovaps, "(%%r8)", Y(0),                             "y_r")                                       \
    OP(add, "$32", "%%r8",                                  "y_r+1")                                     \
    HEAD(0)                                                                                              \
    OP(cmp, "%%rbx", "%%r11",                               "a row left?")                               \
    OP(jl, "7b",                                            "next row")                                  \
    HEAD##_LAST                                                                                          \
    OP(mov, "%c[scratch](%[b])", "%%r14",                   "room")                                      \
    OP(mov, "%%r12", "%c[chosen](%%r14)",                   "the next group")                            \
    OP(subq, "$8", "%c[left](%%r14)",                       "8 lanes less")                              \
    OP(decq, "%c[more](%%r14)",                             "groups left")                               \
    OP(jnz, "6b",                                           "next group")                                \
    OP(cmpq, "$0", "%c[left](%%r14)",                       "lanes left?")                               \
    OP(jne, "1b",                                           "next tile")                                 \
    OP(vzeroupper,                                          "leave no upper halves")

// As ARGMAX, of integers.
#define VOTE_BEGIN ARGMAX_BEGIN
#define VOTE(y)                                                                                          \
    OP(test, "%%r11", "%%r11",                              "r = 0?")                                    \
    OP(jnz, "41f",                                          "no")                                        \
    OP(vmovdqa, Y(y), Y(10),                                "most = y_0")                                \
    OP(vpxor, X(11), X(11), X(11),                          "its action")                                \
    LABEL(41)                                                                                            \
    OP(vmovd, "%%r11d", X(9),                               "r")                                         \
    OP(vpbroadcastd, X(9), Y(9),                            "r")                                         \
    OP(vpcmpgtd, Y(10), Y(y), Y(8),                         "y_r > most")                                \
    OP(vpmaxsd, Y(10), Y(y), Y(10),                         "most")                                      \
    OP(vblendvps, Y(8), Y(9), Y(11), Y(11),                 "its action")                                \
    OP(inc, "%%r11",                                        "r + 1")
#define VOTE_LAST ARGMAX_LAST

void act_vote(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(13, ALL_ROWS)
        TREES(ADD_VOTES)
        DECIDE(VOTE)
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(15, ALL_ROWS)
        TREES(ADD_NUMBERS(TO_ADD_ALL))
        DECIDE(ARGMAX)
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(15, ONE_ROW)
        TREES(ADD_NUMBERS(TO_ADD_ONE))
        DECIDE(THRESHOLD)
        : [b] "+r"(batch) : OPERANDS : CLOBBERS);
}

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(15, ALL_ROWS)
        TREES(ADD_NUMBERS(TO_ADD_ALL))
        DECIDE(BOX)
        : [b] "+r"(batch) : OPERANDS, OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high) : CLOBBERS);
}

// r9  y   rbx  its rows   r10  trees left; ADD adds what a tree has for the observation.
#define SINGLE(LOAD_ROWS, NOTHING, ADD)                                                                  \
    FIRST_WORDS                                                                                          \
    SINGLE_WORDS                                                                                         \
    FIRST_WORDS                                                                                          \
    OP(mov, "%c[packed](%[b])", "%%r13",                    "packed")                                    \
    FIRST_TREE                                                                                           \
    OP(mov, "%c[words](%%r13)", "%%r9",                     "words")                                     \
    OP(lea, "(%%rdi,%%r9,8)", "%%r9",                       "y")                                         \
    LOAD_ROWS                                                                                            \
    OP(mov, "%%rcx", "%%rbx",                               "rows")                                      \
    OP(mov, "%%r9", "%%r8",                                 "y_0")                                       \
    LABEL(3)                                                                                             \
    NOTHING                                                                                              \
    OP(dec, "%%rcx",                                        "rows left")                                 \
    OP(jnz, "3b",                                           "next row")                                  \
    OP(mov, "(%%r13)", "%%r10",                             "trees")                                     \
    LABEL(4)                                                                                             \
    SINGLE_WALK                                                                                          \
    ADD                                                                                                  \
    OP(add, "%[next_tree]", "%%r12",                        "tree")                                      \
    OP(dec, "%%r10",                                        "trees left")                                \
    OP(jnz, "4b",                                           "next tree")                                 \
    OP(mov, "%%r9", "%%r8",                                 "y_0")                                       \
    OP(mov, "%c[action](%[b])", "%%rdi",                    "action")

// Counters stand as far apart as those of 8 lanes.
#define NO_VOTE                                                                                          \
    OP(movl, "$0", "(%%r8)",                                "y_r = 0")                                   \
    OP(add, "$32", "%%r8",                                  "r + 1")
#define ADD_VOTE OP(incl, "(%%r9,%%rax,4)", "votes of the action + 1")

#define NO_NUMBER                                                                                        \
    OP(vmovss, X(15), "(%%r8)",                             "y_r = -0")                                  \
    OP(add, "$4", "%%r8",                                   "r + 1")
#define ADD_NUMBER                                                                                       \
    OP(mov, "%c[packed](%[b])", "%%rsi",                    "packed")                                    \
    OP(mov, "%c[numbers](%%rsi)", "%%rsi",                  "numbers")                                   \
    OP(lea, "(%%rsi,%%rax,4)", "%%rsi",                     "of the leaf")                               \
    OP(mov, "%%rbx", "%%rcx",                               "rows left")                                 \
    LABEL(31)                                                                                            \
    OP(vmovss, "-4(%%rsi,%%rcx,4)", X(0),                   "the last number r of the leaf")             \
    OP(vaddss, "-4(%%r9,%%rcx,4)", X(0), X(0),              "y_r + number r")                            \
    OP(vmovss, X(0), "-4(%%r9,%%rcx,4)",                    "y_r")                                       \
    OP(dec, "%%rcx",                                        "rows left")                                 \
    OP(jnz, "31b",                                          "next row")

#define VOTE_SINGLE                                                                                      \
    OP(xor, "%%eax", "%%eax",                               "0")                                         \
    OP(mov, "(%%r8)", "%%edx",                              "most = y_0")                                \
    OP(mov, "$1", "%%ecx",                                  "r = 1")                                     \
    LABEL(40)                                                                                            \
    OP(cmp, "%%rbx", "%%rcx",                               "a row left?")                               \
    OP(jge, "41f",                                          "no")                                        \
    OP(add, "$32", "%%r8",                                  "y_r")                                       \
    OP(mov, "(%%r8)", "%%esi",                              "y_r")                                       \
    OP(cmp, "%%edx", "%%esi",                               "y_r > most?")                               \
    OP(cmova, "%%ecx", "%%eax",                             "its action")                                \
    OP(cmova, "%%esi", "%%edx",                             "most")                                      \
    OP(inc, "%%rcx",                                        "r + 1")                                     \
    OP(jmp, "40b",                                          "next row")                                  \
    LABEL(41)                                                                                            \
    OP(mov, "%%rax", "(%%rdi)",                             "action")

#define SINGLE_OPERANDS                                                                                  \
    WALK_OPERANDS, OFFSET(PackedTrees, words), [next_tree] "i"(sizeof(PackedTree))

void act_vote_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ALL_ROWS, NO_VOTE, ADD_VOTE)
        VOTE_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_argmax_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ALL_ROWS, NO_NUMBER, ADD_NUMBER)
        ARGMAX_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_threshold_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ONE_ROW, NO_NUMBER, ADD_NUMBER)
        THRESHOLD_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_box_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ALL_ROWS, NO_NUMBER, ADD_NUMBER)
        BOX_SINGLE
        : [b] "+r"(batch) : SINGLE_OPERANDS, OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high)
        : SINGLE_CLOBBERS);
}

// clang-format on

}  // namespace

Act* policies::forest(const PolicyBatch* policy, bool single) {
    switch (policy->head) {
        case Head::argmax:
            return single ? act_argmax_single : act_argmax;
        case Head::threshold:
            return single ? act_threshold_single : act_threshold;
        case Head::box:
            return single ? act_box_single : act_box;
        case Head::vote:
            return single ? act_vote_single : act_vote;
    }
    return nullptr;
}

}  // namespace compute_layers::asm_x86_64
