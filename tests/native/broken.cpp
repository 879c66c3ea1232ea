// SPDX-License-Identifier: MIT
#include "broken.hpp"

#include <cstring>
#include <initializer_list>

namespace compute_layers::check {

extern "C" {
void* check_kernel;
}

namespace {

template <typename Struct>
void kernel(const Struct* batch) {
    reinterpret_cast<void (*)(const Struct*)>(check_kernel)(batch);
}

// Loads and stores that the compiler may not drop.
template <typename T>
void touch(const T* at) {
    static_cast<void>(*static_cast<const volatile T*>(at));
}
template <typename T>
void put(T* at, T value) {
    *static_cast<volatile T*>(at) = value;
}

// ---- steps ----

void last_lanes_missing(const Batch* b) {
    Batch fewer = *b;
    fewer.n -= kLanes;
    kernel(&fewer);
}

void lane_missing(const Batch* b) {
    const int64_t lane = b->n / 2;
    const double state = b->state[lane];
    kernel(b);
    put(b->state + lane, state);
}

void store_skipped(const Batch* b) {
    const double reward = b->reward[3];
    kernel(b);
    put(b->reward + 3, reward);
}

void flag_only_set(const Batch* b) {
    uint8_t before[kLanes];
    std::memcpy(before, b->terminated, kLanes);
    kernel(b);
    for (int64_t i = 0; i < kLanes; ++i) {
        if (!b->terminated[i]) put(b->terminated + i, before[i]);
    }
}

void flag_of_two(const Batch* b) {
    kernel(b);
    for (int64_t i = 0; i < b->n; ++i) put(b->truncated + i, static_cast<uint8_t>(2 * b->truncated[i]));
}

void neighbours_state(const Batch* b) {
    kernel(b);
    put(b->state, b->state[1]);
}

void fields_without_stride(const Batch* b) {
    Batch dense = *b;
    dense.stride = b->n;
    kernel(&dense);
}

void group_too_many(const Batch* b) {
    Batch more = *b;
    more.n += kLanes;
    kernel(&more);
}

void write_beyond(const Batch* b) {
    kernel(b);
    put(b->terminated + b->n, uint8_t{0});
}

void write_before(const Batch* b) {
    kernel(b);
    put(b->truncated - 1, uint8_t{0});
}

void write_within_the_line(const Batch* b) {
    // Where the arrays start at a page this is far from the guard: only canaries tell.
    kernel(b);
    put(b->reward + b->n, 0.0);
}

void read_beyond(const Batch* b) {
    touch(b->elapsed + b->n);
    kernel(b);
}

void read_before(const Batch* b) {
    touch(b->stream - 1);
    kernel(b);
}

void params_written(const Batch* b) {
    put(const_cast<double*>(b->params), b->params[0]);
    kernel(b);
}

void action_written(const Batch* b) {
    kernel(b);
    put(static_cast<char*>(const_cast<void*>(b->action)), char{0});
}

void batch_written(const Batch* b) {
    kernel(b);
    put(&const_cast<Batch*>(b)->n, int64_t{0});
}

void stream_advanced(const Batch* b) {
    kernel(b);
    put(b->stream, b->stream[0] + 1);
}

// ---- decisions ----

void scratch_believed(const PolicyBatch* b) {
    const char old = *static_cast<const volatile char*>(b->scratch);
    kernel(b);
    static_cast<char*>(b->action)[0] ^= old;
}

void single_row_of_eight(const PolicyBatch* b) {
    PolicyBatch group = *b;
    group.n = kLanes;
    kernel(&group);
}

void action_missing(const PolicyBatch* b) {
    PolicyBatch fewer = *b;
    fewer.n -= kLanes;
    kernel(&fewer);
}

void tensor_read_beyond(const PolicyBatch* b) {
    const Tensor& last = b->tensors[b->tensor_count - 1];
    // A line further, for tensors are padded to whole lines.
    touch(static_cast<const char*>(last.data) + last.rows * last.columns * 4 + 64);
    kernel(b);
}

void tensor_written(const PolicyBatch* b) {
    float* const first = static_cast<float*>(const_cast<void*>(b->tensors[0].data));
    put(first, *first);
    kernel(b);
}

// The family `linear` with another tree of operations, or another rule for ties.
enum class Fault { descending, not_fused, bias_last, later_tie };

template <Fault kFault>
void linear(const PolicyBatch* b) {
    const float* const weights = static_cast<const float*>(b->tensors[0].data);
    const float* const bias = static_cast<const float*>(b->tensors[1].data);
    for (int64_t lane = 0; lane < b->n; ++lane) {
        const float* const x = static_cast<const float*>(b->observation) + lane * b->inputs;
        float best = 0.0f;
        int64_t index = 0;
        for (int64_t r = 0; r < (b->head == Head::threshold ? 1 : b->outputs); ++r) {
            const float* const w = weights + r * b->inputs;
            float y = kFault == Fault::bias_last ? 0.0f : bias[r];
            for (int64_t j = 0; j < b->inputs; ++j) {
                const int64_t k = kFault == Fault::descending ? b->inputs - 1 - j : j;
                y = kFault == Fault::not_fused ? y + w[k] * x[k] : __builtin_fmaf(w[k], x[k], y);
            }
            if (kFault == Fault::bias_last) y += bias[r];
            if (b->head == Head::box) {
                const float raised = y < b->low[r] ? b->low[r] : y;
                static_cast<float*>(b->action)[lane * b->outputs + r] =
                    raised > b->high[r] ? b->high[r] : raised;
            } else if (b->head == Head::threshold) {
                index = y > 0.0f;
            } else if (r == 0 || (kFault == Fault::later_tie ? y >= best : y > best)) {
                best = y;
                index = r;
            }
        }
        if (b->head != Head::box) static_cast<int64_t*>(b->action)[lane] = index;
    }
}

// ---- sweeps ----

void last_group_missing(const Sweep* s) {
    Sweep fewer = *s;
    fewer.groups -= 1;
    kernel(&fewer);
}

void table_too_long(const Sweep* s) {
    Sweep more = *s;
    more.groups += 1;
    kernel(&more);
}

void values_written(const Sweep* s) {
    double* const first = const_cast<double*>(s->values);
    put(first, *first);
    kernel(s);
}

void change_of_the_last_group(const Sweep* s) {
    kernel(s);
    double largest = 0.0;
    for (int64_t state = (s->groups - 1) * kLanes; state < s->groups * kLanes; ++state) {
        const double distance = __builtin_fabs(s->next_values[state] - s->values[state]);
        largest = distance > largest ? distance : largest;
    }
    put(s->change, largest);
}

// The planner `backup` with another order of its sum, or another rule for ties.
enum class Slip { descending, later_tie };

template <Slip kSlip>
void backup(const Sweep* s) {
    double change = 0.0;
    const GroupOutcome* row = s->outcomes;
    for (int64_t group = 0; group < s->groups; ++group) {
        const GroupOutcome* const first = row;
        for (int64_t lane = 0; lane < kLanes; ++lane) {
            double greatest = -__builtin_inf();
            int64_t best = 0;
            row = first;
            for (int64_t action = 0; action < s->actions; ++action) {
                const int64_t count = s->counts[group * s->actions + action];
                double q = 0.0;
                for (int64_t j = 0; j < count; ++j) {
                    const GroupOutcome& o = row[kSlip == Slip::descending ? count - 1 - j : j];
                    q = q + o.probability[lane] * (o.reward[lane] + s->discount * s->values[o.next[lane]]);
                }
                if (kSlip == Slip::later_tie ? q >= greatest : q > greatest) {
                    greatest = q;
                    best = action;
                }
                row += count;
            }
            const int64_t state = group * kLanes + lane;
            s->next_values[state] = greatest;
            s->best[state] = best;
            const double distance = __builtin_fabs(greatest - s->values[state]);
            change = distance > change ? distance : change;
        }
    }
    *s->change = change;
}

// ---- learners ----

void padding_learns(const TdStep* s) {
    TdStep more = *s;
    more.valid = more.n;
    kernel(&more);
}

void learns_too_early(const TdStep* s) {
    for (int64_t i = 0; i < s->n; i += kLanes) {
        TdStep group = *s;
        group.n = kLanes;
        group.valid = s->valid - i < kLanes ? s->valid - i : kLanes;
        for (const int64_t** array : {&group.cells, &group.seen, &group.elapsed}) *array += i;
        for (const double** array : {&group.reward, &group.uniform}) *array += i;
        for (int64_t** array : {&group.next_cells, &group.action}) *array += i;
        group.terminated += i;
        group.target += i;
        kernel(&group);
    }
}

constexpr int64_t kMost = 64;  // lanes of a case

void terminated_ignored(const TdStep* s) {
    const uint8_t none[kMost] = {};
    TdStep endless = *s;
    endless.terminated = none;
    kernel(&endless);
}

void truncated_ends(const TdStep* s) {
    uint8_t over[kMost];
    for (int64_t i = 0; i < s->n; ++i) over[i] = s->elapsed[i] < 0;
    TdStep all = *s;
    all.terminated = over;
    kernel(&all);
}

}  // namespace

// ---- against the ABI; each calls the kernel and breaks one thing ----

#define FUNCTION(name, text)                                                                \
    asm(".text\n\t.p2align 4\n\t.hidden " #name "\n\t.globl " #name "\n" #name ":\n" text); \
    extern "C" void name()

#if defined(__x86_64__)

// Entered with the stack 8 bytes off its alignment.
#define CALL "\tsubq $8, %rsp\n\tcall *check_kernel(%rip)\n\taddq $8, %rsp\n"

FUNCTION(check_rbx, CALL "\tnotq %rbx\n\tret\n");
FUNCTION(check_rbp, CALL "\txorl %ebp, %ebp\n\tret\n");
FUNCTION(check_r15, CALL "\tincq %r15\n\tret\n");
FUNCTION(check_no_vzeroupper, CALL "\tvpcmpeqd %ymm9, %ymm9, %ymm9\n\tret\n");
FUNCTION(check_float_mode, CALL "\tstmxcsr -8(%rsp)\n\torl $0x8040, -8(%rsp)\n\tldmxcsr -8(%rsp)\n\tret\n");
FUNCTION(check_x87_mode, CALL "\tfnstcw -8(%rsp)\n\torw $0xC00, -8(%rsp)\n\tfldcw -8(%rsp)\n\tret\n");
FUNCTION(check_mmx, CALL "\tpxor %mm0, %mm0\n\tret\n");
FUNCTION(check_direction, CALL "\tstd\n\tret\n");
FUNCTION(check_stack, CALL "\tpopq %rcx\n\taddq $16, %rsp\n\tjmp *%rcx\n");
FUNCTION(check_frame, CALL "\tmovq $0, 24(%rsp)\n\tret\n");

#elif defined(__aarch64__)

#define CALL                                                                                        \
    "\tstp x29, x30, [sp, #-16]!\n\tadrp x16, check_kernel\n\tldr x16, [x16, :lo12:check_kernel]\n" \
    "\tblr x16\n\tldp x29, x30, [sp], #16\n"

FUNCTION(check_x19, CALL "\tmvn x19, x19\n\tret\n");
FUNCTION(check_x28, CALL "\tmov x28, #0\n\tret\n");
FUNCTION(check_d8, CALL "\tmovi v8.2d, #0\n\tret\n");
FUNCTION(check_d15, CALL "\tfneg d15, d15\n\tret\n");
FUNCTION(check_float_mode, CALL "\tmrs x9, fpcr\n\torr x9, x9, #0x1000000\n\tmsr fpcr, x9\n\tret\n");
FUNCTION(check_stack, CALL "\tadd sp, sp, #16\n\tret\n");
FUNCTION(check_frame, CALL "\tstr xzr, [sp, #16]\n\tret\n");

#endif

#define LEARN(name, catcher, function) {name, catcher, Place::learn, reinterpret_cast<void*>(function)}
#define STEP(name, catcher, function) {name, catcher, Place::step, reinterpret_cast<void*>(function)}
#define ACT(name, catcher, function) {name, catcher, Place::act, reinterpret_cast<void*>(function)}
#define ACT_ON_ONE(name, catcher, function) \
    {name, catcher, Place::single_row, reinterpret_cast<void*>(function)}

#define SWEEP(name, catcher, function) {name, catcher, Place::sweep, reinterpret_cast<void*>(function)}

const Broken kBroken[] = {
#if defined(__x86_64__)
    STEP("rbx is not restored", "register", check_rbx),
    STEP("rbp is not restored", "register", check_rbp),
    STEP("r15 is not restored", "register", check_r15),
    STEP("vzeroupper is missing", "upper halves", check_no_vzeroupper),
    STEP("MXCSR is left flushing denormals to zero", "float mode", check_float_mode),
    STEP("the x87 control word is left rounding to zero", "float mode", check_x87_mode),
    STEP("emms is missing", "x87", check_mmx),
    STEP("the direction flag is left set", "flags", check_direction),
#elif defined(__aarch64__)
    STEP("x19 is not restored", "register", check_x19),
    STEP("x28 is not restored", "register", check_x28),
    STEP("d8 is not restored", "register", check_d8),
    STEP("d15 is not restored", "register", check_d15),
    STEP("FPCR is left flushing denormals to zero", "float mode", check_float_mode),
#endif
    STEP("the stack pointer is left 16 bytes off", "stack", check_stack),
    STEP("the caller's frame is written", "stack", check_frame),
    STEP("the last lanes are missing", "bytes", last_lanes_missing),
    STEP("one lane is missing", "bytes", lane_missing),
    STEP("a store is skipped", "bytes", store_skipped),
    STEP("a flag is only ever set, never cleared", "bytes", flag_only_set),
    STEP("a flag is 2 instead of 1", "bytes", flag_of_two),
    STEP("a lane takes its neighbour's state", "bytes", neighbours_state),
    STEP("the random stream is advanced", "bytes", stream_advanced),
    STEP("fields are n apart instead of stride", "guard page", fields_without_stride),
    STEP("the loop goes round once too often", "guard page", group_too_many),
    STEP("a write beyond the end", "guard page", write_beyond),
    STEP("a write before the start", "guard page", write_before),
    STEP("a write beyond the end, far from a guard page", "canary", write_within_the_line),
    STEP("a read beyond the end", "guard page", read_beyond),
    STEP("a read before the start", "guard page", read_before),
    STEP("params are written", "input", params_written),
    STEP("the action is written", "input", action_written),
    STEP("the Batch itself is written", "input", batch_written),
    ACT("the last actions are missing", "bytes", action_missing),
    ACT("scratch memory is believed", "bytes", scratch_believed),
    ACT_ON_ONE("a kernel for a single row takes eight", "guard page", single_row_of_eight),
    ACT("a tensor is read beyond its end", "guard page", tensor_read_beyond),
    ACT("a tensor is written", "input", tensor_written),
    ACT("a sum goes from the last term to the first", "bytes", linear<Fault::descending>),
    ACT("a sum without fused multiply-add", "bytes", linear<Fault::not_fused>),
    ACT("a sum with its bias last", "bytes", linear<Fault::bias_last>),
    ACT("the last of equal numbers wins", "bytes", linear<Fault::later_tie>),
    SWEEP("the last group of states is missing", "bytes", last_group_missing),
    SWEEP("a sweep goes on beyond the table", "guard page", table_too_long),
    SWEEP("the values of the sweep before are written", "input", values_written),
    SWEEP("the change is the last group's alone", "bytes", change_of_the_last_group),
    SWEEP("outcomes are added from the last to the first", "bytes", backup<Slip::descending>),
    SWEEP("the last of equally good actions wins", "bytes", backup<Slip::later_tie>),
    LEARN("padding learns", "bytes", padding_learns),
    LEARN("a lane learns before others have chosen", "bytes", learns_too_early),
    LEARN("a terminated episode goes on", "bytes", terminated_ignored),
    LEARN("a truncated episode ends like a terminated one", "bytes", truncated_ends),
};
const int kBrokenCount = sizeof(kBroken) / sizeof(kBroken[0]);

}  // namespace compute_layers::check
