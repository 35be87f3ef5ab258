// Layouts by definition (storage.h).
#include "tests/templates/storage.h"

namespace convoke {
namespace {

std::vector<int64_t> storage_extents(const Type& type, const Layout& layout, int64_t batch) {
  std::vector<int64_t> dims = storage_dims(type, layout);
  for (int64_t& dim : dims) {
    if (dim == kBatch) dim = batch;
  }
  return dims;
}

// Where element `index` of one sample lies within the sample in memory.
int64_t place(const Type& type, const Layout& layout, int64_t index) {
  if (layout.plain()) return index;
  const std::vector<int64_t> view = view_dims(type, layout);
  std::vector<int64_t> at(view.size());
  for (size_t d = view.size(); d-- > 0;) {
    at[d] = index % view[d];
    index /= view[d];
  }
  int64_t offset = 0;
  for (const LayoutAxis& axis : layout.axes) {
    const int64_t i = at[static_cast<size_t>(axis.dim)], extent = view[static_cast<size_t>(axis.dim)];
    if (axis.part == LayoutAxis::kWhole) offset = offset * extent + i;
    if (axis.part == LayoutAxis::kOuter) offset = offset * ((extent + axis.block - 1) / axis.block) + i / axis.block;
    if (axis.part == LayoutAxis::kInner) offset = offset * axis.block + i % axis.block;
  }
  return offset;
}

}  // namespace

Tensor to_storage(const Type& type, const Layout& layout, const Tensor& logical) {
  const int64_t batch = type.has_batch() ? logical.dim(0) : 1, elems = type.elems();
  const int64_t stored = storage_elems(type, layout);
  Tensor storage(storage_extents(type, layout, batch));
  for (int64_t i = 0; i < batch * elems; ++i) {
    storage.data[static_cast<size_t>(i / elems * stored + place(type, layout, i % elems))] =
        logical.data[static_cast<size_t>(i)];
  }
  return storage;
}

FromStorage from_storage(const Type& type, const Layout& layout, const Tensor& storage) {
  const int64_t batch = type.has_batch() ? storage.dim(0) : 1, elems = type.elems();
  const int64_t stored = storage_elems(type, layout);
  std::vector<int64_t> dims = type.dims;
  if (type.has_batch()) dims[0] = batch;
  FromStorage result{.logical = Tensor(dims)};
  std::vector<bool> padding(storage.data.size(), true);
  for (int64_t i = 0; i < batch * elems; ++i) {
    const size_t at = static_cast<size_t>(i / elems * stored + place(type, layout, i % elems));
    result.logical.data[static_cast<size_t>(i)] = storage.data[at];
    padding[at] = false;
  }
  for (size_t i = 0; i < padding.size(); ++i) result.padding_is_zero &= !padding[i] || storage.data[i] == 0;
  return result;
}

}  // namespace convoke
