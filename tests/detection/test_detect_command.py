"""graphnas detect, as a user types it."""

from __future__ import annotations

import json
import math
import re

import pytest

pytest.importorskip("torchvision")
pytest.importorskip("pycocotools")

from detection.conftest import CELL

from graphnas.cli.main import main
from graphnas.detection.coco import load_coco
from graphnas.detection.coco_images import CocoImages
from graphnas.detection.report import DetectionReport

pytestmark = pytest.mark.detection
QUICK = ["--image-size", 64, 96, "--batch-size", 4, "--epochs", 1, "--setting", "warmup=2"]
SHAPE = ["--shape", "widths=[8,8,16,16]", "--shape", "stem_stride=4"]


def detect(*words) -> int:
    return main(["detect", *map(str, words)])


@pytest.fixture
def cell(tmp_path):
    path = tmp_path / "cell.json"
    path.write_text(json.dumps(CELL.to_dict()))
    return [path, "--space", "gemnet", "--nodes", 6, *SHAPE]


@pytest.mark.parametrize("library", ["torchvision", "mmdet"])
def test_a_detector_from_an_architecture(few_images, cell, tmp_path, capsys, library):
    if library == "mmdet":
        pytest.importorskip("mmcv.ops")
    line = ["--backbone", *cell, "--data", few_images, *QUICK, "--library", library]
    assert detect(*line, "--output", tmp_path / "run") == 0
    text = capsys.readouterr().out
    report = DetectionReport.load(tmp_path / "run")
    assert report.library.startswith(library)
    assert "AP50" in text
    assert f"at {64} x {96}" in text
    assert detect(*line, "--output", tmp_path / "run") == 0  # nothing left to train
    assert DetectionReport.load(tmp_path / "run").ap == report.ap


@pytest.mark.parametrize("library", ["torchvision", "mmdet"])
def test_a_dry_run_counts_and_keeps_nothing(few_images, cell, tmp_path, capsys, library):
    if library == "mmdet":
        pytest.importorskip("mmcv.ops")
    line = ["--backbone", *cell, "--data", few_images, *QUICK, "--epochs", 5, "--library", library]
    assert detect(*line, "--setting", "validate_every=2", "--output", tmp_path / "run", "--dry-run") == 0
    printed = capsys.readouterr().out
    data = load_coco(few_images)
    images = len(CocoImages(data, data.train, empty=False))
    assert re.search(rf"detector +retinanet of {library}\n", printed)
    assert re.search(rf"images trained on +{images}\n", printed)
    assert re.search(rf"training step of 4 images +{5 * math.ceil(images / 4)} ", printed)
    assert re.search(rf"evaluated image +{3 * len(data.val.entries)} ", printed)  # after epochs 2, 4 and 5
    assert "Estimate, measured on this machine" in printed
    assert not (tmp_path / "run").exists()


def test_only_the_config(few_images, tmp_path, capsys):
    pytest.importorskip("mmcv.ops")
    line = ["--backbone", "gemnet-b", "--detector", "faster-rcnn", "--data", few_images]
    assert detect(*line, "--config-only", "--output", tmp_path) == 0
    from mmengine.config import Config

    config = Config.fromfile(tmp_path / "config.py")
    assert config.model.neck.in_channels == [24, 48, 108, 232]
    assert config.model.roi_head.bbox_head.num_classes == 80
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.py"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--backbone", "nowhere"], "'nowhere' is no file"),
        (["--backbone", "gemnet-a", "--setting", "epoch=3"], "did you mean 'epochs'?"),
        (["--backbone", "gemnet-a", "--setting", "normalisation=layer"], "normalisation must be one of"),
        (["--backbone", "gemnet-a", "--data", "no/folder"], "there is no folder no/folder"),
        (["--backbone", "gemnet-a", "--weights", "no.pt"], "no.pt is no file of weights"),
        (["--backbone", "gemnet-a", "--output", __file__], "cannot create the folder"),
    ],
)
def test_what_is_wrong_is_named(few_images, tmp_path, words, message, capsys):
    line = ["--data", few_images, "--output", tmp_path, *words]
    assert detect(*line) == 2
    assert message in capsys.readouterr().err


def test_detections_are_drawn(few_images, tmp_path):
    from graphnas.detection.drawing import plot_detections

    data = load_coco(few_images)
    image = data.val.entries[0]
    found = [{"image_id": image["id"], "category_id": 1, "bbox": [5, 5, 50, 60], "score": 0.9}]
    (tmp_path / "found.json").write_text(json.dumps(found))
    figure = plot_detections(data, tmp_path / "found.json", count=2)
    assert len(figure.axes) == 4
    (drawn,) = figure.axes[1].patches
    assert (drawn.get_xy(), drawn.get_width(), drawn.get_height()) == ((5, 5), 50, 60)
    assert [text.get_text() for text in figure.axes[1].texts] == ["person 0.90"]
    assert len(figure.axes[0].patches) == len(data.val.boxes[image["id"]])
