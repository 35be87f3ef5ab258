// Weights in safetensors files with PyTorch's names and layouts: the state dict of the same network in torchvision.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/io/safetensors.h"
#include "runtime/train/library.h"

namespace convoke {

// Parameters and running statistics to `path`, atomically.
Status save_weights(const Library& library, const convoke_weights* weights, const std::string& path);

// All parameters and running statistics from `path`; nothing is set unless all fit. Weights of another model are an
// error that lists the first differences (missing, unexpected, shape, dtype). BatchNorm's num_batches_tracked, which
// only PyTorch uses, is ignored, and so are the optimizer's tensors of our checkpoints.
Status load_weights(const Library& library, convoke_weights* weights, const std::string& path);

// A safetensors file prepared for the library and written for weights_open, to `path`.
Status save_prepared_weights(const Library& library, const std::string& safetensors, const std::string& path);

// A file being put together: the views in `file` point into `values`, whose elements never change.
struct OutgoingTensors {
  SafeTensors file;
  std::vector<std::vector<float>> values;
  void add(const std::string& name, std::vector<int64_t> shape, std::vector<float> data);
};

// The same on parsed files; `path` stands in messages.
Status collect_weights(const Library& library, const convoke_weights* weights, OutgoingTensors* out);
Status apply_weights(const Library& library, const SafeTensors& file, const std::string& path,
                     convoke_weights* weights);

// The values of an F32 tensor.
std::vector<float> tensor_values(const SafeTensor& tensor);

std::vector<int64_t> tensor_shape(const convoke_tensor& tensor);

constexpr const char* kOptimizerPrefix = "optimizer/";  // of the names of moments; no layer's name has a slash

}  // namespace convoke
