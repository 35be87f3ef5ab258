#include "compiler/driver/onednn/onednn.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "compiler/ops/conv2d.h"
#include "compiler/ops/linear.h"

extern "C" void omp_set_num_threads(int threads);  // Debian's oneDNN runs on libgomp

namespace convoke {
namespace {

using dnnl::memory;
using Clock = std::chrono::steady_clock;

enum class Direction { kForward, kData, kWeights };

// A tensor as oneDNN names its dimensions, in the order in which we hand it over.
struct Operand {
  memory::dims dims;
  memory::format_tag tag = memory::format_tag::undef;

  memory::desc ours() const { return {dims, memory::data_type::f32, tag}; }
  memory::desc any() const { return {dims, memory::data_type::f32, memory::format_tag::any}; }
};

struct Problem {
  Direction direction = Direction::kForward;
  bool is_linear = false, has_bias = false;
  Operand src, weights, bias, dst;
  memory::dims strides, dilations, padding_begin, padding_end;  // of convolutions
};

Problem conv2d_problem(const Conv2d& conv, int64_t n) {
  using Tag = memory::format_tag;
  const Window2d& w = conv.window;
  Problem problem{.has_bias = conv.has_bias,
                  .src = {{n, conv.in_c, conv.in.h, conv.in.w}, Tag::nhwc},
                  .weights = {{conv.out_c, conv.in_c, w.kernel.h, w.kernel.w}, Tag::oihw},
                  .bias = {{conv.out_c}, Tag::x},
                  .dst = {{n, conv.out_c, conv.out.h, conv.out.w}, Tag::nhwc},
                  .strides = {w.stride_y, w.stride_x},
                  .dilations = {w.dilation_y - 1, w.dilation_x - 1},
                  .padding_begin = {w.top, w.left},
                  .padding_end = {w.bottom, w.right}};
  if (conv.groups > 1) {
    problem.weights = {{conv.groups, conv.group_out_c(), conv.group_in_c(), w.kernel.h, w.kernel.w}, Tag::goihw};
  }
  return problem;
}

Problem linear_problem(const Linear& linear, int64_t n) {
  using Tag = memory::format_tag;
  Problem problem{.is_linear = true,
                  .has_bias = linear.has_bias,
                  .src = {{n, linear.in()}, Tag::nc},
                  .weights = {{linear.out, linear.in()}, Tag::oi},
                  .bias = {{linear.out}, Tag::x},
                  .dst = {{n, linear.out}, Tag::nc}};
  if (linear.is_image) {
    problem.src = {{n, linear.in_c, linear.in_size.h, linear.in_size.w}, Tag::nhwc};
    problem.weights = {{linear.out, linear.in_c, linear.in_size.h, linear.in_size.w}, Tag::oihw};
  }
  return problem;
}

Problem problem_of(const NodeView& node, int64_t n) {
  const auto with = [](Problem problem, Direction direction) {
    problem.direction = direction;
    return problem;
  };
  if (const auto conv = as_conv2d(node)) return conv2d_problem(*conv, n);
  if (const auto conv = as_conv2d_backward_data(node)) return with(conv2d_problem(*conv, n), Direction::kData);
  if (const auto conv = as_conv2d_backward_weights(node)) return with(conv2d_problem(*conv, n), Direction::kWeights);
  if (const auto linear = as_linear(node)) return linear_problem(*linear, n);
  if (const auto linear = as_linear_backward_data(node)) return with(linear_problem(*linear, n), Direction::kData);
  const auto linear = as_linear_backward_weights(node);
  ENSURE(linear) << node.op << " is no layer of oneDNN's";
  return with(linear_problem(*linear, n), Direction::kWeights);
}

// --- primitives ---

dnnl::convolution_forward::primitive_desc conv2d_forward(const Problem& p, dnnl::prop_kind kind,
                                                         const dnnl::primitive_attr& attr, const dnnl::engine& engine) {
  using Forward = dnnl::convolution_forward;
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_auto;
  const Forward::desc desc = p.has_bias
                                 ? Forward::desc(kind, kAlgorithm, p.src.any(), p.weights.any(), p.bias.any(),
                                                 p.dst.any(), p.strides, p.dilations, p.padding_begin, p.padding_end)
                                 : Forward::desc(kind, kAlgorithm, p.src.any(), p.weights.any(), p.dst.any(), p.strides,
                                                 p.dilations, p.padding_begin, p.padding_end);
  return {desc, attr, engine};
}

dnnl::inner_product_forward::primitive_desc linear_forward(const Problem& p, dnnl::prop_kind kind,
                                                           const dnnl::primitive_attr& attr,
                                                           const dnnl::engine& engine) {
  using Forward = dnnl::inner_product_forward;
  const Forward::desc desc = p.has_bias ? Forward::desc(kind, p.src.any(), p.weights.any(), p.bias.any(), p.dst.any())
                                        : Forward::desc(kind, p.src.any(), p.weights.any(), p.dst.any());
  return {desc, attr, engine};
}

dnnl::primitive_desc conv2d_backward(const Problem& p, const dnnl::engine& engine) {
  constexpr auto kAlgorithm = dnnl::algorithm::convolution_auto;
  const auto hint = conv2d_forward(p, dnnl::prop_kind::forward_training, {}, engine);
  if (p.direction == Direction::kData) {
    using Backward = dnnl::convolution_backward_data;
    return Backward::primitive_desc(Backward::desc(kAlgorithm, p.src.any(), p.weights.any(), p.dst.any(), p.strides,
                                                   p.dilations, p.padding_begin, p.padding_end),
                                    engine, hint);
  }
  using Backward = dnnl::convolution_backward_weights;
  return Backward::primitive_desc(Backward::desc(kAlgorithm, p.src.any(), p.weights.any(), p.dst.any(), p.strides,
                                                 p.dilations, p.padding_begin, p.padding_end),
                                  engine, hint);
}

dnnl::primitive_desc linear_backward(const Problem& p, const dnnl::engine& engine) {
  const auto hint = linear_forward(p, dnnl::prop_kind::forward_training, {}, engine);
  if (p.direction == Direction::kData) {
    using Backward = dnnl::inner_product_backward_data;
    return Backward::primitive_desc(Backward::desc(p.src.any(), p.weights.any(), p.dst.any()), engine, hint);
  }
  using Backward = dnnl::inner_product_backward_weights;
  return Backward::primitive_desc(Backward::desc(p.src.any(), p.weights.any(), p.dst.any()), engine, hint);
}

dnnl::primitive_desc make_primitive(const Problem& p, bool training, const dnnl::primitive_attr& attr,
                                    const dnnl::engine& engine) {
  if (p.direction != Direction::kForward) return p.is_linear ? linear_backward(p, engine) : conv2d_backward(p, engine);
  const auto kind = training ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference;
  if (p.is_linear) return linear_forward(p, kind, attr, engine);
  return conv2d_forward(p, kind, attr, engine);
}

// --- operands ---

struct Argument {
  int id;  // DNNL_ARG_…
  Operand operand;
};

// Of the anchor, in its order.
std::vector<Argument> inputs_of(const Problem& p) {
  if (p.direction == Direction::kData) return {{DNNL_ARG_DIFF_DST, p.dst}, {DNNL_ARG_WEIGHTS, p.weights}};
  if (p.direction == Direction::kWeights) return {{DNNL_ARG_DIFF_DST, p.dst}, {DNNL_ARG_SRC, p.src}};
  std::vector<Argument> inputs = {{DNNL_ARG_SRC, p.src}, {DNNL_ARG_WEIGHTS, p.weights}};
  if (p.has_bias) inputs.push_back({DNNL_ARG_BIAS, p.bias});
  return inputs;
}

Argument output_of(const Problem& p) {
  if (p.direction == Direction::kData) return {DNNL_ARG_DIFF_SRC, p.src};
  if (p.direction == Direction::kWeights) return {DNNL_ARG_DIFF_WEIGHTS, p.weights};
  return {DNNL_ARG_DST, p.dst};
}

NodeView anchor_of(const Kernel& kernel) {
  return view(kernel.body, kernel.body.nodes[static_cast<size_t>(kernel.anchor)]);
}

class Layer {
 public:
  explicit Layer(const OneDnnWork& work)
      : threads_(work.threads), problem_(problem_of(anchor_of(*work.kernel), work.n)), output_(output_of(problem_)) {
    omp_set_num_threads(threads_);
    fuse(*work.kernel, work.inputs);
    desc_ = make_primitive(problem_, work.training, attr_, engine_);
    primitive_ = dnnl::primitive(desc_);
    const std::vector<Argument> arguments = inputs_of(problem_);
    copies_.resize(static_cast<size_t>(work.copies));
    for (size_t a = 0; a < arguments.size(); ++a) {
      const bool is_shared = work.kernel->body.type(work.kernel->inputs[a]).has_batch();
      for (size_t c = 0; c < copies_.size(); ++c) {
        copies_[c][arguments[a].id] =
            is_shared && c > 0 ? copies_[0][arguments[a].id] : in_its_format(arguments[a], work.inputs[a]);
      }
    }
    const memory result(desc_.query_md(dnnl::query::exec_arg_md, output_.id), engine_);
    for (auto& copy : copies_) copy[output_.id] = result;
    reset_output();
  }

  double call() {
    omp_set_num_threads(threads_);
    const auto start = Clock::now();
    for (const auto& copy : copies_) primitive_.execute(stream_, copy);
    stream_.wait();
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / static_cast<double>(copies_.size());
  }

  std::vector<float> outputs() {
    omp_set_num_threads(threads_);
    reset_output();
    primitive_.execute(stream_, copies_[0]);
    const memory::desc ours = output_.operand.ours();
    std::vector<float> values(ours.get_size() / sizeof(float));
    memory to(ours, engine_, values.data());
    move(copies_[0][output_.id], to);
    return values;
  }

 private:
  // What follows the anchor. The other term of an addition stands in the output's place before a call; calls that are
  // timed add to what the last one left there.
  void fuse(const Kernel& kernel, const std::vector<std::vector<float>>& inputs) {
    dnnl::post_ops post_ops;
    for (size_t n = static_cast<size_t>(kernel.anchor) + 1; n < kernel.body.nodes.size(); ++n) {
      const Node& node = kernel.body.nodes[n];
      if (is_source(node.op)) continue;
      if (node.inputs.size() == 1) {
        post_ops.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
        continue;
      }
      post_ops.append_sum(1);
      for (const ValueId term : node.inputs) {
        const auto input = std::ranges::find(kernel.inputs, term);
        if (input != kernel.inputs.end()) addend_ = inputs[static_cast<size_t>(input - kernel.inputs.begin())];
      }
    }
    attr_.set_post_ops(post_ops);
  }

  void move(const memory& from, memory& to) {
    dnnl::reorder(from, to).execute(stream_, const_cast<memory&>(from), to);
    stream_.wait();
  }

  memory in_its_format(const Argument& argument, const std::vector<float>& values) {
    const memory from(argument.operand.ours(), engine_, const_cast<float*>(values.data()));
    memory to(desc_.query_md(dnnl::query::exec_arg_md, argument.id), engine_);
    move(from, to);
    return to;
  }

  void reset_output() {
    if (addend_.empty()) return;
    const memory from(output_.operand.ours(), engine_, addend_.data());
    move(from, copies_[0][output_.id]);
  }

  int threads_;
  Problem problem_;
  Argument output_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::primitive_attr attr_;
  dnnl::primitive_desc desc_;
  dnnl::primitive primitive_;
  std::vector<std::unordered_map<int, memory>> copies_;
  std::vector<float> addend_;
};

// oneDNN reports by exceptions; they end here.
template <typename Work>
auto guarded(const Work& work) -> Result<decltype(work())> {
  try {
    return work();
  } catch (const dnnl::error& error) {
    return internal_error(std::string("oneDNN: ") + error.what());
  }
}

}  // namespace

Result<OneDnnLayer> make_onednn_layer(const OneDnnWork& work) {
  ASSIGN_OR_RETURN(const auto layer, guarded([&] { return std::make_shared<Layer>(work); }));
  return OneDnnLayer{.call = [layer] { return guarded([&] { return layer->call(); }); },
                     .outputs = [layer] { return guarded([&] { return layer->outputs(); }); }};
}

Result<std::string> onednn_version() {
  const dnnl_version_t& version = *dnnl::version();
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
}

}  // namespace convoke
