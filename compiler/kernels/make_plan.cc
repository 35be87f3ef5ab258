#include "compiler/kernels/make_plan.h"

#include <algorithm>
#include <optional>
#include <set>

#include "compiler/kernels/activations.h"
#include "compiler/kernels/bands.h"
#include "runtime/base/check.h"
#include "runtime/base/checked.h"

namespace convoke {
namespace {

constexpr int64_t kAlignment = 64;
constexpr const char* kGradientSuffix = ".grad";
constexpr std::string_view kScalarNames[core::kScalarCount] = {"learning_rate", "step",           "loss_scale",
                                                               "accumulate",    "gradient_scale", "random"};

convoke_program program_of(Phase phase, bool training) {
  switch (phase) {
    case Phase::kPrepare:
      return CONVOKE_PREPARE;
    case Phase::kForward:
      return training ? CONVOKE_FORWARD : CONVOKE_INFER;
    case Phase::kLoss:
      return CONVOKE_LOSS;
    case Phase::kBackward:
      return CONVOKE_BACKWARD;
    case Phase::kUpdate:
      return CONVOKE_UPDATE;
  }
  return CONVOKE_INFER;
}

// Of a run-time scalar's input; an image may have such a name too.
int scalar_slot(const Value& value) {
  if (value.type != f32({})) return -1;
  const std::string_view name = value.name;
  const auto* found = std::find(std::begin(kScalarNames), std::end(kScalarNames), name);
  return found == std::end(kScalarNames) ? -1 : static_cast<int>(found - std::begin(kScalarNames));
}

class PlanMaker {
 public:
  explicit PlanMaker(const PlanRequest& request) : request_(request) {
    plan_.model = request.model;
    plan_.capacity = request.capacity;
    plan_.arena_bytes[core::kScalars] = round_up(core::kScalarCount * 4, kAlignment);
  }

  Result<Plan> run() {
    ASSIGN_OR_RETURN(ScheduledGraph inference, scheduled(*request_.inference, inference_images()));
    RETURN_IF_ERROR(choose_bands(inference, request_.cache_bytes, request_.lookup));
    std::optional<ScheduledGraph> training;
    if (request_.training != nullptr) {
      ASSIGN_OR_RETURN(training, scheduled(*request_.training, images()));
    }
    const LayoutMap layouts = preferred_parameter_layouts(training ? *training : inference);
    RETURN_IF_ERROR(assign_layouts(inference, layouts, request_.lookup));
    if (training) RETURN_IF_ERROR(assign_layouts(*training, layouts, request_.lookup));

    place_weights(layouts);
    add_inference(inference);
    if (training) RETURN_IF_ERROR(add_training(*training));
    return std::move(plan_);
  }

 private:
  Result<ScheduledGraph> scheduled(const Graph& graph, int64_t images) const {
    return schedule(graph, plan_.capacity, request_.lookup, request_.keep, images);
  }

  // Of a block; 0: activations lie plain.
  int64_t images() const {
    const int64_t lanes = request_.vector_lanes;
    return lanes > 0 && request_.capacity % lanes == 0 ? lanes : 0;
  }

  // Who trains by batches may serve single images, for which a block is as much work as for all of its own.
  int64_t inference_images() const { return request_.training == nullptr ? images() : 0; }

  // --- weights: parameters, gradients and moments lie in the same order and layout ---

  // What is trained comes first, so that the optimizer is one pass over the arenas' beginning.
  void place_weights(const LayoutMap& layouts) {
    for (const bool trained : {true, false}) {
      if (!trained) trained_bytes_ = plan_.arena_bytes[core::kParameters];
      for_each_weight([&](const Value& value, const Node& node) {
        if (node.op != "parameter" || is_trained(value.name) != trained) return;
        const auto found = layouts.find(value.name);
        add_weight(value, found == layouts.end() ? Layout{} : found->second, core::kParameters);
      });
    }
    for_each_weight([&](const Value& value, const Node& node) {
      if (node.op == "state") add_weight(value, {}, core::kState);
      (node.op == "state" ? plan_.states : plan_.parameters).push_back(weight_buffers_.at(value.name));
    });
  }

  // Parameters and running statistics once each, in the graph's order.
  template <typename F>
  void for_each_weight(const F& f) const {
    std::set<std::string_view> seen;
    for (const Graph* graph : {request_.inference, request_.training}) {
      if (graph == nullptr) continue;
      for (const Node& node : graph->nodes) {
        const bool is_weight =
            node.op == "parameter" || (node.op == "state" && attr_string(node.attrs, "arena") == "state");
        const Value& value = graph->values[node.results[0]];
        if (is_weight && seen.insert(value.name).second) f(value, node);
      }
    }
  }

  bool is_trained(const std::string& parameter) const {
    return request_.training == nullptr || find_value(*request_.training, parameter + kGradientSuffix) != kNoValue;
  }

  void add_weight(const Value& value, const Layout& layout, core::Arena arena) {
    const int id = add_buffer({value.name, value.type, layout, arena, plan_.arena_bytes[arena]});
    plan_.arena_bytes[arena] += stored_bytes(plan_.buffers[id]);
    weight_buffers_[value.name] = id;
  }

  // A tensor beside each parameter that is trained, at the same place of another arena; -1 for others.
  std::vector<int> mirror_parameters(core::Arena arena, const std::string& suffix) {
    plan_.arena_bytes[arena] = trained_bytes_;
    std::vector<int> buffers;
    for (int parameter : plan_.parameters) {
      if (!is_trained(plan_.buffers[parameter].name)) {
        buffers.push_back(-1);
        continue;
      }
      PlanBuffer buffer = plan_.buffers[parameter];
      buffer.arena = arena;
      buffer.name += suffix;
      weight_buffers_[buffer.name] = static_cast<int>(plan_.buffers.size());
      buffers.push_back(add_buffer(std::move(buffer)));
    }
    return buffers;
  }

  // --- the three sequences of rows ---

  void add_inference(const ScheduledGraph& scheduled) {
    const Graph& graph = *scheduled.graph;
    const int first = add_rows(scheduled);
    const auto end = static_cast<int>(plan_.rows.size());
    std::vector<Kept> kept;
    for (const Node& node : graph.nodes) {
      if (node.op != "input") continue;
      plan_.infer_inputs.push_back(buffer_of(scheduled, node.results[0]));
      kept.push_back({plan_.infer_inputs.back(), first, first});
    }
    for (ValueId output : graph.outputs) {
      plan_.infer_outputs.push_back(buffer_of(scheduled, output));
      kept.push_back({plan_.infer_outputs.back(), end, end});
    }
    place_activations(plan_, first, end, kept);
    plan_.inference_activation_bytes = plan_.arena_bytes[core::kActivations];
  }

  int first_row(int from, convoke_program program) const {
    int row = from;
    while (row < static_cast<int>(plan_.rows.size()) && plan_.rows[row].program < program) ++row;
    return row;
  }

  Status add_training(const ScheduledGraph& scheduled) {
    const Graph& graph = *scheduled.graph;
    plan_.gradients = mirror_parameters(core::kGradients, kGradientSuffix);
    const int first = add_rows(scheduled);
    const auto end = static_cast<int>(plan_.rows.size());
    const int loss = first_row(first, CONVOKE_LOSS), backward = first_row(first, CONVOKE_BACKWARD);
    std::vector<Kept> kept;
    for (const Node& node : graph.nodes) {
      if (node.op != "input" || scalar_slot(graph.values[node.results[0]]) >= 0) continue;
      const int buffer = buffer_of(scheduled, node.results[0]);
      kept.push_back({buffer, first, first});
      if (plan_.buffers[buffer].name == "labels") {
        plan_.labels = buffer;
      } else {
        plan_.train_inputs.push_back(buffer);
      }
    }
    for (ValueId output : graph.outputs) {
      const std::string& name = graph.values[output].name;
      const int buffer = buffer_of(scheduled, output);
      if (name == "loss" || name == "accuracy") {
        (name == "loss" ? plan_.loss : plan_.accuracy) = buffer;
        kept.push_back({buffer, loss, end});
        continue;
      }
      // forward() hands out the outputs when its rows are done; backward() starts by writing their gradients. An output
      // that depends on no trained parameter has none.
      plan_.train_outputs.push_back(buffer);
      kept.push_back({buffer, loss, loss});
      const ValueId gradient = find_value(graph, name + ".grad");
      plan_.output_gradients.push_back(gradient == kNoValue ? -1 : buffer_of(scheduled, gradient));
      if (gradient != kNoValue) kept.push_back({plan_.output_gradients.back(), loss, backward});
    }
    place_activations(plan_, first, end, kept);
    return add_update();
  }

  Status add_update() {
    const Graph graph = request_.update(trained_bytes_ / 4);
    for (const Node& node : graph.nodes) {
      if (node.op != "state") continue;
      const std::string& arena = attr_string(node.attrs, "arena");
      if (arena == "parameters" || arena == "gradients") continue;
      plan_.moment_names.push_back(arena);
      const auto moment = static_cast<core::Arena>(core::kMoment0 + plan_.moments.size());
      plan_.moments.push_back(mirror_parameters(moment, "." + arena));
    }
    ASSIGN_OR_RETURN(ScheduledGraph scheduled, schedule(graph, plan_.capacity, request_.lookup));
    RETURN_IF_ERROR(assign_layouts(scheduled, {}, request_.lookup));
    const int first = add_rows(scheduled);
    const auto end = static_cast<int>(plan_.rows.size());
    plan_.gradient_sum_squares = buffer_of(scheduled, find_value(graph, "gradient_sum_squares"));
    place_activations(plan_, first, end, {{plan_.gradient_sum_squares, first, end}});
    return ok_status();
  }

  // --- one graph's rows ---

  // Returns the index of the graph's first row.
  int add_rows(const ScheduledGraph& scheduled) {
    const Graph& graph = *scheduled.graph;
    for (const Store& store : graph.stores) {
      ENSURE(can_store_directly(scheduled, store))
          << "%" << graph.values[store.state].name << " is read after its store";
      const bool is_first = state_of_.emplace(std::make_pair(&graph, store.value), store.state).second;
      ENSURE(is_first) << "%" << graph.values[store.value].name << " is stored to two states";
    }
    const auto first_row = static_cast<int>(plan_.rows.size());
    int band = kNoBand;  // the last row's
    for (const ScheduledCall& call : scheduled.calls) {
      add_row(scheduled, call);
      const auto end = static_cast<int>(plan_.rows.size());
      if (call.band != kNoBand && call.band != band) plan_.bands.push_back({end - 1, end, scheduled.bands[call.band]});
      if (call.band != kNoBand) plan_.bands.back().end_row = end;
      band = call.band;
    }
    return first_row;
  }

  void add_row(const ScheduledGraph& scheduled, const ScheduledCall& call) {
    PlanRow row{.name = call.name, .program = program_of(call.phase, is_training(*scheduled.graph))};
    for (OperandId input : call.inputs) row.buffers.push_back(buffer_of(scheduled, input));
    for (OperandId output : call.outputs) row.buffers.push_back(buffer_of(scheduled, output));
    row.kernel = add_kernel(call);
    for (ValueId fused : call.fused) {
      plan_.fused_names.push_back({scheduled.graph->values[fused].name, static_cast<int>(plan_.rows.size())});
    }
    plan_.rows.push_back(std::move(row));
  }

  bool is_training(const Graph& graph) const { return &graph == request_.training; }

  int add_kernel(const ScheduledCall& call) {
    const std::string identity =
        kernel_key(call.kernel) + call.instance.template_name + " " + to_string(call.instance.knobs);
    auto [found, is_new] = kernel_ids_.emplace(identity, static_cast<int>(plan_.kernels.size()));
    if (is_new) plan_.kernels.push_back({call.kernel, call.instance});
    return found->second;
  }

  // A stored value is computed in the state's own memory: nobody reads the old state after that.
  static bool can_store_directly(const ScheduledGraph& scheduled, const Store& store) {
    bool written = false;
    for (const ScheduledCall& call : scheduled.calls) {
      const auto output = std::find(call.outputs.begin(), call.outputs.end(), store.value);
      for (size_t i = 0; i < call.inputs.size(); ++i) {
        if (call.inputs[i] != store.state) continue;
        const auto o = static_cast<int>(output - call.outputs.begin());
        if (written || (output != call.outputs.end() && !may_alias(call.kernel, static_cast<int>(i), o))) return false;
      }
      written |= output != call.outputs.end();
    }
    return written;
  }

  int add_buffer(PlanBuffer buffer) {
    buffer.samples = plan_.capacity;
    plan_.buffers.push_back(std::move(buffer));
    return static_cast<int>(plan_.buffers.size() - 1);
  }

  int buffer_of(const ScheduledGraph& scheduled, OperandId operand) {
    const auto key = std::make_pair(scheduled.graph, operand);
    auto found = buffers_.find(key);
    if (found != buffers_.end()) return found->second;
    return buffers_[key] = make_buffer(scheduled, operand);
  }

  int make_buffer(const ScheduledGraph& scheduled, OperandId operand) {
    const Graph& graph = *scheduled.graph;
    const ValueId value = scheduled.value_of(operand);
    const Node& node = graph.node_of(value);
    PlanBuffer buffer{scheduled.name(operand), graph.type(value), scheduled.layout(operand), core::kActivations};
    if (!scheduled.is_copy(operand)) {
      auto stored = state_of_.find({&graph, value});
      if (stored != state_of_.end()) return buffer_of(scheduled, stored->second);
      if (node.op == "parameter") return weight_buffers_.at(buffer.name);
      if (node.op == "state") return state_buffer(attr_string(node.attrs, "arena"), std::move(buffer));
      if (const int slot = scalar_slot(graph.values[value]); node.op == "input" && slot >= 0) {
        buffer.arena = core::kScalars;
        buffer.offset_bytes = 4 * slot;
      }
    }
    const bool prepared = scheduled.is_copy(operand) ? scheduled.is_prepared_copy(operand)
                                                     : !is_source(node.op) && node.phase == Phase::kPrepare;
    if (prepared) {
      buffer.arena = core::kPrepared;
      buffer.offset_bytes = plan_.arena_bytes[core::kPrepared];
      plan_.arena_bytes[core::kPrepared] += stored_bytes(buffer);
    }
    return add_buffer(std::move(buffer));
  }

  static int64_t stored_bytes(const PlanBuffer& buffer) {
    return round_up(storage_elems(buffer.type, buffer.layout) * size_bytes(buffer.type.dtype), kAlignment);
  }

  // By name; the update graph's flat states, named as their arenas, are whole arenas.
  int state_buffer(const std::string& arena, PlanBuffer buffer) {
    if (buffer.name != arena) return weight_buffers_.at(buffer.name);
    if (arena == "parameters") {
      buffer.arena = core::kParameters;
    } else if (arena == "gradients") {
      buffer.arena = core::kGradients;
    } else {
      const auto found = std::find(plan_.moment_names.begin(), plan_.moment_names.end(), arena);
      ENSURE(found != plan_.moment_names.end()) << "no arena " << arena;
      buffer.arena = static_cast<core::Arena>(core::kMoment0 + (found - plan_.moment_names.begin()));
    }
    return add_buffer(std::move(buffer));
  }

  const PlanRequest& request_;
  Plan plan_;
  int64_t trained_bytes_ = 0;                               // of the arenas of parameters, gradients and moments
  std::map<std::string, int, std::less<>> weight_buffers_;  // parameters, their gradients and moments, states
  std::map<std::string, int> kernel_ids_;
  std::map<std::pair<const Graph*, OperandId>, int> buffers_;
  std::map<std::pair<const Graph*, ValueId>, ValueId> state_of_;  // of a stored value
};

}  // namespace

Result<Plan> make_plan(const PlanRequest& request) { return PlanMaker(request).run(); }

}  // namespace convoke
