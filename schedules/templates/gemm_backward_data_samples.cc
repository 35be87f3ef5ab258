// dx(k,n) = Σ_o dy(o,n)·w(k,o) with vectors along the samples: a tile is `features` times `vectors` registers of
// samples, a step loads the vectors of one output's gradients and broadcasts its weight of each feature. So a weight is
// read once for all samples of the tile, where vectors along the outputs (gemm_backward_data.cc) read a vector of
// weights from the L2 cache every few multiply-adds.
//
// A task is a range of features of some samples. It goes through the blocks of outputs, in the order in which their
// weights lie in memory: a block's gradients are transposed to a panel, in squares, the block's sums added to the
// task's.
#include <algorithm>
#include <numeric>

#include "schedules/templates/gemm.h"

namespace convoke::gemm {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::TailStrategy, Halide::Var;

constexpr int kTaskSamples = 64;
constexpr int kTaskFeatures = 512;  // at most: a panel is worth transposing for many
constexpr int kMaxSide = 8;         // of a square
constexpr int kUnroll = 4;          // outputs: a line of weights is prefetched every so many
constexpr int64_t kTilesAhead = 2;

struct Form {
  int lanes, samples;   // of a vector, of a tile
  int features, range;  // of a tile, of a task
};

Form form_of(const Layer& layer, const Knobs& knobs, const TargetSpec& target) {
  const auto vectors = static_cast<int>(knobs.at("samples"));
  const int range = ceil_div(layer.c, ceil_div(layer.c, kTaskFeatures));
  return {.lanes = target.vector_lanes,
          .samples = vectors * target.vector_lanes,
          .features = tile_features(vectors, range, target),
          .range = range};
}

// panel(s,o,b,t): output o of block b, sample s of tile t.
Func transpose_gradients(const Body& body, const Layer& layer, const Form& form, Func& square) {
  Var s("s"), o("o"), b("b"), t("t");
  const Expr output = b * layer.block + o, sample = min(t * form.samples + s, body.batch - 1);
  const Func& dy = anchor_operand(body, 0);
  square = Func("square");
  square(s, o, b, t) = layer.out % layer.block == 0
                           ? dy(output, sample)
                           : select(output < layer.out, dy(min(output, layer.out - 1), sample), 0.0f);
  Func panel("panel");
  panel(s, o, b, t) = square(s, o, b, t);
  return panel;
}

void schedule_panel(Func panel, Func square, const Func& user, const Var& at, const Layer& layer, const Form& form) {
  const std::vector<Var> p = panel.args();
  const auto side = static_cast<int>(largest_divisor(std::gcd(layer.block, form.samples), kMaxSide));
  Var so("so"), si("si"), oo("oo"), oi("oi");
  panel.compute_at(user, at)
      .store_in(MemoryType::Heap)  // Halide makes copies of it, too many for the stack
      .bound_extent(p[0], form.samples)
      .bound_extent(p[1], layer.block)
      .bound_extent(p[2], 1)
      .bound_extent(p[3], 1)
      .split(p[0], so, si, side)
      .split(p[1], oo, oi, side)
      .reorder(si, oi, oo, so)
      .vectorize(si)
      .unroll(oi);
  square.compute_at(panel, oo)
      .store_in(MemoryType::Stack)
      .bound_extent(p[0], side)
      .bound_extent(p[1], side)
      .reorder(p[1], p[0])
      .vectorize(p[1])
      .unroll(p[0]);
}

}  // namespace

DataForm by_samples(const Body& body, const Layer& layer, const Knobs& knobs, const TargetSpec& target) {
  const Form form = form_of(layer, knobs, target);
  const int tiles = std::max(kTaskSamples / form.samples, 1);
  Func square;
  Func panel = transpose_gradients(body, layer, form, square);
  Var s("s"), f("f"), x("x"), y("y"), b("b"), t("t");
  RDom outputs_of_block(0, layer.block, "o"), blocks(0, layer.blocks(), "blocks");
  Func sums("sums"), total("total");
  const FeatureIndex at = {min(likely(f), layer.c - 1), x, y};
  sums(s, f, x, y, b, t) = 0.0f;
  sums(s, f, x, y, b, t) += panel(s, outputs_of_block, b, t) * layer.weight(body, outputs_of_block, at, b);
  total(s, f, x, y, t) = 0.0f;
  total(s, f, x, y, t) += sums(s, f, x, y, blocks, t);
  const auto gradient = [=](const FeatureIndex& of, const Expr& n) -> Expr {
    return total(n % form.samples, of.c, of.x, of.y, n / form.samples);
  };
  const auto schedule = [=](const Func& out, const Var& task, const Var&) {
    Func tile_sums = sums, task_total = total;
    Var fo("fo"), fi("fi");
    task_total.compute_at(out, task)
        .store_in(MemoryType::Heap)
        .bound_extent(f, ceil_div(form.range, form.features) * form.features)
        .bound_extent(s, form.samples)
        .bound_extent(x, 1)
        .bound_extent(y, 1)
        .bound_storage(t, tiles)
        .vectorize(s, form.lanes);
    task_total.update()
        .split(f, fo, fi, form.features, TailStrategy::RoundUp)
        .reorder(s, fi, fo, x, y, t, blocks)
        .vectorize(s, form.lanes)
        .unroll(s)
        .unroll(fi);
    tile_sums.compute_at(task_total, fo)
        .store_in(MemoryType::Register)
        .bound_extent(s, form.samples)
        .bound_extent(f, form.features)
        .bound_extent(x, 1)
        .bound_extent(y, 1)
        .bound_extent(b, 1)
        .bound_extent(t, 1)
        .vectorize(s, form.lanes)
        .unroll(s)
        .unroll(f);
    tile_sums.update().reorder(s, f, outputs_of_block).vectorize(s, form.lanes).unroll(s).unroll(f);
    tile_sums.update().unroll(outputs_of_block, static_cast<int>(largest_divisor(layer.block, kUnroll)));
    schedule_panel(panel, square, task_total, t, layer, form);
  };
  return {.gradient = gradient,
          .range = form.range,
          .samples = tiles * form.samples,
          .step = form.lanes,
          .schedule = schedule,
          .weights = {.ahead = kTilesAhead * int64_t{form.features} * layer.block, .stage = sums.name()}};
}

}  // namespace convoke::gemm
