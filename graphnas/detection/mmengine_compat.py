"""The traps of mmengine, mmcv and mmdet, in one place: imports, checkpoints, what they change globally."""

from __future__ import annotations

import contextlib
import logging
import os
import random
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch

from graphnas.errors import MissingExtra
from graphnas.optional import require
from graphnas.training.torchvision_compat import import_torchvision

OPERATORS = (
    "mmcv is installed without its compiled operators; they are built from source, in some minutes: "
    'pip install "setuptools<81" wheel ninja psutil && '
    "MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps --force-reinstall --no-cache-dir mmcv==2.1.0"
)


def import_mmdet() -> ModuleType:
    """``mmdet``, with everything that a training needs.

    Raises:
        MissingExtra: It is not installed, or mmcv lacks its compiled operators.
    """
    # mmengine's report about the environment does not survive a torchvision that cannot be imported.
    with contextlib.suppress(MissingExtra):
        import_torchvision()
    require("mmengine", "detection")
    require("mmcv", "detection")
    try:
        require("mmcv.ops", "detection")
    except ModuleNotFoundError as error:
        raise MissingExtra(f"{OPERATORS} ({error})") from error
    return require("mmdet", "detection")


def operators_work() -> str:
    """Why mmcv's compiled operators do not work; empty if they do."""
    try:
        nms = require("mmcv.ops", "detection").nms
        boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5)[1].tolist()
    except (ImportError, MissingExtra, RuntimeError, OSError) as error:
        return str(error)
    return "" if kept == [0, 2] else f"its nms keeps the boxes {kept} instead of [0, 2]"


@contextlib.contextmanager
def session(*, threads: int | None = None, cpu: bool = False) -> Iterator[None]:
    """What mmengine's ``Runner`` changes in this process is as before when the block ends.

    These are the random numbers of Python, NumPy and torch, the numbers of threads of torch and OpenCV, the
    way processes are started, cuDNN's switches, environment variables, the level of the root logger, and
    mmengine's loggers, visualisers and scopes, which it keeps by name for later runners.

    Args:
        threads: Threads of torch inside of the block; None leaves them.
        cpu: Train on the CPU even if there is a card.
    """
    import_mmdet()
    devices: Any = require("mmengine.device.utils", "detection")
    device = devices.DEVICE
    with _random_numbers(), _switches(), _instances():
        if cpu:
            devices.DEVICE = "cpu"
        if threads is not None:
            torch.set_num_threads(threads)
        try:
            yield
        finally:
            devices.DEVICE = device


@contextlib.contextmanager
def _random_numbers() -> Iterator[None]:
    state = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    cards = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else None
    try:
        yield
    finally:
        random.setstate(state[0])
        np.random.set_state(state[1])
        torch.random.set_rng_state(state[2])
        if cards is not None:
            torch.cuda.set_rng_state_all(cards)


@contextlib.contextmanager
def _switches() -> Iterator[None]:
    cv2 = require("cv2", "detection")
    numbers = torch.get_num_threads(), cv2.getNumThreads()
    method = torch.multiprocessing.get_start_method(allow_none=True)
    cudnn = torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic, torch.are_deterministic_algorithms_enabled()
    environment = dict(os.environ)
    level = logging.getLogger().level
    try:
        yield
    finally:
        torch.set_num_threads(numbers[0])
        cv2.setNumThreads(numbers[1])
        torch.multiprocessing.set_start_method(method, force=True)
        cudnn.benchmark, cudnn.deterministic = flags[:2]
        torch.use_deterministic_algorithms(flags[2])
        for name in set(os.environ) - set(environment):
            del os.environ[name]
        os.environ.update(environment)
        logging.getLogger().setLevel(level)


@contextlib.contextmanager
def _instances() -> Iterator[None]:
    """A fresh start for what mmengine keeps by name: a runner would take the visualiser of another one."""
    saved = {kind: dict(kind._instance_dict) for kind in _managers()}
    for kind in saved:
        kind._instance_dict.clear()
    try:
        yield
    finally:
        for kind in _managers():
            for instance in kind._instance_dict.values():
                for handler in getattr(instance, "handlers", ()):
                    handler.close()
            kind._instance_dict.clear()
            kind._instance_dict.update(saved.get(kind, {}))


def _managers() -> list[Any]:
    found = [require("mmengine.utils", "detection").ManagerMixin]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found
