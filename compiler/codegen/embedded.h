// What is inside the compiler since Convoke was built: bitcode of the core and of convoke-run per triple, and the ABI's
// header.
#pragma once

#include <string>
#include <string_view>

#include "runtime/base/status.h"

namespace convoke {

// Of targets' llvm_triple; an error names a triple that Convoke was built without.
Result<std::string_view> core_bitcode(const std::string& triple);
Result<std::string_view> program_bitcode(const std::string& triple);

std::string_view abi_header();  // the text of runtime/core/convoke.h

}  // namespace convoke
