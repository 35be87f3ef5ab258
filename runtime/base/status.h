// Status and Result<T>: how a user's mistake travels. A message says where, what was found and what was expected.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "runtime/base/check.h"

namespace convoke {

enum class Code {
  kOk,
  kInvalidArgument,     // the input is wrong, whatever the state of the system
  kNotFound,            // a file or a name does not exist
  kFailedPrecondition,  // right input at the wrong time
  kDataLoss,            // a file is truncated or corrupt
  kUnavailable,         // the system refused: disk full, no permission
  kInternal,            // a tool of ours failed (a kernel's compilation, the linker)
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {
    ENSURE(code != Code::kOk) << "an error needs an error code";
  }
  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }

 private:
  Code code_ = Code::kOk;
  std::string message_;
};

inline Status ok_status() { return {}; }
Status invalid_argument(std::string message);
Status not_found(std::string message);
Status failed_precondition(std::string message);
Status data_loss(std::string message);
Status unavailable(std::string message);
Status internal_error(std::string message);

// A value, or the Status that says why there is none. `value()` of a failed Result is our mistake and aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT: return a value where a Result is expected
  Result(Status status) : status_(std::move(status)) {  // NOLINT: likewise a Status
    ENSURE(!status_.ok()) << "a Result without a value needs an error";
  }
  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & {
    ENSURE(ok()) << status_.message();
    return *value_;
  }
  const T& value() const& {
    ENSURE(ok()) << status_.message();
    return *value_;
  }
  T&& value() && {
    ENSURE(ok()) << status_.message();
    return *std::move(value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace convoke

#define RETURN_IF_ERROR(expression)                                              \
  do {                                                                           \
    if (::convoke::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

#define CONVOKE_CONCAT_(a, b) a##b
#define CONVOKE_CONCAT(a, b) CONVOKE_CONCAT_(a, b)
#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_(CONVOKE_CONCAT(result_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                              \
  if (!result.ok()) return result.status();                \
  declaration = std::move(result).value()
