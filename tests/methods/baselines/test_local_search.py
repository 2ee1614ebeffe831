"""LocalSearch where different architectures share a key."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphnas import Architecture, GraphSpace
from graphnas.methods import LocalSearch


class Coarse(GraphSpace):
    """DAGs of five nodes whose key says little about their neighbours."""

    name = "coarse"
    max_nodes = 5

    def key(self, architecture: Architecture) -> str:
        return str(sorted(architecture.adjacency.sum(1).tolist()))

    def build(self, architecture: Architecture, num_classes: int, **shape: Any) -> Any:
        raise NotImplementedError


@pytest.mark.parametrize(("seed", "workers"), [(17, 6), (1, 12), (8, 12)])
def test_late_values_lead_where_a_rebuilt_search_goes(seed, workers):
    """A value that arrives late can move the walk to another architecture of the same key and place."""
    space = Coarse()
    search = LocalSearch(space, seed=seed)
    rng = np.random.default_rng(seed)
    pending: list[Architecture] = []
    for _ in range(30):
        while len(pending) < workers:
            pending += search.ask(1, pending)
        architecture = pending.pop(int(rng.integers(workers)))
        search.tell(architecture, float(architecture.num_edges + rng.integers(3)))
        rebuilt = LocalSearch(space)
        rebuilt.load_state_dict(search.state_dict())
        assert rebuilt.ask(1, pending) == search.ask(1, pending)
