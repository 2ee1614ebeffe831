"""graphnas data: the list, the checks, and conversions from the command line."""

from __future__ import annotations

import gzip

import pytest

from graphnas.cli.data_sets import known_data
from graphnas.data_directory import data_directory
from search_spaces.tables import SPACES_WITH_TABLES
from search_spaces.tables.transnasbench101 import TASKS

NAMES = [data.name for data in known_data()]


def write_transnas(folder, *, value: str = "0.5", rows: int = 4096):
    """A compact table with one made-up value everywhere but in room_layout, which is a negative loss."""
    values = ",".join("-0.7" if task == "room_layout" else value for task in TASKS)
    lines = [f"ops,{','.join(TASKS)}"]
    for number in range(rows):
        code = "".join(str(number // 4**k % 4) for k in range(6))
        lines.append(f"{code},{values}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "transnasbench101_micro.csv.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def test_every_table_is_listed_with_the_way_to_get_it(command, monkeypatch, tmp_path):
    monkeypatch.setattr("graphnas.data_directory.installed_file", lambda *_: None)
    path = write_transnas(tmp_path)
    done = command("data", "--data-dir", tmp_path)
    assert done.code == 0
    assert set(SPACES_WITH_TABLES) <= set(NAMES)
    rows = {line.split()[0]: line for line in done.out.splitlines() if line.split()[:1] and line[0] != " "}
    assert set(NAMES) <= set(rows)
    assert rows["transnasbench101"].endswith(f" {path}")
    assert 'nasbench201: NAS-Bench-201 table not found; run: pip install "graphnas[tables]"\n' in done.out
    assert (
        'nasbenchgraph: NAS-Bench-Graph tables not found; run: pip install "graphnas[tables]"\n' in done.out
    )
    assert f"run: curl --create-dirs -o {tmp_path}/nasbench_only108.tfrecord https://" in done.out


def test_a_check_reads_everything(command, tmp_path):
    path = write_transnas(tmp_path / "transnasbench101")
    done = command("data", "--data-dir", tmp_path, "check", "transnasbench101")
    assert done.code == 0
    first, *figures = done.out.splitlines()
    assert first == f"transnasbench101: 4,096 architectures in {path}"
    assert "  autoencoder, 30 epochs, validation score: 4,096 values, 0.5 to 0.5 SSIM" in figures
    assert "  room_layout, 25 epochs, validation score: 4,096 values, -0.7 to -0.7 -loss" in figures
    assert len(figures) == 7


@pytest.mark.parametrize(
    ("arguments", "message"), [({"rows": 4095}, "4095 rows"), ({"value": "1.5"}, "column 'normal'")]
)
def test_a_check_finds_damage(command, tmp_path, arguments, message):
    write_transnas(tmp_path, **arguments)
    named = command("data", "--data-dir", tmp_path, "check", "transnasbench101")
    assert named.code == 2
    assert message in named.err
    all_of_them = command("data", "--data-dir", tmp_path, "check")
    assert all_of_them.code == 1
    assert message in all_of_them.err
    assert "cifar10: not found" in all_of_them.out
    assert "digits: 1,797 images" in all_of_them.out


def test_checking_what_is_missing_or_unknown(command, tmp_path):
    missing = command("data", "check", "nasbench101", "--data-dir", tmp_path)
    assert missing.code == 2
    assert missing.err.splitlines()[0].startswith(
        "graphnas: error: NAS-Bench-101 table not found; run: curl "
    )
    assert missing.err.count("\n") == 2
    unknown = command("data", "check", "nasbench301")
    assert unknown.code == 2
    assert "'nasbench301'; known: enas6, nasbench101" in unknown.err


def test_conversion(command, tmp_path):
    nothing = command("data", "convert", "nasbench101", tmp_path / "x.tfrecord", "--output", tmp_path)
    assert nothing.code == 2
    assert "x.tfrecord not found" in nothing.err
    (tmp_path / "x.tfrecord").write_bytes(b"nothing")
    damaged = command("data", "convert", "nasbench101", tmp_path / "x.tfrecord", "--output", tmp_path)
    assert damaged.code == 2
    assert "x.tfrecord" in damaged.err
    unknown = command("data", "convert", "gemnet", tmp_path / "x.tfrecord")
    assert "known: enas6, nasbench101, nasbench201" in unknown.err


def test_a_search_for_a_task_whose_values_are_no_percentages(command, tmp_path):
    write_transnas(tmp_path)
    arguments = ("--space", "transnasbench101", "--data-dir", tmp_path, "--trials", 3, "--method", "random")
    done = command("search", *arguments, "--dataset", "normal")
    assert done.code == 0, done.err
    assert "Best architectures by validation score (SSIM) on normal" in done.out
    assert "The best, 0.5000 SSIM in trial" in done.out
    default = command("search", *arguments)
    assert "by validation score (%) on class_scene" in default.out


@pytest.mark.skipif(
    not (data_directory() / "nasbench201" / "nasbench201_hw.csv.gz").is_file(), reason="no latencies"
)
def test_what_a_device_could_not_run(command):
    done = command("data", "check", "nasbench201-latencies")
    assert done.code == 0
    assert "15,625 cells" in done.out
    assert "hwnb_c10_edgetpu_latency: not measured for" in done.out


def test_image_sets_are_found_and_counted(command, tmp_path):
    image = pytest.importorskip("PIL.Image")
    root = tmp_path / "tiny-imagenet-200"
    lines = []
    for wnid in ("n01", "n02"):
        (root / "train" / wnid / "images").mkdir(parents=True)
        (root / "val" / "images").mkdir(parents=True, exist_ok=True)
        for k in range(3):
            image.new("RGB", (4, 4), (90 * k, 0, 0)).save(root / "train" / wnid / "images" / f"{k}.JPEG")
        image.new("RGB", (4, 4)).save(root / "val" / "images" / f"{wnid}.JPEG")
        lines.append(f"{wnid}.JPEG\t{wnid}\t0\t0\t3\t3\n")
    (root / "wnids.txt").write_text("n01\nn02\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    done = command("data", "--data-dir", tmp_path)
    rows = {line.split()[0]: line for line in done.out.splitlines() if line.split()[:1]}
    assert rows["tinyimagenet"].endswith(f" {root}")
    assert "cifar-100-python.tar.gz (161 MB)" in done.out
    checked = command("data", "--data-dir", tmp_path, "check", "tinyimagenet")
    assert (checked.code, checked.out) == (0, f"tinyimagenet: 6 training and 2 test images in {root}\n")
    (root / "train" / "n02" / "images" / "1.JPEG").write_bytes(b"damaged")
    broken = command("data", "--data-dir", tmp_path, "check", "tinyimagenet")
    assert broken.code == 2
    assert "1.JPEG" in broken.err
