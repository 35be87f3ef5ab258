// Inputs that nobody writes by mistake: deep, huge, random, cut off. Each gives a diagnostic or a valid model, soon,
// and never more than Diagnostics::kMost messages, without control characters.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include <random>

#include "compiler/frontend/recipe.h"
#include "model_defs/schema/model.pb.h"
#include "runtime/base/file.h"
#include "tests/errors/files.h"
#include "tests/errors/made.h"

namespace convoke {
namespace {

constexpr const char* kInput = "input { height: 28 width: 28 channels: 1 }\n";
constexpr const char* kRelu = "layer { name: \"relu\" relu {} }\n";

using Random = std::mt19937_64;  // its numbers are the same everywhere, unlike those of the distributions

// Whether the text of diagnostics can go to any terminal or file.
bool is_clean(const std::string& text) {
  for (unsigned char c : text) {
    if ((c < 32 && c != '\n') || c == 127) return false;
  }
  return true;
}

void check_diagnostics(const Diagnostics& diagnostics) {
  CHECK(diagnostics.all().size() <= Diagnostics::kMost);
  const std::string text = diagnostics.text();
  CHECK_MESSAGE(is_clean(text), text);
}

// Reads bytes as a model and as a recipe. Import itself verifies the graph that it made.
bool is_model(const std::string& bytes) {
  const ImportResult result = import_model_bytes(bytes, "hostile.textproto");
  check_diagnostics(result.diagnostics);
  check_diagnostics(diagnose_recipe(bytes));
  return result.ok();
}

std::set<std::string> ids(const std::string& bytes) {
  const Diagnostics diagnostics = diagnose_model(bytes);
  check_diagnostics(diagnostics);
  return ids_of(diagnostics);
}

std::string repeated(const std::string& text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

std::string binary_of(const std::string& path) {
  schema::Model model;
  REQUIRE(google::protobuf::TextFormat::ParseFromString(read_file(path).value(), &model));
  return model.SerializeAsString();
}

// A length-delimited field of a binary message.
std::string field(int number, const std::string& content) {
  std::string bytes;
  for (uint64_t varint : {static_cast<uint64_t>(number) << 3 | 2, static_cast<uint64_t>(content.size())}) {
    for (; varint >= 0x80; varint >>= 7) bytes += static_cast<char>(varint | 0x80);
    bytes += static_cast<char>(varint);
  }
  return bytes + content;
}

// One to four edits: a byte changed, removed, doubled, or a piece moved.
std::string mutated(std::string bytes, Random& random) {
  for (uint64_t edits = 1 + random() % 4; edits > 0 && !bytes.empty(); --edits) {
    const size_t at = random() % bytes.size(), length = random() % 40;
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<char>(random());
        break;
      case 1:
        bytes[at] = "{}[]<>\":#-0159.\\,;_ \n"[random() % 21];
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(random() % bytes.size(), bytes.substr(at, length));
        break;
      default:
        bytes.insert(at, std::to_string(static_cast<int64_t>(random()) >> random() % 64));
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("10,000 levels of text") {
  using Ids = std::set<std::string>;
  const std::string input = kInput;
  CHECK(ids(input + repeated("layer { ", 10'000)) == Ids{"E0105"});
  CHECK(ids(input + "layer { " + repeated("unknown { ", 10'000) + repeated("} ", 10'001)) == Ids{"E0105"});
  CHECK(ids(input + "layer { unknown: " + repeated("[", 10'000) + repeated("]", 10'000) + "}") == Ids{"E0105"});
  CHECK(ids(input + "layer { unknown " + repeated("< a ", 10'000)) == Ids{"E0105"});
  CHECK(ids(input + "layer { [a/b] " + repeated("{ [a/b] ", 10'000)) == Ids{"E0105"});
  // Strings and comments do not nest.
  CHECK(ids(input + "# " + repeated("{", 10'000) + "\n" + kRelu) == Ids{});
  CHECK(ids(input + "layer { name: \"" + repeated("{", 10'000) + "\" relu {} }") == Ids{"E0203"});
  CHECK(ids(chained_blocks(32)) == Ids{});
  CHECK(ids(chained_blocks(10'000)) == Ids{"E0105"});
}

TEST_CASE("10,000 levels of binary") {
  std::string known, groups, unknown = "x";
  for (int i = 0; i < 10'000; ++i) unknown = field(500, unknown);
  for (int i = 0; i < 10'000; ++i) groups += "\xa3\x1f";                // start of group 500
  for (int i = 0; i < 10'000; ++i) known = field(6, field(10, known));  // layer { block { layer … is unknown there
  for (const std::string& bytes : {unknown, groups, groups + repeated("\xa4\x1f", 10'000), known}) {
    const std::string text = diagnose_model(std::string("\x08\0", 2) + bytes).text();
    const bool refused = text.find("[E0104]") != std::string::npos || text.find("[E0106]") != std::string::npos;
    CHECK_MESSAGE(refused, text);
  }
}

TEST_CASE("2^40 elements and other sizes that overflow") {
  const std::string sizes[] = {"1048576", "2147483647", "4294967296", "3037000500", "9223372036854775807"};
  for (const std::string& a : sizes) {
    for (const std::string& b : sizes) {
      CHECK(!is_model(fmt::format("input {{ height: {} width: {} channels: 1 }}\n{}", a, b, kRelu)));
      CHECK(
          !is_model(fmt::format("input {{ channels: {} }} layer {{ name: \"fc\" linear {{ features: {} }} }}", a, b)));
      CHECK(!is_model(
          fmt::format("{} layer {{ name: \"c\" conv2d {{ channels: {} kernel: 3 padding: {} }} }}", kInput, a, b)));
    }
  }
  // Extremes of every integer of a convolution and a pooling.
  const std::string extremes[] = {"-9223372036854775808", "-1", "0", "1", "65535", "65536", "9223372036854775807"};
  for (const std::string& value : extremes) {
    for (const char* name : {"kernel", "stride", "padding", "dilation", "groups", "channels"}) {
      is_model(fmt::format("{} layer {{ name: \"c\" conv2d {{ {}: {} {} {} }} }}", kInput, name, value,
                           name == std::string("channels") ? "" : "channels: 4",
                           name == std::string("kernel") ? "" : "kernel: 3"));
    }
    for (const char* same : {"", "same: true"}) {
      is_model(fmt::format("{} layer {{ name: \"p\" max_pool2d {{ kernel: 15 stride: 65535 dilation: {} {} }} }}",
                           kInput, value, same));
    }
    is_model(fmt::format("block {{ name: \"b\" {} }} {} layer {{ name: \"x\" block {{ name: \"b\" repeat: {} }} }}",
                         kRelu, kInput, value));
    diagnose_model(std::string(kInput) + kRelu, {.input_height = std::stoll(value), .classes = std::stoll(value)});
  }
}

TEST_CASE("binary noise") {
  Random random(1);
  for (int seed = 0; seed < 2000; ++seed) {
    std::string bytes(random() % 300, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    CHECK(!is_model(bytes));
  }
  for (int seed = 0; seed < 2000; ++seed) {  // of tags that the schema knows
    std::string bytes;
    while (bytes.size() < 60) {
      bytes += static_cast<char>(random() % 130);
      if (random() % 3 == 0) bytes = field(static_cast<int>(1 + random() % 22), bytes);
    }
    CHECK(!is_model(std::string("\x0a\x00", 2) + bytes));
  }
}

TEST_CASE("every prefix of models, text and binary") {
  const std::string text = read_file("model_defs/models/lenet.textproto").value();
  int models = 0;
  for (size_t length = 0; length <= text.size(); ++length) models += is_model(text.substr(0, length));
  CHECK(models >= 10);  // after each layer
  for (const char* path : {"model_defs/models/lenet.textproto", "model_defs/models/resnet18.textproto"}) {
    const std::string bytes = binary_of(path);
    for (size_t length = 0; length < bytes.size(); ++length) is_model(bytes.substr(0, length));
    CHECK(is_model(bytes));
  }
}

TEST_CASE("random mutations of ResNet-18, text and binary") {
  for (const std::string& bytes :
       {read_file("model_defs/models/resnet18.textproto").value(), binary_of("model_defs/models/resnet18.textproto")}) {
    Random random(2);
    int models = 0;
    for (int seed = 0; seed < 1500; ++seed) {
      const std::string mutant = mutated(bytes, random);
      CAPTURE(seed);
      models += is_model(mutant);
    }
    CHECK(models > 0);
    CHECK(models < 1500);
  }
}

TEST_CASE("random mutations of files of mistakes") {
  Random random(3);
  for (const std::string& path : error_files()) {
    const std::string bytes = read_file(path).value();
    CAPTURE(path);
    for (int seed = 0; seed < 20; ++seed) is_model(mutated(bytes, random));
  }
}

TEST_CASE("files without end, folders, files of other systems") {
  for (const Diagnostics& diagnostics : {import_model("/dev/zero").diagnostics, read_recipe("/dev/zero").diagnostics}) {
    CHECK(ids_of(diagnostics) == std::set<std::string>{"E0107"});
  }
  CHECK(import_model("tests/errors").diagnostics.text() == "tests/errors: is a directory, expected a file [E0108]\n");
  CHECK(import_model("").diagnostics.text() == ": cannot open: No such file or directory [E0108]\n");
  const std::string windows = std::string("\xef\xbb\xbfinput { channels: 4 }\r\n") + kRelu;
  CHECK_MESSAGE(diagnose_model(windows).empty(), diagnose_model(windows).text());
  std::string utf16 = "\xff\xfe";
  for (char c : std::string(kInput)) utf16 += {c, '\0'};
  CHECK(ids(utf16) == std::set<std::string>{"E0104"});
}

TEST_CASE("names cannot command a terminal, nor fill it") {
  const std::string name = "\\x1b]0;owned\\x07\\xc2\\x9b31m\\xff\\xe2\\x82\\xac";
  const std::string text = diagnose_model(kInput + ("layer { name: \"" + name + "\" relu {} }")).text();
  CHECK(text ==
        "model.textproto:2:9: layer \"\\x1b]0;owned\\x07\\xc2\\x9b31m\\xff\u20ac\": "
        "\"\\x1b]0;owned\\x07\\xc2\\x9b31m\\xff\u20ac\" is no name for a layer [E0203]\n"
        "  hint: names have letters, digits and _, with dots between: \"layer1.0.conv1\"\n");
  const std::string long_name(1 << 20, 'x');
  CHECK(diagnose_model(kInput + ("layer { name: \"" + long_name + "\" rely {} }")).text().size() < 3000);
  CHECK(diagnose_model(kInput + ("layer { " + long_name + " {} }")).text().size() < 3000);
  CHECK(diagnose_model(kInput + ("layer { name: " + long_name + " }")).text().size() < 3000);
}

TEST_CASE("as many of everything as there may be, and one more") {
  using Ids = std::set<std::string>;
  const auto count = [](int n, const auto& piece) {
    std::string text;
    for (int i = 0; i < n; ++i) text += piece(i);
    return text;
  };
  const auto layers = [&](int n) {
    return count(n, [](int i) { return fmt::format("layer {{ name: \"l{}\" relu {{}} }}\n", i); });
  };
  CHECK(ids(kInput + layers(10'000)) == Ids{});
  CHECK(ids(kInput + layers(10'001)) == Ids{"E0212"});
  const auto block = [&](const std::string& content) {
    return kInput + ("block { name: \"b\" " + content + layers(1) + "} layer { name: \"x\" block { name: \"b\" } }");
  };
  CHECK(ids(block(layers(10'001))) == Ids{"E0212"});
  const auto parameter = [](int i) { return fmt::format("parameter {{ name: \"p{}\" default: 1 }}\n", i); };
  CHECK(ids(block(count(64, parameter))) == Ids{});
  CHECK(ids(block(count(65, parameter))) == Ids{"E0212"});
  CHECK(ids(block(count(65, [](int i) { return fmt::format("input: \"i{}\"\n", i); }))) == Ids{"E0210"});
  CHECK(ids(block("") + count(10'000, [](int) { return "block {}\n"; })) == Ids{"E0212"});
  const auto input = [](int i) { return fmt::format("input {{ name: \"i{}\" channels: 1 }}\n", i); };
  CHECK(ids(count(65, input) + kRelu) == Ids{"E0210"});
  CHECK(ids(kInput + ("layer { name: \"a\" " + count(65, [](int) { return "input: \"input\" "; }) + "add {} }")) ==
        Ids{"E0210"});
}

// As large as files may be, of the kinds that make careless algorithms quadratic: those would take minutes here.
TEST_CASE("files of 1 MiB") {
  const auto filled = [](const std::string& begin, const auto& piece, const std::string& end) {
    std::string text = begin;
    for (int i = 0; text.size() < (size_t{1} << 20) - 500; ++i) text += piece(i);
    return text + end;
  };
  const std::string input = kInput, relu = kRelu;
  const std::string files[] = {
      filled(
          input, [](int i) { return fmt::format("layer{{name:\"l{}\"relu{{}}}}\n", i); }, ""),
      filled(
          input, [](int i) { return fmt::format("layer{{name:\"l{}\"input:\"m{}\"relu{{}}}}\n", i, i); }, ""),
      filled(
          input, [](int i) { return fmt::format("layer{{name:\"l{}\"input:\"l{}\"relu{{}}}}\n", i, i + 1); }, ""),
      filled(
          input, [](int) { return "layer{relu{}}\n"; }, ""),
      filled(
          input, [](int) { return "layer{x{}}\n"; }, ""),
      filled(
          "", [](int i) { return fmt::format("input{{name:\"i{}\"channels:1}}\n", i); }, relu),
      filled(
          input, [](int i) { return fmt::format("block{{name:\"b{}\"layer{{name:\"r\"relu{{}}}}}}\n", i); }, relu),
      filled(
          input + repeated("layer { name: \"x\" block { name: \"b\" } }\n", 5000),
          [](int i) { return fmt::format("block{{name:\"c{}\"}}\n", i); }, relu),
      filled(
          input + relu, [](int) { return "output:\"q\"\n"; }, ""),
      filled(
          input + relu, [](int) { return "output:\"relu\"\n"; }, ""),
      filled(
          input + "block { name: \"b\" ", [](int i) { return fmt::format("parameter{{name:\"p{}\"}}\n", i); },
          relu + "} layer { name: \"x\" block { name: \"b\" repeat: 9000 } }"),
      filled(
          input + "block { name: \"b\" parameter { name: \"p\" } " + relu +
              "} layer { name: \"x\" block { name: \"b\" ",
          [](int i) { return fmt::format("set{{name:\"p{}\"value:1}}\n", i % 3); }, "} }"),
      filled(
          input + "layer { name: \"c\" conv2d { channels: 4 kernel: [3", [](int) { return ",3"; }, "] } }"),
      filled(
          input + "layer { name: \"a\" ", [](int) { return "input:\"input\"\n"; }, "add {} }"),
      filled(
          input + "layer { name: \"", [](int) { return "x"; }, "\" relu {} }"),
      filled(
          input, [](int) { return "\n"; }, relu),
      filled(
          input, [](int) { return "{"; }, ""),
      filled(
          input, [](int) { return "}"; }, ""),
      filled(
          input, [](int) { return "\""; }, ""),
      filled(
          input, [](int) { return "x:"; }, ""),
      filled(
          input, [](int) { return "unknown: 1\n"; }, relu),
      filled(
          input, [](int i) { return fmt::format("layer{{name:\"l{}\" unknown: 1 relu{{}}}}\n", i); }, ""),
  };
  for (const std::string& text : files) {
    REQUIRE(text.size() <= size_t{1} << 20);
    is_model(text);
  }
}

}  // namespace convoke
