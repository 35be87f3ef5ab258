#include "compiler/kernels/layout.h"

#include <charconv>

#include "runtime/base/check.h"
#include "runtime/base/checked.h"

namespace convoke {
namespace {

constexpr int64_t kMaxDims = 16;  // of a view
constexpr std::string_view kTransformed = "winograd", kStride = "stride", kRotated = "rotated", kImages = "images";

std::string join(const std::vector<std::string>& parts, char separator) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : std::string(1, separator)) + part;
  return text;
}

std::string to_string(const LayoutAxis& axis) {
  std::string text = std::to_string(axis.dim);
  if (axis.part != LayoutAxis::kWhole)
    text += (axis.part == LayoutAxis::kOuter ? "/" : "%") + std::to_string(axis.block);
  return text;
}

bool read_number(std::string_view& text, int64_t& value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value < 0) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool accept(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

bool read_axis(std::string_view& text, LayoutAxis& axis) {
  int64_t dim = 0;
  if (!read_number(text, dim) || dim >= kMaxDims) return false;
  axis.dim = static_cast<int>(dim);
  if (accept(text, '/')) {
    axis.part = LayoutAxis::kOuter;
  } else if (accept(text, '%')) {
    axis.part = LayoutAxis::kInner;
  } else {
    return true;
  }
  return read_number(text, axis.block) && axis.block > 0;
}

// "winograd4:", "winograd2x4:", "winograd4stride2:" or "winograd4rotated:", perhaps.
bool read_transform(std::string_view& text, KernelTransform& transform) {
  if (!text.starts_with(kTransformed)) return true;
  text.remove_prefix(kTransformed.size());
  if (!read_number(text, transform.tile_y) || transform.tile_y == 0) return false;
  transform.tile_x = transform.tile_y;
  if (accept(text, 'x') && (!read_number(text, transform.tile_x) || transform.tile_x == transform.tile_y)) return false;
  if (text.starts_with(kStride)) {
    text.remove_prefix(kStride.size());
    if (!read_number(text, transform.stride) || transform.stride < 2) return false;
  }
  transform.rotated = text.starts_with(kRotated);
  if (transform.rotated) text.remove_prefix(kRotated.size());
  return accept(text, ':');
}

std::string to_string(const KernelTransform& transform) {
  if (transform.tile_y == 0) return "";
  return std::string(kTransformed) + std::to_string(transform.tile_y) +
         (transform.tile_x == transform.tile_y ? "" : "x" + std::to_string(transform.tile_x)) +
         (transform.stride == 1 ? "" : std::string(kStride) + std::to_string(transform.stride)) +
         (transform.rotated ? std::string(kRotated) : "") + ":";
}

// There are transforms to 3 points and up to 9, of each of a stride's phases.
Status check_transform(const Type& type, const Layout& layout) {
  const KernelTransform& transform = layout.transform;
  const auto fits = [&](int64_t kernel, int64_t tile) {
    const int64_t stride = transform.stride;
    const int64_t most_taps = (kernel + stride - 1) / stride;
    return kernel > stride && tile > 1 && tile + most_taps - 1 <= 9;
  };
  if (type.has_batch() || type.rank() != 4 || !fits(type.dims[2], transform.tile_y) ||
      !fits(type.dims[3], transform.tile_x) || (!layout.view.empty() && layout.view != type.dims)) {
    return invalid_argument("there is no layout " + to_string(layout) + " of " + to_string(type));
  }
  return ok_status();
}

}  // namespace

std::string to_string(const Layout& layout) {
  if (layout.plain()) return "plain";
  if (layout.images > 0) return std::string(kImages) + std::to_string(layout.images);
  std::vector<std::string> view, axes;
  for (int64_t dim : layout.view) view.push_back(std::to_string(dim));
  for (const LayoutAxis& axis : layout.axes) axes.push_back(to_string(axis));
  return to_string(layout.transform) + (view.empty() ? "" : "(" + join(view, ',') + ")") + join(axes, '.');
}

Result<Layout> parse_layout(std::string_view text) {
  Layout layout;
  if (text == "plain") return layout;
  const Status malformed = invalid_argument("\"" + std::string(text) + "\" is no layout");
  if (text.starts_with(kImages)) {
    text.remove_prefix(kImages.size());
    if (!read_number(text, layout.images) || layout.images == 0 || !text.empty()) return malformed;
    return layout;
  }
  if (!read_transform(text, layout.transform)) return malformed;
  if (accept(text, '(')) {
    do {
      int64_t dim = 0;
      if (!read_number(text, dim) || dim == 0) return malformed;
      layout.view.push_back(dim);
    } while (accept(text, ','));
    if (!accept(text, ')')) return malformed;
  }
  do {
    LayoutAxis axis{};
    if (!read_axis(text, axis)) return malformed;
    layout.axes.push_back(axis);
  } while (accept(text, '.'));
  if (!text.empty()) return malformed;
  return layout;
}

std::vector<int64_t> view_dims(const Type& type, const Layout& layout) {
  std::vector<int64_t> dims = layout.view;
  if (dims.empty()) dims.assign(type.dims.begin() + (type.has_batch() ? 1 : 0), type.dims.end());
  if (layout.transformed()) {
    dims[2] += layout.transform.stride * (layout.transform.tile_y - 1);
    dims[3] += layout.transform.stride * (layout.transform.tile_x - 1);
  }
  return dims;
}

Status check_layout(const Type& type, const Layout& layout) {
  if (layout.plain()) return ok_status();
  if (layout.images > 0) {
    const bool fits = type.has_batch() && checked_mul(layout.images, type.elems());
    return fits ? ok_status() : invalid_argument("there is no layout " + to_string(layout) + " of " + to_string(type));
  }
  if (layout.transformed()) RETURN_IF_ERROR(check_transform(type, layout));
  const std::string where = "layout " + to_string(layout) + " of " + to_string(type) + ": ";
  const std::vector<int64_t> view = view_dims(type, layout);
  const std::optional<int64_t> elems = checked_product(view);
  if (!elems) return invalid_argument(where + "is too large");
  if (!layout.transformed() && *elems != type.elems()) {
    return invalid_argument(where + "its view has " + std::to_string(*elems) + " elements, expected " +
                            std::to_string(type.elems()));
  }
  std::vector<std::vector<LayoutAxis>> axes(view.size());
  std::optional<int64_t> stored = 1;
  for (const LayoutAxis& axis : layout.axes) {
    if (axis.dim >= static_cast<int>(view.size())) {
      return invalid_argument(where + "there is no dimension " + std::to_string(axis.dim));
    }
    axes[axis.dim].push_back(axis);
    if (axis.part == LayoutAxis::kInner) stored = stored ? checked_mul(*stored, axis.block) : stored;
  }
  for (size_t dim = 0; dim < view.size(); ++dim) {
    const std::vector<LayoutAxis>& parts = axes[dim];
    const bool whole = parts.size() == 1 && parts[0].part == LayoutAxis::kWhole;
    const bool split = parts.size() == 2 && parts[0].block == parts[1].block && parts[0].part != parts[1].part &&
                       parts[0].part != LayoutAxis::kWhole && parts[1].part != LayoutAxis::kWhole;
    if (!whole && !split) return invalid_argument(where + "dimension " + std::to_string(dim) + " is not covered once");
  }
  // Padding adds less than a block in each dimension.
  if (!stored || !checked_mul(*stored, *elems)) return invalid_argument(where + "is too large");
  return ok_status();
}

std::vector<int64_t> storage_dims(const Type& type, const Layout& layout) {
  const std::vector<int64_t> view = view_dims(type, layout);
  std::vector<int64_t> dims;
  if (type.has_batch()) dims.push_back(kBatch);
  if (layout.axes.empty()) dims.insert(dims.end(), view.begin(), view.end());
  if (layout.images > 0) dims.push_back(layout.images);
  for (const LayoutAxis& axis : layout.axes) {
    ENSURE(axis.dim < static_cast<int>(view.size())) << to_string(layout) << " of " << to_string(type);
    const int64_t extent = view[axis.dim];
    if (axis.part == LayoutAxis::kWhole) dims.push_back(extent);
    if (axis.part == LayoutAxis::kOuter) dims.push_back((extent + axis.block - 1) / axis.block);
    if (axis.part == LayoutAxis::kInner) dims.push_back(axis.block);
  }
  return dims;
}

int64_t storage_elems(const Type& type, const Layout& layout) {
  int64_t count = 1;
  for (int64_t dim : storage_dims(type, layout)) count *= dim == kBatch ? 1 : dim;
  return layout.images > 0 ? count / layout.images : count;
}

Layout untransformed(const Layout& layout) {
  return layout.transformed() ? packed_weights(layout.view, layout.axes.back().block) : layout;
}

Layout packed_weights(std::vector<int64_t> view, int64_t block) {
  ENSURE(view.size() == 4) << "OIHW expected";
  using enum LayoutAxis::Part;
  return {std::move(view), {{0, kOuter, block}, {2}, {3}, {1}, {0, kInner, block}}};
}

}  // namespace convoke
