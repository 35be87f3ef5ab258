#include "compiler/driver/against.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "compiler/driver/layer_times.h"
#include "compiler/driver/onednn/onednn.h"
#include "compiler/ops/conv2d.h"
#include "compiler/ops/linear.h"
#include "runtime/base/file.h"
#include "schedules/tuner/measure.h"
#include "schedules/tuner/tune.h"

namespace convoke {
namespace {

using Clock = std::chrono::steady_clock;

// Null: neither a convolution nor a linear layer, or not in NHWC.
const char* direction_of(const Kernel& kernel) {
  if (kernel.anchor == kNoAnchor || image_block(kernel) > 0) return nullptr;
  const NodeView node = view(kernel.body, kernel.body.nodes[static_cast<size_t>(kernel.anchor)]);
  if (as_conv2d(node) || as_linear(node)) return "forward";
  if (as_conv2d_backward_data(node) || as_linear_backward_data(node)) return "data gradient";
  if (as_conv2d_backward_weights(node) || as_linear_backward_weights(node)) return "weight gradient";
  return nullptr;
}

// The nodes that one primitive of oneDNN computes: the anchor, and behind a forward one an addition, then a ReLU.
std::vector<NodeId> fused_nodes(const Kernel& kernel, bool is_forward) {
  const Graph& body = kernel.body;
  std::vector<NodeId> fused = {kernel.anchor};
  std::vector<const OpDef*> follow = {&ops::add, &ops::relu};
  for (auto id = kernel.anchor + 1; is_forward && id < static_cast<NodeId>(body.nodes.size()); ++id) {
    const Node& node = body.nodes[static_cast<size_t>(id)];
    if (is_source(node.op)) continue;
    const ValueId last = body.nodes[static_cast<size_t>(fused.back())].results[0];
    const auto op = std::ranges::find(follow, &op_of(node));
    const bool is_next = std::ranges::count(node.inputs, last) == 1 && op != follow.end();
    if (!is_next || std::ranges::count(body.outputs, last) > 0) break;
    fused.push_back(id);
    follow.erase(follow.begin(), op + 1);
  }
  return fused;
}

// A kernel of these nodes alone, with the layouts that its operands have.
Kernel part_of(const Kernel& kernel, const std::vector<NodeId>& nodes) {
  Builder builder = make_builder("kernel");
  std::map<ValueId, ValueId> inside;
  std::vector<Layout> layouts;
  std::vector<ValueId> results;
  for (const NodeId id : nodes) {
    const Node& node = kernel.body.nodes[static_cast<size_t>(id)];
    std::vector<ValueId> operands;
    for (const ValueId operand : node.inputs) {
      const auto input = std::ranges::find(kernel.inputs, operand);
      if (!inside.contains(operand)) {
        ENSURE(input != kernel.inputs.end()) << kernel.body.values[static_cast<size_t>(operand)].name << " is no input";
        inside[operand] = builder.input("a" + std::to_string(layouts.size()), kernel.body.type(operand));
        layouts.push_back(kernel.input_layouts[static_cast<size_t>(input - kernel.inputs.begin())]);
      }
      operands.push_back(inside.at(operand));
    }
    results = builder.add("v" + std::to_string(id), node.op, operands, node.attrs);
    inside[node.results[0]] = results[0];
  }
  builder.output(results[0]);
  Kernel part = kernel_of(std::move(builder).take());
  part.input_layouts = std::move(layouts);
  const Graph& body = kernel.body;
  if (body.type(body.outputs[0]) == part.body.type(part.body.outputs[0])) {
    part.output_layouts[0] = kernel.output_layouts[0];
  }
  return part;
}

struct Contest {
  Kernel kernel;
  std::string library;
  LayerAgainst result;
};

// Weights lie as the kernel reads them.
Result<std::string> compile_alone(const PlanKernel& kernel, const TargetSpec& target, int64_t n,
                                  const std::string& folder) {
  const WeightStorage storage = {.layouts = kernel.kernel.input_layouts};
  ASSIGN_OR_RETURN(const Workbench bench, make_workbench(kernel, storage, n, target));
  ASSIGN_OR_RETURN(const CompiledLibrary library,
                   compile_library(bench.plan, bench.description, target,
                                   {.output_directory = folder, .cache_directory = user_cache_directory()}));
  return library.library_path;
}

double lower_quartile(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 4];
}

// A turn's calls one after the other; the first finds the other library's threads still spinning.
template <typename Call>
Status take_turn(const Call& call, std::vector<double>& ms) {
  constexpr double kTurnNs = 1e7;
  RETURN_IF_ERROR(call().status());
  double sum = 0;
  do {
    ASSIGN_OR_RETURN(const double ns, call());
    ms.push_back(ns / 1e6);
    sum += ns;
  } while (sum < kTurnNs);
  return ok_status();
}

Status measure(Contest& contest, const WorkloadOptions& work, double seconds) {
  constexpr int kFewestTurns = 3;
  const int copies = workbench_copies(contest.kernel, work.n);
  ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                   Session::open({&contest.kernel, contest.library, work.n, work.threads, copies}));
  OneDnnWork onednn{&contest.kernel, {}, work.n, work.threads, copies, work.train};
  for (size_t i = 0; i < contest.kernel.inputs.size(); ++i) {
    onednn.inputs.push_back(input_values(contest.kernel, static_cast<int>(i), work.n));
  }
  ASSIGN_OR_RETURN(const OneDnnLayer layer, make_onednn_layer(onednn));
  ASSIGN_OR_RETURN(const std::vector<float> expected, layer.outputs());
  ASSIGN_OR_RETURN(const std::vector<float> found, session->outputs());
  contest.result.difference = largest_difference(expected, found);
  if (!(contest.result.difference <= kMostError)) {
    return internal_error(fmt::format("{}, {}: differs from oneDNN's result by {:.2g} of the largest element",
                                      contest.result.layer, contest.result.direction, contest.result.difference));
  }
  std::vector<double> ours, theirs;
  const auto start = Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  for (int turn = 0; turn < kFewestTurns || passed() < seconds; ++turn) {
    RETURN_IF_ERROR(take_turn([&] { return session->call(); }, ours));
    RETURN_IF_ERROR(take_turn(layer.call, theirs));
  }
  contest.result.ms = lower_quartile(std::move(ours));
  contest.result.onednn_ms = lower_quartile(std::move(theirs));
  return ok_status();
}

}  // namespace

Result<std::vector<LayerAgainst>> against_onednn(const PlannedModel& planned, const WorkloadOptions& work,
                                                 double seconds) {
  RETURN_IF_ERROR(onednn_version().status());
  ASSIGN_OR_RETURN(const TemporaryDirectory folder, TemporaryDirectory::make());
  const auto progress = compile_progress();
  const Plan& plan = planned.plan;
  std::map<int, Contest> contests;  // by the plan's kernel; all compiled before threads start
  std::vector<std::pair<int, std::string>> layers;
  for (size_t r = 0; r < plan.rows.size(); ++r) {
    const PlanRow& row = plan.rows[r];
    const PlanKernel& kernel = plan.kernels[static_cast<size_t>(row.kernel)];
    const char* direction = direction_of(kernel.kernel);
    const bool runs = work.train ? row.program > CONVOKE_INFER : row.program == CONVOKE_INFER;
    if (direction == nullptr || !runs) continue;
    layers.emplace_back(row.kernel, layer_of(planned, row));
    if (contests.contains(row.kernel)) continue;
    const bool is_forward = row.program != CONVOKE_BACKWARD;
    const Kernel part = part_of(kernel.kernel, fused_nodes(kernel.kernel, is_forward));
    ASSIGN_OR_RETURN(std::string library, compile_alone({part, kernel.instance}, planned.target, work.n,
                                                        fmt::format("{}/{}", folder.path(), row.kernel)));
    const std::string knobs = to_string(kernel.instance.knobs);
    contests[row.kernel] = {
        part,
        std::move(library),
        {layers.back().second, direction, kernel.instance.template_name + (knobs.empty() ? "" : " ") + knobs}};
    if (progress) progress(static_cast<int>(r) + 1, static_cast<int>(plan.rows.size()), row.name);
  }
  for (auto& [kernel, contest] : contests) RETURN_IF_ERROR(measure(contest, work, seconds));
  std::vector<LayerAgainst> results;
  for (const auto& [kernel, layer] : layers) {
    results.push_back(contests.at(kernel).result);
    results.back().layer = layer;
  }
  return results;
}

}  // namespace convoke
