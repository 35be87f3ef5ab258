// infer and infer_image, and what every call does first and last: check its arguments, copy the caller's data in and
// out.
#include "runtime/core/calls.h"
#include "runtime/core/float_mode.h"
#include "runtime/core/message.h"
#include "runtime/core/tensor_copy.h"

namespace convoke::core {
namespace {

int32_t run_inference(convoke_context* context, void* const* outputs, convoke_error* error) {
  if (int32_t code = run_program(context, CONVOKE_INFER, error)) return code;
  if (outputs) copy_outputs(context, convoke_plan.infer_outputs, outputs);
  return succeed(error);
}

// x = (pixel * scale - mean[c]) / std[c], by a table of the 256 values of each channel.
struct PixelTable {
  float value[4][256];
};

PixelTable pixel_table(const convoke_model& model) {
  PixelTable table;
  for (int c = 0; c < 4; ++c) {
    for (int p = 0; p < 256; ++p) {
      table.value[c][p] = (static_cast<float>(p) * model.image_scale - model.image_mean[c]) / model.image_std[c];
    }
  }
  return table;
}

}  // namespace

int32_t check_inputs(const convoke_context* context, const char* call, int32_t n, const void* const* inputs,
                     convoke_error* error) {
  const convoke_model& model = convoke_model_data;
  if (!context) return Message(error, CONVOKE_INVALID_ARGUMENT) << call << ": context is NULL";
  if (n < 1 || n > model.capacity) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << call << ": n is " << n << ", " << model.name << " was compiled for 1 to " << model.capacity;
  }
  if (!inputs) return Message(error, CONVOKE_INVALID_ARGUMENT) << call << ": inputs is NULL";
  for (int32_t i = 0; i < model.input_count; ++i) {
    if (!inputs[i]) {
      return Message(error, CONVOKE_INVALID_ARGUMENT)
             << call << ": inputs[" << i << "] ('" << model.inputs[i].name << "') is NULL";
    }
  }
  return CONVOKE_OK;
}

void copy_inputs(convoke_context* context, const int32_t* buffers, const void* const* inputs) {
  for (int32_t i = 0; i < convoke_model_data.input_count; ++i) {
    const Buffer& buffer = convoke_plan.buffers[buffers[i]];
    const Strides strides = context->input_layout == CONVOKE_NCHW ? channels_first(buffer) : row_major(buffer);
    const int64_t stored = storage_elems(buffer) * element_bytes(buffer);
    const int64_t given = logical_elems(buffer) * element_bytes(buffer);
    uint8_t* to = context->buffers[buffers[i]].host;
    const uint8_t* from = static_cast<const uint8_t*>(inputs[i]);
    for (int64_t s = 0; s < context->n; ++s) to_storage(buffer, to + s * stored, from + s * given, strides);
  }
}

void copy_outputs(const convoke_context* context, const int32_t* buffers, void* const* outputs) {
  for (int32_t i = 0; i < convoke_model_data.output_count; ++i) {
    if (!outputs[i]) continue;
    const Buffer& buffer = convoke_plan.buffers[buffers[i]];
    const int64_t stored = storage_elems(buffer) * element_bytes(buffer);
    const int64_t given = logical_elems(buffer) * element_bytes(buffer);
    const uint8_t* from = context->buffers[buffers[i]].host;
    uint8_t* to = static_cast<uint8_t*>(outputs[i]);
    const int64_t samples = buffer.has_batch ? context->n : 1;
    for (int64_t s = 0; s < samples; ++s) {
      from_storage(buffer, to + s * given, from + s * stored, row_major(buffer));
    }
  }
}

int32_t infer(convoke_context* context, int32_t n, const void* const* inputs, void* const* outputs,
              convoke_error* error) {
  if (int32_t code = check_inputs(context, "infer", n, inputs, error)) return code;
  FloatMode mode;
  context->forward_n = 0;
  set_batch(context, n);
  if (int32_t code = check_captures(context, CONVOKE_INFER, error)) return code;
  if (int32_t code = prepare(context, error)) return code;
  copy_inputs(context, convoke_plan.infer_inputs, inputs);
  return run_inference(context, outputs, error);
}

int32_t infer_image(convoke_context* context, int32_t n, const uint8_t* pixels, void* const* outputs,
                    convoke_error* error) {
  const convoke_model& model = convoke_model_data;
  if (!model.has_image || model.input_count != 1) {
    return Message(error, CONVOKE_FAILED_PRECONDITION)
           << "infer_image: " << model.name << " was compiled without an image transform";
  }
  const void* input = pixels;
  if (int32_t code = check_inputs(context, "infer_image", n, &input, error)) return code;
  FloatMode mode;
  context->forward_n = 0;
  set_batch(context, n);
  if (int32_t code = check_captures(context, CONVOKE_INFER, error)) return code;
  if (int32_t code = prepare(context, error)) return code;
  const Buffer& buffer = convoke_plan.buffers[convoke_plan.infer_inputs[0]];
  const PixelTable table = pixel_table(model);
  const int64_t channels = model.inputs[0].dims[3];
  float* to = reinterpret_cast<float*>(context->buffers[convoke_plan.infer_inputs[0]].host);
  for (int32_t s = 0; s < n; ++s, to += storage_elems(buffer), pixels += logical_elems(buffer)) {
    visit_elements(buffer, row_major(buffer), [&](int64_t stored, int64_t logical) {
      to[stored] = logical < 0 ? 0.0f : table.value[logical % channels][pixels[logical]];
    });
  }
  return run_inference(context, outputs, error);
}

}  // namespace convoke::core
