// Sums over blocks of images (images.h).
#include "schedules/templates/images.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::RDom, Halide::Var;

bool lies_in_blocks(const Kernel& kernel, const TargetSpec& target) {
  const Kernel blocks = in_image_blocks(kernel, target.vector_lanes);
  return image_block(kernel) > 0 && kernel.input_layouts == blocks.input_layouts &&
         kernel.output_layouts == blocks.output_layouts;
}

BlockRows block_rows(const Body& body, int h, const Expr& chunk, int chunks) {
  const Expr rows = body.blocks * h, of_chunk = (rows + chunks - 1) / chunks;
  RDom r(0, of_chunk, "r");
  const Expr row = chunk * of_chunk + r;
  r.where(row < rows);
  return {r, clamp(row, 0, rows - 1)};
}

Func add_lanes(const Func& sums, int images, int chunks) {
  const std::vector<Var> all = sums.args(), at(all.begin() + 1, all.end() - 1);
  RDom lane(0, images, "lanes");
  std::vector<Expr> place(at.begin(), at.end());
  place.insert(place.begin(), lane.x);
  Expr of_lane;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    place.emplace_back(chunk);
    of_lane = of_lane.defined() ? of_lane + sums(place) : Expr(sums(place));
    place.pop_back();
  }
  Func total("total");
  total(at) = 0.0f;
  total(at) += of_lane;
  total.compute_root().update().atomic().vectorize(lane.x, images);
  return total;
}

}  // namespace convoke
