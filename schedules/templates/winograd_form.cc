// Problems, forms and their cost (winograd_form.h).
#include "schedules/templates/winograd_form.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <ranges>
#include <set>

#include "compiler/ops/conv2d.h"
#include "compiler/ops/pool2d.h"
#include "runtime/base/check.h"
#include "schedules/templates/body.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

bool is_square(const Conv2d& conv) {
  const Window2d& w = conv.window;
  return w.stride_x == w.stride_y && w.dilation_x == 1 && w.dilation_y == 1 && conv.groups == 1 &&
         w.kernel.w == w.kernel.h;
}

// Of the kernel's pooling along an axis; 1: it has none, 0: not one of k×k whole windows beside each other.
int pooled_pixels(const Kernel& kernel) {
  if (kernel.pooling == kNoPooling) return 1;
  const Pool2d pool = *as_max_pool2d(view(kernel.body, kernel.body.nodes[kernel.pooling]));
  const int64_t k = pool.window.kernel.w;
  const bool is_even = pool.window.kernel == Extent2d{k, k} && pool.window.stride_x == k && pool.window.stride_y == k &&
                       pool.window.dilation_x == 1 && pool.window.dilation_y == 1 &&
                       pool.in == Extent2d{k * pool.out.h, k * pool.out.w};
  return is_even ? static_cast<int>(k) : 0;
}

// Lanes are whole: the widest vector that divides the channels.
int lanes_of(int channels, const TargetSpec& target) {
  return std::min(target.vector_lanes, 1 << std::countr_zero(static_cast<unsigned>(channels)));
}

int blocks_of_row(const WinogradProblem& problem, const WinogradForm& form) {
  return ceil_div(problem.x.out, form.x.outputs * form.tx);
}

int blocks_of(const WinogradProblem& problem, const WinogradForm& form, int images) {
  return blocks_of_row(problem, form) * ceil_div(problem.y.out, form.y.outputs * form.ty) *
         ceil_div(images, form.images);
}

// F(tile×tile, kernel×kernel) of a stride; tiles with other columns than rows have the means of both.
//
// `error` is relative to the direct sums'. Rounding errors of independent terms add as squares: row i of A weighs those
// of point j, whose transforms make factors of √Σ B² and √Σ G². Σ_j A²_ij·ΣB²_j·ΣG²_j over k terms, of the worst row;
// the square of its root for two dimensions.
//
// `transform` is the price of both transforms of a channel's tile by the point, in multiply-adds (cost).
struct Offer {
  int kernel, stride, tile;
  double error, transform;
};

constexpr Offer kOffers[] = {
    {3, 1, 2, 1, 3.5}, {3, 1, 4, 2.5, 10.5}, {3, 1, 5, 5.7, 14}, {3, 1, 6, 15.4, 16},
    {3, 1, 7, 40, 20}, {5, 1, 2, 1.1, 3.5},  {5, 1, 3, 2.4, 9},  {5, 1, 4, 6, 9},
    {3, 2, 2, 1, 2},   {3, 2, 3, 1, 3},      {3, 2, 4, 1, 6},    {3, 2, 5, 2.4, 6},
    {3, 2, 6, 5.3, 8}, {7, 2, 2, 1, 6},      {7, 2, 3, 1, 7},    {7, 2, 4, 1.6, 8},
};

const Offer& offer_of(const WinogradProblem& problem, int tile) {
  const auto* found = std::ranges::find_if(kOffers, [&](const Offer& offer) {
    return offer.kernel == problem.kernel && offer.stride == problem.stride && offer.tile == tile;
  });
  ENSURE(found != std::end(kOffers)) << "F(" << tile << "," << problem.kernel << "), stride " << problem.stride;
  return *found;
}

double transform_price(const WinogradProblem& problem, const WinogradForm& form) {
  return std::midpoint(offer_of(problem, form.x.outputs).transform, offer_of(problem, form.y.outputs).transform);
}

constexpr double kMostErrorOfSmall = 6;

// So many tiles of an axis hold whole windows of the pooling.
int unit_of(const WinogradProblem& problem, int64_t tile) {
  return problem.pool / static_cast<int>(std::gcd(problem.pool, tile));
}

// All tiles of an axis, or as many of them as share them out evenly.
std::set<int64_t> shares(const WinogradProblem& problem, int64_t tile, int extent) {
  std::set<int64_t> sizes;
  const int unit = unit_of(problem, tile), units = ceil_div(extent, tile * unit);
  for (int parts = 1; parts <= units; ++parts) sizes.insert(unit * ceil_div(units, parts));
  return sizes;
}

// For any of the tiles.
std::vector<int64_t> block_sizes(const WinogradProblem& problem, const std::vector<int64_t>& tiles, int extent) {
  std::set<int64_t> sizes;
  for (int64_t tile : tiles) sizes.merge(shares(problem, tile, extent));
  return {sizes.begin(), sizes.end()};
}

// The share of so many bytes that a cache does not keep.
double beyond(double cache_bytes, double bytes) { return std::max(0.0, 1 - cache_bytes / bytes); }

// What a form costs over a number of images, in multiply-adds; constants were fitted to 63 measured blocks of tiles
// up to 6, 4 % off in the mean and 10 % at most. F(7,3)'s price is that of its operations beside F(6,3)'s; the tuner's
// blocks for it are those that the model picks.
//
// Products: a register tile of few accumulators waits for its sums; its vectors come from the L2 cache, its broadcasts
// from the L1. They hide most of the reading of the weight: the first block's comes from memory, of later ones what the
// last cache does not keep. Transforms: by the size of their tiles. V and M: what leaves the L2 cache, where the
// weight and what is read and made want to stay too; half of the last cache is another core's. Shares read V as slices
// of one point, which costs them little while a cache holds it. A gradient's weight is transformed in each step, at the
// speed of memory, which threads do not multiply.
double cost(const WinogradProblem& problem, const WinogradForm& form, int images, const TargetSpec& target) {
  constexpr double kFloat = 4, kLatency = 8, kVector = 0.35, kBroadcast = 0.15;
  constexpr double kByteOfCache = 0.6, kByteOfMemory = 2, kSpilledByte = 1.1, kExposed = 1.0 / 3, kTransformed = 32;
  const double points = form.points(), tiles = form.block_tiles(), in = problem.summed, out = form.channels;
  const int blocks = blocks_of(problem, form, images);

  const double padded = ceil_div(form.block_tiles(), form.tiles) * form.tiles;
  const double accumulators = form.tiles * form.vectors;
  const double loads = kBroadcast * form.tiles + kVector * form.vectors;
  const double products = in * out * padded * (std::max(accumulators, kLatency) + loads) / accumulators;
  const double from_memory = std::max(1.0 / blocks, beyond(target.l3_bytes, kFloat * points * in * problem.made));
  const double byte_of_weight = std::lerp(kByteOfCache, kByteOfMemory, from_memory);
  const double weight = kFloat * byte_of_weight * in * out;

  const double v_bytes = kFloat * points * tiles * in, m_bytes = kFloat * points * tiles * out;
  const auto transforms = [&](double bytes, int readers) {
    const double spilled = 2 * kSpilledByte * beyond(target.l2_bytes / 3.0, bytes);
    const double in_memory = (1 + readers) * kByteOfMemory * beyond(target.l3_bytes / 2.0, bytes);
    return bytes * (transform_price(problem, form) / kFloat + spilled + in_memory);
  };
  const double share = points * (std::max(products, weight) + kExposed * std::min(products, weight));
  const double block = form.shares > 1
                           ? transforms(v_bytes, form.shares) + form.shares * (share + transforms(m_bytes, 1))
                           : share + transforms(v_bytes + m_bytes, 1);
  const double of_step = problem.is_forward ? 0 : kTransformed * points * in * problem.made;
  return block * blocks + of_step;
}

KnobRanges knobs_of_tiles(const WinogradProblem& problem, const std::vector<int64_t>& tiles, const TargetSpec& target) {
  return {{"images", {1, 2, 4, 8, 16}},
          {"tasks", {1, 2, 4, 8, 16}},
          {"tile_x", tiles},
          {"tile_y", tiles},
          {"tiles", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14}},
          {"tx", block_sizes(problem, tiles, problem.x.out)},
          {"ty", block_sizes(problem, tiles, problem.y.out)},
          {"vectors", divisors(problem.made / lanes_of(problem.made, target), 4)}};
}

// For a few threads. Blocks are only shared out where they are fewer: of many, one after the other, threads would wait
// for each other twice in each. The first layer of ResNet-18 in 196 blocks of 16 shares took two threads 2.2 times as
// long as one.
constexpr int kEnoughTasks = 4;

// The cheapest knobs of a tile size whose blocks leave tasks for a few threads; of several images where all tiles of
// one are few.
Knobs best_knobs(const WinogradProblem& problem, int64_t tile_y, int64_t tile_x, int images, const TargetSpec& target) {
  constexpr int kMaxTx = 32, kMaxImages = 16;
  const std::set<int64_t> along_x = shares(problem, tile_x, problem.x.out),
                          along_y = shares(problem, tile_y, problem.y.out);
  const KnobRanges ranges = knobs_of_tiles(problem, {tile_x}, target);
  Knobs best;
  auto least = std::pair(true, std::numeric_limits<double>::infinity());
  const auto try_block = [&](int64_t tx, int64_t ty, int64_t block_images) {
    for (int64_t vectors : ranges.at("vectors")) {
      for (int64_t tiles : ranges.at("tiles")) {
        const Tile registers = {.vectors = static_cast<int>(vectors), .pixels = static_cast<int>(tiles)};
        if (registers_of(registers) > target.vector_registers) continue;
        Knobs knobs = {{"images", block_images}, {"tasks", 1}, {"tile_x", tile_x}, {"tile_y", tile_y},
                       {"tiles", tiles},         {"tx", tx},   {"ty", ty},         {"vectors", vectors}};
        if (blocks_of(problem, winograd_form(problem, knobs, target), images) < kEnoughTasks)
          knobs["tasks"] = kEnoughTasks;
        const WinogradForm form = winograd_form(problem, knobs, target);
        const auto price =
            std::pair(winograd_tasks(problem, form, images) < kEnoughTasks, cost(problem, form, images, target));
        if (price >= least) continue;
        least = price;
        best = knobs;
      }
    }
  };
  for (int64_t tx : std::views::reverse(along_x)) {  // of equals the widest
    for (int64_t ty : along_y) {
      if (tx <= kMaxTx) try_block(tx, ty, 1);
    }
  }
  for (int n = 2; n <= std::min(images, kMaxImages); n *= 2) try_block(*along_x.rbegin(), *along_y.rbegin(), n);
  return best;
}

}  // namespace

std::optional<WinogradProblem> winograd_problem(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  const NodeView node = anchor_view(kernel);
  const int pool = pooled_pixels(kernel);
  if (pool == 0) return std::nullopt;
  const auto number = [](int64_t value) { return static_cast<int>(value); };
  const auto offered = [](WinogradProblem problem) -> std::optional<WinogradProblem> {
    if (!has_tiles(problem, TileSizes::kSmall)) return std::nullopt;
    return problem;
  };
  if (const auto conv = as_conv2d(node); conv && is_square(*conv)) {
    return offered({.x = {number(conv->window.left), number(conv->in.w), number(conv->out.w)},
                    .y = {number(conv->window.top), number(conv->in.h), number(conv->out.h)},
                    .kernel = number(conv->window.kernel.w),
                    .stride = number(conv->window.stride_x),
                    .summed = number(conv->in_c),
                    .made = number(conv->out_c),
                    .is_forward = true,
                    .has_bias = conv->has_bias,
                    .pool = pool,
                    .has_row_sums = kernel.row_sums != kNoRowSums});
  }
  if (const auto conv = as_conv2d_backward_data(node); conv && is_square(*conv) && conv->window.stride_x == 1) {
    const int k = number(conv->window.kernel.w);
    return offered({.x = {k - 1 - number(conv->window.left), number(conv->out.w), number(conv->in.w)},
                    .y = {k - 1 - number(conv->window.top), number(conv->out.h), number(conv->in.h)},
                    .kernel = k,
                    .stride = 1,
                    .summed = number(conv->out_c),
                    .made = number(conv->in_c),
                    .is_forward = false,
                    .has_bias = false});
  }
  return std::nullopt;
}

std::vector<int64_t> winograd_tiles(const WinogradProblem& problem, TileSizes sizes) {
  std::vector<int64_t> tiles;
  for (const Offer& offer : kOffers) {
    if (offer.kernel != problem.kernel || offer.stride != problem.stride) continue;
    if ((offer.error > kMostErrorOfSmall) == (sizes == TileSizes::kLarge)) tiles.push_back(offer.tile);
  }
  return tiles;
}

bool has_tiles(const WinogradProblem& problem, TileSizes sizes) { return !winograd_tiles(problem, sizes).empty(); }

double winograd_error(const WinogradProblem& problem, int tile_y, int tile_x) {
  return std::sqrt(offer_of(problem, tile_y).error * offer_of(problem, tile_x).error);
}

WinogradForm winograd_form(const WinogradProblem& problem, const Knobs& knobs, const TargetSpec& target) {
  const auto knob = [&](std::string_view name) { return static_cast<int>(knobs.find(name)->second); };
  const int lanes = lanes_of(problem.made, target), block = knob("vectors") * lanes, blocks = problem.made / block;
  const int channels = block * static_cast<int>(largest_divisor(blocks, ceil_div(blocks, knob("tasks"))));
  const int unit_x = unit_of(problem, knob("tile_x")), unit_y = unit_of(problem, knob("tile_y"));
  return {.x = {knob("tile_x"), problem.kernel, problem.stride},
          .y = {knob("tile_y"), problem.kernel, problem.stride},
          .tx = ceil_div(knob("tx"), unit_x) * unit_x,
          .ty = ceil_div(knob("ty"), unit_y) * unit_y,
          .images = knob("images"),
          .tiles = knob("tiles"),
          .vectors = knob("vectors"),
          .lanes = lanes,
          .lanes_in = lanes_of(problem.summed, target),
          .unit_x = unit_x,
          .unit_y = unit_y,
          .shares = problem.made / channels,
          .channels = channels};
}

int winograd_tasks(const WinogradProblem& problem, const WinogradForm& form, int images) {
  const int blocks = blocks_of(problem, form, images);
  if (form.shares == 1) return problem.has_row_sums ? blocks / blocks_of_row(problem, form) : blocks;
  return blocks < kEnoughTasks ? form.shares : 1;
}

KnobRanges winograd_knobs(const WinogradProblem& problem, TileSizes sizes, const TargetSpec& target) {
  return knobs_of_tiles(problem, winograd_tiles(problem, sizes), target);
}

std::vector<Knobs> cheap_winograd_knobs(const WinogradProblem& problem, TileSizes sizes, BatchClass batch,
                                        const TargetSpec& target) {
  const int images = typical_samples(batch);
  std::vector<Knobs> best;
  for (int64_t tile_y : winograd_tiles(problem, sizes)) {
    for (int64_t tile_x : winograd_tiles(problem, sizes)) {
      if (tile_x == tile_y || tile_x == 2 * tile_y) best.push_back(best_knobs(problem, tile_y, tile_x, images, target));
    }
  }
  std::ranges::stable_sort(best, {}, [&](const Knobs& knobs) {
    return cost(problem, winograd_form(problem, knobs, target), images, target);
  });
  return best;
}

// A direct convolution runs at some 85 % of the peak; near that rate it is to be preferred for its accuracy. A pooling
// behind it must not cost more than a pass of its own, in multiply-adds by the pixel as measured where caches keep
// them.
bool winograd_pays(const WinogradProblem& problem, TileSizes sizes, BatchClass batch, const TargetSpec& target) {
  constexpr double kDirectOverhead = 1.15, kLeastGain = 1.25, kPoolingPass = 8;
  const int images = typical_samples(batch);
  const double pixels = static_cast<double>(images) * problem.made * problem.x.out * problem.y.out;
  const double direct = kDirectOverhead * pixels * problem.kernel * problem.kernel * problem.summed;
  const auto least_cost = [&](const WinogradProblem& of, TileSizes with) {
    const Knobs cheapest = cheap_winograd_knobs(of, with, batch, target).front();
    return cost(of, winograd_form(of, cheapest, target), images, target);
  };
  const double here = least_cost(problem, sizes);
  if (kLeastGain * here >= direct) return false;
  WinogradProblem alone = problem;
  alone.pool = 1;
  const auto beside = [&](TileSizes other) { return has_tiles(alone, other) ? least_cost(alone, other) : here; };
  if (problem.pool > 1) {
    const double best = std::min(beside(TileSizes::kSmall), beside(TileSizes::kLarge));
    if (here > best + kPoolingPass * pixels) return false;
  }
  return sizes == TileSizes::kSmall || here < beside(TileSizes::kSmall);
}

}  // namespace convoke
