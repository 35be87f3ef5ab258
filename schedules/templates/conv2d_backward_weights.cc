// conv2d_backward_weights: weight gradients of convolutions as products of matrices, [output channels] × [taps and
// input channels], summed over the pixels of the batch (weight_gradient.h), into any layout of the parameter.
//
// Large weights are cut into tasks, a block of input channels times several of output channels. Small ones cut the rows
// of the batch into a constant number of chunks instead, whose sums are merged in order. Either way no sum depends on
// the number of threads.
#include <algorithm>
#include <bit>

#include "schedules/templates/tile.h"
#include "schedules/templates/weight_gradient.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::TailStrategy, Halide::Var;

constexpr int kMinGroupLanes = 4;
constexpr int kEnoughTasks = 8;
constexpr int kMaxChunks = 16;
constexpr int kPixels = 128;  // that a tile adds up in registers; more where their panel is small
constexpr int kMaxTaps = 28;
constexpr int kPixelsAhead = 8;  // of the copies

Blocks blocks_of(const WeightGradient& problem) { return problem.groups > 1 ? Blocks::kExact : Blocks::kPadded; }

int lanes_of(const WeightGradient& problem, const TargetSpec& target) {
  int lanes = lanes_of_channels(problem.out_c, target);
  while (blocks_of(problem) == Blocks::kExact && problem.out_c % lanes != 0) lanes /= 2;
  return lanes;
}

int q_extent(const WeightGradient& problem, int channels) { return problem.x.kernel * channels; }
int64_t weight_bytes(const WeightGradient& problem) {
  constexpr int kFloat = 4;
  return int64_t{kFloat} * problem.groups * problem.out_c * problem.in_c * problem.x.kernel * problem.y.kernel;
}
int blocks_out(const WeightGradient& problem, int block) { return ceil_div(problem.out_c, block); }  // of a group

Tile tile_of(const WeightGradient& problem, int channels, const TargetSpec& target) {
  return best_tile({.channels = problem.out_c,
                    .lanes = lanes_of(problem, target),
                    .blocks = blocks_of(problem),
                    .pixels = q_extent(problem, channels),
                    .max_pixels = kMaxTaps},
                   target);
}

// Of `vectors` registers: as many taps as fit, in equal tiles.
int taps_of(const WeightGradient& problem, int channels, int vectors, const TargetSpec& target) {
  const int q = q_extent(problem, channels);
  const int most = std::clamp((target.vector_registers - vectors - 3) / vectors, 1, kMaxTaps);
  return ceil_div(q, ceil_div(q, most));
}

// Rows of the kernel in a tile: several where one would leave the multiply-adds waiting for each other.
int taps_y_of(const WeightGradient& problem, const Tile& tile, const TargetSpec& target) {
  constexpr int kHidingAccumulators = 8;
  const int accumulators = tile.vectors * tile.pixels, kernel = problem.y.kernel;
  int best = 1, fewest = kernel * std::max(accumulators, kHidingAccumulators);
  for (int rows = 2; rows <= kernel && rows * accumulators + tile.vectors + 1 <= target.vector_registers; ++rows) {
    const int steps = ceil_div(kernel, rows) * std::max(rows * accumulators, kHidingAccumulators);
    if (steps < fewest) best = rows, fewest = steps;
  }
  return best;
}

int rows_of(const WeightGradient& problem, int block, const TargetSpec& target) {
  constexpr int kFloat = 4;
  const int pixels = std::max(kPixels, target.l1_bytes / 2 / (block * kFloat));
  return static_cast<int>(largest_divisor(problem.y.out, std::max(1, pixels / problem.x.out)));
}

// Floats of the copies of an image that a task reads again and again.
int64_t working_set(const WeightGradient& problem, int channels, int block, const TargetSpec& target) {
  const TappedAxis &x = problem.x, &y = problem.y;
  const int64_t rows = rows_of(problem, block, target);
  const int64_t in_rows = (rows - 1) * y.step() + (y.kernel - 1) * y.slope() + 1;
  const int64_t in_row = ((x.out - 1) * x.step() + (x.kernel - 1) * x.slope() + 1) * int64_t{channels};
  return rows * x.out * block + in_rows * in_row;
}

// Images whose pixels together are worth a load and a store of the sums.
int images_of(const WeightGradient& problem, int channels, int block, const TargetSpec& target) {
  constexpr int kFloat = 4, kMaxImages = 32;
  if (rows_of(problem, block, target) < problem.y.out) return 1;
  const int64_t cached = target.l2_bytes / 3 / (kFloat * working_set(problem, channels, block, target));
  const int64_t wanted = std::clamp<int64_t>(kPixels / (problem.x.out * problem.y.out), 1, kMaxImages);
  return static_cast<int>(std::bit_floor(static_cast<uint64_t>(std::clamp<int64_t>(cached, 1, wanted))));
}

// How many blocks of output channels a task makes from one copy of the input: as many as leave enough tasks and let
// their sums stay in the L2 cache, and such that the last task's are hardly fewer. Of groups one: each reads other
// channels.
int task_blocks(const WeightGradient& problem, int channels, int block, const TargetSpec& target) {
  constexpr int kFloat = 4, kIdleShare = 20;
  if (problem.groups > 1) return 1;
  const int64_t blocks = blocks_out(problem, block), of_input = problem.in_c / channels;
  const int64_t sums = int64_t{kFloat} * block * channels * problem.x.kernel * problem.y.kernel;
  int64_t best = 1;
  for (int64_t many = 1; many <= blocks && many * sums <= target.l2_bytes / 4; ++many) {
    const int64_t shares = ceil_div(blocks, many), idle = shares * many - blocks;
    if (shares * of_input >= kEnoughTasks && kIdleShare * idle <= blocks) best = many;
  }
  return static_cast<int>(best);
}

struct Split {
  int channels, chunks;
};

// The block of input channels whose rows leave room for the sums in the L2 cache and that has the least copied. Tasks
// are blocks of the weight where it is large: those of other output channels copy the input again, those of other input
// channels the gradient. Else they are chunks of the batch, which read them once, and blocks are the largest: more
// pixels are worth merging larger weights.
Split split_of(const WeightGradient& problem, const TargetSpec& target) {
  constexpr int kMinTaps = 8, kFloat = 4, kSmall = 1 << 16, kManyPixels = 512;
  const int64_t weights = weight_bytes(problem);
  Split chunks{.channels = 1, .chunks = weights <= kSmall ? kMaxChunks : kMaxChunks / 2}, blocks = chunks;
  double least = 0;
  for (int64_t channels : divisors(problem.in_c, problem.in_c)) {
    const int c = static_cast<int>(channels), block = lanes_of(problem, target) * tile_of(problem, c, target).vectors;
    const int tasks = problem.groups * blocks_out(problem, block) * (problem.in_c / c);
    const bool fits = working_set(problem, c, block, target) * kFloat <= target.l2_bytes / 3;
    const bool has_taps = q_extent(problem, c) >= std::min(kMinTaps, q_extent(problem, problem.in_c));
    if (fits || !has_taps || c == 1) chunks.channels = c;
    if (!has_taps || tasks < kEnoughTasks || (!fits && blocks.chunks == 1)) continue;
    const int outputs = block * task_blocks(problem, c, block, target);
    const double copied = 1.0 * problem.x.step() * problem.y.step() / outputs + 1.0 / c;
    if (blocks.chunks != 1 || copied <= least) blocks = {.channels = c, .chunks = 1}, least = copied;
  }
  const bool is_large = problem.x.out * problem.y.out >= kManyPixels;
  return weights <= target.l2_bytes / (is_large ? 2 : 3) ? chunks : blocks;
}

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = as_weight_gradient(kernel);
  return problem && (problem->groups == 1 || lanes_of(*problem, target) >= kMinGroupLanes);
}

// Numbers of chunks whose sums, each as large as the weight, the last cache keeps.
std::vector<int64_t> chunk_numbers(const WeightGradient& problem, const TargetSpec& target) {
  std::vector<int64_t> numbers = {1};
  for (int64_t chunks : {kMaxChunks / 2, kMaxChunks}) {
    if (chunks * weight_bytes(problem) <= target.l3_bytes) numbers.push_back(chunks);
  }
  return numbers;
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec& target) {
  const WeightGradient problem = *as_weight_gradient(kernel);
  const int lanes = lanes_of(problem, target);
  KnobRanges ranges = {{"channels", divisors(problem.in_c, problem.in_c)},
                       {"chunks", chunk_numbers(problem, target)},
                       {"images", {1, 2, 4, 8, 16, 32}},
                       {"rows", divisors(problem.y.out, 28)},
                       {"taps", {}},
                       {"taps_y", {}},
                       {"vectors", {}}};
  for (int64_t taps = 1; taps <= kMaxTaps; ++taps) ranges["taps"].push_back(taps);
  for (int64_t rows = 1; rows <= std::min(problem.y.kernel, kMaxTaps); ++rows) ranges["taps_y"].push_back(rows);
  for (int64_t vectors = 1; vectors <= 4; ++vectors) {
    if (blocks_of(problem) == Blocks::kExact && problem.out_c % (vectors * lanes) != 0) continue;
    ranges["vectors"].push_back(vectors);
  }
  return ranges;
}

Knobs defaults(const Kernel& kernel, BatchClass, const TargetSpec& target) {
  const WeightGradient problem = *as_weight_gradient(kernel);
  const Split split = split_of(problem, target);
  const Tile tile = tile_of(problem, split.channels, target);
  const int block = lanes_of(problem, target) * tile.vectors;
  return {{"channels", split.channels},
          {"chunks", split.chunks},
          {"images", split.chunks > 1 ? 1 : images_of(problem, split.channels, block, target)},
          {"rows", rows_of(problem, block, target)},
          {"taps", tile.pixels},
          {"taps_y", taps_y_of(problem, tile, target)},
          {"vectors", tile.vectors}};
}

int tasks(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target, int) {
  const WeightGradient problem = *as_weight_gradient(kernel);
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  if (knob("chunks") > 1) return knob("chunks");
  const int block = lanes_of(problem, target) * knob("vectors"), channels = knob("channels");
  const int blocks = ceil_div(blocks_out(problem, block), task_blocks(problem, channels, block, target));
  return problem.groups * blocks * (problem.in_c / channels);
}

int registers(const Knobs& knobs) {
  return registers_of({.vectors = static_cast<int>(knobs.at("vectors")), .pixels = static_cast<int>(knobs.at("taps"))});
}

PreferredLayouts layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  return packed_weight_outputs(kernel,
                               lanes_of(*as_weight_gradient(kernel), target) * static_cast<int>(knobs.at("vectors")));
}

// The register tile of the knobs, where blocks of the output consist of its blocks; else one where they do.
WeightGradientForm tile_form(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const WeightGradient problem = *as_weight_gradient(kernel);
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  WeightGradientForm form{.lanes = lanes_of(problem, target),
                          .vectors = knob("vectors"),
                          .taps = knob("taps"),
                          .taps_y = knob("taps_y"),
                          .rows = knob("rows"),
                          .images = knob("rows") == problem.y.out ? knob("images") : 1,
                          .channels = knob("channels"),
                          .chunks = knob("chunks")};
  const int packed = packed_block(kernel);
  if (form.chunks > 1 || packed % form.lanes != 0 || packed % form.block() == 0) return form;
  for (int64_t vectors : divisors(packed / form.lanes, 4)) {
    const bool exact = problem.out_c % (form.lanes * vectors) == 0;
    if (exact || blocks_of(problem) == Blocks::kPadded) form.vectors = static_cast<int>(vectors);
  }
  form.taps = taps_of(problem, form.channels, form.vectors, target);
  form.taps_y = taps_y_of(problem, {.vectors = form.vectors, .pixels = form.taps}, target);
  return form;
}

// And how many of its blocks a task makes, whole blocks of the output.
WeightGradientForm form_of(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  WeightGradientForm form = tile_form(kernel, knobs, target);
  if (form.chunks > 1) return form;
  form.blocks = task_blocks(*as_weight_gradient(kernel), form.channels, form.block(), target);
  const int packed = packed_block(kernel);
  if (packed % form.block() == 0 && form.blocks * form.block() % std::max(packed, 1) != 0) form.blocks = 1;
  return form;
}

// Where the gradient of weight (kx,ky,ci,co) is, as arguments of sums without the chunk.
std::vector<Expr> place_of(const WeightGradientWork& work, const std::vector<Var>& at) {
  const int channels = work.form.channels, block = work.form.block();
  return {at[3] % block, at[0] * channels + at[2] % channels, at[1], at[2] / channels, at[3] / block};
}

// Tasks are `blocks` blocks of `weights`, which has the dimensions (kx,ky,ci,co), or (lane,ci,kx,ky,block) of `packed`
// lanes.
void schedule_tasks(const WeightGradientWork& work, const WeightGradientSums& s, Func& weights, int packed) {
  const WeightGradientForm& form = work.form;
  const std::vector<Var> at = weights.args();
  Var co("task"), co_in("co_in"), ci("ci_out"), ci_in("ci_in"), lane("lane"), block("block");
  if (packed == 0) {
    const int range = form.block() * form.blocks;
    weights.split(at[3], co, co_in, range, tail_of(work.problem.out_c, range))
        .split(at[2], ci, ci_in, form.channels, TailStrategy::RoundUp)
        .reorder(at[0], at[1], ci_in, co_in, ci, co)
        .fuse(ci, co, co);
  } else {
    const int of_packed = packed / form.block();  // blocks
    const int of_task = std::max(form.blocks / of_packed, 1);
    weights.split(at[0], lane, co_in, form.block(), TailStrategy::RoundUp)
        .split(at[1], ci, ci_in, form.channels, TailStrategy::RoundUp)
        .split(at[4], co, block, of_task, tail_of(ceil_div(work.problem.out_c, packed), of_task))
        .vectorize(co_in, form.lanes);
    if (form.blocks == 1) {
      weights.reorder(co_in, ci_in, at[2], at[3], ci, lane, block, co).fuse(ci, lane, ci).fuse(block, co, co);
    } else {
      weights.reorder(co_in, ci_in, at[2], at[3], lane, block, ci, co);
    }
    weights.fuse(ci, co, co);
  }
  weights.parallel(co);
  Func(s.sums).compute_at(weights, co).bound_extent(s.ci, 1).bound_extent(s.co, form.blocks);
}

// Chunks read all of the batch once, in bursts of a group's rows: the next group's are on their way during the sums,
// where the L2 cache keeps them beside this one's. Tasks that are blocks of channels read lines here and there.
std::vector<Stream> next_rows(const WeightGradientWork& work, const Func& products, const TargetSpec& target) {
  constexpr int64_t kFloat = 4;
  const TappedAxis &x = work.problem.x, &y = work.problem.y;
  const Kernel& kernel = *work.body.kernel;
  std::vector<Stream> streams = activation_streams(work.body, kPixelsAhead);
  if (work.form.chunks == 1) return streams;
  const bool has_images = work.form.images > 1;
  const int64_t outputs = int64_t{x.out} * (has_images ? work.form.images * y.out : work.form.rows);
  const int64_t inputs = int64_t{x.in} * (has_images ? work.form.images * y.in : work.form.rows * y.stride);
  const int64_t bursts[] = {outputs * work.problem.out_c * work.problem.groups,
                            inputs * work.problem.in_c * work.problem.groups};
  if (kFloat * (bursts[0] + bursts[1]) > target.l2_bytes / 3) return streams;
  for (int operand : {0, 1}) {
    const int input = anchor_input(kernel, operand);
    // Of every second pixel of every second row a quarter is read.
    if (input < 0 || (operand == 1 && x.expanded && x.stride > 1)) continue;
    const std::string& name = work.body.params[static_cast<size_t>(input)].name();
    std::erase_if(streams, [&](const Stream& stream) { return stream.buffer == name; });
    streams.push_back({.buffer = name, .ahead = bursts[operand], .during = products.name()});
  }
  return streams;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  Body body = make_body(kernel);
  const WeightGradientWork work{
      .problem = *as_weight_gradient(kernel), .form = form_of(kernel, knobs, target), .body = body};
  WeightGradientSums sums = make_sums(work, target);
  Var kx("kx"), ky("ky"), ci("ci"), co("co");
  std::vector<Expr> place = place_of(work, {kx, ky, ci, co});
  Func weights("weights");
  const bool has_chunks = work.form.chunks > 1;
  if (has_chunks) {
    weights(kx, ky, ci, co) = merge_chunks(work, sums)(place);
  } else {
    place.emplace_back(0);
    weights(kx, ky, ci, co) = sums.sums(place);
  }
  weights = all_taps(work.problem, weights);
  set_anchor(body, {weights});
  std::vector<Func> outputs = make_outputs(body);
  const int packed = packed_block(kernel);
  if (has_chunks) {
    for (Func& output : outputs) output.compute_root();
  } else if (outputs.size() == 1 && packed % work.form.block() == 0) {
    schedule_tasks(work, sums, outputs[0], packed);
  } else {
    weights.compute_root();
    schedule_tasks(work, sums, weights, 0);
  }
  BuiltKernel built = finish(body, outputs);
  built.streams = next_rows(work, sums.tile, target);
  return built;
}

}  // namespace

const ScheduleTemplate templates::conv2d_backward_weights = {.name = "conv2d_backward_weights",
                                                             .applies = applies,
                                                             .knobs = knobs,
                                                             .defaults = defaults,
                                                             .layouts = layouts,
                                                             .build = build,
                                                             .registers = registers,
                                                             .tasks = tasks};

}  // namespace convoke
