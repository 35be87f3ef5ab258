// IDX files, good and bad; the loader's order, batches and position.
#include <doctest/doctest.h>

#include <set>

#include "runtime/data/loader.h"
#include "tests/runtime/fixture.h"

namespace convoke {
namespace {

struct IdxFiles {
  std::string folder = empty_folder("idx");
  std::string images = folder + "/images", labels = folder + "/labels";
  Result<Dataset> read(const std::string& image_bytes, const std::string& label_bytes) const {
    write_file(images, image_bytes);
    write_file(labels, label_bytes);
    return read_idx(images, labels, {"zero", "one", "two"});
  }
};

const char* const kPixels = "abcdefghijklmnopqr";  // 3 images of 2x3

}  // namespace

TEST_CASE("IDX: plain and gzipped, grey and colour") {
  const IdxFiles files;
  const std::string images = idx_bytes({3, 2, 3}, kPixels), labels = idx_bytes({3}, {0, 2, 1});
  for (const auto& [image_bytes, label_bytes] :
       {std::pair{images, labels}, std::pair{gzipped(images), gzipped(labels)}}) {
    const Result<Dataset> read = files.read(image_bytes, label_bytes);
    REQUIRE_MESSAGE(read.ok(), read.status().message());
    CHECK(read->count == 3);
    CHECK(read->height == 2);
    CHECK(read->width == 3);
    CHECK(read->channels == 1);
    CHECK(std::string(read->images.begin(), read->images.end()) == kPixels);
    CHECK(read->labels == std::vector<int32_t>{0, 2, 1});
  }
  const Result<Dataset> color = files.read(idx_bytes({3, 1, 2, 3}, kPixels), labels);
  REQUIRE(color.ok());
  CHECK(color->channels == 3);
}

TEST_CASE("IDX: files that are damaged or lie") {
  const IdxFiles files;
  const std::string good_images = idx_bytes({3, 2, 3}, kPixels), good_labels = idx_bytes({3}, {0, 2, 1});
  std::string damaged = gzipped(good_images);
  damaged[damaged.size() - 6] ^= 1;  // its checksum
  struct Case {
    std::string images, labels, message;
  };
  const Case cases[] = {
      {"", good_labels, "has 0 bytes"},
      {std::string("\0\0", 2), good_labels, "has 2 bytes"},
      {"GIF89a", good_labels, "not an IDX file"},
      {std::string("\0\0\x0d\x03", 4), good_labels, "element type is 13"},
      {good_labels, good_labels, "rank is 1, expected 3 or 4"},
      {good_images, good_images, "rank is 3, expected 1"},
      {good_images.substr(0, 10), good_labels, "ends inside its IDX header"},
      {good_images.substr(0, 20), good_labels, "truncated: its header says 3x2x3 = 18 elements, 4 are there"},
      {good_images + "s", good_labels, "has bytes behind the 18 elements"},
      {idx_bytes({0, 2, 3}, ""), good_labels, "dimension 0 is 0"},
      {idx_bytes({4000000000u, 4000000000u, 4000000000u}, kPixels), good_labels, "more than 16 GiB"},
      {idx_bytes({1000000, 28, 28}, kPixels), good_labels, "784000000 elements, 18 are there"},
      {idx_bytes({2, 2, 3}, "abcdefghijkl"), good_labels, "has 3 labels"},
      {good_images, idx_bytes({3}, {0, 3, 1}), "label 1 is 3, expected 0 to 2"},
      {good_images, idx_bytes({3}, {0, char(255), 1}), "label 1 is 255"},
      {gzipped(good_images).substr(0, 25), good_labels, "damaged or cut off"},
      {damaged, good_labels, "damaged or cut off"},
  };
  for (const Case& bad : cases) {
    const Result<Dataset> read = files.read(bad.images, bad.labels);
    REQUIRE_MESSAGE(!read.ok(), bad.message);
    CHECK_MESSAGE(read.status().message().find(bad.message) != std::string::npos, read.status().message());
    CHECK(read.status().message().find(files.folder) != std::string::npos);
  }
  CHECK(read_idx(files.folder + "/none", files.labels, {}).status().code() == Code::kNotFound);
}

TEST_CASE("An epoch's order is a permutation that seed and epoch decide") {
  const std::vector<int32_t> order = epoch_permutation(1000, 7, 3);
  CHECK(std::set<int32_t>(order.begin(), order.end()).size() == 1000);
  CHECK(order == epoch_permutation(1000, 7, 3));
  CHECK(order != epoch_permutation(1000, 7, 4));
  CHECK(order != epoch_permutation(1000, 8, 3));
  // Each place gets each sample about equally often: 2000 draws of 5 places, 5 standard deviations.
  int counts[5][5] = {};
  for (int64_t epoch = 0; epoch < 2000; ++epoch) {
    const std::vector<int32_t> small = epoch_permutation(5, 1, epoch);
    for (size_t place = 0; place < 5; ++place) ++counts[place][small[place]];
  }
  for (const auto& place : counts) {
    for (int count : place) CHECK(std::abs(count - 400) < 90);
  }
}

TEST_CASE("The loader covers each epoch once, with a last partial batch, from any position") {
  const Dataset dataset = tiny_dataset(53, 1);
  LoaderOptions options{.batch_size = 8, .order = SampleOrder::kShuffled, .seed = 3, .epochs = 3};
  options.augmentation = {.horizontal_flip = true, .crop_padding = 1};
  std::vector<Batch> all;
  {
    Loader loader(dataset, options, {});
    for (int b = 0; b < 21; ++b) all.push_back(loader.next());
  }
  for (size_t b = 0; b < all.size(); ++b) {
    CHECK(all[b].n == (b % 7 < 6 ? 8 : 5));
    CHECK(all[b].position.epoch == static_cast<int64_t>(b / 7));
    CHECK(all[b].position.sample == static_cast<int64_t>(8 * (b % 7)));
    CHECK(all[b].images.size() == static_cast<size_t>(48 * all[b].n));
  }
  CHECK(all[0].images != all[7].images);
  for (size_t start : {size_t{3}, size_t{6}, size_t{7}, size_t{20}}) {
    Loader loader(dataset, options, all[start].position);
    for (size_t b = start; b < all.size(); ++b) {
      const Batch& batch = loader.next();
      CHECK(batch.images == all[b].images);
      CHECK(batch.labels == all[b].labels);
    }
  }
  Loader unused(dataset, options, {});  // ends while its thread is ahead
}

TEST_CASE("A loader in order gives every sample its pixels, normalised") {
  const Dataset dataset = tiny_dataset(11, 2);
  const PixelTransform transform{.scale = 1.0f / 255, .mean = {0.5f, 0.25f, 0, 0}, .std = {0.5f, 2, 1, 1}};
  Loader loader(dataset, {.batch_size = 4, .epochs = 1, .transform = transform}, {});
  for (int64_t done = 0; done < dataset.count;) {
    const Batch& batch = loader.next();
    for (int64_t i = 0; i < batch.n; ++i) {
      CHECK(batch.labels[static_cast<size_t>(i)] == dataset.labels[static_cast<size_t>(done + i)]);
      for (size_t e = 0; e < 48; ++e) {
        const float pixel = static_cast<float>(dataset.image(done + i)[e]) * transform.scale;
        CHECK(batch.images[static_cast<size_t>(i) * 48 + e] == (pixel - transform.mean[e % 3]) / transform.std[e % 3]);
      }
    }
    done += batch.n;
  }
}

TEST_CASE("Augmentation flips about half of the images and moves within its padding") {
  const Dataset shape{.count = 1, .height = 1, .width = 3, .channels = 1};
  const uint8_t pixels[3] = {10, 20, 30};
  const PixelTable table = pixel_table({.scale = 1});
  int flipped = 0;
  std::set<std::vector<float>> seen;
  for (int64_t sample = 0; sample < 400; ++sample) {
    std::vector<float> out(3);
    augment_image(table, shape, pixels, {.horizontal_flip = true}, augmentation_random(1, 0, sample), out.data());
    CHECK((out == std::vector<float>{10, 20, 30} || out == std::vector<float>{30, 20, 10}));
    flipped += out[0] == 30;
    augment_image(table, shape, pixels, {.crop_padding = 1}, augmentation_random(1, 0, sample), out.data());
    seen.insert(out);
  }
  CHECK(std::abs(flipped - 200) < 50);
  // Up and down leave only padding; left, none and right.
  CHECK(seen == std::set<std::vector<float>>{{0, 0, 0}, {0, 10, 20}, {10, 20, 30}, {20, 30, 0}});
}

}  // namespace convoke
