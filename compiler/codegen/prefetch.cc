#include "compiler/codegen/prefetch.h"

#include <map>
#include <set>
#include <utility>

namespace convoke {
namespace {

using Halide::Expr;
using Halide::Internal::as_const_int, Halide::Internal::simplify;
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
    const Touched outer = std::exchange(touched_, {});
    const Stmt mutated = IRMutator::visit(loop);
    touched_ = outer;
    return mutated;
  }

  Stmt visit(const Halide::Internal::LetStmt* let) override {
    lets_[let->name] = resolve(let->value);
    return IRMutator::visit(let);
  }

  // Without the variables of lets, which are other ones for each statement.
  Expr resolve(const Expr& expr) const { return Halide::Internal::substitute(lets_, expr); }

  Stmt visit(const Halide::Internal::Store* store) override {
    Loads loads(stream_.buffer);
    store->accept(&loads);
    std::vector<Stmt> statements;
    const auto touch = [&](const Expr& at, int bytes) {
      const Ramp* ramp = at.as<Ramp>();
      const Expr index = ramp ? ramp->base : at;
      if (is_new(index, bytes)) statements.push_back(prefetch(index, bytes));
    };
    for (const Load* load : loads.found) touch(load->index, load->type.bytes());
    if (store->name == stream_.buffer) touch(store->index, store->value.type().bytes());
    statements.emplace_back(store);
    return Halide::Internal::Block::make(statements);
  }

  bool is_new(const Expr& index, int bytes) {
    const Expr resolved = resolve(index);
    if (!touched_.first.defined()) touched_.first = resolved;
    const auto offset = as_const_int(simplify(resolved - touched_.first));
    return offset && touched_.lines.insert(Halide::Internal::div_imp<int64_t>(*offset * bytes, kLineBytes)).second;
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

  struct Touched {
    Expr first;
    std::set<int64_t> lines;  // from `first` on
  };

  const Stream stream_;
  std::map<std::string, Expr> lets_;
  Touched touched_;  // by an iteration of the innermost loop around
};

}  // namespace

void add_prefetches(Halide::Pipeline& pipeline, const std::vector<Stream>& streams) {
  for (const Stream& stream : streams) pipeline.add_custom_lowering_pass(new Prefetches(stream));
}

}  // namespace convoke
