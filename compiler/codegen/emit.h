// LLVM's part: modules of the core's bitcode and of constants, optimised into one relocatable object for a triple.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/codegen/library_data.h"
#include "runtime/base/status.h"

namespace convoke {

// The core with its plan: `kernel_symbols` by Plan kernel, entry_symbol returns the core's table.
struct LibraryModule {
  const LibraryData& data;
  std::span<const std::string> kernel_symbols;
  std::string entry_symbol;
};
Result<std::string> emit_library_object(const LibraryModule& library, const std::string& triple,
                                        std::string_view core_bitcode);

// A program from bitcode that defines main; _start is added.
Result<std::string> emit_program_object(const std::string& triple, std::string_view bitcode);

// Functions of these names that do nothing: the inside of a stub library.
Result<std::string> emit_stub_object(const std::string& triple, const std::vector<std::string>& names);

}  // namespace convoke
