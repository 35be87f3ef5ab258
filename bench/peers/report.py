"""A page such as bench/RESULTS.md and its plots from build/peers/results.json."""
import json

import cells
from cells import TITLES
from losses import where_we_lose
from plots import ratio_bars
from verdict import bound_ms, counts, disturbed, far_cores, verdict

MIB = 2**20


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def short(ms):
    return f"{ms:.4f}" if ms < 1 else f"{ms:.2f}" if ms < 100 else f"{ms:.0f}"


def label(cell):
    return f"{cell.network} {cell.shape}, b{cell.batch}, {cell.threads} thread{'s' if cell.threads > 1 else ''}"


def standing_rows(results, training):
    for cell, bar in cells.bars().items():
        if cell.training != training:
            continue
        measured = results["cells"].get(cell.name)
        if not measured:
            yield [label(cell), "not measured"] + [""] * 5 + [f"{bar.least:g}", f"{bar.reach:g}", ""]
            continue
        v, bound = verdict(measured, bar), bound_ms(measured)
        if v.best_peer is None:
            yield [label(cell), "", "", "", "", short(bound), "", f"{bar.least:g}", f"{bar.reach:g}", v.stands]
            continue
        speeds = [short(v.ours_ms), short(v.best_ms)] if not training else [
            f"{1000 * cell.batch / ms:,.{0 if ms < 100 * cell.batch else 1}f}" for ms in (v.ours_ms, v.best_ms)]
        marks = (" ¹" if disturbed(measured) else "") + (" ²" if far_cores(measured) else "")
        yield [label(cell) + marks, *speeds, TITLES[v.best_peer], f"{v.ratio:.2f}",
               short(bound), f"{v.ours_ms / bound:.2f}", f"{bar.least:g}", f"{bar.reach:g}", v.stands]


def standing_table(results, training):
    unit = "images/s" if training else "ms"
    header = ["", f"Convoke, {unit}", f"best peer, {unit}", "which", "ratio", "bound, ms", "ours / bound", "at least",
              "reach", "stands"]
    return table(header, standing_rows(results, training))


def measured_cells(results, training):
    """(cell, its result), in the tables' order."""
    return [(cell, results["cells"][cell.name]) for cell in cells.bars()
            if cell.training == training and cell.name in results["cells"]]


def peers_table(results, value, training):
    """One column a framework; `value` of (its result) is a text."""
    names = ["convoke"] + (cells.TRAINING_PEERS if training else cells.PYTHON_PEERS + ["convoke_c"] + cells.C_PEERS)
    rows = [[label(cell)] + [value(measured["peers"][peer]) if peer in measured["peers"] else "" for peer in names]
            for cell, measured in measured_cells(results, training)]
    return table([""] + [TITLES[name] for name in names], rows)


def time_text(one):
    return short(one["ms"]) if counts(one) else "—" if "ms" not in one else f"~~{short(one['ms'])}~~"


def difference_text(one):
    return " / ".join(f"{one[key]:.0e}" for key in ("difference", "gradient_difference") if key in one) or "—"


def memory_text(one):
    if "peak_bytes" not in one:
        return "—"
    return f"{one['peak_bytes'] / MIB:.0f} ({(one['peak_bytes'] - one['import_bytes']) / MIB:.0f})"


def first_text(one):
    return short(one["first_ms"]) if "first_ms" in one else "—"


def first_table(results):
    names = ["convoke"] + cells.PYTHON_PEERS
    rows = [[label(cell)] + [first_text(measured["peers"][peer]) for peer in names]
            for cell, measured in measured_cells(results, training=False) if cell.batch == 1]
    return table([""] + [TITLES[name] for name in names], rows)


def compile_table(results):
    rows = []
    for training in (False, True):
        for cell, measured in measured_cells(results, training):
            if cell.threads == 1:
                report = measured["compile"]
                rows.append([cell.name.removesuffix(" threads 1"), f"{report['library_bytes'] / 1024:.0f}",
                             f"{report['parameters']:,}"])
    return table(["library, without weights", "KiB", "parameters"], rows)


def growth_table(results):
    rows = []
    for network in cells.GROWTH:
        found = {cell.batch: results["growth"][cell.name]["ms"] for cell in cells.growth_cells()
                 if cell.network == network and cell.name in results["growth"]}
        rows.append([network] + [short(found[batch] / batch) if batch in found else ""
                                 for batch in cells.GROWTH_BATCHES])
    return table(["ms an image, 1 thread"] + [f"batch {batch}" for batch in cells.GROWTH_BATCHES], rows)


def speed_up_table(results):
    """1 thread / 2 threads, for each framework."""
    def speed_up(peer, one, two):
        pair = [measured["peers"].get(peer) for measured in (one, two)]
        return f"{pair[0]['ms'] / pair[1]['ms']:.2f}" if all(map(counts, pair)) else ""

    names = ["convoke"] + cells.PYTHON_PEERS
    rows = []
    for training in (False, True):
        found = dict(measured_cells(results, training))
        rows += [[cell.name.removesuffix(" threads 1")] + [speed_up(peer, found[cell], found[other]) for peer in names]
                 for cell in found if cell.threads == 1 and (other := cell._replace(threads=2)) in found]
    return table(["2 threads against 1"] + [TITLES[name] for name in names], rows)


def write_plots(results, folder):
    """The files."""
    folder.mkdir(parents=True, exist_ok=True)
    bars = cells.bars()
    for training, name in ((False, "inference"), (True, "training")):
        verdicts = [(cell, verdict(measured, bars[cell])) for cell, measured in measured_cells(results, training)]
        rows = [(label(cell), v.ratio, *bars[cell]) for cell, v in verdicts if v.best_peer]
        if rows:
            path = folder / f"{name}.svg"
            path.write_text(ratio_bars(f"Convoke against the best peer: {name}", rows))
            yield path


def headline(results):
    measured = results["cells"].values()
    if not measured:
        return "Nothing is measured yet: run `bench/peers/run`."
    where = results["machine"]
    noisy = sum(map(disturbed, measured))
    efforts = {json.dumps(one["effort"]) for one in measured}
    flops, moved = (max(one["rates"][what] for one in measured) / 1e9 for what in ("flops", "bytes"))
    lines = [
        f"- Machine: {where['processor']}, {where['cores']} cores, {where['memory_gib']} GiB; {where['system']}. "
        f"A core does {flops:.0f} GFLOP/s of multiply-adds; memory gives {moved:.0f} GB/s.",
        f"- Measured {min(one['when'] for one in measured)} to {max(one['when'] for one in measured)}; "
        f"rounds and seconds a round: {', '.join(sorted(efforts))}.",
        "- Versions: " + ", ".join(f"{name} {version}" for name, version in results["versions"].items()) + ".",
        "- Command: `bench/peers/run` (`--quick` for fewer rounds, `--page` for another file), which writes this file.",
    ]
    if noisy:
        lines.append(f"- **{noisy} of {len(measured)} cells (marked ¹) were measured while other processes used the "
                     "cores: not figures to quote.**")
    if far := sum(map(far_cores, measured)):
        lines.append(f"- **{far} of {len(measured)} cells (marked ²) were measured while a line of the cache took more "
                     "than 100 ns from core to core: the virtual machine's two cores shared no cache.**")
    return "\n".join(lines)


def render(results, plots):
    sizes = table(["shared libraries", "MiB"], [[TITLES[name], f"{size / MIB:.0f}"]
                                                for name, size in results["library_bytes"].items()])
    return f"""# Convoke against its peers

{headline(results)}

All get the same weights and inputs, in processes of their own, and are measured in turns within one run: medians of a
round, then of the rounds. PyTorch runs channels_last with glibc told to keep freed memory (`MALLOC_MMAP_MAX_=0`, a
large `MALLOC_TRIM_THRESHOLD_`). Everybody is compared with PyTorch's float64; a time whose result differs by more than
allowed, or that used more threads than asked for, ~~is struck out~~ and does not count. "Bound" is the sum over
Convoke's kernels of max(FLOP / multiply-add rate, bytes / read bandwidth), both measured just before the cell; Winograd
may go below it, and what stays in the caches, as all of LeNet does. LeNet is also measured from C (last columns); a
ratio compares C with C and Python with Python, the smaller one stands.

{plots}

## Inference
{standing_table(results, training=False)}

## Training step
Forward, loss, backward, SGD with momentum.

{standing_table(results, training=True)}

## Where we lose
{where_we_lose(results)}

## All times, ms
{peers_table(results, time_text, training=False)}

{peers_table(results, time_text, training=True)}

## Differences from PyTorch's float64
Largest difference of the outputs relative to their largest value (allowed: ours {cells.LIMITS['convoke']:.0e}, peers
{cells.PEER_LIMIT:.0e}); in training of the losses of two steps (allowed: {cells.LOSS_LIMIT:.0e}) / of all gradients, as
a norm (allowed: {cells.GRADIENT_LIMIT:g}; relus at zero decide otherwise in float32), without dropout.

{peers_table(results, difference_text, training=False)}

{peers_table(results, difference_text, training=True)}

## Peak memory
The process's high-water mark in MiB, in parentheses without what it was once the framework was imported (Python and
numpy are in Convoke's import, nothing in C's).

{peers_table(results, memory_text, training=True)}

{peers_table(results, memory_text, training=False)}

## From opening to the first result, ms
Opening the library or model, weights from files in the page cache, the first inference of one image.

{first_table(results)}

## Sizes
{compile_table(results)}

{sizes}

## Growth with batch and threads
{growth_table(results)}

{speed_up_table(results)}
"""


def write(results, page):
    """Plots go to a folder beside the page, named as it is."""
    plots = write_plots(results, page.with_suffix(""))
    page.write_text(render(results, "\n".join(f"![{plot.stem}]({plot.relative_to(page.parent)})" for plot in plots)))
    print(page)
