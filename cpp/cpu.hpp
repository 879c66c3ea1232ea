// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "registry.hpp"

namespace compute_layers {

// Empty if this CPU and operating system can run code for the isa, else the reason why not.
std::string missing(Isa isa);

// The CPU's own name, as far as it tells.
std::string cpu_name();

}  // namespace compute_layers
