// The `convoke` command. Exit codes: 0; 1: a mistake in what the verb was given, told on stderr; 2: a mistake in the
// command line; 130: interrupted.
#include <fmt/format.h>

#include <cstdio>
#include <iterator>
#include <vector>

#include "compiler/driver/verb.h"

namespace {

constexpr int kUsageExitCode = 2;

struct Verb {
  const char* name;
  const char* description;
  convoke::VerbRun (*add)(CLI::App&);
};

constexpr Verb kVerbs[] = {
    {"compile", "Compile a model definition to a native library and its C header", convoke::compile_verb},
    {"train", "Compile and train a recipe's model; writes runs/<name>/", convoke::train_verb},
    {"eval", "Evaluate trained weights on the recipe's test set", convoke::eval_verb},
    {"predict", "Classify JPEG or PNG files, or images of the test set", convoke::predict_verb},
    {"bench", "Time a model and its kernels", convoke::bench_verb},
    {"tune", "Measure schedules for models' kernels and keep the fastest", convoke::tune_verb},
    {"schedules", "Show, compare, merge and verify databases of tuned schedules", convoke::schedules_verb},
    {"summary", "Show a model's layers, parameters, work and memory", convoke::summary_verb},
    {"inspect", "Show what a generated library holds", convoke::inspect_verb},
    {"explain", "Explain the id of an error message", convoke::explain_verb},
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Convoke compiles convolutional networks to self-contained native libraries, and trains with them.",
               "convoke");
  app.require_subcommand(1);
  app.set_version_flag("--version", CONVOKE_VERSION);
  std::vector<convoke::VerbRun> runs;
  for (const Verb& verb : kVerbs) runs.push_back(verb.add(*app.add_subcommand(verb.name, verb.description)));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageExitCode;
  }
  for (size_t v = 0; v < std::size(kVerbs); ++v) {
    if (!app.got_subcommand(kVerbs[v].name)) continue;
    const convoke::Result<convoke::ExitCode> code = runs[v]();
    if (code.ok()) return *code;
    fmt::print(stderr, "convoke {}: {}\n", kVerbs[v].name, code.status().message());
    return 1;
  }
  return kUsageExitCode;
}
