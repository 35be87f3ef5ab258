// A recipe file to the plain Recipe that the trainer reads, every default filled in; mistakes as those of models.
#pragma once

#include <string>

#include "compiler/frontend/diagnostics.h"
#include "runtime/train/recipe.h"

namespace convoke {

struct RecipeResult {
  Recipe recipe;            // meaningless unless there are no diagnostics
  Diagnostics diagnostics;  // of the whole file
  bool ok() const { return diagnostics.empty(); }
};

// Looks neither at the model nor at the data set's files.
RecipeResult read_recipe(const std::string& path);
RecipeResult read_recipe_bytes(const std::string& bytes, const std::string& file_name);

}  // namespace convoke
