"""graphnas autoencoder: train, measure, encode and decode, as a user types them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphnas.autoencoders import load_autoencoder
from graphnas.cli.main import main
from search_spaces import GEMNet


def run(*words) -> int:
    return main(["autoencoder", *map(str, words)])


SPACE = ["--space", "gemnet", "--nodes", 3]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("autoencoder") / "model.pt"
    small = ["--model", "dvae_emb", "--set", "hidden=32", "--set", "latent=8", "--training", "epochs=60"]
    assert run("train", *SPACE, *small, "--samples", 300, "--output", path) == 0
    return path


def test_there_and_back(model, tmp_path, capsys):
    space = GEMNet(3)
    cells = [space.sample(np.random.default_rng(k)) for k in range(20)]
    (tmp_path / "cells.json").write_text(json.dumps([cell.to_dict() for cell in cells]))
    assert run("encode", model, tmp_path / "cells.json", "--output", tmp_path / "z.npy") == 0
    assert np.load(tmp_path / "z.npy").shape == (20, 8)
    assert run("decode", model, tmp_path / "z.npy", "--output", tmp_path / "again.json") == 0
    again = json.loads((tmp_path / "again.json").read_text())
    same = sum(entry == cell.to_dict() for entry, cell in zip(again, cells, strict=True))
    assert same >= 10
    valid = sum(entry is not None for entry in again)
    assert f"{valid} of 20 are architectures of gemnet" in capsys.readouterr().out


def test_measures_are_printed(model, capsys):
    assert run("measure", model, "--samples", 200, "--likeliest") == 0
    text = capsys.readouterr().out
    assert "20 architectures held out of 200" in text
    rows = dict(line.rsplit(maxsplit=1) for line in text.splitlines() if line.count("%"))
    assert float(rows["accuracy (%)"]) >= 40  # by chance: one in forty
    assert set(rows) == {f"{n} (%)" for n in ("accuracy", "validity", "well formed", "uniqueness", "novelty")}


def test_settings_reach_the_model(model):
    config = load_autoencoder(model).config
    assert (config.hidden, config.latent, config.training.epochs, config.training.optimizer) == (
        32,
        8,
        60,
        "muon",
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", *SPACE, "--model", "dvea", "--output", "x"], "--model must be one of features, dvae"),
        (["train", *SPACE, "--model", "dvae", "--set", "hiden=3", "--output", "x"], "did you mean 'hidden'?"),
        (["train", *SPACE, "--model", "dvae", "--training", "epochs=0", "--output", "x"], "epochs must be"),
        (["measure", "nowhere.pt"], "there is no file nowhere.pt"),
        (["encode", "{model}", "no.json", "--output", "z"], "there is no file no.json"),
        (["decode", "{model}", "no.npy", "--output", "z"], "there is no file no.npy"),
    ],
)
def test_what_is_wrong_is_named(model, words, message, capsys):
    assert run(*[str(word).format(model=model) for word in words]) == 2
    assert message in capsys.readouterr().err


def test_a_wrong_shape_of_latents(model, tmp_path, capsys):
    np.save(tmp_path / "z.npy", np.zeros((2, 3)))
    assert run("decode", model, tmp_path / "z.npy", "--output", tmp_path / "a.json") == 2
    assert "z must have shape (B, 8), got (2, 3)" in capsys.readouterr().err
