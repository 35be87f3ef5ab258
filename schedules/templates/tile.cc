// Shapes of register tiles from vector width and register count (tile.h).
#include "schedules/templates/tile.h"

#include <algorithm>
#include <cmath>

namespace convoke {

namespace {

constexpr int kMaxVectors = 4;
constexpr int kHidingAccumulators = 10;  // independent FMAs that hide the latency of one, with some to spare

// Time of one step of the sum over all tiles, in FMAs. As many ports load as multiply, at the same time: the larger of
// the two numbers counts, and the smaller the more the nearer it comes (fitted to measured tiles, within 10 %).
double price(const TiledExtent& extent, const Tile& tile) {
  const int tiles = ceil_div(extent.channels, extent.lanes * tile.vectors) * ceil_div(extent.pixels, tile.pixels);
  const int fmas = std::max(tile.vectors * tile.pixels, kHidingAccumulators), loads = tile.vectors + tile.pixels;
  return tiles * std::pow(std::pow(fmas, 4) + std::pow(loads, 4), 0.25);
}

// The least tile of as many tiles as `wanted` pixels would make.
int even_pixels(const TiledExtent& extent, int wanted) {
  return ceil_div(extent.pixels, ceil_div(extent.pixels, wanted));
}

}  // namespace

int registers_of(const Tile& tile) {
  const int loaded = tile.vectors > 1 ? tile.vectors : 0;
  return tile.vectors * tile.pixels + loaded + 1;
}

int lanes_of_channels(int64_t channels, const TargetSpec& target) {
  int lanes = target.vector_lanes;
  while (lanes > 1 && ceil_div(channels, lanes / 2) == ceil_div(channels, lanes)) lanes /= 2;
  return lanes;
}

Tile best_tile(const TiledExtent& extent, const TargetSpec& target) {
  Tile best{.vectors = 1, .pixels = even_pixels(extent, 1)};
  for (int vectors = 1; vectors <= kMaxVectors; ++vectors) {
    if (extent.blocks == Blocks::kExact && extent.channels % (extent.lanes * vectors) != 0) continue;
    for (int wanted = 1; wanted <= extent.max_pixels; ++wanted) {
      const Tile tile{.vectors = vectors, .pixels = even_pixels(extent, wanted)};
      if (registers_of(tile) <= target.vector_registers && price(extent, tile) < price(extent, best)) best = tile;
    }
  }
  return best;
}

bool has_one_output_shape(const Kernel& kernel) {
  const std::vector<ValueId>& outputs = kernel.body.outputs;
  if (kernel.row_sums != kNoRowSums) return true;
  return std::ranges::all_of(
      outputs, [&](ValueId output) { return kernel.body.type(output).dims == kernel.body.type(outputs[0]).dims; });
}

Halide::TailStrategy tail_of(int64_t extent, int64_t factor) {
  return extent % factor == 0 ? Halide::TailStrategy::RoundUp : Halide::TailStrategy::GuardWithIf;
}

std::vector<int64_t> divisors(int64_t extent, int64_t limit) {
  std::vector<int64_t> result;
  for (int64_t d = 1; d <= std::min(extent, limit); ++d) {
    if (extent % d == 0) result.push_back(d);
  }
  return result;
}

int64_t largest_divisor(int64_t extent, int64_t limit) { return divisors(extent, limit).back(); }

}  // namespace convoke
