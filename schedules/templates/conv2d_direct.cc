// conv2d_direct: convolutions and their data gradients as they are, without a transform or an expanded input.
//
// A tile of output is `vectors` registers of channels times `pixels` of one row. Its accumulators stay in registers
// while the loops go over the rows of the kernel, its columns and the channels that are summed; each step loads the
// block's weights, [block][ky][kx][channel][lane] in memory, and broadcasts one scalar a pixel. Taps on padding are
// skipped: rows by the bounds of the loop over ky, columns because kx and the pixels are unrolled and Halide splits
// the loop over tiles at the borders (`likely`). A 1×1 convolution's tile may be of two rows, where those come out
// even. In a data gradient of stride s a tap meets only every s-th pixel: the pixels of a tile are of one such phase,
// and the taps that it does not meet fall away. No zeros are inserted.
#include "schedules/templates/body.h"
#include "schedules/templates/conv2d_taps.h"
#include "schedules/templates/row_sums.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

constexpr int kMaxUnrolledColumns = 32;  // of the kernel
constexpr int kMinGroupLanes = 4;
constexpr int kRows = 8;  // of a task, at most
constexpr int kEnoughTasks = 16;
constexpr int kStepsOfLine = 4;  // unrolled: each prefetches once

bool is_pointwise(const TappedConv2d& problem) { return problem.x.kernel == 1 && problem.y.kernel == 1; }

Blocks blocks_of(const TappedConv2d& problem) { return problem.groups > 1 ? Blocks::kExact : Blocks::kPadded; }

int lanes_of(const TappedConv2d& problem, const TargetSpec& target) {
  int lanes = lanes_of_channels(problem.made, target);
  while (blocks_of(problem) == Blocks::kExact && problem.made % lanes != 0) lanes /= 2;
  return lanes;
}

int block_of(const TappedConv2d& problem, const Knobs& knobs, const TargetSpec& target) {
  return lanes_of(problem, target) * static_cast<int>(knobs.at("vectors"));
}

int count_blocks(const TappedConv2d& problem, int block) { return ceil_div(problem.made * problem.groups, block); }

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = as_tapped(kernel);
  if (!problem || problem->x.kernel > kMaxUnrolledColumns || !has_one_output_shape(kernel)) return false;
  return problem->groups == 1 || lanes_of(*problem, target) >= kMinGroupLanes;
}

std::vector<int64_t> choose(std::initializer_list<int64_t> numbers, auto&& accept) {
  std::vector<int64_t> chosen;
  std::ranges::copy_if(numbers, std::back_inserter(chosen), accept);
  return chosen;
}

// Of a tile of `pixels`. All pixels of a 1×1 convolution without padding are alike: two rows of half as many, where
// tiles of one row would reach beyond it.
int tile_rows(const TappedConv2d& problem, int pixels, int rows) {
  if (!is_pointwise(problem) || problem.x.may_miss() || problem.y.may_miss() || problem.x.out % pixels == 0) return 1;
  return pixels % 2 == 0 && rows % 2 == 0 && problem.x.out % (pixels / 2) == 0 ? 2 : 1;
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec& target) {
  const TappedConv2d problem = *as_tapped(kernel);
  const int lanes = lanes_of(problem, target), width = problem.x.outputs_per_phase();
  const auto is_tile = [=](int64_t pixels) { return pixels <= width; };
  const auto is_block = [&](int64_t vectors) {
    return blocks_of(problem) == Blocks::kPadded || problem.made % (vectors * lanes) == 0;
  };
  return {{"blocks", divisors(count_blocks(problem, lanes), 64)},
          {"pixels", choose({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 20, 24, 28}, is_tile)},
          {"rows", divisors(problem.y.out, 28)},
          {"unroll", divisors(problem.summed, 8)},
          {"vectors", choose({1, 2, 3, 4}, is_block)}};
}

// Pixels whose addresses differ by the size of one way of the L1 cache would push each other out. A tile of one vector
// shares the broadcasts of its pixels between the taps of a row: they stay in registers, too.
int64_t max_pixels(const TappedConv2d& problem, const TargetSpec& target) {
  constexpr int kWays = 8, kFloat = 4;
  constexpr int kHidingAccumulators = 10;
  const int64_t distance = int64_t{kFloat} * problem.summed * problem.groups * problem.x.step;
  if (distance % (target.l1_bytes / kWays) == 0) return kWays;
  if (problem.made > lanes_of(problem, target)) return 28;
  return std::max(kHidingAccumulators, (target.vector_registers - problem.x.kernel + 1) / 2);
}

int tasks(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target, int samples) {
  const TappedConv2d problem = *as_tapped(kernel);
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  const int blocks = ceil_div(count_blocks(problem, block_of(problem, knobs, target)), knob("blocks"));
  return samples * ceil_div(problem.y.out, knob("rows")) * blocks;
}

// A 1×1 convolution that makes more channels than it sums goes row by row: a row's whole pixels are written one after
// the other, and its source stays in L1 for all blocks of channels. Where tasks are few, each has fewer blocks.
int blocks_of_task(const TappedConv2d& problem, int block, int rows, int samples) {
  const int blocks = count_blocks(problem, block);
  if (!is_pointwise(problem) || problem.groups > 1 || problem.made < problem.summed) return 1;
  const int tasks_of_block = samples * ceil_div(problem.y.out, rows);
  return static_cast<int>(largest_divisor(blocks, std::max(1, blocks * tasks_of_block / kEnoughTasks)));
}

Knobs defaults(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  const TappedConv2d problem = *as_tapped(kernel);
  const int lanes = lanes_of(problem, target);
  int rows = static_cast<int>(largest_divisor(problem.y.out, kRows));
  TiledExtent extent{.channels = problem.made,
                     .lanes = lanes,
                     .blocks = blocks_of(problem),
                     .pixels = problem.x.outputs_per_phase(),
                     .max_pixels = max_pixels(problem, target)};
  Tile tile = best_tile(extent, target);
  if (problem.x.out % tile.pixels != 0 && problem.y.out % 2 == 0) {
    extent.pixels *= 2;
    const Tile joined = best_tile(extent, target);
    const int pairs = static_cast<int>(largest_divisor(problem.y.out / 2, kRows / 2));
    if (tile_rows(problem, joined.pixels, 2 * pairs) == 2) tile = joined, rows = 2 * pairs;
  }
  return {{"blocks", blocks_of_task(problem, lanes * tile.vectors, rows, typical_samples(batch))},
          {"pixels", tile.pixels},
          {"rows", rows},
          {"unroll", is_pointwise(problem) ? largest_divisor(problem.summed, kStepsOfLine) : 1},
          {"vectors", tile.vectors}};
}

int registers(const Knobs& knobs) {
  return registers_of(
      {.vectors = static_cast<int>(knobs.at("vectors")), .pixels = static_cast<int>(knobs.at("pixels"))});
}

PreferredLayouts layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const TappedConv2d problem = *as_tapped(kernel);
  PreferredLayouts layouts = plain_layouts(kernel, knobs, target);
  const int weight = anchor_input(kernel, 1);
  if (weight < 0) return layouts;
  const int block = block_of(problem, knobs, target);
  layouts.inputs[weight] = packed_weights(kernel.body.type(kernel.inputs[weight]).dims, block);
  if (!problem.is_forward) {
    using Axis = LayoutAxis;
    layouts.inputs[weight].axes = {{1, Axis::kOuter, block}, {2}, {3}, {0}, {1, Axis::kInner, block}};
  }
  return layouts;
}

// The sums of one block of channels and one phase of the pixels: acc(lane, block, x / phases, y, n).
enum class Weights { kPacked, kAsTheyAre };
Func accumulate_taps(const Body& body, const TappedConv2d& problem, int block, int phase, Weights weights,
                     const RDom& r) {
  const Func &source = anchor_operand(body, 0), &weight = anchor_operand(body, 1);
  const Taps &tx = problem.x, &ty = problem.y;
  Var l("l"), b("b"), x("x"), y("y"), n("n");
  const Expr at_x = tx.position(x * tx.phases + phase, r.y), at_y = ty.position(y, r.z), ix = at_x / tx.phases,
             iy = at_y / ty.phases;
  const Expr group = b / ceil_div(problem.made, block), summed = r.x + group * problem.summed;
  Expr made = b * block + l - group * problem.made;
  // Lanes beyond the last channel read the packed layout's zeros, or something that is not used.
  if (weights == Weights::kAsTheyAre && problem.made % block != 0) made = min(made, problem.made - 1);
  Expr value = source(summed, clamp(ix, 0, tx.source - 1), clamp(iy, 0, ty.source - 1), n);
  if (tx.may_miss()) value = select(likely(ix >= 0 && ix < tx.source), value, 0.0f);
  if (tx.phases > 1) value = select(at_x % tx.phases == 0, value, 0.0f);
  Func acc("acc");
  acc(l, b, x, y, n) = 0.0f;
  acc(l, b, x, y, n) += value * (problem.is_forward ? weight(r.y, r.z, r.x, made + group * problem.made)
                                                    : weight(r.y, r.z, made, summed));
  return acc;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const TappedConv2d problem = *as_tapped(kernel);
  const int lanes = lanes_of(problem, target), block = block_of(problem, knobs, target);
  const int pixels = static_cast<int>(knobs.at("pixels")), rows = static_cast<int>(knobs.at("rows"));
  Body body = make_body(kernel);
  RDom r(0, problem.summed, 0, problem.x.kernel, 0, problem.y.kernel, "r");
  Var c("c"), x("x"), y("y"), n("n");
  const Expr at_y = problem.y.position(y, r.z);
  r.where(at_y % problem.y.phases == 0 && at_y >= 0 && at_y / problem.y.phases < problem.y.source);
  const int weight = anchor_input(kernel, 1);
  const bool is_packed = weight >= 0 && kernel.input_layouts[weight] == layouts(kernel, knobs, target).inputs[weight];
  const Weights weights = is_packed ? Weights::kPacked : Weights::kAsTheyAre;
  const int phases = problem.x.phases, width = problem.x.outputs_per_phase();
  std::vector<Func> sums;
  std::vector<Expr> values;
  for (int phase = 0; phase < phases; ++phase) {
    sums.push_back(accumulate_taps(body, problem, block, phase, weights, r));
    values.push_back(sums.back()(c % block, c / block, x / phases, y, n));
  }
  Func result("result");
  Expr value = phases == 1 ? values[0] : mux(x % phases, values);
  if (problem.has_bias) value += anchor_operand(body, 2)(c);
  result(c, x, y, n) = value;
  set_anchor(body, {result});
  const int of_rows = tile_rows(problem, pixels, rows), of_row = pixels / of_rows;
  std::vector<Func> outputs = make_outputs(body, of_row);

  Func& out = outputs[0];
  Halide::Stage loops = loops_of(out);
  const std::vector<Var> at = out.args();
  const int blocks =
      static_cast<int>(largest_divisor(count_blocks(problem, block), static_cast<int>(knobs.at("blocks"))));
  Var co("co"), cb("cb"), v("v"), ci("ci"), xo("xo"), xi("xi"), phase("phase"), yo("yo"), yi("yi"), yt("yt"),
      task("task");
  out.bound(at[0], 0, problem.made * problem.groups).bound(at[1], 0, problem.x.out).bound(at[2], 0, problem.y.out);
  // Where the last block has fewer vectors, whole vectors are left out: masked stores would cost more.
  loops.split(at[0], v, ci, lanes, tail_of(problem.made, lanes))
      .split(v, co, v, block / lanes, Halide::TailStrategy::GuardWithIf)
      .split(co, co, cb, blocks)
      .split(at[1], xo, xi, of_row * phases, tail_of(problem.x.out, of_row * phases))
      .split(xi, xi, phase, phases, Halide::TailStrategy::GuardWithIf)
      .split(at[2], yo, yi, rows, tail_of(problem.y.out, rows))
      .split(yi, yi, yt, of_rows, Halide::TailStrategy::GuardWithIf)
      .reorder(ci, v, xi, yt, phase, xo, cb, yi, yo, co, at[3])
      .vectorize(ci)
      .unroll(v)
      .unroll(xi)
      .unroll(yt)
      .unroll(phase)
      .fuse(yo, co, task)
      .fuse(task, at[3], task)
      .parallel(task);
  // Of two tiles each has a border, which the loop over them would not be split for.
  if (problem.x.may_miss() && phases == 1 && ceil_div(width, pixels) == 2) loops.unroll(xo);
  for (Func& acc : sums) {
    const Var l = acc.args()[0], b = acc.args()[1], ax = acc.args()[2], ay = acc.args()[3];
    acc.bound_extent(l, block)
        .bound_extent(b, 1)  // it would not see that where the last block is cut off
        .bound_extent(ax, of_row)
        .bound_extent(ay, of_rows)
        .compute_at(out, xo)
        .store_in(phases == 1 ? Halide::MemoryType::Register : Halide::MemoryType::Stack)
        .vectorize(l, lanes)
        .unroll(l)
        .unroll(ax)
        .unroll(ay)
        .update()
        .reorder(l, ax, ay, r.x, r.y, r.z)
        .vectorize(l, lanes)
        .unroll(l)
        .unroll(ax)
        .unroll(ay)
        .unroll(r.x, static_cast<int>(knobs.at("unroll")))
        .unroll(r.y);
  }
  BuiltKernel built = finish(body, outputs);
  // Larger kernels meet a line of the source again and again.
  const int64_t source = is_pointwise(problem) ? int64_t{of_row} * problem.x.step * problem.summed * problem.groups : 0;
  built.streams = next_tiles(body, out, int64_t{of_row} * phases * problem.made * problem.groups, source);
  return built;
}

}  // namespace

const ScheduleTemplate templates::conv2d_direct = {.name = "conv2d_direct",
                                                   .applies = applies,
                                                   .knobs = knobs,
                                                   .defaults = defaults,
                                                   .layouts = layouts,
                                                   .build = build,
                                                   .registers = registers,
                                                   .tasks = tasks,
                                                   .takes_row_sums = true};

}  // namespace convoke
