"""``python -m graphnas``: the command line, for ``torchrun -m graphnas train ...`` too."""

import sys

from graphnas.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
