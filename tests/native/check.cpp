// SPDX-License-Identifier: MIT
// What tests/native_check.py calls: a kernel of _core with its arrays between guard pages, through the
// trampoline.
#include <setjmp.h>
#include <signal.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "broken.hpp"
#include "guarded_array.hpp"
#include "registry.hpp"
#include "table.hpp"
#include "trampoline.hpp"
#include "valgrind.hpp"

namespace compute_layers::check {

namespace {

#define EXPORT extern "C" __attribute__((visibility("default")))

enum Kind : int64_t { kStep, kReset, kObserve, kAct, kPack, kSweep, kLearn };

// What a kernel may do with an array. The contents of an output before the call, and of scratch memory after
// it, are nobody's; what is none is not there.
enum class Access { input, both, output, scratch, none };

// An array of a Batch: the alignment that batch.hpp promises, and what step, reset and observe may do. Blocks
// of lanes begin at any multiple of kLanes, so that only fields of 8 bytes lie on cache lines.
struct BatchArray {
    const char* name;
    size_t offset, alignment;
    Access access[3];
};
constexpr auto kIn = Access::input, kBoth = Access::both, kOut = Access::output, kNone = Access::none;
constexpr size_t kLine = 64, kWord = 8;
constexpr BatchArray kBatch[] = {
    {"state", offsetof(Batch, state), kLine, {kBoth, kBoth, kIn}},
    {"stream", offsetof(Batch, stream), kLine, {kBoth, kBoth, kIn}},
    {"elapsed", offsetof(Batch, elapsed), kLine, {kBoth, kIn, kIn}},
    {"action", offsetof(Batch, action), kWord, {kIn, kIn, kIn}},
    {"observation", offsetof(Batch, observation), kWord, {kOut, kIn, kBoth}},
    {"reward", offsetof(Batch, reward), kLine, {kOut, kIn, kIn}},
    {"terminated", offsetof(Batch, terminated), kLanes, {kOut, kIn, kIn}},
    {"truncated", offsetof(Batch, truncated), kLanes, {kOut, kIn, kIn}},
    {"params", offsetof(Batch, params), kLine, {kIn, kIn, kIn}},
    {"rows", offsetof(Batch, rows), kLine, {kIn, kIn, kIn}},
    {"info", offsetof(Batch, info), kLine, {kOut, kIn, kIn}},
    {"cache", offsetof(Batch, cache), kLine, {kBoth, kIn, kBoth}},
};
// Arguments of reset and observe, of observe the first one only.
constexpr const char *kLanesName = "lanes", *kOptionsName = "options";

// An array of a PolicyBatch, and what act and pack may do. Its tensors follow.
struct PolicyArray {
    const char* name;
    size_t offset, alignment;
    Access access[2];
};
constexpr size_t kFloat = 4;
constexpr PolicyArray kPolicy[] = {
    {"observation", offsetof(PolicyBatch, observation), kFloat, {kIn, kNone}},
    {"action", offsetof(PolicyBatch, action), kFloat, {kOut, kNone}},
    {"packed", offsetof(PolicyBatch, packed), kLine, {kIn, kOut}},
    {"low", offsetof(PolicyBatch, low), kFloat, {kIn, kIn}},
    {"high", offsetof(PolicyBatch, high), kFloat, {kIn, kIn}},
    {"choices", offsetof(PolicyBatch, choices), kWord, {kIn, kIn}},
    {"stream", offsetof(PolicyBatch, stream), kWord, {kBoth, kNone}},
    {"scratch", offsetof(PolicyBatch, scratch), kLine, {Access::scratch, kNone}},
};
// An array of a Sweep or a TdStep, and what a planner or learner may do.
struct PlainArray {
    const char* name;
    size_t offset;
    Access access;
};
constexpr PlainArray kPlanner[] = {
    {"counts", offsetof(Sweep, counts), kIn}, {"outcomes", offsetof(Sweep, outcomes), kIn},
    {"values", offsetof(Sweep, values), kIn}, {"next_values", offsetof(Sweep, next_values), kOut},
    {"best", offsetof(Sweep, best), kOut},    {"change", offsetof(Sweep, change), kOut},
};
constexpr PlainArray kLearner[] = {
    {"values", offsetof(TdStep, values), kBoth},        {"cells", offsetof(TdStep, cells), kIn},
    {"next_cells", offsetof(TdStep, next_cells), kOut}, {"seen", offsetof(TdStep, seen), kIn},
    {"reward", offsetof(TdStep, reward), kIn},          {"elapsed", offsetof(TdStep, elapsed), kIn},
    {"terminated", offsetof(TdStep, terminated), kIn},  {"uniform", offsetof(TdStep, uniform), kIn},
    {"action", offsetof(TdStep, action), kOut},         {"target", offsetof(TdStep, target), kOut},
};
// Numbers which stand in the Sweep or the TdStep itself: the discount; alpha, gamma and epsilon.
constexpr const char *kDiscountName = "discount", *kRatesName = "rates";
// A new pointer belongs into one of the tables.
static_assert(sizeof(Batch) == 8 * (5 + std::size(kBatch)));
static_assert(sizeof(PolicyBatch) == 8 * (9 + std::size(kPolicy)));
static_assert(sizeof(Sweep) == 8 * (3 + std::size(kPlanner)));
static_assert(sizeof(TdStep) == 8 * (7 + std::size(kLearner)));

// An array as the caller has it: contents before the call, and after it where the kernel may write.
struct Array {
    void* data;
    int64_t bytes;          // of a piece
    int64_t pieces;         // fields of `state` and `stream`, which come to lie a stride apart; else 1
    int64_t rows, columns;  // of a tensor
};

// A call as the caller describes it, in the order of `names`.
struct Call {
    int64_t kind;
    void* entry;     // SelectStep, SelectAct, Reset, Observe, Pack, Backup or Learn
    Pack* pack;      // of the policy of an act; null for none
    int64_t chosen;  // what `select` is told: in_play, single
    int64_t broken;  // which of kBroken takes the kernel's place; -1 for none
    int64_t placement;
    int64_t filling;  // the byte that outputs and scratch memory hold before the call
    int64_t n, valid, limit;
    int64_t inputs, states, outputs, head;  // of a Sweep, n are its groups; outputs are actions
    int64_t starts;  // of the table of a tabular game, whose outcomes, states and actions are the three above
    const Array* arrays;
    int64_t count;
};

// ---- faults ----

sigjmp_buf after_fault;
volatile sig_atomic_t fault_signal, fault_writes;
void* volatile fault_address;

void on_fault(int signal, siginfo_t* info, void* context) {
    fault_signal = signal;
    fault_address = info->si_addr;
#if defined(__x86_64__) && defined(__linux__)
    constexpr long long kWrite = 2;
    fault_writes = (static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_ERR] & kWrite) != 0;
#else
    static_cast<void>(context);
    fault_writes = -1;  // not told
#endif
    siglongjmp(after_fault, 1);
}

// While it lasts faults of this thread end the call that `guarded` makes, on a stack of their own.
class FaultHandler {
  public:
    FaultHandler() : stack_(kStack) {
        stack_t own = {};
        own.ss_sp = stack_.data();
        own.ss_size = stack_.size();
        sigaltstack(&own, &old_stack_);
        struct sigaction action = {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK;
        for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &action, &old_[i]);
    }
    ~FaultHandler() {
        for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &old_[i], nullptr);
        sigaltstack(&old_stack_, nullptr);
    }
    FaultHandler(const FaultHandler&) = delete;
    FaultHandler& operator=(const FaultHandler&) = delete;

  private:
    static constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    static constexpr size_t kStack = 1 << 16;
    std::vector<char> stack_;
    stack_t old_stack_;
    struct sigaction old_[std::size(kSignals)];
};

// ---- a call with its arrays in guarded memory ----

class Guarded {
  public:
    explicit Guarded(const Call& call) : call_(call), placement_(static_cast<Placement>(call.placement)) {
        switch (call.kind) {
            case kAct:
            case kPack:
                place_policy();
                break;
            case kSweep:
                place_sweep();
                break;
            case kLearn:
                place_td_step();
                break;
            default:
                place_batch();
        }
        for (size_t i = 0; i < memory_.size(); ++i) {
            memory_[i].set_canaries();
            if (access_[i] == Access::output || access_[i] == Access::scratch) {
                memory_[i].fill(static_cast<std::byte>(call.filling));
            }
        }
        // Where it is to stay: packed memory may point into itself. Packing has a call of its own to be
        // judged in.
        if (call.kind == kAct && call.pack) {
            GuardedArray& packed = find("packed");
            packed.fill(static_cast<std::byte>(call.filling));
            call.pack(reinterpret_cast<const PolicyBatch*>(struct_->data()), packed.data());
        }
    }

    void run(std::vector<std::string>& findings) {
        for (size_t i = 0; i < memory_.size(); ++i) {
            if (access_[i] == Access::input) memory_[i].protect();
        }
        const uint64_t argument = reinterpret_cast<uint64_t>(struct_->data());
        uint64_t arguments[kArguments] = {argument, 0, 0, 0};
        void* kernel = call_.entry;
        if (call_.kind == kStep || call_.kind == kAct) {
            const uint64_t selecting[kArguments] = {argument, static_cast<uint64_t>(call_.chosen), 0, 0};
            kernel = reinterpret_cast<void*>(guarded(call_.entry, selecting, findings));
            if (!kernel && findings.empty()) findings.push_back("none: there is no kernel");
            if (!kernel) return;
        } else if (call_.kind == kPack) {
            arguments[1] = reinterpret_cast<uint64_t>(find("packed").data());
        } else if (call_.kind < kAct) {
            arguments[1] = reinterpret_cast<uint64_t>(find(kLanesName).data());
            arguments[2] = static_cast<uint64_t>(lanes_);
            if (call_.kind == kReset) arguments[3] = reinterpret_cast<uint64_t>(find(kOptionsName).data());
        }
        if (call_.broken >= 0) {
            check_kernel = kernel;
            kernel = kBroken[call_.broken].function;
        }
        guarded(kernel, arguments, findings);
        for (size_t i = 0; i < memory_.size(); ++i) {
            memory_[i].unprotect();
            const std::string damage = memory_[i].damage();
            if (!damage.empty()) findings.push_back("canary: " + damage + " was written");
        }
    }

    // Hands back what the kernel may have written.
    void copy_back() {
        for (const auto& [array, memory] : given_) {
            if (access_[memory] == Access::both || access_[memory] == Access::output) {
                memory_[memory].copy_to(array->data);
            }
        }
    }

    // Bytes of outputs that valgrind has not seen written.
    void check_defined(std::vector<std::string>& findings) {
        for (const auto& [array, memory] : given_) {
            if (access_[memory] != Access::both && access_[memory] != Access::output) continue;
            if (call_.kind == kPack) continue;  // what is packed may have gaps
            for (int64_t piece = 0; piece < array->pieces; ++piece) {
                const std::byte* const data =
                    memory_[memory].data() + static_cast<size_t>(piece) * memory_[memory].pitch();
                if (VALGRIND_CHECK_MEM_IS_DEFINED(data, static_cast<size_t>(array->bytes))) {
                    findings.push_back("memcheck: " + memory_[memory].name() + " was not written as a whole");
                }
            }
        }
    }

  private:
    GuardedArray& add(const char* name, const Array& array, size_t alignment, Access access) {
        given_.emplace_back(&array, memory_.size());
        access_.push_back(access);
        GuardedArray& memory = memory_.emplace_back(name, static_cast<size_t>(array.bytes),
                                                    static_cast<size_t>(array.pieces), alignment, placement_);
        if (access == Access::input || access == Access::both) memory.copy_from(array.data);
        return memory;
    }

    template <typename Struct>
    void add_struct(const char* name, const Struct* contents, size_t count) {
        const Array array = {const_cast<Struct*>(contents), static_cast<int64_t>(sizeof(Struct) * count), 1,
                             0, 0};
        struct_ = &add(name, array, kWord, Access::input);
        given_.pop_back();
    }

    void place_batch() {
        Batch batch = {};
        batch.n = call_.n;
        batch.valid = call_.valid;
        batch.limit = call_.limit;
        const Array* array = call_.arrays;
        for (const BatchArray& a : kBatch) {
            GuardedArray& memory = add(a.name, *array++, a.alignment, a.access[call_.kind - kStep]);
            point(&batch, a.offset, memory);
            if (a.offset == offsetof(Batch, state)) batch.stride = stride(memory);
        }
        if (call_.kind != kStep) {
            lanes_ = array->bytes / static_cast<int64_t>(sizeof(int64_t));
            add(kLanesName, *array++, kWord, Access::input);
        }
        if (call_.kind == kReset) add(kOptionsName, *array++, kWord, Access::input);
        if (call_.states) {
            const auto next = [&](const char* name) {
                return static_cast<const void*>(add(name, *array++, kLine, Access::input).data());
            };
            Table table = {};
            table.states = call_.states;
            table.actions = call_.outputs;
            table.outcomes = call_.inputs;
            table.starts = call_.starts;
            table.rows = static_cast<const Outcome*>(next("outcomes"));
            table.thresholds = static_cast<const uint64_t*>(next("thresholds"));
            table.start_thresholds = static_cast<const uint64_t*>(next("start_thresholds"));
            table.start_states = static_cast<const int64_t*>(next("start_states"));
            add_struct("table", &table, 1);
            batch.table = struct_->data();
        }
        add_struct("batch", &batch, 1);
    }

    void place_policy() {
        PolicyBatch batch = {};
        batch.n = call_.n;
        batch.valid = call_.valid;
        batch.inputs = call_.inputs;
        batch.states = call_.states;
        batch.outputs = call_.outputs;
        batch.head = static_cast<Head>(call_.head);
        const Array* array = call_.arrays;
        for (const PolicyArray& a : kPolicy) {
            const Access access = a.access[call_.kind - kAct];
            if (access == Access::none) {
                ++array;
                continue;
            }
            GuardedArray& memory = add(a.name, *array++, a.alignment, access);
            point(&batch, a.offset, memory);
            if (a.offset == offsetof(PolicyBatch, stream)) batch.stride = stride(memory);
        }
        std::vector<Tensor> tensors;
        for (; array < call_.arrays + call_.count; ++array) {
            const std::string name = "tensor " + std::to_string(tensors.size());
            GuardedArray& memory = add(name.c_str(), *array, kLine, Access::input);
            tensors.push_back({memory.data(), array->rows, array->columns});
        }
        batch.tensor_count = static_cast<int64_t>(tensors.size());
        add_struct("tensors", tensors.data(), tensors.size());
        batch.tensors = reinterpret_cast<const Tensor*>(struct_->data());
        add_struct("batch", &batch, 1);
    }

    void place_sweep() {
        Sweep sweep = {};
        sweep.groups = call_.n;
        sweep.actions = call_.outputs;
        const Array* array = call_.arrays;
        for (const PlainArray& a : kPlanner) {
            point(&sweep, a.offset, add(a.name, *array++, kLine, a.access));
        }
        std::memcpy(&sweep.discount, array->data, sizeof sweep.discount);
        add_struct("sweep", &sweep, 1);
    }

    void place_td_step() {
        TdStep step = {};
        step.n = call_.n;
        step.valid = call_.valid;
        step.actions = call_.outputs;
        step.end = call_.states * kLanes;
        const Array* array = call_.arrays;
        for (const PlainArray& a : kLearner) {
            point(&step, a.offset, add(a.name, *array++, kLine, a.access));
        }
        double rates[3];
        std::memcpy(rates, array->data, sizeof rates);
        step.alpha = rates[0];
        step.gamma = rates[1];
        step.epsilon = rates[2];
        add_struct("step", &step, 1);
    }

    static int64_t stride(const GuardedArray& memory) {
        return static_cast<int64_t>(memory.pitch() / sizeof(double));
    }

    static void point(void* batch, size_t offset, const GuardedArray& memory) {
        void* const data = memory.data();
        std::memcpy(static_cast<char*>(batch) + offset, &data, sizeof data);
    }

    GuardedArray& find(const char* name) {
        return *std::find_if(memory_.begin(), memory_.end(),
                             [&](const GuardedArray& m) { return m.name() == name; });
    }

    uint64_t guarded(void* function, const uint64_t (&arguments)[kArguments],
                     std::vector<std::string>& findings) {
        if (placement_ == Placement::heap) {
            const unsigned before = VALGRIND_COUNT_ERRORS;
            const uint64_t result = reinterpret_cast<uint64_t (*)(uint64_t, uint64_t, uint64_t, uint64_t)>(
                function)(arguments[0], arguments[1], arguments[2], arguments[3]);
            if (const unsigned errors = VALGRIND_COUNT_ERRORS - before) {
                findings.push_back("memcheck: " + std::to_string(errors) + " errors");
            }
            return result;
        }
        const FaultHandler handler;
        if (sigsetjmp(after_fault, 1) == 0) return call(function, arguments, findings);
        restore_modes();
        findings.push_back(fault());
        return 0;
    }

    std::string fault() const {
        if (fault_signal == SIGILL) return "fault: an instruction that this CPU does not have";
        if (fault_signal == SIGFPE) return "fault: an exception of arithmetic";
        const uintptr_t address = reinterpret_cast<uintptr_t>(fault_address);
        const std::string what = fault_writes < 0 ? "access to " : fault_writes ? "write to " : "read of ";
        for (const GuardedArray& memory : memory_) {
            const std::string place = memory.place(address);
            if (place.empty()) continue;
            // Within an array only writes to inputs are faults.
            return (place.rfind("byte", 0) == 0 && place.find("beyond") == std::string::npos
                        ? "input: "
                        : "guard page: ") +
                   what + place;
        }
        return address ? "fault: " + what + "an address that belongs to no array"
                       : "fault: a null pointer, or a vector that is not aligned";
    }

    const Call& call_;
    const Placement placement_;
    int64_t lanes_ = 0;
    std::deque<GuardedArray> memory_;  // which stay where they are
    std::vector<Access> access_;
    std::vector<std::pair<const Array*, size_t>> given_;
    GuardedArray* struct_ = nullptr;
};

template <typename Entry>
const Entry* find(const Entry* entries, int64_t count, const char* stem) {
    for (int64_t i = 0; i < count; ++i) {
        if (std::strcmp(entries[i].stem, stem) == 0) return &entries[i];
    }
    return nullptr;
}

PolicyBatch plain(const Call& call, std::vector<Tensor>& tensors) {
    PolicyBatch batch = {};
    batch.inputs = call.inputs;
    batch.states = call.states;
    batch.outputs = call.outputs;
    batch.head = static_cast<Head>(call.head);
    const Array* array = call.arrays;
    for (const PolicyArray& a : kPolicy) {
        std::memcpy(reinterpret_cast<char*>(&batch) + a.offset, &array++->data, sizeof(void*));
    }
    for (; array < call.arrays + call.count; ++array) {
        tensors.push_back({array->data, array->rows, array->columns});
    }
    batch.tensors = tensors.data();
    batch.tensor_count = static_cast<int64_t>(tensors.size());
    return batch;
}

}  // namespace

// Whether the structs are those of the _core that `kernels`, the contents of its capsule, is of.
EXPORT int64_t check_fits(const Kernels* kernels) {
    return kernels->batch_bytes == sizeof(Batch) && kernels->policy_batch_bytes == sizeof(PolicyBatch) &&
           kernels->game_bytes == sizeof(Game) && kernels->policy_bytes == sizeof(Policy) &&
           kernels->sweep_bytes == sizeof(Sweep) && kernels->td_step_bytes == sizeof(TdStep);
}

// The names of the arrays of a Call of this kind, in order, separated by blanks; tensors come after them.
EXPORT const char* check_names(int64_t kind) {
    static std::string names[kLearn + 1];
    std::string& list = names[kind];
    list.clear();
    if (kind == kAct || kind == kPack) {
        for (const PolicyArray& a : kPolicy) list += std::string(a.name) + " ";
    } else if (kind == kSweep) {
        for (const PlainArray& a : kPlanner) list += std::string(a.name) + " ";
        list += kDiscountName;
    } else if (kind == kLearn) {
        for (const PlainArray& a : kLearner) list += std::string(a.name) + " ";
        list += kRatesName;
    } else {
        for (const BatchArray& a : kBatch) list += std::string(a.name) + " ";
        if (kind != kStep) list += std::string(kLanesName) + " ";
        if (kind == kReset) list += kOptionsName;
    }
    return list.c_str();
}

// What a Call names as its `entry`; null if there is none.
EXPORT void* check_entry(const Kernels* kernels, int64_t kind, const char* stem, int64_t assembly,
                         int64_t isa) {
    const auto plain = [&](const auto* entries, int64_t count) {
        const auto* const entry = find(entries, count, stem);
        return entry ? reinterpret_cast<void*>((assembly ? entry->assembly : entry->cpp)[isa]) : nullptr;
    };
    if (kind == kSweep) return plain(kernels->planners, kernels->planner_count);
    if (kind == kLearn) return plain(kernels->learners, kernels->learner_count);
    if (kind == kAct || kind == kPack) {
        const PolicyEntry* const entry = find(kernels->policies, kernels->policy_count, stem);
        if (!entry) return nullptr;
        const Policy* const policy = entry->cpp[isa] ? entry->cpp[isa] : entry->cpp[0];
        if (kind == kPack) return reinterpret_cast<void*>(policy->pack);
        if (assembly) return reinterpret_cast<void*>(entry->assembly[isa]);
        return entry->cpp[isa] ? reinterpret_cast<void*>(policy->select) : nullptr;
    }
    const GameEntry* const entry = find(kernels->games, kernels->game_count, stem);
    if (!entry) return nullptr;
    const Game* const game = entry->cpp[isa] ? entry->cpp[isa] : entry->cpp[0];
    if (kind == kReset) return reinterpret_cast<void*>(game->reset);
    if (kind == kObserve) return reinterpret_cast<void*>(game->observe);
    if (assembly) return reinterpret_cast<void*>(entry->assembly[isa]);
    return entry->cpp[isa] ? reinterpret_cast<void*>(game->select) : nullptr;
}

// Bytes of `packed` and `scratch` for the policy of a Call whose entry is a SelectAct; whether the level has
// a kernel for a single row.
EXPORT void check_plan(const Kernels* kernels, const char* stem, int64_t isa, const Call* call,
                       int64_t* packed, int64_t* scratch) {
    const PolicyEntry& entry = *find(kernels->policies, kernels->policy_count, stem);
    const Policy& policy = *(entry.cpp[isa] ? entry.cpp[isa] : entry.cpp[0]);
    std::vector<Tensor> tensors;
    const PolicyBatch batch = plain(*call, tensors);
    const Memory memory = policy.plan ? policy.plan(&batch) : Memory{0, 0};
    *packed = memory.packed;
    *scratch = memory.scratch;
}

EXPORT int64_t check_has_single(const Call* call) {
    std::vector<Tensor> tensors;
    const PolicyBatch batch = plain(*call, tensors);
    return reinterpret_cast<SelectAct*>(call->entry)(&batch, true) != nullptr;
}

// Makes the call; returns the number of findings and writes them, one a line, into `report`.
EXPORT int64_t check_run(const Call* call, char* report, int64_t size) {
    std::vector<std::string> findings;
    {
        Guarded guarded(*call);
        guarded.run(findings);
        if (RUNNING_ON_VALGRIND) guarded.check_defined(findings);
        guarded.copy_back();
    }
    std::string text;
    for (const std::string& finding : findings) text += finding + "\n";
    std::snprintf(report, static_cast<size_t>(size), "%s", text.c_str());
    return static_cast<int64_t>(findings.size());
}

// The broken kernel with this number: name, catcher and place. 0 after the
// last one.
EXPORT int64_t check_broken(int64_t number, const char** name, const char** catcher, int64_t* place) {
    if (number >= kBrokenCount) return 0;
    const Broken& broken = kBroken[number];
    *name = broken.name;
    *catcher = broken.catcher;
    *place = static_cast<int64_t>(broken.place);
    return 1;
}

// Whether the headers of valgrind were there.
EXPORT int64_t check_knows_valgrind() { return CHECK_HAS_VALGRIND; }

}  // namespace compute_layers::check
