"""Found networks in object detectors: those of mmdet and those of torchvision.

Where mmdet is installed, importing this package registers the backbone ``GraphNAS``, the neck ``GraphNASFPN``
and the hook ``ExactResumption``: ``custom_imports=dict(imports="graphnas.detection")`` in a configuration.
"""

from __future__ import annotations

import importlib.util

if all(importlib.util.find_spec(name) for name in ("mmdet", "mmengine")):
    from graphnas.detection.mmengine_compat import import_mmdet

    import_mmdet()
    import graphnas.detection.mmdet_modules  # noqa: F401
