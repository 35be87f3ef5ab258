// dw(l,k,b) = Σ_n dy(b·V + l, n)·x(k,n), in the layout of the packed weight.
//
// A tile is a block's lanes times a few features, its accumulators in registers while a chunk of samples is summed;
// each sample loads the block's gradients and broadcasts one scalar a feature. The chunk's gradients are copied to a
// panel first, with zeros in the lanes beyond the last output. A task is a block of outputs times a range of features;
// the chunks' sums add up in its scratch, in order.
#include <algorithm>
#include <numeric>

#include "schedules/templates/gemm.h"

namespace convoke::gemm {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var;

constexpr int kChunk = 64;         // samples
constexpr int kTaskFeatures = 64;  // about

KnobRanges knobs(const Linear&, const TargetSpec&) {
  return {{"chunk", {16, 32, 64, 128}}, {"features", {16, 32, 64, 128, 256}}};
}

Knobs defaults(const Linear&, BatchClass, const TargetSpec&) {
  return {{"chunk", kChunk}, {"features", kTaskFeatures}};
}

// Rows of dy cut into blocks: panel(l,i,b,q) is lane l of sample i of chunk q. Where the last block is not full,
// vectors are copied that divide a row, each of which is inside or outside as a whole.
struct Panel {
  Func func;
  int lanes;
};

Panel copy_gradients(const Body& body, const Layer& layer, int chunk) {
  const Func& dy = anchor_operand(body, 0);
  Var l("l"), i("i"), b("b"), q("q");
  const Expr n = min(q * chunk + i, body.batch - 1);
  Func panel("panel");
  if (layer.out % layer.block == 0) {
    panel(l, i, b, q) = dy(b * layer.block + l, n);
    return {panel, layer.lanes};
  }
  const int lanes = std::gcd(layer.out, layer.lanes);
  const Expr first = b * layer.block + l / lanes * lanes;
  panel(l, i, b, q) = select(first < layer.out, dy(min(first, layer.out - lanes) + l % lanes, n), 0.0f);
  return {panel, lanes};
}

// Outputs as they are, but zero in the lanes beyond the last output.
void clear_padding(Body& body, const Layer& layer) {
  if (layer.out % layer.block == 0) return;
  for (ValueId output : layer.kernel.body.outputs) {
    Func& value = body.values[static_cast<size_t>(output)];
    const std::vector<Var> at = value.args();
    Func cleared("cleared");
    cleared(at) = select(likely(at.back() * layer.block + at[0] < layer.out), value(at), 0.0f);
    value = cleared;
  }
}

// What a task makes: `channels` of a pixel, or rows of `pixels` when those are short.
struct Range {
  int channels, pixels;
};

Range range_of(const Layer& layer, const Knobs& knobs) {
  const auto features = static_cast<int>(knobs.at("features"));
  if (layer.c * layer.w <= 2 * features) return {.channels = layer.c, .pixels = layer.w};
  return {.channels = ceil_div(layer.c, ceil_div(layer.c, features)), .pixels = 1};
}

BuiltKernel build(const Layer& layer, const Knobs& knobs, const TargetSpec& target) {
  const int chunk = static_cast<int>(knobs.at("chunk"));
  const Range range = range_of(layer, knobs);
  const int features = range.channels * range.pixels, tile = tile_features(layer.vectors(), features, target);
  Body body = make_body(layer.kernel);
  Panel panel = copy_gradients(body, layer, chunk);
  // f counts channels and pixels of a row.
  Var l("l"), f("f"), y("y"), b("b"), q("q");
  RDom r(0, chunk, "r"), chunks(0, (body.batch + chunk - 1) / chunk, "chunks");
  r.where(q * chunk + r < body.batch);
  const Expr feature = min(likely(f), layer.c * layer.w - 1);
  const Expr sample = min(likely(q * chunk + r), body.batch - 1);
  const FeatureIndex at = {feature % layer.c, feature / layer.c, y};
  Func sums("sums"), total("total"), result("result");
  sums(l, f, y, b, q) = 0.0f;
  sums(l, f, y, b, q) += panel.func(l, r, b, q) * layer.input(anchor_operand(body, 1), at, sample);
  total(l, f, y, b) = 0.0f;
  total(l, f, y, b) += sums(l, f, y, b, chunks);
  Var c("c"), x("x");
  if (layer.is_image) {
    result(l, c, x, y, b) = total(l, x * layer.c + c, y, b);
  } else {
    result(l, c, b) = total(l, c, 0, b);
  }
  set_anchor(body, {result});
  clear_padding(body, layer);
  std::vector<Func> outputs = make_outputs(body);

  Func& out = outputs[0];
  const std::vector<Var> dims = out.args();
  Var co("co"), ci("ci"), fo("fo"), fi("fi"), task("task");
  out.bound(dims[0], 0, layer.block).bound(dims[1], 0, layer.c).bound(dims.back(), 0, layer.blocks());
  out.split(dims[1], co, ci, range.channels, tail_of(layer.c, range.channels));
  out.vectorize(dims[0], layer.lanes).unroll(dims[0]);
  if (!layer.is_image) {
    out.reorder(dims[0], ci, co, dims[2]).fuse(co, dims[2], task);
  } else {
    out.bound(dims[2], 0, layer.w).bound(dims[3], 0, layer.h);
    out.reorder(dims[0], ci, dims[2], co, dims[3], dims[4]).fuse(co, dims[3], task).fuse(task, dims[4], task);
    if (range.pixels == 1) out.reorder(dims[0], ci, dims[2], task).fuse(dims[2], task, task);
  }
  out.parallel(task);
  total.compute_at(out, task).bound_extent(l, layer.block).bound_extent(y, 1).bound_extent(b, 1);
  total.bound_extent(f, ceil_div(features, tile) * tile).vectorize(l, layer.lanes).unroll(l);
  total.update()
      .split(f, fo, fi, tile, TailStrategy::RoundUp)
      .reorder(l, fi, fo, y, b, chunks)
      .vectorize(l, layer.lanes)
      .unroll(l)
      .unroll(fi);
  sums.compute_at(total, fo).store_in(MemoryType::Register).bound_extent(l, layer.block).bound_extent(f, tile);
  sums.bound_extent(y, 1).bound_extent(b, 1).bound_extent(q, 1).vectorize(l, layer.lanes).unroll(l).unroll(f);
  sums.update().reorder(l, f, r.x).vectorize(l, layer.lanes).unroll(l).unroll(f);
  const std::vector<Var> of_panel = panel.func.args();
  panel.func.compute_at(total, chunks).bound_extent(of_panel[0], layer.block).bound_storage(of_panel[1], chunk);
  panel.func.bound_extent(of_panel[2], 1).bound_extent(of_panel[3], 1);
  panel.func.vectorize(of_panel[0], panel.lanes).unroll(of_panel[0]);
  BuiltKernel built = finish(body, outputs);
  // What the next task writes is on its way meanwhile, where no cache holds it.
  constexpr int64_t kFloat = 4;
  const bool is_large = kFloat * layer.in() * layer.out > target.l2_bytes;
  if (is_large) built.streams = next_tiles(body, out, int64_t{features} * layer.block, 0);
  return built;
}

}  // namespace

const Direction backward_weights = {knobs, defaults, build};

}  // namespace convoke::gemm
