#include "tests/random_graph/generate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "compiler/frontend/import.h"

namespace convoke {
namespace {

constexpr int64_t kMaxActivation = 3000, kMaxParameter = 10000;  // elements: the reference is slow
constexpr int kLeastPixels = 8;                                  // of a batch norm, so that one sample has a variance

// A layer's output. `shifted`: a bias was added behind the last activation function, so that a batch norm here would
// make that bias idle.
struct Value {
  std::string name;
  std::vector<int64_t> dims;  // n first
  bool shifted = false;
  bool image() const { return dims.size() == 4; }
  int64_t pixels() const { return dims[1] * dims[2]; }
  int64_t channels() const { return dims.back(); }
};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  RandomModel run() {
    model_.optimizer = random_optimizer();
    classes_ = random_.between(2, 13);
    head_ = fmt::format("name: \"random\"\nclasses: {}\n", classes_);
    Value value = random_.one_in(8) ? vector_input("input") : start();
    std::optional<Value> middle;
    for (int64_t left = value.image() ? random_.between(2, 4) : 0; left > 0; --left) {
      value = section(value);
      if (!middle) middle = value;
    }
    std::vector<std::string> outputs;
    if (value.image() && random_.one_in(8)) {
      model_.trained = false;
      outputs.push_back(activation(value).name);
    } else {
      outputs.push_back(classifier(value));
    }
    if (middle && random_.one_in(2)) outputs.push_back(classifier(*middle));
    std::string names;
    for (const std::string& output : outputs) names += fmt::format("output: \"{}\"\n", output);
    model_.definition = head_ + layers_ + names;
    model_.capacity = random_.of<int64_t>({2, 3, 5, 8, 16});
    if (random_.one_in(3)) model_.label_smoothing = 0.1;
    if (random_.one_in(4) && model_.trained && learners_.size() > 1) model_.freeze = {random_.of(learners_)};
    return std::move(model_);
  }

 private:
  OptimizerOptions random_optimizer() {
    OptimizerOptions options;
    options.kind = random_.of<OptimizerOptions::Kind>(
        {OptimizerOptions::kSgd, OptimizerOptions::kSgd, OptimizerOptions::kAdam, OptimizerOptions::kAdamW});
    options.momentum = random_.one_in(4) ? 0 : 0.9;
    options.nesterov = options.momentum > 0 && random_.one_in(2);
    options.weight_decay = random_.one_in(2) ? 0.01 : 0;
    options.epsilon = 1e-3;  // else Adam divides rounding by rounding where a gradient is zero
    return options;
  }

  // Adds a layer, unless import refuses it or it is too large.
  std::optional<Value> try_layer(const std::string& op, const std::vector<Value>& inputs, bool shifted) {
    const std::string name = fmt::format("{}{}", op.substr(0, op.find(' ')), ++count_);
    std::string line = fmt::format("layer {{ name: \"{}\"", name);
    for (const Value& input : inputs) line += fmt::format(" input: \"{}\"", input.name);
    line += fmt::format(" {} }}\n", op);
    const std::string output = fmt::format("output: \"{}\"\n", name);
    const ImportResult result = import_model_bytes(head_ + layers_ + line + outputs_ + output, "random.textproto");
    if (!result.ok()) return std::nullopt;
    const Graph& graph = result.model.graph;
    for (const convoke::Value& value : graph.values) {
      const bool parameter = graph.nodes[value.node].op == "parameter";
      if (value.type.elems() > (parameter ? kMaxParameter : kMaxActivation)) return std::nullopt;
    }
    layers_ += line;
    outputs_ += output;
    return Value{name, graph.type(graph.outputs.back()).dims, shifted};
  }

  Value layer(const std::string& op, const std::vector<Value>& inputs, bool shifted) {
    std::optional<Value> value = try_layer(op, inputs, shifted);
    ENSURE(value) << op << " in\n" << head_ << layers_;
    return *value;
  }

  Value vector_input(const std::string& name) {
    const int64_t channels = random_.between(1, 30);
    head_ += fmt::format("input {{ name: \"{}\" channels: {} }}\n", name, channels);
    return {name, {kBatch, channels}};
  }

  Value image_input(const std::string& name, int64_t height, int64_t width) {
    const int64_t channels = random_.between(1, 5);
    head_ += fmt::format("input {{ name: \"{}\" height: {} width: {} channels: {} }}\n", name, height, width, channels);
    return {name, {kBatch, height, width, channels}};
  }

  // One image; or two, added behind a convolution each.
  Value start() {
    const Value x = image_input("input", random_.between(6, 15), random_.between(6, 15));
    if (!random_.one_in(5)) return x;
    const auto project = [this, channels = random_.between(1, 9)](const Value& image) {
      return layer(fmt::format("conv2d {{ channels: {} kernel: {} same: true }}", channels, pair(1, 4)), {image}, true);
    };
    const Value a = project(x);  // before there is another input: import refuses what nobody reads
    const Value b = project(image_input("other", x.dims[1], x.dims[2]));
    return activation(layer("add {}", {a, b}, true));
  }

  Value activation(const Value& x) {
    const bool softmax = x.channels() > 1 && random_.one_in(8);
    return layer(softmax ? "softmax {}" : random_.of<std::string>({"relu {}", "relu {}", "sigmoid {}", "tanh {}"}), {x},
                 false);
  }

  Value batch_norm(Value x) {
    if (x.shifted) x = activation(x);
    const std::string epsilon = random_.one_in(3) ? "epsilon: 0.001 momentum: 0.3" : "";
    Value y = layer(fmt::format("batch_norm2d {{ {} }}", epsilon), {x}, true);
    learners_.push_back(y.name);
    return y;
  }

  std::string pair(int64_t low, int64_t high) {
    const int64_t y = random_.between(low, high);
    return random_.one_in(2) ? fmt::format("{}", y) : fmt::format("[{},{}]", y, random_.between(low, high));
  }

  std::string padding(int64_t high) {
    if (random_.one_in(4)) return "same: true";
    if (random_.one_in(3)) return "";
    if (random_.one_in(2)) return fmt::format("padding: {}", pair(0, high));
    return fmt::format("padding: [{},{},{},{}]", random_.between(0, high), random_.between(0, high),
                       random_.between(0, high), random_.between(0, high));
  }

  struct Wish {
    bool bias;
    bool like_input;  // same size and channels, for residuals
    bool normed;  // a batch norm follows. It makes a filter's scale idle: of one weight the gradient would be rounding
  };
  Value convolution(const Value& x, Wish wish) {
    std::vector<int64_t> divisors;
    for (int64_t g = 1; g <= x.channels(); ++g) {
      if (x.channels() % g == 0) divisors.push_back(g);
    }
    for (;;) {
      const int64_t groups = random_.one_in(2) ? 1 : random_.of(divisors);
      const int64_t channels =
          wish.like_input ? x.channels() : groups * random_.between(1, std::max<int64_t>(1, 19 / groups));
      const int64_t height = random_.between(1, 5), width = random_.one_in(2) ? height : random_.between(1, 5);
      if (wish.normed && x.channels() / groups * height * width < 3) continue;
      const std::string strides = random_.one_in(2) ? "1" : pair(1, 3);
      const std::string window = wish.like_input ? "same: true" : fmt::format("stride: {} {}", strides, padding(3));
      const std::string op =
          fmt::format("conv2d {{ channels: {} kernel: [{},{}] groups: {} bias: {} {} dilation: {} }}", channels, height,
                      width, groups, wish.bias, window, random_.one_in(2) ? "1" : pair(1, 3));
      if (std::optional<Value> y = try_layer(op, {x}, x.shifted || wish.bias)) {
        learners_.push_back(y->name);
        return *y;
      }
    }
  }

  Value convolution_section(const Value& x, bool like_input) {
    if (random_.one_in(3)) {
      const Value y = convolution(x, {.bias = !random_.one_in(4), .like_input = like_input, .normed = false});
      return random_.one_in(4) ? y : activation(y);
    }
    const Value operand = x.shifted ? activation(x) : x;
    const bool idle_bias = model_.optimizer.kind == OptimizerOptions::kSgd && random_.one_in(4);
    Value y = convolution(operand, {.bias = idle_bias, .like_input = like_input, .normed = true});
    if (y.pixels() < kLeastPixels) return activation(y);
    if (idle_bias) model_.idle_biases.push_back(y.name + ".bias");
    y.shifted = false;
    y = batch_norm(y);
    return random_.one_in(4) ? y : activation(y);
  }

  Value pooling(const Value& x) {
    for (;;) {
      const bool average = random_.one_in(2);
      std::string op =
          fmt::format("{} {{ kernel: {} {}", average ? "avg_pool2d" : "max_pool2d", pair(1, 4), padding(2));
      if (!random_.one_in(3)) op += fmt::format(" stride: {}", pair(1, 3));
      if (average) op += fmt::format(" count_include_pad: {}", random_.one_in(2));
      if (!average && random_.one_in(2)) op += fmt::format(" dilation: {}", pair(1, 2));
      if (std::optional<Value> y = try_layer(op + " }", {x}, x.shifted)) return *y;
    }
  }

  Value residual(const Value& x) {
    const Value y = convolution_section(x, true);
    const Value other = random_.one_in(3) ? convolution_section(x, true) : x;
    const Value sum = layer("add {}", {y, other}, y.shifted || other.shifted);
    return random_.one_in(3) ? sum : activation(sum);
  }

  Value section(const Value& x) {
    switch (random_.between(0, 5)) {
      case 0:
        return pooling(x);
      case 1:
        return x.pixels() >= kLeastPixels ? batch_norm(x) : convolution_section(x, false);
      case 2:
      case 3:
        return residual(x);
      default:
        return convolution_section(x, false);
    }
  }

  Value flattened(Value x) {
    if (!x.image()) return x;
    const bool large = x.pixels() * x.channels() * classes_ > kMaxParameter;
    if (large || random_.one_in(2)) {
      if (x.shifted) x = activation(x);  // the average of one sample behind a batch norm is a constant
      x = layer("global_avg_pool2d {}", {x}, false);
    }
    return layer("flatten {}", {x}, x.shifted);
  }

  std::string classifier(Value x) {
    x = flattened(x);
    if (random_.one_in(2)) {
      if (auto hidden =
              try_layer(fmt::format("linear {{ features: {} bias: {} }}", random_.between(3, 40), random_.one_in(2)),
                        {x}, true)) {
        learners_.push_back(hidden->name);
        x = activation(*hidden);
      }
    }
    const std::string size = random_.one_in(2) ? "features_from: \"classes\"" : fmt::format("features: {}", classes_);
    Value y = layer(fmt::format("linear {{ {} }}", size), {x}, true);
    learners_.push_back(y.name);
    return random_.one_in(8) ? layer("softmax {}", {y}, false).name : y.name;
  }

  Random random_;
  RandomModel model_;
  int64_t classes_ = 0;
  int count_ = 0;
  std::string head_, layers_;
  std::string outputs_;                // every layer, while the network grows: import refuses what nobody reads
  std::vector<std::string> learners_;  // layers with parameters
};

}  // namespace

RandomModel random_model(uint64_t seed, int attempt) {
  return Generator(seed + (static_cast<uint64_t>(attempt) << 32)).run();
}

}  // namespace convoke
