"""Runs NNI's trial of a NAS experiment where torchvision does not fit torch, as the search itself does.

``python -m nni_graphnas.trial -m MODULE ARGUMENTS`` is ``python -m MODULE ARGUMENTS``; see
:mod:`nni_graphnas.repairs`.
"""

from __future__ import annotations

import runpy
import sys

from nni_graphnas.host import require_nas


def main() -> None:
    """Run the module that the arguments name."""
    if len(sys.argv) < 3 or sys.argv[1] != "-m":
        sys.exit("usage: python -m nni_graphnas.trial -m MODULE [ARGUMENTS]")
    require_nas()
    module, *_ = sys.argv = sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
