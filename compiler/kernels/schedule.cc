#include "compiler/kernels/schedule.h"

#include <algorithm>

#include "compiler/kernels/image_layout.h"
#include "runtime/base/check.h"

namespace convoke {
namespace {

constexpr std::string_view kGradientSuffix = ".grad";

bool is_parameter(const Graph& graph, ValueId value) { return graph.node_of(value).op == "parameter"; }

// Values whose layout readers may choose.
bool is_prepared(const Graph& graph, ValueId value) {
  return !graph.is_source_value(value) && graph.node_of(value).phase == Phase::kPrepare;
}

Layout find_or_plain(const LayoutMap& layouts, std::string_view name) {
  auto found = layouts.find(name);
  return found == layouts.end() ? Layout{} : found->second;
}

// The layout of gradients follows their parameters': the state, and what is stored to it.
void lay_out_gradients(ScheduledGraph& scheduled, const LayoutMap& parameters) {
  const Graph& graph = *scheduled.graph;
  for (const Store& store : graph.stores) {
    std::string_view name = graph.values[store.state].name;
    if (!name.ends_with(kGradientSuffix)) continue;
    name.remove_suffix(kGradientSuffix.size());
    scheduled.layouts[store.state] = scheduled.layouts[store.value] = find_or_plain(parameters, name);
  }
}

void lay_out_prepared(ScheduledGraph& scheduled) {
  for (const ScheduledCall& call : scheduled.calls) {
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      const ValueId value = call.inputs[i];
      if (call.phase == Phase::kPrepare || !is_prepared(*scheduled.graph, value)) continue;
      if (scheduled.layouts[value].plain()) scheduled.layouts[value] = call.instance.layouts.inputs[i];
    }
  }
}

// The layout in which a call wants its input; plain for a weight that it takes as it is.
const Layout& wanted_layout(const ScheduledGraph& scheduled, const ScheduledCall& call, size_t input) {
  const Graph& graph = *scheduled.graph;
  const ValueId value = call.inputs[input];
  if (graph.type(value).has_batch()) return call.kernel.input_layouts[input];
  const Layout& wish = call.instance.layouts.inputs[input];
  const bool movable = is_parameter(graph, value) || is_prepared(graph, value);
  return movable && !wish.plain() ? wish : scheduled.layouts[value];
}

// A call that copies `from` into the layout of copy number `copy`.
Result<ScheduledCall> pack_call(const ScheduledGraph& scheduled, OperandId from, OperandId copy, Phase phase,
                                const Lookup& lookup) {
  ScheduledCall call{.name = scheduled.name(copy), .phase = phase};
  call.kernel =
      pack_kernel(scheduled.graph->type(scheduled.value_of(from)), scheduled.layout(from), scheduled.layout(copy));
  call.inputs = {from};
  call.outputs = {copy};
  ASSIGN_OR_RETURN(call.instance, look_up(lookup, call.name, call.kernel, scheduled.capacity));
  return call;
}

OperandId find_copy(const ScheduledGraph& scheduled, ValueId value, const Layout& layout) {
  for (size_t i = 0; i < scheduled.copies.size(); ++i) {
    if (scheduled.copies[i].of == value && scheduled.copies[i].layout == layout) {
      return static_cast<OperandId>(scheduled.graph->values.size() + i);
    }
  }
  return kNoValue;
}

}  // namespace

ValueId ScheduledGraph::value_of(OperandId operand) const {
  return is_copy(operand) ? copies[operand - graph->values.size()].of : operand;
}

const Layout& ScheduledGraph::layout(OperandId operand) const {
  return is_copy(operand) ? copies[operand - graph->values.size()].layout : layouts[operand];
}

std::string ScheduledGraph::name(OperandId operand) const {
  std::string name = graph->values[value_of(operand)].name;
  if (is_copy(operand)) name += ".packed" + std::to_string(operand - graph->values.size());
  return name;
}

bool ScheduledGraph::is_prepared_copy(OperandId operand) const {
  return is_copy(operand) && graph->stores.empty() && !graph->type(value_of(operand)).has_batch();
}

Result<Instance> look_up(const Lookup& lookup, const std::string& name, const Kernel& kernel, int64_t samples) {
  auto instance = lookup(kernel, samples);
  if (!instance.ok()) return internal_error("kernel " + name + ": " + instance.status().message());
  return instance;
}

Result<ScheduledGraph> schedule(const Graph& graph, int64_t capacity, const Lookup& lookup, const Keep& keep,
                                int64_t images) {
  ScheduledGraph scheduled{.graph = &graph, .capacity = capacity, .layouts = std::vector<Layout>(graph.values.size())};
  const auto computes_both = [&](const Kernel& kernel) { return lookup(kernel, capacity).ok(); };
  std::vector<KernelCall> calls = partition(graph, keep, computes_both);
  if (images > 0) lay_out_images(graph, calls, images, lookup);
  for (KernelCall& call : calls) {
    for (size_t o = 0; o < call.outputs.size(); ++o) scheduled.layouts[call.outputs[o]] = call.kernel.output_layouts[o];
    ASSIGN_OR_RETURN(Instance instance, look_up(lookup, call.name, call.kernel, capacity));
    scheduled.calls.push_back({std::move(call.name), call.phase, std::move(call.kernel), std::move(instance),
                               std::move(call.inputs), std::move(call.outputs), std::move(call.fused)});
  }
  return scheduled;
}

LayoutMap preferred_parameter_layouts(const ScheduledGraph& scheduled) {
  LayoutMap layouts;
  for (const ScheduledCall& call : scheduled.calls) {
    if (call.phase != Phase::kForward) continue;
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      const Layout& wish = call.instance.layouts.inputs[i];
      if (wish.plain() || !is_parameter(*scheduled.graph, call.inputs[i])) continue;
      layouts.emplace(scheduled.name(call.inputs[i]), untransformed(wish));
    }
  }
  return layouts;
}

Kernel pack_kernel(const Type& type, const Layout& from, const Layout& to) {
  Kernel kernel = single_op_kernel("pack", {}, {type});
  kernel.input_layouts = {from};
  kernel.output_layouts = {to};
  return kernel;
}

Status assign_layouts(ScheduledGraph& scheduled, const LayoutMap& parameters, const Lookup& lookup) {
  const Graph& graph = *scheduled.graph;
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (is_parameter(graph, static_cast<ValueId>(v))) {
      scheduled.layouts[v] = find_or_plain(parameters, graph.values[v].name);
    }
  }
  lay_out_gradients(scheduled, parameters);
  lay_out_prepared(scheduled);

  std::vector<ScheduledCall> calls;
  for (ScheduledCall& call : scheduled.calls) {
    for (size_t i = 0; i < call.inputs.size(); ++i) {
      const ValueId value = call.inputs[i];
      const Layout wanted = wanted_layout(scheduled, call, i);
      if (wanted != scheduled.layouts[value]) {
        OperandId copy = find_copy(scheduled, value, wanted);
        if (copy == kNoValue) {
          scheduled.copies.push_back({value, wanted});
          copy = static_cast<OperandId>(graph.values.size() + scheduled.copies.size() - 1);
          const Phase phase = scheduled.is_prepared_copy(copy) ? Phase::kPrepare : call.phase;
          ASSIGN_OR_RETURN(ScheduledCall pack, pack_call(scheduled, value, copy, phase, lookup));
          calls.push_back(std::move(pack));
        }
        call.inputs[i] = copy;
      }
      call.kernel.input_layouts[i] = scheduled.layout(call.inputs[i]);
    }
    for (size_t o = 0; o < call.outputs.size(); ++o) call.kernel.output_layouts[o] = scheduled.layout(call.outputs[o]);
    calls.push_back(std::move(call));
  }
  std::stable_sort(calls.begin(), calls.end(), [](const auto& a, const auto& b) { return a.phase < b.phase; });
  scheduled.calls = std::move(calls);
  return ok_status();
}

}  // namespace convoke
