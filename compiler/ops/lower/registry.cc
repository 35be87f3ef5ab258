// Dispatches lower() over ops.inc to lower_<op>.
#include "compiler/ops/lower/lower.h"

namespace convoke {

#define OP(name) std::vector<Halide::Func> lower_##name(const NodeView&, const LowerInputs&);
#include "compiler/ops/ops.inc"
#undef OP

std::vector<Halide::Func> lower(const NodeView& node, const LowerInputs& inputs) {
#define OP(name) \
  if (node.op == #name) return lower_##name(node, inputs);
#include "compiler/ops/ops.inc"
#undef OP
  ENSURE(false) << "no op " << node.op;
  return {};
}

Halide::Type halide_type(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return Halide::Float(32);
    case DType::kI32:
      return Halide::Int(32);
    case DType::kU8:
      return Halide::UInt(8);
  }
  return {};
}

}  // namespace convoke
