// A library whose kernels run in bands: what it computes, and what can be captured inside of a band, is what single
// samples give.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "compiler/ir/text.h"
#include "tests/e2e/library.h"

namespace convoke {
namespace {

constexpr int64_t kCapacity = 5, kImage = 40 * 40 * 4, kMap = 40 * 40 * 16;

Tensor filled(std::vector<int64_t> dims) {
  Tensor tensor(std::move(dims));
  for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = std::sin(1.7 * static_cast<double>(i));
  return tensor;
}

Tensor one_of(const Tensor& images, int64_t sample) {
  Tensor image({1, 40, 40, 4});
  std::copy_n(images.data.begin() + sample * kImage, kImage, image.data.begin());
  return image;
}

void check_near(const std::vector<float>& found, const std::vector<float>& expected, size_t first) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (std::fabs(found[first + i] - expected[i]) <= 1e-4) continue;
    FAIL_CHECK("element ", i, ": ", found[first + i], ", expected ", expected[i]);
    return;
  }
}

TEST_CASE("a library with bands computes for any batch what it does for single samples") {
  const Result<Graph> graph = parse(R"(graph bands
%x = input() : f32[n,40,40,4]
%w1 = parameter() : f32[16,4,1,1]
%w2 = parameter() : f32[16,16,3,3]
%w3 = parameter() : f32[7,16]
%a = conv2d(%x, %w1) {dilation=[1,1], groups=1, padding=[0,0,0,0], stride=[1,1]} : f32[n,40,40,16]
%b = conv2d(%a, %w2) {dilation=[1,1], groups=1, padding=[1,1,1,1], stride=[1,1]} : f32[n,40,40,16]
%s = add(%b, %a) : f32[n,40,40,16]
%m = global_avg_pool2d(%s) : f32[n,1,1,16]
%f = flatten(%m) : f32[n,16]
%y = linear(%f, %w3) : f32[n,7]
output %y
)");
  REQUIRE(graph.ok());
  const convoke_library* library =
      compile_and_open("bands", {.inference = &*graph, .capacity = kCapacity, .cache_bytes = 8 * kMap * 4});
  const Environment weights = {{"w1", filled({16, 4, 1, 1})}, {"w2", filled({16, 16, 3, 3})}, {"w3", filled({7, 16})}};
  const Tensor images = filled({kCapacity, 40, 40, 4});
  Session single(library, weights, 0, 1), whole(library, weights, 0, 2);
  std::vector<float> map(kMap), maps(kCapacity * kMap);
  single.capture(CONVOKE_INFER, "a", map);
  whole.capture(CONVOKE_INFER, "a", maps);
  const std::vector<float> outputs = whole.infer({images})[0];
  for (int64_t s = 0; s < kCapacity; ++s) {
    INFO(s);
    check_near(outputs, single.infer({one_of(images, s)})[0], 7 * s);
    check_near(maps, map, kMap * s);
  }
}

}  // namespace
}  // namespace convoke
