// conv2d_backward_weights_winograd: weight gradients of 3×3 convolutions by Winograd's F(m×m,3×3), m = 2 to 7, and of
// 5×5 by F(m×m,5×5), m = 2 to 5 (winograd_weight_gradient.h), into any layout of the parameter.
//
// Tasks are blocks of the weight, of output times input channels; where those are few, each is cut into slices of the
// batch, a constant number of them, whose gradients are added up in order. Either way no sum depends on the number of
// threads.
#include <algorithm>

#include "schedules/templates/tile.h"
#include "schedules/templates/winograd_weight_gradient.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::Var;

constexpr int kTilesAhead = 2;
constexpr int kMaxSlices = 8, kMaxChannels = 256, kMaxVectors = 4, kMaxBlocks = 16;

int taps_of(const Kernel& kernel) { return as_winograd_weight_gradient(kernel, 2)->taps; }

std::vector<int> tiles_of(const Kernel& kernel) { return winograd_gradient_tiles(taps_of(kernel)); }

// The most input channels that leave the accumulators, the vectors and a broadcast in registers, a divisor of a panel.
int taps_in_registers(int vectors, const TargetSpec& target) {
  int taps = kWinogradPanel;
  while (taps > 1 && vectors * taps + vectors + 1 > target.vector_registers) taps /= 2;
  return taps;
}

bool applies(const Kernel& kernel, const TargetSpec& target) {
  const auto problem = as_winograd_weight_gradient(kernel, 2);
  return problem && problem->in_c % kWinogradPanel == 0 && problem->out_c % target.vector_lanes == 0;
}

std::vector<int64_t> in_blocks(const WinogradWeightGradient& problem) {
  std::vector<int64_t> blocks = divisors(problem.in_c, kMaxChannels);
  std::erase_if(blocks, [](int64_t channels) { return channels % kWinogradPanel != 0; });
  return blocks;
}

KnobRanges knobs(const Kernel& kernel, const TargetSpec&) {
  const std::vector<int> tiles = tiles_of(kernel);
  return {{"blocks", {1, 2, 4, 8, kMaxBlocks}},
          {"channels", in_blocks(*as_winograd_weight_gradient(kernel, 2))},
          {"chunk", {8, 14, 16, 28, 32, 56, 64, 112, 128}},
          {"slices", {1, 2, 4, kMaxSlices}},
          {"tile", {tiles.begin(), tiles.end()}},
          {"vectors", {1, 2, 3, kMaxVectors}}};
}

// Multiply-adds of the direct sums of one weight over `images`, at the share of the peak that they reach.
double direct_cost(const WinogradWeightGradient& problem, int images) {
  constexpr double kReached = 0.85;
  return problem.taps * problem.taps * images * problem.x.out * problem.y.out / kReached;
}

// The same by tiles: the products, a share of the transforms of their operands, which serve a block of channels, and
// what is left to do with the sums of each slice. Prices of transforms are those of as many multiply-adds, measured at
// F(3,4); by the point they grow with the number of points of an axis.
double winograd_cost(const WinogradWeightGradient& problem, const Knobs& knobs, int images, const TargetSpec& target) {
  constexpr double kReached = 0.9, kInput = 22 / 6.0, kGradient = 16 / 6.0, kSums = 3.5;
  const double points = problem.points() * problem.points();
  const auto knob = [&](std::string_view name) { return static_cast<double>(knobs.find(name)->second); };
  const double out_c = std::min(knob("blocks") * knob("vectors") * target.vector_lanes, problem.out_c * 1.0);
  const double of_tile = 1 / kReached + problem.points() * (kInput / out_c + kGradient / knob("channels"));
  return points * (images * problem.tiles() * of_tile + kSums * knob("slices"));
}

// Large blocks, whose operands are transformed less often; with larger ones two threads' sums (2.4 MB each) would share
// the last cache's bandwidth. Register tiles of three vectors where the channels are whole ones. A chunk that leaves a
// point's operands in the L1 cache. Slices where blocks are few, of two chunks at least, then fewer input channels.
Knobs knobs_for_tile(const Kernel& kernel, int tile, int images, const TargetSpec& target) {
  constexpr int kOutputs = 192, kInputs = 128, kChunk = 32, kEnoughTasks = 8, kFewestTasks = 4;
  const WinogradWeightGradient problem = *as_winograd_weight_gradient(kernel, tile);
  const int vectors = problem.out_c % (3 * target.vector_lanes) == 0 ? 3 : 2;
  const int block = target.vector_lanes * vectors, blocks_out = ceil_div(problem.out_c, block);
  int blocks = 1;
  while (2 * blocks <= blocks_out && 2 * blocks * block <= kOutputs) blocks *= 2;
  const auto knobs_for = [&](int inputs) -> Knobs {
    int channels = kWinogradPanel, slices = 1;
    for (int64_t divisor : in_blocks(problem)) channels = divisor <= inputs ? static_cast<int>(divisor) : channels;
    const int tasks = ceil_div(blocks_out, blocks) * (problem.in_c / channels);
    const int most = std::min(kMaxSlices, images * problem.tiles() / (2 * kChunk));
    while (2 * slices <= most && slices * tasks < kEnoughTasks) slices *= 2;
    if (slices * tasks < kFewestTasks && inputs > kWinogradPanel) return {};
    return {{"blocks", blocks}, {"channels", channels}, {"chunk", kChunk},
            {"slices", slices}, {"tile", tile},         {"vectors", vectors}};
  };
  Knobs knobs;
  for (int inputs = kInputs; knobs.empty(); inputs /= 2) knobs = knobs_for(inputs);
  return knobs;
}

struct Choice {
  Knobs knobs;
  bool pays;
};

Choice best_of_tiles(const Kernel& kernel, int images, const TargetSpec& target) {
  Choice best{.knobs = {}, .pays = false};
  double least = 0;
  for (int tile : tiles_of(kernel)) {
    const WinogradWeightGradient problem = *as_winograd_weight_gradient(kernel, tile);
    Knobs knobs = knobs_for_tile(kernel, tile, images, target);
    const double cost = winograd_cost(problem, knobs, images, target);
    if (!best.knobs.empty() && cost >= least) continue;
    least = cost;
    best = {.knobs = std::move(knobs), .pays = cost < direct_cost(problem, images)};
  }
  return best;
}

int tasks(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target, int) {
  const WinogradWeightGradient problem = *as_winograd_weight_gradient(kernel, 2);
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  const int outputs = knob("blocks") * knob("vectors") * target.vector_lanes;
  return ceil_div(problem.out_c, outputs) * (problem.in_c / knob("channels")) * knob("slices");
}

Knobs defaults(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  return best_of_tiles(kernel, typical_samples(batch), target).knobs;
}

std::vector<Knobs> starts(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  std::vector<Knobs> starts;
  for (int tile : tiles_of(kernel)) starts.push_back(knobs_for_tile(kernel, tile, typical_samples(batch), target));
  return starts;
}

bool pays(const Kernel& kernel, BatchClass batch, const TargetSpec& target) {
  return best_of_tiles(kernel, typical_samples(batch), target).pays;
}

double relative_error(const Kernel& kernel, const Knobs& knobs) {
  return winograd_gradient_error(taps_of(kernel), static_cast<int>(knobs.at("tile")));
}

PreferredLayouts layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  return packed_weight_outputs(kernel, target.vector_lanes * static_cast<int>(knobs.at("vectors")));
}

// The blocks of a packed output that consist of vectors; else blocks of our own. A register tile divides a block.
WinogradForm form_of(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  const int lanes = target.vector_lanes, packed = packed_block(kernel);
  WinogradForm form{.chunk = knob("chunk"),
                    .lanes = lanes,
                    .vectors = knob("vectors"),
                    .taps = 0,
                    .block = lanes * knob("vectors"),
                    .blocks = knob("blocks"),
                    .channels = knob("channels"),
                    .slices = knob("slices"),
                    .unrolls_tiles = unrolls_tiles(target)};
  if (packed > 0 && packed % lanes == 0) {
    form.blocks = std::max(1, form.blocks * form.block / packed);
    form.block = packed;
    form.vectors = static_cast<int>(packed % form.vectors == 0 && packed / lanes % form.vectors == 0
                                        ? form.vectors
                                        : largest_divisor(packed / lanes, kMaxVectors));
  }
  form.taps = taps_in_registers(form.vectors, target);
  return form;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target) {
  Body body = make_body(kernel);
  const WinogradWork work{.problem = *as_winograd_weight_gradient(kernel, static_cast<int>(knobs.find("tile")->second)),
                          .form = form_of(kernel, knobs, target),
                          .body = body};
  WinogradGradient sums = make_winograd_gradient(work);
  Var kx("kx"), ky("ky"), ci("ci"), co("co");
  Expr sum;
  for (int slice = 0; slice < work.form.slices; ++slice) {
    const Expr part = sums.gradient(co % work.form.block, ci, kx, ky, co / work.form.block, slice);
    sum = sum.defined() ? sum + part : part;
  }
  Func weights("weights");
  weights(kx, ky, ci, co) = sum;
  set_anchor(body, {weights});
  std::vector<Func> outputs = make_outputs(body);
  const bool is_packed = packed_block(kernel) == work.form.block;
  if (outputs.size() == 1 && is_packed && work.form.slices == 1) {
    schedule_winograd_tasks(work, sums, outputs[0]);
  } else {
    sums.gradient.compute_root();
    schedule_winograd_tasks(work, sums, sums.gradient);
    for (Func& output : outputs) {
      output.compute_root().parallel(output.args().back());
      if (is_packed) output.vectorize(output.args()[0], work.form.lanes);
    }
  }
  BuiltKernel built = finish(body, outputs);
  built.streams = activation_streams(body, kTilesAhead * work.problem.tile());
  return built;
}

}  // namespace

const ScheduleTemplate templates::conv2d_backward_weights_winograd = {.name = "conv2d_backward_weights_winograd",
                                                                      .applies = applies,
                                                                      .knobs = knobs,
                                                                      .defaults = defaults,
                                                                      .layouts = layouts,
                                                                      .build = build,
                                                                      .pays = pays,
                                                                      .relative_error = relative_error,
                                                                      .starts = starts,
                                                                      .tasks = tasks};

}  // namespace convoke
