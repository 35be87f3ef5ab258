// Files of make.py, and comparison with them.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace convoke {

struct GoldenTensor {
  int64_t elems = 0;
  double most = 0, sum = 0, norm = 0;  // max|b|, Σb, √Σb²
  double float32_error = 0;            // PyTorch's own, max|a-b| / max|b|
  std::vector<double> values;          // all, or at the sampled indices
};

struct Golden {
  uint64_t seed = 0;
  std::map<std::string, GoldenTensor> tensors;
};

// tests/golden/<model>.txt
Golden read_golden(const std::string& model);

// Checks and prints: max|a-b| <= tolerance · max|b| where b is known, and what that implies for sum and norm.
void check_golden(const Golden& golden, const std::string& name, const std::vector<double>& found, double tolerance);
void check_golden(const Golden& golden, const std::string& name, const std::vector<float>& found, double tolerance);

}  // namespace convoke
