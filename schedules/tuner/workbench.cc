#include "schedules/tuner/workbench.h"

#include <algorithm>

#include "compiler/kernels/schedule.h"
#include "runtime/base/checked.h"
#include "schedules/database/lookup.h"

namespace convoke {
namespace {

constexpr int64_t kAlignment = 64;
// With one sample weights are read once, from wherever the rest of the network's have driven them. So much of them is
// more than a core's share of the last cache; small ones need to leave the first two alone.
constexpr int64_t kColdBytes = 40 << 20;
constexpr int64_t kMostCopies = 8;

int64_t stored_bytes(const Type& type, const Layout& layout) {
  return storage_elems(type, layout) * size_bytes(type.dtype);
}

Layout stored_layout(const WeightStorage& storage, size_t input, const Layout& wish) {
  return untransformed(storage.layouts.empty() ? wish : storage.layouts[input]);
}

}  // namespace

int workbench_copies(const Kernel& kernel, int64_t n) {
  int64_t bytes = 0;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& type = kernel.body.type(kernel.inputs[i]);
    if (!type.has_batch()) bytes += stored_bytes(type, kernel.input_layouts[i]);
  }
  if (n > 1 || bytes < kAlignment) return 1;
  return static_cast<int>(std::clamp<int64_t>(kColdBytes / bytes, 2, kMostCopies));
}

namespace {

struct Operand {
  std::string name;
  Type type;
  Layout layout;
};

class Maker {
 public:
  Maker(const PlanKernel& planned, const WeightStorage& storage, int64_t n, const TargetSpec& target)
      : kernel_(planned.kernel), storage_(storage), target_(target) {
    bench_.description.name = "workbench";
    bench_.copies = workbench_copies(kernel_, n);
    plan_.model = bench_.description.name;
    plan_.capacity = n;
    plan_.kernels = {planned};
    plan_.arena_bytes[core::kScalars] = kAlignment;
  }

  Result<Workbench> run() {
    std::vector<int> inputs = add_inputs();
    const std::vector<int> outputs = add_outputs();
    for (int copy = 0; copy < bench_.copies; ++copy) {
      RETURN_IF_ERROR(add_weights("." + std::to_string(copy), inputs));
      std::vector<int> buffers = inputs;
      buffers.insert(buffers.end(), outputs.begin(), outputs.end());
      plan_.rows.push_back({"copy " + std::to_string(copy), CONVOKE_INFER, 0, std::move(buffers)});
    }
    std::ranges::stable_sort(plan_.rows, {}, &PlanRow::program);
    plan_.inference_activation_bytes = plan_.arena_bytes[core::kActivations];
    return std::move(bench_);
  }

 private:
  Operand operand(ValueId value, const Layout& layout) const {
    return {kernel_.body.values[value].name, kernel_.body.type(value), layout};
  }

  int add_buffer(const Operand& operand, core::Arena arena) {
    int64_t& end = plan_.arena_bytes[arena];
    plan_.buffers.push_back({operand.name, operand.type, operand.layout, arena, end});
    const int64_t samples = operand.type.has_batch() ? plan_.capacity : 1;
    end = round_up(end + stored_bytes(operand.type, operand.layout) * samples, kAlignment);
    return static_cast<int>(plan_.buffers.size()) - 1;
  }

  // Buffers by input; those of weights come copy by copy.
  std::vector<int> add_inputs() {
    std::vector<int> inputs(kernel_.inputs.size());
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Operand input = operand(kernel_.inputs[i], kernel_.input_layouts[i]);
      if (!input.type.has_batch()) continue;
      plan_.infer_inputs.push_back(inputs[i] = add_buffer(input, core::kActivations));
      bench_.description.inputs.push_back({input.name, input.type});
    }
    return inputs;
  }

  std::vector<int> add_outputs() {
    for (size_t o = 0; o < kernel_.body.outputs.size(); ++o) {
      const Operand output = operand(kernel_.body.outputs[o], kernel_.output_layouts[o]);
      plan_.infer_outputs.push_back(add_buffer(output, core::kActivations));
      bench_.description.outputs.push_back({output.name, output.type});
    }
    return plan_.infer_outputs;
  }

  Status add_weights(const std::string& copy, std::vector<int>& inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      Operand weight = operand(kernel_.inputs[i], stored_layout(storage_, i, kernel_.input_layouts[i]));
      if (weight.type.has_batch()) continue;
      weight.name += copy;
      plan_.parameters.push_back(inputs[i] = add_buffer(weight, core::kParameters));
      bench_.description.parameters.push_back({weight.name, weight.type});
      if (weight.layout == kernel_.input_layouts[i]) continue;
      ASSIGN_OR_RETURN(inputs[i],
                       add_pack(inputs[i], {weight.name + ".packed", weight.type, kernel_.input_layouts[i]}));
    }
    return ok_status();
  }

  // Returns the copy's buffer.
  Result<int> add_pack(int from, const Operand& packed) {
    const bool counts = storage_.packed_in_step;
    const Kernel kernel = pack_kernel(packed.type, plan_.buffers[from].layout, packed.layout);
    ASSIGN_OR_RETURN(Instance instance, lookup(kernel, batch_class(plan_.capacity), target_));
    plan_.kernels.push_back({kernel, std::move(instance)});
    const int to = add_buffer(packed, counts ? core::kActivations : core::kPrepared);
    plan_.rows.push_back({packed.name,
                          counts ? CONVOKE_INFER : CONVOKE_PREPARE,
                          static_cast<int>(plan_.kernels.size()) - 1,
                          {from, to}});
    return to;
  }

  const Kernel& kernel_;
  const WeightStorage& storage_;
  const TargetSpec& target_;
  Workbench bench_;
  Plan& plan_ = bench_.plan;
};

}  // namespace

Kernel lay_out(const Kernel& planned, const WeightStorage& storage, const Instance& instance) {
  Kernel kernel = planned;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    if (kernel.body.type(kernel.inputs[i]).has_batch()) continue;
    const Layout& wish = instance.layouts.inputs[i];
    kernel.input_layouts[i] = wish.plain() ? stored_layout(storage, i, wish) : wish;
  }
  return kernel;
}

Result<Workbench> make_workbench(const PlanKernel& kernel, const WeightStorage& storage, int64_t n,
                                 const TargetSpec& target) {
  return Maker(kernel, storage, n, target).run();
}

std::vector<float> input_values(const Kernel& kernel, int input, int64_t n) {
  const Type& type = kernel.body.type(kernel.inputs[input]);
  const int64_t elems = type.elems() * (type.has_batch() ? n : 1);
  std::vector<float> values(static_cast<size_t>(elems));
  uint32_t state = 1 + static_cast<uint32_t>(input);
  for (float& value : values) {
    state = state * 1664525 + 1013904223;
    const float unit = static_cast<float>(state >> 8) / (1 << 24);
    if (type.dtype != DType::kF32) {
      value = unit < 0.5f ? 0 : 1;
    } else {
      value = type.rank() < 2 ? 0.5f + unit : 2 * unit - 1;
    }
  }
  return values;
}

}  // namespace convoke
