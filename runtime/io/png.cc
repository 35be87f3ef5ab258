// PNG through libpng's simplified interface, which reports errors by its results.
#include <png.h>

#include <cstring>

#include "runtime/io/decoders.h"

namespace convoke {

Result<Image> decode_png(std::string_view bytes, const std::string& path) {
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  const auto failed = [&] {
    const std::string reason = png.message;
    png_image_free(&png);
    return data_loss(path + ": cannot decode the PNG: " + reason);
  };
  if (!png_image_begin_read_from_memory(&png, bytes.data(), bytes.size())) return failed();
  if (int64_t{png.width} * png.height > kMostPixels) {
    png_image_free(&png);
    return data_loss(path + ": " + std::to_string(png.width) + " x " + std::to_string(png.height) +
                     " pixels, more than 100 million");
  }
  const bool is_grey = !(png.format & PNG_FORMAT_FLAG_COLOR);
  // Alpha is read and dropped: the interface would otherwise blend over a background.
  png.format = is_grey ? PNG_FORMAT_GA : PNG_FORMAT_RGBA;
  png.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  const int channels = is_grey ? 1 : 3, stored = channels + 1;
  std::vector<uint8_t> pixels(size_t{png.width} * png.height * static_cast<size_t>(stored));
  if (!png_image_finish_read(&png, nullptr, pixels.data(), 0, nullptr)) return failed();
  Image image{static_cast<int>(png.width), static_cast<int>(png.height), channels, {}};
  image.pixels.resize(pixels.size() / static_cast<size_t>(stored) * static_cast<size_t>(channels));
  for (size_t p = 0; p < pixels.size() / static_cast<size_t>(stored); ++p) {
    std::memcpy(image.pixels.data() + p * static_cast<size_t>(channels),
                pixels.data() + p * static_cast<size_t>(stored), static_cast<size_t>(channels));
  }
  return image;
}

}  // namespace convoke
