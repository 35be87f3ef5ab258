// The plan, the model description and the kernels of the tests' library.
#include "tests/core/tiny_plan.h"

#include <atomic>

#include "runtime/core/halide_abi.h"

namespace convoke::core {

KernelCalls kernel_calls;
const char* needed_cpu_features[2] = {nullptr, nullptr};

extern "C" {
int halide_do_par_for(void* user_context, HalideTask task, int min, int count, uint8_t* closure);
void* halide_malloc(void* user_context, size_t bytes);
void halide_free(void* user_context, void* pointer);
void halide_error(void* user_context, const char* message);
}

namespace {

enum BufferId : int32_t {
  kX,
  kW,
  kB,
  kWPrepared,
  kY,
  kLabels,
  kLoss,
  kAccuracy,
  kDy,
  kDw,
  kDb,
  kSum,
  kMw,
  kMb,
  kMean,
  kRate,
  kGradScale,
  kLossScaleBuffer,
  kAccumulateBuffer,
  kBufferCount
};

constexpr int kStoredW = 8 * kInputs;  // two blocks of four outputs

constexpr Buffer activation(const char* name, uint64_t offset, int channels) {
  return {name, offset,     static_cast<uint64_t>(channels) * 4, kActivations, CONVOKE_F32, 2, 1,
          1,    {channels}, {{channels, 0, 1}, {0, 0, 0}},       kCapacity};
}
constexpr Buffer scalar(const char* name, Arena arena, uint64_t offset) {
  return {name, offset, 4, arena, CONVOKE_F32, 0, 0, 0, {}, {}};
}
constexpr Buffer vector_of(const char* name, Arena arena, uint64_t offset) {
  return {name, offset, kClasses * 4, arena, CONVOKE_F32, 1, 0, 1, {kClasses}, {{kClasses, 0, 1}}};
}
constexpr Buffer blocked_weight(const char* name, Arena arena) {
  return {
      name, 0, kStoredW * 4, arena, CONVOKE_F32, 3, 0, 2, {kClasses, kInputs}, {{4, 0, 1}, {kInputs, 1, 1}, {2, 0, 4}}};
}

constexpr uint64_t kXBytes = kInputs * 4 * kCapacity, kYBytes = 256;
constexpr Buffer kBuffers[kBufferCount] = {
    {"x",
     0,
     kInputs * 4,
     kActivations,
     CONVOKE_F32,
     4,
     1,
     3,
     {4, 4, 3},
     {{3, 2, 1}, {4, 1, 1}, {4, 0, 1}, {0, 0, 0}},
     kCapacity},
    blocked_weight("fc.weight", kParameters),
    vector_of("fc.bias", kParameters, kStoredW * 4),
    {"fc.weight.packed",
     0,
     kInputs* kClasses * 4,
     kPrepared,
     CONVOKE_F32,
     2,
     0,
     2,
     {kClasses, kInputs},
     {{kInputs, 1, 1}, {kClasses, 0, 1}}},
    activation("fc", kXBytes, kClasses),
    {"labels", kXBytes + kYBytes, 4, kActivations, CONVOKE_I32, 1, 1, 0, {}, {{0, 0, 0}}, kCapacity},
    scalar("loss", kActivations, kXBytes + kYBytes + 64),
    scalar("accuracy", kActivations, kXBytes + kYBytes + 128),
    activation("fc.grad", kXBytes + kYBytes + 192, kClasses),
    blocked_weight("fc.weight.grad", kGradients),
    vector_of("fc.bias.grad", kGradients, kStoredW * 4),
    scalar("gradient_sum_squares", kActivations, kXBytes + kYBytes + 64),
    blocked_weight("fc.weight.momentum", kMoment0),
    vector_of("fc.bias.momentum", kMoment0, kStoredW * 4),
    vector_of("mean", kState, 0),
    scalar("learning_rate", kScalars, 4 * kLearningRate),
    scalar("gradient_scale", kScalars, 4 * kGradientScale),
    scalar("loss_scale", kScalars, 4 * kLossScale),
    scalar("accumulate", kScalars, 4 * kAccumulate),
};

// Argument i after the user context.
HalideBuffer& argument(void** arguments, int i) { return *static_cast<HalideBuffer*>(arguments[i + 1]); }
float* data(void** arguments, int i) { return reinterpret_cast<float*>(argument(arguments, i).host); }
int batch(const HalideBuffer& buffer) { return buffer.dim[buffer.dimensions - 1].extent; }
size_t blocked(int o, int k) { return static_cast<size_t>((o / 4 * kInputs + k) * 4 + o % 4); }

int pack_kernel(void** a) {
  ++kernel_calls.prepare;
  for (int o = 0; o < kClasses; ++o) {
    for (int k = 0; k < kInputs; ++k) data(a, 1)[o * kInputs + k] = data(a, 0)[blocked(o, k)];
  }
  return 0;
}

std::atomic<int> in_use[64];

struct InferClosure {
  void** arguments;
};

// One sample: through scratch of its worker, as a generated kernel would.
int infer_task(void* user_context, int s, uint8_t* closure) {
  void** a = reinterpret_cast<InferClosure*>(closure)->arguments;
  const auto slot = reinterpret_cast<uintptr_t>(user_context) / 128 % 64;
  if (in_use[slot].fetch_add(1) != 0) kernel_calls.foreign_worker = true;
  float* scratch = static_cast<float*>(halide_malloc(user_context, static_cast<size_t>(kernel_calls.scratch)));
  for (int o = 0; o < kClasses; ++o) {
    scratch[o] = data(a, 2)[o];
    for (int k = 0; k < kInputs; ++k) scratch[o] += data(a, 1)[o * kInputs + k] * data(a, 0)[s * kInputs + k];
  }
  for (int o = 0; o < kClasses; ++o) data(a, 3)[s * kClasses + o] = scratch[o];
  halide_free(user_context, scratch);
  in_use[slot].fetch_sub(1);
  return 0;
}

int infer_kernel(void** a) {
  void* user_context = *static_cast<void**>(a[0]);
  if (kernel_calls.fail) {
    halide_error(user_context, "as the test wished");
    return kernel_calls.fail;
  }
  InferClosure closure{a};
  return halide_do_par_for(user_context, infer_task, 0, batch(argument(a, 0)), reinterpret_cast<uint8_t*>(&closure));
}

int forward_kernel(void** a) {
  for (int s = 0; s < batch(argument(a, 0)); ++s) {
    for (int o = 0; o < kClasses; ++o) {
      float sum = data(a, 2)[o];
      for (int k = 0; k < kInputs; ++k) sum += data(a, 1)[blocked(o, k)] * data(a, 0)[s * kInputs + k];
      data(a, 3)[s * kClasses + o] = sum;
    }
  }
  return 0;
}

// mean += ½ (batch mean - mean), standing in for running statistics.
int statistics_kernel(void** a) {
  const int n = batch(argument(a, 0));
  for (int o = 0; o < kClasses; ++o) {
    float sum = 0;
    for (int s = 0; s < n; ++s) sum += data(a, 0)[s * kClasses + o];
    data(a, 1)[o] += 0.5f * (sum / static_cast<float>(n) - data(a, 1)[o]);
  }
  return 0;
}

// Half the mean squared distance to the one-hot label; its gradient times loss_scale.
int loss_kernel(void** a) {
  const int n = batch(argument(a, 0));
  const int32_t* labels = reinterpret_cast<const int32_t*>(argument(a, 1).host);
  float loss = 0;
  for (int s = 0; s < n; ++s) {
    for (int o = 0; o < kClasses; ++o) {
      const float d = data(a, 0)[s * kClasses + o] - (labels[s] == o ? 1.0f : 0.0f);
      loss += 0.5f * d * d / static_cast<float>(n);
      data(a, 5)[s * kClasses + o] = d / static_cast<float>(n) * *data(a, 2);
    }
  }
  *data(a, 3) = loss;
  *data(a, 4) = 0.25f;
  return 0;
}

int backward_kernel(void** a) {
  const int n = batch(argument(a, 0));
  const bool accumulate = *data(a, 2) != 0;
  for (int o = 0; o < kClasses; ++o) {
    float db = 0;
    for (int s = 0; s < n; ++s) db += data(a, 1)[s * kClasses + o];
    data(a, 4)[o] = (accumulate ? data(a, 4)[o] : 0) + db;
    for (int k = 0; k < kInputs; ++k) {
      float dw = 0;
      for (int s = 0; s < n; ++s) dw += data(a, 1)[s * kClasses + o] * data(a, 0)[s * kInputs + k];
      float& to = data(a, 3)[blocked(o, k)];
      to = (accumulate ? to : 0) + dw;
    }
  }
  return 0;
}

int sum_squares_kernel(void** a) {
  float sum = 0;
  for (int i = 0; i < kStoredW; ++i) sum += data(a, 0)[i] * data(a, 0)[i];
  for (int i = 0; i < kClasses; ++i) sum += data(a, 1)[i] * data(a, 1)[i];
  *data(a, 2) = sum;
  return 0;
}

int sgd_kernel(void** a) {
  for (int part = 0; part < 2; ++part) {
    for (int i = 0; i < (part ? kClasses : kStoredW); ++i) {
      float& v = data(a, 4 + part)[i];
      v = 0.9f * v + data(a, 2 + part)[i] * *data(a, 7);
      data(a, part)[i] -= *data(a, 6) * v;
    }
  }
  return 0;
}

constexpr int32_t kPackArguments[] = {kW, kWPrepared}, kInferArguments[] = {kX, kWPrepared, kB, kY},
                  kForwardArguments[] = {kX, kW, kB, kY}, kStatisticsArguments[] = {kY, kMean, kMean},
                  kLossArguments[] = {kY, kLabels, kLossScaleBuffer, kLoss, kAccuracy, kDy},
                  kBackwardArguments[] = {kX, kDy, kAccumulateBuffer, kDw, kDb}, kSumArguments[] = {kDw, kDb, kSum},
                  kSgdArguments[] = {kW, kB, kDw, kDb, kMw, kMb, kRate, kGradScale, kW, kB, kMw, kMb};
constexpr int64_t kMuch = 1000000;
constexpr Row kRows[] = {
    {pack_kernel, kPackArguments, 2, CONVOKE_PREPARE, 0, 10, 0, 0},
    {infer_kernel, kInferArguments, 4, CONVOKE_INFER, kMuch, 0, 0, 0},
    {forward_kernel, kForwardArguments, 4, CONVOKE_FORWARD, 10, 0, 0, 0},
    {statistics_kernel, kStatisticsArguments, 3, CONVOKE_FORWARD, 10, 0, 0, 0},
    {loss_kernel, kLossArguments, 6, CONVOKE_LOSS, 10, 0, 0, 0},
    {backward_kernel, kBackwardArguments, 5, CONVOKE_BACKWARD, 10, 0, 0, 0},
    {sgd_kernel, kSgdArguments, 12, CONVOKE_UPDATE, 10, 0, 0, 0},  // before the norm: the core must put that first
    {sum_squares_kernel, kSumArguments, 3, CONVOKE_UPDATE, 10, 0, 0, 0},
};
constexpr const char* kRowNames[] = {"pack", "fc", "fc", "mean", "loss", "fc.backward", "sgd", "sum_squares"};
constexpr convoke_row model_row(int i) { return {kRowNames[i], "by hand", kRows[i].program, 0, 0, 0, 0}; }
constexpr convoke_row kModelRows[] = {model_row(0), model_row(1), model_row(2), model_row(3),
                                      model_row(4), model_row(5), model_row(6), model_row(7)};

constexpr FusedName kFused[] = {{"relu1", 1}};
constexpr int32_t kInputBuffers[] = {kX}, kOutputBuffers[] = {kY}, kGradientOutputs[] = {kDy},
                  kParameterBuffers[] = {kW, kB}, kGradientBuffers[] = {kDw, kDb}, kMomentBuffers[] = {kMw, kMb},
                  kStateBuffers[] = {kMean};
constexpr const char* kMomentNames[] = {"momentum"};
constexpr convoke_tensor
    kInputTensors[] = {{"x", CONVOKE_F32, 4, {-1, 4, 4, 3}, kInputs, 0, 0}},
    kOutputTensors[] = {{"fc", CONVOKE_F32, 2, {-1, kClasses}, kClasses, 0, 0}},
    kParameterTensors[] = {{"fc.weight", CONVOKE_F32, 2, {kClasses, kInputs}, kClasses* kInputs, CONVOKE_UNIFORM, 0.5f},
                           {"fc.bias", CONVOKE_F32, 1, {kClasses}, kClasses, CONVOKE_NORMAL, 2.0f}},
    kStateTensors[] = {{"mean", CONVOKE_F32, 1, {kClasses}, kClasses, CONVOKE_ONES, 0}};

}  // namespace

}  // namespace convoke::core

using namespace convoke::core;

extern "C" const LibraryPlan convoke_plan = {
    kBuffers,
    kRows,
    nullptr,
    kFused,
    kBufferCount,
    8,
    0,
    1,
    {kStoredW * 4 + 64, 64, 1024, kStoredW * 4 + 64, kStoredW * 4 + 64, 0, kXBytes + 3 * kYBytes, 4 * kScalarCount},
    kXBytes + kYBytes,
    1024,
    kCapacity,
    kInputBuffers,
    kOutputBuffers,
    kInputBuffers,
    kOutputBuffers,
    kGradientOutputs,
    kLabels,
    kLoss,
    kAccuracy,
    kSum,
    kParameterBuffers,
    kGradientBuffers,
    kMomentBuffers,
    kStateBuffers,
    needed_cpu_features,
    "0123456789abcdef0123456789abcdef"};

extern "C" const convoke_model convoke_model_data = {"tiny",
                                                     "this machine",
                                                     kCapacity,
                                                     1,
                                                     1,
                                                     1,
                                                     2,
                                                     1,
                                                     8,
                                                     1,
                                                     kInputTensors,
                                                     kOutputTensors,
                                                     kParameterTensors,
                                                     kStateTensors,
                                                     kMomentNames,
                                                     kModelRows,
                                                     0,
                                                     0,
                                                     0,
                                                     1024,
                                                     1,
                                                     1.0f / 255,
                                                     {0.5f, 0.25f, 0.125f},
                                                     {0.5f, 2.0f, 1.0f},
                                                     0,
                                                     nullptr};
