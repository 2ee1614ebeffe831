"""What plotly figures of ours share: an empty one without plotly's large default template, and its frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphnas.optional import require
from graphnas.plots.style import INK

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

GRID = "#E3E3E3"


def new_figure(**layout: Any) -> Figure:
    """An empty figure on white with ``layout``.

    A figure carries its template with it, and is stored whole in a study: the default one is larger than our
    data.

    Raises:
        MissingExtra: plotly is not installed.
    """
    objects = require("plotly.graph_objects", "plots")
    figure: Figure = objects.Figure()
    figure.update_layout(
        template=objects.layout.Template(),
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"color": INK, "size": 12},
        title_x=0.02,  # beside the buttons that plotly shows in the corner
        margin={"l": 60, "r": 20, "t": 60, "b": 50},
        **layout,
    )
    return figure


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis with a grid and a title."""
    return {"title": {"text": title}, "gridcolor": GRID, "zeroline": False, "automargin": True, **more}


def bare_axis(**more: Any) -> dict[str, Any]:
    """An axis without anything to see."""
    return {"visible": False, **more}
