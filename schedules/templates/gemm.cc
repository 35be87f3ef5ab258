// gemm: linear layers and their two gradients as tiles of registers over a packed weight (gemm.h).
#include "schedules/templates/gemm.h"

#include <optional>

namespace convoke {

using Halide::Expr, Halide::Func;

namespace gemm {

Features features_of(const Linear& linear, int64_t longest) {
  if (linear.is_image) {
    return {static_cast<int>(linear.in_c), static_cast<int>(linear.in_size.w), static_cast<int>(linear.in_size.h)};
  }
  const int64_t piece = largest_divisor(linear.in_c, longest);
  // Short pieces would cost more than the cache gives.
  if (piece < longest / 8) return {.c = static_cast<int>(linear.in_c)};
  return {.c = static_cast<int>(piece), .h = static_cast<int>(linear.in_c / piece)};
}

Expr Problem::input(const Func& f, const FeatureIndex& at, const Expr& n) const {
  if (linear.is_image) return f(at.c, at.x, at.y, n);
  return f(at.y * features.c + at.c, n);
}

Expr Problem::weight(const Expr& l, const Expr& b, const FeatureIndex& at) const {
  const Expr vector = at.y * features.c + at.c;
  if (argument >= 0) {
    const Halide::ImageParam& packed = body.params[static_cast<size_t>(argument)];
    return linear.is_image ? packed(l, at.c, at.x, at.y, b) : packed(l, vector, b);
  }
  const Expr feature = linear.is_image ? (at.c * features.h + at.y) * features.w + at.x : vector;
  return anchor_operand(body, 1)(feature, min(b * block + l, static_cast<int>(linear.out) - 1));
}

Layout packed_linear(const Linear& linear, int64_t block) {
  if (linear.is_image) return packed_weights({linear.out, linear.in_c, linear.in_size.h, linear.in_size.w}, block);
  using enum LayoutAxis::Part;
  return {{}, {{0, kOuter, block}, {1}, {0, kInner, block}}};
}

int packed_block(const Linear& linear, const Layout& layout) {
  if (layout.plain()) return 0;
  const int64_t block = layout.axes.back().block;
  return layout == packed_linear(linear, block) ? static_cast<int>(block) : 0;
}

}  // namespace gemm

namespace {

struct Layer {
  Linear linear;
  const gemm::Direction* direction;
};

std::optional<Layer> layer_of(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  if (const auto linear = as_linear(anchor_view(kernel))) return Layer{*linear, &gemm::forward};
  return std::nullopt;
}

bool applies(const Kernel& kernel, const TargetSpec&) {
  return layer_of(kernel).has_value() && has_one_output_shape(kernel);
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec& target) {
  const Layer layer = *layer_of(kernel);
  return layer.direction->knobs(layer.linear, target);
}

Knobs defaults(const Kernel& kernel, const TargetSpec& target) {
  const Layer layer = *layer_of(kernel);
  return layer.direction->defaults(layer.linear, target);
}

PreferredLayouts layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const Layer layer = *layer_of(kernel);
  PreferredLayouts layouts = plain_layouts(kernel, knobs, target);
  if (layer.direction != &gemm::forward) return layouts;
  const int weight = anchor_input(kernel, 1);
  if (weight < 0) return layouts;
  layouts.inputs[static_cast<size_t>(weight)] =
      gemm::packed_linear(layer.linear, gemm::forward_block(layer.linear, knobs, target));
  return layouts;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const Layer layer = *layer_of(kernel);
  Body body = make_body(kernel);
  const std::vector<Func> outputs = layer.direction->build(body, layer.linear, knobs, target);
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::gemm = {"gemm", applies, knobs, defaults, layouts, build};

}  // namespace convoke
