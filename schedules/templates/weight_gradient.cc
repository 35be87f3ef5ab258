// Weight gradients by panels of rows (weight_gradient.h).
#include "schedules/templates/weight_gradient.h"

#include <algorithm>

#include "compiler/ops/conv2d.h"
#include "schedules/templates/tile.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::RVar, Halide::TailStrategy, Halide::Var;

namespace {

// The input's pixel at place `at` of the copy.
Expr input_at(const TappedAxis& axis, const Expr& at) {
  if (!axis.expanded) return at - axis.padding;
  return at / axis.kernel * axis.stride + at % axis.kernel * axis.dilation - axis.padding;
}

// Image m of group t.
Expr image(const WeightGradientWork& work, const WeightGradientSums& s, const Expr& m) {
  return s.t / work.row_groups() * work.form.images + m;
}

Expr clamped_image(const WeightGradientWork& work, const WeightGradientSums& s) {
  const Expr n = image(work, s, s.m);
  return work.form.images > 1 ? min(n, work.body.batch - 1) : n;
}

void define_gradient(const WeightGradientWork& work, WeightGradientSums& s) {
  const Func& dy = anchor_operand(work.body, 0);
  const int block = work.form.block(), channels = work.problem.out_c * work.problem.groups;
  const Expr row = s.t % work.row_groups() * work.form.rows + s.y, n = clamped_image(work, s);
  if (!work.has_idle_lanes()) {
    // Vectors behind the last channel repeat the last one: their sums are not used.
    const int lanes = work.form.lanes;
    const Expr vector = min(s.co * block + s.l / lanes * lanes, channels - lanes);
    s.gradient(s.l, s.x, s.y, s.m, s.co, s.t) = dy(vector + s.l % lanes, s.x, row, n);
    return;
  }
  s.gradient_r = RDom(0, std::min(block, channels));
  const Expr channel = s.co * block + s.gradient_r;
  if (channels > block) s.gradient_r.where(channel < channels);
  s.gradient(s.l, s.x, s.y, s.m, s.co, s.t) = Halide::undef<float>();  // sums of idle lanes are not used
  s.gradient(s.gradient_r, s.x, s.y, s.m, s.co, s.t) = dy(min(channel, channels - 1), s.x, row, n);
}

void define_input(const WeightGradientWork& work, WeightGradientSums& s) {
  const Func& source = anchor_operand(work.body, 1);
  const TappedAxis &x = work.problem.x, &y = work.problem.y;
  const int piece = work.form.piece();
  const Expr first_row = s.t % work.row_groups() * work.form.rows * y.stride, n = clamped_image(work, s);
  const Expr row = first_row + input_at(y, s.y), inside_row = clamp(row, 0, y.in - 1);
  const Expr channel = s.ci * work.form.channels + s.p * piece;
  // Places that no pixel is copied to count where they are padding.
  s.input(s.f, s.y, s.m, s.p, s.ci, s.t) = x.has_padding() || y.has_padding() ? Expr(0.0f) : Halide::undef<float>();
  if (x.expanded) {
    s.input_r = RDom(0, piece, 0, x.kernel, 0, x.out);
    const Expr column = s.input_r.z * x.stride + s.input_r.y * x.dilation - x.padding;
    s.input_r.where(row >= 0 && row < y.in && column >= 0 && column < x.in);
    s.input(s.input_r.x + piece * (s.input_r.y + x.kernel * s.input_r.z), s.y, s.m, s.p, s.ci, s.t) =
        source(channel + s.input_r.x, clamp(column, 0, x.in - 1), inside_row, n);
  } else {
    s.input_r = RDom(0, piece * x.in);
    s.input_r.where(row >= 0 && row < y.in);
    s.input(x.padding * piece + s.input_r, s.y, s.m, s.p, s.ci, s.t) =
        source(channel + s.input_r % piece, s.input_r / piece, inside_row, n);
  }
}

// The copied operand of tap q of the pixel.
Expr tapped_input(const WeightGradientWork& work, const WeightGradientSums& s) {
  const TappedAxis &x = work.problem.x, &y = work.problem.y;
  const int channels = work.form.channels, piece = work.form.piece();
  const Expr ci = work.problem.groups > 1 ? s.co / work.out_blocks() * work.in_blocks() + s.ci : Expr(s.ci);
  const Expr place = s.pixel.x * x.step(), row = s.pixel.y * y.step() + s.ky * y.slope();
  if (piece == channels) return s.input(place * piece + s.q, row, s.pixel.z, 0, ci, s.t);
  return s.input((place + s.q / channels) * piece + s.q % piece, row, s.pixel.z, s.q % channels / piece, ci, s.t);
}

WeightGradientSums define_sums(const WeightGradientWork& work) {
  WeightGradientSums s;
  define_gradient(work, s);
  define_input(work, s);
  s.pixel = RDom(0, work.problem.x.out, 0, work.form.rows, 0, work.form.images, "pixel");
  if (work.form.images > 1) s.pixel.where(image(work, s, s.pixel.z) < work.body.batch);
  s.tile(s.l, s.q, s.ky, s.ci, s.co, s.t) = 0.0f;
  s.tile(s.l, s.q, s.ky, s.ci, s.co, s.t) +=
      s.gradient(s.l, s.pixel.x, s.pixel.y, s.pixel.z, s.co, s.t) * tapped_input(work, s);

  const Expr groups = (work.body.batch + work.form.images - 1) / work.form.images * work.row_groups(),
             of_chunk = (groups + work.form.chunks - 1) / work.form.chunks;
  s.group = RDom(0, of_chunk, "group");
  Expr t = s.group.x;
  if (work.form.chunks > 1) {
    t += s.chunk * of_chunk;
    s.group.where(t < groups);
    t = clamp(t, 0, groups - 1);
  }
  s.sums(s.l, s.q, s.ky, s.ci, s.co, s.chunk) = 0.0f;
  s.sums(s.l, s.q, s.ky, s.ci, s.co, s.chunk) += s.tile(s.l, s.q, s.ky, s.ci, s.co, t);
  return s;
}

// Pixels of a row: the end of a loop over so few is guessed wrong too often.
constexpr int kUnrolled = 8;

void schedule_sums(const WeightGradientWork& work, WeightGradientSums& s) {
  const WeightGradientForm& form = work.form;
  Var qo("qo"), qi("qi"), yo("yo"), yi("yi");
  // Off the stack, which is small.
  s.sums.store_in(MemoryType::Heap)
      .bound_extent(s.l, form.block())
      .bound_extent(s.q, ceil_div(work.q(), form.taps) * form.taps)
      .bound_extent(s.ky, ceil_div(work.problem.y.kernel, form.taps_y) * form.taps_y)
      .vectorize(s.l, form.lanes);
  s.sums.update()
      .split(s.q, qo, qi, form.taps, TailStrategy::RoundUp)
      .split(s.ky, yo, yi, form.taps_y, TailStrategy::RoundUp)
      .reorder(s.l, qi, yi, qo, yo, s.ci, s.co, s.group.x, s.chunk)
      .vectorize(s.l, form.lanes)
      .unroll(s.l)
      .unroll(qi)
      .unroll(yi)
      .never_partition(s.group.x);
  s.tile.compute_at(s.sums, qo)
      .store_in(MemoryType::Register)
      .bound_extent(s.l, form.block())
      .bound_extent(s.q, form.taps)
      .bound_extent(s.ky, form.taps_y)
      .vectorize(s.l, form.lanes)
      .unroll(s.l)
      .unroll(s.q)
      .unroll(s.ky);
  s.tile.update()
      .reorder(s.l, s.q, s.ky, s.pixel.x, s.pixel.y, s.pixel.z, s.ci, s.co, s.t)
      .vectorize(s.l, form.lanes)
      .unroll(s.l)
      .unroll(s.q)
      .unroll(s.ky)
      .unroll(s.pixel.x, static_cast<int>(largest_divisor(work.problem.x.out, kUnrolled)));
}

void schedule_copies(const WeightGradientWork& work, WeightGradientSums& s, const TargetSpec& target) {
  const WeightGradientForm& form = work.form;
  // All blocks of a pixel at a time, as they lie in memory. A pixel more keeps the blocks apart in the L1 cache.
  s.gradient.compute_at(s.sums, s.group.x)
      .store_in(MemoryType::Heap)
      .bound_storage(s.m, form.images)
      .bound_extent(s.l, form.block())
      .bound_storage(s.x, work.problem.x.out + 1)
      .reorder(s.l, s.co, s.x, s.y, s.m)
      .vectorize(s.l, form.lanes)
      .unroll(s.l);
  if (work.has_idle_lanes()) {
    const int lanes = static_cast<int>(work.problem.out_c < form.block() ? work.problem.out_c : form.lanes);
    s.gradient.update()
        .allow_race_conditions()
        .reorder(s.gradient_r.x, s.co, s.x, s.y, s.m)
        .vectorize(s.gradient_r.x, lanes);
  }
  s.input.compute_at(s.sums, s.group.x)
      .store_in(MemoryType::Heap)
      .bound_storage(s.m, form.images)
      .vectorize(s.f, target.vector_lanes, TailStrategy::RoundUp);
  Halide::Stage update = s.input.update();
  update.allow_race_conditions();
  const int piece = form.piece();
  Var of_line("of_line");
  update.split(s.p, s.p, of_line, static_cast<int>(largest_divisor(form.channels / piece, 4))).unroll(of_line);
  if (work.problem.x.expanded) {
    update.reorder(s.input_r.x, of_line, s.p, s.input_r.y, s.input_r.z, s.y);
    update.vectorize(s.input_r.x, lanes_for(piece, target), TailStrategy::GuardWithIf);
  } else if (piece < work.problem.in_c * work.problem.groups) {
    RVar place("place"), channel("channel");
    update.split(s.input_r.x, place, channel, piece);
    update.reorder(channel, of_line, s.p, place, s.y);
    update.vectorize(channel, lanes_for(piece, target), TailStrategy::GuardWithIf);
  } else {
    update.reorder(s.input_r.x, of_line, s.p, s.y);
    update.vectorize(s.input_r.x, lanes_for(piece * work.problem.x.in, target), TailStrategy::GuardWithIf);
  }
}

TappedAxis axis_of(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, int64_t in, int64_t out) {
  const int64_t before = std::clamp<int64_t>((padding - (out - 1) * stride) / dilation, 0, kernel - 1);
  const int64_t end = std::clamp((in - 1 + padding) / dilation + 1, before + 1, kernel), taps = end - before;
  return {.kernel = static_cast<int>(taps),
          .stride = static_cast<int>(stride),
          .padding = static_cast<int>(padding - before * dilation),
          .dilation = static_cast<int>(dilation),
          .in = static_cast<int>(in),
          .out = static_cast<int>(out),
          .expanded = stride >= taps,
          .first = static_cast<int>(before),
          .all = static_cast<int>(kernel)};
}

}  // namespace

std::optional<WeightGradient> as_weight_gradient(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  const auto conv = as_conv2d_backward_weights(anchor_view(kernel));
  if (!conv) return std::nullopt;
  const Window2d& w = conv->window;
  WeightGradient problem{.x = axis_of(w.kernel.w, w.stride_x, w.left, w.dilation_x, conv->in.w, conv->out.w),
                         .y = axis_of(w.kernel.h, w.stride_y, w.top, w.dilation_y, conv->in.h, conv->out.h),
                         .in_c = static_cast<int>(conv->group_in_c()),
                         .out_c = static_cast<int>(conv->group_out_c()),
                         .groups = static_cast<int>(conv->groups)};
  if (w.dilation_x > 1) problem.x.expanded = true;
  return problem;
}

Func all_taps(const WeightGradient& problem, const Func& weights) {
  const TappedAxis &x = problem.x, &y = problem.y;
  if (x.kernel == x.all && y.kernel == y.all) return weights;
  Var kx("kx"), ky("ky"), ci("ci"), co("co");
  const Expr tx = kx - x.first, ty = ky - y.first;
  const Expr value = weights(clamp(tx, 0, x.kernel - 1), clamp(ty, 0, y.kernel - 1), ci, co);
  Func all("all_taps");
  all(kx, ky, ci, co) = select(tx >= 0 && tx < x.kernel && ty >= 0 && ty < y.kernel, value, 0.0f);
  return all;
}

WeightGradientSums make_sums(const WeightGradientWork& work, const TargetSpec& target) {
  WeightGradientSums sums = define_sums(work);
  schedule_sums(work, sums);
  schedule_copies(work, sums, target);
  return sums;
}

Func merge_chunks(const WeightGradientWork& work, WeightGradientSums& s) {
  Func partial("partial"), merged("merged");
  const std::vector<Var> at = {s.l, s.q, s.ky, s.ci, s.co};
  std::vector<Expr> of_chunk(at.begin(), at.end());
  of_chunk.push_back(s.chunk);
  std::vector<Var> with_chunk = at;
  with_chunk.push_back(s.chunk);
  partial(with_chunk) = s.sums(of_chunk);
  RDom r(0, work.form.chunks);
  of_chunk.back() = r;
  merged(at) = 0.0f;
  merged(at) += partial(of_chunk);

  partial.compute_root().bound_extent(s.l, work.form.block()).vectorize(s.l, work.form.lanes).parallel(s.chunk);
  s.sums.compute_at(partial, s.chunk);
  merged.compute_root().bound_extent(s.l, work.form.block()).vectorize(s.l, work.form.lanes);
  merged.update().reorder(s.l, s.q, s.ky, s.ci, s.co, r).vectorize(s.l, work.form.lanes);
  return merged;
}

}  // namespace convoke
