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

// Storage is the caller's row-major array itself.
bool is_row_major(const Buffer& buffer);

// One sample, or a tensor without a batch. to_storage writes zeros into the padding.
void to_storage(const Buffer& buffer, void* storage, const void* logical, const Strides& strides);
void from_storage(const Buffer& buffer, void* logical, const void* storage, const Strides& strides);
// Image `sample` of a buffer whose storage is given, or all of one without a batch: any dtype, row-major.
void from_storage_as_f32(const Buffer& buffer, float* logical, const void* storage, int64_t sample);

// Calls visit(storage index, logical index) for every element of the storage in order; logical index -1: padding.
template <class Visit>
void visit_elements(const Buffer& buffer, const Strides& strides, Visit visit) {
  const int rank = buffer.rank - buffer.has_batch;
  if (rank == 0) return visit(int64_t{0}, int64_t{0});
  const StorageAxis& inner = buffer.axes[0];
  const int64_t inner_step = inner.multiplier * strides.of[inner.dim];
  int32_t index[kMaxRank] = {}, coordinate[kMaxRank] = {};
  int64_t storage = 0, logical = 0;
  for (;;) {
    int64_t valid = (buffer.view[inner.dim] - coordinate[inner.dim] + inner.multiplier - 1) / inner.multiplier;
    for (int d = 0; d < buffer.view_rank; ++d) {
      if (coordinate[d] >= buffer.view[d]) valid = 0;
    }
    if (valid > inner.extent) valid = inner.extent;
    for (int64_t i = 0; i < valid; ++i) visit(storage + i, logical + i * inner_step);
    for (int64_t i = valid; i < inner.extent; ++i) visit(storage + i, int64_t{-1});
    storage += inner.extent;
    int k = 1;
    for (; k < rank; ++k) {
      const StorageAxis& axis = buffer.axes[k];
      coordinate[axis.dim] += axis.multiplier;
      logical += axis.multiplier * strides.of[axis.dim];
      if (++index[k] < axis.extent) break;
      index[k] = 0;
      coordinate[axis.dim] -= axis.multiplier * axis.extent;
      logical -= axis.multiplier * strides.of[axis.dim] * axis.extent;
    }
    if (k == rank) return;
  }
}

}  // namespace convoke::core
