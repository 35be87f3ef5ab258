#include "compiler/codegen/compile_kernels.h"

#include <map>
#include <optional>

#include "compiler/codegen/child.h"
#include "compiler/codegen/object_cache.h"

namespace convoke {
namespace {

// All that a kernel's object follows from, given the same program: the same request gives the same object without
// building its pipeline.
std::string request_key(const PlanKernel& kernel, const TargetSpec& target) {
  std::string request;
  append_field(request, build_identity());
  append_field(request, halide_identity());
  append_field(request, kernel_key(kernel.kernel));
  append_field(request, kernel.instance.template_name);
  append_field(request, to_string(kernel.instance.knobs));
  append_field(request, target.halide_target);
  for (const int64_t fact : {target.vector_lanes, target.vector_registers, target.l1_bytes, target.l2_bytes}) {
    append_field(request, std::to_string(fact));
  }
  return content_hash(request);
}

// The first row that uses the kernel, and its template.
std::string kernel_name(const Plan& plan, int kernel) {
  std::string name = "kernel " + std::to_string(kernel);
  for (size_t r = plan.rows.size(); r-- > 0;) {
    if (plan.rows[r].kernel == kernel) name = plan.rows[r].name;
  }
  return name + " (" + plan.kernels[kernel].instance.template_name + ")";
}

}  // namespace

Result<CompiledKernels> compile_kernels(const Plan& plan, const TargetSpec& target, const CodegenOptions& options,
                                        const std::string& scratch_directory) {
  const int count = static_cast<int>(plan.kernels.size());
  CompiledKernels kernels;
  kernels.objects.resize(count);
  int done = 0;
  auto finish = [&](int k, KernelObject object) {
    kernels.objects[k] = std::move(object);
    ++done;
    if (options.progress) options.progress(done, count, kernel_name(plan, k));
  };

  std::vector<std::string> requests;
  std::vector<int> missing;
  for (int k = 0; k < count; ++k) {
    requests.push_back(request_key(plan.kernels[k], target));
    if (const std::optional<std::string> cached = read_cached(options.cache_directory, requests[k] + ".request")) {
      if (Result<KernelObject> object = parse_kernel_object(*cached); object.ok()) {
        finish(k, std::move(object).value());
        continue;
      }
    }
    missing.push_back(k);
  }
  kernels.cached = done;
  kernels.compiled = static_cast<int>(missing.size());

  std::map<int, Status> failures;  // by kernel, so that the report does not depend on who was faster
  run_in_children(
      kernels.compiled, options.workers,
      [&](int job) -> Result<std::string> {
        const int k = missing[job];
        ASSIGN_OR_RETURN(const KernelObject object,
                         make_kernel_object(plan.kernels[k], target, options.cache_directory,
                                            scratch_directory + "/" + std::to_string(k) + ".o"));
        return serialize(object);
      },
      [&](int job, Result<std::string> bytes) {
        const int k = missing[job];
        Result<KernelObject> object = bytes.ok() ? parse_kernel_object(*bytes) : bytes.status();
        if (!object.ok()) {
          failures.emplace(k, object.status());
          return;
        }
        write_cached(options.cache_directory, requests[k] + ".request", *bytes);
        finish(k, std::move(object).value());
      });
  if (!failures.empty()) {
    const auto& [k, status] = *failures.begin();
    std::string message = kernel_name(plan, k) + ": " + status.message();
    if (failures.size() > 1) message += "\n(and " + std::to_string(failures.size() - 1) + " more kernels)";
    return Status(status.code(), message);
  }
  return kernels;
}

}  // namespace convoke
