"""Our spaces as NNI model spaces: what is sampled, what is refused, what is built."""

from __future__ import annotations

import nni
import nni_cases as cases
import numpy as np
import pytest
import torch
from nni.mutable import Categorical, SampleValidationError
from nni.mutable.exception import ConstraintViolation, SampleMissingError
from nni.nas.space import RawFormatModelSpace
from nni.nas.strategy import GridSearch, Random, RegularizedEvolution

import nni_graphnas
from graphnas import ProductSpace
from graphnas.errors import InvalidArgument
from graphnas.graph.restricted import RestrictedSpace
from nni_graphnas.space import ArchitectureConstraint, model_space
from search_spaces import ENASMacro, GEMNet, NASBench101, NASBench201, RandWire


def strict_space() -> RestrictedSpace:
    """A rule that random parameters satisfy once in 1,302 times."""
    return NASBench201().restricted_to([NASBench201().at(k) for k in range(0, 15_625, 1_302)])


SPACES = {
    "nasbench201": (NASBench201(), {"channels": 4, "cells_per_stage": 1}),
    "nasbench101": (NASBench101(), {}),
    "gemnet": (GEMNet(6), {"width": 4}),
    "enas": (ENASMacro(6), {}),
    "randwire": (RandWire(6), {}),
    "strict": (strict_space(), {}),
    "small": (cases.SPACE, {}),
    "product": (ProductSpace(encoder=cases.SPACE, decoder=NASBench201(), macro=GEMNet(4)), {}),
}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param][0]


def test_one_readable_categorical_for_each_parameter_and_one_rule(space):
    mutables = model_space(space, num_classes=3).simplify()
    rules = {name for name, mutable in mutables.items() if isinstance(mutable, ArchitectureConstraint)}
    assert rules == {f"{space.name}/architecture"}
    found = {str(name): tuple(m.values) for name, m in mutables.items() if isinstance(m, Categorical)}
    assert found == space.parameters()


def test_every_random_sample_is_valid_and_the_seed_decides(space):
    made = cases.executable(space=space)
    drawn = []
    for seed in (0, 0, 1):
        state, samples = np.random.RandomState(seed), []
        for _ in range(10):
            sample = {}
            model = made.random(memo=sample, random_state=state)
            assert model.sample == sample
            space.validate(space.from_parameters(sample))
            samples.append(sample)
        drawn.append(samples)
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert len({str(sample) for sample in drawn[0]}) > 2


@pytest.mark.parametrize("name", ["nasbench201", "gemnet", "enas", "randwire", "small"])
def test_freezing_builds_what_the_space_builds(name):
    space, shape = SPACES[name]
    made = model_space(space, num_classes=3, **shape)
    rng = np.random.default_rng(0)
    for _ in range(3):
        architecture = space.sample(rng)
        sample = space.to_parameters(architecture)
        wanted = space.build(architecture, 3, **shape)
        inputs = torch.ones(2, wanted.in_features) if name == "small" else torch.ones(2, 3, 16, 16)
        # Frozen, run by an engine, and sent to another process as NNI sends it.
        evaluator = cases.FunctionalEvaluator(cases.report_quality)
        frozen = cases.SimplifiedModelSpace.from_model(made, evaluator).freeze(sample)
        sent = nni.load(nni.dump(frozen))
        for found in (made.freeze(sample), frozen.executable_model(), sent.executable_model()):
            assert cases.same_network(found, wanted)
            assert torch.equal(cases.output(found, inputs), cases.output(wanted, inputs))


def test_the_raw_format_works_too():
    raw = RawFormatModelSpace.from_model(
        model_space(cases.SPACE, num_classes=3), cases.FunctionalEvaluator(cases.report_quality)
    )
    model = raw.random(random_state=np.random.RandomState(0))
    architecture = cases.SPACE.from_parameters(model.sample)
    assert cases.same_network(model.executable_model(), cases.SPACE.build(architecture, 3))


def test_a_frozen_model_of_the_largest_space_is_small_enough_to_send():
    made = cases.executable(space=RandWire(32))
    model = made.random(random_state=np.random.RandomState(0))
    assert len(nni.dump(model, pickle_size_limit=4096)) < 64 * 1024


def test_only_the_whole_space_of_a_restricted_one_is_sent():
    model = cases.executable(space=strict_space()).random(random_state=np.random.RandomState(0))
    sent = nni.load(nni.dump(model, pickle_size_limit=4096))
    assert cases.same_network(sent.executable_model(), model.executable_model())


def test_a_product_is_sent_with_its_parts():
    space = ProductSpace(encoder=cases.SPACE, decoder=GEMNet(3))
    model = cases.executable(space=space).random(random_state=np.random.RandomState(0))
    sent = nni.load(nni.dump(model, pickle_size_limit=4096))
    assert list(sent.executable_model()) == ["encoder", "decoder"]
    assert cases.same_network(sent.executable_model(), model.executable_model())


# ---------------------------------------------------------------- what is refused


def test_nni_refuses_what_the_rule_refuses():
    made = model_space(cases.SPACE, num_classes=3)
    sample = cases.SPACE.to_parameters(cases.SPACE.sample(np.random.default_rng(0)))
    nothing = {**sample, "small/edge_0_3": False, "small/edge_1_3": False, "small/edge_2_3": False}
    assert made.contains(sample)
    assert isinstance(made.check_contains(nothing), ConstraintViolation)
    for whole in (made, cases.executable()):
        with pytest.raises(ConstraintViolation, match="nothing feeds the output"):
            whole.freeze(nothing)


def test_nni_refuses_a_missing_parameter_and_an_unknown_choice():
    made = cases.executable()
    sample = cases.SPACE.to_parameters(cases.SPACE.sample(np.random.default_rng(0)))
    with pytest.raises(SampleMissingError, match="small/op_1"):
        made.freeze({name: value for name, value in sample.items() if name != "small/op_1"})
    with pytest.raises(SampleValidationError, match="dropout"):
        made.freeze({**sample, "small/op_1": "dropout"})
    with pytest.raises(ConstraintViolation, match="op_9"):
        made.freeze({**sample, "small/op_9": "conv"})


def test_a_value_that_is_fixed_beforehand_is_kept_or_refused():
    made = cases.executable()
    for seed in range(5):
        sample = {"small/op_1": "pool", "small/edge_2_3": True}
        made.random(memo=sample, random_state=np.random.RandomState(seed))
        assert sample["small/op_1"] == "pool"
        assert sample["small/edge_2_3"] is True
    with pytest.raises(SampleValidationError):
        made.random(memo={"small/op_1": "dropout"})


@pytest.mark.parametrize(("space", "classes"), [("gemnet", 3), (GEMNet(4), 0), (GEMNet(4), True)])
def test_bad_arguments(space, classes):
    with pytest.raises(InvalidArgument, match=r"space|num_classes"):
        model_space(space, num_classes=classes)


def test_it_is_a_public_name():
    assert nni_graphnas.model_space is model_space
    assert isinstance(nni_graphnas.model_space(GEMNet(4), num_classes=2), nni.nas.nn.pytorch.ModelSpace)


# ---------------------------------------------------------------- NNI's own strategies


@pytest.mark.parametrize(
    "strategy",
    [lambda: Random(seed=0), lambda: RegularizedEvolution(seed=0, population_size=10, sample_size=5)],
    ids=["random", "evolution"],
)
@pytest.mark.parametrize("space", [cases.SPACE, NASBench101()], ids=["small", "nasbench101"])
def test_stock_strategies_explore_it(strategy, space):
    def report(model):
        nni.report_final_result(float(cases.current_architecture(space).adjacency.sum()))

    # Without networks: NASBench101 would build 40 large ones.
    class Evaluator(cases.FunctionalEvaluator):
        def _execute(self, model):
            return self.evaluate(None)

    made = cases.SimplifiedModelSpace.from_model(model_space(space, num_classes=3), Evaluator(report))
    found, engine = strategy(), cases.engine(40)
    found(made, engine)
    models = list(engine.list_models())
    assert len(models) == 40
    assert len({str(model.sample) for model in models}) == 40
    for model in models:
        architecture = space.from_parameters(model.sample)
        space.validate(architecture)
        assert model.metric == architecture.adjacency.sum()


def test_stock_random_explores_a_rule_that_refuses_nearly_everything():
    space = strict_space()
    engine = cases.engine(100)
    Random(seed=0)(cases.executable(lambda model: nni.report_final_result(1.0), space), engine)
    found = {space.key(space.from_parameters(model.sample)) for model in engine.list_models()}
    assert found == {space.key(architecture) for architecture in space.enumerate()}


def test_stock_grid_search_walks_through_it():
    engine = cases.engine(1000)
    GridSearch(shuffle=False)(cases.executable(), engine)
    found = [cases.SPACE.from_parameters(model.sample) for model in engine.list_models()]
    assert found == list(cases.SPACE.enumerate())
    assert max(map(cases.quality, found)) == cases.BEST
    assert len({cases.SPACE.key(architecture) for architecture in found}) == cases.ARCHITECTURES


def test_a_grid_of_a_large_space_is_refused():
    with pytest.raises(InvalidArgument, match="grid"):
        GridSearch()(cases.executable(space=RandWire(8)), cases.engine())
