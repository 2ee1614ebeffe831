"""Image sets by name, from folders and from the user's own data."""

from __future__ import annotations

import gzip
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument, MissingExtra
from graphnas.training.datasets import load_dataset
from graphnas.training.images import MemoryImages, Normalisation, channel_statistics
from graphnas.training.lazy_images import LazyImages
from graphnas.training.splits import stratified_split

RNG = np.random.default_rng(0)


def _pixels(count: int, channels: int = 3, side: int = 4) -> np.ndarray:
    return RNG.integers(0, 256, (count, channels, side, side), dtype=np.uint8)


# ---------------------------------------------------------------- digits


def test_digits():
    data = load_dataset("digits")
    assert (len(data.train), len(data.test)) == (1438, 359)
    assert (data.train.shape, data.num_classes, data.in_channels) == ((1, 8, 8), 10, 1)
    assert data.train.images.dtype == torch.uint8
    assert data.train.images.unique().numel() == 17
    fractions = torch.bincount(data.test.labels) / torch.bincount(
        torch.cat([data.train.labels, data.test.labels])
    )
    assert (fractions - 0.2).abs().max() < 0.005
    rows = {image.numpy().tobytes() for image in data.train.images}
    assert not rows & {image.numpy().tobytes() for image in data.test.images}
    assert torch.equal(load_dataset("digits").test.images, data.test.images)


def test_normalised_training_images_have_mean_0_and_std_1():
    data = load_dataset("digits")
    normalised = data.normalisation(data.train.images)
    assert normalised.dtype == torch.float32
    assert normalised.mean() == pytest.approx(0, abs=1e-5)
    assert normalised.std() == pytest.approx(1, abs=1e-4)


def test_statistics_of_floats_and_of_a_constant_channel():
    images = torch.randn(500, 2, 3, 3) * 4 + 7
    images[:, 1] = 2.5
    found = channel_statistics(MemoryImages(images, torch.zeros(500, dtype=torch.int64)))
    assert found.scale == 1
    assert found.mean == pytest.approx((images[:, 0].mean().item(), 2.5), rel=1e-5)
    assert found.std == pytest.approx((images[:, 0].std(correction=0).item(), 1.0), rel=1e-5)
    assert torch.isfinite(found(images)).all()


# ---------------------------------------------------------------- the user's own


class _Own(Dataset):
    """Items one by one; ``form`` makes the image of the array."""

    def __init__(self, pixels, labels, form=torch.from_numpy):
        self.pixels, self.answers, self.form = pixels, labels, form

    def __len__(self):
        return len(self.pixels)

    def __getitem__(self, index):
        if index >= len(self):
            raise IndexError(index)
        return self.form(self.pixels[index]), self.answers[index]


def test_a_pair_of_arrays_or_tensors_or_data_sets():
    pixels, labels = _pixels(12), np.arange(12) % 3
    test = (_pixels(6), np.arange(6) % 3)
    from_arrays = load_dataset(((pixels, labels), test))
    from_tensors = load_dataset(((torch.from_numpy(pixels), torch.from_numpy(labels)), test))
    from_own = load_dataset((_Own(pixels, labels), _Own(*test)))
    for data in (from_arrays, from_tensors, from_own):
        assert np.array_equal(data.train.images.numpy(), pixels)
        assert data.train.labels.tolist() == labels.tolist()
        assert np.array_equal(data.test.images.numpy(), test[0])
        assert (data.num_classes, data.in_channels, data.train.shape) == (3, 3, (3, 4, 4))
        assert data.mean == pytest.approx(pixels.mean((0, 2, 3)) / 255)
        assert data.std == pytest.approx(pixels.std((0, 2, 3)) / 255)


def test_items_may_be_pillow_images_or_arrays():
    image = pytest.importorskip("PIL.Image")
    pixels, labels = _pixels(6), np.arange(6) % 2
    as_pillow = _Own(pixels, labels, lambda p: image.fromarray(p.transpose(1, 2, 0)))
    as_array = _Own(pixels, labels, lambda p: p.transpose(1, 2, 0))
    for own in (as_pillow, as_array):
        assert np.array_equal(load_dataset((own, own)).train.images.numpy(), pixels)


def test_grey_images_get_their_channel():
    data = load_dataset(((torch.zeros(4, 5, 6), torch.tensor([0, 1, 0, 1])),) * 2)
    assert data.train.shape == (1, 5, 6)


def test_large_sets_are_read_when_needed():
    pixels, labels = _pixels(20), np.arange(20) % 2
    data = load_dataset((_Own(pixels, labels), (pixels, labels)), memory_limit=100)
    assert isinstance(data.train, LazyImages)
    batches = [torch.tensor([3, 1]), torch.tensor([19]), torch.arange(20)]
    for batch, indices in zip(data.train.batches(batches), batches, strict=True):
        assert np.array_equal(batch.numpy(), pixels[indices.numpy()])
    assert data.mean == pytest.approx(pixels.mean((0, 2, 3)) / 255)
    assert np.array_equal(data.train.take(torch.tensor([5])).numpy(), pixels[5:6])


def test_lazy_images_are_read_one_batch_ahead_and_no_further():
    asked: list[int] = []

    def read(index: int) -> torch.Tensor:
        asked.append(index)
        return torch.zeros(1, 2, 2)

    images = LazyImages(read, torch.arange(10), (1, 2, 2))
    batches = images.batches(list(torch.arange(10).split(2)))
    next(batches)
    batches.close()
    assert set(asked) <= {0, 1, 2, 3}
    assert {0, 1} <= set(asked)


def test_lazy_images_of_another_size_are_named():
    images = LazyImages(lambda i: torch.zeros(1, 2, 2 + i), torch.arange(3), (1, 2, 2))
    with pytest.raises(InvalidArgument, match=r"image 2 has shape \(1, 2, 4\)"):
        images.take(torch.tensor([0, 2]))


def _zeros(*shape: int) -> torch.Tensor:
    return torch.zeros(*shape, dtype=torch.uint8)


GOOD = (_zeros(4, 1, 2, 2), torch.tensor([0, 1, 0, 1]))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (
            "mnist",
            "unknown data set 'mnist'; allowed: digits, cifar10, cifar100, tiny-imagenet, .*imagefolder:PATH",
        ),
        ("digits:small", "unknown data set"),
        ("torchvision:", "unknown data set"),
        (5, "dataset must be one of digits, .* got 5"),
        (((_zeros(4, 2), GOOD[1]), GOOD), r"images must have shape .* got \(4, 2\)"),
        (((_zeros(0, 1, 2, 2), GOOD[1]), GOOD), r"got \(0, 1, 2, 2\)"),
        (((GOOD[0].int(), GOOD[1]), GOOD), r"uint8 or floating point, got torch.int32"),
        (((torch.full((4, 1, 2, 2), torch.nan), GOOD[1]), GOOD), "not finite"),
        (((GOOD[0], GOOD[1][:3]), GOOD), r"labels must have shape \(4,\), got \(3,\)"),
        (((GOOD[0], GOOD[1].float()), GOOD), "labels must be integers, got torch.float32"),
        (((GOOD[0], GOOD[1] - 1), GOOD), "labels must be at least 0, got -1"),
        (((GOOD[0], GOOD[1] * 2), GOOD), r"every class present; the largest is 2, absent are \[1\]"),
        (((GOOD[0], GOOD[1] * 0), GOOD), "K of at least 2"),
        ((GOOD, (_zeros(4, 1, 3, 2), GOOD[1])), r"test images have shape \(1, 3, 2\)"),
        ((GOOD, (GOOD[0], GOOD[1] + 1)), "test label 2 is not one of the 2 classes"),
        ((GOOD, "digits"), "test must be a torch Dataset with a length .* got str"),
        (([("a", 0), ("b", 1), ("c", 0)], GOOD), "train item 0: the image is a str"),
        ((iter([]), GOOD), "train must be a torch Dataset with a length"),
    ],
)
def test_bad_data_is_named(dataset, message):
    with pytest.raises(InvalidArgument, match=message):
        load_dataset(dataset)


def test_image_size_is_not_for_fixed_sets():
    with pytest.raises(InvalidArgument, match=r"image_size .* not for digits"):
        load_dataset("digits", image_size=16)


# ---------------------------------------------------------------- folders


def _write_folder(root: Path, counts: dict[str, int], size=(6, 5), mode="RGB") -> None:
    image = pytest.importorskip("PIL.Image")
    for value, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True)
        for k in range(count):
            picture = image.new("RGB", size, (40 * value, 7 * k, 200)).convert(mode)
            picture.save(root / name / f"{k:03d}.png")


def test_image_folder_with_train_and_test(tmp_path):
    _write_folder(tmp_path / "train", {"cat": 4, "dog": 3})
    _write_folder(tmp_path / "val", {"cat": 2, "dog": 1})
    for dataset in (tmp_path, f"imagefolder:{tmp_path}"):
        data = load_dataset(dataset)
        assert data.class_names == ("cat", "dog")
        assert data.train.shape == (3, 5, 6)
        assert data.train.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
        assert data.train.images[5, :, 2, 2].tolist() == [40, 7, 200]
        assert data.test.labels.tolist() == [0, 0, 1]


def test_image_folder_without_a_test_part_holds_out_a_fifth(tmp_path):
    _write_folder(tmp_path, {"a": 10, "b": 20})
    (tmp_path / ".cache").mkdir()
    (tmp_path / "a" / "notes.txt").write_text("no image")
    data = load_dataset(tmp_path)
    assert torch.bincount(data.train.labels).tolist() == [8, 16]
    assert torch.bincount(data.test.labels).tolist() == [2, 4]
    shades = sorted(data.train.images[8:, 1, 0, 0].tolist() + data.test.images[2:, 1, 0, 0].tolist())
    assert shades == [7 * k for k in range(20)]
    assert torch.equal(load_dataset(tmp_path).test.images, data.test.images)


HIDDEN = [
    "cat/.ipynb_checkpoints/000-checkpoint.png",
    "cat/deep/.cache/a/b/000.png",
    "cat/._000.png",
    "cat/deep/.000.png",
    ".dog/000.png",
]


@pytest.mark.parametrize("parts", [("",), ("train", "val")])
def test_hidden_files_and_folders_never_count(tmp_path, parts):
    for part in parts:
        _write_folder(tmp_path / part, {"cat": 5, "dog": 5})
    expected = load_dataset(tmp_path)
    for part in parts:
        for name in HIDDEN:
            (tmp_path / part / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / part / name).write_bytes((tmp_path / part / "cat" / "000.png").read_bytes())
    found = load_dataset(tmp_path)
    assert found.class_names == ("cat", "dog")
    for one, other in ((found.train, expected.train), (found.test, expected.test)):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)
    (tmp_path / parts[0] / "cat" / "deep" / "visible.png").write_bytes(
        (tmp_path / parts[0] / "cat" / "000.png").read_bytes()
    )
    assert len(load_dataset(tmp_path).train) == len(expected.train) + 1


def test_a_folder_below_a_hidden_one_is_read(tmp_path):
    _write_folder(tmp_path / ".cache" / "pets", {"cat": 5, "dog": 5})
    assert len(load_dataset(tmp_path / ".cache" / "pets").train) == 8


@pytest.mark.parametrize(("count", "said"), [(1, "a single image"), (2, "2 images")])
def test_a_class_with_too_few_images_to_hold_any_out_is_counted_rightly(tmp_path, count, said):
    _write_folder(tmp_path, {"cat": 9, "dog": count})
    with pytest.raises(
        InvalidArgument, match=f"class dog has {said}: a set without test images needs at least 3"
    ):
        load_dataset(tmp_path)
    _write_folder(tmp_path / "more", {"cat": 9, "dog": 3})
    data = load_dataset(tmp_path / "more")
    first, rest = stratified_split(data.train.labels, 0.5, seed=0)
    assert len(first) + len(rest) == len(data.train)


def test_image_folder_is_scaled(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k, size in enumerate([(8, 8), (16, 8), (30, 50)]):
            picture = image.new("RGB", size, (10, 20, 30))
            picture.putpixel((0, 0), (255, 255, 255))
            picture.save(tmp_path / name / f"{k}.png")
    with pytest.raises(InvalidArgument, match=r"differ in size .*8x8.* give image_size"):
        load_dataset(tmp_path)
    data = load_dataset(tmp_path, image_size=4)
    assert data.train.shape == (3, 4, 4)
    assert data.train.images[0, :, 3, 3].tolist() == [10, 20, 30]


def test_grey_folders_have_one_channel(tmp_path):
    _write_folder(tmp_path, {"a": 3, "b": 3}, mode="L")
    assert load_dataset(tmp_path).train.shape == (1, 5, 6)
    image = pytest.importorskip("PIL.Image")
    image.new("RGB", (6, 5)).save(tmp_path / "b" / "colour.png")
    assert load_dataset(tmp_path).train.shape == (3, 5, 6)


def test_large_folders_are_decoded_when_needed(tmp_path):
    _write_folder(tmp_path, {"a": 10, "b": 10})
    at_once = load_dataset(tmp_path)
    assert len(at_once.test) == 4
    data = load_dataset(tmp_path, memory_limit=10)
    assert isinstance(data.train, LazyImages)
    assert torch.equal(data.train.take(torch.arange(16)), at_once.train.images)
    assert data.normalisation == at_once.normalisation
    again = pickle.loads(pickle.dumps(data))
    assert torch.equal(again.test.take(torch.arange(4)), at_once.test.images)


def test_bad_folders_are_named(tmp_path):
    with pytest.raises(DataNotFound, match=r"no folder .*nowhere"):
        load_dataset(tmp_path / "nowhere")
    with pytest.raises(InvalidArgument, match="a folder per class, two or more"):
        load_dataset(tmp_path)
    _write_folder(tmp_path / "one", {"a": 2, "b": 2})
    (tmp_path / "one" / "c").mkdir()
    with pytest.raises(InvalidArgument, match="c holds no images"):
        load_dataset(tmp_path / "one")
    _write_folder(tmp_path / "two" / "train", {"a": 2, "b": 2})
    _write_folder(tmp_path / "two" / "test", {"a": 2, "z": 2})
    with pytest.raises(InvalidArgument, match="classes that the training images lack: z"):
        load_dataset(tmp_path / "two")
    _write_folder(tmp_path / "three" / "test", {"a": 2, "b": 2})
    with pytest.raises(InvalidArgument, match="no folder train"):
        load_dataset(tmp_path / "three")
    _write_folder(tmp_path / "four", {"a": 3, "b": 3})
    with pytest.raises(InvalidArgument, match="image_size must be at least 1, got 0"):
        load_dataset(tmp_path / "four", image_size=0)
    for damaged in (tmp_path / "four" / "b").iterdir():
        damaged.write_bytes(damaged.read_bytes()[:45])
    with pytest.raises(CorruptData, match=r"00[012]\.png cannot be decoded"):
        load_dataset(tmp_path / "four")


# ---------------------------------------------------------------- torchvision


@pytest.fixture
def torchvision():
    from graphnas.training.torchvision_compat import import_torchvision

    try:
        return import_torchvision()
    except MissingExtra as error:
        pytest.skip(f"torchvision is not usable here: {error}")


def _write_mnist(root: Path, name: str, pixels: np.ndarray, labels: np.ndarray) -> None:
    raw = root / "torchvision" / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    count, height, width = pixels.shape
    images = struct.pack(">4i", 2051, count, height, width) + pixels.tobytes()
    (raw / f"{name}-images-idx3-ubyte").write_bytes(images)
    (raw / f"{name}-labels-idx1-ubyte").write_bytes(
        struct.pack(">2i", 2049, count) + labels.astype(np.uint8).tobytes()
    )
    for kind in ("images-idx3", "labels-idx1"):  # MNIST looks for the archives' contents only
        (raw / f"{name}-{kind}-ubyte.gz").write_bytes(gzip.compress(b""))


def test_torchvision_by_name(tmp_path, torchvision):
    pixels, labels = RNG.integers(0, 256, (30, 28, 28), dtype=np.uint8), np.arange(30) % 10
    _write_mnist(tmp_path, "train", pixels, labels)
    _write_mnist(tmp_path, "t10k", pixels[:10], labels[:10])
    data = load_dataset("torchvision:MNIST", data_dir=tmp_path)
    assert data.train.shape == (1, 28, 28)
    assert np.array_equal(data.train.images[:, 0].numpy(), pixels)
    assert data.train.labels.tolist() == labels.tolist()
    assert len(data.test) == 10
    assert data.class_names[3].startswith("3")
    small = load_dataset("torchvision:MNIST", data_dir=tmp_path, image_size=7)
    assert small.train.shape == small.test.shape == (1, 7, 7)


def test_torchvision_without_a_test_part_holds_out_a_fifth(tmp_path, torchvision):
    options = {"size": 60, "image_size": (3, 6, 6), "num_classes": 3}
    data = load_dataset("torchvision:FakeData", data_dir=tmp_path, options=options)
    whole = torchvision.datasets.FakeData(**options)
    assert (len(data.train), data.num_classes, data.train.shape) == (60 - len(data.test), 3, (3, 6, 6))
    expected = {np.asarray(image).transpose(2, 0, 1).tobytes(): label for image, label in whole}
    seen = [*zip(data.train.images, data.train.labels, strict=True)]
    seen += [*zip(data.test.images, data.test.labels, strict=True)]
    assert {image.numpy().tobytes(): int(label) for image, label in seen} == expected


def test_torchvision_errors_are_named(tmp_path, torchvision):
    with pytest.raises(InvalidArgument, match="no class 'FashionMNITS'; did you mean FashionMNIST"):
        load_dataset("torchvision:FashionMNITS", data_dir=tmp_path)
    with pytest.raises(
        DataNotFound, match=r"FashionMNIST is not usable .*download=True lets torchvision fetch"
    ):
        load_dataset("torchvision:FashionMNIST", data_dir=tmp_path)
    with pytest.raises(InvalidArgument, match=r"FakeData could not be opened with .*pages"):
        load_dataset("torchvision:FakeData", data_dir=tmp_path, options={"pages": 3})


def test_torchvision_imports_in_a_fresh_process_and_warns_of_nothing(torchvision):
    code = (
        "from graphnas.training.torchvision_compat import import_torchvision as load\n"
        "first = load(); second = load()\n"
        "assert first is second\n"
        "from torchvision.transforms import v2\n"
        "assert len(first.datasets.FakeData(size=3)) == 3"
    )
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], check=True, timeout=120)


def test_normalisation_by_hand():
    images = torch.tensor([[[[0, 255]], [[51, 102]]]], dtype=torch.uint8)
    result = Normalisation((0.5, 0.2), (0.25, 0.1), 255.0)(images)
    assert torch.allclose(result, torch.tensor([[[[-2.0, 2.0]], [[0.0, 2.0]]]]), atol=1e-6)
