// SIGINT and SIGTERM while training: the first asks to finish the step, checkpoint and leave; a second one kills.
#pragma once

#include <signal.h>

namespace convoke {

constexpr int kInterruptedExitCode = 130;  // 128 + SIGINT, what shells expect

// While one of these lives, the first signal only sets a flag. One at a time.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
  bool requested() const;

 private:
  struct sigaction previous_[2];
};

}  // namespace convoke
