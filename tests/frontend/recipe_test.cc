// The shipped recipes, the round trip of resolved ones, and mistakes in recipes.
#include "compiler/frontend/recipe.h"

#include <doctest/doctest.h>

#include "compiler/frontend/import.h"

namespace convoke {
namespace {

TEST_CASE("shipped recipes are right, and name models that are") {
  for (const char* name : {"lenet_fashion_mnist", "lenet_fashion_mnist_3_epochs", "resnet18_small_fashion_mnist"}) {
    const RecipeResult result = read_recipe(std::string("model_defs/recipes/") + name + ".textproto");
    REQUIRE_MESSAGE(result.ok(), result.diagnostics.text());
    CHECK(result.recipe.name == name);
    CHECK(result.recipe.target == "host");
    CHECK(result.recipe.dataset.class_names.size() == 10);
    CHECK(import_model(result.recipe.model).ok());
  }
}

TEST_CASE("a resolved recipe reads back as itself") {
  RecipeResult first = read_recipe_bytes(R"(
    model: "m" freeze: "layer1.*" seed: 18446744073709551615 optimizer { kind: ADAMW weight_decay: 0.01 }
    schedule { kind: STEP step_epochs: [2, 4] learning_rate: 1e-3 } augmentation { crop_padding: 2 }
    transform { mean: [0.1, 0.2, 0.3] std: [1, 2, 3] })",
                                         "run.textproto");
  REQUIRE_MESSAGE(first.ok(), first.diagnostics.text());
  CHECK(first.recipe.name == "run");
  CHECK(first.recipe.optimizer.kind == OptimizerKind::kAdamW);
  CHECK(first.recipe.schedule.step_epochs == std::vector<double>{2, 4});
  CHECK(first.recipe.dataset.name == "Fashion-MNIST");
  const std::string text = format_recipe(first.recipe);
  const RecipeResult second = read_recipe_bytes(text, "other.textproto");
  REQUIRE_MESSAGE(second.ok(), second.diagnostics.text());
  CHECK(format_recipe(second.recipe) == text);
}

TEST_CASE("all mistakes of a recipe, where they are") {
  const RecipeResult result = read_recipe_bytes(
      "epochs: 0\n"
      "schedule { kind: COSINE\n  learning_rate: -1 }\n"
      "transform { mean: 1 std: [1, 0] }\n"
      "dataset { train_images: \"a\" train_labels: \"b\" test_images: \"c\" }\n"
      "bach_size: 3\n",
      "r.textproto");
  CHECK(result.diagnostics.text() ==
        "r.textproto: the recipe names no model [E0602]\n"
        "  hint: say `model: \"model_defs/models/lenet.textproto\"`\n"
        "r.textproto:1:1: epochs is 0, expected 1 or more [E0601]\n"
        "r.textproto:3:3: schedule.learning_rate is -1, expected a positive number [E0601]\n"
        "r.textproto:4:21: the number of transform.std is 2, expected as many as of transform.mean [E0601]\n"
        "r.textproto:5:1: the data set has no test_labels, class_names [E0602]\n"
        "  hint: a data set has all of them; a recipe without `dataset` trains on Fashion-MNIST\n"
        "r.textproto:6:1: a recipe has no field \"bach_size\" [E0102]\n"
        "  hint: did you mean \"batch_size\"?\n");
}

TEST_CASE("a recipe that is not there") {
  CHECK(read_recipe("nowhere/r.textproto").diagnostics.text().starts_with("nowhere/r.textproto: "));
}

}  // namespace
}  // namespace convoke
