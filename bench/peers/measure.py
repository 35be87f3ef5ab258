"""Convoke against its peers, in turns within one run; writes build/peers/results.json and a page, bench/RESULTS.md.

For each cell every framework is started once, in a process of its own, and compared with PyTorch's float64. Then come
the rounds: each measures all of them, one after the other. What counts is the median of a round's calls, and of the
rounds.
"""
import argparse
import fcntl
import json
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

import cells
import machine
import report
from frameworks import convoke
from process import Worker

HERE = pathlib.Path(__file__).resolve().parent
QUICK, FULL = {"rounds": 3, "seconds": 0.3}, {"rounds": 5, "seconds": 1.5}
GROWTH_SECONDS = 0.5
MOST_CORES = 1.1  # used by each of the threads


class Folders:
    """Below build/peers: models in all formats, C programs, Inductor's cache, logs."""

    def __init__(self, work):
        self.work = work
        self.native, self.inductor, self.logs = (work / name for name in ("native", "inductor", "logs"))
        for folder in (self.native, self.inductor, self.logs):
            folder.mkdir(parents=True, exist_ok=True)

    def network(self, cell):
        return self.work / f"{cell.network}_{cell.shape}"

    def case(self, cell):
        return self.network(cell) / f"{'train' if cell.training else 'infer'}{cell.batch}"


def model_path(cell):
    return machine.ROOT / "model_defs" / "models" / f"{cell.network}.textproto"


def has_dropout(cell):
    return "dropout" in model_path(cell).read_text()


def compile_convoke(command, cell, model, folder, weights):
    """The compiler's report."""
    options = ["--input", cell.shape, "--classes", str(cell.classes), "--batch", str(cell.batch), "--strip", "--json"]
    if not cell.training:
        options += ["--inference-only", "--weights", str(weights)]
    return json.loads(machine.output(str(command), "compile", str(model), "--out", str(folder), *options))


def prepare(command, cell, folders):
    """All that the workers need; Convoke's compile report."""
    case = folders.case(cell)
    with open(folders.logs / "prepare.log", "w") as log:
        subprocess.run([sys.executable, HERE / "prepare.py", folders.network(cell), json.dumps(cell)], stdout=log,
                       stderr=log, check=True)
    weights = folders.network(cell) / "weights.safetensors"
    report = compile_convoke(command, cell, model_path(cell), case / "convoke", weights)
    if cell.training and has_dropout(cell):
        text = re.sub(r"dropout\s*\{[^}]*\}", "dropout { p: 0 }", model_path(cell).read_text())
        model = case / f"{cell.network}.textproto"
        model.write_text(text)
        compile_convoke(command, cell, model, case / "convoke_without_dropout", weights)
    elif cell.training:
        shutil.copytree(case / "convoke", case / "convoke_without_dropout", dirs_exist_ok=True)
    return report


def worker_command(peer, cell, folders):
    case = folders.case(cell)
    if not peer.endswith("_c"):
        return [sys.executable, HERE / "worker.py", peer, case, json.dumps(cell)]
    library, model = (case / "convoke" / (cell.network + suffix) for suffix in (".so", ".weights"))
    if peer == "onnxruntime_c":
        library = next((machine.site_packages() / "onnxruntime" / "capi").glob("libonnxruntime.so*"))
        model = case / "model.onnx"
    sizes = map(str, (cell.threads, cell.batch, *cell.size, cell.classes))
    return [folders.native / peer, library, model, case / "input.npy", case / "reference.npy", *sizes]


def failure(peer, cell, result):
    """Why its time does not count, or None."""
    limit = cells.LOSS_LIMIT if cell.training else cells.LIMITS.get(peer, cells.PEER_LIMIT)
    if not result["difference"] <= limit:
        return f"differs from PyTorch's float64 by {result['difference']:.1e}, allowed {limit:.0e}"
    if cell.training and not result["gradient_difference"] <= cells.GRADIENT_LIMIT:
        return f"gradients differ by {result['gradient_difference']:.1e}, allowed {cells.GRADIENT_LIMIT:.0e}"
    if result["threads"] != cell.threads:
        return f"runs with {result['threads']} threads"
    if result["cores"] > MOST_CORES * cell.threads:
        return f"used {result['cores']:.2f} cores"
    return None


def start(peer, cell, folders):
    command = worker_command(peer, cell, folders)
    if not cell.training:
        return Worker(peer, command, cell.threads, folders)
    comparing = Worker(peer, command + ["--compare"], cell.threads, folders)
    if not has_dropout(cell):
        return comparing
    comparing.finish()
    worker = Worker(peer, command, cell.threads, folders)
    worker.ready |= {key: comparing.ready[key] for key in ("difference", "gradient_difference")}
    return worker


def summary(worker, answers, cell):
    result = worker.ready | {"peak_bytes": worker.finish(), "rounds_ms": [answer["ms"] for answer in answers]}
    result["ms"] = statistics.median(result["rounds_ms"])
    result["cores"] = statistics.median(answer["cores"] for answer in answers)
    result["others"] = max(answer["others"] for answer in answers)
    return result | {"failure": failure(worker.peer, cell, result)}


def measure_peers(cell, folders, rounds, seconds):
    """Of each peer its summary; {"failure": why} of one that broke down."""
    workers, answers, results = {}, {}, {}

    def attempt(peer, action):
        if "failure" not in results.get(peer, {}):
            try:
                action(peer)
            except (RuntimeError, BrokenPipeError) as error:
                results[peer] = {"failure": str(error)}

    def begin(peer):
        workers[peer] = start(peer, cell, folders)
        answers[peer] = []

    for peer in cell.peers:
        attempt(peer, begin)
    for _ in range(rounds):
        for peer in cell.peers:
            attempt(peer, lambda peer: answers[peer].append(workers[peer].measure(seconds)))
    for peer in cell.peers:
        attempt(peer, lambda peer: results.update({peer: summary(workers[peer], answers[peer], cell)}))
    return {peer: results[peer] for peer in cell.peers}


def measure_cell(command, cell, folders, effort):
    report = prepare(command, cell, folders)
    work = convoke.work(folders.case(cell) / "convoke" / f"{cell.network}.so", cell)
    return {"cell": cell._asdict(), "when": machine.now(), "effort": effort,
            "rates": machine.rates(folders.native, cell.threads), "work": work,
            "compile": {key: report[key] for key in ("library_bytes", "seconds", "parameters", "weights_bytes")},
            "peers": measure_peers(cell, folders, **effort),
            "core_to_core_after": machine.rates(folders.native, cell.threads)["core_to_core"]}


def measure_growth(command, cell):
    report = json.loads(machine.output(
        str(command), "bench", str(model_path(cell)), "--input", cell.shape, "--classes", str(cell.classes), "--batch",
        str(cell.batch), "--threads", str(cell.threads), "--seconds", str(GROWTH_SECONDS), "--json"))
    return {"cell": cell._asdict(), "when": machine.now(), "ms": report["median_ms"]}


def load_results(path):
    """Of earlier runs on this machine, to be completed by this one."""
    description = machine.describe()
    if not path.exists():
        return {"machine": description, "cells": {}, "growth": {}}
    results = json.loads(path.read_text())
    if results["machine"] != description:
        sys.exit(f"{path} is of another machine: {results['machine']}; remove it")
    return results


def print_peers(peers):
    for peer, one in peers.items():
        if "ms" in one:
            print(f"  {peer:14} {one['ms']:10.4f} ms  difference {one['difference']:.1e}  cores {one['cores']:.2f}"
                  f"  others {one['others']:.2f}  peak {one['peak_bytes'] / 2**20:.0f} MiB  "
                  f"{one['failure'] or ''}", flush=True)
        else:
            print(f"  {peer:14} {one['failure']}", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NETWORK,…", help="these networks; figures of others stay")
    parser.add_argument("--filter", metavar="REGEX", default="", help="cells whose name, see --list, has it")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} instead of {FULL}")
    parser.add_argument("--page", metavar="FILE", type=pathlib.Path, default=machine.ROOT / "bench/RESULTS.md",
                        help="instead of bench/RESULTS.md; its plots go to a folder beside it")
    parser.add_argument("--list", action="store_true", help="print the cells' names")
    parser.add_argument("--convoke", type=pathlib.Path, default=machine.ROOT / "build/release/convoke")
    return parser.parse_args()


def chosen(arguments, all_cells):
    only = arguments.only.split(",") if arguments.only else None
    return [cell for cell in all_cells if (only is None or cell.network in only)
            and re.search(arguments.filter, cell.name)]


def run(arguments, folders, results):
    """Yields after each cell that it has put into `results`."""
    command, effort, begin = arguments.convoke.resolve(), QUICK if arguments.quick else FULL, time.perf_counter()
    work = [("cells", cell, lambda cell: measure_cell(command, cell, folders, effort))
            for cell in chosen(arguments, cells.bars())]
    work += [("growth", cell, lambda cell: measure_growth(command, cell))
             for cell in chosen(arguments, cells.growth_cells())]
    for i, (kind, cell, measure) in enumerate(work):
        print(f"[{i + 1}/{len(work)}, {(time.perf_counter() - begin) / 60:.1f} minutes] {cell.name}"
              f"{' alone' if kind == 'growth' else ''}", flush=True)
        try:
            result = results[kind][cell.name] = measure(cell)
        except subprocess.CalledProcessError as error:
            print(f"  not measured: {error.stderr or f'see {folders.logs}'}", flush=True)
            continue
        print_peers(result.get("peers", {}))
        yield
    print(f"took {(time.perf_counter() - begin) / 60:.1f} minutes")


def main():
    arguments = parse_arguments()
    if arguments.list:
        print("\n".join(cell.name for cell in chosen(arguments, cells.bars())))
        return
    folders = Folders(machine.ROOT / "build" / "peers")
    lock = open(folders.work / "lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # a second run waits: it would disturb, and take the same files
    path = folders.work / "results.json"
    results = load_results(path) | {"versions": machine.versions(), "library_bytes": machine.library_bytes()}
    machine.build_native(folders.native)
    for _ in run(arguments, folders, results):
        path.write_text(json.dumps(results, indent=1) + "\n")
    report.write(results, arguments.page)


if __name__ == "__main__":
    main()
