"""What the benchmarks' plots share: panels in the house style, and small files that know their record."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphnas.optional import require
from graphnas.plots.style import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 90
COLOURS = 64
STAMP = "Record"
"""Name of the text in a plot's file that holds the digest of the record it was drawn from."""


def panels(count: int, width: float = 4.0, height: float = 3.4) -> tuple[Figure, list[Any]]:
    """A figure with ``count`` axes side by side, each ``width`` x ``height`` inches."""
    figure = new_figure(width * count, height)
    figure.set_layout_engine("constrained")
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    for one in axes:
        one.grid(color="#E3E3E3", linewidth=0.8)
        one.set_axisbelow(True)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def label(axes: Any, x: str, y: str, title: str = "") -> None:
    """Name the axes and, if wanted, the panel."""
    axes.set_xlabel(x, color=INK)
    axes.set_ylabel(y, color=INK)
    if title:
        axes.set_title(title, color=INK, fontsize=10)


def whole_numbers(axes: Any) -> None:
    """Ticks of the horizontal axis at whole numbers, as for epochs."""
    axes.xaxis.set_major_locator(require("matplotlib.ticker", "plots").MaxNLocator(integer=True))


def legend_above(figure: Figure, columns: int = 4) -> None:
    """One legend over all panels, with the names in the first of them."""
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside upper center", ncols=min(columns, len(names)), frameon=False, fontsize=9
    )


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write the figure to ``folder``, and return its name there."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})
    return name


def digest(record: Path) -> str:
    """A hash of the content of a record."""
    return hashlib.sha256(record.read_bytes()).hexdigest()[:16]


def stamp(plot: Path, record: Path) -> None:
    """Make the file of a plot small, by a palette of few colours, and note in it which record it shows."""
    images = require("PIL.Image", "plots")
    text = require("PIL.PngImagePlugin", "plots").PngInfo()
    text.add_text(STAMP, digest(record))
    with images.open(plot) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=images.Dither.NONE)
    small.save(plot, optimize=True, pnginfo=text)


def is_current(plot: Path, record: Path) -> bool:
    """Whether the file is there and was drawn from the record as it is now."""
    if not plot.is_file():
        return False
    with require("PIL.Image", "plots").open(plot) as image:
        return image.info.get(STAMP) == digest(record)
