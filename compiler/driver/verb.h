// A verb of the `convoke` command: one file each, listed once in main.cc.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "runtime/base/status.h"

namespace convoke {

using ExitCode = int;  // 0; kInterruptedExitCode
using VerbRun = std::function<Result<ExitCode>()>;

// Adds its arguments to `app` and returns what runs when they are parsed. Results go to stdout, progress to stderr.
VerbRun compile_verb(CLI::App& app);
VerbRun train_verb(CLI::App& app);
VerbRun eval_verb(CLI::App& app);
VerbRun predict_verb(CLI::App& app);
VerbRun bench_verb(CLI::App& app);
VerbRun tune_verb(CLI::App& app);
VerbRun schedules_verb(CLI::App& app);
VerbRun summary_verb(CLI::App& app);
VerbRun inspect_verb(CLI::App& app);
VerbRun explain_verb(CLI::App& app);

}  // namespace convoke
