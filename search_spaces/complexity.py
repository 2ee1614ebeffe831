"""What a network costs and which weights take part, found on the meta device: none is allocated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry


class Complexity(NamedTuple):
    """Size of a network.

    Attributes:
        parameters: Trainable parameters.
        macs: Multiply-accumulates of one forward pass of one input: convolutions, linear layers, attention
            and other products of matrices and vectors. Biases, normalisation, activations and pooling are
            not counted.
    """

    parameters: int
    macs: int


def count_complexity(build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Complexity:
    """Count the network that ``build`` returns, without allocating its weights.

    The network is built and run once, in evaluation mode, on torch's meta device, which computes shapes only.
    Lazy layers take their shape from that run.

    Args:
        build: Builds the network, for example ``lambda: space.build(architecture, num_classes=10)``.
        input_shape: Shape of one input without the batch dimension, such as ``(3, 32, 32)``.
    """
    with torch.device("meta"):
        network = build().eval()
        counter = _MultiplyAccumulates()
        with torch.no_grad(), counter:
            network(torch.empty((1, *input_shape)))
    parameters = sum(p.numel() for p in network.parameters() if p.requires_grad)
    return Complexity(parameters, counter.macs)


def unused_parameters(network: nn.Module, input_shape: tuple[int, ...]) -> list[str]:
    """Names of the trainable parameters that get no gradient, because no path leads from them to the output.

    The cells of NAS-Bench-201 and TransNAS-Bench-101 keep such edges, as the benchmarks do: they count as
    parameters, and training leaves them as they are. ``DistributedDataParallel`` waits for the gradient of
    every parameter unless told otherwise: ``find_unused_parameters=bool(unused_parameters(network, shape))``.

    Args:
        network: On any device; neither its weights nor its running statistics change.
        input_shape: Shape of one input without the batch dimension, such as ``(3, 32, 32)``.
    """
    trainable = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    state = {
        name: torch.empty_like(value, device="meta").requires_grad_(name in trainable)
        for name, value in (*network.named_parameters(), *network.named_buffers())
    }
    floating = next((value.dtype for value in state.values() if value.is_floating_point()), torch.float32)
    with torch.device("meta"), torch.enable_grad():
        # Two inputs: batch normalisation refuses a single one in training, where maps have one pixel.
        output = torch.func.functional_call(network, state, torch.empty((2, *input_shape), dtype=floating))
        weights = [state[name] for name in trainable]
        gradients = torch.autograd.grad(output.sum(), weights, allow_unused=True) if weights else ()
    unused = {name for name, gradient in zip(trainable, gradients, strict=True) if gradient is None}
    return [name for name, _ in network.named_parameters() if name in unused]


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
        elif operator in (aten.mv, aten.dot, aten.vdot):  # torch's counter has no entry for these
            self.macs += args[0].numel()
        elif operator is aten.addmv:
            self.macs += args[1].numel()
        elif operator is aten._scaled_dot_product_flash_attention_for_cpu:
            self.macs += flop_registry[aten._scaled_dot_product_flash_attention](*args, out_val=output) // 2
        elif operator in flop_registry:
            self.macs += flop_registry[operator](*args, **(kwargs or {}), out_val=output) // 2
        return output
