// Each verb once as its user knows it, then the mistakes.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "runtime/base/file.h"
#include "tests/driver/command.h"

namespace convoke {
namespace {

using nlohmann::json;

const std::string kLeNet = "model_defs/models/lenet.textproto";

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("compile: a library, its header and a report") {
  const std::string folder = empty_folder("compile");
  const json report = run_json("compile " + kLeNet + " --out " + folder);
  CHECK(report["parameters"] == 61706);
  CHECK(report["batch"] == 64);
  CHECK(report["activation_bytes"] >= report["activation_lower_bound_bytes"]);
  CHECK(std::filesystem::file_size(folder + "/lenet.so") == report["library_bytes"].get<size_t>());
  CHECK(contains(read_file(folder + "/lenet.h").value(), "lenet_library"));

  const json again = run_json("compile " + kLeNet + " --out " + folder);
  CHECK(again["kernels_compiled"] == 0);
  const json untuned = run_json("compile " + kLeNet + " --tuned none --out " + folder);
  CHECK(untuned["schedules"]["default"] == untuned["kernels"]);
  CHECK(untuned["schedules"]["predicted_train_ms"] > untuned["schedules"]["predicted_infer_ms"]);
  const json inspected = run_json("inspect " + folder + "/lenet.so");
  CHECK(inspected["parameters"].size() == 10);
  CHECK(inspected["parameters"][0] == json{{"name", "conv1.weight"}, {"dtype", "f32"}, {"shape", {6, 1, 5, 5}}});
}

TEST_CASE("compile: other sizes and classes, inference alone") {
  const std::string folder = empty_folder("sizes");
  const json report = run_json(
      "compile model_defs/models/resnet18_small.textproto --input 1x28x28 --classes 7 "
      "--batch 1 --inference-only --out " +
      folder);
  const json inspected = run_json("inspect " + folder + "/resnet18_small.so");
  CHECK(inspected["inputs"][0]["shape"] == json{-1, 28, 28, 1});
  CHECK(inspected["outputs"][0]["shape"] == json{-1, 7});
  CHECK(inspected["training"] == false);
}

TEST_CASE("compile --dump: every stage as text") {
  for (const auto& [stage, part] :
       {std::pair("graph", "%conv1 = conv2d(%input, %conv1.weight, %conv1.bias)"),
        std::pair("training", "store %conv1.weight.grad, %conv1.weight.accumulated"),
        std::pair("kernels", ")\n  infer conv1+relu1\n"), std::pair("plan", "plan lenet capacity 64"),
        std::pair("stmt --kernels '^conv1.relu1$'", "produce"), std::pair("asm --kernels '^conv1.relu1$'", ".text")}) {
    const Outcome outcome = run_convoke("compile " + kLeNet + " --dump " + stage);
    const std::string what = std::string(stage) + "\n" + outcome.errors;
    INFO(what);
    CHECK(outcome.exit_code == 0);
    CHECK(contains(outcome.output, part));
  }
  const Outcome after = run_convoke("compile " + kLeNet + " --dump-after flatten_into_linear");
  CHECK(contains(after.output, "# inference after flatten_into_linear"));
  const Outcome unknown = run_convoke("compile " + kLeNet + " --dump-after fold");
  CHECK(unknown.exit_code == 1);
  CHECK(contains(unknown.errors, "no pass \"fold\"; the passes are\n  simplify_adaptive_pools"));
}

TEST_CASE("train, resume, eval, predict") {
  const std::string folder = empty_folder("train");
  const std::string recipe = make_recipe(folder), runs = " --runs " + folder + "/runs";
  const json report = run_json("train " + recipe + runs + " --threads 2");
  CHECK(report["steps"] == 126);
  CHECK(report["evaluation"]["accuracy"] > 0.9);
  const std::string run_folder = folder + "/runs/bars";
  for (const char* file : {"lenet.so", "lenet.h", "recipe.textproto", "metrics.csv", "curves.svg", "confusion.svg",
                           "weights.safetensors", "checkpoints/best.safetensors"}) {
    const std::string path = run_folder + "/" + file;
    CHECK_MESSAGE(std::filesystem::exists(path), path);
  }

  const Outcome again = run_convoke("train " + recipe + runs);
  CHECK(again.exit_code == 1);
  CHECK(contains(again.errors, "--resume"));
  const json longer = run_json("train " + recipe + runs + " --resume --epochs 3");
  CHECK(longer["steps"] == 189);

  const json evaluation = run_json("eval " + run_folder);
  CHECK(evaluation["accuracy"] == longer["evaluation"]["accuracy"]);
  const json predictions = run_json("predict " + run_folder + " --test 3 --first 5")["predictions"];
  REQUIRE(predictions.size() == 3);
  CHECK(predictions[0]["source"] == "test image 5");
  CHECK(predictions[0]["truth"] == "bar 5");
  CHECK(predictions[0]["classes"].size() == 3);
}

TEST_CASE("bench: a median and a profile") {
  for (const char* train : {"", " --train"}) {
    const json report = run_json("bench " + kLeNet + " --batch 4 --threads 2 --seconds 0.05" + train);
    CHECK(report["median_ms"] > 0);
    CHECK(report["images_per_second"] > 0);
    CHECK(report["kernels"].size() > 5);
    const json& kernel = report["kernels"][0];
    CHECK(kernel["peak_share"] == kernel["gflops"].get<double>() / report["fma_peak_gflops"].get<double>());
    CHECK(kernel["memory_share"] > 0);
    CHECK(report["bound_ms"] > 0);
  }
}

TEST_CASE("bench --layers: the kernels' times by layer") {
  const json report = run_json("bench " + kLeNet + " --batch 4 --threads 1 --seconds 0.05 --train --layers");
  const json& layers = report["layers"];
  REQUIRE(layers.size() == 14);  // LeNet's, then loss and update
  CHECK(layers[0]["name"] == "conv1");
  CHECK(layers[0]["forward_ms"] > 0);
  CHECK(layers[0]["data_gradient_ms"] == 0);  // nobody asks for the image's
  CHECK(layers[0]["weight_gradient_ms"] > 0);
  CHECK(layers[1]["name"] == "relu1");
  CHECK(!layers[1].contains("ms"));  // fused into conv1
  double by_layer = 0, by_kernel = 0;
  for (const json& layer : layers) by_layer += layer.value("ms", 0.0);
  for (const json& kernel : report["kernels"]) by_kernel += kernel["ms"].get<double>();
  CHECK(by_layer == doctest::Approx(by_kernel));
  CHECK(contains(run_convoke("bench " + kLeNet + " --seconds 0.05 --layers").output, "conv1    conv2d "));
  const json folded = run_json("bench model_defs/models/resnet18_small.textproto --seconds 0.05 --layers")["layers"];
  CHECK(folded[0]["forward_ms"] > 0);   // the first convolution has the batch norm in it
  CHECK(folded[1]["forward_ms"] == 0);  // of the batch norm
}

TEST_CASE("bench --against onednn: the same results, layer by layer") {
  const json inference = run_json("bench " + kLeNet + " --seconds 0.05 --against onednn")["against"];
  REQUIRE(inference["layers"].size() == 5);
  CHECK(inference["layers"][0]["layer"] == "conv1");
  CHECK(inference["layers"][0]["onednn_ms"] > 0);
  const json training = run_json("bench " + kLeNet + " --batch 9 --threads 2 --seconds 0.05 --train --against onednn");
  std::map<std::string, int> directions;
  for (const json& layer : training["against"]["layers"]) ++directions[layer["direction"]];
  CHECK(directions == std::map<std::string, int>{{"data gradient", 4}, {"forward", 5}, {"weight gradient", 5}});
}

TEST_CASE("summary: torchinfo's numbers, and the kernels") {
  CHECK(run_json("summary " + kLeNet)["parameters"] == 61706);
  const json summary = run_json("summary model_defs/models/resnet18.textproto");
  CHECK(summary["parameters"] == 11689512);
  CHECK(summary["multiply_adds"] == 1814073344);
  const Outcome table = run_convoke("summary " + kLeNet);
  CHECK(contains(table.output, "conv1    conv2d      28x28x1   28x28x6          156        117,600"));
}

TEST_CASE("explain") {
  CHECK(contains(run_convoke("explain E0501").output, "does not fit"));
  CHECK(run_convoke("explain E9999").exit_code == 1);
}

TEST_CASE("mistakes: a message that says what to do, an exit code, nothing left behind") {
  const std::string folder = empty_folder("mistakes");
  struct Mistake {
    const char* arguments;
    int exit_code;
    const char* message;
  };
  const Mistake mistakes[] = {
      {"", 2, "A subcommand is required"},
      {"compil", 2, "required"},
      {"compile", 2, "model is required"},
      {"compile model_defs/models/lenet.textproto --input 28x28", 1, "expected channels x height x width"},
      {"compile model_defs/models/lenet.textproto --target z80", 1, "z80"},
      {"compile model_defs/models/lenet.textproto --batch 0", 2, "--batch"},
      {"compile model_defs/models/lenet.textproto --keep nothing", 1, "matches no value"},
      {"compile model_defs/models/lenet.textproto --keep '('", 1, "no regular expression"},
      {"compile model_defs/models/lenet.textproto --freeze layer9", 1, "matches no layer"},
      {"compile model_defs/models/lenet.textproto --dump plans", 2, "--dump"},
      {"compile model_defs/models/lenet.textproto --dump asm --kernels conv9", 1, "matches no call"},
      {"compile model_defs/models/lenet.textproto --tuned nowhere.textproto", 1, "nowhere.textproto"},
      {"compile model_defs/models/lenet.textproto --tuned model_defs/models/lenet.textproto", 1, "lenet.textproto:"},
      {"compile model_defs/models/lenet.textproto --target arm-64 --weights x", 1, "arm-64 does not run here"},
      {"compile nowhere.textproto", 1, "nowhere.textproto"},
      {"compile model_defs/models/lenet.textproto --out /proc/nowhere", 1, "/proc/nowhere"},
      {"train nowhere.textproto", 1, "nowhere.textproto"},
      {"eval runs/nowhere", 1, "no such run folder"},
      {"eval CMakeLists.txt --weights x", 1, "cannot load the library"},
      {"predict runs/nowhere", 1, "say what to classify"},
      {"inspect CMakeLists.txt", 1, "cannot load the library"},
  };
  for (const auto& [arguments, exit_code, message] : mistakes) {
    const Outcome outcome = run_convoke(arguments);
    const std::string what = std::string(arguments) + "\n" + outcome.errors;
    INFO(what);
    CHECK(outcome.exit_code == exit_code);
    CHECK(contains(outcome.errors, message));
    CHECK(outcome.output.empty());
  }
}

}  // namespace
}  // namespace convoke
