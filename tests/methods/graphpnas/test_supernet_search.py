"""Shared weights and a method in turns: what is trained, measured and told, and interrupted searches."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from graphnas.configuration import replaced
from graphnas.errors import CorruptData, InvalidArgument, TrainingFailed
from graphnas.evaluate import SupernetEvaluator
from graphnas.graph.evaluation import Evaluation
from graphnas.methods import RandomSearch, RegularizedEvolution
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.search import GraphPNAS
from graphnas.methods.graphpnas.supernet_search import SupernetSearch, SupernetSearchConfig
from search_spaces import ENASMacro

SPACE = ENASMacro(3, skip_probability=0.4)
TURNS = SupernetSearchConfig(steps=3, trained=6, evaluated=5, finalists=4, samples=3)


def images() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(120) % 2
    pixels = torch.rand(120, 1, 8, 8, generator=generator)
    pixels[:, :, :4] += 0.4 * labels[:, None, None, None]
    return pixels, labels


def shared(space=SPACE, **changes):
    data = (images(), images())
    arguments = {"batch_size": 54, "epochs": 3, "flip": False, "crop_padding": 0, "validation_fraction": 0.3}
    return SupernetEvaluator(space, data, shape={"width": 2}, progress=False, **{**arguments, **changes})


def graphpnas(seed=0):
    config = GraphPNASConfig.preset(
        "enas",
        n_startup_trials=5,
        batch_size=5,
        epochs=4,
        epsilon_steps=2,
        hidden_size=16,
        steps=2,
        mixtures=2,
    )
    return GraphPNAS(SPACE, config, seed=seed)


METHODS = {
    "evolution": lambda: RegularizedEvolution(SPACE, population_size=5, tournament_size=2),
    "random": lambda: RandomSearch(SPACE),
    "graphpnas": graphpnas,
}


class Recorder:
    """An evaluator that keeps what it was asked; its values are a function of architecture and epoch."""

    def __init__(self, space=SPACE, fail: int | None = None) -> None:
        self.space, self.epoch, self.calls, self.fail = space, 0, [], fail

    def train(self, epochs, architectures):
        self.calls.append(("train", list(architectures)))
        self.epoch += epochs
        return [type("Epoch", (), {"train_loss": 1 / self.epoch})]

    def value(self, architecture):
        return float(architecture.operations.sum() + architecture.num_edges / 100 + 10 * self.epoch)

    def evaluate_batch(self, architectures):
        self.calls.append(("evaluate", list(architectures)))
        found = [Evaluation(self.value(a)) for a in architectures]
        if self.fail is not None:
            found[self.fail] = Evaluation.failure("diverged")
        return found

    def state_dict(self):
        return {"epoch": self.epoch}

    def load_state_dict(self, state):
        self.epoch = state["epoch"]


def keys(architectures):
    return [SPACE.key(architecture) for architecture in architectures]


@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_a_step_trains_on_one_set_and_tells_the_other(make):
    method, evaluator = make(), Recorder()
    result = SupernetSearch(method, evaluator, TURNS, progress=False).run()
    assert [kind for kind, _ in evaluator.calls] == ["train", "evaluate"] * 3 + ["evaluate"]
    for step in range(3):
        trained, measured = evaluator.calls[2 * step][1], evaluator.calls[2 * step + 1][1]
        assert (len(trained), len(measured)) == (6, 5)
        assert not set(keys(trained)) & set(keys(measured))
    told = method.observations
    assert [o.architecture for o in told] == [a for kind, asked in evaluator.calls[1:6:2] for a in asked]
    evaluator.epoch = 0
    expected = [evaluator.value(o.architecture) + 10 * (1 + k // 5) for k, o in enumerate(told)]
    assert [o.values[0] for o in told] == pytest.approx(expected)
    assert [step.epoch for step in result.steps] == [1, 2, 3]
    assert [step.train_loss for step in result.steps] == [1, 1 / 2, 1 / 3]


def test_the_best_are_measured_again_beside_new_ones():
    method, evaluator = METHODS["random"](), Recorder()
    result = SupernetSearch(method, evaluator, TURNS, progress=False).run()
    final = evaluator.calls[-1][1]
    told = sorted(method.observations, key=lambda o: -o.values[0])
    assert final[:4] == [o.architecture for o in told[:4]]
    assert len(final) == 7
    assert not set(keys(final[4:])) & set(keys(o.architecture for o in told))
    values = [evaluation.value for _, evaluation in result.ranking]
    assert values == sorted((evaluator.value(a) for a in final), reverse=True)
    assert result.best == result.ranking[0][0]


def test_finalists_are_ranked_by_the_best_of_their_values():
    method, evaluator = METHODS["random"](), Recorder()
    first, second = method.ask(2)
    for architecture, value in ((first, 1.0), (second, 2.0), (first, 3.0)):
        method.tell(architecture, value)
    search = SupernetSearch(method, evaluator, SupernetSearchConfig(finalists=1, samples=0), progress=False)
    search._ranking()
    assert evaluator.calls == [("evaluate", [first])]


def test_failed_evaluations_are_told_as_such():
    method = METHODS["evolution"]()
    result = SupernetSearch(method, Recorder(fail=2), TURNS, progress=False).run()
    assert [k for k, o in enumerate(method.observations) if o.values is None] == [2, 7, 12]
    assert math.isnan(result.steps[0].values[2])
    assert result.ranking[-1][1].failed
    assert not result.ranking[0][1].failed


@pytest.mark.parametrize("make", METHODS.values(), ids=METHODS)
def test_an_interrupted_search_goes_on_bit_for_bit(tmp_path, make):
    whole = SupernetSearch(make(), shared(), TURNS, progress=False).run()

    class Interrupted(Exception):
        """Instead of a process that is killed."""

    class Breaking(SupernetEvaluator):
        def train(self, epochs=1, architectures=None):
            results = super().train(epochs, architectures)
            if self.epoch == 2 and len(reported) == 1:
                raise Interrupted  # after the weights have changed, before the method was told
            return results

    reported = []
    evaluator = shared()
    evaluator.__class__ = Breaking
    path = tmp_path / "search.pt"
    search = SupernetSearch(make(), evaluator, TURNS, checkpoint=path, progress=False)
    with pytest.raises(Interrupted):
        search.run(report=reported.append)
    again = SupernetSearch(make(), shared(), TURNS, checkpoint=path, progress=False)
    assert len(again.steps) == 1
    resumed = again.run(report=reported.append)
    assert [step.step for step in reported] == [1, 2, 3]
    assert resumed.steps == whole.steps
    assert [a for a, _ in resumed.ranking] == [a for a, _ in whole.ranking]
    assert [e.value for _, e in resumed.ranking] == [e.value for _, e in whole.ranking]
    assert [p.name for p in tmp_path.iterdir()] == ["search.pt"]


def test_a_finished_search_can_be_made_longer(tmp_path):
    path = tmp_path / "search.pt"
    arguments = {"checkpoint": path, "progress": False}
    longer = SupernetSearchConfig.preset("default", steps=4, trained=6, evaluated=5, samples=0)
    whole = SupernetSearch(METHODS["evolution"](), Recorder(), longer, progress=False).run()
    SupernetSearch(METHODS["evolution"](), Recorder(), TURNS, **arguments).run()
    resumed = SupernetSearch(METHODS["evolution"](), Recorder(), longer, **arguments).run()
    assert resumed.steps == whole.steps
    assert [a for a, _ in resumed.ranking] == [a for a, _ in whole.ranking]


def test_the_device_of_the_generator_is_no_part_of_a_checkpoint(tmp_path):
    """A search that ran on a card goes on without one."""
    search = SupernetSearch(graphpnas(), shared(), TURNS, checkpoint=tmp_path / "search.pt", progress=False)
    search._save(tmp_path / "search.pt")
    other = GraphPNAS(SPACE, replaced(graphpnas().config, device="auto"), seed=0)
    assert SupernetSearch(other, shared(), TURNS, checkpoint=tmp_path / "search.pt").steps == []


def test_checkpoints_of_something_else_are_refused(tmp_path):
    path = tmp_path / "search.pt"
    SupernetSearch(graphpnas(), Recorder(), TURNS, checkpoint=path, progress=False).run()
    for method, config, message in (
        (METHODS["evolution"](), TURNS, "method 'GraphPNAS', not 'RegularizedEvolution'"),
        (graphpnas(seed=1), TURNS, "method_seed 0, not 1"),
        (GraphPNAS(SPACE), TURNS, "method_config"),
        (graphpnas(), SupernetSearchConfig(evaluated=5), "config"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            SupernetSearch(method, Recorder(), config, checkpoint=path)
    content = torch.load(path, weights_only=True)
    for change in ({"steps": 3}, {"method_state": "{"}, {"steps": [{"step": 1}]}):
        torch.save({**content, **change}, path)
        with pytest.raises(CorruptData, match=r"search\.pt is a damaged checkpoint"):
            SupernetSearch(graphpnas(), Recorder(), TURNS, checkpoint=path)
    path.write_bytes(b"PK")
    with pytest.raises(CorruptData, match=r"search\.pt"):
        SupernetSearch(graphpnas(), Recorder(), TURNS, checkpoint=path)


def test_training_that_diverges_ends_the_search(tmp_path):
    evaluator = shared(learning_rate=1e30, gradient_clip=None)
    with pytest.raises(TrainingFailed, match="diverged"):
        SupernetSearch(METHODS["random"](), evaluator, TURNS, progress=False).run()


def test_evolution_on_shared_weights_finds_better_than_it_began_with():
    config = SupernetSearchConfig(steps=6, epochs_per_step=3, trained=10, evaluated=8, samples=3)
    evaluator = shared(epochs=18, batch_size=21)
    result = SupernetSearch(METHODS["evolution"](), evaluator, config, progress=False).run()
    assert np.mean(result.steps[-1].values) > np.mean(result.steps[0].values) + 10
    assert result.ranking[0][1].value > 80


def test_the_papers_counts():
    config = SupernetSearchConfig.preset("paper")
    assert (config.steps, config.epochs_per_step, config.evaluated) == (300, 5, 100)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SupernetSearchConfig(steps=0), "steps.*0"),
        (lambda: SupernetSearchConfig(samples=-1), "samples.*-1"),
        (lambda: SupernetSearchConfig(trained=2.5), r"trained.*2\.5"),
        (lambda: SupernetSearchConfig.preset("papers"), "papers"),
        (lambda: SupernetSearch(RandomSearch(SPACE), Recorder(), TURNS, preset="paper"), "not both"),
        (lambda: SupernetSearch(RandomSearch(ENASMacro(4)), Recorder()), "num_layers=4.*num_layers=3"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(InvalidArgument, match=message):
        call()
