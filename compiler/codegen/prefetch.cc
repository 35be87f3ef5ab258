#include "compiler/codegen/prefetch.h"

#include <set>

namespace convoke {
namespace {

using Halide::Expr;
using Halide::Internal::For, Halide::Internal::Load, Halide::Internal::Ramp, Halide::Internal::Stmt;

constexpr int kLineBytes = 64;

// The lines that a loop's body reads of a buffer: one index in each.
class Lines : public Halide::Internal::IRVisitor {
 public:
  explicit Lines(const std::string& buffer) : buffer_(buffer) {}
  std::vector<Expr> indices;
  Halide::Type element;
  bool innermost = true;

 private:
  using IRVisitor::visit;
  void visit(const For*) override { innermost = false; }
  void visit(const Load* load) override {
    IRVisitor::visit(load);
    if (load->name != buffer_) return;
    element = load->type.element_of();
    const Ramp* ramp = load->index.as<Ramp>();
    const Expr index = ramp ? ramp->base : load->index;
    if (indices.empty()) first_ = index;
    const auto offset = Halide::Internal::as_const_int(Halide::Internal::simplify(index - first_));
    if (offset && lines_.insert(*offset * element.bytes() / kLineBytes).second) indices.push_back(index);
  }

  const std::string& buffer_;
  Expr first_;
  std::set<int64_t> lines_;  // from the first index on
};

class Prefetches : public Halide::Internal::IRMutator {
 public:
  explicit Prefetches(Stream stream) : stream_(std::move(stream)) {}

 private:
  using IRMutator::visit;
  Stmt visit(const For* loop) override {
    Lines lines(stream_.buffer);
    loop->body.accept(&lines);
    if (!lines.innermost) return IRMutator::visit(loop);
    Stmt body = loop->body;
    for (auto index = lines.indices.rbegin(); index != lines.indices.rend(); ++index) {
      body = Halide::Internal::Block::make(prefetch(*index, lines.element), body);
    }
    return For::make(loop->name, loop->min, loop->extent, loop->for_type, loop->partition_policy, loop->device_api,
                     body);
  }

  // Halide declares LLVM's intrinsic for prefetches of its own; a call by this name reaches it.
  Stmt prefetch(const Expr& index, Halide::Type element) const {
    constexpr int kRead = 0, kSecondLevel = 2, kData = 1;
    const Expr buffer = Halide::Internal::Variable::make(Halide::Handle(), stream_.buffer);
    const Expr offset = (Halide::cast<int64_t>(index) + Expr(stream_.ahead)) * element.bytes();
    const Expr address = Halide::reinterpret<uint64_t>(buffer) + Halide::cast<uint64_t>(offset);
    return Halide::Internal::Evaluate::make(Halide::Internal::Call::make(
        Halide::Int(32), "llvm.prefetch.p0",
        {Halide::reinterpret(Halide::Handle(), address), kRead, kSecondLevel, kData}, Halide::Internal::Call::Extern));
  }

  const Stream stream_;
};

}  // namespace

void add_prefetches(Halide::Pipeline& pipeline, const std::vector<Stream>& streams) {
  for (const Stream& stream : streams) pipeline.add_custom_lowering_pass(new Prefetches(stream));
}

}  // namespace convoke
