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
    option, module, *arguments = sys.argv[1:] or [""]
    if option != "-m" or not module:
        sys.exit("usage: python -m nni_graphnas.trial -m MODULE [ARGUMENTS]")
    require_nas()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
