#include "compiler/frontend/layers.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "compiler/ops/signature.h"
#include "compiler/ops/window.h"
#include "runtime/base/checked.h"

namespace convoke {
namespace {

namespace pb = google::protobuf;

constexpr Range kSizes = {1, kMaxAttr}, kPaddings = {0, kMaxAttr}, kChannels = {1, kMaxElems};

// Everything an op's function needs; `fields` are those of the op.
struct Making {
  const LayerSite& site;
  Fields fields;
  Report& report;
  bool inputs_known;  // else fields are checked as far as they go without, and nothing is made
  const Type& input() const { return site.builder.type(site.inputs[0]); }
  const std::string& input_name() const { return site.builder.graph().values[site.inputs[0]].name; }
};

// "28x28x6" (height, width, channels) of an image, "400" of a vector.
std::string sizes(const Type& type) {
  std::string text;
  for (int64_t dim : std::span(type.dims).subspan(1)) text += fmt::format("{}{}", text.empty() ? "" : "x", dim);
  return text;
}

// --- Shapes that ops refuse: the message is the op's, id and hint follow from what is wrong. ---

struct Refusal {
  std::string_view id;
  std::string hint;
};

std::string pooling_or_convolution_hint(const Attrs& attrs, Extent2d kernel, Extent2d input) {
  const Window2d window = window_of(attrs, kernel);
  const int64_t missing_y = window.span().h - input.h - window.top - window.bottom;
  const int64_t missing_x = window.span().w - input.w - window.left - window.right;
  const int64_t missing = std::max(missing_y, missing_x);
  return fmt::format("a padding of {} more on each side would do; or let earlier layers shrink the image less",
                     (missing + 1) / 2);
}

Refusal refusal(const LayerSite& site, const Attrs& attrs, std::optional<Extent2d> kernel) {
  const Type& input = site.builder.type(site.inputs[0]);
  if (kernel) {
    const Extent2d image = {input.dims[1], input.dims[2]};
    if (!window_positions(window_of(attrs, *kernel), image).ok()) {
      return {"E0501", pooling_or_convolution_hint(attrs, *kernel, image)};
    }
    if (attrs.contains("kernel_size")) {
      return {"E0506", site.layer->has_max_pool2d() && kernel->h * kernel->w > 255
                           ? "a smaller kernel, or two poolings in a row"
                           : "a padding smaller than the kernel"};
    }
  }
  return {"E0505", ""};
}

ValueId add_op(Making& making, const std::string& op, std::vector<ValueId> inputs, Attrs attrs,
               std::optional<Extent2d> kernel = std::nullopt) {
  if (making.report.failed || !making.inputs_known) return kNoValue;
  auto results = making.site.builder.try_add(making.site.path, op, std::move(inputs), attrs);
  if (results.ok()) {
    for (ValueId result : *results) making.site.names.insert(making.site.builder.graph().values[result].name);
    return (*results)[0];
  }
  const Refusal reason = refusal(making.site, attrs, kernel);
  making.report.error(reason.id, making.fields.position(), results.status().message(), reason.hint);
  return kNoValue;
}

bool expect_rank(Making& making, int rank) {
  if (!making.inputs_known || making.input().rank() == rank) return true;
  const bool image = rank == 4;
  making.report.error("E0503", making.fields.position(),
                      fmt::format("{} works on {}, \"{}\" is {} of {}", op_name(*making.site.layer.message),
                                  image ? "images" : "vectors", making.input_name(), image ? "a vector" : "an image",
                                  sizes(making.input())),
                      image ? "put it in front of the flatten layer" : "put a flatten layer in front of it");
  return false;
}

// --- Parameters ---

struct Init {
  const char* kind;
  double value;
};

bool take_name(Making& making, const std::string& name) {
  if (making.site.names.insert(name).second) return true;
  making.report.error("E0204", making.site.position,
                      fmt::format("its tensor \"{}\" has the name of another layer or tensor", name),
                      "give one of them another name");
  return false;
}

ValueId add_parameter(Making& making, const std::string& suffix, std::vector<int64_t> dims, Init init) {
  const std::string name = making.site.path + "." + suffix;
  if (making.report.failed || !take_name(making, name)) return kNoValue;
  const auto elems = checked_product(dims);
  if (!elems || *elems > kMaxElems) {
    making.report.error(
        "E0505", making.fields.position(),
        fmt::format("its {} has {} elements, expected at most {}", suffix, fmt::join(dims, " x "), kMaxElems));
    return kNoValue;
  }
  return making.site.builder.parameter(name, f32(std::move(dims)),
                                       {{"init", std::string(init.kind)}, {"init_value", init.value}});
}

// Running statistics: `momentum` is for the training graph, which updates them.
ValueId add_statistic(Making& making, const std::string& suffix, int64_t channels, const char* init, double momentum) {
  const std::string name = making.site.path + "." + suffix;
  if (making.report.failed || !take_name(making, name)) return kNoValue;
  return making.site.builder.state(name, f32({channels}), "state",
                                   {{"init", std::string(init)}, {"init_value", 0.0}, {"momentum", momentum}});
}

// PyTorch's kaiming_uniform_(a=√5): gain √(2/(1+5)), bound gain·√(3/fan_in) = 1/√fan_in; biases alike.
Init pytorch_init(int64_t fan_in) { return {"uniform", 1 / std::sqrt(static_cast<double>(fan_in))}; }

Init convolution_init(const LayerSite& site, int64_t fan_in, int64_t fan_out) {
  if (site.initialization == schema::PYTORCH) return pytorch_init(fan_in);
  return {"normal", std::sqrt(2.0 / static_cast<double>(fan_out))};
}

Init linear_init(const LayerSite& site, int64_t fan_in) {
  return site.initialization == schema::VGG ? Init{"normal", 0.01} : pytorch_init(fan_in);
}

Init bias_init(const LayerSite& site, int64_t fan_in) {
  return site.initialization == schema::VGG ? Init{"zeros", 0} : pytorch_init(fan_in);
}

// --- Attributes ---

// `same`: output = ⌈in/stride⌉, so padding = (output−1)·stride + span − in, its odd pixel behind.
std::vector<int64_t> same_padding(Extent2d in, Extent2d kernel, std::span<const int64_t> stride,
                                  std::span<const int64_t> dilation) {
  const auto split = [](int64_t size, int64_t taps, int64_t step, int64_t spread) {
    const int64_t span = spread * (taps - 1) + 1;
    const int64_t total = std::max<int64_t>(0, ((size + step - 1) / step - 1) * step + span - size);
    return std::pair(total / 2, total - total / 2);
  };
  const auto [top, bottom] = split(in.h, kernel.h, stride[0], dilation[0]);
  const auto [left, right] = split(in.w, kernel.w, stride[1], dilation[1]);
  return {top, bottom, left, right};
}

struct WindowFields {
  Extent2d kernel;
  std::vector<int64_t> stride, padding, dilation;
};

// The stride of a pooling is its kernel unless stated, that of a convolution 1.
WindowFields read_window(Making& making, bool pooling, bool dilates) {
  const std::vector<int64_t> kernel = making.fields.required_pair("kernel", kSizes);
  WindowFields window{{kernel[0], kernel[1]}, {}, {}, {1, 1}};
  window.stride = making.fields.pair("stride", kSizes, pooling ? kernel : std::vector<int64_t>{1, 1});
  window.padding = making.fields.sides("padding", kPaddings);
  if (dilates) window.dilation = making.fields.pair("dilation", kSizes, {1, 1});
  const pb::Message& message = *op_message(making.site.layer).message;
  if (!message.GetReflection()->GetBool(message, message.GetDescriptor()->FindFieldByName("same"))) return window;
  if (making.fields.has("padding")) {
    making.report.error("E0404", making.fields.position_of("padding"), "padding and same exclude each other",
                        "leave one of them out");
  }
  if (!making.inputs_known) return window;
  const auto& in = making.input().dims;
  window.padding = same_padding({in[1], in[2]}, window.kernel, window.stride, window.dilation);
  return window;
}

// --- Ops ---

ValueId add_conv2d(Making& making) {
  if (!expect_rank(making, 4)) return kNoValue;
  const schema::Conv2d& conv = making.site.layer->conv2d();
  const int64_t out = making.fields.required("channels", kChannels);
  const WindowFields window = read_window(making, /*pooling=*/false, /*dilates=*/true);
  const int64_t groups = making.fields.optional("groups", kChannels, 1);
  const int64_t in = making.inputs_known ? making.input().dims[3] : groups;
  for (const auto& [channels, side] : {std::pair(in, "input"), std::pair(out, "output")}) {
    if (channels % groups == 0) continue;
    making.report.error("E0502", making.fields.position_of("groups"),
                        fmt::format("{} groups do not divide {} {} channels", groups, channels, side),
                        fmt::format("the divisors of {} divide both", std::gcd(in, out)));
  }
  if (making.report.failed || !making.inputs_known) return kNoValue;
  const auto fan_in = checked_product(std::vector{in / groups, window.kernel.h, window.kernel.w});
  const auto fan_out = checked_product(std::vector{out, window.kernel.h, window.kernel.w});
  std::vector<ValueId> inputs = {making.site.inputs[0]};
  inputs.push_back(add_parameter(making, "weight", {out, in / groups, window.kernel.h, window.kernel.w},
                                 convolution_init(making.site, fan_in.value_or(1), fan_out.value_or(1))));
  if (conv.bias()) inputs.push_back(add_parameter(making, "bias", {out}, bias_init(making.site, fan_in.value_or(1))));
  return add_op(
      making, "conv2d", inputs,
      {{"stride", window.stride}, {"padding", window.padding}, {"dilation", window.dilation}, {"groups", groups}},
      window.kernel);
}

ValueId add_linear(Making& making) {
  if (!expect_rank(making, 2)) return kNoValue;
  const int64_t out = making.fields.required("features", kChannels);
  if (making.report.failed || !making.inputs_known) return kNoValue;
  const int64_t in = making.input().dims[1];
  std::vector<ValueId> inputs = {making.site.inputs[0]};
  inputs.push_back(add_parameter(making, "weight", {out, in}, linear_init(making.site, in)));
  if (making.site.layer->linear().bias())
    inputs.push_back(add_parameter(making, "bias", {out}, bias_init(making.site, in)));
  return add_op(making, "linear", inputs, {});
}

ValueId add_pool2d(Making& making, const std::string& op) {
  if (!expect_rank(making, 4)) return kNoValue;
  const bool average = op == "avg_pool2d";
  const WindowFields window = read_window(making, /*pooling=*/true, /*dilates=*/!average);
  Attrs attrs = {{"kernel_size", std::vector{window.kernel.h, window.kernel.w}},
                 {"stride", window.stride},
                 {"padding", window.padding}};
  if (average) {
    attrs["count_include_pad"] = int64_t{making.site.layer->avg_pool2d().count_include_pad()};
  } else {
    attrs["dilation"] = window.dilation;
  }
  return add_op(making, op, making.site.inputs, attrs, window.kernel);
}

ValueId add_batch_norm2d(Making& making) {
  if (!expect_rank(making, 4)) return kNoValue;
  const double epsilon = making.fields.number("epsilon", 1e-12, 1), momentum = making.fields.number("momentum", 0, 1);
  if (making.report.failed || !making.inputs_known) return kNoValue;
  const int64_t channels = making.input().dims[3];
  const std::vector<ValueId> inputs = {making.site.inputs[0], add_parameter(making, "weight", {channels}, {"ones", 0}),
                                       add_parameter(making, "bias", {channels}, {"zeros", 0}),
                                       add_statistic(making, "running_mean", channels, "zeros", momentum),
                                       add_statistic(making, "running_var", channels, "ones", momentum)};
  return add_op(making, "batch_norm2d", inputs, {{"epsilon", epsilon}});
}

ValueId add_adaptive_avg_pool2d(Making& making) {
  if (!expect_rank(making, 4)) return kNoValue;
  return add_op(making, "adaptive_avg_pool2d", making.site.inputs,
                {{"output_size", making.fields.required_pair("output_size", kSizes)}});
}

ValueId add_dropout(Making& making) {
  return add_op(making, "dropout", making.site.inputs, {{"p", making.fields.number("p", 0, 1)}});
}

ValueId add_add(Making& making) {
  if (!making.inputs_known) return kNoValue;
  const Graph& graph = making.site.builder.graph();
  const Value &a = graph.values[making.site.inputs[0]], &b = graph.values[making.site.inputs[1]];
  if (a.type == b.type) return add_op(making, "add", making.site.inputs, {});
  making.report.error("E0504", making.fields.position(),
                      fmt::format("adds \"{}\" of {} and \"{}\" of {}, expected equal sizes", a.name, sizes(a.type),
                                  b.name, sizes(b.type)),
                      "a 1x1 convolution with the right channels and stride makes them equal");
  return kNoValue;
}

ValueId add_plain(Making& making) {
  return add_op(making, op_name(*making.site.layer.message), making.site.inputs, {});
}

}  // namespace

Located<pb::Message> op_message(const Located<schema::Layer>& layer) {
  const pb::FieldDescriptor* field = layer->GetDescriptor()->FindFieldByNumber(layer->op_case());
  const pb::Message& message = layer->GetReflection()->GetMessage(*layer.message, field);
  return {&message, places_of(*layer.message, layer.places, layer->op_case(), -1)};
}

std::string op_name(const schema::Layer& layer) {
  return layer.GetDescriptor()->FindFieldByNumber(layer.op_case())->name();
}

size_t input_count(const schema::Layer& layer) { return layer.has_add() ? 2 : 1; }

ValueId add_layer(const LayerSite& site, Report& report) {
  const Position position = position_of(site.layer, site.layer->op_case(), -1, site.position);
  Making making{site, Fields(op_message(site.layer), position, site.parameters, report), report,
                std::ranges::find(site.inputs, kNoValue) == site.inputs.end()};
  switch (site.layer->op_case()) {
    case schema::Layer::kConv2D:
      return add_conv2d(making);
    case schema::Layer::kLinear:
      return add_linear(making);
    case schema::Layer::kAvgPool2D:
    case schema::Layer::kMaxPool2D:
      return add_pool2d(making, op_name(*site.layer.message));
    case schema::Layer::kBatchNorm2D:
      return add_batch_norm2d(making);
    case schema::Layer::kGlobalAvgPool2D:
      return expect_rank(making, 4) ? add_plain(making) : kNoValue;
    case schema::Layer::kAdaptiveAvgPool2D:
      return add_adaptive_avg_pool2d(making);
    case schema::Layer::kDropout:
      return add_dropout(making);
    case schema::Layer::kAdd:
      return add_add(making);
    default:
      return add_plain(making);
  }
}

}  // namespace convoke
