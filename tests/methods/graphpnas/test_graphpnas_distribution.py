"""The learned distribution as a result: samples, probabilities, the most probable, and its file."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument, SpaceExhausted
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.distribution import LearnedDistribution, learned_form
from graphnas.methods.graphpnas.factory import make_generator
from graphnas.methods.graphpnas.search import GraphPNAS
from graphnas.training.arguments import choose_device
from search_spaces import ENASMacro, GEMNet, NASBench101, NASBench201, RandWire

SMALL = {"hidden_size": 16, "steps": 2, "mixtures": 2}


def distribution_of(space, **changes):
    config = GraphPNASConfig(**{**SMALL, **changes})
    return LearnedDistribution(make_generator(space, config, torch.Generator().manual_seed(1)), config)


SPACES = [ENASMacro(3), NASBench201(), NASBench101(), GEMNet(6), RandWire(5, stages=2)]


@pytest.mark.parametrize("space", SPACES, ids=repr)
@pytest.mark.parametrize("kind", ["graph", "rnn"])
def test_samples_are_valid_and_follow_the_seed(space, kind):
    distribution = distribution_of(space, generator=kind)
    samples = distribution.sample(20, seed=3)
    assert len(samples) == 20
    for architecture in samples:
        space.validate(architecture)
    assert distribution.sample(5, seed=3) == samples[:5]
    assert distribution.sample(60, seed=3)[:20] == samples
    assert distribution.sample(20, seed=4) != samples
    scores = distribution.log_prob(samples)
    assert scores.shape == (20,)
    assert np.isfinite(scores).all()
    assert (scores < 0).all()


def test_a_search_gives_what_it_learned():
    space = NASBench101()
    config = GraphPNASConfig(**SMALL, n_startup_trials=10, batch_size=5, keep_top=4, learning_rate=0.01)
    method = GraphPNAS(space, config)
    with pytest.raises(InvalidArgument, match="at least 2 values, got 0"):
        method.distribution()
    for _ in range(20):
        architecture = method.ask()[0]
        method.tell(architecture, float(architecture.num_edges))
    learned = method.distribution()
    ranked = sorted(method.observations, key=lambda o: -o.values[0])
    cells = [o.architecture for o in ranked]
    gained = learned.log_prob(cells) - distribution_of(space).log_prob(cells)
    assert gained[:4].mean() > gained[4:].mean() + 3
    again = LearnedDistribution(method.generator, config)
    assert learned.sample(5, seed=1) == again.sample(5, seed=1)
    assert all(learned_form(space, a) == a for a in learned.sample(20))


def test_samples_are_as_frequent_as_they_are_probable():
    space = ENASMacro(2)  # 72 architectures
    distribution = distribution_of(space)
    everything = list(space.enumerate())
    probabilities = np.exp(distribution.log_prob(everything))
    assert probabilities.sum() == pytest.approx(1, abs=1e-5)
    count = 20_000
    index = {architecture: k for k, architecture in enumerate(everything)}
    seen = np.bincount([index[a] for a in distribution.sample(count, seed=0)], minlength=72)
    deviation = np.sqrt(probabilities * (1 - probabilities) / count)
    assert (abs(seen / count - probabilities) < 5 * deviation).all()


def test_the_most_probable():
    space = ENASMacro(2)
    distribution = distribution_of(space)
    everything = sorted(space.enumerate(), key=lambda a: -distribution.log_prob([a])[0])
    ranked = distribution.top_k(5, samples=20_000)
    assert [entry.architecture for entry in ranked] == everything[:5]
    assert [entry.log_prob for entry in ranked] == sorted((e.log_prob for e in ranked), reverse=True)
    assert len(distribution.top_k(100, samples=20_000)) <= 72
    wide = distribution_of(NASBench101()).top_k(30, samples=300)
    keys = [NASBench101().key(entry.architecture) for entry in wide]
    assert len(set(keys)) == len(keys) == 30


def test_learning_of_the_generator_does_not_reach_it():
    space = ENASMacro(3)
    generator = make_generator(space, GraphPNASConfig(**SMALL), torch.Generator().manual_seed(1))
    distribution = LearnedDistribution(generator, GraphPNASConfig(**SMALL))
    samples = distribution.sample(10)
    before = distribution.log_prob(samples)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.add_(1.0)
    np.testing.assert_array_equal(distribution.log_prob(samples), before)
    assert distribution.space is space


@pytest.mark.parametrize("kind", ["graph", "rnn", "pham"])
def test_a_distribution_of_another_device_is_loaded_on_the_processor(tmp_path, kind):
    """``auto`` stands for a card: a file must be readable where there is none."""
    space = ENASMacro(3)
    config = GraphPNASConfig(**{**SMALL, "generator": kind, "device": "auto"})
    generator = make_generator(space, config, torch.Generator().manual_seed(1))
    assert generator.device == choose_device("auto")
    path = LearnedDistribution(generator, config).save(tmp_path / "distribution.pt")
    loaded = LearnedDistribution.load(path)
    assert loaded.config.device == "cpu"
    assert loaded.generator.device.type == "cpu"
    assert len(loaded.sample(3)) == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_refused_at_once():
    with pytest.raises(InvalidArgument, match="'cuda' was requested"):
        GraphPNASConfig(device="cuda")


@pytest.mark.parametrize("space", SPACES, ids=repr)
@pytest.mark.parametrize("kind", ["graph", "rnn"])
def test_saved_and_loaded(tmp_path, space, kind):
    distribution = distribution_of(space, generator=kind)
    path = distribution.save(tmp_path / "folder" / "distribution.pt")
    again = LearnedDistribution.load(path)
    assert type(again.space) is type(space)
    assert again.space.arguments() == space.arguments()
    assert again.config == distribution.config
    samples = distribution.sample(10, seed=1)
    assert again.sample(10, seed=1) == samples
    np.testing.assert_array_equal(again.log_prob(samples), distribution.log_prob(samples))
    assert [p.name for p in path.parent.iterdir()] == ["distribution.pt"]


def test_the_same_in_another_process(tmp_path):
    distribution = distribution_of(ENASMacro(3))
    path = distribution.save(tmp_path / "distribution.pt")
    code = (
        "import torch; torch.manual_seed(5)\n"
        "from graphnas.methods.graphpnas.distribution import LearnedDistribution\n"
        f"d = LearnedDistribution.load({str(path)!r})\n"
        "samples = d.sample(4, seed=2)\n"
        "print(*map(d.space.key, samples), *(float(x).hex() for x in d.log_prob(samples)))"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True, timeout=300
    )
    samples = distribution.sample(4, seed=2)
    expected = [*map(ENASMacro(3).key, samples), *(float(x).hex() for x in distribution.log_prob(samples))]
    assert run.stdout.split() == expected


class _Own(ENASMacro):
    """A space of the user's own."""

    name = "own"


def test_a_space_of_ones_own_is_given_at_loading(tmp_path):
    distribution = distribution_of(_Own(2))
    path = distribution.save(tmp_path / "own.pt")
    with pytest.raises(InvalidArgument, match=r"own\.pt.*'own'.*space="):
        LearnedDistribution.load(path)
    with pytest.raises(InvalidArgument, match="'own', not 'enas'"):
        LearnedDistribution.load(path, space=ENASMacro(2))
    assert LearnedDistribution.load(path, space=_Own(2)).sample(3) == distribution.sample(3)
    with pytest.raises(CorruptData, match="weight"):
        LearnedDistribution.load(path, space=_Own(4))


def test_damaged_files(tmp_path):
    path = distribution_of(ENASMacro(2)).save(tmp_path / "distribution.pt")
    whole = path.read_bytes()
    content = torch.load(path, weights_only=True)
    for damaged in (whole[:1000], b"", b"{}"):
        path.write_bytes(damaged)
        with pytest.raises(CorruptData, match=r"distribution\.pt"):
            LearnedDistribution.load(path)
    for change, message in (
        ({"version": 99}, "version 99"),
        ({"format": "graphnas.model"}, r"graphnas\.model"),
        ({"weights": {}}, "weight"),
        ({"config": {**content["config"], "hidden_size": 0}}, "hidden_size"),
        ({"config": {**content["config"], "colour": 0}}, "colour"),
        ({"space": {"name": "enas"}}, "arguments"),
    ):
        torch.save({**content, **change}, path)
        with pytest.raises(CorruptData, match=message):
            LearnedDistribution.load(path)
    with pytest.raises(DataNotFound, match=r"nowhere\.pt"):
        LearnedDistribution.load(tmp_path / "nowhere.pt")


def test_bad_calls():
    distribution = distribution_of(ENASMacro(3))
    with pytest.raises(InvalidArgument, match=r"n must .*0"):
        distribution.sample(0)
    with pytest.raises(InvalidArgument, match=r"k must .*0"):
        distribution.top_k(0)
    with pytest.raises(InvalidArgument, match="at least one"):
        distribution.log_prob([])
    with pytest.raises(InvalidArchitecture, match="6 nodes, at most 5"):
        distribution.log_prob([ENASMacro(4).sample(np.random.default_rng(0))])


class _Unsatisfiable(GEMNet):
    """Its rule refuses everything."""

    def check(self, architecture) -> None:
        raise InvalidArchitecture("never")


def test_a_rule_that_no_sample_keeps_ends_in_an_error():
    distribution = distribution_of(_Unsatisfiable(4))
    with pytest.raises(SpaceExhausted, match="only 0 of 5"):
        distribution.sample(5, tries=2)
