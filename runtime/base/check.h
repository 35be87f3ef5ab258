// CHECK: our own mistakes end the process with the place and the reason. The user's mistakes are Status (status.h), never CHECK.
#pragma once

#include <sstream>
#include <string>

namespace convoke {

[[noreturn]] void check_failed(const char* file, int line, const char* condition, const std::string& why);

// Collects the text streamed behind a failed CHECK and ends the process when the statement ends.
class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* condition) : file_(file), line_(line), condition_(condition) {}
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  [[noreturn]] ~CheckFailure() { check_failed(file_, line_, condition_, why_.str()); }
  std::ostream& stream() { return why_; }

 private:
  const char* file_;
  int line_;
  const char* condition_;
  std::ostringstream why_;
};

}  // namespace convoke

#define CHECK(condition)  \
  if (condition) [[likely]] { \
  } else                  \
    ::convoke::CheckFailure(__FILE__, __LINE__, #condition).stream()
