// SPDX-License-Identifier: MIT
// What this build was made of, for reports. In a file of its own: it changes with every commit.
#pragma once

namespace compute_layers::build {

extern const char* const kVersion;
extern const char* const kCommit;
extern const char* const kConfiguration;
extern const char* const kFlags;
extern const char* const kCompiler;

}  // namespace compute_layers::build
