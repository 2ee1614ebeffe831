"""The tables of known results: every architecture of a space with what it reached, as plain arrays."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from graphnas.errors import InvalidArgument

if TYPE_CHECKING:
    from graphnas.graph.space import GraphSpace
    from search_spaces.tables.base import Table

SPACES_WITH_TABLES = ("enas6", "nasbench101", "nasbench201")


def open_table(space: GraphSpace, data_dir: str | os.PathLike[str] | None = None) -> Table:
    """The table of ``space`` from the data directory.

    Args:
        space: A space that has a table.
        data_dir: Where to look; by default ``$GRAPHNAS_DATA``, otherwise ``~/.cache/graphnas``.

    Raises:
        InvalidArgument: There is no table for the space.
        DataNotFound: The table is not in the data directory; the message says how to get it.
        CorruptData: The file is truncated, damaged or of another kind.
    """
    if space.name == "enas6":
        from search_spaces.tables.enas6 import open_enas6

        return open_enas6(data_dir)
    if space.name == "nasbench101":
        from search_spaces.tables.nasbench101 import open_nasbench101

        return open_nasbench101(data_dir)
    if space.name == "nasbench201":
        from search_spaces.tables.nasbench201 import open_nasbench201

        return open_nasbench201(data_dir)
    raise InvalidArgument(
        f"no table of results for the space {space.name!r}; there is one for: {', '.join(SPACES_WITH_TABLES)}"
    )
