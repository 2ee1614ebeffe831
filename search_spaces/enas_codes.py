"""ENAS macro networks as operation codes and skip bits: what they mean, and how large the network is.

A layer has an operation code in 0..5; skip bit ``(i - 1)(i - 2)/2 + j`` says whether layer ``i`` (from 1)
also reads node ``j``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from graphnas.errors import InvalidArgument

OPERATIONS = ("conv3x3", "sepconv3x3", "conv5x5", "sepconv5x5", "avgpool3x3", "maxpool3x3")
"""Operations of a layer, in the order of the official codes 0 to 5."""

OPERATION_LISTS = {
    "enas": OPERATIONS,
    "graphpnas-footnote": ("conv1x1", "sepconv1x1", "conv5x5", "sepconv5x5", "avgpool3x3", "maxpool3x3"),
}
"""Lists by name. GraphPNAS's footnote has kernels of 1 and 5, where ENAS and NNI's example have 3 and 5."""

KNOWN_OPERATIONS = tuple(dict.fromkeys(name for names in OPERATION_LISTS.values() for name in names))

INPUT, OUTPUT, FIRST_OPERATION = 0, 1, 2
"""Node labels: operation code ``k`` is the label ``k + 2``, as in D-VAE's table."""


@functools.cache
def skip_ends(num_layers: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Source node and target layer of each skip bit, read-only."""
    skips = [(j, i) for i in range(2, num_layers + 1) for j in range(i - 1)]
    ends = np.array(skips, np.int64).reshape(-1, 2).T.copy()
    ends.setflags(write=False)
    return ends[0], ends[1]


def graphs(codes: NDArray[Any], skips: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.int16]]:
    """Adjacency ``(B, L+2, L+2)`` and node labels ``(B, L+2)`` of ``(B, L)`` codes and their skip bits."""
    n = codes.shape[1] + 2
    adjacency = np.zeros((len(codes), n, n), np.int8)
    adjacency[:, np.arange(n - 1), np.arange(1, n)] = 1
    adjacency[(slice(None), *skip_ends(codes.shape[1]))] = skips
    operations = np.full((len(codes), n), OUTPUT, np.int16)
    operations[:, 0] = INPUT
    operations[:, 1:-1] = codes.astype(np.int16) + FIRST_OPERATION
    return adjacency, operations


def reductions(num_layers: int) -> tuple[int, ...]:
    """The layers (from 1) after which the resolution is halved: at one third and at two thirds."""
    third = num_layers // 3
    return (third, 2 * third) if third else ()


def chosen_operations(operations: str | Sequence[str]) -> tuple[str, ...]:
    """The operations of a list by its name in :data:`OPERATION_LISTS`, or of any list of known ones.

    Raises:
        InvalidArgument: An unknown name, an operation twice, or fewer than two.
    """
    if isinstance(operations, str):
        if operations not in OPERATION_LISTS:
            raise InvalidArgument(
                f"operations {operations!r} is not one of {', '.join(OPERATION_LISTS)}, nor a list"
            )
        return OPERATION_LISTS[operations]
    names = tuple(operations)
    unknown = [name for name in names if name not in KNOWN_OPERATIONS]
    if unknown or len(set(names)) < len(names) or len(names) < 2:
        raise InvalidArgument(
            f"operations must be two or more different ones of {', '.join(KNOWN_OPERATIONS)}, got {names}"
        )
    return names


def _weights(operation: str, width: int) -> int:
    """Weights of a layer's operation, without the 1x1 convolution before it."""
    if "pool" in operation:
        return 0
    area = int(operation[-1]) ** 2
    return area * width + width * width if operation.startswith("sepconv") else area * width * width


def complexity(
    operations: Sequence[str], num_classes: int, image_size: tuple[int, int], in_channels: int, width: int
) -> tuple[int, int]:
    """Trainable parameters and multiply-accumulates of a network; skips cost neither.

    Args:
        operations: The layers' operations.
        num_classes: Size of the output.
        image_size: Height and width of the images.
        in_channels: Channels of the images.
        width: Channels of every layer.
    """
    w, (height, breadth) = width, image_size
    parameters = 9 * in_channels * w
    macs = parameters * height * breadth
    after = reductions(len(operations))
    for layer, operation in enumerate(operations, start=1):
        weights = w * w + _weights(operation, w)
        parameters += weights
        macs += weights * height * breadth
        if layer in after:
            height, breadth = (height + 1) // 2, (breadth + 1) // 2
            parameters += w * w
            macs += (layer + 1) * w * w * height * breadth  # all stored outputs are reduced
    return parameters + 2 * w + (w + 1) * num_classes, macs + w * num_classes
