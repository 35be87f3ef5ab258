// A schedule template owns an algorithm form of some kernels and its schedule; its knobs are the search space. One file
// a template, listed once in templates.inc, tried in that order.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "Halide.h"
#include "compiler/kernels/instance.h"
#include "compiler/kernels/kernel.h"
#include "runtime/base/status.h"
#include "schedules/targets/target.h"

namespace convoke {

// An operand, output or stage that loops go through in the order in which it lies: what is `ahead` elements further on
// is fetched meanwhile.
struct Stream {
  std::string buffer;
  int64_t ahead;
  std::string stage = {};   // the Func whose reads count; otherwise those of all
  int64_t turns = 3;        // of a loop that reads the same in each: so many share, where their number is not constant
  std::string during = {};  // where each turn reads `ahead` elements in a burst: the Func of the products behind it
};

struct BuiltKernel {
  Halide::Pipeline pipeline;                // outputs as body.outputs
  std::vector<Halide::Argument> arguments;  // as kernel.inputs
  std::vector<Stream> streams;
};

struct ScheduleTemplate {
  std::string_view name;
  bool (*applies)(const Kernel&, const TargetSpec&);
  KnobRanges (*knobs)(const Kernel&, const TargetSpec&);
  Knobs (*defaults)(const Kernel&, BatchClass, const TargetSpec&);  // where nothing is tuned
  // Of the parameters it reads or writes, as it would like them; others stay plain. Same shape as kernel's layouts.
  PreferredLayouts (*layouts)(const Kernel&, const Knobs&, const TargetSpec&);
  // `kernel` has its final layouts here.
  Result<BuiltKernel> (*build)(const Kernel&, const Knobs&, const TargetSpec&);
  // Registers that the inner loop of these knobs keeps. The tuner tries nothing that needs more than there are. Null:
  // no knobs need too many.
  int (*registers)(const Knobs&) = nullptr;
  // Whether its defaults are faster than those of the templates behind this one. Null: they are.
  bool (*pays)(const Kernel&, BatchClass, const TargetSpec&) = nullptr;
  // How many times the rounding error of the op's own sums its results may have. Null: these are its sums; with
  // --strict only such templates are used.
  double (*relative_error)(const Kernel&, const Knobs&) = nullptr;
  // Whether it may run in training steps. What they put through relus wants small errors: an operand near zero that
  // comes out on the other side moves gradients by whole terms. Null: it may.
  bool (*trains)(const Kernel&) = nullptr;
  // Where else than at the defaults the tuner starts: points that single steps along a knob do not lead to.
  std::vector<Knobs> (*starts)(const Kernel&, BatchClass, const TargetSpec&) = nullptr;
  // Into how many tasks a call of so many samples is shared out. Null: into many, or the knobs do not decide it.
  int (*tasks)(const Kernel&, const Knobs&, const TargetSpec&, int samples) = nullptr;
  // Whether it builds kernels of activations in blocks of images (Layout::images).
  bool takes_images = false;
  // Whether it builds kernels with a max-pooling behind the anchor.
  bool takes_pooling = false;
  // Whether it builds kernels with row_sums behind the anchor (row_sums.h).
  bool takes_row_sums = false;
};

// Applies, in the layouts of the kernel's activations and with what it has behind the anchor.
bool takes(const ScheduleTemplate& schedule, const Kernel& kernel, const TargetSpec& target);

namespace templates {
#define TEMPLATE(name) extern const ScheduleTemplate name;
#include "schedules/templates/templates.inc"
#undef TEMPLATE
}  // namespace templates

std::span<const ScheduleTemplate* const> all_templates();      // in the order in which lookup tries them
const ScheduleTemplate* find_template(std::string_view name);  // null when there is none

}  // namespace convoke
