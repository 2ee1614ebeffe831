"""CIFAR-10 from lossless shards and from the official batches."""

from __future__ import annotations

import io
import lzma
import os
import pickle

import numpy as np
import pytest

from graphnas.data_directory import data_directory
from graphnas.errors import CorruptData, DataNotFound
from graphnas.training.cifar10 import NORMALISATION, load_cifar10, read_shard
from graphnas.training.cifar_batches import read_batch


def _encoded(images: np.ndarray) -> bytes:
    """A shard of ``(n, 3, 32, 32)`` RGB bytes, by the definition: the median of three, pixel by pixel."""
    red, green, blue = (images[:, k].astype(int) for k in range(3))
    planes = np.stack([green, (red - green) % 256, (blue - green) % 256], axis=1)
    bordered = np.pad(planes, ((0, 0), (0, 0), (1, 0), (1, 0)))
    left, upper, corner = bordered[..., 1:, :-1], bordered[..., :-1, 1:], bordered[..., :-1, :-1]
    predicted = np.median(np.stack([left, upper, left + upper - corner]), axis=0).astype(int)
    return lzma.compress(((planes - predicted) % 256).astype(np.uint8).tobytes())


def _images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def test_reads_back_what_was_written(tmp_path):
    images = np.concatenate([_images(510), np.zeros((1, 3, 32, 32), np.uint8), _images(1) // 16])
    path = tmp_path / "shard.xz"
    path.write_bytes(_encoded(images))
    assert np.array_equal(read_shard(path), images)
    assert np.array_equal(read_shard(path, limit=501), images[:501])
    assert np.array_equal(read_shard(path, limit=3), images[:3])


def test_a_directory_of_shards_is_loaded_with_its_labels(tmp_path):
    folder = tmp_path / "cifar10"
    folder.mkdir()
    for name, seed in (("train_00", 1), ("train_01", 2), ("test_00", 3)):
        (folder / f"cifar10_{name}.xz").write_bytes(_encoded(_images(20, seed)))
    data = load_cifar10(tmp_path)
    assert data.train.shape == (3, 32, 32)
    assert data.train.labels.tolist() == [*range(10)] * 4
    assert np.array_equal(data.train.images.numpy(), np.concatenate([_images(20, 1), _images(20, 2)]))
    assert np.array_equal(data.test.images.numpy(), _images(20, 3))
    assert (data.num_classes, data.in_channels, len(data.class_names)) == (10, 3, 10)
    assert data.normalisation == NORMALISATION


def test_damaged_shards_are_named(tmp_path):
    path = tmp_path / "shard.xz"
    whole = _encoded(_images(4))
    for content in (whole[:-40], b"not xz at all", lzma.compress(b"x" * 5000), lzma.compress(b"")):
        path.write_bytes(content)
        with pytest.raises(CorruptData, match=r"shard\.xz"):
            read_shard(path)


def test_missing_data_says_how_to_get_it(tmp_path):
    with pytest.raises(DataNotFound, match=r"cifar-10-python\.tar\.gz \(163 MB\)"):
        load_cifar10(tmp_path)


def test_one_real_shard():
    path = data_directory() / "cifar10" / "cifar10_train_00.xz"
    if not path.is_file():
        pytest.skip(f"no {path}: GRAPHNAS_DATA does not hold the CIFAR-10 shards")
    images = read_shard(path)
    assert images.shape == (5000, 3, 32, 32)
    mean, std = images.mean((0, 2, 3)) / 255, images.std((0, 2, 3)) / 255
    assert mean == pytest.approx(NORMALISATION.mean, abs=0.01)
    assert std == pytest.approx(NORMALISATION.std, abs=0.01)
    # Natural images: neighbouring pixels are close, which no mistake in the prediction would leave so.
    assert np.abs(np.diff(images.astype(int), axis=3)).mean() < 20  # 85 for noise
    # Ships and aeroplanes (labels 8 and 0) are before blue, frogs (6) are not.
    blueness = [(images[k::10, 2].mean() - images[k::10, 0].mean()) for k in range(10)]
    assert min(blueness[8], blueness[0]) > max(blueness[k] for k in (2, 3, 4, 5, 6, 7))


# ---------------------------------------------------------------- official batches


def _write_batches(folder, missing=()):
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k, name in enumerate(
        ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"]
    ):
        if name not in missing:
            _write_batch(folder / name, _images(10, k), rng.permutation(10))
    _write_batch(folder / "test_batch", _images(10, 9), np.arange(10))


def _write_batch(path, images, labels):
    content = {b"data": images.reshape(len(images), -1), b"labels": [int(x) for x in labels]}
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("place", ["cifar-10-batches-py", "cifar10/cifar-10-batches-py"])
def test_official_batches(tmp_path, place):
    _write_batches(tmp_path / place)
    data = load_cifar10(tmp_path)
    assert np.array_equal(data.train.images.numpy(), np.concatenate([_images(10, k) for k in range(5)]))
    assert sorted(data.train.labels[:10].tolist()) == list(range(10))
    assert data.test.labels.tolist() == list(range(10))
    assert np.array_equal(data.test.images.numpy(), _images(10, 9))


def test_an_incomplete_folder_is_named(tmp_path):
    _write_batches(tmp_path / "cifar-10-batches-py", missing=("data_batch_4",))
    with pytest.raises(CorruptData, match="data_batch_4 missing"):
        load_cifar10(tmp_path)


class _Hostile:
    def __reduce__(self):
        return (os.mkdir, ("hostile",))


def test_a_pickle_that_names_other_code_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "batch"
    path.write_bytes(pickle.dumps(_Hostile()))
    with pytest.raises(CorruptData, match="mkdir"):
        read_batch(path)
    assert not (tmp_path / "hostile").exists()


@pytest.mark.parametrize("content", [{b"data": np.zeros((2, 3072), np.uint8)}, [1, 2], None])
def test_other_pickles_are_refused(tmp_path, content):
    buffer = io.BytesIO()
    pickle.dump(content, buffer)
    path = tmp_path / "batch"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(CorruptData, match="is not a CIFAR batch"):
        read_batch(path)
