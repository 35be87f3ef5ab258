// Weights objects as files: a page with who wrote it, then the arenas as they lie in memory.
#include "runtime/core/calls.h"
#include "runtime/core/float_mode.h"
#include "runtime/core/memory.h"
#include "runtime/core/message.h"

namespace convoke::core {
namespace {

constexpr size_t kIdChars = 32;
constexpr int kReadOnly = 0, kWriteNew = 01 | 0100 | 01000, kCloseOnExec = 02000000;  // O_WRONLY | O_CREAT | O_TRUNC

// In place of the object's header.
struct FileHeader {
  char magic[32];
  char id[kIdChars];  // LibraryPlan::weights_id
};
constexpr FileHeader kHeader = {"weights of a convoke library\n", {}};
static_assert(sizeof(FileHeader) <= kWeightsHeaderBytes);

bool equal_bytes(const char* a, const char* b, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

int32_t system_error(const char* call, const char* what, const char* path, convoke_error* error) {
  const char* reason = strerror(*__errno_location());
  return Message(error, CONVOKE_IO) << call << ": cannot " << what << " " << path << ": " << reason;
}

bool write_all(int file, const void* data, uint64_t bytes) {
  constexpr int kInterrupted = 4;
  const uint8_t* from = static_cast<const uint8_t*>(data);
  while (bytes > 0) {
    const long written = write(file, from, bytes);
    if (written < 0 && *__errno_location() == kInterrupted) continue;
    if (written <= 0) return false;
    from += written;
    bytes -= static_cast<uint64_t>(written);
  }
  return true;
}

bool write_weights(int file, const convoke_weights* weights) {
  alignas(FileHeader) uint8_t page[kWeightsHeaderBytes] = {};
  FileHeader* header = reinterpret_cast<FileHeader*>(page);
  *header = kHeader;
  memcpy(header->id, convoke_plan.weights_id, kIdChars);
  const uint8_t* content = reinterpret_cast<const uint8_t*>(weights) + sizeof page;
  return write_all(file, page, sizeof page) && write_all(file, content, weights->mapped_bytes - sizeof page) &&
         fsync(file) == 0;
}

int32_t check_header(const FileHeader& header, long file_bytes, const char* path, convoke_error* error) {
  const int64_t expected = static_cast<int64_t>(weights_layout(convoke_plan).bytes);
  if (!equal_bytes(header.magic, kHeader.magic, sizeof header.magic)) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "weights_open: " << path << " is not a file of weights_save (.safetensors: convoke compile --weights)";
  }
  if (!equal_bytes(header.id, convoke_plan.weights_id, kIdChars)) {
    return Message(error, CONVOKE_FAILED_PRECONDITION)
           << "weights_open: " << path << " is of another library than this " << convoke_model_data.name
           << "; make it again with this one (convoke compile --weights, or weights_save)";
  }
  if (file_bytes != expected) {
    return Message(error, CONVOKE_INVALID_ARGUMENT)
           << "weights_open: " << path << " has " << static_cast<int64_t>(file_bytes) << " bytes, expected "
           << expected;
  }
  return CONVOKE_OK;
}

int32_t map_weights(int file, const char* path, convoke_weights** weights, convoke_error* error) {
  constexpr int kFromEnd = 2;
  FileHeader header = {};
  const long bytes = lseek(file, 0, kFromEnd);
  if (bytes < 0 || pread(file, &header, sizeof header, 0) < 0) {
    return system_error("weights_open", "read", path, error);
  }
  if (int32_t code = check_header(header, bytes, path, error)) return code;
  uint8_t* mapping = map_file(file, static_cast<uint64_t>(bytes));
  if (!mapping) return system_error("weights_open", "map", path, error);
  *weights = weights_in(mapping);
  return succeed(error);
}

}  // namespace

int32_t weights_save(convoke_context* context, const char* path, convoke_error* error) {
  if (!context || !path) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "weights_save: " << (context ? "path" : "context") << " is NULL";
  }
  FloatMode mode;
  if (int32_t code = prepare(context, error)) return code;
  char part[4096];
  const int length = snprintf(part, sizeof part, "%s.tmp%d", path, getpid());
  if (length >= static_cast<int>(sizeof part)) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "weights_save: the path has " << length << " characters";
  }
  const int file = open(part, kWriteNew | kCloseOnExec, 0644);
  if (file < 0) return system_error("weights_save", "create", path, error);
  const bool is_written = write_weights(file, context->weights);
  int32_t code = is_written ? CONVOKE_OK : system_error("weights_save", "write", path, error);
  if (close(file) != 0 && code == CONVOKE_OK) code = system_error("weights_save", "write", path, error);
  if (code == CONVOKE_OK && rename(part, path) != 0) code = system_error("weights_save", "replace", path, error);
  if (code == CONVOKE_OK) return succeed(error);
  unlink(part);
  return code;
}

int32_t weights_open(const char* path, convoke_weights** weights, convoke_error* error) {
  if (!path || !weights) {
    return Message(error, CONVOKE_INVALID_ARGUMENT) << "weights_open: " << (path ? "weights" : "path") << " is NULL";
  }
  *weights = nullptr;
  if (int32_t code = check_cpu(error)) return code;
  const int file = open(path, kReadOnly | kCloseOnExec);
  if (file < 0) return system_error("weights_open", "open", path, error);
  const int32_t code = map_weights(file, path, weights, error);
  close(file);
  return code;
}

}  // namespace convoke::core
