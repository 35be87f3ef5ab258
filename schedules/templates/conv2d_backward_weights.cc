// conv2d_backward_weights: weight gradients as products of matrices, [output channels] × [taps and input channels],
// summed over the pixels of the batch.
//
// An image is walked a few rows at a time. Those rows of the output gradient are copied to a panel of one block of
// output channels, those of the input to rows with their padding, where for tap (ky,kx) and channel ci of output pixel
// x the operand lies at x·step + q of row y, q = kx·channels + ci. So a tile of `vectors` registers of output channels
// times `taps` neighbours q is all accumulators: a pixel loads the vectors and broadcasts `taps` scalars, whatever
// stride, padding and dilation are. Its sum over the rows is then added to the sums of the whole batch.
//
// Where the weight has enough blocks (of output and of input channels), each is a task. Small weights cut the rows of
// the batch into a constant number of chunks instead, whose sums are merged in order. Either way no sum depends on the
// number of threads.
#include <algorithm>

#include "compiler/ops/conv2d.h"
#include "schedules/templates/body.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::RVar, Halide::TailStrategy, Halide::Var,
    Halide::VarOrRVar;

constexpr int kMinGroupLanes = 4;
constexpr int kEnoughTasks = 8;
constexpr int kMaxChunks = 16;
constexpr int kPixels = 128;  // that a tile adds up in registers; more where their panel is small
constexpr int kMaxTaps = 28;

// One axis of the problem, and how the copied input lies along it: tap k of output pixel o of the copy is at
// o·step + k·slope. Where taps of neighbours overlap, these are the input's own pixels from the first tap on; else
// (`expanded`) each output pixel has its taps to itself.
struct TappedAxis {
  int kernel, stride, padding, dilation, in, out;
  bool expanded;

  int step() const { return expanded ? kernel : stride; }
  int slope() const { return expanded ? 1 : dilation; }
  bool has_padding() const { return padding > 0 || (out - 1) * stride + (kernel - 1) * dilation - padding >= in; }
  // The input's pixel at place `at` of the copy.
  Expr input(const Expr& at) const {
    return expanded ? at / kernel * stride + at % kernel * dilation - padding : at - padding;
  }
};

struct Problem {
  TappedAxis x, y;
  int in_c, out_c, groups;  // channels of a group
};

std::optional<Problem> problem_of(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  const auto conv = as_conv2d_backward_weights(anchor_view(kernel));
  if (!conv) return std::nullopt;
  const Window2d& w = conv->window;
  return Problem{.x = {.kernel = static_cast<int>(w.kernel.w),
                       .stride = static_cast<int>(w.stride_x),
                       .padding = static_cast<int>(w.left),
                       .dilation = static_cast<int>(w.dilation_x),
                       .in = static_cast<int>(conv->in.w),
                       .out = static_cast<int>(conv->out.w),
                       .expanded = w.dilation_x > 1 || w.stride_x >= w.kernel.w},
                 .y = {.kernel = static_cast<int>(w.kernel.h),
                       .stride = static_cast<int>(w.stride_y),
                       .padding = static_cast<int>(w.top),
                       .dilation = static_cast<int>(w.dilation_y),
                       .in = static_cast<int>(conv->in.h),
                       .out = static_cast<int>(conv->out.h),
                       .expanded = w.stride_y >= w.kernel.h},
                 .in_c = static_cast<int>(conv->group_in_c()),
                 .out_c = static_cast<int>(conv->group_out_c()),
                 .groups = static_cast<int>(conv->groups)};
}

Blocks blocks_of(const Problem& problem) { return problem.groups > 1 ? Blocks::kExact : Blocks::kPadded; }

int lanes_of(const Problem& problem, const TargetSpec& target) {
  int lanes = lanes_of_channels(problem.out_c, target);
  while (blocks_of(problem) == Blocks::kExact && problem.out_c % lanes != 0) lanes /= 2;
  return lanes;
}

// What the knobs say of a problem.
struct Form {
  int lanes, vectors;  // of output channels
  int taps, taps_y;    // of a tile: neighbours q, rows of the kernel
  int rows;            // of output pixels, copied and added up at a time
  int channels;        // of input, a block
  int chunks;          // of the batch; 1: tasks are blocks of the weight

  int block() const { return lanes * vectors; }
};

int q_extent(const Problem& problem, int channels) { return problem.x.kernel * channels; }
int blocks_out(const Problem& problem, int block) { return ceil_div(problem.out_c, block); }  // of a group

Tile tile_of(const Problem& problem, int channels, const TargetSpec& target) {
  return best_tile({.channels = problem.out_c,
                    .lanes = lanes_of(problem, target),
                    .blocks = blocks_of(problem),
                    .pixels = q_extent(problem, channels),
                    .max_pixels = kMaxTaps},
                   target);
}

// Of `vectors` registers: as many taps as fit, in equal tiles.
int taps_of(const Problem& problem, int channels, int vectors, const TargetSpec& target) {
  const int q = q_extent(problem, channels);
  const int most = std::clamp((target.vector_registers - vectors - 3) / vectors, 1, kMaxTaps);
  return ceil_div(q, ceil_div(q, most));
}

// Rows of the kernel in a tile: several where one would leave the multiply-adds waiting for each other.
int taps_y_of(const Problem& problem, const Tile& tile, const TargetSpec& target) {
  constexpr int kHidingAccumulators = 8;
  const int accumulators = tile.vectors * tile.pixels, kernel = problem.y.kernel;
  int best = 1, fewest = kernel * std::max(accumulators, kHidingAccumulators);
  for (int rows = 2; rows <= kernel && rows * accumulators + tile.vectors + 1 <= target.vector_registers; ++rows) {
    const int steps = ceil_div(kernel, rows) * std::max(rows * accumulators, kHidingAccumulators);
    if (steps < fewest) best = rows, fewest = steps;
  }
  return best;
}

int rows_of(const Problem& problem, int block, const TargetSpec& target) {
  constexpr int kFloat = 4;
  const int pixels = std::max(kPixels, target.l1_bytes / 2 / (block * kFloat));
  return static_cast<int>(largest_divisor(problem.y.out, std::max(1, pixels / problem.x.out)));
}

// Floats of the copies that a task reads again and again.
int64_t working_set(const Problem& problem, int channels, int block, const TargetSpec& target) {
  const TappedAxis &x = problem.x, &y = problem.y;
  const int64_t rows = rows_of(problem, block, target);
  const int64_t in_rows = (rows - 1) * y.step() + (y.kernel - 1) * y.slope() + 1;
  const int64_t in_row = ((x.out - 1) * x.step() + (x.kernel - 1) * x.slope() + 1) * int64_t{channels};
  return rows * x.out * block + in_rows * in_row;
}

struct Split {
  int channels, chunks;
};

// The largest block of input channels whose rows leave room for the sums in the L2 cache. Tasks are blocks of the
// weight where it is large: each then reads the images again. Else they are chunks of the batch, which read them once.
Split split_of(const Problem& problem, const TargetSpec& target) {
  constexpr int kMinTaps = 8, kFloat = 4, kSmall = 1 << 16;
  const int64_t weights =
      int64_t{kFloat} * problem.groups * problem.out_c * problem.in_c * problem.x.kernel * problem.y.kernel;
  Split chunks{.channels = 1, .chunks = weights <= kSmall ? kMaxChunks : kMaxChunks / 2}, blocks = chunks;
  for (int64_t channels : divisors(problem.in_c, problem.in_c)) {
    const int c = static_cast<int>(channels), block = lanes_of(problem, target) * tile_of(problem, c, target).vectors;
    const int tasks = problem.groups * blocks_out(problem, block) * (problem.in_c / c);
    const bool fits = working_set(problem, c, block, target) * kFloat <= target.l2_bytes / 3;
    const bool has_taps = q_extent(problem, c) >= std::min(kMinTaps, q_extent(problem, problem.in_c));
    if (fits || !has_taps || c == 1) chunks.channels = c;
    if (has_taps && tasks >= kEnoughTasks && (fits || blocks.chunks != 1)) blocks = {.channels = c, .chunks = 1};
  }
  return weights <= target.l2_bytes / 3 ? chunks : blocks;
}

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = problem_of(kernel);
  return problem && (problem->groups == 1 || lanes_of(*problem, target) >= kMinGroupLanes);
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec& target) {
  const Problem problem = *problem_of(kernel);
  const int lanes = lanes_of(problem, target);
  KnobRanges ranges = {{"channels", divisors(problem.in_c, problem.in_c)},
                       {"chunks", {1, kMaxChunks / 2, kMaxChunks}},
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

Knobs defaults(const Kernel& kernel, const TargetSpec& target) {
  const Problem problem = *problem_of(kernel);
  const Split split = split_of(problem, target);
  const Tile tile = tile_of(problem, split.channels, target);
  return {{"channels", split.channels},
          {"chunks", split.chunks},
          {"rows", rows_of(problem, lanes_of(problem, target) * tile.vectors, target)},
          {"taps", tile.pixels},
          {"taps_y", taps_y_of(problem, tile, target)},
          {"vectors", tile.vectors}};
}

PreferredLayouts layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  PreferredLayouts layouts = plain_layouts(kernel, knobs, target);
  const int block = lanes_of(*problem_of(kernel), target) * static_cast<int>(knobs.at("vectors"));
  for (size_t i = 0; i < layouts.outputs.size(); ++i) {
    layouts.outputs[i] = packed_weights(kernel.body.type(kernel.body.outputs[i]).dims, block);
  }
  return layouts;
}

// The block of output channels of a packed weight [co/block][ky][kx][ci][co%block]; 0: another layout.
int packed_block(const Kernel& kernel) {
  const Layout& layout = kernel.output_layouts[0];
  if (layout.plain()) return 0;
  const int64_t block = layout.axes[0].block;
  const Layout packed = packed_weights(kernel.body.type(kernel.body.outputs[0]).dims, block);
  return layout == packed ? static_cast<int>(block) : 0;
}

// The register tile of the knobs, where blocks of the output consist of its blocks; else one where they do.
Form form_of(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const Problem problem = *problem_of(kernel);
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  Form form{.lanes = lanes_of(problem, target),
            .vectors = knob("vectors"),
            .taps = knob("taps"),
            .taps_y = knob("taps_y"),
            .rows = knob("rows"),
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

// The algorithm: from the operands to the sums. `t` counts groups of rows over all images, blocks go over all groups.
struct Stages {
  Var l{"l"}, q{"q"}, ky{"ky"}, ci{"ci"}, co{"co"}, t{"t"}, f{"f"}, x{"x"}, y{"y"}, chunk{"chunk"};
  Func gradient{"gradient_panel"};  // (l, x, y, co, t): l of block co of the output gradient
  Func input{"input_rows"};         // (f, y, ci, t): f = place·channels + channel
  Func tile{"tile"};                // (l, q, ky, ci, co, t): sums over one group of rows
  Func sums{"sums"};                // (l, q, ky, ci, co, chunk)
  RDom gradient_r, input_r, pixel, group;
};

struct Work {
  const Problem problem;
  const Form form;
  const Body& body;

  int row_groups() const { return problem.y.out / form.rows; }
  int in_blocks() const { return problem.in_c / form.channels; }
  int out_blocks() const { return blocks_out(problem, form.block()); }
  int q() const { return q_extent(problem, form.channels); }
  bool has_idle_lanes() const { return problem.out_c % form.block() != 0; }
};

void define_gradient(const Work& work, Stages& s) {
  const Func& dy = anchor_operand(work.body, 0);
  const int block = work.form.block(), channels = work.problem.out_c * work.problem.groups;
  const Expr row = s.t % work.row_groups() * work.form.rows + s.y, n = s.t / work.row_groups();
  if (!work.has_idle_lanes()) {
    s.gradient(s.l, s.x, s.y, s.co, s.t) = dy(s.co * block + s.l, s.x, row, n);
    return;
  }
  s.gradient_r = RDom(0, std::min(block, channels));
  const Expr channel = s.co * block + s.gradient_r;
  if (channels > block) s.gradient_r.where(channel < channels);
  s.gradient(s.l, s.x, s.y, s.co, s.t) = Halide::undef<float>();  // sums of idle lanes are not used
  s.gradient(s.gradient_r, s.x, s.y, s.co, s.t) = dy(min(channel, channels - 1), s.x, row, n);
}

void define_input(const Work& work, Stages& s) {
  const Func& source = anchor_operand(work.body, 1);
  const TappedAxis &x = work.problem.x, &y = work.problem.y;
  const int channels = work.form.channels;
  const Expr first_row = s.t % work.row_groups() * work.form.rows * y.stride, n = s.t / work.row_groups();
  const Expr row = first_row + y.input(s.y), inside_row = clamp(row, 0, y.in - 1);
  // Places that no pixel is copied to count where they are padding.
  s.input(s.f, s.y, s.ci, s.t) = x.has_padding() || y.has_padding() ? Expr(0.0f) : Halide::undef<float>();
  if (x.expanded) {
    s.input_r = RDom(0, channels, 0, x.kernel, 0, x.out);
    const Expr column = s.input_r.z * x.stride + s.input_r.y * x.dilation - x.padding;
    s.input_r.where(row >= 0 && row < y.in && column >= 0 && column < x.in);
    s.input(s.input_r.x + channels * (s.input_r.y + x.kernel * s.input_r.z), s.y, s.ci, s.t) =
        source(s.ci * channels + s.input_r.x, clamp(column, 0, x.in - 1), inside_row, n);
  } else {
    s.input_r = RDom(0, channels * x.in);
    s.input_r.where(row >= 0 && row < y.in);
    s.input(x.padding * channels + s.input_r, s.y, s.ci, s.t) =
        source(s.ci * channels + s.input_r % channels, s.input_r / channels, inside_row, n);
  }
}

Stages define_sums(const Work& work) {
  Stages s;
  define_gradient(work, s);
  define_input(work, s);
  const TappedAxis &x = work.problem.x, &y = work.problem.y;
  s.pixel = RDom(0, x.out, 0, work.form.rows, "pixel");
  const Expr group = work.problem.groups > 1 ? s.co / work.out_blocks() : Expr(0);
  s.tile(s.l, s.q, s.ky, s.ci, s.co, s.t) = 0.0f;
  s.tile(s.l, s.q, s.ky, s.ci, s.co, s.t) +=
      s.gradient(s.l, s.pixel.x, s.pixel.y, s.co, s.t) * s.input(s.pixel.x * (x.step() * work.form.channels) + s.q,
                                                                 s.pixel.y * y.step() + s.ky * y.slope(),
                                                                 group * work.in_blocks() + s.ci, s.t);

  const Expr groups = work.body.batch * work.row_groups(),
             of_chunk = (groups + work.form.chunks - 1) / work.form.chunks;
  s.group = RDom(0, of_chunk, "group");
  Expr t = s.group.x;
  if (work.form.chunks > 1) {
    t += s.chunk * of_chunk;
    s.group.where(t < groups);
    t = clamp(t, 0, groups - 1);
  }
  s.sums(s.l, s.q, s.ky, s.ci, s.co, s.chunk) = 0.0f;
  s.sums(s.l, s.q, s.ky, s.ci, s.co, s.chunk) += s.tile(s.l, s.q, s.ky, s.ci, s.co, t);
  return s;
}

// Where the gradient of weight (kx,ky,ci,co) is, as arguments of sums without the chunk.
std::vector<Expr> place_of(const Work& work, const std::vector<Var>& at) {
  const int channels = work.form.channels, block = work.form.block();
  return {at[3] % block, at[0] * channels + at[2] % channels, at[1], at[2] / channels, at[3] / block};
}

void schedule_sums(const Work& work, Stages& s) {
  const Form& form = work.form;
  Var qo("qo"), qi("qi"), yo("yo"), yi("yi");
  // Off the stack, which is small.
  s.sums.store_in(MemoryType::Heap)
      .bound_extent(s.l, form.block())
      .bound_extent(s.q, ceil_div(work.q(), form.taps) * form.taps)
      .bound_extent(s.ky, ceil_div(work.problem.y.kernel, form.taps_y) * form.taps_y)
      .vectorize(s.l, form.lanes);
  s.sums.update()
      .split(s.q, qo, qi, form.taps, TailStrategy::RoundUp)
      .split(s.ky, yo, yi, form.taps_y, TailStrategy::RoundUp)
      .reorder(s.l, qi, yi, qo, yo, s.ci, s.co, s.group.x, s.chunk)
      .vectorize(s.l, form.lanes)
      .unroll(s.l)
      .unroll(qi)
      .unroll(yi)
      .never_partition(s.group.x);
  s.tile.compute_at(s.sums, qo)
      .store_in(MemoryType::Register)
      .bound_extent(s.l, form.block())
      .bound_extent(s.q, form.taps)
      .bound_extent(s.ky, form.taps_y)
      .vectorize(s.l, form.lanes)
      .unroll(s.l)
      .unroll(s.q)
      .unroll(s.ky);
  s.tile.update()
      .reorder(s.l, s.q, s.ky, s.pixel.x, s.pixel.y, s.ci, s.co, s.t)
      .vectorize(s.l, form.lanes)
      .unroll(s.l)
      .unroll(s.q)
      .unroll(s.ky);
}

void schedule_copies(const Work& work, Stages& s, const TargetSpec& target) {
  const Form& form = work.form;
  s.gradient.compute_at(s.sums, s.group.x)
      .store_in(MemoryType::Heap)
      .bound_extent(s.l, form.block())
      .vectorize(s.l, form.lanes)
      .unroll(s.l);
  if (work.has_idle_lanes()) {
    const int lanes = static_cast<int>(work.problem.out_c < form.block() ? work.problem.out_c : form.lanes);
    s.gradient.update().allow_race_conditions().vectorize(s.gradient_r.x, lanes);
  }
  s.input.compute_at(s.sums, s.group.x)
      .store_in(MemoryType::Heap)
      .vectorize(s.f, target.vector_lanes, TailStrategy::RoundUp);
  Halide::Stage update = s.input.update();
  update.allow_race_conditions();
  if (work.problem.x.expanded) {
    update.reorder(s.input_r.x, s.input_r.y, s.input_r.z, s.y);
    update.vectorize(s.input_r.x, lanes_for(form.channels, target), TailStrategy::GuardWithIf);
  } else if (form.channels < work.problem.in_c * work.problem.groups) {
    RVar place("place"), channel("channel");
    update.split(s.input_r.x, place, channel, form.channels);
    update.reorder(channel, place, s.y);
    update.vectorize(channel, lanes_for(form.channels, target), TailStrategy::GuardWithIf);
  } else {
    update.reorder(s.input_r.x, s.y);
    update.vectorize(s.input_r.x, lanes_for(form.channels * work.problem.x.in, target), TailStrategy::GuardWithIf);
  }
}

// Chunks of the batch, merged in order.
Func merge_chunks(const Work& work, Stages& s) {
  Func partial("partial"), merged("merged");
  const std::vector<Var> at = {s.l, s.q, s.ky, s.ci, s.co};
  std::vector<Expr> of_chunk(at.begin(), at.end());
  of_chunk.push_back(s.chunk);
  std::vector<Var> with_chunk = at;
  with_chunk.push_back(s.chunk);
  partial(with_chunk) = s.sums(of_chunk);
  RDom r(0, work.form.chunks);
  of_chunk.back() = r;
  merged(at) = 0.0f;
  merged(at) += partial(of_chunk);

  partial.compute_root().bound_extent(s.l, work.form.block()).vectorize(s.l, work.form.lanes).parallel(s.chunk);
  s.sums.compute_at(partial, s.chunk);
  merged.compute_root().bound_extent(s.l, work.form.block()).vectorize(s.l, work.form.lanes);
  merged.update().reorder(s.l, s.q, s.ky, s.ci, s.co, r).vectorize(s.l, work.form.lanes);
  return merged;
}

// Tasks are the blocks of `weights`, which has the dimensions (kx,ky,ci,co), or (lane,ci,kx,ky,block) of `packed`
// lanes.
void schedule_tasks(const Work& work, const Stages& s, Func& weights, int packed) {
  const Form& form = work.form;
  const std::vector<Var> at = weights.args();
  Var co("task"), co_in("co_in"), ci("ci_out"), ci_in("ci_in"), lane("lane");
  const TailStrategy tail = tail_of(work.problem.out_c, form.block());
  if (packed == 0) {
    weights.split(at[3], co, co_in, form.block(), tail)
        .split(at[2], ci, ci_in, form.channels, TailStrategy::RoundUp)
        .reorder(at[0], at[1], ci_in, co_in, ci, co)
        .fuse(ci, co, co);
  } else {
    weights.split(at[0], lane, co_in, form.block(), TailStrategy::RoundUp)
        .split(at[1], ci, ci_in, form.channels, TailStrategy::RoundUp)
        .reorder(co_in, ci_in, at[2], at[3], ci, lane, at[4])
        .vectorize(co_in, form.lanes)
        .fuse(ci, lane, co)
        .fuse(co, at[4], co);
  }
  weights.parallel(co);
  Func(s.sums).compute_at(weights, co).bound_extent(s.ci, 1).bound_extent(s.co, 1);
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  Body body = make_body(kernel);
  const Work work{.problem = *problem_of(kernel), .form = form_of(kernel, knobs, target), .body = body};
  Stages stages = define_sums(work);
  schedule_sums(work, stages);
  schedule_copies(work, stages, target);
  Var kx("kx"), ky("ky"), ci("ci"), co("co");
  std::vector<Expr> place = place_of(work, {kx, ky, ci, co});
  Func weights("weights");
  const bool has_chunks = work.form.chunks > 1;
  if (has_chunks) {
    weights(kx, ky, ci, co) = merge_chunks(work, stages)(place);
  } else {
    place.emplace_back(0);
    weights(kx, ky, ci, co) = stages.sums(place);
  }
  set_anchor(body, {weights});
  std::vector<Func> outputs = make_outputs(body);
  const int packed = packed_block(kernel);
  if (has_chunks) {
    for (Func& output : outputs) output.compute_root();
  } else if (outputs.size() == 1 && packed % work.form.block() == 0) {
    schedule_tasks(work, stages, outputs[0], packed);
  } else {
    weights.compute_root();
    schedule_tasks(work, stages, weights, 0);
  }
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::conv2d_backward_weights = {
    "conv2d_backward_weights", applies, knobs, defaults, layouts, build};

}  // namespace convoke
