"""Import of torchvision, even if its compiled operators do not fit the installed torch.

PyPI has no build of torchvision for a torch without CUDA. Its build for CUDA cannot load its compiled
operators next to such a torch, and then ``import torchvision`` itself fails with ``RuntimeError: operator
torchvision::nms does not exist``. Its data sets and image transforms, which are all that is used here, need
none of these operators. So if the plain import fails in this way, :func:`import_torchvision` declares the
operators by name and signature and imports again.

That declaration is its only global change: for the rest of the process ``torch.ops.torchvision.nms`` and
``qnms`` exist without an implementation, and calling one raises ``NotImplementedError``. If torchvision can
be imported as it is, nothing is changed.
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
        MissingExtra: It is not installed, or cannot be imported even with the declaration described above.
    """
    global _declared
    with _lock:
        before = set(sys.modules)
        try:
            return require("torchvision", "images")
        except RuntimeError as error:
            if "torchvision::" not in str(error):
                raise _unusable(error) from error
        # Otherwise Python would take the remains of the failed import for a complete package.
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "torchvision":
                del sys.modules[name]
        if _declared is None:
            # Declare only what is missing, in a fragment: other code may already have declared operators.
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
