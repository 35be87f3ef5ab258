// Operands, epilogues and outputs of kernels for all templates (body.h).
#include "schedules/templates/body.h"

#include <algorithm>
#include <bit>

#include "compiler/ops/lower/lower.h"
#include "compiler/ops/pool2d.h"
#include "schedules/templates/row_sums.h"
#include "schedules/templates/winograd.h"

namespace convoke {

using Halide::Expr, Halide::Func, Halide::ImageParam, Halide::OutputImageParam, Halide::Var;

namespace {

// Vars of a Func over `rank` logical or memory dimensions, innermost first.
std::vector<Var> make_vars(int rank) {
  static constexpr const char* kNames[] = {"i0", "i1", "i2", "i3", "i4", "i5", "i6"};
  std::vector<Var> vars;
  for (int d = 0; d < rank; ++d) vars.emplace_back(kNames[d]);
  return vars;
}

std::vector<Expr> reversed(const std::vector<Expr>& at) { return {at.rbegin(), at.rend()}; }

// A type's dims without the batch.
std::vector<int64_t> sample_dims(const Type& type) {
  return {type.dims.begin() + (type.has_batch() ? 1 : 0), type.dims.end()};
}

template <typename Param>
void pin_strides(Param param, const std::vector<int64_t>& extents) {
  int64_t stride = 1;
  for (size_t d = 0; d < extents.size(); ++d) {
    param.dim(static_cast<int>(d)).set_stride(static_cast<int>(stride));
    stride *= extents[d];
  }
}

// Arenas align buffers to 64 bytes, but not scalars.
template <typename Param>
void align(Param param, const std::vector<int64_t>& extents) {
  if (!extents.empty()) param.set_host_alignment(64);
}

// Pins bounds and strides.
template <typename Param>
void pin(Param param, const std::vector<int64_t>& extents) {
  for (size_t d = 0; d < extents.size(); ++d) {
    if (extents[d] == kBatch) {
      param.dim(static_cast<int>(d)).set_min(0);
    } else {
      param.dim(static_cast<int>(d)).set_bounds(0, static_cast<int>(extents[d]));
    }
  }
  pin_strides(param, extents);
}

// Logical coordinates (outermost first, without the batch) to coordinates in memory (likewise).
std::vector<Expr> to_memory(const Type& type, const Layout& layout, const std::vector<Expr>& at) {
  if (layout.axes.empty()) return at;
  const std::vector<Expr> view = layout.transformed() ? at : regroup(sample_dims(type), at, view_dims(type, layout));
  std::vector<Expr> memory;
  for (const LayoutAxis& axis : layout.axes) {
    const Expr& index = view[static_cast<size_t>(axis.dim)];
    const int block = static_cast<int>(axis.block);
    memory.push_back(axis.part == LayoutAxis::kWhole   ? index
                     : axis.part == LayoutAxis::kOuter ? index / block
                                                       : index % block);
  }
  return memory;
}

struct LogicalPlace {
  std::vector<Expr> at;  // outermost first, without the batch; clamped into the extents
  Expr inside;           // undefined: no padding
};

LogicalPlace from_memory(const Type& type, const Layout& layout, const std::vector<Expr>& memory) {
  if (layout.axes.empty()) return {memory, {}};
  const std::vector<int64_t> dims = view_dims(type, layout);
  std::vector<Expr> view(dims.size());
  std::vector<int64_t> block(dims.size(), 1);
  for (size_t i = 0; i < layout.axes.size(); ++i) {
    const LayoutAxis& axis = layout.axes[i];
    const size_t d = static_cast<size_t>(axis.dim);
    const Expr part = axis.part == LayoutAxis::kOuter ? memory[i] * static_cast<int>(axis.block) : memory[i];
    view[d] = view[d].defined() ? view[d] + part : part;
    block[d] = std::max(block[d], axis.block);
  }
  LogicalPlace place;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] % block[d] == 0) continue;
    const Expr within = view[d] < static_cast<int>(dims[d]);
    place.inside = place.inside.defined() ? place.inside && within : within;
    view[d] = min(view[d], static_cast<int>(dims[d]) - 1);
  }
  place.at = layout.transformed() ? view : regroup(dims, view, sample_dims(type));
  return place;
}

ImageParam make_param(const std::string& name, const Type& type, const Layout& layout) {
  const std::vector<int64_t> extents = memory_extents(type, layout);
  ImageParam param(halide_type(type.dtype), static_cast<int>(extents.size()), name);
  pin(param, extents);
  align(param, extents);
  return param;
}

Func logical_func(const ImageParam& param, const Type& type, const Layout& layout) {
  const std::vector<Var> vars = make_vars(type.rank());
  std::vector<Expr> at(vars.rbegin() + (type.has_batch() ? 1 : 0), vars.rend());
  std::vector<Expr> memory = reversed(to_memory(type, layout, at));
  const int images = static_cast<int>(layout.images);
  if (images > 0) {
    memory.insert(memory.begin(), vars.back() % images);
    memory.push_back(vars.back() / images);
  } else if (type.has_batch()) {
    memory.push_back(vars.back());
  }
  Func func(param.name() + "_logical");
  func(vars) = param(memory);
  return func;
}

// Lowers every node whose operands are known and whose results are not.
void lower_known(Body& body) {
  const Graph& graph = body.kernel->body;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.nodes.size()); ++id) {
    const Node& node = graph.nodes[id];
    const auto known = [&](ValueId value) { return body.values[value].defined(); };
    if (is_source(node.op) || id == body.kernel->anchor || id == body.kernel->pooling) continue;
    if (id == body.kernel->row_sums) continue;
    if (known(node.results[0])) continue;
    if (!std::ranges::all_of(node.inputs, known)) continue;
    LowerInputs operands{.batch = body.batch};
    for (ValueId value : node.inputs) operands.funcs.push_back(body.values[value]);
    const std::vector<Func> results = lower(view(graph, node), operands);
    for (size_t i = 0; i < results.size(); ++i) body.values[node.results[i]] = results[i];
  }
}

// The kernel's max-pooling, without padding: the maximum of what it pools over the taps of a window.
Func pooled(const Body& body) {
  const Node& pooling = body.kernel->body.nodes[body.kernel->pooling];
  const Window2d window = as_max_pool2d(view(body.kernel->body, pooling))->window;
  const Func& pixels = body.values[pooling.inputs[0]];
  Var c("c"), x("x"), y("y"), n("n");
  Expr maximum;
  for (int tap = 0; tap < static_cast<int>(window.kernel.area()); ++tap) {
    const int kx = tap % static_cast<int>(window.kernel.w), ky = tap / static_cast<int>(window.kernel.w);
    const Expr pixel =
        pixels(c, x * static_cast<int>(window.stride_x) + kx, y * static_cast<int>(window.stride_y) + ky, n);
    maximum = maximum.defined() ? max(maximum, pixel) : pixel;
  }
  Func result("pooled");
  result(c, x, y, n) = maximum;
  return result;
}

// Outputs `first` and what follows as one Func over memory.
Func output_func(const Body& body, const std::vector<ValueId>& outputs, const Layout& layout) {
  const Type& type = body.kernel->body.type(outputs[0]);
  const std::vector<int64_t> extents = memory_extents(type, layout);
  const std::vector<Var> vars = make_vars(static_cast<int>(extents.size()));
  const int images = static_cast<int>(layout.images), lane = images > 0 ? 1 : 0;
  LogicalPlace place = from_memory(type, layout, {vars.rbegin() + (type.has_batch() ? 1 : 0), vars.rend() - lane});
  std::vector<Expr> at = reversed(place.at);
  if (type.has_batch()) at.push_back(images > 0 ? vars.back() * images + vars[0] : Expr(vars.back()));
  std::vector<Expr> elements;
  for (ValueId output : outputs) {
    const Func& whole = body.values[output];
    const Expr value = layout.transformed() ? winograd_weights(whole, type, layout.transform)(at) : whole(at);
    elements.push_back(place.inside.defined() ? select(place.inside, value, Halide::cast(value.type(), 0)) : value);
  }
  Func func("output");
  if (elements.size() == 1) {
    func(vars) = elements[0];
  } else {
    func(vars) = Halide::Tuple(elements);
  }
  // The buffers of a Tuple have the bounds of its first.
  pin(func.output_buffers()[0], extents);
  for (OutputImageParam buffer : func.output_buffers()) {
    pin_strides(buffer, extents);
    align(buffer, extents);
  }
  return func;
}

Func output_with_row_sums(const Body& body, int side_by_side) {
  const std::vector<ValueId>& outputs = body.kernel->body.outputs;
  const Type& type = body.kernel->body.type(outputs[0]);
  Func func = with_row_sums(body.values[outputs[0]], static_cast<int>(type.dims[2]), side_by_side);
  pin(func.output_buffers()[0], memory_extents(type, {}));
  for (size_t i = 0; i < outputs.size(); ++i) {
    OutputImageParam buffer = func.output_buffers()[i];
    const std::vector<int64_t> extents = memory_extents(body.kernel->body.type(outputs[i]), {});
    pin_strides(buffer, extents);
    align(buffer, extents);
    if (i > 0) buffer.dim(1).set_stride(0);
  }
  return func;
}

}  // namespace

std::vector<int64_t> memory_extents(const Type& type, const Layout& layout) {
  std::vector<int64_t> dims = storage_dims(type, layout);
  std::ranges::reverse(dims);
  return dims;
}

// Both sides are walked in groups of equal products; inside a group the linear index is built from one side and taken
// apart for the other.
std::vector<Expr> regroup(const std::vector<int64_t>& from, const std::vector<Expr>& at,
                          const std::vector<int64_t>& to) {
  if (from == to) return at;
  std::vector<Expr> result(to.size(), Expr(0));
  size_t i = 0, j = 0;
  while (j < to.size() && i < from.size()) {
    const size_t first = j;
    Expr linear = at[i];
    int64_t from_elems = from[i], to_elems = to[j];
    while (from_elems != to_elems) {
      if (from_elems < to_elems) {
        ++i;
        linear = linear * static_cast<int>(from[i]) + at[i];
        from_elems *= from[i];
      } else {
        to_elems *= to[++j];
      }
    }
    for (size_t k = j; k > first; --k) {
      result[k] = linear % static_cast<int>(to[k]);
      linear = linear / static_cast<int>(to[k]);
    }
    result[first] = linear;
    ++i, ++j;
  }
  return result;
}

Body make_body(const Kernel& kernel) {
  Body body{.kernel = &kernel, .params = {}, .values = std::vector<Func>(kernel.body.values.size()), .batch = {}};
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Value& value = kernel.body.values[kernel.inputs[i]];
    // Not "a0": Halide names variables of its own so, and takes one for the other.
    const ImageParam param = make_param("operand_" + value.name, value.type, kernel.input_layouts[i]);
    if (value.type.has_batch()) {
      Expr& count = kernel.input_layouts[i].images > 0 ? body.blocks : body.batch;
      if (!count.defined()) count = param.dim(param.dimensions() - 1).extent();
    }
    body.values[kernel.inputs[i]] = logical_func(param, value.type, kernel.input_layouts[i]);
    body.params.push_back(param);
  }
  lower_known(body);
  return body;
}

NodeView anchor_view(const Kernel& kernel) { return view(kernel.body, kernel.body.nodes[kernel.anchor]); }

const Func& anchor_operand(const Body& body, int operand) {
  return body.values[body.kernel->body.nodes[body.kernel->anchor].inputs[operand]];
}

int anchor_input(const Kernel& kernel, int operand) {
  const auto found = std::ranges::find(kernel.inputs, kernel.body.nodes[kernel.anchor].inputs[operand]);
  return found == kernel.inputs.end() ? -1 : static_cast<int>(found - kernel.inputs.begin());
}

void set_anchor(Body& body, std::vector<Func> results) {
  const Node& anchor = body.kernel->body.nodes[body.kernel->anchor];
  ENSURE(results.size() == anchor.results.size()) << anchor.op << " has " << anchor.results.size() << " results";
  for (size_t i = 0; i < results.size(); ++i) body.values[anchor.results[i]] = results[i];
  lower_known(body);
  if (body.kernel->pooling == kNoPooling) return;
  body.values[body.kernel->body.nodes[body.kernel->pooling].results[0]] = pooled(body);
  lower_known(body);
}

Func join_outputs(Body& body) {
  const Graph& graph = body.kernel->body;
  if (graph.outputs.size() == 1) return {};
  const std::vector<Var> vars = make_vars(graph.type(graph.outputs[0]).rank());
  std::vector<Expr> elements;
  for (ValueId output : graph.outputs) {
    ENSURE(graph.type(output).dims == graph.type(graph.outputs[0]).dims) << "outputs of different shapes";
    elements.push_back(body.values[output](vars));
  }
  Func joined("joined");
  joined(vars) = Halide::Tuple(elements);
  for (size_t i = 0; i < elements.size(); ++i) {
    Func element("joined_element");
    element(vars) = joined(vars)[static_cast<int>(i)];
    body.values[graph.outputs[i]] = element;
  }
  return joined;
}

std::vector<Func> make_outputs(const Body& body, int side_by_side) {
  const Kernel& kernel = *body.kernel;
  if (kernel.row_sums != kNoRowSums) return {output_with_row_sums(body, side_by_side)};
  const std::vector<ValueId>& outputs = kernel.body.outputs;
  std::vector<Func> funcs;
  for (size_t first = 0; first < outputs.size();) {
    size_t last = first + 1;
    while (last < outputs.size() && kernel.body.type(outputs[last]).dims == kernel.body.type(outputs[first]).dims &&
           kernel.output_layouts[last] == kernel.output_layouts[first]) {
      ++last;
    }
    funcs.push_back(
        output_func(body, {outputs.begin() + static_cast<int64_t>(first), outputs.begin() + static_cast<int64_t>(last)},
                    kernel.output_layouts[first]));
    first = last;
  }
  return funcs;
}

void inline_calls(const Func& out, const std::vector<Func>& kept) {
  for (bool is_done = false; !is_done;) {
    is_done = true;
    for (auto& [name, called] : Halide::Internal::find_direct_calls(out.function())) {
      const auto is_it = [&name](const Func& f) { return f.name() == name; };
      if (std::ranges::any_of(kept, is_it)) continue;
      called.lock_loop_levels();
      Halide::Internal::inline_function(out.function(), called);
      is_done = false;
    }
  }
}

BuiltKernel finish(const Body& body, const std::vector<Func>& outputs) {
  BuiltKernel built{.pipeline = Halide::Pipeline(outputs), .arguments = {}};
  for (const ImageParam& param : body.params) built.arguments.push_back(param);
  if (body.kernel->row_sums != kNoRowSums) drop_unchanged_stores(built.pipeline);
  return built;
}

std::vector<Stream> activation_streams(const Body& body, int64_t pixels) {
  std::vector<Stream> streams;
  for (size_t i = 0; i < body.params.size(); ++i) {
    const Type& type = body.kernel->body.type(body.kernel->inputs[i]);
    if (type.has_batch()) streams.push_back({body.params[i].name(), pixels * type.dims.back()});
  }
  return streams;
}

std::vector<Stream> next_tiles(const Body& body, const Func& out, int64_t tile, int64_t source) {
  constexpr int64_t kSmallElems = 8192;  // of an image: caches hold many
  const Kernel& kernel = *body.kernel;
  std::vector<Stream> streams;
  if (kernel.body.type(kernel.body.outputs[0]).elems() < kSmallElems) return streams;
  const int outputs = kernel.row_sums == kNoRowSums ? out.outputs() : 1;
  for (int i = 0; i < outputs; ++i) {
    streams.push_back({out.outputs() == 1 ? out.name() : out.name() + "." + std::to_string(i), tile});
  }
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& type = kernel.body.type(kernel.inputs[i]);
    if (!type.has_batch()) continue;
    const bool has_shape = type.dims == kernel.body.type(kernel.body.outputs[0]).dims;
    const int64_t ahead = has_shape && static_cast<int>(i) != anchor_input(kernel, 0) ? tile : source;
    if (ahead > 0) streams.push_back({body.params[i].name(), ahead});
  }
  return streams;
}

PreferredLayouts plain_layouts(const Kernel& kernel, const Knobs&, const TargetSpec&) {
  return {std::vector<Layout>(kernel.inputs.size()), std::vector<Layout>(kernel.body.outputs.size())};
}

KnobRanges no_knob_ranges(const Kernel&, const TargetSpec&) { return {}; }

Knobs no_knobs(const Kernel&, BatchClass, const TargetSpec&) { return {}; }

PreferredLayouts packed_weight_outputs(const Kernel& kernel, int64_t block) {
  PreferredLayouts layouts{std::vector<Layout>(kernel.inputs.size()), {}};
  for (ValueId output : kernel.body.outputs) {
    layouts.outputs.push_back(packed_weights(kernel.body.type(output).dims, block));
  }
  return layouts;
}

int packed_block(const Kernel& kernel) {
  const Layout& layout = kernel.output_layouts[0];
  if (layout.plain()) return 0;
  const int64_t block = layout.axes[0].block;
  const Layout packed = packed_weights(kernel.body.type(kernel.body.outputs[0]).dims, block);
  return layout == packed ? static_cast<int>(block) : 0;
}

int lanes_for(int64_t extent, const TargetSpec& target) {
  return static_cast<int>(std::min<int64_t>(target.vector_lanes, std::bit_ceil(static_cast<uint64_t>(extent))));
}

}  // namespace convoke
