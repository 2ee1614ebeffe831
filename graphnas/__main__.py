"""``python -m graphnas`` is the command ``graphnas``."""

from __future__ import annotations

import sys

from graphnas.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
