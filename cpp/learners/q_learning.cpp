// SPDX-License-Identifier: MIT
#include "temporal_difference.hpp"

void compute_layers::ISA::learners::q_learning(const TdStep* step) { learn<Bootstrap::greedy>(step); }
