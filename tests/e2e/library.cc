#include "tests/e2e/library.h"

#include <dlfcn.h>
#include <doctest/doctest.h>

#include "compiler/codegen/codegen.h"
#include "compiler/kernels/make_plan.h"
#include "schedules/database/lookup.h"
#include "schedules/targets/target.h"

namespace convoke {
namespace {

std::vector<TensorDescription> describe(const Graph& graph, std::string_view op) {
  std::vector<TensorDescription> tensors;
  for (const Node& node : graph.nodes) {
    if (node.op == op) tensors.push_back({graph.values[node.results[0]].name, graph.type(node.results[0])});
  }
  return tensors;
}

void require_ok(int32_t code, const convoke_error& error) {
  INFO(std::string(error.message));
  REQUIRE(code == CONVOKE_OK);
}

std::vector<float> floats(const Tensor& tensor) { return {tensor.data.begin(), tensor.data.end()}; }

// As the ABI takes them.
struct FloatInputs {
  explicit FloatInputs(const Inputs& inputs) : n(static_cast<int32_t>(inputs.at(0).dim(0))) {
    for (const Tensor& input : inputs) values.push_back(floats(input));
    for (const std::vector<float>& input : values) pointers.push_back(input.data());
  }
  int32_t n;
  std::vector<std::vector<float>> values;
  std::vector<const void*> pointers;
};

}  // namespace

const convoke_library* compile_and_open(const std::string& name, const CompileRequest& request) {
  const TargetSpec target = find_target("host").value();
  const PlanRequest plan_request = {
      name,
      request.capacity,
      request.inference,
      request.training,
      [&](int64_t elems) { return update_graph(request.optimizer, elems); },
      [&](const Kernel& kernel, int64_t samples) { return lookup(kernel, batch_class(samples), target); },
      target.vector_lanes,
      request.cache_bytes};
  const auto plan = make_plan(plan_request);
  const std::string plan_error = plan.ok() ? "" : plan.status().message();
  INFO(plan_error);
  REQUIRE(plan.ok());

  ModelDescription model{.name = name, .inputs = describe(*request.inference, "input")};
  model.parameters = describe(*request.inference, "parameter");
  model.states = describe(*request.inference, "state");
  for (ValueId output : request.inference->outputs) {
    model.outputs.push_back({request.inference->values[output].name, request.inference->type(output)});
  }
  model.has_training = request.training != nullptr;
  const std::string directory = std::string(CONVOKE_BINARY_DIR) + "/e2e/" + name;
  const auto library = compile_library(*plan, model, target, {.output_directory = directory});
  const std::string library_error = library.ok() ? "" : library.status().message();
  INFO(library_error);
  REQUIRE(library.ok());
  return open_library(library->library_path, name);
}

const convoke_library* open_library(const std::string& path, const std::string& model) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  REQUIRE(handle != nullptr);
  const std::string symbol = c_identifier(model) + "_library";
  auto* entry = reinterpret_cast<const convoke_library* (*)()>(dlsym(handle, symbol.c_str()));
  const bool found = entry != nullptr;
  REQUIRE(found);
  REQUIRE(entry()->abi_version == CONVOKE_ABI_VERSION);
  return entry();
}

const convoke_library* compile_and_open(const PlannedModel& planned, const std::string& folder) {
  const std::string build = CONVOKE_BINARY_DIR;
  const auto library = compile_planned(
      planned, {.output_directory = build + "/e2e/" + folder, .cache_directory = build + "/e2e/kernels"});
  const std::string error = library.ok() ? "" : library.status().message();
  INFO(error);
  REQUIRE(library.ok());
  return open_library(library->library_path, planned.description.name);
}

Session::Session(const convoke_library* library, const Environment& sources, int training, int threads)
    : library_(library) {
  convoke_error error = {};
  require_ok(library->weights_create(&weights_, &error), error);
  const convoke_model& model = *library->model;
  for (int i = 0; i < model.parameter_count + model.state_count; ++i) {
    const convoke_tensor& tensor =
        i < model.parameter_count ? model.parameters[i] : model.states[i - model.parameter_count];
    const std::vector<float> values = floats(sources.at(tensor.name));
    require_ok(library->weights_set(weights_, i, values.data(), tensor.elems, &error), error);
  }
  const convoke_context_options options = {.training = training, .threads = threads};
  require_ok(library->context_create(weights_, &options, &context_, &error), error);
}

Session::~Session() {
  library_->context_destroy(context_);
  library_->weights_destroy(weights_);
}

void Session::capture(convoke_program program, const char* name, std::vector<float>& to) {
  convoke_error error = {};
  require_ok(library_->capture(context_, program, name, to.data(), static_cast<int64_t>(to.size()), &error), error);
}

template <typename Call>
std::vector<std::vector<float>> Session::outputs_of(Call call, const Inputs& inputs) {
  const FloatInputs given(inputs);
  std::vector<std::vector<float>> outputs;
  std::vector<void*> pointers;
  for (int i = 0; i < library_->model->output_count; ++i) {
    outputs.emplace_back(library_->model->outputs[i].elems * given.n);
  }
  for (auto& output : outputs) pointers.push_back(output.data());
  convoke_error error = {};
  require_ok(call(context_, given.n, given.pointers.data(), pointers.data(), &error), error);
  return outputs;
}

std::vector<std::vector<float>> Session::infer(const Inputs& inputs) { return outputs_of(library_->infer, inputs); }

std::vector<std::vector<float>> Session::forward(const Inputs& inputs) { return outputs_of(library_->forward, inputs); }

convoke_metrics Session::forward_backward(const Inputs& inputs, const Tensor& labels, const convoke_step* step) {
  const FloatInputs given(inputs);
  const std::vector<int32_t> classes(labels.data.begin(), labels.data.end());
  convoke_metrics metrics = {};
  convoke_error error = {};
  require_ok(
      library_->forward_backward(context_, given.n, given.pointers.data(), classes.data(), step, &metrics, &error),
      error);
  return metrics;
}

void Session::backward(const std::vector<std::vector<float>>& output_gradients) {
  std::vector<const void*> pointers;
  for (const std::vector<float>& gradient : output_gradients) pointers.push_back(gradient.data());
  convoke_error error = {};
  require_ok(library_->backward(context_, pointers.data(), nullptr, &error), error);
}

void Session::update(float learning_rate, int64_t step) {
  const convoke_update update = {.learning_rate = learning_rate, .step = step};
  convoke_error error = {};
  require_ok(library_->update(context_, &update, nullptr, &error), error);
}

std::vector<float> Session::weight(int index) const {
  const convoke_model& model = *library_->model;
  const convoke_tensor& tensor =
      index < model.parameter_count ? model.parameters[index] : model.states[index - model.parameter_count];
  std::vector<float> values(tensor.elems);
  convoke_error error = {};
  require_ok(library_->weights_get(weights_, index, values.data(), tensor.elems, &error), error);
  return values;
}

std::vector<float> Session::gradient(int index) const {
  std::vector<float> values(library_->model->parameters[index].elems);
  convoke_error error = {};
  require_ok(library_->field_get(context_, CONVOKE_GRADIENT, index, values.data(), values.size(), &error), error);
  return values;
}

}  // namespace convoke
