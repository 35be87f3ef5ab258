#include "runtime/base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace convoke {
namespace {

Status system_error(const std::string& what, const std::string& path, int error) {
  std::string message = path + ": " + what + ": " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) return not_found(message);
  return unavailable(message);
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  // Some file systems report a full disk only when the file is closed.
  int close() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

Status write_all(int fd, const std::string& path, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_error("cannot write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return ok_status();
}

Status write_and_sync(const std::string& temporary, const std::string& path, std::string_view bytes) {
  FileDescriptor file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (file.get() < 0) return system_error("cannot create", path, errno);
  RETURN_IF_ERROR(write_all(file.get(), path, bytes));
  if (::fsync(file.get()) != 0) return system_error("cannot flush to disk", path, errno);
  if (file.close() != 0) return system_error("cannot write", path, errno);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return system_error("cannot rename onto", path, errno);
  return ok_status();
}

}  // namespace

Result<std::string> read_file(const std::string& path) {
  constexpr size_t kMostBytes = size_t{16} << 30;
  Result<std::string> bytes = read_file_start(path, kMostBytes + 1);
  if (bytes.ok() && bytes->size() > kMostBytes) return invalid_argument(path + ": has more than 16 GiB");
  return bytes;
}

Result<std::string> read_file_start(const std::string& path, size_t most) {
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return system_error("cannot open", path, errno);
  struct stat info;
  if (::fstat(file.get(), &info) != 0) return system_error("cannot read", path, errno);
  if (S_ISDIR(info.st_mode)) return invalid_argument(path + ": is a directory, expected a file");
  std::string bytes;
  constexpr size_t kMostReserved = size_t{1} << 30;  // sizes of sparse files mean nothing
  bytes.reserve(std::min({static_cast<size_t>(info.st_size), most, kMostReserved}));
  char block[1 << 16];
  while (true) {
    ssize_t count = ::read(file.get(), block, std::min(sizeof block, most - bytes.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_error("cannot read", path, errno);
    if (count == 0) return bytes;
    bytes.append(block, static_cast<size_t>(count));
  }
}

Status write_file_atomic(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp" + std::to_string(::getpid());
  if (Status status = write_and_sync(temporary, path, bytes); !status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  std::string directory = std::filesystem::path(path).parent_path().string();
  if (directory.empty()) directory = ".";
  FileDescriptor folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return system_error("cannot flush to disk", directory, errno);
  return ok_status();
}

Status make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return system_error("cannot create the directory", path, error.value());
  return ok_status();
}

Result<TemporaryDirectory> TemporaryDirectory::make() {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::temp_directory_path(error);
  if (error) return unavailable("no folder for temporary files: " + error.message());
  std::string path = parent / "convoke.XXXXXX";
  if (!::mkdtemp(path.data())) return unavailable("cannot make the folder " + path + " for temporary files");
  return TemporaryDirectory(path);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace convoke
