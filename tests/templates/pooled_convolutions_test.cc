// Convolutions with a max-pooling behind them, as inference has them: windows that tiles hold and windows that only
// several tiles hold together, with elementwise work on either side of the pooling.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/templates/check.h"

namespace convoke {
namespace {

struct Problem {
  const char* input;
  const char* weight;
  int padding, stride;  // of the convolution
  const char* convolved;
  int pool;
  const char* pooled;
};

constexpr Problem kProblems[] = {{"16,12,24", "32,24,3,3", 1, 1, "16,12,32", 2, "8,6,32"},
                                 {"28,28,16", "64,16,3,3", 1, 1, "28,28,64", 2, "14,14,64"},
                                 {"11,8,5", "16,5,3,3", 0, 1, "9,6,16", 3, "3,2,16"},
                                 {"8,10,16", "20,16,5,5", 2, 1, "8,10,20", 2, "4,5,20"},
                                 {"23,23,3", "16,3,7,7", 3, 2, "12,12,16", 2, "6,6,16"}};

std::string key_of(const Problem& p) {
  return fmt::format(
      "graph kernel\n%a0 = input() : f32[n,{0}]\n%a1 = input() : f32[{1}]\n%a2 = input() : f32[n,{2}]\n"
      "%a3 = input() : f32[n,{3}]\n"
      "%v0 = conv2d(%a0, %a1) {{dilation=[1,1], groups=1, padding=[{4},{4},{4},{4}], stride=[{5},{5}]}} : f32[n,{2}]\n"
      "%v1 = add(%v0, %a2) : f32[n,{2}]\n"
      "%v2, %v2.1 = max_pool2d(%v1) {{dilation=[1,1], kernel_size=[{6},{6}], padding=[0,0,0,0], stride=[{6},{6}]}} : "
      "f32[n,{3}], u8[n,{3}]\n"
      "%v3 = add(%v2, %a3) : f32[n,{3}]\noutput %v3\n",
      p.input, p.weight, p.convolved, p.pooled, p.padding, p.stride, p.pool);
}

TEST_CASE("max-poolings behind convolutions, for each tile and however the work is shared out") {
  const TargetSpec target = find_target("host").value();
  for (const Problem& problem : kProblems) {
    const Kernel kernel = parse_kernel(key_of(problem)).value();
    REQUIRE(takes(templates::conv2d_winograd, kernel, target));
    for (const ScheduleTemplate* schedule : {&templates::conv2d_winograd, &templates::conv2d_winograd_large}) {
      if (!takes(*schedule, kernel, target)) continue;
      for (Knobs knobs : schedule->starts(kernel, BatchClass::kMany, target)) {
        for (int64_t tasks : {1, 4}) {
          knobs["tasks"] = tasks;
          INFO(schedule->name << " " << to_string(knobs) << " of " << std::string(problem.input));
          const double allowed = convolution_error(kernel, *schedule, knobs);
          CHECK(check_graph(kernel, *schedule, knobs, target, [=](size_t, const Tensor&) { return allowed; }) == "");
        }
      }
    }
  }
}

TEST_CASE("poolings that overlap or leave pixels out are kernels of their own") {
  const TargetSpec target = find_target("host").value();
  for (const char* attrs : {"kernel_size=[3,3], padding=[0,0,0,0], stride=[2,2]} : f32[n,5,5,32], u8[n,5,5,32]",
                            "kernel_size=[5,5], padding=[0,0,0,0], stride=[5,5]} : f32[n,2,2,32], u8[n,2,2,32]",
                            "kernel_size=[2,2], padding=[1,1,1,1], stride=[2,2]} : f32[n,7,7,32], u8[n,7,7,32]"}) {
    const Kernel kernel =
        parse_kernel(std::string("graph kernel\n%a0 = input() : f32[n,12,12,32]\n%a1 = input() : f32[32,32,3,3]\n"
                                 "%v0 = conv2d(%a0, %a1) {dilation=[1,1], groups=1, padding=[1,1,1,1], stride=[1,1]} : "
                                 "f32[n,12,12,32]\n%v1, %v1.1 = max_pool2d(%v0) {dilation=[1,1], ") +
                     attrs + "\noutput %v1\n")
            .value();
    for (const ScheduleTemplate* schedule : all_templates()) CHECK_FALSE(takes(*schedule, kernel, target));
  }
}

}  // namespace
}  // namespace convoke
