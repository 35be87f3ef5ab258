// pack: an OIHW weight into a layout whose innermost axis is a block of channels, as it is, scaled by channels (folded
// batch norms), or transformed. In training each step does it for each layer, so it is to be bound by the memory that
// it reads and writes.
//
// Where the source has the other channel innermost, as a forward layer's weight has for its data gradient, squares of
// both channels are transposed in registers, so that lines are read and written whole. A weight to be transformed goes
// through a panel of such squares, in the caches: a block of the one channel × a vector of the other, all taps.
//
// A task is a block and a range of the other channel. The transform of a vector of kernels is straight-line code.
#include <numeric>

#include "schedules/templates/body.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Func, Halide::MemoryType, Halide::TailStrategy, Halide::Var;

constexpr int kRange = 16, kMaxRange = 64;  // of the other channel
constexpr int kTogether = 4;
constexpr int kMaxSide = 8;  // of a square: shuffles of more vectors are many more

bool is_weight(const Type& type) { return type.rank() == 4 && !type.has_batch(); }

// The one operand that is a weight; the others are vectors per channel or scalars. -1: there are others.
int weight_of(const Kernel& kernel) {
  int weight = -1;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& type = kernel.body.type(kernel.inputs[i]);
    if (type.rank() < 2 && !type.has_batch()) continue;
    if (!is_weight(type) || weight >= 0) return -1;
    weight = static_cast<int>(i);
  }
  return weight;
}

// Innermost is a block of channels; blocks of a transformed weight are whole.
bool is_packed(const Type& type, const Layout& layout) {
  if (layout.plain()) return false;
  const LayoutAxis& lane = layout.axes.back();
  if (lane.part != LayoutAxis::kInner || lane.dim > 1) return false;
  return !layout.transformed() || type.dims[static_cast<size_t>(lane.dim)] % lane.block == 0;
}

// A plain output has yet to get its layout.
bool applies(const Kernel& kernel, const TargetSpec&) {
  if (kernel.anchor != kNoAnchor || kernel.body.outputs.size() != 1 || weight_of(kernel) < 0) return false;
  const Type& type = kernel.body.type(kernel.body.outputs[0]);
  if (type.dims != kernel.body.type(kernel.inputs[static_cast<size_t>(weight_of(kernel))]).dims) return false;
  return kernel.output_layouts[0].plain() || is_packed(type, kernel.output_layouts[0]);
}

PreferredLayouts layouts(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  return packed_weight_outputs(kernel, lanes_of_channels(kernel.body.type(kernel.body.outputs[0]).dims[0], target));
}

Var var_of(const Func& output, const Layout& layout, int dim) {
  const auto axis = std::ranges::find(layout.axes, dim, &LayoutAxis::dim);
  return output.args()[static_cast<size_t>(layout.axes.end() - axis - 1)];
}

struct Form {
  int lane_dim;  // the channel that the output has innermost
  int block, lanes;
  int range;     // of the other channel, of a task
  int side = 0;  // of the squares; 0: there is nothing to transpose
};

// How many of channel `dim` lie side by side in memory; 1: another dimension is innermost.
int64_t contiguous(const Type& type, const Layout& layout, int dim) {
  if (layout.plain()) return dim == 1 && type.dims[2] * type.dims[3] == 1 ? type.dims[1] : 1;
  const LayoutAxis& inner = layout.axes.back();
  return inner.part == LayoutAxis::kInner && inner.dim == dim ? inner.block : 1;
}

Form form_of(const Kernel& kernel, const TargetSpec& target) {
  const Layout& from = kernel.input_layouts[static_cast<size_t>(weight_of(kernel))];
  const Layout& to = kernel.output_layouts[0];
  const Type& type = kernel.body.type(kernel.body.outputs[0]);
  const LayoutAxis& lane = to.axes.back();
  Form form{.lane_dim = lane.dim,
            .block = static_cast<int>(lane.block),
            .lanes = static_cast<int>(largest_divisor(lane.block, target.vector_lanes)),
            .range = kRange};
  const int64_t others = contiguous(type, from, 1 - lane.dim), vector = largest_divisor(others, target.vector_lanes);
  const int64_t side = largest_divisor(std::gcd(vector, form.lanes), kMaxSide);
  if (side == 1 || type.dims[static_cast<size_t>(lane.dim)] % lane.block != 0) return form;
  form.range = static_cast<int>(to.transformed() ? vector : largest_divisor(others, kMaxRange));
  form.side = static_cast<int>(side);
  return form;
}

// The channels of a weight (kx, ky, ci, co).
Var lane_of(const Func& weight, const Form& form) { return weight.args()[static_cast<size_t>(3 - form.lane_dim)]; }
Var other_of(const Func& weight, const Form& form) { return weight.args()[static_cast<size_t>(2 + form.lane_dim)]; }

void schedule_square(Func square, const Func& user, const Var& at, const Form& form) {
  const Var lane = lane_of(square, form), other = other_of(square, form);
  square.compute_at(user, at)
      .store_in(MemoryType::Stack)
      .reorder_storage(lane, other, square.args()[0], square.args()[1])
      .bound_extent(lane, form.side)
      .bound_extent(other, form.side)
      .reorder(other, lane)
      .vectorize(other)
      .unroll(lane);
}

void schedule_panel(Func panel, Func square, const Func& output, const Var& task, const Form& form) {
  const Var lane = lane_of(panel, form), other = other_of(panel, form), kx = panel.args()[0], ky = panel.args()[1];
  Var squares("squares"), more("more"), l("l"), o("o");
  panel.compute_at(output, task)
      .reorder_storage(lane, other, kx, ky)
      .bound_extent(lane, form.block)
      .bound_extent(other, form.range)
      .split(lane, squares, l, form.side)
      .split(other, more, o, form.side)
      .reorder(l, o, squares, more, kx, ky)
      .vectorize(l)
      .unroll(o);
  schedule_square(square, panel, squares, form);
}

// The taps of a vector of kernels, each gathered once: the transform reads them many times.
void schedule_taps(Func taps, const Func& output, const Var& at, const Form& form) {
  const Var lane = lane_of(taps, form), other = other_of(taps, form);
  taps.compute_at(output, at)
      .store_in(MemoryType::Stack)
      .reorder_storage(lane, other, taps.args()[0], taps.args()[1])
      .bound_extent(lane, form.lanes)
      .bound_extent(other, 1)
      .reorder(lane, taps.args()[0], taps.args()[1], other)
      .vectorize(lane);
}

// What comes next in memory: of squares those of the next tap, or of the next task; else some rows of kernels further
// on.
std::vector<Stream> next_weights(const Body& body, const Func& output, const Form& form) {
  constexpr int64_t kRowsAhead = 8;
  const Kernel& kernel = *body.kernel;
  const auto weight = static_cast<size_t>(weight_of(kernel)), lane = static_cast<size_t>(form.lane_dim);
  const Layout& from = kernel.input_layouts[weight];
  if (from.plain()) return {};
  const std::vector<int64_t>& dims = kernel.body.type(kernel.body.outputs[0]).dims;
  int64_t source = kRowsAhead * form.block, made = source;
  if (form.side > 0) {
    source = dims[lane] * from.axes.back().block;
    if (!kernel.output_layouts[0].transformed()) {
      made = (dims[2] * dims[3] > 1 ? dims[1 - lane] : form.range) * form.block;
    }
  }
  return {{.buffer = body.params[weight].name(), .ahead = source}, {.buffer = output.name(), .ahead = made}};
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  const Layout& layout = kernel.output_layouts[0];
  const ValueId result = kernel.body.outputs[0];
  if (!is_packed(kernel.body.type(result), layout)) return templates::pointwise.build(kernel, {}, target);
  const Form form = form_of(kernel, target);
  Body body = make_body(kernel);
  std::vector<Func> outputs = make_outputs(body);

  Func& output = outputs[0];
  const bool in_squares = form.side > 0 && !layout.transformed();
  const int lanes = in_squares ? form.side : form.lanes;
  // What depends on the lane channel alone is computed once for them.
  const int together = in_squares ? form.side : layout.transformed() ? 1 : kTogether;
  const int64_t others = kernel.body.type(result).dims[static_cast<size_t>(1 - form.lane_dim)];
  const Var x = var_of(output, layout, 3), y = var_of(output, layout, 2), lane = output.args()[0],
            other = var_of(output, layout, 1 - form.lane_dim), blocks = var_of(output, layout, form.lane_dim);
  Var vector("vector"), row("row"), rows("rows"), task("task");
  output.split(lane, vector, lane, lanes)
      .split(other, other, row, form.range, tail_of(others, form.range))
      .split(row, rows, row, together)
      .vectorize(lane)
      .unroll(row);
  if (layout.transformed()) {
    output.reorder(lane, x, y, row, vector, rows, other, blocks).unroll(x).unroll(y);
  } else {
    output.reorder(lane, row, vector, rows, x, y, other, blocks);
  }
  output.fuse(other, blocks, task).parallel(task);
  Func loaded = body.values[kernel.inputs[static_cast<size_t>(weight_of(kernel))]].in();
  if (in_squares) {
    schedule_square(loaded, output, vector, form);
  } else if (form.side > 0) {
    schedule_panel(loaded.in(), loaded, output, task, form);
  } else if (layout.transformed()) {
    schedule_taps(loaded, output, row, form);
  }
  BuiltKernel built = finish(body, outputs);
  built.streams = next_weights(body, output, form);
  return built;
}

}  // namespace

const ScheduleTemplate templates::pack = {"pack", applies, no_knob_ranges, no_knobs, layouts, build};

}  // namespace convoke
