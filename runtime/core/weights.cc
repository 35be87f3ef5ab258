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

bool is_read_while_preparing_only(int32_t buffer) {
  for (int32_t r = 0; r < convoke_plan.row_count; ++r) {
    const Row& row = convoke_plan.rows[r];
    for (int32_t b = 0; b < row.buffer_count && row.program != CONVOKE_PREPARE; ++b) {
      if (row.buffers[b] == buffer) return false;
    }
  }
  return true;
}

uint8_t* storage(const convoke_weights* weights, int32_t buffer) {
  return weights->arenas[convoke_plan.buffers[buffer].arena] + convoke_plan.buffers[buffer].offset;
}

// Rows that prepare find mapped parameters where they are.
void bind_mapped(convoke_context* context) {
  for (int32_t p = 0; p < convoke_model_data.parameter_count; ++p) {
    const int32_t buffer = convoke_plan.parameters[p];
    const float* mapped = context->weights->mapped[buffer];
    context->buffers[buffer].host =
        mapped ? reinterpret_cast<uint8_t*>(const_cast<float*>(mapped)) : storage(context->weights, buffer);
  }
}

}  // namespace

int32_t weights_create(convoke_weights** weights, convoke_error* error) {
  if (!weights) return Message(error, CONVOKE_INVALID_ARGUMENT) << "weights_create: weights is NULL";
  *weights = nullptr;
  if (int32_t code = check_cpu(error)) return code;
  const WeightsLayout layout = weights_layout(convoke_plan);
  uint8_t* base = map_memory(layout.bytes);
  if (!base) {
    return Message(error, CONVOKE_OUT_OF_MEMORY)
           << "weights_create: no memory for " << static_cast<int64_t>(layout.bytes) << " bytes";
  }
  convoke_weights* made = reinterpret_cast<convoke_weights*>(base);
  made->mapped_bytes = layout.bytes;
  for (int a = 0; a < kWeightsArenas; ++a) made->arenas[a] = base + layout.arenas[a];
  made->mapped = reinterpret_cast<const float**>(base + layout.mapped);
  made->stale = 1;
  *weights = made;
  return succeed(error);
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
  weights->mapped[index] = nullptr;
  to_storage(buffer, storage(weights, index), data, row_major(buffer));
  mark_written(weights);
  return succeed(error);
}

int32_t weights_map(convoke_weights* weights, int32_t tensor, const float* data, int64_t elems, convoke_error* error) {
  if (int32_t code = check_tensor("weights_map", weights, tensor, data, elems, error)) return code;
  const int32_t index = tensor_at(tensor).buffer;
  const bool is_aligned = reinterpret_cast<uint64_t>(data) % alignof(float) == 0;
  const bool is_parameter = tensor < convoke_model_data.parameter_count;
  if (!is_parameter || !is_aligned || !is_row_major(convoke_plan.buffers[index]) ||
      !is_read_while_preparing_only(index)) {
    return weights_set(weights, tensor, data, elems, error);
  }
  weights->mapped[index] = data;
  mark_written(weights);
  return succeed(error);
}

int32_t weights_get(const convoke_weights* weights, int32_t tensor, float* data, int64_t elems, convoke_error* error) {
  if (int32_t code = check_tensor("weights_get", weights, tensor, data, elems, error)) return code;
  const int32_t index = tensor_at(tensor).buffer;
  const Buffer& buffer = convoke_plan.buffers[index];
  const float* mapped = weights->mapped[index];
  from_storage(buffer, data, mapped ? static_cast<const void*>(mapped) : storage(weights, index), row_major(buffer));
  return succeed(error);
}

// The first context that finds the prepared forms stale makes them; others wait for it.
int32_t prepare(convoke_context* context, convoke_error* error) {
  convoke_weights* weights = context->weights;
  if (!__atomic_load_n(&weights->stale, __ATOMIC_ACQUIRE)) return CONVOKE_OK;
  lock(&weights->lock);
  int32_t code = CONVOKE_OK;
  if (__atomic_load_n(&weights->stale, __ATOMIC_RELAXED)) {
    bind_mapped(context);
    code = run_program(context, CONVOKE_PREPARE, error);
    if (code == CONVOKE_OK) __atomic_store_n(&weights->stale, 0, __ATOMIC_RELEASE);
  }
  unlock(&weights->lock);
  return code;
}

}  // namespace convoke::core
