// Invariants that hold after import and after every pass; a broken one is our bug.
#pragma once

#include "compiler/ir/builder.h"
#include "compiler/ir/graph.h"
#include "runtime/base/status.h"

namespace convoke {

// Topological order, operands and results by index, unique names, inferred types equal stated ones, symbolic batch only
// in front, phases in order, stores into states of the same type (at most one each), outputs exist.
Status verify(const Graph& graph, const InferTypes& infer);

}  // namespace convoke
