#include "tests/errors/made.h"

#include <fmt/format.h>

#include "model_defs/schema/model.pb.h"
#include "tests/errors/files.h"

namespace convoke {

std::string binary_model(const std::string& behind) {
  schema::Model model;
  schema::Input* input = model.add_input();
  input->set_height(28);
  input->set_width(28);
  input->set_channels(1);
  schema::Layer* layer = model.add_layer();
  layer->set_name("relu1");
  layer->mutable_relu();
  return model.SerializeAsString() + behind;
}

std::string chained_blocks(int depth) {
  std::string text = "input { channels: 4 }\n";
  for (int i = 0; i < depth; ++i) {
    text += fmt::format("block {{ name: \"b{}\" layer {{ name: \"x\" {} }} }}\n", i,
                        i + 1 < depth ? fmt::format("block {{ name: \"b{}\" }}", i + 1) : "relu {}");
  }
  return text + "layer { name: \"top\" block { name: \"b0\" } }\n";
}

std::vector<MadeInput> made_inputs() {
  const std::string linear = "input { channels: 4 }\nlayer { name: \"fc\" linear { features: 10 } }\n";
  std::string path;
  for (int i = 0; i < 32; ++i) path += ".x";
  return {
      {"E0104", diagnose_model(binary_model().substr(0, 15)),
       "model.textproto: neither a text nor a binary protobuf of this kind [E0104]\n"
       "  hint: the file is truncated, damaged, or not a model or recipe at all\n"},
      {"E0105", diagnose_model(chained_blocks(33)),
       "model.textproto:33:39: layer \"top" + path + "\": blocks nested deeper than 32 levels [E0105]\n"},
      {"E0106", diagnose_model(binary_model("\xc0\x02\x01")),
       "model.textproto: a model has no field with the number 40, or not with that value [E0106]\n"
       "  hint: the file may be of a later version of Convoke, or no model at all\n"},
      {"E0107", diagnose_model(std::string((size_t{1} << 20) + 1, ' ')),
       "model.textproto: the file is too large, expected at most 1048576 bytes [E0107]\n"
       "  hint: weights do not belong into a model or recipe\n"},
      {"E0108", import_model("nowhere/model.textproto").diagnostics,
       "nowhere/model.textproto: cannot open: No such file or directory [E0108]\n"},
      {"E0214", diagnose_model(linear, {.classes = 100}),
       "model.textproto: no layer depends on the number of classes, so it cannot be set [E0214]\n"
       "  hint: say `features_from: \"classes\"` in the last layer\n"},
  };
}

}  // namespace convoke
