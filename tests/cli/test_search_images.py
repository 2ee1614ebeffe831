"""graphnas search on images of one's own: their size, a download, and what is recorded of them."""

from __future__ import annotations

import json

import pytest
from small_search import TINY

from graphnas.errors import DataNotFound
from graphnas.training import datasets

Image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path):
    """Images of several sizes in two classes."""
    root = tmp_path / "pets"
    for name in ("cat", "dog"):
        (root / name).mkdir(parents=True)
        for k in range(12):
            Image.new("RGB", (10 + k % 3, 9), (20 * k, 250 * (name == "cat"), 0)).save(
                root / name / f"{k}.png"
            )
    return root


def search(folder, *options):
    at = TINY.index("digits")
    return ["search", *TINY[:at], f"imagefolder:{folder}", *TINY[at + 1 :], "--trials", 2, *options]


def test_images_of_several_sizes_are_scaled_and_the_size_is_recorded(command, folder, tmp_path):
    refused = command(*search(folder))
    assert refused.code == 2
    assert "--image-size" in refused.err
    assert refused.err.count("\n") == 1

    study = ("--output", tmp_path / "out", "--retrain-epochs", 1)
    done = command(*search(folder, "--image-size", 8, *study))
    assert done.code == 0, done.err
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["settings"]["image_size"] == 8

    other = command(*search(folder, "--image-size", 9, *study))
    assert other.code == 2
    assert "was made with image_size 8, not 9; use another --study-name" in other.err

    again = command(*search(folder, "--image-size", 8, *study))
    assert "continues after 2 trials with 2 more" in again.out


def test_a_damaged_image_ends_the_search_with_its_name(command, folder):
    (folder / "dog" / "5.png").write_bytes((folder / "dog" / "5.png").read_bytes()[:50])
    done = command(*search(folder, "--image-size", 8))
    assert done.code != 0
    assert "5.png cannot be decoded" in done.err


@pytest.mark.parametrize("size", ["0", "-3", "8.5", "big"])
def test_a_bad_size_is_refused(command, folder, size):
    done = command(*search(folder, f"--image-size={size}"))
    assert done.code == 2
    assert "--image-size" in done.err


@pytest.mark.parametrize("option", [["--image-size", "8"], ["--download"]])
def test_options_for_images_are_refused_with_a_table(command, option):
    done = command("search", "--space", "nasbench201", "--evaluator", "table", *option)
    assert done.code == 2
    assert f"{option[0]} is for training, but the values come from the table" in done.err


@pytest.mark.parametrize("name", ["image_size", "download"])
def test_they_are_no_training_settings(command, name):
    done = command("search", *TINY, "--training", f"{name}=8")
    assert done.code == 2
    assert f"{name} is not a training setting; use --{name.replace('_', '-')}" in done.err


@pytest.mark.parametrize(("options", "download"), [([], False), (["--download"], True)])
def test_a_download_is_asked_for_only_on_demand(command, monkeypatch, tmp_path, options, download):
    asked = []

    def load(name, directory, **arguments):
        asked.append((name, directory, arguments["download"]))
        raise DataNotFound("no network")

    monkeypatch.setattr("graphnas.training.torchvision_data.load_torchvision", load)
    at = TINY.index("digits")
    set_name = [*TINY[:at], "torchvision:FashionMNIST", *TINY[at + 1 :], "--data-dir", str(tmp_path)]
    done = command("search", *set_name, *options)
    assert done.code == 2
    assert asked == [("FashionMNIST", tmp_path, download)]


def test_sets_that_cannot_be_downloaded_say_so(command, folder):
    done = command(*search(folder, "--image-size", 8, "--download"))
    assert done.code == 2
    assert "download is for cifar10, cifar100 and torchvision:NAME, not for imagefolder" in done.err


def test_all_names_are_in_the_help(command):
    text = " ".join(command("search", "--help").out.split())
    for name in datasets.DATASETS:
        assert name.split(":")[0] in text
