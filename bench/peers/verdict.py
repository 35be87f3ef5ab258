"""What results.json says about a cell: who is fastest, how far from the bars and from the bound."""
from typing import NamedTuple

import cells

DISTURBED_CORES = 0.15  # used by others while a figure was taken
FAR_CORES = 1e-7  # seconds from core to core: they share no cache


class Verdict(NamedTuple):
    ours_ms: float
    best_peer: str  # None when no peer's time counts
    best_ms: float
    ratio: float  # best peer / ours
    stands: str


def counts(result):
    return result is not None and "ms" in result and not result["failure"]


def ours_of(peer):
    return cells.OURS.get(peer, "convoke")


def standing(ratio, bar):
    if ratio >= bar.reach:
        return "reached"
    if ratio >= bar.least:
        return "at least"
    return "below" if ratio >= 1 else "**loses**"


def verdict(measured, bar):
    """A peer in C is compared with ours in C, one in Python with ours in Python; the smallest ratio is the cell's."""
    peers = measured["peers"]
    ratios = {peer: one["ms"] / peers[ours_of(peer)]["ms"] for peer, one in peers.items()
              if not peer.startswith("convoke") and counts(one) and counts(peers.get(ours_of(peer)))}
    if not ratios:
        return Verdict(peers["convoke"].get("ms"), None, None, None, "**does not count**")
    best = min(ratios, key=ratios.get)
    return Verdict(peers[ours_of(best)]["ms"], best, peers[best]["ms"], ratios[best], standing(ratios[best], bar))


def bound_ms(measured):
    """sum over kernels of max(FLOP / rate, bytes / bandwidth); Winograd may go below."""
    rates, threads = measured["rates"], measured["cell"]["threads"]
    return 1000 * sum(max(flops / (rates["flops"] * threads), moved / rates["bytes"])
                      for flops, moved in measured["work"])


def disturbed(measured):
    return any(one.get("others", 0) > DISTURBED_CORES for one in measured["peers"].values())


def far_cores(measured):
    """A virtual machine's cores may lie apart at one time and not at another: the worse of before and after."""
    return max(measured["rates"].get("core_to_core", 0), measured.get("core_to_core_after", 0)) > FAR_CORES
