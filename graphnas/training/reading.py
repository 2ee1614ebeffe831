"""Reading numbered items in a given order, ahead of their use, by worker processes or by threads."""

from __future__ import annotations

import os
import shutil
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import Any, Generic, NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from graphnas import errors
from graphnas.errors import CorruptData, GraphNASError, InvalidArgument
from graphnas.training.workers import can_fork, ignore_interrupts, worth_starting

T = TypeVar("T")
R = TypeVar("R")

DECODERS = 4
"""Threads that read where no processes do; Pillow and numpy release the interpreter while they work."""

WORTH_WORKERS = 512
"""Items in one pass from which starting processes takes less time than it saves."""

BATCHES_IN_SHARED_MEMORY = 32
"""Batches for which there must be room in shared memory; a process that writes there without it is killed."""

PREFETCHED = 2
"""Batches that each worker has read or is reading ahead of their use."""


class ItemReader(Generic[T, R]):
    """Reads batches of items in order, ahead of their use.

    The items are the same, in the same order, whoever reads them. Worker processes are started at the first
    long pass, are kept for the next ones, and end with :meth:`close`, with the reader or with the program.
    While one pass uses the processes, others that run beside it read with threads.

    Args:
        read: Returns item ``i``. Errors other than those of graphnas become :class:`CorruptData`.
        join: Makes a batch of the list of its items.
        workers: Number of processes; None: as many as there are cores, at most 16, and none where processes
            cannot be forked.
        threads: Number of threads that read where no processes do; 1 if ``read`` is not safe in several.
        name_of: Names item ``i`` in messages.
    """

    def __init__(
        self,
        read: Callable[[int], T],
        join: Callable[[list[T]], R],
        *,
        workers: int | None = None,
        threads: int = DECODERS,
        name_of: Callable[[int], str] = "item {}".format,
    ) -> None:
        if workers is not None and (isinstance(workers, bool) or workers < 0):
            raise InvalidArgument(f"workers must be at least 0, got {workers!r}")
        self._items = _Items(read, join, name_of)
        self._threads = threads
        self._workers = workers
        self._start()

    def _start(self) -> None:
        self._order = _Order()
        self._loader: DataLoader[Any] | None = None
        self._in_use = threading.Lock()
        self._one_by_one = threading.Lock()
        _readers.add(self)

    def _forget_processes(self) -> None:
        """In a forked process: leave the worker processes, and the locks, to the one that they belong to."""
        iterator = getattr(self._loader, "_iterator", None)
        if iterator is not None:
            iterator._shutdown = True  # otherwise its end would be that of the other one's processes
        self._start()

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("_items", "_threads", "_workers")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    @property
    def has_workers(self) -> bool:
        """Whether worker processes are waiting for the next pass."""
        return self._loader is not None

    def batches(self, indices: Sequence[Sequence[int]]) -> Iterator[R]:
        """The items at each of ``indices``, joined.

        Raises:
            CorruptData: An item cannot be read, or a worker process ended by itself.
        """
        if not self._in_use.acquire(blocking=False):
            yield from self._by_threads(indices)
            return
        try:
            loader = self._ready(indices)
            if loader is None:
                yield from self._by_threads(indices)
            else:
                yield from self._by_workers(loader, indices)
        finally:
            self._in_use.release()

    def close(self) -> None:
        """End the worker processes; a later pass starts new ones."""
        loader, self._loader = self._loader, None
        iterator = getattr(loader, "_iterator", None)
        if iterator is not None:
            iterator._shutdown_workers()

    # ---------------------------------------------------------------- processes

    def _ready(self, indices: Sequence[Sequence[int]]) -> DataLoader[Any] | None:
        """The loader with its processes; None if threads are to read."""
        if self._loader is not None:
            return self._loader
        workers = self._workers
        if workers is None:
            long = sum(map(len, indices)) >= WORTH_WORKERS
            workers = worth_starting(self._items.read) if long else 0
        if workers == 0:
            return None
        self._loader = DataLoader(
            self._items,
            batch_sampler=self._order,
            collate_fn=_unchanged,
            num_workers=workers,
            prefetch_factor=PREFETCHED,
            persistent_workers=True,
            multiprocessing_context="fork" if can_fork() else None,
            worker_init_fn=ignore_interrupts,
            # Without a generator of its own it would draw from torch's global one.
            generator=torch.Generator().manual_seed(0),
        )
        return self._loader

    def _by_workers(self, loader: DataLoader[Any], indices: Sequence[Sequence[int]]) -> Iterator[R]:
        self._order.batches = indices
        try:
            batches = iter(loader)
        except (OSError, AssertionError):  # no more processes or memory, or no right to start any
            self.close()
            self._workers = 0
            yield from self._by_threads(indices)
            return
        while True:
            try:
                batch = next(batches, None)
            except (RuntimeError, EOFError, OSError) as error:
                # A broken connection may tell of the death before the signal does, at which torch raises an
                # error wherever the program is by then.
                with suppress(RuntimeError):
                    self.close()
                raise CorruptData(
                    "a process that reads images ended by itself, as it does when memory is short: "
                    f"{str(error) or type(error).__name__}"
                ) from error
            if batch is None:
                return
            if isinstance(batch, _Failure):
                self.close()
                batch.raise_again()
            yield cast(R, torch.from_numpy(batch.array) if isinstance(batch, _Copied) else batch)

    # ---------------------------------------------------------------- threads

    def _by_threads(self, indices: Sequence[Sequence[int]]) -> Iterator[R]:
        pool = ThreadPoolExecutor(self._threads)
        try:
            # A generator, so that a batch is submitted only while the one before it is read.
            submitted = ([pool.submit(self._one, index) for index in chosen] for chosen in indices)
            ready = list(islice(submitted, 1))
            while ready:
                ready += islice(submitted, 1)
                yield self._items.join([future.result() for future in ready.pop(0)])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _one(self, index: int) -> T:
        if self._threads > 1:
            return self._items.one(index)
        with self._one_by_one:  # two passes beside each other have a thread each
            return self._items.one(index)


_readers: weakref.WeakSet[ItemReader[Any, Any]] = weakref.WeakSet()
"""Every reader of this process, for the moment of a fork."""


def _after_fork() -> None:
    for reader in list(_readers):
        reader._forget_processes()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class _Order:
    """The batches of the pass that is running."""

    batches: Sequence[Sequence[int]] = ()

    def __iter__(self) -> Iterator[list[int]]:
        return map(list, self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class _Items(Dataset[Any], Generic[T, R]):
    """What runs in the worker processes."""

    def __init__(
        self, read: Callable[[int], T], join: Callable[[list[T]], R], name_of: Callable[[int], str]
    ) -> None:
        self.read, self.join, self.name_of = read, join, name_of

    def one(self, index: int) -> T:
        try:
            return self.read(index)
        except GraphNASError:
            raise
        except Exception as error:
            reason = " ".join(str(error).split())
            name = self.name_of(index)
            raise CorruptData(f"{name} cannot be read: {type(error).__name__}: {reason}") from error

    def __getitems__(self, indices: Sequence[int]) -> Any:
        try:
            batch = self.join([self.one(index) for index in indices])
        except GraphNASError as error:
            return _Failure(error)
        if isinstance(batch, torch.Tensor) and not _fits_shared_memory(batch):
            return _Copied(batch.numpy())
        return batch


def _fits_shared_memory(batch: torch.Tensor) -> bool:
    """Whether several batches like this one can wait in shared memory, of which containers have little."""
    try:
        return batch.nbytes * BATCHES_IN_SHARED_MEMORY <= shutil.disk_usage("/dev/shm").free
    except OSError:  # another system, which keeps it elsewhere
        return True


class _Copied(NamedTuple):
    """A tensor that goes through a pipe instead of shared memory."""

    array: np.ndarray[Any, Any]


class _Failure:
    """An error on its way from a worker process, in a form that can always be pickled."""

    def __init__(self, error: GraphNASError) -> None:
        self.kind = next(k.__name__ for k in type(error).__mro__ if k.__module__ == errors.__name__)
        self.message = str(error)
        self.trace = "".join(traceback.format_exception(error))

    def raise_again(self) -> None:
        error: GraphNASError = getattr(errors, self.kind)(self.message)
        error.add_note(f"in a process that reads images:\n{self.trace}")
        raise error


def _unchanged(batch: Any) -> Any:
    return batch
