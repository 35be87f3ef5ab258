// What conv2d_winograd computes, in which blocks, and which blocks are cheap: everything but the code.
#pragma once

#include <optional>

#include "schedules/templates/template.h"
#include "schedules/templates/winograd.h"

namespace convoke {

// Along one axis output pixel o sums the pixels o − padding + k of the source.
struct WinogradAxis {
  int padding, source, out;
};

struct WinogradProblem {
  WinogradAxis x, y;
  int kernel, stride;  // k×k
  int summed, made;
  bool is_forward, has_bias;
  int pool = 1;               // pool×pool pixels become one behind it, without padding
  bool has_row_sums = false;  // behind it: a row's blocks come one after the other
};

// Nothing for kernels that minimal filtering does not fit.
std::optional<WinogradProblem> winograd_problem(const Kernel& kernel);

// Large tiles take fewer products; their results are off by more than twice as much as those of small ones.
enum class TileSizes : uint8_t { kSmall, kLarge };
std::vector<int64_t> winograd_tiles(const WinogradProblem& problem, TileSizes sizes);  // ascending
bool has_tiles(const WinogradProblem& problem, TileSizes sizes);

// The rounding error of F(tile_y×tile_x, k×k), relative to the direct sums'.
double winograd_error(const WinogradProblem& problem, int tile_y, int tile_x);

// What the knobs say of a problem.
struct WinogradForm {
  Filtering x, y;        // of a tile
  int tx, ty, images;    // a block of tiles
  int tiles, vectors;    // a register tile
  int lanes, lanes_in;   // of what is made, of what is summed
  int unit_x, unit_y;    // so many tiles of an axis hold whole windows of the pooling
  int shares, channels;  // of what is made, each a task if they are several, and a share's channels

  int points() const { return x.points() * y.points(); }
  int block() const { return vectors * lanes; }
  int block_tiles() const { return tx * ty * images; }
};

WinogradForm winograd_form(const WinogradProblem& problem, const Knobs& knobs, const TargetSpec& target);
int winograd_tasks(const WinogradProblem& problem, const WinogradForm& form, int images);

KnobRanges winograd_knobs(const WinogradProblem& problem, TileSizes sizes, const TargetSpec& target);
// The cheapest of each square tile and of each twice as wide as high, the cheapest first, whether or not a direct
// convolution is cheaper. The latter are for small maps of one image: of 512 channels at 7x7 F(2x4,3x3) takes three
// quarters of the products of F(2x2,3x3), and reads two thirds of the weight of F(4x4,3x3).
std::vector<Knobs> cheap_winograd_knobs(const WinogradProblem& problem, TileSizes sizes, BatchClass batch,
                                        const TargetSpec& target);
// Beside a direct convolution and, of large tiles, small ones.
bool winograd_pays(const WinogradProblem& problem, TileSizes sizes, BatchClass batch, const TargetSpec& target);

}  // namespace convoke
