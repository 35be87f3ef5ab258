#include "runtime/data/transform.h"

namespace convoke {

PixelTable pixel_table(const PixelTransform& transform) {
  PixelTable table;
  for (size_t c = 0; c < 4; ++c) {
    for (size_t p = 0; p < 256; ++p) {
      table.value[c][p] = (static_cast<float>(p) * transform.scale - transform.mean[c]) / transform.std[c];
    }
  }
  return table;
}

void transform_image(const PixelTable& table, const uint8_t* pixels, int64_t elems, int64_t channels, float* to) {
  for (int64_t i = 0; i < elems; i += channels) {
    for (int64_t c = 0; c < channels; ++c) to[i + c] = table.value[static_cast<size_t>(c)][pixels[i + c]];
  }
}

void augment_image(const PixelTable& table, const Dataset& shape, const uint8_t* pixels,
                   const Augmentation& augmentation, const SampleRandom& random, float* to) {
  const int64_t places = 2 * augmentation.crop_padding + 1;
  const int64_t top = bounded(random.word[0], places) - augmentation.crop_padding;
  const int64_t left = bounded(random.word[1], places) - augmentation.crop_padding;
  const bool flipped = augmentation.horizontal_flip && (random.word[2] & 1);
  for (int64_t y = 0; y < shape.height; ++y) {
    for (int64_t x = 0; x < shape.width; ++x) {
      const int64_t from_y = y + top, from_x = (flipped ? shape.width - 1 - x : x) + left;
      const bool inside = from_y >= 0 && from_y < shape.height && from_x >= 0 && from_x < shape.width;
      for (int64_t c = 0; c < shape.channels; ++c) {
        const uint8_t pixel = inside ? pixels[(from_y * shape.width + from_x) * shape.channels + c] : 0;
        *to++ = table.value[static_cast<size_t>(c)][pixel];
      }
    }
  }
}

}  // namespace convoke
