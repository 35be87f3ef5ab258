// convoke summary: torchinfo's columns, and which kernel computes each layer into how much memory.
#include "compiler/frontend/summary.h"

#include <fmt/format.h>

#include <map>
#include <memory>

#include "compiler/driver/model_arguments.h"
#include "compiler/driver/output.h"
#include "compiler/driver/verb.h"
#include "runtime/io/table.h"

namespace convoke {
namespace {

struct Arguments {
  ModelArguments model;
  bool json = false;
};

// "28x28x6": without the batch.
std::string shape(const Type& type) {
  std::string text;
  for (int64_t dim : type.dims) {
    if (dim != kBatch) text += (text.empty() ? "" : "x") + std::to_string(dim);
  }
  return text;
}

std::string shapes(const std::vector<Type>& types) {
  std::string text;
  for (const Type& type : types) text += (text.empty() ? "" : " ") + shape(type);
  return text;
}

// How inference computes a layer.
struct Computed {
  std::string kernel;       // template; "" when the layer left no code
  int64_t arena_bytes = 0;  // of its result, for the whole batch; 0 when it stays in registers
};

std::map<std::string, Computed> computed_layers(const Plan& plan) {
  std::map<std::string, Computed> layers;
  for (const FusedName& fused : plan.fused_names) {
    const PlanRow& row = plan.rows[fused.row];
    if (row.program == CONVOKE_INFER) layers[fused.name] = {plan.kernels[row.kernel].instance.template_name, 0};
  }
  for (const PlanRow& row : plan.rows) {
    if (row.program != CONVOKE_INFER) continue;
    const PlanKernel& kernel = plan.kernels[row.kernel];
    for (size_t b = kernel.kernel.inputs.size(); b < row.buffers.size(); ++b) {
      const PlanBuffer& buffer = plan.buffers[row.buffers[b]];
      const int64_t bytes = storage_elems(buffer.type, buffer.layout) * size_bytes(buffer.type.dtype);
      layers[buffer.name] = {kernel.instance.template_name, bytes * (buffer.type.has_batch() ? buffer.samples : 1)};
    }
  }
  return layers;
}

std::string or_dash(int64_t count) { return count > 0 ? count_text(count) : "-"; }

void print_table(const ModelSummary& summary, const std::map<std::string, Computed>& computed, const Plan& plan) {
  std::vector<TableRow> rows = {
      {"layer", "op", "input", "output", "parameters", "multiply-adds", "kernel", "arena bytes"}, {}};
  for (const LayerSummary& layer : summary.layers) {
    const auto found = computed.find(layer.name);
    const bool has_code = found != computed.end();
    rows.push_back({layer.name, layer.op, shapes(layer.inputs), shape(layer.output), or_dash(layer.parameters),
                    or_dash(layer.multiply_adds), has_code ? found->second.kernel : "-",
                    has_code ? or_dash(found->second.arena_bytes) : "-"});
  }
  rows.emplace_back();
  rows.push_back({"total", "", shapes(summary.inputs), shapes(summary.outputs), count_text(summary.parameters),
                  count_text(summary.multiply_adds), "", count_text(plan.inference_activation_bytes)});
  fmt::print("{}\n", format_table("llllrrlr", rows));
  fmt::print("batch {}: activations {} to infer, {} to train (lower bound {}); parameters {}\n", plan.capacity,
             bytes_text(plan.inference_activation_bytes), bytes_text(plan.arena_bytes[core::kActivations]),
             bytes_text(plan.activation_lower_bound_bytes), bytes_text(plan.arena_bytes[core::kParameters]));
}

Json dims_json(const Type& type) {
  Json dims = Json::array();
  for (int64_t dim : type.dims) {
    if (dim != kBatch) dims.push_back(dim);
  }
  return dims;
}

Json summary_json(const ModelSummary& summary, const std::map<std::string, Computed>& computed, const Plan& plan) {
  Json layers = Json::array();
  for (const LayerSummary& layer : summary.layers) {
    const auto found = computed.find(layer.name);
    Json inputs = Json::array();
    for (const Type& input : layer.inputs) inputs.push_back(dims_json(input));
    layers.push_back({{"name", layer.name},
                      {"op", layer.op},
                      {"inputs", std::move(inputs)},
                      {"output", dims_json(layer.output)},
                      {"parameters", layer.parameters},
                      {"multiply_adds", layer.multiply_adds},
                      {"kernel", found == computed.end() ? "" : found->second.kernel},
                      {"arena_bytes", found == computed.end() ? 0 : found->second.arena_bytes}});
  }
  return {{"model", summary.name},
          {"parameters", summary.parameters},
          {"multiply_adds", summary.multiply_adds},
          {"batch", plan.capacity},
          {"inference_activation_bytes", plan.inference_activation_bytes},
          {"training_activation_bytes", plan.arena_bytes[core::kActivations]},
          {"activation_lower_bound_bytes", plan.activation_lower_bound_bytes},
          {"parameter_bytes", plan.arena_bytes[core::kParameters]},
          {"layers", std::move(layers)}};
}

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const ModelOptions options, resolve(arguments.model, 1));
  ASSIGN_OR_RETURN(const PlannedModel planned, plan_model(options));
  const ModelSummary summary = summarize(planned.imported);
  const std::map<std::string, Computed> computed = computed_layers(planned.plan);
  if (arguments.json) {
    print_json(summary_json(summary, computed, planned.plan));
  } else {
    print_table(summary, computed, planned.plan);
  }
  return 0;
}

}  // namespace

VerbRun summary_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  add_compile_arguments(app, arguments->model);
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
