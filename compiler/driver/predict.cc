// convoke predict: the most probable classes of image files or of images of the test set, drawn in the terminal.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "compiler/driver/output.h"
#include "compiler/driver/trained_model.h"
#include "compiler/driver/verb.h"
#include "runtime/io/terminal.h"
#include "runtime/train/evaluate.h"

namespace convoke {
namespace {

struct Arguments {
  TrainedArguments trained;
  std::vector<std::string> files;
  int64_t test_images = 0, first = 0;
  int64_t top = 3;
  bool json = false;
};

struct Picture {
  std::string source;  // a path, or "test image 7"
  Image image;         // as the model reads it
  std::string truth;   // empty when unknown
};

Result<std::vector<Picture>> read_files(const std::vector<std::string>& files, const convoke_tensor& input) {
  std::vector<Picture> pictures;
  for (const std::string& path : files) {
    ASSIGN_OR_RETURN(const Image image, read_image(path));
    pictures.push_back({path,
                        resize(convert_channels(image, static_cast<int>(input.dims[3])),
                               static_cast<int>(input.dims[2]), static_cast<int>(input.dims[1])),
                        ""});
  }
  return pictures;
}

Result<std::vector<Picture>> take_test_images(const Arguments& arguments, const TrainedModel& model) {
  ASSIGN_OR_RETURN(const Dataset dataset, read_test_set(model));
  RETURN_IF_ERROR(check_dataset(model.library, dataset));
  if (arguments.first >= dataset.count) {
    return invalid_argument(fmt::format("--first {}: the test set has {} images", arguments.first, dataset.count));
  }
  std::vector<Picture> pictures;
  for (int64_t i = arguments.first; i < std::min(arguments.first + arguments.test_images, dataset.count); ++i) {
    Image image{static_cast<int>(dataset.width),
                static_cast<int>(dataset.height),
                static_cast<int>(dataset.channels),
                {dataset.image(i), dataset.image(i) + dataset.image_elems()}};
    const int32_t label = dataset.labels[i];
    pictures.push_back({fmt::format("test image {}", i), std::move(image), dataset.class_names[label]});
  }
  return pictures;
}

Json predictions_json(const std::vector<Picture>& pictures, const std::vector<Prediction>& predictions, size_t top) {
  Json list = Json::array();
  for (size_t i = 0; i < pictures.size(); ++i) {
    Json classes = Json::array();
    for (size_t c = 0; c < std::min(top, predictions[i].classes.size()); ++c) {
      const RankedClass& ranked = predictions[i].classes[c];
      classes.push_back({{"index", ranked.index}, {"name", ranked.name}, {"probability", ranked.probability}});
    }
    Json entry = {{"source", pictures[i].source}, {"classes", std::move(classes)}};
    if (!pictures[i].truth.empty()) entry["truth"] = pictures[i].truth;
    list.push_back(std::move(entry));
  }
  return {{"predictions", std::move(list)}};
}

void print_predictions(const std::vector<Picture>& pictures, const std::vector<Prediction>& predictions, size_t top) {
  constexpr int kColumns = 28;
  constexpr size_t kPicturesInRow = 3;
  const TerminalColors colors = std::getenv("NO_COLOR") == nullptr ? terminal_colors(stdout) : TerminalColors::kNone;
  for (size_t begin = 0; begin < pictures.size(); begin += kPicturesInRow) {
    std::vector<Image> images;
    std::vector<std::vector<std::string>> captions;
    for (size_t i = begin; i < std::min(begin + kPicturesInRow, pictures.size()); ++i) {
      images.push_back(pictures[i].image);
      std::vector<std::string>& caption = captions.emplace_back();
      caption.push_back(pictures[i].source);
      if (!pictures[i].truth.empty()) caption.push_back("is " + pictures[i].truth);
      for (size_t c = 0; c < std::min(top, predictions[i].classes.size()); ++c) {
        const RankedClass& ranked = predictions[i].classes[c];
        caption.push_back(fmt::format("{:5.1f} % {}", 100 * ranked.probability, ranked.name));
      }
    }
    fmt::print("{}\n", pictures_text(images, captions, kColumns, colors));
  }
}

Result<ExitCode> run(const Arguments& arguments) {
  if (arguments.files.empty() == (arguments.test_images == 0)) {
    return invalid_argument("say what to classify: image files, or --test N for images of the test set");
  }
  ASSIGN_OR_RETURN(const TrainedModel model, open_trained(arguments.trained));
  RETURN_IF_ERROR(library_transform(model.library).status());
  auto pictures = arguments.files.empty() ? take_test_images(arguments, model)
                                          : read_files(arguments.files, model.library.model().inputs[0]);
  RETURN_IF_ERROR(pictures.status());
  std::vector<uint8_t> pixels;
  for (const Picture& picture : *pictures) {
    pixels.insert(pixels.end(), picture.image.pixels.begin(), picture.image.pixels.end());
  }
  ASSIGN_OR_RETURN(const std::vector<Prediction> predictions,
                   predict(model.library, model.weights.get(), pixels, arguments.trained.threads));
  const auto top = static_cast<size_t>(arguments.top);
  if (arguments.json) {
    print_json(predictions_json(*pictures, predictions, top));
  } else {
    print_predictions(*pictures, predictions, top);
  }
  return 0;
}

}  // namespace

VerbRun predict_verb(CLI::App& app) {
  const auto arguments = std::make_shared<Arguments>();
  add_trained_arguments(app, arguments->trained);
  app.add_option("images", arguments->files, "JPEG or PNG files; scaled to the model's size");
  app.add_option("--test", arguments->test_images, "Instead of files: so many images of the recipe's test set")
      ->check(CLI::Range(1, 10000))
      ->type_name("N");
  app.add_option("--first", arguments->first, "Index of the first of them")
      ->check(CLI::NonNegativeNumber)
      ->type_name("I");
  app.add_option("--top", arguments->top, "Classes to show of each")->check(CLI::Range(1, 1000))->type_name("K");
  app.add_flag("--json", arguments->json, "Report as JSON");
  return [arguments] { return run(*arguments); };
}

}  // namespace convoke
