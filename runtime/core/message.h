// Error messages without a C library: `return Message(error, CONVOKE_…) << "n is " << n` writes into the caller's
// convoke_error (or nowhere when it is NULL) and converts to the code.
#pragma once

#include "runtime/core/convoke.h"
#include "runtime/core/libc.h"

namespace convoke::core {

class Message {
 public:
  Message(convoke_error* error, convoke_code code) : error_(error), code_(code) {
    if (!error_) return;
    error_->code = code;
    error_->message[0] = 0;
  }
  Message& operator<<(const char* text) {
    for (; *text; ++text) put(*text);
    return *this;
  }
  Message& operator<<(int64_t value) {
    char digits[20];
    int count = 0;
    uint64_t rest = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
    do digits[count++] = static_cast<char>('0' + rest % 10);
    while (rest /= 10);
    if (value < 0) put('-');
    while (count) put(digits[--count]);
    return *this;
  }
  Message& operator<<(int32_t value) { return *this << static_cast<int64_t>(value); }
  operator int32_t() const { return code_; }  // NOLINT: so that it can be returned

 private:
  void put(char c) {
    if (!error_ || length_ + 1 >= sizeof error_->message) return;
    error_->message[length_++] = c;
    error_->message[length_] = 0;
  }

  convoke_error* error_;
  convoke_code code_;
  size_t length_ = 0;
};

inline int32_t succeed(convoke_error* error) {
  if (error) {
    error->code = CONVOKE_OK;
    error->message[0] = 0;
  }
  return CONVOKE_OK;
}

inline bool equal_text(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

}  // namespace convoke::core
