#include "compiler/autodiff/differentiate.h"

#include <regex>

#include "compiler/ops/op.h"

namespace convoke {
namespace {

constexpr const char* kGradientSuffix = ".grad";

class Differentiator {
 public:
  Differentiator(const Graph& forward, const TrainingOptions& options)
      : forward_(forward), options_(options), builder_(make_builder(forward.name)) {}

  Result<Graph> run() {
    for (ValueId output : forward_.outputs) {
      const Type& type = forward_.type(output);
      if (type.dtype == DType::kF32 && type.has_batch() && type.rank() == 2) continue;
      return invalid_argument("output \"" + forward_.values[output].name + "\" is " + to_string(type) +
                              ", expected logits f32[n,classes] to train with cross entropy");
    }
    RETURN_IF_ERROR(check_names());
    copy_forward();
    add_loss();
    builder_.set_phase(Phase::kBackward);
    for (auto node = static_cast<NodeId>(forward_.nodes.size()) - 1; node >= 0; --node) {
      RETURN_IF_ERROR(differentiate_node(node));
    }
    if (!store_gradients()) return invalid_argument("no parameter is left to train");
    return std::move(builder_).take();
  }

 private:
  // The plan finds what training adds by name.
  Status check_names() const {
    std::vector<std::string> added = {"labels", "loss_scale", "accumulate", "loss", "accuracy"};
    for (ValueId output : forward_.outputs) added.push_back(name(output) + kGradientSuffix);
    for (const Node& node : forward_.nodes) {
      if (node.op == "parameter") added.push_back(name(node.results[0]) + kGradientSuffix);
    }
    const ValueId random = find_value(forward_, "random");  // train_dropout's is the run-time scalar
    if (random != kNoValue && forward_.type(random) != f32({})) added.emplace_back("random");
    for (const std::string& taken : added) {
      if (find_value(forward_, taken) == kNoValue) continue;
      return invalid_argument("\"" + taken + "\" is a name that training uses itself; give the layer another");
    }
    return ok_status();
  }

  // Values keep their ids: the forward graph is copied node by node in its order.
  void copy_forward() {
    needs_gradient_.resize(forward_.values.size());
    gradients_.resize(forward_.values.size(), kNoValue);
    const std::regex frozen(options_.freeze);
    for (size_t i = 0; i < forward_.nodes.size(); ++i) {
      const Node& node = forward_.nodes[i];
      builder_.copy(forward_, static_cast<NodeId>(i), node.inputs);
      bool needed = node.op == "parameter" && !std::regex_match(forward_.values[node.results[0]].name, frozen);
      for (ValueId input : node.inputs) needed |= needs_gradient_[input];
      for (ValueId result : node.results) needs_gradient_[result] = needed;
    }
    for (const Store& store : forward_.stores) builder_.store(store.state, store.value);
  }

  void add_loss() {
    const ValueId labels = builder_.input("labels", i32({kBatch}));
    const ValueId scale = builder_.input("loss_scale", f32({}));
    const Attrs attrs = {{"label_smoothing", options_.label_smoothing}};
    builder_.set_phase(Phase::kLoss);
    ValueId loss = kNoValue;
    const bool several = forward_.outputs.size() > 1;
    for (size_t i = 0; i < forward_.outputs.size(); ++i) {
      const ValueId output = forward_.outputs[i];
      const bool last = i + 1 == forward_.outputs.size();
      const ValueId term =
          builder_.add1(several ? name(output) + ".loss" : "loss", "cross_entropy", {output, labels}, attrs);
      loss = loss == kNoValue ? term : builder_.add1(last ? "loss" : "loss.partial", "add", {loss, term});
      add_gradient(output, builder_.add1(name(output) + kGradientSuffix, "cross_entropy_backward",
                                         {output, labels, scale}, attrs));
    }
    const ValueId accuracy = builder_.add1("accuracy", "accuracy", {forward_.outputs[0], labels});
    for (ValueId output : forward_.outputs) builder_.output(output);
    builder_.output(loss);
    builder_.output(accuracy);
  }

  Status differentiate_node(NodeId id) {
    const Node& node = forward_.nodes[id];
    if (is_source(node.op) || !needs_gradient_[node.results[0]]) return ok_status();
    std::vector<ValueId> dys;
    bool arrives = false;
    for (ValueId result : node.results) {
      dys.push_back(gradients_[result]);
      arrives |= dys.back() != kNoValue;
    }
    if (!arrives) return ok_status();
    const OpDef& op = op_of(node);
    if (op.vjp == nullptr) {
      return invalid_argument("layer \"" + name(node.results[0]) + "\": " + node.op + " has no derivative");
    }
    const std::vector<ValueId> dxs =
        op.vjp(builder_, view(forward_, node), {name(node.results[0]) + ".backward", node.inputs, node.results}, dys);
    for (size_t i = 0; i < dxs.size(); ++i) {
      if (dxs[i] != kNoValue && needs_gradient_[node.inputs[i]]) add_gradient(node.inputs[i], dxs[i]);
    }
    return ok_status();
  }

  void add_gradient(ValueId value, ValueId gradient) {
    ValueId& sum = gradients_[value];
    sum = sum == kNoValue ? gradient : builder_.add1(name(value) + ".sum", "add", {sum, gradient});
  }

  // In the parameters' order, behind the backward pass: an accumulate fuses into the kernel that makes its gradient.
  bool store_gradients() {
    const ValueId flag = builder_.input("accumulate", f32({}));
    for (const Node& node : forward_.nodes) {
      if (node.op != "parameter" || gradients_[node.results[0]] == kNoValue) continue;
      const ValueId parameter = node.results[0];
      const ValueId state = builder_.state(name(parameter) + kGradientSuffix, forward_.type(parameter), "gradients");
      const ValueId sum =
          builder_.add1(name(parameter) + ".accumulated", "accumulate", {state, gradients_[parameter], flag});
      builder_.store(state, sum);
    }
    return builder_.graph().stores.size() > forward_.stores.size();
  }

  const std::string& name(ValueId value) const { return forward_.values[value].name; }

  const Graph& forward_;
  const TrainingOptions& options_;
  Builder builder_;
  std::vector<bool> needs_gradient_;
  std::vector<ValueId> gradients_;  // by the forward graph's values: the sum so far
};

}  // namespace

Result<Graph> differentiate(const Graph& forward, const TrainingOptions& options) {
  return Differentiator(forward, options).run();
}

}  // namespace convoke
