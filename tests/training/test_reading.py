"""Reading by worker processes and threads: the same items in the same order, and a clean end."""

from __future__ import annotations

import os
import pickle
import re
import signal
import sqlite3
import threading
from functools import partial
from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from image_files import Items, some_pixels, write_folder

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.training import reading
from graphnas.training import workers as workers_module
from graphnas.training.datasets import load_dataset
from graphnas.training.lazy_images import LEAST_MEMORY_LIMIT, LazyImages, memory_limit
from graphnas.training.reading import ItemReader
from graphnas.training.workers import can_fork, shareable, usable_cores

pytestmark = pytest.mark.skipif(not can_fork(), reason="worker processes cannot be forked on this system")

COUNT = 37
WORKERS = pytest.mark.parametrize("workers", [0, 1, 2])


def number(index: int) -> torch.Tensor:
    return torch.full((1, 2, 2), float(index))


def who(index: int) -> tuple[int, int]:
    return index, os.getpid()


def lazy(read=number, workers=2, count=COUNT) -> LazyImages:
    return LazyImages(read, torch.arange(count) % 2, (1, 2, 2), workers=workers)


def parts(*sizes: int) -> list[list[int]]:
    order = np.random.default_rng(len(sizes)).permutation(sum(sizes)).tolist()
    cuts = np.cumsum([0, *sizes])
    return [order[a:b] for a, b in pairwise(cuts)]


def running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@WORKERS
def test_order_and_items_are_the_same_whoever_reads(workers):
    images = lazy(workers=workers)
    for sizes in [(5, 9, 1, 22), (37,), (), (1,) * 37]:
        batches = parts(*sizes)
        read = list(images.batches([torch.tensor(part) for part in batches]))
        assert [batch[:, 0, 0, 0].tolist() for batch in read] == batches
    images.close()


def test_files_are_read_alike_by_processes_threads_and_into_memory(tmp_path):
    pytest.importorskip("PIL.Image")
    write_folder(tmp_path, {"a": 20, "b": 20, "c": 20}, size=(7, 9))
    kept = load_dataset(tmp_path, image_size=6)
    needed = load_dataset(tmp_path, image_size=6, memory_limit=0)
    by_processes = LazyImages(
        needed.train.read, needed.train.labels, needed.train.shape, workers=2, name_of=needed.train.name_of
    )
    for images in (needed.train, by_processes, by_processes.subset(torch.arange(48))):
        order = torch.randperm(48, generator=torch.Generator().manual_seed(0))
        read = torch.cat(list(images.batches(order.split(7))))
        assert torch.equal(read, kept.train.images[order])
        assert torch.equal(images.labels, kept.train.labels)
        images.close()
    assert torch.equal(by_processes.in_memory().images, kept.train.images)


def test_processes_are_kept_between_passes_and_end_when_closed():
    reader = ItemReader(who, list, workers=2)
    passes = [list(chain(*reader.batches(parts(3, 4, 5, 6)))) for _ in range(3)]
    ids = {pid for read in passes for _, pid in read}
    assert len(ids) == 2
    assert os.getpid() not in ids
    assert reader.has_workers
    reader.close()
    assert not reader.has_workers
    assert not any(running(pid) for pid in ids)
    again = {pid for read in reader.batches(parts(3, 4, 5)) for _, pid in read}
    assert not again & ids
    del reader
    assert not any(running(pid) for pid in again)


def test_a_pass_that_is_given_up_does_not_spoil_the_next():
    images = lazy()
    everything = list(torch.arange(COUNT).split(2))
    for taken in (0, 1, 5):
        begun = images.batches(everything)
        for _ in range(taken):
            next(begun)
        begun.close()
        whole = torch.cat(list(images.batches(everything)))
        assert whole[:, 0, 0, 0].tolist() == list(range(COUNT))
    images.close()


def test_passes_beside_each_other():
    images = lazy()
    everything = list(torch.arange(COUNT).split(3))
    for first, second in zip(images.batches(everything), images.batches(everything[::-1]), strict=True):
        assert sorted([*first[:, 0, 0, 0].tolist(), *second[:, 0, 0, 0].tolist()])[0] >= 0
    found: list[list[int]] = []

    def read() -> None:
        found.append(torch.cat(list(images.batches(everything)))[:, 0, 0, 0].int().tolist())

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [list(range(COUNT))] * 4
    images.close()


def test_items_that_are_unsafe_in_threads_are_read_one_at_a_time():
    inside: list[int] = []

    def read(index: int) -> int:
        assert not inside
        inside.append(index)
        inside.pop()
        return index

    reader = ItemReader(read, list, workers=0, threads=1)
    threads = [threading.Thread(target=lambda: list(reader.batches(parts(50, 50)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(chain(*reader.batches(parts(50, 50)))) == list(range(100))


def _fails(error: Exception, index: int) -> torch.Tensor:
    if index == 11:
        raise error
    return number(index)


class _Unpicklable(Exception):
    def __init__(self, one, two):
        super().__init__(lambda: one)


@WORKERS
@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (CorruptData("image.png cannot be decoded"), CorruptData, r"^image.png cannot be decoded\Z"),
        (DataNotFound("no drive"), DataNotFound, r"^no drive\Z"),
        (
            FileNotFoundError(2, "No such file", "x.png"),
            CorruptData,
            "image 11 cannot be read: FileNotFou.*x.png",
        ),
        (RuntimeError("of the user"), CorruptData, "image 11 cannot be read: RuntimeError: of the user"),
        (IndexError(), CorruptData, "image 11 cannot be read: IndexError"),
        (StopIteration(), CorruptData, "image 11 cannot be read: StopIteration"),
        (_Unpicklable(1, 2), CorruptData, "image 11 cannot be read: _Unpicklable"),
    ],
)
def test_errors_come_through_with_their_kind_and_message(workers, error, kind, message):
    images = lazy(partial(_fails, error), workers)
    with pytest.raises(kind) as raised:
        list(images.batches(list(torch.arange(COUNT).split(4))))
    assert re.search(message, str(raised.value))
    if workers:
        assert "Traceback" in raised.value.__notes__[0]
    # What can be read still can.
    assert images.take(torch.tensor([3])).flatten().tolist() == [3.0] * 4
    images.close()


@WORKERS
def test_another_shape_is_named(workers):
    images = lazy(lambda i: torch.zeros(1, 2, 2 + (i == 5)), workers)
    with pytest.raises(InvalidArgument, match=r"image 5 has shape \(1, 2, 3\)"):
        list(images.batches([torch.arange(8)]))


def _ends(index: int) -> torch.Tensor:
    if index == 11:
        os.kill(os.getpid(), signal.SIGKILL)
    return number(index)


def test_a_process_that_is_killed_stops_the_run():
    with pytest.raises(CorruptData, match="a process that reads images ended by itself"):
        list(lazy(_ends).batches(list(torch.arange(COUNT).split(4))))


@pytest.mark.parametrize("error", [EOFError(), ConnectionResetError("reset"), RuntimeError("killed")])
def test_a_connection_that_breaks_tells_of_a_process_that_ended(error):
    reader = ItemReader(who, list, workers=1)
    batches = reader.batches(parts(3, 4, 5))
    next(batches)

    def breaks(*_):
        raise error

    reader._loader._iterator._try_get_data = breaks
    with pytest.raises(CorruptData, match="ended by itself.*" + (str(error) or "EOFError")):
        list(batches)
    assert not reader.has_workers
    assert [index for index, _ in chain(*reader.batches(parts(3)))] == parts(3)[0]
    reader.close()


def test_an_interrupt_of_the_terminal_is_left_to_the_main_process():
    reader = ItemReader(who, list, workers=2)
    before = {pid for read in reader.batches(parts(3, 4, 5, 6)) for _, pid in read}
    for pid in before:
        os.kill(pid, signal.SIGINT)
    assert {pid for read in reader.batches(parts(3, 4, 5, 6)) for _, pid in read} == before
    reader.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_little_shared_memory(monkeypatch, workers):
    expected = list(lazy(workers=0).batches(list(torch.arange(COUNT).split(4))))
    free = reading.shutil.disk_usage("/tmp")._replace(free=100)
    monkeypatch.setattr(reading.shutil, "disk_usage", lambda path: free)
    images = lazy(workers=workers)
    found = list(images.batches(list(torch.arange(COUNT).split(4))))
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))
    assert not any(batch.is_shared() for batch in found)
    images.close()


def test_no_random_numbers_are_drawn():
    images = lazy()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    list(images.batches([torch.arange(5)]))
    assert torch.equal(torch.get_rng_state(), before)
    images.close()


def test_readers_are_pickled_without_their_processes():
    images = lazy()
    list(images.batches([torch.arange(5)]))
    again = pickle.loads(pickle.dumps(images))
    assert again.take(torch.tensor([4])).flatten().tolist() == [4.0] * 4
    again.close()
    images.close()


def test_a_forked_process_leaves_the_processes_of_its_parent_alone():
    images = lazy()
    list(images.batches([torch.arange(5)]))
    child = os.fork()
    if child == 0:  # pragma: no cover - ends without pytest's clean-up
        read = torch.cat(list(images.batches(list(torch.arange(COUNT).split(4)))))
        images.close()
        os._exit(0 if read[:, 0, 0, 0].tolist() == list(range(COUNT)) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert torch.cat(list(images.batches(list(torch.arange(COUNT).split(4)))))[-1, 0, 0, 0] == COUNT - 1
    images.close()


# ---------------------------------------------------------------- how many, and how much memory


def test_few_items_are_read_here_and_many_by_processes():
    reader = ItemReader(who, list)
    assert {pid for read in reader.batches(parts(20, 20)) for _, pid in read} == {os.getpid()}
    many = {pid for read in reader.batches(parts(*[100] * 6)) for _, pid in read}
    assert (os.getpid() not in many) == (usable_cores() > 1)
    reader.close()


def test_processes_of_one_machine_share_its_cores(monkeypatch):
    cores = usable_cores()
    monkeypatch.setenv("LOCAL_WORLD_SIZE", str(cores))
    assert usable_cores() == 1


@pytest.mark.parametrize(
    ("content", "cores"), [("max 100000", 2**16), ("250000 100000", 2), ("50000 100000", 1), ("x", 2**16)]
)
def test_a_container_has_the_cores_that_it_is_given(tmp_path, content, cores):
    (tmp_path / "cpu.max").write_text(content)
    assert workers_module._quota(tmp_path / "cpu.max") == cores
    assert workers_module._quota(tmp_path / "nothing") == 2**16


def test_what_a_forked_process_cannot_use_is_read_here(tmp_path):
    (tmp_path / "file").write_text("x")
    with open(tmp_path / "file", "rb") as handle, sqlite3.connect(tmp_path / "database") as connection:
        for holder in (handle, connection, threading.Lock()):
            assert not shareable(Items([], [holder]))
            reader = ItemReader(partial(_fails, holder), list)
            batch = next(reader.batches([[0] * 600]))
            assert len(batch) == 600
            assert not reader.has_workers

    class Local:
        pass

    plain = Items(some_pixels(2), [Local(), lambda: 1, torch.zeros(2), np.zeros(3), "text" * 100, Local])
    assert shareable(plain)


@pytest.mark.parametrize("workers", [-1, True])
def test_a_bad_number_of_processes_is_named(workers):
    with pytest.raises(InvalidArgument, match=f"workers must be at least 0, got {workers}"):
        lazy(workers=workers)


def test_the_memory_limit():
    assert memory_limit() >= LEAST_MEMORY_LIMIT == 2**30
    assert memory_limit(0) == 0
    assert memory_limit(5) == 5
    for wrong in (-1, 1.5, True, "1G"):
        with pytest.raises(InvalidArgument, match=f"memory_limit must be at least 0 bytes, got {wrong!r}"):
            load_dataset("digits", memory_limit=wrong)
    pair = (Items(some_pixels(8), np.arange(8) % 2),) * 2
    assert isinstance(load_dataset(pair, memory_limit=8 * 48 - 1).train, LazyImages)
    assert not isinstance(load_dataset(pair, memory_limit=8 * 48).train, LazyImages)
