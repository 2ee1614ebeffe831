"""Import of torchvision, also where its compiled operators do not fit the installed torch.

There is no build of torchvision for a torch without CUDA in the place that most people install from. The
build for CUDA cannot load its compiled operators beside such a torch, and then ``import torchvision`` itself
fails with ``RuntimeError: operator torchvision::nms does not exist``: it declares how its operators behave
before it finds out that they are missing. Its data sets and image transforms, which are all that is used
here, need none of them. So where the plain import fails in this way, :func:`import_torchvision` declares the
operators by name and signature and imports again.

That declaration is the one global change it makes: for the rest of the process ``torch.ops.torchvision.nms``
and ``qnms`` exist without an implementation, and calling one raises ``NotImplementedError``. Where
torchvision imports as it is, nothing is touched.
"""

from __future__ import annotations

import importlib
import sys
import threading
from types import ModuleType
from typing import Any

import torch

from graphnas.errors import MissingExtra
from graphnas.optional import require

_SIGNATURES = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_lock = threading.RLock()
_declared: Any = None  # the declaration lasts only as long as this object


def import_torchvision() -> ModuleType:
    """The ``torchvision`` package, usable for data sets and transforms.

    Raises:
        MissingExtra: It is not installed, or fits neither this torch nor the way round described above.
    """
    global _declared
    with _lock:
        before = set(sys.modules)
        try:
            return require("torchvision", "images")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise _unusable(error) from error
        # What the failed import left behind would otherwise be taken for a finished package.
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "torchvision":
                del sys.modules[name]
        if _declared is None:
            # A fragment, and only what is missing: someone else may have declared operators already.
            _declared = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
            for name, signature in _SIGNATURES.items():
                if not hasattr(torch.ops.torchvision, name):
                    _declared.define(signature)
        try:
            return importlib.import_module("torchvision")
        except (ImportError, RuntimeError) as error:
            raise _unusable(error) from error


def _unusable(error: Exception) -> MissingExtra:
    return MissingExtra(
        f"the installed torchvision does not work with torch {torch.__version__} ({error}); install the "
        'release that matches it: pip install "graphnas[images]"'
    )
