// Tuples whose sums add up in place, and the stores that they do without (row_sums.h).
#include "schedules/templates/row_sums.h"

#include <map>
#include <numeric>

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
  const int pixels = std::gcd(side_by_side, w);
  const Expr value = result(c, x, y, n), begin = x / pixels * pixels, first = select(x == 0, value, old(1));
  Expr sum, squares;
  for (int i = 0; i < pixels; ++i) {
    const Expr distance = result(c, begin + i, y, n) - (pixels == 1 ? first : old(1)), square = distance * distance;
    // A row's first distance is zero, which as a constant would keep a register over all loops.
    sum = i > 0 ? sum + distance : select(begin == 0, distance, old(2) + distance);
    squares = i > 0 ? squares + square : select(begin == 0, square, old(3) + square);
  }
  const Expr is_begin = x == begin, is_end = x == begin + pixels - 1;
  all(c, x, y, n) = Halide::Tuple(value, select(is_begin, first, old(1)), select(is_end, sum, old(2)),
                                  select(is_end, squares, old(3)));
  return all;
}

Halide::Stage loops_of(Func& out) { return out.has_update_definition() ? out.update() : Halide::Stage(out); }

void drop_unchanged_stores(Halide::Pipeline& pipeline) { pipeline.add_custom_lowering_pass(new UnchangedStores); }

}  // namespace convoke
