// What lowered pipelines allocate.
#include "compiler/codegen/scratch.h"

#include <doctest/doctest.h>

using namespace convoke;
using Halide::Func, Halide::ImageParam, Halide::Var;

namespace {

enum class Bound { kNone, kConstant };

// A row (`extent` elements) of `stage` is computed for each row of the output.
Halide::Module row_pipeline(int extent, Bound bound, Halide::MemoryType memory) {
  ImageParam in(Halide::Float(32), 2, "in");
  Var x("x"), y("y");
  Func stage("stage"), out("out");
  stage(x, y) = in(x, y) * 2;
  out(x, y) = stage(x, y) + stage(x, y + 1);
  stage.compute_at(out, y).store_in(memory);
  out.parallel(y);
  if (bound == Bound::kConstant) out.bound(x, 0, extent);
  return out.compile_to_module({in}, "out",
                               Halide::Target("x86-64-linux-avx2-no_runtime-no_asserts-no_bounds_query-user_context"));
}

}  // namespace

TEST_CASE("large constants come from the slab, small ones and registers from the stack") {
  const Result<ScratchUse> large = measure_scratch(row_pipeline(8192, Bound::kConstant, Halide::MemoryType::Auto));
  REQUIRE(large.ok());
  CHECK(large->heap_bytes >= 2 * 8192 * 4);
  CHECK(large->heap_bytes <= 2 * 8192 * 4 + 256);
  CHECK(large->stack_bytes == 0);
  const Result<ScratchUse> small = measure_scratch(row_pipeline(64, Bound::kConstant, Halide::MemoryType::Auto));
  REQUIRE(small.ok());
  CHECK(small->heap_bytes == 0);
  CHECK(small->stack_bytes == 2 * 64 * 4);
  CHECK(measure_scratch(row_pipeline(64, Bound::kConstant, Halide::MemoryType::Heap))->heap_bytes >= 2 * 64 * 4);
}

TEST_CASE("of the slab counts what lives at once") {
  constexpr int kExtent = 8192;
  ImageParam in(Halide::Float(32), 2, "in");
  Var x("x"), y("y");
  Func first("first"), second("second"), out("out");
  first(x, y) = in(x, y) * 2;
  second(x, y) = in(x, y) * 3;
  out(x, y) = first(x, y) + first(x + 1, y);
  out(x, y) += second(x, y) + second(x + 1, y);  // `first` has gone
  first.compute_at(out, y);
  second.compute_at(out, y);
  out.bound(x, 0, kExtent);
  const Result<ScratchUse> use = measure_scratch(out.compile_to_module(
      {in}, "out", Halide::Target("x86-64-linux-avx2-no_runtime-no_asserts-no_bounds_query-user_context")));
  REQUIRE(use.ok());
  CHECK(use->heap_bytes >= kExtent * 4);
  CHECK(use->heap_bytes < 2 * kExtent * 4);
}

TEST_CASE("an allocation without a constant size is an error that names it") {
  const Result<ScratchUse> use = measure_scratch(row_pipeline(0, Bound::kNone, Halide::MemoryType::Auto));
  REQUIRE_FALSE(use.ok());
  CHECK(use.status().message().find("scratch buffer \"stage") == 0);
  CHECK(use.status().message().find("has no constant size") != std::string::npos);
}

TEST_CASE("too much stack is an error") {
  const Result<ScratchUse> use = measure_scratch(row_pipeline(16384, Bound::kConstant, Halide::MemoryType::Register));
  REQUIRE_FALSE(use.ok());
  CHECK(use.status().message().find("needs 131072 bytes of stack; at most 65536 are allowed") == 0);
}
