// Runs a graph by its ops' references, in double: the oracle of every test of generated code.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "compiler/ir/graph.h"
#include "compiler/ops/tensor.h"

namespace convoke {

using Environment = std::map<std::string, Tensor, std::less<>>;  // by value name, without '%'

// `sources` has a tensor for each source that is read. Returns every value of the graph. State sources keep the value
// they had; what stores would write is the stored value's own entry (apply_stores). `rounding`, where given, changes
// each value as it is computed: what another precision would do to the rest.
using Rounding = std::function<void(Tensor& value)>;
Environment interpret(const Graph& graph, const Environment& sources, const Rounding& rounding = {});

// Writes each stored value into `sources` under its state's name.
void apply_stores(const Graph& graph, const Environment& values, Environment& sources);

}  // namespace convoke
