#include "compiler/codegen/object_cache.h"

#include <link.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "runtime/base/check.h"
#include "runtime/base/file.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace convoke {
namespace {

// An entry is its bytes behind their own hash.
constexpr size_t kHashChars = 32;

int find_build_id(dl_phdr_info* program, size_t, void* found) {
  for (int i = 0; i < program->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = program->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const char* note = reinterpret_cast<const char*>(program->dlpi_addr + header.p_vaddr);
    const char* end = note + header.p_memsz;
    while (note + sizeof(ElfW(Nhdr)) <= end) {
      const ElfW(Nhdr)* head = reinterpret_cast<const ElfW(Nhdr)*>(note);
      const char* name = note + sizeof *head;
      const char* description = name + (head->n_namesz + 3) / 4 * 4;
      if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
        static_cast<std::string*>(found)->assign(description, head->n_descsz);
        return 1;
      }
      note = description + (head->n_descsz + 3) / 4 * 4;
    }
  }
  return 1;  // the program itself comes first; others do not matter
}

}  // namespace

std::string content_hash(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  std::string text;
  for (const uint64_t half : {hash.high64, hash.low64}) {
    for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[half >> shift & 15];
  }
  return text;
}

void append_field(std::string& text, std::string_view field) {
  text += std::to_string(field.size());
  text += ':';
  text += field;
}

std::optional<std::string> read_cached(const std::string& directory, const std::string& name) {
  if (directory.empty()) return std::nullopt;
  Result<std::string> file = read_file(directory + "/" + name);
  if (!file.ok() || file->size() < kHashChars) return std::nullopt;
  const std::string_view bytes = std::string_view(*file).substr(kHashChars);
  if (content_hash(bytes) != std::string_view(*file).substr(0, kHashChars)) return std::nullopt;
  return std::string(bytes);
}

// A rename without fsync: after a power cut the entry may be damaged, which its hash tells.
void write_cached(const std::string& directory, const std::string& name, std::string_view bytes) {
  if (directory.empty() || !make_directories(directory).ok()) return;
  std::string temporary = directory + "/" + name + ".XXXXXX";
  const int file = mkstemp(temporary.data());
  if (file < 0) return;
  std::string entry = content_hash(bytes);
  entry += bytes;
  const bool written = write(file, entry.data(), entry.size()) == static_cast<ssize_t>(entry.size());
  close(file);
  if (!written || std::rename(temporary.c_str(), (directory + "/" + name).c_str()) != 0) unlink(temporary.c_str());
}

std::string build_identity() {
  std::string identity;
  dl_iterate_phdr(find_build_id, &identity);
  ENSURE(!identity.empty()) << "the program was linked without --build-id";
  return identity;
}

}  // namespace convoke
