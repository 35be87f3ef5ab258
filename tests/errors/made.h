// Wrong inputs that are made rather than written: binary files, files that are missing or too large, options.
#pragma once

#include <string>
#include <vector>

#include "compiler/frontend/diagnostics.h"

namespace convoke {

struct MadeInput {
  std::string id;  // of the catalogue
  Diagnostics diagnostics;
  std::string expected;  // their text
};

std::vector<MadeInput> made_inputs();

// A binary model of one relu, with bytes behind its fields.
std::string binary_model(const std::string& behind = "");

// A text of `depth` blocks, each of which uses the next.
std::string chained_blocks(int depth);

}  // namespace convoke
