"""Claims: the architecture that a running trial was given, published on the trial for the other workers.

The parameters of a trial reach the storage one by one while the objective asks for them, after the next
worker may already have proposed. The claim says at once what the trial will evaluate.
"""

from __future__ import annotations

import itertools
import json

from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial

from graphnas.errors import InvalidArchitecture
from graphnas.graph.architecture import Architecture

ATTRIBUTE = "graphnas:architecture"
CHUNK = 2045
"""Characters per attribute, as Optuna itself cuts long values: some databases take no more than 2,048."""


def publish_claim(storage: BaseStorage, trial: FrozenTrial, architecture: Architecture) -> None:
    """Write on ``trial`` that it evaluates ``architecture``."""
    text = json.dumps({"trial": trial.number, "architecture": architecture.to_dict()}, separators=(",", ":"))
    for part, start in enumerate(range(0, len(text), CHUNK)):
        storage.set_trial_system_attr(trial._trial_id, f"{ATTRIBUTE}:{part}", text[start : start + CHUNK])


def read_claim(trial: FrozenTrial) -> Architecture | None:
    """The architecture that ``trial`` claims; None without a claim, or with one cut off or copied."""
    parts = []
    for part in itertools.count():
        text = trial.system_attrs.get(f"{ATTRIBUTE}:{part}")
        if not isinstance(text, str):
            break
        parts.append(text)
    try:
        claim = json.loads("".join(parts))
        if claim["trial"] != trial.number:
            return None
        return Architecture.from_dict(claim["architecture"])
    except (json.JSONDecodeError, KeyError, TypeError, InvalidArchitecture):
        return None
