// dw(l,k,b) = Σ_n dy(b·V + l, n)·x(k,n), in the layout of the packed weight.
//
// A tile is a block's lanes times a few features, its accumulators in registers while a chunk of samples is summed;
// each sample loads the block's gradients and broadcasts one scalar a feature. The chunk's gradients are copied to a
// panel first, with zeros in the lanes beyond the last output. A task is a block of outputs times a range of features.
// The first chunk, which mostly is all, is written as it is summed; those behind it were added up in scratch, in order.
#include <algorithm>
#include <numeric>

#include "schedules/templates/gemm.h"

namespace convoke::gemm {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var,
    Halide::VarOrRVar;

constexpr int kChunk = 64;          // samples
constexpr int kTaskFeatures = 256;  // about: a panel is worth copying for many

KnobRanges knobs(const Linear&, const TargetSpec&) {
  return {{"chunk", {16, 32, 64, 128}}, {"features", {16, 32, 64, 128, 256}}};
}

int64_t gradient_bytes(int64_t in, int64_t out) { return static_cast<int64_t>(sizeof(float)) * in * out; }

// What no cache holds is written at memory's rate where samples are few: 8 of them take a fifth less time by halves.
Knobs defaults(const Linear& linear, BatchClass, const TargetSpec& target) {
  const bool is_in_memory = gradient_bytes(linear.in(), linear.out) > target.l3_bytes;
  return {{"chunk", kChunk}, {"features", is_in_memory ? kTaskFeatures / 2 : kTaskFeatures}};
}

// sums(l,c,x,y,b,q) of the samples of chunk q that r counts. panel(l,i,b,q) is lane l of its sample i: where the last
// block is not full, vectors are copied that divide a row, each of which is inside or outside as a whole.
struct Chunk {
  int samples;
  RDom r;
  int lanes;  // of a vector that is copied
  Func panel{"panel"}, sums{"sums"};
};

Chunk make_chunk(const Body& body, const Layer& layer, int samples, const RDom& r) {
  Chunk chunk{.samples = samples, .r = r, .lanes = layer.lanes};
  const Func& dy = anchor_operand(body, 0);
  Var l("l"), i("i"), c("c"), x("x"), y("y"), b("b"), q("q");
  const Expr n = min(q * samples + i, body.batch - 1);
  if (layer.out % layer.block == 0) {
    chunk.panel(l, i, b, q) = dy(b * layer.block + l, n);
  } else {
    chunk.lanes = std::gcd(layer.out, layer.lanes);
    const Expr first = b * layer.block + l / chunk.lanes * chunk.lanes;
    chunk.panel(l, i, b, q) =
        select(first < layer.out, dy(min(first, layer.out - chunk.lanes) + l % chunk.lanes, n), 0.0f);
  }
  const FeatureIndex at = {min(likely(c), layer.c - 1), x, y};
  chunk.sums(l, c, x, y, b, q) = 0.0f;
  const Expr summed = min(q * samples + r, body.batch - 1);
  chunk.sums(l, c, x, y, b, q) += chunk.panel(l, r, b, q) * layer.input(anchor_operand(body, 1), at, summed);
  return chunk;
}

// Sums of a tile of `features` at one loop of `user`, the panel at another.
void schedule_chunk(Chunk& chunk, const Layer& layer, int features, const Func& user, const Var& at,
                    const VarOrRVar& panel_at) {
  const std::vector<Var> p = chunk.panel.args(), s = chunk.sums.args();
  chunk.panel.compute_at(Halide::LoopLevel(user, panel_at))
      .store_in(MemoryType::Heap)
      .bound_extent(p[0], layer.block)
      .bound_storage(p[1], chunk.samples)
      .bound_extent(p[2], 1)
      .bound_extent(p[3], 1)
      .vectorize(p[0], chunk.lanes)
      .unroll(p[0]);
  chunk.sums.compute_at(user, at)
      .store_in(MemoryType::Register)
      .bound_extent(s[0], layer.block)
      .bound_extent(s[1], features)
      .vectorize(s[0], layer.lanes)
      .unroll(s[0])
      .unroll(s[1]);
  for (size_t other = 2; other < s.size(); ++other) chunk.sums.bound_extent(s[other], 1);
  chunk.sums.update().reorder(s[0], s[1], chunk.r).vectorize(s[0], layer.lanes).unroll(s[0]).unroll(s[1]);
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
  const int samples = static_cast<int>(knobs.at("chunk"));
  const Range range = range_of(layer, knobs);
  const int tile = tile_features(layer.vectors(), range.channels, target);
  Body body = make_body(layer.kernel);
  Var l("l"), c("c"), x("x"), y("y"), b("b"), q("q");
  RDom r(0, samples, "r"), later(1, max((body.batch + samples - 1) / samples - 1, 0), "later");
  r.where(q * samples + r < body.batch);
  Chunk first = make_chunk(body, layer, samples, RDom(0, min(body.batch, samples), "r")),
        others = make_chunk(body, layer, samples, r);
  Func total("total"), result("result");
  total(l, c, x, y, b) = 0.0f;
  total(l, c, x, y, b) += others.sums(l, c, x, y, b, later);
  const bool is_large = gradient_bytes(layer.in(), layer.out) > target.l2_bytes;
  const Expr is_all = body.batch <= samples;
  // Small layers add zeros when the first chunk is all: code of its own for that would be as much again.
  const auto sum = [&](const Expr& px, const Expr& py) {
    const Expr rest = total(l, c, px, py, b);
    return first.sums(l, c, px, py, b, 0) + (is_large ? select(is_all, 0.0f, rest) : rest);
  };
  if (layer.is_image) {
    result(l, c, x, y, b) = sum(x, y);
  } else {
    result(l, c, b) = sum(0, 0);
  }
  set_anchor(body, {result});
  clear_padding(body, layer);
  std::vector<Func> outputs = make_outputs(body);

  Func& out = outputs[0];
  const std::vector<Var> dims = out.args();
  Var co("co"), ci("ci"), to("to"), ti("ti"), task("task");
  out.bound(dims[0], 0, layer.block).bound(dims[1], 0, layer.c).bound(dims.back(), 0, layer.blocks());
  out.split(dims[1], co, ci, range.channels, tail_of(layer.c, range.channels));
  out.split(ci, to, ti, tile, tail_of(range.channels, tile));
  out.vectorize(dims[0], layer.lanes).unroll(dims[0]).unroll(ti);
  if (!layer.is_image) {
    out.reorder(dims[0], ti, to, co, dims[2]).fuse(co, dims[2], task);
  } else {
    out.bound(dims[2], 0, layer.w).bound(dims[3], 0, layer.h);
    out.reorder(dims[0], ti, to, dims[2], co, dims[3], dims[4]).fuse(co, dims[3], task).fuse(task, dims[4], task);
    if (range.pixels == 1) out.reorder(dims[0], ti, to, dims[2], task).fuse(dims[2], task, task);
  }
  out.parallel(task);
  Var tot("tot"), tit("tit");
  total.compute_at(out, task).store_in(MemoryType::Heap).bound_extent(l, layer.block).bound_extent(y, 1);
  total.bound_extent(b, 1).vectorize(l, layer.lanes).unroll(l);
  total.update()
      .split(c, tot, tit, tile, TailStrategy::RoundUp)
      .reorder(l, tit, tot, x, y, b, later)
      .vectorize(l, layer.lanes)
      .unroll(l)
      .unroll(tit);
  schedule_chunk(first, layer, tile, out, to, task);
  schedule_chunk(others, layer, tile, total, tot, later);
  if (!is_large) {
    out.never_partition(task);  // the last block would have code of its own
    return finish(body, outputs);
  }
  out.specialize(is_all);
  // What the next task writes is on its way meanwhile: no cache holds it.
  BuiltKernel built = finish(body, outputs);
  built.streams = next_tiles(body, out, int64_t{range.channels} * range.pixels * layer.block, 0);
  return built;
}

}  // namespace

const Direction backward_weights = {knobs, defaults, build};

}  // namespace convoke::gemm
