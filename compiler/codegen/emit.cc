#include "compiler/codegen/emit.h"

#include "compiler/codegen/plan_constants.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Linker/Linker.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"
#include "llvm/Transforms/IPO/Internalize.h"

namespace convoke {
namespace {

// The baseline of everything but kernels: check_cpu must run anywhere.
const char* baseline_cpu(const llvm::Triple& triple) {
  return triple.getArch() == llvm::Triple::x86_64 ? "x86-64-v2" : "generic";
}

Result<std::unique_ptr<llvm::TargetMachine>> target_machine(const std::string& triple) {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargets();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllAsmPrinters();
  llvm::InitializeAllAsmParsers();
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return invalid_argument("LLVM: " + error);
  llvm::TargetOptions options;
  options.FunctionSections = options.DataSections = true;  // for --gc-sections
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(triple, baseline_cpu(llvm::Triple(triple)),
                                                                          "", options, llvm::Reloc::PIC_, std::nullopt,
                                                                          llvm::CodeGenOptLevel::Default));
}

void set_target(llvm::Module& module, llvm::TargetMachine& machine) {
  module.setTargetTriple(machine.getTargetTriple().str());
  module.setDataLayout(machine.createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
}

Status link_bitcode(llvm::Module& module, std::string_view bitcode) {
  const llvm::MemoryBufferRef buffer({bitcode.data(), bitcode.size()}, "bitcode");
  llvm::Expected<std::unique_ptr<llvm::Module>> parsed = llvm::parseBitcodeFile(buffer, module.getContext());
  if (!parsed) return internal_error("LLVM: " + llvm::toString(parsed.takeError()));
  // Two libraries made from one bitcode have the same bytes wherever it was compiled.
  (*parsed)->setSourceFileName(module.getSourceFileName());
  if (llvm::Linker::linkModules(module, std::move(*parsed))) return internal_error("LLVM cannot link the bitcode");
  return ok_status();
}

bool is_called_by_kernels(llvm::StringRef name) { return name.starts_with("halide_"); }

void optimise(llvm::Module& module, llvm::TargetMachine& machine, const std::string& entry_symbol) {
  llvm::internalizeModule(module, [&](const llvm::GlobalValue& value) {
    return value.getName() == entry_symbol || is_called_by_kernels(value.getName());
  });
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager components;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder passes(&machine);
  passes.registerModuleAnalyses(modules);
  passes.registerCGSCCAnalyses(components);
  passes.registerFunctionAnalyses(functions);
  passes.registerLoopAnalyses(loops);
  passes.crossRegisterProxies(loops, functions, components, modules);
  passes.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

Result<std::string> emit_object(llvm::Module& module, llvm::TargetMachine& machine) {
  std::string problems;
  llvm::raw_string_ostream problem_stream(problems);
  ENSURE(!llvm::verifyModule(module, &problem_stream)) << problems;
  llvm::SmallVector<char, 0> object;
  llvm::raw_svector_ostream stream(object);
  llvm::legacy::PassManager passes;
  if (machine.addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile)) {
    return internal_error("LLVM cannot emit objects for " + machine.getTargetTriple().str());
  }
  passes.run(module);
  return std::string(object.data(), object.size());
}

// A function of no arguments that returns the address of the core's table.
void add_entry(llvm::Module& module, const std::string& symbol) {
  llvm::LLVMContext& context = module.getContext();
  auto* type = llvm::FunctionType::get(llvm::PointerType::get(context, 0), false);
  auto* entry = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, symbol, module);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(context, "", entry));
  llvm::GlobalVariable* table = module.getGlobalVariable("convoke_core_library");
  ENSURE(table != nullptr) << "the core's bitcode has no table";
  builder.CreateRet(table);
}

// The entry of a program: main by way of glibc, which sets itself up and ends the process. The stack holds argc, then
// argv.
const char* start_assembly(const llvm::Triple& triple) {
  if (triple.getArch() == llvm::Triple::x86_64) {
    return R"(.text
.globl _start
.type _start, @function
_start:
  xorl %ebp, %ebp
  movq %rdx, %r9
  popq %rsi
  movq %rsp, %rdx
  andq $-16, %rsp
  pushq %rax
  pushq %rsp
  xorl %r8d, %r8d
  xorl %ecx, %ecx
  leaq main(%rip), %rdi
  call *__libc_start_main@GOTPCREL(%rip)
  hlt
)";
  }
  return R"(.text
.globl _start
.type _start, @function
_start:
  mov x29, #0
  mov x30, #0
  mov x5, x0
  ldr x1, [sp]
  add x2, sp, #8
  mov x6, sp
  adrp x0, main
  add x0, x0, :lo12:main
  mov x3, #0
  mov x4, #0
  bl __libc_start_main
  brk #0
)";
}

}  // namespace

Result<std::string> emit_library_object(const LibraryModule& library, const std::string& triple,
                                        std::string_view core_bitcode) {
  ASSIGN_OR_RETURN(const std::unique_ptr<llvm::TargetMachine> machine, target_machine(triple));
  llvm::LLVMContext context;
  llvm::Module module("convoke", context);
  set_target(module, *machine);
  add_plan_constants(module, library.data, library.kernel_symbols);
  RETURN_IF_ERROR(link_bitcode(module, core_bitcode));
  add_entry(module, library.entry_symbol);
  optimise(module, *machine, library.entry_symbol);
  return emit_object(module, *machine);
}

Result<std::string> emit_program_object(const std::string& triple, std::string_view bitcode) {
  ASSIGN_OR_RETURN(const std::unique_ptr<llvm::TargetMachine> machine, target_machine(triple));
  llvm::LLVMContext context;
  llvm::Module module("convoke", context);
  set_target(module, *machine);
  RETURN_IF_ERROR(link_bitcode(module, bitcode));
  module.setModuleInlineAsm(start_assembly(machine->getTargetTriple()));
  optimise(module, *machine, "main");
  return emit_object(module, *machine);
}

Result<std::string> emit_stub_object(const std::string& triple, const std::vector<std::string>& names) {
  ASSIGN_OR_RETURN(const std::unique_ptr<llvm::TargetMachine> machine, target_machine(triple));
  llvm::LLVMContext context;
  llvm::Module module("convoke", context);
  set_target(module, *machine);
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), false);
  for (const std::string& name : names) {
    auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, name, module);
    llvm::ReturnInst::Create(context, llvm::BasicBlock::Create(context, "", function));
  }
  return emit_object(module, *machine);
}

}  // namespace convoke
