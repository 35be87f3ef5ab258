// Prefetches of streamed operands, as lowered and as they come out of the code generator.
#include "compiler/codegen/prefetch.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <optional>
#include <sstream>

#include "runtime/base/file.h"
#include "tests/codegen/count_of.h"

using namespace convoke;
using Halide::Func, Halide::ImageParam, Halide::RDom, Halide::Var;

namespace {

constexpr int kColumns = 32, kLanes = 8, kUnrolled = 2;  // a row is two lines, each of two vectors
constexpr int kLines = kUnrolled * kColumns * 4 / 64;    // of an iteration
constexpr int64_t kAhead = 1234567;

// Sums of the columns of `w`: an iteration of the inner loop reads kUnrolled rows.
Halide::Module sums_of_columns(const std::string& target, std::vector<Stream> streams) {
  ImageParam w(Halide::Float(32), 2, "w");
  w.dim(0).set_bounds(0, kColumns);
  w.dim(1).set_stride(kColumns);
  Var x("x");
  RDom r(0, 64, "r");
  Func sums("sums"), out("out");
  sums(x) = 0.0f;
  sums(x) += w(x, r);
  out(x) = sums(x);
  out.bound(x, 0, kColumns).vectorize(x, kLanes);
  sums.compute_root().bound(x, 0, kColumns).vectorize(x, kLanes).unroll(x);
  sums.update().reorder(x, r).vectorize(x, kLanes).unroll(x).unroll(r, kUnrolled);
  Halide::Pipeline pipeline(out);
  for (Stream& stream : streams) stream.buffer = stream.buffer == "out" ? out.name() : stream.buffer;
  add_prefetches(pipeline, streams);
  return pipeline.compile_to_module({w}, "kernel",
                                    Halide::Target(target + "-no_runtime-no_asserts-no_bounds_query-user_context"));
}

std::string statement(const std::vector<Stream>& streams) {
  std::ostringstream text;
  text << sums_of_columns("x86-64-linux-avx2", streams);
  return text.str();
}

std::string assembly(const std::string& target, const std::vector<Stream>& streams) {
  const std::string path = "prefetch_test." + std::to_string(getpid()) + ".s";
  sums_of_columns(target, streams).compile({{Halide::OutputFileType::assembly, path}});
  const std::string text = read_file(path).value();
  unlink(path.c_str());
  return text;
}

}  // namespace

TEST_CASE("every line that an iteration reads is prefetched once, `ahead` elements further on") {
  const std::string text = statement({{"w", kAhead}});
  CHECK(count_of(text, "llvm.prefetch") == kLines);
  CHECK(count_of(text, std::to_string(kAhead)) == kLines);
}

TEST_CASE("what is stored is prefetched, too") { CHECK(count_of(statement({{"out", kAhead}}), "llvm.prefetch") == 1); }

// Statements that name an index more than once have it in a variable of their own.
TEST_CASE("lines are told apart whatever variables their indices have") {
  ImageParam w(Halide::Float(32), 2, "w"), mask(Halide::Float(32), 2, "mask");
  Var x("x"), y("y"), yo("yo"), yi("yi");
  Func masked("masked");
  masked(x, y) = select(mask(x, y) > 0.0f, w(x, y), 0.0f);
  for (Halide::OutputImageParam buffer :
       {Halide::OutputImageParam(w), Halide::OutputImageParam(mask), masked.output_buffer()}) {
    buffer.dim(0).set_bounds(0, kColumns);
    buffer.dim(1).set_min(0).set_stride(kColumns);
  }
  masked.vectorize(x, kLanes).unroll(x).split(y, yo, yi, 3, Halide::TailStrategy::RoundUp).parallel(yo);
  Halide::Pipeline pipeline(masked);
  add_prefetches(pipeline, {{"w", kAhead}});
  std::ostringstream text;
  text << pipeline.compile_to_module({w, mask}, "kernel",
                                     Halide::Target("x86-64-linux-avx2-no_runtime-no_asserts-no_bounds_query"));
  INFO(text.str());
  REQUIRE(count_of(text.str(), "let t") > 1);
  CHECK(count_of(text.str(), "llvm.prefetch") == kLines / kUnrolled);
}

// Products of a panel of `w` and each row of `v`, for which the loop over the panel is gone through once more: by so
// many rows, or as many as the output has.
std::string products(std::optional<int> rows, int64_t turns = 1) {
  constexpr int kPanel = 64;
  ImageParam w(Halide::Float(32), 2, "w"), v(Halide::Float(32), 2, "v");
  w.dim(0).set_bounds(0, kColumns);
  w.dim(1).set_stride(kColumns);
  Var x("x"), y("y");
  RDom r(0, kPanel, "r");
  Func sums("sums"), out("out");
  sums(x, y) = 0.0f;
  sums(x, y) += w(x, r) * v(r, y);
  out(x, y) = sums(x, y);
  out.bound(x, 0, kColumns).vectorize(x, kLanes).unroll(x);
  if (rows) out.bound(y, 0, *rows);
  sums.compute_at(out, y).bound_extent(x, kColumns).vectorize(x, kLanes).unroll(x);
  sums.update().reorder(x, r, y).vectorize(x, kLanes).unroll(x).unroll(r, kUnrolled);
  Halide::Pipeline pipeline(out);
  add_prefetches(pipeline, {{.buffer = "w", .ahead = kPanel * kColumns, .turns = turns}});
  std::ostringstream text;
  text << pipeline.compile_to_module({w, v}, "kernel",
                                     Halide::Target("x86-64-linux-avx2-no_runtime-no_asserts-no_bounds_query"));
  return text.str();
}

TEST_CASE("turns of a loop that read the same share in prefetching what lies ahead") {
  CHECK(count_of(products(1), "llvm.prefetch") == kLines);
  CHECK(count_of(products(2), "llvm.prefetch") == kLines / 2);
  CHECK(count_of(products(3), "llvm.prefetch") == (kLines + 2) / 3);
  for (int rows : {4, 5, 100}) CHECK(count_of(products(rows), "llvm.prefetch") == 1);
  CHECK(count_of(products(2), "% 2") == kLines / 2);
  CHECK(count_of(products(100), "% 4") == 1);  // by then all of it is on its way
}

TEST_CASE("where the number of turns is not constant, as many share as the stream says") {
  for (int turns : {1, 2, 4}) CHECK(count_of(products(std::nullopt, turns), "llvm.prefetch") == kLines / turns);
}

// Sums of a copy of each `kRows` rows of `w`, two vectors at a time; each turn copies the next rows.
std::string sums_of_copies(int64_t burst) {
  constexpr int kRows = 16;
  ImageParam w(Halide::Float(32), 2, "w");
  w.dim(0).set_bounds(0, kColumns);
  w.dim(1).set_stride(kColumns);
  Var x("x"), y("y"), t("t"), xo("xo");
  RDom r(0, kRows, "r");
  Func copy("copy"), sums("sums"), out("out");
  copy(x, y, t) = w(x, t * kRows + y);
  sums(x, t) = 0.0f;
  sums(x, t) += copy(x, r, t);
  out(x, t) = sums(x, t);
  out.bound(x, 0, kColumns).split(x, xo, x, kLanes).vectorize(x).unroll(xo);
  copy.compute_at(out, t).vectorize(x, kLanes);
  sums.compute_at(out, t).bound_extent(x, kColumns).split(x, xo, x, kLanes).vectorize(x);
  sums.update().split(x, xo, x, kLanes).reorder(x, r, xo).vectorize(x);
  Halide::Pipeline pipeline(out);
  add_prefetches(pipeline, {{.buffer = "w", .ahead = burst, .during = sums.name()}});
  std::ostringstream text;
  text << pipeline.compile_to_module({w}, "kernel",
                                     Halide::Target("x86-64-linux-avx2-no_runtime-no_asserts-no_bounds_query"));
  return text.str();
}

TEST_CASE("the iterations of what stands behind a burst of reads share in the next one") {
  constexpr int kIterations = 16 * kColumns / kLanes, kLine = 64 / 4;
  CHECK(count_of(sums_of_copies(kIterations * kLine), "llvm.prefetch") == 1);
  CHECK(count_of(sums_of_copies(kIterations * kLine + 1), "llvm.prefetch") == 2);
  CHECK(count_of(sums_of_copies(3 * kIterations * kLine), "llvm.prefetch") == 3);
  CHECK(count_of(sums_of_copies(kIterations * kLine - 1), std::to_string(kIterations * kLine - 1)) == 1);
  // Of fewer lines an iteration of the loop around has some.
  CHECK(count_of(sums_of_copies(kIterations / 2 * kLine), "llvm.prefetch") == 8);
}

TEST_CASE("what is no stream is not prefetched") {
  CHECK(count_of(statement({}), "prefetch") == 0);
  CHECK(count_of(statement({{"other", kAhead}}), "prefetch") == 0);
}

TEST_CASE("prefetches are instructions, into the second-level cache") {
  CHECK(count_of(assembly("x86-64-linux-avx2", {{"w", kAhead}}), "prefetcht1") == kLines);
  CHECK(count_of(assembly("arm-64-linux", {{"w", kAhead}}), "pldl2keep") == kLines);
}
