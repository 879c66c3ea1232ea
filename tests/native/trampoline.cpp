// SPDX-License-Identifier: MIT
#include "trampoline.hpp"

#include <cstddef>
#include <cstdio>
#include <cstring>

#include "cpu.hpp"

namespace compute_layers::check {

namespace {

constexpr uint64_t kCanaryWords = 64;  // of the caller's frame, above the return address

std::string hexadecimal(uint64_t word) {
    char text[20];
    std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(word));
    return text;
}

void report_frame(uint64_t intact, std::vector<std::string>& findings) {
    if (intact == kCanaryWords) return;
    findings.push_back("stack: wrote into the caller's frame, " + std::to_string(8 * intact) +
                       " bytes above the return address");
}

}  // namespace

#if defined(__x86_64__)

namespace {

constexpr int kKept = 6;  // rbx, rbp, r12 to r15
constexpr const char* kKeptNames[kKept] = {"rbx", "rbp", "r12", "r13", "r14", "r15"};

struct Half {
    uint64_t word[2];
};

// In memory of its own: after the call no register can be trusted. The assembly has the offsets as numbers.
struct State {
    uint64_t function;                         // 0
    uint64_t argument[kArguments];             // 8
    uint64_t result;                           // 40
    uint64_t stack_before, stack_after;        // 48, 56
    uint64_t own_stack;                        // 64
    uint64_t flags;                            // 72
    uint64_t canaries;                         // 80: how many are intact, from below
    uint64_t vectors;                          // 88: whether the CPU has ymm registers
    uint32_t mxcsr_before, mxcsr_after;        // 96, 100
    uint32_t x87_before[7], x87_after[7];      // 104, 132: what fnstenv writes
    uint64_t kept_before[kKept], kept[kKept];  // 160, 208
    Half upper_before[2];                      // 256: a whole ymm register
    Half upper[16];                            // 288
};
static_assert(offsetof(State, mxcsr_before) == 96 && offsetof(State, x87_before) == 104 &&
              offsetof(State, x87_after) == 132 && offsetof(State, kept_before) == 160 &&
              offsetof(State, upper_before) == 256 && offsetof(State, upper) == 288);

}  // namespace

extern "C" {
__attribute__((visibility("hidden"))) State check_state;
__attribute__((visibility("hidden"))) void check_trampoline();
}

// clang-format off
asm(R"(
    .text
    .p2align 4
    .globl check_trampoline
    .hidden check_trampoline
    .type check_trampoline, @function
check_trampoline:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, check_state+64(%rip)
    subq $520, %rsp                         # 64 canaries and 8 bytes for the alignment of 16
    movabsq $0xC5C5C5C5C5C5C5C5, %rax
    movq %rsp, %rdi
    movl $64, %ecx
    cld
    rep stosq
    stmxcsr check_state+96(%rip)
    fnstenv check_state+104(%rip)
    fldenv check_state+104(%rip)            # fnstenv masks the exceptions
    cmpq $0, check_state+88(%rip)
    je 1f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vmovups check_state+256(%rip), %ymm\n
    .endr
1:
    movq check_state+160(%rip), %rbx
    movq check_state+168(%rip), %rbp
    movq check_state+176(%rip), %r12
    movq check_state+184(%rip), %r13
    movq check_state+192(%rip), %r14
    movq check_state+200(%rip), %r15
    movq check_state+8(%rip), %rdi
    movq check_state+16(%rip), %rsi
    movq check_state+24(%rip), %rdx
    movq check_state+32(%rip), %rcx
    movq %rsp, check_state+48(%rip)
    call *check_state(%rip)
    movq %rsp, check_state+56(%rip)
    movq check_state+64(%rip), %rsp
    movq %rax, check_state+40(%rip)
    movq %rbx, check_state+208(%rip)
    movq %rbp, check_state+216(%rip)
    movq %r12, check_state+224(%rip)
    movq %r13, check_state+232(%rip)
    movq %r14, check_state+240(%rip)
    movq %r15, check_state+248(%rip)
    pushfq                                  # where the 8 bytes for the alignment are
    popq check_state+72(%rip)
    cld
    stmxcsr check_state+100(%rip)
    fnstenv check_state+132(%rip)
    fldenv check_state+104(%rip)
    cmpq $0, check_state+88(%rip)
    je 2f
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    vextractf128 $1, %ymm\n, check_state+288+16*\n(%rip)
    .endr
    vzeroupper
2:
    leaq -520(%rsp), %rdi
    movabsq $0xC5C5C5C5C5C5C5C5, %rax
    movl $64, %ecx
    repe scasq
    movl $64, %eax
    je 3f
    movl $63, %eax
    subq %rcx, %rax
3:
    movq %rax, check_state+80(%rip)
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret
    .size check_trampoline, . - check_trampoline
)");
// clang-format on

namespace {

constexpr uint64_t kDirectionFlag = 0x400;
constexpr uint32_t kStatusFlags = 0x3F;  // of MXCSR: calls may set them
constexpr uint32_t kControlWord = 0xFFFF;

}  // namespace

uint64_t call(void* function, const uint64_t (&arguments)[kArguments], std::vector<std::string>& findings) {
    State& s = check_state;
    s = {};
    s.function = reinterpret_cast<uint64_t>(function);
    std::memcpy(s.argument, arguments, sizeof arguments);
    s.vectors = missing(Isa::avx2).empty();
    for (int i = 0; i < kKept; ++i) s.kept_before[i] = 0x5AA5'0000'1234'5600 + static_cast<uint64_t>(i);
    s.upper_before[0] = s.upper_before[1] = {{0x1BAD'1DEA'1BAD'1DEA, 0x2BAD'2DEA'2BAD'2DEA}};
    check_trampoline();

    for (int i = 0; i < kKept; ++i) {
        if (s.kept[i] != s.kept_before[i]) {
            findings.push_back(std::string("register: ") + kKeptNames[i] + " is " + hexadecimal(s.kept[i]) +
                               " after the call, was " + hexadecimal(s.kept_before[i]));
        }
    }
    if (s.stack_after != s.stack_before) {
        findings.push_back("stack: rsp is off by " +
                           std::to_string(static_cast<int64_t>(s.stack_after - s.stack_before)) + " bytes");
    }
    report_frame(s.canaries, findings);
    if (s.flags & kDirectionFlag) findings.push_back("flags: the direction flag is set");
    if ((s.mxcsr_after ^ s.mxcsr_before) & ~kStatusFlags) {
        findings.push_back("float mode: MXCSR is " + hexadecimal(s.mxcsr_after) + ", was " +
                           hexadecimal(s.mxcsr_before));
    }
    if ((s.x87_after[0] ^ s.x87_before[0]) & kControlWord) {
        findings.push_back("float mode: the x87 control word was changed");
    }
    if ((s.x87_after[2] & kControlWord) != kControlWord) {
        findings.push_back("x87: its registers are in use: emms is missing");
    }
    for (int i = 0; s.vectors && i < 16; ++i) {
        const Half zero = {};
        const bool cleared = std::memcmp(&s.upper[i], &zero, sizeof zero) == 0;
        const bool untouched = std::memcmp(&s.upper[i], s.upper_before, sizeof(Half)) == 0;
        if (cleared || untouched) continue;
        findings.push_back("upper halves: ymm" + std::to_string(i) + ": left with a number in it");
        break;
    }
    return s.result;
}

void restore_modes() {
    __builtin_ia32_ldmxcsr(0x1F80);
    asm volatile("cld\n\tfninit" ::: "cc");
}

#elif defined(__aarch64__)

namespace {

constexpr int kKept = 11;   // x19 to x29
constexpr int kFloats = 8;  // the lower halves of v8 to v15

// As above. The assembly has the offsets as numbers.
struct State {
    uint64_t function;                                 // 0
    uint64_t argument[kArguments];                     // 8
    uint64_t result;                                   // 40
    uint64_t stack_before, stack_after;                // 48, 56
    uint64_t own_stack;                                // 64
    uint64_t canaries;                                 // 72
    uint64_t mode_before, mode_after;                  // 80, 88
    uint64_t kept_before[kKept + 1], kept[kKept + 1];  // 96, 192; the twelfth is not used
    uint64_t floats_before[kFloats], floats[kFloats];  // 288, 352
};
static_assert(offsetof(State, kept_before) == 96 && offsetof(State, kept) == 192 &&
              offsetof(State, floats_before) == 288 && offsetof(State, floats) == 352);

}  // namespace

extern "C" {
__attribute__((visibility("hidden"))) State check_state;
__attribute__((visibility("hidden"))) void check_trampoline();
}

// clang-format off
asm(R"(
    .text
    .p2align 4
    .globl check_trampoline
    .hidden check_trampoline
    .type check_trampoline, %function
check_trampoline:
    stp x29, x30, [sp, #-160]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    adrp x10, check_state
    add x10, x10, :lo12:check_state
    mov x9, sp
    str x9, [x10, #64]
    sub sp, sp, #512                        // 64 canaries
    mov x11, #0xC5C5
    movk x11, #0xC5C5, lsl #16
    movk x11, #0xC5C5, lsl #32
    movk x11, #0xC5C5, lsl #48
    mov x12, sp
1:
    str x11, [x12], #8
    cmp x12, x9
    b.ne 1b
    mrs x9, fpcr
    str x9, [x10, #80]
    add x9, x10, #96
    ldp x19, x20, [x9]
    ldp x21, x22, [x9, #16]
    ldp x23, x24, [x9, #32]
    ldp x25, x26, [x9, #48]
    ldp x27, x28, [x9, #64]
    ldr x29, [x9, #80]
    add x9, x10, #288
    ldp d8, d9, [x9]
    ldp d10, d11, [x9, #16]
    ldp d12, d13, [x9, #32]
    ldp d14, d15, [x9, #48]
    mov x9, sp
    str x9, [x10, #48]
    ldr x16, [x10]
    ldp x0, x1, [x10, #8]
    ldp x2, x3, [x10, #24]
    blr x16
    adrp x10, check_state
    add x10, x10, :lo12:check_state
    str x0, [x10, #40]
    mov x9, sp
    str x9, [x10, #56]
    ldr x9, [x10, #64]
    sub sp, x9, #512
    add x9, x10, #192
    stp x19, x20, [x9]
    stp x21, x22, [x9, #16]
    stp x23, x24, [x9, #32]
    stp x25, x26, [x9, #48]
    stp x27, x28, [x9, #64]
    str x29, [x9, #80]
    add x9, x10, #352
    stp d8, d9, [x9]
    stp d10, d11, [x9, #16]
    stp d12, d13, [x9, #32]
    stp d14, d15, [x9, #48]
    mrs x9, fpcr
    str x9, [x10, #88]
    mov x11, #0xC5C5
    movk x11, #0xC5C5, lsl #16
    movk x11, #0xC5C5, lsl #32
    movk x11, #0xC5C5, lsl #48
    mov x12, #0
    mov x13, sp
2:
    ldr x9, [x13], #8
    cmp x9, x11
    b.ne 3f
    add x12, x12, #1
    cmp x12, #64
    b.ne 2b
3:
    str x12, [x10, #72]
    ldr x9, [x10, #64]
    mov sp, x9
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x29, x30, [sp], #160
    ret
    .size check_trampoline, . - check_trampoline
)");
// clang-format on

uint64_t call(void* function, const uint64_t (&arguments)[kArguments], std::vector<std::string>& findings) {
    State& s = check_state;
    s = {};
    s.function = reinterpret_cast<uint64_t>(function);
    std::memcpy(s.argument, arguments, sizeof arguments);
    for (int i = 0; i < kKept; ++i) s.kept_before[i] = 0x5AA5'0000'1234'5600 + static_cast<uint64_t>(i);
    for (int i = 0; i < kFloats; ++i) s.floats_before[i] = 0x3FF5'0000'1234'5600 + static_cast<uint64_t>(i);
    check_trampoline();

    for (int i = 0; i < kKept; ++i) {
        if (s.kept[i] != s.kept_before[i]) {
            findings.push_back("register: x" + std::to_string(19 + i) + " is " + hexadecimal(s.kept[i]) +
                               " after the call, was " + hexadecimal(s.kept_before[i]));
        }
    }
    for (int i = 0; i < kFloats; ++i) {
        if (s.floats[i] != s.floats_before[i]) {
            findings.push_back("register: d" + std::to_string(8 + i) + " is " + hexadecimal(s.floats[i]) +
                               " after the call, was " + hexadecimal(s.floats_before[i]));
        }
    }
    if (s.stack_after != s.stack_before) {
        findings.push_back("stack: sp is off by " +
                           std::to_string(static_cast<int64_t>(s.stack_after - s.stack_before)) + " bytes");
    }
    report_frame(s.canaries, findings);
    if (s.mode_after != s.mode_before) {
        findings.push_back("float mode: FPCR is " + hexadecimal(s.mode_after) + ", was " +
                           hexadecimal(s.mode_before));
    }
    return s.result;
}

void restore_modes() {
    const uint64_t mode = 0;
    asm volatile("msr fpcr, %0" : : "r"(mode));
}

#else
#error "the trampoline is written for x86-64 and AArch64"
#endif

}  // namespace compute_layers::check
