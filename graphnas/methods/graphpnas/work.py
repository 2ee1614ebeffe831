"""The work of a search by GraphPNAS without a critic, from counts and one short training and sampling."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from graphnas.configuration import replaced
from graphnas.dry_run import Work, measured_seconds
from graphnas.graph.architecture import Architecture
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.methods.graphpnas.replay import Buffer, number_kept
from graphnas.methods.graphpnas.training import fit, make_optimizer
from graphnas.seeds import torch_generator


def gradient_steps(config: GraphPNASConfig, evaluations: int, *, first: bool) -> int:
    """Gradient steps of the update after so many evaluations.

    Args:
        config: Settings.
        evaluations: Evaluations that the generator may learn from.
        first: Whether it is the first update.
    """
    chosen_from = evaluations if config.buffer is None else min(evaluations, config.buffer)
    graphs = number_kept(chosen_from, config.keep_top)
    epochs = config.epochs if first or not config.warm_start else config.warm_epochs
    return epochs * math.ceil(graphs / config.training_batch_size)


def search_work(
    config: GraphPNASConfig, generator: ArchitectureGenerator, graphs: Sequence[Architecture], trials: int
) -> list[Work]:
    """The work of the updates and samples of a search of ``trials`` trials.

    Args:
        config: Settings.
        generator: A new one; it is trained for a few steps.
        graphs: Random graphs of the space in their learned form, as many as a minibatch has.
        trials: Trials of the search.
    """
    updates = range(max(2, config.n_startup_trials), trials, config.batch_size)
    steps = sum(gradient_steps(config, n, first=n == updates[0]) for n in updates)
    buffer = Buffer(list(graphs), np.arange(len(graphs), dtype=float))
    source, optimizer = torch_generator(0), make_optimizer(generator, config)
    all_of_them = replaced(config, keep_top=len(graphs), buffer=None, training_batch_size=len(graphs))
    training = measured_seconds(lambda: fit(generator, buffer, all_of_them, source, optimizer, epochs=1))
    drawing = measured_seconds(lambda: generator.sample(config.chunk, source))
    return [
        Work(f"gradient step of {len(graphs)} graphs", steps, training),
        Work(f"draw of {config.chunk} samples", len(updates), drawing),
    ]
