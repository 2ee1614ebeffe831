"""Random numbers of a network (initial weights, dropout) from an explicit seed, leaving torch's own alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class SeededRandomness(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within this context, torch's random operations of this thread draw from generators of our own.

    Layers draw their initial weights, and dropout its masks, from torch's global generator. Seeding that
    would disturb the user's random numbers, and saving and restoring it is not safe if two threads evaluate
    at the same time. This mode is local to the thread: it passes a generator to each random operation that is
    called without one, so the global generator is neither read nor advanced. It covers every operation that
    takes a generator (all initialisers of ``torch.nn.init``, ``rand``, ``randn``, ``randperm``, dropout ...).
    It cannot redirect fused CUDA attention kernels with dropout of their own.

    Args:
        seed: An integer of at least 0; the same seed gives the same numbers on the same kind of device.

    Attributes:
        used: Whether any random numbers were drawn.
    """

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.used = False
        self._seed = seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device=device).manual_seed(self._seed)
        return self._generators[device]

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Pass ``func`` a generator if it is random and was called without one."""
        options = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **options)
        self.used = True
        tensors = [value for value in (*args, *options.values()) if isinstance(value, torch.Tensor)]
        device = tensors[0].device if tensors else torch.device(options.get("device") or "cpu")
        if device.type == "meta":  # nothing is drawn for a tensor without storage
            return func(*args, **options)
        if func is torch.ops.aten.native_dropout.default:
            return _dropout(*args, generator=self._generator(device), **options)
        overload, position = _with_generator(func)
        if overload is None:
            return func(*args, **options)
        if position < len(args):
            if args[position] is None:
                args = (*args[:position], self._generator(device), *args[position + 1 :])
        elif options.get("generator") is None:
            options["generator"] = self._generator(device)
        return overload(*args, **options)


@lru_cache(maxsize=256)
def _with_generator(func: Any) -> tuple[Any, int]:
    """The overload of ``func`` that takes a generator, and the generator's position among its arguments."""
    names = [argument.name for argument in func._schema.arguments]
    for overload in (func, *(getattr(func.overloadpacket, name) for name in func.overloadpacket.overloads())):
        candidate = [argument.name for argument in overload._schema.arguments]
        if "generator" in candidate and set(candidate) - {"generator"} == set(names) - {"generator"}:
            place = next(a for a in overload._schema.arguments if a.name == "generator")
            return overload, 10**6 if place.kwarg_only else candidate.index("generator")
    return None, 0


def _dropout(
    tensor: torch.Tensor, p: float, train: bool | None, *, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A replacement for CUDA's fused dropout, which takes no generator: ``(output, mask)``."""
    if train is False:
        return tensor, torch.ones_like(tensor, dtype=torch.bool)
    keep = torch.empty_like(tensor, dtype=torch.float32).bernoulli_(1 - p, generator=generator)
    scale = 0.0 if p >= 1 else 1 / (1 - p)
    return tensor * keep.to(tensor.dtype) * scale, keep.bool()
