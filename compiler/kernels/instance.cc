#include "compiler/kernels/instance.h"

#include <charconv>
#include <sstream>
#include <string_view>

namespace convoke {

std::string to_string(const Knobs& knobs) {
  std::string text;
  for (const auto& [name, value] : knobs) text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
  return text;
}

Result<Knobs> parse_knobs(const std::string& text) {
  Knobs knobs;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t equals = std::min(word.find('='), word.size());
    const std::string_view digits = std::string_view(word).substr(std::min(equals + 1, word.size()));
    int64_t value = 0;
    const auto [rest, error] = std::from_chars(digits.begin(), digits.end(), value);
    if (equals == 0 || error != std::errc() || rest != digits.end()) {
      return invalid_argument("\"" + word + "\" is no knob, expected name=number");
    }
    if (!knobs.emplace(word.substr(0, equals), value).second) return invalid_argument("knob " + word + " stands twice");
  }
  return knobs;
}

BatchClass batch_class(int64_t samples) {
  if (samples <= 1) return BatchClass::kOne;
  if (samples < 4) return BatchClass::kTwo;
  return samples < 8 ? BatchClass::kFew : BatchClass::kMany;
}

int typical_samples(BatchClass batch) {
  constexpr int kSamples[] = {1, 2, 4, 16};
  return kSamples[static_cast<size_t>(batch)];
}

}  // namespace convoke
