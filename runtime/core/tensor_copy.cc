// Copies between dense arrays and storage; see tensor_copy.h.
#include "runtime/core/tensor_copy.h"

#include "runtime/core/libc.h"

namespace convoke::core {
namespace {

// Storage without padding, innermost axis first: strides are the caller's, axes that follow each other there are one.
struct Axes {
  int rank = 0;
  int64_t extent[kMaxRank] = {}, stride[kMaxRank] = {};
};

Axes dense_axes(const Buffer& buffer, const Strides& strides) {
  Axes axes;
  for (int k = 0; k < buffer.rank - buffer.has_batch; ++k) {
    const StorageAxis& axis = buffer.axes[k];
    const int64_t stride = axis.multiplier * strides.of[axis.dim];
    const int last = axes.rank - 1;
    if (axis.extent == 1) continue;
    if (last >= 0 && stride == axes.extent[last] * axes.stride[last]) {
      axes.extent[last] *= axis.extent;
    } else {
      axes.extent[axes.rank] = axis.extent;
      axes.stride[axes.rank++] = stride;
    }
  }
  return axes;
}

bool has_padding(const Buffer& buffer) { return storage_elems(buffer) != logical_elems(buffer); }

// Storage is the caller's array itself.
bool is_plain(const Axes& axes) { return axes.rank == 0 || (axes.rank == 1 && axes.stride[0] == 1); }

// Storage holds the pixels of planes interleaved, as NHWC does those of NCHW.
bool is_interleaved(const Axes& axes) { return axes.rank == 2 && axes.stride[1] == 1; }

template <class T>
void interleave(T* storage, const uint8_t* planes, const Axes& axes) {
  const int64_t channels = axes.extent[0];
  for (int64_t c = 0; c < channels; ++c) {
    const uint8_t* plane = planes + c * axes.stride[0] * static_cast<int64_t>(sizeof(T));
    for (int64_t p = 0; p < axes.extent[1]; ++p) {  // the caller's data may be misaligned
      __builtin_memcpy(&storage[p * channels + c], plane + p * static_cast<int64_t>(sizeof(T)), sizeof(T));
    }
  }
}

template <class T>
void spread(const Buffer& buffer, T* storage, const uint8_t* logical, const Strides& strides) {
  const Axes axes = dense_axes(buffer, strides);
  if (!has_padding(buffer) && is_interleaved(axes)) return interleave(storage, logical, axes);
  visit_elements(buffer, strides, [=](int64_t s, int64_t l) {
    T value = 0;  // the caller's data may be misaligned
    if (l >= 0) __builtin_memcpy(&value, logical + l * static_cast<int64_t>(sizeof(T)), sizeof(T));
    storage[s] = value;
  });
}

template <class T>
void gather(const Buffer& buffer, uint8_t* logical, const T* storage, const Strides& strides) {
  visit_elements(buffer, strides, [=](int64_t s, int64_t l) {
    if (l >= 0) __builtin_memcpy(logical + l * static_cast<int64_t>(sizeof(T)), &storage[s], sizeof(T));
  });
}

}  // namespace

Strides row_major(const Buffer& buffer) {
  Strides strides = {};
  int64_t stride = 1;
  for (int d = buffer.view_rank - 1; d >= 0; --d) {
    strides.of[d] = stride;
    stride *= buffer.view[d];
  }
  return strides;
}

Strides channels_first(const Buffer& buffer) {
  if (buffer.view_rank != 3) return row_major(buffer);
  return {{buffer.view[1], 1, int64_t{buffer.view[0]} * buffer.view[1]}};
}

int64_t element_bytes(const Buffer& buffer) { return buffer.dtype == CONVOKE_U8 ? 1 : 4; }

int64_t logical_elems(const Buffer& buffer) {
  int64_t elems = 1;
  for (int d = 0; d < buffer.view_rank; ++d) elems *= buffer.view[d];
  return elems;
}

int64_t storage_elems(const Buffer& buffer) {
  int64_t elems = 1;
  for (int k = 0; k < buffer.rank - buffer.has_batch; ++k) elems *= buffer.axes[k].extent;
  return elems;
}

StorageLoops storage_loops(const Buffer& buffer, const Strides& strides) {
  StorageLoops loops;
  int64_t step = 1;
  const auto add = [&](const StorageLoop& loop) {
    int at = loops.rank++;
    for (; at > 0 && loop.logical < loops.panels[at - 1].logical; --at) loops.panels[at] = loops.panels[at - 1];
    loops.panels[at] = loop;
    return at;
  };
  for (int k = 0; k < buffer.rank - buffer.has_batch; ++k) {
    const StorageAxis& axis = buffer.axes[k];
    const StorageLoop loop = {axis.extent, axis.dim, axis.multiplier, step, axis.multiplier * strides.of[axis.dim]};
    step *= axis.extent;
    if (k == 0) loops.inner = loop;
    if (k == 1) loops.next = loop;
    if (k > 1) add(loop);
  }
  constexpr int32_t kPart = StorageLoops::kPart;
  const StorageLoop& next = loops.next;
  loops.parts = add({(next.extent + kPart - 1) / kPart, next.dim, kPart * next.multiplier, kPart * next.storage,
                     kPart * next.logical});
  return loops;
}

int32_t elements_inside(const Buffer& buffer, const int32_t (&coordinate)[kMaxRank], const StorageLoop& loop) {
  for (int d = 0; d < buffer.view_rank; ++d) {
    if (coordinate[d] >= buffer.view[d]) return 0;
  }
  if (loop.multiplier == 0) return loop.extent;
  const int32_t inside = (buffer.view[loop.dim] - coordinate[loop.dim] + loop.multiplier - 1) / loop.multiplier;
  return inside < loop.extent ? inside : loop.extent;
}

void to_storage(const Buffer& buffer, void* storage, const void* logical, const Strides& strides) {
  if (!has_padding(buffer) && is_plain(dense_axes(buffer, strides))) {
    memcpy(storage, logical, static_cast<size_t>(logical_elems(buffer) * element_bytes(buffer)));
  } else if (element_bytes(buffer) == 1) {
    spread(buffer, static_cast<uint8_t*>(storage), static_cast<const uint8_t*>(logical), strides);
  } else {
    spread(buffer, static_cast<uint32_t*>(storage), static_cast<const uint8_t*>(logical), strides);
  }
}

void from_storage(const Buffer& buffer, void* logical, const void* storage, const Strides& strides) {
  if (!has_padding(buffer) && is_plain(dense_axes(buffer, strides))) {
    memcpy(logical, storage, static_cast<size_t>(logical_elems(buffer) * element_bytes(buffer)));
  } else if (element_bytes(buffer) == 1) {
    gather(buffer, static_cast<uint8_t*>(logical), static_cast<const uint8_t*>(storage), strides);
  } else {
    gather(buffer, static_cast<uint8_t*>(logical), static_cast<const uint32_t*>(storage), strides);
  }
}

void from_storage_as_f32(const Buffer& buffer, float* logical, const void* storage, int64_t sample) {
  const int64_t step = buffer.images ? buffer.images : 1;
  const int64_t first = sample / step * step * storage_elems(buffer) + sample % step;
  visit_elements(buffer, row_major(buffer), [=, &buffer](int64_t element, int64_t l) {
    if (l < 0) return;
    const int64_t s = first + element * step;
    float value;
    if (buffer.dtype == CONVOKE_U8) {
      value = static_cast<const uint8_t*>(storage)[s];
    } else if (buffer.dtype == CONVOKE_I32) {
      value = static_cast<float>(static_cast<const int32_t*>(storage)[s]);
    } else {
      value = static_cast<const float*>(storage)[s];
    }
    __builtin_memcpy(logical + l, &value, sizeof value);
  });
}

}  // namespace convoke::core
