// IDX: two zero bytes, the element type (8: unsigned byte), the rank, the dimensions as big-endian 32-bit numbers, then
// the elements in row-major order.
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "runtime/base/checked.h"
#include "runtime/data/dataset.h"

namespace convoke {
namespace {

constexpr int64_t kMostElems = int64_t{16} << 30;  // more than that is no data set to hold in memory

using Stream = std::unique_ptr<gzFile_s, decltype(&gzclose)>;

// Up to `size` bytes; fewer only at the end of the file.
Result<int64_t> read_some(gzFile stream, const std::string& path, uint8_t* to, int64_t size) {
  const int count = gzread(stream, to, static_cast<unsigned>(size));
  int error = Z_OK;
  const char* why = gzerror(stream, &error);
  // A gzip stream that ends early is reported beside the bytes that could be read.
  if (error == Z_ERRNO) return unavailable(path + ": cannot read: " + std::strerror(errno));
  if (count < 0 || error != Z_OK) return data_loss(path + ": the compressed data is damaged or cut off (" + why + ")");
  return count;
}

struct Idx {
  std::vector<int64_t> dims;
  std::vector<uint8_t> elems;
};

std::string dims_text(const std::vector<int64_t>& dims) {
  std::string text;
  for (int64_t dim : dims) text += (text.empty() ? "" : "x") + std::to_string(dim);
  return text;
}

Result<std::vector<int64_t>> read_header(gzFile stream, const std::string& path, int least_rank, int most_rank) {
  uint8_t magic[4] = {};
  ASSIGN_OR_RETURN(const int64_t magic_bytes, read_some(stream, path, magic, sizeof magic));
  if (magic_bytes < 4)
    return data_loss(path + ": has " + std::to_string(magic_bytes) + " bytes, not even an IDX header");
  if (magic[0] != 0 || magic[1] != 0) return invalid_argument(path + ": not an IDX file (does not begin with 00 00)");
  if (magic[2] != 8) {
    return invalid_argument(path + ": IDX element type is " + std::to_string(magic[2]) +
                            ", expected 8 (unsigned byte)");
  }
  const int rank = magic[3];
  if (rank < least_rank || rank > most_rank) {
    return invalid_argument(path + ": IDX rank is " + std::to_string(rank) + ", expected " +
                            (least_rank == 1 ? "1 (labels)" : "3 or 4 (images)"));
  }
  std::vector<int64_t> dims;
  for (int d = 0; d < rank; ++d) {
    uint8_t bytes[4] = {};
    ASSIGN_OR_RETURN(const int64_t count, read_some(stream, path, bytes, sizeof bytes));
    if (count < 4) return data_loss(path + ": ends inside its IDX header");
    dims.push_back(int64_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]);
    if (dims.back() == 0) return invalid_argument(path + ": dimension " + std::to_string(d) + " is 0");
  }
  return dims;
}

Result<Idx> read_idx_file(const std::string& path, int least_rank, int most_rank) {
  Stream stream(gzopen(path.c_str(), "rbe"), &gzclose);
  if (!stream) {
    const std::string message = path + ": cannot open: " + std::strerror(errno);
    return errno == ENOENT || errno == ENOTDIR ? not_found(message) : unavailable(message);
  }
  gzbuffer(stream.get(), 1 << 17);
  Idx idx;
  ASSIGN_OR_RETURN(idx.dims, read_header(stream.get(), path, least_rank, most_rank));
  const std::optional<int64_t> total = checked_product(idx.dims);
  if (!total || *total > kMostElems) {
    return invalid_argument(path + ": its header claims " + dims_text(idx.dims) + " elements, more than 16 GiB");
  }
  // The first piece is small, the others at most double what was really there.
  int64_t have = 0;
  while (have < *total) {
    const int64_t piece = std::min({*total - have, std::max<int64_t>(have, 1 << 16), int64_t{1} << 26});
    idx.elems.resize(static_cast<size_t>(have + piece));
    ASSIGN_OR_RETURN(const int64_t count, read_some(stream.get(), path, idx.elems.data() + have, piece));
    have += count;
    if (count < piece) {
      return data_loss(path + ": truncated: its header says " + dims_text(idx.dims) + " = " + std::to_string(*total) +
                       " elements, " + std::to_string(have) + " are there");
    }
  }
  uint8_t extra;
  ASSIGN_OR_RETURN(const int64_t trailing, read_some(stream.get(), path, &extra, 1));
  if (trailing > 0) {
    return data_loss(path + ": has bytes behind the " + std::to_string(*total) + " elements of its header (" +
                     dims_text(idx.dims) + ")");
  }
  return idx;
}

}  // namespace

Result<Dataset> read_idx(const std::string& images_path, const std::string& labels_path,
                         std::vector<std::string> class_names) {
  ASSIGN_OR_RETURN(Idx labels, read_idx_file(labels_path, 1, 1));
  ASSIGN_OR_RETURN(Idx images, read_idx_file(images_path, 3, 4));
  Dataset dataset{.count = images.dims[0],
                  .height = images.dims[1],
                  .width = images.dims[2],
                  .channels = images.dims.size() == 4 ? images.dims[3] : 1,
                  .images = std::move(images.elems),
                  .labels = std::vector<int32_t>(labels.elems.begin(), labels.elems.end()),
                  .class_names = std::move(class_names)};
  if (labels.dims[0] != dataset.count) {
    return invalid_argument(labels_path + ": has " + std::to_string(labels.dims[0]) + " labels, " + images_path +
                            " has " + std::to_string(dataset.count) + " images");
  }
  const int64_t classes = static_cast<int64_t>(dataset.class_names.size());
  for (int64_t i = 0; classes > 0 && i < dataset.count; ++i) {
    if (dataset.labels[static_cast<size_t>(i)] >= classes) {
      return invalid_argument(labels_path + ": label " + std::to_string(i) + " is " +
                              std::to_string(dataset.labels[static_cast<size_t>(i)]) + ", expected 0 to " +
                              std::to_string(classes - 1));
    }
  }
  return dataset;
}

}  // namespace convoke
