"""CIFAR-100 from the files of its official archive."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.training import cifar_batches
from graphnas.training.datasets import load_dataset

NAMES = [f"class {k:02d}" for k in range(100)]


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, 3072), dtype=np.uint8)


def write(folder, **changes) -> None:
    """A small CIFAR-100, pickled as the archive is: by Python 2, with names in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (("train", 200), ("test", 100)):
        content = {b"data": pixels(count), b"fine_labels": [k % 100 for k in range(count)]}
        content[b"coarse_labels"] = [k % 20 for k in range(count)]
        (folder / split).write_bytes(pickle.dumps(content, protocol=2))
    meta = {b"fine_label_names": [name.encode() for name in NAMES], b"coarse_label_names": []}
    (folder / "meta").write_bytes(pickle.dumps(meta, protocol=2))
    for name, content in changes.items():
        (folder / name).write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize(
    "place", ["cifar-100-python", "cifar100/cifar-100-python", "torchvision/cifar-100-python"]
)
def test_the_official_files(tmp_path, place):
    write(tmp_path / place)
    data = load_dataset("cifar100", data_dir=tmp_path)
    assert (data.name, data.num_classes, data.train.shape) == ("cifar100", 100, (3, 32, 32))
    assert data.class_names == tuple(NAMES)
    assert data.train.labels.tolist() == [k % 100 for k in range(200)]
    assert np.array_equal(data.train.images.numpy().reshape(200, -1), pixels(200))
    assert np.array_equal(data.test.images.numpy().reshape(100, -1), pixels(100))


class Hostile:
    def __reduce__(self):
        return (os.mkdir, ("hostile",))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": {b"data": pixels(3), b"labels": [1, 2, 3]}}, "train is not a CIFAR batch: KeyError"),
        (
            {"train": {b"data": pixels(3), b"fine_labels": [1, 2, 100]}},
            "train is not a CIFAR batch: 3 images",
        ),
        ({"train": {b"data": pixels(3), b"fine_labels": [1, 2]}}, "3 images, labels"),
        ({"train": Hostile()}, "names posix.mkdir"),
        ({"meta": {b"fine_label_names": [b"one"]}}, "meta does not name the 100 classes"),
        ({"meta": Hostile()}, "meta is not a CIFAR batch: it names"),
    ],
)
def test_other_files_are_refused(tmp_path, monkeypatch, changes, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "cifar-100-python", **changes)
    with pytest.raises(CorruptData, match=message):
        load_dataset("cifar100", data_dir=tmp_path)
    assert not (tmp_path / "hostile").exists()


@pytest.mark.parametrize("name", ["test", "meta"])
def test_an_incomplete_folder_is_named(tmp_path, name):
    write(tmp_path / "cifar-100-python")
    (tmp_path / "cifar-100-python" / name).unlink()
    with pytest.raises(CorruptData, match=rf"is incomplete: {name} missing\. Download"):
        _ = load_dataset("cifar100", data_dir=tmp_path).test


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_it_is_downloaded_only_if_asked_for_and_missing(tmp_path, monkeypatch, name):
    asked = []

    def download(which, directory):
        asked.append((which, directory))
        if name == "cifar100":
            write(directory / "torchvision" / "cifar-100-python")

    monkeypatch.setattr(cifar_batches, "download_cifar", download)
    with pytest.raises(DataNotFound, match=r"cifar-10.*-python\.tar\.gz .*--download"):
        load_dataset(name, data_dir=tmp_path)
    assert asked == []
    if name == "cifar10":  # what came is not what was asked for
        with pytest.raises(DataNotFound):
            load_dataset(name, data_dir=tmp_path, download=True)
    else:
        for _ in range(2):
            assert len(load_dataset(name, data_dir=tmp_path, download=True).train) == 200
    assert asked == [(name.upper(), tmp_path)]


def test_what_has_no_meaning_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match=r"image_size .* not for cifar100"):
        load_dataset("cifar100", data_dir=tmp_path, image_size=16)
    for dataset, name in [("digits", "digits"), (tmp_path, "imagefolder"), (((), ()), "data of your own")]:
        with pytest.raises(InvalidArgument, match=f"download is for .* not for {name}"):
            load_dataset(dataset, download=True)
