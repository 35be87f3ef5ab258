#include "compiler/frontend/scope.h"

namespace convoke {

const Reference* find_reference(const Scope& scope, const std::string& name) {
  if (auto found = scope.names.find(name); found != scope.names.end()) return &found->second;
  if (auto found = scope.inputs.find(name); found != scope.inputs.end()) return &found->second;
  return nullptr;
}

std::vector<std::string> known_names(const Scope& scope) {
  std::vector<std::string> names;
  for (const auto& [name, reference] : scope.names) names.push_back(name);
  for (const auto& [name, reference] : scope.inputs) names.push_back(name);
  return names;
}

bool is_path(const std::string& name) {
  bool dot = true;  // none at the start, at the end or twice
  for (char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!letter && (c != '.' || dot)) return false;
    dot = c == '.';
  }
  return !dot;
}

bool is_identifier(const std::string& name) {
  return is_path(name) && name.find('.') == std::string::npos && !(name[0] >= '0' && name[0] <= '9');
}

}  // namespace convoke
