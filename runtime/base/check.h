// ENSURE: our own mistakes end the process with the place and the reason. The user's mistakes are Status (status.h),
// never ENSURE. (Not CHECK: that is doctest's.)
#pragma once

#include <sstream>
#include <string>

namespace convoke {

[[noreturn]] void ensure_failed(const char* file, int line, const char* condition, const std::string& why);

// Collects the text streamed behind a failed ENSURE and ends the process when the statement ends.
class EnsureFailure {
 public:
  EnsureFailure(const char* file, int line, const char* condition) : file_(file), line_(line), condition_(condition) {}
  EnsureFailure(const EnsureFailure&) = delete;
  EnsureFailure& operator=(const EnsureFailure&) = delete;
  [[noreturn]] ~EnsureFailure() { ensure_failed(file_, line_, condition_, why_.str()); }
  std::ostream& stream() { return why_; }

 private:
  const char* file_;
  int line_;
  const char* condition_;
  std::ostringstream why_;
};

}  // namespace convoke

#define ENSURE(condition)     \
  if (condition) [[likely]] { \
  } else                      \
    ::convoke::EnsureFailure(__FILE__, __LINE__, #condition).stream()
