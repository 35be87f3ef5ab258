// Weight gradients by Winograd's minimal filtering (winograd_weight_gradient.h).
#include "schedules/templates/winograd_weight_gradient.h"

#include <algorithm>
#include <array>

#include "compiler/ops/conv2d.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::MemoryType, Halide::RDom, Halide::RVar, Halide::TailStrategy, Halide::Var;

namespace {

// The error with a kernel of 3 and of 5 taps; 0: too many points.
struct TileError {
  int tile;
  double error_of_3, error_of_5;
  double error(int taps) const { return taps == 3 ? error_of_3 : error_of_5; }
};
constexpr std::array kTiles = {TileError{2, 1.4, 3.2}, TileError{4, 2.5, 6.0}, TileError{5, 3.5, 8.8},
                               TileError{6, 5.1, 0}, TileError{7, 7.8, 0}};

// A pixel of a tile along one axis: where it lies, and whether it does; undefined: it always does.
struct Place {
  Expr at, inside;
};

Place place_in_tile(const TiledAxis& axis, const Expr& tile, const Expr& pixel) {
  const Expr at = tile * axis.tile + pixel - axis.padding;
  const int last = (axis.tiles() - 1) * axis.tile + axis.pixels - 1 - axis.padding;
  if (axis.padding == 0 && last < axis.in) return {.at = at, .inside = {}};
  return {.at = clamp(at, 0, axis.in - 1), .inside = at >= 0 && at < axis.in};
}

struct TilePlace {
  Expr x, y, n;
};

Expr tiles_of(const WinogradWork& work) { return work.body.batch * work.problem.tiles(); }
Expr chunks_of(const WinogradWork& work) { return (tiles_of(work) + work.form.chunk - 1) / work.form.chunk; }

// Tiles beyond the last repeat it; no product has them.
TilePlace tile_at(const WinogradWork& work, const WinogradGradient& g) {
  const Expr tile = g.chunk * work.form.chunk + g.t;
  const int width = work.problem.x.tiles(), height = work.problem.y.tiles();
  return {.x = tile % width, .y = tile / width % height, .n = min(tile / (width * height), work.body.batch - 1)};
}

// Pixel (x,y) of a tile of the image, zero where that has none.
Expr pixel_of_tile(const WinogradWork& work, const WinogradGradient& g, const TiledAxis& x, const TiledAxis& y,
                   const Func& image, const Expr& channel) {
  const TilePlace tile = tile_at(work, g);
  const Place at_x = place_in_tile(x, tile.x, g.x), at_y = place_in_tile(y, tile.y, g.y);
  Expr value = image(channel, at_x.at, at_y.at, tile.n);
  if (at_x.inside.defined()) value = select(at_x.inside, value, 0.0f);
  if (at_y.inside.defined()) value = select(at_y.inside, value, 0.0f);
  return value;
}

Exprs row_of(int extent, auto&& element) {
  Exprs row;
  for (int i = 0; i < extent; ++i) row.push_back(element(i));
  return row;
}

void define_input(const WinogradWork& work, WinogradGradient& g) {
  const WinogradWeightGradient& problem = work.problem;
  g.input_patch(g.p, g.x, g.y, g.a, g.t, g.chunk) =
      pixel_of_tile(work, g, problem.x, problem.y, anchor_operand(work.body, 1), g.a * kWinogradPanel + g.p);
  g.input_columns(g.p, g.i, g.x, g.a, g.t, g.chunk) =
      mux(g.i, winograd_input(problem.filtering(), row_of(problem.points(), [&](int y) {
                                return g.input_patch(g.p, g.x, y, g.a, g.t, g.chunk);
                              })));
  g.input(g.p, g.t, g.a, g.i, g.j, g.chunk) =
      mux(g.j, winograd_input(problem.filtering(), row_of(problem.points(), [&](int j) {
                                return g.input_columns(g.p, g.i, j, g.a, g.t, g.chunk);
                              })));
}

void define_output_gradient(const WinogradWork& work, WinogradGradient& g) {
  const WinogradWeightGradient& problem = work.problem;
  const int lanes = work.form.lanes;
  const auto of_output = [](TiledAxis axis) {
    return TiledAxis{.tile = axis.tile, .pixels = axis.tile, .padding = 0, .in = axis.out, .out = axis.out};
  };
  const auto transform = [&](const Exprs& dy) { return winograd_output_gradient(problem.filtering(), dy); };
  Expr vector = g.b * (work.form.block / lanes) + g.l / lanes;
  // Blocks may reach beyond the channels.
  if (problem.out_c % (work.form.block * work.form.blocks) != 0) vector = min(vector, problem.out_c / lanes - 1);
  g.gradient_patch(g.l, g.x, g.y, g.b, g.t, g.chunk) = pixel_of_tile(
      work, g, of_output(problem.x), of_output(problem.y), anchor_operand(work.body, 0), vector * lanes + g.l % lanes);
  g.gradient_columns(g.l, g.i, g.x, g.b, g.t, g.chunk) = mux(
      g.i, transform(row_of(problem.tile(), [&](int y) { return g.gradient_patch(g.l, g.x, y, g.b, g.t, g.chunk); })));
  g.output(g.l, g.t, g.b, g.i, g.j, g.chunk) =
      mux(g.j,
          transform(row_of(problem.tile(), [&](int j) { return g.gradient_columns(g.l, g.i, j, g.b, g.t, g.chunk); })));
}

void define_sums(const WinogradWork& work, WinogradGradient& g) {
  const int chunk = work.form.chunk;
  g.tile = RDom(0, chunk, "tile");
  g.tile.where(g.chunk * chunk + g.tile < tiles_of(work));
  g.products(g.l, g.c, g.cb, g.b, g.i, g.j, g.chunk) = 0.0f;
  g.products(g.l, g.c, g.cb, g.b, g.i, g.j, g.chunk) +=
      g.output(g.l, g.tile, g.b, g.i, g.j, g.chunk) *
      g.input(g.c % kWinogradPanel, g.tile, (g.cb * work.form.channels + g.c) / kWinogradPanel, g.i, g.j, g.chunk);

  const Expr of_slice = (chunks_of(work) + work.form.slices - 1) / work.form.slices;
  g.chunks = RDom(0, of_slice, "chunks");
  if (work.form.slices > 1) g.chunks.where(g.slice * of_slice + g.chunks < chunks_of(work));
  g.sums(g.l, g.c, g.cb, g.b, g.i, g.j, g.slice) = 0.0f;
  g.sums(g.l, g.c, g.cb, g.b, g.i, g.j, g.slice) +=
      g.products(g.l, g.c, g.cb, g.b, g.i, g.j, g.slice * of_slice + g.chunks);
}

void define_gradient(const WinogradWork& work, WinogradGradient& g) {
  const int points = work.problem.points(), channels = work.form.channels;
  const auto transform = [&](const Exprs& sums) { return winograd_kernel_gradient(work.problem.filtering(), sums); };
  g.kernel_columns(g.l, g.ci, g.ky, g.j, g.b, g.slice) = mux(
      g.ky, transform(row_of(
                points, [&](int i) { return g.sums(g.l, g.ci % channels, g.ci / channels, g.b, i, g.j, g.slice); })));
  g.gradient(g.l, g.ci, g.kx, g.ky, g.b, g.slice) =
      mux(g.kx, transform(row_of(points, [&](int j) { return g.kernel_columns(g.l, g.ci, g.ky, j, g.b, g.slice); })));
}

// Planes whose distance is an odd number of cache lines do not push each other out.
constexpr int odd(int extent) { return extent | 1; }

// A panel of one operand, a chunk of tiles at a time: its patches are copied, then transformed, `lane` by vectors.
struct Panel {
  Func transformed, columns, patch;
  Var lane, block;
  int width;  // of lane
};

void schedule_panel(Panel panel, const WinogradForm& form, const WinogradGradient& g) {
  Var lo("lo"), li("li");
  panel.transformed.compute_at(g.sums, g.chunks.x)
      .store_in(MemoryType::Heap)
      .bound_storage(g.t, odd(form.chunk))
      .bound_extent(g.chunk, 1)
      .bound_extent(panel.lane, panel.width)
      .split(panel.lane, lo, li, form.lanes, TailStrategy::RoundUp)
      .reorder(li, g.j, g.i, lo, panel.block, g.t, g.chunk)
      .vectorize(li)
      .unroll(g.j);
  panel.columns.compute_at(panel.transformed, lo)
      .store_in(MemoryType::Stack)
      .bound_extent(panel.lane, form.lanes)
      .vectorize(panel.lane, form.lanes)
      .unroll(g.i);
  if (form.unrolls_tiles) {
    panel.transformed.unroll(g.i);
    panel.columns.unroll(g.x);
  }
  panel.patch.compute_at(panel.transformed, panel.block)
      .store_in(MemoryType::Heap)
      .vectorize(panel.lane, form.lanes)
      .reorder(panel.lane, panel.block, g.x, g.y);
}

void schedule_transforms(const WinogradWork& work, WinogradGradient& g) {
  const WinogradForm& form = work.form;
  schedule_panel({g.input, g.input_columns, g.input_patch, g.p, g.a, kWinogradPanel}, form, g);
  g.output.bound_extent(g.b, form.blocks);
  schedule_panel({g.output, g.gradient_columns, g.gradient_patch, g.l, g.b, form.block}, form, g);
}

void schedule_sums(const WinogradWork& work, WinogradGradient& g) {
  const WinogradForm& form = work.form;
  Var lo("lo"), li("li"), co("co"), ci("ci_in");
  const int tile = form.lanes * form.vectors;
  g.sums.store_in(MemoryType::Heap)
      .align_storage(g.c, odd(form.channels))
      .align_storage(g.b, odd(form.blocks))
      .bound_extent(g.l, form.block)
      .bound_extent(g.b, form.blocks)
      .vectorize(g.l, form.lanes);
  g.sums.update()
      .split(g.l, lo, li, tile, TailStrategy::RoundUp)
      .split(g.c, co, ci, form.taps, TailStrategy::RoundUp)
      .reorder(li, ci, co, lo, g.b, g.cb, g.i, g.j, g.chunks.x, g.slice)
      .vectorize(li, form.lanes)
      .unroll(li)
      .unroll(ci)
      .never_partition(g.chunks.x);
  g.products.compute_at(g.sums, co)
      .store_in(MemoryType::Register)
      .bound_extent(g.l, tile)
      .bound_extent(g.c, form.taps)
      .vectorize(g.l, form.lanes)
      .unroll(g.l)
      .unroll(g.c);
  g.products.update()
      .reorder(g.l, g.c, g.tile.x, g.cb, g.b, g.i, g.j, g.chunk)
      .vectorize(g.l, form.lanes)
      .unroll(g.l)
      .unroll(g.c);
}

}  // namespace

std::optional<WinogradWeightGradient> as_winograd_weight_gradient(const Kernel& kernel, int tile) {
  if (kernel.anchor == kNoAnchor) return std::nullopt;
  const auto conv = as_conv2d_backward_weights(anchor_view(kernel));
  if (!conv || conv->groups != 1) return std::nullopt;
  const Window2d& w = conv->window;
  const int taps = w.kernel.w == 5 ? 5 : 3;
  const Window2d plain{.kernel = {taps, taps}, .top = w.top, .bottom = w.bottom, .left = w.left, .right = w.right};
  if (w != plain) return std::nullopt;
  const auto axis = [&](int64_t padding, int64_t in, int64_t out) {
    return TiledAxis{.tile = tile,
                     .pixels = tile + taps - 1,
                     .padding = static_cast<int>(padding),
                     .in = static_cast<int>(in),
                     .out = static_cast<int>(out)};
  };
  return WinogradWeightGradient{.x = axis(w.left, conv->in.w, conv->out.w),
                                .y = axis(w.top, conv->in.h, conv->out.h),
                                .taps = taps,
                                .in_c = static_cast<int>(conv->in_c),
                                .out_c = static_cast<int>(conv->out_c)};
}

std::vector<int> winograd_gradient_tiles(int taps) {
  std::vector<int> tiles;
  for (const TileError& tile : kTiles) {
    if (tile.error(taps) > 0) tiles.push_back(tile.tile);
  }
  return tiles;
}

double winograd_gradient_error(int taps, int tile) {
  return std::ranges::find(kTiles, tile, &TileError::tile)->error(taps);
}

WinogradGradient make_winograd_gradient(const WinogradWork& work) {
  WinogradGradient g;
  define_input(work, g);
  define_output_gradient(work, g);
  define_sums(work, g);
  define_gradient(work, g);
  schedule_transforms(work, g);
  schedule_sums(work, g);
  return g;
}

void schedule_winograd_tasks(const WinogradWork& work, WinogradGradient& g, Func made) {
  const WinogradForm& form = work.form;
  const std::vector<Var> at = made.args();  // (l, ci, kx, ky, b), perhaps the slice
  Var lo("lo"), li("li"), co("co"), ci("ci_in"), bi("bi"), task("task");
  made.split(at[0], lo, li, form.lanes, TailStrategy::RoundUp)
      .split(at[1], co, ci, form.channels, TailStrategy::RoundUp)
      .split(at[4], task, bi, form.blocks, tail_of(ceil_div(work.problem.out_c, form.block), form.blocks));
  std::vector<Halide::VarOrRVar> order = {li, at[2], at[3], lo, ci, bi, co, task};
  if (at.size() > 5) order.push_back(at[5]);
  made.reorder(order).vectorize(li).unroll(at[2]).unroll(at[3]).fuse(co, task, task);
  if (at.size() > 5) made.fuse(task, at[5], task);
  made.parallel(task);
  g.kernel_columns.compute_at(made, lo).store_in(MemoryType::Stack).vectorize(g.l, form.lanes).unroll(g.ky).unroll(g.j);
  Func(g.sums).compute_at(made, task).bound_extent(g.cb, 1).bound_extent(g.slice, 1);
}

}  // namespace convoke
