// SPDX-License-Identifier: MIT
#include "temporal_difference.hpp"

void compute_layers::ISA::learners::sarsa(const TdStep* step) { learn<Bootstrap::chosen>(step); }
