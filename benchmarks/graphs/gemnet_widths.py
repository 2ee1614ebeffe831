"""Which stage widths give GEMNet-A and GEMNet-B the published numbers of parameters and operations.

NASGEM (AAAI 2021), Table 1 gives parameters and multiply-accumulates of both, but neither cell nor widths.
For the cell of search_spaces/gemnet_imagenet.py this tries all rising widths on a grid, keeps those within a
tolerance of both numbers, and takes the ones that grow most evenly from stage to stage.

    python -m benchmarks.graphs.gemnet_widths
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from benchmarks.harness.records import publish, run_on_one_thread, script_parser
from benchmarks.harness.sections import Section, Table
from search_spaces import GEMNet
from search_spaces.complexity import Complexity, count_complexity
from search_spaces.gemnet_imagenet import TARGETS, gemnet_cell

IMAGE = 224
CLASSES = 1000


def complexity(widths: tuple[int, ...]) -> Complexity:
    """The network of these widths, counted on the meta device."""
    return count_complexity(
        lambda: GEMNet().build(gemnet_cell(), CLASSES, stem_stride=4, widths=widths), (3, IMAGE, IMAGE)
    )


def monomials(widths: np.ndarray) -> np.ndarray:
    """``(K, 12)``: 1, each width, its square, and the product of each width with the one before."""
    return np.hstack([np.ones((len(widths), 1)), widths, widths**2, widths[:, 1:] * widths[:, :-1]])


def all_counts(widths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Parameters and MACs ``(K, 2)`` of widths ``(K, 4)``.

    Both are polynomials exactly: a stage costs a quadratic term of its own width, and the convolution of
    stride 2 at its start the product with the width before. So a few counted networks give all of them.
    """
    some = rng.choice(widths, 24, replace=False)
    counted = np.array([complexity(tuple(row)) for row in some.tolist()], np.float64)
    coefficients, *_ = np.linalg.lstsq(monomials(some / widths.max()), counted, rcond=None)
    return np.rint(monomials(widths / widths.max()) @ coefficients).astype(np.int64)


def find(name: str, widths: np.ndarray, counts: np.ndarray, tolerance: float) -> dict[str, Any]:
    """The most evenly growing widths whose counts are those published for the network ``name``."""
    target = TARGETS[name]
    network: dict[str, Any] = {"published": {"parameters": target.parameters, "macs": target.macs}}
    close = np.flatnonzero(np.abs(counts / np.array(target) - 1).max(1) <= tolerance)
    network["candidates"] = len(close)
    if not len(close):
        return network
    growth = np.diff(np.log(widths[close]), axis=1)
    best = close[growth.std(1).argmin()]
    chosen = tuple(widths[best].tolist())
    counted = complexity(chosen)
    assert tuple(counted) == tuple(counts[best].tolist())
    return network | {"widths": list(chosen), "parameters": counted.parameters, "macs": counted.macs}


def section(record: dict[str, Any]) -> Section:
    """Widths, and both counts beside those published."""
    rows = []
    for name, network in record["networks"].items():
        ours = [f"{network[key] / 1e6:.3f}" if key in network else "none" for key in ("parameters", "macs")]
        paper = [f"{network['published'][key] / 1e6:.2f}" for key in ("parameters", "macs")]
        widths = ", ".join(map(str, network.get("widths", ()))) or "none"
        rows.append([name, widths, ours[0], paper[0], ours[1], paper[1], f"{network['candidates']:,}"])
    table = Table(
        f"Millions of parameters and of multiply-accumulates at {IMAGE} x {IMAGE}, {CLASSES:,} classes.",
        ("", "widths", "parameters", "paper", "MACs", "paper", "widths within tolerance"),
        rows,
    )
    return Section(
        "Widths of GEMNet-A and GEMNet-B",
        [table],
        "NASGEM gives both counts (Table 1), but neither cell nor widths: the cell is ours, the widths are "
        f"the most evenly growing multiples of {record['step']} within {record['tolerance']:.1%} of both.",
    )


def main() -> int:
    """Search, print and store."""
    parser = script_parser(__doc__, "gemnet_widths")
    parser.add_argument("--step", type=int, default=4, help="widths are multiples of this")
    parser.add_argument("--largest", type=int, default=320)
    parser.add_argument("--tolerance", type=float, default=0.01, help="relative, of parameters and of MACs")
    options = parser.parse_args()
    grid = range(options.step, options.largest + 1, options.step)
    widths = np.array(list(itertools.combinations(grid, 4)), np.int64)
    counts = all_counts(widths, np.random.default_rng(0))
    figures = {
        "step": options.step,
        "largest": options.largest,
        "tolerance": options.tolerance,
        "networks": {name: find(name, widths, counts, options.tolerance) for name in TARGETS},
    }
    publish(options.output, figures, section, ("graphnas", "numpy", "torch"))
    return 0


if __name__ == "__main__":
    run_on_one_thread(main)
