#include "tests/library/training.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>

namespace convoke {
namespace {

void expect_ok(int32_t code, const convoke_error& error) {
  if (code == CONVOKE_OK) return;
  std::fprintf(stderr, "%s\n", error.message);
  std::abort();
}

}  // namespace

CompiledLibrary compile(const std::string& model, const std::string& folder, const std::string& cache) {
  const std::string build = std::string(CONVOKE_BINARY_DIR) + "/tests/library/";
  const Result<CompiledLibrary> library =
      compile_model({.model = model, .batch = kFullBatch, .optimizer = {.momentum = 0.9, .weight_decay = 0.001}},
                    {.output_directory = build + folder, .cache_directory = build + cache, .symbols = Symbols::kStrip});
  REQUIRE_MESSAGE(library.ok(), library.status().message());
  return *library;
}

Images make_images(const convoke_model& model, int n, int seed) {
  Images images;
  images.pixels.resize(static_cast<size_t>(n * model.inputs[0].elems));
  for (size_t i = 0; i < images.pixels.size(); ++i) {
    images.pixels[i] = static_cast<float>(std::sin(0.1 * static_cast<double>(i) + seed));
  }
  const auto classes = static_cast<int32_t>(model.outputs[0].elems);
  for (int i = 0; i < n; ++i) images.labels.push_back((i + seed) % classes);
  return images;
}

Training::Training(const convoke_library& library, int threads) : library_(library) {
  convoke_error error = {};
  expect_ok(library_.weights_create(&weights_, &error), error);
  library_.weights_initialize(weights_, 7);
  const convoke_context_options options = {.training = 1, .threads = threads};
  expect_ok(library_.context_create(weights_, &options, &context_, &error), error);
  losses_.reserve(100);
}

Training::~Training() {
  library_.context_destroy(context_);
  library_.weights_destroy(weights_);
}

void Training::step(const Images& images, int number) {
  const auto n = static_cast<int32_t>(images.labels.size());
  const void* inputs[] = {images.pixels.data()};
  convoke_metrics metrics = {};
  convoke_error error = {};
  expect_ok(library_.forward_backward(context_, n, inputs, images.labels.data(), nullptr, &metrics, &error), error);
  losses_.push_back(metrics.loss);
  const convoke_update update = {.learning_rate = 0.05f, .step = number, .max_gradient_norm = 5};
  float norm = 0;
  expect_ok(library_.update(context_, &update, &norm, &error), error);
}

void Training::infer(const Images& images, std::vector<float>& outputs) {
  const void* inputs[] = {images.pixels.data()};
  void* results[] = {outputs.data()};
  convoke_error error = {};
  expect_ok(library_.infer(context_, static_cast<int32_t>(images.labels.size()), inputs, results, &error), error);
}

std::vector<std::vector<float>> Training::state() const {
  const convoke_model& model = *library_.model;
  std::vector<std::vector<float>> tensors;
  convoke_error error = {};
  for (int t = 0; t < model.parameter_count + model.state_count; ++t) {
    const bool parameter = t < model.parameter_count;
    const convoke_tensor& tensor = parameter ? model.parameters[t] : model.states[t - model.parameter_count];
    std::vector<float>& values = tensors.emplace_back(static_cast<size_t>(tensor.elems));
    expect_ok(library_.weights_get(weights_, t, values.data(), tensor.elems, &error), error);
  }
  for (int field = CONVOKE_GRADIENT; field <= CONVOKE_GRADIENT + model.moment_count; ++field) {
    for (int p = 0; p < model.parameter_count; ++p) {
      std::vector<float>& values = tensors.emplace_back(static_cast<size_t>(model.parameters[p].elems));
      expect_ok(library_.field_get(context_, field, p, values.data(), model.parameters[p].elems, &error), error);
    }
  }
  return tensors;
}

}  // namespace convoke
