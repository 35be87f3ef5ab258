// Learning rates, recipes, metrics as text, pictures, and opening libraries.
#include <doctest/doctest.h>

#include <cmath>

#include "runtime/io/image.h"
#include "runtime/io/terminal.h"
#include "runtime/train/metrics.h"
#include "runtime/train/schedules.h"
#include "tests/runtime/fixture.h"

namespace convoke {

TEST_CASE("Learning rates") {
  ScheduleRecipe schedule{.kind = ScheduleKind::kConstant, .learning_rate = 0.1};
  CHECK(learning_rate(schedule, 49, 10, 5) == 0.1);
  schedule.warmup_epochs = 0.4;
  CHECK(learning_rate(schedule, 0, 10, 5) == doctest::Approx(0.025));
  CHECK(learning_rate(schedule, 4, 10, 5) == doctest::Approx(0.1));
  schedule = {.kind = ScheduleKind::kStep, .learning_rate = 1, .step_epochs = {1, 2.5}, .step_factor = 0.5};
  CHECK(learning_rate(schedule, 9, 10, 5) == 1);
  CHECK(learning_rate(schedule, 10, 10, 5) == 0.5);
  CHECK(learning_rate(schedule, 25, 10, 5) == 0.25);
  schedule = {.kind = ScheduleKind::kCosine, .learning_rate = 1, .warmup_epochs = 1, .final_learning_rate = 0.2};
  CHECK(learning_rate(schedule, 10, 10, 5) == doctest::Approx(1));
  CHECK(learning_rate(schedule, 30, 10, 5) == doctest::Approx(0.6));
  CHECK(learning_rate(schedule, 49, 10, 5) == doctest::Approx(0.2 + 0.4 * (1 + std::cos(M_PI * 39 / 40))));
}

TEST_CASE("Recipes: all objections at once, and text") {
  Recipe recipe = tiny_recipe();
  CHECK(check_recipe(recipe).ok());
  recipe.name = "a/b";
  recipe.epochs = 0;
  recipe.optimizer.momentum = 1;
  recipe.transform.std = {0};
  CHECK(check_recipe(recipe).message() ==
        "name is \"a/b\", expected the name of a folder\n"
        "epochs is 0, expected 1 or more\n"
        "transform.std is 0, expected a positive number\n"
        "optimizer.momentum is 1, expected at least 0 and less than 1");
  recipe.dataset.class_names = {"T-shirt \"top\""};
  CHECK(format_recipe(recipe).find("  class_names: \"T-shirt \\\"top\\\"\"\n") != std::string::npos);
}

TEST_CASE("Metrics survive their text exactly") {
  std::vector<EpochMetrics> history;
  for (int64_t i = 0; i < 50; ++i) {
    const float x = 1.0f / static_cast<float>(3 * i + 7);
    history.push_back({i + 1, 10 * i, x, x * x, std::sqrt(x), std::exp(-20 * x), 1 - x});
  }
  const std::string csv = format_metrics(history);
  const Result<std::vector<EpochMetrics>> read = parse_metrics(csv, "file");
  REQUIRE(read.ok());
  CHECK(format_metrics(*read) == csv);
  for (size_t i = 0; i < 50; ++i) CHECK((*read)[i].test_loss == history[i].test_loss);
  CHECK(!parse_metrics("epoch\n1,2\n", "file").ok());
  CHECK(!parse_metrics(csv + "1,2,3\n", "file").ok());
}

TEST_CASE("Opening libraries: what is none of ours is refused by name") {
  const std::string folder = empty_folder("libraries");
  CHECK(Library::open(folder + "/none.so").status().code() == Code::kNotFound);
  write_file(folder + "/noise.so", "not an ELF file");
  CHECK(Library::open(folder + "/noise.so").status().message().find("cannot load the library") != std::string::npos);
  write_file(folder + "/renamed.so", file_bytes(TINY_LIBRARY));  // is still what its linker called it
  const auto renamed = Library::open(folder + "/renamed.so");
  REQUIRE_MESSAGE(renamed.ok(), renamed.status().message());
  CHECK(std::string(renamed->model().name) == "tiny");
  convoke_library newer = tiny_library().table();
  newer.abi_version = 9;
  CHECK(Library::from_table(&newer, "new.so").status().message() ==
        "new.so: the library has ABI version 9, this program needs version " + std::to_string(CONVOKE_ABI_VERSION) +
            "; compile the model again with this version of convoke");
  convoke_library foreign = tiny_library().table();
  foreign.check_cpu = [](convoke_error* error) -> int32_t {
    *error = {CONVOKE_UNSUPPORTED_CPU, "this CPU has no AVX-512"};
    return CONVOKE_UNSUPPORTED_CPU;
  };
  CHECK(Library::from_table(&foreign, "big.so").status().message() == "big.so: this CPU has no AVX-512");
}

TEST_CASE("Images: refused, resized, converted, drawn") {
  CHECK(decode_image("GIF89a", "a.gif").status().message() == "a.gif: neither a JPEG nor a PNG file");
  CHECK(decode_image("\x89PNG\r\n\x1a\n", "a.png").status().message().find("cannot decode the PNG") !=
        std::string::npos);
  CHECK(decode_image("\xff\xd8\xff\xe0", "a.jpg").status().message().find("cannot decode the JPEG") !=
        std::string::npos);
  const Image image{4, 2, 1, {0, 0, 200, 200, 100, 100, 50, 50}};
  // PIL: Image.frombytes("L", (4, 2), …).resize((2, 1), Image.BILINEAR)
  CHECK(resize(image, 2, 1).pixels == std::vector<uint8_t>{61, 114});
  CHECK(convert_channels({1, 1, 3, {255, 128, 0}}, 1).pixels == std::vector<uint8_t>{151});
  CHECK(image_lines({2, 2, 1, {255, 0, 255, 0}}, 10, TerminalColors::kNone) == std::vector<std::string>{"\u2588 "});
}

}  // namespace convoke
