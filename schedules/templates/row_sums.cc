// Tuples whose sums add up in place, and the stores that they do without (row_sums.h).
#include "schedules/templates/row_sums.h"

#include <algorithm>
#include <map>
#include <vector>

namespace convoke {

using Halide::Expr, Halide::Func, Halide::Var;
using Halide::Internal::IRMutator, Halide::Internal::LetStmt, Halide::Internal::Load, Halide::Internal::Store;

namespace {

class UnchangedStores : public IRMutator {
  using IRMutator::visit;

  Halide::Internal::Stmt visit(const LetStmt* let) override {
    lets_[let->name] = resolve(let->value);
    return IRMutator::visit(let);
  }

  Halide::Internal::Stmt visit(const Store* store) override {
    const Expr value = resolve(store->value);
    const Load* load = value.as<Load>();
    const bool is_unchanged =
        load != nullptr && load->name == store->name && is_const_zero(simplify(load->index - resolve(store->index)));
    return is_unchanged ? Halide::Internal::Evaluate::make(0) : Halide::Internal::Stmt(store);
  }

  Expr resolve(const Expr& expr) const { return Halide::Internal::substitute(lets_, expr); }

  std::map<std::string, Expr> lets_;
};

}  // namespace

Func with_row_sums(const Func& result, int w, int side_by_side) {
  Var c("c"), x("x"), y("y"), n("n");
  Func all("output");
  all(c, x, y, n) = Halide::Tuple(std::vector<Expr>(4, Halide::undef<float>()));
  const auto old = [&](int output) -> Expr { return all(c, x, y, n)[output]; };
  const int pixels = std::min(side_by_side, w), rest = w % pixels;
  const Expr place = x % pixels, begin = x / pixels * pixels;
  const Expr value = result(c, x, y, n), first = select(x == 0, value, old(1));
  Expr sum = old(2), square = old(3);
  // The last of the pixels [from, to) adds what they have.
  const auto add_at_end = [&](int from, int to) {
    // A row's first distance is zero, which as a constant would keep a register over all loops: it starts the sums.
    const auto plus = [&](const Expr& before, const Expr& term, int i) {
      return i == 0 ? select(x < pixels, term, before + term) : before + term;
    };
    Expr sum_at_end = old(2), square_at_end = old(3);
    for (int i = from; i < to; ++i) {
      const Expr distance = result(c, begin + i, y, n) - (to == 1 ? first : old(1));
      sum_at_end = plus(sum_at_end, distance, i);
      square_at_end = plus(square_at_end, distance * distance, i);
    }
    sum = select(place == to - 1, sum_at_end, sum);
    square = select(place == to - 1, square_at_end, square);
  };
  if (rest > 0) add_at_end(0, rest);  // where the row may end
  add_at_end(rest, pixels);
  all(c, x, y, n) = Halide::Tuple(value, select(place == 0, first, old(1)), sum, square);
  return all;
}

Halide::Stage loops_of(Func& out) { return out.has_update_definition() ? out.update() : Halide::Stage(out); }

void drop_unchanged_stores(Halide::Pipeline& pipeline) { pipeline.add_custom_lowering_pass(new UnchangedStores); }

}  // namespace convoke
