// Body: what every template starts from and ends with. It gives the kernel's operands as Funcs over logical dimensions
// (compiler/ops/lower/lower.h: an activation is (c,x,y,n), a weight (kx,ky,ci,co)) whatever their layouts, lowers the
// elementwise nodes before and behind the anchor, and makes the output Funcs over the dimensions in memory. Between the
// two a template writes its own form of the anchor.
//
//   Body body = make_body(kernel);                 // sources and what comes before the anchor
//   Func x = anchor_operand(body, 0);
//   set_anchor(body, {acc});                       // and what comes behind it
//   std::vector<Func> outputs = make_outputs(body);
//   … schedule …
//   return finish(body, outputs);
#pragma once

#include "compiler/ops/op.h"
#include "schedules/templates/template.h"

namespace convoke {

struct Body {
  const Kernel* kernel;
  // As kernel.inputs, over the dimensions in memory, innermost first: constant bounds and strides; the batch, or its
  // blocks of images, comes last, its extent is free.
  std::vector<Halide::ImageParam> params;
  std::vector<Halide::Func> values;  // by ValueId, logical; undefined while unknown
  Halide::Expr batch;                // the n of this call; undefined when no operand has one that lies plain
  Halide::Expr blocks;               // of images, likewise
};

Body make_body(const Kernel& kernel);

// The anchor as ops see it, and its operands and results.
NodeView anchor_view(const Kernel& kernel);
const Halide::Func& anchor_operand(const Body& body, int operand);
// Which of kernel.inputs operand `operand` of the anchor is; -1 when other nodes stand between.
int anchor_input(const Kernel& kernel, int operand);

// Gives the anchor's results as logical Funcs, and lowers the nodes behind it: a pooling as an expression over the
// pixels of its window.
void set_anchor(Body& body, std::vector<Halide::Func> results);

// One Func an output over the dimensions in memory (batch last), zero where the layout pads, with constant bounds and
// strides. Neighbouring outputs of one shape and layout are one Func of Tuples, so that they share a loop nest: each
// element's operands are then read before any result is stored, which outputs that replace operands rely on.
// A kernel with row_sums has one Func, whose schedule keeps so many pixels side by side (row_sums.h).
std::vector<Halide::Func> make_outputs(const Body& body, int side_by_side = 1);

// Makes the values of all outputs, when they have one shape, elements of one Func of Tuples: computed at a vector of
// the output's loop it holds every result before the first is stored. Undefined when there is one output only.
Halide::Func join_outputs(Body& body);

// Puts in place what `out` calls, but for `kept`, as Halide does only after it has simplified specializations: these
// then drop what their condition rules out, instead of computing it under a condition that never holds.
void inline_calls(const Halide::Func& out, const std::vector<Halide::Func>& kept);

BuiltKernel finish(const Body& body, const std::vector<Halide::Func>& outputs);

// For BuiltKernel::streams: the operands that have a batch, `pixels` further on; of a loop over tiles of `out`, `tile`
// elements further on in it and in what is elementwise with it, `source` elements further on in what the anchor reads
// (0: not in that); small images have none.
std::vector<Stream> activation_streams(const Body& body, int64_t pixels);
std::vector<Stream> next_tiles(const Body& body, const Halide::Func& out, int64_t tile, int64_t source);

// Extents in memory, innermost first; the batch (last) is kBatch.
std::vector<int64_t> memory_extents(const Type& type, const Layout& layout);

// Row-major coordinates over dims `from` as coordinates over dims `to` of the same elements (outermost first both).
std::vector<Halide::Expr> regroup(const std::vector<int64_t>& from, const std::vector<Halide::Expr>& at,
                                  const std::vector<int64_t>& to);

// For templates without wishes: plain layouts, no knobs.
PreferredLayouts plain_layouts(const Kernel& kernel, const Knobs& knobs, const TargetSpec& target);
KnobRanges no_knob_ranges(const Kernel& kernel, const TargetSpec& target);
Knobs no_knobs(const Kernel& kernel, BatchClass batch, const TargetSpec& target);

// For weight gradients: outputs OIHW, packed in blocks of output channels (packed_weights), inputs plain.
PreferredLayouts packed_weight_outputs(const Kernel& kernel, int64_t block);
// The block of output channels of the first output when it has a packed layout; 0: it has another.
int packed_block(const Kernel& kernel);

// The vector width for a loop over `extent` contiguous elements: the target's, or the least power of two that covers a
// shorter loop.
int lanes_for(int64_t extent, const TargetSpec& target);

}  // namespace convoke
