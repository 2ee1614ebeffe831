"""Backbone: the one protocol of every network for images, for detectors, exporters and timm."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, Self

from numpy.typing import NDArray
from torch import Tensor, nn

from graphnas.errors import InvalidArgument


class Backbone(nn.Module):
    """A network that gives feature maps at several strides and classifies the last of them.

    The names are those of timm's models, so that its feature extractors and training scripts work with it.

    Attributes:
        out_channels: Channels of each map of :meth:`features`.
        strides: Pixels of the image per pixel of each map.
        map_modules: Name of the submodule whose output is each map.
        classifier: Module from the vector of :meth:`forward_head` to logits.
        num_features: Length of that vector.
        arguments: What the constructor was called with, by name, from which it can be written down again.
    """

    out_channels: tuple[int, ...]
    strides: tuple[int, ...]
    map_modules: tuple[str, ...]
    classifier: nn.Module
    num_features: int
    arguments: dict[str, Any]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Notes the arguments, which are plain numbers, names and lists of them."""
        network = super().__new__(cls)
        if args or kwargs:  # a copy and a pickle make an empty object first and fill in its attributes
            network.arguments = dict(inspect.signature(cls.__init__).bind(None, *args, **kwargs).arguments)
            del network.arguments["self"]
        return network

    def features(self, images: Tensor) -> list[Tensor]:
        """The feature maps, from the finest to the coarsest.

        Args:
            images: ``(B, in_channels, H, W)`` of any size.

        Returns:
            ``(B, C, ceil(H / s), ceil(W / s))`` for each ``C`` of :attr:`out_channels` and ``s`` of
            :attr:`strides`.
        """
        raise NotImplementedError

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Logits ``(B, num_classes)`` of the last map; with ``pre_logits`` the vector before them."""
        raise NotImplementedError

    def forward_features(self, images: Tensor) -> Tensor:
        """The last map of :meth:`features`."""
        return self.features(images)[-1]

    @property
    def num_classes(self) -> int:
        """Size of the output; 0 without a classifier."""
        return int(getattr(self.classifier, "out_features", 0))

    @property
    def feature_info(self) -> list[dict[str, Any]]:
        """Channels, stride and module of each map, in timm's words."""
        described = zip(self.out_channels, self.strides, self.map_modules, strict=True)
        return [
            {"num_chs": channels, "reduction": stride, "module": module}
            for channels, stride, module in described
        ]

    def forward_intermediates(
        self,
        x: Tensor,
        indices: int | Sequence[int] | None = None,
        norm: bool = False,
        stop_early: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> Any:
        """The maps at ``indices`` and, unless only these are wanted, the last map: timm's signature.

        Args:
            x: Images ``(B, in_channels, H, W)``.
            indices: Which maps: a list, the number of last ones, or None for all.
            norm: Has no effect: every map is as the network's stage gives it.
            stop_early: Has no effect.
            output_fmt: Only ``"NCHW"``.
            intermediates_only: Whether to leave out the last map.

        Raises:
            InvalidArgument: There is no such map, or another format.
        """
        if output_fmt != "NCHW":
            raise InvalidArgument(f"output_fmt must be 'NCHW', got {output_fmt!r}")
        maps = self.features(x)
        chosen = [maps[index] for index in self.map_indices(indices)]
        return chosen if intermediates_only else (maps[-1], chosen)

    def map_indices(self, indices: int | Sequence[int] | None) -> list[int]:
        """``indices`` as :meth:`forward_intermediates` takes them, as a list of numbers from 0.

        Raises:
            InvalidArgument: There is no such map.
        """
        count = len(self.out_channels)
        if indices is None:
            return list(range(count))
        if isinstance(indices, int):
            if not 1 <= indices <= count:
                raise InvalidArgument(f"the network has {count} feature maps, asked for the last {indices}")
            return list(range(count - indices, count))
        for index in indices:
            if not -count <= index < count:
                raise InvalidArgument(f"the network has feature maps 0 to {count - 1}, asked for {index}")
        return [index % count for index in indices]

    def prune_intermediate_layers(
        self, indices: int | Sequence[int] = 1, prune_norm: bool = False, prune_head: bool = True
    ) -> list[int]:
        """Keep only what the maps at ``indices`` need: timm's signature.

        What is left out would otherwise be computed in vain and, under ``DistributedDataParallel``, be
        parameters without a gradient.

        Args:
            indices: As in :meth:`forward_intermediates`.
            prune_norm: Has no effect.
            prune_head: Whether to drop what comes after the maps, too.

        Returns:
            The numbers of the maps, from 0.

        Raises:
            InvalidArgument: There is no such map.
        """
        chosen = self.map_indices(indices)
        kept = max(chosen) + 1
        if kept < len(self.out_channels):
            self.keep_maps(kept)
            self.out_channels, self.strides = self.out_channels[:kept], self.strides[:kept]
            self.map_modules = self.map_modules[:kept]
        if prune_head:
            self.drop_head()
            self.classifier = nn.Identity()
        return chosen

    def set_drop_rate(self, rate: float) -> None:
        """Drop each feature before the classifier with probability ``rate`` in training."""
        raise NotImplementedError

    def keep_maps(self, count: int) -> None:
        """Drop the layers that only later maps than the first ``count`` need."""
        raise NotImplementedError

    def drop_head(self) -> None:
        """Drop the layers between the last map and the classifier, if there are any."""

    def get_classifier(self) -> nn.Module:
        """The last layer."""
        return self.classifier

    def reset_classifier(self, num_classes: int, global_pool: str | None = None) -> None:
        """Replace the last layer by a new one with random weights.

        Args:
            num_classes: Size of the output; 0: none, the network then gives the vector before it.
            global_pool: None or ``"avg"``, the pooling that the network has.

        Raises:
            InvalidArgument: A negative size or another pooling.
        """
        if num_classes < 0:
            raise InvalidArgument(f"num_classes must be at least 0, got {num_classes}")
        if global_pool not in (None, "avg"):
            raise InvalidArgument(f"global_pool must be 'avg', got {global_pool!r}")
        like = next(self.parameters())
        new = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        self.classifier = new.to(like.device, like.dtype)


def node_inputs(adjacency: NDArray[Any]) -> list[list[int]]:
    """The nodes that each node reads, in ascending order."""
    return [[int(i) for i in column.nonzero()[0]] for column in adjacency.T]
