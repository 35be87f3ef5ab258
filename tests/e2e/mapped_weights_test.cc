// Weights that stay in the caller's array, as in a mapped file, against weights that were copied.
#include <doctest/doctest.h>

#include <cmath>

#include "runtime/base/file.h"
#include "tests/e2e/library.h"

namespace convoke {
namespace {

constexpr const char* kNetwork = R"(name: "mapped"
input { height: 6 width: 6 channels: 16 }
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

using Store = int32_t (*)(convoke_weights*, int32_t, const float*, int64_t, convoke_error*);

// All tensors in one array, each a float behind the end of the one before it: aligned as floats are, not as vectors.
struct File {
  explicit File(const convoke_model& model) {
    for (int i = 0; i < model.parameter_count + model.state_count; ++i) {
      const bool learned = i < model.parameter_count;
      tensors.push_back(learned ? &model.parameters[i] : &model.states[i - model.parameter_count]);
      begins.push_back(values.size() + 1);
      values.resize(begins.back() + static_cast<size_t>(tensors.back()->elems));
    }
    for (size_t i = 0; i < values.size(); ++i) values[i] = 1.1f + std::sin(1.7f * static_cast<float>(i % 1000));
  }

  std::vector<const convoke_tensor*> tensors;
  std::vector<size_t> begins;
  std::vector<float> values;
};

struct Weights {
  Weights(const convoke_library* opened, const File& file, Store store) : library(opened) {
    REQUIRE(library->weights_create(&weights, nullptr) == CONVOKE_OK);
    REQUIRE(library->context_create(weights, nullptr, &context, nullptr) == CONVOKE_OK);
    for (size_t i = 0; i < file.tensors.size(); ++i) set(store, i, file.values.data() + file.begins[i], file);
  }
  Weights(const Weights&) = delete;
  Weights& operator=(const Weights&) = delete;
  ~Weights() {
    library->context_destroy(context);
    library->weights_destroy(weights);
  }

  void set(Store store, size_t i, const float* data, const File& file) {
    REQUIRE(store(weights, static_cast<int32_t>(i), data, file.tensors[i]->elems, nullptr) == CONVOKE_OK);
  }
  std::vector<float> get(size_t i, const File& file) const {
    std::vector<float> values(static_cast<size_t>(file.tensors[i]->elems));
    REQUIRE(library->weights_get(weights, static_cast<int32_t>(i), values.data(), file.tensors[i]->elems, nullptr) ==
            CONVOKE_OK);
    return values;
  }
  std::vector<float> infer() const {
    std::vector<float> x(6 * 6 * 16), y(5);
    for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
    const void* inputs[] = {x.data()};
    void* outputs[] = {y.data()};
    REQUIRE(library->infer(context, 1, inputs, outputs, nullptr) == CONVOKE_OK);
    return y;
  }

  const convoke_library* library;
  convoke_weights* weights = nullptr;
  convoke_context* context = nullptr;
};

const convoke_library* compiled() {
  const std::string path = std::string(CONVOKE_BINARY_DIR) + "/mapped.textproto";
  REQUIRE(write_file_atomic(path, kNetwork).ok());
  const Result<PlannedModel> planned = plan_model({.model = path, .batch = 1, .training = false});
  const std::string error = planned.ok() ? "" : planned.status().message();
  INFO(error);
  REQUIRE(planned.ok());
  return compile_and_open(*planned, "mapped");
}

TEST_CASE("mapped weights give what copied ones do, until they are set again") {
  const convoke_library* library = compiled();
  File file(*library->model);
  Weights copied(library, file, library->weights_set), mapped(library, file, library->weights_map);
  const std::vector<float> y = copied.infer();
  CHECK(mapped.infer() == y);
  for (size_t i = 0; i < file.tensors.size(); ++i) CHECK(mapped.get(i, file) == copied.get(i, file));

  const std::vector<float> other(static_cast<size_t>(file.tensors[0]->elems), 0.5f);
  for (Weights* weights : {&copied, &mapped}) weights->set(library->weights_set, 0, other.data(), file);
  CHECK(mapped.get(0, file) == other);
  CHECK(mapped.infer() == copied.infer());
  CHECK(mapped.infer() != y);

  mapped.set(library->weights_map, 0, file.values.data() + file.begins[0], file);
  CHECK(mapped.infer() == y);
  for (Weights* weights : {&copied, &mapped}) library->weights_initialize(weights->weights, 3);
  CHECK(mapped.infer() == copied.infer());
}

TEST_CASE("what forms are prepared from stays where it is mapped") {
  const convoke_library* library = compiled();
  File file(*library->model);
  Weights mapped(library, file, library->weights_map);
  file.values[file.begins[0]] = 7;
  CHECK(mapped.get(0, file)[0] == 7);
}

}  // namespace
}  // namespace convoke
