#include "compiler/kernels/instance.h"

namespace convoke {

std::string to_string(const Knobs& knobs) {
  std::string text;
  for (const auto& [name, value] : knobs) text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
  return text;
}

BatchClass batch_class(int64_t capacity) {
  if (capacity <= 1) return BatchClass::kOne;
  return capacity < 8 ? BatchClass::kFew : BatchClass::kMany;
}

}  // namespace convoke
