// Bands: which calls run for a few samples at a time, and that their plan still computes what the graph does.
#include "compiler/kernels/bands.h"

#include <doctest/doctest.h>

#include "compiler/ir/text.h"
#include "compiler/kernels/make_plan.h"
#include "compiler/ops/op.h"
#include "tests/kernels/run_plan.h"
#include "tests/kernels/wishes.h"

namespace convoke {
namespace {

constexpr int64_t kCapacity = 5;
// Of a map of 40×40×16, one sample's.
constexpr int64_t kMapBytes = 40 * 40 * 16 * 4;

// A residual block between two more convolutions, large maps; then a small one of many weights.
Graph network() {
  const Result<Graph> graph = parse(R"(graph g
%x = input() : f32[n,40,40,4]
%w1 = parameter() : f32[16,4,1,1]
%w2 = parameter() : f32[16,16,1,1]
%w3 = parameter() : f32[16,16,1,1]
%w4 = parameter() : f32[500,16]
%a = conv2d(%x, %w1) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,40,40,16]
%b = conv2d(%a, %w2) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,40,40,16]
%c = conv2d(%b, %w3) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,40,40,16]
%s = add(%c, %a) : f32[n,40,40,16]
%m = global_avg_pool2d(%s) : f32[n,1,1,16]
%f = flatten(%m) : f32[n,16]
%y = linear(%f, %w4) : f32[n,500]
output %y
)");
  REQUIRE_MESSAGE(graph.ok(), graph.status().message());
  REQUIRE(verify(*graph).ok());
  return *graph;
}

Plan plan_of(const Graph& graph, int64_t cache_bytes) {
  Result<Plan> plan = make_plan({.model = "g",
                                 .capacity = kCapacity,
                                 .inference = &graph,
                                 .lookup = wish_packed_weights,
                                 .cache_bytes = cache_bytes});
  REQUIRE_MESSAGE(plan.ok(), plan.status().message());
  return *std::move(plan);
}

// "2 x: a b" for a band of a and b by 2 samples.
std::string bands_of(const Plan& plan) {
  std::string text;
  for (const PlanBand& band : plan.bands) {
    text += std::to_string(band.samples) + " x:";
    for (int row = band.first_row; row < band.end_row; ++row) text += " " + plan.rows[row].name;
    text += "\n";
  }
  return text;
}

TEST_CASE("a chain runs for as many samples at a time as fit into the cache") {
  const Graph graph = network();
  CHECK(bands_of(plan_of(graph, 0)).empty());
  CHECK(bands_of(plan_of(graph, 2 * kMapBytes)) == "");                  // three maps at once are too many
  CHECK(bands_of(plan_of(graph, 4 * kMapBytes)) == "1 x: a b c+s m\n");  // y's weights would be read again and again
  CHECK(bands_of(plan_of(graph, 8 * kMapBytes)) == "2 x: a b c+s m\n");
  CHECK(bands_of(plan_of(graph, 40 * kMapBytes)).empty());  // all samples fit
}

TEST_CASE("a row of a band takes its turns, others run once") {
  const Plan plan = plan_of(network(), 8 * kMapBytes);
  REQUIRE(plan.bands.size() == 1);
  for (int row = 0; row < static_cast<int>(plan.rows.size()); ++row) {
    INFO(plan.rows[row].name);
    CHECK(samples_at_a_time(plan, row) == (band_of(plan, row) ? 2 : kCapacity));
    CHECK(turns(plan, row) == (band_of(plan, row) ? (kCapacity + 1) / 2 : 1));
  }
}

TEST_CASE("what lives in a band has room for its samples only") {
  const Graph graph = network();
  const Plan all = plan_of(graph, 0), banded = plan_of(graph, 4 * kMapBytes);
  CHECK(all.inference_activation_bytes >= 2 * kCapacity * kMapBytes);
  CHECK(banded.inference_activation_bytes < 4 * kMapBytes);
  for (const PlanBuffer& buffer : banded.buffers) {
    INFO(buffer.name);
    if (buffer.name == "a" || buffer.name == "b" || buffer.name == "s") CHECK(buffer.samples == 1);
    if (buffer.name == "x" || buffer.name == "m" || buffer.name == "y") CHECK(buffer.samples == kCapacity);
  }
}

TEST_CASE("a plan with bands computes what its graph does, whatever the batch") {
  const Graph graph = network();
  for (int64_t cache_bytes : {4 * kMapBytes, 8 * kMapBytes}) {
    const Plan plan = plan_of(graph, cache_bytes);
    for (int64_t batch = 1; batch <= kCapacity; ++batch) {
      const std::string what = bands_of(plan) + "batch " + std::to_string(batch);
      INFO(what);
      check_inference(plan, graph, batch);
    }
  }
}

}  // namespace
}  // namespace convoke
