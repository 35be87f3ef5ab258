// Whole runs on the hand-written library: learning, resuming to the same bits, damaged checkpoints, full disks.
#include "runtime/train/trainer.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "runtime/train/checkpoint.h"
#include "runtime/train/evaluate.h"
#include "runtime/train/interrupt.h"
#include "runtime/train/weights_file.h"
#include "tests/runtime/fixture.h"

namespace convoke {
namespace {

struct Setting {
  Library library = tiny_library();
  Dataset train_set = tiny_dataset(53, 1), test_set = tiny_dataset(20, 2);
  Recipe recipe = tiny_recipe();
  RunFolder folder;
  explicit Setting(const std::string& name) : folder{empty_folder(name) + "/run"} {}

  Result<TrainingReport> run(RunStart start) { return run_until(start, -1); }
  // Stops after so many further steps.
  Result<TrainingReport> run_until(RunStart start, int stop_after) {
    TrainingOptions options{.start = start};
    int asked = 0;
    if (stop_after >= 0) options.should_stop = [asked, stop_after]() mutable { return ++asked >= stop_after; };
    return train(recipe, library, train_set, test_set, folder, options);
  }
  std::string bytes(const std::string& name) const { return file_bytes(folder.file(name)); }
};

void require_ok(const Result<TrainingReport>& report) { REQUIRE_MESSAGE(report.ok(), report.status().message()); }

std::string message_of(const Result<TrainingReport>& report) { return report.ok() ? "" : report.status().message(); }

#define CHECK_SAYS(report, part) \
  CHECK_MESSAGE(message_of(report).find(part) != std::string::npos, "found: " << message_of(report))

constexpr const char* kCompared[] = {"metrics.csv",   "weights.safetensors",          "curves.svg",
                                     "confusion.svg", "checkpoints/last.safetensors", "checkpoints/best.safetensors"};

}  // namespace

TEST_CASE("A run learns and leaves its files") {
  Setting setting("learns");
  setting.recipe.epochs = 12;
  const Result<TrainingReport> report = setting.run(RunStart::kNew);
  require_ok(report);
  CHECK(report->steps == 12 * 7);
  CHECK(report->history.size() == 12);
  REQUIRE(report->evaluation);
  CHECK(report->evaluation->accuracy >= 0.9);
  CHECK(report->history.back().train_loss < report->history.front().train_loss);
  for (const char* name : kCompared) CHECK_MESSAGE(!setting.bytes(name).empty(), name);
  CHECK(setting.bytes("recipe.textproto") == format_recipe(setting.recipe));

  // The weights alone give the same answers.
  Weights weights = create_weights(setting.library).value();
  REQUIRE(load_weights(setting.library, weights.get(), report->weights_path).ok());
  const Result<Evaluation> again = evaluate(setting.library, weights.get(), setting.test_set, 2);
  REQUIRE(again.ok());
  CHECK(again->accuracy == report->evaluation->accuracy);
  CHECK(again->loss == report->evaluation->loss);
  const auto predictions = predict(setting.library, weights.get(), setting.test_set.images, 1);
  REQUIRE(predictions.ok());
  int right = 0;
  for (size_t i = 0; i < 20; ++i) right += (*predictions)[i].classes[0].index == setting.test_set.labels[i];
  CHECK(right / 20.0 == again->accuracy);

  CHECK_SAYS(setting.run(RunStart::kNew), "a run is there already");
  CHECK(setting.run(RunStart::kOverwrite).ok());
}

TEST_CASE("A run interrupted at any step and resumed has the same bits") {
  for (const int64_t batch_size : {8, 13}) {  // 13: over the capacity, so gradients accumulate
    Setting whole("whole");
    whole.recipe.batch_size = batch_size;
    whole.recipe.augmentation = {.horizontal_flip = true, .crop_padding = 1};
    require_ok(whole.run(RunStart::kNew));
    const int steps = static_cast<int>(3 * ((53 + batch_size - 1) / batch_size));
    // From 4: asking counts during an evaluation too, of three batches, and a run that always stops there never ends.
    for (int stop = 4; stop < steps; stop += 3) {
      Setting parts("parts");
      parts.recipe = whole.recipe;
      Result<TrainingReport> report = parts.run_until(RunStart::kNew, stop);
      require_ok(report);
      REQUIRE(report->interrupted);
      for (int pieces = 1; report->interrupted; ++pieces) {
        REQUIRE(pieces < 40);
        report = parts.run_until(RunStart::kResume, stop);
        require_ok(report);
      }
      for (const char* name : kCompared) CHECK_MESSAGE(parts.bytes(name) == whole.bytes(name), name << " " << stop);
    }
  }
}

TEST_CASE("Threads change nothing, and a longer run continues") {
  Setting one("one"), two("two");
  two.recipe.threads = 2;
  require_ok(one.run(RunStart::kNew));
  require_ok(two.run(RunStart::kNew));
  CHECK(one.bytes("weights.safetensors") == two.bytes("weights.safetensors"));
  one.recipe.epochs = 4;
  const Result<TrainingReport> longer = one.run(RunStart::kResume);
  require_ok(longer);
  CHECK(longer->resumed_at_step == 21);
  CHECK(longer->steps == 28);
  one.recipe.schedule.learning_rate = 0.5;
  CHECK_SAYS(one.run(RunStart::kResume), "'learning_rate: 0.01' there, 'learning_rate: 0.5' now");
}

TEST_CASE("A damaged checkpoint: the one before is used, and the run says so") {
  Setting whole("whole"), setting("damaged");
  require_ok(whole.run(RunStart::kNew));
  require_ok(setting.run_until(RunStart::kNew, 5));
  require_ok(setting.run_until(RunStart::kResume, 1));
  const std::string last = setting.folder.checkpoints() + "/last.safetensors";
  const std::string good = file_bytes(last);
  std::string flipped = good;
  flipped[good.size() - 9] ^= 16;
  for (const std::string& bad : {flipped, good.substr(0, good.size() / 2), std::string(), std::string("noise")}) {
    write_file(last, bad);
    Setting copy("copy");
    std::filesystem::copy(setting.folder.path, copy.folder.path, std::filesystem::copy_options::recursive);
    const Result<TrainingReport> report = copy.run(RunStart::kResume);
    require_ok(report);
    CHECK(report->notice.find("last.safetensors") != std::string::npos);
    CHECK(report->notice.find("continuing from") != std::string::npos);
    for (const char* name : {"metrics.csv", "weights.safetensors"}) CHECK(copy.bytes(name) == whole.bytes(name));
  }
  write_file(last, "noise");
  write_file(setting.folder.checkpoints() + "/previous.safetensors", "noise");
  CHECK_SAYS(setting.run(RunStart::kResume), "no usable checkpoint");
}

TEST_CASE("A run that diverges says where") {
  Setting wild("wild");
  wild.recipe.schedule = {.kind = ScheduleKind::kConstant, .learning_rate = 1e38};
  const Result<TrainingReport> report = wild.run(RunStart::kNew);
  CHECK_SAYS(report, "epoch 1, step ");
  CHECK_SAYS(report, "'fc");
  CHECK_SAYS(report, "not applied");
}

TEST_CASE("Data and recipes that do not fit") {
  Setting setting("misfit");
  setting.test_set =
      Dataset{.count = 1, .height = 28, .width = 28, .channels = 1, .images = std::vector<uint8_t>(784), .labels = {0}};
  CHECK_SAYS(setting.run(RunStart::kNew), "test data: the data set's images are 1x28x28, tiny reads 3x4x4");
  setting.test_set = tiny_dataset(20, 2);
  setting.train_set.labels[7] = 5;
  CHECK_SAYS(setting.run(RunStart::kNew), "training data: label 7 of the data set is 5, tiny knows 0 to 4");
  setting.recipe.schedule.learning_rate = -1;
  CHECK_SAYS(setting.run(RunStart::kNew), "schedule.learning_rate is -1, expected a positive number");
  CHECK(!std::filesystem::exists(setting.folder.path));
  CHECK_SAYS(Setting("nothing").run(RunStart::kResume), "has no checkpoint to resume from");
}

TEST_CASE("A checkpoint of another model is refused, and stays") {
  Setting setting("other_model");
  require_ok(setting.run_until(RunStart::kNew, 5));
  const std::string last = setting.folder.checkpoints() + "/last.safetensors";
  const std::string bytes = file_bytes(last);
  SafeTensors file = parse_safetensors(bytes, last).value();
  file.metadata.erase("xxh64");
  file.tensors["fc2.weight"] = file.tensors.extract("fc.weight").mapped();
  const std::string other = serialize_safetensors(file, "xxh64");
  write_file(last, other);
  const Result<TrainingReport> report = setting.run(RunStart::kResume);
  CHECK_SAYS(report, "last.safetensors: weights of another model than tiny: 2 differences");
  CHECK_SAYS(report, "missing: fc.weight (5x48)");
  CHECK_SAYS(report, "unexpected: fc2.weight (5x48)");
  CHECK(file_bytes(last) == other);
}

TEST_CASE("A disk that is full from any size on: a message, and nothing that was whole is lost") {
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit old_limit;
  getrlimit(RLIMIT_FSIZE, &old_limit);
  int failures = 0, successes = 0;
  for (rlim_t bytes = 0; successes == 0; bytes += 400) {
    REQUIRE(bytes < 100'000);
    Setting setting("full_from");
    const struct rlimit limit = {bytes, old_limit.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    const Result<TrainingReport> report = setting.run(RunStart::kNew);
    setrlimit(RLIMIT_FSIZE, &old_limit);
    if (report.ok()) {
      ++successes;
      continue;
    }
    ++failures;
    CHECK_SAYS(report, "cannot write: File too large");
    CHECK_SAYS(report, setting.folder.path);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(setting.folder.path)) {
      CHECK_MESSAGE(entry.path().string().find(".tmp") == std::string::npos, entry.path().string());
    }
    // With room again the run goes on from what is there, or begins anew.
    require_ok(setting.run(has_checkpoint(setting.folder.checkpoints()) ? RunStart::kResume : RunStart::kOverwrite));
  }
  std::signal(SIGXFSZ, old_handler);
  CHECK(failures >= 5);
}

TEST_CASE("A full disk ends the run with a message; the checkpoint before it stays whole") {
  Setting setting("full");
  require_ok(setting.run_until(RunStart::kNew, 5));
  const std::string before = setting.bytes("checkpoints/last.safetensors");
  // Files may not grow past 1 KB: what a full disk looks like to a writer, for the superuser too.
  struct rlimit old_limit;
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {1024, old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  const Result<TrainingReport> report = setting.run(RunStart::kResume);
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  CHECK_SAYS(report, "cannot write");
  CHECK(setting.bytes("checkpoints/last.safetensors") == before);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(setting.folder.path)) {
    CHECK_MESSAGE(entry.path().string().find(".tmp") == std::string::npos, entry.path().string());
  }
  require_ok(setting.run(RunStart::kResume));
}

TEST_CASE("A folder that cannot be made") {
  Setting setting("unwritable");
  setting.folder.path = "/proc/convoke/run";  // refused to the superuser too
  CHECK_SAYS(setting.run(RunStart::kNew), "/proc/convoke");
  const std::string file = empty_folder("not_a_folder") + "/file";
  write_file(file, "of the user's");
  setting.folder.path = file;
  CHECK_SAYS(setting.run(RunStart::kNew), file);
  CHECK_SAYS(setting.run(RunStart::kOverwrite), "cannot create the directory");
  CHECK(file_bytes(file) == "of the user's");
}

TEST_CASE("SIGINT: the step ends, a checkpoint is there, the run resumes") {
  Setting setting("signal");
  TrainingOptions options;
  int asked = 0;
  {
    const InterruptScope interrupt("");
    options.should_stop = [&] {
      if (++asked == 5) std::raise(SIGINT);
      return interrupt.requested();
    };
    const auto report =
        train(setting.recipe, setting.library, setting.train_set, setting.test_set, setting.folder, options);
    require_ok(report);
    CHECK(report->interrupted);
    CHECK(report->steps == 5);
    CHECK(!report->evaluation);
  }
  Setting whole("whole");
  require_ok(whole.run(RunStart::kNew));
  require_ok(setting.run(RunStart::kResume));
  CHECK(setting.bytes("weights.safetensors") == whole.bytes("weights.safetensors"));
}

}  // namespace convoke
