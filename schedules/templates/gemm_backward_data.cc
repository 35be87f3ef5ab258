// dx(k,n) = Σ_o dy(o,n)·w(k,o), from the weight as the forward direction reads it, [o/V][k][V].
//
// Vectors run along the sum: a tile is `features` times `rows` accumulators of a vector each, a step loads a vector of
// every feature's weights and one of every sample's gradients. Then each accumulator's lanes are added up, those of
// neighbouring features side by side. Outputs that do not fill a vector come last, from a copy with zeros behind them.
//
// A task is a range of features of some samples: its weights stay in the L2 cache. Few samples go one by one, with more
// features a tile. Many samples of large layers have vectors along the samples (gemm_backward_data_samples.cc).
#include <algorithm>

#include "schedules/templates/gemm.h"

namespace convoke::gemm {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::RVar, Halide::TailStrategy, Halide::Var;

constexpr int kTaskRows = 32;
constexpr int kMaxTaskFeatures = 64;
constexpr int kManyWeights = 256;  // of a feature, and of an output

KnobRanges knobs(const Linear&, const TargetSpec&) {
  return {{"features", {1, 2, 4, 8, 16}},
          {"rows", {1, 2, 3, 4, 5, 6, 8}},
          {"samples", {0, 1, 2}},
          {"tiles", {1, 2, 4, 8, 16}}};
}

// Four features, and as many samples as registers hold: weights come from the L2 cache, gradients from L1.
Knobs defaults(const Linear& linear, BatchClass batch, const TargetSpec& target) {
  const int features = linear.in() >= 4 ? 4 : 1;
  int rows = 1;
  while (rows < 4 && features * (rows + 1) + features + 1 <= target.vector_registers) ++rows;
  const bool by_samples = batch == BatchClass::kMany && std::min(linear.in(), linear.out) >= kManyWeights;
  return {
      {"features", features}, {"rows", rows}, {"samples", by_samples ? 1 : 0}, {"tiles", ceil_div(kTaskRows, rows)}};
}

// lanes(j,c,x,y,n) += over the vectors of outputs, lane by lane; sum(c,x,y,n) = Σ_j lanes(j,c,x,y,n).
struct Dot {
  Func lanes, sum;
  RDom vectors, across;
};

// What is left of a row of dy after its whole vectors, with zeros behind.
Func copy_tail(const Body& body, const Layer& layer) {
  Var j("j"), n("n");
  Func tail("tail");
  const Expr o = layer.out / layer.lanes * layer.lanes + j;
  tail(j, n) = select(o < layer.out, anchor_operand(body, 0)(min(o, layer.out - 1), min(n, body.batch - 1)), 0.0f);
  return tail;
}

bool has_tail(const Layer& layer) { return layer.out % layer.lanes != 0; }

Dot make_dot(const Body& body, const Layer& layer, const Func& tail, const std::string& name) {
  const int whole = layer.out / layer.lanes, vectors = layer.vectors();
  Var j("j"), c("c"), x("x"), y("y"), n("n");
  const FeatureIndex at = {min(likely(c), layer.c - 1), x, y};
  const Expr sample = min(likely(n), body.batch - 1);
  const auto weights = [&](const Expr& v) {
    return layer.weight(body, v % vectors * layer.lanes + j, at, v / vectors);
  };
  Dot dot{.lanes = Func(name + "_lanes"),
          .sum = Func(name),
          .vectors = RDom(0, std::max(whole, 1), "v"),
          .across = RDom(0, layer.lanes, "across")};
  dot.lanes(j, c, x, y, n) = has_tail(layer) ? tail(j, n) * weights(whole) : Expr(0.0f);
  if (whole > 0) {
    const Expr v = dot.vectors;
    dot.lanes(j, c, x, y, n) += anchor_operand(body, 0)(v * layer.lanes + j, sample) * weights(v);
  }
  dot.sum(c, x, y, n) = 0.0f;
  dot.sum(c, x, y, n) += dot.lanes(dot.across, c, x, y, n);
  return dot;
}

// Up to the samples, which are those of the tile.
void schedule_dot(Dot& dot, Func& out, const Var& tile, const Layer& layer, int features) {
  const std::vector<Var> l = dot.lanes.args(), s = dot.sum.args();
  dot.lanes.compute_at(out, tile).bound_extent(l[0], layer.lanes).bound_extent(l[1], features);
  dot.lanes.bound_extent(l[2], 1).bound_extent(l[3], 1).vectorize(l[0], layer.lanes).unroll(l[1]);
  if (dot.lanes.has_update_definition()) {
    Halide::Stage update = dot.lanes.update();
    update.reorder(l[0], l[1], l[4], dot.vectors.x).vectorize(l[0], layer.lanes).unroll(l[1]);
  }
  dot.sum.compute_at(out, tile).store_in(MemoryType::Register).bound_extent(s[0], features);
  dot.sum.bound_extent(s[1], 1).bound_extent(s[2], 1).vectorize(s[0], features);
  Halide::Stage update = dot.sum.update();
  update.reorder(dot.across.x, s[0], s[3]).vectorize(s[0], features);
  update.atomic().vectorize(dot.across.x, layer.lanes);
}

void unroll_samples(Func func, int rows) {
  const Var n = func.args().back();
  func.bound_extent(n, rows).unroll(n);
  if (func.has_update_definition()) func.update().unroll(n);
}

// Features of a task: their weights fill half the L2 cache at most.
int range_of(const Layer& layer, int tile, const TargetSpec& target) {
  constexpr int kFloat = 4;
  const int longest = target.l2_bytes / 2 / (kFloat * layer.blocks() * layer.block);
  const int range = std::clamp(longest / tile * tile, tile, kMaxTaskFeatures);
  return ceil_div(ceil_div(layer.c, ceil_div(layer.c, range)), tile) * tile;
}

BuiltKernel build(const Layer& layer, const Knobs& knobs, const TargetSpec& target) {
  if (knobs.at("samples") > 0) return build_by_samples(layer, knobs, target);
  const auto features = static_cast<int>(knobs.at("features")), rows = static_cast<int>(knobs.at("rows"));
  const int task_rows = rows * static_cast<int>(knobs.at("tiles")), few = std::max(rows / 2, 1);
  const int range = range_of(layer, features, target);
  Body body = make_body(layer.kernel);
  Func tail = copy_tail(body, layer);
  Dot many = make_dot(body, layer, tail, "many"), one = make_dot(body, layer, tail, "one");
  Var c("c"), x("x"), y("y"), n("n");
  const Expr is_few = body.batch <= few;
  Func result("result");
  if (layer.is_image) {
    result(c, x, y, n) = select(is_few, one.sum(c, x, y, n), many.sum(c, x, y, n));
  } else {
    result(c, n) = select(is_few, one.sum(c, 0, 0, n), many.sum(c, 0, 0, n));
  }
  set_anchor(body, {result});
  std::vector<Func> outputs = make_outputs(body);

  Func& out = outputs[0];
  const std::vector<Var> dims = out.args();
  const Var on = dims.back();
  Var co("co"), ct("ct"), ci("ci"), no("no"), ni("ni"), row("row"), task("task");
  out.bound(dims[0], 0, layer.c).split(dims[0], co, ci, range, tail_of(layer.c, range));
  if (layer.is_image) {
    out.bound(dims[1], 0, layer.w).bound(dims[2], 0, layer.h).reorder(ci, on, dims[1], co, dims[2]);
    out.fuse(co, dims[2], co);
  } else {
    out.reorder(ci, on, co);
  }
  // Both forms have the loops `row` and `ct`, where what the other one needs is computed under a condition that never
  // holds.
  out.specialize(is_few)
      .split(ci, ct, ci, features, TailStrategy::GuardWithIf)
      .split(on, row, ni, 1)
      .reorder(ci, ni, ct, row)
      .vectorize(ci)
      .never_partition(row)
      .parallel(co);
  // The batch is cut into tiles, these into tasks: the condition of a task's last tiles then covers their sums too.
  out.split(ci, ct, ci, features, TailStrategy::GuardWithIf)
      .split(on, row, ni, rows, TailStrategy::GuardWithIf)
      .split(row, no, row, task_rows / rows, TailStrategy::GuardWithIf);
  if (layer.is_image) {
    out.reorder(ci, ni, ct, row, dims[1], co, no);
  } else {
    out.reorder(ci, ni, ct, row, co, no);
  }
  out.vectorize(ci).unroll(ni).fuse(co, no, task).parallel(task);
  schedule_dot(many, out, ct, layer, features);
  schedule_dot(one, out, ct, layer, features);
  unroll_samples(many.lanes, rows);
  unroll_samples(many.sum, rows);
  if (has_tail(layer)) {
    const Var j = tail.args()[0], tn = tail.args()[1];
    tail.compute_at(out, row).store_in(MemoryType::Stack).bound_storage(tn, rows);
    tail.bound_extent(j, layer.lanes).vectorize(j, layer.lanes);
  }
  return finish(body, outputs);
}

}  // namespace

const Direction backward_data = {knobs, defaults, build};

}  // namespace convoke::gemm
