// Copies between callers' arrays and storage, against index arithmetic done the slow way; initialisation against
// published values.
#include "runtime/core/tensor_copy.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "runtime/core/initialize.h"
#include "runtime/core/math.h"

using namespace convoke::core;

namespace {

// OIHW [5,3,2,2] as [co/4][ky][kx][ci][co%4]; a linear weight [6,12] read as [6,3,2,2] as [o][h][w][c].
constexpr Buffer kBlocked = {
    "blocked", 0, 8 * 12 * 4, kParameters,  CONVOKE_F32,
    5,         0, 4,          {5, 3, 2, 2}, {{4, 0, 1}, {3, 1, 1}, {2, 3, 1}, {2, 2, 1}, {2, 0, 4}}};
constexpr Buffer kPermuted = {"permuted", 0, 72 * 4, kParameters,  CONVOKE_F32,
                              4,          0, 4,      {6, 3, 2, 2}, {{3, 1, 1}, {2, 3, 1}, {2, 2, 1}, {6, 0, 1}}};
// A linear weight [40,37] as [o/16][i][o%16]: blocks with a tail, inputs in parts with another.
constexpr Buffer kLinear = {"linear", 0, 48 * 37 * 4, kParameters, CONVOKE_F32,
                            3,        0, 2,           {40, 37},    {{16, 0, 1}, {37, 1, 1}, {3, 0, 16}}};
constexpr Buffer kBytesImage = {"u8", 0, 30, kActivations, CONVOKE_U8,
                                4,    1, 3,  {2, 5, 3},    {{3, 2, 1}, {5, 1, 1}, {2, 0, 1}, {0, 0, 0}}};
constexpr Buffer kGreyImage = {"grey", 0, 10 * 4, kActivations, CONVOKE_F32,
                               4,      1, 3,      {2, 5, 1},    {{1, 2, 1}, {5, 1, 1}, {2, 0, 1}, {0, 0, 0}}};

// Decodes each storage index axis by axis.
int64_t logical_of(const Buffer& buffer, int64_t storage) {
  int64_t coordinate[kMaxRank] = {};
  for (int k = 0; k < buffer.rank - buffer.has_batch; ++k) {
    coordinate[buffer.axes[k].dim] += storage % buffer.axes[k].extent * buffer.axes[k].multiplier;
    storage /= buffer.axes[k].extent;
  }
  int64_t logical = 0;
  for (int d = 0; d < buffer.view_rank; ++d) {
    if (coordinate[d] >= buffer.view[d]) return -1;
    logical = logical * buffer.view[d] + coordinate[d];
  }
  return logical;
}

std::vector<float> counting(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i + 1));
  return values;
}

}  // namespace

TEST_CASE("storage follows the axes, tails are zero, and the way back is exact") {
  for (const Buffer* buffer : {&kBlocked, &kPermuted, &kLinear}) {
    CAPTURE(buffer->name);
    const std::vector<float> logical = counting(logical_elems(*buffer));
    std::vector<float> storage(static_cast<size_t>(storage_elems(*buffer)), -1.0f);
    to_storage(*buffer, storage.data(), logical.data(), row_major(*buffer));
    for (size_t s = 0; s < storage.size(); ++s) {
      const int64_t l = logical_of(*buffer, static_cast<int64_t>(s));
      REQUIRE(storage[s] == (l < 0 ? 0.0f : logical[static_cast<size_t>(l)]));
    }
    std::vector<float> back(logical.size());
    from_storage(*buffer, back.data(), storage.data(), row_major(*buffer));
    CHECK(back == logical);
  }
}

TEST_CASE("channels first, and data that is not aligned") {
  uint8_t planes[31], image[30];
  for (int i = 0; i < 30; ++i) planes[1 + i] = static_cast<uint8_t>(i);
  to_storage(kBytesImage, image, planes + 1, channels_first(kBytesImage));
  for (int y = 0; y < 2; ++y) {
    for (int x = 0; x < 5; ++x) {
      for (int c = 0; c < 3; ++c) REQUIRE(image[(y * 5 + x) * 3 + c] == c * 10 + y * 5 + x);
    }
  }
  std::vector<float> grey(10);
  to_storage(kGreyImage, grey.data(), counting(10).data(), channels_first(kGreyImage));
  CHECK(grey == counting(10));
  const std::vector<float> logical = counting(60);
  std::vector<char> shifted(61 * 4);
  memcpy(shifted.data() + 1, logical.data(), 240);
  std::vector<float> storage(96);
  to_storage(kBlocked, storage.data(), shifted.data() + 1, row_major(kBlocked));
  CHECK(storage[4] == 5.0f);  // second input channel of the first output
  std::vector<float> as_f32(30);
  from_storage_as_f32(kBytesImage, as_f32.data(), image, 0);
  CHECK(as_f32[1] == 10.0f);
}

TEST_CASE("an image of a block lies with a step of the block's images") {
  Buffer blocks = kGreyImage;
  blocks.images = 4;
  std::vector<float> image(10), expected;
  for (int pixel = 0; pixel < 10; ++pixel) expected.push_back(static_cast<float>(1 + 40 + pixel * 4 + 2));
  from_storage_as_f32(blocks, image.data(), counting(80).data(), 6);  // the third image of the second block
  CHECK(image == expected);
}

TEST_CASE("Philox4x32-10: Random123's known answers") {
  const auto is = [](Random4 got, uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
    return got.word[0] == a && got.word[1] == b && got.word[2] == c && got.word[3] == d;
  };
  CHECK(is(philox({{0, 0, 0, 0}}, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  CHECK(is(philox({{~0u, ~0u, ~0u, ~0u}}, ~uint64_t{0}), 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd));
  CHECK(is(philox({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, 0x299f31d0a4093822), 0xd16cfe09, 0x94fdcceb,
           0x5001e420, 0x24126ea1));
}

TEST_CASE("elementary functions agree with libm, the inverse normal with tables") {
  for (double x : {1e-300, 1e-10, 0.3, 0.9999, 1.0, 1.4142, 1.5, 2.0, 1e5, 1e300}) {
    CAPTURE(x);
    CHECK(std::abs(natural_log(x) - std::log(x)) <= 4e-16 * std::max(1.0, std::abs(std::log(x))));
    CHECK(std::abs(square_root(x) - std::sqrt(x)) <= 3e-16 * std::sqrt(x));
  }
  CHECK(inverse_normal(0.5) == 0.0);
  CHECK(inverse_normal(0.975) == doctest::Approx(1.959963984540054).epsilon(1e-14));
  CHECK(inverse_normal(0.001) == doctest::Approx(-3.090232306167813).epsilon(1e-14));
  CHECK(inverse_normal(1e-20) == doctest::Approx(-9.262340089798408).epsilon(1e-14));
}

TEST_CASE("initial values have their distribution") {
  const convoke_tensor uniform = {"u", CONVOKE_F32, 1, {100000}, 100000, CONVOKE_UNIFORM, 0.25f};
  const convoke_tensor normal = {"n", CONVOKE_F32, 1, {100000}, 100000, CONVOKE_NORMAL, 0.5f};
  double sum = 0, square = 0, normal_sum = 0, normal_square = 0;
  for (int64_t i = 0; i < 100000; ++i) {
    const double u = static_cast<double>(initial_value(uniform, 0, i, 42));
    const double z = static_cast<double>(initial_value(normal, 1, i, 42));
    REQUIRE(u >= -0.25);
    REQUIRE(u < 0.25);
    sum += u, square += u * u, normal_sum += z, normal_square += z * z;
  }
  CHECK(std::abs(sum / 1e5) < 0.002);
  CHECK(std::sqrt(square / 1e5) == doctest::Approx(0.25 / std::sqrt(3.0)).epsilon(0.01));
  CHECK(std::abs(normal_sum / 1e5) < 0.006);
  CHECK(std::sqrt(normal_square / 1e5) == doctest::Approx(0.5).epsilon(0.01));
  CHECK(initial_value(normal, 1, 5, 42) != initial_value(normal, 2, 5, 42));
  CHECK(initial_value(normal, 1, 5, 42) != initial_value(normal, 1, 5, 43));
}
