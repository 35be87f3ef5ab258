// Problems, forms and their cost (winograd_form.h).
#include "schedules/templates/winograd_form.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <set>

#include "compiler/ops/conv2d.h"
#include "schedules/templates/body.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

bool is_plain(const Conv2d& conv) {
  const Window2d& w = conv.window;
  return w.stride_x == 1 && w.stride_y == 1 && w.dilation_x == 1 && w.dilation_y == 1 && conv.groups == 1 &&
         w.kernel.w == w.kernel.h && (w.kernel.w == 3 || w.kernel.w == 5);
}

// Lanes are whole: the widest vector that divides the channels.
int lanes_of(int channels, const TargetSpec& target) {
  return std::min(target.vector_lanes, 1 << std::countr_zero(static_cast<unsigned>(channels)));
}

int blocks_of(const WinogradProblem& problem, const WinogradForm& form, int images) {
  return ceil_div(problem.x.out, form.tile * form.tx) * ceil_div(problem.y.out, form.tile * form.ty) *
         ceil_div(images, form.images);
}

std::vector<int64_t> tiles_of(const WinogradProblem& problem) {
  return problem.kernel == 3 ? std::vector<int64_t>{2, 4} : std::vector<int64_t>{2};
}

// Of one axis: all tiles, or as many of them as share them out evenly.
std::vector<int64_t> block_sizes(const WinogradProblem& problem, int extent) {
  std::set<int64_t> sizes;
  for (int64_t tile : tiles_of(problem)) {
    const int tiles = ceil_div(extent, tile);
    for (int parts = 1; parts <= tiles; ++parts) sizes.insert(ceil_div(tiles, parts));
  }
  return {sizes.begin(), sizes.end()};
}

// What a form costs over a number of images, in multiply-adds. Beside those of the products there are the transforms,
// some 15 a point and channel; the weight, which each block reads once; V and M, where they leave the L2 cache.
double cost(const WinogradProblem& problem, const WinogradForm& form, int images, const TargetSpec& target) {
  constexpr double kOverhead = 1.1, kTransform = 15, kByteOfCache = 1, kByteOfMemory = 4, kFloat = 4;
  const double points = form.points * form.points, tiles = form.block_tiles(), in = problem.summed, out = form.channels;
  const double weight_bytes = kFloat * points * problem.summed * problem.made;
  const double byte_of_weight = weight_bytes > target.l3_bytes ? kByteOfMemory : kByteOfCache;
  const double padded = ceil_div(form.block_tiles(), form.tiles) * form.tiles;
  // A register tile of few accumulators waits for its sums; loads are a quarter of its work.
  const double accumulators = form.tiles * form.vectors, loads = form.tiles + form.vectors;
  const double products = in * out * padded * kOverhead * (std::max(accumulators, 8.0) + loads / 4) / accumulators;
  const double scratch_bytes = kFloat * points * tiles * (in + out);
  const double byte_of_scratch = scratch_bytes > target.l3_bytes   ? kByteOfMemory
                                 : scratch_bytes > target.l2_bytes ? kByteOfCache
                                                                   : 0;
  const double scratch = 2 * kFloat * byte_of_scratch * tiles * (in + out);
  const double block =
      points * (products + kTransform * tiles * (in + out) + scratch + kFloat * byte_of_weight * in * out);
  return block * ceil_div(problem.made, form.channels) * blocks_of(problem, form, images);
}

// The cheapest block of tiles that leaves tasks for a few threads; of several images where all tiles of one are few.
Knobs best_knobs(const WinogradProblem& problem, int tile, int images, const TargetSpec& target) {
  constexpr int kTasks = 4, kMaxTx = 32, kMaxImages = 8;
  const int nx = ceil_div(problem.x.out, tile), ny = ceil_div(problem.y.out, tile);
  const int tx = ceil_div(nx, ceil_div(nx, kMaxTx));
  Knobs best;
  double least = std::numeric_limits<double>::infinity();
  const auto try_block = [&](int ty, int block_images) {
    const Tile registers = best_tile({.channels = problem.made,
                                      .lanes = lanes_of(problem.made, target),
                                      .blocks = Blocks::kExact,
                                      .pixels = int64_t{tx} * ty * block_images},
                                     target);
    Knobs knobs = {{"images", block_images},      {"tasks", 1}, {"tile", tile},
                   {"tiles", registers.pixels},   {"tx", tx},   {"ty", ty},
                   {"vectors", registers.vectors}};
    const int blocks = blocks_of(problem, winograd_form(problem, knobs, target), images);
    knobs["tasks"] = std::bit_ceil(static_cast<unsigned>(ceil_div(kTasks, blocks)));
    const double price = cost(problem, winograd_form(problem, knobs, target), images, target);
    if (price >= least) return;
    least = price;
    best = knobs;
  };
  for (int ty = 1; ty <= ny; ++ty) try_block(ty, 1);
  for (int n = 2; n <= std::min(images, kMaxImages) && tx == nx; n *= 2) try_block(ny, n);
  return best;
}

}  // namespace

std::optional<WinogradProblem> winograd_problem(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  const NodeView node = anchor_view(kernel);
  const auto number = [](int64_t value) { return static_cast<int>(value); };
  if (const auto conv = as_conv2d(node); conv && is_plain(*conv)) {
    return WinogradProblem{.x = {number(conv->window.left), number(conv->in.w), number(conv->out.w)},
                           .y = {number(conv->window.top), number(conv->in.h), number(conv->out.h)},
                           .kernel = number(conv->window.kernel.w),
                           .summed = number(conv->in_c),
                           .made = number(conv->out_c),
                           .is_forward = true,
                           .has_bias = conv->has_bias};
  }
  if (const auto conv = as_conv2d_backward_data(node); conv && is_plain(*conv)) {
    const int k = number(conv->window.kernel.w);
    return WinogradProblem{.x = {k - 1 - number(conv->window.left), number(conv->out.w), number(conv->in.w)},
                           .y = {k - 1 - number(conv->window.top), number(conv->out.h), number(conv->in.h)},
                           .kernel = k,
                           .summed = number(conv->out_c),
                           .made = number(conv->in_c),
                           .is_forward = false,
                           .has_bias = false};
  }
  return std::nullopt;
}

WinogradForm winograd_form(const WinogradProblem& problem, const Knobs& knobs, const TargetSpec& target) {
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  const int lanes = lanes_of(problem.made, target), block = knob("vectors") * lanes, blocks = problem.made / block;
  return {.tile = knob("tile"),
          .points = knob("tile") + problem.kernel - 1,
          .tx = knob("tx"),
          .ty = knob("ty"),
          .images = knob("images"),
          .tiles = knob("tiles"),
          .vectors = knob("vectors"),
          .lanes = lanes,
          .lanes_in = lanes_of(problem.summed, target),
          .channels = block * static_cast<int>(largest_divisor(blocks, ceil_div(blocks, knob("tasks"))))};
}

KnobRanges winograd_knobs(const WinogradProblem& problem, const TargetSpec& target) {
  return {{"images", {1, 2, 4, 8, 16}},
          {"tasks", {1, 2, 4, 8, 16}},
          {"tile", tiles_of(problem)},
          {"tiles", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14}},
          {"tx", block_sizes(problem, problem.x.out)},
          {"ty", block_sizes(problem, problem.y.out)},
          {"vectors", divisors(problem.made / lanes_of(problem.made, target), 4)}};
}

Knobs cheapest_winograd_knobs(const WinogradProblem& problem, BatchClass batch, const TargetSpec& target) {
  const int images = typical_samples(batch);
  const auto price = [&](const Knobs& knobs) {
    return cost(problem, winograd_form(problem, knobs, target), images, target);
  };
  Knobs best;
  for (int64_t tile : tiles_of(problem)) {
    const Knobs knobs = best_knobs(problem, static_cast<int>(tile), images, target);
    if (best.empty() || price(knobs) < price(best)) best = knobs;
  }
  return best;
}

// A direct convolution runs at some 85 % of the peak; near that rate it is to be preferred for its accuracy.
bool winograd_pays(const WinogradProblem& problem, const Knobs& knobs, BatchClass batch, const TargetSpec& target) {
  constexpr double kDirectOverhead = 1.15, kLeastGain = 1.25;
  const int images = typical_samples(batch);
  const double direct = kDirectOverhead * images * problem.kernel * problem.kernel * problem.summed * problem.made *
                        problem.x.out * problem.y.out;
  return kLeastGain * cost(problem, winograd_form(problem, knobs, target), images, target) < direct;
}

}  // namespace convoke
