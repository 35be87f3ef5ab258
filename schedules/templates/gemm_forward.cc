// y(o,n) = b(o) + Σ_k x(k,n)·w(k,o).
//
// Many samples: a tile is `vectors` registers of outputs times `rows` samples, its accumulators in registers over the
// whole sum; each step loads the block's weights and broadcasts one scalar a sample. The last tile of a batch computes
// its last sample again rather than guard those it lacks. A sum whose weights would not stay in the L2 cache from tile
// to tile is cut into pieces that add up in scratch.
//
// Few samples: each by itself, the weights streamed once, in several sums of every `chains`-th feature, as many as hide
// the latency of an addition. Which of the two runs depends on the batch of the call.
//
// A task is a block of outputs of some samples. No sum is divided among tasks: where there is much to stream there are
// many blocks.
#include "schedules/templates/gemm.h"

namespace convoke::gemm {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var;

constexpr int kTaskRows = 32;
constexpr int kMaxRows = 8;             // of a tile: rows may lie at the distance of a way of the L1 cache
constexpr int kHidingAccumulators = 8;  // independent FMAs that hide the latency of one

struct Shape {
  int lanes, vectors, rows, task_rows;
  int few;  // samples, at most, that are computed one by one
};

Shape shape_of(const Linear& linear, const Knobs& knobs, const TargetSpec& target) {
  const int rows = static_cast<int>(knobs.at("rows"));
  return {.lanes = lanes_of_channels(linear.out, target),
          .vectors = static_cast<int>(knobs.at("vectors")),
          .rows = rows,
          .task_rows = rows * static_cast<int>(knobs.at("tiles")),
          .few = std::max(rows / 2, 1)};
}

Tile tile_of(const Linear& linear, const TargetSpec& target) {
  return best_tile({.channels = linear.out,
                    .lanes = lanes_of_channels(linear.out, target),
                    .pixels = kTaskRows,
                    .max_pixels = kMaxRows},
                   target);
}

KnobRanges knobs(const Linear&, const TargetSpec&) {
  return {{"rows", {1, 2, 3, 4, 5, 6, 8, 10, 12, 14}},
          {"tiles", {1, 2, 4, 8, 16}},
          {"unroll", {1, 2, 4}},
          {"vectors", {1, 2, 3, 4}}};
}

Knobs defaults(const Linear& linear, const TargetSpec& target) {
  const Tile tile = tile_of(linear, target);
  return {{"rows", tile.pixels}, {"tiles", ceil_div(kTaskRows, tile.pixels)}, {"unroll", 1}, {"vectors", tile.vectors}};
}

// Features whose weights fill half the L2 cache.
int64_t longest_piece(int block, const TargetSpec& target) {
  constexpr int kFloat = 4;
  return std::max<int64_t>(target.l2_bytes / 2 / (kFloat * block), 1);
}

// Sums of the features' pieces, a tile at a time: acc(l,b,q,n), q < pieces.
struct Sums {
  Func acc;
  RDom r;
  int pieces;
};

Sums sum_pieces(const Problem& problem, int64_t longest) {
  const Features& f = problem.features;
  const bool whole = int64_t{f.c} * f.w * f.h <= longest;
  const int pieces = whole ? 1 : f.h, height = f.h / pieces;
  RDom r(0, f.c, 0, f.w, 0, height, "r");
  Var l("l"), b("b"), q("q"), n("n");
  const FeatureIndex at = {r.x, r.y, q * height + r.z};
  const Expr sample = min(likely(n), problem.body.batch - 1);
  Func acc("acc");
  acc(l, b, q, n) = 0.0f;
  acc(l, b, q, n) += problem.input(anchor_operand(problem.body, 0), at, sample) * problem.weight(l, b, at);
  return {acc, r, pieces};
}

void schedule_tile(Func tile, const RDom& r, const Shape& s, int unroll) {
  const Var l = tile.args()[0], n = tile.args()[3];
  tile.bound_extent(l, s.lanes * s.vectors)
      .bound_extent(tile.args()[1], 1)
      .bound_extent(n, s.rows)
      .store_in(MemoryType::Register);
  tile.vectorize(l, s.lanes).unroll(l).unroll(n);
  tile.update().reorder(l, n, r.x, r.y, r.z).vectorize(l, s.lanes).unroll(l).unroll(n).unroll(r.x, unroll);
}

// One sample: chain s sums the features s, s + chains, … of each pixel.
struct Chains {
  Func acc;
  RDom r;
  int count;
};

Chains sum_chains(const Problem& problem, const Shape& s) {
  const Features& f = problem.features;
  const int count = static_cast<int>(largest_divisor(f.c, ceil_div(kHidingAccumulators, s.vectors)));
  RDom r(0, f.c / count, 0, f.w, 0, f.h, "k");
  Var l("l"), chain("chain"), b("b"), n("n");
  const FeatureIndex at = {r.x * count + chain, r.y, r.z};
  Func acc("row");
  acc(l, chain, b, n) = 0.0f;
  acc(l, chain, b, n) += problem.input(anchor_operand(problem.body, 0), at, n) * problem.weight(l, b, at);
  return {acc, r, count};
}

void schedule_chains(Chains& chains, const Shape& s) {
  Func& acc = chains.acc;
  const RDom& r = chains.r;
  const Var l = acc.args()[0], chain = acc.args()[1];
  acc.bound_extent(l, s.lanes * s.vectors)
      .bound_extent(chain, chains.count)
      .bound_extent(acc.args()[2], 1)
      .store_in(MemoryType::Register);
  acc.vectorize(l, s.lanes).unroll(l).unroll(chain);
  acc.update().reorder(l, chain, r.x, r.y, r.z).vectorize(l, s.lanes).unroll(l).unroll(chain);
}

std::vector<Func> build(Body& body, const Linear& linear, const Knobs& knobs, const TargetSpec& target) {
  const Shape s = shape_of(linear, knobs, target);
  const int block = s.lanes * s.vectors;
  const int64_t longest = longest_piece(block, target);
  const int weight = anchor_input(*body.kernel, 1);
  const bool is_packed = weight >= 0 && packed_block(linear, body.kernel->input_layouts[weight]) == block;
  const Problem problem = {body, linear, features_of(linear, longest), block, is_packed ? weight : -1};

  Sums sums = sum_pieces(problem, longest);
  Chains chains = sum_chains(problem, s);
  Var o("o"), n("n"), l("l"), b("b");
  Func total("total"), result("result");
  Expr many = sums.acc(o % block, o / block, 0, n), one = chains.acc(o % block, 0, o / block, n);
  RDom piece(0, sums.pieces, "piece");
  if (sums.pieces > 1) {
    total(l, b, n) = 0.0f;
    total(l, b, n) += sums.acc(l, b, piece, n);
    many = total(o % block, o / block, n);
  }
  for (int i = 1; i < chains.count; ++i) one += chains.acc(o % block, i, o / block, n);
  const Expr is_few = body.batch <= s.few;
  Expr value = select(is_few, one, many);
  if (linear.has_bias) value += anchor_operand(body, 2)(o);
  result(o, n) = value;
  set_anchor(body, {result});
  std::vector<Func> outputs = make_outputs(body);

  Func& out = outputs[0];
  const Var oo = out.args()[0], on = out.args()[1];
  Var co("co"), ci("ci"), no("no"), ni("ni"), row("row"), task("task");
  out.bound(oo, 0, static_cast<int>(linear.out)).split(oo, co, ci, block, tail_of(linear.out, block));
  out.vectorize(ci, s.lanes).unroll(ci);
  // Both forms have a loop `row`, where what the other one needs is computed under a condition that never holds.
  out.specialize(is_few).split(on, row, ni, 1).reorder(ci, ni, row, co).never_partition(row).parallel(co);
  out.split(on, no, ni, s.task_rows, TailStrategy::GuardWithIf)
      .split(ni, row, ni, s.rows, TailStrategy::GuardWithIf)
      .reorder(ci, ni, row, co, no)
      .unroll(ni)
      .fuse(co, no, task)
      .parallel(task);
  chains.acc.compute_at(out, row);
  schedule_chains(chains, s);
  schedule_tile(sums.acc, sums.r, s, static_cast<int>(knobs.at("unroll")));
  if (sums.pieces == 1) {
    sums.acc.compute_at(out, row);
    return outputs;
  }
  Var to("to"), ti("ti");
  total.compute_at(out, task).bound_extent(l, block).align_bounds(n, s.rows).bound_storage(n, s.task_rows);
  total.vectorize(l, s.lanes).unroll(l);
  total.update()
      .split(n, to, ti, s.rows, TailStrategy::GuardWithIf)
      .reorder(l, ti, to, b, piece)
      .vectorize(l, s.lanes)
      .unroll(l)
      .unroll(ti);
  sums.acc.compute_at(total, to);
  return outputs;
}

}  // namespace

int forward_block(const Linear& linear, const Knobs& knobs, const TargetSpec& target) {
  return lanes_of_channels(linear.out, target) * static_cast<int>(knobs.at("vectors"));
}

const Direction forward = {knobs, defaults, build};

}  // namespace convoke::gemm
