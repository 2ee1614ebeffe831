"""TFRecord files without TensorFlow: framing and checksums.

A record is its length (8 bytes, little endian), the masked CRC-32C of these 8 bytes, the data, and the masked
CRC-32C of the data. Source: the TensorFlow guide, "TFRecord and tf.train.Example", and RFC 3720, appendix
B.4, for CRC-32C. Checksums of many records are computed side by side, since byte by byte in Python a file of
half a gigabyte would take minutes.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import CorruptData

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, with the bits reversed
_MASK_DELTA = 0xA282EAD8
_PIECE = 16 * 2**20


def _table() -> NDArray[np.uint32]:
    values = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        values = np.where(values & 1, values >> np.uint32(1) ^ np.uint32(_POLYNOMIAL), values >> np.uint32(1))
    return values.astype(np.uint32)


_TABLE = _table()


def masked_crc32c(
    data: NDArray[np.uint8], starts: NDArray[np.int64], lengths: NDArray[np.int64]
) -> NDArray[np.uint32]:
    """The masked CRC-32C of each stretch ``data[start : start + length]``, ``(R,)``."""
    order = np.argsort(-lengths, kind="stable")
    begin, sizes = starts[order], lengths[order]
    crc = np.full(len(order), 0xFFFFFFFF, np.uint32)
    # How many stretches are longer than t, for each t: those come first.
    longer = len(sizes) - np.searchsorted(sizes[::-1], np.arange(int(sizes.max(initial=0))), side="right")
    for t, count in enumerate(longer.tolist()):
        part = crc[:count]
        crc[:count] = _TABLE[(part ^ data[begin[:count] + t]) & np.uint32(255)] ^ (part >> np.uint32(8))
    crc ^= np.uint32(0xFFFFFFFF)
    masked = (crc >> np.uint32(15) | crc << np.uint32(17)) + np.uint32(_MASK_DELTA)
    result = np.empty_like(masked)
    result[order] = masked
    return result


@functools.lru_cache(maxsize=4096)
def _length_checksum(header: bytes) -> int:
    return int(masked_crc32c(np.frombuffer(header, np.uint8), np.array([0]), np.array([len(header)]))[0])


def read_records(path: Path) -> Iterator[bytes]:
    """The data of each record, in order.

    Raises:
        CorruptData: A checksum does not match, or the file ends within a record.
    """
    with path.open("rb") as stream:
        rest = b""
        offset = 0  # of the first byte of ``rest`` in the file
        while True:
            fresh = _next_piece(stream, rest)
            piece = rest + fresh
            starts, lengths, end = _frames(path, piece, offset)
            if piece and not fresh and not starts:
                raise CorruptData(f"{path} ends within the record at byte {offset}: it is truncated")
            if not piece:
                return
            _check(path, piece, np.array(starts, np.int64), np.array(lengths, np.int64), offset)
            for start, length in zip(starts, lengths, strict=True):
                yield piece[start : start + length]
            rest = piece[end:]
            offset += end


def _next_piece(stream: BinaryIO, rest: bytes) -> bytes:
    """The next piece of the file: enough to complete the record that ``rest`` begins."""
    wanted = _PIECE
    if len(rest) >= 12:  # its length was checked when the piece before was taken apart
        wanted = max(wanted, struct.unpack_from("<Q", rest)[0] + 16 - len(rest))
    return stream.read(min(wanted, 2**31))


def _frames(path: Path, piece: bytes, offset: int) -> tuple[list[int], list[int], int]:
    """Where the data of each whole record of ``piece`` starts, their lengths, and where the last one ends."""
    starts, lengths = [], []
    at = 0
    while at + 12 <= len(piece):
        header = piece[at : at + 8]
        length, checksum = struct.unpack_from("<QI", piece, at)
        if _length_checksum(header) != checksum:
            raise CorruptData(
                f"{path} is no TFRecord file or damaged: checksum of the length at byte {offset + at}"
            )
        if at + 16 + length > len(piece):
            break
        starts.append(at + 12)
        lengths.append(length)
        at += 16 + length
    return starts, lengths, at


def _check(
    path: Path, piece: bytes, starts: NDArray[np.int64], lengths: NDArray[np.int64], offset: int
) -> None:
    data = np.frombuffer(piece, np.uint8)
    ends = starts + lengths
    stored = data[ends[:, None] + np.arange(4)].copy().view("<u4")[:, 0]
    wrong = masked_crc32c(data, starts, lengths) != stored
    if wrong.any():
        place = offset + int(starts[np.argmax(wrong)])
        raise CorruptData(f"{path} is damaged: checksum of the record at byte {place} does not match")
