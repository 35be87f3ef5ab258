#include "compiler/driver/compile_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "compiler/autodiff/differentiate.h"
#include "compiler/kernels/make_plan.h"
#include "schedules/database/cpu.h"
#include "schedules/database/lookup.h"

namespace convoke {
namespace {

// std::regex reports mistakes by exceptions; they end here.
Result<std::regex> parse_regex(const std::string& text, std::string_view option) {
  try {
    return std::regex(text);
  } catch (const std::regex_error& error) {
    return invalid_argument(fmt::format("{} \"{}\" is no regular expression: {}", option, text, error.what()));
  }
}

bool any_value_matches(const Graph& graph, const std::regex& pattern, bool parameters_only) {
  return std::ranges::any_of(graph.values, [&](const Value& value) {
    return (!parameters_only || graph.nodes[value.node].op == "parameter") && std::regex_match(value.name, pattern);
  });
}

// One expression over parameters' whole names for the layers that are frozen.
Result<std::string> frozen_parameters(const std::vector<std::string>& layers, const Graph& graph) {
  std::string all;
  for (const std::string& layer : layers) {
    const std::string parameters = "(?:" + layer + ")(?:\\..*)?";
    RETURN_IF_ERROR(parse_regex(layer, "--freeze").status());
    if (!any_value_matches(graph, std::regex(parameters), true)) {
      return invalid_argument(fmt::format("--freeze \"{}\" matches no layer with parameters", layer));
    }
    all += (all.empty() ? "" : "|") + parameters;
  }
  return all;
}

TensorDescription describe(const Graph& graph, ValueId id) {
  const Value& value = graph.values[id];
  TensorDescription tensor{value.name, value.type};
  const Attrs& attrs = graph.nodes[value.node].attrs;
  if (!attrs.contains("init")) return tensor;
  const std::string& init = attr_string(attrs, "init");
  tensor.init_value = attr_float(attrs, "init_value");
  tensor.init = init == "uniform"  ? CONVOKE_UNIFORM
                : init == "normal" ? CONVOKE_NORMAL
                : init == "ones"   ? CONVOKE_ONES
                                   : CONVOKE_ZEROS;
  return tensor;
}

ModelDescription describe(const ImportedModel& model, const ModelOptions& options) {
  ModelDescription description{.name = model.name, .has_training = options.training, .image = options.image};
  const Graph& graph = model.graph;
  for (const Node& node : graph.nodes) {
    if (node.op == "input") description.inputs.push_back(describe(graph, node.results[0]));
    if (node.op == "parameter") description.parameters.push_back(describe(graph, node.results[0]));
    if (node.op == "state") description.states.push_back(describe(graph, node.results[0]));
  }
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    description.outputs.push_back({model.outputs[i], graph.type(graph.outputs[i])});
  }
  description.class_count = static_cast<int>(graph.type(graph.outputs[0]).dims.back());
  description.class_names = options.class_names;
  return description;
}

Status check(const ModelOptions& options, const ModelDescription& description) {
  if (options.batch < 1 || options.batch > 65536) {
    return invalid_argument(fmt::format("batch {}, expected 1 to 65536", options.batch));
  }
  const auto names = static_cast<int>(options.class_names.size());
  if (names != 0 && names != description.class_count) {
    return invalid_argument(fmt::format("{}: {} classes, but the data set has {}; set them with --classes {}",
                                        options.model, description.class_count, names, names));
  }
  return ok_status();
}

Result<Database> tuned_schedules(const ModelOptions& options, const TargetSpec& target) {
  if (options.tuned == kNoTuned) return Database{};
  return options.tuned.empty() ? shipped_database(target.name) : read_database(options.tuned);
}

}  // namespace

Result<PlannedModel> plan_model(const ModelOptions& options, const PlanObserver& observer) {
  PlannedModel planned;
  ASSIGN_OR_RETURN(planned.target, find_target(options.target));
  ImportResult imported = import_model(options.model, options.input);
  RETURN_IF_ERROR(imported.diagnostics.status());
  planned.description = describe(imported.model, options);
  RETURN_IF_ERROR(check(options, planned.description));
  planned.imported = imported.model.graph;
  planned.inference = inference_pipeline(imported.model.graph, observer.inference_pass);
  if (options.training) {
    Graph forward = training_forward_pipeline(imported.model.graph, observer.training_pass);
    ASSIGN_OR_RETURN(const std::string freeze, frozen_parameters(options.freeze, forward));
    ASSIGN_OR_RETURN(Graph training, differentiate(forward, {options.label_smoothing, freeze}));
    if (observer.training_pass) observer.training_pass("differentiate", training);
    planned.training = training_pipeline(std::move(training), observer.training_pass);
  }

  PlanRequest request{.model = imported.model.name, .capacity = options.batch, .inference = &planned.inference};
  if (options.training) request.training = &planned.training;
  request.update = [&](int64_t elems) { return update_graph(options.optimizer, elems); };
  ASSIGN_OR_RETURN(const Database tuned, tuned_schedules(options, planned.target));
  const LookupOptions lookup_options{
      .tuned = &tuned, .cpu = cpu_name(), .strict = options.strict, .training = options.training};
  request.vector_lanes = planned.target.vector_lanes;
  request.lookup = [&](const Kernel& kernel, int64_t samples) {
    return lookup(kernel, batch_class(samples), planned.target, lookup_options);
  };
  request.cache_bytes = planned.target.l3_bytes;
  if (!options.keep.empty()) {
    ASSIGN_OR_RETURN(const std::regex pattern, parse_regex(options.keep, "--keep"));
    if (!any_value_matches(planned.inference, pattern, false) && !any_value_matches(planned.training, pattern, false)) {
      return invalid_argument(fmt::format("--keep \"{}\" matches no value of the network", options.keep));
    }
    request.keep = [pattern](const std::string& name) { return std::regex_match(name, pattern); };
  }
  ASSIGN_OR_RETURN(planned.plan, make_plan(request));
  return planned;
}

Result<CompiledLibrary> compile_planned(const PlannedModel& planned, const CodegenOptions& options) {
  return compile_library(planned.plan, planned.description, planned.target, options);
}

Result<CompiledLibrary> compile_model(const ModelOptions& options, const CodegenOptions& codegen) {
  ASSIGN_OR_RETURN(const PlannedModel planned, plan_model(options));
  return compile_planned(planned, codegen);
}

std::string user_cache_directory() {
  return object_cache_directory(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
}

}  // namespace convoke
