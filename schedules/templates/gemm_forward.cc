// y(o,n) = b(o) + Σ_k x(k,n)·w(k,o).
//
// Many samples: a tile is `vectors` registers of outputs times `rows` samples, its accumulators in registers over the
// whole sum; each step loads the block's weights and broadcasts one scalar a sample. The last tile of a batch computes
// its last sample again rather than guard those it lacks. A sum whose weights would not stay in the L2 cache from tile
// to tile, beside those that come next and are on their way meanwhile, is cut into pieces that add up in scratch.
//
// Few samples: each by itself, the weights streamed once, of a group of blocks side by side: of one stream alone the
// processor's prefetchers do not ask for enough to keep memory busy (Zen 3: 20 GB/s, of four 28). Where there are too
// few blocks to hide the latency of an addition, each has several sums of every `chains`-th feature. Which of the two
// runs depends on the batch of the call.
//
// A task is a block, or a group of them, of outputs of some samples. No sum is divided among tasks: where there is much
// to stream there are many blocks.
#include "schedules/templates/gemm.h"

namespace convoke::gemm {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var;

constexpr int kFloat = 4;
constexpr int kTaskRows = 32;
constexpr int kMaxRows = 8;  // of a tile: rows may lie at the distance of a way of the L1 cache

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

// Streamed weights are read once for many samples; with the sum unrolled turns share their prefetches finely.
Knobs defaults(const Linear& linear, BatchClass, const TargetSpec& target) {
  const Tile tile = tile_of(linear, target);
  const bool streams = streams_weights(linear.in(), linear.out, target);
  return {{"rows", tile.pixels},
          {"tiles", ceil_div(streams ? 2 * kTaskRows : kTaskRows, tile.pixels)},
          {"unroll", streams ? 4 : 1},
          {"vectors", tile.vectors}};
}

struct Form {
  int rows;       // of a tile
  int task_rows;  // of a task, at most
  int few;        // samples, at most, that are computed one by one
  int unroll;
  int width, height;  // of a piece of the features, which has all channels
  int group;          // of blocks, of one sample
  int chains;         // of one sample, which divide the channels
};

int group_of(const Layer& layer, const TargetSpec& target) {
  constexpr int kMaxStreams = 5;
  const int most = std::clamp((target.vector_registers - 1) / layer.vectors(), 1, kMaxStreams);
  int best = 1;
  const auto price = [&](int group) { return ceil_div(layer.blocks(), group) * (group + 0.25); };
  for (int group = 2; group <= most; ++group) best = price(group) < price(best) ? group : best;
  return best;
}

// A vector as pieces whose weights stay in the cache, unless only short ones divide it, which would cost more than the
// cache gives.
void cut(Layer& layer, int64_t longest) {
  const int64_t piece = largest_divisor(layer.c, longest);
  if (layer.is_image || piece < longest / 8) return;
  layer.h = static_cast<int>(layer.c / piece);
  layer.c = static_cast<int>(piece);
}

Form form_of(const Layer& layer, const Knobs& knobs, int64_t longest, const TargetSpec& target) {
  const int rows = static_cast<int>(knobs.at("rows")), group = group_of(layer, target);
  const bool fits = layer.in() <= longest, row_fits = layer.c * layer.w <= longest;
  return {.rows = rows,
          .task_rows = rows * static_cast<int>(knobs.at("tiles")),
          .few = std::max(rows / 2, 1),
          .unroll = static_cast<int>(largest_divisor(layer.c, knobs.at("unroll"))),
          .width = fits || row_fits ? layer.w : 1,
          .height = fits ? layer.h : 1,
          .group = group,
          .chains = static_cast<int>(largest_divisor(layer.c, ceil_div(kHidingAccumulators, group * layer.vectors())))};
}

// Many samples: sums(l,b,q,n) of piece q of the features. One: sums(l,b,chain,n) of every chains-th channel.
struct Sums {
  Func func;
  RDom r;
};

Sums sum_pieces(const Body& body, const Layer& layer, const Form& form) {
  RDom r(0, layer.c, 0, form.width, 0, form.height, "r");
  Var l("l"), b("b"), q("q"), n("n");
  const int of_row = layer.w / form.width;
  const FeatureIndex at = {r.x, q % of_row * form.width + r.y, q / of_row * form.height + r.z};
  const Expr sample = min(likely(n), body.batch - 1);
  Func sums("sums");
  sums(l, b, q, n) = 0.0f;
  sums(l, b, q, n) += layer.input(anchor_operand(body, 0), at, sample) * layer.weight(body, l, at, b);
  return {sums, r};
}

Sums sum_chains(const Body& body, const Layer& layer, const Form& form) {
  RDom r(0, layer.c / form.chains, 0, layer.w, 0, layer.h, "r");
  Var l("l"), chain("chain"), b("b"), n("n");
  const FeatureIndex at = {r.x * form.chains + chain, r.y, r.z};
  // The last group computes its last block again rather than guard those it lacks.
  const Expr block = min(b, layer.blocks() - 1);
  Func sums("chains");
  sums(l, b, chain, n) = 0.0f;
  sums(l, b, chain, n) += layer.input(anchor_operand(body, 0), at, n) * layer.weight(body, l, at, block);
  return {sums, r};
}

// All but the sum's own loops unrolled, in registers: `lanes` wide times the dimensions `x` and `y`.
void schedule_tile(Sums& sums, int lanes, const Var& x, const Var& y, int unroll) {
  const Var l = sums.func.args()[0];
  const RDom& r = sums.r;
  sums.func.store_in(MemoryType::Register).vectorize(l, lanes).unroll(l).unroll(x).unroll(y);
  Halide::Stage update = sums.func.update();
  update.reorder(l, x, y, r.x, r.y, r.z).vectorize(l, lanes).unroll(l).unroll(x).unroll(y).unroll(r.x, unroll);
}

BuiltKernel build(const Layer& given, const Knobs& knobs, const TargetSpec& target) {
  const int64_t longest = std::max(target.l2_bytes / 4 / (kFloat * given.block), 1);
  Layer layer = given;
  cut(layer, longest);
  const Form form = form_of(layer, knobs, longest, target);
  Body body = make_body(layer.kernel);
  const int block = layer.block, piece_features = layer.c * form.width * form.height,
            pieces = layer.in() / piece_features;
  Sums sums = sum_pieces(body, layer, form), chains = sum_chains(body, layer, form);
  Var o("o"), n("n"), l("l"), b("b");
  Func total("total"), result("result");
  RDom piece(0, pieces, "piece");
  total(l, b, n) = 0.0f;
  total(l, b, n) += sums.func(l, b, piece, n);
  const Expr many = pieces == 1 ? sums.func(o % block, o / block, 0, n) : total(o % block, o / block, n);
  Expr one = chains.func(o % block, o / block, 0, n);
  for (int i = 1; i < form.chains; ++i) one += chains.func(o % block, o / block, i, n);
  const Expr is_few = body.batch <= form.few;
  Expr value = select(is_few, one, many);
  if (anchor_view(layer.kernel).inputs.size() == 3) value += anchor_operand(body, 2)(o);
  result(o, n) = value;
  set_anchor(body, {result});
  std::vector<Func> outputs = make_outputs(body);

  Func& out = outputs[0];
  inline_calls(out, {sums.func, total, chains.func});
  const Var oo = out.args()[0], on = out.args()[1];
  Var co("co"), cj("cj"), ci("ci"), no("no"), ni("ni"), row("row"), task("task");
  out.bound(oo, 0, layer.out);
  // Both forms have the loops `row` and `task`.
  const int group = form.group * block;
  out.specialize(is_few)
      .split(oo, task, ci, group, tail_of(layer.out, group))
      .split(ci, cj, ci, block)
      .split(on, row, ni, 1)
      .reorder(ci, cj, ni, row, task)
      .vectorize(ci, layer.lanes)
      .unroll(ci)
      .unroll(cj)
      .never_partition(row)
      .parallel(task);
  // The batch is cut into tiles, these into tasks: the condition of a task's last tiles then covers their sums too.
  out.split(oo, co, ci, block, tail_of(layer.out, block))
      .split(on, row, ni, form.rows, TailStrategy::GuardWithIf)
      .split(row, no, row, form.task_rows / form.rows, TailStrategy::GuardWithIf)
      .reorder(ci, ni, row, co, no)
      .vectorize(ci, layer.lanes)
      .unroll(ci)
      .unroll(ni)
      .fuse(co, no, task)
      .parallel(task);
  const std::vector<Var> at = chains.func.args(), tile = sums.func.args();
  chains.func.compute_at(out, row).bound_extent(at[0], block).bound_extent(at[1], form.group);
  chains.func.bound_extent(at[2], form.chains);
  schedule_tile(chains, layer.lanes, at[1], at[2], 1);
  sums.func.bound_extent(tile[0], block).bound_extent(tile[1], 1).bound_extent(tile[3], form.rows);
  schedule_tile(sums, layer.lanes, tile[1], tile[3], form.unroll);
  if (pieces == 1) {
    sums.func.compute_at(out, row);
  } else {
    Var to("to"), ti("ti");
    total.compute_at(out, task).bound_extent(l, block).bound_extent(b, 1);
    total.align_bounds(n, form.rows).bound_storage(n, form.task_rows).vectorize(l, layer.lanes).unroll(l);
    total.update()
        .split(n, to, ti, form.rows, TailStrategy::GuardWithIf)
        .reorder(l, ti, to, b, piece)
        .vectorize(l, layer.lanes)
        .unroll(l)
        .unroll(ti);
    sums.func.compute_at(total, to);
  }
  BuiltKernel built = finish(body, outputs);
  if (streams_weights(layer.in(), layer.out, target)) {
    const auto weight = static_cast<size_t>(anchor_input(layer.kernel, 1));
    built.streams = {{body.params[weight].name(), int64_t{piece_features} * block, sums.func.name()}};
  }
  return built;
}

}  // namespace

const Direction forward = {knobs, defaults, build};

}  // namespace convoke::gemm
