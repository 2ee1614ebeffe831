"""The network of an ENAS macro architecture as torch modules.

Pham et al. (ICML 2018), section 2.3, with the details of the ENAS example of NNI 1.6: a stem of 3x3
convolution and BN; each branch starts with 1x1 convolution, BN, ReLU; a convolution is followed by BN and
ReLU, a pooling by BN; skip inputs are added, and BN follows. These BN have no scale and shift; that of the
stem does. After the layers at one and two thirds, one factorised reduction halves every stored output. The
number of channels never changes. Convolutions have no bias: the BN after each of them would remove it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from graphnas.errors import InvalidArgument
from search_spaces.backbone import Backbone
from search_spaces.enas_codes import reductions
from search_spaces.staged_network import check_sizes, conv_bn


class MacroNetwork(nn.Module):
    """What every ENAS macro network has: the stem, the reductions and the classifier around the layers.

    Args:
        layers: Made when the stem is there, so that weights are drawn in the order of the data.
        count: Number of layers.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        width: Channels of every layer.
        dropout: Probability of dropping a feature before the classifier.

    Raises:
        InvalidArgument: A size is not positive, ``width`` is less than 2, or ``dropout`` is not in 0..1.
    """

    def __init__(
        self,
        layers: Iterable[nn.Module],
        count: int,
        num_classes: int,
        in_channels: int,
        width: int,
        dropout: float,
    ) -> None:
        super().__init__()
        check_sizes(num_classes=num_classes, in_channels=in_channels)
        if width < 2:
            raise InvalidArgument(f"width must be at least 2 (a reduction splits it in two), got {width}")
        if not 0 <= dropout <= 1:
            raise InvalidArgument(f"dropout must be in 0..1, got {dropout}")
        self.stem = nn.Sequential(*conv_bn(in_channels, width, 3))
        self.layers = nn.ModuleList(layers)
        self._reduce_after = reductions(count)
        self.reductions = nn.ModuleList(FactorizedReduction(width) for _ in self._reduce_after)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(width, num_classes)

    def stored(self, outputs: list[Tensor], output: Tensor, number: int) -> list[Tensor]:
        """All outputs that later layers may read, once layer ``number`` (from 1) has given ``output``."""
        outputs = [*outputs, output]
        if number in self._reduce_after:
            reduction = self.reductions[self._reduce_after.index(number)]
            outputs = [reduction(stored) for stored in outputs]
        return outputs

    def classify(self, features: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of the last layer's output ``(B, width, H, W)``."""
        logits: Tensor = self.classifier(self.dropout(features.mean((2, 3))))
        return logits


class ENASNetwork(MacroNetwork, Backbone):  # type: ignore[misc]  # reset_classifier may change its kind
    """Stem, chain of layers with skip connections, global average pooling, dropout, linear classifier.

    Args:
        skips: The nodes that each of the ``L`` layers reads besides the one before it: node 0 is the stem's
            output, node ``i`` layer ``i``.
        operations: ``L`` names.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        width: Channels of every layer.
        dropout: Probability of dropping a feature before the classifier.

    Raises:
        InvalidArgument: As :class:`MacroNetwork`.
    """

    def __init__(
        self,
        skips: Sequence[Sequence[int]],
        operations: Sequence[str],
        num_classes: int,
        in_channels: int,
        width: int,
        dropout: float,
    ) -> None:
        count = len(operations)
        layers = (Layer(operation, width) for operation in operations)
        super().__init__(layers, count, num_classes, in_channels, width, dropout)
        self._skips = [list(nodes) for nodes in skips]
        self._last_at = sorted({*self._reduce_after, count})
        """The last layer at each resolution."""
        self.out_channels = (width,) * len(self._last_at)
        self.strides = tuple(2**place for place in range(len(self._last_at)))
        self.map_modules = tuple(f"layers.{number - 1}" for number in self._last_at)
        self.num_features = width

    def features(self, images: Tensor) -> list[Tensor]:
        """The outputs of the last layer before each reduction and of the last one, of ``width`` channels."""
        maps = []
        outputs = [self.stem(images)]
        for number, (layer, skips) in enumerate(zip(self.layers, self._skips, strict=True), start=1):
            output = layer(outputs[-1], [outputs[j] for j in skips])
            if number in self._last_at:
                maps.append(output)
            outputs = self.stored(outputs, output, number)
        return maps

    def set_drop_rate(self, rate: float) -> None:
        """Instead of the constructor's ``dropout``, unless ``rate`` is 0."""
        self.dropout = nn.Dropout(rate or self.dropout.p)

    def keep_maps(self, count: int) -> None:
        """Drop the layers after the last one at the resolution of map ``count``."""
        self._last_at = self._last_at[:count]
        self.layers = self.layers[: self._last_at[-1]]
        self._skips = self._skips[: self._last_at[-1]]
        self._reduce_after = self._reduce_after[: count - 1]
        self.reductions = self.reductions[: count - 1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits ``(B, num_classes)`` of the last map; with ``pre_logits`` its mean over the pixels."""
        return x.mean((2, 3)) if pre_logits else self.classify(x)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, num_classes)`` of ``images (B, in_channels, H, W)``."""
        return self.forward_head(self.features(images)[-1])


def skip_inputs(adjacency: NDArray[Any], count: int) -> list[list[int]]:
    """The nodes that each of ``count`` layers reads besides the one before it."""
    return [[int(j) for j in adjacency[: i - 1, i].nonzero()[0]] for i in range(1, count + 1)]


class Layer(nn.Module):
    """One layer: its branch reads the previous output, the skip inputs are added to what it gives."""

    def __init__(self, operation: str, width: int) -> None:
        super().__init__()
        self.branch = branch(operation, width)
        self.norm = nn.BatchNorm2d(width, affine=False)

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        """Same shape as ``x`` and as each of ``skips``."""
        output: Tensor = self.norm(sum_of(self.branch(x), skips))
        return output


class FactorizedReduction(nn.Module):
    """Halves the resolution: two 1x1 convolutions of stride 2, one of them shifted by a pixel, and BN."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(width, width // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(width, width - width // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(width, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, C, H, W)`` to ``(B, C, ceil(H/2), ceil(W/2))``."""
        # Zeros right and below: without them, the shifted half of an odd map would be one pixel smaller.
        shifted = nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        return self.norm(torch.cat([self.even(x), self.odd(shifted)], 1))


def sum_of(out: Tensor, skips: Sequence[Tensor]) -> Tensor:
    """``out`` and the skip inputs, all of one shape, added one after the other."""
    for skip in skips:
        out = out + skip
    return out


def branch(operation: str, width: int) -> nn.Sequential:
    """What a layer with ``operation`` does to the previous output, before skip inputs are added."""
    layers: list[nn.Module] = [
        nn.Conv2d(width, width, 1, bias=False),
        nn.BatchNorm2d(width, affine=False),
        nn.ReLU(inplace=True),
    ]
    if operation == "avgpool3x3":
        layers.append(nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False))
    elif operation == "maxpool3x3":
        layers.append(nn.MaxPool2d(3, stride=1, padding=1))
    else:
        kernel = int(operation[-1])
        groups = width if operation.startswith("sepconv") else 1
        layers.append(nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=groups, bias=False))
        if groups > 1:
            layers.append(nn.Conv2d(width, width, 1, bias=False))
    layers.append(nn.BatchNorm2d(width, affine=False))
    if "conv" in operation:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)
