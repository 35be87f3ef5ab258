// Layouts by definition (storage.h).
#include "tests/templates/storage.h"

#include <algorithm>

namespace convoke {
namespace {

std::vector<int64_t> storage_extents(const Type& type, const Layout& layout, int64_t batch) {
  std::vector<int64_t> dims = storage_dims(type, layout);
  const int64_t images = std::max<int64_t>(layout.images, 1);
  for (int64_t& dim : dims) {
    if (dim == kBatch) dim = (batch + images - 1) / images;
  }
  return dims;
}

// Where element `index` of one sample lies within the sample in memory.
int64_t place(const Type& type, const Layout& layout, int64_t index) {
  if (layout.axes.empty()) return index;
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

// Where element `index` of all images lies in memory: images of a block take turns.
size_t place_in_batch(const Type& type, const Layout& layout, int64_t index) {
  const int64_t elems = type.elems(), image = index / elems, images = std::max<int64_t>(layout.images, 1);
  const int64_t first = image / images * images * storage_elems(type, layout) + image % images;
  return static_cast<size_t>(first + place(type, layout, index % elems) * images);
}

// The points of F(m, r) by their number, least 3, without ∞.
const std::vector<double> kPoints[] = {
    {0.6875, -0.6875},
    {0, 1, -1},
    {0.40625, -0.40625, 1.25, -1.25},
    {0, 0.6875, -0.6875, 1.5, -1.5},
    {0.3125, -0.3125, 0.875, -0.875, 1.625, -1.625},
    {0, 0.5, -0.5, 1, -1, 2, -2},
    {0.25, -0.25, 0.6875, -0.6875, 1.125, -1.125, 2, -2},
};

// G of F(m, r): row j is 1, a_j, … a_j^{r−1} over N_j = Π_{l≠j} (a_j − a_l) of the finite points, the last row the
// coefficient of the highest power.
std::vector<std::vector<double>> phase_transform(int64_t outputs, int64_t taps) {
  if (taps == 1) return std::vector<std::vector<double>>(static_cast<size_t>(outputs), {1});
  const std::vector<double>& finite = kPoints[outputs + taps - 4];
  std::vector<std::vector<double>> rows;
  for (double a : finite) {
    double power = 1;
    for (double other : finite) power /= other == a ? 1 : a - other;
    std::vector<double>& row = rows.emplace_back();
    for (int64_t k = 0; k < taps; ++k, power *= a) row.push_back(power);
  }
  rows.emplace_back(static_cast<size_t>(taps)).back() = 1;
  return rows;
}

// Of a stride: the phases one after the other, each of every stride-th tap.
std::vector<std::vector<double>> kernel_transform(int64_t tile, int64_t stride, int64_t taps) {
  std::vector<std::vector<double>> rows;
  for (int64_t p = 0; p < stride; ++p) {
    for (const std::vector<double>& of_phase : phase_transform(tile, (taps - p + stride - 1) / stride)) {
      std::vector<double>& row = rows.emplace_back(static_cast<size_t>(taps));
      for (size_t k = 0; k < of_phase.size(); ++k)
        row[static_cast<size_t>(p) + k * static_cast<size_t>(stride)] = of_phase[k];
    }
  }
  return rows;
}

// G w Gᵀ of each kernel of an OIHW weight, of type `transformed`.
Tensor transform_kernels(const Tensor& weight, const Type& transformed, const KernelTransform& transform) {
  Tensor result(transformed.dims);
  const int64_t points_y = result.dim(2), points_x = result.dim(3), taps_y = weight.dim(2), taps_x = weight.dim(3);
  const auto gy = kernel_transform(transform.tile_y, transform.stride, taps_y),
             gx = kernel_transform(transform.tile_x, transform.stride, taps_x);
  for (int64_t i = 0; i < result.elems(); ++i) {
    const int64_t x = i % points_x, y = i / points_x % points_y, kernel = i / (points_x * points_y);
    double sum = 0;
    for (int64_t tap = 0; tap < taps_x * taps_y; ++tap) {
      const int64_t from = transform.rotated ? taps_x * taps_y - 1 - tap : tap;
      sum += gy[static_cast<size_t>(y)][static_cast<size_t>(tap / taps_x)] *
             gx[static_cast<size_t>(x)][static_cast<size_t>(tap % taps_x)] *
             weight.data[static_cast<size_t>(kernel * taps_x * taps_y + from)];
    }
    result.data[static_cast<size_t>(i)] = sum;
  }
  return result;
}

}  // namespace

Tensor to_storage(const Type& type, const Layout& layout, const Tensor& logical) {
  if (layout.transformed()) {
    const Type transformed = f32(view_dims(type, layout));
    return to_storage(transformed, {.view = {}, .axes = layout.axes},
                      transform_kernels(logical, transformed, layout.transform));
  }
  const int64_t batch = type.has_batch() ? logical.dim(0) : 1, elems = type.elems();
  Tensor storage(storage_extents(type, layout, batch));
  for (int64_t i = 0; i < batch * elems; ++i) {
    storage.data[place_in_batch(type, layout, i)] = logical.data[static_cast<size_t>(i)];
  }
  return storage;
}

FromStorage from_storage(const Type& type, const Layout& layout, const Tensor& storage, int64_t batch) {
  std::vector<int64_t> dims = type.dims;
  if (type.has_batch()) dims[0] = batch;
  FromStorage result{.logical = Tensor(dims)};
  std::vector<bool> padding(storage.data.size(), true);
  for (int64_t i = 0; i < (type.has_batch() ? batch : 1) * type.elems(); ++i) {
    const size_t at = place_in_batch(type, layout, i);
    result.logical.data[static_cast<size_t>(i)] = storage.data[at];
    padding[at] = false;
  }
  for (size_t i = 0; i < padding.size(); ++i) result.padding_is_zero &= !padding[i] || storage.data[i] == 0;
  return result;
}

}  // namespace convoke
