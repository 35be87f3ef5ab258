// Builder: the only way to make a graph. Result types come from the op's own inference, which the caller passes in as a
// function so that ir/ knows no ops.
#pragma once

#include <functional>
#include <span>

#include "compiler/ir/graph.h"
#include "runtime/base/status.h"

namespace convoke {

using InferTypes =
    std::function<Result<std::vector<Type>>(std::string_view op, const Attrs& attrs, std::span<const Type> inputs)>;

class Builder {
 public:
  Builder(std::string graph_name, InferTypes infer);

  ValueId input(std::string name, Type type);
  ValueId parameter(std::string name, Type type, Attrs attrs = {});
  ValueId state(std::string name, Type type, std::string arena, Attrs attrs = {});

  // Appends a node; the results are named `name`, `name.1`, `name.2` … (made unique by a number when taken).
  // add() aborts when inference refuses: passes only build what fits. try_add() is for importers.
  std::vector<ValueId> add(std::string name, std::string op, std::vector<ValueId> inputs, Attrs attrs = {});
  Result<std::vector<ValueId>> try_add(std::string name, std::string op, std::vector<ValueId> inputs, Attrs attrs = {});
  ValueId add1(std::string name, std::string op, std::vector<ValueId> inputs, Attrs attrs = {});  // the single result

  // Copies a node (source or not) of another graph over operands of this one, keeping result names.
  std::vector<ValueId> copy(const Graph& from, NodeId node, std::vector<ValueId> inputs);

  void set_phase(Phase phase) { phase_ = phase; }  // of the nodes added from here on
  void store(ValueId state, ValueId value);
  void output(ValueId value);

  const Type& type(ValueId value) const { return graph_.type(value); }
  const Graph& graph() const { return graph_; }
  Graph take() &&;

 private:
  std::string unique_name(std::string name);
  std::vector<ValueId> append(Node node, const std::vector<std::string>& names, std::vector<Type> types);

  Graph graph_;
  InferTypes infer_;
  Phase phase_ = Phase::kForward;
  std::map<std::string, int, std::less<>> names_;  // taken names, and the next number to try behind each
};

}  // namespace convoke
