// Reductions of rows of k contiguous elements: a row is folded into a few vectors, these into a scalar. The last vector
// of a row overlaps the one before it and leaves out what that has counted: nothing is masked, so sums stay in
// registers. A softmax keeps the exponentials of long rows, and computes those of short ones twice.
#include <algorithm>
#include <bit>

#include "schedules/templates/reduce_parts.h"
#include "schedules/templates/tile.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::LoopLevel, Halide::MemoryType, Halide::RDom, Halide::TailStrategy,
    Halide::Var;

namespace {

struct Row {
  const ReduceForm& form;
  const RowReduction& reduction;
  LoopLevel at;            // where a row's values are computed
  std::vector<Var> place;  // of the row: x, y, n or n alone

  int k() const { return static_cast<int>(reduction.k); }
  int lanes() const {
    return std::min(form.target.vector_lanes, static_cast<int>(std::bit_floor(static_cast<uint64_t>(reduction.k))));
  }
  bool is_long() const { return k() >= 2 * kBlockVectors * lanes(); }
  Expr operand(int i, const Expr& element) const { return anchor_operand(form.body, i)(coordinates(element)); }
  std::vector<Expr> coordinates(const Expr& element) const {
    std::vector<Expr> at = {element};
    at.insert(at.end(), place.begin(), place.end());
    return at;
  }
};

Row make_row(const ReduceForm& form, const RowReduction& reduction, const LoopLevel& at) {
  Row row{form, reduction, at, {Var("n")}};
  if (anchor_operand(form.body, 0).dimensions() == 4) row.place = {Var("x"), Var("y"), Var("n")};
  return row;
}

struct Fold {
  Expr neutral;
  Expr (*combine)(const Expr&, const Expr&);
};

Fold sums() {
  return {0.0f, [](const Expr& a, const Expr& b) { return a + b; }};
}

Fold maxima(const Expr& neutral) {
  return {neutral, [](const Expr& a, const Expr& b) { return max(a, b); }};
}

// A scalar a row: term(0) ∘ … ∘ term(k − 1).
Func fold(const Row& row, const Fold& how, const std::function<Expr(const Expr&)>& term) {
  const int vector = row.lanes(), lanes = row.is_long() ? kBlockVectors * vector : vector;
  const int rest = row.k() % lanes;
  Var lane("lane");
  Func wide("wide"), folded("folded");
  RDom block(0, row.k() / lanes), all(0, lanes);
  const std::vector<Expr> at = row.coordinates(lane);
  wide(at) = how.neutral;
  wide(at) = how.combine(wide(at), term(block * lanes + lane));
  if (rest > 0) {
    const Expr last = select(lane >= lanes - rest, term(row.k() - lanes + lane), how.neutral);
    wide(at) = how.combine(wide(at), last);
  }
  folded(row.place) = how.neutral;
  folded(row.place) = how.combine(folded(row.place), wide(row.coordinates(all)));

  wide.compute_at(row.at).store_in(MemoryType::Register).bound(lane, 0, lanes).vectorize(lane, vector).unroll(lane);
  wide.update(0).reorder(lane, block).vectorize(lane, vector).unroll(lane);
  if (rest > 0) wide.update(1).vectorize(lane, vector).unroll(lane);
  folded.compute_at(row.at).store_in(MemoryType::Register);
  folded.update().atomic().vectorize(all);
  return folded;
}

Func scalar(const Row& row, const Expr& value) {
  Func func("scalar");
  func(row.place) = value;
  func.compute_at(row.at).store_in(MemoryType::Register);
  return func;
}

Func largest(const Row& row) {
  return fold(row, maxima(std::numeric_limits<float>::lowest()), [&](const Expr& k) { return row.operand(0, k); });
}

struct Powers {
  Func of;   // e^(x − max), of (k, place)
  Func sum;  // of place
};

Powers powers(const Row& row) {
  Var k("k");
  const Func most = largest(row);
  Powers powers{Func("power"), {}};
  powers.of(row.coordinates(k)) = exp(row.operand(0, k) - most(row.place));
  if (row.is_long()) {
    powers.of.compute_at(row.at).bound(k, 0, row.k()).vectorize(k, row.lanes(), TailStrategy::ShiftInwards);
  }
  powers.sum = fold(row, sums(), [&](const Expr& i) { return powers.of(row.coordinates(i)); });
  return powers;
}

Expr label_of(const Row& row) { return anchor_operand(row.form.body, 1)(row.place); }

// The logit of the label; labels are in range, but what is read stays inside in any case.
Expr logit_of_label(const Row& row) { return row.operand(0, clamp(label_of(row), 0, row.k() - 1)); }

// max + log Σ e^(x − max) − (1 − s)·x(label) − s/k·Σ x
Expr cross_entropy(const Row& row) {
  const auto smoothing = static_cast<float>(row.reduction.label_smoothing);
  const Func most = largest(row);
  const Func sum = fold(row, sums(), [&](const Expr& k) { return exp(row.operand(0, k) - most(row.place)); });
  Expr loss = most(row.place) + log(sum(row.place)) - (1.0f - smoothing) * logit_of_label(row);
  if (smoothing > 0) {
    const Func total = fold(row, sums(), [&](const Expr& k) { return row.operand(0, k); });
    loss -= smoothing / static_cast<float>(row.reduction.k) * total(row.place);
  }
  return loss;
}

// 1 when no logit before the label's is as large, and none behind it larger.
Expr hit(const Row& row) {
  const Func right = scalar(row, logit_of_label(row)), label = scalar(row, label_of(row));
  const Func beaten = fold(row, maxima(0), [&](const Expr& k) {
    const Expr x = row.operand(0, k), mine = right(row.place);
    return Halide::cast<int>(x > mine || (x == mine && k < label(row.place)));
  });
  const Expr exists = label(row.place) >= 0 && label(row.place) < row.k();
  return select(beaten(row.place) == 0 && exists, 1.0f, 0.0f);
}

}  // namespace

Func transform_rows(const ReduceForm& form, const RowReduction& reduction, const LoopLevel& at) {
  const Row row = make_row(form, reduction, at);
  Var k("k");
  const std::vector<Expr> here = row.coordinates(k);
  Func result("rows");
  if (reduction.kind == RowReduction::kSoftmax) {
    const Powers power = powers(row);
    const Func scale = scalar(row, 1.0f / power.sum(row.place));
    result(here) = power.of(here) * scale(row.place);
  } else if (reduction.kind == RowReduction::kSoftmaxGradient) {
    const Func dot = fold(row, sums(), [&](const Expr& i) { return row.operand(0, i) * row.operand(1, i); });
    result(here) = row.operand(1, k) * (row.operand(0, k) - dot(row.place));
  } else {
    const auto smoothing = static_cast<float>(reduction.label_smoothing);
    const Expr dloss = anchor_operand(form.body, 2)() / Halide::cast<float>(form.body.batch);
    const Powers power = powers(row);
    const Func scale = scalar(row, dloss / power.sum(row.place));
    const Expr target =
        select(label_of(row) == k, 1.0f - smoothing, 0.0f) + smoothing / static_cast<float>(reduction.k);
    result(here) = power.of(here) * scale(row.place) - dloss * target;
  }
  return result;
}

Func mean_of_rows(const ReduceForm& form, const RowReduction& reduction) {
  LoopLevel at;
  const Row row = make_row(form, reduction, at);
  Func value("value"), task("task"), partial("partial"), sum("sum"), mean("mean");
  value(row.place) = reduction.kind == RowReduction::kAccuracy ? hit(row) : cross_entropy(row);
  Var chunk("chunk");
  const ChunkRows rows = rows_of_chunk(form.body.batch, chunk);
  task(chunk) = 0.0f;
  task(chunk) += value(rows.row);
  partial(chunk) = task(chunk);
  RDom k(0, kChunks);
  sum() = 0.0f;
  sum() += partial(k);
  mean() = sum() / Halide::cast<float>(form.body.batch);
  at.set(LoopLevel(task, rows.r.x));
  task.compute_at(partial, chunk).store_in(MemoryType::Register);
  partial.compute_root().parallel(chunk);
  sum.compute_root();
  return mean;
}

}  // namespace convoke
