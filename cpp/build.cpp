// SPDX-License-Identifier: MIT
#include "build.hpp"

namespace compute_layers::build {

const char* const kVersion = COMPUTE_LAYERS_VERSION;
const char* const kCommit = COMPUTE_LAYERS_COMMIT;
const char* const kConfiguration = COMPUTE_LAYERS_BUILD;
const char* const kFlags = COMPUTE_LAYERS_FLAGS;
const char* const kCompiler = COMPUTE_LAYERS_COMPILER;

}  // namespace compute_layers::build
