#!/usr/bin/env python3
"""Convoke's libraries against PyTorch eager, channels_last, on the same shapes, in turns within one run.

    bench/peers/pytorch.py [--convoke build/release/convoke] [--rounds 3] [--seconds 1] [--filter REGEX] [--json FILE]

Needs torch and torchvision (any virtual environment). Each round measures every peer for `--seconds`, one after the
other; what counts is the median of the rounds' medians. PyTorch runs with glibc told to keep freed memory: without that
page faults cost it 3-57 %, which would flatter us.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}

# model, channels x height x width, classes, batch, threads, train
CASES = [
    ("lenet", (1, 28, 28), 10, 1, 1, False),
    ("lenet", (1, 28, 28), 10, 64, 1, True),
    ("lenet", (1, 28, 28), 10, 64, 2, True),
    ("resnet18", (3, 224, 224), 1000, 1, 1, False),
    ("resnet18", (3, 224, 224), 1000, 1, 2, False),
    ("resnet18", (3, 224, 224), 1000, 16, 2, False),
    ("resnet18", (3, 32, 32), 10, 32, 2, True),
    ("resnet18", (3, 224, 224), 1000, 16, 2, True),
]


def case_name(case):
    model, size, _, batch, threads, train = case
    return f"{model} {'x'.join(map(str, size))} {'train' if train else 'infer'} batch {batch} threads {threads}"


def time_pytorch(case, seconds):
    """The median milliseconds of a call, in this process."""
    import torch
    import torchvision

    model_name, size, classes, batch, threads, train = case
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    if model_name == "lenet":
        nn = torch.nn
        model = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.AvgPool2d(2),
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, classes))
    else:
        model = getattr(torchvision.models, model_name)(num_classes=classes)
    model = model.to(memory_format=torch.channels_last).train(train)
    x = torch.rand(batch, *size).to(memory_format=torch.channels_last)
    labels = torch.arange(batch) % classes
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6, momentum=0.9)

    def step():
        if not train:
            with torch.inference_mode():
                return model(x)
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(model(x), labels).backward()
        return optimizer.step()

    for _ in range(3):
        step()
    times, begin = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def run_pytorch(case, arguments):
    """time_pytorch in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), "--worker", json.dumps(case), "--seconds",
               str(arguments.seconds)]
    return float(subprocess.run(command, env=os.environ | MALLOC, capture_output=True, text=True, check=True).stdout)


def run_convoke(case, arguments):
    model, size, classes, batch, threads, train = case
    command = [arguments.convoke, "bench", f"model_defs/models/{model}.textproto", "--input", "x".join(map(str, size)),
               "--classes", str(classes), "--batch", str(batch), "--threads", str(threads), "--seconds",
               str(arguments.seconds), "--json"] + (["--train"] if train else [])
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["median_ms"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--convoke", default=os.path.join(ROOT, "build/release/convoke"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--filter", default="")
    parser.add_argument("--json", help="write the figures there")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.convoke = os.path.abspath(arguments.convoke)
    if arguments.worker:
        print(time_pytorch(json.loads(arguments.worker), arguments.seconds))
        return
    cases = [case for case in CASES if re.search(arguments.filter, case_name(case))]
    times = {case: {"convoke": [], "pytorch": []} for case in cases}
    for _ in range(arguments.rounds):
        for case in cases:
            times[case]["convoke"].append(run_convoke(case, arguments))
            times[case]["pytorch"].append(run_pytorch(case, arguments))
    results = []
    print(f"{'':52}  {'convoke ms':>10}  {'images/s':>9}  {'PyTorch ms':>10}  {'images/s':>9}  {'ratio':>6}")
    for case in cases:
        ours, theirs = (statistics.median(times[case][peer]) for peer in ("convoke", "pytorch"))
        batch = case[3]
        print(f"{case_name(case):52}  {ours:10.4f}  {1000 * batch / ours:9.0f}  {theirs:10.4f}  "
              f"{1000 * batch / theirs:9.0f}  {theirs / ours:6.2f}")
        results.append({"case": case_name(case), "convoke_ms": ours, "pytorch_ms": theirs, "ratio": theirs / ours})
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=2)


if __name__ == "__main__":
    main()
