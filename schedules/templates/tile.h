// Register tiles of the templates that contract (convolutions, GEMMs): a block of channels, `vectors` registers of
// `lanes` wide, times a few pixels, all of it accumulators. Broadcasts of the one operand meet vectors of the other.
#pragma once

#include "schedules/templates/template.h"

namespace convoke {

constexpr int ceil_div(int64_t a, int64_t b) { return static_cast<int>((a + b - 1) / b); }

// The fewest vectors that cover `channels`, and of those the narrowest.
int lanes_of_channels(int64_t channels, const TargetSpec& target);

struct Tile {
  int vectors = 1, pixels = 1;
};

// Accumulators, the vectors of a step, and a broadcast. A single vector may come from memory again.
int registers_of(const Tile& tile);

// What is to be tiled. Padded: the last block may reach beyond the channels. Exact: it may not (they are another
// group's).
enum class Blocks { kPadded, kExact };
struct TiledExtent {
  int64_t channels = 1;
  int lanes = 1;
  Blocks blocks = Blocks::kPadded;
  int64_t pixels = 1;
  int64_t max_pixels = 28;
};

// The tile whose accumulators, vectors and broadcast stay in registers and that needs the fewest instructions over all
// tiles, what the last ones compute in vain included.
Tile best_tile(const TiledExtent& extent, const TargetSpec& target);

// All outputs have one shape, so that one loop nest makes them; but for row_sums, which it makes on the way.
bool has_one_output_shape(const Kernel& kernel);

Halide::TailStrategy tail_of(int64_t extent, int64_t factor);

// Numbers from 1 to `limit` that divide `extent`, ascending.
std::vector<int64_t> divisors(int64_t extent, int64_t limit);
int64_t largest_divisor(int64_t extent, int64_t limit);

}  // namespace convoke
