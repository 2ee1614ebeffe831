"""The found network inside a detector: its feature maps, what of it is trained, and its weights.

Both kinds of detectors build on :class:`FeatureMaps`: those of mmdet and those of torchvision.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from graphnas.detection.settings import TRAINED
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.graph.architecture import Architecture
from graphnas.graph.space import GraphSpace
from graphnas.training.described import SAFETENSORS, Described, describe, weights_file
from graphnas.training.tensor_file import load_tensors
from search_spaces.complexity import unused_parameters

GROUPS = 32
"""Most groups of a group normalisation (Wu and He, "Group Normalization", 2018)."""
IMAGE = (3, 64, 64)
"""An image on which the parameters of a map are found; any size gives the same."""
PREFIXES = ("backbone.network.", "backbone.body.network.", "module.", "network.", "backbone.", "model.")
"""Before the names of the network's weights in checkpoints of detectors and of torch's wrappers."""

Weights = str | os.PathLike[str] | bool | None
"""A file or folder to start from; None: what lies beside the architecture, if anything; False: nothing."""

_logger = logging.getLogger(__name__)


def starting_weights(found: Described, weights: Weights) -> Path | None:
    """The file that ``weights`` means for a network, None for new weights.

    Raises:
        DataNotFound: There is no such file.
        InvalidArgument: True, but no weights lie beside the architecture.
    """
    if weights is True and found.weights is None:
        raise InvalidArgument("weights=True, but no weights lie beside the architecture")
    if isinstance(weights, bool) or weights is None:
        return None if weights is False else found.weights
    return weights_file(Path(weights))


class Loaded(NamedTuple):
    """What became of the weights in a checkpoint.

    Attributes:
        taken: Number of tensors that were loaded.
        missing: Names of tensors of the network that the checkpoint does not have: they stay as they were.
        left: Names of tensors of the checkpoint for which the network has no place, but the classifier's.
        other_shape: Names of tensors whose shape differs: they stay as they were.
    """

    taken: int
    missing: tuple[str, ...]
    left: tuple[str, ...]
    other_shape: tuple[str, ...]

    def __str__(self) -> str:
        """One sentence with the first names of each kind."""
        parts = [f"{self.taken} tensors loaded"]
        for what, names in (
            ("not in the checkpoint", self.missing),
            ("without a place in the network", self.left),
            ("of another shape", self.other_shape),
        ):
            if names:
                more = ", ..." if len(names) > 3 else ""
                parts.append(f"{len(names)} {what} ({', '.join(names[:3])}{more})")
        return "; ".join(parts)


class FeatureMaps(nn.Module):
    """A found network without its classifier, which gives the maps that a detector works on.

    Args:
        architecture: What :func:`graphnas.training.described.describe` reads: the folder of a model, a
            search or an export, a JSON file, its content, an architecture, or a name such as "gemnet-a".
        space: The space of an architecture alone, its name, or its name and arguments as a dictionary.
        shape: Arguments of the space's ``build``, over those of the description, such as
            ``{"stem_stride": 4}`` for a network that was trained on small images.
        out_indices: Which maps, from 0 for the finest; None gives all of them.
        frozen_stages: How many of the network's maps, counted from the finest, are kept as they are, with
            everything that they are computed from; -1 and 0 freeze nothing.
        norm_eval: Whether batch normalisation keeps its running statistics in training.
        normalisation: ``"batch"`` as in the network; ``"group"`` puts group normalisation in its place, for
            training from scratch or with few images per device; ``"sync"`` takes the statistics over all
            processes, for training with batch normalisation on several cards.

    Attributes:
        network: The :class:`~search_spaces.backbone.Backbone`.
        out_channels: Channels of each map.
        strides: Pixels of the image per pixel of each map.

    Raises:
        DataNotFound: There is no such file.
        CorruptData: A file is damaged or of another kind.
        InvalidArgument: An argument is out of range, or the network gives no feature maps.
        InvalidArchitecture: The architecture is not in its space.
    """

    def __init__(
        self,
        architecture: Architecture | Mapping[str, Any] | str | os.PathLike[str],
        *,
        space: GraphSpace | Mapping[str, Any] | str | None = None,
        shape: Mapping[str, Any] | None = None,
        out_indices: Sequence[int] | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        normalisation: str = "batch",
    ) -> None:
        super().__init__()
        if normalisation not in TRAINED:
            raise InvalidArgument(f"normalisation must be one of {', '.join(TRAINED)}, got {normalisation!r}")
        found = describe(architecture, space).with_shape(shape)
        self.weights = found.weights
        self.network = found.build(num_classes=1, in_channels=3)
        count = len(self.network.out_channels)
        if not -1 <= frozen_stages <= count:
            raise InvalidArgument(f"frozen_stages must be from -1 to {count}, got {frozen_stages}")
        if out_indices is not None and not out_indices:
            raise InvalidArgument("out_indices must name at least one map")
        self.out_indices = self.network.prune_intermediate_layers(
            range(count) if out_indices is None else list(out_indices)
        )
        self.out_channels = tuple(self.network.out_channels[i] for i in self.out_indices)
        self.strides = tuple(self.network.strides[i] for i in self.out_indices)
        if normalisation == "group":
            use_group_norm(self.network)
        elif normalisation == "sync":
            self.network = nn.SyncBatchNorm.convert_sync_batchnorm(self.network)  # type: ignore[no-untyped-call]
        self.frozen_stages, self.norm_eval = min(frozen_stages, len(self.network.out_channels)), norm_eval
        if self.frozen_stages > 0:
            first = _First(self.network, self.frozen_stages)
            needed = set(dict(first.named_parameters())) - set(unused_parameters(first, IMAGE))
            for name in needed:
                first.get_parameter(name).requires_grad_(False)
        self.train()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The maps.

        Args:
            images: ``(B, 3, H, W)``, normalised as the weights were trained.

        Returns:
            ``(B, C, ceil(H / s), ceil(W / s))`` for each ``C`` of :attr:`out_channels` and ``s`` of
            :attr:`strides`.
        """
        maps = self.network.features(images)
        return tuple(maps[index] for index in self.out_indices)

    def train(self, mode: bool = True) -> Self:
        """Training mode, but for frozen layers and, with ``norm_eval``, all batch normalisation."""
        super().train(mode)
        if mode:
            for module in self.network.modules():
                own = list(module.parameters(recurse=False))
                frozen = bool(own) and not any(parameter.requires_grad for parameter in own)
                if frozen or (self.norm_eval and isinstance(module, nn.modules.batchnorm._BatchNorm)):
                    module.eval()
        return self

    def load_weights(self, path: str | os.PathLike[str] | None = None) -> Loaded:
        """Load the weights of a trained classifier, or of a detector with this network.

        Args:
            path: A file, or the folder of a model; None takes the weights beside the architecture.

        Returns:
            What was loaded and what was not.

        Raises:
            DataNotFound: There is no such file, or no weights beside the architecture.
            CorruptData: It cannot be read as weights, or none of them fits.
        """
        if path is None and self.weights is None:
            raise DataNotFound("no weights lie beside the architecture")
        file = weights_file(Path(path)) if path is not None else self.weights
        assert file is not None
        given = _unprefixed(read_weights(file), set(self.network.state_dict()))
        own = self.network.state_dict()
        other = tuple(name for name in given if name in own and given[name].shape != own[name].shape)
        fitting = {name: given[name] for name in given if name in own and name not in other}
        if not fitting:
            raise CorruptData(f"{file}: none of its {len(given)} tensors fits the network")
        self.network.load_state_dict(fitting, strict=False)
        new = [name for name in own if name.endswith("running_mean") and name not in fitting]
        if self.norm_eval and new:
            _logger.warning(
                "%s has no statistics of %s, and they are kept as they are: normalise by 'batch' or 'group'",
                file,
                ", ".join(new),
            )
        return Loaded(
            len(fitting),
            tuple(name for name in own if name not in given),
            tuple(name for name in given if name not in own and not name.startswith("classifier.")),
            other,
        )


class _First(nn.Module):
    """The sum of the first maps."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network, self.count = network, count

    def forward(self, images: Tensor) -> Tensor:
        maps: list[Tensor] = self.network.features(images)  # type: ignore[operator]
        return torch.stack([m.sum() for m in maps[: self.count]]).sum()


def use_group_norm(network: nn.Module) -> None:
    """Put group normalisation, with the same scales and shifts, in the place of batch normalisation."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                channels = child.num_features
                groups = max(g for g in range(1, GROUPS + 1) if channels % g == 0)
                new = nn.GroupNorm(groups, channels, child.eps, child.affine)
                if child.affine:
                    new.load_state_dict({"weight": child.weight.detach(), "bias": child.bias.detach()})
                setattr(module, name, new)


def read_weights(file: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name: a state dictionary, or the one under a usual key; safetensors too.

    Raises:
        CorruptData: It cannot be read as such.
    """
    if file.name == SAFETENSORS or file.suffix == ".safetensors":
        from graphnas.optional import require

        content: Any = require("safetensors.torch", "export").load_file(file)
    else:
        content = load_tensors(file)
    for key in ("state_dict", "model", "ema"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise CorruptData(f"{file} holds no weights by name")
    tensors = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    if not tensors:
        raise CorruptData(f"{file} holds no weights by name")
    return tensors


def _unprefixed(given: dict[str, Tensor], own: set[str]) -> dict[str, Tensor]:
    """Without the prefix of a wrapper: the one under which most names are the network's."""

    def fitting(prefix: str) -> int:
        return sum(name.startswith(prefix) and name[len(prefix) :] in own for name in given)

    prefix = max(("", *PREFIXES), key=fitting)
    return {name[len(prefix) :]: value for name, value in given.items() if name.startswith(prefix)}
