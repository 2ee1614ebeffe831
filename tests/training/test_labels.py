"""Labels are what the items say; what is not clear is refused before any work."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from image_files import Items, some_pixels
from torch.utils.data import ConcatDataset, Subset

from graphnas.errors import CorruptData, InvalidArgument
from graphnas.training.datasets import load_dataset
from graphnas.training.labels import label_indices, plain_label
from graphnas.training.lazy_images import LazyImages

PIXELS, LABELS = some_pixels(24), np.arange(24) % 4
IN_MEMORY = pytest.mark.parametrize("memory_limit", [None, 0], ids=["kept", "read when needed"])


def loaded(train, test=None, **arguments):
    return load_dataset((train, train if test is None else test), **arguments)


# ---------------------------------------------------------------- attributes are shortcuts only


class Targets(Items):
    """With an attribute that may say something else than the items do."""

    def __init__(self, *arguments, targets):
        super().__init__(*arguments)
        self.targets = targets
        self.asked = 0

    def __getitem__(self, index):
        self.asked += 1
        return super().__getitem__(index)


@IN_MEMORY
def test_a_target_transform_counts(memory_limit):
    data = loaded(Targets(PIXELS, LABELS // 2, targets=LABELS.tolist()), memory_limit=memory_limit)
    assert data.train.labels.tolist() == (LABELS // 2).tolist()
    assert data.num_classes == 2


@IN_MEMORY
def test_items_in_another_order_than_the_attribute(memory_limit):
    order = np.random.default_rng(0).permutation(24)
    own = Targets(PIXELS[order], LABELS[order], targets=torch.from_numpy(LABELS))
    data = loaded(own, memory_limit=memory_limit)
    assert data.train.labels.tolist() == LABELS[order].tolist()
    assert np.array_equal(data.train.take(torch.arange(24)).numpy(), PIXELS[order])


def test_an_attribute_that_agrees_saves_reading_everything():
    pixels, labels = some_pixels(500), np.arange(500) % 3
    own = Targets(pixels, labels, targets=labels)
    data = loaded(own, (pixels, labels), memory_limit=0)
    assert data.train.labels.tolist() == labels.tolist()
    # The statistics read every image once, in this process since they are few.
    assert 500 <= own.asked < 600
    part = Subset(own, list(range(499, 0, -2)))
    assert loaded(part, memory_limit=0).train.labels.tolist() == labels[499:0:-2].tolist()


def test_an_attribute_that_is_wrong_beyond_the_sample_is_found_when_the_item_is_read():
    pixels, labels = some_pixels(600), np.arange(600) % 3
    stated = labels.copy()
    stated[100] = 1 + stated[101]
    own = Targets(pixels, labels, targets=stated % 3)
    with pytest.raises(CorruptData, match=r"train item 100 has the label 1, but \d before"):
        loaded(own, (pixels, labels), memory_limit=0)


@pytest.mark.parametrize("attribute", [None, "text", [1, 2], np.full(24, 0.5)])
def test_other_attributes_are_left_alone(attribute):
    data = loaded(Targets(PIXELS, LABELS, targets=attribute), memory_limit=0)
    assert data.train.labels.tolist() == LABELS.tolist()


def test_joined_data_sets_are_read_item_by_item():
    joined = ConcatDataset([Items(PIXELS, LABELS), Items(PIXELS, LABELS[::-1])])
    data = loaded(joined, memory_limit=0)
    assert data.train.labels.tolist() == [*LABELS.tolist(), *LABELS[::-1].tolist()]


# ---------------------------------------------------------------- forms of labels


NAMES = ("ant", "bee", "cat", "dog")
FORMS = {
    "numpy": lambda label: np.int64(label),
    "tensor": lambda label: torch.tensor(label),
    "column": lambda label: np.array([label], np.uint8),
    "one-hot": lambda label: np.eye(4, dtype=np.float32)[label],
    "one-hot tensor": lambda label: torch.eye(4)[label],
    "one-hot list": lambda label: [int(k == label) for k in range(4)],
    "name": lambda label: NAMES[label],
    "numpy name": lambda label: np.str_(NAMES[label]),
}


@IN_MEMORY
@pytest.mark.parametrize("form", FORMS)
def test_labels_of_items(form, memory_limit):
    own = Items(PIXELS, LABELS, lambda image, label: (image, FORMS[form](label)))
    data = loaded(own, memory_limit=memory_limit)
    assert data.train.labels.tolist() == data.test.labels.tolist() == LABELS.tolist()
    assert data.class_names == (NAMES if "name" in form else ())
    assert np.array_equal(data.train.take(torch.arange(24)).numpy(), PIXELS)


@pytest.mark.parametrize("form", FORMS)
def test_labels_of_arrays(form):
    made = [FORMS[form](label) for label in LABELS]
    for labels in (made, np.asarray([np.asarray(label) for label in made])):
        data = loaded((PIXELS, labels))
        assert data.train.labels.tolist() == LABELS.tolist()
        assert data.class_names == (NAMES if "name" in form else ())


def test_names_of_the_test_images_are_those_of_the_training_images():
    test = (PIXELS[:2], ["dog", "bee"])
    names = [NAMES[label] for label in LABELS]
    assert loaded((PIXELS, names), test).test.labels.tolist() == [3, 1]
    with pytest.raises(InvalidArgument, match="test has labels that the training images lack: eel"):
        loaded((PIXELS, names), (PIXELS[:2], ["dog", "eel"]))
    with pytest.raises(InvalidArgument, match="test labels are names, those of the training images integers"):
        loaded((PIXELS, LABELS), test)
    with pytest.raises(InvalidArgument, match="test labels are integers, those of the training images names"):
        loaded((PIXELS, names), (PIXELS[:2], [3, 1]))


WRONG = {
    "a float": (0.3, "the label is 0.3, a float"),
    "a whole float": (1.0, "the label is 1.0, a float"),
    "a numpy float": (np.float32(0.5), "a float32"),
    "a truth value": (True, "the label is True, a bool"),
    "nothing": (None, "the label is None, a NoneType"),
    "a soft label": (np.array([0.9, 0.1]), r"shape \(2,\) and type float64 is not one-hot"),
    "two classes": (torch.tensor([1, 1, 0]), "is not one-hot"),
    "a float tensor": (torch.tensor(0.5), r"shape \(\) and type float32 is not one-hot"),
    "a map": (np.zeros((4, 4), int), r"shape \(4, 4\)"),
    "bytes": (b"cat", "a bytes"),
}


@IN_MEMORY
@pytest.mark.parametrize("kind", WRONG)
def test_other_labels_are_refused(kind, memory_limit):
    value, message = WRONG[kind]
    own = Items(PIXELS, LABELS, lambda image, label: (image, value))
    with pytest.raises(InvalidArgument, match=f"train item 0: .*{message}.*allowed: integers of at least 0"):
        loaded(own, memory_limit=memory_limit)
    with pytest.raises(InvalidArgument, match="allowed"):
        plain_label(value, "it")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (LABELS.astype(np.float32), "train labels must be integers, got float32"),
        (torch.from_numpy(LABELS) * 1.0, "train labels must be integers, got torch.float32"),
        (np.full((24, 4), 0.25), r"train labels of shape \(24, 4\) are not one-hot"),
        (LABELS > 1, "train labels must be integers, got bool"),
        (LABELS - 1, "train labels must be at least 0, got -1"),
        ([*LABELS[:-1].tolist(), 0.3], "train item 23: the label is 0.3"),
        ([*LABELS[:-1].tolist(), "x"], "the label of item 0 is an integer, that of item 23 a name"),
        (np.zeros((24, 2, 2), int), r"must have shape \(n,\)"),
        (5, r"train labels must have shape \(n,\), got 5"),
        ("abc", r"train labels must have shape \(n,\), got 'abc'"),
        ([[0, 1], [[0], 1]], r"train item 1: the label \[\[0\], 1\] is no vector"),
        ([], r"train labels must have shape \(n,\), got \(0,\)"),
    ],
)
def test_other_arrays_of_labels_are_refused(labels, message):
    with pytest.raises(InvalidArgument, match=message):
        loaded((PIXELS, labels))


def test_unsigned_and_small_integers_are_labels():
    for kind in (np.uint8, np.int16, np.uint64):
        assert label_indices(LABELS.astype(kind), "train")[0].tolist() == LABELS.tolist()


# ---------------------------------------------------------------- forms of items


@IN_MEMORY
@pytest.mark.parametrize("keys", [("image", "label"), ("img", "label"), ("pixel_values", "labels")])
def test_items_may_be_dicts(keys, memory_limit):
    own = Items(PIXELS, LABELS, lambda image, label: {"path": "x", keys[0]: image, keys[1]: label})
    data = loaded(own, memory_limit=memory_limit)
    assert data.train.labels.tolist() == LABELS.tolist()
    assert np.array_equal(data.train.take(torch.arange(24)).numpy(), PIXELS)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            lambda i, y: {"img": i, "fine_label": y, "coarse_label": y},
            "several for the label .fine_label, coar",
        ),
        (lambda i, y: {"image": i, "img": i, "label": y}, "several for the image .image, img."),
        (lambda i, y: {"x": i, "y": y}, "keys x, y: none for the image; exactly one of image, img"),
        (lambda i, y: (i, y, 5), "train item 0 is a tuple of length 3; allowed: a pair"),
        (lambda i, y: i, "train item 0 is a Tensor; allowed: a pair"),
        (lambda i, y: (i.int(), y), "train images must be uint8 or floating point, got torch.int32"),
        (lambda i, y: (i.bool(), y), "got torch.bool"),
        (lambda i, y: (i.numpy().astype(str), y), "train item 0: the image is an array of <U"),
        (
            lambda i, y: (i.numpy().astype(">u2"), y),
            "train images must be uint8 or floating point, got torch.uint16",
        ),
        (lambda i, y: (i[0, 0], y), r"images must have shape \(C, H, W\), got \(4,\)"),
    ],
)
def test_items_whose_meaning_is_not_clear_are_refused(item, message):
    with pytest.raises(InvalidArgument, match=message):
        loaded(Items(PIXELS, LABELS, item))


@IN_MEMORY
def test_items_unlike_the_first_are_named(memory_limit):
    class Odd(Items):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return self.change(image, label) if index == 17 else (image, label)

    def read(change):
        own = Odd(PIXELS, LABELS)
        own.change = change
        return loaded(own, (PIXELS, LABELS), memory_limit=memory_limit)

    for change, message in [
        (lambda i, y: (i[:, :3], y), r"train item 17 .*\(3, 3, 4\)"),
        (lambda i, y: (i.float(), y), "train item 17 .*float32"),
        (lambda i, y: (i, float(y)), "train item 17: the label is 1.0"),
        (lambda i, y: (i, y, 1), "train item 17 is a tuple of length 3"),
    ]:
        with pytest.raises(InvalidArgument, match=message):
            read(change)
    own = Items(PIXELS.astype(np.float32), LABELS, lambda i, y: (i if y else i * torch.nan, y))
    with pytest.raises(CorruptData, match="train item 0 holds values that are not finite"):
        loaded(own, memory_limit=memory_limit)


def test_arrays_of_another_byte_order():
    own = Items(PIXELS, LABELS, lambda i, y: (i.permute(1, 2, 0).numpy().astype(">f4"), y))
    assert np.array_equal(loaded(own).train.images.numpy(), PIXELS.astype(np.float32))


@pytest.mark.parametrize("images", ["abc", PIXELS.astype(str), [["a"]], None, [[1, 2], [3]]])
def test_images_that_are_no_numbers_are_refused(images):
    with pytest.raises(InvalidArgument, match="images must be a tensor or an array of numbers, got"):
        loaded((images, LABELS))


# ---------------------------------------------------------------- where the channels are


@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 32, 1), (8, 8, 4), (20, 30, 3)])
def test_channels_last_arrays_and_tensors_are_turned(shape):
    pixels = some_pixels(8, shape)
    for images in (pixels, torch.from_numpy(pixels)):
        data = loaded((images, LABELS[:8]))
        assert np.array_equal(data.train.images.numpy(), pixels.transpose(0, 3, 1, 2))
    for own in (Items(pixels, LABELS[:8]), Items(pixels, LABELS[:8], lambda i, y: (i.numpy(), y))):
        for limit in (None, 0):
            read = loaded(own, memory_limit=limit).train.take(torch.arange(8))
            assert np.array_equal(read.numpy(), pixels.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 5, 1), (2, 3, 3), (64, 1, 1), (3, 32, 3), (16, 8, 8)])
def test_channels_first_stays(shape):
    pixels = some_pixels(8, shape)
    assert loaded((pixels, LABELS[:8])).train.shape == shape
    assert loaded(Items(pixels, LABELS[:8])).train.shape == shape


@pytest.mark.parametrize("shape", [(16, 128, 1), (20, 4, 3), (20, 30, 4)])
def test_shapes_with_two_readings_are_refused(shape):
    with pytest.raises(InvalidArgument, match=r"may be \(C, H, W\) or \(H, W, C\)"):
        loaded((some_pixels(8, shape), LABELS[:8]))


def test_arrays_of_items_are_channels_last_unless_that_makes_no_sense():
    def shape_of(shape):
        own = Items(some_pixels(8, shape), LABELS[:8], lambda i, y: (i.numpy(), y))
        return loaded(own).train.shape

    assert shape_of((3, 32, 32)) == (3, 32, 32)
    assert shape_of((5, 7, 3)) == (3, 5, 7)
    assert shape_of((9, 9, 2)) == (2, 9, 9)
    with pytest.raises(InvalidArgument, match="no axis looks like channels"):
        shape_of((9, 9, 9))


# ---------------------------------------------------------------- train and test


FLOATS = torch.rand(24, 3, 4, 4, generator=torch.Generator().manual_seed(0))


@IN_MEMORY
@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (torch.from_numpy(PIXELS), FLOATS, "test images are torch.float32, training images torch.uint8"),
        (FLOATS, torch.from_numpy(PIXELS), "test images are torch.uint8, training images torch.float32"),
        (FLOATS * 255, FLOATS, "test images hold values from .* training images from .* same scale"),
        (FLOATS, FLOATS * 255, "same scale"),
        ((FLOATS - 0.5) / 0.25, FLOATS, "same scale"),
        (FLOATS, FLOATS * 2 - 1, "same scale"),
    ],
)
def test_parts_of_another_type_or_scale_are_refused(train, test, message, memory_limit):
    parts = [Items(part.numpy(), LABELS) for part in (train, test)]
    with pytest.raises(InvalidArgument, match=message):
        loaded(*parts, memory_limit=memory_limit)
    with pytest.raises(InvalidArgument, match=message):
        loaded(*((part, LABELS) for part in (train, test)))


def test_floats_of_other_widths_and_dark_test_images_are_alike():
    for test in (FLOATS.double(), FLOATS.half(), FLOATS / 10, torch.zeros_like(FLOATS)):
        data = loaded((FLOATS, LABELS), (test, LABELS))
        assert data.test.shape == (3, 4, 4)


# ---------------------------------------------------------------- Pillow images


def test_pillow_items_of_several_modes_and_sizes():
    image = pytest.importorskip("PIL.Image")
    modes = ["L", "RGB", "P", "I;16", "RGBA"]

    def item(pixels, label):
        picture = image.fromarray(pixels.permute(1, 2, 0).numpy()).resize((5 + int(label), 9))
        mode = modes[int(pixels.sum()) % 5]
        return (image.new("I;16", picture.size, 30000) if mode == "I;16" else picture.convert(mode)), label

    own = Items(PIXELS, LABELS, item)
    data = loaded(own, Items(PIXELS[:1], LABELS[:1], lambda i, y: (image.new("L", (8, 8)), y)), image_size=4)
    assert data.train.shape == data.test.shape == (3, 4, 4)
    lazy = loaded(own, image_size=4, memory_limit=0)
    assert isinstance(lazy.train, LazyImages)
    assert torch.equal(lazy.train.take(torch.arange(24)), data.train.images)
    with pytest.raises(InvalidArgument, match=r"train item \d+ has shape .* the first one"):
        loaded(own)
    with pytest.raises(InvalidArgument, match="image_size is for Pillow images; train item 0 is a Tensor"):
        loaded(Items(PIXELS, LABELS), image_size=4)
    with pytest.raises(InvalidArgument, match="image_size is for images from files"):
        loaded((PIXELS, LABELS), image_size=4)
    floats = Items(PIXELS, LABELS, lambda i, y: (image.new("F", (4, 4), 0.5), y))
    with pytest.raises(CorruptData, match="train item 0 has mode F"):
        loaded(floats)
