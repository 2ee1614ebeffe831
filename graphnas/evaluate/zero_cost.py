"""ZeroCostFeatures: what is known of an architecture without training it, for a search to learn from."""

from __future__ import annotations

import hashlib
import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from graphnas.configuration import close_match
from graphnas.errors import InvalidArgument
from graphnas.evaluate.score_cache import ScoreCache
from graphnas.graph.architecture import Architecture
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.properties import TERMINALS, Terminals, input_output_paths
from graphnas.graph.space import GraphSpace
from graphnas.importable import home_of
from graphnas.seeds import checked_seed, derived_seed, torch_generator

if TYPE_CHECKING:
    import torch
    from torch import nn

_logger = logging.getLogger(__name__)

COLUMNS = {
    "parameters": ("log parameters",),
    "macs": ("log macs",),
    "paths": ("longest path", "mean path", "log paths"),
    "synflow": ("log synflow",),
    "naswot": ("naswot",),
}
"""The features by name, and their columns."""

OF_NETWORKS = tuple(name for name in COLUMNS if name != "paths")
"""Those for which a network is built."""


class ZeroCostFeatures:
    """Size, paths and untrained scores of architectures, as columns of features; see :data:`COLUMNS`.

    * ``parameters``, ``macs``: the logarithms of the trainable parameters and of the multiply-accumulates of
      one image (:func:`search_spaces.complexity.count_complexity`).
    * ``paths``: longest and mean length, and the logarithm of the number, of the paths from input to output
      (:func:`graphnas.graph.properties.input_output_paths`).
    * ``synflow``, ``naswot``: scores of the network with its initial weights
      (:mod:`graphnas.evaluate.untrained`).

    All but ``paths`` need networks, which are built as for training, one at a time; ``shape`` and
    ``image_shape`` may ask for smaller ones, which take less time. A value is a function of the architecture,
    the arguments here and the seed alone: the initial weights come from the seed, and neither torch's global
    random numbers nor any of its settings are touched. It is kept in memory and, with ``file``, on disk.
    Isomorphic architectures may differ a little, since their weights are drawn in another order.

    Args:
        space: The search space.
        names: Which features.
        build: Builds the network of an architecture, in place of ``space.build``.
        num_classes: Size of the output, for ``space.build``.
        image_shape: ``(channels, height, width)`` of the images that the network is run on.
        shape: Further arguments of ``space.build``, such as widths. ``in_channels`` is added.
        images: Images ``(B, *image_shape)`` for naswot; by default ``batch_size`` of Gaussian noise.
        batch_size: Number of images for naswot, where none are given.
        terminals: The nodes between which paths lead.
        seed: Seed of initial weights and noise.
        file: Keeps the scores of networks, so that a resumed search does not compute them again. Processes
            may share it: none loses more than it can compute again.

    Attributes:
        names: Names of the columns.

    Raises:
        InvalidArgument: An argument that does not fit, a space without networks, or a file of other settings.
        CorruptData: The file is damaged.
    """

    def __init__(
        self,
        space: GraphSpace,
        names: Sequence[str] = ("synflow", "naswot"),
        *,
        build: Callable[[Architecture], nn.Module] | None = None,
        num_classes: int = 10,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        shape: Mapping[str, Any] | None = None,
        images: ArrayLike | None = None,
        batch_size: int = 32,
        terminals: Terminals = "first-and-last",
        seed: int = 0,
        file: str | os.PathLike[str] | None = None,
    ) -> None:
        self._features = checked_names(names)
        self.names = tuple(column for name in self._features for column in COLUMNS[name])
        self._needed = [name for name in self._features if name in OF_NETWORKS]
        self._space, self._seed = space, checked_seed(seed)
        self._terminals, self._image_shape = _checked_terminals(terminals), _checked_shape(image_shape)
        self._noise = _checked_size(batch_size)
        self._images = None if images is None else _checked_images(images, self._image_shape)
        own = dict(shape or {})
        if build is None and self._needed:
            from graphnas.training.arguments import build_arguments

            own = build_arguments(space.name, space.build, own, self._image_shape[0])
            build = _SpaceBuilder(space, num_classes, own)
        self._build = build
        self._cache = ScoreCache()
        if file is not None and self._needed:
            self._cache = ScoreCache(self._settings(), file)
        self._check()

    def _settings(self) -> dict[str, Any]:
        """What the scores depend on besides the architecture."""
        build = self._build
        if isinstance(build, _SpaceBuilder):
            built: Any = {"num_classes": build.num_classes, "shape": dict(build.shape)}
        else:
            built = home_of(build)
        images: Any = self._noise
        if self._images is not None:
            images = hashlib.sha256(self._images.tobytes()).hexdigest()
        return {
            "space": self._space.name,
            "arguments": self._space.arguments(),
            "build": built,
            "image_shape": list(self._image_shape),
            "images": images,
            "seed": self._seed,
        }

    def _check(self) -> None:
        """Score one random architecture now, rather than fail in a search."""
        if not self._needed:
            return
        try:
            self._measured(self._space.sample(np.random.default_rng(0)), self._needed)
        except Exception as error:  # whatever a builder raises
            raise InvalidArgument(
                f"{', '.join(self._needed)} need networks, but one of {self._space.name} cannot be run on "
                f"images of shape {self._image_shape}: {error}"
            ) from error

    def __call__(self, architectures: Sequence[Architecture]) -> NDArray[np.float64]:
        """The features ``(n, F)``, one column for each of :attr:`names`.

        NaN where there is none: the network cannot be built or run, or no path leads to the output. -inf is
        the score of a network that lets nothing through.
        """
        columns: list[NDArray[np.float64]] = []
        scores = self._scores(architectures) if self._needed else []
        for name in self._features:
            if name == "paths":
                columns += self._paths(architectures)
            else:
                columns.append(np.array([one[name] for one in scores], float))
        return np.stack(columns, axis=1).reshape(len(architectures), len(self.names))

    def _paths(self, architectures: Sequence[Architecture]) -> list[NDArray[np.float64]]:
        batch = ArchitectureBatch.from_architectures(architectures, self._space.max_nodes)
        paths = input_output_paths(batch, self._terminals)
        with np.errstate(divide="ignore"):
            return [paths.longest, paths.mean, np.log(paths.num_paths)]

    def _scores(self, architectures: Sequence[Architecture]) -> list[dict[str, float]]:
        """The scores of networks, by name."""
        scores = []
        for architecture in architectures:
            missing = [name for name in self._needed if name not in self._cache.get(architecture)]
            if missing:
                self._cache.add(architecture, self._measured_or_unknown(architecture, missing))
            scores.append(self._cache.get(architecture))
        self._cache.save()
        return scores

    def _measured_or_unknown(self, architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        try:
            return self._measured(architecture, names)
        except Exception as error:  # whatever a builder raises: the search can do without
            _logger.warning("%s: no %s of %r: %s", self._space.name, ", ".join(names), architecture, error)
            return dict.fromkeys(names, np.nan)

    def _measured(self, architecture: Architecture, names: Sequence[str]) -> dict[str, float]:
        """The named scores of one network, which is built anew for each: the scores change it."""
        from graphnas.evaluate.untrained import log_synflow, naswot
        from graphnas.training.randomness import SeededRandomness
        from search_spaces.complexity import count_complexity

        assert self._build is not None
        build = partial(self._build, architecture)
        scores: dict[str, float] = {}
        if "parameters" in names or "macs" in names:
            size = count_complexity(build, self._image_shape)
            scores |= {"parameters": _log(size.parameters), "macs": _log(size.macs)}
        if "synflow" in names:
            with SeededRandomness(derived_seed(self._seed, "weights")):
                scores["synflow"] = log_synflow(_initialised(build(), self._image_shape), self._image_shape)
        if "naswot" in names:
            with SeededRandomness(derived_seed(self._seed, "weights")):
                scores["naswot"] = naswot(_initialised(build(), self._image_shape), self._minibatch())
        return {name: np.nan if value == np.inf else value for name, value in scores.items() if name in names}

    def _minibatch(self) -> torch.Tensor:
        """The images ``(B, *image_shape)`` for naswot."""
        import torch

        if self._images is not None:
            return torch.from_numpy(self._images)
        generator = torch_generator(self._seed, "images")
        return torch.randn(self._noise, *self._image_shape, generator=generator, dtype=torch.float32)


def _initialised(network: nn.Module, image_shape: tuple[int, int, int]) -> nn.Module:
    """The network, whose lazy layers have taken their shapes from a first pass."""
    import torch

    tensors = (*network.parameters(), *network.buffers())
    if any(torch.nn.parameter.is_lazy(tensor) for tensor in tensors):
        with torch.no_grad():
            network.eval()(torch.zeros(2, *image_shape))
    return network


@dataclass(frozen=True)
class _SpaceBuilder:
    """Builds the networks of a space with the same arguments."""

    space: GraphSpace
    num_classes: int
    shape: Mapping[str, Any]

    def __call__(self, architecture: Architecture) -> nn.Module:
        return self.space.build(architecture, self.num_classes, **self.shape)


def _log(count: int) -> float:
    return math.log(count) if count else -math.inf


def checked_names(names: Sequence[str]) -> tuple[str, ...]:
    """``names`` of features without repetitions.

    Raises:
        InvalidArgument: None, or one that is not in :data:`COLUMNS`.
    """
    if isinstance(names, str) or not names:
        raise InvalidArgument(f"names must be a list of at least one of {', '.join(COLUMNS)}, got {names!r}")
    for name in names:
        if name not in COLUMNS:
            raise InvalidArgument(f"unknown feature {name!r}; {close_match(name, COLUMNS)}")
    return tuple(dict.fromkeys(names))


def _checked_terminals(terminals: Terminals) -> Terminals:
    if terminals not in TERMINALS:
        raise InvalidArgument(f"terminals must be one of {TERMINALS}, got {terminals!r}")
    return terminals


def _checked_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    sizes = tuple(shape)
    if len(sizes) != 3 or not all(isinstance(size, int | np.integer) and size > 0 for size in sizes):
        raise InvalidArgument(f"image_shape must be (channels, height, width), got {shape!r}")
    return int(sizes[0]), int(sizes[1]), int(sizes[2])


def _checked_size(batch_size: int) -> int:
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 2:
        raise InvalidArgument(f"batch_size must be an integer of at least 2, got {batch_size!r}")
    return batch_size


def _checked_images(images: ArrayLike, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    array = np.array(images, np.float32)
    if array.ndim != 4 or array.shape[1:] != shape or len(array) < 2:
        raise InvalidArgument(f"images must have shape (2 or more, *{shape}), got {array.shape}")
    return array
