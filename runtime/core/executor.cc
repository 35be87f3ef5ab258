// Walks the rows of a program: inline or parallel by their work, timed and captured on request.
#include "runtime/core/calls.h"
#include "runtime/core/libc.h"
#include "runtime/core/message.h"
#include "runtime/core/pool.h"

namespace convoke::core {
namespace {

// Behind a row whose tasks were shared out helpers are awake, and what the row reads lies in the caches of all.
bool worth_threads(const convoke_context* context, const Row& row, int32_t n) {
  const int64_t least = context->is_spread ? kInlineBehindForkNs : kInlineNs;
  return context->threads > 1 && row.ns_per_call + n * row.ns_per_sample >= least;
}

// A kernel that asked for more scratch than its slab has got it, but the plan is wrong and later ones may not.
int32_t check_slabs(convoke_context* context, int32_t row, convoke_error* error) {
  for (int32_t i = 0; i < context->threads; ++i) {
    Worker& worker = context->workers[i];
    if (!worker.missing) continue;
    const int64_t missing = static_cast<int64_t>(worker.missing);
    worker.missing = 0;
    return Message(error, CONVOKE_INTERNAL)
           << "kernel '" << convoke_model_data.rows[row].name << "' wants " << missing
           << " bytes of scratch more than the plan's " << static_cast<int64_t>(convoke_plan.scratch_bytes);
  }
  return CONVOKE_OK;
}

int32_t run_samples(convoke_context* context, int32_t row, Samples samples, convoke_error* error) {
  const Row& kernel = convoke_plan.rows[row];
  context->may_fork = context->is_spread = worth_threads(context, kernel, samples.count);
  const uint64_t begin = context->profiling ? now_ns() : 0;
  const int result = kernel.kernel(context->row_arguments[row]);
  if (context->profiling) {
    context->row_ns[row] += now_ns() - begin;
    ++context->row_calls[row];
  }
  if (result) {
    Message message(error, CONVOKE_INTERNAL);
    message << "kernel '" << convoke_model_data.rows[row].name << "' failed with code " << result;
    if (context->kernel_message[0]) message << ": " << context->kernel_message;
    context->kernel_message[0] = 0;
    return message;
  }
  if (int32_t code = check_slabs(context, row, error)) return code;
  copy_captures(context, row, samples);
  return CONVOKE_OK;
}

int32_t run_turn(convoke_context* context, const Band& band, Samples samples, convoke_error* error) {
  bind_samples(context, band, samples);
  for (int32_t row = band.first; row < band.end; ++row) {
    if (int32_t code = run_samples(context, row, samples, error)) return code;
  }
  return CONVOKE_OK;
}

int32_t run_band(convoke_context* context, const Band& band, convoke_error* error) {
  int32_t code = CONVOKE_OK;
  for (int32_t s = 0; s < context->n && !code; s += band.samples) {
    code = run_turn(context, band, {s, min_of(band.samples, context->n - s)}, error);
  }
  bind_samples(context, band, {0, context->n});
  return code;
}

// Of the band that begins at this row; null: none does.
const Band* find_band(int32_t row) {
  for (int32_t b = 0; b < convoke_plan.band_count; ++b) {
    if (convoke_plan.bands[b].first == row) return &convoke_plan.bands[b];
  }
  return nullptr;
}

int32_t run_rows(convoke_context* context, convoke_program program, convoke_error* error) {
  for (int32_t row = context->program_begin[program]; row < context->program_begin[program + 1];) {
    const Band* band = find_band(row);
    if (int32_t code = band ? run_band(context, *band, error) : run_samples(context, row, {0, context->n}, error))
      return code;
    row = band ? band->end : row + 1;
  }
  return CONVOKE_OK;
}

}  // namespace

int32_t run_row(convoke_context* context, int32_t row, convoke_error* error) {
  return run_samples(context, row, {0, context->n}, error);
}

int32_t run_program(convoke_context* context, convoke_program program, convoke_error* error) {
  context->is_spread = 0;
  if (!context->pool) return run_rows(context, program, error);
  pool_enter(context->pool);
  const int32_t code = run_rows(context, program, error);
  pool_leave(context->pool);
  return code;
}

}  // namespace convoke::core
