// SPDX-License-Identifier: MIT
#pragma once

#include "../batch.hpp"
#include "../table.hpp"

namespace compute_layers::tabular {

RECORD(State, s, lastaction);  // int64; lastaction is -1 after a reset

}  // namespace compute_layers::tabular
