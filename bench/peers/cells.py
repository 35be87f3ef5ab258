"""What is measured: the cells of the issue's two tables as data, with the ratios that they are to reach."""
from typing import NamedTuple

IMAGENET = (3, 224, 224)
PYTHON_PEERS = ["pytorch", "torch_compile", "openvino", "onnxruntime", "ncnn", "mnn"]
C_PEERS = ["onnxruntime_c"]  # where a call of Python would count: LeNet
TRAINING_PEERS = ["pytorch"]
OURS = {"onnxruntime_c": "convoke_c"}  # whom a peer is compared with; everybody else with "convoke"
THREADS = [1, 2]
TITLES = {"convoke": "Convoke", "pytorch": "PyTorch eager", "torch_compile": "torch.compile", "openvino": "OpenVINO",
          "onnxruntime": "ONNX Runtime", "ncnn": "ncnn", "mnn": "MNN", "convoke_c": "Convoke, C",
          "onnxruntime_c": "ONNX Runtime, C"}

# The largest difference from PyTorch's float64, relative to the largest value. Beyond it a time does not count.
LIMITS = {"convoke": 1e-4, "convoke_c": 1e-4}
PEER_LIMIT = 5e-3  # Winograd in single precision costs MNN up to 3e-3
LOSS_LIMIT = 1e-3
# As a norm over all gradients. float32 takes the other side of a relu here and there, which in deep networks with
# random weights moves gradients by whole terms: PyTorch's own float32 is 5e-2 off in ResNet-50.
GRADIENT_LIMIT = 0.15


class Bar(NamedTuple):
    """Of best peer / ours: below `least` it is not done, `reach` is the goal."""
    least: float
    reach: float


class Cell(NamedTuple):
    network: str
    size: tuple  # channels, height, width
    classes: int
    batch: int
    threads: int
    training: bool

    @property
    def shape(self):
        return "x".join(map(str, self.size))

    @property
    def name(self):
        return (f"{self.network} {self.shape} {'train' if self.training else 'infer'} "
                f"batch {self.batch} threads {self.threads}")

    @property
    def peers(self):
        if self.training:
            return ["convoke"] + TRAINING_PEERS
        return ["convoke"] + PYTHON_PEERS + (["convoke_c"] + C_PEERS if self.network == "lenet" else [])


# network, size, classes, {batch: bar}
INFERENCE = [
    ("lenet", (1, 28, 28), 10, {1: Bar(2.5, 3.5), 16: Bar(2, 3)}),
    ("alexnet", IMAGENET, 1000, {1: Bar(1.05, 1.15), 16: Bar(1.25, 1.5)}),
    ("vgg16", IMAGENET, 1000, {1: Bar(1.4, 1.8), 8: Bar(1.5, 1.9)}),
    ("resnet18", IMAGENET, 1000, {1: Bar(1.25, 1.9), 16: Bar(1.7, 2.1)}),
    ("resnet50", IMAGENET, 1000, {1: Bar(1.15, 1.5), 16: Bar(1.25, 1.5)}),
]
TRAINING = [
    ("lenet", (1, 28, 28), 10, {64: Bar(3, 5)}),
    ("resnet18", (3, 32, 32), 10, {32: Bar(1.7, 2.4)}),
    ("resnet18", IMAGENET, 1000, {16: Bar(1.7, 2.4)}),
    ("resnet50", IMAGENET, 1000, {8: Bar(1.3, 1.7)}),
    ("vgg16_bn", IMAGENET, 1000, {4: Bar(1.8, 2.5)}),
    ("vgg11_bn", IMAGENET, 1000, {8: Bar(1.7, 2.3)}),
    ("alexnet", IMAGENET, 1000, {32: Bar(1.15, 1.6)}),
]
# Ours alone, on one thread: time against batch.
GROWTH_BATCHES = [1, 4, 16, 64]
GROWTH = ["lenet", "resnet18", "resnet50"]


def bars():
    """The bar of each cell, in the order of the tables."""
    return {
        Cell(network, size, classes, batch, threads, training): bar
        for training, table in ((False, INFERENCE), (True, TRAINING)) for network, size, classes, batches in table
        for batch, bar in batches.items() for threads in THREADS
    }


def growth_cells():
    return [Cell(network, size, classes, batch, 1, False) for network, size, classes, _ in INFERENCE
            if network in GROWTH for batch in GROWTH_BATCHES]
