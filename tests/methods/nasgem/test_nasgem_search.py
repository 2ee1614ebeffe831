"""NASGEM's search loop: presets, rounds, its encoder, constraints and fine-tuning."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.errors import InvalidArgument
from graphnas.graph.evaluation import Observation
from graphnas.methods import NASGEM, NASGEMConfig, RandomSearch
from graphnas.methods.nasgem import EncoderConfig, KernelGuidedEncoder, MLPPredictor
from graphnas.surrogate.training_set import TrainingSet
from search_spaces import GEMNet

TINY = EncoderConfig(dimension=4, hidden=(16,), pairs=64, iterations=20, batch_size=16)


def test_paper_preset_is_the_papers():
    config = NASGEMConfig.preset("paper")
    assert (config.n_startup_trials, config.candidates, config.batch_size) == (100, 50_000, 10)
    assert config.max_points is None
    assert NASGEM(GEMNet(30), preset="paper").config == config
    with pytest.raises(InvalidArgument, match="paper"):
        NASGEMConfig.preset("published")
    with pytest.raises(InvalidArgument, match="not both"):
        NASGEM(GEMNet(4), NASGEMConfig(), preset="paper")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("update", "sometimes"),
        ("batch_size", 0),
        ("candidates", 0),
        ("max_points", 1),
    ],
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=field):
        NASGEMConfig(**{field: value})


def test_one_round_follows_one_ranking():
    """Within a round the proposals are the ranking's, whatever the values told in between."""
    space = GEMNet(6)
    config = NASGEMConfig.preset("paper", n_startup_trials=4, batch_size=4, candidates=300, encoder=TINY)
    first, second = NASGEM(space, config, seed=0), NASGEM(space, config, seed=0)
    for method, noise in ((first, 0.0), (second, 100.0)):
        for step in range(8):
            (architecture,) = method.ask()
            method.tell(architecture, architecture.num_edges + noise * (step >= 4))
    told = [[o.architecture for o in method.observations] for method in (first, second)]
    assert told[0] == told[1]
    assert first.ask() != second.ask()  # the next round has learned from them


def test_a_long_search_learns_from_the_best_and_the_most_recent():
    """Not the paper's, which learns from all."""
    space = GEMNet(5)
    encoder = KernelGuidedEncoder(space, TINY, seed=0).fit()
    told = [Observation(a, (float(a.num_edges),)) for a in RandomSearch(space, seed=0).ask(40)]
    learned = []

    class Watched(MLPPredictor):
        def fit(self, vectors, scores):
            learned.append((vectors, scores))
            return super().fit(vectors, scores)

    for points in (12, None):
        config = NASGEMConfig(max_points=points, candidates=50, standardise=False)
        method = NASGEM(space, config, encoder=encoder)
        method.replay(told)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("graphnas.methods.nasgem.search.MLPPredictor", Watched)
            method.ask()
    (few, few_scores), (every, scores) = learned
    assert (len(few), len(every)) == (12, 40)
    kept = TrainingSet.from_observations(told, np.random.default_rng(0)).subset(12)
    assert torch.equal(few, encoder.embed([told[k].architecture for k in kept.tolist()]))
    np.testing.assert_array_equal(few_scores, scores[kept])


def test_the_default_reads_standardised_embeddings_with_new_weights_each_time(monkeypatch):
    """The paper's reads them as they are, always from the same first weights."""
    space = GEMNet(5)
    encoder = KernelGuidedEncoder(space, TINY, seed=0).fit()
    read, seeds = [], []

    class Watched(MLPPredictor):
        def __init__(self, *arguments, seed, **others):
            seeds.append(seed)
            super().__init__(*arguments, seed=seed, **others)

        def predict(self, vectors):
            read.append(vectors)
            return super().predict(vectors)

    monkeypatch.setattr("graphnas.methods.nasgem.search.MLPPredictor", Watched)
    for config in (NASGEMConfig(), NASGEMConfig.preset("paper", n_startup_trials=10, batch_size=1)):
        method = NASGEM(space, config, encoder=encoder)
        for _ in range(13):
            (architecture,) = method.ask()
            method.tell(architecture, float(architecture.num_edges))
    ours, papers = read[:3], read[3:]
    for vectors in ours:
        torch.testing.assert_close(vectors.mean(0), torch.zeros(4), atol=0.3, rtol=0)
        torch.testing.assert_close(vectors.std(0), torch.ones(4), atol=0.3, rtol=0)
    assert all(vectors.std(0).max() < 0.9 for vectors in papers)
    assert len(set(seeds[:3])) == 3
    assert set(seeds[3:]) == {0}


def test_a_given_encoder_is_used_and_frozen():
    space = GEMNet(5)
    encoder = KernelGuidedEncoder(space, TINY, seed=0).fit()
    before = [p.clone() for p in encoder.parameters()]
    config = NASGEMConfig.preset("paper", n_startup_trials=3, batch_size=1, candidates=100)
    method = NASGEM(space, config, encoder=encoder)
    for _ in range(6):
        (architecture,) = method.ask()
        method.tell(architecture, float(architecture.num_edges))
    assert method.encoder is encoder
    assert all((a == b).all() for a, b in zip(before, encoder.parameters(), strict=True))


def test_what_is_predicted_to_break_a_constraint_comes_last():
    space = GEMNet(6)
    encoder = KernelGuidedEncoder(space, TINY, seed=0).fit()
    config = NASGEMConfig(n_startup_trials=15, candidates=300)
    obeyed = {}
    for constrained in (True, False):
        method = NASGEM(space, config, encoder=encoder)
        for _ in range(30):
            (architecture,) = method.ask()
            edges = architecture.num_edges
            method.tell(architecture, float(edges), (edges - 7.5,) if constrained else ())
        obeyed[constrained] = np.mean([o.architecture.num_edges <= 7 for o in method.observations[15:]])
    assert obeyed[True] > obeyed[False] + 0.2


def test_fine_tuning_goes_on_from_the_last_update_and_begins_anew_for_another_history(monkeypatch):
    space = GEMNet(6)
    encoder = KernelGuidedEncoder(space, TINY, seed=0).fit()
    config = NASGEMConfig(n_startup_trials=4, batch_size=2, candidates=200, update="fine_tune")
    sizes = []
    tune = MLPPredictor.fine_tune
    monkeypatch.setattr(
        MLPPredictor, "fine_tune", lambda self, x, y: sizes.append(len(y)) or tune(self, x, y)
    )
    method = NASGEM(space, config, encoder=encoder)
    for _ in range(8):
        (architecture,) = method.ask()
        method.tell(architecture, float(architecture.num_edges))
    assert sizes == [4, 6]
    expected = method.ask()
    assert sizes == [4, 6, 8]
    method.replay(method.observations[::-1])
    assert method.ask() != expected
    assert sizes == [4, 6, 8, 4, 6, 8]


def test_fine_tuning_sees_at_each_update_the_targets_of_that_update(monkeypatch):
    """Also in a method rebuilt from its history: ranks among later evaluations would be other targets."""
    space = GEMNet(6)
    config = NASGEMConfig(n_startup_trials=4, batch_size=2, candidates=200, update="fine_tune", encoder=TINY)
    targets = []
    tune = MLPPredictor.fine_tune
    monkeypatch.setattr(
        MLPPredictor, "fine_tune", lambda self, x, y: targets.append(y.tolist()) or tune(self, x, y)
    )
    original, rebuilt = NASGEM(space, config), NASGEM(space, config)
    for _ in range(8):
        (architecture,) = original.ask()
        original.tell(architecture, float(architecture.num_edges))
    proposal, before = original.ask(), targets.copy()
    targets.clear()
    rebuilt.replay(original.observations)
    assert rebuilt.ask() == proposal
    assert targets == before
