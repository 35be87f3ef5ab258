// What is inside the compiler since Convoke was built: the core and convoke-run as objects per triple, and the ABI's
// header.
#pragma once

#include <string>
#include <string_view>

#include "runtime/base/status.h"

namespace convoke {

// Of targets' llvm_triple; an error names a triple that Convoke was built without.
Result<std::string_view> core_object(const std::string& triple);
Result<std::string_view> program_object(const std::string& triple);

std::string_view abi_header();  // the text of runtime/core/convoke.h

}  // namespace convoke
