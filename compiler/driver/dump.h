// convoke compile --dump: the stages of a compilation as text, on stdout. No library is made then.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "compiler/driver/compile_model.h"

namespace convoke {

struct DumpRequest {
  std::string stage;       // graph, training, kernels, plan, stmt, asm
  std::string after_pass;  // the graphs after the pass of this name
  std::string kernels;     // for kernels, stmt and asm: a regular expression of the rows' names
  bool any() const { return !stage.empty() || !after_pass.empty(); }
};

void add_dump_arguments(CLI::App& app, DumpRequest& request);

Status dump(const DumpRequest& request, const ModelOptions& options);

}  // namespace convoke
