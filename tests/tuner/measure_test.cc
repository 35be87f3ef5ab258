// What becomes of measuring children that fail, and a kernel from knobs to a time.
#include "schedules/tuner/measure.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "runtime/base/file.h"
#include "schedules/database/lookup.h"
#include "schedules/tuner/rates.h"
#include "schedules/tuner/tune.h"

namespace convoke {
namespace {

std::string failure(double seconds, const std::function<Result<Comparison>()>& work) {
  return in_child(seconds, work).status().message();
}

TEST_CASE("a child that crashes, hangs or answers an error costs itself alone") {
  CHECK(failure(5, []() -> Result<Comparison> { std::abort(); }).find("Aborted") != std::string::npos);
  CHECK(failure(0.05, []() -> Result<Comparison> {
          for (volatile bool forever = true; forever;) {
          }
          return Comparison{};
        }).find("Profiling timer") != std::string::npos);
  CHECK(failure(5, []() -> Result<Comparison> { return invalid_argument("no"); }) == "no");
  const Result<Comparison> measured = in_child(5, []() -> Result<Comparison> { return Comparison{.ns = 7}; });
  REQUIRE(measured.ok());
  CHECK(measured->ns == 7);
}

TEST_CASE("the largest difference is relative to the largest element") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  CHECK(largest_difference({1, -4}, {1.5, -4}) == 0.125);
  CHECK(largest_difference({0, 0}, {0, 0}) == 0);
  CHECK(std::isinf(largest_difference({1}, {kNan})));
  CHECK(std::isinf(largest_difference({1}, {1, 1})));
}

TEST_CASE("the machine has rates") {
  CHECK(fma_gflops() > 0);
  CHECK(fma_peak_gflops() > 0);
  CHECK(memory_gigabytes_per_second(2) > 0);
  CHECK(core_to_core_ns() < 1e8);  // it ends on a single core, too
}

Kernel linear_kernel() { return single_op_kernel("linear", {}, {f32({kBatch, 40}), f32({24, 40}), f32({24})}); }

TEST_CASE("verify: each template that applies, at one sample and at several") {
  const Kernel kernel = linear_kernel();
  const TemporaryDirectory scratch = TemporaryDirectory::make().value();
  TuneOptions options{.target = find_target("host").value(), .scratch_directory = scratch.path()};
  for (const TemplateChoice& choice : template_choices(kernel, BatchClass::kMany, options.target)) {
    for (const int64_t n : {1, 9}) {
      const PlanKernel planned{kernel, make_instance(kernel, options.target, choice.name, choice.defaults)};
      const Result<double> error = verify(planned, n, options);
      REQUIRE_MESSAGE(error.ok(), error.status().message());
      CHECK(*error < kMostError);
    }
  }
}

TEST_CASE("a workbench has as many copies of its weights as a cache cannot hold, for one sample") {
  const Kernel kernel = linear_kernel();
  const TargetSpec target = find_target("host").value();
  const PlanKernel planned{kernel, lookup(kernel, BatchClass::kOne, target).value()};
  const Workbench bench = make_workbench(planned, {kernel.input_layouts}, 1, target).value();
  CHECK(bench.copies > 1);
  CHECK(bench.plan.rows.size() == static_cast<size_t>(bench.copies));
  CHECK(bench.plan.parameters.size() == 2 * static_cast<size_t>(bench.copies));
  CHECK(make_workbench(planned, {kernel.input_layouts}, 8, target).value().copies == 1);
}

TEST_CASE("weights are packed from what is stored to what is wished for; in a step that counts") {
  Kernel kernel = linear_kernel();
  const TargetSpec target = find_target("host").value();
  const Instance instance = lookup(kernel, BatchClass::kMany, target).value();
  WeightStorage storage{std::vector<Layout>(3)};
  kernel = lay_out(kernel, storage, instance);
  REQUIRE(!kernel.input_layouts[1].plain());
  const auto programs = [&] {
    std::vector<convoke_program> programs;
    const Workbench bench = make_workbench({kernel, instance}, storage, 8, target).value();
    for (const PlanRow& row : bench.plan.rows) programs.push_back(row.program);
    return programs;
  };
  CHECK(programs() == std::vector{CONVOKE_PREPARE, CONVOKE_INFER});
  storage.packed_in_step = true;
  CHECK(programs() == std::vector{CONVOKE_INFER, CONVOKE_INFER});
  storage.layouts = kernel.input_layouts;
  CHECK(programs() == std::vector{CONVOKE_INFER});
}

Kernel conv_kernel() {
  const Attrs attrs = {{"stride", std::vector<int64_t>{1, 1}},
                       {"padding", std::vector<int64_t>{1, 1, 1, 1}},
                       {"dilation", std::vector<int64_t>{1, 1}},
                       {"groups", int64_t{1}}};
  return single_op_kernel("conv2d", attrs, {f32({kBatch, 8, 8, 16}), f32({16, 16, 3, 3}), f32({16})});
}

TEST_CASE("a training step transforms a forward kernel's weights, which are stored as its schedule wishes") {
  const TargetSpec target = find_target("host").value();
  const Kernel conv = conv_kernel();
  const WeightStorage storage{.layouts = {}, .packed_in_step = true};
  const auto calls = [&](const char* name) {
    const Instance instance = lookup(conv, BatchClass::kMany, target, {.only = name}).value();
    return make_workbench({lay_out(conv, storage, instance), instance}, storage, 8, target).value().plan.rows.size();
  };
  CHECK(calls("conv2d_direct") == 1);
  CHECK(calls("conv2d_winograd") == 2);
}

TEST_CASE("a weight that inference stores transformed is made for any schedule") {
  const TargetSpec target = find_target("host").value();
  const Kernel conv = conv_kernel();
  const auto instance_of = [&](const char* name) {
    return lookup(conv, BatchClass::kMany, target, {.only = name}).value();
  };
  const WeightStorage storage{instance_of("conv2d_winograd").layouts.inputs};
  REQUIRE(storage.layouts[1].transformed());
  for (const char* name : {"conv2d_direct", "conv2d_winograd", "conv2d_winograd_large"}) {
    const Instance instance = instance_of(name);
    const Plan plan = make_workbench({lay_out(conv, storage, instance), instance}, storage, 8, target).value().plan;
    for (int parameter : plan.parameters) CHECK(!plan.buffers[parameter].layout.transformed());
    CHECK(plan.buffers[plan.rows.back().buffers[1]].layout == instance.layouts.inputs[1]);
  }
}

TEST_CASE("operands are the same for all schedules: vectors positive, integers 0 or 1") {
  const Kernel kernel = linear_kernel();
  for (const float value : input_values(kernel, 2, 1)) CHECK(value >= 0.5f);
  CHECK(input_values(kernel, 0, 3).size() == 120);
  CHECK(input_values(kernel, 0, 3) == input_values(kernel, 0, 3));
  CHECK(input_values(kernel, 0, 1) != input_values(kernel, 1, 1));
}

}  // namespace
}  // namespace convoke
