// The formats that decode_image tells apart.
#pragma once

#include "runtime/io/image.h"

namespace convoke {

constexpr int64_t kMostPixels = 100'000'000;

Result<Image> decode_jpeg(std::string_view bytes, const std::string& path);
Result<Image> decode_png(std::string_view bytes, const std::string& path);

}  // namespace convoke
