// Training through the table: the protocol of forward and backward, accumulation, the optimizer's step, values that are
// not finite, and that a step neither allocates nor needs a large stack.
#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "runtime/core/float_mode.h"
#include "tests/core/tiny_plan.h"

using namespace convoke::core;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Counts every allocation of the process.
static std::atomic<int> allocations{0};
extern "C" void* __libc_malloc(size_t bytes);
extern "C" void* malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
#define CONVOKE_COUNTS_ALLOCATIONS
#endif

namespace {

struct Step {
  std::vector<float> x;
  std::vector<int32_t> labels;
  const void* inputs[1];
  explicit Step(int n, int seed = 1) : x(pattern(n * kInputs, seed)), inputs{x.data()} {
    for (int i = 0; i < n; ++i) labels.push_back((i + seed) % kClasses);
  }
  int32_t n() const { return static_cast<int32_t>(labels.size()); }
};

int32_t run(Session& session, const Step& step, const convoke_step* how = nullptr, convoke_metrics* metrics = nullptr) {
  return library().forward_backward(session.context, step.n(), step.inputs, step.labels.data(), how, metrics,
                                    &session.error);
}

std::vector<float> field(Session& session, int32_t which, int32_t parameter) {
  std::vector<float> values(parameter == 0 ? kClasses * kInputs : kClasses);
  REQUIRE(library().field_get(session.context, which, parameter, values.data(), static_cast<int64_t>(values.size()),
                              nullptr) == CONVOKE_OK);
  return values;
}

std::vector<float> weight(Session& session) {
  std::vector<float> values(kClasses * kInputs);
  REQUIRE(library().weights_get(session.weights, 0, values.data(), kClasses * kInputs, nullptr) == CONVOKE_OK);
  return values;
}

std::string text(const Session& session) { return session.error.message; }

}  // namespace

TEST_CASE("gradients: scale, accumulation, and from the caller's own output gradient") {
  Session session;
  const Step step(3);
  convoke_metrics metrics = {};
  REQUIRE(run(session, step, nullptr, &metrics) == CONVOKE_OK);
  CHECK(metrics.loss > 0);
  CHECK(metrics.accuracy == 0.25f);
  const std::vector<float> once = field(session, CONVOKE_GRADIENT, 0);
  const convoke_step half = {0, 0.5f}, add = {1, 0.5f};
  REQUIRE(run(session, step, &half) == CONVOKE_OK);
  REQUIRE(run(session, step, &add) == CONVOKE_OK);
  CHECK(field(session, CONVOKE_GRADIENT, 0) == once);

  std::vector<float> y(3 * kClasses), dy(3 * kClasses);
  void* outputs[] = {y.data()};
  REQUIRE(library().forward(session.context, 3, step.inputs, outputs, nullptr) == CONVOKE_OK);
  for (size_t i = 0; i < dy.size(); ++i) {
    dy[i] = 2 * (y[i] - (static_cast<int32_t>(i % kClasses) == step.labels[i / kClasses] ? 1.0f : 0.0f)) / 3.0f;
  }
  const void* gradients[] = {dy.data()};
  REQUIRE(library().backward(session.context, gradients, &half, nullptr) == CONVOKE_OK);
  const std::vector<float> own = field(session, CONVOKE_GRADIENT, 0);
  for (size_t i = 0; i < own.size(); ++i) REQUIRE(own[i] == doctest::Approx(once[i]).epsilon(1e-5));
}

TEST_CASE("backward wants its forward just before") {
  Session session;
  const Step step(2);
  const std::vector<float> dy = pattern(2 * kClasses, 1);
  const void* gradients[] = {dy.data()};
  const auto backward = [&] { return library().backward(session.context, gradients, nullptr, &session.error); };
  const auto forward = [&] {
    REQUIRE(library().forward(session.context, 2, step.inputs, nullptr, nullptr) == CONVOKE_OK);
  };
  CHECK(backward() == CONVOKE_FAILED_PRECONDITION);
  CHECK(text(session) == "backward: no forward just before on this context (any other call in between ends it)");
  forward();
  CHECK(backward() == CONVOKE_OK);
  CHECK(backward() == CONVOKE_FAILED_PRECONDITION);
  forward();
  REQUIRE(library().infer(session.context, 1, step.inputs, nullptr, nullptr) == CONVOKE_OK);
  CHECK(backward() == CONVOKE_FAILED_PRECONDITION);
  forward();
  library().weights_initialize(session.weights, 3);
  CHECK(backward() == CONVOKE_FAILED_PRECONDITION);
  CHECK(text(session) == "backward: the weights were written after the forward");
  forward();
  CHECK(library().backward(session.context, nullptr, nullptr, &session.error) == CONVOKE_INVALID_ARGUMENT);
}

TEST_CASE("update: SGD with momentum, clipping as PyTorch's") {
  Session session;
  const Step step(4);
  REQUIRE(run(session, step) == CONVOKE_OK);
  const std::vector<float> before = weight(session), dw = field(session, CONVOKE_GRADIENT, 0),
                           db = field(session, CONVOKE_GRADIENT, 1);
  double square = 0;
  for (float g : dw) square += double{g} * double{g};
  for (float g : db) square += double{g} * double{g};
  float norm = 0;
  convoke_update update = {0.1f, 1, static_cast<float>(std::sqrt(square) / 2)};
  REQUIRE(library().update(session.context, &update, &norm, &session.error) == CONVOKE_OK);
  CHECK(static_cast<double>(norm) == doctest::Approx(std::sqrt(square)).epsilon(1e-5));
  const std::vector<float> after = weight(session), moment = field(session, CONVOKE_MOMENT_0, 0);
  for (size_t i = 0; i < after.size(); ++i) {
    REQUIRE(after[i] == doctest::Approx(before[i] - 0.05f * dw[i]).epsilon(1e-5));
    REQUIRE(moment[i] == doctest::Approx(0.5f * dw[i]).epsilon(1e-5));
  }
  update.step = 0;
  CHECK(library().update(session.context, &update, nullptr, &session.error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(session) == "update: step is 0, expected 1 or more");
}

TEST_CASE("fields come back as set, and wrong ones are named") {
  Session session;
  const std::vector<float> values = pattern(kClasses * kInputs, 4);
  for (int32_t which : {CONVOKE_GRADIENT, CONVOKE_MOMENT_0}) {
    REQUIRE(library().field_set(session.context, which, 0, values.data(), 240, nullptr) == CONVOKE_OK);
    CHECK(field(session, which, 0) == values);
  }
  float one = 0;
  CHECK(library().field_get(session.context, CONVOKE_MOMENT_1, 0, &one, 1, &session.error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(session) == "field_get: field is 2, expected 0 (gradient) to 1 (moments)");
  CHECK(library().field_get(session.context, 0, 2, &one, 1, &session.error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(library().field_get(session.context, 0, 1, &one, 1, &session.error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(session) == "field_get: elems is 1, 'fc.bias' has 5");
}

TEST_CASE("labels out of range, and training on a context without it") {
  Session session;
  Step step(3);
  step.labels[1] = 5;
  CHECK(run(session, step) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(session) == "forward_backward: labels[1] is 5, expected 0 to 4");
  step.labels[1] = -1;
  CHECK(run(session, step) == CONVOKE_INVALID_ARGUMENT);
  CHECK(library().forward_backward(session.context, 3, step.inputs, nullptr, nullptr, nullptr, &session.error) ==
        CONVOKE_INVALID_ARGUMENT);
  Session inference({0, 1, CONVOKE_NHWC, nullptr, nullptr, nullptr});
  CHECK(run(inference, Step(1)) == CONVOKE_FAILED_PRECONDITION);
  CHECK(text(inference) == "forward_backward: the context was created without training");
}

TEST_CASE("what is not finite is named and the step is not applied") {
  Session session;
  const convoke_update update = {0.1f, 1, 0};
  REQUIRE(run(session, Step(2)) == CONVOKE_OK);
  std::vector<float> gradient = field(session, CONVOKE_GRADIENT, 0);
  gradient[239] = std::numeric_limits<float>::quiet_NaN();
  REQUIRE(library().field_set(session.context, CONVOKE_GRADIENT, 0, gradient.data(), 240, nullptr) == CONVOKE_OK);
  const std::vector<float> before = weight(session);
  CHECK(library().update(session.context, &update, nullptr, &session.error) == CONVOKE_NOT_FINITE);
  CHECK(text(session) == "gradient of 'fc.weight' is nan; the update was not applied");
  CHECK(weight(session) == before);
  CHECK(field(session, CONVOKE_MOMENT_0, 0) == std::vector<float>(240));

  Step bad(2);
  bad.x[5] = std::numeric_limits<float>::infinity();
  convoke_metrics metrics = {};
  REQUIRE(run(session, bad, nullptr, &metrics) == CONVOKE_OK);
  CHECK_FALSE(std::isfinite(metrics.loss));
  CHECK(library().update(session.context, &update, nullptr, &session.error) == CONVOKE_NOT_FINITE);
  CHECK(text(session).find("loss is ") == 0);
  CHECK(weight(session) == before);
  const convoke_step add = {1, 1};
  REQUIRE(run(session, Step(2), &add) == CONVOKE_OK);
  CHECK(library().update(session.context, &update, nullptr, &session.error) == CONVOKE_NOT_FINITE);
  REQUIRE(run(session, Step(2)) == CONVOKE_OK);
  CHECK(library().update(session.context, &update, nullptr, &session.error) == CONVOKE_OK);
  CHECK(weight(session) != before);
}

TEST_CASE("a step leaves the floating-point mode as it was and allocates nothing") {
  Session session({1, 2, CONVOKE_NHWC, nullptr, nullptr, nullptr});
  const Step step(8);
  const convoke_update update = {0.1f, 1, 1.0f};
  const auto mode = read_float_mode();
#ifdef CONVOKE_COUNTS_ALLOCATIONS
  const int before = allocations;
#endif
  int32_t code = CONVOKE_OK;
  for (int i = 0; i < 3; ++i) {
    code |= run(session, step);
    code |= library().update(session.context, &update, nullptr, nullptr);
    code |= library().infer(session.context, 8, step.inputs, nullptr, nullptr);
  }
#ifdef CONVOKE_COUNTS_ALLOCATIONS
  const int after = allocations;
  CHECK(after == before);
#endif
  CHECK(code == CONVOKE_OK);
  CHECK(read_float_mode() == mode);
}

TEST_CASE("a step runs in a thread with a stack of 256 KB") {
  Session session;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_t thread;
  const auto body = [](void* argument) -> void* {
    Session& inner = *static_cast<Session*>(argument);
    const Step step(8);
    const convoke_update update = {0.1f, 1, 0};
    run(inner, step);
    library().update(inner.context, &update, nullptr, &inner.error);
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, body, &session) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  CHECK(session.error.code == CONVOKE_OK);
}
