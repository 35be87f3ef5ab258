// Where everything lies inside the one mapping of a weights object or a context. The compiler includes this too: the
// sizes that the model's header states are computed by the same functions.
#pragma once

#include "runtime/core/halide_abi.h"
#include "runtime/core/plan.h"

namespace convoke::core {

constexpr int kWeightsArenas = 3;  // kParameters, kState, kPrepared
constexpr int kMaxCaptures = 16;
constexpr uint64_t kWeightsHeaderBytes = 4096;
constexpr uint64_t kContextHeaderBytes = 2048;
constexpr uint64_t kWorkerBytes = 128;
// A slab holds the plan's scratch and the headers and rounding of its blocks (halide_runtime.cc).
constexpr uint64_t kSlabSlackBytes = 16384;

constexpr uint64_t page_up(uint64_t bytes) { return (bytes + 4095) / 4096 * 4096; }

// Offsets in bytes.
struct WeightsLayout {
  uint64_t arenas[kWeightsArenas];
  uint64_t bytes;
};

inline WeightsLayout weights_layout(const LibraryPlan& plan) {
  WeightsLayout layout = {};
  uint64_t end = kWeightsHeaderBytes;
  for (int a = 0; a < kWeightsArenas; ++a) {
    layout.arenas[a] = end;
    end += page_up(plan.arena_bytes[a]);
  }
  layout.bytes = end;
  return layout;
}

// Offsets in bytes; a context that does not train has no gradients and moments and less room for activations.
struct ContextLayout {
  uint64_t workers, buffers, dimensions, arguments, row_arguments, row_ns, row_calls;
  uint64_t arenas[kArenaCount], arena_bytes[kArenaCount];
  uint64_t slabs, slab_bytes;
  uint64_t bytes;
};

inline ContextLayout context_layout(const LibraryPlan& plan, int training, int threads) {
  ContextLayout layout = {};
  uint64_t end = kContextHeaderBytes;
  auto place = [&end](uint64_t count, uint64_t bytes) {
    const uint64_t begin = (end + 63) / 64 * 64;
    end = begin + count * bytes;
    return begin;
  };
  uint64_t argument_count = 0;
  for (int r = 0; r < plan.row_count; ++r) argument_count += static_cast<uint64_t>(plan.rows[r].buffer_count) + 1;
  const uint64_t buffer_count = static_cast<uint64_t>(plan.buffer_count);
  const uint64_t row_count = static_cast<uint64_t>(plan.row_count);
  layout.workers = (end + 127) / 128 * 128;
  end = layout.workers + static_cast<uint64_t>(threads) * kWorkerBytes;
  layout.buffers = place(buffer_count, sizeof(HalideBuffer));
  layout.dimensions = place(buffer_count * kMaxRank, sizeof(HalideDimension));
  layout.arguments = place(argument_count, sizeof(void*));
  layout.row_arguments = place(row_count, sizeof(void*));
  layout.row_ns = place(row_count, sizeof(uint64_t));
  layout.row_calls = place(row_count, sizeof(uint64_t));
  end = page_up(end);
  for (int a = kWeightsArenas; a < kArenaCount; ++a) {
    uint64_t bytes = plan.arena_bytes[a];
    if (!training && a == kActivations) bytes = plan.inference_activation_bytes;
    if (!training && (a == kGradients || a == kMoment0 || a == kMoment1)) bytes = 0;
    layout.arenas[a] = end;
    layout.arena_bytes[a] = bytes;
    end += page_up(bytes);
  }
  layout.slabs = end;
  layout.slab_bytes = page_up(plan.scratch_bytes + kSlabSlackBytes);
  layout.bytes = end + static_cast<uint64_t>(threads) * layout.slab_bytes;
  return layout;
}

}  // namespace convoke::core
