"""A trained network as a file for other programs: ONNX, torch.export, TorchScript, timm, a folder of its own.

Names are imported on first use, so that importing this package loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphnas.lazy import lazy_names

if TYPE_CHECKING:
    from graphnas.export.exporting import Exported as Exported
    from graphnas.export.exporting import export_model as export_model
    from graphnas.export.python_source import network_source as network_source

FORMATS = ("onnx", "pt2", "torchscript", "timm", "folder")
_HOMES = {
    "Exported": "graphnas.export.exporting",
    "export_model": "graphnas.export.exporting",
    "network_source": "graphnas.export.python_source",
}
__all__ = ["FORMATS", "Exported", "export_model", "network_source"]

__getattr__, __dir__ = lazy_names(__name__, _HOMES, __all__)
