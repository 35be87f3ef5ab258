// Runs programs and looks at what they print; a small data set and a recipe for it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace convoke {

struct Outcome {
  int exit_code;
  std::string output, errors;  // stdout, stderr
};
Outcome run(const std::string& command);                // by the shell
Outcome run_convoke(const std::string& arguments);      // the command under test
nlohmann::json run_json(const std::string& arguments);  // succeeds, with --json

// An empty folder; `name` keeps the tests apart.
std::string empty_folder(const std::string& name);

// Four files of a data set of 28x28 images in ten classes, bright in the class's own rows, and recipe.textproto: LeNet
// for two epochs. Returns the recipe's path.
std::string make_recipe(const std::string& folder);

}  // namespace convoke
