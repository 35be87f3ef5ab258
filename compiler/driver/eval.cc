// convoke eval: accuracy, loss and confusions of trained weights on a recipe's test set.
#include <fmt/format.h>

#include <memory>

#include "compiler/driver/evaluation.h"
#include "compiler/driver/trained_model.h"
#include "compiler/driver/verb.h"
#include "runtime/train/evaluate.h"

namespace convoke {
namespace {

struct Arguments {
  TrainedArguments trained;
  bool json = false;
};

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const TrainedModel model, open_trained(arguments.trained));
  ASSIGN_OR_RETURN(const Dataset dataset, read_test_set(model));
  ASSIGN_OR_RETURN(const Evaluation evaluation,
                   evaluate(model.library, model.weights.get(), dataset, arguments.trained.threads));
  if (arguments.json) {
    Json json = {{"model", model.library.model().name}, {"weights", model.weights_path}};
    json.update(evaluation_json(evaluation));
    print_json(json);
  } else {
    fmt::print("{}: ", model.weights_path);
    print_evaluation(evaluation);
  }
  return 0;
}

}  // namespace

VerbRun eval_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  add_trained_arguments(app, arguments->trained);
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
