#include "compiler/kernels/kernel.h"

#include <algorithm>
#include <sstream>

#include "compiler/ir/text.h"
#include "compiler/ops/op.h"

namespace convoke {
namespace {

constexpr std::string_view kLayoutLine = "layout ";

// The anchor, and a max-pooling or sums of rows behind a convolution.
std::vector<NodeId> find_anchors(const Graph& body) {
  std::vector<NodeId> anchors;
  for (size_t i = 0; i < body.nodes.size(); ++i) {
    if (!is_source(body.nodes[i].op) && !op_of(body.nodes[i]).traits.elementwise) {
      anchors.push_back(static_cast<NodeId>(i));
    }
  }
  return anchors;
}

bool is_conv2d_and(const OpDef& second, const Graph& body, const std::vector<NodeId>& anchors) {
  return anchors.size() == 2 && body.nodes[anchors[0]].op == ops::conv2d.name &&
         body.nodes[anchors[1]].op == second.name;
}

// Of a kernel with row_sums: the convolution's result and theirs.
std::vector<ValueId> summed_outputs(const Graph& body, const std::vector<NodeId>& anchors) {
  std::vector<ValueId> outputs = body.nodes[anchors[1]].inputs;
  outputs.insert(outputs.end(), body.nodes[anchors[1]].results.begin(), body.nodes[anchors[1]].results.end());
  return outputs;
}

Status check_anchors(const Graph& body) {
  const std::vector<NodeId> anchors = find_anchors(body);
  if (anchors.size() <= 1 || is_conv2d_and(ops::max_pool2d, body, anchors)) return ok_status();
  if (is_conv2d_and(ops::row_sums, body, anchors)) {
    if (body.outputs == summed_outputs(body, anchors)) return ok_status();
    return invalid_argument("a conv2d with row_sums behind it has its result and theirs as outputs");
  }
  std::string found;
  for (NodeId anchor : anchors) found += (found.empty() ? "" : ", ") + body.nodes[anchor].op;
  return invalid_argument("a kernel has one anchor, or a conv2d and a max_pool2d or row_sums, found " + found);
}

// "layout input 1 (6,1,5,5)0/16.2.3.1.0%16"
Status read_layout_line(std::string_view line, Kernel& kernel) {
  const std::string quoted = "\"" + std::string(line) + "\"";
  std::istringstream words{std::string(line)};
  std::string keyword, side, text;
  size_t index = 0;
  const bool whole = words >> keyword >> side >> index >> text && words.peek() == EOF;
  if (!whole || keyword != "layout" || (side != "input" && side != "output")) {
    return invalid_argument(quoted + " is no layout line");
  }
  const bool input = side == "input";
  const std::vector<ValueId>& arguments = input ? kernel.inputs : kernel.body.outputs;
  if (index >= arguments.size()) return invalid_argument(quoted + " names no argument");
  ASSIGN_OR_RETURN(Layout layout, parse_layout(text));
  RETURN_IF_ERROR(check_layout(kernel.body.type(arguments[index]), layout));
  (input ? kernel.input_layouts : kernel.output_layouts)[index] = std::move(layout);
  return ok_status();
}

int64_t stored_bytes(const Type& type, const Layout& layout) {
  return storage_elems(type, layout) * size_bytes(type.dtype);
}

// Whether operand `operand` of a node is read at no other element than the one that the node writes.
bool reads_its_element(const Graph& body, const Node& node, size_t operand) {
  const Traits& traits = op_of(node).traits;
  if (traits.elementwise) return body.type(node.inputs[operand]) == body.type(node.results[0]);
  return traits.in_place && operand == 0;
}

}  // namespace

std::string kernel_key(const Kernel& kernel) {
  std::string key = print(kernel.body);
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    if (kernel.input_layouts[i].plain()) continue;
    key += "layout input " + std::to_string(i) + " " + to_string(kernel.input_layouts[i]) + "\n";
  }
  for (size_t i = 0; i < kernel.output_layouts.size(); ++i) {
    if (kernel.output_layouts[i].plain()) continue;
    key += "layout output " + std::to_string(i) + " " + to_string(kernel.output_layouts[i]) + "\n";
  }
  return key;
}

Kernel kernel_of(Graph body) {
  Kernel kernel;
  const std::vector<NodeId> anchors = find_anchors(body);
  ENSURE(check_anchors(body).ok()) << check_anchors(body).message();
  if (!anchors.empty()) kernel.anchor = anchors[0];
  if (is_conv2d_and(ops::max_pool2d, body, anchors)) kernel.pooling = anchors[1];
  if (is_conv2d_and(ops::row_sums, body, anchors)) kernel.row_sums = anchors[1];
  for (const Node& node : body.nodes) {
    if (is_source(node.op)) kernel.inputs.push_back(node.results[0]);
  }
  kernel.input_layouts.resize(kernel.inputs.size());
  kernel.output_layouts.resize(body.outputs.size());
  kernel.body = std::move(body);
  return kernel;
}

Result<Kernel> parse_kernel(std::string_view key) {
  const size_t end = std::min(key.find("\n" + std::string(kLayoutLine)), key.size());
  ASSIGN_OR_RETURN(Graph body, parse(key.substr(0, end)));
  RETURN_IF_ERROR(verify(body));
  RETURN_IF_ERROR(check_anchors(body));
  Kernel kernel = kernel_of(std::move(body));
  std::string_view rest = key.substr(std::min(end + 1, key.size()));
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    RETURN_IF_ERROR(read_layout_line(line, kernel));
  }
  return kernel;
}

int64_t image_block(const Kernel& kernel) {
  int64_t images = 0;
  for (const auto* layouts : {&kernel.input_layouts, &kernel.output_layouts}) {
    for (const Layout& layout : *layouts) images = std::max(images, layout.images);
  }
  return images;
}

Kernel in_image_blocks(Kernel kernel, int64_t images) {
  const auto lay_out = [&](ValueId value, Layout& layout) {
    const Type& type = kernel.body.type(value);
    if (type.has_batch() && type.rank() == 4) layout.images = images;
  };
  for (size_t i = 0; i < kernel.inputs.size(); ++i) lay_out(kernel.inputs[i], kernel.input_layouts[i]);
  for (size_t o = 0; o < kernel.body.outputs.size(); ++o) lay_out(kernel.body.outputs[o], kernel.output_layouts[o]);
  return kernel;
}

bool may_alias(const Kernel& kernel, int input, int output) {
  const Graph& body = kernel.body;
  const ValueId value = kernel.inputs[input], result = body.outputs[output];
  if (body.type(value) != body.type(result)) return false;
  if (kernel.input_layouts[input] != kernel.output_layouts[output]) return false;
  for (size_t n = 0; n < body.nodes.size(); ++n) {
    const Node& node = body.nodes[n];
    const auto id = static_cast<NodeId>(n);
    for (size_t operand = 0; operand < node.inputs.size(); ++operand) {
      if (node.inputs[operand] != value) continue;
      // In front of the anchor it is read at whatever elements the anchor reads; behind the node that makes the output,
      // the output may be complete before it is read.
      if (!reads_its_element(body, node, operand) || id < kernel.anchor || id > body.values[result].node) return false;
    }
  }
  return true;
}

Cost cost(const Kernel& kernel) {
  Cost cost;
  const Graph& body = kernel.body;
  for (const Node& node : body.nodes) {
    if (is_source(node.op)) continue;
    const NodeView node_view = view(body, node);
    const Traits& traits = op_of(node).traits;
    bool batch = false;
    for (const Type& type : node_view.inputs) batch |= type.has_batch();
    const int64_t flops = traits.work != nullptr ? 2 * traits.work(node_view) : node_view.results[0].elems();
    (batch ? cost.flops_per_sample : cost.flops_per_call) += flops;
  }
  auto count = [&](ValueId value, const Layout& layout) {
    const Type& type = body.type(value);
    (type.has_batch() ? cost.bytes_per_sample : cost.bytes_per_call) += stored_bytes(type, layout);
  };
  for (size_t i = 0; i < kernel.inputs.size(); ++i) count(kernel.inputs[i], kernel.input_layouts[i]);
  for (size_t i = 0; i < body.outputs.size(); ++i) count(body.outputs[i], kernel.output_layouts[i]);
  return cost;
}

Work estimated_work(const Kernel& kernel) {
  const Cost c = cost(kernel);
  return {std::max(c.flops_per_sample / 50, c.bytes_per_sample / 10),
          std::max(c.flops_per_call / 50, c.bytes_per_call / 10)};
}

Kernel single_op_kernel(std::string_view op, const Attrs& attrs, const std::vector<Type>& inputs) {
  Builder builder = make_builder("kernel");
  std::vector<ValueId> operands;
  for (size_t i = 0; i < inputs.size(); ++i) operands.push_back(builder.input("a" + std::to_string(i), inputs[i]));
  for (ValueId result : builder.add("v0", std::string(op), operands, attrs)) builder.output(result);
  return kernel_of(std::move(builder).take());
}

}  // namespace convoke
