"""Importing NNI, with its undeclared dependencies and a torchvision that does not fit torch."""

from __future__ import annotations

import contextlib
import warnings
from importlib import util
from types import ModuleType

from graphnas.errors import MissingExtra
from graphnas.optional import require


def require_nni() -> ModuleType:
    """The package ``nni``.

    Raises:
        MissingExtra: It is not installed; the message names ``pip install "graphnas[nni]"``.
    """
    return require("nni", "nni")


def require_nas() -> ModuleType:
    """The package ``nni.nas``.

    It imports PyTorch Lightning without declaring it. Lightning's metrics import torchvision where it is
    installed, and fail if its compiled operators do not fit torch; so torchvision is imported first, in our
    own way.

    Raises:
        MissingExtra: NNI or Lightning is not installed; the message names ``pip install "graphnas[nni]"``.
    """
    require_nni()
    if util.find_spec("torchvision") is not None:
        from graphnas.training.torchvision_compat import import_torchvision

        with contextlib.suppress(MissingExtra):  # what follows may not need it, and complains if it does
            import_torchvision()
    require("pytorch_lightning", "nni")
    with warnings.catch_warnings():
        # It takes two new names of torch.nn that are no layers for unknown layers.
        warnings.filterwarnings("ignore", message=".*is found to be not a nn.Module")
        require("nni.nas.nn.pytorch", "nni")
    return require("nni.nas", "nni")
