// convoke inspect: what a generated library says about itself.
#include <fmt/format.h>

#include <memory>

#include "compiler/driver/output.h"
#include "compiler/driver/verb.h"
#include "runtime/core/plan.h"
#include "runtime/io/table.h"
#include "runtime/train/library.h"
#include "runtime/train/weights_file.h"

namespace convoke {
namespace {

constexpr const char* kDTypes[] = {"f32", "i32", "u8"};

struct Arguments {
  std::string library;
  bool json = false;
};

std::string type_text(const convoke_tensor& tensor) {
  std::string dims;
  for (int64_t dim : tensor_shape(tensor)) dims += (dims.empty() ? "" : ",") + (dim < 0 ? "n" : std::to_string(dim));
  return fmt::format("{}[{}]", kDTypes[tensor.dtype], dims);
}

Json tensors_json(const convoke_tensor* tensors, int32_t count) {
  Json list = Json::array();
  for (int32_t i = 0; i < count; ++i) {
    list.push_back(
        {{"name", tensors[i].name}, {"dtype", kDTypes[tensors[i].dtype]}, {"shape", tensor_shape(tensors[i])}});
  }
  return list;
}

Json model_json(const convoke_model& model) {
  Json rows = Json::array();
  for (int32_t r = 0; r < model.row_count; ++r) {
    const convoke_row& row = model.rows[r];
    rows.push_back({{"program", core::kProgramNames[row.program]}, {"name", row.name}, {"schedule", row.schedule}});
  }
  Json classes = Json::array();
  for (int32_t c = 0; model.class_names != nullptr && c < model.class_count; ++c) {
    classes.push_back(model.class_names[c]);
  }
  return {{"model", model.name},
          {"target", model.target},
          {"abi_version", CONVOKE_ABI_VERSION},
          {"batch", model.capacity},
          {"training", model.has_training != 0},
          {"image_transform", model.has_image != 0},
          {"weights_bytes", model.weights_bytes},
          {"inference_context_bytes", model.inference_context_bytes},
          {"training_context_bytes", model.training_context_bytes},
          {"scratch_bytes_per_thread", model.scratch_bytes_per_thread},
          {"inputs", tensors_json(model.inputs, model.input_count)},
          {"outputs", tensors_json(model.outputs, model.output_count)},
          {"parameters", tensors_json(model.parameters, model.parameter_count)},
          {"states", tensors_json(model.states, model.state_count)},
          {"classes", std::move(classes)},
          {"rows", std::move(rows)}};
}

void print_tensors(const char* title, const convoke_tensor* tensors, int32_t count) {
  if (count == 0) return;
  std::vector<TableRow> rows;
  int64_t elems = 0;
  for (int32_t i = 0; i < count; ++i) {
    rows.push_back({"", tensors[i].name, type_text(tensors[i])});
    elems += tensors[i].elems;
  }
  fmt::print("{} ({}, {} elements)\n{}", title, count, count_text(elems), format_table("lll", rows));
}

void print_model(const convoke_model& model) {
  fmt::print("{} for {}, ABI {}, batches of up to {}, {}\n", model.name, model.target, CONVOKE_ABI_VERSION,
             model.capacity, model.has_training ? "trains" : "inference only");
  fmt::print("weights {}; a context {} to infer{}; scratch {} a thread\n", bytes_text(model.weights_bytes),
             bytes_text(model.inference_context_bytes),
             model.has_training ? ", " + bytes_text(model.training_context_bytes) + " to train" : "",
             bytes_text(model.scratch_bytes_per_thread));
  if (model.has_image) {
    fmt::print("8-bit images: (pixel * {:.6g} - {:.6g}) / {:.6g} in the first channel\n", model.image_scale,
               model.image_mean[0], model.image_std[0]);
  }
  print_tensors("inputs", model.inputs, model.input_count);
  print_tensors("outputs", model.outputs, model.output_count);
  print_tensors("parameters", model.parameters, model.parameter_count);
  print_tensors("states", model.states, model.state_count);
  std::vector<TableRow> rows;
  for (int32_t r = 0; r < model.row_count; ++r) {
    rows.push_back({"", core::kProgramNames[model.rows[r].program], model.rows[r].name, model.rows[r].schedule});
  }
  fmt::print("calls ({})\n{}", model.row_count, format_table("llll", rows));
}

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const Library library, Library::open(arguments.library));
  if (arguments.json) {
    print_json(model_json(library.model()));
  } else {
    print_model(library.model());
  }
  return 0;
}

}  // namespace

VerbRun inspect_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.add_option("library", arguments->library, "A library that `convoke compile` made (.so, of this machine's kind)")
      ->required();
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
