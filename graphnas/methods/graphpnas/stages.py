"""StagedGenerator: one generator for each stage of a network (GraphPNAS, appendix B)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from graphnas.errors import InvalidArgument
from graphnas.graph.batch import ArchitectureBatch
from graphnas.graph.space import GraphSpace
from graphnas.methods.graphpnas.generator import ArchitectureGenerator, PreparedBatch
from graphnas.methods.graphpnas.graph_generator import GeneratorConfig, GraphGenerator
from graphnas.methods.graphpnas.likelihood import LogLikelihood
from search_spaces import RandWire


class PreparedStages(PreparedBatch):
    """Architectures whose stages are prepared one by one.

    Args:
        batch: The architectures.
        stages: The prepared graphs of each stage.
    """

    def __init__(self, batch: ArchitectureBatch, stages: Sequence[PreparedBatch]) -> None:
        super().__init__(batch)
        self.stages = stages

    def minibatches(self, order: Tensor, size: int) -> Iterator[PreparedStages]:
        """One pass over all stages at once; see the base class."""
        parts = zip(*(stage.minibatches(order, size) for stage in self.stages), strict=True)
        for index, stages in zip(torch.split(order, size), parts, strict=True):
            yield PreparedStages(self.batch[index], stages)


class StagedGenerator(ArchitectureGenerator):
    """The product of independent :class:`.graph_generator.GraphGenerator`, one for each stage of RandWire.

    Log-likelihoods and losses are summed over the stages. Each stage has weights of its own.

    Args:
        space: ``RandWire(stages=n)``, n above 1, or a part of it.
        config: Settings of each of them.
        generator: Source of the initial weights, on the CPU.
        device: Where the parameters live.

    Raises:
        InvalidArgument: Another space.
    """

    def __init__(
        self,
        space: GraphSpace,
        config: GeneratorConfig | None = None,
        *,
        generator: torch.Generator,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(space)
        whole = space.whole
        if not isinstance(whole, RandWire) or whole.stages == 1:
            raise InvalidArgument(f"expected RandWire with several stages, got {space!r}")
        self._nodes = whole.num_nodes
        stage = RandWire(whole.num_nodes)
        self.stages = nn.ModuleList(
            GraphGenerator(stage, config, generator=generator, device=device) for _ in range(whole.stages)
        )

    def _generators(self) -> list[GraphGenerator]:
        return [stage for stage in self.stages if isinstance(stage, GraphGenerator)]

    def prepare(self, batch: ArchitectureBatch) -> PreparedStages:
        """The sub-graphs of all stages, computed once.

        Raises:
            InvalidArchitecture: An architecture that is not in the space.
        """
        n, size, parts = self._nodes, self.space.max_nodes, []
        stage_of = torch.arange(batch.max_nodes, device=batch.adjacency.device) // n
        between = batch.adjacency.bool() & (stage_of[:, None] != stage_of)
        if batch.max_nodes != size or bool((batch.num_nodes != size).any() | between.any()):
            for architecture in batch:
                self.space.whole.validate(architecture)
        for k, stage in enumerate(self._generators()):
            part = slice(k * n, (k + 1) * n)
            parts.append(
                stage.prepare(ArchitectureBatch(batch.adjacency[:, part, part], batch.operations[:, part]))
            )
        return PreparedStages(batch, parts)

    def log_likelihood(self, batch: ArchitectureBatch | PreparedBatch) -> LogLikelihood:
        """Exact and differentiable; rows are those of the stages, one stage after the other.

        Raises:
            InvalidArchitecture: An architecture that is not in the space.
        """
        if isinstance(batch, PreparedBatch) and not isinstance(batch, PreparedStages):
            batch = batch.batch
        prepared = batch if isinstance(batch, PreparedStages) else self.prepare(batch)
        stages = zip(self._generators(), prepared.stages, strict=True)
        likelihoods = [stage.log_likelihood(part) for stage, part in stages]
        # All stages have the same number of pairs and nodes, so that the mean over all is the mean of theirs.
        weights = torch.cat([likelihood.weights for likelihood in likelihoods], 2)
        weights[:2] /= len(likelihoods)
        return LogLikelihood(torch.cat([likelihood.terms for likelihood in likelihoods], 2), weights)

    @torch.no_grad()
    def sample(self, n: int, generator: torch.Generator) -> ArchitectureBatch:
        """``n`` samples, each with a graph from every stage's generator.

        Raises:
            InvalidArgument: ``n`` is not positive.
        """
        graphs = [stage.sample(n, generator) for stage in self._generators()]
        size, nodes = self.space.max_nodes, self._nodes
        adjacency = graphs[0].adjacency.new_zeros(n, size, size)
        for k, graph in enumerate(graphs):
            part = slice(k * nodes, (k + 1) * nodes)
            adjacency[:, part, part] = graph.adjacency
        return ArchitectureBatch(adjacency, torch.cat([graph.operations for graph in graphs], 1))
