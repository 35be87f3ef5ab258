#include "compiler/driver/layer_times.h"

#include <algorithm>

#include "compiler/frontend/summary.h"

namespace convoke {
namespace {

bool writes_gradients(const Plan& plan, const PlanRow& row) {
  const auto outputs = static_cast<std::ptrdiff_t>(plan.kernels[row.kernel].kernel.inputs.size());
  return std::any_of(row.buffers.begin() + outputs, row.buffers.end(),
                     [&](int buffer) { return plan.buffers[buffer].arena == core::kGradients; });
}

Spent& part(LayerTime& layer, const Plan& plan, const PlanRow& row) {
  if (row.program != CONVOKE_BACKWARD) return layer.forward;
  return writes_gradients(plan, row) ? layer.weight_gradient : layer.data_gradient;
}

// "layer1.0.conv1.backward.weight" is layer1.0.conv1's: names of layers have dots, too. Empty: nobody's.
std::string layer_named(const Graph& graph, std::string name) {
  const auto is_layer = [&] {
    const ValueId value = find_value(graph, name);
    return value != kNoValue && !graph.is_source_value(value);
  };
  while (!is_layer()) {
    const size_t dot = name.rfind('.');
    if (dot == std::string::npos) return "";
    name.resize(dot);
  }
  return name;
}

}  // namespace

Spent LayerTime::sum() const {
  Spent sum = forward;
  sum += data_gradient;
  sum += weight_gradient;
  return sum;
}

std::string layer_of(const PlannedModel& planned, const PlanRow& row) {
  if (row.program == CONVOKE_LOSS || row.program == CONVOKE_UPDATE) return "";
  const size_t inputs = planned.plan.kernels[row.kernel].kernel.inputs.size();
  for (size_t i = 0; i < inputs; ++i) {
    const PlanBuffer& buffer = planned.plan.buffers[row.buffers[i]];
    if (buffer.type.has_batch() || buffer.type.rank() < 2) continue;
    if (std::string layer = layer_named(planned.imported, buffer.name); !layer.empty()) return layer;
  }
  return layer_named(planned.imported, row.name.substr(0, row.name.find('+')));
}

std::vector<LayerTime> layer_times(const PlannedModel& planned, const std::vector<RowTime>& rows) {
  std::vector<LayerTime> layers;
  for (LayerSummary& layer : summarize(planned.imported).layers) layers.push_back({layer.name, layer.op});
  const auto time_of = [&](const std::string& name) -> LayerTime& {
    const auto found = std::ranges::find(layers, name, &LayerTime::name);
    return found != layers.end() ? *found : layers.emplace_back(LayerTime{name});
  };
  for (const RowTime& time : rows) {
    const PlanRow& row = planned.plan.rows[time.row];
    const std::string layer = layer_of(planned, row);
    part(time_of(layer.empty() ? core::kProgramNames[row.program] : layer), planned.plan, row) += time.spent;
  }
  return layers;
}

}  // namespace convoke
