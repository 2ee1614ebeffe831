"""Several architectures in one objective, names of parameters, and parameters of the user's beside them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import optuna
import pytest
from optuna.trial import FixedTrial, TrialState
from sampler_cases import SPACE, make_sampler, recording_sampler, told
from small_space import SmallSpace, quality

from graphnas import ProductSpace
from graphnas.errors import InvalidArchitecture, InvalidArgument
from optuna_graphnas import (
    GraphBOSampler,
    RandomArchitectureSampler,
    architecture_of,
    suggest_architecture,
)
from optuna_graphnas.block import Block
from search_spaces import GEMNet, NASBench201

PAIR = ProductSpace(encoder=SPACE, decoder=GEMNet(3))


def both(trial: optuna.Trial) -> float:
    encoder = suggest_architecture(trial, SPACE, name="encoder")
    decoder = suggest_architecture(trial, GEMNet(3), name="decoder")
    return quality(encoder) + decoder.num_edges


def whole(trial: optuna.Trial) -> float:
    parts = PAIR.parts(suggest_architecture(trial, PAIR))
    return quality(parts["encoder"]) + parts["decoder"].num_edges


@pytest.mark.parametrize("name", ["graphbo", "graphpnas", "latentbo", "random", "evolution", "local_search"])
def test_two_calls_are_one_proposal_of_the_product(name: str) -> None:
    """Two suggestions and the product's own give the same trials, and no pair is repeated."""

    def run(objective: Callable[[optuna.Trial], float], space: object) -> optuna.Study:
        study = optuna.create_study(direction="maximize", sampler=make_sampler(name, space=space))  # type: ignore[arg-type]
        study.optimize(objective, n_trials=12)
        return study

    studies = [
        run(both, PAIR),
        run(whole, PAIR),
        run(both, {"encoder": SmallSpace(), "decoder": GEMNet(3)}),
    ]
    params = [[trial.params for trial in study.trials] for study in studies]
    assert params[0] == params[1] == params[2]
    keys = [PAIR.key(architecture_of(trial, PAIR)) for trial in studies[0].trials]
    assert len(set(keys)) == len(keys) == 12
    best = studies[0].best_trial
    parts = PAIR.parts(architecture_of(best, PAIR))
    assert architecture_of(best, SPACE, name="encoder") == parts["encoder"]
    assert architecture_of(best, GEMNet(3), name="decoder") == parts["decoder"]


def test_what_is_learned_is_about_the_pairs() -> None:
    log: list[tuple[object, ...]] = []
    study = optuna.create_study(direction="maximize", sampler=recording_sampler(log, PAIR))
    study.optimize(both, n_trials=4)
    expected = [PAIR.key(architecture_of(trial, PAIR)) for trial in study.trials[:3]]
    assert [entry[0] for entry in told(log)] == expected


def test_one_space_twice_under_two_names() -> None:
    space = GEMNet(3)
    product = ProductSpace(first=space, second=space)

    def objective(trial: optuna.Trial) -> float:
        first = suggest_architecture(trial, space, name="first")
        second = suggest_architecture(trial, space, name="second")
        return float(first.num_edges - second.num_edges)

    study = optuna.create_study(direction="maximize", sampler=GraphBOSampler(product, seed=0))
    study.optimize(objective, n_trials=30)
    assert study.best_value == 2  # three edges and one: needs both to be chosen
    assert set(study.best_params) == {f"{part}/{n}" for part in ("first", "second") for n in _own(space)}


def _own(space: GEMNet) -> list[str]:
    return [name.removeprefix("gemnet/") for name in space.parameters()]


def test_a_product_under_a_name_and_nested_products() -> None:
    nested = ProductSpace(model=PAIR, head=GEMNet(3))

    def objective(trial: optuna.Trial) -> float:
        architecture = suggest_architecture(trial, PAIR, name="model")
        assert architecture_of(trial, PAIR, name="model") == architecture
        head = suggest_architecture(trial, GEMNet(3), name="head")
        joined = nested.join(model=architecture, head=head)
        assert architecture_of(trial, nested) == joined
        return 0.0

    study = optuna.create_study(sampler=RandomArchitectureSampler(nested, seed=0))
    study.optimize(objective, n_trials=3)
    assert "model/encoder/op_1" in study.trials[0].params


# ---------------------------------------------------------------- the same architecture twice


def test_the_same_architecture_twice_in_one_trial_is_an_error() -> None:
    study = optuna.create_study(sampler=RandomArchitectureSampler(SPACE, seed=0))
    trial = study.ask()
    first = suggest_architecture(trial, SPACE)
    with pytest.raises(InvalidArgument, match=r"trial 0 .* already.*name='decoder'.*architecture_of"):
        suggest_architecture(trial, SPACE)
    assert architecture_of(trial, SPACE) == first
    suggest_architecture(trial, SPACE, name="decoder")
    with pytest.raises(InvalidArgument, match="decoder"):
        suggest_architecture(trial, SPACE, name="decoder")


def test_what_a_trial_holds_may_be_read_as_often_as_wanted() -> None:
    study = optuna.create_study(sampler=RandomArchitectureSampler(SPACE, seed=0))
    fixed = {
        name: optuna.distributions.CategoricalDistribution(choices)
        for name, choices in SPACE.parameters().items()
    }
    asked = study.ask(fixed_distributions=fixed)
    first = suggest_architecture(asked, SPACE)
    assert suggest_architecture(asked, SPACE) == first
    again = optuna.trial.Trial(study, asked._trial_id)  # as another process would make it
    assert suggest_architecture(again, SPACE) == first
    frozen = study.trials[0]
    still = FixedTrial(frozen.params)
    for trial in (frozen, still):
        assert suggest_architecture(trial, SPACE) == suggest_architecture(trial, SPACE) == first


# ---------------------------------------------------------------- spaces that the sampler does not know


def test_an_unknown_architecture_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    sampler = RandomArchitectureSampler(SPACE, seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        suggest_architecture(trial, GEMNet(3), name="decoder")
        return quality(suggest_architecture(trial, SPACE))

    with caplog.at_level(logging.WARNING, "optuna_graphnas"):
        study.optimize(objective, n_trials=5)
    (message,) = [record.getMessage() for record in caplog.records]
    for part in ("SmallSpace", "decoder", "ProductSpace", "TPESampler"):
        assert part in message
    assert {trial.state for trial in study.trials} <= {TrialState.COMPLETE, TrialState.PRUNED}


def test_another_space_of_the_same_names_is_refused_before_anything_is_proposed() -> None:
    log: list[tuple[object, ...]] = []
    study = optuna.create_study(sampler=recording_sampler(log, GEMNet(3)))
    other = GEMNet(3, operations=("conv1x1", "conv3x3"))
    with pytest.raises(InvalidArgument, match=r"'conv3x3'\) for gemnet/op_1.*'sepconv3x3'\)"):
        suggest_architecture(study.ask(), other)
    assert not log


# ---------------------------------------------------------------- the user's own parameters


@pytest.mark.parametrize("name", ["graphbo", "random"])
def test_a_parameter_under_the_prefix_of_the_space(name: str) -> None:
    log: list[tuple[object, ...]] = []
    space = SPACE
    sampler = recording_sampler(log) if name == "random" else make_sampler(name)
    study = optuna.create_study(direction="maximize", sampler=sampler)

    def objective(trial: optuna.Trial) -> float:
        rate = trial.suggest_float("small/lr", 1e-4, 1e-1, log=True)
        architecture = suggest_architecture(trial, space)
        trial.suggest_categorical("small/op_dropout", [False, True])
        return quality(architecture) + rate

    study.optimize(objective, n_trials=15)
    keys = [space.key(architecture_of(trial, space)) for trial in study.trials]
    if name == "graphbo":  # which chooses the others too, and may come back to an architecture
        others = [(trial.params["small/lr"], trial.params["small/op_dropout"]) for trial in study.trials]
        assert len(set(zip(keys, others, strict=True))) == 15
    else:
        assert len(set(keys)) == 15
        assert [entry[0] for entry in told(log)] == keys[:14]


def test_misspelled_and_foreign_parameters() -> None:
    space = NASBench201()
    values = space.to_parameters(space.at(5))
    wrong = {("nasbench201/op_0-1" if n == "nasbench201/op_0_1" else n): v for n, v in values.items()}
    with pytest.raises(
        InvalidArchitecture, match=r"'nasbench201/op_0_1' is missing; there is 'nasbench201/op"
    ):
        Block(space).architecture(wrong)
    larger = GEMNet(5)
    architecture = next(larger.enumerate())
    with pytest.raises(InvalidArchitecture, match="unknown parameter 'gemnet/op_3'"):
        GEMNet(3).from_parameters(larger.to_parameters(architecture))
    named = {n.replace("gemnet", "decoder"): v for n, v in larger.to_parameters(architecture).items()}
    assert Block(larger, "decoder").architecture(named) == architecture
    del named["decoder/op_3"]
    with pytest.raises(InvalidArchitecture, match="'decoder/op_3' is missing"):
        Block(larger, "decoder").architecture(named)
    with pytest.raises(InvalidArgument, match="without slash"):
        suggest_architecture(FixedTrial(named), larger, name="a/b")
