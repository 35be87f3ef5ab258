#include "runtime/train/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "runtime/data/loader.h"

namespace convoke {
namespace {

std::string size_text(int64_t channels, int64_t height, int64_t width) {
  return std::to_string(channels) + "x" + std::to_string(height) + "x" + std::to_string(width);
}

int64_t first_maximum(const float* values, int64_t count) { return std::max_element(values, values + count) - values; }

// -log softmax(logits)[label], in double.
double cross_entropy(const float* logits, int64_t count, int64_t label) {
  const double most = static_cast<double>(*std::max_element(logits, logits + count));
  double sum = 0;
  for (int64_t c = 0; c < count; ++c) sum += std::exp(static_cast<double>(logits[c]) - most);
  return std::log(sum) + most - static_cast<double>(logits[label]);
}

Status check_image_input(const convoke_model& model) {
  const bool fits = model.input_count == 1 && model.inputs[0].rank == 4 && model.inputs[0].dtype == CONVOKE_F32;
  if (!fits) {
    return failed_precondition(std::string(model.name) + ": reads " + std::to_string(model.input_count) +
                               " inputs, expected one image");
  }
  return ok_status();
}

Prediction rank_classes(const float* logits, int64_t count, const std::vector<std::string>& names) {
  const double most = static_cast<double>(*std::max_element(logits, logits + count));
  double sum = 0;
  for (int64_t c = 0; c < count; ++c) sum += std::exp(static_cast<double>(logits[c]) - most);
  Prediction prediction;
  for (int64_t c = 0; c < count; ++c) {
    const double probability = std::exp(static_cast<double>(logits[c]) - most) / sum;
    prediction.classes.push_back(
        {static_cast<int32_t>(c), names[static_cast<size_t>(c)], static_cast<float>(probability)});
  }
  std::stable_sort(prediction.classes.begin(), prediction.classes.end(),
                   [](const RankedClass& a, const RankedClass& b) { return a.probability > b.probability; });
  return prediction;
}

}  // namespace

Result<PixelTransform> library_transform(const Library& library) {
  const convoke_model& model = library.model();
  RETURN_IF_ERROR(check_image_input(model));
  if (!model.has_image) {
    return failed_precondition(std::string(model.name) +
                               ": the library was compiled without an image transform (compile it from a recipe)");
  }
  PixelTransform transform;
  transform.scale = model.image_scale;
  std::copy_n(model.image_mean, 4, transform.mean.begin());
  std::copy_n(model.image_std, 4, transform.std.begin());
  return transform;
}

std::vector<std::string> library_class_names(const Library& library) {
  const convoke_model& model = library.model();
  std::vector<std::string> names;
  for (int64_t c = 0; c < model.outputs[0].elems; ++c) {
    names.push_back(c < model.class_count && model.class_names ? model.class_names[c] : std::to_string(c));
  }
  return names;
}

Status check_dataset(const Library& library, const Dataset& dataset) {
  const convoke_model& model = library.model();
  RETURN_IF_ERROR(check_image_input(model));
  const int64_t* dims = model.inputs[0].dims;
  if (dims[1] != dataset.height || dims[2] != dataset.width || dims[3] != dataset.channels) {
    return invalid_argument("the data set's images are " + size_text(dataset.channels, dataset.height, dataset.width) +
                            ", " + model.name + " reads " + size_text(dims[3], dims[1], dims[2]));
  }
  if (dataset.channels > 4) {
    return invalid_argument("images of " + std::to_string(dataset.channels) + " channels, expected 1 to 4");
  }
  const int64_t classes = model.outputs[0].elems;
  for (int64_t i = 0; i < dataset.count; ++i) {
    const int32_t label = dataset.labels[static_cast<size_t>(i)];
    if (label < 0 || label >= classes) {
      return invalid_argument("label " + std::to_string(i) + " of the data set is " + std::to_string(label) + ", " +
                              model.name + " knows 0 to " + std::to_string(classes - 1));
    }
  }
  return ok_status();
}

Result<std::optional<Evaluation>> evaluate(const Library& library, convoke_context* context, const Dataset& dataset,
                                           const EvaluationProgress& progress) {
  RETURN_IF_ERROR(check_dataset(library, dataset));
  ASSIGN_OR_RETURN(const PixelTransform transform, library_transform(library));
  const convoke_model& model = library.model();
  const int64_t classes = model.outputs[0].elems;
  Evaluation evaluation{.samples = dataset.count, .class_names = library_class_names(library)};
  evaluation.confusion.resize(static_cast<size_t>(classes * classes));
  std::vector<float> logits(static_cast<size_t>(model.capacity * classes));
  std::vector<void*> outputs(static_cast<size_t>(model.output_count), nullptr);
  outputs[0] = logits.data();
  const auto begin = std::chrono::steady_clock::now();
  Loader loader(dataset, {.batch_size = model.capacity, .epochs = 1, .transform = transform}, {});
  int64_t correct = 0;
  double loss = 0;
  for (int64_t done = 0; done < dataset.count;) {
    const Batch& batch = loader.next();
    const void* images = batch.images.data();
    convoke_error error{};
    if (library.table().infer(context, batch.n, &images, outputs.data(), &error) != CONVOKE_OK) {
      return library_status(error);
    }
    for (int64_t i = 0; i < batch.n; ++i) {
      const float* row = logits.data() + i * classes;
      const int32_t label = batch.labels[static_cast<size_t>(i)];
      const int64_t answer = first_maximum(row, classes);
      correct += answer == label;
      loss += cross_entropy(row, classes, label);
      ++evaluation.confusion[static_cast<size_t>(label * classes + answer)];
    }
    done += batch.n;
    if (progress && !progress(done)) return std::optional<Evaluation>();
  }
  const double samples = static_cast<double>(dataset.count);
  evaluation.accuracy = static_cast<double>(correct) / samples;
  evaluation.loss = loss / samples;
  evaluation.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  evaluation.images_per_second = samples / std::max(evaluation.seconds, 1e-9);
  return std::optional<Evaluation>(std::move(evaluation));
}

Result<Evaluation> evaluate(const Library& library, convoke_weights* weights, const Dataset& dataset, int32_t threads) {
  ASSIGN_OR_RETURN(const Context context, create_context(library, weights, {.threads = resolve_threads(threads)}));
  ASSIGN_OR_RETURN(std::optional<Evaluation> evaluation, evaluate(library, context.get(), dataset, {}));
  ENSURE(evaluation) << "nothing ends it";
  return *std::move(evaluation);
}

Result<std::vector<Prediction>> predict(const Library& library, convoke_weights* weights,
                                        const std::vector<uint8_t>& pixels, int32_t threads) {
  const convoke_model& model = library.model();
  RETURN_IF_ERROR(check_image_input(model));
  const int64_t elems = model.inputs[0].elems, classes = model.outputs[0].elems;
  const int64_t count = static_cast<int64_t>(pixels.size()) / elems;
  ENSURE(count * elems == static_cast<int64_t>(pixels.size())) << pixels.size() << " bytes for images of " << elems;
  ASSIGN_OR_RETURN(const Context context, create_context(library, weights, {.threads = resolve_threads(threads)}));
  std::vector<float> logits(static_cast<size_t>(model.capacity * classes));
  std::vector<void*> outputs(static_cast<size_t>(model.output_count), nullptr);
  outputs[0] = logits.data();
  const std::vector<std::string> names = library_class_names(library);
  std::vector<Prediction> predictions;
  for (int64_t done = 0; done < count;) {
    const int32_t n = static_cast<int32_t>(std::min<int64_t>(model.capacity, count - done));
    convoke_error error{};
    const uint8_t* images = pixels.data() + done * elems;
    if (library.table().infer_image(context.get(), n, images, outputs.data(), &error) != CONVOKE_OK) {
      return library_status(error);
    }
    for (int64_t i = 0; i < n; ++i) predictions.push_back(rank_classes(logits.data() + i * classes, classes, names));
    done += n;
  }
  return predictions;
}

}  // namespace convoke
