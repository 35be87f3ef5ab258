// conv2d_winograd: convolutions and data gradients by minimal filtering F(my×mx, k×k) (winograd.h), each 2 to 7:
// y = Aᵀ[Σ_c U ⊗ V]A with U = G w Gᵀ, V = Bᵀ d B: for each of the points in two dimensions a matrix product over
// channels. A data gradient, of stride 1, is the convolution of the output gradient with the rotated kernel.
//
// A task is a block of tx × ty tiles of `images` images. It transforms its input, makes the products point by point, in
// register tiles of `tiles` tiles × `vectors` of channels, and transforms them back with the elementwise work behind
// it; in between both lie in scratch that stays in the L2 cache. Where blocks are few they come one after the other:
// tasks are then a block's tiles while its input is transformed, and afterwards shares of what is made (`tasks` or a
// few more). The weight comes transformed.
#include "schedules/templates/body.h"
#include "schedules/templates/row_sums.h"
#include "schedules/templates/tile.h"
#include "schedules/templates/winograd.h"
#include "schedules/templates/winograd_form.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var;

template <TileSizes sizes>
bool applies(const Kernel& kernel, const TargetSpec&) {
  const auto problem = winograd_problem(kernel);
  return problem && has_tiles(*problem, sizes) && anchor_input(kernel, 1) >= 0 && has_one_output_shape(kernel);
}

template <TileSizes sizes>
KnobRanges knobs(const Kernel& kernel, const TargetSpec& target) {
  return winograd_knobs(*winograd_problem(kernel), sizes, target);
}

template <TileSizes sizes>
std::vector<Knobs> starts(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  return cheap_winograd_knobs(*winograd_problem(kernel), sizes, batch, target);
}

template <TileSizes sizes>
Knobs defaults(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  return starts<sizes>(kernel, batch, target).front();
}

template <TileSizes sizes>
bool pays(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  return winograd_pays(*winograd_problem(kernel), sizes, batch, target);
}

int tasks(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target, int samples) {
  const WinogradProblem problem = *winograd_problem(kernel);
  return winograd_tasks(problem, winograd_form(problem, knobs, target), samples);
}

int registers(const Knobs& knobs) {
  return registers_of(
      {.vectors = static_cast<int>(knobs.at("vectors")), .pixels = static_cast<int>(knobs.at("tiles"))});
}

double relative_error(const Kernel& kernel, const Knobs& knobs) {
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  return winograd_error(*winograd_problem(kernel), knob("tile_y"), knob("tile_x"));
}

KernelTransform transform_of(const WinogradProblem& problem, const WinogradForm& form) {
  return {.tile_y = form.y.outputs, .tile_x = form.x.outputs, .stride = problem.stride, .rotated = !problem.is_forward};
}

// [i][made/block][j][summed][made%block] of the transformed weight: products read it from its begin to its end. With
// both axes of points outermost a pack would write a kernel to 81 places a power of two apart, at half the speed.
PreferredLayouts layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  using enum LayoutAxis::Part;
  const WinogradProblem problem = *winograd_problem(kernel);
  PreferredLayouts layouts = plain_layouts(kernel, knobs, target);
  const int weight = anchor_input(kernel, 1);
  const int64_t block = winograd_form(problem, knobs, target).block();
  const int made = problem.is_forward ? 0 : 1, summed = 1 - made;
  Layout& layout = layouts.inputs[weight];
  layout.view = kernel.body.type(kernel.inputs[weight]).dims;
  layout.axes = {{2}, {made, kOuter, block}, {3}, {summed}, {made, kInner, block}};
  layout.transform = transform_of(problem, winograd_form(problem, knobs, target));
  return layouts;
}

// i and j are rows and columns of points, at last of a tile's pixels. Products are over blocks of tiles: t counts the
// tiles of block (bx, by, bn).
struct Stages {
  Var c{"c"}, i{"i"}, j{"j"}, t{"t"}, bx{"bx"}, by{"by"}, bn{"bn"}, tx{"tx"}, ty{"ty"}, y{"y"}, n{"n"};
  Func source{"source"};      // d
  Func columns{"columns"};    // Bᵀ d
  Func input{"input"};        // V = Bᵀ d B
  Func sums{"sums"};          // Σ_c U ⊗ V, in registers
  Func products{"products"};  // the same, of the block
  Func rows{"rows"};          // Aᵀ M
  Func pixels{"pixels"};      // Aᵀ M A
  RDom r;
};

// A block's tiles: of a batch smaller than a block, those of its images, in whole register tiles. Halide cannot tell
// that from the images that are stored: it is the bound of what is read of the products, and of the input.
Expr computed_tiles(const Body& body, const WinogradForm& form) {
  const Expr all = form.block_tiles();
  if (form.images == 1) return all;
  const Expr some = body.batch * (form.tx * form.ty);
  return min((some + form.tiles - 1) / form.tiles * form.tiles, all);
}

// Pixel (px, py) of the input of a tile, zero beyond the borders.
Expr input_pixel(const Body& body, const WinogradProblem& problem, const WinogradForm& form, const Stages& s,
                 const Expr& px, const Expr& py) {
  const Expr tx = s.bx * form.tx + s.t % form.tx, ty = s.by * form.ty + s.t / form.tx % form.ty;
  const Expr n = min(s.bn * form.images + s.t / (form.tx * form.ty), body.batch - 1);
  const Expr x = tx * (form.x.outputs * problem.stride) + px - problem.x.padding,
             y = ty * (form.y.outputs * problem.stride) + py - problem.y.padding;
  const Expr inside = likely(x >= 0 && x < problem.x.source) && likely(y >= 0 && y < problem.y.source);
  return select(inside,
                anchor_operand(body, 0)(s.c, clamp(x, 0, problem.x.source - 1), clamp(y, 0, problem.y.source - 1), n),
                0.0f);
}

// The weight over (j, i, summed, made), transformed.
Func transformed_weight(const Body& body, const WinogradProblem& problem, const WinogradForm& form) {
  const Func& weight = anchor_operand(body, 1);
  const int input = anchor_input(*body.kernel, 1);
  Func transformed = weight;
  if (!body.kernel->input_layouts[static_cast<size_t>(input)].transformed()) {
    transformed = winograd_weights(weight, body.kernel->body.type(body.kernel->inputs[static_cast<size_t>(input)]),
                                   transform_of(problem, form));
    transformed.compute_root();
  }
  return transformed;
}

Stages make_stages(const Body& body, const WinogradProblem& problem, const WinogradForm& form) {
  Stages s;
  s.r = RDom(0, problem.summed, "r");
  const std::vector<Var> at = {s.c, s.i, s.j, s.t, s.bx, s.by, s.bn};
  s.source(at) = input_pixel(body, problem, form, s, s.j, s.i);
  s.columns(at) = mux(s.i, winograd_input(form.y, vector_of(form.y.points(), [&](const Expr& e) {
                                            return s.source(s.c, e, s.j, s.t, s.bx, s.by, s.bn);
                                          })));
  s.input(at) = mux(s.j, winograd_input(form.x, vector_of(form.x.points(), [&](const Expr& e) {
                                          return s.columns(s.c, s.i, e, s.t, s.bx, s.by, s.bn);
                                        })));
  const Func weight = transformed_weight(body, problem, form);
  const Expr tile = min(s.t, form.block_tiles() - 1);
  s.sums(at) = 0.0f;
  s.sums(at) += (problem.is_forward ? weight(s.j, s.i, s.r, s.c) : weight(s.j, s.i, s.c, s.r)) *
                s.input(s.r, s.i, s.j, tile, s.bx, s.by, s.bn);
  s.products(at) = s.sums(at);
  const std::vector<Var> tile_at = {s.c, s.i, s.j, s.tx, s.ty, s.n};
  const Expr block_tile = s.tx % form.tx + form.tx * (s.ty % form.ty + form.ty * (s.n % form.images));
  const auto product = [&](const Expr& e) {
    const Expr t = form.images == 1 ? block_tile : min(block_tile, computed_tiles(body, form) - 1);
    return s.products(s.c, e, s.j, t, s.tx / form.tx, s.ty / form.ty, s.n / form.images);
  };
  s.rows(tile_at) = mux(s.i, winograd_output(form.y, vector_of(form.y.points(), product)));
  const int m = form.y.outputs;
  s.pixels(s.c, s.j, s.y, s.tx, s.n) = mux(s.j, winograd_output(form.x, vector_of(form.x.points(), [&](const Expr& e) {
                                                                  return s.rows(s.c, s.y % m, e, s.tx, s.y / m, s.n);
                                                                })));
  return s;
}

Func result_of(const Body& body, const WinogradProblem& problem, const WinogradForm& form, const Stages& s) {
  Var c("c"), x("x"), y("y"), n("n");
  const int m = form.x.outputs;
  Expr value = s.pixels(c, x % m, y, x / m, n);
  if (problem.has_bias) value += anchor_operand(body, 2)(c);
  Func result("result");
  result(c, x, y, n) = value;
  return result;
}

// Strides of points must not be a multiple of what maps to one set of the L1 cache: channels are padded by a cache line
// to an odd number of them, tiles to an odd number.
constexpr int kLine = 16;
int padded_channels(int channels) { return channels % (2 * kLine) == 0 ? channels + kLine : channels; }

// One axis of points stays a loop in either stage: unrolled they spill. Without masked registers a pixel's condition
// would also split its multiply-adds into two instructions: the source is copied first.
void schedule_input(Stages& s, const Body& body, const WinogradProblem& problem, const WinogradForm& form,
                    const TargetSpec& target, const Func& out, const Var& block) {
  Var lane("lane"), ty("ty");
  s.input.compute_at(out, block)
      .bound_extent(s.t, computed_tiles(body, form))
      .bound_storage(s.t, form.block_tiles())
      .bound_extent(s.bx, 1)
      .bound_extent(s.by, 1)
      .bound_extent(s.bn, 1)
      .reorder_storage(s.c, s.t, s.i, s.j, s.bx, s.by, s.bn)
      .align_storage(s.c, padded_channels(problem.summed))
      .align_storage(s.t, form.block_tiles() | 1)
      .split(s.c, s.c, lane, form.lanes_in, TailStrategy::RoundUp)
      .reorder({lane, s.j, s.i, s.c, s.t, s.bx, s.by, s.bn})
      .vectorize(lane)
      .unroll(s.j);
  if (form.shares > 1) {
    s.input.parallel(s.t);
  } else if (form.images == 1) {  // of several, a split would round up beyond the bound; guards cost up to a tenth
    s.input.split(s.t, ty, s.t, form.tx, TailStrategy::RoundUp);
  }
  std::vector<Func*> stages = {&s.columns};
  if (!unrolls_tiles(target)) stages.push_back(&s.source);
  for (Func* stage : stages) {
    stage->compute_at(s.input, s.c)
        .store_in(MemoryType::Stack)
        .bound_extent(s.c, form.lanes_in)
        .reorder(s.c, s.i, s.j)
        .vectorize(s.c)
        .unroll(s.i);
  }
}

void schedule_products(Stages& s, const WinogradProblem& problem, const WinogradForm& form, const Func& out,
                       const Var& task) {
  Var lane("lane"), tile("tile");
  s.products.compute_at(out, task)
      .bound_extent(s.c, form.channels)
      .bound_extent(s.bx, 1)
      .bound_extent(s.by, 1)
      .bound_extent(s.bn, 1)
      .reorder_storage(s.c, s.t, s.i, s.j, s.bx, s.by, s.bn)
      .align_storage(s.c, padded_channels(form.channels))
      .bound_storage(s.t, ceil_div(form.block_tiles(), form.tiles) * form.tiles)
      .align_storage(s.t, ceil_div(form.block_tiles(), form.tiles) * form.tiles | 1)
      .split(s.c, s.c, lane, form.block(), TailStrategy::RoundUp)
      .split(s.t, s.t, tile, form.tiles, TailStrategy::RoundUp)
      .reorder({lane, tile, s.t, s.j, s.c, s.i, s.bx, s.by, s.bn})
      .vectorize(lane, form.lanes)
      .unroll(lane)
      .unroll(tile);
  s.sums.compute_at(s.products, s.t)
      .store_in(MemoryType::Register)
      .bound_extent(s.c, form.block())
      .bound_extent(s.t, form.tiles)
      .vectorize(s.c, form.lanes)
      .unroll(s.c)
      .unroll(s.t)
      .update()
      .reorder({s.c, s.t, s.i, s.j, s.r})
      .vectorize(s.c, form.lanes)
      .unroll(s.c)
      .unroll(s.t)
      .unroll(s.r, static_cast<int>(largest_divisor(problem.summed, 4)));
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const WinogradProblem problem = *winograd_problem(kernel);
  const WinogradForm form = winograd_form(problem, knobs, target);
  Body body = make_body(kernel);
  Stages s = make_stages(body, problem, form);
  set_anchor(body, {result_of(body, problem, form, s)});
  const int mx = form.x.outputs, my = form.y.outputs, unit_x = mx * form.unit_x / problem.pool,
            unit_y = my * form.unit_y / problem.pool, block_x = mx * form.tx / problem.pool,
            block_y = my * form.ty / problem.pool, out_x = problem.x.out / problem.pool,
            out_y = problem.y.out / problem.pool;
  std::vector<Func> outputs = make_outputs(body, unit_x);

  Func& out = outputs[0];
  Halide::Stage loops = loops_of(out);
  const std::vector<Var> at = out.args();
  Var c("c"), cb("cb"), lane("lane"), x("x"), xi("xi"), xb("xb"), y("y"), yi("yi"), yb("yb"), n("n"), nb("nb"),
      block("block"), task("task");
  out.bound(at[0], 0, problem.made).bound(at[1], 0, out_x).bound(at[2], 0, out_y);
  // The factors of inner splits divide: nothing is guarded. Updates, as those of row sums, allow no other strategy.
  loops.split(at[0], cb, c, form.channels, TailStrategy::RoundUp)
      .split(c, c, lane, form.lanes, TailStrategy::GuardWithIf)
      .split(at[1], xb, x, block_x, tail_of(out_x, block_x))
      .split(x, x, xi, unit_x, TailStrategy::GuardWithIf)
      .split(at[2], yb, y, block_y, tail_of(out_y, block_y))
      .split(y, y, yi, unit_y, TailStrategy::GuardWithIf)
      .split(at[3], nb, n, form.images, form.images == 1 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf)
      .reorder({lane, xi, yi, c, x, y, n, xb, yb, nb, cb})
      .vectorize(lane)
      .unroll(xi);
  if (form.shares > 1) {
    loops.fuse(xb, yb, block).fuse(block, nb, block).reorder(cb, block).rename(cb, task);
  } else if (problem.has_row_sums) {
    // A row is of one task, whose code would be three times as long if its first and last blocks had their own.
    loops.fuse(yb, nb, task).fuse(task, cb, task).never_partition(xb);
    block = xb;
  } else {
    loops.fuse(xb, yb, block).fuse(block, nb, block).fuse(block, cb, task);
    block = task;
  }
  loops.parallel(task);
  schedule_input(s, body, problem, form, target, out, block);
  schedule_products(s, problem, form, out, form.shares > 1 ? task : block);
  for (Func* stage : {&s.rows, &s.pixels}) {
    stage->store_in(MemoryType::Stack).bound_extent(s.c, form.lanes).vectorize(s.c);
  }
  s.rows.bound(s.i, 0, my).bound(s.j, 0, form.x.points()).unroll(s.i);
  // It would not see the extents where blocks of both axes are cut off.
  s.pixels.bound(s.j, 0, mx).bound_extent(s.tx, form.unit_x).unroll(s.j);
  if (unrolls_tiles(target)) {
    s.rows.unroll(s.j).compute_at(s.pixels, s.tx);
    s.pixels.compute_at(out, c).bound_extent(s.y, my * form.unit_y).unroll(s.y);
    loops.unroll(yi);
  } else if (problem.pool > 1) {
    Var ty("ty");
    s.rows.compute_at(s.pixels, s.tx);
    s.pixels.compute_at(out, c).bound_extent(s.y, my * form.unit_y).split(s.y, ty, s.y, my).reorder(s.y, s.tx, ty);
  } else {
    s.rows.compute_at(out, c).bound_extent(s.tx, 1).bound_extent(s.ty, 1);
    s.pixels.compute_at(out, yi);
  }
  BuiltKernel built = finish(body, outputs);
  built.streams = next_tiles(body, out, int64_t{unit_x} * problem.made, int64_t{mx} * problem.stride * problem.summed);
  // Products of one point and block of channels read a panel of the weight; the next one is on its way meanwhile.
  const size_t weight = static_cast<size_t>(anchor_input(kernel, 1));
  if (kernel.input_layouts[weight].transformed()) {
    built.streams.push_back({.buffer = body.params[weight].name(),
                             .ahead = int64_t{problem.summed} * form.block(),
                             .turns = ceil_div(form.block_tiles(), form.tiles)});
  }
  // Each block of channels reads the input's points of a row again. Where the L2 cache does not keep them beside the
  // weight, broadcasts would wait for the last cache a third of the time: the next register tile is on its way.
  const int64_t channels = padded_channels(problem.summed);
  const auto row_bytes = static_cast<int64_t>(sizeof(float)) * form.x.points() * form.block_tiles() * channels;
  if (row_bytes > target.l2_bytes * 3 / 4) {
    built.streams.push_back({.buffer = s.input.name(), .ahead = form.tiles * channels, .stage = s.sums.name()});
  }
  return built;
}

bool is_gradient(const Kernel& kernel) { return !winograd_problem(kernel)->is_forward; }

template <TileSizes sizes>
constexpr ScheduleTemplate of_tiles(std::string_view name) {
  return {.name = name,
          .applies = applies<sizes>,
          .knobs = knobs<sizes>,
          .defaults = defaults<sizes>,
          .layouts = layouts,
          .build = build,
          .registers = registers,
          .pays = pays<sizes>,
          .relative_error = relative_error,
          .trains = sizes == TileSizes::kLarge ? is_gradient : nullptr,
          .starts = starts<sizes>,
          .tasks = tasks,
          .takes_pooling = true,
          .takes_row_sums = true};
}

}  // namespace

const ScheduleTemplate templates::conv2d_winograd = of_tiles<TileSizes::kSmall>("conv2d_winograd");
const ScheduleTemplate templates::conv2d_winograd_large = of_tiles<TileSizes::kLarge>("conv2d_winograd_large");

}  // namespace convoke
