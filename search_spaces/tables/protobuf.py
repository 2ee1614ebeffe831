"""The wire format of protocol buffers: the fields of a message by number, without a schema.

Source: protobuf.dev, "Encoding". A field is a key (number and wire type) followed by a varint, 8 bytes, a
length and that many bytes, or 4 bytes.
"""

from __future__ import annotations

import struct

from graphnas.errors import CorruptData

Value = int | float | bytes
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read_fields(message: bytes) -> dict[int, list[Value]]:
    """The values of each field, in order.

    Eight and four bytes are read as floating point numbers, the only fixed fields that our files have.

    Raises:
        CorruptData: The message ends within a field, or has a wire type that is not one of these.
    """
    fields: dict[int, list[Value]] = {}
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        kind = key & 7
        value: Value
        if kind == _FIXED64:
            value, at = _fixed("<d", message, at)
        elif kind == _VARINT:
            value, at = _varint(message, at)
        elif kind == _BYTES:
            length, at = _varint(message, at)
            if at + length > end:
                raise CorruptData(f"a message of {end} bytes ends within a field of {length}")
            value, at = message[at : at + length], at + length
        elif kind == _FIXED32:
            value, at = _fixed("<f", message, at)
        else:
            raise CorruptData(f"wire type {kind} of field {key >> 3} is not one of 0, 1, 2, 5")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise CorruptData(f"a varint does not end within the message of {len(message)} bytes")


def _fixed(form: str, message: bytes, at: int) -> tuple[float, int]:
    after = at + struct.calcsize(form)
    if after > len(message):
        raise CorruptData(f"a message of {len(message)} bytes ends within a number")
    return struct.unpack_from(form, message, at)[0], after
