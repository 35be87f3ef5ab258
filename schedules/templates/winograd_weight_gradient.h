// Weight gradients by Winograd's minimal filtering (winograd.h): the algorithm and the loop nest of
// conv2d_backward_weights_winograd.
//
//   dw = Gᵀ [ Σ_tiles (A dy Aᵀ) ⊗ (Bᵀ d B) ] G
//
// Tiles of all images are numbered through and walked in chunks, whose transforms are made together and stay near: the
// sums have one plane for each point of the transform, and what a chunk adds to a plane fits the L1 cache. There a
// register tile, `vectors` of output channels times `taps` input channels, adds up the products of the chunk's tiles
// before they join the sums of the task. Short sums, added up, are also more exact than long ones.
#pragma once

#include <optional>

#include "schedules/templates/body.h"
#include "schedules/templates/tile.h"
#include "schedules/templates/winograd.h"

namespace convoke {

// Input channels that lie together.
inline constexpr int kWinogradPanel = 16;

// One axis of an image, in tiles of `tile` pixels of the output.
struct TiledAxis {
  int tile, pixels, padding, in, out;
  int tiles() const { return ceil_div(out, tile); }
};

struct WinogradWeightGradient {
  TiledAxis x, y;
  int taps;  // of an axis of the kernel
  int in_c, out_c;

  int tile() const { return x.tile; }
  Filtering filtering() const { return {x.tile, taps}; }
  int points() const { return filtering().points(); }
  int tiles() const { return x.tiles() * y.tiles(); }  // of an image
};

// Nothing when the kernel's anchor is another op than the weight gradient of a 3×3 or 5×5 convolution that is neither
// strided nor dilated nor grouped.
std::optional<WinogradWeightGradient> as_winograd_weight_gradient(const Kernel& kernel, int tile);

// How wide a tile may be, ascending.
std::vector<int> winograd_gradient_tiles(int taps);
// Rounding errors of independent terms add as squares. Those of point j reach weight k by G_jk, from operands that the
// rows of A and B have enlarged: the root of Σ_j G²_jk·ΣA²_j·ΣB²_j over the tile's terms, of the worst k. In two
// dimensions errors have its square, but the tolerance of ops grows with the number of terms, where errors grow with
// its root only.
double winograd_gradient_error(int taps, int tile);

// What the knobs and the layout say.
struct WinogradForm {
  int chunk;           // tiles
  int lanes, vectors;  // of output channels in a register tile
  int taps;            // input channels in a register tile
  int block;           // output channels that lie together in memory
  int blocks;          // of these, in a task
  int channels;        // of input, in a task
  int slices;          // of the chunks: tasks whose gradients are added up
  bool unrolls_tiles;  // of both operands, along both axes
};

struct WinogradWork {
  const WinogradWeightGradient problem;
  const WinogradForm form;
  const Body& body;
};

struct WinogradGradient {
  Halide::Var l{"l"}, p{"p"}, a{"a"}, c{"c"}, cb{"cb"}, b{"b"}, x{"x"}, y{"y"}, i{"i"}, j{"j"}, t{"t"}, chunk{"chunk"},
      slice{"slice"};
  Halide::Var ci{"ci"}, kx{"kx"}, ky{"ky"};
  Halide::Func input_patch{"input_patch"}, gradient_patch{"gradient_patch"};
  Halide::Func input_columns{"input_columns"}, input{"input"};                   // Bᵀ d; Bᵀ d B
  Halide::Func gradient_columns{"gradient_columns"}, output{"output_gradient"};  // A dy; A dy Aᵀ
  Halide::Func products{"products"};                                             // of a chunk
  Halide::Func sums{"sums"};                                                     // of a task
  Halide::Func kernel_columns{"kernel_columns"};                                 // Gᵀ s
  Halide::Func gradient{"gradient"};  // (l, ci, kx, ky, b, slice), of output channel b·block + l
  Halide::RDom tile, chunks;
};

WinogradGradient make_winograd_gradient(const WinogradWork& work);

// Makes blocks of `made` tasks; that is the gradient, or what is elementwise with the only slice of it and has its
// other dimensions.
void schedule_winograd_tasks(const WinogradWork& work, WinogradGradient& gradient, Halide::Func made);

}  // namespace convoke
