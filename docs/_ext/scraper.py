"""Puts figures of tutorials on their pages, without pyplot, which ours never touch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


class FigureScraper:
    """Saves the matplotlib figures that a block of a tutorial leaves in its variables, each once.

    A plotly figure is written into the page; its script is the copy that the installed plotly brings.
    """

    def __init__(self) -> None:
        self._shown: dict[str, set[int]] = {}

    def __repr__(self) -> str:
        return "FigureScraper()"

    def __call__(self, block: Any, block_vars: Mapping[str, Any], gallery_conf: Mapping[str, Any]) -> str:
        """The reStructuredText that shows the new figures of a block."""
        from sphinx_gallery.scrapers import figure_rst

        shown = self._shown.setdefault(str(block_vars["src_file"]), set())
        saved, written = [], []
        for value in list(block_vars["example_globals"].values()):
            kind = f"{type(value).__module__}.{type(value).__name__}"
            if id(value) in shown or kind not in (
                "matplotlib.figure.Figure",
                "plotly.graph_objs._figure.Figure",
            ):
                continue
            shown.add(id(value))
            if kind.startswith("matplotlib"):
                path = next(block_vars["image_path_iterator"])
                value.savefig(path, dpi=110, bbox_inches="tight")
                saved.append(path)
            else:
                html = value.to_html(full_html=False, include_plotlyjs="../../_static/plotly.min.js")
                lines = [f"    {line}" for line in html.splitlines()]
                written.append("\n".join([".. raw:: html", "", *lines, ""]))
        return "\n".join([figure_rst(saved, gallery_conf["src_dir"]), *written])


def copy_plotly(static: Path) -> None:
    """Put plotly's script beside the other static files."""
    import plotly.offline

    target = static / "plotly.min.js"
    if not target.exists():
        target.write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
