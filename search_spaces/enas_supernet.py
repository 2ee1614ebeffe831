"""ENASSupernet: one network whose weights all architectures of an ENAS macro space share.

Pham et al. (ICML 2018), sections 2.1 and 2.3, with the details of the ENAS example of NNI 1.6: every layer
holds all operations and runs the one an architecture names; stem, reductions, classifier and the BN after
the skip connections are shared by all. The layers are those of :mod:`search_spaces.enas_network`, so the
sub-network of an architecture is the network that the space builds, with these weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from graphnas.graph.architecture import Architecture
from search_spaces.enas_network import MacroNetwork, branch, skip_inputs, sum_of

if TYPE_CHECKING:
    from search_spaces.enas import ENASMacro

Choice = tuple[int, tuple[int, ...]]
"""One layer: the code of its operation, and the nodes that it reads besides the one before it."""


class ENASSupernet(MacroNetwork):
    """The shared-weight network of :class:`search_spaces.enas.ENASMacro`.

    Args:
        space: The space, which sets the number of layers and reads its architectures.
        num_classes: Size of the output.
        in_channels: Channels of the images.
        width: Channels of every layer.
        dropout: Probability of dropping a feature before the classifier.

    Raises:
        InvalidArgument: As :class:`search_spaces.enas_network.MacroNetwork`.
    """

    def __init__(
        self, space: ENASMacro, num_classes: int, in_channels: int, width: int, dropout: float
    ) -> None:
        count = space.num_layers
        layers = (SharedLayer(space.operations, width) for _ in range(count))
        super().__init__(layers, count, num_classes, in_channels, width, dropout)
        self.space = space
        self._in_channels, self._width = in_channels, width

    def forward(self, images: Tensor, architecture: Architecture) -> Tensor:
        """Logits ``(B, num_classes)`` of the sub-network of ``architecture``.

        Args:
            images: ``(B, in_channels, H, W)``.
            architecture: A member of the space.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        outputs = [self.stem(images)]
        for number, choice in enumerate(self._choices(architecture), start=1):
            outputs = self._advance(outputs, number, choice)
        return self.classify(outputs[-1])

    def forward_many(self, images: Tensor, architectures: Sequence[Architecture]) -> Tensor:
        """Logits ``(A, B, num_classes)`` of ``A`` sub-networks on the same ``B`` images.

        Meant for evaluation mode: what two architectures have in common from the stem on, up to the first
        layer in which they differ, is computed once. The result is that of ``A`` calls of :meth:`forward`.

        Raises:
            InvalidArchitecture: An architecture is not in the space.
        """
        chains = [self._choices(architecture) for architecture in architectures]
        # In this order, architectures with a common beginning follow each other, longest beginnings closest.
        order = sorted(range(len(chains)), key=chains.__getitem__)
        logits: list[Tensor] = [torch.empty(0)] * len(chains)
        states = [[self.stem(images)]]  # states[i]: what is stored after i layers of the current chain
        before: list[Choice] = []
        for index in order:
            chain = chains[index]
            common = _common_length(before, chain)
            del states[common + 1 :]
            for number in range(common + 1, len(chain) + 1):
                states.append(self._advance(states[-1], number, chain[number - 1]))
            logits[index] = self.classify(states[-1][-1])
            before = chain
        return torch.stack(logits)

    def extract(self, architecture: Architecture) -> nn.Module:
        """The stand-alone network of ``architecture`` with a copy of the weights it has here.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        network = self.space.build(
            architecture,
            self.classifier.out_features,
            in_channels=self._in_channels,
            width=self._width,
            dropout=self.dropout.p,
        )
        like = self.classifier.weight
        network.to(like.device, like.dtype).train(self.training)
        network.load_state_dict(dict(self._named(architecture)))
        return network

    def complexity(self, architecture: Architecture, image_size: tuple[int, int]) -> tuple[int, int]:
        """Trainable parameters of the sub-network, and its multiply-accumulates on an image ``(H, W)``.

        Raises:
            InvalidArchitecture: The architecture is not in the space.
        """
        return self.space.complexity(
            architecture,
            self.classifier.out_features,
            image_size,
            in_channels=self._in_channels,
            width=self._width,
        )

    def _named(self, architecture: Architecture) -> Iterator[tuple[str, Tensor]]:
        """The entries of the sub-network's state, under the names that they have in it."""
        chosen = [self.space.operations[code] for code, _ in self._choices(architecture)]
        for name, value in self.state_dict().items():
            if not name.startswith("layers."):
                yield name, value
                continue
            _, layer, part, rest = name.split(".", 3)
            if part == "norm":
                yield name, value
            elif rest.startswith(chosen[int(layer)] + "."):
                yield f"layers.{layer}.branch.{rest.partition('.')[2]}", value

    def _choices(self, architecture: Architecture) -> list[Choice]:
        codes, _ = self.space.to_codes([architecture])
        skips = skip_inputs(architecture.adjacency, len(self.layers))
        return [(code, tuple(nodes)) for code, nodes in zip(codes[0].tolist(), skips, strict=True)]

    def _advance(self, outputs: list[Tensor], number: int, choice: Choice) -> list[Tensor]:
        """All stored outputs after layer ``number`` (from 1), which does what ``choice`` says."""
        code, skips = choice
        operation = self.space.operations[code]
        output = self.layers[number - 1](outputs[-1], [outputs[j] for j in skips], operation)
        return self.stored(outputs, output, number)


class SharedLayer(nn.Module):
    """One layer with a branch for every operation and one BN after the sum, whichever of them was run."""

    def __init__(self, operations: Sequence[str], width: int) -> None:
        super().__init__()
        self.branches = nn.ModuleDict({operation: branch(operation, width) for operation in operations})
        self.norm = nn.BatchNorm2d(width, affine=False)

    def forward(self, x: Tensor, skips: Sequence[Tensor], operation: str) -> Tensor:
        """Same shape as ``x`` and as each of ``skips``."""
        output: Tensor = self.norm(sum_of(self.branches[operation](x), skips))
        return output


def _common_length(one: Sequence[Choice], other: Sequence[Choice]) -> int:
    """How many layers two chains have in common from the first on."""
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    return length
