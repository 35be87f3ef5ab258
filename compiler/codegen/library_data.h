// A Plan in the core's own structs (runtime/core/plan.h, convoke.h): what the library will hold, computed without LLVM,
// so that sizes and tests can use it. emit_plan.h turns it into constants.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "compiler/codegen/codegen.h"
#include "compiler/codegen/kernel_object.h"
#include "runtime/core/plan.h"

namespace convoke {

// Owns what its structs point to. Rows' `kernel` pointers are null: `row_kernels` are the indices into Plan::kernels.
struct LibraryData {
  core::LibraryPlan plan = {};
  convoke_model model = {};
  std::vector<int> row_kernels;

  // Backing of the pointers; a deque's elements stay where they are.
  std::deque<std::string> texts;
  std::deque<std::vector<int32_t>> indices;
  std::vector<core::Buffer> buffers;
  std::vector<core::Row> rows;
  std::vector<core::Band> bands;
  std::vector<core::FusedName> fused_names;
  std::deque<std::vector<const char*>> text_lists;
  std::deque<std::vector<convoke_tensor>> tensors;
  std::vector<convoke_row> model_rows;
};

// `kernel_objects`: of Plan::kernels, in their order.
LibraryData library_data(const Plan& plan, const ModelDescription& model, const TargetSpec& target,
                         std::span<const KernelObject> kernel_objects);

}  // namespace convoke
