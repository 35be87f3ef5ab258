// The graph as text, one line a node, printed and parsed: parse(print(g)) == g. Goldens, dumps and kernel keys use it.
//
//   graph lenet
//   %input = input() : f32[n,28,28,1]
//   %conv1.weight = parameter() {fan_in=25, init="kaiming_uniform"} : f32[6,1,5,5]
//   %conv1 = conv2d(%input, %conv1.weight, %conv1.bias) {dilation=[1,1], groups=1, padding=[2,2,2,2], stride=[1,1]} :
//   f32[n,28,28,6] loss:                                              the phase of the lines below; a graph starts in
//   `forward:` %y, %y.1 = op(%a) {k=v} : f32[n,8], u8[n,8] store %state, %value output %conv1
#pragma once

#include <string>
#include <string_view>

#include "compiler/ir/graph.h"
#include "runtime/base/status.h"

namespace convoke {

std::string print(const Graph& graph);
std::string print_attrs(
    const Attrs& attrs);  // "{a=1, b=[1,2]}", empty for none; floats round-trip and keep a '.' or 'e'

Result<Graph> parse(std::string_view text);  // errors carry the line
Result<Type> parse_type(std::string_view text);
Result<Attrs> parse_attrs(std::string_view text);

}  // namespace convoke
