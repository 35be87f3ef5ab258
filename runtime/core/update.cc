// The optimizer's step: the gradients' norm first, then, if all is finite, every other row of the update program.
#include "runtime/core/calls.h"
#include "runtime/core/finite.h"
#include "runtime/core/float_mode.h"
#include "runtime/core/math.h"
#include "runtime/core/message.h"
#include "runtime/core/tensor_copy.h"

namespace convoke::core {
namespace {

int32_t check_update(const convoke_context* context, const convoke_update* options, convoke_error* error) {
  if (!context || !options) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "update: " << (context ? "update" : "context") << " is NULL";
  }
  if (!context->training) {
    return Message(error, CONVOKE_FAILED_PRECONDITION) << "update: the context was created without training";
  }
  if (!is_finite(options->learning_rate)) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "update: learning_rate is not finite";
  }
  if (options->step < 1) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "update: step is " << options->step << ", expected 1 or more";
  }
  if (!(options->max_gradient_norm >= 0)) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "update: max_gradient_norm is negative or not a number";
  }
  return CONVOKE_OK;
}

// The row that computes the sum of squares; it depends on nothing else in its program.
int32_t norm_row(const convoke_context* context) {
  for (int32_t r = context->program_begin[CONVOKE_UPDATE]; r < context->program_begin[CONVOKE_UPDATE + 1]; ++r) {
    const Row& row = convoke_plan.rows[r];
    if (row.buffers[row.buffer_count - 1] == convoke_plan.gradient_sum_squares) return r;
  }
  return -1;
}

// The backward pass spreads a bad value from its layer towards the inputs, so the last parameter that has one is
// nearest to where it arose.
int32_t report_not_finite(const convoke_context* context, convoke_error* error) {
  for (int32_t p = convoke_model_data.parameter_count - 1; p >= 0; --p) {
    if (convoke_plan.gradients[p] < 0) continue;
    const float* gradient = reinterpret_cast<const float*>(context->buffers[convoke_plan.gradients[p]].host);
    const int64_t elems = storage_elems(convoke_plan.buffers[convoke_plan.gradients[p]]);
    for (int64_t e = 0; e < elems; ++e) {
      if (is_finite(gradient[e])) continue;
      return Message(error, CONVOKE_NOT_FINITE) << "gradient of '" << convoke_model_data.parameters[p].name << "' is "
                                                << non_finite_text(gradient[e]) << "; the update was not applied";
    }
  }
  return Message(error, CONVOKE_NOT_FINITE) << "the gradients' norm overflows; the update was not applied";
}

// As torch.nn.utils.clip_grad_norm_.
float clipping_scale(float norm, float limit) { return limit > 0 && norm > limit ? limit / (norm + 1e-6f) : 1.0f; }

}  // namespace

int32_t update(convoke_context* context, const convoke_update* options, float* gradient_norm, convoke_error* error) {
  if (int32_t code = check_update(context, options, error)) return code;
  FloatMode mode;
  context->forward_n = 0;
  if (int32_t code = check_captures(context, CONVOKE_UPDATE, error)) return code;
  if (!context->loss_finite) {
    return Message(error, CONVOKE_NOT_FINITE)
           << "loss is " << non_finite_text(context->loss) << "; the update was not applied";
  }
  const int32_t norm_at = norm_row(context);
  if (int32_t code = run_row(context, norm_at, error)) return code;
  const float sum = *reinterpret_cast<const float*>(context->buffers[convoke_plan.gradient_sum_squares].host);
  if (!is_finite(sum)) return report_not_finite(context, error);
  const float norm = sum < 1e-37f ? 0.0f : static_cast<float>(square_root(static_cast<double>(sum)));
  if (gradient_norm) *gradient_norm = norm;
  float* scalars = reinterpret_cast<float*>(context->arenas[kScalars]);
  scalars[kLearningRate] = options->learning_rate;
  scalars[kStep] = static_cast<float>(options->step);
  scalars[kGradientScale] = clipping_scale(norm, options->max_gradient_norm);
  mark_written(context->weights);
  for (int32_t r = context->program_begin[CONVOKE_UPDATE]; r < context->program_begin[CONVOKE_UPDATE + 1]; ++r) {
    if (r == norm_at) continue;
    if (int32_t code = run_row(context, r, error)) return code;
  }
  return succeed(error);
}

}  // namespace convoke::core
