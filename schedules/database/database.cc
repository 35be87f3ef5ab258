#include "schedules/database/database.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <algorithm>
#include <sstream>
#include <string_view>

#include "runtime/base/file.h"
#include "schedules/database/database.pb.h"
#include "schedules/database/embedded.h"

namespace convoke {
namespace {

constexpr const char* kBatchNames[] = {"1", "2-3", "4-7", "8+"};

constexpr std::string_view kFileComment =
    "# Tuned schedules, sorted; written by `convoke tune` and `convoke schedules merge`.\n"
    "# proto-file: schedules/database/database.proto\n# proto-message: TunedDatabase\n";

// Keeps the first error of a text.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text.empty()) text = std::to_string(line + 1) + ":" + std::to_string(column + 1) + ": " + message;
  }
  std::string text;
};

Result<BatchClass> parse_batch(const std::string& text) {
  const auto* found = std::ranges::find(kBatchNames, text);
  if (found == std::end(kBatchNames)) return invalid_argument("batch \"" + text + "\", expected 1, 2-3, 4-7 or 8+");
  return static_cast<BatchClass>(found - std::begin(kBatchNames));
}

Result<TunedSchedule> from_proto(const schema::TunedSchedule& proto) {
  TunedSchedule schedule{.cpu = proto.cpu(), .template_name = proto.template_()};
  for (const std::string& line : proto.kernel()) schedule.kernel += line + "\n";
  ASSIGN_OR_RETURN(const Kernel kernel, parse_kernel(schedule.kernel));
  if (tuning_key(kernel) != schedule.kernel) return invalid_argument("the kernel is not in its canonical form");
  ASSIGN_OR_RETURN(schedule.batch, parse_batch(proto.batch()));
  ASSIGN_OR_RETURN(schedule.knobs, parse_knobs(proto.knobs()));
  if (proto.n() < 1 || proto.threads() < 1 || proto.ns() < 1 || !(proto.fma_gflops() > 0)) {
    return invalid_argument("n, threads, ns and fma_gflops must be > 0");
  }
  if (schedule.cpu.empty() || schedule.template_name.empty()) return invalid_argument("cpu or template is missing");
  schedule.n = proto.n();
  schedule.threads = proto.threads();
  schedule.ns = proto.ns();
  schedule.spread = proto.spread();
  schedule.default_ns = proto.default_ns();
  schedule.fma_gflops = proto.fma_gflops();
  schedule.max_error = proto.max_error();
  schedule.date = proto.date();
  schedule.inference_only = proto.inference_only();
  return schedule;
}

void to_proto(const TunedSchedule& schedule, schema::TunedSchedule& proto) {
  std::istringstream lines(schedule.kernel);
  for (std::string line; std::getline(lines, line);) proto.add_kernel(line);
  proto.set_batch(to_string(schedule.batch));
  proto.set_cpu(schedule.cpu);
  proto.set_template_(schedule.template_name);
  proto.set_knobs(to_string(schedule.knobs));
  proto.set_n(schedule.n);
  proto.set_threads(schedule.threads);
  proto.set_ns(schedule.ns);
  proto.set_spread(schedule.spread);
  proto.set_default_ns(schedule.default_ns);
  proto.set_fma_gflops(schedule.fma_gflops);
  proto.set_max_error(schedule.max_error);
  proto.set_date(schedule.date);
  if (schedule.inference_only) proto.set_inference_only(true);
}

bool precedes(const TunedSchedule& a, const TunedSchedule& b) { return a.identity() < b.identity(); }

// Copies `text`, with '_' for the numbers up to `end`, from which it returns.
size_t blank_numbers(const std::string& text, size_t at, size_t end, std::string& to) {
  for (; at < end; ++at) {
    const bool digit = text[at] >= '0' && text[at] <= '9';
    if (!digit) to += text[at];
    if (digit && to.back() != '_') to += '_';
  }
  return end;
}

}  // namespace

std::string tuning_key(const Kernel& kernel) {
  Kernel plain = kernel;
  plain.input_layouts.assign(plain.input_layouts.size(), Layout{});
  plain.output_layouts.assign(plain.output_layouts.size(), Layout{});
  return kernel_key(plain);
}

// Blanks the height and width of "[n,56,56,64]" and of "input_size=[56,56]".
std::string kernel_family(const std::string& key) {
  constexpr std::string_view kImage = "[n,", kInputSize = "input_size=[";
  std::string family;
  for (size_t at = 0; at < key.size();) {
    const size_t open = std::min(key.find('[', at), key.size());
    family.append(key, at, open - at);
    at = open;
    const std::string_view list = std::string_view(key).substr(open, key.find(']', open) - open);
    if (list.starts_with(kImage) && std::ranges::count(list, ',') == 3) {
      at = blank_numbers(key, at, at + list.rfind(','), family);
    } else if (std::string_view(key).substr(0, std::min(open + 1, key.size())).ends_with(kInputSize)) {
      at = blank_numbers(key, at, at + list.size(), family);
    } else if (at < key.size()) {
      family += key[at++];
    }
  }
  return family;
}

Result<Database> parse_database(const std::string& text, const std::string& name) {
  schema::TunedDatabase proto;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &proto)) return invalid_argument(name + ":" + error.text);
  Database database;
  for (int i = 0; i < proto.schedule_size(); ++i) {
    Result<TunedSchedule> schedule = from_proto(proto.schedule(i));
    const std::string where = name + ": schedule " + std::to_string(i + 1) + ": ";
    if (!schedule.ok()) return invalid_argument(where + schedule.status().message());
    database.schedules.push_back(std::move(schedule).value());
  }
  std::ranges::stable_sort(database.schedules, precedes);
  const auto twice = std::ranges::adjacent_find(
      database.schedules, [](const auto& a, const auto& b) { return a.identity() == b.identity(); });
  if (twice != database.schedules.end()) {
    return invalid_argument(name + ": two schedules for batch " + to_string(twice->batch) + " on " + twice->cpu +
                            " of\n" + twice->kernel);
  }
  return database;
}

std::string print(const Database& database) {
  schema::TunedDatabase proto;
  for (const TunedSchedule& schedule : database.schedules) to_proto(schedule, *proto.add_schedule());
  std::string text;
  google::protobuf::TextFormat::PrintToString(proto, &text);
  return std::string(kFileComment) + text;
}

Result<Database> read_database(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, read_file(path));
  return parse_database(text, path);
}

Result<Database> shipped_database(const std::string& target) {
  for (const EmbeddedDatabase& embedded : embedded_databases()) {
    if (target == embedded.target) return parse_database(embedded.text, target + ".textproto");
  }
  return Database{};
}

void put(Database& database, TunedSchedule schedule) {
  const auto at = std::ranges::lower_bound(database.schedules, schedule, precedes);
  if (at != database.schedules.end() && at->identity() == schedule.identity()) {
    *at = std::move(schedule);
  } else {
    database.schedules.insert(at, std::move(schedule));
  }
}

const TunedSchedule* find(const Database& database, const TunedSchedule& identity) {
  const auto at = std::ranges::lower_bound(database.schedules, identity, precedes);
  return at != database.schedules.end() && at->identity() == identity.identity() ? &*at : nullptr;
}

void erase(Database& database, const TunedSchedule& identity) {
  std::erase_if(database.schedules,
                [&](const TunedSchedule& schedule) { return schedule.identity() == identity.identity(); });
}

double calibrated_ns(const TunedSchedule& schedule) {
  return static_cast<double>(schedule.ns) * schedule.fma_gflops * schedule.threads / static_cast<double>(schedule.n);
}

void merge(Database& into, const Database& from) {
  for (const TunedSchedule& schedule : from.schedules) {
    const TunedSchedule* known = find(into, schedule);
    if (known == nullptr || calibrated_ns(schedule) < calibrated_ns(*known)) put(into, schedule);
  }
}

std::vector<Difference> differences(const Database& before, const Database& after) {
  std::vector<Difference> found;
  for (const TunedSchedule& schedule : before.schedules) {
    const TunedSchedule* other = find(after, schedule);
    if (other == nullptr || *other != schedule) found.push_back({&schedule, other});
  }
  for (const TunedSchedule& schedule : after.schedules) {
    if (find(before, schedule) == nullptr) found.push_back({nullptr, &schedule});
  }
  return found;
}

std::string describe(const TunedSchedule& schedule) {
  const Kernel kernel = parse_kernel(schedule.kernel).value();
  std::string ops, types;
  for (const Node& node : kernel.body.nodes) {
    if (node.op != "input") ops += (ops.empty() ? "" : "+") + node.op;
  }
  for (ValueId input : kernel.inputs) {
    const Type& type = kernel.body.type(input);
    if (type.rank() > 1) types += " " + to_string(type);
  }
  return ops + types + " -> " + to_string(kernel.body.type(kernel.body.outputs[0]));
}

std::string to_string(BatchClass batch) { return kBatchNames[static_cast<size_t>(batch)]; }

}  // namespace convoke
