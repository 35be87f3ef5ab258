// The list of measured kernels (layers.h).
#include "bench/kernels/layers.h"

#include <fmt/ranges.h>

#include <array>
#include <span>

#include "compiler/ops/conv2d.h"

namespace convoke::bench {
namespace {

struct ConvLayer {
  int64_t in_c, size, out_c, kernel, stride, padding;
};

constexpr ConvLayer kLenet[] = {{1, 28, 6, 5, 1, 2}, {6, 14, 16, 5, 1, 0}};
constexpr ConvLayer kResnet[] = {
    {64, 56, 64, 3, 1, 1},   {128, 28, 128, 3, 1, 1}, {256, 14, 256, 3, 1, 1},  {512, 7, 512, 3, 1, 1},
    {64, 56, 128, 3, 2, 1},  {128, 28, 256, 3, 2, 1}, {256, 14, 512, 3, 2, 1},  {3, 224, 64, 7, 2, 3},
    {64, 56, 128, 1, 2, 0},  {256, 14, 512, 1, 2, 0}, {64, 56, 256, 1, 1, 0},   {256, 56, 64, 1, 1, 0},
    {512, 28, 128, 1, 1, 0}, {128, 28, 512, 1, 1, 0}, {1024, 14, 256, 1, 1, 0}, {256, 14, 1024, 1, 1, 0},
    {512, 7, 2048, 1, 1, 0}, {2048, 7, 512, 1, 1, 0}, {256, 56, 512, 1, 2, 0},  {1024, 14, 2048, 1, 2, 0},
    {3, 224, 64, 11, 4, 2},  {256, 2, 512, 3, 2, 1},  {512, 1, 512, 3, 1, 1}};
constexpr ConvLayer kVgg[] = {{64, 224, 64, 3, 1, 1},  {64, 112, 128, 3, 1, 1}, {128, 112, 128, 3, 1, 1},
                              {128, 56, 256, 3, 1, 1}, {256, 56, 256, 3, 1, 1}, {256, 28, 512, 3, 1, 1},
                              {512, 28, 512, 3, 1, 1}, {512, 14, 512, 3, 1, 1}};

constexpr ConvLayer kAlexnet[] = {{64, 27, 192, 5, 1, 2}, {256, 13, 256, 3, 1, 1}};

struct LinearLayer {
  int64_t h, w, c, out;  // h = 0: a vector of c features
};

constexpr LinearLayer kLinear[] = {{5, 5, 16, 120},   {0, 0, 120, 84},    {0, 0, 84, 10},
                                   {0, 0, 512, 1000}, {0, 0, 2048, 1000}, {0, 0, 9216, 4096}};

// Poolings and the reductions of batch normalisation and biases over the same images.
struct PoolLayer {
  std::string_view kind;
  int64_t c, size, kernel, stride, padding;
};

constexpr PoolLayer kPools[] = {{"avg_pool2d", 6, 28, 2, 2, 0},   {"avg_pool2d", 16, 10, 2, 2, 0},
                                {"avg_pool2d", 64, 56, 2, 2, 0},  {"avg_pool2d", 192, 35, 3, 1, 1},
                                {"max_pool2d", 6, 28, 2, 2, 0},   {"max_pool2d", 16, 10, 2, 2, 0},
                                {"max_pool2d", 64, 112, 3, 2, 1}, {"max_pool2d", 96, 55, 3, 2, 0},
                                {"max_pool2d", 256, 14, 2, 2, 0}, {"avg_pool2d", 512, 14, 7, 7, 0}};

struct Image {
  int64_t size, c;
};

constexpr Image kImages[] = {{28, 6}, {10, 16}, {28, 64}, {112, 64}, {56, 64}, {14, 256}, {7, 512}};

// A weight as a forward kernel stores it, and as another kernel reads it.
struct PackedWeight {
  int64_t out_c, in_c, kernel;
  std::string_view stored, read;
};

constexpr PackedWeight kPacks[] = {{64, 64, 3, "0/64.2.3.1.0%64", "winograd4:2.0/64.3.1.0%64"},
                                   {256, 256, 3, "0/64.2.3.1.0%64", "winograd4:2.0/64.3.1.0%64"},
                                   {512, 512, 3, "0/64.2.3.1.0%64", "winograd4:2.0/64.3.1.0%64"},
                                   {64, 64, 3, "0/64.2.3.1.0%64", "winograd4rotated:2.1/64.3.0.1%64"},
                                   {256, 256, 3, "0/64.2.3.1.0%64", "winograd4rotated:2.1/64.3.0.1%64"},
                                   {512, 512, 3, "0/64.2.3.1.0%64", "winograd4rotated:2.1/64.3.0.1%64"},
                                   {384, 192, 3, "0/48.2.3.1.0%48", "winograd4rotated:2.1/48.3.0.1%48"},
                                   {192, 64, 5, "0/48.2.3.1.0%48", "winograd2rotated:2.1/64.3.0.1%64"},
                                   {512, 512, 3, "0/32.2.3.1.0%32", "winograd7:2.0/32.3.1.0%32"},
                                   {512, 512, 3, "0/32.2.3.1.0%32", "1/32.2.3.0.1%32"},
                                   {128, 64, 3, "0/64.2.3.1.0%64", "1/64.2.3.0.1%64"},
                                   {512, 128, 1, "0/64.2.3.1.0%64", "1/64.2.3.0.1%64"},
                                   {2048, 512, 1, "0/48.2.3.1.0%48", "1/32.2.3.0.1%32"},
                                   {512, 2048, 1, "0/32.2.3.1.0%32", "1/48.2.3.0.1%48"},
                                   {16, 6, 5, "0/16.2.3.1.0%16", "1/8.2.3.0.1%8"}};

void add(std::vector<Work>& work, std::string_view op, const std::string& layer, const Attrs& attrs,
         const std::vector<Type>& inputs, int64_t batch) {
  work.push_back({.name = fmt::format("{}/{}/n{}", op, layer, batch),
                  .kernel = single_op_kernel(op, attrs, inputs),
                  .batch = batch});
}

// With the sums that a batch normalisation behind it is computed from.
Kernel with_row_sums(std::span<const Type> inputs, const Attrs& attrs) {
  Builder builder = make_builder("kernel");
  const ValueId x = builder.input("a0", inputs[0]), w = builder.input("a1", inputs[1]);
  const ValueId y = builder.add1("v0", "conv2d", {x, w}, attrs);
  builder.output(y);
  for (ValueId sums : builder.add("v1", "row_sums", {y})) builder.output(sums);
  return kernel_of(std::move(builder).take());
}

void add_conv(std::vector<Work>& work, const ConvLayer& layer, int64_t batch) {
  const int64_t p = layer.padding, k = layer.kernel;
  const Type x = f32({kBatch, layer.size, layer.size, layer.in_c}), w = f32({layer.out_c, layer.in_c, k, k});
  const std::string name =
      fmt::format("{}x{}x{}-{}k{}s{}", layer.in_c, layer.size, layer.size, layer.out_c, k, layer.stride);
  Attrs attrs = {{"stride", std::vector{layer.stride, layer.stride}},
                 {"padding", std::vector{p, p, p, p}},
                 {"dilation", std::vector<int64_t>{1, 1}},
                 {"groups", int64_t{1}}};
  add(work, "conv2d", name, attrs, {x, w, f32({layer.out_c})}, batch);
  work.push_back({.name = fmt::format("conv2d+row_sums/{}/n{}", name, batch),
                  .kernel = with_row_sums(std::array{x, w}, attrs),
                  .batch = batch});
  const Type y = work.back().kernel.body.type(work.back().kernel.body.outputs[0]);
  Attrs weights_attrs = attrs;
  attrs["input_size"] = std::vector{layer.size, layer.size};
  weights_attrs["kernel_size"] = std::vector{k, k};
  add(work, "conv2d_backward_data", name, attrs, {y, w}, batch);
  add(work, "conv2d_backward_weights", name, weights_attrs, {y, x}, batch);
}

void add_linear(std::vector<Work>& work, const LinearLayer& layer, int64_t batch) {
  const bool is_image = layer.h != 0;
  const int64_t in = is_image ? layer.h * layer.w * layer.c : layer.c;
  const Type x = is_image ? f32({kBatch, layer.h, layer.w, layer.c}) : f32({kBatch, in});
  const Type w = f32({layer.out, in}), y = f32({kBatch, layer.out});
  const std::string name = fmt::format("{}-{}", in, layer.out);
  std::vector<int64_t> size;
  if (is_image) size = {layer.h, layer.w, layer.c};
  add(work, "linear", name, {}, {x, w, f32({layer.out})}, batch);
  const Kernel forward = work.back().kernel;
  add(work, "linear_backward_data", name, {{"input_size", size}}, {y, w}, batch);
  work.back().forward = forward;
  add(work, "linear_backward_weights", name, {}, {y, x}, batch);
  work.back().forward = forward;
}

void add_pool(std::vector<Work>& work, const PoolLayer& layer, int64_t batch) {
  const int64_t p = layer.padding, k = layer.kernel;
  const Type x = f32({kBatch, layer.size, layer.size, layer.c});
  const std::string kind(layer.kind),
      name = fmt::format("{}x{}x{}k{}s{}", layer.c, layer.size, layer.size, k, layer.stride);
  Attrs attrs = {{"kernel_size", std::vector{k, k}},
                 {"stride", std::vector{layer.stride, layer.stride}},
                 {"padding", std::vector{p, p, p, p}}};
  if (kind == "avg_pool2d") attrs["count_include_pad"] = int64_t{1};
  if (kind == "max_pool2d") attrs["dilation"] = std::vector<int64_t>{1, 1};
  add(work, kind, name, attrs, {x}, batch);
  std::vector<Type> gradients;
  const Graph& body = work.back().kernel.body;
  for (ValueId output : body.outputs) gradients.push_back(body.type(output));
  attrs["input_size"] = std::vector{layer.size, layer.size};
  add(work, kind + "_backward", name, attrs, gradients, batch);
}

void add_reductions(std::vector<Work>& work, const Image& image, int64_t batch) {
  const Type x = f32({kBatch, image.size, image.size, image.c}), channels = f32({image.c});
  const std::string name = fmt::format("{}x{}x{}", image.c, image.size, image.size);
  add(work, "channel_sum", name, {}, {x}, batch);
  add(work, "channel_moments", name, {}, {x}, batch);
  add(work, "batch_norm2d_backward_reduce", name, {{"epsilon", 1e-5}}, {x, x, channels, channels}, batch);
  add(work, "global_avg_pool2d", name, {}, {x}, batch);
  add(work, "global_avg_pool2d_backward", name, {{"input_size", std::vector{image.size, image.size}}},
      {f32({kBatch, 1, 1, image.c})}, batch);
}

void add_classes(std::vector<Work>& work, int64_t classes, int64_t batch) {
  const Type logits = f32({kBatch, classes}), labels{.dtype = DType::kI32, .dims = {kBatch}};
  const std::string name = std::to_string(classes);
  const Attrs smoothing = {{"label_smoothing", 0.0}};
  add(work, "softmax", name, {}, {logits}, batch);
  add(work, "softmax_backward", name, {}, {logits, logits}, batch);
  add(work, "cross_entropy", name, smoothing, {logits, labels}, batch);
  add(work, "cross_entropy_backward", name, smoothing, {logits, labels, f32({})}, batch);
  add(work, "accuracy", name, {}, {logits, labels}, batch);
  add(work, "channel_sum", name, {}, {logits}, batch);
}

void add_pack(std::vector<Work>& work, const PackedWeight& weight) {
  const Type type = f32({weight.out_c, weight.in_c, weight.kernel, weight.kernel});
  add(work, "pack", fmt::format("{}/{}", fmt::join(type.dims, "x"), weight.read), {}, {type}, 1);
  Kernel& kernel = work.back().kernel;
  kernel.input_layouts[0] = parse_layout(weight.stored).value();
  kernel.output_layouts[0] = parse_layout(weight.read).value();
}

}  // namespace

std::vector<Work> all_work() {
  std::vector<Work> work;
  for (int64_t batch : {1, 8, 64}) {
    for (const ConvLayer& layer : kLenet) add_conv(work, layer, batch);
    for (const LinearLayer& layer : kLinear) add_linear(work, layer, batch);
    for (int64_t classes : {10, 1000}) add_classes(work, classes, batch);
  }
  for (int64_t batch : {1, 8, 16}) {
    for (const ConvLayer& layer : kResnet) add_conv(work, layer, batch);
    for (const ConvLayer& layer : kVgg) add_conv(work, layer, batch);
    for (const ConvLayer& layer : kAlexnet) add_conv(work, layer, batch);
  }
  for (int64_t batch : {1, 8, 64}) {
    for (const PoolLayer& layer : kPools) add_pool(work, layer, batch);
    for (const Image& image : kImages) add_reductions(work, image, batch);
  }
  for (int64_t elems : {61706, 11689512}) {
    add(work, "sum_squares", std::to_string(elems), {}, {f32({elems})}, 1);
  }
  for (const PackedWeight& weight : kPacks) add_pack(work, weight);
  return work;
}

}  // namespace convoke::bench
