// window: poolings, forward and backward, both as gathers: a pixel takes from the pixels under its window, or from the
// windows that cover it. Vectors are channels, so that what a window needs to know (padding, divisors, which windows
// cover a pixel) is scalar; the last vector is masked. A few taps are one expression; many are a loop over sums.
// Tasks are rows of all images. Where images lie innermost they are the vector, and rows are those of their blocks.
#include <algorithm>
#include <limits>

#include "compiler/ops/pool2d.h"
#include "schedules/templates/images.h"
#include "schedules/templates/tile.h"
#include "schedules/templates/window_taps.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::RVar, Halide::TailStrategy, Halide::Tuple, Halide::Var;

constexpr int kUnrolledTaps = 9;
constexpr int64_t kUnrolledPhases = 4;
constexpr int64_t kTaskBytes = 64 << 10;  // read and written

struct Pooling {
  Pool2d pool;
  bool average = false, backward = false;
};

std::optional<Pooling> as_pooling(const NodeView& node) {
  if (const auto pool = as_avg_pool2d(node)) return Pooling{*pool, true, false};
  if (const auto pool = as_avg_pool2d_backward(node)) return Pooling{*pool, true, true};
  if (const auto pool = as_max_pool2d(node)) return Pooling{*pool, false, false};
  if (const auto pool = as_max_pool2d_backward(node)) return Pooling{*pool, false, true};
  return std::nullopt;
}

bool applies(const Kernel& kernel, const TargetSpec& target) {
  return kernel.anchor != kNoAnchor && as_pooling(anchor_view(kernel)) && has_one_output_shape(kernel) &&
         (image_block(kernel) == 0 || lies_in_blocks(kernel, target));
}

struct Form {
  Pooling pooling;
  Axis along_x, along_y;
  const Body& body;
  std::vector<Var> vars = {Var("c"), Var("x"), Var("y"), Var("n")};

  int taps_x() const { return pooling.backward ? covering_windows(along_x) : along_x.kernel; }
  int taps_y() const { return pooling.backward ? covering_windows(along_y) : along_y.kernel; }
};

// What the pixel (x, y) of the result takes from its tap (kx, ky).
struct Term {
  Expr value;   // read inside the operand, whatever the conditions
  Expr inside;  // undefined: always
  Expr place;   // of the tap in the window's row-major order
};

Term term_at(const Form& form, const Expr& kx, const Expr& ky) {
  const auto tap = form.pooling.backward ? covering_window : covered_pixel;
  const WindowTap x = tap(form.along_x, form.vars[1], kx), y = tap(form.along_y, form.vars[2], ky);
  const auto operand = [&](int i) { return anchor_operand(form.body, i)(form.vars[0], x.at, y.at, form.vars[3]); };
  // Loops over x are cut where they are in the image's interior; along y that would be code for nothing.
  const Expr inside_x = x.inside.defined() ? likely(x.inside) : Expr();
  Term term{operand(0), both(inside_x, y.inside), y.k * form.along_x.kernel + x.k};
  if (form.pooling.backward && !form.pooling.average) {
    term.inside = both(term.inside, operand(1) == Halide::cast<uint8_t>(term.place));
  }
  if (form.pooling.backward && form.pooling.average && !form.pooling.pool.count_include_pad) {
    term.value *= share_of_window(form.along_x, x.at) * share_of_window(form.along_y, y.at);
  }
  return term;
}

Expr masked(const Term& term, float outside) {
  return term.inside.defined() ? select(term.inside, term.value, outside) : term.value;
}

// What all terms of an average have in common.
Expr common_share(const Form& form) {
  if (form.pooling.pool.count_include_pad) return 1.0f / static_cast<float>(form.pooling.pool.window.kernel.area());
  if (form.pooling.backward) return 1.0f;
  return share_of_window(form.along_x, form.vars[1]) * share_of_window(form.along_y, form.vars[2]);
}

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// The running (maximum, place): the first of equal ones stays.
Tuple larger(const Tuple& best, const Term& term) {
  const Expr candidate = masked(term, kLowest);
  return Tuple(max(best[0], candidate), select(candidate > best[0], Halide::cast<uint8_t>(term.place), best[1]));
}

// The anchor's results when taps are few.
std::vector<Expr> as_expressions(const Form& form) {
  std::vector<Term> terms;
  for (int ky = 0; ky < form.taps_y(); ++ky) {
    for (int kx = 0; kx < form.taps_x(); ++kx) terms.push_back(term_at(form, kx, ky));
  }
  if (!form.pooling.average && !form.pooling.backward) {
    Tuple best(masked(terms[0], kLowest), Halide::cast<uint8_t>(0));
    for (size_t i = 1; i < terms.size(); ++i) best = larger(best, terms[i]);
    return best.as_vector();
  }
  Expr sum = masked(terms[0], 0.0f);
  for (size_t i = 1; i < terms.size(); ++i) sum += masked(terms[i], 0.0f);
  return {form.pooling.average ? sum * common_share(form) : sum};
}

// The anchor's results when taps are many, from `window`, which accumulates them.
std::vector<Expr> as_loop(const Form& form, Func& window) {
  RDom taps(0, form.taps_x(), 0, form.taps_y());
  const Term term = term_at(form, taps.x, taps.y);
  if (!form.pooling.average && !form.pooling.backward) {
    window(form.vars) = Tuple(kLowest, Halide::cast<uint8_t>(0));
    window(form.vars) = larger(Tuple(window(form.vars)), term);
    return Tuple(window(form.vars)).as_vector();
  }
  window(form.vars) = 0.0f;
  window(form.vars) += masked(term, 0.0f);
  return {form.pooling.average ? window(form.vars) * common_share(form) : window(form.vars)};
}

// `lane`: what the vectors are of.
void schedule_window(Func window, Func output, const Var& pixel, const Var& lane, int lanes) {
  const RVar kx = window.rvars()[0], ky = window.rvars()[1];
  window.compute_at(output, pixel).vectorize(lane, lanes, TailStrategy::GuardWithIf);
  window.update().reorder(lane, kx, ky).vectorize(lane, lanes, TailStrategy::GuardWithIf);
  for (const RVar& k : {kx, ky}) window.update().never_partition(k);
}

// Of an image, or of a block of them.
int64_t bytes_of_row(const Form& form) {
  const Pool2d& pool = form.pooling.pool;
  const int64_t images = std::max<int64_t>(1, image_block(*form.body.kernel));
  return 4 * images * pool.c * (pool.in.area() + pool.out.area()) / (form.pooling.backward ? pool.in.h : pool.out.h);
}

// A result in an operand's place is written beside what is read next. The load would overlap the dead lanes of a masked
// store before it and wait until that has left the core (LeNet's pool1 backward: 0.38 ms, against 0.05 by vectors
// that divide the channels); a few whole vectors a pixel are better than that.
int lanes_of(const Kernel& kernel, int64_t channels, const TargetSpec& target) {
  constexpr int64_t kFewVectors = 16;
  const int lanes = lanes_of_channels(channels, target);
  const int64_t whole = channels & -channels;  // the largest power of two that divides them
  if (channels % lanes == 0 || channels / whole > kFewVectors) return lanes;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    if (may_alias(kernel, static_cast<int>(i), 0)) return static_cast<int>(whole);
  }
  return lanes;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  Body body = make_body(kernel);
  const Pooling pooling = *as_pooling(anchor_view(kernel));
  const Pool2d& pool = pooling.pool;
  const Form form{pooling, axis_x(pool.window, pool.in, pool.out), axis_y(pool.window, pool.in, pool.out), body};
  const bool many = form.taps_x() * form.taps_y() > kUnrolledTaps;
  Func window("window");
  std::vector<Func> results;
  for (const Expr& value : many ? as_loop(form, window) : as_expressions(form)) {
    results.emplace_back("pooled");
    results.back()(form.vars) = value;
  }
  set_anchor(body, results);
  Func output = make_outputs(body)[0];

  std::vector<Var> vars = output.args();
  const bool has_images = image_block(kernel) > 0;
  const int lanes = has_images ? target.vector_lanes : lanes_of(kernel, pool.c, target);
  Var vector("vector"), phase("phase"), row("row"), task("task");
  if (has_images) {
    vector = vars[1];
    vars.erase(vars.begin() + 1);
    output.vectorize(vars[0]);
  } else {
    output.split(vars[0], vector, vars[0], lanes, tail_of(pool.c, lanes)).vectorize(vars[0]);
  }
  const int rows = static_cast<int>(std::max<int64_t>(1, kTaskBytes / bytes_of_row(form)));
  output.fuse(vars[2], vars[3], row).split(row, task, row, rows, TailStrategy::GuardWithIf).parallel(task);
  output.never_partition(row).never_partition(task).never_partition(vector);
  if (many) {
    output.reorder(vars[0], vector, vars[1], row, task);
    output.never_partition(vars[1]);
    schedule_window(window, output, vars[1], window.args()[has_images ? 3 : 0], lanes);
  } else if (pooling.backward && pool.window.stride_x > 1 && pool.window.stride_x <= kUnrolledPhases) {
    // Which windows cover a column depends on its place among `stride` neighbours.
    output.split(vars[1], vars[1], phase, static_cast<int>(pool.window.stride_x),
                 tail_of(pool.in.w, pool.window.stride_x));
    output.reorder(vars[0], phase, vector, vars[1], row, task).unroll(phase);
  } else {
    output.reorder(vars[0], vector, vars[1], row, task);
  }
  return finish(body, {output});
}

}  // namespace

const ScheduleTemplate templates::window = {.name = "window",
                                            .applies = applies,
                                            .knobs = no_knob_ranges,
                                            .defaults = no_knobs,
                                            .layouts = plain_layouts,
                                            .build = build,
                                            .takes_images = true};

}  // namespace convoke
