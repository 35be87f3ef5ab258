// Contexts: one mapping with everything a call touches. Buffer descriptors and argument vectors are made here once; a
// call only writes batch extents, and only when n changes.
#include "runtime/core/calls.h"
#include "runtime/core/memory.h"
#include "runtime/core/message.h"
#include "runtime/core/pool.h"

namespace convoke::core {
namespace {

int32_t check_options(const convoke_weights* weights, const convoke_context_options& options, convoke_error* error) {
  if (!weights) return Message(error, CONVOKE_INVALID_ARGUMENT) << "context_create: weights is NULL";
  if (options.threads < 0 || options.threads > kMaxThreads) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "context_create: threads is " << options.threads << ", expected 0 to " << kMaxThreads;
  }
  if (options.pool && options.parallel_for) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "context_create: both pool and parallel_for are given";
  }
  if (options.input_layout != CONVOKE_NHWC && options.input_layout != CONVOKE_NCHW) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "context_create: input_layout is " << options.input_layout << ", expected CONVOKE_NHWC or CONVOKE_NCHW";
  }
  if (options.training && !convoke_model_data.has_training) {
    return Message(error, CONVOKE_FAILED_PRECONDITION)
           << "context_create: " << convoke_model_data.name << " was compiled for inference only";
  }
  return CONVOKE_OK;
}

HalideType halide_type(uint8_t dtype) {
  if (dtype == CONVOKE_U8) return {1, 8, 1};
  if (dtype == CONVOKE_I32) return {0, 32, 1};
  return {2, 32, 1};
}

// A buffer that this kind of context has no room for (it belongs to training) gets no pointer.
void bind_buffers(convoke_context* context, const ContextLayout& layout, HalideDimension* dimensions) {
  for (int i = 0; i < convoke_plan.buffer_count; ++i, dimensions += kMaxRank) {
    const Buffer& buffer = convoke_plan.buffers[i];
    HalideBuffer& bound = context->buffers[i];
    const uint64_t samples = buffer.has_batch ? static_cast<uint64_t>(buffer.samples) : 1;
    const bool fits =
        buffer.arena < kWeightsArenas || buffer.offset + buffer.bytes * samples <= layout.arena_bytes[buffer.arena];
    bound.host = fits ? context->arenas[buffer.arena] + buffer.offset : nullptr;
    bound.type = halide_type(buffer.dtype);
    bound.dimensions = 0;
    bound.dim = dimensions;
    int32_t stride = 1;
    const auto add = [&](int32_t extent) {
      dimensions[bound.dimensions++] = {0, extent, stride, 0};
      stride *= extent;
    };
    if (buffer.images) add(buffer.images);
    for (int k = 0; k < buffer.rank - buffer.has_batch; ++k) add(buffer.axes[k].extent);
    if (buffer.has_batch) add(0);
  }
}

void bind_rows(convoke_context* context, void** arguments) {
  for (int r = 0; r < convoke_plan.row_count; ++r) {
    const Row& row = convoke_plan.rows[r];
    context->row_arguments[r] = arguments;
    *arguments++ = &context->user_context;
    for (int b = 0; b < row.buffer_count; ++b) *arguments++ = &context->buffers[row.buffers[b]];
  }
  int row = 0;
  for (int program = 0; program <= CONVOKE_UPDATE + 1; ++program) {
    while (row < convoke_plan.row_count && convoke_plan.rows[row].program < program) ++row;
    context->program_begin[program] = row;
  }
}

void bind_workers(convoke_context* context, const ContextLayout& layout, uint8_t* base) {
  for (int32_t i = 0; i < context->threads; ++i) {
    Worker& worker = context->workers[i];
    worker.context = context;
    worker.slab = base + layout.slabs + static_cast<uint64_t>(i) * layout.slab_bytes;
    worker.slab_bytes = layout.slab_bytes;
    worker.last_block = kNoBlock;
    worker.index = i;
  }
  context->user_context = context->workers;
}

void bind(convoke_context* context, const ContextLayout& layout, uint8_t* base) {
  for (int a = 0; a < kArenaCount; ++a) {
    context->arenas[a] = a < kWeightsArenas ? context->weights->arenas[a] : base + layout.arenas[a];
  }
  context->workers = reinterpret_cast<Worker*>(base + layout.workers);
  context->buffers = reinterpret_cast<HalideBuffer*>(base + layout.buffers);
  context->row_arguments = reinterpret_cast<void***>(base + layout.row_arguments);
  context->row_ns = reinterpret_cast<uint64_t*>(base + layout.row_ns);
  context->row_calls = reinterpret_cast<uint64_t*>(base + layout.row_calls);
  bind_buffers(context, layout, reinterpret_cast<HalideDimension*>(base + layout.dimensions));
  bind_rows(context, reinterpret_cast<void**>(base + layout.arguments));
  bind_workers(context, layout, base);
}

}  // namespace

int32_t context_create(convoke_weights* weights, const convoke_context_options* options, convoke_context** context,
                       convoke_error* error) {
  if (!context) return Message(error, CONVOKE_INVALID_ARGUMENT) << "context_create: context is NULL";
  *context = nullptr;
  const convoke_context_options given = options ? *options : convoke_context_options{};
  if (int32_t code = check_cpu(error)) return code;
  if (int32_t code = check_options(weights, given, error)) return code;
  int32_t threads = max_of(given.threads, 1);
  if (given.pool) threads = min_of(threads, pool_threads(given.pool));
  const ContextLayout layout = context_layout(convoke_plan, given.training, threads);
  uint8_t* base = map_memory(layout.bytes);
  if (!base) {
    return Message(error, CONVOKE_OUT_OF_MEMORY)
           << "context_create: no memory for " << static_cast<int64_t>(layout.bytes) << " bytes";
  }
  convoke_context* made = reinterpret_cast<convoke_context*>(base);
  made->mapped_bytes = layout.bytes;
  made->weights = weights;
  made->pool = given.pool;
  made->parallel_for = given.parallel_for;
  made->host = given.host;
  made->threads = threads;
  made->training = given.training;
  made->input_layout = given.input_layout;
  made->loss_finite = 1;
  if (threads > 1 && !made->pool && !made->parallel_for) {
    if (int32_t code = pool_create(threads, &made->pool, error)) {
      unmap_memory(base, layout.bytes);
      return code;
    }
    made->owns_pool = 1;
  }
  bind(made, layout, base);
  *context = made;
  return succeed(error);
}

void context_destroy(convoke_context* context) {
  if (!context) return;
  if (context->owns_pool) pool_destroy(context->pool);
  unmap_memory(context, context->mapped_bytes);
}

void set_batch(convoke_context* context, int32_t n) {
  if (context->n == n) return;
  context->n = n;
  for (int i = 0; i < convoke_plan.buffer_count; ++i) {
    const Buffer& buffer = convoke_plan.buffers[i];
    HalideBuffer& bound = context->buffers[i];
    if (!buffer.has_batch) continue;
    bound.dim[bound.dimensions - 1].extent = buffer.images ? (n + buffer.images - 1) / buffer.images : n;
  }
}

void bind_samples(convoke_context* context, const Band& band, Samples samples) {
  for (int32_t r = band.first; r < band.end; ++r) {
    for (int32_t b = 0; b < convoke_plan.rows[r].buffer_count; ++b) {
      const int32_t id = convoke_plan.rows[r].buffers[b];
      const Buffer& buffer = convoke_plan.buffers[id];
      if (!buffer.has_batch) continue;
      HalideBuffer& bound = context->buffers[id];
      const bool whole = buffer.samples == convoke_plan.capacity;
      bound.host = context->arenas[buffer.arena] + buffer.offset +
                   (whole ? static_cast<uint64_t>(samples.first) * buffer.bytes : 0);
      bound.dim[buffer.rank - 1].extent = samples.count;
    }
  }
}

}  // namespace convoke::core
