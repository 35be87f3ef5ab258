// A schedule template owns an algorithm form of some kernels and its schedule; its knobs are the search space. One file a
// template, listed once in templates.inc, tried in that order.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "Halide.h"
#include "compiler/kernels/kernel.h"
#include "runtime/base/status.h"
#include "schedules/database/instance.h"
#include "schedules/targets/target.h"

namespace convoke {

struct BuiltKernel {
  Halide::Pipeline pipeline;                // outputs as body.outputs
  std::vector<Halide::Argument> arguments;  // as kernel.inputs
};

struct ScheduleTemplate {
  std::string_view name;
  bool (*applies)(const Kernel&, const TargetSpec&);
  KnobRanges (*knobs)(const Kernel&, const TargetSpec&);
  Knobs (*defaults)(const Kernel&, const TargetSpec&);
  // Of the parameters it reads or writes, as it would like them; others stay plain. Same shape as kernel's layouts.
  PreferredLayouts (*layouts)(const Kernel&, const Knobs&, const TargetSpec&);
  // `kernel` has its final layouts here.
  Result<BuiltKernel> (*build)(const Kernel&, const Knobs&, const TargetSpec&);
};

}  // namespace convoke
