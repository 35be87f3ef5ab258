// Lookup: which template with which knobs runs a kernel.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compiler/kernels/instance.h"
#include "schedules/database/database.h"
#include "schedules/targets/target.h"

namespace convoke {

struct LookupOptions {
  std::string only;                 // forces a template
  const Database* tuned = nullptr;  // null: defaults alone
  std::string cpu;                  // whose tuned schedules come first
  bool strict = false;              // sums in the op's own order of terms: no template with a relative_error
  bool training = false;            // of a training step: none that may not run there
};

// In this order, the first that is valid here; of several, those of `cpu` come first, then those for inference alone,
// which were faster:
//   exact    a tuned schedule of this kernel and batch class, on whatever CPU
//   near     one of this batch class and a kernel of the same family, which differs in height and width alone and has
//            at most twice the work or half of it: the nearest first
//   default  the first template of the list that applies and pays, with its defaults for the batch class
// A kernel that has layouts before it is looked up only copies between them: what is tuned is of kernels without.
Result<Instance> lookup(const Kernel& kernel, BatchClass batch, const TargetSpec& target,
                        const LookupOptions& options = {});

// What the tuner chooses from: a template that applies.
struct TemplateChoice {
  std::string name;
  KnobRanges ranges;
  Knobs defaults;
  std::function<bool(const Knobs&)> fits;  // the registers, and tasks enough for several threads
  std::vector<Knobs> starts = {};          // of a search, beside the defaults
};
// In the list's order.
std::vector<TemplateChoice> template_choices(const Kernel& kernel, BatchClass batch, const TargetSpec& target,
                                             bool training = false);

// Valid: the template exists and applies, and each of its knobs has a value of its range, or its default.
bool is_valid(const Kernel& kernel, BatchClass batch, const TargetSpec& target, const std::string& template_name,
              const Knobs& knobs);

// Whether training steps may run the template's schedules of this kernel.
bool may_train(const Kernel& kernel, const std::string& template_name);

// Of a valid choice, with the layouts that it wishes for.
Instance make_instance(const Kernel& kernel, const TargetSpec& target, const std::string& template_name,
                       const Knobs& knobs);

}  // namespace convoke
