#include "compiler/codegen/emit.h"

#include "compiler/codegen/plan_constants.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Verifier.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

namespace convoke {
namespace {

Result<std::unique_ptr<llvm::TargetMachine>> target_machine(const std::string& triple) {
  llvm::InitializeAllTargetInfos();
  llvm::InitializeAllTargets();
  llvm::InitializeAllTargetMCs();
  llvm::InitializeAllAsmPrinters();
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target) return invalid_argument("LLVM: " + error);
  llvm::TargetOptions options;
  options.FunctionSections = options.DataSections = true;  // for --gc-sections
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, "", "", options, llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
}

void set_target(llvm::Module& module, llvm::TargetMachine& machine) {
  module.setTargetTriple(machine.getTargetTriple().str());
  module.setDataLayout(machine.createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
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
  llvm::Type* opaque = llvm::StructType::create(context, "convoke_library");
  auto* table = new llvm::GlobalVariable(module, opaque, true, llvm::GlobalValue::ExternalLinkage, nullptr,
                                         "convoke_core_library");
  table->setVisibility(llvm::GlobalValue::HiddenVisibility);
  builder.CreateRet(table);
}

}  // namespace

Result<std::string> emit_plan_object(const LibraryModule& library, const std::string& triple) {
  ASSIGN_OR_RETURN(const std::unique_ptr<llvm::TargetMachine> machine, target_machine(triple));
  llvm::LLVMContext context;
  llvm::Module module("convoke", context);
  set_target(module, *machine);
  add_plan_constants(module, library.data, library.kernel_symbols);
  add_entry(module, library.entry_symbol);
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
