"""``graphnas show`` for a learned distribution: its most probable architectures, and a drawing of samples."""

from __future__ import annotations

import math
from pathlib import Path

from graphnas.cli.text import architecture_text, table
from graphnas.errors import InvalidArgument
from graphnas.graph.space import GraphSpace

SAMPLES = 1000
"""Samples among which the most probable are looked for."""

DRAWN = 12
"""Samples in a drawing."""


def is_tensor_file(path: Path) -> bool:
    """Whether the file is a zip archive, as a saved distribution is, rather than text."""
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False


def show_distribution(path: Path, *, space: GraphSpace | None, top: int, plot: Path | None) -> None:
    """Print the most probable architectures of the distribution in ``path``, and draw samples if asked.

    Raises:
        CorruptData: The file is no distribution, or damaged.
        InvalidArgument: The space is needed and missing, or the drawing cannot be written.
        MissingExtra: matplotlib is needed and not installed.
    """
    from graphnas.methods import LearnedDistribution

    learned = LearnedDistribution.load(path, space=space)
    ranked = learned.top_k(top, samples=SAMPLES)
    print(f"Distribution over {learned.space.name}; the most probable of {SAMPLES} samples:\n")
    to_string = getattr(learned.space, "to_string", None)
    rows = [
        [
            str(rank),
            f"{entry.log_prob:.2f}",
            f"{math.exp(entry.log_prob):.2g}",
            to_string(entry.architecture) if to_string else f"{entry.architecture.num_edges} edges",
        ]
        for rank, entry in enumerate(ranked, start=1)
    ]
    print(table(["#", "log p", "p", "architecture"], rows, right=[True, True, True, False]))
    print(f"\nThe first:\n{architecture_text(ranked[0].architecture, learned.space)}")
    if plot is None:
        return
    from graphnas.plots import plot_samples

    try:
        plot_samples(learned, DRAWN).savefig(plot, dpi=150)
    except (OSError, ValueError) as error:  # no such directory; a format that matplotlib does not know
        raise InvalidArgument(f"cannot write --plot {plot}: {error}") from error
    print(f"\nWritten to {plot}")
