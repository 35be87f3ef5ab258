#include "compiler/codegen/library_data.h"

#include "compiler/codegen/object_cache.h"
#include "runtime/core/context_layout.h"

namespace convoke {
namespace {

constexpr int kMaxThreads = 64;  // of a pool, as convoke.h promises

int32_t dtype_code(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return CONVOKE_F32;
    case DType::kI32:
      return CONVOKE_I32;
    case DType::kU8:
      return CONVOKE_U8;
  }
  ENSURE(false) << "dtype " << static_cast<int>(dtype);
  return -1;
}

const char* keep(LibraryData& data, std::string text) { return data.texts.emplace_back(std::move(text)).c_str(); }

const int32_t* keep(LibraryData& data, const std::vector<int>& indices) {
  return data.indices.emplace_back(indices.begin(), indices.end()).data();
}

// Null when there is nothing to list; otherwise null-terminated.
const char* const* keep(LibraryData& data, const std::vector<std::string>& texts) {
  if (texts.empty()) return nullptr;
  std::vector<const char*>& list = data.text_lists.emplace_back();
  for (const std::string& text : texts) list.push_back(keep(data, text));
  list.push_back(nullptr);
  return list.data();
}

const convoke_tensor* keep(LibraryData& data, const std::vector<TensorDescription>& tensors) {
  std::vector<convoke_tensor>& list = data.tensors.emplace_back();
  for (const TensorDescription& tensor : tensors) {
    convoke_tensor& out = list.emplace_back(convoke_tensor{});
    out.name = keep(data, tensor.name);
    out.dtype = dtype_code(tensor.type.dtype);
    out.rank = tensor.type.rank();
    ENSURE(tensor.type.dims.size() <= std::size(out.dims)) << tensor.name << ": " << to_string(tensor.type);
    std::copy(tensor.type.dims.begin(), tensor.type.dims.end(), out.dims);
    out.elems = tensor.type.elems();
    out.init = tensor.init;
    out.init_value = static_cast<float>(tensor.init_value);
  }
  return list.data();
}

// The storage axes of a layout, innermost first, each with its dimension of the view and what one step of it means
// there.
void fill_axes(const Type& type, const Layout& layout, core::Buffer& out) {
  std::vector<LayoutAxis> axes = layout.axes;
  if (layout.axes.empty()) {
    for (int d = 0; d < static_cast<int>(view_dims(type, layout).size()); ++d) axes.push_back({.dim = d});
  }
  std::vector<int64_t> extents = storage_dims(type, layout);
  if (type.has_batch()) extents.erase(extents.begin());
  if (layout.images > 0) extents.pop_back();
  ENSURE(extents.size() == axes.size() && axes.size() + out.has_batch <= core::kMaxRank)
      << out.name << ": " << to_string(layout);
  for (size_t a = 0; a < axes.size(); ++a) {
    const LayoutAxis& axis = axes[axes.size() - 1 - a];
    const int64_t multiplier = axis.part == LayoutAxis::kOuter ? axis.block : 1;
    out.axes[a] = {static_cast<int32_t>(extents[axes.size() - 1 - a]), axis.dim, static_cast<int32_t>(multiplier)};
  }
  out.rank = static_cast<uint8_t>(axes.size() + out.has_batch);
}

core::Buffer buffer(LibraryData& data, const PlanBuffer& buffer) {
  core::Buffer out = {};
  out.name = keep(data, buffer.name);
  out.offset = static_cast<uint64_t>(buffer.offset_bytes);
  out.bytes = static_cast<uint64_t>(storage_elems(buffer.type, buffer.layout) * size_bytes(buffer.type.dtype));
  out.arena = buffer.arena;
  out.dtype = static_cast<uint8_t>(dtype_code(buffer.type.dtype));
  out.has_batch = buffer.type.has_batch();
  out.images = static_cast<uint8_t>(buffer.layout.images);
  const std::vector<int64_t> view = view_dims(buffer.type, buffer.layout);
  ENSURE(view.size() <= core::kMaxRank) << buffer.name << ": " << to_string(buffer.layout);
  out.view_rank = static_cast<uint8_t>(view.size());
  std::copy(view.begin(), view.end(), out.view);
  fill_axes(buffer.type, buffer.layout, out);
  out.samples = static_cast<int32_t>(buffer.samples);
  return out;
}

void fill_rows(const Plan& plan, LibraryData& data) {
  for (const PlanRow& row : plan.rows) {
    const PlanKernel& kernel = plan.kernels[row.kernel];
    const Work work = estimated_work(kernel.kernel);
    core::Row& out = data.rows.emplace_back(core::Row{});
    out.buffers = keep(data, row.buffers);
    out.buffer_count = static_cast<int32_t>(row.buffers.size());
    out.program = row.program;
    out.ns_per_sample = work.ns_per_sample;
    out.ns_per_call = work.ns_per_call;
    data.row_kernels.push_back(row.kernel);

    const Cost costs = cost(kernel.kernel);
    const std::string knobs = to_string(kernel.instance.knobs);
    convoke_row& description = data.model_rows.emplace_back(convoke_row{});
    description.name = keep(data, row.name);
    description.schedule = keep(data, kernel.instance.template_name + (knobs.empty() ? "" : " ") + knobs);
    description.program = row.program;
    description.flops_per_sample = costs.flops_per_sample;
    description.flops_per_call = costs.flops_per_call;
    description.bytes_per_sample = costs.bytes_per_sample;
    description.bytes_per_call = costs.bytes_per_call;
  }
}

void fill_plan(const Plan& plan, const TargetSpec& target, LibraryData& data) {
  for (const PlanBuffer& planned : plan.buffers) data.buffers.push_back(buffer(data, planned));
  fill_rows(plan, data);
  for (const PlanBand& band : plan.bands) {
    data.bands.push_back({band.first_row, band.end_row, static_cast<int32_t>(band.samples)});
  }
  for (const FusedName& fused : plan.fused_names) data.fused_names.push_back({keep(data, fused.name), fused.row});

  core::LibraryPlan& out = data.plan;
  out.buffers = data.buffers.data();
  out.rows = data.rows.data();
  out.bands = data.bands.data();
  out.fused_names = data.fused_names.data();
  out.buffer_count = static_cast<int32_t>(data.buffers.size());
  out.row_count = static_cast<int32_t>(data.rows.size());
  out.band_count = static_cast<int32_t>(data.bands.size());
  out.fused_name_count = static_cast<int32_t>(data.fused_names.size());
  for (int a = 0; a < core::kArenaCount; ++a) out.arena_bytes[a] = static_cast<uint64_t>(plan.arena_bytes[a]);
  out.inference_activation_bytes = static_cast<uint64_t>(plan.inference_activation_bytes);
  out.capacity = static_cast<int32_t>(plan.capacity);
  out.infer_inputs = keep(data, plan.infer_inputs);
  out.infer_outputs = keep(data, plan.infer_outputs);
  out.train_inputs = keep(data, plan.train_inputs);
  out.train_outputs = keep(data, plan.train_outputs);
  out.output_gradients = keep(data, plan.output_gradients);
  out.labels = plan.labels;
  out.loss = plan.loss;
  out.accuracy = plan.accuracy;
  out.gradient_sum_squares = plan.gradient_sum_squares;
  out.parameters = keep(data, plan.parameters);
  out.gradients = keep(data, plan.gradients);
  std::vector<int> moments;
  for (const std::vector<int>& moment : plan.moments) moments.insert(moments.end(), moment.begin(), moment.end());
  out.moments = keep(data, moments);
  out.states = keep(data, plan.states);
  out.cpu_features = keep(data, target.cpu_features);
}

// Where everything lies, and the code that prepares.
std::string weights_id(const Plan& plan, std::span<const KernelObject> kernel_objects) {
  std::string content;
  append_field(content, std::to_string(CONVOKE_ABI_VERSION));
  for (const PlanBuffer& buffer : plan.buffers) {
    if (buffer.arena >= core::kWeightsArenas) continue;
    for (const std::string& field : {buffer.name, to_string(buffer.type), to_string(buffer.layout),
                                     std::to_string(buffer.arena), std::to_string(buffer.offset_bytes)}) {
      append_field(content, field);
    }
  }
  for (const PlanRow& row : plan.rows) {
    if (row.program != CONVOKE_PREPARE) continue;
    append_field(content, kernel_objects[row.kernel].object);
    for (const int buffer : row.buffers) append_field(content, std::to_string(buffer));
  }
  return content_hash(content);
}

void fill_image(const ImageTransform& image, convoke_model& out) {
  ENSURE(image.mean.size() == image.std.size() && image.mean.size() <= std::size(out.image_mean))
      << image.mean.size() << " means, " << image.std.size() << " standard deviations";
  out.has_image = 1;
  out.image_scale = static_cast<float>(image.scale);
  for (size_t c = 0; c < image.mean.size(); ++c) {
    out.image_mean[c] = static_cast<float>(image.mean[c]);
    out.image_std[c] = static_cast<float>(image.std[c]);
  }
}

// The most that any number of threads needs, without the slabs.
int64_t context_bytes(const core::LibraryPlan& plan, int training) {
  const core::ContextLayout layout = core::context_layout(plan, training, kMaxThreads);
  return static_cast<int64_t>(layout.bytes - kMaxThreads * layout.slab_bytes);
}

void fill_model(const Plan& plan, const ModelDescription& model, const TargetSpec& target, LibraryData& data) {
  ENSURE(model.inputs.size() == plan.infer_inputs.size() && model.outputs.size() == plan.infer_outputs.size() &&
         model.parameters.size() == plan.parameters.size() && model.states.size() == plan.states.size())
      << "the description of " << model.name << " does not fit its plan";
  convoke_model& out = data.model;
  out.name = keep(data, model.name);
  out.target = keep(data, target.name);
  out.capacity = static_cast<int32_t>(plan.capacity);
  out.has_training = model.has_training;
  out.input_count = static_cast<int32_t>(model.inputs.size());
  out.output_count = static_cast<int32_t>(model.outputs.size());
  out.parameter_count = static_cast<int32_t>(model.parameters.size());
  out.state_count = static_cast<int32_t>(model.states.size());
  out.row_count = static_cast<int32_t>(plan.rows.size());
  out.moment_count = static_cast<int32_t>(plan.moment_names.size());
  out.inputs = keep(data, model.inputs);
  out.outputs = keep(data, model.outputs);
  out.parameters = keep(data, model.parameters);
  out.states = keep(data, model.states);
  out.moment_names = keep(data, plan.moment_names);
  out.rows = data.model_rows.data();
  out.weights_bytes = static_cast<int64_t>(core::weights_layout(data.plan).bytes);
  out.inference_context_bytes = context_bytes(data.plan, 0);
  out.training_context_bytes = model.has_training ? context_bytes(data.plan, 1) : 0;
  out.scratch_bytes_per_thread = static_cast<int64_t>(core::context_layout(data.plan, 0, 1).slab_bytes);
  if (model.image) fill_image(*model.image, out);
  out.class_count = model.class_count;
  out.class_names = keep(data, model.class_names);
}

}  // namespace

LibraryData library_data(const Plan& plan, const ModelDescription& model, const TargetSpec& target,
                         std::span<const KernelObject> kernel_objects) {
  LibraryData data;
  fill_plan(plan, target, data);
  for (const KernelObject& kernel : kernel_objects) {
    data.plan.scratch_bytes = std::max(data.plan.scratch_bytes, static_cast<uint64_t>(kernel.scratch_bytes));
  }
  data.plan.weights_id = keep(data, weights_id(plan, kernel_objects));
  fill_model(plan, model, target, data);
  return data;
}

}  // namespace convoke
