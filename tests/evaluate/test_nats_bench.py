"""The official release of NATS-Bench: same answers as its own package would give, and no code is run."""

from __future__ import annotations

import bz2
import os
import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from nasbench201_files import (
    RELEASE,
    official_strings,
    release_cell,
    release_meta,
    write_compact,
    write_pickle,
    write_release,
)

from graphnas.errors import CorruptData, DataNotFound
from graphnas.evaluate import TabularEvaluator
from search_spaces import NASBench201
from search_spaces.tables.nats_bench import NATSBenchTable

INDICES = [0, 7, 15624]
RUNS = {
    ("cifar10", "validation_accuracy"): ("cifar10-valid", "x-valid"),
    ("cifar10", "test_accuracy"): ("cifar10", "ori-test"),
    ("cifar100", "validation_accuracy"): ("cifar100", "x-valid"),
    ("cifar100", "test_accuracy"): ("cifar100", "x-test"),
    ("imagenet16-120", "validation_accuracy"): ("ImageNet16-120", "x-valid"),
    ("imagenet16-120", "test_accuracy"): ("ImageNet16-120", "x-test"),
}


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A data directory with an unpacked release of three cells, and the strings of all."""
    directory = tmp_path_factory.mktemp("nats")
    return directory, write_release(directory / f"{RELEASE}-simple", INDICES)


@pytest.mark.parametrize(("dataset", "metric"), RUNS)
@pytest.mark.parametrize("budget", [12, 200])
def test_values_are_means_over_seeds_at_the_last_epoch(release, dataset, metric, budget):
    directory, strings = release
    space = NASBench201()
    evaluator = TabularEvaluator(space, dataset, budget, metric, data_dir=directory)
    run, images = RUNS[dataset, metric]
    for index in INDICES:
        info = release_cell(index, strings[index])[str(budget)]
        runs = [info["all_results"][run, seed] for seed in info["dataset_seed"][run]]
        result = evaluator.evaluate(space.from_string(strings[index]))
        accuracies = [r["eval_acc1es"][f"{images}@{budget - 1}"] for r in runs]
        assert result.value == pytest.approx(np.mean(accuracies))
        assert result.seconds == pytest.approx(np.mean([sum(r["train_times"].values()) for r in runs]))


def test_the_compact_file_goes_first(release, tmp_path):
    (tmp_path / f"{RELEASE}-simple").symlink_to(release[0] / f"{RELEASE}-simple")
    assert isinstance(TabularEvaluator(NASBench201(), data_dir=tmp_path).table, NATSBenchTable)
    columns = write_compact(tmp_path / "nasbench201" / "nasbench201.csv.gz")
    evaluator = TabularEvaluator(NASBench201(), data_dir=tmp_path)
    assert evaluator.optimum == max(columns["c10_val"])


def test_the_single_file(tmp_path):
    space = NASBench201()
    strings = official_strings()
    cells = {index: release_cell(index, strings[index]) for index in INDICES}
    write_pickle(tmp_path / f"{RELEASE}.pickle.pbz2", release_meta(strings, cells))
    directory = tmp_path / "unpacked"
    write_release(directory / f"{RELEASE}-simple", INDICES)
    one = TabularEvaluator(space, "cifar100", data_dir=tmp_path)
    other = TabularEvaluator(space, "cifar100", data_dir=directory)
    for index in INDICES:
        cell = space.from_string(strings[index])
        assert one.evaluate(cell) == other.evaluate(cell)
    with pytest.raises(CorruptData, match="cell 3 "):
        one.evaluate(space.from_string(strings[3]))


def test_a_cell_without_a_run_is_a_failed_evaluation(tmp_path):
    directory = tmp_path / f"{RELEASE}-simple"
    strings = write_release(directory, [])
    document = release_cell(4, strings[4])
    del document["200"]["dataset_seed"]["cifar100"]
    write_pickle(directory / "000004.pickle.pbz2", document)
    cell = NASBench201().from_string(strings[4])
    result = TabularEvaluator(NASBench201(), "cifar100", data_dir=tmp_path).evaluate(cell)
    assert result.failed
    assert "validation_accuracy" in result.reason
    assert not TabularEvaluator(NASBench201(), "cifar10", data_dir=tmp_path).evaluate(cell).failed


def test_other_containers_of_plain_data(tmp_path):
    directory = tmp_path / f"{RELEASE}-simple"
    strings = write_release(directory, [])
    document = release_cell(1, strings[1])
    document["200"]["dataset_seed"] = defaultdict(list, document["200"]["dataset_seed"])
    # Arrays and unknown objects are read past: nothing that a table needs is in one.
    document["200"]["all_results"]["cifar10", 777]["train_acc5es"] = np.ones(3)
    document["200"]["all_results"]["cifar10", 777]["path"] = Path("somewhere")
    write_pickle(directory / "000001.pickle.pbz2", document)
    evaluator = TabularEvaluator(NASBench201(), data_dir=tmp_path)
    assert 10 <= evaluator.evaluate(NASBench201().from_string(strings[1])).value <= 99


class Intruder:
    """Unpickled by pickle itself, it creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_hostile_pickle_is_not_obeyed(tmp_path):
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(Intruder(trace)))
    assert trace.is_dir()  # it works
    trace.rmdir()
    directory = tmp_path / f"{RELEASE}-simple"
    strings = write_release(directory, [])
    write_pickle(directory / "000000.pickle.pbz2", {"200": Intruder(trace), "12": Intruder(trace)})
    with pytest.raises(CorruptData, match=r"000000\.pickle\.pbz2"):
        TabularEvaluator(NASBench201(), data_dir=tmp_path).evaluate(NASBench201().from_string(strings[0]))
    write_pickle(directory / "meta.pickle.pbz2", Intruder(trace))
    with pytest.raises(CorruptData, match=r"meta\.pickle\.pbz2"):
        TabularEvaluator(NASBench201(), data_dir=tmp_path)
    assert not trace.exists()


def test_damage(tmp_path):
    space = NASBench201()
    directory = tmp_path / f"{RELEASE}-simple"
    strings = write_release(directory, [0])
    path = directory / "000000.pickle.pbz2"
    whole = path.read_bytes()
    first = space.from_string(strings[0])
    plain = bz2.decompress(whole)
    evaluator = TabularEvaluator(space, data_dir=tmp_path)
    for damaged in (b"", whole[:100], whole[:-10], b"no bz2 at all", bz2.compress(plain[: len(plain) // 2])):
        path.write_bytes(damaged)
        with pytest.raises(CorruptData, match=r"000000\.pickle\.pbz2"):
            evaluator.evaluate(first)
    write_pickle(path, release_cell(5, strings[5]))
    with pytest.raises(CorruptData, match="is of the cell"):
        evaluator.evaluate(first)
    write_pickle(path, {"12": {}, "200": {}})
    with pytest.raises(CorruptData, match="not laid out"):
        evaluator.evaluate(first)
    path.unlink()
    with pytest.raises(DataNotFound, match=r"000000\.pickle\.pbz2.*1\.1 GB"):
        evaluator.evaluate(first)


def test_the_size_space_is_another_file(tmp_path):
    directory = tmp_path / f"{RELEASE}-simple"
    write_pickle(directory / "meta.pickle.pbz2", release_meta(["8:8:8:8:8"] * 32768))
    with pytest.raises(CorruptData, match="32768 cells"):
        TabularEvaluator(NASBench201(), data_dir=tmp_path)
    write_pickle(directory / "meta.pickle.pbz2", release_meta(["8:8:8:8:8"] * 15625))
    with pytest.raises(CorruptData, match="lacks"):
        TabularEvaluator(NASBench201(), data_dir=tmp_path)
