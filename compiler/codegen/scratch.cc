#include "compiler/codegen/scratch.h"

#include <algorithm>
#include <sstream>

#include "runtime/base/checked.h"

namespace convoke {
namespace {

// As Halide's CPU code generator decides: registers and small constants lie on the stack, all else comes from
// halide_malloc, which adds up to a vector of padding.
constexpr int64_t kLargestStackAllocation = 16 << 10;
constexpr int64_t kPaddingBytes = 128;

class Allocations : public Halide::Internal::IRVisitor {
 public:
  ScratchUse use;
  Status status;

 private:
  using IRVisitor::visit;
  void visit(const Halide::Internal::Allocate* allocation) override {
    std::optional<int64_t> bytes = allocation->type.bytes() * allocation->type.lanes();
    for (const Halide::Expr& extent : allocation->extents) {
      const auto constant = Halide::Internal::as_const_int(extent);
      if (!constant) return fail(*allocation);
      bytes = checked_mul(*bytes, *constant);
      if (!bytes) return fail(*allocation);
    }
    const bool on_stack = allocation->memory_type == Halide::MemoryType::Register ||
                          (allocation->memory_type != Halide::MemoryType::Heap && *bytes <= kLargestStackAllocation);
    if (on_stack) {
      use.stack_bytes += *bytes;
      return IRVisitor::visit(allocation);
    }
    const int64_t taken = round_up(*bytes + kPaddingBytes, 64);
    live_heap_bytes_ += taken;
    use.heap_bytes = std::max(use.heap_bytes, live_heap_bytes_);
    IRVisitor::visit(allocation);
    live_heap_bytes_ -= taken;
  }

  void fail(const Halide::Internal::Allocate& allocation) {
    if (!status.ok()) return;
    std::ostringstream text;
    text << "scratch buffer \"" << allocation.name << "\" has no constant size: " << allocation.type;
    for (const Halide::Expr& extent : allocation.extents) text << " * (" << extent << ")";
    status = internal_error(text.str());
  }

  int64_t live_heap_bytes_ = 0;
};

}  // namespace

Result<ScratchUse> measure_scratch(const Halide::Module& module) {
  ScratchUse sum;
  for (const Halide::Internal::LoweredFunc& function : module.functions()) {
    Allocations allocations;
    function.body.accept(&allocations);
    RETURN_IF_ERROR(allocations.status);
    sum.heap_bytes += allocations.use.heap_bytes;
    sum.stack_bytes += allocations.use.stack_bytes;
  }
  if (sum.stack_bytes > kMaxStackBytes) {
    return internal_error("needs " + std::to_string(sum.stack_bytes) + " bytes of stack; at most " +
                          std::to_string(kMaxStackBytes) + " are allowed");
  }
  return sum;
}

}  // namespace convoke
