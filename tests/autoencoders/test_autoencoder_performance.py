"""Performance prediction: published size, the slow reference, units, the best epoch, resuming, files."""

from __future__ import annotations

from dataclasses import replace

import latent_reference as plain
import numpy as np
import pytest
import torch
import vsgae_reference as reference

from graphnas.autoencoders import PerformancePredictor, PredictorConfig, TrainingConfig
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument, TrainingFailed
from search_spaces import ENASMacro6, NASBench101, NASBench201, RandWire

SPACE = NASBench101()
BRIEF = TrainingConfig(epochs=4, batch_size=32, optimizer="adam", learning_rate=3e-3)


def small(**changes):
    return PredictorConfig(**{"hidden": 12, "latent": 8, "training": BRIEF, **changes})


def cells(count=80, seed=0):
    batch = SPACE.sample_batch(np.random.default_rng(seed), count)
    active = SPACE.active_batch(batch)
    return batch, 80 + 1.5 * (active.operations == 1).sum(1).numpy() + 0.5 * active.num_nodes.numpy()


def same_weights(first, second):
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_parameter_count_is_the_published_one():
    assert PerformancePredictor(SPACE, PredictorConfig.preset("paper")).parameter_count() == 2_147_672


@pytest.mark.parametrize("make", [NASBench101, ENASMacro6, NASBench201, lambda: RandWire(5)])
def test_equals_the_reference(make):
    space = make()
    model = PerformancePredictor(space, small(), seed=3)
    batch = space.sample_batch(np.random.default_rng(0), 5)
    vertices = model.adapter.to_vertices(batch)
    slow = []
    for graph in plain.graphs_of(vertices):
        states = reference.encoded_states(model.encoder, graph)
        slow.append(model.head(reference.read(model.encoder.mean, states))[0])
    torch.testing.assert_close(model(vertices), torch.stack(slow), atol=1e-5, rtol=1e-5)


def test_learns_what_counts_in_a_cell():
    """Far better than the mean, on cells that it has not seen."""
    batch, targets = cells(400)
    others, wanted = cells(200, seed=1)
    config = small(hidden=24, latent=48, training=replace(BRIEF, epochs=25, learning_rate=5e-3))
    model = PerformancePredictor(SPACE, config).fit(batch, targets)
    error = model.rmse(others, wanted)
    assert error < 0.25 * wanted.std()
    predicted = model.predict(others)
    assert predicted.shape == (200,)
    assert error == pytest.approx(np.sqrt(np.mean((predicted - wanted) ** 2)))
    assert model.history[-1]["train_rmse"] < 0.25 * targets.std() < model.history[0]["train_rmse"]


def test_errors_are_in_the_unit_of_the_targets():
    batch, targets = cells()
    one, other = (PerformancePredictor(SPACE, small()).fit(batch, factor * targets) for factor in (1.0, 0.01))
    assert one.rmse(batch, targets) == pytest.approx(100 * other.rmse(batch, targets / 100), rel=1e-3)
    assert one.history[0]["train_rmse"] == pytest.approx(100 * other.history[0]["train_rmse"], rel=1e-3)


def test_paper_trains_on_fractions():
    paper = PredictorConfig.preset("paper")
    training = paper.training
    assert (training.epochs, training.batch_size, training.learning_rate) == (100, 128, 1e-5)
    assert (training.schedule, training.clip) == ("constant", None)
    assert (paper.standardise, paper.keep_best) == (False, False)
    assert (paper.hidden, paper.latent, paper.layers) == (250, 56, 2)
    assert PredictorConfig.preset("paper", hidden=8).hidden == 8
    batch, targets = cells(40)
    model = PerformancePredictor(SPACE, small(standardise=False, training=replace(BRIEF, epochs=1)))
    before = model(model.adapter.to_vertices(batch)).detach().numpy()
    seen = []
    model.fit(batch, targets, on_epoch=lambda each, entry: seen.append((each is model, entry)))
    # One batch and a bit: the error of the untrained network on fractions, in percentage points.
    assert seen[0][1]["train_rmse"] == pytest.approx(
        100 * np.sqrt(np.mean((before - targets / 100) ** 2)), rel=0.1
    )
    assert seen[0][0]


@pytest.mark.parametrize("keep_best", [True, False])
def test_validation_chooses_the_epoch(keep_best):
    batch, targets = cells()
    others = cells(50, seed=1)
    # A rate so high that the last epoch is not the best.
    training = TrainingConfig(epochs=12, batch_size=16, learning_rate=0.03, schedule="constant", clip=None)
    model = PerformancePredictor(SPACE, small(keep_best=keep_best, training=training), seed=1)
    model.fit(batch, targets, validation=others)
    errors = [entry["validation_rmse"] for entry in model.history]
    assert np.argmin(errors) < len(errors) - 1
    assert model.rmse(*others) == pytest.approx(min(errors) if keep_best else errors[-1], rel=1e-6)


class Stop(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("validate", [True, False])
def test_resumes_bit_for_bit(tmp_path, validate):
    batch, targets = cells()
    given = {"validation": cells(30, seed=1)} if validate else {}
    whole = PerformancePredictor(SPACE, small(), seed=5).fit(batch, targets, **given)
    path = tmp_path / "checkpoint.pt"

    def stop(model, entry):
        if entry["epoch"] == 2:
            raise Stop

    with pytest.raises(Stop):
        PerformancePredictor(SPACE, small(), seed=5).fit(
            batch, targets, checkpoint=path, on_epoch=stop, **given
        )
    for _ in range(2):  # resumes; then everything is done
        resumed = PerformancePredictor(SPACE, small(), seed=5).fit(batch, targets, checkpoint=path, **given)
        assert same_weights(whole, resumed)
        assert whole.history == resumed.history
    for model, values in (
        (PerformancePredictor(SPACE, small(), seed=6), targets),
        (PerformancePredictor(SPACE, small(), seed=5), targets + 1),
        (PerformancePredictor(SPACE, small(latent=9), seed=5), targets),
    ):
        with pytest.raises(InvalidArgument, match="another training"):
            model.fit(batch, values, checkpoint=path, **given)


def test_seed_decides_and_nothing_global_changes():
    batch, targets = cells()
    before = torch.random.get_rng_state()
    first, again, other = (
        PerformancePredictor(SPACE, small(), seed=s).fit(batch, targets) for s in (1, 1, 2)
    )
    assert same_weights(first, again)
    assert not same_weights(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_weights(first.fit(batch, targets), again)  # training again starts anew


def test_mixed_precision_stays_close():
    batch, targets = cells()
    config = small(training=replace(BRIEF, precision="bfloat16"))
    exact = PerformancePredictor(SPACE, small(), seed=1).fit(batch, targets)
    mixed = PerformancePredictor(SPACE, config, seed=1).fit(batch, targets)
    assert not same_weights(exact, mixed)
    assert mixed.rmse(batch, targets) == pytest.approx(exact.rmse(batch, targets), rel=0.1)


def test_saved_and_loaded(tmp_path):
    batch, targets = cells()
    model = PerformancePredictor(SPACE, small(), seed=2).fit(batch, targets)
    path = tmp_path / "folder" / "predictor.pt"
    model.save(path)
    loaded = PerformancePredictor.load(path)
    np.testing.assert_array_equal(loaded.predict(batch), model.predict(batch))
    assert (loaded.config, loaded.seed, loaded.history) == (model.config, 2, model.history)
    with pytest.raises(InvalidArgument, match="enas"):
        PerformancePredictor.load(path, space=ENASMacro6())
    with pytest.raises(DataNotFound):
        PerformancePredictor.load(tmp_path / "none.pt")
    content = torch.load(path, weights_only=True)
    content["weights"].popitem()
    torch.save(content, path)
    with pytest.raises(CorruptData, match="not a complete PerformancePredictor"):
        PerformancePredictor.load(path)


def test_bad_input():
    batch, targets = cells(10)
    model = PerformancePredictor(SPACE, small())
    with pytest.raises(InvalidArgument, match="10 finite numbers"):
        model.fit(batch, targets[:9])
    with pytest.raises(InvalidArgument, match="1 that are not finite"):
        model.rmse(batch, np.where(np.arange(10) == 3, np.nan, targets))
    with pytest.raises(InvalidArgument, match="at least one"):
        model.fit([], [])
    with pytest.raises(InvalidArgument, match="seed"):
        PerformancePredictor(SPACE, small(), seed=-1)
    with pytest.raises(InvalidArgument, match="latent must be an integer of at least 8, got 4"):
        PredictorConfig(latent=4)
    with pytest.raises(InvalidArgument, match="preset"):
        PredictorConfig.preset("thesis")
    wild = small(training=replace(BRIEF, learning_rate=1e30, clip=None))
    with pytest.raises(TrainingFailed, match="learning_rate"):
        PerformancePredictor(SPACE, wild).fit(batch, targets)


def test_predicts_after_each_epoch():
    batch, values = cells()
    errors = []
    predictor = PerformancePredictor(SPACE, small()).fit(
        batch, values, on_epoch=lambda model, _: errors.append(model.rmse(batch, values))
    )
    assert len(errors) == predictor.config.training.epochs
    assert errors[-1] == predictor.rmse(batch, values)


def test_nothing_is_predicted_before_fitting(tmp_path):
    space = NASBench201()
    cells = [space.sample(np.random.default_rng(seed)) for seed in range(6)]
    config = PredictorConfig(hidden=8, latent=8, layers=1, training=TrainingConfig(epochs=1))
    predictor = PerformancePredictor(space, config)
    with pytest.raises(InvalidArgument, match="PerformancePredictor is not fitted: call fit"):
        predictor.predict(cells)
    with pytest.raises(InvalidArgument, match="not fitted"):
        predictor.rmse(cells, range(6))
    predictor.fit(cells, range(6))
    state = predictor.state_dict()
    again = PerformancePredictor(space, config)
    again.load_state_dict(state)
    assert np.array_equal(again.predict(cells), predictor.predict(cells))
