// Training where one output depends on no trained parameter: it has a loss, and no gradient.
#include <doctest/doctest.h>

#include <cmath>

#include "runtime/base/file.h"
#include "tests/e2e/library.h"

namespace convoke {
namespace {

constexpr const char* kTwoHeads = R"(name: "two_heads"
input { height: 3 width: 3 channels: 2 }
classes: 3
layer { name: "flatten" flatten {} }
layer { name: "first" linear { features_from: "classes" } }
layer { name: "second" input: "flatten" linear { features_from: "classes" } }
output: "first"
output: "second"
)";

Tensor filled(std::vector<int64_t> dims) {
  Tensor tensor(std::move(dims));
  for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = std::sin(1.7 * static_cast<double>(i));
  return tensor;
}

// Of the mean cross entropy: (softmax - target) / n.
std::vector<float> loss_gradient(const std::vector<float>& logits, const Tensor& labels) {
  const size_t n = labels.data.size(), classes = logits.size() / n;
  std::vector<float> gradient(logits.size());
  for (size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (size_t k = 0; k < classes; ++k) sum += std::exp(logits[i * classes + k]);
    for (size_t k = 0; k < classes; ++k) {
      const double target = static_cast<double>(k) == labels.data[i] ? 1 : 0;
      gradient[i * classes + k] =
          static_cast<float>((std::exp(logits[i * classes + k]) / sum - target) / static_cast<double>(n));
    }
  }
  return gradient;
}

TEST_CASE("an output behind frozen layers alone takes part in the loss, and its gradient is ignored") {
  const std::string path = std::string(CONVOKE_BINARY_DIR) + "/two_heads.textproto";
  REQUIRE(write_file_atomic(path, kTwoHeads).ok());
  const Result<PlannedModel> planned = plan_model({.model = path, .batch = 2, .freeze = {"second"}});
  REQUIRE(planned.ok());
  const convoke_library* library = compile_and_open(*planned, "two_heads");

  Environment weights;
  for (const TensorDescription& parameter : planned->description.parameters) {
    weights[parameter.name] = filled(parameter.type.dims);
  }
  const Inputs inputs = {filled({2, 3, 3, 2})};
  Tensor labels({2});
  labels.data = {2, 0};
  Session whole(library, weights, 1, 1), halves(library, weights, 1, 1);
  const convoke_metrics metrics = whole.forward_backward(inputs, labels);
  const auto outputs = halves.forward(inputs);
  halves.backward({loss_gradient(outputs[0], labels), loss_gradient(outputs[1], labels)});
  double loss = 0;
  for (const auto& logits : outputs) {
    const std::vector<float> gradient = loss_gradient(logits, labels);
    for (size_t i = 0; i < 2; ++i) {
      loss -= std::log(1 + 2 * gradient[i * 3 + static_cast<size_t>(labels.data[i])]) / 2;
    }
  }
  CHECK(metrics.loss == doctest::Approx(loss));
  for (int p : {0, 1}) {  // first.weight, first.bias
    const std::vector<float> a = whole.gradient(p), b = halves.gradient(p);
    for (size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
  }
  whole.update(0.1f, 1);
  const Tensor& frozen = weights.at("second.weight");
  CHECK(whole.weight(2) == std::vector<float>(frozen.data.begin(), frozen.data.end()));
}

}  // namespace
}  // namespace convoke
