// Layout: how a logical tensor lies in memory. The plain layout is row-major in logical order. A packed one regroups
// the logical dimensions (`view`, e.g. a linear weight [120,400] read as [120,16,5,5]) and orders them as axes,
// outermost first; a dimension may be blocked: its outer part (index / block) and inner part (index % block) are two
// axes. The last block is padded with zeros.
//
// A convolution's weight may lie transformed: F(m×m, k×k) of Winograd makes each kernel one of n×n numbers
// (schedules/templates/winograd.h), which the layout orders as it would a kernel of that size. Only packed copies lie
// so: parameters stay what they are.
//
// Activations are plain, or lie in blocks of `images` images, innermost in memory: [n/images][y][x][c][n%images]. Where
// channels are fewer than a vector has lanes, images fill it. The last block of a batch may be cut short; what lies at
// the images that it lacks is zero where a pack put it and whatever kernels make of that elsewhere. So a gradient,
// which is linear in the one behind it, is zero there, and a sum over whole blocks is the sum over the batch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/type.h"
#include "runtime/base/status.h"

namespace convoke {

struct LayoutAxis {
  enum Part : uint8_t { kWhole, kOuter, kInner };
  int dim;
  Part part = kWhole;
  int64_t block = 1;
  bool operator==(const LayoutAxis&) const = default;
};

struct KernelTransform {
  int64_t tile_y = 0, tile_x = 0;  // outputs of F(tile_y×tile_x, k×k); 0: not transformed
  int64_t stride = 1;              // of the convolution
  bool rotated = false;            // the kernel is turned by 180° first, as data gradients want it
  bool operator==(const KernelTransform&) const = default;
};

struct Layout {
  std::vector<int64_t> view;       // empty: the type's dims
  std::vector<LayoutAxis> axes;    // empty: plain
  KernelTransform transform = {};  // of an OIHW weight; the view then has the sizes before it, axes are not empty
  int64_t images = 0;              // of a block, of an activation without view and axes; 0: one after the other
  bool plain() const { return axes.empty() && images == 0; }
  bool transformed() const { return transform.tile_y != 0; }
  bool operator==(const Layout&) const = default;
};

// "plain", "(120,16,5,5)0/16.2.3.1.0%16", "winograd4:0/16.2.3.1.0%16", "winograd4rotated:1/16.2.3.0.1%16",
// "winograd2x4:0/16.2.3.1.0%16" (2 rows, 4 columns), "winograd4stride2:0/16.2.3.1.0%16", "images16":
// the text form of a kernel's key.
std::string to_string(const Layout&);
Result<Layout> parse_layout(std::string_view text);

// Extents in memory, outermost first; of a type with a batch: kBatch (images, or blocks of them) first, then the rest.
std::vector<int64_t> storage_dims(const Type& type, const Layout& layout);
int64_t storage_elems(const Type& type, const Layout& layout);  // of one image with a batch

std::vector<int64_t> view_dims(const Type& type, const Layout& layout);  // without the batch, transformed

// Does the layout give each element of the type one place? Its view must regroup the type's elements, each dimension be
// one whole axis, or one outer and one inner axis of the same block; blocks of images need images.
Status check_layout(const Type& type, const Layout& layout);

// As the weight itself is stored for a kernel that wants it so: a transformed one packed in blocks of the same size.
Layout untransformed(const Layout& layout);

// The packed weight layout of convolutions and linears: [co/block][ky][kx][ci][co%block] of an OIHW view.
Layout packed_weights(std::vector<int64_t> view, int64_t block);

}  // namespace convoke
