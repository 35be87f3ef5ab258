// The files of this folder and what reading them says.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "compiler/frontend/import.h"

namespace convoke {

// Paths of tests/errors/*.textproto, sorted.
std::vector<std::string> error_files();

// A recipe is what is called recipe_*, all others are models. A model's first line may set options of the command line:
//   # options: --input 1x4x4 --classes 10
Diagnostics diagnose_file(const std::string& path);
Diagnostics diagnose_model(const std::string& bytes, const ImportOptions& options = {});
Diagnostics diagnose_recipe(const std::string& bytes);

// The ids among the diagnostics.
std::set<std::string> ids_of(const Diagnostics& diagnostics);

// The lines in which two texts differ: "-" what is expected, "+" what was found; empty when they are equal.
std::string difference(const std::string& expected, const std::string& found);

}  // namespace convoke
