"""Mixed images, RandAugment and the other changes of a batch."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from graphnas.configuration import replaced
from graphnas.errors import InvalidArgument
from graphnas.training.augment import (
    augmented,
    check_changes,
    color_jitter,
    random_cutout,
    random_erasing,
    random_resized_crop,
)
from graphnas.training.images import Normalisation
from graphnas.training.mixing import mixed
from graphnas.training.randaugment import OPERATIONS, _kernels, randaugment
from graphnas.training.training_config import TrainingConfig

COLOURS = Normalisation((0.5,) * 3, (0.25,) * 3, 255.0)
PLAIN = TrainingConfig(flip=False, crop_padding=0)
EVERYTHING = replaced(
    PLAIN,
    flip=True,
    crop_padding=2,
    resized_crop=(0.2, 1.0),
    jitter=0.4,
    randaugment=2,
    cutout=4,
    cutout_probability=0.5,
    random_erasing=0.5,
    mixup=0.2,
    cutmix=1.0,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _bytes(count: int = 64, side: int = 16) -> torch.Tensor:
    return torch.randint(256, (count, 3, side, side), generator=_generator(1)).to(torch.uint8)


def test_everything_at_once_follows_the_generator_alone():
    labels = torch.arange(64) % 10

    def made(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
        generator = _generator(seed)
        return mixed(augmented(_bytes(), EVERYTHING, COLOURS, generator), labels, EVERYTHING, 10, generator)

    states = torch.get_rng_state(), random.getstate()
    first, again, other = made(0), made(0), made(1)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert first[0].dtype is torch.float32
    assert first[0].shape == (64, 3, 16, 16)


def test_mixup_adds_images_and_labels_in_one_proportion():
    images = torch.eye(8)[:, :, None, None].expand(-1, -1, 2, 2).contiguous()
    inputs, targets = mixed(images, torch.arange(8), replaced(PLAIN, mixup=1.0), 8, _generator())
    assert torch.allclose(inputs[:, :, 0, 0], targets)
    assert torch.allclose(targets.sum(1), torch.ones(8))
    assert ((targets > 0).sum(1) == 2).any()


def test_cutmix_replaces_a_rectangle_and_labels_by_its_area():
    images = torch.arange(8.0)[:, None, None, None].expand(-1, 3, 10, 10).contiguous()
    seen = set()
    for seed in range(20):
        inputs, targets = mixed(images, torch.arange(8), replaced(PLAIN, cutmix=1.0), 8, _generator(seed))
        for number in range(8):
            own = (inputs[number] == number).float().mean()
            assert float(targets[number, number]) == pytest.approx(float(own), abs=1e-6)
            changed = inputs[number, 0] != number
            if changed.any():
                (other,) = inputs[number, 0][changed].unique().tolist()
                assert float(targets[number, int(other)]) == pytest.approx(1 - float(own), abs=1e-6)
                rows, columns = changed.any(1).nonzero(), changed.any(0).nonzero()
                assert changed.sum() == len(rows) * len(columns)
        seen.add(round(float(targets.max()), 3))
    assert len(seen) > 5


def test_the_proportion_is_beta_distributed():
    from graphnas.training.mixing import _beta

    draws = np.array([_beta(0.2, generator) for generator in [_generator()] for _ in range(4000)])
    assert draws.mean() == pytest.approx(0.5, abs=0.02)
    assert draws.var() == pytest.approx(1 / (4 * 1.4), abs=0.01)
    assert all(0 <= _beta(1e-4, _generator(seed)) <= 1 for seed in range(50))


def test_nothing_is_mixed_unless_asked():
    labels = torch.arange(4)
    images = torch.rand(4, 3, 2, 2)
    inputs, targets = mixed(images, labels, PLAIN, 4, _generator())
    assert inputs is images
    assert targets is labels


@pytest.mark.parametrize("size", [(24, 24), (12, 48), (40, 16)])
def test_a_crop_has_its_area_and_an_aspect_ratio_in_pixels(size):
    height, width = size
    rows = torch.arange(height).float()[:, None].expand(height, width)
    columns = torch.arange(width).float().expand(height, width)
    cut = random_resized_crop(torch.stack([rows, columns]).expand(500, 2, *size), (0.1, 0.15), _generator())
    # In the middle, away from the border, neighbouring pixels are a window's side / the image's apart.
    middle = cut[:, :, height // 4 : 3 * height // 4, width // 4 : 3 * width // 4]
    tall = (middle[:, 0, 1:] - middle[:, 0, :-1]).mean((1, 2)) * height
    wide = (middle[:, 1, :, 1:] - middle[:, 1, :, :-1]).mean((1, 2)) * width
    assert ((tall * wide / (height * width) - 0.125).abs() < 0.026).all()
    aspect = wide / tall
    assert aspect.min() > 0.74
    assert aspect.max() < 1.35
    assert (aspect > 1).float().mean() == pytest.approx(0.5, abs=0.1)


def test_a_crop_keeps_the_type_and_stays_inside():
    assert random_resized_crop(_bytes(), (1.0, 1.0), _generator()).dtype is torch.uint8
    ramp = torch.linspace(0, 1, 32).expand(200, 1, 32, 32).contiguous()
    cut = random_resized_crop(ramp, (0.08, 0.5), _generator())
    widths = cut[:, 0, 0].amax(1) - cut[:, 0, 0].amin(1)
    assert (cut >= 0).all()
    assert (cut <= 1).all()
    assert 0.2 < float(widths.mean()) < 0.75
    assert widths.std() > 0.05


def test_jitter_keeps_the_range_and_zero_strength_keeps_the_image():
    images = _bytes()
    assert torch.allclose(color_jitter(images, 0.0, 255, _generator()), images.float(), atol=1e-3)
    changed = color_jitter(images, 0.4, 255, _generator())
    assert (changed >= 0).all()
    assert (changed <= 255).all()
    flat = torch.full((50, 3, 4, 4), 100.0)
    factors = color_jitter(flat, 0.4, 255, _generator())[:, 0, 0, 0] / 100
    assert factors.min() >= 0.6
    assert factors.max() <= 1.4
    assert factors.std() > 0.1


def test_cutout_falls_on_its_share_of_the_images():
    erased = random_cutout(torch.ones(2000, 1, 8, 8), 4, _generator(), 0.4)
    share = (erased == 0).flatten(1).any(1).float().mean()
    assert share == pytest.approx(0.4, abs=0.04)


def test_random_erasing_is_a_rectangle_of_its_area():
    erased = random_erasing(torch.ones(1000, 3, 32, 32), 0.25, _generator()) == 0
    hit = erased.flatten(1).any(1)
    assert hit.float().mean() == pytest.approx(0.25, abs=0.04)
    for mask in erased[hit][:, 0]:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns
        assert 0.01 < mask.float().mean() < 0.36


def test_randaugment_is_torchvisions_operation_on_each_image():
    from torchvision.transforms.v2 import RandAugment

    images = _bytes(40)
    reference = RandAugment()
    for strength in (0.3, 1.0):
        kernels = _kernels((16, 16), strength)
        assert set(kernels) == set(OPERATIONS) - {"identity"}
        for name, ours in kernels.items():
            theirs = {"autocontrast": "AutoContrast"}.get(
                name, "".join(part.capitalize() for part in name.split("_"))
            )
            for sign in (-1, 1):
                space = reference._AUGMENTATION_SPACE[theirs]
                full = space[0](31, 16, 16)
                magnitude = 0.0 if full is None else float(full[round(30 * strength)])
                signed = magnitude * sign if space[1] else magnitude
                expected = reference._apply_image_or_video_transform(
                    images, theirs, signed, reference.interpolation, reference._fill
                )
                assert (ours(images, sign).int() - expected.int()).abs().float().mean() < 1, (name, sign)


def test_randaugment_draws_for_each_image():
    images = _bytes(1).expand(64, -1, -1, -1)
    changed = randaugment(images, 1, 15, _generator())
    assert len({bytes(image.numpy().tobytes()) for image in changed}) > 10
    assert torch.equal(randaugment(images, 0, 15, _generator()), images)


def test_what_is_not_defined_is_refused():
    with pytest.raises(InvalidArgument, match=r"randaugment is for RGB images of bytes, these have 1"):
        check_changes(replaced(PLAIN, randaugment=2), (1, 8, 8), torch.uint8)
    with pytest.raises(InvalidArgument, match=r"randaugment .* torch.float32"):
        check_changes(replaced(PLAIN, randaugment=2), (3, 8, 8), torch.float32)
    with pytest.raises(InvalidArgument, match=r"jitter is for images of bytes in 1 or 3 .* these have 4"):
        check_changes(replaced(PLAIN, jitter=0.2), (4, 8, 8), torch.uint8)
    with pytest.raises(InvalidArgument, match=r"jitter .* these have 3 channels of torch.float32"):
        check_changes(replaced(PLAIN, jitter=0.2), (3, 8, 8), torch.float32)
    for wrong in ({"randaugment_magnitude": 4.5}, {"resized_crop": (True, True)}):
        with pytest.raises(InvalidArgument, match=next(iter(wrong))):
            replaced(PLAIN, **wrong)
    check_changes(EVERYTHING, (3, 8, 8), torch.uint8)
