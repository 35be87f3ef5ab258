// pack: an OIHW weight into a layout whose innermost axis is a block of channels, as it is or transformed. In training
// each step does it for each layer, so it is to be bound by the memory that it reads and writes.
//
// Where the source has the other channel innermost, as a forward layer's weight has for its data gradient, squares of
// both channels are transposed in registers, so that lines are read and written whole. A weight to be transformed goes
// through a panel of such squares, in the caches: a block of the one channel × a vector of the other, all taps.
//
// A task is a block and a range of the other channel. The transform of a vector of kernels is straight-line code.
#include <numeric>

#include "schedules/templates/body.h"
#include "schedules/templates/definition.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Func, Halide::MemoryType, Halide::TailStrategy, Halide::Var;

constexpr int kRange = 16;   // of the other channel
constexpr int kMaxSide = 8;  // of a square: shuffles of more vectors are many more

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

struct Form {
  int lane_dim;  // the channel that the output has innermost
  int block, lanes;
  int range;     // of the other channel, of a task
  int side = 0;  // of the squares; 0: there is nothing to transpose
};

Form form_of(const Kernel& kernel, const TargetSpec& target) {
  const Layout &from = kernel.input_layouts[0], &to = kernel.output_layouts[0];
  const LayoutAxis& lane = to.axes.back();
  Form form{.lane_dim = lane.dim,
            .block = static_cast<int>(lane.block),
            .lanes = static_cast<int>(largest_divisor(lane.block, target.vector_lanes)),
            .range = kRange};
  const int64_t lane_channels = kernel.body.type(kernel.body.outputs[0]).dims[static_cast<size_t>(lane.dim)];
  if (from.plain() || lane_channels % lane.block != 0) return form;
  const LayoutAxis& inner = from.axes.back();
  if (inner.part != LayoutAxis::kInner || inner.dim != 1 - lane.dim) return form;
  const int64_t vector = largest_divisor(inner.block, target.vector_lanes);
  form.range = static_cast<int>(to.transformed() ? vector : inner.block);
  form.side = static_cast<int>(largest_divisor(std::gcd(vector, form.lanes), kMaxSide));
  return form;
}

// The weight (kx, ky, ci, co) by way of panels (lane channel, other channel, kx, ky) and squares (l, o, kx, ky, vector
// of lanes).
struct Transposition {
  Var l{"l"}, o{"o"}, kx{"kx"}, ky{"ky"}, v{"v"}, lane{"lane"}, other{"other"};
  Func square{"square"}, panel{"panel"}, weight{"weight"};
};

Transposition transpose(const Func& source, const Form& form) {
  Transposition t;
  const auto at = [&](const Func& weight, const Halide::Expr& lane, const Halide::Expr& other) {
    return form.lane_dim == 0 ? weight(t.kx, t.ky, other, lane) : weight(t.kx, t.ky, lane, other);
  };
  t.square(t.l, t.o, t.kx, t.ky, t.v) = at(source, t.v * form.side + t.l, t.o);
  t.panel(t.lane, t.other, t.kx, t.ky) = t.square(t.lane % form.side, t.other, t.kx, t.ky, t.lane / form.side);
  const std::vector<Var> channels = form.lane_dim == 0 ? std::vector{t.other, t.lane} : std::vector{t.lane, t.other};
  t.weight(t.kx, t.ky, channels[0], channels[1]) = t.panel(t.lane, t.other, t.kx, t.ky);
  return t;
}

void schedule_square(Transposition& t, const Func& user, const Var& at, const Form& form) {
  t.square.compute_at(user, at)
      .store_in(MemoryType::Stack)
      .bound_extent(t.l, form.side)
      .bound_extent(t.o, form.side)
      .reorder(t.o, t.l)
      .vectorize(t.o)
      .unroll(t.l);
}

void schedule_panel(Transposition& t, const Func& output, const Var& task, const Form& form) {
  Var square("square"), squares("squares"), l("l"), o("o");
  t.panel.compute_at(output, task)
      .bound_extent(t.lane, form.block)
      .bound_extent(t.other, form.range)
      .split(t.lane, square, l, form.side)
      .split(t.other, squares, o, form.side)
      .reorder(l, o, square, squares, t.kx, t.ky)
      .vectorize(l)
      .unroll(o);
  schedule_square(t, t.panel, square, form);
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  const Layout& layout = kernel.output_layouts[0];
  if (layout.plain()) return templates::small.build(kernel, {}, target);
  const Form form = form_of(kernel, target);
  const ValueId result = kernel.body.outputs[0];
  Body body = make_body(kernel);
  lower_anchor(body);
  Transposition transposition;
  if (form.side > 0) {
    transposition = transpose(body.values[result], form);
    body.values[result] = transposition.weight;
  }
  std::vector<Func> outputs = make_outputs(body);

  Func& output = outputs[0];
  const bool in_squares = form.side > 0 && !layout.transformed();
  const int lanes = in_squares ? form.side : form.lanes;
  const int64_t others = kernel.body.type(result).dims[static_cast<size_t>(1 - form.lane_dim)];
  const Var x = var_of(output, layout, 3), y = var_of(output, layout, 2), lane = output.args()[0],
            other = var_of(output, layout, 1 - form.lane_dim), blocks = var_of(output, layout, form.lane_dim);
  Var vector("vector"), row("row"), rows("rows"), task("task");
  output.split(lane, vector, lane, lanes)
      .split(other, other, row, form.range, tail_of(others, form.range))
      .split(row, rows, row, in_squares ? form.side : 1)
      .vectorize(lane)
      .unroll(row);
  if (layout.transformed()) {
    output.reorder(lane, x, y, row, vector, rows, other, blocks).unroll(x).unroll(y);
  } else {
    output.reorder(lane, row, vector, rows, x, y, other, blocks);
  }
  output.fuse(other, blocks, task).parallel(task);
  if (in_squares) schedule_square(transposition, output, vector, form);
  if (form.side > 0 && layout.transformed()) schedule_panel(transposition, output, task, form);
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::pack = {"pack", applies, no_knob_ranges, no_knobs, layouts, build};

}  // namespace convoke
