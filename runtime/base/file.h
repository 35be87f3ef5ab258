// Whole files, with errors that name the path and the system's reason.
#pragma once

#include <string>
#include <string_view>

#include "runtime/base/status.h"

namespace convoke {

Result<std::string> read_file(const std::string& path);  // at most 16 GiB

// The first `most` bytes, all of them of a smaller file. For files whose size nobody vouches for, /dev/zero among them.
Result<std::string> read_file_start(const std::string& path, size_t most);

// All or nothing, and durable: temporary in the same directory, fsync, rename, fsync of the directory. On an error the
// old file is as it was and no temporary is left.
Status write_file_atomic(const std::string& path, std::string_view bytes);

// Makes `path` and its parents; an existing directory is fine.
Status make_directories(const std::string& path);

// A folder for intermediate files under the system's temporary folder, gone at the end.
class TemporaryDirectory {
 public:
  static Result<TemporaryDirectory> make();
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  TemporaryDirectory& operator=(TemporaryDirectory&&) = delete;
  ~TemporaryDirectory();
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryDirectory(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace convoke
