"""Building blocks of the graph autoencoders, and their initial weights from an explicit generator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphnas.autoencoders.repeated import RepeatedLinear


class GRUStep(nn.Module):
    """A gated recurrent unit that looks up the input's half of its gates, since inputs take few values.

    It computes the same as ``nn.GRUCell(features, hidden)``. Types are one-hot or embedded, so the input's
    half of the gates has only as many distinct rows as there are types: :meth:`table` holds them all.

    Args:
        features: Size of an input row.
        hidden: Size ``H`` of the state.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden, features))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden))

    def table(self, rows: Tensor) -> Tensor:
        """The input's half of the gates, ``(T, 3H)``, of every row of ``rows`` ``(T, features)``."""
        return F.linear(rows, self.weight_ih, self.bias_ih)

    def from_zero(self, inputs: Tensor) -> Tensor:
        """New states ``(B, H)`` from state zero, without a product; ``inputs`` are rows of the table."""
        reset_in, update_in, new_in = inputs.chunk(3, -1)
        reset_b, update_b, new_b = self.bias_hh.chunk(3)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_b) * new_b)
        return (1 - torch.sigmoid(update_in + update_b)) * new

    def recurrence(self) -> RepeatedLinear:
        """The state's half of the gates, for the many steps of one pass."""
        return RepeatedLinear(self.weight_hh, self.bias_hh)

    def forward(self, inputs: Tensor, state: Tensor, recurrence: RepeatedLinear | None = None) -> Tensor:
        """New states ``(B, H)`` from rows of the table ``(B, 3H)`` and states ``(B, H)``."""
        return self.combined(inputs, (recurrence or self.recurrence())(state), state)

    def combined(self, inputs: Tensor, recurrent: Tensor, state: Tensor) -> Tensor:
        """New states ``(B, H)`` from both halves of the gates, each ``(B, 3H)``."""
        reset_in, update_in, new_in = inputs.chunk(3, -1)
        reset_h, update_h, new_h = recurrent.chunk(3, -1)
        update = torch.sigmoid(update_in + update_h)
        new = torch.tanh(new_in + torch.sigmoid(reset_in + reset_h) * new_h)
        return new + update * (state - new)


class GatedMessage(nn.Module):
    """``g([h; x]) * m([h; x])``: the gated message of D-VAE (section 3.2; g has a sigmoid, m no bias).

    ``x`` is nothing, the one-hot number of the sender, or the input row of its type. Gate and mapper are one
    matrix, and what ``x`` adds is looked up, since it takes few values.

    Args:
        hidden: Size ``H`` of a state.
        reads: ``"state"``, ``"number"`` or ``"type"``: what ``x`` is.
        labels: Length of ``x``, 0 for ``"state"``.
    """

    def __init__(self, hidden: int, reads: str, labels: int) -> None:
        super().__init__()
        self.reads = reads
        self.weight = nn.Parameter(torch.empty(2 * hidden, hidden))
        self.label_weight = nn.Parameter(torch.empty(labels, 2 * hidden)) if labels else None
        self.bias = nn.Parameter(torch.empty(hidden))

    def prepared(self, features: Tensor) -> PreparedMessage:
        """The message for one pass, with what is the same for all of it computed once.

        Args:
            features: ``(T, F)``, the input row of each type.
        """
        table: Tensor | None = self.label_weight
        if table is not None and self.reads == "type":
            table = features @ table
        return PreparedMessage(self, table)


class PreparedMessage:
    """A :class:`GatedMessage` for the many messages of one pass."""

    def __init__(self, message: GatedMessage, table: Tensor | None) -> None:
        self._product, self._bias = RepeatedLinear(message.weight), message.bias
        self._table, self._of_type = table, message.reads == "type"

    def __call__(self, state: Tensor, numbers: Tensor, types: Tensor) -> Tensor:
        """Messages ``(B, H)`` of senders.

        Args:
            state: ``(B, H)``, or ``(1, H)`` for all.
            numbers: The senders' numbers in their graphs, ``(B,)`` or one for all.
            types: The senders' types ``(B,)``.
        """
        both = self._product(state)
        if self._table is not None:
            both = both + self._table[types if self._of_type else numbers]
        gate, mapped = both.chunk(2, -1)
        return torch.sigmoid(gate + self._bias) * mapped


class EdgeScorer(nn.Module):
    """``MLP([h_u; h_v])`` of D-VAE, 2H - 4H - 1, with its first layer split into the halves of u and v.

    Each half is computed once per state rather than once per pair.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.source = nn.Linear(hidden, 4 * hidden, bias=False)
        self.target = nn.Linear(hidden, 4 * hidden)
        self.output = nn.Linear(4 * hidden, 1)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Log-odds ``(...,)`` from the two halves ``(..., 4H)``."""
        scores: Tensor = self.output(torch.relu(source + target))
        return scores.squeeze(-1)


def mlp(*widths: int) -> nn.Sequential:
    """Linear layers with ReLU between them."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def perceptron(
    widths: Sequence[int], generator: torch.Generator, device: torch.device | str = "cpu"
) -> nn.Sequential:
    """:func:`mlp` with initial weights from ``generator``, which is on the CPU."""
    with torch.device("meta"):
        network = mlp(*widths)
    network.to_empty(device="cpu")
    initialise(network, generator)
    return network.to(device)


@torch.no_grad()
def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw all weights as PyTorch's own layers draw them, but from ``generator`` (on the CPU).

    Linear layers are uniform in +-1/sqrt(inputs), recurrent ones in +-1/sqrt(H), embeddings standard normal.

    Raises:
        TypeError: A layer of another kind.
    """
    for part in module.modules():
        own = list(part.parameters(recurse=False))
        if not own:
            continue
        if isinstance(part, nn.Embedding):
            _fill(own, generator, None)
        elif isinstance(part, nn.Linear):
            _fill(own, generator, part.in_features)
        elif isinstance(part, GRUStep):
            _fill(own, generator, part.weight_hh.shape[1])
        elif isinstance(part, nn.GRU):
            _fill(own, generator, part.hidden_size)
        elif isinstance(part, GatedMessage):
            labels = 0 if part.label_weight is None else len(part.label_weight)
            _fill(own, generator, part.weight.shape[1] + labels)
        else:
            raise TypeError(f"initialise does not know {type(part).__name__}")
    # The two halves of an edge scorer's first layer form one layer with twice as many inputs.
    for part in module.modules():
        if isinstance(part, EdgeScorer):
            halves = [part.source.weight, part.target.weight, part.target.bias]
            _fill(halves, generator, 2 * part.source.in_features)


def _fill(
    parameters: list[nn.Parameter] | list[Tensor], generator: torch.Generator, fan_in: int | None
) -> None:
    for parameter in parameters:
        drawn = torch.empty(parameter.shape)
        if fan_in is None:
            drawn.normal_(generator=generator)
        else:
            bound = 1 / math.sqrt(fan_in)
            drawn.uniform_(-bound, bound, generator=generator)
        parameter.copy_(drawn)
