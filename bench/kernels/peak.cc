// FMA peak by a kernel of its own: accumulators that fit the registers, no memory (peak.h).
#include "bench/kernels/peak.h"

#include <algorithm>
#include <chrono>

#include "Halide.h"

namespace convoke::bench {

double measure_fma_peak(const TargetSpec& target) {
  using Halide::Func, Halide::RDom, Halide::Var;
  constexpr int kAccumulators = 12, kSteps = 1 << 20;
  const int lanes = target.vector_lanes;
  Halide::Param<float> scale("scale"), shift("shift");
  Var l("l"), a("a");
  RDom r(0, kSteps);
  Func sum("sum"), out("out");
  sum(l, a) = 0.0f;
  sum(l, a) = sum(l, a) * scale + shift;
  sum(l, a) = sum(l, a) * (scale + Halide::cast<float>(r) * 0.0f) + shift;
  out(l, a) = sum(l, a);
  out.bound(l, 0, lanes).bound(a, 0, kAccumulators).vectorize(l).unroll(a);
  sum.compute_root().store_in(Halide::MemoryType::Register).bound_extent(l, lanes).bound_extent(a, kAccumulators);
  sum.vectorize(l).unroll(a);
  sum.update(0).vectorize(l).unroll(a);
  sum.update(1).reorder(l, a, r).vectorize(l).unroll(a);
  Halide::Callable callable =
      out.compile_to_callable({scale, shift}, Halide::Target(target.halide_target + "-no_asserts"));
  Halide::Buffer<float> result(lanes, kAccumulators);
  double best = 1e9;
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    callable(0.5f, 1.0f, result);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return 2.0 * lanes * kAccumulators * kSteps / best;
}

}  // namespace convoke::bench
