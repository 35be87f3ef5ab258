// dropout_train: select(philox(e, s, stream, 0; random) ≥ p·2³², x/(1−p), 0).
#include "compiler/ops/dropout_train.h"

#include "compiler/ops/lower/elementwise.h"

namespace convoke {
namespace {

using Halide::cast, Halide::Expr, Halide::Func;

Expr u32(uint32_t value) { return Halide::Internal::make_const(Halide::UInt(32), value); }

// The first word of Philox4x32-10, as runtime/core/philox.h.
Expr philox_word(std::array<Expr, 4> c, Expr key) {
  Expr key1 = u32(0);
  for (int round = 0; round < 10; ++round) {
    const Expr p0 = cast<uint64_t>(c[0]) * cast<uint64_t>(u32(0xD2511F53)),
               p1 = cast<uint64_t>(c[2]) * cast<uint64_t>(u32(0xCD9E8D57));
    c = {cast<uint32_t>(p1 >> 32) ^ c[1] ^ key, cast<uint32_t>(p1), cast<uint32_t>(p0 >> 32) ^ c[3] ^ key1,
         cast<uint32_t>(p0)};
    key = key + u32(0x9E3779B9);
    key1 = key1 + u32(0xBB67AE85);
  }
  return c[0];
}

}  // namespace

std::vector<Func> lower_dropout_train(const NodeView& node, const LowerInputs& inputs) {
  const Dropout dropout = as_dropout_train(node);
  const std::vector<int64_t>& dims = node.inputs[0].dims;
  return elementwise(node, [&](const Place& at) {
    Expr e = 0;
    int stride = 1;
    for (size_t i = 0; i + 1 < at.size(); ++i) {
      e += at[i] * stride;
      stride *= static_cast<int>(dims[dims.size() - 1 - i]);
    }
    const Expr key = cast<uint32_t>(inputs.funcs[1]());
    const Expr word = philox_word({cast<uint32_t>(e), cast<uint32_t>(at.back()), u32(dropout.stream), u32(0)}, key);
    return select(word >= u32(dropout.threshold), inputs.funcs[0](at) * dropout.scale, 0.0f);
  });
}

}  // namespace convoke
