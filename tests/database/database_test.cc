// The tuned database as text, and what lookup makes of it.
#include "schedules/database/database.h"

#include <doctest/doctest.h>

#include "compiler/ops/op.h"
#include "schedules/database/cpu.h"
#include "schedules/database/lookup.h"

namespace convoke {
namespace {

const TargetSpec kTarget = find_target("x86-64-avx2").value();

// Dilated: conv2d_direct is the first template that applies.
Kernel convolution(int64_t size, int64_t channels = 64) {
  return single_op_kernel("conv2d",
                          {{"stride", std::vector<int64_t>{1, 1}},
                           {"padding", std::vector<int64_t>{2, 2, 2, 2}},
                           {"dilation", std::vector<int64_t>{2, 2}},
                           {"groups", int64_t{1}}},
                          {f32({kBatch, size, size, 16}), f32({channels, 16, 3, 3})});
}

// The first template's defaults with one knob moved, so that it is seen who answers.
TunedSchedule tuned(const Kernel& kernel, BatchClass batch, const std::string& cpu, size_t moved_to) {
  const TemplateChoice choice = template_choices(kernel, batch, kTarget).at(0);
  TunedSchedule schedule{.kernel = tuning_key(kernel),
                         .batch = batch,
                         .cpu = cpu,
                         .template_name = choice.name,
                         .knobs = choice.defaults,
                         .n = 8,
                         .ns = 1000,
                         .spread = 0.01,
                         .default_ns = 1200,
                         .fma_gflops = 100,
                         .max_error = 1e-6,
                         .date = "2026-11-24"};
  schedule.knobs["pixels"] = choice.ranges.at("pixels").at(moved_to);
  return schedule;
}

struct Found {
  Origin origin;
  int64_t pixels;
  bool operator==(const Found&) const = default;
};

Found look_up(const Database& database, const Kernel& kernel, BatchClass batch, const std::string& cpu = "here") {
  const Instance instance = lookup(kernel, batch, kTarget, {.tuned = &database, .cpu = cpu}).value();
  return {instance.origin, instance.knobs.at("pixels")};
}

constexpr BatchClass kOne = BatchClass::kOne, kFew = BatchClass::kFew, kMany = BatchClass::kMany;

TEST_CASE("a database is printed, parsed back, and stays sorted") {
  Database database;
  put(database, tuned(convolution(28), kMany, "here", 1));
  put(database, tuned(convolution(14), kOne, "there", 2));
  put(database, tuned(convolution(14), kOne, "here", 0));
  TunedSchedule for_inference = tuned(convolution(14), kOne, "here", 1);
  for_inference.inference_only = true;
  put(database, for_inference);
  const std::string text = print(database);
  const Result<Database> parsed = parse_database(text, "x.textproto");
  REQUIRE_MESSAGE(parsed.ok(), parsed.status().message());
  CHECK(print(*parsed) == text);
  REQUIRE(parsed->schedules.size() == 4);
  CHECK(parsed->schedules[0].cpu == "here");
  CHECK(parsed->schedules[1].inference_only);
  CHECK(parsed->schedules[3].ns == 1000);

  TunedSchedule faster = tuned(convolution(14), kOne, "here", 3);
  faster.ns = 500;
  put(database, faster);
  CHECK(database.schedules.size() == 4);
  CHECK(find(database, faster)->ns == 500);
  CHECK(find(database, for_inference)->ns == 1000);
  erase(database, for_inference);
  CHECK(find(database, for_inference) == nullptr);
  CHECK(find(database, tuned(convolution(14), kFew, "here", 0)) == nullptr);
}

TEST_CASE("mistakes in a database name the place") {
  Database database;
  put(database, tuned(convolution(28), kMany, "here", 1));
  const std::string text = print(database);
  const auto error = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    return parse_database(changed, "x.textproto").status().message();
  };
  CHECK(error("batch: \"8+\"", "batch: \"9\"") == "x.textproto: schedule 1: batch \"9\", expected 1, 2-3, 4-7 or 8+");
  CHECK(error("ns: 1000", "ns: 0") == "x.textproto: schedule 1: n, threads, ns and fma_gflops must be > 0");
  CHECK(error("pixels=", "pixels:").find("is no knob, expected name=number") != std::string::npos);
  CHECK(error("cpu:", "cpus:").find("x.textproto:11:") == 0);
  CHECK(error("= conv2d(", "= conv9d(").find("x.textproto: schedule 1: ") == 0);
  CHECK(parse_database(text + text, "x").status().message().find("x: two schedules for batch 8+ on here of\n") == 0);
}

TEST_CASE("lookup: exact, near, default") {
  const Kernel kernel = convolution(28);
  const auto pixels = [&](size_t i) {
    return template_choices(kernel, BatchClass::kMany, kTarget).at(0).ranges.at("pixels").at(i);
  };
  const int64_t default_pixels = template_choices(kernel, BatchClass::kMany, kTarget).at(0).defaults.at("pixels");
  Database database;
  CHECK(look_up(database, kernel, kOne) == Found{Origin::kDefault, default_pixels});

  SUBCASE("the same kernel and class: of this CPU first, else of any") {
    put(database, tuned(kernel, kOne, "a", 1));
    put(database, tuned(kernel, kOne, "here", 2));
    CHECK(look_up(database, kernel, kOne) == Found{Origin::kExact, pixels(2)});
    CHECK(look_up(database, kernel, kOne, "elsewhere") == Found{Origin::kExact, pixels(1)});
  }
  SUBCASE("another class says nothing: its best blocks may hold many images") {
    put(database, tuned(kernel, kMany, "here", 1));
    CHECK(look_up(database, kernel, kOne) == Found{Origin::kDefault, default_pixels});
  }
  SUBCASE("another size of the same class is near: the nearest one") {
    put(database, tuned(convolution(28), kOne, "here", 1));
    put(database, tuned(convolution(49), kOne, "here", 2));
    CHECK(look_up(database, convolution(35), kOne) == Found{Origin::kNear, pixels(1)});
    CHECK(look_up(database, convolution(42), kOne) == Found{Origin::kNear, pixels(2)});
  }
  SUBCASE("a size of more than twice the work, or less than half, is not near") {
    put(database, tuned(convolution(28), kOne, "here", 1));
    CHECK(look_up(database, convolution(14), kOne).origin == Origin::kDefault);
    CHECK(look_up(database, convolution(56), kOne).origin == Origin::kDefault);
  }
  SUBCASE("other channels are another family") {
    put(database, tuned(convolution(28, 32), kOne, "here", 1));
    CHECK(look_up(database, kernel, kOne).origin == Origin::kDefault);
  }
  SUBCASE("what is no longer valid is passed over") {
    TunedSchedule stale = tuned(kernel, kOne, "here", 1);
    SUBCASE("the template is gone") { stale.template_name = "conv2d_of_last_year"; }
    SUBCASE("the value is out of the knob's range") { stale.knobs["pixels"] = 999; }
    SUBCASE("a knob is gone") { stale.knobs.erase("pixels"); }
    SUBCASE("a knob is new") { stale.knobs["depth"] = 1; }
    put(database, stale);
    CHECK(look_up(database, kernel, kOne) == Found{Origin::kDefault, default_pixels});
  }
  SUBCASE("what is looked up with layouts is no kernel of the database") {
    put(database, tuned(kernel, kOne, "here", 1));
    Kernel packed = kernel;
    packed.input_layouts[1] = packed_weights({64, 16, 3, 3}, 16);
    CHECK(look_up(database, packed, kOne).origin == Origin::kDefault);
  }
  SUBCASE("a measured time comes with the same kernel alone") {
    put(database, tuned(kernel, kOne, "here", 1));
    CHECK(lookup(kernel, kOne, kTarget, {.tuned = &database}).value().measured.n == 8);
    CHECK(lookup(convolution(56), kOne, kTarget, {.tuned = &database}).value().measured.n == 0);
  }
}

TEST_CASE("merge takes what is new, and of two the faster one: by its share of the machine's peak, a sample") {
  Database a, b;
  put(a, tuned(convolution(28), kOne, "here", 1));
  put(a, tuned(convolution(14), kOne, "here", 1));
  TunedSchedule other = tuned(convolution(28), kOne, "here", 2);
  put(b, tuned(convolution(28), kOne, "there", 3));
  SUBCASE("a machine that was slower when it was measured") { other.ns = 1100, other.fma_gflops = 80; }
  SUBCASE("more samples") { other.ns = 1900, other.n = 16; }
  SUBCASE("one thread instead of two") {
    a.schedules[1].threads = 2;
    other.ns = 1900;
  }
  put(b, other);
  Database merged = a;
  merge(merged, b);
  CHECK(merged.schedules.size() == 3);
  CHECK(*find(merged, other) == other);
  const std::vector<Difference> found = differences(a, merged);
  REQUIRE(found.size() == 2);
  CHECK(found[0].after->ns == other.ns);
  CHECK(found[1].before == nullptr);

  merge(merged, a);  // the slower one changes nothing
  CHECK(*find(merged, other) == other);
  CHECK(differences(merged, merged).empty());
}

TEST_CASE("a schedule in one line") {
  CHECK(describe(tuned(convolution(28), kOne, "here", 1)) ==
        "conv2d f32[n,28,28,16] f32[64,16,3,3] -> f32[n,28,28,64]");
}

TEST_CASE("defaults are valid for all that lookup finds") {
  const Kernel kernel = convolution(28);
  for (const TemplateChoice& choice : template_choices(kernel, BatchClass::kMany, kTarget)) {
    CHECK(is_valid(kernel, BatchClass::kMany, kTarget, choice.name, choice.defaults));
    CHECK(choice.fits(choice.defaults));
  }
}

// One thread finds nothing wrong with it.
TEST_CASE("the tuner shares blocks of Winograd tiles out only where they are few") {
  const Attrs attrs = {{"stride", std::vector<int64_t>{1, 1}},
                       {"padding", std::vector<int64_t>{1, 1, 1, 1}},
                       {"dilation", std::vector<int64_t>{1, 1}},
                       {"groups", int64_t{1}}};
  const Kernel kernel = single_op_kernel("conv2d", attrs, {f32({kBatch, 56, 56, 64}), f32({64, 64, 3, 3})});
  for (const TemplateChoice& choice : template_choices(kernel, kOne, kTarget)) {
    if (choice.name != "conv2d_winograd") continue;
    const auto fits = [&](int64_t tiles, int64_t tasks) {
      Knobs knobs = choice.defaults;
      knobs["tile"] = 4;
      knobs["tx"] = knobs["ty"] = tiles;
      knobs["tasks"] = tasks;
      return choice.fits(knobs);
    };
    CHECK(fits(2, 1));  // 49 blocks
    CHECK_FALSE(fits(2, 8));
    CHECK(fits(14, 8));  // one
    CHECK_FALSE(fits(14, 1));
  }
}

TEST_CASE("the databases that are built in can be read, and what they hold are schedules still") {
  for (const std::string& name : target_names()) {
    const Result<Database> database = shipped_database(name);
    REQUIRE_MESSAGE(database.ok(), database.status().message());
    const TargetSpec target = find_target(name).value();
    for (const TunedSchedule& s : database->schedules) {
      INFO(name << ", " << s.cpu << ": " << s.template_name << " " << to_string(s.knobs) << " of\n" << s.kernel);
      const Kernel kernel = parse_kernel(s.kernel).value();
      CHECK(is_valid(kernel, s.batch, target, s.template_name, s.knobs));
      CHECK(s.inference_only == !may_train(kernel, s.template_name));
    }
  }
}

TEST_CASE("a CPU's name") {
  CHECK(cpu_name("processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nstepping : 1\n") ==
        "AMD EPYC, family 25, model 1");
  CHECK(cpu_name("BogoMIPS\t: 50.00\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n") == "implementer 0x41, part 0xd0c");
  CHECK(cpu_name("") == "unknown");
}

// Of 28x28 maps F(7,3) takes the fewest products.
TEST_CASE("training steps put small errors alone through relus: large tiles are for inference and for gradients") {
  const Attrs attrs = {{"stride", std::vector<int64_t>{1, 1}},
                       {"padding", std::vector<int64_t>{1, 1, 1, 1}},
                       {"dilation", std::vector<int64_t>{1, 1}},
                       {"groups", int64_t{1}}};
  const Type image = f32({kBatch, 28, 28, 128}), weight = f32({128, 128, 3, 3});
  Attrs of_gradient = attrs;
  of_gradient["input_size"] = std::vector<int64_t>{28, 28};
  const Kernel forward = single_op_kernel("conv2d", attrs, {image, weight});
  const Kernel gradient = single_op_kernel("conv2d_backward_data", of_gradient, {image, weight});
  const auto template_of = [](const Kernel& kernel, bool training) {
    return lookup(kernel, BatchClass::kMany, kTarget, {.training = training}).value().template_name;
  };
  CHECK(template_of(forward, false) == "conv2d_winograd_large");
  CHECK(template_of(forward, true) == "conv2d_winograd");
  CHECK(template_of(gradient, true) == "conv2d_winograd_large");

  Database database;
  const auto add = [&](const TemplateChoice& choice) {
    put(database, {.kernel = tuning_key(forward),
                   .batch = BatchClass::kMany,
                   .template_name = choice.name,
                   .knobs = choice.defaults,
                   .inference_only = !may_train(forward, choice.name)});
  };
  const auto found = [&](bool training) {
    const LookupOptions options{.tuned = &database, .training = training};
    const Instance instance = lookup(forward, BatchClass::kMany, kTarget, options).value();
    return std::pair(instance.origin, instance.template_name);
  };
  add(template_choices(forward, BatchClass::kMany, kTarget).at(0));
  CHECK(found(false) == std::pair(Origin::kExact, std::string("conv2d_winograd_large")));
  CHECK(found(true).first == Origin::kDefault);
  add(template_choices(forward, BatchClass::kMany, kTarget, true).at(0));
  CHECK(database.schedules.size() == 2);
  CHECK(found(false) == std::pair(Origin::kExact, std::string("conv2d_winograd_large")));
  CHECK(found(true) == std::pair(Origin::kExact, std::string("conv2d_winograd")));
}

}  // namespace
}  // namespace convoke
