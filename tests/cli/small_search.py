"""The arguments of a search of a few seconds, shared by the tests of the command line."""

from __future__ import annotations

# Networks of a few hundred weights and one epoch: what is tested is the way through, not the accuracy.
TINY = [
    *("--space", "gemnet", "--nodes", "4", "--dataset", "digits", "--epochs", "1", "--shape", "width=2"),
    *("--shape", "stages=1", "--training", "train_fraction=0.1", "--training", "validation_limit=50"),
]
