"""One framework on one cell, in a process of its own, spoken to by measure.py:

    worker.py FRAMEWORK FOLDER CELL_JSON [--compare]

prints a JSON line once it is ready: threads, first_ms (from opening the model to the first result), difference (from
PyTorch's float64; of training, and then gradient_difference too, only with --compare, which leaves out dropout),
import_bytes. Then, for each line SECONDS it reads, a line with the median milliseconds of a call and the cores used; at
the end of its input, peak_bytes.
"""
import importlib
import json
import os
import pathlib
import statistics
import sys
import time

import numpy as np

from cells import Cell
from compare import output_difference, training_differences

TIMED_RATE = 1e-6  # so small that many steps on one batch stay finite


def peak_bytes():
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def milliseconds_since(start):
    return 1000 * (time.perf_counter() - start)


def start_inference(framework, folder, cell):
    x = np.load(folder / "input.npy")
    start = time.perf_counter()
    call, threads = framework.infer(folder, cell, x)
    y = call()
    first_ms = milliseconds_since(start)
    difference = output_difference(y, np.load(folder / "reference.npy"))
    return call, {"threads": threads, "first_ms": first_ms, "difference": difference}


def start_training(framework, folder, cell, compare):
    x, labels = np.load(folder / "input.npy"), np.load(folder / "labels.npy")
    start = time.perf_counter()
    trainer = framework.Trainer(folder, cell, x, labels, dropout=not compare)
    ready = {"threads": trainer.threads}
    if compare:
        ready |= training_differences(trainer, np.load(folder / "reference.npz"))
    else:
        trainer.step(TIMED_RATE)
    return lambda: trainer.step(TIMED_RATE), ready | {"first_ms": milliseconds_since(start)}


def measure(call, seconds):
    times, cpu, begin = [], time.process_time(), time.perf_counter()
    while not times or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        call()
        times.append(milliseconds_since(start))
    wall = time.perf_counter() - begin
    return {"ms": statistics.median(times), "cores": (time.process_time() - cpu) / wall}


def main():
    name, folder, cell = sys.argv[1], pathlib.Path(sys.argv[2]), Cell(*json.loads(sys.argv[3]))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what frameworks print goes to the log

    framework = importlib.import_module(f"frameworks.{name}")
    import_bytes = peak_bytes()
    if cell.training:
        call, ready = start_training(framework, folder, cell, compare="--compare" in sys.argv)
    else:
        call, ready = start_inference(framework, folder, cell)
    print(json.dumps(ready | {"import_bytes": import_bytes}), file=answers)
    for line in sys.stdin:
        print(json.dumps(measure(call, float(line))), file=answers)
    print(json.dumps({"peak_bytes": peak_bytes()}), file=answers)


if __name__ == "__main__":
    main()
