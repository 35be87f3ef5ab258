// LLD's part: objects become a shared library or a program, against stubs of the target's libc and libm, so that no
// sysroot is needed and exactly two libraries, with the right symbol versions, are asked for at run time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "runtime/base/status.h"

namespace convoke {

// All of them leave the files they make in `directory`, where the objects are too; the answer is the linked file's
// bytes.
struct LinkInput {
  std::string directory;
  std::vector<std::string> objects;  // file names
  std::string triple;
  Symbols symbols;
};

// Writes a file into the directory. It need not last, so it is not flushed to disk.
Status write_intermediate(const LinkInput& input, const std::string& name, std::string_view bytes);

// Only `exported` is visible; an undefined symbol that the stubs do not have is an error.
Result<std::string> link_library(const LinkInput& input, const std::string& soname, const std::string& exported);

// A position-independent program that starts at _start.
Result<std::string> link_program(const LinkInput& input, const std::string& dynamic_loader);

}  // namespace convoke
