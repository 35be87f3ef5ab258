// pack: an OIHW weight into a layout whose innermost axis is a block of channels, as it is or transformed. In training
// each step does it for each layer, so it is to be bound by the memory that it reads and writes. Where lanes lie
// strided in the source, as input channels of a forward layer's weight do for its data gradient, a cache line brings
// neighbours in the other channel: `kNeighbours` of them come next, then the next vector of the block, so that lines
// are read and written whole while they are in the L1 cache.
//
// A task is a block. The transform of a vector of kernels is straight-line code over its taps, which are loaded once.
#include "schedules/templates/body.h"
#include "schedules/templates/definition.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Func, Halide::MemoryType, Halide::TailStrategy, Halide::Var;

constexpr int kNeighbours = 4;

// Blocks of a transformed weight are whole. A plain output has yet to get its layout.
bool applies(const Kernel& kernel, const TargetSpec&) {
  if (kernel.body.nodes.back().op != "pack" || kernel.body.outputs.size() != 1) return false;
  const Type& type = kernel.body.type(kernel.body.outputs[0]);
  const Layout& layout = kernel.output_layouts[0];
  if (type.rank() != 4 || type.has_batch()) return false;
  if (layout.plain()) return true;
  const LayoutAxis& lane = layout.axes.back();
  if (lane.part != LayoutAxis::kInner || lane.dim > 1) return false;
  return !layout.transformed() || type.dims[static_cast<size_t>(lane.dim)] % lane.block == 0;
}

PreferredLayouts layouts(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  return packed_weight_outputs(kernel, lanes_of_channels(kernel.body.type(kernel.body.outputs[0]).dims[0], target));
}

Var var_of(const Func& output, const Layout& layout, int dim) {
  const auto axis = std::ranges::find(layout.axes, dim, &LayoutAxis::dim);
  return output.args()[static_cast<size_t>(layout.axes.end() - axis - 1)];
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  const Layout& layout = kernel.output_layouts[0];
  if (layout.plain()) return templates::small.build(kernel, {}, target);
  const ValueId result = kernel.body.outputs[0];
  Body body = make_body(kernel);
  lower_anchor(body);
  Func taps("taps");
  const std::vector<Var> tap = body.values[result].args();
  taps(tap) = body.values[result](tap);
  body.values[result] = taps;
  std::vector<Func> outputs = make_outputs(body);

  Func& output = outputs[0];
  const int64_t block = layout.axes.back().block;
  const int lanes = static_cast<int>(largest_divisor(block, target.vector_lanes));
  const int lane_dim = layout.axes.back().dim;
  const Var x = var_of(output, layout, 3), y = var_of(output, layout, 2), other = var_of(output, layout, 1 - lane_dim),
            blocks = var_of(output, layout, lane_dim), lane = output.args()[0];
  Var vector("vector"), neighbour("neighbour");
  output.split(lane, vector, lane, lanes)
      .split(other, other, neighbour, kNeighbours, TailStrategy::GuardWithIf)
      .vectorize(lane)
      .parallel(blocks);
  if (layout.transformed()) {
    output.reorder(lane, x, y, neighbour, vector, other, blocks).unroll(x).unroll(y);
    const Var tap_lane = tap[static_cast<size_t>(3 - lane_dim)], tap_other = tap[static_cast<size_t>(2 + lane_dim)];
    taps.compute_at(output, neighbour)
        .store_in(MemoryType::Stack)
        .reorder_storage(tap_lane, tap[0], tap[1], tap_other)
        .bound_extent(tap_lane, lanes)
        .reorder(tap_lane, tap[0], tap[1])
        .vectorize(tap_lane)
        .unroll(tap[0])
        .unroll(tap[1]);
  } else {
    output.reorder(lane, neighbour, vector, other, x, y, blocks);
  }
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::pack = {"pack", applies, no_knob_ranges, no_knobs, layouts, build};

}  // namespace convoke
