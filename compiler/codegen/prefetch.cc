#include "compiler/codegen/prefetch.h"

#include <set>
#include <utility>

namespace convoke {
namespace {

using Halide::Expr;
using Halide::Internal::For, Halide::Internal::Load, Halide::Internal::Ramp, Halide::Internal::Stmt;

constexpr int kLineBytes = 64;

class Loads : public Halide::Internal::IRVisitor {
 public:
  explicit Loads(const std::string& buffer) : buffer_(buffer) {}
  std::vector<const Load*> found;

 private:
  using IRVisitor::visit;
  void visit(const Load* load) override {
    IRVisitor::visit(load);
    if (load->name == buffer_) found.push_back(load);
  }

  const std::string& buffer_;
};

class Prefetches : public Halide::Internal::IRMutator {
 public:
  explicit Prefetches(Stream stream) : stream_(std::move(stream)) {}

 private:
  using IRMutator::visit;
  Stmt visit(const For* loop) override {
    const ReadLines outer = std::exchange(read_, {});
    const Stmt mutated = IRMutator::visit(loop);
    read_ = outer;
    return mutated;
  }

  Stmt visit(const Halide::Internal::Store* store) override {
    Loads loads(stream_.buffer);
    store->accept(&loads);
    std::vector<Stmt> statements;
    for (const Load* load : loads.found) {
      const Ramp* ramp = load->index.as<Ramp>();
      const Expr index = ramp ? ramp->base : load->index;
      if (is_new(index, load->type.bytes())) statements.push_back(prefetch(index, load->type.bytes()));
    }
    statements.emplace_back(store);
    return Halide::Internal::Block::make(statements);
  }

  bool is_new(const Expr& index, int bytes) {
    if (!read_.first.defined()) read_.first = index;
    const auto offset = Halide::Internal::as_const_int(Halide::Internal::simplify(index - read_.first));
    return offset && read_.lines.insert(Halide::Internal::div_imp<int64_t>(*offset * bytes, kLineBytes)).second;
  }

  // Halide declares LLVM's intrinsic for prefetches of its own; a call by this name reaches it.
  Stmt prefetch(const Expr& index, int bytes) const {
    constexpr int kRead = 0, kSecondLevel = 2, kData = 1;
    const Expr buffer = Halide::Internal::Variable::make(Halide::Handle(), stream_.buffer);
    const Expr offset = (Halide::cast<int64_t>(index) + Expr(stream_.ahead)) * bytes;
    const Expr address = Halide::reinterpret<uint64_t>(buffer) + Halide::cast<uint64_t>(offset);
    return Halide::Internal::Evaluate::make(Halide::Internal::Call::make(
        Halide::Int(32), "llvm.prefetch.p0",
        {Halide::reinterpret(Halide::Handle(), address), kRead, kSecondLevel, kData}, Halide::Internal::Call::Extern));
  }

  struct ReadLines {
    Expr first;
    std::set<int64_t> lines;  // from `first` on
  };

  const Stream stream_;
  ReadLines read_;  // by the innermost loop around
};

}  // namespace

void add_prefetches(Halide::Pipeline& pipeline, const std::vector<Stream>& streams) {
  for (const Stream& stream : streams) pipeline.add_custom_lowering_pass(new Prefetches(stream));
}

}  // namespace convoke
