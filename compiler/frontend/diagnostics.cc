#include "compiler/frontend/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace convoke {
namespace {

// Levenshtein's distance: row[j] = the distance of the words' first i and first j letters.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// Whether the candidate is one or several of the word's parts between '_': "kernel" of "kernel_size".
bool has_part(std::string_view word, std::string_view candidate) {
  return candidate.size() >= 4 && fmt::format("_{}_", word).find(fmt::format("_{}_", candidate)) != std::string::npos;
}

const CatalogueEntry* find_entry(std::string_view id) {
  auto found = std::ranges::find(catalogue(), id, &CatalogueEntry::id);
  return found == catalogue().end() ? nullptr : &*found;
}

std::string indented(std::string_view text) {
  std::string result = "    ";
  for (char c : text) {
    result += c;
    if (c == '\n') result += "    ";
  }
  return result;
}

// The length of the UTF-8 sequence that text begins with when a terminal may show it: no control characters (which
// could be commands to the terminal), neither those of ASCII nor those from U+0080 on. Otherwise 0.
size_t printable_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  if (byte(0) < 0x80) return byte(0) >= 32 && byte(0) != 127 ? 1 : 0;
  const size_t length = byte(0) >= 0xf5 ? 0 : byte(0) >= 0xf0 ? 4 : byte(0) >= 0xe0 ? 3 : byte(0) >= 0xc2 ? 2 : 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  return byte(0) == 0xc2 && byte(1) < 0xa0 ? 0 : length;
}

// Names come from untrusted files: other bytes as \x1b, and not more than `most` bytes of it all.
std::string printable(std::string_view text, size_t most) {
  std::string result;
  while (!text.empty()) {
    if (result.size() >= most) return result + "…";
    const size_t length = printable_length(text);
    result += length > 0 ? std::string(text.substr(0, length))
                         : fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return result;
}

}  // namespace

void Diagnostics::add(Diagnostic diagnostic) {
  ENSURE(find_entry(diagnostic.id) != nullptr) << diagnostic.id;
  if (full()) return;
  constexpr size_t kMostOfName = 200, kMostOfLine = 1000;
  diagnostic.layer = printable(diagnostic.layer, kMostOfName);
  diagnostic.message = printable(diagnostic.message, kMostOfLine);
  diagnostic.hint = printable(diagnostic.hint, kMostOfLine);
  const bool known = diagnostic.position.line != 0 && std::ranges::any_of(all_, [&](const Diagnostic& other) {
                       return other.id == diagnostic.id && other.position == diagnostic.position;
                     });
  if (known) return;
  auto later = std::ranges::upper_bound(all_, diagnostic.position, {}, &Diagnostic::position);
  all_.insert(later, std::move(diagnostic));
}

std::string Diagnostics::text() const {
  std::string text;
  for (const Diagnostic& diagnostic : all_) {
    text += file_ + ":";
    if (diagnostic.position.line > 0)
      text += fmt::format("{}:{}:", diagnostic.position.line, diagnostic.position.column);
    if (!diagnostic.layer.empty()) text += fmt::format(" layer \"{}\":", diagnostic.layer);
    text += fmt::format(" {} [{}]\n", diagnostic.message, diagnostic.id);
    if (!diagnostic.hint.empty()) text += fmt::format("  hint: {}\n", diagnostic.hint);
  }
  if (full()) text += file_ + ": these are the first " + std::to_string(kMost) + " mistakes\n";
  return text;
}

Status Diagnostics::status() const {
  if (empty()) return ok_status();
  std::string message = text();
  message.pop_back();
  return invalid_argument(std::move(message));
}

Result<std::string> explain(std::string_view id) {
  std::string digits;
  for (char c : id) {
    if (std::isdigit(static_cast<unsigned char>(c))) digits += c;
  }
  const bool shaped = digits.size() <= 4 && id.size() - digits.size() <= 1;
  const std::string wanted = shaped ? "E" + std::string(4 - digits.size(), '0') + digits : std::string(id);
  if (const CatalogueEntry* entry = find_entry(wanted)) {
    return fmt::format("{}: {}\n\n{}\n\nWrong:\n\n{}\n\nRight:\n\n{}\n", entry->id, entry->title, entry->explanation,
                       indented(entry->wrong), indented(entry->right));
  }
  const std::string range = fmt::format("{} to {}", catalogue().front().id, catalogue().back().id);
  if (!shaped || digits.empty()) return not_found(fmt::format("there is no error {}; ids are {}", id, range));
  const int number = std::stoi(digits);
  const auto distance = [&](const CatalogueEntry& entry) {
    return std::abs(std::stoi(std::string(entry.id.substr(1))) - number);
  };
  const CatalogueEntry& near = *std::ranges::min_element(catalogue(), {}, distance);
  return not_found(fmt::format("there is no error {}; the nearest is {} ({})", wanted, near.id, near.title));
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kLongest = 40, kMostCandidates = 1000;  // beyond, it is no slip of the finger, or takes too long
  if (word.size() > kLongest) return "";
  size_t best = word.size() / 3 + 2;
  std::string result;
  for (const std::string& candidate : candidates.first(std::min(kMostCandidates, candidates.size()))) {
    if (candidate.size() > kLongest) continue;
    const size_t distance = has_part(word, candidate) ? 1 : edit_distance(word, candidate);
    if (distance >= best) continue;
    best = distance;
    result = candidate;
  }
  return result;
}

std::string suggest(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kMost = 16;
  if (std::string near = nearest(word, candidates); !near.empty()) return fmt::format("did you mean \"{}\"?", near);
  if (candidates.empty()) return "";
  std::string names;
  for (const std::string& candidate : candidates.first(std::min(kMost, candidates.size()))) {
    names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", candidate);
  }
  return "there are " + names + (candidates.size() > kMost ? ", …" : "");
}

}  // namespace convoke
