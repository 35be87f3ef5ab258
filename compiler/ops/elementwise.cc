// Inference of elementwise ops (elementwise.h).
#include "compiler/ops/elementwise.h"

#include <fmt/format.h>

namespace convoke {

Result<std::vector<Type>> infer_elementwise(const NodeView& node, std::initializer_list<std::string_view> operands) {
  RETURN_IF_ERROR(expect_attrs(node, {}));
  if (node.inputs.size() != operands.size()) {
    return invalid_argument(
        fmt::format("{} has {} operands, expected {}", node.op, node.inputs.size(), operands.size()));
  }
  for (size_t i = 0; i < operands.size(); ++i) {
    const Type& type = node.inputs[i];
    const bool fits = i == 0 ? type.dtype == DType::kF32 : type == node.inputs[0];
    if (fits) continue;
    const std::string expected = i == 0 ? "f32" : to_string(node.inputs[0]) + " as " + std::string(*operands.begin());
    return invalid_argument(fmt::format("{} is {}, expected {}", operands.begin()[i], to_string(type), expected));
  }
  return std::vector{node.inputs[0]};
}

int64_t result_elems(const NodeView& node) { return node.results[0].elems(); }

}  // namespace convoke
