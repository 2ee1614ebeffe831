"""A search space of your own (operations, a rule, a builder), and a real search of it on digits.

Run ``python examples/custom_space.py``; it takes less than a minute on one CPU core.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from graphnas import Architecture, GraphSpace
from graphnas.errors import InvalidArchitecture
from graphnas.evaluate import OracleEvaluator
from graphnas.methods import RegularizedEvolution


class SmallCells(GraphSpace):
    """Five nodes: input, three operations, output. Any node may feed any later one; inputs are added up."""

    name = "small"  # prefix of the parameters: small/op_1, small/edge_0_1, ...
    node_ops = ("input", "conv3x3", "conv5x5", "maxpool3x3", "output")
    max_nodes = 5

    def node_choices(self, node: int) -> Sequence[int]:
        """The first node is the input, the last the output; the others choose."""
        return {0: [0], 4: [4]}.get(node, [1, 2, 3])

    def check(self, architecture: Architecture) -> None:
        """Every node but the first has an input, and every node but the last is used.

        A rule that is slow, or accepts little, is better written for many at once: see ``check_batch``.
        """
        edges = architecture.adjacency != 0
        if len(edges) != 5 or not edges[:, 1:].any(0).all() or not edges[:-1].any(1).all():
            raise InvalidArchitecture("small: five nodes, all of them on a path from input to output")

    def build(self, architecture: Architecture, num_classes: int, **shape: int) -> nn.Module:
        """The network; ``shape`` takes ``in_channels`` and ``width``."""
        self.validate(architecture)
        return SmallNetwork(architecture, num_classes, **shape)


class SmallNetwork(nn.Module):
    """A convolution of stride 2, the graph, global average pooling and a linear classifier."""

    def __init__(
        self, architecture: Architecture, num_classes: int, in_channels: int = 3, width: int = 16
    ) -> None:
        super().__init__()
        self.edges = architecture.adjacency != 0
        stem = nn.Conv2d(in_channels, width, 3, stride=2, padding=1, bias=False)
        nodes: list[nn.Module] = [nn.Sequential(stem, nn.BatchNorm2d(width), nn.ReLU())]
        for label in architecture.operations[1:]:
            kernel = {1: 3, 2: 5}.get(int(label))
            if kernel:
                convolution = nn.Conv2d(width, width, kernel, padding=kernel // 2, bias=False)
                nodes.append(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU()))
            else:
                nodes.append(nn.MaxPool2d(3, stride=1, padding=1) if label == 3 else nn.Identity())
        self.nodes = nn.ModuleList(nodes)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(B, num_classes)``."""
        outputs = [self.nodes[0](images)]
        for j in range(1, len(self.nodes)):
            inputs = torch.stack([outputs[i] for i in range(j) if self.edges[i, j]]).sum(0)
            outputs.append(self.nodes[j](inputs))
        return self.classifier(outputs[-1].mean((2, 3)))


def main(trials: int = 12, epochs: int = 3) -> list[float]:
    """Search, print each trial, and return the validation accuracies in percent."""
    space = SmallCells()
    evaluator = OracleEvaluator(space, "digits", epochs=epochs, shape={"width": 16}, progress=False)
    method = RegularizedEvolution(space, population_size=6, tournament_size=3)
    values = []
    for trial in range(trials):
        architecture = method.ask()[0]
        result = evaluator.evaluate(architecture)
        method.tell(architecture, result.value)
        values.append(result.value)
        print(
            f"{trial:3d}  accuracy {result.value:5.2f} %  parameters {result.parameters:6d}  {architecture}"
        )
    print(f"best validation accuracy: {max(values):.2f} %")
    return values


if __name__ == "__main__":
    main()
