// From the pixels of a data set to what the network reads.
#pragma once

#include <array>
#include <cstdint>

#include "runtime/data/dataset.h"
#include "runtime/data/random.h"

namespace convoke {

// x = (pixel * scale - mean[c]) / std[c], in f32 as infer_image computes it. At most four channels, as there.
struct PixelTransform {
  float scale = 1.0f / 255;
  std::array<float, 4> mean = {0, 0, 0, 0};
  std::array<float, 4> std = {1, 1, 1, 1};
};

// The 256 values of each channel.
struct PixelTable {
  std::array<std::array<float, 256>, 4> value;
};
PixelTable pixel_table(const PixelTransform& transform);

struct Augmentation {
  bool horizontal_flip = false;
  int64_t crop_padding = 0;  // zero pixels around the image, of which a random window of its size is taken
};

void transform_image(const PixelTable& table, const uint8_t* pixels, int64_t elems, int64_t channels, float* to);

// The same with the augmentation drawn from `random`.
void augment_image(const PixelTable& table, const Dataset& shape, const uint8_t* pixels,
                   const Augmentation& augmentation, const SampleRandom& random, float* to);

}  // namespace convoke
