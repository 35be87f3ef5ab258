// The arm-64 board of these tests: qemu-aarch64 behind the target's runner, on which there is convoke-run alone.
#pragma once

#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/ops/interpreter.h"
#include "runtime/io/tensor_file.h"

namespace convoke {

inline constexpr const char* kBoard = "arm-64";

// Where a library may be compiled to, `<build>/arm/<name>`, with the cache of kernels that all tests share.
CodegenOptions board_options(const std::string& name);

NamedTensor to_named(std::string name, DType dtype, const Tensor& tensor);

// convoke-run LIBRARY with `arguments` (the mode and options, "train --steps 2") on these tensors; the tensors that it
// writes. Ends the test when it fails.
Environment run_on_board(const CompiledLibrary& library, const std::string& arguments,
                         const std::vector<NamedTensor>& input);

// The .weights file that the library writes there of these tensors.
void save_on_board(const CompiledLibrary& library, const std::vector<NamedTensor>& input, const std::string& path);

}  // namespace convoke
