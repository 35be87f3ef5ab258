// Which template with which knobs runs a kernel, and who decided so. Halide-free: the database, the layout pass and the
// plan speak in these terms.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/kernels/kernel.h"

namespace convoke {

using Knobs = std::map<std::string, int64_t, std::less<>>;
using KnobRanges = std::map<std::string, std::vector<int64_t>, std::less<>>;
std::string to_string(const Knobs& knobs);  // "lanes=2 pixels=14"
Result<Knobs> parse_knobs(const std::string& text);

struct PreferredLayouts {
  std::vector<Layout> inputs, outputs;
};

enum class BatchClass : uint8_t { kOne, kTwo, kFew, kMany };  // 1, 2–3, 4–7, 8 and more
BatchClass batch_class(int64_t samples);
int typical_samples(BatchClass batch);  // that schedules are chosen for: 1, 2, 4, 16

enum class Origin : uint8_t { kExact, kNear, kDefault };
inline constexpr const char* kOriginNames[] = {"exact", "near", "default"};

// A call's time, of n samples; n = 0: not measured.
struct MeasuredTime {
  double ns = 0;
  int64_t n = 0;
};

struct Instance {
  std::string template_name;
  Knobs knobs;
  Origin origin = Origin::kDefault;
  PreferredLayouts layouts;
  MeasuredTime measured;  // of this kernel
};

}  // namespace convoke
