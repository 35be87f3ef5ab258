// Weights objects: parameters, running statistics and prepared forms in one mapping, and when they are prepared.
#include "runtime/core/calls.h"
#include "runtime/core/lock.h"
#include "runtime/core/memory.h"
#include "runtime/core/message.h"
#include "runtime/core/tensor_copy.h"

namespace convoke::core {
namespace {

struct Tensor {
  const convoke_tensor* description;
  int32_t buffer;
};

Tensor tensor_at(int32_t index) {
  const convoke_model& model = convoke_model_data;
  if (index < model.parameter_count) {
    return {&model.parameters[index], convoke_plan.parameters[index]};
  }
  index -= model.parameter_count;
  return {&model.states[index], convoke_plan.states[index]};
}

int32_t check_tensor(const char* call, const void* weights, int32_t tensor, const void* data, int64_t elems,
                     convoke_error* error) {
  if (!weights || !data) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << call << ": " << (weights ? "data" : "weights") << " is NULL";
  }
  const int32_t count = convoke_model_data.parameter_count + convoke_model_data.state_count;
  if (tensor < 0 || tensor >= count) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << call << ": tensor is " << tensor << ", expected 0 to " << count - 1;
  }
  const convoke_tensor& description = *tensor_at(tensor).description;
  if (elems != description.elems) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << call << ": elems is " << elems << ", '" << description.name << "' has " << description.elems;
  }
  return CONVOKE_OK;
}

uint8_t* storage(const convoke_weights* weights, int32_t buffer) {
  return weights->arenas[convoke_plan.buffers[buffer].arena] + convoke_plan.buffers[buffer].offset;
}

}  // namespace

int32_t weights_create(convoke_weights** weights, convoke_error* error) {
  if (!weights) return Message(error, CONVOKE_INVALID_ARGUMENT) << "weights_create: weights is NULL";
  *weights = nullptr;
  if (int32_t code = check_cpu(error)) return code;
  const uint64_t bytes = weights_layout(convoke_plan).bytes;
  uint8_t* mapping = map_memory(bytes);
  if (!mapping) {
    return Message(error, CONVOKE_OUT_OF_MEMORY)
           << "weights_create: no memory for " << static_cast<int64_t>(bytes) << " bytes";
  }
  *weights = weights_in(mapping);
  mark_stale(*weights);
  return succeed(error);
}

convoke_weights* weights_in(uint8_t* mapping) {
  const WeightsLayout layout = weights_layout(convoke_plan);
  convoke_weights* weights = reinterpret_cast<convoke_weights*>(mapping);
  *weights = {};
  weights->mapped_bytes = layout.bytes;
  for (int a = 0; a < kWeightsArenas; ++a) weights->arenas[a] = mapping + layout.arenas[a];
  return weights;
}

void weights_destroy(convoke_weights* weights) {
  if (weights) unmap_memory(weights, weights->mapped_bytes);
}

void mark_stale(convoke_weights* weights) { __atomic_store_n(&weights->stale, 1, __ATOMIC_RELEASE); }

void mark_written(convoke_weights* weights) {
  __atomic_fetch_add(&weights->version, 1, __ATOMIC_RELAXED);
  mark_stale(weights);
}

int32_t weights_set(convoke_weights* weights, int32_t tensor, const float* data, int64_t elems, convoke_error* error) {
  if (int32_t code = check_tensor("weights_set", weights, tensor, data, elems, error)) return code;
  const int32_t index = tensor_at(tensor).buffer;
  const Buffer& buffer = convoke_plan.buffers[index];
  to_storage(buffer, storage(weights, index), data, row_major(buffer));
  mark_written(weights);
  return succeed(error);
}

int32_t weights_get(const convoke_weights* weights, int32_t tensor, float* data, int64_t elems, convoke_error* error) {
  if (int32_t code = check_tensor("weights_get", weights, tensor, data, elems, error)) return code;
  const int32_t index = tensor_at(tensor).buffer;
  const Buffer& buffer = convoke_plan.buffers[index];
  from_storage(buffer, data, storage(weights, index), row_major(buffer));
  return succeed(error);
}

// The first context that finds the prepared forms stale makes them; others wait for it.
int32_t prepare(convoke_context* context, convoke_error* error) {
  convoke_weights* weights = context->weights;
  if (!__atomic_load_n(&weights->stale, __ATOMIC_ACQUIRE)) return CONVOKE_OK;
  lock(&weights->lock);
  int32_t code = CONVOKE_OK;
  if (__atomic_load_n(&weights->stale, __ATOMIC_RELAXED)) {
    code = run_program(context, CONVOKE_PREPARE, error);
    if (code == CONVOKE_OK) __atomic_store_n(&weights->stale, 0, __ATOMIC_RELEASE);
  }
  unlock(&weights->lock);
  return code;
}

}  // namespace convoke::core
