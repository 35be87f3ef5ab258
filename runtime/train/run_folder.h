// The files that a run leaves in its folder beside checkpoints.
#pragma once

#include <string>
#include <vector>

#include "runtime/train/metrics.h"
#include "runtime/train/trainer.h"

namespace convoke {

// Whether the folder's contents allow such a start; changes nothing.
Status check_run_start(const RunFolder& folder, RunStart start);

// Makes the folder, or for kOverwrite clears it of a run's files, and writes the resolved recipe. kResume: leaves all.
Status prepare_run_folder(const RunFolder& folder, RunStart start, const std::string& recipe);

// metrics.csv, curves.svg, confusion.svg as they are after an epoch.
Status write_run_results(const RunFolder& folder, const std::string& run_name, const std::vector<EpochMetrics>& history,
                         const Evaluation& evaluation);

}  // namespace convoke
