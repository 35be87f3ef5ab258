// Convolutions with row_sums behind them, as training has them in front of a batch normalisation: rows in one block of
// tiles and in several, tiles that a row cuts off, blocks of several images, biases, groups, strides.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tests/templates/check.h"

namespace convoke {
namespace {

struct Problem {
  const char* input;
  const char* weight;
  int padding, stride, groups;
  bool has_bias;
  int h, w, c;  // of the result
};

constexpr Problem kProblems[] = {
    {"12,24,24", "32,24,3,3", 1, 1, 1, false, 12, 24, 32}, {"9,30,16", "64,16,3,3", 1, 1, 1, true, 9, 30, 64},
    {"7,7,32", "32,32,3,3", 1, 1, 1, false, 7, 7, 32},     {"23,23,3", "16,3,7,7", 3, 2, 1, true, 12, 12, 16},
    {"14,14,16", "64,16,1,1", 0, 2, 1, false, 7, 7, 64},   {"8,10,16", "20,16,1,1", 0, 1, 1, true, 8, 10, 20},
    {"8,10,32", "32,8,3,3", 1, 1, 4, false, 8, 10, 32}};

std::string key_of(const Problem& p) {
  const std::string made = fmt::format("f32[n,{},{},{}]", p.h, p.w, p.c),
                    sums = fmt::format("f32[n,{},1,{}]", p.h, p.c);
  return fmt::format(
      "graph kernel\n%a0 = input() : f32[n,{0}]\n%a1 = input() : f32[{1}]\n{2}"
      "%v0 = conv2d(%a0, %a1{3}) {{dilation=[1,1], groups={4}, padding=[{5},{5},{5},{5}], stride=[{6},{6}]}} : {7}\n"
      "%v1, %v1.1, %v1.2 = row_sums(%v0) : {8}, {8}, {8}\noutput %v0\noutput %v1\noutput %v1.1\noutput %v1.2\n",
      p.input, p.weight, p.has_bias ? fmt::format("%a2 = input() : f32[{}]\n", p.c) : "", p.has_bias ? ", %a2" : "",
      p.groups, p.padding, p.stride, made, sums);
}

// A row's errors add up, those of squares times twice the distances, whose squares' sum is at most the largest.
Allowed allowed_errors(const Kernel& kernel, const ScheduleTemplate& schedule, const Knobs& knobs, double w) {
  const double pixel = convolution_error(kernel, schedule, knobs);
  return [=](size_t output, const Tensor& expected) {
    const double largest = std::abs(*std::ranges::max_element(expected.data, {}, [](double v) { return std::abs(v); }));
    const double of_squares = 4 * pixel * std::sqrt(w * largest) + w * 0x1p-24 * largest;
    return std::array{pixel, pixel, 2 * w * pixel, of_squares}.at(output);
  };
}

std::vector<Knobs> starts_of(const ScheduleTemplate& schedule, const Kernel& kernel, const TargetSpec& target) {
  if (schedule.starts == nullptr) return {schedule.defaults(kernel, BatchClass::kMany, target)};
  return schedule.starts(kernel, BatchClass::kMany, target);
}

// Those and, of a template with blocks of tiles, narrow ones, so that rows are of several, and shares of what is made.
std::vector<Knobs> knobs_to_try(const ScheduleTemplate& schedule, const Kernel& kernel, const TargetSpec& target) {
  std::vector<Knobs> all = starts_of(schedule, kernel, target);
  if (!all[0].contains("tx")) return all;
  Knobs narrow = all[0];
  narrow["tx"] = narrow["ty"] = 1;
  for (int64_t tasks : {1, 2}) {
    narrow["tasks"] = tasks;
    all.push_back(narrow);
  }
  return all;
}

void check_all(const Kernel& kernel, const ScheduleTemplate& schedule, const TargetSpec& target, int64_t w,
               const std::vector<Knobs>& all) {
  for (const Knobs& knobs : all) {
    INFO(schedule.name << " " << to_string(knobs) << " for " << target.name << " of\n" << kernel_key(kernel));
    CHECK(check_graph(kernel, schedule, knobs, target, allowed_errors(kernel, schedule, knobs, w)) == "");
  }
}

TEST_CASE("convolutions with sums of their rows, for each tile and however the work is shared out") {
  const TargetSpec host = find_target("host").value();
  for (const Problem& problem : kProblems) {
    const Kernel kernel = parse_kernel(key_of(problem)).value();
    REQUIRE(takes(templates::conv2d_direct, kernel, host));
    for (const ScheduleTemplate* schedule : {&templates::conv2d_direct, &templates::conv2d_winograd}) {
      if (!takes(*schedule, kernel, host)) continue;
      check_all(kernel, *schedule, host, problem.w, knobs_to_try(*schedule, kernel, host));
      for (const std::string& name : target_names()) {
        const TargetSpec other = find_target(name).value();
        if (name == host.name || !runs_here(other)) continue;
        check_all(kernel, *schedule, other, problem.w, {starts_of(*schedule, kernel, other)[0]});
      }
    }
  }
}

}  // namespace
}  // namespace convoke
