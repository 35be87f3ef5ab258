#include "compiler/codegen/kernel_object.h"

#include <fmt/format.h>

#include <cstring>
#include <sstream>

#include "Halide.h"
#include "compiler/codegen/object_cache.h"
#include "compiler/codegen/prefetch.h"
#include "compiler/codegen/scratch.h"
#include "runtime/base/file.h"
#include "schedules/templates/template.h"

namespace convoke {
namespace {

constexpr std::string_view kFeatures = "-no_runtime-user_context-no_asserts-no_bounds_query";
// To be raised when something else is made of the same pipeline: other prefetches (prefetch.h), another measure
// (scratch.h).
constexpr std::string_view kForm = " form 6";
constexpr std::string_view kDumpName = "kernel";

// Halide reports by exceptions; this is the one place where they become Status.
template <typename Work>
auto catch_halide(Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const Halide::Error& error) {
    std::string message = error.what();
    while (!message.empty() && message.back() == '\n') message.pop_back();
    return internal_error("Halide: " + message);
  }
}

// What serialize_pipeline leaves out: the constraints on the buffers that a pipeline reads.
class InputConstraints : public Halide::Internal::IRGraphVisitor {
 public:
  std::map<std::string, std::string> of_parameters;

 private:
  using IRGraphVisitor::visit;
  void visit(const Halide::Internal::Call* call) override {
    IRGraphVisitor::visit(call);
    if (call->param.defined()) note(call->param);
  }
  void visit(const Halide::Internal::Variable* variable) override {
    if (variable->param.defined()) note(variable->param);
  }
  void note(const Halide::Parameter& parameter) {
    std::ostringstream text;
    text << parameter.type();
    if (parameter.is_buffer()) {
      text << " align " << parameter.host_alignment();
      for (int d = 0; d < parameter.dimensions(); ++d) {
        text << " (" << parameter.min_constraint(d) << ", " << parameter.extent_constraint(d) << ", "
             << parameter.stride_constraint(d) << ")";
      }
    }
    of_parameters[parameter.name()] = text.str();
  }
};

std::string content_key(const BuiltKernel& built, const Halide::Target& target) {
  std::vector<uint8_t> pipeline;
  Halide::serialize_pipeline(built.pipeline, pipeline);
  InputConstraints constraints;
  for (const Halide::Func& output : built.pipeline.outputs()) {
    for (const auto& [name, function] : Halide::Internal::find_transitive_calls(output.function())) {
      function.accept(&constraints);
    }
  }
  std::string content;
  append_field(content, {reinterpret_cast<const char*>(pipeline.data()), pipeline.size()});
  append_field(content, target.to_string());
  append_field(content, halide_identity());
  for (const Halide::Argument& argument : built.arguments) append_field(content, argument.name);
  for (const auto& [name, text] : constraints.of_parameters) {
    append_field(content, name);
    append_field(content, text);
  }
  for (const Stream& stream : built.streams) {
    append_field(content, stream.buffer);
    append_field(content, fmt::format("{} {} {} {}", stream.ahead, stream.turns, stream.stage, stream.during));
  }
  return content_hash(content);
}

Result<Halide::Target> kernel_target(const TargetSpec& target) {
  const std::string name = target.halide_target + std::string(kFeatures);
  if (!Halide::Target::validate_target_string(name)) {
    return invalid_argument("target " + target.name + ": Halide does not know \"" + target.halide_target + "\"");
  }
  return Halide::Target(name);
}

Result<BuiltKernel> build(const PlanKernel& kernel, const TargetSpec& target) {
  const ScheduleTemplate* schedule = find_template(kernel.instance.template_name);
  ENSURE(schedule != nullptr) << "no schedule template " << kernel.instance.template_name;
  return schedule->build(kernel.kernel, kernel.instance.knobs, target);
}

Halide::Module lower(const BuiltKernel& built, const std::string& name, const Halide::Target& target) {
  Halide::Pipeline pipeline = built.pipeline;
  add_prefetches(pipeline, built.streams);
  return pipeline.compile_to_module(built.arguments, name, target, Halide::LinkageType::ExternalPlusArgv);
}

Result<KernelObject> compile(const BuiltKernel& built, const std::string& name, const Halide::Target& target,
                             const std::string& scratch_path) {
  const Halide::Module module = lower(built, name, target);
  ASSIGN_OR_RETURN(const ScratchUse scratch, measure_scratch(module));
  module.compile({{Halide::OutputFileType::object, scratch_path}});
  ASSIGN_OR_RETURN(std::string object, read_file(scratch_path));
  return KernelObject{name + "_argv", scratch.heap_bytes, std::move(object)};
}

}  // namespace

std::string serialize(const KernelObject& kernel) {
  std::string bytes;
  append_field(bytes, kernel.symbol);
  append_field(bytes, std::to_string(kernel.scratch_bytes));
  return bytes + kernel.object;
}

Result<KernelObject> parse_kernel_object(const std::string& bytes) {
  const char* at = bytes.c_str();
  std::string fields[2];
  for (std::string& field : fields) {
    char* end;
    const size_t size = std::strtoul(at, &end, 10);
    if (*end != ':' || size > static_cast<size_t>(bytes.c_str() + bytes.size() - end - 1)) {
      return data_loss("damaged kernel object");
    }
    field.assign(end + 1, size);
    at = end + 1 + size;
  }
  return KernelObject{fields[0], std::strtoll(fields[1].c_str(), nullptr, 10),
                      bytes.substr(static_cast<size_t>(at - bytes.c_str()))};
}

std::string halide_identity() {
  return "Halide " + std::to_string(HALIDE_VERSION_MAJOR) + "." + std::to_string(HALIDE_VERSION_MINOR) + "." +
         std::to_string(HALIDE_VERSION_PATCH) + std::string(kFeatures) + std::string(kForm);
}

Result<KernelObject> make_kernel_object(const PlanKernel& kernel, const TargetSpec& target,
                                        const std::string& cache_directory, const std::string& scratch_path) {
  return catch_halide([&]() -> Result<KernelObject> {
    ASSIGN_OR_RETURN(const Halide::Target halide_target, kernel_target(target));
    ASSIGN_OR_RETURN(const BuiltKernel built, build(kernel, target));
    const std::string key = content_key(built, halide_target);
    if (std::optional<std::string> cached = read_cached(cache_directory, key + ".object")) {
      return parse_kernel_object(*cached);
    }
    ASSIGN_OR_RETURN(KernelObject object, compile(built, "convoke_k" + key, halide_target, scratch_path));
    write_cached(cache_directory, key + ".object", serialize(object));
    return object;
  });
}

Result<std::string> halide_statement(const PlanKernel& kernel, const TargetSpec& target) {
  return catch_halide([&]() -> Result<std::string> {
    ASSIGN_OR_RETURN(const Halide::Target halide_target, kernel_target(target));
    ASSIGN_OR_RETURN(const BuiltKernel built, build(kernel, target));
    std::ostringstream text;
    text << lower(built, std::string(kDumpName), halide_target);
    return text.str();
  });
}

Result<std::string> halide_assembly(const PlanKernel& kernel, const TargetSpec& target,
                                    const std::string& scratch_path) {
  return catch_halide([&]() -> Result<std::string> {
    ASSIGN_OR_RETURN(const Halide::Target halide_target, kernel_target(target));
    ASSIGN_OR_RETURN(const BuiltKernel built, build(kernel, target));
    lower(built, std::string(kDumpName), halide_target).compile({{Halide::OutputFileType::assembly, scratch_path}});
    return read_file(scratch_path);
  });
}

}  // namespace convoke
