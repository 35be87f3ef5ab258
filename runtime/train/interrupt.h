// SIGINT and SIGTERM in work that is worth keeping: the first asks to save it and leave; a second one kills.
#pragma once

#include <signal.h>

namespace convoke {

constexpr int kInterruptedExitCode = 130;  // 128 + SIGINT, what shells expect

// While one of these lives, the first signal only sets a flag and prints `notice` (a literal) on stderr. One at a time.
class InterruptScope {
 public:
  explicit InterruptScope(const char* notice);
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  bool requested() const;

 private:
  struct sigaction previous_[2];
};

}  // namespace convoke
