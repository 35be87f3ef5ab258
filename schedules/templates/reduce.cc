// reduce: sums over batch and pixels, a result per channel (or one). The rows of the batch are cut into a constant
// number of chunks, the tasks; each keeps sums of its own, merged in order, so that nothing depends on the number of
// threads. A chunk adds up row by row, which keeps chains short and sums accurate. Variances come from one pass, by
// distances from a sample of the mean: with d = x − s,  mean = s + Σd/m,  variance = Σd²/m − (Σd/m)².
#include <algorithm>

#include "compiler/ops/reduction.h"
#include "schedules/templates/body.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::RVar, Halide::TailStrategy, Halide::Tuple,
    Halide::Var;

constexpr int kChunks = 16;
constexpr int kBlockVectors = 4;  // of channels whose sums over a row stay in registers

struct Sums {
  const Reduction reduction;
  const TargetSpec& target;
  Body& body;
  int c, w, h;
  Func shift;  // moments only

  Expr rows() const { return body.batch * h; }
  Expr pixels() const { return Halide::cast<float>(rows() * w); }
};

bool applies(const Kernel& kernel, const TargetSpec&) {
  return kernel.anchor != kNoAnchor && as_reduction(anchor_view(kernel)).has_value();
}

Expr at(const Func& x, const Expr& c, const Expr& px, const Expr& row, int h) {
  return x.dimensions() == 2 ? x(c, row) : x(c, px, row % h, row / h);
}

// What is summed, at a channel of a pixel of a row (rows of all images in order).
Tuple terms(const Sums& sums, const Expr& c, const Expr& px, const Expr& row) {
  const Expr x = at(anchor_operand(sums.body, 0), c, px, row, sums.h);
  if (sums.reduction.kind == Reduction::kSum) return Tuple(x);
  if (sums.reduction.kind == Reduction::kMoments) {
    const Expr d = x - sums.shift(c);
    return Tuple(d, d * d);
  }
  const Expr input = at(anchor_operand(sums.body, 1), c, px, row, sums.h);
  return Tuple(x * (input - anchor_operand(sums.body, 2)(c)), x);
}

Tuple zeros(size_t count) { return Tuple(std::vector<Expr>(count, Expr(0.0f))); }

Tuple values(const Halide::FuncRef& sum) { return sum.size() == 1 ? Tuple(Expr(sum)) : Tuple(sum); }

void add(Halide::FuncRef sum, const Tuple& terms) {
  std::vector<Expr> updated;
  for (size_t i = 0; i < terms.size(); ++i) {
    updated.push_back(values(sum)[static_cast<int>(i)] + terms[i]);
  }
  sum = Tuple(updated);
}

// The mean of a row in the middle of the first image.
Func sample_of_mean(const Sums& sums) {
  Var c("c");
  RDom px(0, sums.w);
  Func sum("shift_sum"), shift("shift");
  sum(c) = 0.0f;
  sum(c) += at(anchor_operand(sums.body, 0), c, px, sums.h / 2, sums.h);
  shift(c) = sum(c) * (1.0f / static_cast<float>(sums.w));
  const int lanes = lanes_for(sums.c, sums.target);
  sum.compute_root().vectorize(c, lanes, TailStrategy::GuardWithIf);
  sum.update().reorder(c, px).vectorize(c, lanes, TailStrategy::GuardWithIf);
  return shift;
}

// The rows of chunk k: row(k, r) = k·R + r for r < R, R = ⌈rows/16⌉; `where` keeps to the rows that exist.
struct Rows {
  RDom r;
  Expr row;
};

Rows rows_of_chunk(const Sums& sums, const Expr& chunk) {
  const Expr rows = sums.rows(), per_chunk = (rows + kChunks - 1) / kChunks;
  RDom r(0, per_chunk);
  r.where(chunk * per_chunk + r < rows);
  return {r, clamp(chunk * per_chunk + r, 0, rows - 1)};
}

// Sums (c, chunk), for whole vectors of channels: a row's sums in registers, then added to the chunk's.
Func sum_by_rows(const Sums& sums, size_t count) {
  Var c("c"), chunk("chunk"), row("row"), block("block");
  RDom px(0, sums.w);
  Func line("line"), task("task"), partial("partial");
  line(c, row) = zeros(count);
  add(line(c, row), terms(sums, c, px, row));
  task(c, chunk) = zeros(count);
  const Rows rows = rows_of_chunk(sums, chunk);
  add(task(c, chunk), values(line(c, rows.row)));
  partial(c, chunk) = values(task(c, chunk));

  const int lanes = sums.target.vector_lanes;
  int vectors = kBlockVectors;
  while (sums.c % (vectors * lanes) != 0) vectors /= 2;
  partial.compute_root().parallel(chunk).vectorize(c, lanes);
  task.compute_at(partial, chunk).vectorize(c, lanes);
  task.update().split(c, block, c, vectors * lanes).reorder(c, block, rows.r, chunk).vectorize(c, lanes).unroll(c);
  line.compute_at(task, block).store_in(MemoryType::Register).bound_extent(c, vectors * lanes);
  line.vectorize(c, lanes).unroll(c).update().reorder(c, px, row).vectorize(c, lanes).unroll(c);
  return partial;
}

// Sums (c, px, chunk), for other numbers of channels: rows as flat vectors of channels and pixels.
Func sum_by_columns(const Sums& sums, size_t count) {
  Var c("c"), px("px"), chunk("chunk"), flat("flat");
  Func task("task"), partial("partial");
  task(c, px, chunk) = zeros(count);
  const Rows rows = rows_of_chunk(sums, chunk);
  add(task(c, px, chunk), terms(sums, c, px, rows.row));
  partial(c, px, chunk) = values(task(c, px, chunk));

  const int lanes = lanes_for(int64_t{sums.c} * sums.w, sums.target);
  const auto flatten = [&](auto stage) { stage.fuse(c, px, flat).vectorize(flat, lanes, TailStrategy::GuardWithIf); };
  partial.compute_root().parallel(chunk);
  flatten(Halide::Stage(partial));
  task.compute_at(partial, chunk);
  flatten(Halide::Stage(task));
  task.update().reorder(c, px, rows.r, chunk);
  flatten(task.update());
  return partial;
}

// Merges the chunks in order.
Func merge(const Sums& sums, const Func& partial, size_t count) {
  Var c("c");
  Func merged("merged");
  merged(c) = zeros(count);
  if (partial.dimensions() == 2) {
    RDom r(0, kChunks);
    add(merged(c), values(partial(c, r)));
  } else {
    RDom r(0, sums.w, 0, kChunks);
    add(merged(c), values(partial(c, r.x, r.y)));
  }
  const int lanes = lanes_for(sums.c, sums.target);
  merged.compute_root().vectorize(c, lanes, TailStrategy::GuardWithIf);
  Halide::Stage update = merged.update();
  std::vector<Halide::VarOrRVar> order = {c};
  for (const RVar& r : merged.rvars()) order.emplace_back(r);
  update.reorder(order).vectorize(c, lanes, TailStrategy::GuardWithIf);
  return merged;
}

std::vector<Func> results(const Sums& sums, const Func& merged) {
  Var c("c");
  if (sums.reduction.kind == Reduction::kSum) return {merged};
  Func first("first"), second("second");
  if (sums.reduction.kind == Reduction::kMoments) {
    const Expr distance = merged(c)[0] / sums.pixels();
    first(c) = sums.shift(c) + distance;
    second(c) = max(merged(c)[1] / sums.pixels() - distance * distance, 0.0f);
  } else {
    const Expr variance = anchor_operand(sums.body, 3)(c);
    first(c) = merged(c)[0] / sqrt(variance + static_cast<float>(sums.reduction.epsilon));
    second(c) = merged(c)[1];
  }
  return {first, second};
}

std::vector<Func> channel_results(Body& body, const Reduction& reduction, const TargetSpec& target) {
  Sums sums{reduction,
            target,
            body,
            static_cast<int>(reduction.c),
            static_cast<int>(reduction.w),
            static_cast<int>(reduction.h),
            {}};
  const bool moments = reduction.kind == Reduction::kMoments;
  if (moments) sums.shift = sample_of_mean(sums);
  const size_t count = reduction.kind == Reduction::kSum ? 1 : 2;
  const bool whole_vectors = reduction.c % target.vector_lanes == 0 && anchor_operand(body, 0).dimensions() == 4;
  const Func partial = whole_vectors ? sum_by_rows(sums, count) : sum_by_columns(sums, count);
  return results(sums, merge(sums, partial, count));
}

// Σ x² in equal chunks of whole vectors; what remains (less than a vector block a chunk) is added last.
Func sum_squares(const Body& body, int elems, const TargetSpec& target) {
  const int lanes = target.vector_lanes * kBlockVectors, blocks = elems / (lanes * kChunks);
  const int rest = elems - blocks * lanes * kChunks;
  const Func& x = anchor_operand(body, 0);
  Var lane("lane"), chunk("chunk");
  Func task("task"), partial("partial"), sum("sum");
  RDom block(0, std::max(blocks, 1)), remaining(0, std::max(rest, 1)), all(0, lanes, 0, kChunks);
  sum() = 0.0f;
  if (blocks > 0) {
    const Expr element = x((chunk * blocks + block) * lanes + lane);
    task(lane, chunk) = 0.0f;
    task(lane, chunk) += element * element;
    partial(lane, chunk) = task(lane, chunk);
    sum() += partial(all.x, all.y);
    partial.compute_root().parallel(chunk).vectorize(lane, target.vector_lanes);
    task.compute_at(partial, chunk).store_in(MemoryType::Register);
    task.bound(lane, 0, lanes).vectorize(lane, target.vector_lanes).unroll(lane);
    task.update().reorder(lane, block, chunk).vectorize(lane, target.vector_lanes).unroll(lane);
  }
  if (rest > 0) {
    const Expr element = x(elems - rest + remaining);
    sum() += element * element;
  }
  sum.compute_root();
  return sum;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  Body body = make_body(kernel);
  const Reduction reduction = *as_reduction(anchor_view(kernel));
  const bool squares = reduction.kind == Reduction::kSumSquares;
  set_anchor(body, squares ? std::vector{sum_squares(body, static_cast<int>(reduction.c), target)}
                           : channel_results(body, reduction, target));
  std::vector<Func> outputs = make_outputs(body);
  for (Func& output : outputs) {
    if (squares) continue;
    output.vectorize(output.args()[0], lanes_for(reduction.c, target), TailStrategy::GuardWithIf);
  }
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::reduce = {"reduce", applies, no_knob_ranges, no_knobs, plain_layouts, build};

}  // namespace convoke
