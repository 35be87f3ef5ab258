#include "compiler/driver/workload.h"

#include <algorithm>

namespace convoke {
namespace {

Status status_of(int32_t code, const convoke_error& error) {
  return code == CONVOKE_OK ? ok_status() : library_status(error);
}

}  // namespace

Result<Workload> Workload::make(const Library& library, const WorkloadOptions& options) {
  ASSIGN_OR_RETURN(Weights weights, create_weights(library));
  library.table().weights_initialize(weights.get(), 1);
  ASSIGN_OR_RETURN(Context context,
                   create_context(library, weights.get(), {.training = options.train, .threads = options.threads}));
  return Workload(library, std::move(weights), std::move(context), options);
}

Workload::Workload(const Library& library, Weights weights, Context context, const WorkloadOptions& options)
    : library_(library), weights_(std::move(weights)), context_(std::move(context)), options_(options) {
  const convoke_model& model = library.model();
  for (int32_t i = 0; i < model.input_count; ++i) {
    std::vector<float>& input = inputs_.emplace_back(static_cast<size_t>(options.n * model.inputs[i].elems));
    for (size_t k = 0; k < input.size(); ++k) input[k] = static_cast<float>((k * 2654435761u) % 1000) / 500 - 1;
  }
  for (const std::vector<float>& input : inputs_) input_pointers_.push_back(input.data());
  for (int32_t i = 0; i < options.n; ++i) labels_.push_back(i % std::max(model.class_count, 1));
}

Status Workload::step() {
  convoke_error error{};
  const convoke_library& table = library_.table();
  const void* const* inputs = input_pointers_.data();
  if (!options_.train) return status_of(table.infer(context_.get(), options_.n, inputs, nullptr, &error), error);
  RETURN_IF_ERROR(status_of(
      table.forward_backward(context_.get(), options_.n, inputs, labels_.data(), nullptr, nullptr, &error), error));
  // So small a rate that thousands of steps on one batch stay finite.
  const convoke_update update{.learning_rate = 1e-6f, .step = ++steps_};
  return status_of(table.update(context_.get(), &update, nullptr, &error), error);
}

}  // namespace convoke
