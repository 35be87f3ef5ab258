#include "compiler/autodiff/update.h"

#include "compiler/ops/op.h"

namespace convoke {

Graph update_graph(const OptimizerOptions& options, int64_t elems) {
  Builder builder = make_builder("update");
  builder.set_phase(Phase::kUpdate);
  auto arena = [&](const std::string& name) { return builder.state(name, f32({elems}), name); };
  const ValueId parameters = arena("parameters"), gradients = arena("gradients");
  builder.output(builder.add1("gradient_sum_squares", "sum_squares", {gradients}));

  const bool sgd = options.kind == OptimizerOptions::kSgd;
  std::vector<ValueId> states = {parameters};
  for (const char* moment : sgd ? std::vector{"momentum"} : std::vector{"exp_avg", "exp_avg_sq"}) {
    states.push_back(arena(moment));
  }
  std::vector<ValueId> operands = {parameters, gradients};
  operands.insert(operands.end(), states.begin() + 1, states.end());
  operands.push_back(builder.input("learning_rate", f32({})));
  operands.push_back(builder.input("gradient_scale", f32({})));
  Attrs attrs = {{"weight_decay", options.weight_decay}};
  if (sgd) {
    attrs["momentum"] = options.momentum;
    attrs["nesterov"] = static_cast<int64_t>(options.nesterov);
  } else {
    operands.push_back(builder.input("step", f32({})));
    attrs["beta1"] = options.beta1;
    attrs["beta2"] = options.beta2;
    attrs["epsilon"] = options.epsilon;
    attrs["decoupled"] = static_cast<int64_t>(options.kind == OptimizerOptions::kAdamW);
  }
  const std::vector<ValueId> results = builder.add("updated", sgd ? "sgd" : "adam", operands, attrs);
  for (size_t i = 0; i < states.size(); ++i) builder.store(states[i], results[i]);
  return std::move(builder).take();
}

}  // namespace convoke
