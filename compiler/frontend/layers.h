// From a layer's op message to the nodes of the graph: parameters with their initialisation, attributes with PyTorch's
// defaults, shapes by the ops' own inference.
#pragma once

#include <set>

#include "compiler/frontend/fields.h"
#include "compiler/ops/op.h"
#include "model_defs/schema/model.pb.h"

namespace convoke {

struct LayerSite {
  Builder& builder;
  std::set<std::string>& names;  // taken by values of the graph
  schema::Initialization initialization;
  Located<schema::Layer> layer;
  Position position;            // of the layer
  const std::string& path;      // its name
  std::vector<ValueId> inputs;  // as many as the op has; with kNoValue among them only the fields are checked
  const Parameters& parameters;
};

// The op's message with its place.
Located<google::protobuf::Message> op_message(const Located<schema::Layer>& layer);
std::string op_name(const schema::Layer& layer);  // "conv2d"
size_t input_count(const schema::Layer& layer);   // of an op that is no block

// The layer's value; kNoValue when something is wrong, which is reported.
ValueId add_layer(const LayerSite& site, Report& report);

}  // namespace convoke
