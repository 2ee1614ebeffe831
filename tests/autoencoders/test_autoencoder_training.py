"""Training of graph autoencoders: it learns, resumes to the last bit, and what is saved comes back."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphnas import autoencoders
from graphnas.autoencoders import (
    DVAE,
    GCN,
    SVAE,
    AutoencoderConfig,
    DVAEConfig,
    DVAEEmb,
    DVAEEmbConfig,
    GCNConfig,
    GCNEmb,
    GraphAutoencoder,
    GraphRNN,
    TrainingConfig,
    load_autoencoder,
    same_graphs,
)
from graphnas.autoencoders.trainer import make_schedule
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument, TrainingFailed
from search_spaces import ENASMacro, ENASMacro6, NASBench201

SPACE = ENASMacro(3)
EPOCHS = {"DVAE": 120, "DVAEEmb": 120, "GCN": 250, "GCNEmb": 250, "SVAE": 300, "GraphRNN": 160, "VSGAE": 100}
BRIEF = TrainingConfig(epochs=3, batch_size=16, learning_rate=3e-3)


def graphs(count=50, seed=0):
    return SPACE.sample_batch(np.random.default_rng(seed), count)


def same_weights(first, second):
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.mark.parametrize("name", ["DVAEEmb", "GCN", "SVAE", "GraphRNN"])
def test_learns_to_reconstruct(name):
    """From nothing to nearly every graph of its training set, decoded from the posterior mean."""
    model_class, space = getattr(autoencoders, name), ENASMacro(2)
    training = TrainingConfig(epochs=EPOCHS[name], batch_size=20, learning_rate=2e-2)
    config = model_class.config_class(hidden=32, latent=12, training=training)
    batch = space.sample_batch(np.random.default_rng(0), 40)
    model = model_class(space, config, seed=0)
    truth = model.adapter.to_vertices(batch)

    def accuracy():
        decoded = model.decode(model.encode(batch)[0], torch.Generator().manual_seed(0), stochastic=False)
        return float(same_graphs(decoded.graphs, truth).float().mean())

    before = accuracy()
    model.fit(batch)
    assert before < 0.1
    assert accuracy() > 0.9
    losses = [entry["loss"] for entry in model.history]
    assert len(losses) == EPOCHS[name]
    assert losses[-1] < 0.1 * losses[0]
    entry = model.history[-1]
    assert entry["loss"] == pytest.approx(entry["reconstruction"] + 0.005 * entry["kl"], rel=1e-5)
    assert not model.training


class Stop(Exception):
    """Stands for a crash."""


def stop_at(epochs):
    def on_epoch(model, entry):
        if len(model.history) == epochs:
            raise Stop

    return on_epoch


@pytest.mark.parametrize("schedule", ["one_cycle", "plateau", "constant"])
def test_resumes_bit_for_bit(tmp_path, schedule):
    config = DVAEConfig(hidden=8, latent=3, training=replace(BRIEF, epochs=4, schedule=schedule, patience=0))
    whole = DVAE(SPACE, config, seed=5).fit(graphs())
    path = tmp_path / "checkpoint.pt"
    for epochs in (1, 3):
        with pytest.raises(Stop):
            DVAE(SPACE, config, seed=5).fit(graphs(), checkpoint=path, on_epoch=stop_at(epochs))
    resumed = DVAE(SPACE, config, seed=5).fit(graphs(), checkpoint=path)
    assert same_weights(whole, resumed)
    assert whole.history == resumed.history
    # Once more when everything is done: nothing is trained, the result is the same.
    again = DVAE(SPACE, config, seed=5).fit(graphs(), checkpoint=path, on_epoch=stop_at(0))
    assert same_weights(whole, again)
    assert whole.history == again.history


@pytest.mark.parametrize("stopped", [1, 2, 3, 5])
def test_resumes_between_rounds(tmp_path, stopped):
    """A round keeps only the embedding, also when it starts from a checkpoint."""
    config = DVAEEmbConfig(hidden=6, latent=2, rounds=3, training=replace(BRIEF, epochs=2))
    whole = DVAEEmb(SPACE, config).fit(graphs())
    path = tmp_path / "checkpoint.pt"
    with pytest.raises(Stop):
        DVAEEmb(SPACE, config).fit(graphs(), checkpoint=path, on_epoch=stop_at(stopped))
    resumed = DVAEEmb(SPACE, config).fit(graphs(), checkpoint=path)
    assert same_weights(whole, resumed)
    assert [(e["round"], e["epoch"]) for e in whole.history] == [(r, e) for r in (1, 2, 3) for e in (1, 2)]
    assert whole.history == resumed.history


@pytest.mark.parametrize("model_class", [DVAEEmb, GCNEmb])
def test_rounds_carry_only_the_embedding(model_class):
    config = model_class.config_class(hidden=6, latent=2, training=replace(BRIEF, epochs=1))
    model = model_class(SPACE, config, seed=3)
    ends, starts = [], []
    restart = model.restart

    def watched(number):
        if number:
            ends.append({k: v.clone() for k, v in model.state_dict().items()})
        restart(number)
        starts.append({k: v.clone() for k, v in model.state_dict().items()})
        return model

    model.restart = watched
    model.pretrain_embedding(graphs(), 3)
    assert len(starts) == 3
    for end, start in zip(ends, starts[1:], strict=True):
        kept = [name for name in end if torch.equal(end[name], start[name])]
        assert kept == ["embedding.weight"]
    assert not any(torch.equal(a, b) for a, b in zip(starts[0].values(), starts[1].values(), strict=True))
    assert model.config.rounds == 3
    assert len(model.history) == 3
    with pytest.raises(InvalidArgument, match="embedding"):
        DVAE(SPACE, DVAEConfig(hidden=4, latent=2)).pretrain_embedding(graphs(), 2)


def test_rounds_without_an_embedding_are_trainings_from_other_weights():
    """Nothing is kept: the first of two rounds is the whole training of one, and the second starts anew."""
    config = DVAEConfig(hidden=6, latent=2, training=replace(BRIEF, epochs=1))
    ends = []
    once = DVAE(SPACE, config, seed=3).fit(graphs())
    DVAE(SPACE, replace(config, rounds=2), seed=3).fit(
        graphs(), on_epoch=lambda model, _: ends.append({k: v.clone() for k, v in model.state_dict().items()})
    )
    assert all(torch.equal(value, ends[0][name]) for name, value in once.state_dict().items())
    assert not any(torch.equal(a, b) for a, b in zip(ends[0].values(), ends[1].values(), strict=True))


def test_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    config = AutoencoderConfig(hidden=4, latent=2, training=replace(BRIEF, epochs=1))
    SVAE(SPACE, config).fit(graphs(), checkpoint=path)
    for model, batch in (
        (SVAE(SPACE, config, seed=1), graphs()),
        (SVAE(SPACE, replace(config, beta=0.1)), graphs()),
        (SVAE(SPACE, config), graphs(seed=1)),
        (GraphRNN(SPACE, config), graphs()),
    ):
        with pytest.raises(InvalidArgument, match="another training"):
            model.fit(batch, checkpoint=path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(CorruptData, match=r"checkpoint\.pt"):
        SVAE(SPACE, config).fit(graphs(), checkpoint=path)


def test_watching_changes_nothing():
    """Neither a callback that uses the model, nor the user's own random numbers."""
    config = DVAEConfig(hidden=6, latent=2, training=BRIEF)
    quiet = DVAE(SPACE, config).fit(graphs())
    seen = []

    def look(model, entry):
        assert not model.training
        torch.rand(3)
        z, _ = model.encode(graphs(5))
        seen.append((entry["epoch"], model.decode(z, torch.Generator().manual_seed(1)).valid.mean()))

    before = torch.random.get_rng_state()
    watched = DVAE(SPACE, config).fit(graphs(), on_epoch=look)
    torch.random.set_rng_state(before)
    assert same_weights(quiet, watched)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_again_starts_anew():
    config = DVAEConfig(hidden=6, latent=2, training=BRIEF)
    model = DVAE(SPACE, config).fit(graphs(20, seed=3))
    model.fit(graphs())
    assert same_weights(model, DVAE(SPACE, config).fit(graphs()))
    assert len(model.history) == 3
    assert not same_weights(model, DVAE(SPACE, config, seed=1).fit(graphs()))


SCRIPT = """
import sys
import numpy as np
from graphnas.autoencoders import load_autoencoder
print(type(load_autoencoder(sys.argv[1])).__name__)
from graphnas.autoencoders import DVAE, DVAEConfig, TrainingConfig
from search_spaces import ENASMacro
space = ENASMacro(3)
training = TrainingConfig(epochs=3, batch_size=16, learning_rate=3e-3)
model = DVAE(space, DVAEConfig(hidden=6, latent=2, training=training), seed=9)
model.fit(space.sample_batch(np.random.default_rng(0), 50))
print([entry["loss"].hex() for entry in model.history])
"""


def test_same_in_another_process(tmp_path):
    """Saved models of any class can be loaded there, and training gives the same losses."""
    config = DVAEConfig(hidden=6, latent=2, training=BRIEF)
    here = DVAE(SPACE, config, seed=9).fit(graphs())
    GCN(SPACE, GCNConfig(hidden=4, latent=2)).save(tmp_path / "model.pt")
    there = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "model.pt")], capture_output=True, text=True, check=True
    )
    assert there.stdout.split("\n")[:2] == ["GCN", str([entry["loss"].hex() for entry in here.history])]


# ---------------------------------------------------------------- schedules


def rates(config, updates):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    schedule = make_schedule(optimizer, config, updates)
    values = []
    for _ in range(updates):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return values


def test_plateau_reduces_the_rate_when_the_loss_stops_falling():
    training = replace(BRIEF, epochs=5, batch_size=50, schedule="plateau", learning_rate=1e-6, patience=1)
    model = SVAE(SPACE, AutoencoderConfig(hidden=4, latent=2, noise=0.0, training=training)).fit(graphs())
    assert [entry["learning_rate"] for entry in model.history] == pytest.approx([1e-6] * 3 + [1e-7] * 2)


def test_one_cycle_rises_and_falls():
    values = rates(TrainingConfig(learning_rate=1.0, warmup=0.2), 100)
    assert values[0] == pytest.approx(0.04)
    assert values[19] == max(values) == pytest.approx(1.0)
    assert all(np.diff(values[:20]) > 0)
    assert all(np.diff(values[19:]) < 0)
    assert values[-1] == pytest.approx(1e-4)
    assert set(rates(TrainingConfig(learning_rate=0.5, schedule="constant"), 100)) == {0.5}


@pytest.mark.parametrize("warmup", [0.001, 0.1, 0.5, 0.999])
def test_one_cycle_of_few_updates(warmup):
    for updates in range(1, 25):
        values = rates(TrainingConfig(learning_rate=1.0, warmup=warmup), updates)
        assert all(0 < value <= 1 for value in values)
        assert max(values) > 0.5 or updates == 1


def test_clipping_limits_an_update():
    config = AutoencoderConfig(hidden=8, latent=2, training=replace(BRIEF, epochs=2, clip=1e-6))
    clipped = SVAE(SPACE, config).fit(graphs())
    loose = SVAE(SPACE, replace(config, training=replace(config.training, clip=None))).fit(graphs())
    assert not same_weights(clipped, loose)


def test_mixed_precision_stays_close():
    config = DVAEConfig(hidden=16, latent=4, training=replace(BRIEF, epochs=4, clip=None))
    exact = DVAE(SPACE, config).fit(graphs())
    mixed_training = replace(config.training, precision="bfloat16")
    mixed = DVAE(SPACE, replace(config, training=mixed_training)).fit(graphs())
    assert all(p.dtype == torch.float32 for p in mixed.parameters())
    assert mixed.history[-1]["loss"] != exact.history[-1]["loss"]
    assert mixed.history[-1]["loss"] == pytest.approx(exact.history[-1]["loss"], rel=0.02)


@pytest.mark.parametrize("name", EPOCHS)
def test_mixed_precision_of_every_model(name):
    model_class = getattr(autoencoders, name)
    training = replace(BRIEF, epochs=1, precision="bfloat16")
    model = model_class(SPACE, model_class.config_class(hidden=8, latent=3, training=training)).fit(graphs())
    assert np.isfinite(model.history[-1]["loss"])


def test_divergence_is_an_error():
    config = AutoencoderConfig(hidden=8, latent=2, training=replace(BRIEF, learning_rate=1e30, clip=None))
    with pytest.raises(TrainingFailed, match="learning_rate"):
        SVAE(SPACE, config).fit(graphs())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("batch_size", 0),
        ("learning_rate", 0.0),
        ("schedule", "steps"),
        ("precision", "float16"),
        ("clip", 0.0),
        ("warmup", 1.0),
        ("factor", 0.0),
        ("patience", -1),
    ],
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=field):
        TrainingConfig(**{field: value})


# ---------------------------------------------------------------- on disk


@pytest.mark.parametrize(
    ("name", "changes"), [*[(name, {}) for name in EPOCHS], ("DVAE", {"embedding": 2, "rounds": 2})]
)
def test_saved_and_loaded(name, changes, tmp_path):
    model_class = getattr(autoencoders, name)
    config = model_class.config_class(hidden=6, latent=2, training=replace(BRIEF, epochs=1), **changes)
    model = model_class(SPACE, config, seed=2).fit(graphs())
    path = tmp_path / "folder" / "model.pt"
    model.save(path)
    loaded = load_autoencoder(path)
    assert type(loaded) is model_class
    assert same_weights(model, loaded)
    assert (loaded.config, loaded.seed, loaded.history) == (model.config, 2, model.history)
    assert loaded.space.arguments() == SPACE.arguments()
    assert torch.equal(loaded.encode(graphs(4))[0], model.encode(graphs(4))[0])
    assert [p.name for p in path.parent.iterdir()] == ["model.pt"]


def test_what_cannot_be_loaded(tmp_path):
    path = tmp_path / "model.pt"
    with pytest.raises(DataNotFound, match=r"model\.pt"):
        load_autoencoder(path)
    GCN(NASBench201(), GCNConfig(hidden=4, latent=2)).save(path)
    with pytest.raises(InvalidArgument, match="GCN, not a DVAE"):
        DVAE.load(path)
    assert isinstance(GraphAutoencoder.load(path), GCN)
    with pytest.raises(InvalidArgument, match="nasbench201"):
        GCN.load(path, space=ENASMacro6())
    assert isinstance(GCN.load(path, space=NASBench201()), GCN)
    content = torch.load(path, weights_only=True)
    torch.save({**content, "version": 99}, path)
    with pytest.raises(CorruptData, match="99"):
        GCN.load(path)
    content["weights"].pop("mean.weight")
    torch.save(content, path)
    with pytest.raises(CorruptData, match=r"mean\.weight"):
        GCN.load(path)
    path.write_text("nothing")
    with pytest.raises(CorruptData, match="cannot be read"):
        GCN.load(path)


def test_bad_training_sets():
    model = DVAE(ENASMacro6(), DVAEConfig(hidden=4, latent=2))
    with pytest.raises(InvalidArgument, match="at least one"):
        model.fit([])
    with pytest.raises(InvalidArgument, match="nodes"):
        model.fit(ENASMacro(8).sample_batch(np.random.default_rng(0), 3))
