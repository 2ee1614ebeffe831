"""Several processes that train one network: their number, and what they tell each other."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn

from graphnas.errors import InvalidArgument
from search_spaces.complexity import unused_parameters


def rank() -> int:
    """Number of this process, from 0."""
    return distributed.get_rank() if _running() else 0


def count() -> int:
    """Number of processes that train together."""
    return distributed.get_world_size() if _running() else 1


def _running() -> bool:
    return distributed.is_available() and distributed.is_initialized()


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Join the other processes that ``torchrun`` started, if there are any.

    Args:
        device: As typed: ``"auto"`` or a torch device.

    Yields:
        The device of this process: one card per process on CUDA.

    Raises:
        InvalidArgument: More processes than cards.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2 or _running():
        yield device
        return
    cuda = torch.cuda.is_available() and device != "cpu"
    if cuda:
        local = int(os.environ.get("LOCAL_RANK", "0"))
        if local >= torch.cuda.device_count():
            raise InvalidArgument(f"process {local} has no card: torch finds {torch.cuda.device_count()}")
        device = f"cuda:{local}"
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield device
        # A network that still refers to the group keeps its threads alive, and they end the process badly.
        gc.collect()
        distributed.barrier()  # nobody leaves while another one still talks to it
    finally:
        distributed.destroy_process_group()


def wait_for_all() -> None:
    """Return when every process has come here."""
    if count() > 1:
        distributed.barrier()


def share(batch: torch.Tensor) -> torch.Tensor:
    """The part of a batch of indices that this process takes."""
    return batch.tensor_split(count())[rank()]


def total(value: torch.Tensor) -> torch.Tensor:
    """The sum of ``value`` over the processes."""
    if count() > 1:
        distributed.all_reduce(value)
    return value


def agree_on_buffers(module: nn.Module) -> None:
    """Give every process the buffers of the first one, such as running means."""
    if count() > 1:
        for buffer in module.buffers():
            distributed.broadcast(buffer, 0)


def together(module: nn.Module, input_shape: tuple[int, ...]) -> nn.Module:
    """``module`` such that gradients are averaged over the processes; itself if there is only one.

    Args:
        module: The network on its device.
        input_shape: Shape of one image, for finding the parameters that no output depends on: a cell may have
            dead edges.
    """
    if count() == 1:
        return module
    try:
        unused = bool(unused_parameters(module, input_shape))
    except Exception:  # a user's network that does not run without weights: then every step looks for them
        unused = True
    return nn.parallel.DistributedDataParallel(module, find_unused_parameters=unused)
