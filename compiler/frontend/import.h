// A model definition to its inference graph. Files are untrusted: sizes, layers and nesting are capped, arithmetic is
// checked, and a refused file yields all its mistakes at once.
#pragma once

#include <string>
#include <vector>

#include "compiler/frontend/diagnostics.h"
#include "compiler/ir/graph.h"

namespace convoke {

// Instead of what the file says, of its first input; 0: as it says.
struct ImportOptions {
  int64_t input_height = 0, input_width = 0, input_channels = 0;
  int64_t classes = 0;
};

struct ImportedModel {
  std::string name;  // an identifier
  Graph graph;
  std::vector<std::string> outputs;  // their names; the graph's outputs in order
};

struct ImportResult {
  ImportedModel model;      // meaningless unless there are no diagnostics
  Diagnostics diagnostics;  // of the whole file
  bool ok() const { return diagnostics.empty(); }
};

ImportResult import_model(const std::string& path, const ImportOptions& options = {});

// `file_name` is for messages and, where the model has no name, the name.
ImportResult import_model_bytes(const std::string& bytes, const std::string& file_name,
                                const ImportOptions& options = {});

}  // namespace convoke
