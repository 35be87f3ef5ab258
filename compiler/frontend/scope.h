// The names that layers read and fields refer to, at one place of a model: in the model itself or in an open block.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiler/frontend/fields.h"
#include "compiler/ir/graph.h"
#include "model_defs/schema/model.pb.h"

namespace convoke {

// What a name stands for.
struct Reference {
  ValueId value = kNoValue;                  // none: a mistake, already reported
  std::vector<const schema::Layer*> layers;  // that are read with it: the layer, and the block it ends
};

struct Scope {
  std::string prefix;  // of the layers' paths: "layer1.0."
  Parameters parameters;
  std::map<std::string, Reference, std::less<>> inputs;  // of the model or the block
  std::map<std::string, Reference, std::less<>> names;   // of layers so far, without the prefix
  Reference last;                                        // what a layer without input reads
};

// The reference for a name in scope, null when there is none. Marks nothing as read.
const Reference* find_reference(const Scope& scope, const std::string& name);
std::vector<std::string> known_names(const Scope& scope);

bool is_path(const std::string& name);        // letters, digits, '_', and '.' between them
bool is_identifier(const std::string& name);  // of C: letters, digits, '_', no digit in front

}  // namespace convoke
