// SPDX-License-Identifier: MIT
// The C ABI of a kernel. Every level of every game and policy is called through these structs, level
// python included: it sees the same arrays through memoryviews.
//
// Arrays are structs of arrays: field f of lane i lies at base[f * stride + i], every field starts on a
// 64-byte boundary. n is a multiple of kLanes, so that no kernel has a remainder loop; lanes at and
// beyond `valid` are padding: ordinary lanes that nobody looks at (level python skips them). What a lane
// computes depends on that lane alone.
#pragma once

#include <cstddef>
#include <cstdint>

namespace compute_layers {

constexpr int64_t kLanes = 8;  // n of a batch is a multiple of this
constexpr int64_t kRow = 4;    // doubles in a broadcast row: one 32-byte vector
constexpr int64_t kNoLimit = INT64_MAX;

// The random stream of lane i (PCG64 as NumPy has it) is column i of a uint64 array with these fields.
// `half` keeps the unused upper 32 bits of a 64-bit output: bit 32 is NumPy's has_uint32, the low word
// its uinteger (stale once used, and kept because NumPy keeps it).
enum StreamField : int64_t { kStateHigh, kStateLow, kIncHigh, kIncLow, kHalf, kStreamFields };

// n copies of one game. What the kernel `step` reads and writes for lane i:
//   elapsed[i] < 0   the lane's episode ended at the step before, and `state` holds its next initial
//                    state: observe it, reward 0, flags 0, elapsed 0; the action, which counts for nothing,
//                    is one of the action space (Discrete) or finite (Box).
//   otherwise        one step of the game; elapsed + 1, or -1 where terminated or truncated
//                    (elapsed + 1 >= limit) is set.
struct Batch {
    int64_t n;             // lanes, padding included
    int64_t valid;         // lanes that are not padding
    int64_t stride;        // lanes from one field of `state` or `stream` to the next
    double* state;         // 8-byte fields in the order of the game's State (int64 where it says so)
    int64_t* elapsed;      // steps since the reset; -1 after the step that ended the episode
    const void* action;    // int64[n] or float32[n][action size]
    void* observation;     // float32[n][observation size] or int64[n][observation size], row-major
    double* reward;        // [n]
    uint8_t* terminated;   // [n], 0 or 1
    uint8_t* truncated;    // [n], 0 or 1
    uint64_t* stream;      // [kStreamFields][stride]
    const double* params;  // in the order of the game's Params
    const double* rows;    // the same, each repeated kRow times, 32-byte aligned
    double* info;          // [info fields][stride], what the step says of itself besides: of a step that only
                           // starts an episode, 1
    double* cache;         // [cache fields][stride], what a native kernel has computed for the observation of
                           // a lane and wants again in its next step; `observe` writes it too
    const void* table;     // of a tabular game, a Table (table.hpp); null for the others
    int64_t limit;         // of `elapsed`; kNoLimit if there is none
};

// One tensor of a policy's parameters, as its file has it: row-major, 64-byte aligned.
struct Tensor {
    const void* data;
    int64_t rows;     // the first dimension
    int64_t columns;  // the product of the others; 1 if there are none
};

// How a policy's numbers become an action.
enum class Head : int64_t { argmax, threshold, box, vote };

// n observations that a policy turns into actions.
struct PolicyBatch {
    int64_t n;                // rows, padding included; 1 in a call of a kernel for a single row
    int64_t valid;            // rows that are not padding
    int64_t inputs;           // numbers in an observation
    int64_t states;           // of a Discrete observation space; 0 for a Box
    int64_t outputs;          // numbers in an action (Box) or number of actions (Discrete)
    const void* observation;  // as in Batch
    void* action;             // as in Batch
    const Tensor* tensors;    // in the order of the family's names; of a layered family layer by layer
    int64_t tensor_count;
    const void* packed;      // what the family's `pack` made of the tensors, 64-byte aligned
    const float* low;        // [outputs], bounds of a Box action
    const float* high;       // [outputs]
    const int64_t* choices;  // codes of the family's choices
    Head head;
    uint64_t* stream;  // [kStreamFields][stride], where the family draws
    int64_t stride;
    void* scratch;  // what `plan` asked for, 64-byte aligned; nothing in it survives a call
};

using Step = void(const Batch*);
// Draws a new initial state for the listed lanes; writes `state`, advances `stream`, nothing else.
using Reset = void(const Batch*, const int64_t* lanes, int64_t count, const double* options);
// Writes the observation of the present state of the listed lanes, and what belongs to it in `cache`.
using Observe = void(const Batch*, const int64_t* lanes, int64_t count);
using Act = void(const PolicyBatch*);

// Names that Python's SPEC must repeat in this order, as C++ stringises a field list: "x, x_dot, theta".
using Names = const char*;

// Chooses the kernel for the params, and the table, of a batch. `in_play`: every state stems from a reset
// with default options, none from set_state, so that a live lane is within the game's bounds.
using SelectStep = Step*(const Batch* batch, bool in_play);
// The kernel for a policy, of which everything but the rows is filled in; null if this level has none.
// `single`: one for exactly one row, which touches nothing beyond it; without it a row is padded to kLanes.
using SelectAct = Act*(const PolicyBatch* policy, bool single);

// Bytes that a policy needs beside its tensors.
struct Memory {
    int64_t packed;
    int64_t scratch;
};
using Plan = Memory(const PolicyBatch* policy);
// Rearranges the tensors, once, when the policy is made.
using Pack = void(const PolicyBatch* policy, void* packed);

// What one isa of level cpp exports for a game, and for a policy family.
struct Game {
    Names params;
    Names state;
    Names options;
    SelectStep* select;
    Reset* reset;
    Observe* observe;
    int64_t info;   // fields of `info`
    int64_t cache;  // fields of `cache`
    bool tabular;   // whether it plays a Table
};

// A null `plan` or `pack` is for a family that needs neither; level asm shares them.
struct Policy {
    Names tensors;
    Names choices;
    SelectAct* select;
    Plan* plan;
    Pack* pack;
};

}  // namespace compute_layers

// A struct of doubles whose field list is also a string: RECORD(State, x, x_dot).
#define RECORD(Record, ...)                                 \
    struct Record {                                         \
        double __VA_ARGS__;                                 \
        static constexpr const char* kNames = #__VA_ARGS__; \
    }
// Position of a field of a RECORD, counted in doubles.
#define FIELD(Record, field) (static_cast<int64_t>(offsetof(Record, field) / sizeof(double)))
