#include "compiler/ops/lower/elementwise.h"

namespace convoke {

std::vector<Halide::Var> make_vars(const Type& type) {
  std::vector<Halide::Var> vars;
  for (int i = 0; i < type.rank(); ++i) vars.emplace_back("d" + std::to_string(i));
  return vars;
}

}  // namespace convoke
