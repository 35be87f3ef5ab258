// dx(k,n) = Σ_o dy(o,n)·w(k,o), from the weight as the forward direction reads it, [o/V][k][V].
//
// Vectors run along the sum: a tile is `features` times `rows` accumulators of a vector each, a step loads a vector of
// every feature's weights and one of every sample's gradients. Then each accumulator's lanes are added up, those of
// neighbouring features side by side. Outputs that do not fill a vector come last, from a copy with zeros behind them.
//
// A task is a range of features of some samples: its weights stay in the L2 cache. Few samples go one by one, with more
// features a tile. Weights that the cache does not hold are streamed (`streamed`). Many samples may have vectors along
// the samples instead (gemm_backward_data_samples.cc).
#include <algorithm>
#include <functional>

#include "schedules/templates/gemm.h"

namespace convoke::gemm {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::RVar, Halide::TailStrategy, Halide::Var;

constexpr int kTaskRows = 32, kMaxTiles = 16;
constexpr int kMaxTaskFeatures = 64;
constexpr int kStreamedFloats = 2048;  // of a tile's accumulators: those of two fill half the L1 cache
constexpr int kManyWeights = 256;      // of a feature, and of an output
constexpr int kFewSamples = 32;        // of streamed weights: more have vectors along the samples

KnobRanges knobs(const Linear&, const TargetSpec&) {
  return {{"features", {1, 2, 4, 8, 16}},
          {"rows", {1, 2, 3, 4, 5, 6, 8}},
          {"samples", {0, 1, 2}},
          {"tiles", {1, 2, 4, 8, kMaxTiles}}};
}

// Four features, and as many samples as registers hold: weights come from the L2 cache, gradients from L1. Of streamed
// weights half as many samples as there are, so that a range of features is long, up to four.
Knobs defaults(const Linear& linear, BatchClass batch, const TargetSpec& target) {
  constexpr int kMaxRows = 4;
  const int features = linear.in() >= 4 ? 4 : 1;
  const bool streams = streams_weights(linear.in(), linear.out, target);
  int rows = std::clamp(typical_samples(batch) / 2, 1, kMaxRows);
  if (!streams) rows = std::clamp((target.vector_registers - 1 - features) / features, 1, kMaxRows);
  const bool by_samples = batch == BatchClass::kMany && std::min(linear.in(), linear.out) >= kManyWeights;
  return {{"features", features},
          {"rows", rows},
          {"samples", by_samples ? 1 : 0},
          {"tiles", std::min(ceil_div(kTaskRows, rows), kMaxTiles)}};
}

// lanes(j,c,x,y,n) += over the vectors of outputs, lane by lane; sum(c,x,y,n) = Σ_j lanes(j,c,x,y,n).
struct Dot {
  Func lanes, sum;
  RDom vectors;  // of a unit, and the units
  RDom across;
};

// The sum goes on by a unit of outputs: a vector, or a block. What is left of a row of dy after its whole units, with
// zeros behind; undefined when nothing is.
Func copy_tail(const Body& body, const Layer& layer, int unit) {
  if (layer.out % unit == 0) return {};
  Var j("j"), n("n");
  Func tail("tail");
  const Expr o = layer.out / unit * unit + j;
  tail(j, n) = select(o < layer.out, anchor_operand(body, 0)(min(o, layer.out - 1), min(n, body.batch - 1)), 0.0f);
  return tail;
}

void schedule_tail(Func tail, const Func& out, const Var& at, int unit, int lanes) {
  const Var j = tail.args()[0];
  tail.compute_at(out, at).store_in(MemoryType::Stack).bound_extent(j, unit).vectorize(j, lanes);
}

Dot make_dot(const Body& body, const Layer& layer, int unit, const Func& tail, const std::string& name) {
  const int whole = layer.out / unit, vectors = unit / layer.lanes, of_block = layer.block / unit;
  Var j("j"), c("c"), x("x"), y("y"), n("n");
  const FeatureIndex at = {min(likely(c), layer.c - 1), x, y};
  const Expr sample = min(likely(n), body.batch - 1);
  const auto weight = [&](const Expr& vector, const Expr& u) {
    return layer.weight(body, u % of_block * unit + vector * layer.lanes + j, at, u / of_block);
  };
  Dot dot{.lanes = Func(name + "_lanes"),
          .sum = Func(name),
          .vectors = RDom(0, vectors, 0, std::max(whole, 1), "v"),
          .across = RDom(0, layer.lanes, "across")};
  Expr first = 0.0f;
  for (int vector = 0; tail.defined() && vector < vectors; ++vector) {
    first += tail(vector * layer.lanes + j, n) * weight(vector, whole);
  }
  dot.lanes(j, c, x, y, n) = first;
  if (whole > 0) {
    const Expr vector = dot.vectors.x, u = dot.vectors.y;
    dot.lanes(j, c, x, y, n) +=
        anchor_operand(body, 0)(u * unit + vector * layer.lanes + j, sample) * weight(vector, u);
  }
  dot.sum(c, x, y, n) = 0.0f;
  dot.sum(c, x, y, n) += dot.lanes(dot.across, c, x, y, n);
  return dot;
}

// Of an image, or of a vector.
Func make_result(const Layer& layer, const std::function<Expr(const FeatureIndex& at, const Expr& n)>& gradient) {
  Var c("c"), x("x"), y("y"), n("n");
  Func result("result");
  if (layer.is_image) {
    result(c, x, y, n) = gradient({c, x, y}, n);
  } else {
    result(c, n) = gradient({c, 0, 0}, n);
  }
  return result;
}

void schedule_sum(Dot dot, const Func& out, const Var& tile, const Layer& layer, int features) {
  const std::vector<Var> s = dot.sum.args();
  dot.sum.compute_at(out, tile).store_in(MemoryType::Register).bound_extent(s[0], features);
  dot.sum.bound_extent(s[1], 1).bound_extent(s[2], 1).vectorize(s[0], features);
  Halide::Stage update = dot.sum.update();
  update.reorder(dot.across.x, s[0], s[3]).vectorize(s[0], features);
  update.atomic().vectorize(dot.across.x, layer.lanes);
}

// Up to the samples, which are those of the tile.
void schedule_dot(Dot dot, const Func& out, const Var& tile, const Layer& layer, int features) {
  const std::vector<Var> l = dot.lanes.args();
  dot.lanes.compute_at(out, tile).bound_extent(l[0], layer.lanes).bound_extent(l[1], features);
  dot.lanes.bound_extent(l[2], 1).bound_extent(l[3], 1).vectorize(l[0], layer.lanes).unroll(l[1]);
  if (dot.lanes.has_update_definition()) {
    Halide::Stage update = dot.lanes.update();
    update.reorder(l[0], l[1], l[4], dot.vectors.x, dot.vectors.y).vectorize(l[0], layer.lanes).unroll(l[1]);
  }
  schedule_sum(dot, out, tile, layer, features);
}

void unroll_samples(Func func, int rows) {
  const Var n = func.args().back();
  func.bound_extent(n, rows).unroll(n);
  if (func.has_update_definition()) func.update().unroll(n);
}

int even_range(const Layer& layer, int most, int tile) {
  return ceil_div(ceil_div(layer.c, ceil_div(layer.c, most)), tile) * tile;
}

// Features of a task: their weights fill half the L2 cache at most.
int range_of(const Layer& layer, int tile, const TargetSpec& target) {
  constexpr int kFloat = 4;
  const int longest = target.l2_bytes / 2 / (kFloat * layer.blocks() * layer.block);
  return even_range(layer, std::clamp(longest / tile * tile, tile, kMaxTaskFeatures), tile);
}

// Weights that no cache keeps from one call to the next come in the order in which they lie in memory, a block's of all
// features of the task, to accumulators in the L1 cache. Tile by tile, as below, a few lines would come from a page,
// and the next ones from another.
DataForm streamed(const Body& body, const Layer& layer, const Knobs& knobs) {
  const auto features = static_cast<int>(knobs.at("features")), rows = static_cast<int>(knobs.at("rows"));
  const int task_rows = rows * static_cast<int>(knobs.at("tiles"));
  const int range = even_range(layer, std::max(kStreamedFloats / (rows * layer.lanes), features), features);
  const Func tail = copy_tail(body, layer, layer.block);
  const Dot dot = make_dot(body, layer, layer.block, tail, "dot");
  const auto schedule = [=](const Func& out, const Var& task, const Var& step) {
    Func lanes = dot.lanes;
    const std::vector<Var> l = lanes.args();
    lanes.compute_at(out, task).bound_extent(l[0], layer.lanes).bound_extent(l[1], range).bound_extent(l[2], 1);
    lanes.bound_extent(l[3], 1).align_bounds(l[4], rows).bound_storage(l[4], task_rows).vectorize(l[0], layer.lanes);
    if (lanes.has_update_definition()) {
      Var tile("tile"), row("row");
      Halide::Stage update = lanes.update();
      update.split(l[4], tile, row, rows).reorder(l[0], dot.vectors.x, row, l[1], l[2], l[3], tile, dot.vectors.y);
      update.vectorize(l[0], layer.lanes).unroll(dot.vectors.x).unroll(row).never_partition(tile);
    }
    if (tail.defined()) schedule_tail(tail, out, task, layer.block, layer.lanes);
    schedule_sum(dot, out, step, layer, features);
  };
  return {.gradient = [=](const FeatureIndex& at, const Expr& n) -> Expr { return dot.sum(at.c, at.x, at.y, n); },
          .range = range,
          .samples = task_rows,
          .step = features,
          .schedule = schedule,
          .weights = {.ahead = int64_t{layer.in()} * layer.block, .stage = dot.lanes.name(), .turns = 1}};
}

void cut_tasks(Halide::Stage out, std::vector<Var> dims, const Layer& layer, const DataForm& form, const Var& task,
               const Var& step) {
  Var co("co"), ci("ci"), no("no"), ni("ni");
  out.split(dims[0], co, ci, form.range, tail_of(layer.c, form.range));
  out.split(ci, step, ci, form.step, TailStrategy::GuardWithIf).vectorize(ci);
  out.split(dims.back(), no, ni, form.samples, TailStrategy::GuardWithIf);
  if (layer.is_image) {
    out.reorder(ci, step, ni, co, dims[1], dims[2], no).fuse(co, dims[1], co).fuse(co, dims[2], co);
  } else {
    out.reorder(ci, step, ni, co, no);
  }
  out.fuse(co, no, task).parallel(task);
}

// One form, or that of up to kFewSamples and that of more, both with the loops `task` and `step`, where of the other
// one a single gradient is computed under a condition that never holds.
BuiltKernel build_tasks(Body& body, const Layer& layer, const std::vector<DataForm>& forms) {
  const Expr is_few = body.batch <= kFewSamples;
  const auto gradient_when = [](const Expr& used, const DataForm& form, const FeatureIndex& at, const Expr& n) {
    const auto index = [&](const Expr& i) -> Expr { return select(used, i, 0); };
    return form.gradient({index(at.c), index(at.x), index(at.y)}, index(n));
  };
  set_anchor(body, {make_result(layer, [&](const FeatureIndex& at, const Expr& n) -> Expr {
               if (forms.size() == 1) return forms[0].gradient(at, n);
               return select(is_few, gradient_when(is_few, forms[0], at, n), gradient_when(!is_few, forms[1], at, n));
             })});
  std::vector<Func> outputs = make_outputs(body);
  Func& out = outputs[0];
  const std::vector<Var> dims = out.args();
  Var task("task"), step("step");
  out.bound(dims[0], 0, layer.c);
  if (layer.is_image) out.bound(dims[1], 0, layer.w).bound(dims[2], 0, layer.h);
  if (forms.size() > 1) cut_tasks(out.specialize(is_few), dims, layer, forms[0], task, step);
  cut_tasks(out, dims, layer, forms.back(), task, step);
  for (const DataForm& form : forms) form.schedule(out, task, step);
  BuiltKernel built = finish(body, outputs);
  for (const DataForm& form : forms) {
    built.streams.push_back(form.weights);
    built.streams.back().buffer = body.params[static_cast<size_t>(anchor_input(layer.kernel, 1))].name();
  }
  return built;
}

BuiltKernel build(const Layer& layer, const Knobs& knobs, const TargetSpec& target) {
  Body body = make_body(layer.kernel);
  std::vector<DataForm> forms;
  if (streams_weights(layer.in(), layer.out, target)) forms.push_back(streamed(body, layer, knobs));
  if (knobs.at("samples") > 0) forms.push_back(by_samples(body, layer, knobs, target));
  if (!forms.empty()) return build_tasks(body, layer, forms);
  const auto features = static_cast<int>(knobs.at("features")), rows = static_cast<int>(knobs.at("rows"));
  const int task_rows = rows * static_cast<int>(knobs.at("tiles")), few = std::max(rows / 2, 1);
  const int range = range_of(layer, features, target);
  Func tail = copy_tail(body, layer, layer.lanes);
  Dot many = make_dot(body, layer, layer.lanes, tail, "many"), one = make_dot(body, layer, layer.lanes, tail, "one");
  const Expr is_few = body.batch <= few;
  set_anchor(body, {make_result(layer, [&](const FeatureIndex& at, const Expr& n) {
               return select(is_few, one.sum(at.c, at.x, at.y, n), many.sum(at.c, at.x, at.y, n));
             })});
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
  if (tail.defined()) {
    schedule_tail(tail, out, row, layer.lanes, layer.lanes);
    tail.bound_storage(tail.args()[1], rows);
  }
  return finish(body, outputs);
}

}  // namespace

const Direction backward_data = {knobs, defaults, build};

}  // namespace convoke::gemm
