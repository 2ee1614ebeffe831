"""Scores of networks that were not trained: synflow and naswot, from one pass of a few images each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils._python_dispatch import TorchDispatchMode

NORMALISATIONS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm, nn.RMSNorm)
"""Layers that synflow leaves out."""

_ATEN = torch.ops.aten
_RECTIFIERS = {
    *(_ATEN.relu, _ATEN.relu_, _ATEN.hardtanh, _ATEN.hardtanh_, _ATEN.leaky_relu, _ATEN.leaky_relu_),
    *(_ATEN.gelu, _ATEN.silu, _ATEN.silu_, _ATEN.hardswish, _ATEN.hardswish_, _ATEN.elu, _ATEN.elu_),
}
"""Operations with a bend at 0 (that of ReLU6 is called hardtanh), whose inputs' signs are the code."""


def log_synflow(network: nn.Module, image_shape: Sequence[int]) -> float:
    """The logarithm of synflow: how much signal the weights let through, from the input to the output.

    ``sum |w dR/dw|`` over the weights of all convolutions and matrices, where ``R`` is the sum of the outputs
    of the network with the absolute values of its parameters, on an input of ones: Tanaka et al., "Pruning
    neural networks without any data by iteratively conserving synaptic flow" (NeurIPS 2020), section 6; as a
    score of a whole network Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS" (ICLR 2021), section
    3. As in their code, normalisation is left out (on an input of ones it would undo what the weights do),
    the pass is in double precision, and dropout is off.

    Args:
        network: Afterwards it is of no use: its parameters are replaced by their absolute values.
        image_shape: ``(channels, height, width)``.

    Returns:
        ``-inf`` where no path with weights leads to the output.
    """
    network.double().eval().requires_grad_(True)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    hooks = [
        layer.register_forward_hook(lambda _layer, inputs, _output: inputs[0])
        for layer in network.modules()
        if isinstance(layer, NORMALISATIONS)
    ]
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    try:
        with torch.enable_grad():
            output = network(torch.ones(1, *image_shape, dtype=torch.float64, device=device))
            weights = [p for p in network.parameters() if p.ndim > 1]
            gradients = torch.autograd.grad(output.sum(), weights, allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    terms = [(w * g).abs().sum() for w, g in zip(weights, gradients, strict=True) if g is not None]
    total = float(torch.stack(terms).sum().detach()) if terms else 0.0
    return math.log(total) if total else -math.inf


def naswot(network: nn.Module, images: torch.Tensor) -> float:
    """How well the initial network tells images apart: the log-determinant of the kernel of its codes.

    The code of an image is which rectified units it activates, and the kernel counts the units in which two
    codes agree: Mellor et al., "Neural Architecture Search without Training" (ICML 2021), section 3. As in
    their code the network is in training mode, so that batch normalisation takes its statistics from these
    images. Units of leaky and smooth rectifiers (GELU, SiLU, ...) count by the sign of their input, too.

    Args:
        network: Afterwards it is of no use: its running statistics have changed.
        images: ``(B, channels, height, width)``, in the precision of the network.

    Returns:
        ``-inf`` where two images have the same code, or nothing is rectified.
    """
    network.train()
    with torch.no_grad(), _Codes(len(images)) as codes:
        network(images)
    sign, value = torch.linalg.slogdet(codes.kernel)
    return float(value) if sign > 0 else -math.inf


class _Codes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the kernel ``(B, B)`` of the codes over all rectifiers that run in this thread inside of it.

    Rectifiers that are functions rather than layers count too, and no hook is left on anything.
    """

    def __init__(self, size: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kernel = torch.zeros(size, size, dtype=torch.float64)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        size = len(self.kernel)
        if func.overloadpacket in _RECTIFIERS and len(args[0]) % size == 0:
            active = (args[0] > 0).reshape(size, -1).float()
            # Counts of agreeing units are integers, exact in single precision up to 2^24 units.
            both = active @ active.T
            counts = active.sum(1)
            agreeing = active.shape[1] - counts[:, None] - counts[None, :] + 2 * both
            self.kernel += agreeing.double().cpu()
        return func(*args, **(kwargs or {}))
