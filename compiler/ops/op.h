// OpDef: all the compiler knows of an op, one table row an op. `ops.inc` lists them; `<op>.cc` holds the row, its shape
// rule, reference and derivative; `lower/<op>.cc` its Halide definition (apart, so that only those files include
// Halide.h).
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "compiler/ir/builder.h"
#include "compiler/ir/graph.h"
#include "compiler/ops/tensor.h"
#include "runtime/base/status.h"

namespace convoke {

// A node seen without its graph.
struct NodeView {
  std::string_view op;
  const Attrs& attrs;
  std::vector<Type> inputs;
  std::vector<Type> results;  // empty while inferring
};
NodeView view(const Graph& graph, const Node& node);

// What a vjp is given beside the view: the node's operands and results in the graph under construction.
struct NodeValues {
  std::string name;  // base for names of the nodes that it adds, "<layer>.grad"
  std::vector<ValueId> inputs;
  std::vector<ValueId> results;
};

struct Traits {
  // Each output element depends on the same element of every operand of the output's shape, and on per-channel vectors,
  // scalars or (weights) per-output-channel vectors. `lower` is then pure and inlineable: templates fuse it.
  bool elementwise = false;
  // The value changes its shape only: the same bytes in NHWC order (flatten of [n,1,1,c], say). Never a kernel of its
  // own.
  bool view = false;
  // Operand 0 may share its memory with result 0 although the op is no plain function of values (accumulate, sgd).
  bool in_place = false;
  // Multiply-adds, or elements read when there are none, per sample (or per call when nothing has a batch).
  int64_t (*work)(const NodeView&) = nullptr;
};

struct OpDef {
  std::string_view name;
  // Shapes and attributes: the user's mistakes end here, with what was found and what was expected (no layer name: the
  // caller adds it).
  Result<std::vector<Type>> (*infer)(const NodeView&) = nullptr;
  // Naive loops in double over logical layouts: the oracle. `outputs` come with their concrete dims, zeroed.
  void (*reference)(const NodeView&, std::span<const Tensor* const> inputs, std::span<Tensor> outputs) = nullptr;
  // Adds the nodes of Σ dys·∂results/∂inputs. `dys` may hold kNoValue (no gradient arrives); so may the answer (none
  // exists). Null: not differentiable.
  std::vector<ValueId> (*vjp)(Builder&, const NodeView&, const NodeValues&, std::span<const ValueId> dys) = nullptr;
  Traits traits;
};

namespace ops {
#define OP(name) extern const OpDef name;
#include "compiler/ops/ops.inc"
#undef OP
}  // namespace ops

std::span<const OpDef* const> all_ops();      // sorted by name
const OpDef* find_op(std::string_view name);  // null when there is none
const OpDef& op_of(const Node& node);         // the node is no source
Result<std::vector<Type>> infer_types(std::string_view op, const Attrs& attrs, std::span<const Type> inputs);
Builder make_builder(std::string graph_name);  // with infer_types
Status verify(const Graph& graph);             // with infer_types

}  // namespace convoke
