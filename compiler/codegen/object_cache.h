// Compiled kernels on disk, by content: <directory>/<key>.<kind>. Many processes may read and write at once; a damaged
// entry is as good as none. Nothing here fails: without a usable cache things are compiled again.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace convoke {

// 128 bits of xxh3, as 32 hexadecimal digits.
std::string content_hash(std::string_view bytes);

// Appends a field so that different lists of fields never give the same text.
void append_field(std::string& text, std::string_view field);

std::optional<std::string> read_cached(const std::string& directory, const std::string& name);
void write_cached(const std::string& directory, const std::string& name, std::string_view bytes);

// Of the running program: what its build-id note says. Equal programs make equal objects.
std::string build_identity();

}  // namespace convoke
