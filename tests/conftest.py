"""What the tests of several folders share lies in this one; they find it, and so do processes they start."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)
known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
if HERE not in known:
    os.environ["PYTHONPATH"] = os.pathsep.join([HERE, *filter(None, known)])
