// Every kind of mistake in the user's files, sorted by id: E01xx the file, E02xx layers, E03xx blocks and parameters,
// E04xx values, E05xx shapes and sizes, E06xx recipes. Ids are for ever: none is used again for something else.
//
// Examples are whole recipes (E06xx), or models that may leave out their input, a 28x28 image of one channel, which
// tests/errors reads; what no short text can show is described in parentheses, or is a command.
#include "compiler/frontend/diagnostics.h"

namespace convoke {
namespace {

constexpr CatalogueEntry kCatalogue[] = {
    {"E0101", "the text is no protobuf text",
     "The file does not follow protobuf's text format, or a value is not of its field's type. The parser stops there, "
     "so\n"
     "that mistakes behind it show up only afterwards. Usual causes: a missing brace or quote, a field without a "
     "colon.",
     "layer { name: \"conv1\" conv2d { channels: six kernel: 5 } }",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 5 } }"},
    {"E0102", "unknown field",
     "The message has no field of that name. The fields of all messages are in model_defs/schema/*.proto; they have\n"
     "PyTorch's names, except channels, kernel and features for what is put out.",
     "layer { name: \"conv1\" conv2d { chanels: 6 kernel: 5 } }",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 5 } }"},
    {"E0103", "unknown op",
     "A layer does one op, and there is none of that name. The ops are the fields of Layer in\n"
     "model_defs/schema/model.proto.",
     "layer { name: \"act\" rely {} }", "layer { name: \"act\" relu {} }"},
    {"E0104", "neither text nor binary protobuf",
     "The file has bytes that no text has, so it was read as a binary protobuf, and is none of this kind: truncated,\n"
     "corrupt, or something else altogether (weights, an image, a model of another framework).",
     "convoke compile weights.safetensors", "convoke compile model.textproto"},
    {"E0105", "nested too deep",
     "Files may nest 32 levels of messages, and blocks 32 levels of blocks. Models stay far below.",
     "(a block of a block of a block …, 33 deep)", "(a block of a block)"},
    {"E0106", "unknown field in a binary file",
     "A binary protobuf has a field that the schema does not know, or an enumeration's value that it does not know.\n"
     "It was written by a later version of Convoke, or by another program.",
     "(field 40 of a layer)", "(the file written with the schema of this version)"},
    {"E0107", "file too large", "Model and recipe files are at most 1 MiB. Weights do not belong into them.",
     "(a file with numbers of weights)", "(layers; weights are a .safetensors file)"},
    {"E0108", "file cannot be read", "The system refused to read the file; the message has its reason.",
     "convoke compile lenet", "convoke compile model_defs/models/lenet.textproto"},

    {"E0201", "no layers", "A model and each of its blocks have at least one layer.",
     "input { height: 28 width: 28 channels: 1 }",
     "input { height: 28 width: 28 channels: 1 }\n"
     "layer { name: \"relu\" relu {} }"},
    {"E0202", "layer without a name",
     "Every layer has a name: its weights are stored under it, profiles and messages call it so.", "layer { relu {} }",
     "layer { name: \"relu1\" relu {} }"},
    {"E0203", "bad name",
     "Names of layers are paths as in PyTorch's state dict: letters, digits and _, with dots between. Names of "
     "models,\n"
     "blocks and parameters are identifiers of C, since files and functions are called so.",
     "layer { name: \"conv 1\" relu {} }", "layer { name: \"conv1\" relu {} }"},
    {"E0204", "name used twice", "Layers, inputs and tensors (conv1.weight) share one set of names.",
     "layer { name: \"relu\" relu {} }\n"
     "layer { name: \"relu\" relu {} }",
     "layer { name: \"relu1\" relu {} }\n"
     "layer { name: \"relu2\" relu {} }"},
    {"E0205", "layer without an op", "A layer says what it does.", "layer { name: \"relu1\" }",
     "layer { name: \"relu1\" relu {} }"},
    {"E0206", "unknown input",
     "A layer reads the model's inputs and layers before it by name. Within a block these are the block's inputs and "
     "its\n"
     "own layers; the outside is reached through the block's inputs alone.",
     "layer { name: \"a\" relu {} }\n"
     "layer { name: \"sum\" input: \"aa\" input: \"input\" add {} }",
     "layer { name: \"a\" relu {} }\n"
     "layer { name: \"sum\" input: \"a\" input: \"input\" add {} }"},
    {"E0207", "a layer reads one that comes later", "Layers stand in the order in which they run.",
     "layer { name: \"b\" input: \"a\" relu {} }\n"
     "layer { name: \"a\" input: \"input\" tanh {} }\n"
     "output: \"b\"",
     "layer { name: \"a\" input: \"input\" tanh {} }\n"
     "layer { name: \"b\" input: \"a\" relu {} }\n"
     "output: \"b\""},
    {"E0208", "a cycle", "Layers read each other in a circle. Recurrent networks are not supported.",
     "layer { name: \"a\" input: \"b\" relu {} }\n"
     "layer { name: \"b\" input: \"a\" relu {} }",
     "layer { name: \"a\" input: \"input\" relu {} }\n"
     "layer { name: \"b\" input: \"a\" relu {} }"},
    {"E0209", "nobody reads it",
     "The layer (or input) has no effect on an output: mostly the next layer reads something else than was meant.",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 5 } }\n"
     "layer { name: \"relu1\" input: \"input\" relu {} }",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 5 } }\n"
     "layer { name: \"relu1\" relu {} }"},
    {"E0210", "wrong number of inputs",
     "add reads two inputs, blocks as many as they declare, at most 64, all other ops one. A layer that states none\n"
     "reads the layer before it, which is one.",
     "layer { name: \"a\" relu {} }\n"
     "layer { name: \"sum\" input: \"a\" add {} }",
     "layer { name: \"a\" relu {} }\n"
     "layer { name: \"sum\" input: \"a\" input: \"input\" add {} }"},
    {"E0211", "bad output", "Outputs are names of layers, each once. Without any the last layer is the output.",
     "layer { name: \"act\" relu {} }\n"
     "output: \"act2\"",
     "layer { name: \"act\" relu {} }\n"
     "output: \"act\""},
    {"E0212", "too many layers, blocks or parameters",
     "A model has at most 10,000 layers once its blocks are opened, and as many blocks; a block has at most 64\n"
     "parameters.",
     "block { name: \"b\" layer { name: \"relu\" relu {} } }\n"
     "layer { name: \"x\" block { name: \"b\" repeat: 10000 } }",
     "block { name: \"b\" layer { name: \"relu\" relu {} } }\n"
     "layer { name: \"x\" block { name: \"b\" repeat: 100 } }"},
    {"E0213", "no input, or half of one",
     "An input is an image with height, width and channels, or a vector with channels alone. The batch is no part of\n"
     "the model.",
     "input { height: 28 channels: 1 }\n"
     "layer { name: \"relu\" relu {} }",
     "input { height: 28 width: 28 channels: 1 }\n"
     "layer { name: \"relu\" relu {} }"},
    {"E0214", "the number of classes cannot be set",
     "--classes sets the parameter \"classes\", and no layer of this model takes its size from it.",
     "(linear { features: 10 }, and --classes 100)", "(linear { features_from: \"classes\" }, and --classes 100)"},

    {"E0301", "unknown block", "The layer uses a block that the model does not define.",
     "block { name: \"basic\" layer { name: \"relu\" relu {} } }\n"
     "layer { name: \"layer1\" block { name: \"basik\" } }",
     "block { name: \"basic\" layer { name: \"relu\" relu {} } }\n"
     "layer { name: \"layer1\" block { name: \"basic\" } }"},
    {"E0302", "a block contains itself", "Opening the block would never end.",
     "block { name: \"b\" layer { name: \"x\" block { name: \"b\" } } }\n"
     "layer { name: \"layer1\" block { name: \"b\" } }",
     "block { name: \"b\" layer { name: \"x\" relu {} } }\n"
     "layer { name: \"layer1\" block { name: \"b\" } }"},
    {"E0303", "unknown parameter",
     "F_from and `when` name a parameter: \"classes\", if the model states it, and within a block the block's own.",
     "classes: 10\n"
     "layer { name: \"conv1\" conv2d { channels_from: \"clases\" kernel: 3 } }",
     "classes: 10\n"
     "layer { name: \"conv1\" conv2d { channels_from: \"classes\" kernel: 3 } }"},
    {"E0304", "parameter without a value", "The block's parameter has no default, so each use must set it.",
     "block {\n"
     "  name: \"basic\" parameter { name: \"channels\" }\n"
     "  layer { name: \"conv\" conv2d { channels_from: \"channels\" kernel: 3 } }\n"
     "}\n"
     "layer { name: \"layer1\" block { name: \"basic\" } }",
     "block {\n"
     "  name: \"basic\" parameter { name: \"channels\" }\n"
     "  layer { name: \"conv\" conv2d { channels_from: \"channels\" kernel: 3 } }\n"
     "}\n"
     "layer { name: \"layer1\" block { name: \"basic\" set { name: \"channels\" value: 64 } } }"},
    {"E0305", "a parameter that the block does not have, or set twice",
     "`set` and `first` set the block's parameters, each once.",
     "block {\n"
     "  name: \"basic\" parameter { name: \"channels\" }\n"
     "  layer { name: \"conv\" conv2d { channels_from: \"channels\" kernel: 3 } }\n"
     "}\n"
     "layer { name: \"layer1\" block { name: \"basic\" set { name: \"width\" value: 64 } } }",
     "block {\n"
     "  name: \"basic\" parameter { name: \"channels\" }\n"
     "  layer { name: \"conv\" conv2d { channels_from: \"channels\" kernel: 3 } }\n"
     "}\n"
     "layer { name: \"layer1\" block { name: \"basic\" set { name: \"channels\" value: 64 } } }"},
    {"E0306", "nobody uses the block", "The block is defined, but no layer opens it.",
     "block { name: \"basic\" layer { name: \"relu\" relu {} } }\n"
     "layer { name: \"layer1\" tanh {} }",
     "block { name: \"basic\" layer { name: \"relu\" relu {} } }\n"
     "layer { name: \"layer1\" block { name: \"basic\" } }"},
    {"E0307", "a parameter is set to nothing or to two things",
     "An argument has a value, or a value_from (another parameter).",
     "block {\n"
     "  name: \"basic\" parameter { name: \"channels\" }\n"
     "  layer { name: \"conv\" conv2d { channels_from: \"channels\" kernel: 3 } }\n"
     "}\n"
     "layer { name: \"layer1\" block { name: \"basic\" set { name: \"channels\" } } }",
     "block {\n"
     "  name: \"basic\" parameter { name: \"channels\" }\n"
     "  layer { name: \"conv\" conv2d { channels_from: \"channels\" kernel: 3 } }\n"
     "}\n"
     "layer { name: \"layer1\" block { name: \"basic\" set { name: \"channels\" value: 64 } } }"},

    {"E0401", "value out of range", "Sizes are positive, strides and dilations too; the message has the range.",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 3 stride: 0 } }",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 3 stride: 1 } }"},
    {"E0402", "wrong number of values",
     "kernel, stride and dilation have one value for both directions or [y, x]; padding one for all sides, [y, x] or\n"
     "[top, bottom, left, right].",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: [3, 3, 3] } }",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: [3, 3] } }"},
    {"E0403", "value missing", "The op cannot do without this value.",
     "layer { name: \"conv1\" conv2d { channels: 6 } }", "layer { name: \"conv1\" conv2d { channels: 6 kernel: 3 } }"},
    {"E0404", "two values for one thing", "F and F_from exclude each other, as do padding and same.",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 3 padding: 1 same: true } }",
     "layer { name: \"conv1\" conv2d { channels: 6 kernel: 3 same: true } }"},

    {"E0501", "the kernel does not fit",
     "The image, with its padding, is smaller than the kernel: nothing would be left. Earlier strides and poolings "
     "have\n"
     "shrunk it too far, or the model's input is too small for it.",
     "layer { name: \"pool1\" avg_pool2d { kernel: 10 } }\n"
     "layer { name: \"conv2\" conv2d { channels: 6 kernel: 5 } }",
     "layer { name: \"pool1\" avg_pool2d { kernel: 10 } }\n"
     "layer { name: \"conv2\" conv2d { channels: 6 kernel: 5 padding: 2 } }"},
    {"E0502", "groups do not divide", "A grouped convolution splits input and output channels into equal groups.",
     "input { height: 28 width: 28 channels: 6 }\n"
     "layer { name: \"conv1\" conv2d { channels: 9 kernel: 3 groups: 2 } }",
     "input { height: 28 width: 28 channels: 6 }\n"
     "layer { name: \"conv1\" conv2d { channels: 8 kernel: 3 groups: 2 } }"},
    {"E0503", "an image where a vector is expected, or the reverse",
     "Convolutions, poolings and batch normalisation work on images; linear layers on vectors. flatten makes a vector "
     "of\n"
     "an image, in PyTorch's order (channels first).",
     "layer { name: \"pool\" avg_pool2d { kernel: 2 } }\n"
     "layer { name: \"fc\" linear { features: 10 } }",
     "layer { name: \"pool\" avg_pool2d { kernel: 2 } }\n"
     "layer { name: \"flatten\" flatten {} }\n"
     "layer { name: \"fc\" linear { features: 10 } }"},
    {"E0504", "add of different shapes",
     "add does not broadcast: both inputs have the same height, width and channels.",
     "layer { name: \"conv\" conv2d { channels: 64 kernel: 3 padding: 1 } }\n"
     "layer { name: \"sum\" input: \"conv\" input: \"input\" add {} }",
     "layer { name: \"conv\" conv2d { channels: 64 kernel: 3 padding: 1 } }\n"
     "layer { name: \"short\" input: \"input\" conv2d { channels: 64 kernel: 1 } }\n"
     "layer { name: \"sum\" input: \"conv\" input: \"short\" add {} }"},
    {"E0505", "too large",
     "A tensor has at most 2147483647 elements, an activation per sample: kernels index with 32 bits.",
     "layer { name: \"flatten\" flatten {} }\n"
     "layer { name: \"fc\" linear { features: 1000000000 } }",
     "layer { name: \"flatten\" flatten {} }\n"
     "layer { name: \"fc\" linear { features: 1000 } }"},
    {"E0506", "a pooling that cannot be",
     "Each window of a pooling holds at least one pixel that is not padding, and the kernel of a max_pool2d at most "
     "255\n"
     "(places of maxima are kept in 8 bits).",
     "layer { name: \"pool1\" max_pool2d { kernel: 2 padding: 2 } }",
     "layer { name: \"pool1\" max_pool2d { kernel: 2 padding: 1 } }"},
    {"E0507", "too many parameters", "All parameters together have at most 2147483647 elements.",
     "layer { name: \"flatten\" flatten {} }\n"
     "layer { name: \"fc1\" linear { features: 30000 } }\n"
     "layer { name: \"fc2\" linear { features: 30000 } }\n"
     "layer { name: \"fc3\" linear { features: 30000 } }\n"
     "layer { name: \"fc4\" linear { features: 30000 } }",
     "layer { name: \"flatten\" flatten {} }\n"
     "layer { name: \"fc1\" linear { features: 30000 } }"},

    {"E0601", "a setting out of range", "The message has the setting, what it is and what it may be.",
     "model: \"model_defs/models/lenet.textproto\"\n"
     "schedule { learning_rate: -1 }",
     "model: \"model_defs/models/lenet.textproto\"\n"
     "schedule { learning_rate: 0.05 }"},
    {"E0602", "a setting is missing",
     "A recipe names at least its model; a data set names its four files and its classes.", "epochs: 3",
     "model: \"model_defs/models/lenet.textproto\"\n"
     "epochs: 3"},
};

}  // namespace

std::span<const CatalogueEntry> catalogue() { return kCatalogue; }

}  // namespace convoke
