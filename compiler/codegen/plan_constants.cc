#include "compiler/codegen/plan_constants.h"

#include <cstddef>

#include "llvm/IR/Constants.h"
#include "llvm/IR/DerivedTypes.h"
#include "llvm/IR/GlobalVariable.h"

namespace convoke {
namespace {

using llvm::Constant;

struct Field {
  size_t offset;  // in the C++ struct
  Constant* value;
};

// Makes constants in one module. Lists and texts become private globals; what is returned is the pointer to them.
class Constants {
 public:
  explicit Constants(llvm::Module& module) : module_(module), context_(module.getContext()) {}

  Constant* i8(uint64_t value) { return integer(8, value); }
  Constant* i32(int64_t value) { return integer(32, static_cast<uint64_t>(value)); }
  Constant* i64(uint64_t value) { return integer(64, value); }
  Constant* f32(float value) { return llvm::ConstantFP::get(llvm::Type::getFloatTy(context_), value); }
  Constant* null() { return llvm::ConstantPointerNull::get(llvm::PointerType::get(context_, 0)); }

  Constant* text(const char* value) {
    return value ? global("text", llvm::ConstantDataArray::getString(context_, value)) : null();
  }

  Constant* structure(std::initializer_list<Field> fields, size_t size_bytes) {
    std::vector<Constant*> values;
    for (const Field& field : fields) values.push_back(field.value);
    Constant* constant = llvm::ConstantStruct::getAnon(context_, values);
    const llvm::DataLayout& layout = module_.getDataLayout();
    const llvm::StructLayout* places = layout.getStructLayout(llvm::cast<llvm::StructType>(constant->getType()));
    unsigned i = 0;
    for (const Field& field : fields) {
      ENSURE(places->getElementOffset(i) == field.offset)
          << "field " << i << " of a struct of " << size_bytes << " bytes";
      ++i;
    }
    ENSURE(layout.getTypeAllocSize(constant->getType()) == size_bytes) << "a struct of " << size_bytes << " bytes";
    return constant;
  }

  Constant* array(const std::vector<Constant*>& values) {
    return llvm::ConstantArray::get(llvm::ArrayType::get(values.front()->getType(), values.size()), values);
  }
  Constant* list(const std::vector<Constant*>& values) {
    return values.empty() ? null() : global("list", array(values));
  }

  Constant* integers(const int32_t* values, int64_t count) {
    std::vector<Constant*> constants;
    for (int64_t i = 0; i < count; ++i) constants.push_back(i32(values[i]));
    return list(constants);
  }

  Constant* texts(const char* const* values) {
    std::vector<Constant*> constants;
    for (; values && *values; ++values) constants.push_back(text(*values));
    if (!constants.empty()) constants.push_back(null());
    return list(constants);
  }

  Constant* function(const std::string& symbol) {
    auto* pointer = llvm::PointerType::get(context_, 0);
    auto* type = llvm::FunctionType::get(llvm::Type::getInt32Ty(context_), {pointer}, false);
    auto* function = llvm::cast<llvm::Function>(module_.getOrInsertFunction(symbol, type).getCallee());
    function->setVisibility(llvm::GlobalValue::HiddenVisibility);
    return function;
  }

 private:
  Constant* integer(unsigned bits, uint64_t value) {
    return llvm::ConstantInt::get(llvm::Type::getIntNTy(context_, bits), value);
  }
  Constant* global(const char* name, Constant* value) {
    auto* variable =
        new llvm::GlobalVariable(module_, value->getType(), true, llvm::GlobalValue::PrivateLinkage, value, name);
    variable->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
    return variable;
  }

  llvm::Module& module_;
  llvm::LLVMContext& context_;
};

#define FIELD(type, name, value) {offsetof(type, name), value}

Constant* constant(Constants& make, const core::StorageAxis& axis) {
  return make.structure(
      {FIELD(core::StorageAxis, extent, make.i32(axis.extent)), FIELD(core::StorageAxis, dim, make.i32(axis.dim)),
       FIELD(core::StorageAxis, multiplier, make.i32(axis.multiplier))},
      sizeof axis);
}

Constant* constant(Constants& make, const core::Buffer& buffer) {
  std::vector<Constant*> view, axes;
  for (const int32_t extent : buffer.view) view.push_back(make.i32(extent));
  for (const core::StorageAxis& axis : buffer.axes) axes.push_back(constant(make, axis));
  return make.structure(
      {FIELD(core::Buffer, name, make.text(buffer.name)), FIELD(core::Buffer, offset, make.i64(buffer.offset)),
       FIELD(core::Buffer, bytes, make.i64(buffer.bytes)), FIELD(core::Buffer, arena, make.i8(buffer.arena)),
       FIELD(core::Buffer, dtype, make.i8(buffer.dtype)), FIELD(core::Buffer, rank, make.i8(buffer.rank)),
       FIELD(core::Buffer, has_batch, make.i8(buffer.has_batch)),
       FIELD(core::Buffer, view_rank, make.i8(buffer.view_rank)), FIELD(core::Buffer, view, make.array(view)),
       FIELD(core::Buffer, axes, make.array(axes)), FIELD(core::Buffer, samples, make.i32(buffer.samples)),
       FIELD(core::Buffer, images, make.i8(buffer.images))},
      sizeof buffer);
}

Constant* constant(Constants& make, const core::Row& row, const std::string& kernel_symbol) {
  return make.structure(
      {FIELD(core::Row, kernel, make.function(kernel_symbol)),
       FIELD(core::Row, buffers, make.integers(row.buffers, row.buffer_count)),
       FIELD(core::Row, buffer_count, make.i32(row.buffer_count)), FIELD(core::Row, program, make.i32(row.program)),
       FIELD(core::Row, ns_per_sample, make.i64(row.ns_per_sample)),
       FIELD(core::Row, ns_per_call, make.i64(row.ns_per_call)),
       FIELD(core::Row, memory_space, make.i8(row.memory_space)), FIELD(core::Row, stream, make.i8(row.stream))},
      sizeof row);
}

Constant* constant(Constants& make, const core::Band& band) {
  return make.structure({FIELD(core::Band, first, make.i32(band.first)), FIELD(core::Band, end, make.i32(band.end)),
                         FIELD(core::Band, samples, make.i32(band.samples))},
                        sizeof band);
}

Constant* constant(Constants& make, const core::FusedName& fused) {
  return make.structure(
      {FIELD(core::FusedName, name, make.text(fused.name)), FIELD(core::FusedName, row, make.i32(fused.row))},
      sizeof fused);
}

Constant* constant(Constants& make, const convoke_tensor& tensor) {
  std::vector<Constant*> dims;
  for (const int64_t dim : tensor.dims) dims.push_back(make.i64(dim));
  return make.structure(
      {FIELD(convoke_tensor, name, make.text(tensor.name)), FIELD(convoke_tensor, dtype, make.i32(tensor.dtype)),
       FIELD(convoke_tensor, rank, make.i32(tensor.rank)), FIELD(convoke_tensor, dims, make.array(dims)),
       FIELD(convoke_tensor, elems, make.i64(tensor.elems)), FIELD(convoke_tensor, init, make.i32(tensor.init)),
       FIELD(convoke_tensor, init_value, make.f32(tensor.init_value))},
      sizeof tensor);
}

Constant* constant(Constants& make, const convoke_row& row) {
  return make.structure(
      {FIELD(convoke_row, name, make.text(row.name)), FIELD(convoke_row, schedule, make.text(row.schedule)),
       FIELD(convoke_row, program, make.i32(row.program)),
       FIELD(convoke_row, flops_per_sample, make.i64(row.flops_per_sample)),
       FIELD(convoke_row, flops_per_call, make.i64(row.flops_per_call)),
       FIELD(convoke_row, bytes_per_sample, make.i64(row.bytes_per_sample)),
       FIELD(convoke_row, bytes_per_call, make.i64(row.bytes_per_call))},
      sizeof row);
}

template <typename T>
Constant* structures(Constants& make, const T* values, int64_t count) {
  std::vector<Constant*> constants;
  for (int64_t i = 0; i < count; ++i) constants.push_back(constant(make, values[i]));
  return make.list(constants);
}

Constant* plan_constant(Constants& make, const LibraryData& data, std::span<const std::string> kernel_symbols) {
  const core::LibraryPlan& plan = data.plan;
  const convoke_model& model = data.model;
  std::vector<Constant*> rows, arena_bytes;
  for (int r = 0; r < plan.row_count; ++r) {
    rows.push_back(constant(make, plan.rows[r], kernel_symbols[data.row_kernels[r]]));
  }
  for (const uint64_t bytes : plan.arena_bytes) arena_bytes.push_back(make.i64(bytes));
  auto training = [&](int64_t count) { return model.has_training ? count : 0; };
  return make.structure(
      {FIELD(core::LibraryPlan, buffers, structures(make, plan.buffers, plan.buffer_count)),
       FIELD(core::LibraryPlan, rows, make.list(rows)),
       FIELD(core::LibraryPlan, bands, structures(make, plan.bands, plan.band_count)),
       FIELD(core::LibraryPlan, fused_names, structures(make, plan.fused_names, plan.fused_name_count)),
       FIELD(core::LibraryPlan, buffer_count, make.i32(plan.buffer_count)),
       FIELD(core::LibraryPlan, row_count, make.i32(plan.row_count)),
       FIELD(core::LibraryPlan, band_count, make.i32(plan.band_count)),
       FIELD(core::LibraryPlan, fused_name_count, make.i32(plan.fused_name_count)),
       FIELD(core::LibraryPlan, arena_bytes, make.array(arena_bytes)),
       FIELD(core::LibraryPlan, inference_activation_bytes, make.i64(plan.inference_activation_bytes)),
       FIELD(core::LibraryPlan, scratch_bytes, make.i64(plan.scratch_bytes)),
       FIELD(core::LibraryPlan, capacity, make.i32(plan.capacity)),
       FIELD(core::LibraryPlan, infer_inputs, make.integers(plan.infer_inputs, model.input_count)),
       FIELD(core::LibraryPlan, infer_outputs, make.integers(plan.infer_outputs, model.output_count)),
       FIELD(core::LibraryPlan, train_inputs, make.integers(plan.train_inputs, training(model.input_count))),
       FIELD(core::LibraryPlan, train_outputs, make.integers(plan.train_outputs, training(model.output_count))),
       FIELD(core::LibraryPlan, output_gradients, make.integers(plan.output_gradients, training(model.output_count))),
       FIELD(core::LibraryPlan, labels, make.i32(plan.labels)),
       FIELD(core::LibraryPlan, loss, make.i32(plan.loss)),
       FIELD(core::LibraryPlan, accuracy, make.i32(plan.accuracy)),
       FIELD(core::LibraryPlan, gradient_sum_squares, make.i32(plan.gradient_sum_squares)),
       FIELD(core::LibraryPlan, parameters, make.integers(plan.parameters, model.parameter_count)),
       FIELD(core::LibraryPlan, gradients, make.integers(plan.gradients, training(model.parameter_count))),
       FIELD(core::LibraryPlan, moments,
             make.integers(plan.moments, training(int64_t{model.moment_count} * model.parameter_count))),
       FIELD(core::LibraryPlan, states, make.integers(plan.states, model.state_count)),
       FIELD(core::LibraryPlan, cpu_features, make.texts(plan.cpu_features)),
       FIELD(core::LibraryPlan, weights_id, make.text(plan.weights_id))},
      sizeof plan);
}

Constant* model_constant(Constants& make, const convoke_model& model) {
  std::vector<Constant*> mean, std;
  for (const float value : model.image_mean) mean.push_back(make.f32(value));
  for (const float value : model.image_std) std.push_back(make.f32(value));
  return make.structure({FIELD(convoke_model, name, make.text(model.name)),
                         FIELD(convoke_model, target, make.text(model.target)),
                         FIELD(convoke_model, capacity, make.i32(model.capacity)),
                         FIELD(convoke_model, has_training, make.i32(model.has_training)),
                         FIELD(convoke_model, input_count, make.i32(model.input_count)),
                         FIELD(convoke_model, output_count, make.i32(model.output_count)),
                         FIELD(convoke_model, parameter_count, make.i32(model.parameter_count)),
                         FIELD(convoke_model, state_count, make.i32(model.state_count)),
                         FIELD(convoke_model, row_count, make.i32(model.row_count)),
                         FIELD(convoke_model, moment_count, make.i32(model.moment_count)),
                         FIELD(convoke_model, inputs, structures(make, model.inputs, model.input_count)),
                         FIELD(convoke_model, outputs, structures(make, model.outputs, model.output_count)),
                         FIELD(convoke_model, parameters, structures(make, model.parameters, model.parameter_count)),
                         FIELD(convoke_model, states, structures(make, model.states, model.state_count)),
                         FIELD(convoke_model, moment_names, make.texts(model.moment_names)),
                         FIELD(convoke_model, rows, structures(make, model.rows, model.row_count)),
                         FIELD(convoke_model, weights_bytes, make.i64(model.weights_bytes)),
                         FIELD(convoke_model, inference_context_bytes, make.i64(model.inference_context_bytes)),
                         FIELD(convoke_model, training_context_bytes, make.i64(model.training_context_bytes)),
                         FIELD(convoke_model, scratch_bytes_per_thread, make.i64(model.scratch_bytes_per_thread)),
                         FIELD(convoke_model, has_image, make.i32(model.has_image)),
                         FIELD(convoke_model, image_scale, make.f32(model.image_scale)),
                         FIELD(convoke_model, image_mean, make.array(mean)),
                         FIELD(convoke_model, image_std, make.array(std)),
                         FIELD(convoke_model, class_count, make.i32(model.class_count)),
                         FIELD(convoke_model, class_names, make.texts(model.class_names))},
                        sizeof model);
}
#undef FIELD

// The core's declaration of the symbol has a named type; its definition gets ours.
void define(llvm::Module& module, const char* name, Constant* value) {
  auto* variable =
      new llvm::GlobalVariable(module, value->getType(), true, llvm::GlobalValue::ExternalLinkage, value, name);
  variable->setVisibility(llvm::GlobalValue::HiddenVisibility);
}

}  // namespace

void add_plan_constants(llvm::Module& module, const LibraryData& data, std::span<const std::string> kernel_symbols) {
  Constants make(module);
  define(module, "convoke_plan", plan_constant(make, data, kernel_symbols));
  define(module, "convoke_model_data", model_constant(make, data.model));
}

}  // namespace convoke
