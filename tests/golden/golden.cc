#include "tests/golden/golden.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "tests/golden/formula.h"

namespace convoke {
namespace {

constexpr double kRoundingOfZero = 1e-12;

double largest_difference(const std::string& name, const GoldenTensor& b, const std::vector<double>& a) {
  const bool sampled = a.size() > b.values.size();
  double largest = 0;
  for (size_t i = 0; i < b.values.size(); ++i) {
    const size_t at = sampled ? hash(0, "samples/" + name, static_cast<int64_t>(i)) % a.size() : i;
    const double difference = std::fabs(a[at] - b.values[i]);
    if (!(difference <= largest)) largest = difference;  // keeps a NaN
  }
  return largest;
}

}  // namespace

Golden read_golden(const std::string& model) {
  std::ifstream file(std::string(CONVOKE_SOURCE_DIR) + "/tests/golden/" + model + ".txt");
  REQUIRE(file.good());
  Golden golden;
  std::string line, word;
  std::getline(file, line);
  size_t samples = 0;
  file >> word >> golden.seed >> word >> samples;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    GoldenTensor tensor;
    fields >> word >> tensor.elems >> tensor.most >> tensor.sum >> tensor.norm >> tensor.float32_error;
    for (double value; fields >> value;) tensor.values.push_back(value);
    REQUIRE(tensor.values.size() == std::min(static_cast<size_t>(tensor.elems), samples));
    golden.tensors[word] = std::move(tensor);
  }
  return golden;
}

// With d the largest |a-b| over N elements: |Σa - Σb| <= N d, and | |a| - |b| | <= |a-b| <= √N d.
void check_golden(const Golden& golden, const std::string& name, const std::vector<double>& found, double tolerance) {
  INFO(name);
  REQUIRE(golden.tensors.contains(name));
  const GoldenTensor& b = golden.tensors.at(name);
  REQUIRE(static_cast<int64_t>(found.size()) == b.elems);
  double sum = 0, squares = 0;
  for (double a : found) {
    sum += a;
    squares += a * a;
  }
  const auto elems = static_cast<double>(b.elems);
  if (b.most < kRoundingOfZero) {  // a bias in front of a batch norm has no gradient: against that of its weight
    const std::string weight = name.substr(0, name.rfind('.')) + ".weight";
    REQUIRE(golden.tensors.contains(weight));
    CHECK(std::sqrt(squares / elems) <= tolerance * golden.tensors.at(weight).most);
    return;
  }
  const double error = largest_difference(name, b, found) / b.most;
  fmt::print("  {:<42} {:8.1e}  (PyTorch float32 {:.1e})\n", name, error, b.float32_error);
  CHECK(error <= tolerance);
  CHECK(std::fabs(sum - b.sum) <= elems * tolerance * b.most);
  CHECK(std::fabs(std::sqrt(squares) - b.norm) <= std::sqrt(elems) * tolerance * b.most);
}

void check_golden(const Golden& golden, const std::string& name, const std::vector<float>& found, double tolerance) {
  check_golden(golden, name, std::vector<double>(found.begin(), found.end()), tolerance);
}

}  // namespace convoke
