"""The section "Where we lose": every promise of the issue that the figures do not keep, in plain words."""
import cells
from cells import TITLES
from verdict import counts, verdict

KIB, MIB = 2**10, 2**20
MOST_TRAINING_MEMORY = 0.5  # of PyTorch's, import and three times the parameters taken off
MOST_FIRST_MS = {"resnet50": 100}
MOST_LIBRARY_BYTES = {"lenet": 200 * KIB, "resnet18": 2 * MIB}
GROWTH_NOISE = 1.03
LEAST_SPEED_UP = 1.85  # of two threads, of networks and batches that compute more than they read


def slower(results):
    for cell, bar in cells.bars().items():
        measured = results["cells"].get(cell.name)
        if not measured:
            continue
        v = verdict(measured, bar)
        if v.best_peer is None:
            yield f"{cell.name}: no ratio, {measured['peers']['convoke']['failure'] or 'no peer counts'}."
        elif v.ratio < 1:
            yield f"{cell.name}: {TITLES[v.best_peer]} is {1 / v.ratio:.2f} times as fast as Convoke."
        elif v.ratio < bar.least:
            yield f"{cell.name}: {v.ratio:.2f} times as fast as {TITLES[v.best_peer]}; {bar.least:g} is asked for."


def training_memory(one, parameters):
    return one["peak_bytes"] - one["import_bytes"] - 3 * 4 * parameters


def larger(results):
    for name, measured in results["cells"].items():
        peers, parameters = measured["peers"], measured["compile"]["parameters"]
        if measured["cell"]["training"] and counts(peers["convoke"]) and counts(peers["pytorch"]):
            ours, theirs = (training_memory(peers[peer], parameters) for peer in ("convoke", "pytorch"))
            if ours > MOST_TRAINING_MEMORY * theirs:
                yield (f"{name}: {ours / MIB:.0f} MiB beyond import, parameters, gradients and moments; PyTorch "
                       f"{theirs / MIB:.0f} MiB.")
        size, most = measured["compile"]["library_bytes"], MOST_LIBRARY_BYTES.get(measured["cell"]["network"])
        if most and size > most and measured["cell"]["threads"] == 1:
            yield f"{name}: the library has {size / KIB:.0f} KiB, more than {most / KIB:.0f}."


def later(results):
    for name, measured in results["cells"].items():
        most, ours = MOST_FIRST_MS.get(measured["cell"]["network"]), measured["peers"]["convoke"]
        if most and measured["cell"]["batch"] == 1 and ours.get("first_ms", 0) > most:
            yield f"{name}: {ours['first_ms']:.0f} ms from opening to the first result, more than {most}."


def steeper(results):
    """An image of a larger batch that takes longer than one of a smaller batch."""
    growth = results["growth"]
    for cell in cells.growth_cells():
        single = cell._replace(batch=1).name
        if cell.name in growth and single in growth:
            factor = growth[cell.name]["ms"] / cell.batch / growth[single]["ms"]
            if factor > GROWTH_NOISE:
                yield f"{cell.name}: an image takes {factor:.2f} times what it takes at batch 1."


def idler(results):
    for cell in cells.bars():
        pair = [results["cells"].get(one.name) for one in (cell._replace(threads=1), cell._replace(threads=2))]
        if cell.threads == 1 or cell.batch == 1 or cell.network == "lenet" or not all(pair):
            continue
        ours = [measured["peers"]["convoke"] for measured in pair]
        if all(map(counts, ours)) and (speed_up := ours[0]["ms"] / ours[1]["ms"]) < LEAST_SPEED_UP:
            yield f"{cell.name}: 2 threads are {speed_up:.2f} times as fast; {LEAST_SPEED_UP} is asked for."


def where_we_lose(results):
    found = [line for check in (slower, larger, later, steeper, idler) for line in check(results)]
    missing = sum(cell.name not in results["cells"] for cell in cells.bars())
    if missing:
        found.append(f"Not measured yet: {missing} of {len(cells.bars())} cells.")
    return "\n".join(f"- {line}" for line in found) or "Nowhere, by the bars of the issue."
