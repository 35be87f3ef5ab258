// pack_images: activations into blocks of images, zero where the batch has no more of them, and back.
#include "schedules/templates/body.h"
#include "schedules/templates/definition.h"
#include "schedules/templates/tile.h"

namespace convoke {
namespace {

using Halide::Expr, Halide::Func, Halide::TailStrategy, Halide::Var;

bool applies(const Kernel& kernel, const TargetSpec& target) {
  return kernel.body.nodes.back().op == "pack" && kernel.body.outputs.size() == 1 &&
         image_block(kernel) == target.vector_lanes &&
         kernel.input_layouts[0].images != kernel.output_layouts[0].images &&
         kernel.body.type(kernel.body.outputs[0]).rank() == 4;
}

Result<BuiltKernel> build(const Kernel& kernel, const Knobs&, const TargetSpec& target) {
  const ValueId input = kernel.inputs[0], result = kernel.body.outputs[0];
  Body body = make_body(kernel);
  const bool into_blocks = kernel.output_layouts[0].images > 0;
  if (into_blocks) {
    const Func plain = body.values[input];
    Func padded("padded");
    Var c("c"), x("x"), y("y"), n("n");
    padded(c, x, y, n) = select(likely(n < body.batch), plain(c, x, y, min(n, body.batch - 1)), 0.0f);
    body.values[result] = padded;
  } else {
    body.values[result] = body.values[input];
  }
  std::vector<Func> outputs = make_outputs(body);
  Func& output = outputs[0];
  const std::vector<Var> at = output.args();
  const int64_t channels = kernel.body.type(result).dims.back();
  const int lanes = into_blocks ? target.vector_lanes : lanes_of_channels(channels, target);
  if (into_blocks) {
    output.vectorize(at[0], lanes);
  } else {
    output.vectorize(at[0], lanes, tail_of(channels, lanes));
  }
  output.parallel(at.back());
  return finish(body, outputs);
}

}  // namespace

const ScheduleTemplate templates::pack_images = {.name = "pack_images",
                                                 .applies = applies,
                                                 .knobs = no_knob_ranges,
                                                 .defaults = no_knobs,
                                                 .layouts = plain_layouts,
                                                 .build = build,
                                                 .takes_images = true};

}  // namespace convoke
