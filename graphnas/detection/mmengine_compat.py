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
    "mmcv has no compiled operators that work with this torch; they are built from source, in some minutes: "
    'pip install "setuptools<81" wheel ninja psutil && '
    "MMCV_WITH_OPS=1 pip install --no-build-isolation --no-deps --force-reinstall --no-cache-dir mmcv==2.1.0"
)


def import_mmdet() -> ModuleType:
    """``mmdet``, with everything that a training needs.

    Raises:
        MissingExtra: It is not installed, mmcv's compiled operators are missing or of another torch, or mmdet
            refuses the release of mmcv or mmengine.
    """
    # mmengine's report about the environment does not survive a torchvision that cannot be imported.
    with contextlib.suppress(MissingExtra):
        import_torchvision()
    require("mmengine", "detection")
    require("mmcv", "detection")
    try:
        require("mmcv.ops", "detection")
    except MissingExtra:
        raise
    except (ImportError, OSError) as error:  # not built, or built for another torch
        raise MissingExtra(f"{OPERATORS} ({error})") from error
    try:
        return require("mmdet", "detection")
    except AssertionError as error:
        raise MissingExtra(f"mmdet does not accept what is installed beside it: {error}") from error


def why_unusable() -> str:
    """Why mmdet cannot be used, and what to do about it; empty if it can."""
    try:
        import_mmdet()
    except (MissingExtra, ImportError, OSError, RuntimeError) as error:
        return str(error)
    reason = operators_work()
    return f"{reason}. {OPERATORS}" if reason else ""


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
    mmengine's loggers, visualisers and scopes, which it keeps by name for later runners. Inside of the block
    ``torch.load`` also accepts what mmengine puts into checkpoints.

    Args:
        threads: Threads of torch inside of the block; None leaves them.
        cpu: Train on the CPU even if there is a card.
    """
    import_mmdet()
    devices: Any = require("mmengine.device.utils", "detection")
    device = devices.DEVICE
    with _random_numbers(), _switches(), _instances(), _checkpoints():
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


def _checkpoints() -> contextlib.AbstractContextManager[object]:
    """Classes that mmengine's checkpoints hold and that ``torch.load`` refuses by default from torch 2.6 on.

    Checkpoints with :class:`~graphnas.detection.mmdet_modules.ExactResumption` do not need it; those of other
    configurations do.
    """
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        return contextlib.nullcontext()
    array: Any = np.empty(0)
    number: Any = np.float64(0)
    reconstruct, scalar = array.__reduce__()[0], number.__reduce__()[0]
    allowed: list[Any] = [
        require("mmengine.logging", "detection").HistoryBuffer,
        getattr,  # for the methods of a HistoryBuffer
        np.ndarray,
        np.dtype,
        *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")),
    ]
    for module in ("numpy._core.multiarray", "numpy.core.multiarray"):  # of NumPy 2 and of NumPy 1
        allowed += [(reconstruct, f"{module}._reconstruct"), (scalar, f"{module}.scalar")]
    return torch.serialization.safe_globals(allowed)


def _managers() -> list[Any]:
    found = [require("mmengine.utils", "detection").ManagerMixin]
    for kind in found:
        found.extend(kind.__subclasses__())
    return found
