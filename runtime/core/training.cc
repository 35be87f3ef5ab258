// The training pass in one call or in two, and the caller's access to gradients and moments.
#include "runtime/core/calls.h"
#include "runtime/core/finite.h"
#include "runtime/core/float_mode.h"
#include "runtime/core/message.h"
#include "runtime/core/philox.h"
#include "runtime/core/tensor_copy.h"

namespace convoke::core {
namespace {

int32_t check_training(const convoke_context* context, const char* call, convoke_error* error) {
  if (!context) return Message(error, CONVOKE_INVALID_ARGUMENT) << call << ": context is NULL";
  if (!context->training) {
    return Message(error, CONVOKE_FAILED_PRECONDITION) << call << ": the context was created without training";
  }
  return CONVOKE_OK;
}

int32_t check_step(const convoke_step& step, const char* call, convoke_error* error) {
  if (!is_finite(step.scale)) return Message(error, CONVOKE_INVALID_ARGUMENT) << call << ": step.scale is not finite";
  return CONVOKE_OK;
}

// Every output has the labels' classes, so the smallest decides.
int32_t check_labels(int32_t n, const int32_t* labels, convoke_error* error) {
  if (!labels) return Message(error, CONVOKE_INVALID_ARGUMENT) << "forward_backward: labels is NULL";
  int64_t classes = convoke_model_data.outputs[0].elems;
  for (int32_t i = 1; i < convoke_model_data.output_count; ++i) {
    classes = min_of(classes, convoke_model_data.outputs[i].elems);
  }
  for (int32_t i = 0; i < n; ++i) {
    int32_t label;
    memcpy(&label, labels + i, sizeof label);
    if (label < 0 || label >= classes) {
      return Message(error, CONVOKE_INVALID_ARGUMENT)
             << "forward_backward: labels[" << i << "] is " << label << ", expected 0 to " << classes - 1;
    }
  }
  return CONVOKE_OK;
}

float scalar_at(const convoke_context* context, int32_t buffer) {
  return *reinterpret_cast<const float*>(context->buffers[buffer].host);
}

// Sets the scalars of a pass whose gradients are to be kept.
void set_step(convoke_context* context, const convoke_step& step) {
  float* scalars = reinterpret_cast<float*>(context->arenas[kScalars]);
  scalars[kLossScale] = step.scale;
  scalars[kAccumulate] = step.accumulate ? 1.0f : 0.0f;
  if (!step.accumulate) context->loss_finite = 1;
}

// The key of what is random in this pass.
void set_random(convoke_context* context, uint64_t seed) {
  ++context->training_passes;
  if (!seed) seed = context->training_passes;
  const Random4 random = philox({{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32), 0, 0}}, 0);
  reinterpret_cast<float*>(context->arenas[kScalars])[kRandom] = static_cast<float>(random.word[0] >> 8);
}

int32_t run_forward(convoke_context* context, const void* const* inputs, uint64_t seed, convoke_error* error) {
  set_random(context, seed);
  copy_inputs(context, convoke_plan.train_inputs, inputs);
  mark_stale(context->weights);  // running statistics are about to change
  return run_program(context, CONVOKE_FORWARD, error);
}

int32_t run_loss(convoke_context* context, const int32_t* labels, convoke_metrics* metrics, convoke_error* error) {
  memcpy(context->buffers[convoke_plan.labels].host, labels, static_cast<size_t>(context->n) * sizeof(int32_t));
  if (int32_t code = run_program(context, CONVOKE_LOSS, error)) return code;
  const float loss = scalar_at(context, convoke_plan.loss);
  if (!is_finite(loss)) {
    context->loss_finite = 0;
    context->loss = loss;
  }
  if (metrics) *metrics = {loss, scalar_at(context, convoke_plan.accuracy)};
  return CONVOKE_OK;
}

struct Field {
  const Buffer* buffer;
  uint8_t* storage;
};

int32_t find_field(const convoke_context* context, const char* call, int32_t field, int32_t parameter, const void* data,
                   int64_t elems, Field* found, convoke_error* error) {
  const convoke_model& model = convoke_model_data;
  if (int32_t code = check_training(context, call, error)) return code;
  if (!data) return Message(error, CONVOKE_INVALID_ARGUMENT) << call << ": data is NULL";
  if (field < CONVOKE_GRADIENT || field > model.moment_count) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << call << ": field is " << field << ", expected 0 (gradient) to " << model.moment_count << " (moments)";
  }
  if (parameter < 0 || parameter >= model.parameter_count) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << call << ": parameter is " << parameter << ", expected 0 to " << model.parameter_count - 1;
  }
  const convoke_tensor& tensor = model.parameters[parameter];
  if (elems != tensor.elems) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << call << ": elems is " << elems << ", '" << tensor.name << "' has " << tensor.elems;
  }
  const int32_t buffer = field == CONVOKE_GRADIENT
                             ? convoke_plan.gradients[parameter]
                             : convoke_plan.moments[(field - 1) * model.parameter_count + parameter];
  if (buffer < 0) {
    return Message(error, CONVOKE_FAILED_PRECONDITION) << call << ": '" << tensor.name << "' is frozen";
  }
  *found = {&convoke_plan.buffers[buffer], context->buffers[buffer].host};
  return CONVOKE_OK;
}

}  // namespace

int32_t forward_backward(convoke_context* context, int32_t n, const void* const* inputs, const int32_t* labels,
                         const convoke_step* step, convoke_metrics* metrics, convoke_error* error) {
  const convoke_step given = step ? *step : convoke_step{0, 1, 0};
  if (int32_t code = check_training(context, "forward_backward", error)) return code;
  if (int32_t code = check_inputs(context, "forward_backward", n, inputs, error)) return code;
  if (int32_t code = check_labels(n, labels, error)) return code;
  if (int32_t code = check_step(given, "forward_backward", error)) return code;
  FloatMode mode;
  context->forward_n = 0;
  set_batch(context, n);
  if (int32_t code = check_captures(context, CONVOKE_FORWARD, error)) return code;
  if (int32_t code = check_captures(context, CONVOKE_LOSS, error)) return code;
  if (int32_t code = check_captures(context, CONVOKE_BACKWARD, error)) return code;
  set_step(context, given);
  if (int32_t code = run_forward(context, inputs, given.seed, error)) return code;
  if (int32_t code = run_loss(context, labels, metrics, error)) return code;
  if (int32_t code = run_program(context, CONVOKE_BACKWARD, error)) return code;
  return succeed(error);
}

int32_t forward(convoke_context* context, int32_t n, const void* const* inputs, void* const* outputs,
                convoke_error* error) {
  if (int32_t code = check_training(context, "forward", error)) return code;
  if (int32_t code = check_inputs(context, "forward", n, inputs, error)) return code;
  FloatMode mode;
  context->forward_n = 0;
  set_batch(context, n);
  if (int32_t code = check_captures(context, CONVOKE_FORWARD, error)) return code;
  if (int32_t code = run_forward(context, inputs, 0, error)) return code;
  if (outputs) copy_outputs(context, convoke_plan.train_outputs, outputs);
  context->forward_n = n;
  context->forward_version = __atomic_load_n(&context->weights->version, __ATOMIC_RELAXED);
  return succeed(error);
}

int32_t backward(convoke_context* context, const void* const* output_gradients, const convoke_step* step,
                 convoke_error* error) {
  const convoke_step given = step ? *step : convoke_step{0, 1, 0};
  const convoke_model& model = convoke_model_data;
  if (int32_t code = check_training(context, "backward", error)) return code;
  if (!context->forward_n) {
    return Message(error, CONVOKE_FAILED_PRECONDITION)
           << "backward: no forward just before on this context (any other call in between ends it)";
  }
  if (context->forward_version != __atomic_load_n(&context->weights->version, __ATOMIC_RELAXED)) {
    context->forward_n = 0;
    return Message(error, CONVOKE_FAILED_PRECONDITION) << "backward: the weights were written after the forward";
  }
  if (!output_gradients) return Message(error, CONVOKE_INVALID_ARGUMENT) << "backward: output_gradients is NULL";
  for (int32_t i = 0; i < model.output_count; ++i) {
    if (!output_gradients[i]) {
      return Message(error, CONVOKE_INVALID_ARGUMENT)
             << "backward: output_gradients[" << i << "] ('" << model.outputs[i].name << "') is NULL";
    }
  }
  if (int32_t code = check_step(given, "backward", error)) return code;
  if (int32_t code = check_captures(context, CONVOKE_BACKWARD, error)) return code;
  FloatMode mode;
  context->forward_n = 0;
  set_step(context, given);
  for (int32_t i = 0; i < model.output_count; ++i) {
    if (convoke_plan.output_gradients[i] < 0) continue;
    const Buffer& buffer = convoke_plan.buffers[convoke_plan.output_gradients[i]];
    const int64_t stored = storage_elems(buffer), elems = logical_elems(buffer);
    float* to = reinterpret_cast<float*>(context->buffers[convoke_plan.output_gradients[i]].host);
    const uint8_t* from = static_cast<const uint8_t*>(output_gradients[i]);
    for (int64_t s = 0; s < context->n; ++s) {
      to_storage(buffer, to + s * stored, from + s * elems * static_cast<int64_t>(sizeof(float)), row_major(buffer));
    }
    for (int64_t e = 0; e < context->n * stored; ++e) to[e] *= given.scale;
  }
  if (int32_t code = run_program(context, CONVOKE_BACKWARD, error)) return code;
  return succeed(error);
}

int32_t field_get(const convoke_context* context, int32_t field, int32_t parameter, float* data, int64_t elems,
                  convoke_error* error) {
  Field found;
  if (int32_t code = find_field(context, "field_get", field, parameter, data, elems, &found, error)) return code;
  from_storage(*found.buffer, data, found.storage, row_major(*found.buffer));
  return succeed(error);
}

int32_t field_set(convoke_context* context, int32_t field, int32_t parameter, const float* data, int64_t elems,
                  convoke_error* error) {
  Field found;
  if (int32_t code = find_field(context, "field_set", field, parameter, data, elems, &found, error)) return code;
  to_storage(*found.buffer, found.storage, data, row_major(*found.buffer));
  return succeed(error);
}

}  // namespace convoke::core
