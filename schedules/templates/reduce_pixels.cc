// Sums over pixels, per channel. Vectors are channels. A row of an image is summed in registers, a few pixels side by
// side, then added to its chunk's sums: chains stay short and sums accurate. Where channels are several blocks of
// vectors it is a piece of a row, so that memory is read nearly in order. Channels that are no whole blocks of
// vectors are summed in blocks of which the last overlaps the one before it: masked sums would go through memory.
// Variances come from one pass, by distances from a sample of the mean: with d = x − s,
// mean = s + Σd/m,  variance = Σd²/m − (Σd/m)². To d² of a row's mean the variance inside the row is added.
#include <algorithm>
#include <bit>

#include "schedules/templates/reduce_parts.h"
#include "schedules/templates/tile.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::LoopLevel, Halide::MemoryType, Halide::RDom, Halide::RVar,
    Halide::TailStrategy, Halide::Tuple, Halide::Var;

namespace {

constexpr int kAccumulators = 8;  // that hide the latency of an addition
constexpr int kPieceElems = 2048;

// How an image's rows are cut: `pieces` of `w` pixels each.
struct Rows {
  int h, pieces, w;
};

// What is summed, at a channel of a pixel of a piece (pieces of all images in order).
using Terms = std::function<Tuple(const Expr& c, const Expr& px, const Expr& piece)>;

struct Sums {
  int c, w, h;       // w pixels of each of an image's h pieces
  int lanes, block;  // of channels
  int pixels;        // side by side
  size_t count;
  Terms terms;

  bool whole_blocks() const { return c % block == 0; }
};

struct Block {
  int lanes, vectors;
};

Block block_of(int c, const TargetSpec& target) {
  const int lanes = std::min(target.vector_lanes, static_cast<int>(std::bit_floor(static_cast<uint64_t>(c))));
  int vectors = std::min(kBlockVectors, c / lanes);
  if (c % lanes == 0) vectors = static_cast<int>(largest_divisor(c / lanes, kBlockVectors));
  return {lanes, vectors};
}

Rows rows_of(const ReduceForm& form, const Reduction& reduction) {
  const int64_t longest =
      reads_in_pieces(form, reduction) ? std::max<int64_t>(kPieceElems / reduction.c, 1) : reduction.w;
  const int64_t w = largest_divisor(reduction.w, longest);
  return {static_cast<int>(reduction.h), static_cast<int>(reduction.w / w), static_cast<int>(w)};
}

Sums make_sums(const ReduceForm& form, const Reduction& reduction, size_t count, Terms terms) {
  const Rows rows = rows_of(form, reduction);
  const int c = static_cast<int>(reduction.c);
  const Block block = block_of(c, form.target);
  const int accumulators = block.vectors * static_cast<int>(count);
  return {.c = c,
          .w = rows.w,
          .h = rows.h * rows.pieces,
          .lanes = block.lanes,
          .block = block.lanes * block.vectors,
          .pixels = static_cast<int>(largest_divisor(rows.w, std::max(1, kAccumulators / accumulators))),
          .count = count,
          .terms = std::move(terms)};
}

Expr at(const Func& x, const Expr& c, const Expr& px, const Expr& piece, const Rows& rows) {
  if (x.dimensions() == 2) return x(c, piece);
  const Expr row = piece / rows.pieces;
  return x(c, piece % rows.pieces * rows.w + px, row % rows.h, row / rows.h);
}

Tuple zeros(size_t count) { return Tuple(std::vector<Expr>(count, Expr(0.0f))); }

Tuple values(const Halide::FuncRef& sum) { return sum.size() == 1 ? Tuple(Expr(sum)) : Tuple(sum); }

Tuple plus(const Tuple& a, const Tuple& b) {
  std::vector<Expr> sums;
  for (size_t i = 0; i < a.size(); ++i) sums.push_back(a[static_cast<int>(i)] + b[static_cast<int>(i)]);
  return Tuple(sums);
}

// The sums side by side [first, last) as one, pairwise.
Tuple together(const Func& line, const Expr& c, const Expr& row, int first, int last) {
  if (last - first == 1) return values(line(c, first, row));
  const int middle = (first + last) / 2;
  return plus(together(line, c, row, first, middle), together(line, c, row, middle, last));
}

// Σ over the pixels of the rows (r, as `row`) of `slot`: a Func of (c, slot), to be computed by the caller.
Func sum_rows(const Sums& sums, const Var& slot, const RVar& r, const Expr& row) {
  Var c("c"), p("p"), any_row("row"), block("block");
  Func line("line"), task("task"), result("result");
  RDom px(0, sums.w / sums.pixels);
  line(c, p, any_row) = zeros(sums.count);
  line(c, p, any_row) = plus(values(line(c, p, any_row)), sums.terms(c, px * sums.pixels + p, any_row));
  const bool has_line = sums.w > 1;
  task(c, slot) = zeros(sums.count);
  task(c, slot) =
      plus(values(task(c, slot)), has_line ? together(line, c, row, 0, sums.pixels) : sums.terms(c, 0, row));
  result(c, slot) = values(task(c, slot));

  const auto vectorize = [&](Halide::Stage stage) { stage.vectorize(c, sums.lanes).unroll(c); };
  result.bound(c, 0, sums.c);
  if (sums.whole_blocks()) {
    // Rows in the order in which they lie in memory.
    result.vectorize(c, sums.lanes);
    task.compute_at(result, slot).bound(c, 0, sums.c).vectorize(c, sums.lanes);
    task.update().split(c, block, c, sums.block).reorder(c, block, r, slot);
    line.compute_at(task, block);
  } else {
    result.split(c, block, c, sums.block, TailStrategy::ShiftInwards);
    vectorize(result);
    task.compute_at(result, block).store_in(MemoryType::Register).bound_extent(c, sums.block);
    vectorize(task);
    task.update().reorder(c, r, slot);
    line.compute_at(task, r);
  }
  vectorize(task.update());
  if (!has_line) return result;
  line.store_in(MemoryType::Register).bound_extent(c, sums.block).unroll(p);
  line.update().reorder(c, p, px, any_row).unroll(p);
  vectorize(line);
  vectorize(line.update());
  return result;
}

// At a channel of a pixel of a piece.
using Value = std::function<Expr(const Expr& c, const Expr& px, const Expr& piece)>;

// The mean of a row in the middle of the first image.
Func sample_of_mean(const Value& x, const Sums& sums, const Rows& rows) {
  Var c("c");
  RDom px(0, rows.w * rows.pieces);
  Func sum("shift_sum"), shift("shift");
  sum(c) = 0.0f;
  sum(c) += x(c, px % rows.w, rows.h / 2 * rows.pieces + px / rows.w);
  shift(c) = sum(c) * (1.0f / static_cast<float>(rows.w * rows.pieces));
  sum.compute_root().vectorize(c, sums.lanes, TailStrategy::GuardWithIf);
  sum.update().reorder(c, px).vectorize(c, sums.lanes, TailStrategy::GuardWithIf);
  return shift;
}

// Σ over everything but the channel.
Func sum_batch(const ReduceForm& form, const Sums& sums) {
  Var c("c"), chunk("chunk");
  const ChunkRows rows = rows_of_chunk(form.body.batch * sums.h, chunk);
  Func partial = sum_rows(sums, chunk, rows.r, rows.row), merged("merged");
  partial.compute_root().parallel(chunk);
  RDom k(0, kChunks);
  merged(c) = zeros(sums.count);
  merged(c) = plus(values(merged(c)), values(partial(c, k)));
  merged.compute_root().bound(c, 0, sums.c).vectorize(c, sums.lanes, TailStrategy::GuardWithIf);
  merged.update().reorder(c, k).vectorize(c, sums.lanes, TailStrategy::GuardWithIf);
  return merged;
}

Expr pixel_count(const ReduceForm& form, const Sums& sums) {
  return Halide::cast<float>(form.body.batch * (sums.h * sums.w));
}

// Of values x that are themselves means of values of variance `inside`: undefined where they are not.
std::vector<Func> moments_of(const ReduceForm& form, const Reduction& reduction, const Value& x, const Value& inside) {
  Func shift;
  const Sums sums = make_sums(form, reduction, 2, [&](const Expr& c, const Expr& px, const Expr& piece) {
    const Expr d = x(c, px, piece) - shift(c);
    return Tuple(d, inside ? d * d + inside(c, px, piece) : d * d);
  });
  shift = sample_of_mean(x, sums, rows_of(form, reduction));
  const Func merged = sum_batch(form, sums);
  Var c("c");
  Func mean("mean"), variance("variance");
  const Expr distance = merged(c)[0] / pixel_count(form, sums);
  mean(c) = shift(c) + distance;
  variance(c) = max(merged(c)[1] / pixel_count(form, sums) - distance * distance, 0.0f);
  return {mean, variance};
}

std::vector<Func> moments(const ReduceForm& form, const Reduction& reduction) {
  const Rows rows = rows_of(form, reduction);
  const auto operand = [&](int i) -> Value {
    return [&form, rows, i](const Expr& c, const Expr& px, const Expr& piece) {
      return at(anchor_operand(form.body, i), c, px, piece, rows);
    };
  };
  if (reduction.kind == Reduction::kMoments) return moments_of(form, reduction, operand(0), {});
  const Value first = operand(0), sum = operand(1), squares = operand(2);
  const float share = 1.0f / static_cast<float>(reduction.pixels);
  const auto distance = [&](const Expr& c, const Expr& px, const Expr& row) -> Expr { return sum(c, px, row) * share; };
  return moments_of(
      form, reduction,
      [&](const Expr& c, const Expr& px, const Expr& row) -> Expr { return first(c, px, row) + distance(c, px, row); },
      [&](const Expr& c, const Expr& px, const Expr& row) -> Expr {
        return squares(c, px, row) * share - distance(c, px, row) * distance(c, px, row);
      });
}

std::vector<Func> normalization_gradient(const ReduceForm& form, const Reduction& reduction) {
  const Rows rows = rows_of(form, reduction);
  const auto operand = [&](int i) -> const Func& { return anchor_operand(form.body, i); };
  const Sums sums = make_sums(form, reduction, 2, [&](const Expr& c, const Expr& px, const Expr& piece) {
    const Expr dy = at(operand(0), c, px, piece, rows);
    return Tuple(dy * (at(operand(1), c, px, piece, rows) - operand(2)(c)), dy);
  });
  const Func merged = sum_batch(form, sums);
  Var c("c");
  Func dweight("dweight"), dbias("dbias");
  dweight(c) = merged(c)[0] / sqrt(operand(3)(c) + static_cast<float>(reduction.epsilon));
  dbias(c) = merged(c)[1];
  return {dweight, dbias};
}

Sums plain_sums(const ReduceForm& form, const Reduction& reduction) {
  const Rows rows = rows_of(form, reduction);
  return make_sums(form, reduction, 1, [&form, rows](const Expr& c, const Expr& px, const Expr& piece) {
    return Tuple(at(anchor_operand(form.body, 0), c, px, piece, rows));
  });
}

// Σ x² in equal chunks of whole vectors; what remains (less than a vector block a chunk) is added last.
Func sum_squares(const ReduceForm& form, int elems) {
  const int lanes = form.target.vector_lanes * kBlockVectors, blocks = elems / (lanes * kChunks);
  const int rest = elems - blocks * lanes * kChunks;
  const Func& x = anchor_operand(form.body, 0);
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
    partial.compute_root().parallel(chunk).vectorize(lane, form.target.vector_lanes);
    task.compute_at(partial, chunk).store_in(MemoryType::Register);
    task.bound(lane, 0, lanes).vectorize(lane, form.target.vector_lanes).unroll(lane);
    task.update().reorder(lane, block, chunk).vectorize(lane, form.target.vector_lanes).unroll(lane);
  }
  if (rest > 0) {
    const Expr element = x(elems - rest + remaining);
    sum() += element * element;
  }
  sum.compute_root();
  return sum;
}

}  // namespace

bool reads_in_pieces(const ReduceForm& form, const Reduction& reduction) {
  if (reduction.kind == Reduction::kSumSquares) return false;
  const Block block = block_of(static_cast<int>(reduction.c), form.target);
  return reduction.c > int64_t{block.lanes} * block.vectors;
}

ChunkRows rows_of_chunk(const Expr& rows, const Expr& chunk) {
  const Expr per_chunk = (rows + kChunks - 1) / kChunks;
  RDom r(0, per_chunk);
  r.where(chunk * per_chunk + r < rows);
  return {r, clamp(chunk * per_chunk + r, 0, rows - 1)};
}

std::vector<Func> reduce_channels(const ReduceForm& form, const Reduction& reduction) {
  if (reduction.kind == Reduction::kMoments || reduction.kind == Reduction::kMergedMoments) {
    return moments(form, reduction);
  }
  if (reduction.kind == Reduction::kNormalizationGradient) return normalization_gradient(form, reduction);
  if (reduction.kind == Reduction::kSumSquares) return {sum_squares(form, static_cast<int>(reduction.c))};
  return {sum_batch(form, plain_sums(form, reduction))};
}

Func reduce_images(const ReduceForm& form, const Reduction& reduction, const LoopLevel& at) {
  const Sums sums = plain_sums(form, reduction);
  Var c("c"), x("x"), y("y"), n("n");
  RDom r(0, sums.h);
  Func task = sum_rows(sums, n, r, n * sums.h + r), mean("mean");
  task.compute_at(at);
  mean(c, x, y, n) = task(c, n) * (1.0f / (static_cast<float>(sums.h) * static_cast<float>(sums.w)));
  return mean;
}

}  // namespace convoke
