"""Plots of a study: their data against what the study holds, and both ways of drawing them."""

from __future__ import annotations

import json

import numpy as np
import optuna
import pytest
from small_space import SmallSpace

from graphnas.errors import InvalidArgument
from optuna_graphnas import RandomArchitectureSampler, suggest_architecture, visualization
from optuna_graphnas.visualization import data
from optuna_graphnas.visualization import matplotlib as drawn
from search_spaces import ENASMacro6, GEMNet, NASBench201, RandWire

SPACE = GEMNet(num_nodes=6)
PLOTS = [name for name in visualization.__all__ if name != "plot_regret"]


def searched(space, trials=30, direction="maximize", objective=None):
    study = optuna.create_study(direction=direction, sampler=RandomArchitectureSampler(space, seed=0))
    score = objective or (lambda architecture: float(architecture.num_edges))
    study.optimize(lambda trial: score(suggest_architecture(trial, space)), n_trials=trials)
    return study


@pytest.fixture(scope="module")
def study():
    return searched(SPACE)


@pytest.mark.parametrize("name", PLOTS)
def test_both_ways_of_drawing_have_the_same_plots(study, name, tmp_path):
    figure = getattr(visualization, name)(study, SPACE)
    assert len(figure.data) > 0
    stored = figure.to_json()
    assert "NaN" not in stored
    assert len(stored) < 200_000, "it is stored whole in the study"
    assert (
        json.loads(stored)["layout"]["template"] in ({}, {"data": {}, "layout": {}}) or len(stored) < 120_000
    )
    path = tmp_path / "plot.png"
    getattr(drawn, name)(study, SPACE).savefig(path)
    assert path.stat().st_size > 2000
    assert set(drawn.__all__) == set(visualization.__all__)


@pytest.mark.parametrize("space", [NASBench201(), ENASMacro6(), RandWire(num_nodes=12), SmallSpace()])
def test_every_kind_of_space_is_drawn(space):
    study = searched(space, trials=12, objective=lambda architecture: float(architecture.num_edges % 5))
    figure = visualization.plot_architectures(study, space, count=2)
    nodes = [trace for trace in figure.data if trace.text and str(trace.text[0]).startswith("0: ")]
    sizes = [len(trace.text) for trace in nodes]
    assert sizes == [len(cell.node_ops) for cell in data.architectures_info(study, space, count=2).cells]
    assert visualization.plot_generations(study, space, size=4).data


def test_the_best_are_drawn_in_their_order_and_once(study):
    info = data.architectures_info(study, SPACE, count=4)
    values = sorted({t.value for t in study.trials}, reverse=True)
    assert info.captions[0].startswith(f"value {values[0]:.4g}, trial ")
    shown = [float(caption.split()[1].rstrip(",")) for caption in info.captions]
    assert shown == sorted(shown, reverse=True)
    smallest = data.architectures_info(searched(SPACE, direction="minimize"), SPACE, count=1)
    assert smallest.captions[0].startswith(f"value {values[-1]:.4g}, ")


def test_a_point_of_the_latent_space_says_its_trial(study):
    info, numbers = data.latent_space_info(study, SPACE)
    assert [study.trials[n].value for n in numbers] == info.values.tolist()
    (trace,) = visualization.plot_latent_space(study, SPACE).data
    assert len(trace.x) == 30
    best = study.best_trial
    assert f"trial {best.number}: {best.value:.4g}" in trace.text


def test_alike_architectures_have_alike_features():
    rng = np.random.default_rng(0)
    one = SPACE.sample(rng)
    near, far = SPACE.mutate(one, rng), SPACE.sample(rng)
    features = data.wl_features([one, one, near, far], SPACE)
    assert np.allclose(features[0], features[1])
    assert np.allclose((features**2).sum(1), 1)
    assert features[0] @ features[2] > features[0] @ features[3]


class Encoder:
    def encode(self, architectures):
        return np.array([[a.num_edges, a.num_nodes] for a in architectures], float), None


def test_an_encoder_gives_the_latents(study):
    info, numbers = data.latent_space_info(study, SPACE, encoder=Encoder())
    edges = np.array([SPACE.from_parameters(study.trials[n].params).num_edges for n in numbers], float)
    assert abs(np.corrcoef(info.points[0][:, 0], edges)[0, 1]) > 0.999


def test_failed_and_pruned_trials_have_no_value():
    study = optuna.create_study(direction="maximize", sampler=RandomArchitectureSampler(SPACE, seed=0))

    def objective(trial):
        architecture = suggest_architecture(trial, SPACE)
        if trial.number % 3 == 1:
            raise optuna.TrialPruned
        return float("nan") if trial.number % 3 == 2 else float(architecture.num_edges)

    study.optimize(objective, n_trials=9)
    found = data.evaluated(study, SPACE)
    assert len(found.architectures) == 9
    assert np.isfinite(found.values).tolist() == [True, False, False] * 3
    assert visualization.plot_regret(study).data[1].y[-1] == study.best_value


def test_a_second_architecture_is_found_under_its_name():
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = SmallSpace()
    study.optimize(
        lambda trial: float(suggest_architecture(trial, space, name="decoder").num_edges), n_trials=4
    )
    assert visualization.plot_architectures(study, space, name="decoder").data
    with pytest.raises(InvalidArgument, match="no finished trial"):
        visualization.plot_architectures(study, space)


def test_the_regret_is_the_distance_to_the_optimum(study):
    _, best = visualization.plot_regret(study, optimum=40.0).data
    values = np.maximum.accumulate([t.value for t in study.trials])
    assert np.allclose(best.y, 40 - values)
    assert visualization.plot_regret(study, optimum=40.0).layout.yaxis.type == "log"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"objective": 1}, "objective must be from 0 to 0"),
        ({"columns": 0}, "columns must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(study, options, message):
    with pytest.raises(InvalidArgument, match=message):
        visualization.plot_architectures(study, SPACE, **options)


def test_too_few_trials_are_an_error_that_says_so():
    empty = optuna.create_study()
    with pytest.raises(InvalidArgument, match="no finished trial"):
        visualization.plot_motifs(empty, SPACE)
    with pytest.raises(InvalidArgument, match="at least 3 trials"):
        visualization.plot_latent_space(searched(SPACE, trials=2), SPACE)
    with pytest.raises(InvalidArgument, match="no trial"):
        visualization.plot_regret(empty)
