#include "tests/kernels/random_graph.h"

#include <cmath>
#include <random>

#include "compiler/ops/op.h"

namespace convoke {
namespace {

const Type kImage = f32({kBatch, 3, 2, 5}), kChannels = f32({5}), kWeight = f32({5, 5, 1, 1});

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed), builder_(make_builder("random")) {}

  Graph run() {
    for (const char* name : {"x", "y"}) images_.push_back(builder_.input(name, kImage));
    for (const char* name : {"p", "q"}) channels_.push_back(builder_.parameter(name, kChannels));
    weights_.push_back(builder_.parameter("w", kWeight));
    builder_.set_phase(Phase::kPrepare);
    for (int i = pick(4); i > 0; --i) add_prepared();
    builder_.set_phase(Phase::kForward);
    for (int i = 3 + pick(20); i > 0; --i) add_node();
    for (int i = 1 + pick(2); i > 0; --i) builder_.output(take(images_));
    if (pick(2) != 0) builder_.output(channels_.back());
    return std::move(builder_).take();
  }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<uint64_t>(count)); }
  // Mostly a late one, so that graphs are deep.
  ValueId take(const std::vector<ValueId>& values) {
    const int back = std::min(pick(6), pick(static_cast<int>(values.size())));
    return values[values.size() - 1 - static_cast<size_t>(back)];
  }
  ValueId positive() { return builder_.add1("positive", "sigmoid", {take(channels_)}); }

  void add_prepared() {
    if (pick(2) == 0) return channels_.push_back(builder_.add1("c", "add", {take(channels_), take(channels_)}));
    weights_.push_back(builder_.add1("folded", "batch_norm_fold_weights", {take(weights_), take(channels_), positive()},
                                     {{"epsilon", 0.1}}));
  }

  void add_node() {
    static constexpr const char* kUnary[] = {"relu", "sigmoid", "tanh"};
    switch (pick(9)) {
      case 0:
      case 1:
        return images_.push_back(builder_.add1("u", kUnary[pick(3)], {take(images_)}));
      case 2:
        return images_.push_back(builder_.add1("a", "add", {take(images_), take(images_)}));
      case 3:
        return channels_.push_back(builder_.add1("t", "tanh", {take(channels_)}));
      case 4:
        return channels_.push_back(builder_.add1("ca", "add", {take(channels_), take(channels_)}));
      case 5:
        return images_.push_back(builder_.add1(
            "norm", "batch_norm2d", {take(images_), take(channels_), take(channels_), take(channels_), positive()},
            {{"epsilon", 0.1}}));
      case 6: {
        const std::vector<ValueId> moments = builder_.add("moments", "channel_moments", {take(images_)});
        return channels_.insert(channels_.end(), moments.begin(), moments.end()), void();
      }
      case 7: {
        const Attrs attrs = {{"dilation", std::vector<int64_t>{1, 1}},
                             {"kernel_size", std::vector<int64_t>{3, 3}},
                             {"padding", std::vector<int64_t>{1, 1, 1, 1}},
                             {"stride", std::vector<int64_t>{1, 1}}};
        return images_.push_back(builder_.add("pool", "max_pool2d", {take(images_)}, attrs)[0]);
      }
      default: {
        const Attrs attrs = {{"dilation", std::vector<int64_t>{1, 1}},
                             {"groups", int64_t{1}},
                             {"padding", std::vector<int64_t>{0, 0, 0, 0}},
                             {"stride", std::vector<int64_t>{1, 1}}};
        return images_.push_back(
            builder_.add1("conv", "conv2d", {take(images_), take(weights_), take(channels_)}, attrs));
      }
    }
  }

  std::mt19937_64 random_;
  Builder builder_;
  std::vector<ValueId> images_, channels_, weights_;
};

}  // namespace

Graph random_graph(uint64_t seed) { return Generator(seed).run(); }

Environment make_sources(const Graph& graph, int64_t batch) {
  Environment sources;
  for (size_t v = 0; v < graph.values.size(); ++v) {
    if (!graph.is_source_value(static_cast<ValueId>(v))) continue;
    const Type& type = graph.values[v].type;
    std::vector<int64_t> dims = type.dims;
    if (type.has_batch()) dims[0] = batch;
    Tensor tensor(dims);
    for (size_t i = 0; i < tensor.data.size(); ++i) {
      const double wave = std::sin(0.7 + static_cast<double>(v) * 1.9 + static_cast<double>(i) * 2.3);
      tensor.data[i] = type.dtype == DType::kF32 ? static_cast<float>(wave) : static_cast<double>(i % 10);
    }
    sources[graph.values[v].name] = std::move(tensor);
  }
  return sources;
}

}  // namespace convoke
