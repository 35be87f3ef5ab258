// gemm: linear layers and their two gradients as tiles of registers over a packed weight (gemm.h).
#include "schedules/templates/gemm.h"

#include <algorithm>
#include <optional>

namespace convoke {

using Halide::Expr, Halide::Func;

Expr gemm::Layer::input(const Func& f, const FeatureIndex& at, const Expr& n) const {
  return is_image ? f(at.c, at.x, at.y, n) : f(at.y * c + at.c, n);
}

Expr gemm::Layer::weight(const Body& body, const Expr& l, const FeatureIndex& at, const Expr& b) const {
  const Halide::ImageParam& packed = body.params[static_cast<size_t>(anchor_input(kernel, 1))];
  return is_image ? packed(l, at.c, at.x, at.y, b) : packed(l, at.y * c + at.c, b);
}

bool gemm::streams_weights(int64_t in, int64_t out, const TargetSpec& target) {
  constexpr int kFloat = 4;
  return kFloat * in * out > target.l2_bytes;
}

int gemm::tile_features(int vectors, int features, const TargetSpec& target) {
  constexpr int kMaxTileFeatures = 14;
  const int most = std::clamp((target.vector_registers - vectors - 1) / vectors, 1, kMaxTileFeatures);
  int best = 1;
  const auto price = [&](int tile) {
    return ceil_div(features, tile) * (std::max(vectors * tile, kHidingAccumulators) + 0.25 * (vectors + tile));
  };
  for (int tile = 2; tile <= most; ++tile) best = price(tile) < price(best) ? tile : best;
  return best;
}

namespace {

struct Anchor {
  Linear linear;
  const gemm::Direction* direction;
};

std::optional<Anchor> anchor_of(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  const NodeView node = anchor_view(kernel);
  if (const auto linear = as_linear(node)) return Anchor{*linear, &gemm::forward};
  if (const auto linear = as_linear_backward_data(node)) return Anchor{*linear, &gemm::backward_data};
  if (const auto linear = as_linear_backward_weights(node)) return Anchor{*linear, &gemm::backward_weights};
  return std::nullopt;
}

Layout packed_linear(const Linear& linear, int64_t block) {
  if (linear.is_image) return packed_weights({linear.out, linear.in_c, linear.in_size.h, linear.in_size.w}, block);
  using enum LayoutAxis::Part;
  return {{}, {{0, kOuter, block}, {1}, {0, kInner, block}}};
}

// The block of a layout that packed_linear made; 0 of any other.
int packed_block(const Linear& linear, const Layout& layout) {
  if (layout.plain()) return 0;
  const int64_t block = layout.axes.back().block;
  return layout == packed_linear(linear, block) ? static_cast<int>(block) : 0;
}

int lanes_of_block(int64_t block, const TargetSpec& target) {
  int lanes = target.vector_lanes;
  while (block % lanes != 0) lanes /= 2;
  return lanes;
}

// Calls visit(type, layout) for every argument; stops when it returns false.
template <typename AnyKernel, typename Visit>
bool each_argument(AnyKernel& kernel, Visit visit) {
  auto& body = kernel.body;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    if (!visit(body.values[static_cast<size_t>(kernel.inputs[i])].type, kernel.input_layouts[i])) return false;
  }
  for (size_t i = 0; i < body.outputs.size(); ++i) {
    if (!visit(body.values[static_cast<size_t>(body.outputs[i])].type, kernel.output_layouts[i])) return false;
  }
  return true;
}

// The layout of the weight or of its gradient.
Layout weight_layout(const Kernel& kernel, const Anchor& anchor) {
  if (anchor.direction == &gemm::backward_weights) return kernel.output_layouts[0];
  const int weight = anchor_input(kernel, 1);
  return weight < 0 ? Layout{} : kernel.input_layouts[static_cast<size_t>(weight)];
}

// Nothing when a weight is not packed.
std::optional<gemm::Layer> packed_layer(const Kernel& kernel, const TargetSpec& target) {
  const Anchor anchor = *anchor_of(kernel);
  const Linear& linear = anchor.linear;
  const Layout layout = weight_layout(kernel, anchor);
  const int block = packed_block(linear, layout);
  const Type weight = f32({linear.out, linear.in()});
  if (block == 0 || !each_argument(kernel, [&](const Type& type, const Layout& of) {
        return type == weight ? of == layout : of.plain();
      })) {
    return std::nullopt;
  }
  gemm::Layer layer{.kernel = kernel,
                    .is_image = linear.is_image,
                    .c = static_cast<int>(linear.in_c),
                    .w = static_cast<int>(linear.in_size.w),
                    .h = static_cast<int>(linear.in_size.h),
                    .out = static_cast<int>(linear.out),
                    .block = block,
                    .lanes = lanes_of_block(block, target)};
  if (anchor.direction != &gemm::backward_weights) return layer;
  for (Layout& of : layer.kernel.input_layouts) of = {};
  for (Layout& of : layer.kernel.output_layouts) of = {};
  for (Value& value : layer.kernel.body.values) {
    if (value.type == weight) value.type = f32(storage_dims(weight, layout));
  }
  return layer;
}

bool applies(const Kernel& kernel, const TargetSpec&) {
  return anchor_of(kernel).has_value() && has_one_output_shape(kernel);
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec& target) {
  const Anchor anchor = *anchor_of(kernel);
  return anchor.direction->knobs(anchor.linear, target);
}

Knobs defaults(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  const Anchor anchor = *anchor_of(kernel);
  return anchor.direction->defaults(anchor.linear, batch, target);
}

// The forward direction chooses; the gradients take the weight as it is.
PreferredLayouts layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const Anchor anchor = *anchor_of(kernel);
  PreferredLayouts layouts = plain_layouts(kernel, knobs, target);
  const int weight = anchor_input(kernel, 1);
  if (anchor.direction != &gemm::forward || weight < 0) return layouts;
  const int64_t block = lanes_of_channels(anchor.linear.out, target) * knobs.at("vectors");
  layouts.inputs[static_cast<size_t>(weight)] = packed_linear(anchor.linear, block);
  return layouts;
}

// With weights that are not packed, as neither training nor inference have them, the definition.
Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const std::optional<gemm::Layer> layer = packed_layer(kernel, target);
  if (!layer) return templates::small.build(kernel, {}, target);
  return anchor_of(kernel)->direction->build(*layer, knobs, target);
}

}  // namespace

const ScheduleTemplate templates::gemm = {"gemm", applies, knobs, defaults, layouts, build};

}  // namespace convoke
