"""Parameters and multiply-accumulates of a network, counted on the meta device: no weight is allocated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode


class Complexity(NamedTuple):
    """Size of a network.

    Attributes:
        parameters: Trainable parameters.
        macs: Multiply-accumulates of one forward pass of one input: convolutions, linear layers and other
            matrix products. Biases, normalisation, activations and pooling are not counted.
    """

    parameters: int
    macs: int


def count_complexity(build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Complexity:
    """Count the network that ``build`` returns, without allocating its weights.

    The network is built and run once, in evaluation mode, on torch's meta device, which computes shapes only.

    Args:
        build: Builds the network, for example ``lambda: space.build(architecture, num_classes=10)``.
        input_shape: Shape of one input without the batch dimension, such as ``(3, 32, 32)``.
    """
    with torch.device("meta"):
        network = build().eval()
        parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
        counter = _MultiplyAccumulates()
        with torch.no_grad(), counter:
            network(torch.empty((1, *input_shape)))
    return Complexity(parameters, counter.macs)


class _MultiplyAccumulates(TorchDispatchMode):
    """Adds up the products of every convolution and matrix product that runs in this thread inside of it.

    torch.utils.flop_counter does the same but hooks every module of the process, other threads' included.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        operator = func.overloadpacket
        aten = torch.ops.aten
        if operator is aten.native_batch_norm and args[0].is_meta:
            # The shapes that torch's own meta kernel gives; that one takes most of the time of a large graph.
            return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
        output = func(*args, **(kwargs or {}))
        if operator is aten.convolution:
            inputs, weight, transposed = args[0], args[1], args[6]
            # Per group, each output (of a transposed convolution: each input) meets one slice of the weight.
            self.macs += (inputs if transposed else output).numel() * math.prod(weight.shape[1:])
        elif operator in (aten.mm, aten.bmm):
            self.macs += output.numel() * args[0].shape[-1]
        elif operator in (aten.addmm, aten.baddbmm):
            self.macs += output.numel() * args[1].shape[-1]
        return output
