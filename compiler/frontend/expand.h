// Walks a model's layers in order, opens blocks, finds what each layer reads and hands it to add_layer (layers.h).
// A layer with a mistake has no value; layers that read it are silent, so that each mistake is reported once.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/frontend/fields.h"
#include "compiler/ops/op.h"
#include "model_defs/schema/model.pb.h"

namespace convoke {

// What a name stands for.
struct Reference {
  ValueId value = kNoValue;                  // none: a mistake, already reported
  std::vector<const schema::Layer*> layers;  // that are read with it: the layer, and the block it ends
};

struct Scope {
  std::string prefix;  // of the layers' paths: "layer1.0."
  Parameters parameters;
  std::map<std::string, Reference, std::less<>> inputs;  // of the model or the block
  std::map<std::string, Reference, std::less<>> names;   // of layers so far, without the prefix
  Reference last;                                        // what a layer without input reads
};

struct LayerState {
  Position position;
  std::string path;  // of its first use
  size_t order = 0;
  bool read = false;
};

struct Expansion {
  Located<schema::Model> model;
  std::vector<Position> unknown_fields;
  Diagnostics& diagnostics;
  Builder& builder;
  std::set<std::string> names;  // taken: paths of layers, values of the graph
  std::map<const schema::Layer*, LayerState> layers;
  std::set<std::string> read_parameters;
  std::vector<std::string> open_blocks;
  int count = 0;
  bool stopped = false;  // too many layers
};

// A list of layers: the model's or a block's.
template <typename Parent>
struct LayerList {
  Located<Parent> parent;
  int field_number;
  int size() const { return parent->layer_size(); }
  Located<schema::Layer> operator[](int i) const { return child(parent, parent->layer(i), field_number, i); }
  Position position(int i) const { return position_of(parent, field_number, i); }
  bool has_unknown_field(int i, const std::vector<Position>& unknown) const {
    return holds_one_of(unknown, *parent.message, parent.places, field_number, i);
  }
};

void expand_layers(Expansion& expansion, Scope& scope, const LayerList<schema::Model>& layers);

// The reference for a name in scope, null when there is none. Marks nothing as read.
const Reference* find_reference(const Scope& scope, const std::string& name);
void mark_read(Expansion& expansion, const Reference& reference);
std::vector<std::string> known_names(const Scope& scope);

bool is_path(const std::string& name);  // letters, digits, '_', and '.' between them

}  // namespace convoke
