"""The example of a search on shared weights runs as it stands, and what it leaves can be read again."""

from __future__ import annotations

import runpy
from pathlib import Path

import torch

from graphnas.methods import LearnedDistribution
from graphnas.training import load_model
from graphnas.training.images import ImageData, MemoryImages, channel_statistics

EXAMPLE = runpy.run_path(str(Path(__file__).parents[3] / "examples" / "graphpnas_supernet.py"))
SMALL = {"layers": 2, "width": 2, "steps": 2, "epochs": 1}


def test_it_searches_trains_and_saves(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHNAS_DATA", str(tmp_path))  # so without CIFAR-10
    trained = EXAMPLE["main"](tmp_path / "runs", **SMALL)
    printed = capsys.readouterr().out
    assert "digits: 1295 images train, 143 measure" in printed
    assert "step  2  loss" in printed
    assert f"test accuracy {trained.evaluation.value:.2f} %" in printed
    again = load_model(tmp_path / "runs" / "best")
    assert again.architecture == trained.architecture
    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(again.predict(images), trained.predict(images))
    learned = LearnedDistribution.load(tmp_path / "runs" / "distribution.pt")
    assert len(learned.sample(3)) == 3
    assert (tmp_path / "runs" / "samples.png").read_bytes().startswith(b"\x89PNG")


def test_it_takes_a_part_of_cifar10(monkeypatch):
    """On images in the place of CIFAR-10's, whose 60,000 take long to unpack."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for count in (50, 40):
        pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
        parts.append(MemoryImages(pixels, torch.arange(count) % 10))
    whole = ImageData(
        "cifar10", parts[0], lambda: parts[1], 10, channel_statistics(parts[0]), tuple("abcdefghij")
    )
    monkeypatch.setitem(EXAMPLE["images"].__globals__, "load_dataset", {"cifar10": whole}.__getitem__)
    data = EXAMPLE["images"](30, 20)
    assert (data.name, data.num_classes, data.class_names) == ("30 images of cifar10", 10, whole.class_names)
    assert (len(data.train), len(data.test)) == (30, 20)
    assert torch.bincount(data.train.labels).tolist() == [3] * 10
    assert torch.bincount(data.test.labels).tolist() == [2] * 10
    assert data.normalisation == whole.normalisation
