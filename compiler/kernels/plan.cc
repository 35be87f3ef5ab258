// The plan as text: rows in order with their buffers' places, then the arenas.
#include "compiler/kernels/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/base/checked.h"

namespace convoke {
namespace {

constexpr const char* kArenas[] = {"parameters", "state",   "prepared",    "gradients",
                                   "moment0",    "moment1", "activations", "scalars"};

std::string buffer_text(const PlanBuffer& buffer) {
  const std::string layout = buffer.layout.plain() ? "" : " " + to_string(buffer.layout);
  return fmt::format("%{}: {}{} @{}+{}", buffer.name, to_string(buffer.type), layout, kArenas[buffer.arena],
                     buffer.offset_bytes);
}

}  // namespace

const PlanBand* band_of(const Plan& plan, int row) {
  const auto found = std::ranges::find_if(
      plan.bands, [row](const PlanBand& band) { return band.first_row <= row && row < band.end_row; });
  return found == plan.bands.end() ? nullptr : &*found;
}

int64_t samples_at_a_time(const Plan& plan, int row) {
  const PlanBand* band = band_of(plan, row);
  return band == nullptr ? plan.capacity : band->samples;
}

int64_t turns(const Plan& plan, int row) {
  const int64_t samples = samples_at_a_time(plan, row);
  return (plan.capacity + samples - 1) / samples;
}

std::string print(const Plan& plan) {
  std::string text = fmt::format("plan {} capacity {}\n", plan.model, plan.capacity);
  int program = -1;
  for (int r = 0; r < static_cast<int>(plan.rows.size()); ++r) {
    const PlanRow& row = plan.rows[r];
    if (row.program != program) text += fmt::format("{}:\n", core::kProgramNames[program = row.program]);
    if (const PlanBand* band = band_of(plan, r); band != nullptr && band->first_row == r) {
      text += fmt::format("  the next {} by {} samples:\n", band->end_row - band->first_row, band->samples);
    }
    const PlanKernel& kernel = plan.kernels[row.kernel];
    const std::string knobs = to_string(kernel.instance.knobs);
    text += fmt::format("  {}  [kernel {}: {}{}{}]\n", row.name, row.kernel, kernel.instance.template_name,
                        knobs.empty() ? "" : " ", knobs);
    for (size_t i = 0; i < row.buffers.size(); ++i) {
      const bool is_input = i < kernel.kernel.inputs.size();
      text += fmt::format("    {} {}\n", is_input ? "<" : ">", buffer_text(plan.buffers[row.buffers[i]]));
    }
  }
  text += "arenas:\n";
  for (int arena = 0; arena < core::kArenaCount; ++arena) {
    text += fmt::format("  {} {} bytes\n", kArenas[arena], plan.arena_bytes[arena]);
  }
  text += fmt::format("  activations' lower bound {} bytes, inference alone {} bytes\n",
                      plan.activation_lower_bound_bytes, plan.inference_activation_bytes);
  return text;
}

}  // namespace convoke
