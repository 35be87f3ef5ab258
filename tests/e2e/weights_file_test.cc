// Files of prepared weights against the weights that they were saved from.
#include <doctest/doctest.h>

#include <cmath>

#include "runtime/base/file.h"
#include "tests/e2e/library.h"

namespace convoke {
namespace {

constexpr const char* kNetwork = R"(name: "kept"
input { height: 12 width: 12 channels: 16 }
classes: 5
layer { name: "conv" conv2d { channels: 32 kernel: 3 padding: 1 bias: false } }
layer { name: "bn" batch_norm2d {} }
layer { name: "relu" relu {} }
layer { name: "pointwise" conv2d { channels: 48 kernel: 1 bias: false } }
layer { name: "pointwise_bn" batch_norm2d {} }
layer { name: "pool" global_avg_pool2d {} }
layer { name: "flatten" flatten {} }
layer { name: "fc" linear { features_from: "classes" } }
)";

const convoke_library* compiled(bool strict) {
  const std::string path = std::string(CONVOKE_BINARY_DIR) + "/kept.textproto";
  REQUIRE(write_file_atomic(path, kNetwork).ok());
  const Result<PlannedModel> planned = plan_model({.model = path, .strict = strict, .batch = 4});
  const std::string error = planned.ok() ? "" : planned.status().message();
  INFO(error);
  REQUIRE(planned.ok());
  return compile_and_open(*planned, strict ? "kept_strict" : "kept");
}

// Weights and a context to train with them.
struct Objects {
  Objects(const convoke_library* opened, convoke_weights* owned) : library(opened), weights(owned) {
    const convoke_context_options options = {.training = 1};
    REQUIRE(library->context_create(weights, &options, &context, nullptr) == CONVOKE_OK);
  }
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;
  ~Objects() {
    library->context_destroy(context);
    library->weights_destroy(weights);
  }

  std::vector<float> infer() const {
    std::vector<float> y(2 * 5);
    void* outputs[] = {y.data()};
    REQUIRE(library->infer(context, 2, inputs(), outputs, nullptr) == CONVOKE_OK);
    return y;
  }
  void train() const {
    const int32_t labels[] = {3, 1};
    const convoke_update update = {.learning_rate = 0.1f, .step = 1};
    REQUIRE(library->forward_backward(context, 2, inputs(), labels, nullptr, nullptr, nullptr) == CONVOKE_OK);
    REQUIRE(library->update(context, &update, nullptr, nullptr) == CONVOKE_OK);
  }
  std::vector<float> parameter(int32_t i) const {
    std::vector<float> values(static_cast<size_t>(library->model->parameters[i].elems));
    REQUIRE(library->weights_get(weights, i, values.data(), library->model->parameters[i].elems, nullptr) ==
            CONVOKE_OK);
    return values;
  }

  const convoke_library* library;
  convoke_weights* weights;
  convoke_context* context = nullptr;

 private:
  static const void* const* inputs() {
    static std::vector<float> x(2 * 12 * 12 * 16);
    for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
    static const void* pointers[] = {x.data()};
    return pointers;
  }
};

convoke_weights* initialized(const convoke_library* library) {
  convoke_weights* weights = nullptr;
  REQUIRE(library->weights_create(&weights, nullptr) == CONVOKE_OK);
  library->weights_initialize(weights, 3);
  return weights;
}

convoke_weights* opened(const convoke_library* library, const std::string& path) {
  convoke_weights* weights = nullptr;
  convoke_error error = {};
  const int32_t code = library->weights_open(path.c_str(), &weights, &error);
  INFO(error.message);
  REQUIRE(code == CONVOKE_OK);
  return weights;
}

TEST_CASE("opened weights compute, hold and learn what the saved ones do") {
  const convoke_library* library = compiled(false);
  const std::string path = std::string(CONVOKE_BINARY_DIR) + "/e2e/kept/kept.weights";
  const Objects saved(library, initialized(library));
  REQUIRE(library->weights_save(saved.context, path.c_str(), nullptr) == CONVOKE_OK);
  const std::string content = read_file(path).value();
  CHECK(static_cast<int64_t>(content.size()) == library->model->weights_bytes);

  const Objects first(library, opened(library, path)), second(library, opened(library, path));
  const std::vector<float> y = saved.infer();
  CHECK(first.infer() == y);
  for (int32_t i = 0; i < library->model->parameter_count; ++i) CHECK(first.parameter(i) == saved.parameter(i));
  for (const Objects* objects : {&saved, &first}) objects->train();
  CHECK(first.infer() == saved.infer());
  CHECK(first.infer() != y);
  CHECK(second.infer() == y);
  CHECK(read_file(path).value() == content);

  // Saving onto a file that is in use leaves it to those who use it.
  REQUIRE(library->weights_save(first.context, path.c_str(), nullptr) == CONVOKE_OK);
  CHECK(second.infer() == y);
  const Objects third(library, opened(library, path));
  CHECK(third.infer() == first.infer());
}

TEST_CASE("weights that were prepared otherwise are refused") {
  const convoke_library *library = compiled(false), *strict = compiled(true);
  const std::string path = std::string(CONVOKE_BINARY_DIR) + "/e2e/kept/strict.weights";
  const Objects saved(strict, initialized(strict));
  REQUIRE(strict->weights_save(saved.context, path.c_str(), nullptr) == CONVOKE_OK);
  convoke_weights* weights = nullptr;
  convoke_error error = {};
  CHECK(library->weights_open(path.c_str(), &weights, &error) == CONVOKE_FAILED_PRECONDITION);
  CHECK(std::string(error.message).find("is of another library than this kept") != std::string::npos);
  CHECK(weights == nullptr);
}

}  // namespace
}  // namespace convoke
