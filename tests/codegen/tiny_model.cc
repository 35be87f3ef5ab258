#include "tests/codegen/tiny_model.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>

#include "runtime/base/checked.h"
#include "schedules/database/lookup.h"

namespace convoke {
namespace {

PlanKernel linear_kernel(int64_t in, int64_t out, const TargetSpec& target) {
  PlanKernel planned{single_op_kernel("linear", {}, {f32({kBatch, in}), f32({out, in}), f32({out})}), {}};
  Result<Instance> instance = lookup(planned.kernel, BatchClass::kFew, target, {.only = "small"});
  REQUIRE_MESSAGE(instance.ok(), instance.status().message());
  planned.instance = *instance;
  return planned;
}

int add_buffer(Plan& plan, const std::string& name, Type type, core::Arena arena) {
  int64_t& end = plan.arena_bytes[arena];
  plan.buffers.push_back({name, type, {}, arena, end});
  end = round_up(end + type.elems() * size_bytes(type.dtype) * (type.has_batch() ? plan.capacity : 1), 64);
  return static_cast<int>(plan.buffers.size()) - 1;
}

std::vector<float> layer(const std::vector<float>& x, const std::vector<float>& w, const std::vector<float>& b) {
  const size_t out = b.size(), in = w.size() / out;
  std::vector<float> y;
  for (size_t i = 0; i < x.size(); i += in) {
    for (size_t o = 0; o < out; ++o) {
      double sum = static_cast<double>(b[o]);
      for (size_t k = 0; k < in; ++k) sum += static_cast<double>(w[o * in + k]) * static_cast<double>(x[i + k]);
      y.push_back(static_cast<float>(sum));
    }
  }
  return y;
}

}  // namespace

TargetSpec target_named(const std::string& name) {
  Result<TargetSpec> target = find_target(name);
  REQUIRE_MESSAGE(target.ok(), target.status().message());
  return *target;
}

TinyModel tiny_model(const TargetSpec& target) {
  TinyModel tiny;
  Plan& plan = tiny.plan;
  plan.model = "tiny-net";
  plan.capacity = kCapacity;
  const Type x = f32({kBatch, kFeatures}), h = f32({kBatch, kHidden}), y = f32({kBatch, kClasses});
  const Type w1 = f32({kHidden, kFeatures}), b1 = f32({kHidden}), w2 = f32({kClasses, kHidden}), b2 = f32({kClasses});
  plan.parameters = {
      add_buffer(plan, "fc1.weight", w1, core::kParameters), add_buffer(plan, "fc1.bias", b1, core::kParameters),
      add_buffer(plan, "fc2.weight", w2, core::kParameters), add_buffer(plan, "fc2.bias", b2, core::kParameters)};
  plan.infer_inputs = {add_buffer(plan, "x", x, core::kActivations)};
  const int hidden = add_buffer(plan, "fc1", h, core::kActivations);
  plan.infer_outputs = {add_buffer(plan, "fc2", y, core::kActivations)};
  plan.arena_bytes[core::kScalars] = 64;
  plan.inference_activation_bytes = plan.arena_bytes[core::kActivations];
  plan.kernels = {linear_kernel(kFeatures, kHidden, target), linear_kernel(kHidden, kClasses, target)};
  plan.rows = {{"fc1", CONVOKE_INFER, 0, {plan.infer_inputs[0], 0, 1, hidden}},
               {"fc2", CONVOKE_INFER, 1, {hidden, 2, 3, plan.infer_outputs[0]}}};
  tiny.description = {.name = plan.model,
                      .inputs = {{"x", x}},
                      .outputs = {{"fc2", y}},
                      .parameters = {{"fc1.weight", w1, CONVOKE_UNIFORM, 0.25},
                                     {"fc1.bias", b1},
                                     {"fc2.weight", w2},
                                     {"fc2.bias", b2, CONVOKE_ONES}},
                      .image = ImageTransform{0.5, {1, 2}, {3, 4}},
                      .class_count = kClasses,
                      .class_names = {"bag", "boot", "coat"}};
  return tiny;
}

std::vector<float> pattern(int64_t count, int seed) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>((i * 37 + seed * 101) % 97) / 48.0f - 1.0f);
  return values;
}

std::vector<float> expected_outputs(int n) {
  const std::vector<float> hidden =
      layer(pattern(n * kFeatures, 5), pattern(kHidden * kFeatures, 1), pattern(kHidden, 2));
  return layer(hidden, pattern(kClasses * kHidden, 3), pattern(kClasses, 4));
}

std::string fresh_folder(const std::string& name) {
  const std::string path = std::string(CONVOKE_BINARY_DIR) + "/tests/codegen/" + name;
  std::filesystem::remove_all(path);
  std::filesystem::create_directories(path);
  return path;
}

Outcome run_command(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe);
  Outcome outcome{};
  char buffer[512];
  while (size_t got = fread(buffer, 1, sizeof buffer, pipe)) outcome.text.append(buffer, got);
  const int state = pclose(pipe);
  outcome.code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
  return outcome;
}

}  // namespace convoke
