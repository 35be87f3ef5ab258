// compile_library and its relatives: the order of the steps, and what runs in a child.
#include <filesystem>
#include <set>

#include "compiler/codegen/child.h"
#include "compiler/codegen/codegen.h"
#include "compiler/codegen/compile_kernels.h"
#include "compiler/codegen/embedded.h"
#include "compiler/codegen/emit.h"
#include "compiler/codegen/header.h"
#include "compiler/codegen/link.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

Status add_object(const std::string& name, std::string_view bytes, LinkInput& input) {
  input.objects.push_back(name);
  return write_intermediate(input, name, bytes);
}

// Kernels with the same pipeline share one object and its symbol.
Status add_kernels(const std::vector<KernelObject>& kernels, LinkInput& input) {
  std::set<std::string> symbols;
  for (const KernelObject& kernel : kernels) {
    if (!symbols.insert(kernel.symbol).second) continue;
    RETURN_IF_ERROR(add_object("kernel" + std::to_string(symbols.size()) + ".o", kernel.object, input));
  }
  return ok_status();
}

Result<std::string> link_library_bytes(const std::vector<KernelObject>& kernels, const LibraryData& data,
                                       const TargetSpec& target, const std::string& identifier, LinkInput input) {
  std::vector<std::string> symbols;
  for (const KernelObject& kernel : kernels) symbols.push_back(kernel.symbol);
  const std::string entry = identifier + "_library";
  ASSIGN_OR_RETURN(const std::string_view core, core_object(target.llvm_triple));
  ASSIGN_OR_RETURN(const std::string plan, emit_plan_object({data, symbols, entry}, target.llvm_triple));
  RETURN_IF_ERROR(add_object("plan.o", plan, input));
  RETURN_IF_ERROR(add_object("core.o", core, input));
  RETURN_IF_ERROR(add_kernels(kernels, input));
  return link_library(input, identifier + ".so", entry);
}

}  // namespace

Result<CompiledLibrary> compile_library(const Plan& plan, const ModelDescription& model, const TargetSpec& target,
                                        const CodegenOptions& options) {
  RETURN_IF_ERROR(make_directories(options.output_directory));
  ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::make());
  ASSIGN_OR_RETURN(const CompiledKernels kernels, compile_kernels(plan, target, options, directory.path()));

  const LibraryData data = library_data(plan, model, target, kernels.objects);
  const std::string identifier = c_identifier(model.name);
  const LinkInput input{directory.path(), {}, target.llvm_triple, options.symbols};
  ASSIGN_OR_RETURN(const std::string library,
                   run_in_child([&] { return link_library_bytes(kernels.objects, data, target, identifier, input); }));

  CompiledLibrary compiled;
  compiled.library_path = options.output_directory + "/" + identifier + ".so";
  compiled.header_path = options.output_directory + "/" + identifier + ".h";
  RETURN_IF_ERROR(write_file_atomic(compiled.header_path, library_header(data.model)));
  RETURN_IF_ERROR(write_file_atomic(compiled.library_path, library));
  compiled.library_bytes = static_cast<int64_t>(library.size());
  compiled.kernels_compiled = kernels.compiled;
  compiled.kernels_cached = kernels.cached;
  compiled.weights_bytes = data.model.weights_bytes;
  compiled.inference_context_bytes = data.model.inference_context_bytes;
  compiled.training_context_bytes = data.model.training_context_bytes;
  compiled.scratch_bytes_per_thread = data.model.scratch_bytes_per_thread;
  return compiled;
}

Status emit_convoke_run(const TargetSpec& target, const std::string& path) {
  ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::make());
  ASSIGN_OR_RETURN(const std::string program, run_in_child([&]() -> Result<std::string> {
                     LinkInput input{directory.path(), {}, target.llvm_triple, Symbols::kStrip};
                     ASSIGN_OR_RETURN(const std::string_view object, program_object(target.llvm_triple));
                     RETURN_IF_ERROR(add_object("program.o", object, input));
                     return link_program(input, target.dynamic_loader);
                   }));
  RETURN_IF_ERROR(write_file_atomic(path, program));
  std::error_code error;
  std::filesystem::permissions(path, std::filesystem::perms(0755), error);
  if (error) return unavailable(path + ": cannot make it executable: " + error.message());
  return ok_status();
}

Result<std::string> lowered_statement(const PlanKernel& kernel, const TargetSpec& target) {
  return run_in_child([&] { return halide_statement(kernel, target); });
}

Result<std::string> assembly(const PlanKernel& kernel, const TargetSpec& target) {
  ASSIGN_OR_RETURN(const TemporaryDirectory directory, TemporaryDirectory::make());
  return run_in_child([&] { return halide_assembly(kernel, target, directory.path() + "/kernel.s"); });
}

std::string object_cache_directory(const char* xdg_cache_home, const char* home) {
  if (xdg_cache_home && *xdg_cache_home) return std::string(xdg_cache_home) + "/convoke/objects";
  if (home && *home) return std::string(home) + "/.cache/convoke/objects";
  return "";
}

}  // namespace convoke
