"""Tiny-ImageNet and ImageNet in the layouts of their archives."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from image_files import write_folder

from graphnas.data_directory import find_data
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.training.datasets import load_dataset
from graphnas.training.images import MemoryImages
from graphnas.training.lazy_images import LazyImages
from graphnas.training.scaled_images import ScaledImages

Image = pytest.importorskip("PIL.Image")

WNIDS = ("n03", "n01", "n02")


def write_tiny(root: Path, train: int = 4, val: int = 2, size: int = 8) -> None:
    """A set of three classes in the official layout; the shade of an image says its class and number."""
    for label, wnid in enumerate(WNIDS):
        folder = root / "train" / wnid / "images"
        folder.mkdir(parents=True)
        (folder.parent / f"{wnid}_boxes.txt").write_text("x\t0\t0\t7\t7\n")
        for k in range(train):
            Image.new("RGB", (size, size), (80 * label, 20 * k, 0)).save(
                folder / f"{wnid}_{k}.JPEG", quality=100
            )
    (root / "val" / "images").mkdir(parents=True)
    lines = []
    for k in range(3 * val):
        label = (k + 1) % 3
        Image.new("RGB", (size, size), (80 * label, 0, 200)).save(root / "val" / "images" / f"val_{k}.JPEG")
        lines.append(f"val_{k}.JPEG\t{WNIDS[label]}\t0\t0\t7\t7\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    (root / "test" / "images").mkdir(parents=True)
    Image.new("RGB", (size, size)).save(root / "test" / "images" / "test_0.JPEG")
    (root / "wnids.txt").write_text("\n".join(WNIDS) + "\n")
    (root / "words.txt").write_text("n01\tgoldfish, Carassius auratus\nn02\ttench\nn09\tother\n")


@pytest.mark.parametrize("place", ["tiny-imagenet-200", "tiny_imagenet", "tinyimagenet"])
def test_the_official_layout(tmp_path, place):
    write_tiny(tmp_path / place)
    named = load_dataset("tinyimagenet", data_dir=tmp_path)
    for data in (named, load_dataset(f"tinyimagenet:{tmp_path / place}")):
        assert data.name == "tinyimagenet"
        assert data.class_names == ("n03", "goldfish, Carassius auratus", "tench")
        assert data.train.shape == (3, 8, 8)
        assert data.train.labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
        assert (data.train.images[:, 0, 4, 4].float() / 80).round().tolist() == data.train.labels.tolist()
        assert data.test.labels.tolist() == [1, 2, 0, 1, 2, 0]
        reds = data.test.take(torch.arange(6))[:, 0, 4, 4].float()
        assert (reds / 80).round().tolist() == data.test.labels.tolist()


def test_scaled_and_read_when_needed(tmp_path):
    write_tiny(tmp_path)
    kept = load_dataset(f"tinyimagenet:{tmp_path}", image_size=4)
    needed = load_dataset(f"tinyimagenet:{tmp_path}", image_size=4, memory_limit=0)
    assert kept.train.shape == (3, 4, 4)
    assert isinstance(needed.test, LazyImages)
    for one, other in ((kept.train, needed.train), (kept.test, needed.test)):
        assert torch.equal(one.take(torch.arange(len(one))), other.take(torch.arange(len(one))))
    assert kept.normalisation == needed.normalisation


def test_small_images_are_enlarged_when_they_are_used(tmp_path):
    """224 from 64 in the paper: what is kept in memory stays small, and the other name is read too."""
    write_tiny(tmp_path)
    stored = load_dataset(f"tiny-imagenet:{tmp_path}")
    data = load_dataset(f"tiny-imagenet:{tmp_path}", image_size=20)
    assert isinstance(data.train, ScaledImages)
    assert data.train._stored.images.shape[2:] == (8, 8)
    assert data.train.shape == data.test.shape == (3, 20, 20)
    assert data.normalisation == stored.normalisation
    order = torch.tensor([5, 0, 11])
    expected = torch.nn.functional.interpolate(
        stored.train.take(order).float(), size=(20, 20), mode="bilinear"
    )
    found = data.train.take(order)
    assert found.dtype == torch.uint8
    assert torch.equal(found, expected.round().to(torch.uint8))
    assert torch.equal(torch.cat(list(data.train.batches(list(order.split(2))))), found)
    moved = data.train.to(torch.device("cpu"))
    assert torch.equal(moved.take(order), found)
    assert torch.equal(moved.labels, stored.train.labels)


def test_images_of_floats_are_enlarged_without_rounding():
    images = MemoryImages(torch.rand(3, 1, 4, 4), torch.tensor([0, 1, 0]))
    larger = ScaledImages(images, 8).take(torch.tensor([1]))
    assert larger.dtype == torch.float32
    assert larger.shape == (1, 1, 8, 8)
    assert float(larger.mean()) == pytest.approx(float(images.images[1].mean()), abs=1e-5)


def test_smaller_images_are_means_of_all_pixels():
    pixels = torch.zeros((2, 3, 32, 32), dtype=torch.uint8)
    pixels[0, :, ::4] = 200  # a quarter of the rows, which sampling alone would find or miss
    pixels[1] = 77
    images = MemoryImages(pixels, torch.tensor([0, 1]))
    smaller = ScaledImages(images, 4)
    assert smaller.shape == (3, 4, 4)
    striped, plain = smaller.take(torch.tensor([0, 1]))
    assert striped.float().sub(50).abs().max() <= 5
    assert (plain == 77).all()


def test_hidden_files_do_not_count(tmp_path):
    write_tiny(tmp_path)
    for folder in (tmp_path / "train" / "n01" / "images", tmp_path / "val" / "images"):
        source = next(folder.glob("*.JPEG"))
        (folder / f"._{source.name}").write_bytes(b"of another system")
        (folder / ".ipynb_checkpoints").mkdir()
        (folder / ".ipynb_checkpoints" / source.name).write_bytes(source.read_bytes())
    data = load_dataset(f"tinyimagenet:{tmp_path}")
    assert (len(data.train), len(data.test)) == (12, 6)


def _rewrite(name: str, text: str):
    return lambda root: (root / name).write_text(text)


DAMAGE = {
    "no list": (lambda root: (root / "wnids.txt").unlink(), DataNotFound, "no file wnids.txt. Download http"),
    "no classes": (_rewrite("wnids.txt", "\n"), CorruptData, "wnids.txt must list two or more different"),
    "a class twice": (_rewrite("wnids.txt", "n01\nn01\n"), CorruptData, "wnids.txt must list two or more"),
    "no images": (_rewrite("wnids.txt", "n01\nn07\n"), CorruptData, "n07.images holds no images"),
    "no annotations": (
        lambda r: (r / "val/val_annotations.txt").unlink(),
        CorruptData,
        "val_annotations.txt",
    ),
    "another class": (
        _rewrite("val/val_annotations.txt", "val_0.JPEG\tn77\t0\n"),
        CorruptData,
        "line 1 of .*val_annotations.txt must name an image and a class",
    ),
    "no class": (_rewrite("val/val_annotations.txt", "\nval_0.JPEG\n"), CorruptData, "line 2 of"),
    "a missing file": (
        lambda root: (root / "val" / "images" / "val_3.JPEG").unlink(),
        CorruptData,
        "line 4 of .* names val_3.JPEG, which is not in",
    ),
    "a file without a line": (
        _rewrite("val/val_annotations.txt", "val_0.JPEG\tn01\t0\n"),
        CorruptData,
        "val_1.JPEG and 4 others have no class",
    ),
    "bytes": (
        lambda r: (r / "words.txt").write_bytes(b"\xff\xfe\x00"),
        CorruptData,
        "words.txt cannot be read",
    ),
    "a damaged image": (
        lambda r: (r / "train/n02/images/n02_1.JPEG").write_bytes(b"\xff\xd8\xff"),
        CorruptData,
        "n02_1.JPEG is not an image",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_named(tmp_path, kind):
    write_tiny(tmp_path)
    damage, error, message = DAMAGE[kind]
    damage(tmp_path)
    with pytest.raises(error, match=message):
        load_dataset(f"tinyimagenet:{tmp_path}")


def test_the_way_to_get_it_is_said(tmp_path):
    with pytest.raises(DataNotFound, match=r"Tiny-ImageNet not found.*tiny-imagenet-200\.zip \(237 MB\)"):
        load_dataset("tinyimagenet", data_dir=tmp_path)
    with pytest.raises(InvalidArgument, match=r"download is for cifar10, .* not for tinyimagenet"):
        load_dataset("tinyimagenet", data_dir=tmp_path, download=True)


def test_the_folder_reader_points_to_it(tmp_path):
    write_tiny(tmp_path)
    with pytest.raises(InvalidArgument, match='laid out as Tiny-ImageNet: use "tinyimagenet:'):
        load_dataset(tmp_path)


def test_imagenet_folders(tmp_path):
    write_folder(tmp_path / "train", {"n01": 4, "n02": 4}, size=(9, 7), extension=".JPEG")
    write_folder(tmp_path / "val", {"n01": 2, "n02": 1}, size=(12, 8), extension=".JPEG")
    data = load_dataset(f"imagefolder:{tmp_path}", image_size=6)
    assert data.class_names == ("n01", "n02")
    assert (data.train.shape, len(data.train), data.test.labels.tolist()) == ((3, 6, 6), 8, [0, 0, 1])


def test_real_images(tmp_path):
    try:
        archive = find_data(["tiny_imagenet_mini/tiny_imagenet_mini.tar"], what="a part of it", how_to_get="")
    except DataNotFound as error:
        pytest.skip(str(error))
    wanted = {f"tiny-imagenet-mini/{name}" for name in ("wnids.txt", "words.txt", "val/val_annotations.txt")}
    with tarfile.open(archive) as content:
        members = content.getmembers()
        # A fifth of the training images, to save time.
        chosen = [
            m for m in members if m.name in wanted or "/val/images" in m.name or m.name.endswith("0.JPEG")
        ]
        content.extractall(tmp_path, chosen, filter="data")
    root = tmp_path / "tiny-imagenet-mini"
    data = load_dataset(f"tinyimagenet:{root}")
    wnids = (root / "wnids.txt").read_text().split()
    assert (data.num_classes, data.train.shape, len(data.test)) == (40, (3, 64, 64), 1200)
    assert torch.bincount(data.test.labels).tolist() == [30] * 40
    assert set(data.train.labels.tolist()) == set(range(40))
    assert "Egyptian cat" in data.class_names
    names = dict(line.split("\t") for line in (root / "words.txt").read_text().splitlines())
    assert data.class_names == tuple(names[wnid] for wnid in wnids)
    lines = (root / "val" / "val_annotations.txt").read_text().splitlines()
    for k in (0, 700, 1199):
        name, wnid = lines[k].split("\t")[:2]
        assert wnids[data.test.labels[k]] == wnid
        with Image.open(root / "val" / "images" / name) as image:
            assert np.array_equal(
                data.test.images[k].numpy(), np.asarray(image.convert("RGB")).transpose(2, 0, 1)
            )
    assert all(0.2 < value < 0.7 for value in (*data.mean, *data.std))
