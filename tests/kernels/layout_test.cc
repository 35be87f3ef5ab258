// Layouts: their text, their extents, what fits a type, and that a fitting one gives each element one place.
#include "compiler/kernels/layout.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>

namespace convoke {
namespace {

using Dims = std::vector<int64_t>;

TEST_CASE("a layout reads back as it was printed") {
  CHECK(to_string(packed_weights({120, 16, 5, 5}, 16)) == "(120,16,5,5)0/16.2.3.1.0%16");
  for (const char* text : {"plain", "1.0", "2.0.1", "0/4.1.0%4", "(120,16,5,5)0/16.2.3.1.0%16", "(2,3)1.0",
                           "winograd4:0/16.2.3.1.0%16", "winograd2rotated:(8,4,3,3)1/8.2.3.0.1%8",
                           "winograd4stride2:0/16.2.3.1.0%16", "winograd2x4rotated:1/8.2.3.0.1%8", "images16"}) {
    INFO(text);
    const Result<Layout> layout = parse_layout(text);
    REQUIRE(layout.ok());
    CHECK(to_string(*layout) == text);
    CHECK(layout->plain() == (std::string(text) == "plain"));
  }
}

TEST_CASE("what is no layout") {
  for (const char* text : {"",
                           "x",
                           "plain ",
                           "(",
                           "(1",
                           "(1,2",
                           "(1,2)",
                           "()0",
                           "(2,)0",
                           "(2,3)",
                           "0.",
                           ".0",
                           "0/",
                           "0/0",
                           "0%-4",
                           "-1",
                           "(-2,3)0.1",
                           "(0)0",
                           "0 ",
                           " 0",
                           "0/4/4",
                           "99999999999",
                           "0,1",
                           "(99999999999999999999)0",
                           "winograd0:0.1.2.3",
                           "winograd:0.1.2.3",
                           "winograd4:",
                           "winograd4x4:0/16.2.3.1.0%16",
                           "winograd4x:0/16.2.3.1.0%16",
                           "winograd4rotate:0.1.2.3",
                           "images",
                           "images0",
                           "images16:0.1",
                           "images-1"}) {
    INFO(text);
    const Result<Layout> layout = parse_layout(text);
    REQUIRE_FALSE(layout.ok());
    CHECK(layout.status().message() == "\"" + std::string(text) + "\" is no layout");
  }
}

TEST_CASE("extents in memory, with padded last blocks") {
  const Type conv = f32({6, 1, 5, 5}), linear = f32({120, 400}), image = f32({kBatch, 5, 5, 16});
  CHECK(storage_dims(conv, {}) == Dims{6, 1, 5, 5});
  CHECK(storage_dims(conv, packed_weights(conv.dims, 16)) == Dims{1, 5, 5, 1, 16});
  CHECK(storage_elems(conv, packed_weights(conv.dims, 16)) == 400);
  CHECK(storage_dims(linear, packed_weights({120, 16, 5, 5}, 16)) == Dims{8, 5, 5, 16, 16});
  CHECK(storage_elems(linear, packed_weights({120, 16, 5, 5}, 16)) == 128 * 400);
  CHECK(storage_dims(image, parse_layout("2.0.1").value()) == Dims{kBatch, 16, 5, 5});
  CHECK(storage_elems(image, {}) == 400);
  CHECK(storage_dims(image, {.images = 8}) == Dims{kBatch, 5, 5, 16, 8});
  CHECK(storage_elems(image, {.images = 8}) == 400);
  CHECK(view_dims(image, {}) == Dims{5, 5, 16});
  CHECK(view_dims(linear, packed_weights({120, 16, 5, 5}, 16)) == Dims{120, 16, 5, 5});
  const Type weight = f32({6, 4, 3, 3});
  CHECK(storage_dims(weight, parse_layout("winograd4:0/4.2.3.1.0%4").value()) == Dims{2, 6, 6, 4, 4});
  CHECK(storage_dims(weight, parse_layout("winograd2x4:0/4.2.3.1.0%4").value()) == Dims{2, 4, 6, 4, 4});
  CHECK(view_dims(weight, parse_layout("winograd2rotated:1.2.3.0").value()) == Dims{6, 4, 4, 4});
  CHECK(storage_dims(f32({}), {}).empty());
  CHECK(storage_elems(f32({}), {}) == 1);
}

TEST_CASE("which layouts fit which types") {
  const Type linear = f32({12, 18}), image = f32({kBatch, 3, 2, 5});
  for (const char* text : {"plain", "1.0", "0/5.1.0%5", "(12,2,3,3)0/4.2.3.1.0%4", "0/4.1/2.0%4.1%2", "(216)0"}) {
    INFO(text);
    CHECK(check_layout(linear, parse_layout(text).value()).ok());
  }
  CHECK(check_layout(image, parse_layout("2.0.1").value()).ok());
  CHECK(check_layout(image, {.images = 16}).ok());
  auto why = [&](const Type& type, const char* text) {
    return check_layout(type, parse_layout(text).value()).message();
  };
  const Type weight = f32({6, 4, 3, 3});
  for (const char* text : {"winograd4:0.1.2.3", "winograd2:0/4.2.3.1.0%4", "winograd4rotated:(6,4,3,3)1.2.3.0"}) {
    INFO(text);
    CHECK(check_layout(weight, parse_layout(text).value()).ok());
  }
  CHECK(why(weight, "winograd8:0.1.2.3") == "there is no layout winograd8:0.1.2.3 of f32[6,4,3,3]");
  CHECK(why(weight, "winograd4:(24,1,3,3)0.1.2.3") == "there is no layout winograd4:(24,1,3,3)0.1.2.3 of f32[6,4,3,3]");
  CHECK(why(weight, "images16") == "there is no layout images16 of f32[6,4,3,3]");
  CHECK(why(linear, "winograd4:0.1") == "there is no layout winograd4:0.1 of f32[12,18]");
  CHECK(why(weight, "winograd4:0.1.2") == "layout winograd4:0.1.2 of f32[6,4,3,3]: dimension 3 is not covered once");
  CHECK(why(linear, "0") == "layout 0 of f32[12,18]: dimension 1 is not covered once");
  CHECK(why(linear, "0.1.1") == "layout 0.1.1 of f32[12,18]: dimension 1 is not covered once");
  CHECK(why(linear, "0.1.2") == "layout 0.1.2 of f32[12,18]: there is no dimension 2");
  CHECK(why(linear, "0/4.1") == "layout 0/4.1 of f32[12,18]: dimension 0 is not covered once");
  CHECK(why(linear, "0/4.1.0%2") == "layout 0/4.1.0%2 of f32[12,18]: dimension 0 is not covered once");
  CHECK(why(linear, "0%4.1.0%4") == "layout 0%4.1.0%4 of f32[12,18]: dimension 0 is not covered once");
  CHECK(why(linear, "(12,2,3)0.1.2") == "layout (12,2,3)0.1.2 of f32[12,18]: its view has 72 elements, expected 216");
  CHECK(why(image, "0.1.2.3") == "layout 0.1.2.3 of f32[n,3,2,5]: there is no dimension 3");
  CHECK(why(linear, "0/9000000000000000000.1.0%9000000000000000000") ==
        "layout 0/9000000000000000000.1.0%9000000000000000000 of f32[12,18]: is too large");
}

// A dimension as one axis or as a random pair of axes, all in random order.
Layout random_layout(const Dims& dims, std::mt19937_64& random) {
  using enum LayoutAxis::Part;
  Layout layout;
  for (int dim = 0; dim < static_cast<int>(dims.size()); ++dim) {
    const auto block = static_cast<int64_t>(1 + random() % 5);
    if (random() % 2 == 0) {
      layout.axes.push_back({dim});
    } else {
      layout.axes.insert(layout.axes.end(), {{dim, kOuter, block}, {dim, kInner, block}});
    }
  }
  std::shuffle(layout.axes.begin(), layout.axes.end(), random);
  return layout;
}

// The coordinate in the view of storage index `index`, or nothing when that is padding: an axis' index times its block
// if it is an outer one, summed over the axes of a dimension.
Dims coordinate_of(const Dims& dims, const Layout& layout, const Dims& extents, int64_t index) {
  Dims at(dims.size());
  for (size_t axis = layout.axes.size(); axis-- > 0; index /= extents[axis]) {
    const LayoutAxis& a = layout.axes[axis];
    at[a.dim] += index % extents[axis] * (a.part == LayoutAxis::kOuter ? a.block : 1);
  }
  for (size_t d = 0; d < dims.size(); ++d) {
    if (at[d] >= dims[d]) return {};
  }
  return at;
}

TEST_CASE("random layouts: fit, read back, and have one place for each element") {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    INFO(seed);
    std::mt19937_64 random(seed);
    Dims dims(1 + random() % 4);
    for (int64_t& dim : dims) dim = static_cast<int64_t>(1 + random() % 7);
    const Layout layout = random_layout(dims, random);
    const Type type = f32(dims);
    CHECK(check_layout(type, layout).ok());
    CHECK(parse_layout(to_string(layout)).value() == layout);
    const Dims extents = storage_dims(type, layout);
    std::set<Dims> seen;
    int64_t padding = 0;
    for (int64_t i = 0; i < storage_elems(type, layout); ++i) {
      const Dims at = coordinate_of(dims, layout, extents, i);
      if (at.empty()) {
        ++padding;
      } else {
        CHECK(seen.insert(at).second);
      }
    }
    CHECK(static_cast<int64_t>(seen.size()) == type.elems());
    CHECK(storage_elems(type, layout) == type.elems() + padding);
  }
}

}  // namespace
}  // namespace convoke
