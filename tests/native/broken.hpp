// SPDX-License-Identifier: MIT
// Kernels with one fault each, which the checker must find.
#pragma once

#include "batch.hpp"
#include "learner.hpp"
#include "planner.hpp"

namespace compute_layers::check {

enum class Place : int64_t { step, act, single_row, sweep, learn };

// Takes the place of a kernel; most call the one whose place they take.
struct Broken {
    const char* name;
    const char* catcher;  // what a finding about it begins with; "bytes" are compared by the caller
    Place place;
    void* function;
};

extern const Broken kBroken[];
extern const int kBrokenCount;

// The kernel whose place is taken.
extern "C" __attribute__((visibility("hidden"))) void* check_kernel;

}  // namespace compute_layers::check
