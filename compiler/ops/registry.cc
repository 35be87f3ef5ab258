// The table of ops, expanded from ops.inc, and what is the same for all of them: lookup, inference with the checks that
// hold for every type (sizes come from untrusted files), builder and verifier with that inference.
#include <algorithm>

#include "compiler/ir/verify.h"
#include "compiler/ops/op.h"
#include "runtime/base/checked.h"

namespace convoke {
namespace {

constexpr const OpDef* kOps[] = {
#define OP(name) &ops::name,
#include "compiler/ops/ops.inc"
#undef OP
};

constexpr int64_t kMaxElems = (int64_t{1} << 31) - 1;  // Halide indexes with 32 bits

Status check_size(const Type& type, const std::string& what) {
  std::optional<int64_t> elems = 1;
  for (size_t i = 0; i < type.dims.size(); ++i) {
    if (i == 0 && type.dims[i] == kBatch) continue;
    if (type.dims[i] <= 0) return invalid_argument(what + " is " + to_string(type) + ", expected positive sizes");
    elems = checked_mul(*elems, type.dims[i]);
    if (!elems || *elems > kMaxElems) {
      return invalid_argument(what + " is " + to_string(type) + ", expected at most " + std::to_string(kMaxElems) +
                              " elements" + (type.has_batch() ? " a sample" : ""));
    }
  }
  return ok_status();
}

}  // namespace

std::span<const OpDef* const> all_ops() { return kOps; }

const OpDef* find_op(std::string_view name) {
  auto found = std::ranges::lower_bound(kOps, name, {}, [](const OpDef* op) { return op->name; });
  return found != std::end(kOps) && (*found)->name == name ? *found : nullptr;
}

const OpDef& op_of(const Node& node) {
  const OpDef* op = find_op(node.op);
  ENSURE(op != nullptr) << "no op " << node.op;
  return *op;
}

NodeView view(const Graph& graph, const Node& node) {
  NodeView view{node.op, node.attrs, {}, {}};
  for (ValueId input : node.inputs) view.inputs.push_back(graph.type(input));
  for (ValueId result : node.results) view.results.push_back(graph.type(result));
  return view;
}

Result<std::vector<Type>> infer_types(std::string_view op, const Attrs& attrs, std::span<const Type> inputs) {
  const OpDef* def = find_op(op);
  if (def == nullptr) return invalid_argument("there is no op '" + std::string(op) + "'");
  for (size_t i = 0; i < inputs.size(); ++i) {
    RETURN_IF_ERROR(check_size(inputs[i], "operand " + std::to_string(i)));
  }
  ASSIGN_OR_RETURN(std::vector<Type> types, def->infer({op, attrs, {inputs.begin(), inputs.end()}, {}}));
  for (const Type& type : types) RETURN_IF_ERROR(check_size(type, "the result"));
  return types;
}

Builder make_builder(std::string graph_name) { return Builder(std::move(graph_name), infer_types); }

Status verify(const Graph& graph) { return verify(graph, infer_types); }

}  // namespace convoke
