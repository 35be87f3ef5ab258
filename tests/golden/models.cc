#include "tests/golden/models.h"

#include <doctest/doctest.h>

#include "tests/golden/formula.h"

namespace convoke {

PlannedModel plan_golden(ModelOptions options) {
  options.model = "model_defs/models/" + options.model + ".textproto";
  Result<PlannedModel> planned = plan_model(options);
  const std::string error = planned.ok() ? "" : planned.status().message();
  INFO(error);
  REQUIRE(planned.ok());
  return *std::move(planned);
}

Tensor GoldenData::images(int index) const { return make_images(seed, index, dims); }

Tensor GoldenData::labels(int index) const { return make_labels(seed, index, dims[0], classes); }

}  // namespace convoke
