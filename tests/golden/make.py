#!/usr/bin/env python3
"""Numbers from PyTorch, the truth from outside: writes tests/golden/<model>.txt.

    python3 tests/golden/make.py [file ...]          (needs torch and torchvision; the tests need only the files)

<model>.txt is of images that tests have time for, <model>_224x224.txt of the full size.

Weights and data come from a formula that formula.cc computes as well (value below), so the files hold results alone, in
float64. A line of a file is one tensor:

    name elems max|b| sum(b) norm(b) float32_error values ...

`values` is the whole tensor, or of one with more elements than the first line's `samples` those at the indices
samples(name). PyTorch's own
float32 run differs from its float64 run by float32_error = max|a-b| / max|b|, over all elements.

Where float32 and float64 disagree about the sign of a relu's operand, gradients differ by whole terms, whoever computes
them. So the data are chosen to be well conditioned: the first line's seed is the one of SEEDS whose first step keeps the
operands of all relus, and the two largest values of all maximum poolings, furthest apart (`margin`, relative to the
operands' root mean square). Of the full size no data are, with millions of operands: the first will do.
"""
import functools
import math
import pathlib
import sys

import numpy as np
import torch
import torchvision

SAMPLES = 256     # a tensor
FEW_SAMPLES = 16  # of the large models, whose files would be large too
FULL_SAMPLES = 4  # of the full size
SEEDS = 64
FEW_SEEDS = 3     # of models with so many weights that a seed takes seconds, where that is enough
MASK = (1 << 64) - 1


def mix(x):
    """The finalizer of splitmix64 (Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return x ^ (x >> np.uint64(31))


def name_hash(name):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def hashes(seed, name, count):
    """Hash i of `count`: mix(name_hash(name) + (seed·2^32 + i)·0x9E3779B97F4A7C15)."""
    with np.errstate(over="ignore"):
        return mix(np.uint64(name_hash(name)) +
                   (np.uint64(seed << 32) + np.arange(count, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15))


def units(seed, name, count):
    """Multiples of 2^-23 in [-1, 1)."""
    return ((hashes(seed, name, count) >> np.uint64(40)).astype(np.int64) - (1 << 23)) / float(1 << 23)


def samples(name, elems, count):
    return (hashes(0, "samples/" + name, count) % np.uint64(elems)).astype(np.int64)


def philox(counter, key):
    """The first word of Philox4x32-10 (Salmon et al. 2011), as runtime/core/philox.h; arrays of 32-bit numbers."""
    c = [np.asarray(x, dtype=np.uint64) for x in counter]
    low, high, mask, half = key & 0xFFFFFFFF, key >> 32, np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> half) ^ c[1] ^ np.uint64(low), b & mask, (a >> half) ^ c[3] ^ np.uint64(high), a & mask]
        low, high = (low + 0x9E3779B9) & 0xFFFFFFFF, (high + 0xBB67AE85) & 0xFFFFFFFF
    return c[0]


class Dropout(torch.nn.Module):
    """With Convoke's masks (compiler/ops/dropout_train.cc) of the first, second, ... training pass."""

    def __init__(self, name, p):
        super().__init__()
        self.stream, self.p, self.passes = name_hash(name) >> 33, p, 0

    def forward(self, x):
        if not self.training:
            return x
        self.passes += 1
        key = int(philox((self.passes, 0, 0, 0), 0)) >> 8
        elems = x[0].numel()
        words = philox((np.arange(elems)[None, :], np.arange(len(x))[:, None], self.stream, 0), key)
        stays = torch.from_numpy(words >= np.uint64(self.p * 2**32)).reshape(x.shape)
        return x * stays / (1 - self.p)


def weight(seed, name, shape):
    """Of parameters and running statistics, exact in float32. Kaiming's uniform bound for weights; biases of batch norm
    stay away from 0, so that few operands of relu come near it."""
    u = units(seed, name, math.prod(shape))
    if len(shape) >= 2:
        values = u * math.sqrt(6 / math.prod(shape[1:]))
    elif name.endswith("running_var"):
        values = 1 + 0.5 * u
    elif name.endswith("running_mean"):
        values = 0.1 * u
    elif name.endswith("weight"):
        values = 0.75 + 0.25 * u
    elif "bn" in name or "downsample" in name:
        values = np.where(u < 0, u - 1, u + 1)
    else:
        values = 0.1 * u
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


class Data:
    """Batches of images, given by their index; NHWC in the formula."""

    def __init__(self, seed, n, channels, size, classes):
        self.seed, self.shape, self.classes = seed, (n, size, size, channels), classes

    def images(self, batch):
        u = units(self.seed, f"images/{batch}", math.prod(self.shape))
        return torch.from_numpy(u.astype(np.float32).reshape(self.shape)).permute(0, 3, 1, 2).contiguous()

    def labels(self, batch):
        return torch.from_numpy((hashes(self.seed, f"labels/{batch}", self.shape[0]) %
                                 np.uint64(self.classes)).astype(np.int64))


class LeNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = torch.nn.Conv2d(6, 16, 5)
        self.fc1, self.fc2, self.fc3 = torch.nn.Linear(400, 120), torch.nn.Linear(120, 84), torch.nn.Linear(84, 10)
        self.relu, self.pool = torch.nn.ReLU(), torch.nn.AvgPool2d(2)

    def forward(self, x):
        x = self.pool(self.relu(self.conv1(x)))
        x = self.pool(self.relu(self.conv2(x))).flatten(1)
        return self.fc3(self.relu(self.fc2(self.relu(self.fc1(x)))))


def resnet18_small():
    model = torchvision.models.resnet18(num_classes=10)
    model.conv1 = torch.nn.Conv2d(1, 64, 3, padding=1, bias=False)
    model.maxpool = torch.nn.Identity()
    return model


def make(constructor, seed, dtype):
    torch.manual_seed(0)
    model = constructor()
    for name, module in list(model.named_modules()):
        if isinstance(module, torch.nn.ReLU):
            module.inplace = False
        if isinstance(module, torch.nn.Dropout):
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, Dropout(name, module.p))
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if tensor.dtype.is_floating_point:
                tensor.copy_(weight(seed, name, tuple(tensor.shape)))
    return model.to(dtype)


def margin(model, images):
    """How far the training forward stays from the ties of relu and max."""
    closest = [1.0]

    def relu(_, inputs):
        x = inputs[0]
        closest[0] = min(closest[0], (x.abs().min() / x.square().mean().sqrt()).item())

    def max_pool(module, inputs):
        windows = torch.nn.functional.unfold(inputs[0].flatten(0, 1)[:, None], module.kernel_size, 1, module.padding,
                                             module.stride)
        top = windows.topk(2, dim=1).values
        gap = torch.where(top[:, 0] > 0, top[:, 0] - top[:, 1], top[:, 0] + 1)  # a relu's zeros carry no gradient
        closest[0] = min(closest[0], (gap.min() / inputs[0].square().mean().sqrt()).item())

    hooks = [module.register_forward_pre_hook({torch.nn.ReLU: relu, torch.nn.MaxPool2d: max_pool}[type(module)])
             for module in model.modules() if isinstance(module, (torch.nn.ReLU, torch.nn.MaxPool2d))]
    with torch.no_grad():
        model.train()(images)
    for hook in hooks:
        hook.remove()
    return closest[0]


def best_seed(constructor, data, seeds=SEEDS):
    def of(seed):
        return margin(make(constructor, seed, torch.float64), data(seed).images(0).double())

    best, seed = max((of(seed), seed) for seed in range(1, seeds + 1))
    print(f"  seed {seed}, margin {best:.2e}", flush=True)
    return seed


def first_step(model, data, dtype):
    """Evaluation logits; loss, gradients and running statistics of a training pass; the logits of the next one."""
    results = {}
    images, labels = data.images(0).to(dtype), data.labels(0)
    with torch.no_grad():
        results["logits/evaluation"] = model.eval()(images)
    loss = torch.nn.functional.cross_entropy(model.train()(images), labels)
    results["loss"] = loss.detach()
    loss.backward()
    for name, parameter in model.named_parameters():
        results["gradient/" + name] = parameter.grad
    for name, buffer in model.named_buffers():
        if buffer.dtype.is_floating_point:
            results["after/" + name] = buffer.clone()
    with torch.no_grad():
        results["logits/training"] = model(images)
    return results


def curve(model, data, dtype, optimizer, steps, batches):
    model.train()
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(data.images(step % batches).to(dtype)),
                                                 data.labels(step % batches))
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return torch.tensor(losses, dtype=torch.float64)


def sgd(model, rate=0.01):
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def lenet():
    def data(seed):
        return Data(seed, 6, 1, 28, 10)

    def run(seed, dtype):
        def fresh():
            return make(LeNet, seed, dtype)

        results = first_step(fresh(), data(seed), dtype)
        for name, optimizer in (("sgd", sgd), ("adam", adam)):
            model = fresh()
            results["losses/" + name] = curve(model, data(seed), dtype, optimizer(model), 20, 4)
        return results

    seed = best_seed(LeNet, data)
    return seed, run(seed, torch.float64), run(seed, torch.float32)


def small():
    def data(seed):
        return Data(seed, 3, 1, 28, 10)

    def run(seed, dtype):
        results = first_step(make(resnet18_small, seed, dtype), data(seed), dtype)
        model = make(resnet18_small, seed, dtype)
        results["losses/sgd"] = curve(model, data(seed), dtype, sgd(model, 1e-3), 10, 2)
        return results

    seed = best_seed(resnet18_small, data)
    return seed, run(seed, torch.float64), run(seed, torch.float32)


def resnet18():
    def data(seed):
        return Data(seed, 2, 3, 64, 1000)

    def run(seed, dtype):
        model = make(torchvision.models.resnet18, seed, dtype)
        results = {"parameters": torch.tensor(float(sum(p.numel() for p in model.parameters())))}
        with torch.no_grad():
            results["logits/224x224"] = model.eval()(Data(seed, 2, 3, 224, 1000).images(0).to(dtype))
        results |= first_step(model, data(seed), dtype)
        optimizer = sgd(model)
        optimizer.step()
        results |= {"after/" + name: parameter.detach() for name, parameter in model.named_parameters()}
        return results

    seed = best_seed(torchvision.models.resnet18, data)
    return seed, run(seed, torch.float64), run(seed, torch.float32)


def large(constructor, seeds, size):
    """A model of 1000 classes on square images."""
    def data(seed):
        return Data(seed, 2, 3, size, 1000)

    def run(seed, dtype):
        model = make(constructor, seed, dtype)
        results = {"parameters": torch.tensor(float(sum(p.numel() for p in model.parameters())))}
        return results | first_step(model, data(seed), dtype)

    seed = best_seed(constructor, data, seeds) if seeds > 1 else 1
    return seed, run(seed, torch.float64), run(seed, torch.float32)


def write(path, seed, truth, float32, count):
    lines = ["# Made by make.py, which says what the numbers are.", f"seed {seed} samples {count}"]
    worst = {}
    for name, tensor in truth.items():
        b = tensor.double().flatten()
        most = b.abs().max().item()
        error = (float32[name].double().flatten() - b).abs().max().item() / most
        kind = name.split("/")[0]
        worst[kind] = max(worst.get(kind, (0, "")), (error, name))
        values = b if len(b) <= count else b[torch.from_numpy(samples(name, len(b), count))]
        numbers = [most, b.sum().item(), b.norm().item(), error] + values.tolist()
        lines.append(" ".join([name, str(len(b))] + [f"{x:.9g}" for x in numbers]))
    path.write_text("\n".join(lines) + "\n")
    print(f"  {path}: {path.stat().st_size} bytes; float32's largest errors:")
    for error, name in worst.values():
        print(f"    {error:.1e}  {name}")


def main():
    folder = pathlib.Path(__file__).parent
    files = {"lenet": (lenet, SAMPLES), "resnet18_small": (small, SAMPLES), "resnet18": (resnet18, SAMPLES)}
    zoo = torchvision.models
    seeds = {zoo.alexnet: FEW_SEEDS, zoo.vgg11: FEW_SEEDS, zoo.vgg13: FEW_SEEDS, zoo.vgg16: FEW_SEEDS, zoo.vgg19: FEW_SEEDS,
             zoo.vgg11_bn: FEW_SEEDS, zoo.vgg13_bn: FEW_SEEDS, zoo.vgg16_bn: 32, zoo.vgg19_bn: 32,
             zoo.resnet34: 16, zoo.resnet50: 16, zoo.resnet101: 16, zoo.resnet152: 16}
    for model, count in seeds.items():
        files[model.__name__] = (functools.partial(large, model, count, 64), FEW_SAMPLES)
    for model in [zoo.resnet18, *seeds]:
        files[model.__name__ + "_224x224"] = (functools.partial(large, model, 1, 224), FULL_SAMPLES)
    for name in sys.argv[1:] or files:
        print(name, flush=True)
        run, count = files[name]
        write(folder / f"{name}.txt", *run(), count)


main()
