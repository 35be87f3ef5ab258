#include "compiler/driver/dump.h"

#include <fmt/format.h>

#include <regex>
#include <set>

#include "compiler/driver/coverage.h"
#include "compiler/ir/text.h"

namespace convoke {
namespace {

struct KernelUse {
  int kernel;
  std::vector<int> rows;
};

// The kernels that a row of a matching name uses, in the order of their first use.
Result<std::vector<KernelUse>> select_kernels(const Plan& plan, const std::string& names) {
  std::vector<KernelUse> uses(plan.kernels.size());
  for (size_t k = 0; k < uses.size(); ++k) uses[k].kernel = static_cast<int>(k);
  for (size_t r = 0; r < plan.rows.size(); ++r) uses[plan.rows[r].kernel].rows.push_back(static_cast<int>(r));
  if (names.empty()) return uses;
  try {
    const std::regex pattern(names);
    std::erase_if(uses, [&](const KernelUse& use) {
      return std::ranges::none_of(use.rows, [&](int row) { return std::regex_search(plan.rows[row].name, pattern); });
    });
  } catch (const std::regex_error& error) {
    return invalid_argument(fmt::format("--kernels \"{}\" is no regular expression: {}", names, error.what()));
  }
  if (uses.empty()) return invalid_argument(fmt::format("--kernels \"{}\" matches no call of the plan", names));
  return uses;
}

std::string title(const Plan& plan, const KernelUse& use) {
  const Instance& instance = plan.kernels[use.kernel].instance;
  const std::string knobs = to_string(instance.knobs);
  std::string text = fmt::format("kernel {}: {}{}{} ({})\n", use.kernel, instance.template_name,
                                 knobs.empty() ? "" : " ", knobs, kOriginNames[static_cast<int>(instance.origin)]);
  for (int row : use.rows)
    text += fmt::format("  {} {}\n", core::kProgramNames[plan.rows[row].program], plan.rows[row].name);
  return text;
}

Status dump_kernels(const DumpRequest& request, const PlannedModel& planned) {
  ASSIGN_OR_RETURN(const std::vector<KernelUse> uses, select_kernels(planned.plan, request.kernels));
  for (const KernelUse& use : uses) {
    const PlanKernel& kernel = planned.plan.kernels[use.kernel];
    fmt::print("{}", title(planned.plan, use));
    if (request.stage == "kernels") {
      fmt::print("{}\n", kernel_key(kernel.kernel));
      continue;
    }
    const Result<std::string> text =
        request.stage == "stmt" ? lowered_statement(kernel, planned.target) : assembly(kernel, planned.target);
    RETURN_IF_ERROR(text.status());
    fmt::print("{}\n", *text);
  }
  if (request.stage == "kernels") {
    const Coverage schedules = coverage(planned.plan);
    fmt::print("schedules: {}\npredicted: {}\n", schedules_text(schedules), predicted_text(schedules));
  }
  return ok_status();
}

}  // namespace

void add_dump_arguments(CLI::App& app, DumpRequest& request) {
  app.add_option("--dump", request.stage, "Print a stage instead: graph, training, kernels, plan, stmt, asm")
      ->check(CLI::IsMember({"graph", "training", "kernels", "plan", "stmt", "asm"}))
      ->type_name("STAGE");
  app.add_option("--dump-after", request.after_pass, "Print the graphs after a pass instead")->type_name("PASS");
  app.add_option("--kernels", request.kernels, "With --dump kernels, stmt or asm: only calls of these names")
      ->type_name("REGEX");
}

Status dump(const DumpRequest& request, const ModelOptions& options) {
  std::string seen;  // the passes, once each, in order
  std::set<std::string, std::less<>> names;
  const auto observe = [&](const char* pipeline) -> PassObserver {
    return [&, pipeline](std::string_view pass, const Graph& graph) {
      if (names.emplace(pass).second) seen += "\n  " + std::string(pass);
      if (pass == request.after_pass) fmt::print("# {} after {}\n{}\n", pipeline, pass, print(graph));
    };
  };
  ASSIGN_OR_RETURN(const PlannedModel planned, plan_model(options, {observe("inference"), observe("training")}));
  if (!request.after_pass.empty() && !names.contains(request.after_pass)) {
    return invalid_argument(fmt::format("no pass \"{}\"; the passes are{}", request.after_pass, seen));
  }
  if (request.stage == "graph") fmt::print("{}", print(planned.inference));
  if (request.stage == "training") {
    if (!options.training) return invalid_argument("--dump training: there is no training graph with --inference-only");
    fmt::print("{}", print(planned.training));
  }
  if (request.stage == "plan") fmt::print("{}", print(planned.plan));
  const bool of_kernels = request.stage == "kernels" || request.stage == "stmt" || request.stage == "asm";
  return of_kernels ? dump_kernels(request, planned) : ok_status();
}

}  // namespace convoke
