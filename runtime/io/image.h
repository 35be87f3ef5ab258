// Pictures for `predict`: JPEG and PNG files as 8-bit pixels of the size and channels that a model reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/status.h"

namespace convoke {

struct Image {
  int width = 0, height = 0, channels = 0;  // channels: 1 (grey) or 3 (RGB)
  std::vector<uint8_t> pixels;              // [height, width, channels]
};

// A JPEG or PNG, told apart by its first bytes. Grey stays grey, palettes and all others become RGB; alpha is dropped
// and 16 bits are cut to 8, as PIL's convert("RGB") does. Files are untrusted: at most 100 million pixels; a broken or
// truncated one is kDataLoss with the decoder's own reason. `path` stands in messages.
Result<Image> decode_image(std::string_view bytes, const std::string& path);
Result<Image> read_image(const std::string& path);

// To 1 or 3 channels; grey is ITU-R 601-2 luma in PIL's integers: (19595 R + 38470 G + 7471 B + 32768) >> 16.
Image convert_channels(const Image& image, int channels);

// Bilinear with antialiasing, the same bits as PIL's resize(BILINEAR) and so torchvision's on PIL images: a triangle
// filter stretched by the reduction, horizontally, then vertically, rounded to 8 bits after each.
Image resize(const Image& image, int width, int height);

}  // namespace convoke
