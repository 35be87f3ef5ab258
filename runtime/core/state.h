// The core's objects: weights, context, and the worker that generated kernels get as their user context.
#pragma once

#include "runtime/core/context_layout.h"
#include "runtime/core/convoke.h"
#include "runtime/core/halide_abi.h"
#include "runtime/core/plan.h"

namespace convoke::core {

// One thread's share of a context. Its slab is a stack of blocks (halide_runtime.cc).
struct alignas(128) Worker {
  convoke_context* context;
  uint8_t* slab;
  uint64_t slab_bytes;
  uint64_t top;         // bytes in use
  uint64_t last_block;  // offset of the topmost block, kNoBlock: none
  uint64_t missing;     // what an allocation lacked; 0: none did
  int32_t index;
};
static_assert(sizeof(Worker) == kWorkerBytes);
constexpr uint64_t kNoBlock = ~uint64_t{0};

struct Capture {
  const char* name;  // the plan's; NULL: free
  int32_t row, buffer;
  float* data;
  int64_t elems;
};

}  // namespace convoke::core

struct convoke_weights {
  uint64_t mapped_bytes;
  uint8_t* arenas[convoke::core::kWeightsArenas];
  uint32_t lock;     // held while a context prepares
  uint32_t stale;    // 1: prepared forms are older than the parameters
  uint64_t version;  // of the parameters: what a backward needs unchanged since its forward
};
static_assert(sizeof(convoke_weights) <= convoke::core::kWeightsHeaderBytes);

struct convoke_context {
  uint64_t mapped_bytes;
  convoke_weights* weights;
  void* user_context;  // kernels' first argument points here: worker 0

  // Who works
  convoke_pool* pool;
  convoke_parallel_for parallel_for;
  void* host;
  int32_t owns_pool, threads;
  int32_t may_fork;   // while a row of enough work runs, outside its tasks
  int32_t is_spread;  // the row before was shared out
  convoke::core::Worker* workers;

  // The plan, bound to memory
  uint8_t* arenas[convoke::core::kArenaCount];
  convoke::core::HalideBuffer* buffers;
  void*** row_arguments;
  int32_t program_begin[CONVOKE_UPDATE + 2];
  int32_t training, input_layout;
  int32_t n;  // that batch extents are set to

  // Training
  uint64_t training_passes;  // forward passes so far
  int32_t forward_n;         // a backward may follow; 0: none
  uint64_t forward_version;  // of the weights then
  int32_t loss_finite;       // 0: some loss since gradients started from zero was not
  float loss;                // that one

  // Observation
  int32_t profiling;
  uint64_t *row_ns, *row_calls;
  convoke::core::Capture captures[convoke::core::kMaxCaptures];
  char kernel_message[160];  // by halide_error; empty: none
};
static_assert(sizeof(convoke_context) <= convoke::core::kContextHeaderBytes);
