// What generated kernels call instead of Halide's run time. Their user context is a Worker: halide_do_par_for gives
// each task its own, halide_malloc takes from that worker's slab.
#include <stddef.h>

#include "runtime/core/memory.h"
#include "runtime/core/pool.h"
#include "runtime/core/state.h"

using namespace convoke::core;

namespace {

// In front of each allocation. Blocks are freed mostly in reverse order; one freed early goes when all above it have.
struct alignas(64) Block {
  uint64_t previous;      // offset of the block below, kNoBlock: none
  uint64_t mapped_bytes;  // not in the slab but a mapping of its own; 0: in the slab
  bool freed;
};
static_assert(sizeof(Block) == 64);

struct Fork {
  HalideTask task;
  uint8_t* closure;
  Worker* workers;
  int min;
};

int run_task(void* argument, int worker, int index) {
  const Fork* fork = static_cast<const Fork*>(argument);
  return fork->task(&fork->workers[worker], fork->min + index, fork->closure);
}

int run_inline(void* user_context, HalideTask task, int min, int count, uint8_t* closure) {
  for (int i = 0; i < count; ++i) {
    if (int result = task(user_context, min + i, closure)) return result;
  }
  return 0;
}

// Kernels do not check for NULL, so a slab that is too small (a mistake of the compiler's) costs a mapping and is
// reported when the kernel has ended.
void* map_block(Worker* worker, uint64_t bytes) {
  worker->missing = bytes;
  uint8_t* memory = map_memory(bytes + sizeof(Block));
  if (!memory) return nullptr;
  *reinterpret_cast<Block*>(memory) = {kNoBlock, bytes + sizeof(Block), false};
  return memory + sizeof(Block);
}

}  // namespace

extern "C" {

int halide_do_par_for(void* user_context, HalideTask task, int min, int count, uint8_t* closure) {
  Worker* worker = static_cast<Worker*>(user_context);
  if (count < 1) return 0;
  // Helpers' workers never fork (nested loops run inline), so only the caller reads may_fork.
  if (worker->index != 0 || count == 1 || !worker->context->may_fork) {
    return run_inline(user_context, task, min, count, closure);
  }
  convoke_context* context = worker->context;
  context->may_fork = 0;
  Fork fork{task, closure, context->workers, min};
  int result = 0;
  if (context->parallel_for) {
    result = host_run(context->parallel_for, context->host, context->threads, count, run_task, &fork);
  } else if (!pool_run(context->pool, context->threads, count, run_task, &fork, &result)) {
    result = run_inline(user_context, task, min, count, closure);
  }
  context->may_fork = 1;
  return result;
}

void* halide_malloc(void* user_context, size_t bytes) {
  Worker* worker = static_cast<Worker*>(user_context);
  const uint64_t needed = round_up(bytes, 64) + sizeof(Block);
  if (needed > worker->slab_bytes - worker->top) return map_block(worker, bytes);
  uint8_t* memory = worker->slab + worker->top;
  *reinterpret_cast<Block*>(memory) = {worker->last_block, 0, false};
  worker->last_block = worker->top;
  worker->top += needed;
  return memory + sizeof(Block);
}

void halide_free(void* user_context, void* pointer) {
  if (!pointer) return;
  Worker* worker = static_cast<Worker*>(user_context);
  Block* block = reinterpret_cast<Block*>(static_cast<uint8_t*>(pointer) - sizeof(Block));
  if (block->mapped_bytes) return unmap_memory(block, block->mapped_bytes);
  block->freed = true;
  while (worker->last_block != kNoBlock) {
    const Block* last = reinterpret_cast<const Block*>(worker->slab + worker->last_block);
    if (!last->freed) return;
    worker->top = worker->last_block;
    worker->last_block = last->previous;
  }
}

// The first message of a row is kept; helpers' are dropped, since their kernel's code says as much.
void halide_error(void* user_context, const char* message) {
  Worker* worker = static_cast<Worker*>(user_context);
  if (worker->index != 0 || worker->context->kernel_message[0]) return;
  char* to = worker->context->kernel_message;
  const char* end = to + sizeof worker->context->kernel_message - 1;
  while (to < end && *message) *to++ = *message++;
  *to = 0;
}

int halide_error_out_of_memory(void*) { return -11; }
int halide_error_specialize_fail(void* user_context, const char* message) {
  halide_error(user_context, message);
  return -27;
}

}  // extern "C"
