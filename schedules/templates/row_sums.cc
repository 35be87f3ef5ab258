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
  Expr sums = old(2), squares = old(3);
  // What the last of the pixels [from, to) adds.
  const auto add_at_end_of = [&](int from, int to) {
    Expr sum = old(2), square = old(3);
    for (int i = from; i < to; ++i) {
      const Expr distance = result(c, begin + i, y, n) - (to == 1 ? first : old(1));
      // A row's first distance is zero, which as a constant would keep a register over all loops.
      sum = i == 0 ? select(x < pixels, distance, sum + distance) : sum + distance;
      square =
          i == 0 ? select(x < pixels, distance * distance, square + distance * distance) : square + distance * distance;
    }
    sums = select(place == to - 1, sum, sums);
    squares = select(place == to - 1, square, squares);
  };
  if (rest > 0) add_at_end_of(0, rest);  // where the row may end
  add_at_end_of(rest, pixels);
  all(c, x, y, n) = Halide::Tuple(value, select(place == 0, first, old(1)), sums, squares);
  return all;
}

Halide::Stage loops_of(Func& out) { return out.has_update_definition() ? out.update() : Halide::Stage(out); }

void drop_unchanged_stores(Halide::Pipeline& pipeline) { pipeline.add_custom_lowering_pass(new UnchangedStores); }

}  // namespace convoke
