// A labelled set of 8-bit images in memory, and its readers. Files are untrusted: whatever they hold ends in a data set
// that is consistent or in a message that names the file, what was found and what was expected.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/status.h"

namespace convoke {

struct Dataset {
  int64_t count = 0, height = 0, width = 0, channels = 0;
  std::vector<uint8_t> images;           // [count, height, width, channels]
  std::vector<int32_t> labels;           // count indices of class_names
  std::vector<std::string> class_names;  // may be empty: then labels are only known to be at least 0

  int64_t image_elems() const { return height * width * channels; }
  const uint8_t* image(int64_t i) const { return images.data() + i * image_elems(); }
};

// A pair of IDX files (LeCun's format for MNIST), plain or gzipped: unsigned bytes [n, h, w] or [n, h, w, c] and labels
// [n]. Read as a stream: memory grows with what the files really hold, never with what their headers claim.
Result<Dataset> read_idx(const std::string& images_path, const std::string& labels_path,
                         std::vector<std::string> class_names);

}  // namespace convoke
