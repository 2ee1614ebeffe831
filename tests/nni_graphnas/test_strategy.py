"""The strategies on NNI's sequential engine: the behaviours that NNI asks of its own, and ours."""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nni
import nni_cases as cases
import numpy as np
import optuna
import pytest
from nni.nas.execution.event import ModelEventType
from nni.nas.space import ModelStatus
from nni.nas.strategy.middleware import (
    Chain,
    Deduplication,
    FailureHandler,
    Filter,
    MultipleEvaluation,
)

from graphnas.errors import DataNotFound, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import GraphBOConfig
from nni_graphnas.journal import Result
from nni_graphnas.strategy import NASGEM, GraphBO, GraphPNAS, GraphStrategy, LatentBO
from optuna_graphnas import (
    GraphBOSampler,
    GraphPNASSampler,
    LatentBOSampler,
    NASGEMSampler,
    RandomArchitectureSampler,
    suggest_architecture,
)
from search_spaces import GEMNet, NASBench201

STRATEGIES = {
    "graphbo": GraphBO,
    "nasgem": functools.partial(NASGEM, cases.QUICK_NASGEM),
    "random": lambda **options: GraphStrategy(cases.random_search, **options),
    "evolution": lambda **options: GraphStrategy(cases.evolution, **options),
}


@pytest.fixture(params=STRATEGIES)
def make(request):
    return STRATEGIES[request.param]


def proposed(engine, space=cases.SPACE):
    """The architectures that an engine was given, in order."""
    return [space.from_parameters(model.sample) for model in engine.list_models()]


def callbacks_of(engine):
    return [callback for registered in engine._callbacks.values() for callback in registered]


# ---------------------------------------------------------------- what NNI asks of its own strategies


def test_it_finds_the_optimum():
    strategy = GraphBO(seed=0)
    strategy(cases.executable(), cases.engine(60))
    assert strategy.best().value == cases.BEST
    assert next(strategy.list_models()).metric == cases.BEST


def test_proposals_are_valid_new_and_as_many_as_the_budget(make):
    engine = cases.engine(40)
    make(seed=0)(cases.executable(), engine)
    found = proposed(engine)
    assert len(found) == 40
    assert len({cases.SPACE.key(architecture) for architecture in found}) == 40
    assert all(model.metric == cases.quality(a) for model, a in zip(engine.list_models(), found, strict=True))


def test_the_seed_decides(make):
    runs = []
    for seed in (3, 3, 4):
        engine = cases.engine(15)
        make(seed=seed)(cases.executable(), engine)
        runs.append(proposed(engine))
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


@pytest.mark.parametrize(
    ("strategy", "written"),
    [
        (lambda: GraphBO(), "GraphBO(preset='default', seed=None)"),
        (lambda: NASGEM(preset="paper", seed=3), "NASGEM(preset='paper', seed=3)"),
        (lambda: GraphBO(GraphBOConfig(), seed=3), f"GraphBO(config={GraphBOConfig()!r}, seed=3)"),
        (lambda: GraphStrategy(cases.evolution, seed=1), "GraphStrategy(method=evolution, seed=1)"),
    ],
)
def test_repr(strategy, written):
    assert repr(strategy()) == written


def test_a_strategy_runs_once(make):
    strategy = make(seed=0)
    with pytest.raises(RuntimeError, match="not initialised"):
        strategy.results()
    strategy(cases.executable(), cases.engine(3))
    with pytest.raises(RuntimeError, match="already been initialized"):
        strategy(cases.executable(), cases.engine(3))


def test_a_state_that_json_keeps_goes_on_as_if_uninterrupted(make):
    whole = cases.engine(30)
    make(seed=5)(cases.executable(), whole)

    first, engine = make(seed=5), cases.engine(17)
    first(cases.executable(), engine)
    state = json.loads(json.dumps(first.state_dict()))
    second, rest = make(), cases.engine(13)  # the seed is in the state
    second.initialize(cases.executable(), rest)
    second.load_state_dict(state)
    second.run()
    assert proposed(engine) + proposed(rest) == proposed(whole)
    assert [r.architecture for r in second.results()] == proposed(whole)
    assert second.state_dict()["running"] == []


def test_what_was_running_is_proposed_again():
    strategy = GraphStrategy(cases.random_search, seed=0)
    strategy.initialize(cases.executable(), cases.engine())
    running = strategy._next_model()
    state = strategy.state_dict()
    assert len(state["running"]) == 1
    later = GraphStrategy(cases.random_search)
    later.initialize(cases.executable(), cases.engine())
    later.load_state_dict(state)
    assert later._next_model().sample == running.sample


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 99},
        {"space": "other"},
        {"minimize": True},
        {"results": [{"value": 1}]},
        {"results": [Result(GEMNet(6).sample(np.random.default_rng(0)), 1.0).to_dict()]},
        {"seed": None},
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(damage, tmp_path):
    strategy = GraphBO(seed=0, journal=tmp_path / "journal")
    strategy(cases.executable(), cases.engine(3))
    other = GraphBO(seed=0, journal=tmp_path / "journal")
    other.initialize(cases.executable(), cases.engine(3))
    with pytest.raises(InvalidArgument):
        other.load_state_dict({**strategy.state_dict(), **damage})
    assert other.results() == strategy.results()


MIDDLEWARE = {
    "filter": lambda: Filter(lambda model: model.sample["small/edge_1_3"]),
    "filter_with_metric": lambda: Filter(lambda m: m.sample["small/edge_1_3"], metric_for_invalid=-1.0),
    "deduplication": lambda: Deduplication(action="invalid"),
    "failure": lambda: FailureHandler(metric=-1.0),
    "retry": lambda: FailureHandler(retry_patience=2, failure_types=(ModelStatus.Failed,)),
    "repeat": lambda: MultipleEvaluation(2),
}


@pytest.mark.parametrize("name", MIDDLEWARE)
def test_middleware_leaves_no_callback_behind(make, name):
    engine = cases.engine(24)
    strategy = make(seed=0)
    chain = Chain(strategy, MIDDLEWARE[name]())
    chain(cases.executable(), engine)
    assert (
        callbacks_of(engine) == []
    )  # Filter keeps callbacks of every strategy, NNI's own included, to itself
    results = strategy.results()
    known = [r for r in results if r.value is not None and r.value != -1.0]
    assert known
    assert all(result.value == cases.quality(result.architecture) for result in known)
    assert len({cases.SPACE.key(result.architecture) for result in results}) == len(results)
    if name.startswith("filter"):
        refused = [result for result in results if result not in known]
        assert refused
        assert all(not result.architecture.adjacency[1, 3] for result in refused)
        assert all(result.architecture.adjacency[1, 3] for result in known)
    best = next(chain.list_models())
    assert best.metric == strategy.best().value
    state = json.loads(json.dumps(chain.state_dict()["strategy"]))
    later = make()
    later.initialize(cases.executable(), cases.engine())
    later.load_state_dict(state)
    assert later.results() == results


# ---------------------------------------------------------------- hyper-parameters of the evaluator


def test_mutables_of_the_evaluator_are_chosen_too(make):
    def report(model, rate, size, steps, decay, shift):
        assert 1e-5 <= decay <= 1e-2
        assert steps in (10, 15, 20, 25, 30)
        assert isinstance(shift, float)
        nni.report_final_result(cases.quality(cases.current_architecture()) - abs(rate - 0.5) + size / 100)

    numbers = {
        "rate": nni.uniform("rate", 0.0, 1.0),
        "size": nni.choice("size", [1, 2]),
        "steps": nni.quniform("steps", 10, 30, 5),
        "decay": nni.loguniform("decay", 1e-5, 1e-2),
        "shift": nni.normal("shift", 0.0, 1.0),
    }
    engine = cases.engine(40)
    strategy = make(seed=0)
    strategy(cases.executable(report, **numbers), engine)
    samples = [model.sample for model in engine.list_models()]
    assert len(samples) == 40
    assert all(0 <= sample["rate"] <= 1 and sample["size"] in (1, 2) for sample in samples)
    assert len({sample["rate"] for sample in samples}) == 40
    assert {sample["size"] for sample in samples} == {1, 2}
    best = strategy.best()
    assert best.value == pytest.approx(
        cases.quality(best.architecture) - abs(best.parameters["rate"] - 0.5) + best.parameters["size"] / 100
    )
    later = make()
    later.initialize(cases.executable(report, **numbers), cases.engine())
    later.load_state_dict(json.loads(json.dumps(strategy.state_dict())))
    assert later.results() == strategy.results()
    sample = later._next_model().sample
    assert sample["rate"] not in {sample["rate"] for sample in samples}
    again = make()  # the seed of the state is that of the other mutables too
    again.initialize(cases.executable(report, **numbers), cases.engine())
    again.load_state_dict(strategy.state_dict())
    assert again._next_model().sample == sample


def test_a_distribution_that_no_tuner_knows_is_refused():
    from scipy.stats import beta

    numbers = {"odd": nni.mutable.Numerical(distribution=beta(2, 5), label="odd")}
    with pytest.raises(InvalidArgument, match="odd"):
        GraphBO()(cases.executable(lambda model, odd: None, **numbers), cases.engine())


def test_a_model_space_without_an_architecture_is_refused():
    from nni.nas.nn.pytorch import ModelSpace, MutableLinear

    class Plain(ModelSpace):
        def __init__(self):
            super().__init__()
            self.layer = MutableLinear(nni.choice("width", [2, 3]), 2)

    made = cases.SimplifiedModelSpace.from_model(Plain(), cases.FunctionalEvaluator(cases.report_quality))
    with pytest.raises(InvalidArgument, match="model_space"):
        GraphBO()(made, cases.engine())


@pytest.mark.parametrize(
    "options",
    [{"seed": -1}, {"preset": "fast"}, {"config": 3}, {"config": GraphBOConfig(), "preset": "paper"}],
)
def test_bad_options_are_refused_at_once(options):
    with pytest.raises(InvalidArgument):
        GraphBO(**options)


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("failure", ["raises", "nan", "nothing", "text", "no default"])
def test_a_failed_trial_counts_as_failed_and_the_search_goes_on(make, failure):
    def report(model):
        architecture = cases.current_architecture()
        if architecture.adjacency[0, 1]:
            nni.report_final_result(cases.quality(architecture))
        elif failure == "raises":
            raise RuntimeError("diverged")
        elif failure == "nan":
            nni.report_final_result(float("nan"))
        elif failure == "text":
            nni.report_final_result("seventy")
        elif failure == "no default":
            nni.report_final_result({"accuracy": 3.0})

    engine = cases.engine(30)
    strategy = make(seed=0)
    strategy(cases.executable(report), engine)
    results = strategy.results()
    assert [result.architecture for result in results] == proposed(engine)
    for result in results:
        expected = cases.quality(result.architecture) if result.architecture.adjacency[0, 1] else None
        assert result.value == expected
    assert {result.value is None for result in results} == {True, False}
    assert all(model.sample["small/edge_0_1"] for model in strategy.list_models())
    assert len(list(strategy.list_models(sort=False))) == 30
    assert len(list(strategy.list_models(limit=2))) == 2


def test_intermediate_metrics_reach_the_method_and_the_journal(tmp_path):
    def report(model):
        architecture = cases.current_architecture()
        quality = cases.quality(architecture)
        nni.report_intermediate_result(quality / 2)
        nni.report_intermediate_result(float("nan"))
        nni.report_intermediate_result({"default": quality, "loss": 1.0})
        if not architecture.adjacency[0, 1]:
            raise RuntimeError("diverged")
        nni.report_final_result(quality)

    strategy = GraphBO(seed=0, journal=tmp_path / "j")
    strategy(cases.executable(report), cases.engine(12))
    observations = strategy.session.method.observations
    assert len(observations) == 12
    assert {o.values is None for o in observations} == {True, False}
    for observation in observations:
        quality = cases.quality(observation.architecture)
        assert observation.curve == ((0, quality / 2), (1, quality))
        assert not observation.pruned
    again = GraphBO(seed=0, journal=tmp_path / "j")
    again.initialize(cases.executable(report), cases.engine(12))
    assert again.session.method.observations == observations


def test_a_metric_may_be_a_dictionary():
    def report(model):
        nni.report_final_result({"default": cases.quality(cases.current_architecture()), "loss": 1.0})

    strategy = GraphBO(seed=0)
    strategy(cases.executable(report), cases.engine(10))
    assert [r.value for r in strategy.results()] == [
        cases.quality(r.architecture) for r in strategy.results()
    ]
    assert next(strategy.list_models()).metric == strategy.best().value


def test_when_nothing_is_left_the_search_ends_before_the_budget(make):
    space = GEMNet(3)
    engine = cases.engine(1000)

    def report(model):
        nni.report_final_result(float(cases.current_architecture(space).num_edges))

    make(seed=0)(cases.executable(report, space), engine)
    keys = [space.key(architecture) for architecture in proposed(engine, space)]
    assert len(keys) == len(set(keys))
    assert set(keys) == {space.key(architecture) for architecture in space.enumerate()}


def test_an_error_of_the_method_is_raised_and_cleans_up():
    class Broken(cases.RandomSearch):
        def ask(self, n=1, pending=()):
            if len(self.observations) == 3:
                raise RuntimeError("broken method")
            return super().ask(n, pending)

    engine = cases.engine(10)
    strategy = GraphStrategy(Broken, seed=0)
    with pytest.raises(RuntimeError, match="broken method"):
        strategy(cases.executable(), engine)
    assert len(strategy.results()) == 3
    assert callbacks_of(engine) == []


def test_an_event_that_cannot_be_taken_does_not_end_the_engine(monkeypatch, caplog):
    strategy = GraphBO(seed=0)
    engine = cases.engine(5)
    strategy.initialize(cases.executable(), engine)
    monkeypatch.setattr(strategy.session, "finish", lambda *a, **k: 1 / 0)
    strategy.run()
    assert "could not be taken" in caplog.text
    assert len(list(engine.list_models())) == 5


def test_an_interrupted_trial_is_no_failure(tmp_path):
    def report(model):
        if len(list(engine.list_models())) == 4:
            raise KeyboardInterrupt
        nni.report_final_result(cases.quality(cases.current_architecture()))

    engine = cases.engine(10)
    strategy = GraphBO(seed=0, journal=tmp_path / "journal.jsonl")
    with pytest.raises(KeyboardInterrupt):
        strategy(cases.executable(report), engine)
    assert len(strategy.results()) == 3
    interrupted = proposed(engine)[3]
    later, rest = GraphBO(journal=tmp_path / "journal.jsonl"), cases.engine(2)
    later(cases.executable(), rest)
    assert proposed(rest)[0] == interrupted


def test_models_of_others_on_the_same_engine_are_left_alone():
    strategy, engine = GraphBO(seed=0), cases.engine(10)
    made = cases.executable()
    strategy.initialize(made, engine)
    stranger = made.random(random_state=np.random.RandomState(0))
    engine.submit_models(stranger)
    assert stranger.metric is not None
    assert strategy.results() == []


# ---------------------------------------------------------------- going on


def test_the_journal_goes_on_after_a_kill(tmp_path: Path):
    whole = cases.engine(20)
    GraphBO(seed=7)(cases.executable(), whole)
    journal = tmp_path / "journal.jsonl"
    program = (
        "import os, signal, nni_cases as cases, nni\n"
        "from nni_graphnas.strategy import GraphBO\n"
        "def report(model):\n"
        f"    if len(list(engine.list_models())) == 12: os.kill(os.getpid(), {int(signal.SIGKILL)})\n"
        "    cases.report_quality(model)\n"
        "engine = cases.engine(20)\n"
        f"GraphBO(seed=7, journal={str(journal)!r})(cases.executable(report), engine)\n"
    )
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    # conftest.py imports torchvision before nni.nas; here nothing else does.
    program = "from nni_graphnas.host import require_nas\nrequire_nas()\n" + program
    killed = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        timeout=200,
    )
    assert killed.returncode == -signal.SIGKILL
    with journal.open("a") as file:
        file.write('{"architecture": {"form')  # and it was writing
    rest = cases.engine(9)
    strategy = GraphBO(journal=journal)  # the seed is in the journal
    strategy(cases.executable(), rest)
    assert proposed(rest) == proposed(whole)[11:]
    assert [result.architecture for result in strategy.results()] == proposed(whole)
    best = next(strategy.list_models())
    assert best.metric == strategy.best().value
    assert cases.SPACE.from_parameters(best.sample) == strategy.best().architecture


def test_models_from_before_are_listed_with_those_that_failed(tmp_path):
    def report(model):
        if cases.current_architecture().adjacency[0, 1]:
            nni.report_final_result(cases.quality(cases.current_architecture()))

    journal = tmp_path / "journal.jsonl"
    first = GraphStrategy(cases.random_search, seed=0, journal=journal)
    first(cases.executable(report), cases.engine(12))
    later = GraphStrategy(cases.random_search, journal=journal)
    later(cases.executable(report), cases.engine(4))
    assert len(list(later.list_models(sort=False))) == 16
    statuses = [model.status for model in later.list_models(sort=False)][:12]
    assert [s == ModelStatus.Trained for s in statuses] == [r.value is not None for r in first.results()]
    assert ModelStatus.Failed in statuses
    values = [model.metric for model in later.list_models()]
    assert values == sorted((r.value for r in later.results() if r.value is not None), reverse=True)


def test_a_journal_of_another_space_is_refused(tmp_path):
    journal = tmp_path / "journal.jsonl"
    GraphBO(seed=0, journal=journal)(cases.executable(), cases.engine(3))
    with pytest.raises(InvalidArgument, match="small"):
        GraphBO(journal=journal)(cases.executable(space=GEMNet(4)), cases.engine(3))


# ---------------------------------------------------------------- the twin in Optuna


@pytest.mark.parametrize(
    ("strategy", "sampler"),
    [
        (GraphBO, GraphBOSampler),
        (
            functools.partial(NASGEM, cases.QUICK_NASGEM),
            functools.partial(NASGEMSampler, config=cases.QUICK_NASGEM),
        ),
        (GraphPNAS, GraphPNASSampler),
        (LatentBO, LatentBOSampler),
        (functools.partial(GraphStrategy, cases.random_search), RandomArchitectureSampler),
    ],
    ids=["graphbo", "nasgem", "graphpnas", "latentbo", "random"],
)
@pytest.mark.parametrize("seed", range(int(os.environ.get("GRAPHNAS_TWIN_SEEDS", "1"))))
def test_it_proposes_what_its_twin_in_optuna_proposes(strategy, sampler, seed):
    space = NASBench201()
    try:
        table = TabularEvaluator(space, dataset="cifar10")
    except DataNotFound as error:
        pytest.skip(str(error))
    trials = int(os.environ.get("GRAPHNAS_TWIN_TRIALS", "30"))

    class Tabular(cases.FunctionalEvaluator):
        def _execute(self, model):  # the table needs no network
            return self.evaluate(None)

    def report(model):
        nni.report_final_result(table.evaluate(cases.current_architecture(space)).value)

    engine = cases.engine(trials)
    made = cases.executable(space=space)
    made.evaluator = Tabular(report)
    strategy(seed=seed)(made, engine)

    study = optuna.create_study(direction="maximize", sampler=sampler(space, seed=seed))
    study.optimize(lambda trial: table.evaluate(suggest_architecture(trial, space)).value, n_trials=trials)
    assert [model.sample for model in engine.list_models()] == [trial.params for trial in study.trials]
    assert [model.metric for model in engine.list_models()] == [trial.value for trial in study.trials]


def test_events_are_those_that_the_engine_knows():
    """A strategy listens to metrics and to ends, and to nothing else."""
    strategy, engine = GraphBO(seed=0), cases.engine()
    strategy.initialize(cases.executable(), engine)
    assert {kind for kind, callbacks in engine._callbacks.items() if callbacks} == {
        ModelEventType.FinalMetric,
        ModelEventType.IntermediateMetric,
        ModelEventType.TrainingEnd,
    }
