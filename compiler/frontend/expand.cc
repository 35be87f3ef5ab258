#include "compiler/frontend/expand.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/frontend/layers.h"

namespace convoke {
namespace {

constexpr size_t kMaxBlockDepth = 32;
constexpr size_t kMaxName = 200;
constexpr Range kRepeats = {0, kMaxLayers};

// A layer where it is used.
struct Site {
  Located<schema::Layer> layer;
  Position position;
  std::string path;
};

template <typename Parent>
void expand(Expansion& expansion, Scope& scope, const LayerList<Parent>& layers);

// --- What a layer reads ---

// Whether layer i of the list has the name, or opens a block where it lies.
bool provides(const schema::Layer& layer, const std::string& name) {
  return name == layer.name() || (layer.has_block() && name.starts_with(layer.name() + "."));
}

template <typename Parent>
int find_later(const LayerList<Parent>& layers, int from, const std::string& name) {
  for (int i = from; i < layers.size(); ++i) {
    if (provides(layers.parent->layer(i), name)) return i;
  }
  return -1;
}

// Where each name of the list is, as far as it is a layer's own.
template <typename Parent>
const NameIndex& index_names(Expansion& expansion, const LayerList<Parent>& layers) {
  const auto [index, is_new] = expansion.layer_indices.try_emplace(layers.parent.message);
  for (int i = 0; is_new && i < layers.size(); ++i) index->second.emplace(layers.parent->layer(i).name(), i);
  return index->second;
}

// The names from layer `from` over what it reads to layer `to`, or nothing. Looks only at layers from `to` on.
template <typename Parent>
std::vector<std::string> chain(Expansion& expansion, const LayerList<Parent>& layers, int from, int to) {
  const NameIndex& index = index_names(expansion, layers);
  std::vector<int> read_by(static_cast<size_t>(layers.size()), -1);
  std::vector<int> open = {from};
  read_by[from] = from;
  while (!open.empty() && read_by[to] == -1) {
    const int i = open.back();
    open.pop_back();
    const schema::Layer& layer = layers.parent->layer(i);
    std::vector<int> inputs;
    if (layer.input_size() == 0) inputs.push_back(i - 1);
    for (const std::string& input : layer.input()) {
      if (auto found = index.find(input); found != index.end()) inputs.push_back(found->second);
    }
    for (int input : inputs) {
      if (input < to || read_by[input] != -1) continue;
      read_by[input] = i;
      open.push_back(input);
    }
  }
  std::vector<std::string> names;
  if (read_by[to] == -1) return names;
  for (int i = to; i != from; i = read_by[i]) names.push_back(layers.parent->layer(i).name());
  names.push_back(layers.parent->layer(from).name());
  std::ranges::reverse(names);
  return names;
}

// A name that no layer so far has. What was meant counts as read.
template <typename Parent>
void report_unknown_input(Expansion& expansion, const Scope& scope, const LayerList<Parent>& layers, int i,
                          const std::string& name, Position position, Report& report) {
  const int later = find_later(layers, i, name);
  if (later < 0) {
    const std::vector<std::string> known = known_names(scope);
    const Reference* meant = find_reference(scope, nearest(name, known));
    if (meant != nullptr) mark_read(expansion, *meant);
    const bool outside = !scope.prefix.empty() && expansion.names.contains(name);
    if (meant == nullptr && !outside) expansion.reads_unknown = true;
    report.error("E0206", position, fmt::format("there is no layer \"{}\" to read", name),
                 outside ? "it is outside of the block: add an `input` to the block, and to the layers that use it"
                         : suggest(name, known));
    return;
  }
  expansion.read_layers.insert(&layers.parent->layer(later));
  const std::vector<std::string> cycle = chain(expansion, layers, later, i);
  if (cycle.empty()) {
    report.error("E0207", position,
                 fmt::format("reads \"{}\", which comes later (line {})", name, layers.position(later).line),
                 "move that layer in front of this one");
    return;
  }
  std::string path = layers.parent->layer(i).name();
  for (const std::string& step : cycle) path += " reads " + step;
  report.error("E0208", position, "a cycle: " + path, "a layer reads layers in front of it");
}

template <typename Parent>
std::vector<Reference> find_inputs(Expansion& expansion, const Scope& scope, const LayerList<Parent>& layers, int i,
                                   Report& report) {
  const auto layer = layers[i];
  std::vector<Reference> inputs;
  if (layer->input_size() == 0) inputs.push_back(scope.last);
  for (int k = 0; k < layer->input_size(); ++k) {
    const Reference* reference = find_reference(scope, layer->input(k));
    if (reference == nullptr) {
      report_unknown_input(expansion, scope, layers, i, layer->input(k),
                           position_of(layer, schema::Layer::kInputFieldNumber, k, layers.position(i)), report);
    }
    inputs.push_back(reference == nullptr ? Reference{} : *reference);
  }
  for (const Reference& input : inputs) mark_read(expansion, input);
  return inputs;
}

// --- Blocks ---

int find_block(const schema::Model& model, const std::string& name) {
  for (int i = 0; i < model.block_size(); ++i) {
    if (model.block(i).name() == name) return i;
  }
  return -1;
}

std::optional<int64_t> argument_value(const Located<schema::Argument>& argument, const Scope& scope, Position position,
                                      Report& report) {
  if (argument->has_value() == argument->has_value_from()) {
    report.error("E0307", position, fmt::format("parameter \"{}\" needs a value or a value_from", argument->name()),
                 "say `value: 1`");
    return std::nullopt;
  }
  if (argument->has_value()) return argument->value();
  return find_parameter(scope.parameters, argument->value_from(),
                        position_of(argument, schema::Argument::kValueFromFieldNumber), report);
}

// Sets what the arguments of one field (`set` or `first`) say.
void set_parameters(Expansion& expansion, const Scope& scope, const Located<schema::Use>& use, int field_number,
                    const schema::Block& block, Parameters& parameters, Report& report) {
  const auto& arguments = field_number == schema::Use::kSetFieldNumber ? use->set() : use->first();
  std::vector<std::string> known;
  for (const schema::Parameter& parameter : block.parameter()) known.push_back(parameter.name());
  std::set<std::string> seen;
  for (int i = 0; i < arguments.size(); ++i) {
    const auto argument = child(use, arguments[i], field_number, i);
    const Position position = position_of(use, field_number, i);
    const std::string& name = argument->name();
    if (std::ranges::find(known, name) == known.end()) {
      report.error("E0305", position, fmt::format("block \"{}\" has no parameter \"{}\"", block.name(), name),
                   suggest(name, known));
    } else if (!seen.insert(name).second) {
      report.error("E0305", position, fmt::format("parameter \"{}\" is set twice", name));
    } else {
      parameters[name] = argument_value(argument, scope, position, report).value_or(1);
    }
    if (argument->has_value_from()) expansion.read_parameters.insert(argument->value_from());
  }
}

// The defaults, and "classes", which is known everywhere.
Parameters block_parameters(const Scope& outer, const schema::Block& block) {
  Parameters parameters;
  for (const schema::Parameter& parameter : block.parameter()) {
    if (parameter.has_default_()) parameters[parameter.name()] = parameter.default_();
  }
  if (auto classes = outer.parameters.find("classes"); classes != outer.parameters.end()) parameters.insert(*classes);
  return parameters;
}

void expect_parameters(const schema::Block& block, const Parameters& parameters, Position position, Report& report) {
  for (const schema::Parameter& parameter : block.parameter()) {
    if (parameters.contains(parameter.name())) continue;
    report.error("E0304", position,
                 fmt::format("block \"{}\" needs its parameter \"{}\"", block.name(), parameter.name()),
                 fmt::format("say `set {{ name: \"{}\" value: … }}`", parameter.name()));
  }
}

// One use of a block: its layers under `prefix`, made known in `scope`.
Reference expand_once(Expansion& expansion, Scope& scope, int block_index, const std::string& prefix,
                      Parameters parameters, const std::vector<Reference>& inputs) {
  const auto block =
      child(expansion.model, expansion.model->block(block_index), schema::Model::kBlockFieldNumber, block_index);
  Scope inner{scope.prefix + prefix, std::move(parameters), {}, {}, inputs[0]};
  if (block->input_size() == 0) inner.inputs["input"] = inputs[0];
  for (int i = 0; i < block->input_size(); ++i) inner.inputs[block->input(i)] = inputs[static_cast<size_t>(i)];
  expand(expansion, inner, LayerList<schema::Block>{block, schema::Block::kLayerFieldNumber});
  for (auto& [name, reference] : inner.names) scope.names[prefix + name] = std::move(reference);
  return inner.last;
}

Reference expand_use(Expansion& expansion, Scope& scope, const Site& site, std::vector<Reference> inputs,
                     Report& report) {
  const auto use = child(site.layer, site.layer->block(), schema::Layer::kBlockFieldNumber);
  const Position position = position_of(site.layer, schema::Layer::kBlockFieldNumber, -1, site.position);
  const int index = find_block(*expansion.model.message, use->name());
  if (index < 0) {
    std::vector<std::string> names;
    for (const schema::Block& block : expansion.model->block()) names.push_back(block.name());
    report.error("E0301", position, fmt::format("there is no block \"{}\"", use->name()),
                 names.empty() ? fmt::format("define it: block {{ name: \"{}\" layer {{ … }} }}", use->name())
                               : suggest(use->name(), names));
    return {};
  }
  const schema::Block& block = expansion.model->block(index);
  if (std::ranges::find(expansion.open_blocks, block.name()) != expansion.open_blocks.end()) {
    std::string path;
    for (const std::string& open : expansion.open_blocks) path += open + " uses ";
    report.error("E0302", position, "a block that contains itself: " + path + block.name(),
                 "`repeat` puts a block several times in a row");
    return {};
  }
  if (expansion.open_blocks.size() == kMaxBlockDepth) {
    report.error("E0105", position, fmt::format("blocks nested deeper than {} levels", kMaxBlockDepth));
    return {};
  }
  const auto expected = static_cast<size_t>(std::max(1, block.input_size()));
  if (inputs.size() != expected) {
    report.error("E0210", position,
                 fmt::format("block \"{}\" reads {} input{}, found {}", block.name(), expected,
                             expected == 1 ? "" : "s", inputs.size()),
                 expected == 1 ? "" : "say `input: \"…\"` once for each of them in the layer");
  }
  Parameters parameters = block_parameters(scope, block);
  set_parameters(expansion, scope, use, schema::Use::kSetFieldNumber, block, parameters, report);
  Parameters first = parameters;
  set_parameters(expansion, scope, use, schema::Use::kFirstFieldNumber, block, first, report);
  Fields fields({use.message, use.places}, position, scope.parameters, report);
  const bool row = fields.has("repeat");
  const int64_t repeat = fields.optional("repeat", kRepeats, 1);
  if (use->has_repeat_from()) expansion.read_parameters.insert(use->repeat_from());
  if (repeat > 0) expect_parameters(block, first, position, report);
  if (repeat > 1) expect_parameters(block, parameters, position, report);
  if (report.failed) return {};
  expansion.open_blocks.push_back(block.name());
  for (int64_t i = 0; i < repeat && !expansion.stopped; ++i) {
    const std::string prefix = site.layer->name() + (row ? fmt::format(".{}.", i) : ".");
    inputs[0] = expand_once(expansion, scope, index, prefix, i == 0 ? first : parameters, inputs);
    if (i + 1 < repeat) mark_read(expansion, inputs[0]);
  }
  expansion.open_blocks.pop_back();
  return inputs[0];
}

// --- Layers ---

template <typename Parent>
bool take_path(Expansion& expansion, const Scope& scope, const LayerList<Parent>& layers, int i, Report& report) {
  const schema::Layer& layer = layers.parent->layer(i);
  const Position position = position_of(layers[i], schema::Layer::kNameFieldNumber, -1, layers.position(i));
  if (layer.name().empty()) {
    report.layer.clear();
    report.error("E0202", position, "a layer has no name", "say `name: \"…\"` in it");
  } else if (!is_path(layer.name()) || report.layer.size() > kMaxName) {
    report.error("E0203", position,
                 is_path(layer.name())
                     ? fmt::format("its path has {} letters, expected at most {}", report.layer.size(), kMaxName)
                     : fmt::format("\"{}\" is no name for a layer", layer.name()),
                 "names have letters, digits and _, with dots between: \"layer1.0.conv1\"");
  } else if (scope.inputs.contains(layer.name()) || !expansion.names.insert(report.layer).second) {
    report.error("E0204", position, "the name is taken by another layer, input or tensor",
                 "give one of them another name");
  }
  return !report.failed;
}

// Whether the parameter `when` leaves the layer out.
bool is_left_out(Expansion& expansion, const Scope& scope, const Site& site, Report& report) {
  if (!site.layer->has_when()) return false;
  expansion.read_parameters.insert(site.layer->when());
  const Position position = position_of(site.layer, schema::Layer::kWhenFieldNumber, -1, site.position);
  const auto value = find_parameter(scope.parameters, site.layer->when(), position, report);
  return value && *value == 0;
}

ValueId expand_op(Expansion& expansion, const Scope& scope, const Site& site, const std::vector<Reference>& inputs,
                  Report& report) {
  std::vector<ValueId> values;
  for (const Reference& input : inputs) values.push_back(input.value);
  if (const size_t expected = input_count(*site.layer.message); values.size() != expected) {
    report.error("E0210", position_of(site.layer, site.layer->op_case(), -1, site.position),
                 fmt::format("{} reads {} input{}, found {}", op_name(*site.layer.message), expected,
                             expected == 1 ? "" : "s", values.size()),
                 expected == 1 ? "" : "say `input: \"…\"` once for each of them in the layer");
  }
  if (values.size() != input_count(*site.layer.message)) return kNoValue;
  return add_layer({expansion.builder, expansion.names, expansion.model->initialization(), site.layer, site.position,
                    site.path, values, scope.parameters},
                   report);
}

// Notes which parameters the fields of an op name.
void note_parameters(Expansion& expansion, const schema::Layer& layer) {
  const auto& message = layer.GetReflection()->GetMessage(
      layer, layer.GetDescriptor()->FindFieldByNumber(static_cast<int>(layer.op_case())));
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->name().ends_with("_from")) {
      expansion.read_parameters.insert(message.GetReflection()->GetString(message, field));
    }
  }
}

// A layer whose mistake is reported: has no value, but reads and is read as it says.
Reference unusable_layer(Expansion& expansion, const Scope& scope, const Site& site) {
  if (site.layer->input_size() == 0) mark_read(expansion, scope.last);
  for (const std::string& input : site.layer->input()) {
    if (const Reference* reference = find_reference(scope, input)) mark_read(expansion, *reference);
  }
  return {kNoValue, {site.layer.message}};
}

template <typename Parent>
Reference expand_layer(Expansion& expansion, Scope& scope, const LayerList<Parent>& layers, int i) {
  const Site site{layers[i], layers.position(i), scope.prefix + layers.parent->layer(i).name()};
  Report report{expansion.diagnostics, site.path};
  if (!take_path(expansion, scope, layers, i, report)) return unusable_layer(expansion, scope, site);
  expansion.layers.try_emplace(site.layer.message, LayerState{site.position, site.path, expansion.layers.size()});
  if (layers.count_unknown_fields(i, expansion.unknown_fields) > 0) return unusable_layer(expansion, scope, site);
  if (site.layer->op_case() == schema::Layer::OP_NOT_SET) {
    report.error("E0205", site.position, "has no op", "say what it does: `relu {}`, `conv2d { … }`");
    return unusable_layer(expansion, scope, site);
  }
  if (site.layer->input_size() > kMaxInputs) {
    report.error("E0210", site.position,
                 fmt::format("has {} inputs, expected at most {}", site.layer->input_size(), kMaxInputs));
    return unusable_layer(expansion, scope, site);
  }
  const bool left_out = is_left_out(expansion, scope, site, report);
  std::vector<Reference> inputs = find_inputs(expansion, scope, layers, i, report);
  note_parameters(expansion, *site.layer.message);
  Reference result;
  if (left_out) {
    result = inputs[0];
  } else if (site.layer->has_block()) {
    result = expand_use(expansion, scope, site, std::move(inputs), report);
  } else {
    result.value = expand_op(expansion, scope, site, inputs, report);
  }
  result.layers.push_back(site.layer.message);
  return result;
}

template <typename Parent>
void expand(Expansion& expansion, Scope& scope, const LayerList<Parent>& layers) {
  for (int i = 0; i < layers.size() && !expansion.stopped && !expansion.diagnostics.full(); ++i) {
    if (++expansion.count > kMaxLayers) {
      expansion.stopped = true;
      expansion.diagnostics.add(
          {"E0212", layers.position(i), scope.prefix + layers.parent->layer(i).name(),
           fmt::format("there are more than {} layers, those of opened blocks counted", kMaxLayers), ""});
      return;
    }
    scope.last = expand_layer(expansion, scope, layers, i);
    scope.names.emplace(layers.parent->layer(i).name(), scope.last);  // of two with one name the first
  }
}

}  // namespace

void expand_layers(Expansion& expansion, Scope& scope, const LayerList<schema::Model>& layers) {
  expand(expansion, scope, layers);
}

void mark_read(Expansion& expansion, const Reference& reference) {
  for (const schema::Layer* layer : reference.layers) expansion.read_layers.insert(layer);
}

}  // namespace convoke
