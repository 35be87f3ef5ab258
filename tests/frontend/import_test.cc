// The zoo's models against known numbers, blocks, options, and binary files.
#include "compiler/frontend/import.h"

#include <doctest/doctest.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>

#include "compiler/frontend/summary.h"
#include "compiler/ir/text.h"
#include "compiler/ops/op.h"
#include "model_defs/schema/model.pb.h"
#include "runtime/base/file.h"

namespace convoke {
namespace {

Graph import_ok(const std::string& path, const ImportOptions& options = {}) {
  ImportResult result = import_model(path, options);
  REQUIRE_MESSAGE(result.ok(), result.diagnostics.text());
  return std::move(result.model.graph);
}

Graph import_text(const std::string& text) {
  ImportResult result = import_model_bytes(text, "net.textproto");
  REQUIRE_MESSAGE(result.ok(), result.diagnostics.text());
  return std::move(result.model.graph);
}

Type type_of(const Graph& graph, std::string_view name) {
  const ValueId value = find_value(graph, name);
  REQUIRE_MESSAGE(value != kNoValue, name);
  return graph.type(value);
}

const Attrs& attrs_of(const Graph& graph, std::string_view name) {
  return graph.node_of(find_value(graph, name)).attrs;
}

TEST_CASE("lenet is the classic net") {
  const Graph graph = import_ok("model_defs/models/lenet.textproto");
  CHECK(summarize(graph).parameters == 61'706);
  CHECK(summarize(graph).multiply_adds == 117'600 + 240'000 + 48'000 + 10'080 + 840);
  CHECK(type_of(graph, "conv1") == f32({kBatch, 28, 28, 6}));
  CHECK(type_of(graph, "pool2") == f32({kBatch, 5, 5, 16}));
  CHECK(type_of(graph, "fc1.weight") == f32({120, 400}));
  CHECK(type_of(graph, "fc3") == f32({kBatch, 10}));
  CHECK(graph.outputs == std::vector{find_value(graph, "fc3")});
  CHECK(attr_string(attrs_of(graph, "conv2.weight"), "init") == "uniform");
  CHECK(attr_float(attrs_of(graph, "conv2.weight"), "init_value") == 1 / std::sqrt(150.0));
  CHECK(attr_float(attrs_of(graph, "conv2.bias"), "init_value") == 1 / std::sqrt(150.0));
  CHECK(attr_int(attrs_of(graph, "pool1"), "count_include_pad") == 1);
  auto parsed = parse(print(graph));
  REQUIRE(parsed.ok());
  CHECK(print(*parsed) == print(graph));
}

TEST_CASE("resnet18 is torchvision's") {
  const Graph graph = import_ok("model_defs/models/resnet18.textproto");
  CHECK(summarize(graph).parameters == 11'689'512);
  CHECK(summarize(graph).multiply_adds == 1'814'073'344);
  CHECK(type_of(graph, "layer2.0.downsample.0.weight") == f32({128, 64, 1, 1}));
  CHECK(type_of(graph, "layer4.1.bn2.running_var") == f32({512}));
  CHECK(type_of(graph, "layer4.1.relu2") == f32({kBatch, 7, 7, 512}));
  CHECK(type_of(graph, "fc.weight") == f32({1000, 512}));
  CHECK(find_value(graph, "layer1.0.downsample.0") == kNoValue);
  CHECK(find_value(graph, "layer2.1.downsample.0") == kNoValue);
  CHECK(attr_string(attrs_of(graph, "conv1.weight"), "init") == "normal");
  CHECK(attr_float(attrs_of(graph, "conv1.weight"), "init_value") == std::sqrt(2.0 / (64 * 49)));
  CHECK(attr_string(attrs_of(graph, "bn1.weight"), "init") == "ones");
  CHECK(attr_float(attrs_of(graph, "bn1.running_mean"), "momentum") == 0.1);
  CHECK(std::ranges::count(graph.nodes, "conv2d", &Node::op) == 20);
  CHECK(std::ranges::count(graph.nodes, "parameter", &Node::op) == 62);
}

TEST_CASE("sizes and classes can be set") {
  const Graph graph = import_ok("model_defs/models/resnet18_small.textproto",
                                {.input_height = 32, .input_width = 32, .input_channels = 3, .classes = 100});
  CHECK(type_of(graph, "input") == f32({kBatch, 32, 32, 3}));
  CHECK(type_of(graph, "layer4.1.relu2") == f32({kBatch, 4, 4, 512}));
  CHECK(type_of(graph, "fc") == f32({kBatch, 100}));
  const Graph as_stated = import_ok("model_defs/models/resnet18_small.textproto");
  CHECK(type_of(as_stated, "layer4.1.relu2") == f32({kBatch, 4, 4, 512}));
  CHECK(type_of(as_stated, "fc") == f32({kBatch, 10}));
}

TEST_CASE("a binary file is the same model") {
  for (const char* path : {"model_defs/models/lenet.textproto", "model_defs/models/resnet18.textproto"}) {
    schema::Model model;
    REQUIRE(google::protobuf::TextFormat::ParseFromString(read_file(path).value(), &model));
    ImportResult result = import_model_bytes(model.SerializeAsString(), "model.pb");
    REQUIRE_MESSAGE(result.ok(), result.diagnostics.text());
    CHECK(print(result.model.graph) == print(import_ok(path)));
  }
}

TEST_CASE("windows: rectangular, one-sided, SAME") {
  const Graph graph = import_text(R"(
    input { height: 9 width: 10 channels: 4 }
    layer { name: "a" conv2d { channels: 6 kernel: [3, 2] stride: [2, 1] padding: [1, 0, 2, 1] groups: 2 } }
    layer { name: "b" conv2d { channels: 8 kernel: 3 same: true stride: 2 bias: false } }
    layer { name: "c" conv2d { channels: 8 kernel: [2, 5] same: true dilation: [1, 2] } }
    layer { name: "d" avg_pool2d { kernel: [2, 3] padding: [1, 0] count_include_pad: false } }
    layer { name: "e" max_pool2d { kernel: 2 same: true stride: 1 } })");
  CHECK(type_of(graph, "a") == f32({kBatch, 4, 12, 6}));
  CHECK(type_of(graph, "a.weight") == f32({6, 2, 3, 2}));
  CHECK(attr_ints(attrs_of(graph, "a"), "padding") == std::vector<int64_t>{1, 0, 2, 1});
  CHECK(type_of(graph, "b") == f32({kBatch, 2, 6, 8}));
  CHECK(attr_ints(attrs_of(graph, "b"), "padding") == std::vector<int64_t>{0, 1, 0, 1});
  CHECK(type_of(graph, "c") == f32({kBatch, 2, 6, 8}));
  CHECK(attr_ints(attrs_of(graph, "c"), "padding") == std::vector<int64_t>{0, 1, 4, 4});
  CHECK(attr_ints(attrs_of(graph, "d"), "stride") == std::vector<int64_t>{2, 3});
  CHECK(attr_ints(attrs_of(graph, "d"), "padding") == std::vector<int64_t>{1, 1, 0, 0});
  CHECK(type_of(graph, "e") == f32({kBatch, 2, 2, 8}));
}

TEST_CASE("blocks: several inputs, nested, repeated, left out") {
  const Graph graph = import_text(R"(
    input { height: 8 width: 8 channels: 3 }
    block {
      name: "join" input: "left" input: "right" parameter { name: "soft" default: 0 }
      layer { name: "sum" input: "left" input: "right" add {} }
      layer { name: "squash" when: "soft" sigmoid {} }
    }
    block {
      name: "stage" parameter { name: "width" } parameter { name: "soft" default: 1 }
      layer { name: "conv" conv2d { channels_from: "width" kernel: 1 } }
      layer { name: "relu" relu {} }
      layer { name: "join" input: "conv" input: "relu" block { name: "join" set { name: "soft" value_from: "soft" } } }
    }
    layer { name: "s" block { name: "stage" repeat: 2 set { name: "width" value: 5 } first { name: "soft" value: 0 } } }
    layer { name: "none" block { name: "stage" repeat: 0 set { name: "width" value: 9 } } }
    layer { name: "early" input: "s.0.join.sum" global_avg_pool2d {} }
    layer { name: "late" input: "none" global_avg_pool2d {} }
    output: "early" output: "late")");
  CHECK(find_value(graph, "s.0.join.squash") == kNoValue);
  CHECK(graph.node_of(find_value(graph, "s.1.conv")).inputs[0] == find_value(graph, "s.0.join.sum"));
  CHECK(graph.node_of(find_value(graph, "late")).inputs[0] == find_value(graph, "s.1.join.squash"));
  CHECK(graph.outputs.size() == 2);
}

TEST_CASE("several inputs, one a vector") {
  const Graph graph = import_text(R"(
    input { name: "image" height: 4 width: 4 channels: 1 }
    input { name: "facts" channels: 7 }
    layer { name: "flatten" flatten {} }
    layer { name: "a" linear { features: 3 } }
    layer { name: "b" input: "facts" linear { features: 3 bias: false } }
    layer { name: "sum" input: "a" input: "b" add {} }
    layer { name: "softmax" softmax {} })");
  CHECK(type_of(graph, "facts") == f32({kBatch, 7}));
  CHECK(type_of(graph, "softmax") == f32({kBatch, 3}));
}

TEST_CASE("ResNet-152 is short") {
  std::string text = R"(
name: "resnet152"
input { height: 224 width: 224 channels: 3 }
classes: 1000
initialization: KAIMING_NORMAL_FAN_OUT
block {
  name: "bottleneck"
  parameter { name: "width" }
  parameter { name: "channels" }
  parameter { name: "stride" default: 1 }
  parameter { name: "downsample" default: 0 }
  layer { name: "conv1" conv2d { channels_from: "width" kernel: 1 bias: false } }
  layer { name: "bn1" batch_norm2d {} }
  layer { name: "relu1" relu {} }
  layer { name: "conv2" conv2d { channels_from: "width" kernel: 3 stride_from: "stride" padding: 1 bias: false } }
  layer { name: "bn2" batch_norm2d {} }
  layer { name: "relu2" relu {} }
  layer { name: "conv3" conv2d { channels_from: "channels" kernel: 1 bias: false } }
  layer { name: "bn3" batch_norm2d {} }
  layer {
    name: "downsample.0" input: "input" when: "downsample"
    conv2d { channels_from: "channels" kernel: 1 stride_from: "stride" bias: false }
  }
  layer { name: "downsample.1" when: "downsample" batch_norm2d {} }
  layer { name: "add" input: "bn3" input: "downsample.1" add {} }
  layer { name: "relu3" relu {} }
}
layer { name: "conv1" conv2d { channels: 64 kernel: 7 stride: 2 padding: 3 bias: false } }
layer { name: "bn1" batch_norm2d {} }
layer { name: "relu" relu {} }
layer { name: "maxpool" max_pool2d { kernel: 3 stride: 2 padding: 1 } }
)";
  const int widths[] = {64, 128, 256, 512}, repeats[] = {3, 8, 36, 3};
  for (int i = 0; i < 4; ++i) {
    text += "layer {\n  name: \"layer" + std::to_string(i + 1) +
            "\"\n  block {\n    name: \"bottleneck\" repeat: " + std::to_string(repeats[i]) +
            "\n    set { name: \"width\" value: " + std::to_string(widths[i]) +
            " } set { name: \"channels\" value: " + std::to_string(4 * widths[i]) +
            " }\n    first { name: \"stride\" value: " + (i == 0 ? "1" : "2") +
            " } first { name: \"downsample\" value: 1 }\n  }\n}\n";
  }
  text += R"(layer { name: "avgpool" global_avg_pool2d {} }
layer { name: "flatten" flatten {} }
layer { name: "fc" linear { features_from: "classes" } })";
  CHECK(std::ranges::count(text, '\n') < 120);
  CHECK(summarize(import_text(text)).parameters == 60'192'808);  // torchvision's
}

}  // namespace
}  // namespace convoke
