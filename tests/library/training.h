// Training with a library through its C ABI, on images by a formula: what the tests of shipped libraries share.
#pragma once

#include <string>
#include <vector>

#include "compiler/driver/compile_model.h"
#include "runtime/core/convoke.h"

namespace convoke {

inline constexpr int kFullBatch = 64, kLastBatch = 37;

// For the host at batch kFullBatch, stripped as shipped libraries are; into tests/library/<folder> of the build
// directory.
CompiledLibrary compile(const std::string& model, const std::string& folder, const std::string& cache);

struct Images {
  std::vector<float> pixels;
  std::vector<int32_t> labels;
};
Images make_images(const convoke_model& model, int n, int seed);

class Training {
 public:
  // Weights from a seed. Prints why and ends the process on any error, so that it can be used on any thread.
  Training(const convoke_library& library, int threads);
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;
  ~Training();

  // Forward, loss, backward and update; allocates nothing itself.
  void step(const Images& images, int number);
  void infer(const Images& images, std::vector<float>& outputs);
  // Parameters, running statistics, gradients and moments, in this order.
  std::vector<std::vector<float>> state() const;
  const std::vector<float>& losses() const { return losses_; }

 private:
  const convoke_library& library_;
  convoke_weights* weights_ = nullptr;
  convoke_context* context_ = nullptr;
  std::vector<float> losses_;
};

}  // namespace convoke
