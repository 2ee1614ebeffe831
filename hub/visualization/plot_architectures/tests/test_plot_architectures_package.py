from __future__ import annotations

from pathlib import Path

import optuna
from optuna_graphnas import RandomArchitectureSampler
from optuna_graphnas import suggest_architecture
import optunahub
import pytest
from search_spaces import GEMNet


ROOT = Path(__file__).parents[3]
SPACE = GEMNet(num_nodes=6)
MODULE = optunahub.load_local_module("visualization/plot_architectures", registry_root=str(ROOT))


@pytest.fixture(scope="module")
def study() -> optuna.Study:
    study = optuna.create_study(sampler=RandomArchitectureSampler(SPACE, seed=0))
    study.optimize(lambda trial: suggest_architecture(trial, SPACE).num_edges, n_trials=30)
    return study


@pytest.mark.parametrize("name", [name for name in MODULE.__all__ if name != "matplotlib"])
def test_every_plot_is_drawn_by_both(study: optuna.Study, name: str, tmp_path: Path) -> None:
    assert len(getattr(MODULE, name)(study, SPACE).data) > 0
    path = tmp_path / "plot.png"
    getattr(MODULE.matplotlib, name)(study, SPACE).savefig(path)
    assert path.stat().st_size > 1000
