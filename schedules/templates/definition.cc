// Anchors by definition (definition.h).
#include "schedules/templates/definition.h"

#include "compiler/ops/lower/lower.h"

namespace convoke {

using Halide::Func;

void lower_anchor(Body& body) {
  if (body.kernel->anchor == kNoAnchor) return;
  LowerInputs operands{.funcs = {}, .batch = body.batch};
  const NodeView anchor = anchor_view(*body.kernel);
  for (int i = 0; i < static_cast<int>(anchor.inputs.size()); ++i) operands.funcs.push_back(anchor_operand(body, i));
  set_anchor(body, lower(anchor, operands));
}

std::vector<Func> reductions(const std::vector<Func>& outputs) {
  std::map<std::string, Halide::Internal::Function> calls;
  for (const Func& output : outputs) calls.merge(Halide::Internal::find_transitive_calls(output.function()));
  std::vector<Func> found;
  for (const auto& [name, function] : calls) {
    if (function.has_update_definition()) found.emplace_back(function);
  }
  return found;
}

bool is_pure(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return true;
  Body body = make_body(kernel);
  lower_anchor(body);
  return reductions(make_outputs(body)).empty();
}

}  // namespace convoke
