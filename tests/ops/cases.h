// Cases of ops as data, read from tests/ops/<op>.cases; the tests of ops, definitions, templates and libraries share
// them. One case a line, '#' starts a comment line:
//
//   name: (f32[n,7,5,3], f32[4,3,3,2]) {dilation=[1,1], groups=1, padding=[1,1,0,0], stride=[1,1]} -> f32[n,7,4,4]
//   name n=3: (f32[n,4], i32[n] ~ 0..3) {label_smoothing=0.1} -> f32[]
//   name: (f32[n,2,2,3], …) {…} -> error "kernel 3x3 does not fit input 2x2 (padding 0)"
//
// Types and attributes are IR text. `n=` is the batch of the call, 2 when absent. `~ low..high` bounds an operand's
// values (both ends included for integers); the default is -1..1. An error is the whole message of type inference.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/ops/op.h"

namespace convoke {

struct CaseOperand {
  Type type;
  double low = -1, high = 1;
};

struct Case {
  std::string op, name;
  int64_t batch = 2;
  std::vector<CaseOperand> operands;
  Attrs attrs;
  std::vector<Type> results;  // none when `error` is expected
  std::string error;
};

std::string to_string(const Case& test_case);  // "conv2d/name", for messages
Result<std::vector<Case>> parse_cases(std::string_view op, std::string_view text);
std::vector<Case> load_cases(std::string_view op);        // ends the process when the file is missing or wrong
std::vector<Case> load_valid_cases(std::string_view op);  // without those that expect an error

std::vector<Type> operand_types(const Case& test_case);
NodeView view(const Case& test_case);                            // refers to the case's attributes
std::vector<int64_t> concrete(const Type& type, int64_t batch);  // the dimensions with n replaced

// Deterministic values: all distinct, evenly spread over low..high in a scrambled order, none zero (the nearest is half
// a step away), representable in float. Another seed, another order.
Tensor make_values(const Type& type, double low, double high, int64_t batch, int seed);
std::vector<Tensor> make_inputs(const Case& test_case);

// The op's reference on concrete operands.
std::vector<Tensor> run_reference(const NodeView& node, const std::vector<const Tensor*>& inputs, int64_t batch);
std::vector<Tensor> run_reference(const Case& test_case, const std::vector<Tensor>& inputs);

// How far a float32 computation may be from the reference: 2^-24 · (16 + 2·L) · max(1, max |expected|), where L is the
// number of terms that the op's work puts into one element of a result. Sums of L terms err like √L to L roundings.
double tolerance(const Case& test_case, const Tensor& expected);

// The first element that is further than `allowed` from what is expected, as text; empty when there is none.
std::string first_difference(const Tensor& expected, const std::vector<double>& found, double allowed);

}  // namespace convoke
