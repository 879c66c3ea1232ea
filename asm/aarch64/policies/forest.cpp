// SPDX-License-Identifier: MIT
// Level asm, NEON, of the family `forest`: for a tile of up to 8 groups of 8 observations, or for one
// observation, tree after tree adds a vote or numbers; then a head. Comments in the words of
// python/compute_layers/policies/{tree,forest}.py.
#include "registry.hpp"
#include "trees.hpp"

namespace compute_layers::asm_aarch64 {
namespace {

// What finds no register, at the beginning of the scratch memory.
struct Room {
    int64_t groups;     // in the tile
    int64_t more;       // of these, still to do
    int64_t remaining;  // trees still to walk through
};
static_assert(sizeof(Room) <= kRoom);

// clang-format off

#define OPERANDS                                                                                         \
    WALK_OPERANDS, OFFSET(PolicyBatch, n), OFFSET(Room, groups), OFFSET(Room, more),                     \
    OFFSET(Room, remaining), OFFSET(PackedTrees, words), [next_tree] "i"(sizeof(PackedTree))

// Room in x8, groups in x9, bytes of a group's words in x10; x and, in x17, y are those of the first group.
#define FIRST_OF_TILE                                                                                    \
    FIRST_WORDS                                                                                          \
    OP(ldr, "x8", B(scratch),                               "room")                                      \
    OP(ldr, "x9", AT("x8", groups),                         "groups")                                    \
    OP(str, "x9", AT("x8", more),                           "all to do")                                 \
    OP(ldr, "x10", B(packed),                               "packed")                                    \
    OP(ldr, "x10", AT("x10", words),                        "words of an observation")                   \
    OP(lsl, "x10", "x10", "#6",                             "bytes of a group's")                        \
    OP(add, "x17", "x15", "x10, lsl #3",                    "y, behind the words of 8 groups")

// Flags say whether there is another group.
#define NEXT_OF_TILE                                                                                     \
    OP(ldr, "x10", B(packed),                               "packed")                                    \
    OP(ldr, "x10", AT("x10", words),                        "words of an observation")                   \
    OP(add, "x15", "x15", "x10, lsl #6",                    "x of the next group")                       \
    OP(ldr, "x8", B(scratch),                               "room")                                      \
    OP(ldr, "x9", AT("x8", more),                           "groups left")                               \
    OP(subs, "x9", "x9", "#1",                              "groups left")                               \
    OP(str, "x9", AT("x8", more),                           "groups left")

// Words of all groups, and y = nothing for them, which register `nothing` has. LOAD_ROWS loads the rows to
// x11.
#define TILE_BEGIN(nothing, LOAD_ROWS)                                                                   \
    LABEL(1)                                                                                             \
    OP(ldr, "x8", B(scratch),                               "room")                                      \
    OP(lsr, "x9", "x30", "#3",                              "groups left")                               \
    OP(mov, "x10", "#8",                                    "a tile has 8")                              \
    OP(cmp, "x9", "x10",                                    "more?")                                     \
    OP(csel, "x9", "x9", "x10", "lo",                       "then 8")                                    \
    OP(str, "x9", AT("x8", groups),                         "groups")                                    \
    FIRST_OF_TILE                                                                                        \
    LABEL(2)                                                                                             \
    OP(mov, "x9", "x15",                                    "x")                                         \
    WORDS                                                                                                \
    NEXT_OF_TILE                                                                                         \
    OP(b.ne, "2b",                                          "next group")                                \
    FIRST_OF_TILE                                                                                        \
    LOAD_ROWS                                                                                            \
    OP(mul, "x11", "x11", "x9",                             "rows of all groups")                        \
    LABEL(3)                                                                                             \
    OP(stp, Q(nothing), Q(nothing), "[x17]", "#32",         "y_r = nothing")                             \
    OP(subs, "x11", "x11", "#1",                            "rows left")                                 \
    OP(b.ne, "3b",                                          "next row")

#define ONE_ROW OP(mov, "x11", "#1", "one row")
#define ALL_ROWS OP(ldr, "x11", B(outputs), "rows")

// ADD adds what tree after tree has for the lanes of group after group, to y in x17.
#define TREES(ADD)                                                                                       \
    FIRST_TREE                                                                                           \
    OP(ldr, "x8", B(scratch),                               "room")                                      \
    OP(ldr, "x9", B(packed),                                "packed")                                    \
    OP(ldr, "x9", "[x9]",                                   "trees")                                     \
    OP(str, "x9", AT("x8", remaining),                      "all to do")                                 \
    LABEL(4)                                                                                             \
    FIRST_OF_TILE                                                                                        \
    LABEL(5)                                                                                             \
    WALK                                                                                                 \
    ADD                                                                                                  \
    NEXT_OF_TILE                                                                                         \
    OP(b.ne, "5b",                                          "next group")                                \
    OP(add, "x14", "x14", "%[next_tree]",                   "tree")                                      \
    OP(ldr, "x9", AT("x8", remaining),                      "trees left")                                \
    OP(subs, "x9", "x9", "#1",                              "trees left")                                \
    OP(str, "x9", AT("x8", remaining),                      "trees left")                                \
    OP(b.ne, "4b",                                          "next tree")

#define COUNT(i, x)                                                                                      \
    OP(add, "x" #i, "x17", "x" #i ", lsl #2",               "votes of the action, lane 0")               \
    OP(ldr, "w8", "[x" #i ", #4*" #i "]",                   "of this lane")                              \
    OP(add, "w8", "w8", "#1",                               "votes + 1")                                 \
    OP(str, "w8", "[x" #i ", #4*" #i "]",                   "of this lane")
#define ADD_VOTES                                                                                        \
    EACH_K(COUNT)                                                                                        \
    ALL_ROWS                                                                                             \
    OP(add, "x17", "x17", "x11, lsl #5",                    "y of the next group")

#define OF_LEAF(i, x) OP(add, "x" #i, "x10", "x" #i ", lsl #2", "numbers of the leaf")
#define ADD_NUMBERS(LOAD_ROWS)                                                                           \
    OP(ldr, "x10", B(packed),                               "packed")                                    \
    OP(ldr, "x10", AT("x10", numbers),                      "numbers")                                   \
    EACH_K(OF_LEAF)                                                                                      \
    LOAD_ROWS                                                                                            \
    LOOP(31)                                                                                             \
    OP(ldr, S(0), "[x0]", "#4",                             "number r of the leaf, lane 0")              \
    OP(ldr, S(1), "[x4]", "#4",                             "lane 4")                                    \
    OP(ld1, LANE_OF(0, 1), "[x1]", "#4",                    "lane 1")                                    \
    OP(ld1, LANE_OF(1, 1), "[x5]", "#4",                    "lane 5")                                    \
    OP(ld1, LANE_OF(0, 2), "[x2]", "#4",                    "lane 2")                                    \
    OP(ld1, LANE_OF(1, 2), "[x6]", "#4",                    "lane 6")                                    \
    OP(ld1, LANE_OF(0, 3), "[x3]", "#4",                    "lane 3")                                    \
    OP(ld1, LANE_OF(1, 3), "[x7]", "#4",                    "lane 7")                                    \
    OP(ldp, Q(2), Q(3), "[x17]",                            "y_r")                                       \
    OP(fadd, S4(2), S4(2), S4(0),                           "y_r + number r")                            \
    OP(fadd, S4(3), S4(3), S4(1),                           "lanes 4 to 7")                              \
    OP(stp, Q(2), Q(3), "[x17]", "#32",                     "y_r")                                       \
    OP(subs, "x11", "x11", "#1",                            "rows left")                                 \
    OP(b.ne, "31b",                                         "next row")

// HEAD makes actions of the y of group after group.
#define DECIDE(HEAD)                                                                                     \
    FIRST_OF_TILE                                                                                        \
    OP(mov, "x15", "x17",                                   "y")                                         \
    OP(mov, "x13", "x9",                                    "groups")                                    \
    LABEL(6)                                                                                             \
    OP(mov, "x11", "#0",                                    "r = 0")                                     \
    HEAD##_BEGIN                                                                                         \
    LABEL(7)                                                                                             \
    OP(ldp, Q(0), Q(1), "[x15]", "#32",                     "y_r")                                       \
    HEAD(0, 1)                                                                                           \
    OP(cmp, "x11", "x16",                                   "a row left?")                               \
    OP(b.lt, "7b",                                          "next row")                                  \
    HEAD##_LAST                                                                                          \
    OP(sub, "x30", "x30", "#8",                             "8 lanes less")                              \
    OP(subs, "x13", "x13", "#1",                            "groups left")                               \
    OP(b.ne, "6b",                                          "next group")                                \
    OP(cbnz, "x30", "1b",                                   "lanes left? next tile")

// As ARGMAX, of integers.
#define VOTE_BEGIN ARGMAX_BEGIN
#define VOTE(y, z)                                                                                       \
    OP(cbnz, "x11", "41f",                                  "r = 0? no")                                 \
    OP(mov, B16(28), B16(y),                                "most = y_0")                                \
    OP(mov, B16(29), B16(z),                                "lanes 4 to 7")                              \
    OP(movi, S4(30), "#0",                                  "its action")                                \
    OP(movi, S4(31), "#0",                                  "lanes 4 to 7")                              \
    LABEL(41)                                                                                            \
    OP(dup, S4(20), "w11",                                  "r")                                         \
    OP(cmhi, S4(21), S4(y), S4(28),                         "y_r > most")                                \
    OP(cmhi, S4(22), S4(z), S4(29),                         "lanes 4 to 7")                              \
    OP(bit, B16(28), B16(y), B16(21),                       "most")                                      \
    OP(bit, B16(29), B16(z), B16(22),                       "lanes 4 to 7")                              \
    OP(bit, B16(30), B16(20), B16(21),                      "its action")                                \
    OP(bit, B16(31), B16(20), B16(22),                      "lanes 4 to 7")                              \
    OP(add, "x11", "x11", "#1",                             "r + 1")
#define VOTE_LAST ARGMAX_LAST

void act_vote(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(26, ALL_ROWS)
        TREES(ADD_VOTES)
        DECIDE(VOTE)
        : : OPERANDS : CLOBBERS);
}

void act_argmax(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(25, ALL_ROWS)
        TREES(ADD_NUMBERS(ALL_ROWS))
        DECIDE(ARGMAX)
        : : OPERANDS : CLOBBERS);
}

void act_threshold(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(25, ONE_ROW)
        TREES(ADD_NUMBERS(ONE_ROW))
        DECIDE(THRESHOLD)
        : : OPERANDS : CLOBBERS);
}

void act_box(const PolicyBatch* batch) {
    asm volatile(
        BEGIN
        TILE_BEGIN(25, ALL_ROWS)
        TREES(ADD_NUMBERS(ALL_ROWS))
        DECIDE(BOX)
        : : OPERANDS, OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high) : CLOBBERS);
}

// ADD adds what a tree has for the observation.
#define SINGLE(LOAD_ROWS, NOTHING, ADD)                                                                  \
    SINGLE_WORDS                                                                                         \
    FIRST_TREE                                                                                           \
    OP(ldr, "x21", AT("x16", words),                        "words")                                     \
    OP(add, "x21", "x15", "x21, lsl #3",                    "y")                                         \
    LOAD_ROWS                                                                                            \
    OP(mov, "x22", "x11",                                   "rows")                                      \
    OP(mov, "x8", "x21",                                    "y_0")                                       \
    LABEL(3)                                                                                             \
    NOTHING                                                                                              \
    OP(subs, "x11", "x11", "#1",                            "rows left")                                 \
    OP(b.ne, "3b",                                          "next row")                                  \
    OP(ldr, "x20", "[x16]",                                 "trees")                                     \
    LABEL(4)                                                                                             \
    SINGLE_WALK                                                                                          \
    ADD                                                                                                  \
    OP(add, "x14", "x14", "%[next_tree]",                   "tree")                                      \
    OP(subs, "x20", "x20", "#1",                            "trees left")                                \
    OP(b.ne, "4b",                                          "next tree")                                 \
    OP(ldr, "x12", B(action),                               "action")

// Counters stand as far apart as those of 8 lanes.
#define NO_VOTE OP(str, "wzr", "[x8]", "#32", "y_r = 0")
#define ADD_VOTE                                                                                         \
    OP(ldr, "w8", "[x21, x0, lsl #2]",                      "votes of the action")                       \
    OP(add, "w8", "w8", "#1",                               "votes + 1")                                 \
    OP(str, "w8", "[x21, x0, lsl #2]",                      "votes of the action")

#define NO_NUMBER OP(str, S(25), "[x8]", "#4", "y_r = -0")
#define ADD_NUMBER                                                                                       \
    OP(ldr, "x10", AT("x16", numbers),                      "numbers")                                   \
    OP(add, "x10", "x10", "x0, lsl #2",                     "of the leaf")                               \
    OP(mov, "x9", "x21",                                    "y_0")                                       \
    OP(mov, "x11", "x22",                                   "rows left")                                 \
    LABEL(31)                                                                                            \
    OP(ldr, S(0), "[x10]", "#4",                            "number r of the leaf")                      \
    OP(ldr, S(1), "[x9]",                                   "y_r")                                       \
    OP(fadd, S(0), S(1), S(0),                              "y_r + number r")                            \
    OP(str, S(0), "[x9]", "#4",                             "y_r")                                       \
    OP(subs, "x11", "x11", "#1",                            "rows left")                                 \
    OP(b.ne, "31b",                                         "next row")

#define VOTE_SINGLE                                                                                      \
    OP(mov, "x17", "#0",                                    "0")                                         \
    OP(ldr, "w8", "[x21]", "#32",                           "most = y_0")                                \
    OP(mov, "x11", "#1",                                    "r = 1")                                     \
    LABEL(40)                                                                                            \
    OP(cmp, "x11", "x22",                                   "a row left?")                               \
    OP(b.ge, "41f",                                         "no")                                        \
    OP(ldr, "w9", "[x21]", "#32",                           "y_r")                                       \
    OP(cmp, "w9", "w8",                                     "y_r > most?")                               \
    OP(csel, "x17", "x11", "x17", "hi",                     "its action")                                \
    OP(csel, "w8", "w9", "w8", "hi",                        "most")                                      \
    OP(add, "x11", "x11", "#1",                             "r + 1")                                     \
    OP(b, "40b",                                            "next row")                                  \
    LABEL(41)                                                                                            \
    OP(str, "x17", "[x12]",                                 "action")

#define SINGLE_OPERANDS                                                                                  \
    WALK_OPERANDS, OFFSET(PackedTrees, words), [next_tree] "i"(sizeof(PackedTree))

void act_vote_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ALL_ROWS, NO_VOTE, ADD_VOTE)
        VOTE_SINGLE
        : : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_argmax_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ALL_ROWS, NO_NUMBER, ADD_NUMBER)
        ARGMAX_SINGLE
        : : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_threshold_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ONE_ROW, NO_NUMBER, ADD_NUMBER)
        THRESHOLD_SINGLE
        : : SINGLE_OPERANDS : SINGLE_CLOBBERS);
}

void act_box_single(const PolicyBatch* batch) {
    asm volatile(
        SINGLE(ALL_ROWS, NO_NUMBER, ADD_NUMBER)
        BOX_SINGLE
        : : SINGLE_OPERANDS, OFFSET(PolicyBatch, low), OFFSET(PolicyBatch, high) : SINGLE_CLOBBERS);
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

}  // namespace compute_layers::asm_aarch64
