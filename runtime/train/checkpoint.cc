#include "runtime/train/checkpoint.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "runtime/base/file.h"
#include "runtime/train/weights_file.h"

namespace convoke {
namespace {

constexpr const char* kFormat = "convoke checkpoint 1";
constexpr const char* kChecksum = "xxh64";

std::string moment_name(const convoke_model& model, int32_t moment, int32_t parameter) {
  return std::string(kOptimizerPrefix) + model.moment_names[moment] + "/" + model.parameters[parameter].name;
}

Status collect_moments(const TrainingObjects& objects, OutgoingTensors* out) {
  const convoke_model& model = objects.library->model();
  for (int32_t moment = 0; moment < model.moment_count; ++moment) {
    for (int32_t p = 0; p < model.parameter_count; ++p) {
      const convoke_tensor& tensor = model.parameters[p];
      std::vector<float> values(static_cast<size_t>(tensor.elems));
      convoke_error error{};
      const int32_t code = objects.library->table().field_get(objects.context, CONVOKE_MOMENT_0 + moment, p,
                                                              values.data(), tensor.elems, &error);
      if (code == CONVOKE_FAILED_PRECONDITION) continue;  // frozen: has no moments
      if (code != CONVOKE_OK) return library_status(error);
      out->add(moment_name(model, moment, p), tensor_shape(tensor), std::move(values));
    }
  }
  return ok_status();
}

Status apply_moments(const TrainingObjects& objects, const SafeTensors& file, const std::string& path) {
  const convoke_model& model = objects.library->model();
  for (int32_t moment = 0; moment < model.moment_count; ++moment) {
    for (int32_t p = 0; p < model.parameter_count; ++p) {
      const convoke_tensor& tensor = model.parameters[p];
      const auto found = file.tensors.find(moment_name(model, moment, p));
      std::vector<float> values(static_cast<size_t>(tensor.elems));
      const bool fits = found != file.tensors.end() && found->second.dtype == "F32" &&
                        found->second.bytes.size() == values.size() * sizeof(float);
      if (fits) values = tensor_values(found->second);
      convoke_error error{};
      const int32_t code = objects.library->table().field_set(objects.context, CONVOKE_MOMENT_0 + moment, p,
                                                              values.data(), tensor.elems, &error);
      if (code == CONVOKE_FAILED_PRECONDITION) continue;
      if (code != CONVOKE_OK) return library_status(error);
      if (!fits) {
        return invalid_argument(path + ": has no " + model.moment_names[moment] + " of '" + tensor.name +
                                "'; was another optimizer used?");
      }
    }
  }
  return ok_status();
}

template <typename Number>
std::string number_text(Number value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

template <typename Number>
Status read_number(const SafeTensors& file, const std::string& key, const std::string& path, Number* value) {
  const auto found = file.metadata.find(key);
  if (found == file.metadata.end()) return data_loss(path + ": has no '" + key + "'");
  const std::string& text = found->second;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return data_loss(path + ": '" + key + "' is '" + text + "', expected a number");
  }
  return ok_status();
}

Result<TrainingState> read_state(const SafeTensors& file, const std::string& path) {
  TrainingState state;
  RETURN_IF_ERROR(read_number(file, "step", path, &state.step));
  RETURN_IF_ERROR(read_number(file, "epoch", path, &state.position.epoch));
  RETURN_IF_ERROR(read_number(file, "sample", path, &state.position.sample));
  RETURN_IF_ERROR(read_number(file, "epoch_loss", path, &state.epoch_loss));
  RETURN_IF_ERROR(read_number(file, "epoch_correct", path, &state.epoch_correct));
  RETURN_IF_ERROR(read_number(file, "best_accuracy", path, &state.best_accuracy));
  RETURN_IF_ERROR(read_number(file, "best_epoch", path, &state.best_epoch));
  const auto metrics = file.metadata.find("metrics");
  if (metrics == file.metadata.end()) return data_loss(path + ": has no 'metrics'");
  ASSIGN_OR_RETURN(state.history, parse_metrics(metrics->second, path));
  if (state.step < 0 || state.position.epoch < 0 || state.position.sample < 0) {
    return data_loss(path + ": its position is negative");
  }
  return state;
}

// What may change between the parts of one run.
bool may_change(const std::string& line) {
  for (const char* field : {"name:", "epochs:", "threads:", "patience:", "checkpoint_steps:"}) {
    if (line.starts_with(field)) return true;
  }
  return false;
}

std::vector<std::string> compared_lines(const std::string& recipe) {
  std::vector<std::string> lines;
  std::istringstream text(recipe);
  for (std::string line; std::getline(text, line);) {
    if (!may_change(line)) lines.push_back(line.substr(std::min(line.find_first_not_of(' '), line.size())));
  }
  return lines;
}

Status check_recipe_matches(const SafeTensors& file, const std::string& recipe, const std::string& path) {
  const auto found = file.metadata.find("recipe");
  if (found == file.metadata.end()) return data_loss(path + ": has no recipe");
  const std::vector<std::string> ours = compared_lines(recipe), theirs = compared_lines(found->second);
  const auto [a, b] = std::mismatch(ours.begin(), ours.end(), theirs.begin(), theirs.end());
  if (a == ours.end() && b == theirs.end()) return ok_status();
  return failed_precondition(path + ": was made with another recipe: '" + (b == theirs.end() ? "" : *b) + "' there, '" +
                             (a == ours.end() ? "" : *a) + "' now; give the run another name, or the same settings");
}

Status apply_checkpoint(const TrainingObjects& objects, const SafeTensors& file, const std::string& recipe,
                        const std::string& path) {
  RETURN_IF_ERROR(apply_weights(*objects.library, file, path, objects.weights));
  RETURN_IF_ERROR(check_recipe_matches(file, recipe, path));
  return apply_moments(objects, file, path);
}

std::string last_path(const std::string& folder) { return folder + "/last.safetensors"; }
std::string previous_path(const std::string& folder) { return folder + "/previous.safetensors"; }

struct CheckpointBytes {
  std::string bytes;
  SafeTensors file;
  TrainingState state;
};

// A whole checkpoint: read, hashed, parsed.
Result<CheckpointBytes> read_checkpoint(const std::string& path) {
  CheckpointBytes checkpoint;
  ASSIGN_OR_RETURN(checkpoint.bytes, read_file(path));
  RETURN_IF_ERROR(check_checksum(checkpoint.bytes, kChecksum, path));
  ASSIGN_OR_RETURN(checkpoint.file, parse_safetensors(checkpoint.bytes, path));
  if (checkpoint.file.metadata["format"] != kFormat) {
    return invalid_argument(path + ": format is '" + checkpoint.file.metadata["format"] + "', expected '" + kFormat +
                            "'");
  }
  ASSIGN_OR_RETURN(checkpoint.state, read_state(checkpoint.file, path));
  return checkpoint;
}

Status rename_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return ok_status();
  return unavailable(from + ": cannot rename to " + to + ": " + std::strerror(errno));
}

}  // namespace

bool has_checkpoint(const std::string& folder) {
  std::error_code unreadable;
  return std::filesystem::exists(last_path(folder), unreadable) ||
         std::filesystem::exists(previous_path(folder), unreadable);
}

Status save_checkpoint(const TrainingObjects& objects, const TrainingState& state, const std::string& recipe,
                       const std::string& folder) {
  OutgoingTensors out;
  RETURN_IF_ERROR(collect_weights(*objects.library, objects.weights, &out));
  RETURN_IF_ERROR(collect_moments(objects, &out));
  out.file.metadata = {{"format", kFormat},
                       {"model", objects.library->model().name},
                       {"recipe", recipe},
                       {"step", number_text(state.step)},
                       {"epoch", number_text(state.position.epoch)},
                       {"sample", number_text(state.position.sample)},
                       {"epoch_loss", number_text(state.epoch_loss)},
                       {"epoch_correct", number_text(state.epoch_correct)},
                       {"best_accuracy", number_text(state.best_accuracy)},
                       {"best_epoch", number_text(state.best_epoch)},
                       {"metrics", format_metrics(state.history)}};
  // The new file is complete on the disk before the old one moves.
  const std::string next = folder + "/next.safetensors";
  RETURN_IF_ERROR(write_file_atomic(next, serialize_safetensors(out.file, kChecksum)));
  std::error_code unreadable;
  if (std::filesystem::exists(last_path(folder), unreadable)) {
    RETURN_IF_ERROR(rename_file(last_path(folder), previous_path(folder)));
  }
  return rename_file(next, last_path(folder));
}

Result<LoadedCheckpoint> load_checkpoint(const TrainingObjects& objects, const std::string& recipe,
                                         const std::string& folder) {
  LoadedCheckpoint loaded;
  loaded.path = last_path(folder);
  Result<CheckpointBytes> checkpoint = read_checkpoint(loaded.path);
  if (!checkpoint.ok()) {
    const std::string first = checkpoint.status().message();
    loaded.path = previous_path(folder);
    checkpoint = read_checkpoint(loaded.path);
    if (!checkpoint.ok()) return data_loss("no usable checkpoint: " + first + "; " + checkpoint.status().message());
    loaded.notice = first + "; continuing from " + loaded.path + ", step " + std::to_string(checkpoint->state.step);
  }
  RETURN_IF_ERROR(apply_checkpoint(objects, checkpoint->file, recipe, loaded.path));
  loaded.state = std::move(checkpoint->state);
  return loaded;
}

}  // namespace convoke
