"""Every mode that Pillow reads is scaled to 8 bits rightly, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphnas.errors import CorruptData, InvalidArgument
from graphnas.training.datasets import load_dataset
from graphnas.training.pixels import COLOUR, GREY, pixels_of, read_header, read_image

Image = pytest.importorskip("PIL.Image")

RAMP = np.linspace(4000, 60000, 64).astype(np.uint16).reshape(8, 8)
COLOURS = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8))
GREYS = COLOURS.convert("L")


def in_mode(mode: str):
    """``COLOURS`` or ``GREYS`` in another mode, with what Pillow would read from a file."""
    if mode in ("I", "I;16", "I;16B", "I;16L", "I;16N"):
        values = np.asarray(GREYS).astype(np.uint16) * 257
        if mode == "I":
            image = Image.fromarray(values.astype(np.int32))
            image.format = "PPM"
            return image
        order = ">u2" if mode == "I;16B" else "<u2"
        return Image.frombytes(mode, GREYS.size, values.astype(order).tobytes())
    if mode == "La":
        return GREYS.convert("LA").convert("La")
    if mode == "LAB":
        from PIL import ImageCms

        profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        return ImageCms.applyTransform(COLOURS, ImageCms.buildTransform(*profiles, "RGB", "LAB"))
    if mode in ("RGBa", "PA"):
        return (
            COLOURS.convert("RGBA").convert("RGBa") if mode == "RGBa" else COLOURS.convert("P").convert("PA")
        )
    return COLOURS.convert(mode)


# How far the way through the mode may be from the original.
TOLERANCE = {"1": 255, "P": 60, "PA": 60, "YCbCr": 4, "HSV": 12, "LAB": 60, "CMYK": 1}


@pytest.mark.parametrize("mode", sorted(GREY | COLOUR))
def test_every_mode_gives_its_picture(mode):
    image = in_mode(mode)
    assert image.mode == mode
    original = torch.from_numpy(np.asarray(GREYS if mode in GREY else COLOURS).copy())
    original = original[None] if mode in GREY else original.permute(2, 0, 1)
    found = pixels_of(image, None)
    assert found.dtype == torch.uint8
    assert found.shape == original.shape
    assert (found.int() - original.int()).abs().float().mean() <= TOLERANCE.get(mode, 0)
    assert found.unique().numel() > 1
    assert pixels_of(image, None, 3).shape == (3, 6, 7)
    assert pixels_of(image, None, 1).shape == (1, 6, 7)


def test_all_modes_of_pillow_are_known_or_refused():
    from PIL import ImageMode

    for mode in ("F", "I", "BGR;15", "I;12"):
        try:
            image = Image.new(mode, (4, 4))
        except (KeyError, ValueError):
            continue
        with pytest.raises(CorruptData, match=rf"the image has mode {mode}, .* allowed: 1, CMYK"):
            pixels_of(image, None)
    assert {m for m in ("1", "L", "P", "RGB", "RGBA", "CMYK") if ImageMode.getmode(m)} <= GREY | COLOUR


@pytest.mark.parametrize("extension", [".png", ".tif", ".pgm"])
def test_16_bit_grey_is_monotone(tmp_path, extension):
    path = tmp_path / f"ramp{extension}"
    Image.fromarray(RAMP).save(path)
    assert read_header(path).is_grey
    values = read_image(path, None, 1)[0].flatten().tolist()
    assert values == sorted(values)
    assert values == np.rint(RAMP.flatten() / 257).astype(int).tolist()
    assert read_image(path, None, 3)[2].flatten().tolist() == values


def test_a_pgm_of_10_bits_uses_its_own_range(tmp_path):
    path = tmp_path / "ten.pgm"
    path.write_bytes(b"P5 4 1 1023\n" + np.array([0, 341, 682, 1023], ">u2").tobytes())
    assert read_image(path, None, 1).flatten().tolist() == [0, 85, 170, 255]


def test_folders_of_16_bit_images_can_be_searched_on(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(4):
            Image.fromarray(RAMP if name == "a" else RAMP[::-1].copy()).save(tmp_path / name / f"{k}.png")
    data = load_dataset(tmp_path)
    assert data.train.shape == (1, 8, 8)
    assert data.train.images[0].unique().numel() == 64
    assert data.std[0] > 0.1


def test_a_mode_without_a_range_is_refused_wherever_it_is(tmp_path):
    for folder in ("train", "val"):
        for name in ("a", "b"):
            (tmp_path / folder / name).mkdir(parents=True)
            for k in range(150):
                Image.new("L", (2, 2), k).save(tmp_path / folder / name / f"{k:03d}.png")
    strange = tmp_path / "val" / "b" / "077.tif"
    for mode in ("F", "I"):
        Image.new(mode, (2, 2), 7).save(strange)
        # Refused now, although neither training nor a sample would have read it.
        with pytest.raises(CorruptData, match=rf"077\.tif has mode {mode}, "):
            load_dataset(tmp_path, memory_limit=0)


def test_one_colour_image_among_many_grey_ones_keeps_its_colours(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(120):
            Image.new("L", (2, 2), k).save(tmp_path / name / f"{k:03d}.png")
    Image.new("RGB", (2, 2), (250, 0, 10)).save(tmp_path / "b" / "031.png")
    data = load_dataset(tmp_path)
    assert data.train.shape == (3, 2, 2)
    assert [250, 0, 10] in [*data.train.images[:, :, 0, 0].tolist(), *data.test.images[:, :, 0, 0].tolist()]


def test_an_image_of_another_size_is_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(60):
            Image.new("L", (3, 2) if (name, k) == ("b", 31) else (2, 2)).save(
                tmp_path / name / f"{k:03d}.png"
            )
    with pytest.raises(InvalidArgument, match=r"b.031\.png has 3x2\): give image_size"):
        load_dataset(tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("form", [(900, 600), (300, 800), (40, 30)])
def test_large_photographs_are_scaled_as_if_decoded_whole(tmp_path, mode, form):
    small = np.random.default_rng(1).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    photograph = Image.fromarray(small).resize(form, Image.Resampling.BICUBIC).convert(mode)
    photograph.save(tmp_path / "photo.jpg", quality=95)
    channels = 1 if mode == "L" else 3
    found = read_image(tmp_path / "photo.jpg", (24, 24), channels)
    with Image.open(tmp_path / "photo.jpg") as whole:
        whole.load()
        expected = pixels_of(whole, (24, 24), channels)
    assert (found.int() - expected.int()).abs().float().mean() < 2
    assert found.shape == (channels, 24, 24)


# ---------------------------------------------------------------- damage


def _bomb(path):
    import struct
    import zlib

    from PIL import PngImagePlugin  # noqa: F401 - a header is enough

    body = b"IHDR" + struct.pack(">2I5B", 14000, 14000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", 0x35AF061E)
    )


DAMAGES = {
    "bomb.png": (_bomb, "DecompressionBombError"),
    "values.ppm": (lambda path: path.write_bytes(b"P3 2 2 255\n1 2 x 4 5 6 7 8 9 10 11 12\n"), "ValueError"),
    "header.ppm": (lambda path: path.write_bytes(b"P6 two 2 255\n"), "ValueError"),
    "text.jpg": (lambda path: path.write_text("no image"), "cannot identify image file"),
    "empty.gif": (lambda path: path.write_bytes(b""), "cannot identify image file"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_names_the_file_and_the_reason(tmp_path, name):
    write, reason = DAMAGES[name]
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        for k in range(3):
            Image.new("RGB", (2, 2), (k, 0, 0)).save(tmp_path / folder / f"{k}.png")
    write(tmp_path / "b" / name)
    with pytest.raises(CorruptData, match=f"{name} .*{reason}"):
        _ = load_dataset(tmp_path).test  # the damaged file may be in either part


@pytest.mark.parametrize("extension", ["png", "jpg", "tif", "bmp", "gif", "webp", "ppm"])
def test_cut_and_overwritten_files_are_corrupt_or_read(tmp_path, extension):
    path = tmp_path / f"image.{extension}"
    COLOURS.resize((40, 40)).save(path)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for trial in range(30):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 5):
            damaged[position] = rng.integers(256)
        path.write_bytes(bytes(damaged) if trial % 2 else whole[: int(rng.integers(len(whole)))])
        try:
            assert read_image(path, (8, 8), 3).shape == (3, 8, 8)
        except CorruptData as error:
            assert path.name in str(error)  # noqa: PT017 - either is right; nothing else may be raised
