"""What all plots share: a figure outside of pyplot, and colours that stay apart for colour-blind readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.optional import require

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito, "Color universal design" (2008), without black, which text uses.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
INK = "#222222"
FAINT = "#B8B8B8"
NEUTRAL = "#E6E6E6"


def colour(index: int) -> str:
    """The ``index``-th colour; they repeat after seven."""
    return COLOURS[index % len(COLOURS)]


def ink_on(tint: str) -> str:
    """Black or white, whichever is easier to read on ``tint`` (``#RRGGBB``)."""
    red, green, blue = (int(tint[k : k + 2], 16) for k in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 130 else "white"


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of ``width`` x ``height`` inches with an Agg canvas of its own.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    figure: Figure = require("matplotlib.figure", "plots").Figure(figsize=(width, height))
    require("matplotlib.backends.backend_agg", "plots").FigureCanvasAgg(figure)
    return figure
