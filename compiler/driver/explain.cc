// convoke explain: what the id of an error message means, with an example and its repair.
#include <fmt/format.h>

#include <memory>

#include "compiler/driver/output.h"
#include "compiler/driver/verb.h"
#include "compiler/frontend/diagnostics.h"

namespace convoke {
namespace {

struct Arguments {
  std::string id;
  bool json = false;
};

Result<ExitCode> run(const Arguments& arguments) {
  ASSIGN_OR_RETURN(const std::string text, explain(arguments.id));
  if (arguments.json) {
    print_json({{"id", arguments.id}, {"text", text}});
  } else {
    fmt::print("{}", text);
  }
  return 0;
}

}  // namespace

VerbRun explain_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  app.add_option("id", arguments->id, "For example E0501")->required();
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
