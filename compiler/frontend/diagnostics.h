// Mistakes in the user's files: all of a file, each with its place, its layer, what was found and expected, a hint, and
// an id that `convoke explain` expands (the catalogue is catalogue.cc).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/status.h"

namespace convoke {

// Both count from 1; line 0: nowhere in particular (binary files, options).
struct Position {
  int line = 0, column = 0;
  auto operator<=>(const Position&) const = default;
};

struct Diagnostic {
  std::string_view id;  // of the catalogue
  Position position;
  std::string layer;  // path; empty when it is about none
  std::string message;
  std::string hint;  // may be empty
};

// In the order of a file, the first kMost of them. A mistake in a block is reported once, not for every use of the
// block.
class Diagnostics {
 public:
  static constexpr size_t kMost = 200;

  explicit Diagnostics(std::string file) : file_(std::move(file)) {}
  void add(Diagnostic diagnostic);
  bool empty() const { return all_.empty(); }
  bool full() const { return all_.size() >= kMost; }  // more are dropped
  std::span<const Diagnostic> all() const { return all_; }

  // resnet18.textproto:41:7: layer "layer2.0.conv1": kernel 3x3 does not fit input 2x2 (padding 0) [E0501]
  //   hint: …
  std::string text() const;
  Status status() const;  // OK, or the text

 private:
  std::string file_;
  std::vector<Diagnostic> all_;
};

// A kind of mistake: what it means, an example of it and the example's repair.
struct CatalogueEntry {
  std::string_view id, title, explanation, wrong, right;
};
std::span<const CatalogueEntry> catalogue();       // sorted by id
Result<std::string> explain(std::string_view id);  // "e501" finds E0501; an unknown id gets suggestions

// The candidate that `word` most likely meant, empty when none is near.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

// `did you mean "x"?`, or `there are "a", "b"`; empty without candidates.
std::string suggest(std::string_view word, std::span<const std::string> candidates);

}  // namespace convoke
