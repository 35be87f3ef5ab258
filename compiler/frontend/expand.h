// Walks a model's layers in order, opens blocks, finds what each layer reads and hands it to add_layer (layers.h).
// A layer with a mistake has no value; layers that read it are silent, so that each mistake is reported once.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/frontend/scope.h"
#include "compiler/ops/op.h"
#include "model_defs/schema/model.pb.h"

namespace convoke {

struct LayerState {
  Position position;
  std::string path;  // of its first use
  size_t order = 0;
};

constexpr int kMaxLayers = 10'000;  // of a model: block uses and layers that are left out included
constexpr int kMaxInputs = 64;      // of a model, a block, a layer

using NameIndex = std::map<std::string, int, std::less<>>;

struct Expansion {
  Located<schema::Model> model;
  std::vector<Position> unknown_fields;
  Diagnostics& diagnostics;
  Builder& builder;
  std::set<std::string> names;  // taken: paths of layers, values of the graph
  std::map<const schema::Layer*, LayerState> layers;
  std::set<const schema::Layer*> read_layers;
  bool reads_unknown = false;  // a name that no layer has and that resembles none: it could mean any of them
  std::set<std::string> read_parameters;
  std::vector<std::string> open_blocks;
  std::map<const google::protobuf::Message*, NameIndex> layer_indices;  // of lists of layers, by their parents
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
  size_t count_unknown_fields(int i, const std::vector<Position>& unknown) const {
    return count_within(unknown, *parent.message, parent.places, field_number, i);
  }
};

void expand_layers(Expansion& expansion, Scope& scope, const LayerList<schema::Model>& layers);

void mark_read(Expansion& expansion, const Reference& reference);

}  // namespace convoke
