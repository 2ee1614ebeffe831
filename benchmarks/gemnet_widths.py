"""How the stage widths of GEMNet-A and GEMNet-B were found; nothing else about these networks is searched.

NASGEM (AAAI 2021), Table 1 gives parameters and multiply-accumulates of both, but neither cell nor widths.
For the cell of search_spaces/gemnet_imagenet.py this walks through all rising widths on a grid, keeps those
within a tolerance of both numbers, and takes the ones that grow most evenly from stage to stage.

    python benchmarks/gemnet_widths.py
"""

from __future__ import annotations

import argparse
import itertools
import sys

import numpy as np
import torch

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


def main() -> int:
    """Search and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--step", type=int, default=4, help="widths are multiples of this")
    parser.add_argument("--largest", type=int, default=320)
    parser.add_argument("--tolerance", type=float, default=0.01, help="relative, of parameters and of MACs")
    given = parser.parse_args()
    grid = range(given.step, given.largest + 1, given.step)
    widths = np.array(list(itertools.combinations(grid, 4)), np.int64)
    counts = all_counts(widths, np.random.default_rng(0))
    for name, target in TARGETS.items():
        error = np.abs(counts / np.array(target) - 1).max(1)
        close = np.flatnonzero(error <= given.tolerance)
        if not len(close):
            print(f"{name}: no widths within {given.tolerance:.1%}")
            continue
        growth = np.diff(np.log(widths[close]), axis=1)
        best = close[growth.std(1).argmin()]
        chosen = tuple(widths[best].tolist())
        counted = complexity(chosen)
        assert tuple(counted) == tuple(counts[best].tolist())
        print(
            f"{name}: widths {chosen}, {counted.parameters:,} parameters ({target.parameters:,} published), "
            f"{counted.macs:,} MACs ({target.macs:,}); {len(close)} candidates"
        )
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
