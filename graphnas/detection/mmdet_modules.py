"""What mmdet's configurations can name: the backbone ``GraphNAS``, its neck, and a hook for exact resumption.

``custom_imports=dict(imports="graphnas.detection")`` in a configuration registers them.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from mmdet.models.necks import FPN
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.registry import HOOKS, MODELS

from graphnas.detection.feature_maps import FeatureMaps
from graphnas.errors import InvalidArgument

_latest: ContextVar[tuple[int, ...] | None] = ContextVar("channels of the backbone built last", default=None)
STATE = "graphnas_random_numbers"


@MODELS.register_module()
class GraphNAS(FeatureMaps, BaseModule):  # type: ignore[misc]
    """A found network as a backbone: ``dict(type="GraphNAS", architecture="runs/best")``.

    Args:
        architecture: As for :class:`~graphnas.detection.feature_maps.FeatureMaps`, with its other arguments
            ``space``, ``shape``, ``out_indices``, ``frozen_stages``, ``norm_eval`` and ``normalisation``.
        pretrained: Weights to start from: a file or a folder of a model; None takes those beside the
            architecture if there are any; False none.
        init_cfg: mmengine's way to say the same: ``dict(type="Pretrained", checkpoint=...)``.
        **options: The other arguments.

    Raises:
        InvalidArgument: Both ``pretrained`` and ``init_cfg``, or another argument that does not fit.
    """

    def __init__(
        self,
        architecture: str | Mapping[str, Any],
        pretrained: str | bool | None = None,
        init_cfg: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(architecture, **options)
        if init_cfg is not None:
            if pretrained is not None or init_cfg.get("type") != "Pretrained":
                raise InvalidArgument(
                    f"GraphNAS takes pretrained=..., or init_cfg of the type Pretrained, got {init_cfg}"
                )
            pretrained = str(init_cfg["checkpoint"])
        if pretrained is None:
            pretrained = self.weights is not None
        self.pretrained = pretrained
        self._is_init = False
        _latest.set(self.out_channels)

    def init_weights(self) -> None:
        """Load the weights, and log what was loaded and what was not."""
        if self.pretrained is False or self._is_init:
            return
        loaded = self.load_weights(None if self.pretrained is True else self.pretrained)
        complete = not (loaded.missing or loaded.left or loaded.other_shape)
        level = logging.INFO if complete else logging.WARNING
        print_log(f"GraphNAS: {loaded}", logger="current", level=level)
        self._is_init = True


@MODELS.register_module()
class GraphNASFPN(FPN):  # type: ignore[misc]
    """mmdet's FPN, which knows the channels of the backbone: ``in_channels`` may be left out.

    Args:
        in_channels: Channels of the maps; by default those of the ``GraphNAS`` that was built just before,
            which is the one of the same detector. If they are given they are compared with it.
        **options: Arguments of mmdet's FPN.

    Raises:
        InvalidArgument: ``in_channels`` is not what the backbone gives, or there is no backbone.
    """

    def __init__(self, in_channels: Sequence[int] | None = None, **options: Any) -> None:
        given = _latest.get()
        _latest.set(None)  # the neck of another detector must not take it for its own
        if in_channels is None:
            if given is None:
                raise InvalidArgument("GraphNASFPN needs a GraphNAS before it; for another one, in_channels")
            in_channels = given
        elif given is not None and tuple(in_channels) != given:
            raise InvalidArgument(
                f"in_channels must be {list(given)}, as the backbone gives, got {list(in_channels)}"
            )
        super().__init__(in_channels=list(in_channels), **options)


@HOOKS.register_module()
class ExactResumption(Hook):  # type: ignore[misc]
    """Keeps the random numbers in checkpoints, and out of them what ``torch.load`` refuses by default.

    mmengine stores no random numbers, so that a training which was interrupted goes on with others than one
    that was not. Its checkpoints hold the smoothed curves of the log and numbers of NumPy, for which torch
    from 2.6 on refuses the whole file.
    """

    priority = "VERY_HIGH"

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the states, leave out the curves."""
        kind, keys, position, has_gauss, gauss = np.random.get_state()
        checkpoint[STATE] = {
            "torch": torch.random.get_rng_state(),
            "python": random.getstate(),
            "numpy": (kind, torch.from_numpy(np.asarray(keys, np.int64)), position, has_gauss, gauss),
        }
        hub = checkpoint["message_hub"]
        hub["log_scalars"] = {}
        hub["runtime_info"] = _plain(hub["runtime_info"])

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Note the states; they are set when the next epoch begins."""
        self._state = checkpoint.get(STATE) if runner._resume else None

    def before_train_epoch(self, runner: Any) -> None:
        """Set the states of the checkpoint."""
        state, self._state = getattr(self, "_state", None), None
        if state is None:
            return
        torch.random.set_rng_state(state["torch"])
        version, numbers, gauss = state["python"]
        random.setstate((version, tuple(numbers), gauss))
        kind, keys, *rest = state["numpy"]
        np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))


def _plain(value: Any) -> Any:
    """``value`` with Python's numbers in place of NumPy's."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value
