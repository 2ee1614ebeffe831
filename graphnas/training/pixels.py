"""Image files and Pillow images of any mode as arrays of bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from graphnas.errors import CorruptData, GraphNASError

DEEP_GREY = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
GREY = frozenset({"1", "L", "LA", "La"}) | DEEP_GREY
COLOUR = frozenset({"CMYK", "HSV", "LAB", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "YCbCr"})

FORMATS_OF_16_BITS = frozenset({"PNG", "PPM"})
"""Formats whose images of mode I hold 0..65535: Pillow scales PPM to that, and PNG has no wider numbers."""


class Header(NamedTuple):
    """What a file says of its image before the pixels are decoded."""

    width: int
    height: int
    mode: str

    @property
    def is_grey(self) -> bool:
        """Whether one channel has all that the image shows."""
        return self.mode in GREY


def read_header(path: Path) -> Header:
    """Size and mode of the image in a file.

    Raises:
        CorruptData: It cannot be read, is far too large, or has a mode that has no fixed range of values.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            check_mode(image, str(path))
            return Header(image.width, image.height, image.mode)
    except GraphNASError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
        raise CorruptData(f"{path} is not an image that Pillow can read: {_why(error, path)}") from error


def read_image(path: Path, size: tuple[int, int] | None, channels: int) -> torch.Tensor:
    """The image in a file as ``(channels, height, width)`` bytes, see :func:`pixels_of`.

    Raises:
        CorruptData: It cannot be decoded, is far too large, or has a mode that has no fixed range of values.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            if size is not None:
                # A JPEG is decoded at a half, a quarter or an eighth, but not below twice the size wanted.
                image.draft(image.mode, (2 * size[1], 2 * size[0]))
            return pixels_of(image, size, channels, str(path))
    except GraphNASError:
        raise
    except Exception as error:  # Pillow's decoders raise nearly anything on a damaged file
        raise CorruptData(f"{path} cannot be decoded: {_why(error, path)}") from error


def check_mode(image: Any, where: str) -> None:
    """Check that the values of a Pillow image have a range that its mode or format fixes.

    Raises:
        CorruptData: They have not (32-bit integers and floats, other than 16-bit numbers that Pillow holds in
            32 bits), or the mode is unknown.
    """
    known = image.mode in GREY | COLOUR
    if not known or (image.mode == "I" and image.format not in FORMATS_OF_16_BITS):
        raise CorruptData(
            f"{where} has mode {image.mode}, whose values have no range that could be scaled to 8 bits; "
            f"allowed: {', '.join(sorted((GREY | COLOUR) - {'I'}))}; convert it first"
        )


def pixels_of(
    image: Any, size: tuple[int, int] | None, channels: int | None = None, where: str = "the image"
) -> torch.Tensor:
    """A Pillow image as ``(channels, height, width)`` bytes.

    Grey of 16 bits is scaled from 0..65535 to 0..255. Transparency is dropped.

    Args:
        image: The image, of any mode that has a fixed range.
        size: ``(height, width)`` to which the largest centred part of that form is scaled; None: not scaled.
        channels: 1 for grey, 3 for RGB; None: whichever the mode needs.
        where: Names the image in messages.

    Raises:
        CorruptData: See :func:`check_mode`.
    """
    from PIL import Image, ImageOps

    check_mode(image, where)
    grey = image.mode in GREY if channels is None else channels == 1
    if image.mode in DEEP_GREY:
        image = Image.fromarray(_bytes_of_16_bits(np.asarray(image)))
    elif image.mode == "La":  # Pillow converts it to its straight form only
        image = image.convert("LA")
    elif image.mode == "LAB":  # and this one to RGB only
        image = image.convert("RGB")
    image = image.convert("L" if grey else "RGB")
    if size is not None and (image.height, image.width) != size:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    array = np.asarray(image, np.uint8)
    return torch.from_numpy(array[None].copy() if array.ndim == 2 else array.transpose(2, 0, 1).copy())


def _bytes_of_16_bits(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """0..65535 to the nearest of 0..255, where 255 stands for 65535."""
    scaled: np.ndarray[Any, Any] = (np.clip(values, 0, 65535).astype(np.uint32) + 128) // 257
    return scaled.astype(np.uint8)


def _why(error: Exception, path: Path) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    message = " ".join(str(error).split())
    # Pillow's own message on a file that it does not know repeats the path.
    return (
        message if type(error).__name__ == "UnidentifiedImageError" else f"{type(error).__name__}: {message}"
    )
