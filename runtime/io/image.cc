#include "runtime/io/image.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/file.h"
#include "runtime/io/decoders.h"

namespace convoke {
namespace {

// Where an output pixel looks along one axis: weights in 1/2^22.
constexpr int kPrecisionBits = 32 - 8 - 2;
struct Taps {
  int first = 0;
  std::vector<int32_t> weights;
};

// Output i of `out` looks around c = (i + 1/2) * s with s = in / out, at inputs x with |x + 1/2 - c| < max(s, 1),
// weighted by the triangle max(0, 1 - |x + 1/2 - c| / max(s, 1)) and normalised.
std::vector<Taps> make_taps(int in, int out) {
  const double scale = static_cast<double>(in) / out, support = std::max(scale, 1.0);
  std::vector<Taps> taps(static_cast<size_t>(out));
  for (int i = 0; i < out; ++i) {
    const double center = (i + 0.5) * scale;
    Taps& tap = taps[static_cast<size_t>(i)];
    tap.first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), in);
    std::vector<double> weights;
    double sum = 0;
    for (int x = tap.first; x < last; ++x) {
      weights.push_back(std::max(0.0, 1 - std::abs((x - center + 0.5) / support)));
      sum += weights.back();
    }
    for (double weight : weights) {
      tap.weights.push_back(static_cast<int32_t>(0.5 + weight / sum * (1 << kPrecisionBits)));
    }
  }
  return taps;
}

// One output row or column element: pixels at `from`, `stride` apart.
uint8_t filtered(const Taps& taps, const uint8_t* from, size_t stride) {
  int32_t sum = 1 << (kPrecisionBits - 1);
  for (size_t t = 0; t < taps.weights.size(); ++t) {
    sum += taps.weights[t] * from[(static_cast<size_t>(taps.first) + t) * stride];
  }
  return static_cast<uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

Image resize_width(const Image& image, int width) {
  if (width == image.width) return image;
  Image out{width, image.height, image.channels, {}};
  const std::vector<Taps> taps = make_taps(image.width, width);
  const auto channels = static_cast<size_t>(image.channels), row = static_cast<size_t>(image.width) * channels;
  out.pixels.reserve(static_cast<size_t>(width) * static_cast<size_t>(image.height) * channels);
  for (size_t y = 0; y < static_cast<size_t>(image.height); ++y) {
    for (const Taps& tap : taps) {
      for (size_t c = 0; c < channels; ++c) {
        out.pixels.push_back(filtered(tap, image.pixels.data() + y * row + c, channels));
      }
    }
  }
  return out;
}

Image resize_height(const Image& image, int height) {
  if (height == image.height) return image;
  Image out{image.width, height, image.channels, {}};
  const size_t row = static_cast<size_t>(image.width) * static_cast<size_t>(image.channels);
  out.pixels.reserve(row * static_cast<size_t>(height));
  for (const Taps& tap : make_taps(image.height, height)) {
    for (size_t x = 0; x < row; ++x) out.pixels.push_back(filtered(tap, image.pixels.data() + x, row));
  }
  return out;
}

}  // namespace

Result<Image> decode_image(std::string_view bytes, const std::string& path) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return decode_png(bytes, path);
  if (bytes.starts_with("\xff\xd8\xff")) return decode_jpeg(bytes, path);
  return invalid_argument(path + ": neither a JPEG nor a PNG file");
}

Result<Image> read_image(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, read_file(path));
  return decode_image(bytes, path);
}

Image convert_channels(const Image& image, int channels) {
  ENSURE((channels == 1 || channels == 3) && (image.channels == 1 || image.channels == 3)) << channels;
  if (channels == image.channels) return image;
  Image out{image.width, image.height, channels, {}};
  const size_t count = static_cast<size_t>(image.width) * static_cast<size_t>(image.height);
  out.pixels.resize(count * static_cast<size_t>(channels));
  for (size_t p = 0; p < count; ++p) {
    if (channels == 3) {
      std::fill_n(out.pixels.data() + 3 * p, 3, image.pixels[p]);
    } else {
      const uint8_t* rgb = image.pixels.data() + 3 * p;
      out.pixels[p] = static_cast<uint8_t>((19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16);
    }
  }
  return out;
}

Image resize(const Image& image, int width, int height) {
  ENSURE(width > 0 && height > 0) << width << "x" << height;
  return resize_height(resize_width(image, width), height);
}

}  // namespace convoke
