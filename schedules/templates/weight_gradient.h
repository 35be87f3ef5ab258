// Sums of weight gradients: the algorithm and the loop nest of conv2d_backward_weights, up to where the sums go.
//
// Images are walked a few rows at a time, small ones a few images at a time. Those rows of the output gradient are
// copied to a panel of one block of output channels, those of the input to rows with their padding, where for tap
// (ky,kx) and channel ci of output pixel x the operand lies at x·step + q of row y, q = kx·channels + ci. So a tile of
// `vectors` registers of output channels times `taps` neighbours q is all accumulators: a pixel loads the vectors and
// broadcasts `taps` scalars, whatever stride, padding and dilation are. Its sum over those pixels is then added to the
// sums of the whole batch. Where tiles share out the channels, each has its own pieces of the rows side by side: pixels
// that are all channels apart would meet in few sets of the L1 cache.
#pragma once

#include <optional>

#include "schedules/templates/body.h"

namespace convoke {

// One axis of the problem, and how the copied input lies along it: tap k of output pixel o of the copy is at
// o·step + k·slope. Where taps of neighbours overlap, these are the input's own pixels from the first tap on; else
// (`expanded`) each output pixel has its taps to itself. Taps at the ends that meet nothing but padding are left out.
struct TappedAxis {
  int kernel, stride, padding, dilation, in, out;
  bool expanded;
  int first, all;  // which of all taps of the convolution's kernel the `kernel` ones are

  int step() const { return expanded ? kernel : stride; }
  int slope() const { return expanded ? 1 : dilation; }
  bool has_padding() const { return padding > 0 || (out - 1) * stride + (kernel - 1) * dilation - padding >= in; }
};

struct WeightGradient {
  TappedAxis x, y;
  int in_c, out_c, groups;  // channels of a group
};

// Nothing when the kernel's anchor is another op.
std::optional<WeightGradient> as_weight_gradient(const Kernel& kernel);

// What the knobs say of a problem.
struct WeightGradientForm {
  int lanes, vectors;  // of output channels
  int taps, taps_y;    // of a tile: neighbours q, rows of the kernel
  int rows;            // of output pixels, copied and added up at a time
  int images;          // likewise; more than one only with all of their rows
  int channels;        // of input, a block
  int chunks;          // of the batch; 1: none
  int blocks = 1;      // of output channels, a task

  int block() const { return lanes * vectors; }
  // Channels that lie together in the copied input: a tile's taps where they share out the block, or all.
  int piece() const { return channels % taps == 0 ? taps : channels; }
};

struct WeightGradientWork {
  const WeightGradient problem;
  const WeightGradientForm form;
  const Body& body;

  int row_groups() const { return problem.y.out / form.rows; }
  int in_blocks() const { return problem.in_c / form.channels; }  // of a group
  int out_blocks() const { return (problem.out_c + form.block() - 1) / form.block(); }
  int q() const { return problem.x.kernel * form.channels; }
  bool has_idle_lanes() const { return problem.out_c % form.lanes != 0; }
};

// `t` counts groups of rows over all images, or groups of images, m the images of one; blocks go over all groups of
// channels.
struct WeightGradientSums {
  Halide::Var l{"l"}, q{"q"}, ky{"ky"}, ci{"ci"}, co{"co"}, t{"t"}, f{"f"}, x{"x"}, y{"y"}, m{"m"}, p{"p"},
      chunk{"chunk"};
  Halide::Func gradient{"gradient_panel"};  // (l, x, y, m, co, t): l of block co of the output gradient
  Halide::Func input{"input_rows"};         // (f, y, m, p, ci, t): f = place·piece + channel of piece p
  Halide::Func tile{"tile"};                // (l, q, ky, ci, co, t): sums over one group
  Halide::Func sums{"sums"};                // (l, q, ky, ci, co, chunk)
  Halide::RDom gradient_r, input_r, pixel, group;
};

// Scheduled but for where the sums are computed.
WeightGradientSums make_sums(const WeightGradientWork& work, const TargetSpec& target);

// (kx, ky, ci, co) of all taps of the convolution, from those of the problem: the others are zero.
Halide::Func all_taps(const WeightGradient& problem, const Halide::Func& weights);

// (l, q, ky, ci, co): the sums of all chunks, added up in order. Chunks are tasks.
Halide::Func merge_chunks(const WeightGradientWork& work, WeightGradientSums& sums);

}  // namespace convoke
