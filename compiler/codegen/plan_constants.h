// LibraryData as LLVM constants: the symbols convoke_plan and convoke_model_data.
#pragma once

#include <span>
#include <string>

#include "compiler/codegen/library_data.h"
#include "llvm/IR/Module.h"

namespace convoke {

// Every field's place is compared with the C++ struct's.
void add_plan_constants(llvm::Module& module, const LibraryData& data, std::span<const std::string> kernel_symbols);

}  // namespace convoke
