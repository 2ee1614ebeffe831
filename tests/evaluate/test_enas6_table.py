"""D-VAE's ENAS table: the published counts, split and statistics, both files, and damaged ones."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphnas import Architecture
from graphnas.data_directory import data_directory
from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument
from graphnas.evaluate import TabularEvaluator
from graphnas.methods import RegularizedEvolution
from search_spaces import ENASMacro, ENASMacro6
from search_spaces.tables import open_enas6
from search_spaces.tables.enas6 import ENAS6Table

FOLDER = data_directory() / "enas"
needs_table = pytest.mark.skipif(
    not (FOLDER / "enas6.npz").is_file(), reason=f"the ENAS table enas6.npz is not in {FOLDER}"
)
LINES = [  # the first lines of the official file, in its burn-in
    "[[1], [4, 0], [5, 0, 0], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]], 0.7302",
    "[[5], [3, 1], [2, 1, 1], [3, 1, 1, 0], [5, 0, 0, 0, 1], [2, 0, 1, 1, 1, 0]], 0.7234",
    "[[0], [5, 1], [2, 0, 0], [5, 1, 1, 1], [3, 0, 0, 1, 1], [3, 0, 1, 0, 0, 0]], 0.723",
]


def made_up(seed: int = 0) -> dict[str, np.ndarray]:
    """The columns of a table of random architectures and accuracies."""
    rng = np.random.default_rng(seed)
    return {
        "ops": rng.integers(6, size=(19020, 6), dtype=np.uint8),
        "skip": rng.integers(2, size=(19020, 15), dtype=np.uint8),
        "ws_acc": np.round(rng.uniform(0.7, 0.75, 19020), 4).astype(np.float32),
    }


def text_lines(ops: np.ndarray, skip: np.ndarray, ws_acc: np.ndarray) -> list[str]:
    """Lines as in the official file."""
    lines = []
    for codes, bits, accuracy in zip(ops.tolist(), skip.tolist(), ws_acc.tolist(), strict=True):
        layers = [[codes[i], *bits[i * (i - 1) // 2 : i * (i + 1) // 2]] for i in range(6)]
        lines.append(f"{layers}, {round(accuracy, 4)}")
    return lines


def write_text(path: Path, lines: list[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([LINES[k % 3] for k in range(1000)] + lines) + "\n")
    return path


# ---------------------------------------------------------------- the real table


@needs_table
def test_published_counts_and_statistics():
    table = open_enas6()
    accuracy = table.figures("cifar10", 0, "validation_accuracy")
    assert len(table) == len(accuracy) == 19_020
    assert len(set(table.architectures())) == 19_015
    assert accuracy.mean() == pytest.approx(73.6297, abs=5e-5)
    assert accuracy.std() == pytest.approx(0.6120, abs=5e-5)
    assert (accuracy.min(), accuracy.max()) == (70.20, 75.02)
    assert np.allclose(np.round(accuracy * 50), accuracy * 50)  # of 5,000 images


@needs_table
def test_published_split_and_targets():
    table = open_enas6()
    train, test = table.split()
    assert (len(train), len(test)) == (17_118, 1_902)
    assert sorted([*train, *test]) == list(range(19_020))
    assert train[:3].tolist() != [0, 1, 2]
    target = table.standardised_targets()
    assert target[train].mean() == pytest.approx(0, abs=1e-9)
    assert target[train].std() == pytest.approx(1)
    # The root mean squared error of predicting the mean, in sigma units.
    assert np.sqrt((target[test] ** 2).mean()) == pytest.approx(0.9764, abs=5e-5)


@needs_table
def test_the_evaluator():
    space = ENASMacro6()
    evaluator = TabularEvaluator(space)
    assert evaluator.budget == 0
    architecture, value = evaluator.best()
    result = evaluator.evaluate(architecture)
    assert value == evaluator.optimum == result.value == result.metrics["validation_accuracy"] == 75.02
    assert (result.parameters, result.macs) == space.complexity(architecture)
    everything, values = evaluator.all()
    assert evaluator.values(everything).tolist() == values.tolist()


@needs_table
def test_the_official_file_gives_the_same(tmp_path):
    with np.load(FOLDER / "enas6.npz") as content:
        columns = {name: content[name] for name in ("ops", "skip", "ws_acc")}
        burn_in = text_lines(*(content[f"burnin_{name}"] for name in columns))
    assert burn_in[:2] == LINES[:2]
    assert len(burn_in) == 1000
    path = tmp_path / "enas" / "final_structures6.txt"
    path.parent.mkdir()
    path.write_text("\n".join([*burn_in, *text_lines(**columns)]) + "\n")
    official, compact = open_enas6(tmp_path), open_enas6()
    assert official.path == path
    assert official.architectures() == compact.architectures()
    for one, other in zip(official.split(), compact.split(), strict=True):
        assert np.array_equal(one, other)
    arguments = ("cifar10", 0, "validation_accuracy")
    assert np.array_equal(official.figures(*arguments), compact.figures(*arguments))


# ---------------------------------------------------------------- what it looks up


def test_rows_and_values(tmp_path):
    columns = made_up()
    columns["ops"][7], columns["skip"][7], columns["ws_acc"][7] = (
        columns[name][3] for name in ("ops", "skip", "ws_acc")
    )
    np.savez_compressed(tmp_path / "enas6.npz", **columns)
    space = ENASMacro6()
    evaluator = TabularEvaluator(space, data_dir=tmp_path)
    lines = text_lines(**columns)
    for row in (0, 3, 19_019):
        text, _, accuracy = lines[row].rpartition(", ")
        architecture = space.from_string(text)
        assert evaluator.table.rows([architecture]).tolist() == [row]
        assert evaluator.evaluate(architecture).value == pytest.approx(100 * float(accuracy))
    assert evaluator.table.rows([evaluator.table.architecture(7)]).tolist() == [3]
    batch = space.sample_batch(np.random.default_rng(1), 20)
    assert evaluator.table.rows(batch).tolist() == [-1] * 20
    assert np.isnan(evaluator.values(batch)).all()
    failed = evaluator.evaluate(batch.architecture(0))
    assert failed.failed
    assert "enas6" in failed.reason
    assert evaluator.table.rows([]).tolist() == []


def test_the_shared_table_cannot_be_changed(tmp_path):
    np.savez(tmp_path / "enas6.npz", **made_up())
    evaluator = TabularEvaluator(ENASMacro6(), data_dir=tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        evaluator.all()[1][0] = 0


def test_torch_is_not_loaded(tmp_path):
    np.savez(tmp_path / "enas6.npz", **made_up())
    script = (
        "import sys\n"
        "from search_spaces import ENASMacro6\n"
        "from graphnas.evaluate import TabularEvaluator\n"
        f"table = TabularEvaluator(ENASMacro6(), data_dir={str(tmp_path)!r})\n"
        "table.evaluate(table.best()[0])\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_search_among_what_the_table_has(tmp_path):
    """1.5e9 architectures, of which the table has 19,020: none is a neighbor of another."""
    np.savez(tmp_path / "enas6.npz", **made_up())
    space = ENASMacro6()
    evaluator = TabularEvaluator(space, data_dir=tmp_path)
    assert not evaluator.knows_all
    known = space.restricted_to(evaluator)
    method = RegularizedEvolution(known, seed=0)
    for _ in range(60):
        architecture = method.ask(1)[0]
        result = evaluator.evaluate(architecture)
        assert not result.failed
        method.tell(architecture, result.value)
    rng = np.random.default_rng(0)
    parent = known.sample(rng)
    child = known.mutate(parent, rng)
    distance = {a: differing(parent, a) for a in evaluator.architectures() if a != parent}
    assert distance[child] == min(distance.values()) > 1


def differing(one: Architecture, other: Architecture) -> int:
    edges = np.count_nonzero(one.adjacency != other.adjacency)
    return edges + np.count_nonzero(one.operations != other.operations)


# ---------------------------------------------------------------- errors


def test_arguments_that_the_table_does_not_have(tmp_path):
    np.savez(tmp_path / "enas6.npz", **made_up())
    for arguments, message in (
        ({"metric": "test_accuracy"}, r"'test_accuracy'.*enas6.*, which has validation_accuracy"),
        ({"budget": 200}, r"200.*, which has 0 epochs"),
        ({"dataset": "cifar100"}, r"'cifar100'.*cifar10"),
    ):
        with pytest.raises(InvalidArgument, match=message):
            TabularEvaluator(ENASMacro6(), data_dir=tmp_path, **arguments)
    evaluator = TabularEvaluator(ENASMacro6(), data_dir=tmp_path)
    stranger = ENASMacro().sample(np.random.default_rng(0))
    for call in (evaluator.evaluate, lambda a: evaluator.values([a])):
        with pytest.raises(InvalidArchitecture, match="enas6"):
            call(stranger)


def test_a_missing_table_says_what_to_get(tmp_path):
    with pytest.raises(DataNotFound, match=r"run: curl .*\n.*structures6\.txt \(1\.7 MB\).*GRAPHNAS_DATA"):
        open_enas6(tmp_path)


def test_damaged_compact_files(tmp_path):
    path = tmp_path / "enas6.npz"
    np.savez_compressed(path, **made_up())
    whole = path.read_bytes()
    for size in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptData, match=r"enas6\.npz"):
            ENAS6Table(path)
    path.write_text("<html>Sign in to download</html>")
    with pytest.raises(CorruptData, match=r"enas6\.npz"):
        ENAS6Table(path)
    columns = made_up()
    for name, values, message in (
        ("ops", columns["ops"] + 1, "operation code 6"),
        ("ops", columns["ops"][:, :5], "shapes"),
        ("ops", np.array(3), "shapes"),
        ("ops", columns["ops"].astype(float), "float64"),
        ("skip", columns["skip"] * 2, "skip bit 2"),
        ("ws_acc", columns["ws_acc"] * 100, r"0\.\.1"),
        ("ws_acc", np.where(np.arange(19020) == 9, np.nan, columns["ws_acc"]), r"0\.\.1"),
        ("ws_acc", columns["ws_acc"][1:], "19019 accuracies"),
    ):
        np.savez(path, **{**columns, name: values})
        with pytest.raises(CorruptData, match=message):
            ENAS6Table(path)
    np.savez(path, **{name: values[:500] for name, values in columns.items()})
    with pytest.raises(CorruptData, match="500 architectures"):
        ENAS6Table(path)
    np.savez(path, ops=columns["ops"])
    with pytest.raises(CorruptData, match="skip"):
        ENAS6Table(path)


def test_damaged_official_files(tmp_path):
    lines = text_lines(**made_up())
    path = write_text(tmp_path / "final_structures6.txt", lines)
    assert len(ENAS6Table(path)) == 19_020
    write_text(path, lines[:-1])
    with pytest.raises(CorruptData, match="20019 lines"):
        ENAS6Table(path)
    for line, message in (
        ("<html>", "line 1003"),
        (lines[2].replace("[[", "["), "line 1003"),
        ("[[1], [4, 0]], 0.7", "six layers"),
        ("[[1.5], [4, 0], [5, 0, 0], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]], 0.7", "integers"),
        (f"[[{10**30}], [4, 0], [5, 0, 0], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]], 0.7", "10000"),
        (
            "[[7], [4, 0], [5, 0, 0], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]], 0.7",
            "operation code 7",
        ),
        ("[[1], [4, 0], [5, 0, 0], [0, 1, 1, 1], [2, 1, 1, 1, 1], [3, 0, 0, 0, 0, 1]], 73", r"0\.\.1"),
    ):
        write_text(path, [*lines[:2], line, *lines[3:]])
        with pytest.raises(CorruptData, match=message):
            ENAS6Table(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorruptData, match="not a text file"):
        ENAS6Table(path)
