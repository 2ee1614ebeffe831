"""Official files, converted into the compact form and read again, give the same figures."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from nasbench101_files import frame, official_row, some_cells
from nasbench201_files import official_strings, release_meta, write_pickle

from graphnas.errors import CorruptData, DataNotFound, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from search_spaces import ENASMacro6, NASBench101, NASBench201
from search_spaces.tables import open_enas6
from search_spaces.tables.convert import convert


def write_tfrecord(path, *, budgets=(4, 12, 36, 108)):
    cells = some_cells()
    rng = np.random.default_rng(0)
    rows = [
        official_row(cell, budget, *rng.uniform(0.2, 0.9, 3))
        for cell in cells
        for budget in budgets
        for _ in range(3)
    ]
    path.write_bytes(b"".join(map(frame, rows)))
    return cells


@pytest.mark.parametrize("budgets", [(108,), (4, 12, 36, 108)])
def test_nasbench101(tmp_path, budgets):
    source = tmp_path / "official" / "nasbench_full.tfrecord"
    source.parent.mkdir()
    cells = write_tfrecord(source, budgets=budgets)
    path = convert("nasbench101", source, tmp_path / "compact")
    assert path == tmp_path / "compact" / "nasbench101" / "nasbench101.npz"
    for budget, metric in [*((b, "validation_accuracy") for b in budgets), (108, "test_accuracy")]:
        evaluators = [
            TabularEvaluator(NASBench101(), budget=budget, metric=metric, data_dir=folder)
            for folder in (source.parent, tmp_path / "compact")
        ]
        official, compact = (evaluator.values(cells) for evaluator in evaluators)
        assert compact == pytest.approx(official, abs=1e-4)
    results = [evaluator.evaluate(cells[3]) for evaluator in evaluators]
    assert results[0].parameters == results[1].parameters
    assert results[0].macs == results[1].macs
    assert evaluators[0].table.md5(5) == evaluators[1].table.md5(5)


def test_nasbench101_without_its_last_epochs(tmp_path):
    source = tmp_path / "nasbench_full.tfrecord"
    write_tfrecord(source, budgets=(4, 12))
    with pytest.raises(CorruptData, match="108 epochs"):
        convert("nasbench101", source, tmp_path / "compact")
    assert list((tmp_path / "compact").rglob("*.npz")) == []


def small_release(path, cells=15625):
    """The single file of NATS-Bench with as little as a cell needs, one seed each."""
    runs = {
        "cifar10-valid": ["x-valid"],
        "cifar10": ["ori-test"],
        "cifar100": ["x-valid", "x-test"],
        "ImageNet16-120": ["x-valid", "x-test"],
    }
    rng = np.random.default_rng(0)
    strings = official_strings()
    infos = {}
    for index, text in enumerate(strings[:cells]):
        document = {}
        for budget in ("12", "200"):
            results = {}
            for name, images in runs.items():
                half = 0.5 if name == "cifar10-valid" else 1.0
                results[name, 777] = {
                    "epochs": int(budget),
                    "eval_acc1es": {f"{i}@{int(budget) - 1}": float(rng.uniform(1, 99)) for i in images},
                    "train_times": {0: int(budget) * half * (10.0 if name != "ImageNet16-120" else 30.0)},
                }
            document[budget] = {
                "arch_str": text, "all_results": results, "dataset_seed": {name: [777] for name in runs},
            }  # fmt: skip
        infos[index] = document
    write_pickle(path, release_meta(strings, infos))


@pytest.mark.slow
def test_nasbench201(tmp_path):
    source = tmp_path / "official" / "NATS-tss-v1_0-3ffb9.pickle.pbz2"
    small_release(source)
    compact_dir = tmp_path / "compact"
    convert("nasbench201", source, compact_dir)
    space = NASBench201()
    cells = [space.at(row) for row in range(0, 15625, 1500)]
    for dataset in ("cifar10", "cifar100", "imagenet16-120"):
        for budget in (12, 200):
            for metric in ("validation_accuracy", "test_accuracy"):
                official, compact = (
                    TabularEvaluator(space, dataset, budget, metric, folder)
                    for folder in (source.parent, compact_dir)
                )
                assert compact.values(cells) == pytest.approx(official.values(cells), rel=1e-8)
                seconds = official.evaluate(cells[1]).seconds, compact.evaluate(cells[1]).seconds
                assert seconds[0] == pytest.approx(seconds[1])
                assert official.table.official_index[7] == compact.table.official_index[7]


def write_enas(path):
    rng, space = random.Random(0), ENASMacro6()
    generator = np.random.default_rng(0)
    lines = []
    for architecture in space.sample_batch(generator, 20_020):
        rows = json.dumps(json.loads(space.to_string(architecture)))
        lines.append(f"{rows}, {rng.uniform(0.5, 0.8):.4f}")
    path.write_text("\n".join(lines) + "\n")


def test_enas6(tmp_path):
    source = tmp_path / "official" / "final_structures6.txt"
    source.parent.mkdir()
    write_enas(source)
    convert("enas6", source, tmp_path)
    official, compact = open_enas6(source.parent), open_enas6(tmp_path)
    assert compact.path.suffix == ".npz"
    assert official.architectures()[::500] == compact.architectures()[::500]
    arguments = "cifar10", 0, "validation_accuracy"
    assert np.array_equal(official.figures(*arguments), compact.figures(*arguments))


def test_nothing_is_overwritten_or_left_behind(tmp_path):
    source = tmp_path / "final_structures6.txt"
    source.write_text("no table\n")
    for name, path, error in (
        ("gemnet", source, InvalidArgument),
        ("enas6", tmp_path / "nowhere.txt", DataNotFound),
        ("enas6", source, CorruptData),
    ):
        with pytest.raises(error):
            convert(name, path, tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []
    target = tmp_path / "out" / "enas" / "enas6.npz"
    target.write_bytes(b"mine")
    with pytest.raises(InvalidArgument, match="--force"):
        convert("enas6", source, tmp_path / "out")
    with pytest.raises(CorruptData):
        convert("enas6", source, tmp_path / "out", overwrite=True)
    assert target.read_bytes() == b"mine"
    assert sorted(path.name for path in target.parent.iterdir()) == ["enas6.npz"]
