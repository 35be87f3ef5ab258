// Initialisation from a counter-based generator (philox.h), the same bits on every machine: keyed by the seed, counted
// by tensor and element.
#include "runtime/core/initialize.h"

#include "runtime/core/calls.h"
#include "runtime/core/math.h"
#include "runtime/core/tensor_copy.h"

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF  // a fused multiply-add on one machine only would differ in the last bit
#endif

namespace convoke::core {

float initial_value(const convoke_tensor& tensor, int32_t index, int64_t element, uint64_t seed) {
  if (tensor.init == CONVOKE_ZEROS) return 0;
  if (tensor.init == CONVOKE_ONES) return 1;
  const uint64_t block = static_cast<uint64_t>(element) / 4;
  const Random4 random = philox(
      {{static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), static_cast<uint32_t>(index), 0}}, seed);
  const uint32_t bits = random.word[element % 4];
  if (tensor.init == CONVOKE_UNIFORM) {
    const float unit = static_cast<float>(bits >> 8) * 0x1p-23f - 1.0f;  // exact, in [-1, 1)
    return unit * tensor.init_value;
  }
  const double p = (static_cast<double>(bits) + 0.5) * 0x1p-32;
  return static_cast<float>(inverse_normal(p)) * tensor.init_value;
}

void weights_initialize(convoke_weights* weights, uint64_t seed) {
  if (!weights) return;
  const convoke_model& model = convoke_model_data;
  for (int32_t i = 0; i < model.parameter_count + model.state_count; ++i) {
    const bool learned = i < model.parameter_count;
    const int32_t at = learned ? i : i - model.parameter_count;
    const convoke_tensor& tensor = learned ? model.parameters[at] : model.states[at];
    const int32_t index = learned ? convoke_plan.parameters[at] : convoke_plan.states[at];
    const Buffer& buffer = convoke_plan.buffers[index];
    float* storage = reinterpret_cast<float*>(weights->arenas[buffer.arena] + buffer.offset);
    visit_elements(buffer, row_major(buffer), [&](int64_t s, int64_t logical) {
      storage[s] = logical < 0 ? 0.0f : initial_value(tensor, i, logical, seed);
    });
  }
  mark_written(weights);
}

}  // namespace convoke::core
