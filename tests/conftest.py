"""What the tests of several folders share lies in ``shared``; they find it, and so do processes they start.

Not this folder itself: in it, ``search_spaces`` is a folder of tests, which would hide an installed package.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

SHARED = str(Path(__file__).parent / "shared")
if SHARED not in sys.path:
    sys.path.insert(0, SHARED)
known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
if SHARED not in known:
    os.environ["PYTHONPATH"] = os.pathsep.join([SHARED, *filter(None, known)])
