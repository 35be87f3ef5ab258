#include "runtime/train/diagnose.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace convoke {
namespace {

constexpr int64_t kMostElems = int64_t{1} << 28;

std::string text_of(float value) { return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"; }

const float* find_non_finite(const std::vector<float>& values) {
  const auto found = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  return found == values.end() ? nullptr : &*found;
}

// The value `name` of a forward pass, or nothing if it is not in memory. Its size is not in the table, so room grows
// until the library accepts it.
std::vector<float> captured(const Library& library, convoke_context* context, const std::string& name, int32_t n,
                            const float* images) {
  const convoke_library& table = library.table();
  const void* inputs = images;
  for (int64_t room = 256; room <= kMostElems; room *= 4) {
    // Whether the name is known and one sample fits; the address is not used before `forward`.
    float probe;
    if (table.capture(context, CONVOKE_FORWARD, name.c_str(), &probe, room, nullptr) != CONVOKE_OK) continue;
    std::vector<float> values(static_cast<size_t>(room));
    table.capture(context, CONVOKE_FORWARD, name.c_str(), values.data(), room, nullptr);
    const int32_t code = table.forward(context, n, &inputs, nullptr, nullptr);
    table.capture(context, CONVOKE_FORWARD, name.c_str(), nullptr, 0, nullptr);
    if (code == CONVOKE_OK) return values;
  }
  return {};
}

// The last of the layers that a row names is what it leaves in memory.
std::vector<std::string> names_from_last(const std::string& row) {
  std::vector<std::string> names;
  for (size_t end = row.size();;) {
    const size_t plus = row.rfind('+', end ? end - 1 : 0);
    names.push_back(
        row.substr(plus == std::string::npos ? 0 : plus + 1, plus == std::string::npos ? end : end - plus - 1));
    if (plus == std::string::npos || plus == 0) return names;
    end = plus;
  }
}

}  // namespace

std::string first_non_finite(const Library& library, const convoke_weights* weights, convoke_context* context,
                             int32_t n, const float* images) {
  const convoke_model& model = library.model();
  for (int32_t p = 0; p < model.parameter_count; ++p) {
    std::vector<float> values(static_cast<size_t>(model.parameters[p].elems));
    const int64_t elems = model.parameters[p].elems;
    if (library.table().weights_get(weights, p, values.data(), elems, nullptr) != CONVOKE_OK) continue;
    if (const float* bad = find_non_finite(values)) {
      return std::string("'") + model.parameters[p].name + "' has " + text_of(*bad);
    }
  }
  for (int32_t r = 0; r < model.row_count; ++r) {
    if (model.rows[r].program != CONVOKE_FORWARD) continue;
    for (const std::string& name : names_from_last(model.rows[r].name)) {
      const std::vector<float> values = captured(library, context, name, n, images);
      if (const float* bad = find_non_finite(values)) {
        return std::string("the output of '") + model.rows[r].name + "' has " + text_of(*bad);
      }
      if (!values.empty()) break;
    }
  }
  return "";
}

}  // namespace convoke
