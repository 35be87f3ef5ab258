#include "compiler/frontend/diagnostics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

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

}  // namespace

void Diagnostics::add(Diagnostic diagnostic) {
  ENSURE(find_entry(diagnostic.id) != nullptr) << diagnostic.id;
  if (full()) return;
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
  std::vector<std::string> ids;
  for (const CatalogueEntry& entry : catalogue()) ids.emplace_back(entry.id);
  const std::string near = nearest(wanted, ids);
  return not_found(fmt::format("there is no error {}; {}", id,
                               near.empty() ? fmt::format("ids are {} to {}", ids.front(), ids.back())
                                            : fmt::format("did you mean {} ({})?", near, find_entry(near)->title)));
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
  constexpr size_t kLongest = 64;  // more is no slip of the finger
  if (word.size() > kLongest) return "";
  size_t best = word.size() / 3 + 2;
  std::string result;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongest) continue;
    const size_t distance = edit_distance(word, candidate);
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
