#include "schedules/tuner/session.h"

#include <cstring>

namespace convoke {
namespace {

template <typename T>
void append_elements(const std::vector<uint8_t>& bytes, std::vector<float>& to) {
  for (size_t at = 0; at < bytes.size(); at += sizeof(T)) {
    T element;
    std::memcpy(&element, bytes.data() + at, sizeof element);
    to.push_back(static_cast<float>(element));
  }
}

template <typename T>
std::vector<uint8_t> elements(const std::vector<float>& values) {
  std::vector<uint8_t> bytes(values.size() * sizeof(T));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto element = static_cast<T>(values[i]);
    std::memcpy(bytes.data() + i * sizeof element, &element, sizeof element);
  }
  return bytes;
}

std::vector<uint8_t> encode(DType dtype, const std::vector<float>& values) {
  if (dtype == DType::kU8) return elements<uint8_t>(values);
  return dtype == DType::kI32 ? elements<int32_t>(values) : elements<float>(values);
}

}  // namespace

Result<std::unique_ptr<Session>> Session::open(const Subject& subject) {
  ASSIGN_OR_RETURN(Library library, Library::open(subject.library));
  ASSIGN_OR_RETURN(Weights weights, create_weights(library));
  std::unique_ptr<Session> session(new Session(subject, std::move(library), std::move(weights)));
  RETURN_IF_ERROR(session->set_operands());
  ASSIGN_OR_RETURN(session->context_,
                   create_context(session->library_, session->weights_.get(), {.threads = subject.threads}));
  return session;
}

Result<double> Session::call(void* const* outputs) {
  convoke_error error{};
  table().profile(context_.get(), 1);
  const int32_t code =
      table().infer(context_.get(), static_cast<int32_t>(subject_.n), pointers_.data(), outputs, &error);
  if (code != CONVOKE_OK) return library_status(error);
  const auto rows = static_cast<size_t>(library_.model().row_count);
  std::vector<uint64_t> ns(rows), calls(rows);
  table().profile_read(context_.get(), ns.data(), calls.data());
  double sum = 0;
  for (size_t r = 0; r < rows; ++r) {
    if (library_.model().rows[r].program == CONVOKE_INFER) sum += static_cast<double>(ns[r]);
  }
  return sum / subject_.copies;
}

Result<std::vector<float>> Session::outputs() {
  const Graph& body = subject_.kernel->body;
  std::vector<std::vector<uint8_t>> bytes;
  std::vector<void*> pointers;
  for (ValueId output : body.outputs) {
    const Type& type = body.type(output);
    bytes.emplace_back(type.elems() * (type.has_batch() ? subject_.n : 1) * size_bytes(type.dtype));
  }
  for (std::vector<uint8_t>& output : bytes) pointers.push_back(output.data());
  RETURN_IF_ERROR(call(pointers.data()).status());
  std::vector<float> values;
  for (size_t o = 0; o < bytes.size(); ++o) {
    const DType dtype = body.type(body.outputs[o]).dtype;
    if (dtype == DType::kF32) append_elements<float>(bytes[o], values);
    if (dtype == DType::kI32) append_elements<int32_t>(bytes[o], values);
    if (dtype == DType::kU8) append_elements<uint8_t>(bytes[o], values);
  }
  return values;
}

Status Session::set_operands() {
  const Kernel& kernel = *subject_.kernel;
  std::vector<std::vector<float>> weights;
  for (size_t i = 0; i < kernel.inputs.size(); ++i) {
    const Type& type = kernel.body.type(kernel.inputs[i]);
    std::vector<float> values = input_values(kernel, static_cast<int>(i), subject_.n);
    if (type.has_batch()) {
      inputs_.push_back(encode(type.dtype, values));
    } else {
      weights.push_back(std::move(values));
    }
  }
  for (const std::vector<uint8_t>& input : inputs_) pointers_.push_back(input.data());
  pointers_.push_back(nullptr);  // a kernel without inputs still hands over an array
  for (int32_t p = 0; p < library_.model().parameter_count; ++p) {
    const std::vector<float>& values = weights[static_cast<size_t>(p) % weights.size()];
    convoke_error error{};
    const int32_t code =
        table().weights_set(weights_.get(), p, values.data(), static_cast<int64_t>(values.size()), &error);
    if (code != CONVOKE_OK) return library_status(error);
  }
  return ok_status();
}

}  // namespace convoke
