#include "compiler/codegen/prefetch.h"

#include <map>
#include <optional>
#include <set>
#include <utility>

namespace convoke {
namespace {

using Halide::Expr;
using Halide::Internal::as_const_int, Halide::Internal::is_const_zero, Halide::Internal::simplify,
    Halide::Internal::substitute;
using Halide::Internal::For, Halide::Internal::Load, Halide::Internal::Ramp, Halide::Internal::Stmt;

constexpr int64_t kLineBytes = 64;

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

bool loads(const Stmt& statement, const std::string& buffer) {
  Loads loads(buffer);
  statement.accept(&loads);
  return !loads.found.empty();
}

// Whether a statement adds to a Func, and whether in a loop.
class Updates : public Halide::Internal::IRVisitor {
 public:
  explicit Updates(const std::string& func) : func_(func) {}
  bool found = false, in_loop = false;

 private:
  using IRVisitor::visit;
  void visit(const For* loop) override {
    ++depth_;
    IRVisitor::visit(loop);
    --depth_;
  }
  void visit(const Halide::Internal::Store* store) override {
    if (store->name != func_ || !loads(store, func_)) return;
    found = true;
    in_loop |= depth_ > 0;
  }

  const std::string& func_;
  int depth_ = 0;
};

Expr first_lane(const Expr& index) {
  if (const Ramp* ramp = index.as<Ramp>()) return ramp->base;
  return index.type().is_scalar() ? index : Halide::Internal::Shuffle::make_extract_element(index, 0);
}

// Halide declares LLVM's intrinsic for prefetches of its own; a call by this name reaches it.
Stmt prefetch(const std::string& name, const Expr& index, int bytes) {
  constexpr int kRead = 0, kSecondLevel = 2, kData = 1;
  const Expr buffer = Halide::Internal::Variable::make(Halide::Handle(), name);
  const Expr address = Halide::reinterpret<uint64_t>(buffer) + Halide::cast<uint64_t>(index * bytes);
  return Halide::Internal::Evaluate::make(Halide::Internal::Call::make(
      Halide::Int(32), "llvm.prefetch.p0", {Halide::reinterpret(Halide::Handle(), address), kRead, kSecondLevel, kData},
      Halide::Internal::Call::Extern));
}

// The index of the first element of a buffer that a turn of a loop reads, in the variables of the loops around.
class FirstLoad : public Halide::Internal::IRVisitor {
 public:
  explicit FirstLoad(const std::string& buffer) : buffer_(buffer) {}
  Expr index;
  int bytes = 0;

 private:
  using IRVisitor::visit;
  void visit(const Halide::Internal::LetStmt* let) override { visit_let(let); }
  void visit(const Halide::Internal::Let* let) override { visit_let(let); }
  void visit_let(const auto* let) {
    known_[let->name] = substitute(known_, let->value);
    IRVisitor::visit(let);
  }
  void visit(const For* loop) override {
    known_[loop->name] = substitute(known_, loop->min);
    IRVisitor::visit(loop);
  }
  void visit(const Load* load) override {
    IRVisitor::visit(load);
    if (load->name != buffer_ || index.defined()) return;
    index = simplify(substitute(known_, first_lane(load->index)));
    bytes = load->type.bytes();
  }

  const std::string& buffer_;
  std::map<std::string, Expr> known_;
};

// Of a buffer that each turn of a loop reads in a burst, and a Func behind that.
class BurstPrefetches : public Halide::Internal::IRMutator {
 public:
  explicit BurstPrefetches(Stream stream) : stream_(std::move(stream)) {}

 private:
  using IRMutator::visit;
  Stmt visit(const For* loop) override {
    Updates updates(stream_.during);
    loop->body.accept(&updates);
    if (!updates.found) return loop;
    if (first_.defined()) return inside_turn(loop, updates.in_loop);
    Stmt mutated = IRMutator::visit(loop);
    if (!mutated.same_as(loop) || !loads(loop->body, stream_.buffer)) return mutated;
    FirstLoad first(stream_.buffer);
    loop->body.accept(&first);
    first_ = first.index;
    bytes_ = first.bytes;
    mutated = IRMutator::visit(loop);
    first_ = {};
    return mutated;
  }

  // As deep as there is a line for each iteration.
  Stmt inside_turn(const For* loop, bool has_inner) {
    using Halide::Internal::Direction, Halide::Internal::find_constant_bound;
    const auto extent = as_const_int(find_constant_bound(loop->extent, Direction::Upper));
    if (!extent || (loops_.count > 1 && loops_.count * *extent > lines())) return loop;
    const Loops outer = loops_;
    const Expr variable = Halide::Internal::Variable::make(Halide::Int(32), loop->name);
    loops_ = {loops_.iteration * static_cast<int>(*extent) + (variable - loop->min), loops_.count * *extent};
    Stmt body = has_inner ? mutate(loop->body) : loop->body;
    if (body.same_as(loop->body)) body = Halide::Internal::Block::make(share(), body);
    loops_ = outer;
    return For::make(loop->name, loop->min, loop->extent, loop->for_type, loop->partition_policy, loop->device_api,
                     body);
  }

  int64_t elems_of_line() const { return kLineBytes / bytes_; }
  int64_t lines() const { return (stream_.ahead + elems_of_line() - 1) / elems_of_line(); }

  // This iteration's, of the lines of the next burst.
  Stmt share() const {
    const auto many = static_cast<int>((lines() + loops_.count - 1) / loops_.count),
               last = static_cast<int>(lines() - 1);
    std::vector<Stmt> statements;
    for (int line = 0; line < many; ++line) {
      const Expr at = min(loops_.iteration * many + line, last) * static_cast<int>(elems_of_line());
      statements.push_back(prefetch(stream_.buffer, Halide::cast<int64_t>(first_ + at) + Expr(stream_.ahead), bytes_));
    }
    return Halide::Internal::Block::make(statements);
  }

  // The loops between the turn and the statement: which of all their iterations this is.
  struct Loops {
    Expr iteration = 0;
    int64_t count = 1;
  };

  const Stream stream_;
  Expr first_;  // element of the turn's burst, of so many bytes
  int bytes_ = 0;
  Loops loops_;
};

class Prefetches : public Halide::Internal::IRMutator {
 public:
  explicit Prefetches(Stream stream) : stream_(std::move(stream)) {}

 private:
  // What an iteration prefetches where turns share it: `lines`, each beside one that it touches, from `elems` on behind
  // its own first one.
  struct Share {
    int lines;
    Expr elems;
  };

  // The innermost loop around, without what loops in it touch.
  struct Iteration {
    Expr first;  // index, of elements of so many bytes
    int bytes = 0;
    std::set<int64_t> lines;  // from `first` on
    std::optional<Share> share;
  };

  using IRMutator::visit;
  Stmt visit(const For* loop) override {
    const Iteration outer = std::exchange(iteration_, {});
    loops_.push_back(loop);
    Stmt mutated = IRMutator::visit(loop);
    if (const std::optional<Share> share = share_of_turns()) {
      iteration_ = {.share = share};
      mutated = IRMutator::visit(loop);
    }
    loops_.pop_back();
    iteration_ = outer;
    return mutated;
  }

  // Where iterations, of one loop or several, go on behind what the last one read, and the loop around goes through all
  // of it again in each of its turns, the turns share what lies ahead. By the first turn alone it would be asked for
  // faster than memory gives it, and its products would wait.
  std::optional<Share> share_of_turns() const {
    if (!iteration_.first.defined()) return std::nullopt;
    const auto variable = [](const For& of) { return Halide::Internal::Variable::make(Halide::Int(32), of.name); };
    const auto step_of = [&](const For& of) {
      return simplify(substitute(of.name, variable(of) + 1, iteration_.first) - iteration_.first);
    };
    const auto step = as_const_int(step_of(*loops_.back()));
    if (!step || *step <= 0) return std::nullopt;
    Expr iteration = 0, iterations = 1;  // this one, of how many
    auto loop = loops_.rbegin();
    for (; loop != loops_.rend() && Halide::Internal::expr_uses_var(iteration_.first, (*loop)->name); ++loop) {
      if (!is_const_zero(simplify(step_of(**loop) - iterations * static_cast<int>(*step)))) return std::nullopt;
      iteration += (variable(**loop) - (*loop)->min) * iterations;
      iterations *= (*loop)->extent;
    }
    if (loop == loops_.rend()) return std::nullopt;
    using Halide::Internal::Direction, Halide::Internal::find_constant_bound;
    const int64_t turns = as_const_int(find_constant_bound((*loop)->extent, Direction::Upper)).value_or(stream_.turns);
    const auto ceil_div = [](int64_t a, int64_t b) { return static_cast<int>((a + b - 1) / b); };
    const int64_t bytes = *step * iteration_.bytes;
    const int lines = ceil_div(bytes, kLineBytes * turns), sharing = ceil_div(bytes, kLineBytes * lines);
    const Expr turn = (variable(**loop) - (*loop)->min) % sharing;
    return Share{.lines = lines,
                 .elems = (turn * iterations + iteration) * lines * static_cast<int>(kLineBytes / iteration_.bytes) -
                          iteration * static_cast<int>(*step)};
  }

  Stmt visit(const Halide::Internal::LetStmt* let) override {
    lets_[let->name] = resolve(let->value);
    return IRMutator::visit(let);
  }

  // Without the variables of lets, which are other ones for each statement.
  Expr resolve(const Expr& expr) const { return Halide::Internal::substitute(lets_, expr); }

  Stmt visit(const Halide::Internal::Store* store) override {
    if (!stream_.stage.empty() && store->name != stream_.stage) return store;
    Loads loads(stream_.buffer);
    store->accept(&loads);
    std::vector<Stmt> statements;
    const auto touch = [&](const Expr& at, int bytes) {
      const std::optional<Expr> index = next_line(first_lane(at), bytes);
      if (index) {
        statements.push_back(prefetch(stream_.buffer, Halide::cast<int64_t>(*index) + Expr(stream_.ahead), bytes));
      }
    };
    for (const Load* load : loads.found) touch(load->index, load->type.bytes());
    if (store->name == stream_.buffer) touch(store->index, store->value.type().bytes());
    statements.emplace_back(store);
    return Halide::Internal::Block::make(statements);
  }

  // What is to be prefetched for an access, `ahead` of the index; nothing when its line is touched already.
  std::optional<Expr> next_line(const Expr& index, int bytes) {
    const Expr resolved = resolve(index);
    if (!iteration_.first.defined()) iteration_.first = resolved, iteration_.bytes = bytes;
    const auto offset = as_const_int(simplify(resolved - iteration_.first));
    if (!offset) return std::nullopt;
    const auto ordinal = static_cast<int64_t>(iteration_.lines.size());
    if (!iteration_.lines.insert(Halide::Internal::div_imp<int64_t>(*offset * bytes, kLineBytes)).second)
      return std::nullopt;
    if (!iteration_.share) return index;
    if (ordinal >= iteration_.share->lines) return std::nullopt;
    return index + (iteration_.share->elems + static_cast<int>(ordinal * kLineBytes / bytes - *offset));
  }

  const Stream stream_;
  std::map<std::string, Expr> lets_;
  std::vector<const For*> loops_;  // around
  Iteration iteration_;
};

}  // namespace

void add_prefetches(Halide::Pipeline& pipeline, const std::vector<Stream>& streams) {
  for (const Stream& stream : streams) {
    if (stream.during.empty()) {
      pipeline.add_custom_lowering_pass(new Prefetches(stream));
    } else {
      pipeline.add_custom_lowering_pass(new BurstPrefetches(stream));
    }
  }
}

}  // namespace convoke
