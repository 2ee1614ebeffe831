"""NNI's import, with its undeclared dependencies named and its way past a torchvision that cannot load."""

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

    It imports PyTorch Lightning without declaring it. Lightning's metrics import torchvision wherever that is
    installed, and fail with it where its compiled operators do not fit torch; so torchvision goes first, by
    our own way.

    Raises:
        MissingExtra: NNI or Lightning is not installed; the message names ``pip install "graphnas[nni]"``.
    """
    require_nni()
    if util.find_spec("torchvision") is not None:
        from graphnas.training.torchvision_compat import import_torchvision

        with contextlib.suppress(MissingExtra):  # what follows may not need it, and says so otherwise
            import_torchvision()
    require("pytorch_lightning", "nni")
    with warnings.catch_warnings():
        # It takes two new names of torch.nn, which are no layers, for layers that it does not know.
        warnings.filterwarnings("ignore", message=".*is found to be not a nn.Module")
        require("nni.nas.nn.pytorch", "nni")
    return require("nni.nas", "nni")
