// Where oneDNN was not found when Convoke was built.
#include "compiler/driver/onednn/onednn.h"

namespace convoke {

Result<std::string> onednn_version() {
  return invalid_argument(
      "Convoke was built without oneDNN; install it (apt-get install libdnnl-dev) and configure and build again "
      "(tools/build "
      "build/release -DCMAKE_BUILD_TYPE=Release)");
}

Result<OneDnnLayer> make_onednn_layer(const OneDnnWork&) { return onednn_version().status(); }

}  // namespace convoke
