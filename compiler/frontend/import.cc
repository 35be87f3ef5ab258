// The model around its layers: name, inputs, outputs, and what nobody reads (import.h).
#include "compiler/frontend/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "compiler/frontend/expand.h"
#include "runtime/base/checked.h"

namespace convoke {
namespace {

using schema::Model;

constexpr size_t kMaxName = 64;  // of the model: functions and files are called so

std::string model_name(const Located<Model>& model, const std::string& file_name, Diagnostics& diagnostics) {
  std::string name = model->has_name() ? model->name() : std::filesystem::path(file_name).stem().string();
  if (is_identifier(name) && name.size() <= kMaxName) return name;
  diagnostics.add({"E0203", position_of(model, Model::kNameFieldNumber), "",
                   fmt::format("{}\"{}\" is no name for a model", model->has_name() ? "" : "the file's name ", name),
                   fmt::format("say `name: \"…\"`: a letter, then letters, digits and _, at most {}", kMaxName)});
  return "model";
}

// --- Inputs ---

struct Size {
  const char* name;
  int field_number;
  bool stated;
  int64_t value;
};

// The sizes of one input that are stated, all within bounds.
bool check_sizes(const Located<schema::Input>& input, std::span<const Size> sizes, Position position,
                 Diagnostics& diagnostics) {
  bool fine = true;
  for (const Size& size : sizes) {
    if (!size.stated || (size.value >= 1 && size.value <= kMaxElems)) continue;
    diagnostics.add({"E0401", position_of(input, size.field_number, -1, position), "",
                     fmt::format("input {} is {}, expected 1 to {}", size.name, size.value, kMaxElems), ""});
    fine = false;
  }
  if (!sizes[2].stated) {
    diagnostics.add({"E0213", position, "", "the input has no channels", "say `channels: 3` in it"});
    fine = false;
  }
  if (sizes[0].stated != sizes[1].stated) {
    diagnostics.add({"E0213", position, "", "the input has a height or a width, not both",
                     "say both for an image, neither for a vector"});
    fine = false;
  }
  return fine;
}

// The input's type; nothing when it is wrong.
std::optional<Type> input_type(const Located<schema::Input>& input, const ImportOptions& options, Position position,
                               Diagnostics& diagnostics) {
  const auto size = [&](const char* name, int number, bool stated, int64_t value, int64_t option) {
    return Size{name, number, stated || option != 0, option != 0 ? option : value};
  };
  using schema::Input;
  const Size sizes[] = {
      size("height", Input::kHeightFieldNumber, input->has_height(), input->height(), options.input_height),
      size("width", Input::kWidthFieldNumber, input->has_width(), input->width(), options.input_width),
      size("channels", Input::kChannelsFieldNumber, input->has_channels(), input->channels(), options.input_channels)};
  if (!check_sizes(input, sizes, position, diagnostics)) return std::nullopt;
  std::vector<int64_t> dims = {kBatch};
  int64_t elems = 1;
  for (const Size& each : sizes) {
    if (!each.stated) continue;
    dims.push_back(each.value);
    const auto product = checked_mul(elems, each.value);
    if (!product || *product > kMaxElems) {
      diagnostics.add({"E0505", position, "", fmt::format("the input has more than {} elements", kMaxElems), ""});
      return std::nullopt;
    }
    elems = *product;
  }
  return f32(std::move(dims));
}

void add_inputs(Expansion& expansion, Scope& scope, const ImportOptions& options) {
  const Located<Model>& model = expansion.model;
  if (model->input_size() == 0) {
    expansion.diagnostics.add(
        {"E0213", {}, "", "the model has no input", "say `input { height: 28 width: 28 channels: 1 }`"});
  }
  for (int i = 0; i < model->input_size(); ++i) {
    const auto input = child(model, model->input(i), Model::kInputFieldNumber, i);
    const Position position = position_of(model, Model::kInputFieldNumber, i);
    const auto type = input_type(input, i == 0 ? options : ImportOptions{}, position, expansion.diagnostics);
    Reference reference;
    if (!is_path(input->name())) {
      expansion.diagnostics.add(
          {"E0203", position, "", fmt::format("\"{}\" is no name for an input", input->name()), ""});
    } else if (!expansion.names.insert(input->name()).second) {
      expansion.diagnostics.add({"E0204", position, "", fmt::format("there are two inputs \"{}\"", input->name()),
                                 "say `name: \"…\"` in them"});
    } else if (type) {
      reference.value = expansion.builder.input(input->name(), *type);
    }
    scope.inputs.emplace(input->name(), reference);
    if (i == 0) scope.last = reference;
  }
}

void add_classes(Expansion& expansion, Scope& scope, const ImportOptions& options) {
  const int64_t classes = options.classes != 0 ? options.classes : expansion.model->classes();
  if (options.classes == 0 && !expansion.model->has_classes()) return;
  if (classes < 1 || classes > kMaxElems) {
    expansion.diagnostics.add({"E0401", position_of(expansion.model, Model::kClassesFieldNumber), "",
                               fmt::format("classes is {}, expected 1 to {}", classes, kMaxElems), ""});
  }
  scope.parameters["classes"] = std::clamp<int64_t>(classes, 1, kMaxElems);
}

// --- Outputs, and what is left over ---

// The value's layer, when it is an output, must not be one already.
void add_output(Expansion& expansion, const Reference& reference, const std::string& name, Position position,
                ImportedModel& imported) {
  mark_read(expansion, reference);
  if (reference.value == kNoValue) return;
  const Graph& graph = expansion.builder.graph();
  if (graph.is_source_value(reference.value) ||
      std::ranges::find(graph.outputs, reference.value) != graph.outputs.end()) {
    expansion.diagnostics.add({"E0211", position, "",
                               fmt::format("output \"{}\" is {}", name,
                                           graph.is_source_value(reference.value) ? "an input" : "an output already"),
                               ""});
    return;
  }
  expansion.builder.output(reference.value);
  imported.outputs.push_back(graph.values[reference.value].name);
}

void add_outputs(Expansion& expansion, const Scope& scope, ImportedModel& imported) {
  const Located<Model>& model = expansion.model;
  if (model->output_size() == 0) add_output(expansion, scope.last, "the last layer", {}, imported);
  for (int i = 0; i < model->output_size() && !expansion.diagnostics.full(); ++i) {
    const Position position = position_of(model, Model::kOutputFieldNumber, i);
    if (const Reference* reference = find_reference(scope, model->output(i))) {
      add_output(expansion, *reference, model->output(i), position, imported);
    } else {
      const std::vector<std::string> known = known_names(scope);
      const Reference* meant = find_reference(scope, nearest(model->output(i), known));
      if (meant != nullptr) mark_read(expansion, *meant);
      if (meant == nullptr) expansion.reads_unknown = true;
      expansion.diagnostics.add({"E0211", position, "",
                                 fmt::format("there is no layer \"{}\" to put out", model->output(i)),
                                 suggest(model->output(i), known)});
    }
  }
}

void report_unread_layers(Expansion& expansion) {
  std::map<size_t, const LayerState*> unread;
  for (const auto& [layer, state] : expansion.layers) {
    if (!expansion.read_layers.contains(layer)) unread[state.order] = &state;
  }
  for (const auto& [order, state] : unread) {
    expansion.diagnostics.add(
        {"E0209", state->position, state->path, "nobody reads it",
         fmt::format("say `output: \"{}\"` in the model, let a layer read it, or remove it", state->path)});
  }
}

void report_unread_inputs(Expansion& expansion) {
  const Graph& graph = expansion.builder.graph();
  const auto readers = users(graph);
  for (size_t value = 0; value < graph.values.size(); ++value) {
    if (graph.node_of(static_cast<ValueId>(value)).op != "input" || !readers[value].empty()) continue;
    const auto& inputs = expansion.model->input();
    const auto found = std::ranges::find(inputs, graph.values[value].name, &schema::Input::name);
    const int index = static_cast<int>(found - inputs.begin());
    expansion.diagnostics.add({"E0209", position_of(expansion.model, Model::kInputFieldNumber, index), "",
                               fmt::format("nobody reads the input \"{}\"", graph.values[value].name),
                               "let a layer read it, or remove it"});
  }
}

void report_unused_blocks(Expansion& expansion) {
  std::set<std::string> used;
  const auto collect = [&](const auto& layers) {
    for (const schema::Layer& layer : layers) {
      if (layer.has_block()) used.insert(layer.block().name());
    }
  };
  collect(expansion.model->layer());
  for (const schema::Block& block : expansion.model->block()) collect(block.layer());
  for (int i = 0; i < expansion.model->block_size(); ++i) {
    const std::string& name = expansion.model->block(i).name();
    if (!is_identifier(name) || !used.insert(name).second) continue;  // the first of that name
    expansion.diagnostics.add({"E0306", position_of(expansion.model, Model::kBlockFieldNumber, i), "",
                               fmt::format("nobody uses the block \"{}\"", name), "remove it"});
  }
}

void report_parameters(Expansion& expansion, const ImportOptions& options) {
  if (options.classes != 0 && !expansion.read_parameters.contains("classes")) {
    expansion.diagnostics.add({"E0214",
                               {},
                               "",
                               "no layer depends on the number of classes, so it cannot be set",
                               "say `features_from: \"classes\"` in the last layer"});
  }
  const Graph& graph = expansion.builder.graph();
  int64_t total = 0;
  for (const Value& value : graph.values) {
    if (graph.nodes[value.node].op == "parameter") total += value.type.elems();
  }
  if (total <= kMaxElems) return;
  expansion.diagnostics.add(
      {"E0507", {}, "", fmt::format("the model has {} parameters, expected at most {}", total, kMaxElems), ""});
}

// --- Blocks, whether used or not ---

void check_block(const Located<schema::Block>& block, Position position, Diagnostics& diagnostics) {
  const auto error = [&](std::string_view id, Position where, const std::string& message, const char* hint) {
    diagnostics.add({id, where, "", fmt::format("block \"{}\" {}", block->name(), message), hint});
  };
  constexpr const char* kIdentifier = "a letter, then letters, digits and _";
  if (block->layer_size() == 0) error("E0201", position, "has no layers", "");
  std::set<std::string> names;
  for (int i = 0; i < block->parameter_size(); ++i) {
    const std::string& name = block->parameter(i).name();
    const Position where = position_of(block, schema::Block::kParameterFieldNumber, i, position);
    if (!is_identifier(name)) error("E0203", where, fmt::format("has a parameter \"{}\"", name), kIdentifier);
    if (!names.insert(name).second) error("E0204", where, fmt::format("has two parameters \"{}\"", name), "");
  }
  names.clear();
  for (int i = 0; i < block->input_size(); ++i) {
    const std::string& name = block->input(i);
    const Position where = position_of(block, schema::Block::kInputFieldNumber, i, position);
    if (!is_path(name)) error("E0203", where, fmt::format("has an input \"{}\"", name), kIdentifier);
    if (!names.insert(name).second) error("E0204", where, fmt::format("has two inputs \"{}\"", name), "");
  }
}

void check_blocks(const Located<Model>& model, Diagnostics& diagnostics) {
  std::set<std::string> names;
  for (int i = 0; i < model->block_size(); ++i) {
    const auto block = child(model, model->block(i), Model::kBlockFieldNumber, i);
    const Position position = position_of(model, Model::kBlockFieldNumber, i);
    if (!is_identifier(block->name())) {
      diagnostics.add(
          {"E0203", position, "",
           block->has_name() ? fmt::format("\"{}\" is no name for a block", block->name()) : "the block has no name",
           "say `name: \"…\"` in it: a letter, then letters, digits and _"});
    } else if (!names.insert(block->name()).second) {
      diagnostics.add({"E0204", position, "", fmt::format("there are two blocks \"{}\"", block->name()), ""});
    }
    check_block(block, position, diagnostics);
  }
}

// Fields that were skipped outside of any layer make the rest guesswork.
bool all_within_layers(const std::vector<Position>& unknown, const Located<Model>& model) {
  size_t within = 0;
  const LayerList<Model> layers{model, Model::kLayerFieldNumber};
  for (int i = 0; i < layers.size(); ++i) within += layers.count_unknown_fields(i, unknown);
  for (int b = 0; b < model->block_size(); ++b) {
    const LayerList<schema::Block> inner{child(model, model->block(b), Model::kBlockFieldNumber, b),
                                         schema::Block::kLayerFieldNumber};
    for (int i = 0; i < inner.size(); ++i) within += inner.count_unknown_fields(i, unknown);
  }
  return within == unknown.size();
}

// Before anything whose time could grow with their square. False: too many of something.
bool check_counts(const Located<Model>& model, Diagnostics& diagnostics) {
  constexpr int kMaxBlocks = 10'000, kMaxParameters = 64;
  bool fine = true;
  const auto check = [&](const auto& parent, std::string_view id, int field_number, int count, int most,
                         const char* what) {
    if (count <= most) return;
    fine = false;
    diagnostics.add({id, position_of(parent, field_number, most), "",
                     fmt::format("there are {} {}, expected at most {}", count, what, most), ""});
  };
  using schema::Block;
  check(model, "E0210", Model::kInputFieldNumber, model->input_size(), kMaxInputs, "inputs");
  check(model, "E0212", Model::kLayerFieldNumber, model->layer_size(), kMaxLayers, "layers");
  check(model, "E0212", Model::kBlockFieldNumber, model->block_size(), kMaxBlocks, "blocks");
  for (int b = 0; b < model->block_size(); ++b) {
    const auto block = child(model, model->block(b), Model::kBlockFieldNumber, b);
    check(block, "E0210", Block::kInputFieldNumber, block->input_size(), kMaxInputs, "inputs of the block");
    check(block, "E0212", Block::kLayerFieldNumber, block->layer_size(), kMaxLayers, "layers in the block");
    check(block, "E0212", Block::kParameterFieldNumber, block->parameter_size(), kMaxParameters,
          "parameters of the block");
  }
  return fine;
}

void import_layers(Expansion& expansion, const ImportOptions& options, ImportedModel& imported) {
  check_blocks(expansion.model, expansion.diagnostics);
  if (expansion.model->layer_size() == 0) {
    expansion.diagnostics.add({"E0201", {}, "", "the model has no layers", ""});
  }
  Scope scope;
  add_classes(expansion, scope, options);
  add_inputs(expansion, scope, options);
  expand_layers(expansion, scope, {expansion.model, Model::kLayerFieldNumber});
  if (expansion.stopped || expansion.model->layer_size() == 0) return;
  add_outputs(expansion, scope, imported);
  report_unused_blocks(expansion);
  if (!expansion.unknown_fields.empty() || expansion.reads_unknown) return;
  report_unread_layers(expansion);
  if (expansion.diagnostics.empty()) report_unread_inputs(expansion);
  report_parameters(expansion, options);
}

}  // namespace

ImportResult import_model_bytes(const std::string& bytes, const std::string& file_name, const ImportOptions& options) {
  ImportResult result{{}, Diagnostics(file_name)};
  Model model;
  Places places;
  const ReadMessage read = read_message(bytes, model, places, result.diagnostics);
  const Located<Model> located{&model, read.places};
  if (!read.usable || !all_within_layers(read.unknown, located)) return result;
  if (!check_counts(located, result.diagnostics)) return result;
  result.model.name = model_name(located, file_name, result.diagnostics);
  Builder builder = make_builder(result.model.name);
  Expansion expansion{located, read.unknown, result.diagnostics, builder, {}, {}, {}, {}};
  import_layers(expansion, options, result.model);
  if (!result.ok()) return result;
  result.model.graph = std::move(builder).take();
  const Status verified = verify(result.model.graph);
  ENSURE(verified.ok()) << verified.message();
  return result;
}

ImportResult import_model(const std::string& path, const ImportOptions& options) {
  ImportResult unread{{}, Diagnostics(path)};
  const std::optional<std::string> bytes = read_definition(path, unread.diagnostics);
  return bytes ? import_model_bytes(*bytes, path, options) : unread;
}

}  // namespace convoke
