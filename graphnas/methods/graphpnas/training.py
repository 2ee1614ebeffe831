"""Training a generator on the kept architectures, anew at each update or continuing from the last one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch.optim import Adam

from graphnas.graph.batch import ArchitectureBatch
from graphnas.methods.graphpnas.config import GraphPNASConfig
from graphnas.methods.graphpnas.generator import ArchitectureGenerator
from graphnas.methods.graphpnas.likelihood import reinforce_loss, reweighted_loss
from graphnas.methods.graphpnas.replay import Buffer, kept, rewards
from graphnas.methods.model_based import Finished
from graphnas.seeds import torch_generator

NEGLIGIBLE = 1e-20
"""Adam's averages of gradients below this are set to 0: next to its epsilon of 1e-8 they change no weight."""
STEPS_TO_CLEAR = 100
"""Steps between two clearings; an average takes 400 from this threshold to the denormal numbers."""

# Purposes of random numbers, so that no two share a stream.
_WEIGHTS, _BATCHES = range(2)


def fit(
    generator: ArchitectureGenerator,
    buffer: Buffer,
    config: GraphPNASConfig,
    source: torch.Generator,
    optimizer: Adam | None = None,
    *,
    epochs: int | None = None,
) -> list[float]:
    """Train ``generator`` on the kept part of ``buffer`` with Adam.

    Args:
        generator: Changed in place.
        buffer: At least one architecture.
        config: What is kept, the rewards, the loss and the sizes of the training.
        source: Draws the order of the graphs, on the CPU.
        optimizer: Optimizer to continue with; by default a new one.
        epochs: Passes over the kept graphs, by default ``config.epochs``.

    Returns:
        The mean loss of each epoch.
    """
    chosen = kept(buffer.scores, config.keep_top, config.buffer)
    weights = rewards(buffer.scores[chosen], config.reward)
    batch = ArchitectureBatch.from_architectures(
        [buffer.architectures[k] for k in chosen.tolist()], generator.space.max_nodes
    )
    prepared = generator.prepare(batch.to(generator.device))
    reward = torch.as_tensor(weights, dtype=torch.get_default_dtype(), device=generator.device)
    optimizer = optimizer or make_optimizer(generator, config)
    size, losses, steps = config.training_batch_size, [], 0
    # Without negative rewards both losses are the same.
    reinforce = config.loss == "reinforce" or bool((weights > 0).all())
    parameters = list(generator.parameters())
    generator.train()
    for _ in range(config.epochs if epochs is None else epochs):
        order = torch.randperm(len(chosen), generator=source).to(generator.device)
        total = 0.0
        parts = prepared.minibatches(order, size)
        for part, index in zip(parts, torch.split(order, size), strict=True):
            likelihood = generator.log_likelihood(part)
            if reinforce:
                loss = reinforce_loss(likelihood, reward[index], probability=config.probability)
            else:
                loss = reweighted_loss(
                    likelihood, reward[index], beta=config.beta, probability=config.probability
                )
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach()) * len(index)
            del likelihood, loss  # so that the next pass can use their memory while it is in the cache
            if config.clip_norm is not None:
                torch.nn.utils.clip_grad_norm_(parameters, config.clip_norm)
            optimizer.step()
            for parameter in parameters:  # as zero_grad does, whose bookkeeping takes longer
                parameter.grad = None
            if steps % STEPS_TO_CLEAR == 0:
                _clear(optimizer)
            steps += 1
        losses.append(total / len(chosen))
    generator.eval()
    return losses


def make_optimizer(generator: ArchitectureGenerator, config: GraphPNASConfig) -> Adam:
    """Adam with the configuration's learning rate and weight decay."""
    return Adam(generator.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True)


def _clear(optimizer: Adam) -> None:
    """Set averages of gradients that have decayed to nothing to 0.

    Where a gradient stays 0, as at units that ReLU has switched off, its average shrinks until it is a
    denormal number, on which processors are slow.
    """
    for state in optimizer.state.values():
        torch.hardshrink(state["exp_avg"], NEGLIGIBLE, out=state["exp_avg"])


class Learner:
    """The generator at each update, as a function of the seed and the buffers up to this update.

    Without warm start an update depends on its own buffer alone, so a resumed search needs only one training.
    With warm start earlier updates are repeated unless they are cached.

    Args:
        make: Makes a new generator with weights drawn from the given source.
        config: Settings.
        seed: Seed of weights and batches.
    """

    def __init__(
        self, make: Callable[[torch.Generator], ArchitectureGenerator], config: GraphPNASConfig, seed: int
    ) -> None:
        self._make = make
        self._config = config
        self._seed = seed
        self._fitted: tuple[Finished, ArchitectureGenerator, Adam] | None = None

    def at(
        self, updates: Sequence[int], finished: Finished, buffer: Callable[[Finished], Buffer]
    ) -> ArchitectureGenerator:
        """The generator after the last of ``updates``.

        Args:
            updates: Ascending numbers of evaluations at which there was an update.
            finished: The evaluations.
            buffer: Returns what is learned from the first of them.
        """
        known = () if self._fitted is None else self._fitted[0]
        if known != finished[: updates[-1]]:
            steps = updates if self._config.warm_start else updates[-1:]
            if len(known) in steps and known == finished[: len(known)]:
                steps = [count for count in steps if count > len(known)]
            for count in steps:
                anew = count == updates[0] or not self._config.warm_start
                self._update(finished[:count], buffer(finished[:count]), anew=anew)
        assert self._fitted is not None
        return self._fitted[1]

    def _update(self, known: Finished, buffer: Buffer, *, anew: bool) -> None:
        config, count = self._config, len(known)
        if anew or self._fitted is None:
            generator = self._make(torch_generator(self._seed, _WEIGHTS, 0 if config.warm_start else count))
            optimizer = make_optimizer(generator, config)
        else:
            _, generator, optimizer = self._fitted
        self._fitted = None  # an error in the middle must not leave half-trained weights behind
        epochs = config.epochs if anew else config.warm_epochs
        source = torch_generator(self._seed, _BATCHES, count)
        fit(generator, buffer, config, source, optimizer, epochs=epochs)
        self._fitted = known, generator, optimizer
