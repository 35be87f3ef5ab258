// The plan as data: what the compiler emits into a library (codegen/ writes these structs through LLVM, in this field
// order) and what the executor walks. Plain structs of fixed-width fields and pointers; nothing here may need a
// constructor.
#pragma once

#include <stdint.h>

#include "runtime/core/convoke.h"

namespace convoke::core {

constexpr int kMaxRank = 6;

inline constexpr const char* kProgramNames[] = {"prepare", "infer", "forward", "loss", "backward", "update"};

// parameters, state, prepared: in the weights object. The rest: in the context (gradients and moments only when
// training).
enum Arena : uint8_t {
  kParameters,
  kState,
  kPrepared,
  kGradients,
  kMoment0,
  kMoment1,
  kActivations,
  kScalars,
  kArenaCount
};

// The run-time scalars, f32 slots of the kScalars arena (offset = 4 * slot). kRandom is an integer below 2^24.
enum Scalar : int { kLearningRate, kStep, kLossScale, kAccumulate, kGradientScale, kRandom, kScalarCount };

// How a logical tensor lies in memory. Storage index (innermost first) i_0, i_1, …: logical coordinate d is the sum of
// i_k * multiplier_k over the axes with dim_k == d; a coordinate beyond the dimension is padding and holds zero.
struct StorageAxis {
  int32_t extent;
  int32_t dim;         // of the logical view
  int32_t multiplier;  // logical steps of one storage step
};

struct Buffer {
  const char* name;
  uint64_t offset;  // bytes into the arena
  uint64_t bytes;   // of one sample with a batch, else of all
  uint8_t arena, dtype;
  uint8_t rank;  // storage axes; with a batch the last axis is it (extent 0 here)
  uint8_t has_batch;
  uint8_t view_rank;  // logical dims (regrouped), without the batch
  int32_t view[kMaxRank];
  StorageAxis axes[kMaxRank];  // innermost first, without the batch
  int32_t samples;             // with a batch: room for so many, the capacity or those of the band that it lives in
  // The images of a block lie side by side, innermost, and the last axis counts blocks; 0: one image after the other.
  // Of values between kernels only, in a plan whose capacity is whole blocks.
  uint8_t images;
};

// Halide's AOT entry with an argument vector: pointers to halide_buffer_t, the first points to the user context
// pointer.
typedef int (*KernelFunction)(void** arguments);

struct Row {
  KernelFunction kernel;
  const int32_t* buffers;  // indices into LibraryPlan::buffers: inputs, then outputs
  int32_t buffer_count;
  int32_t program;        // convoke_program
  int64_t ns_per_sample;  // estimated work; below kInlineNs for this n the tasks run on the caller
  int64_t ns_per_call;
  uint8_t memory_space, stream;  // 0: the host
};
constexpr int64_t kInlineNs = 30000;
constexpr int64_t kInlineBehindForkNs = 1000;  // where the row before was shared out

// Rows [first, end) run for so many samples at a time: what they hand on stays in the cache.
struct Band {
  int32_t first, end, samples;
};

// A name that no buffer has because its kernel keeps it in registers.
struct FusedName {
  const char* name;
  int32_t row;
};

struct LibraryPlan {
  const Buffer* buffers;
  const Row* rows;    // sorted by program, in execution order
  const Band* bands;  // in order
  const FusedName* fused_names;
  int32_t buffer_count, row_count, band_count, fused_name_count;
  uint64_t arena_bytes[kArenaCount];  // activations for capacity samples
  uint64_t inference_activation_bytes;
  uint64_t scratch_bytes;  // a worker's slab
  int32_t capacity;
  const int32_t *infer_inputs, *infer_outputs;  // buffers, as in the model's inputs and outputs
  const int32_t *train_inputs, *train_outputs;
  const int32_t* output_gradients;                       // what backward starts from; -1: it has no use for this one
  int32_t labels, loss, accuracy, gradient_sum_squares;  // buffers, -1 without training
  const int32_t *parameters, *gradients, *moments, *states;  // buffers; moments: moment-major [moment][parameter]
  const char* const* cpu_features;                           // needed; names as in cpu.cc, NULL at the end
  // 32 characters of a hash over all that decides what lies in a weights object: where they are equal, one plan's
  // weights are the other's.
  const char* weights_id;
};

}  // namespace convoke::core

// Emitted by the compiler beside the core, hidden in the library.
extern "C" const convoke::core::LibraryPlan convoke_plan;
extern "C" const convoke_model convoke_model_data;
// Defined by the core; <model>_library() returns its address.
extern "C" const convoke_library convoke_core_library;
