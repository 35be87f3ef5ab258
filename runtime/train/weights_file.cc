#include "runtime/train/weights_file.h"

#include <cstring>

#include "runtime/base/file.h"

namespace convoke {
namespace {

constexpr size_t kMostListed = 8;

struct Differences {
  std::vector<std::string> lines;
  void add(std::string line) { lines.push_back(std::move(line)); }
  std::string text() const {
    std::string out;
    for (size_t i = 0; i < lines.size() && i < kMostListed; ++i) out += "\n  " + lines[i];
    if (lines.size() > kMostListed) out += "\n  and " + std::to_string(lines.size() - kMostListed) + " more";
    return out;
  }
};

bool is_ignored(const std::string& name) {
  constexpr std::string_view kTracked = "num_batches_tracked";
  if (name.starts_with(kOptimizerPrefix)) return true;
  return name == kTracked || name.ends_with(".num_batches_tracked");
}

Differences compare(const convoke_model& model, const SafeTensors& file) {
  Differences differences;
  std::map<std::string, bool> wanted;
  for (const convoke_tensor* tensor : weight_tensors(model)) {
    wanted[tensor->name] = true;
    const auto found = file.tensors.find(tensor->name);
    const std::string expected = shape_text(tensor_shape(*tensor));
    if (found == file.tensors.end()) {
      differences.add("missing: " + std::string(tensor->name) + " (" + expected + ")");
    } else if (found->second.shape != tensor_shape(*tensor)) {
      differences.add("shape: " + std::string(tensor->name) + " is " + shape_text(found->second.shape) + ", expected " +
                      expected);
    } else if (found->second.dtype != "F32") {
      differences.add("dtype: " + std::string(tensor->name) + " is " + found->second.dtype + ", expected F32");
    }
  }
  for (const auto& [name, tensor] : file.tensors) {
    if (!wanted.contains(name) && !is_ignored(name)) {
      differences.add("unexpected: " + name + " (" + shape_text(tensor.shape) + ")");
    }
  }
  return differences;
}

}  // namespace

std::vector<int64_t> tensor_shape(const convoke_tensor& tensor) { return {tensor.dims, tensor.dims + tensor.rank}; }

void OutgoingTensors::add(const std::string& name, std::vector<int64_t> shape, std::vector<float> data) {
  values.push_back(std::move(data));
  const std::vector<float>& kept = values.back();
  file.tensors[name] = {
      "F32", std::move(shape), {reinterpret_cast<const char*>(kept.data()), kept.size() * sizeof(float)}};
}

std::vector<float> tensor_values(const SafeTensor& tensor) {
  std::vector<float> values(tensor.bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

Status collect_weights(const Library& library, const convoke_weights* weights, OutgoingTensors* out) {
  int32_t index = 0;
  for (const convoke_tensor* tensor : weight_tensors(library.model())) {
    std::vector<float> values(static_cast<size_t>(tensor->elems));
    convoke_error error{};
    if (library.table().weights_get(weights, index++, values.data(), tensor->elems, &error) != CONVOKE_OK) {
      return library_status(error);
    }
    out->add(tensor->name, tensor_shape(*tensor), std::move(values));
  }
  return ok_status();
}

Status apply_weights(const Library& library, const SafeTensors& file, const std::string& path,
                     convoke_weights* weights) {
  const Differences differences = compare(library.model(), file);
  if (!differences.lines.empty()) {
    return invalid_argument(path + ": weights of another model than " + library.model().name + ": " +
                            std::to_string(differences.lines.size()) + " differences" + differences.text());
  }
  int32_t index = 0;
  for (const convoke_tensor* tensor : weight_tensors(library.model())) {
    const std::vector<float> values = tensor_values(file.tensors.at(tensor->name));
    convoke_error error{};
    if (library.table().weights_set(weights, index++, values.data(), tensor->elems, &error) != CONVOKE_OK) {
      return library_status(error);
    }
  }
  return ok_status();
}

Status save_weights(const Library& library, const convoke_weights* weights, const std::string& path) {
  OutgoingTensors out;
  RETURN_IF_ERROR(collect_weights(library, weights, &out));
  out.file.metadata = {{"format", "pt"}, {"model", library.model().name}};
  return write_file_atomic(path, serialize_safetensors(out.file));
}

Status load_weights(const Library& library, convoke_weights* weights, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, read_file(path));
  ASSIGN_OR_RETURN(const SafeTensors file, parse_safetensors(bytes, path));
  return apply_weights(library, file, path, weights);
}

Status save_prepared_weights(const Library& library, const std::string& safetensors, const std::string& path) {
  ASSIGN_OR_RETURN(const Weights weights, create_weights(library));
  RETURN_IF_ERROR(load_weights(library, weights.get(), safetensors));
  ASSIGN_OR_RETURN(const Context context, create_context(library, weights.get(), {}));
  convoke_error error{};
  if (library.table().weights_save(context.get(), path.c_str(), &error) != CONVOKE_OK) return library_status(error);
  return ok_status();
}

}  // namespace convoke
