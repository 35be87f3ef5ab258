// Between a caller's dense arrays and the storage of a plan's buffer: axes permuted, regrouped and blocked as the plan
// says.
#pragma once

#include "runtime/core/plan.h"

namespace convoke::core {

// Elements from one index of a view dimension to the next in the caller's array.
struct Strides {
  int64_t of[kMaxRank];
};
Strides row_major(const Buffer& buffer);
Strides channels_first(const Buffer& buffer);  // of a view [h,w,c]; any other view: row_major

int64_t element_bytes(const Buffer& buffer);
int64_t logical_elems(const Buffer& buffer);  // of one sample with a batch, else of all
int64_t storage_elems(const Buffer& buffer);  // likewise, with padding

// One sample, or a tensor without a batch. to_storage writes zeros into the padding.
void to_storage(const Buffer& buffer, void* storage, const void* logical, const Strides& strides);
void from_storage(const Buffer& buffer, void* logical, const void* storage, const Strides& strides);
// Image `sample` of a buffer whose storage is given, or all of one without a batch: any dtype, row-major.
void from_storage_as_f32(const Buffer& buffer, float* logical, const void* storage, int64_t sample);

// A loop over an axis of the storage: one step in the coordinate, and from element to element of either side.
struct StorageLoop {
  int32_t extent = 1, dim = 0, multiplier = 0;
  int64_t storage = 0, logical = 0;
};

// Storage as panels of its two innermost axes, the second in parts of a cache line, and the loops over panels, the
// caller's smallest steps innermost: in a linear weight by blocks of outputs each element of a block lies in a line of
// the caller's of its own, of which the next panels read the rest.
struct StorageLoops {
  static constexpr int32_t kPart = 16;
  StorageLoop inner, next;
  int rank = 0;
  StorageLoop panels[kMaxRank] = {};
  int parts = 0;  // which of `panels` counts parts of `next`
};
StorageLoops storage_loops(const Buffer& buffer, const Strides& strides);

// How many of the loop's elements from this coordinate on are no padding.
int32_t elements_inside(const Buffer& buffer, const int32_t (&coordinate)[kMaxRank], const StorageLoop& loop);

// Calls visit(storage index, logical index) for every element of the storage; logical index -1: padding.
template <class Visit>
void visit_elements(const Buffer& buffer, const Strides& strides, Visit visit) {
  constexpr int32_t kPart = StorageLoops::kPart;
  const StorageLoops loops = storage_loops(buffer, strides);
  const StorageLoop inner = loops.inner, next = loops.next;
  int32_t index[kMaxRank] = {}, coordinate[kMaxRank] = {};
  int64_t storage = 0, logical = 0;
  for (;;) {
    const int32_t left = next.extent - index[loops.parts] * kPart, count = left < kPart ? left : kPart;
    int32_t inside[kPart], least = inner.extent;
    for (int32_t j = 0; j < count; ++j) {
      inside[j] = elements_inside(buffer, coordinate, inner);
      if (inside[j] < least) least = inside[j];
      coordinate[next.dim] += next.multiplier;
    }
    coordinate[next.dim] -= count * next.multiplier;
    for (int32_t i = 0; i < least; ++i) {
      for (int32_t j = 0; j < count; ++j) {
        visit(storage + i + j * next.storage, logical + i * inner.logical + j * next.logical);
      }
    }
    for (int32_t i = least; i < inner.extent; ++i) {
      for (int32_t j = 0; j < count; ++j) {
        const int64_t l = logical + i * inner.logical + j * next.logical;
        visit(storage + i + j * next.storage, i < inside[j] ? l : int64_t{-1});
      }
    }
    int k = 0;
    for (; k < loops.rank; ++k) {
      const StorageLoop& loop = loops.panels[k];
      const int32_t steps = ++index[k] < loop.extent ? 1 : 1 - loop.extent;
      coordinate[loop.dim] += steps * loop.multiplier;
      storage += steps * loop.storage;
      logical += steps * loop.logical;
      if (steps == 1) break;
      index[k] = 0;
    }
    if (k == loops.rank) return;
  }
}

}  // namespace convoke::core
