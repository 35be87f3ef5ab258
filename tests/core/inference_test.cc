// Inference through the table of a hand-written library: results, preparation, errors, captures, profile, slabs.
#include <doctest/doctest.h>

#include <cstring>
#include <string>
#include <thread>

#include "runtime/core/state.h"
#include "tests/core/tiny_plan.h"

using namespace convoke::core;

namespace {

std::vector<float> run_infer(Session& session, const std::vector<float>& x) {
  std::vector<float> y(x.size() / kInputs * kClasses);
  const void* inputs[] = {x.data()};
  void* outputs[] = {y.data()};
  const int32_t n = static_cast<int32_t>(x.size()) / kInputs;
  REQUIRE_MESSAGE(library().infer(session.context, n, inputs, outputs, &session.error) == CONVOKE_OK,
                  session.error.message);
  return y;
}

void set_weights(Session& session, const std::vector<float>& w, const std::vector<float>& b) {
  REQUIRE(library().weights_set(session.weights, 0, w.data(), kClasses * kInputs, nullptr) == CONVOKE_OK);
  REQUIRE(library().weights_set(session.weights, 1, b.data(), kClasses, nullptr) == CONVOKE_OK);
}

void check_near(const std::vector<float>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i)
    CHECK(static_cast<double>(got[i]) == doctest::Approx(expected[i]).epsilon(1e-5));
}

void reversed_host(void*, int32_t count, void (*task)(void*, int32_t), void* argument) {
  for (int32_t i = count - 1; i >= 0; --i) task(argument, i);
}

std::string text(const convoke_error& error) { return error.message; }

}  // namespace

TEST_CASE("infer computes, for every n, the same bits on any threads") {
  const std::vector<float> w = pattern(kClasses * kInputs, 1), b = pattern(kClasses, 2);
  convoke_pool* pool = nullptr;
  REQUIRE(library().pool_create(3, &pool, nullptr) == CONVOKE_OK);
  Session alone;
  set_weights(alone, w, b);
  const convoke_context_options options[] = {
      {0, 3, CONVOKE_NHWC, nullptr, nullptr, nullptr},
      {0, 2, CONVOKE_NHWC, pool, nullptr, nullptr},
      {1, 3, CONVOKE_NHWC, nullptr, reversed_host, nullptr},
  };
  for (const convoke_context_options& option : options) {
    Session session(option);
    set_weights(session, w, b);
    for (int32_t n : {8, 1, 5, 8}) {
      const std::vector<float> x = pattern(n * kInputs, n);
      const std::vector<float> y = run_infer(session, x);
      check_near(y, reference_linear(x, w, b));
      CHECK(y == run_infer(alone, x));
    }
  }
  CHECK_FALSE(kernel_calls.foreign_worker);
  library().pool_destroy(pool);
}

TEST_CASE("NCHW inputs and 8-bit pixels") {
  const std::vector<float> w = pattern(kClasses * kInputs, 1), b = pattern(kClasses, 2), x = pattern(kInputs, 3);
  std::vector<float> planes(kInputs), from_pixels(kInputs);
  std::vector<uint8_t> pixels(kInputs);
  const float mean[] = {0.5f, 0.25f, 0.125f}, deviation[] = {0.5f, 2.0f, 1.0f};
  for (size_t p = 0; p < 16; ++p) {
    for (size_t c = 0; c < 3; ++c) {
      planes[c * 16 + p] = x[p * 3 + c];
      pixels[p * 3 + c] = static_cast<uint8_t>(p * 15 + c * 5);
      from_pixels[p * 3 + c] = (static_cast<float>(pixels[p * 3 + c]) * (1.0f / 255) - mean[c]) / deviation[c];
    }
  }
  Session session({0, 1, CONVOKE_NCHW, nullptr, nullptr, nullptr});
  set_weights(session, w, b);
  check_near(run_infer(session, planes), reference_linear(x, w, b));
  std::vector<float> y(kClasses);
  void* outputs[] = {y.data()};
  REQUIRE(library().infer_image(session.context, 1, pixels.data(), outputs, nullptr) == CONVOKE_OK);
  check_near(y, reference_linear(from_pixels, w, b));
}

TEST_CASE("weights come back as they were set and initialise alike from a seed") {
  Session session, other;
  const std::vector<float> w = pattern(kClasses * kInputs, 5);
  std::vector<float> got(w.size()), again(w.size()), mean(kClasses);
  REQUIRE(library().weights_set(session.weights, 0, w.data(), kClasses * kInputs, nullptr) == CONVOKE_OK);
  REQUIRE(library().weights_get(session.weights, 0, got.data(), kClasses * kInputs, nullptr) == CONVOKE_OK);
  CHECK(got == w);
  library().weights_initialize(session.weights, 9);
  library().weights_initialize(other.weights, 9);
  library().weights_get(session.weights, 0, got.data(), kClasses * kInputs, nullptr);
  library().weights_get(other.weights, 0, again.data(), kClasses * kInputs, nullptr);
  library().weights_get(session.weights, 2, mean.data(), kClasses, nullptr);
  CHECK(got == again);
  CHECK(got != w);
  CHECK(mean == std::vector<float>(kClasses, 1.0f));
}

TEST_CASE("prepared forms are made once after each writing, by whichever context comes first") {
  Session session;
  convoke_context* second = nullptr;
  REQUIRE(library().context_create(session.weights, nullptr, &second, nullptr) == CONVOKE_OK);
  const std::vector<float> x = pattern(kInputs, 1);
  const void* inputs[] = {x.data()};
  kernel_calls.prepare = 0;
  for (int i = 0; i < 3; ++i) {
    run_infer(session, x);
    REQUIRE(library().infer(second, 1, inputs, nullptr, nullptr) == CONVOKE_OK);
  }
  CHECK(kernel_calls.prepare == 1);
  library().weights_initialize(session.weights, 8);
  run_infer(session, x);
  CHECK(kernel_calls.prepare == 2);
  const int32_t labels[] = {0};
  REQUIRE(library().forward_backward(session.context, 1, inputs, labels, nullptr, nullptr, nullptr) == CONVOKE_OK);
  run_infer(session, x);
  CHECK(kernel_calls.prepare == 3);
  const convoke_update update = {0.1f, 1, 0};
  REQUIRE(library().update(session.context, &update, nullptr, nullptr) == CONVOKE_OK);
  library().weights_initialize(session.weights, 10);
  std::thread thread([&] { library().infer(second, 1, inputs, nullptr, nullptr); });
  run_infer(session, x);
  thread.join();
  CHECK(kernel_calls.prepare == 4);
  library().context_destroy(second);
}

TEST_CASE("wrong arguments are answered with numbers") {
  Session session;
  convoke_error error = {};
  const std::vector<float> x = pattern(kInputs, 1);
  const void* inputs[] = {x.data()};
  const void* no_input[] = {nullptr};
  const convoke_library& l = library();
  CHECK(l.infer(session.context, 9, inputs, nullptr, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "infer: n is 9, tiny was compiled for 1 to 8");
  CHECK(l.infer(session.context, 0, inputs, nullptr, nullptr) == CONVOKE_INVALID_ARGUMENT);
  CHECK(l.infer(nullptr, 1, inputs, nullptr, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "infer: context is NULL");
  CHECK(l.infer(session.context, 1, nullptr, nullptr, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(l.infer(session.context, 1, no_input, nullptr, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "infer: inputs[0] ('x') is NULL");
  CHECK(l.infer_image(session.context, 1, nullptr, nullptr, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(l.weights_set(session.weights, 0, x.data(), 239, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "weights_set: elems is 239, 'fc.weight' has 240");
  CHECK(l.weights_set(session.weights, 3, x.data(), 1, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "weights_set: tensor is 3, expected 0 to 2");
  convoke_context* context = nullptr;
  convoke_context_options options = {0, 65, CONVOKE_NHWC, nullptr, nullptr, nullptr};
  CHECK(l.context_create(session.weights, &options, &context, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "context_create: threads is 65, expected 0 to 64");
  CHECK(l.context_create(nullptr, nullptr, &context, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(l.infer(session.context, 1, inputs, nullptr, &error) == CONVOKE_OK);
  CHECK(text(error).empty());
}

TEST_CASE("a CPU that lacks what the library needs is refused before anything else") {
  const convoke_library& l = library();
  convoke_error error = {};
  convoke_weights* weights = nullptr;
  CHECK(l.check_cpu(&error) == CONVOKE_OK);
  needed_cpu_features[0] = "avx2048";
  CHECK(l.check_cpu(&error) == CONVOKE_UNSUPPORTED_CPU);
  CHECK(text(error) == "tiny was compiled for this machine; this CPU is not known to have avx2048");
  error = {};
  CHECK(l.weights_create(&weights, &error) == CONVOKE_UNSUPPORTED_CPU);
  CHECK(text(error).find("avx2048") != std::string::npos);
  CHECK(weights == nullptr);
  needed_cpu_features[0] = nullptr;
  CHECK(l.check_cpu(&error) == CONVOKE_OK);
}

TEST_CASE("a kernel that fails, and one that needs more scratch than planned, are reported by name") {
  Session session;
  convoke_error error = {};
  const std::vector<float> x = pattern(kInputs, 1);
  const void* inputs[] = {x.data()};
  kernel_calls.fail = -5;
  CHECK(library().infer(session.context, 1, inputs, nullptr, &error) == CONVOKE_INTERNAL);
  CHECK(text(error) == "kernel 'fc' failed with code -5: as the test wished");
  kernel_calls.fail = 0;
  kernel_calls.scratch = 1 << 20;
  CHECK(library().infer(session.context, 1, inputs, nullptr, &error) == CONVOKE_INTERNAL);
  CHECK(text(error) == "kernel 'fc' wants 1048576 bytes of scratch more than the plan's 1024");
  kernel_calls.scratch = 256;
  run_infer(session, x);
}

TEST_CASE("captures: values, room, fused names, unknown names, their number") {
  Session session;
  const convoke_library& l = library();
  const std::vector<float> x = pattern(2 * kInputs, 1);
  std::vector<float> captured(2 * kClasses), packed(kClasses * kInputs), w(kClasses * kInputs);
  REQUIRE(l.capture(session.context, CONVOKE_INFER, "fc", captured.data(), 10, nullptr) == CONVOKE_OK);
  REQUIRE(l.capture(session.context, CONVOKE_PREPARE, "fc.weight.packed", packed.data(), 240, nullptr) == CONVOKE_OK);
  const std::vector<float> y = run_infer(session, x);
  CHECK(captured == y);
  l.weights_get(session.weights, 0, w.data(), 240, nullptr);
  CHECK(packed == w);
  convoke_error error = {};
  const std::vector<float> three = pattern(3 * kInputs, 1);
  const void* inputs[] = {three.data()};
  CHECK(l.infer(session.context, 3, inputs, nullptr, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "the capture of 'fc' has room for 10 elements, n = 3 makes 15");
  REQUIRE(l.capture(session.context, CONVOKE_INFER, "fc", nullptr, 0, nullptr) == CONVOKE_OK);
  CHECK(l.infer(session.context, 3, inputs, nullptr, &error) == CONVOKE_OK);
  CHECK(l.capture(session.context, CONVOKE_INFER, "relu1", captured.data(), 10, &error) == CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "capture: 'relu1' is fused into kernel 'fc'; compile with --keep to have it in memory");
  CHECK(l.capture(session.context, CONVOKE_BACKWARD, "nothing", captured.data(), 10, &error) ==
        CONVOKE_INVALID_ARGUMENT);
  CHECK(text(error) == "capture: backward computes no value 'nothing'");
}

TEST_CASE("the profile counts rows and clears when started") {
  Session session;
  const std::vector<float> x = pattern(kInputs, 1);
  library().profile(session.context, 1);
  run_infer(session, x);
  run_infer(session, x);
  uint64_t ns[8], calls[8];
  library().profile_read(session.context, ns, calls);
  CHECK(calls[0] == 1);
  CHECK(calls[1] == 2);
  CHECK(calls[2] == 0);
  library().profile(session.context, 1);
  library().profile_read(session.context, ns, calls);
  CHECK(calls[1] == 0);
}

extern "C" {
void* halide_malloc(void* user_context, size_t bytes);
void halide_free(void* user_context, void* pointer);
}

TEST_CASE("slabs: aligned, nested, freed in any order") {
  Session session;
  Worker* worker = session.context->workers;
  void* a = halide_malloc(worker, 100);
  void* b = halide_malloc(worker, 1);
  void* c = halide_malloc(worker, 64);
  for (void* block : {a, b, c}) CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
  memset(a, 1, 100);
  memset(c, 2, 64);
  halide_free(worker, a);
  CHECK(halide_malloc(worker, 64) > c);  // the hole is not reused before what lies above it is gone
  worker->top = worker->last_block;      // as if that one were freed
  worker->last_block = static_cast<uint64_t>(static_cast<uint8_t*>(c) - 64 - worker->slab);
  halide_free(worker, c);
  halide_free(worker, b);
  CHECK(worker->top == 0);
  CHECK(halide_malloc(worker, 10) == a);
  halide_free(worker, a);
  halide_free(worker, nullptr);
  CHECK(worker->last_block == kNoBlock);
}
