// LLVM's part: the plan's constants and the inside of stub libraries as relocatable objects for a triple.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compiler/codegen/library_data.h"
#include "runtime/base/status.h"

namespace convoke {

// What the core's object lacks: its plan, with `kernel_symbols` by Plan kernel, and entry_symbol, which returns its
// table.
struct LibraryModule {
  const LibraryData& data;
  std::span<const std::string> kernel_symbols;
  std::string entry_symbol;
};
Result<std::string> emit_plan_object(const LibraryModule& library, const std::string& triple);

// Functions of these names that do nothing: the inside of a stub library.
Result<std::string> emit_stub_object(const std::string& triple, const std::vector<std::string>& names);

}  // namespace convoke
