// Building messages; see message.h. Out of line: a library has a hundred of them.
#include "runtime/core/message.h"

namespace convoke::core {

Message::Message(convoke_error* error, convoke_code code) : error_(error), code_(code) {
  if (!error_) return;
  error_->code = code;
  error_->message[0] = 0;
}

Message& Message::operator<<(const char* text) {
  for (; *text; ++text) put(*text);
  return *this;
}

Message& Message::operator<<(int64_t value) {
  char digits[20];
  int count = 0;
  uint64_t rest = value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
  do {
    digits[count++] = static_cast<char>('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (value < 0) put('-');
  while (count) put(digits[--count]);
  return *this;
}

void Message::put(char c) {
  if (!error_ || length_ + 1 >= sizeof error_->message) return;
  error_->message[length_++] = c;
  error_->message[length_] = 0;
}

}  // namespace convoke::core
