// Looking inside a call: captures of values as their kernels end, and times by row.
#include "runtime/core/calls.h"
#include "runtime/core/message.h"
#include "runtime/core/tensor_copy.h"

namespace convoke::core {
namespace {

// Rows list inputs before outputs and every value is computed before it is read: the first row that touches a value
// which the caller does not provide computes it.
bool find_value(const convoke_context* context, int32_t program, const char* name, Capture* found) {
  for (int32_t r = context->program_begin[program]; r < context->program_begin[program + 1]; ++r) {
    const Row& row = convoke_plan.rows[r];
    for (int32_t b = row.buffer_count - 1; b >= 0; --b) {
      const char* value = convoke_plan.buffers[row.buffers[b]].name;
      if (!equal_text(value, name)) continue;
      found->name = value;
      found->row = r;
      found->buffer = row.buffers[b];
      return true;
    }
  }
  return false;
}

int32_t report_missing(const char* name, int32_t program, convoke_error* error) {
  for (int32_t i = 0; i < convoke_plan.fused_name_count; ++i) {
    const FusedName& fused = convoke_plan.fused_names[i];
    if (!equal_text(fused.name, name) || convoke_plan.rows[fused.row].program != program) continue;
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "capture: '" << name << "' is fused into kernel '" << convoke_model_data.rows[fused.row].name
           << "'; compile with --keep to have it in memory";
  }
  static constexpr const char* kPrograms[] = {"prepare", "infer", "forward", "loss", "backward", "update"};
  return Message(error, CONVOKE_INVALID_ARGUMENT)
         << "capture: " << kPrograms[program] << " computes no value '" << name << "'";
}

int64_t value_elems(const convoke_context* context, const Buffer& buffer) {
  return logical_elems(buffer) * (buffer.has_batch ? context->n : 1);
}

}  // namespace

int32_t capture(convoke_context* context, int32_t program, const char* name, float* data, int64_t elems,
                convoke_error* error) {
  if (!context || !name) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "capture: " << (context ? "name" : "context") << " is NULL";
  }
  if (program < CONVOKE_PREPARE || program > CONVOKE_UPDATE) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "capture: program is " << program << ", expected 0 to 5";
  }
  if (program > CONVOKE_INFER && !context->training) {
    return Message(error, CONVOKE_FAILED_PRECONDITION) << "capture: the context was created without training";
  }
  Capture wanted = {};
  if (!find_value(context, program, name, &wanted)) return report_missing(name, program, error);
  const int64_t sample_elems = logical_elems(convoke_plan.buffers[wanted.buffer]);
  if (data && elems < sample_elems) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "capture: elems is " << elems << ", one sample of '" << name << "' has " << sample_elems;
  }
  wanted.data = data;
  wanted.elems = elems;
  Capture* free_slot = nullptr;
  for (Capture& slot : context->captures) {
    if (slot.name == wanted.name && slot.row == wanted.row) {
      slot = data ? wanted : Capture{};
      return succeed(error);
    }
    if (!slot.name && !free_slot) free_slot = &slot;
  }
  if (!data) return succeed(error);
  if (!free_slot) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "capture: " << kMaxCaptures << " are active, the most there can be";
  }
  *free_slot = wanted;
  return succeed(error);
}

int32_t check_captures(const convoke_context* context, convoke_program program, convoke_error* error) {
  for (const Capture& slot : context->captures) {
    if (!slot.name || convoke_plan.rows[slot.row].program != program) continue;
    const int64_t elems = value_elems(context, convoke_plan.buffers[slot.buffer]);
    if (slot.elems >= elems) continue;
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "the capture of '" << slot.name << "' has room for " << slot.elems << " elements, n = " << context->n
           << " makes " << elems;
  }
  return CONVOKE_OK;
}

void copy_captures(const convoke_context* context, int32_t row, Samples samples) {
  for (const Capture& slot : context->captures) {
    if (!slot.name || slot.row != row) continue;
    const Buffer& buffer = convoke_plan.buffers[slot.buffer];
    const int64_t first = buffer.has_batch ? samples.first : 0, count = buffer.has_batch ? samples.count : 1;
    const int64_t elems = logical_elems(buffer);
    for (int64_t s = 0; s < count; ++s) {
      from_storage_as_f32(buffer, slot.data + (first + s) * elems, context->buffers[slot.buffer].host, s);
    }
  }
}

void profile(convoke_context* context, int32_t enable) {
  if (!context) return;
  context->profiling = enable;
  if (!enable) return;
  const size_t bytes = static_cast<size_t>(convoke_plan.row_count) * sizeof(uint64_t);
  memset(context->row_ns, 0, bytes);
  memset(context->row_calls, 0, bytes);
}

void profile_read(const convoke_context* context, uint64_t* row_ns, uint64_t* row_calls) {
  if (!context) return;
  const size_t bytes = static_cast<size_t>(convoke_plan.row_count) * sizeof(uint64_t);
  if (row_ns) memcpy(row_ns, context->row_ns, bytes);
  if (row_calls) memcpy(row_calls, context->row_calls, bytes);
}

}  // namespace convoke::core
