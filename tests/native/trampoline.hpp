// SPDX-License-Identifier: MIT
// Calls a function as the ABI of the platform has it and keeps what the ABI says it must give back.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace compute_layers::check {

constexpr int kArguments = 4;

// Calls `function`, which may break everything but its return address.
// Returns what it returned; appends what it broke to `findings`, each line "<catcher>: <what>".
uint64_t call(void* function, const uint64_t (&arguments)[kArguments], std::vector<std::string>& findings);

// Gives the thread its default floating-point mode and flags back, after a call that was abandoned.
void restore_modes();

}  // namespace compute_layers::check
