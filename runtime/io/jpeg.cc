// JPEG through libjpeg, whose errors leave by longjmp: nothing with a destructor lives in the frame that it jumps over.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
// jpeglib.h uses FILE and size_t without including their headers.
#include <jpeglib.h>

#include "runtime/io/decoders.h"

namespace convoke {
namespace {

struct Decoder {
  jpeg_decompress_struct jpeg;
  jpeg_error_mgr errors;
  std::jmp_buf failed;
  char message[JMSG_LENGTH_MAX];
};

// libjpeg fills missing data with grey and only warns; for a truncated file that is not an answer.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0) jpeg->err->error_exit(jpeg);
}

void on_error(j_common_ptr jpeg) {
  Decoder* decoder = static_cast<Decoder*>(jpeg->client_data);
  jpeg->err->format_message(jpeg, decoder->message);
  std::longjmp(decoder->failed, 1);
}

void ignore_message(j_common_ptr) {}

// Fills `image`; false with decoder->message otherwise.
bool decode(Decoder* decoder, std::string_view bytes, Image* image) {
  jpeg_decompress_struct* jpeg = &decoder->jpeg;
  if (setjmp(decoder->failed)) return false;
  jpeg_create_decompress(jpeg);
  jpeg->client_data = decoder;
  jpeg_mem_src(jpeg, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(jpeg, TRUE);
  if (int64_t{jpeg->image_width} * jpeg->image_height > kMostPixels) {
    std::snprintf(decoder->message, sizeof decoder->message, "%u x %u pixels, more than 100 million", jpeg->image_width,
                  jpeg->image_height);
    return false;
  }
  jpeg->out_color_space = jpeg->num_components == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(jpeg);
  image->width = static_cast<int>(jpeg->output_width);
  image->height = static_cast<int>(jpeg->output_height);
  image->channels = jpeg->output_components;
  const size_t row_bytes = size_t{jpeg->output_width} * static_cast<size_t>(jpeg->output_components);
  image->pixels.resize(row_bytes * jpeg->output_height);
  while (jpeg->output_scanline < jpeg->output_height) {
    JSAMPROW row = image->pixels.data() + row_bytes * jpeg->output_scanline;
    jpeg_read_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_decompress(jpeg);
  return true;
}

}  // namespace

Result<Image> decode_jpeg(std::string_view bytes, const std::string& path) {
  Decoder decoder{};
  decoder.jpeg.err = jpeg_std_error(&decoder.errors);
  decoder.jpeg.client_data = &decoder;
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_message;
  decoder.errors.output_message = ignore_message;
  Image image;
  const bool decoded = decode(&decoder, bytes, &image);
  jpeg_destroy_decompress(&decoder.jpeg);
  if (!decoded) return data_loss(path + ": cannot decode the JPEG: " + decoder.message);
  return image;
}

}  // namespace convoke
