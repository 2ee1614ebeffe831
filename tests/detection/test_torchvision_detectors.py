"""torchvision's detectors with found networks: built, trained, continued, measured."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import UserDict
from dataclasses import replace

import pytest
import torch

pytest.importorskip("torchvision")

from detection.conftest import CELL, SHAPE, SPACE

from graphnas.detection.coco import load_coco
from graphnas.detection.coco_images import CocoImages
from graphnas.detection.settings import DetectorSettings
from graphnas.detection.torchvision_detectors import feature_maps, sizes, torchvision_detector
from graphnas.detection.torchvision_operators import operators
from graphnas.errors import CorruptData, InvalidArgument, TrainingFailed

QUICK = {"image_size": (64, 96), "batch_size": 4, "warmup": 2, "epochs": 2}
NETWORK = {"space": SPACE, "shape": SHAPE}


@pytest.mark.parametrize("detector", ["retinanet", "faster-rcnn"])
def test_a_detector_has_losses_and_finds_boxes(detector):
    settings = DetectorSettings(detector, image_size=(64, 96))
    maps, found, loaded = feature_maps(CELL, settings, **NETWORK)
    assert loaded is None
    assert maps.strides == ((8, 16, 32) if detector == "retinanet" else (4, 8, 16, 32))
    assert any(isinstance(m, torch.nn.GroupNorm) for m in maps.modules())  # no weights, so from scratch
    network = torchvision_detector(maps, settings, 3, mean=found.mean, std=found.std)
    image = torch.rand(3, 60, 90)
    target = {"boxes": torch.tensor([[5.0, 5.0, 40.0, 50.0]]), "labels": torch.tensor([3])}
    with operators():
        losses = network([image], [target])
        sum(losses.values()).backward()
        assert all(p.grad is not None for p in maps.parameters())
        network.eval()
        (output,) = network([image])
    assert set(output) == {"boxes", "labels", "scores"}


def test_sizes_agree_with_the_backbones_own():
    settings = DetectorSettings("retinanet", image_size=(800, 1333))
    maps, _, _ = feature_maps("gemnet-a", settings)
    backbone, whole = sizes(torchvision_detector(maps, settings, 80), settings.image_size)
    assert backbone.parameters == sum(p.numel() for p in maps.parameters())
    assert backbone.macs < whole.macs
    # mmdet's has 13.517 M; torchvision's classifies one class more, the background, which it never uses.
    assert whole.parameters == 13_517_452 + 9 * (256 * 9 + 1)


def test_images_and_boxes(few_images):
    data = load_coco(few_images)
    plain, mirrored = (CocoImages(data, data.train, empty=False, flip=flip) for flip in (0.0, 1.0))
    image, target = plain[0]
    other, turned = mirrored[0]
    assert torch.equal(other, image.flip(2))
    width = image.shape[2]
    assert torch.allclose(turned["boxes"][:, 0], width - target["boxes"][:, 2])
    assert (turned["boxes"][:, 2] > turned["boxes"][:, 0]).all()
    assert int(target["labels"].min()) >= 1
    assert int(target["labels"].max()) <= 80


def test_boxes_that_mmdet_leaves_out_are_left_out(few_images):
    data = load_coco(few_images)
    entry = data.train.entries[0]
    good = {"bbox": [5.0, 5.0, 9.0, 9.0], "area": 81.0, "iscrowd": 0, "category_id": 1}
    outside = [entry["width"] + 3.0, 5.0, 9.0, 9.0]
    bad = ({"bbox": [300.0, 5, 1e-6, 9]}, {"bbox": outside}, {"area": 0}, {"iscrowd": 1})
    boxes = (good, *({**good, **change} for change in bad))
    split = replace(data.train, boxes={**data.train.boxes, entry["id"]: boxes})
    assert CocoImages(data, split, empty=False)[0][1]["boxes"].tolist() == [[5, 5, 14, 14]]


def test_an_image_that_cannot_be_read_is_named(few_images, tmp_path):
    import shutil

    shutil.copytree(few_images, tmp_path, symlinks=True, dirs_exist_ok=True)
    data = load_coco(tmp_path)
    file = tmp_path / "train2017" / data.train.entries[0]["file_name"]
    file.unlink()
    file.write_bytes(b"no image")
    with pytest.raises(CorruptData, match=f"{file.name} cannot be read as an image"):
        CocoImages(data, data.train, empty=True)[0]


@pytest.mark.detection
@pytest.mark.parametrize("detector", ["retinanet", "faster-rcnn"])
def test_training_reports(few_images, tmp_path, detector):
    pytest.importorskip("pycocotools")
    from graphnas.detection.report import DetectionReport
    from graphnas.detection.torchvision_training import train_torchvision

    data = load_coco(few_images)
    told = []
    settings = DetectorSettings(detector, **QUICK)
    report = train_torchvision(
        CELL,
        settings,
        data,
        **NETWORK,
        output=tmp_path,
        progress=False,
        report=lambda epoch, ap: told.append(epoch),
    )
    assert told == [1, 2]
    assert report.detector == detector
    assert 0 <= report.ap <= 100
    report.save(tmp_path)
    assert DetectionReport.load(tmp_path) == report


@pytest.mark.detection
def test_a_killed_training_goes_on_as_if_nothing_had_happened(few_images, tmp_path):
    pytest.importorskip("pycocotools")
    program = """
import json, os, signal, sys
from detection.conftest import CELL, SHAPE, SPACE
from pathlib import Path
from graphnas.detection.coco import load_coco
from graphnas.detection.settings import DetectorSettings
from graphnas.detection.torchvision_training import train_torchvision
settings = DetectorSettings(**json.loads(sys.argv[1]))
kill = lambda epoch, ap: os.kill(os.getpid(), signal.SIGKILL) if len(sys.argv) > 4 else False
train_torchvision(CELL, settings, load_coco(sys.argv[2]), space=SPACE, shape=SHAPE, output=Path(sys.argv[3]),
                  progress=False, report=kill)
"""
    path = os.pathsep.join([os.path.dirname(os.path.dirname(__file__)), *filter(None, sys.path)])

    def run(folder, *more):
        words = [sys.executable, "-c", program, json.dumps(QUICK), str(few_images), str(folder), *more]
        return subprocess.run(words, env={**os.environ, "PYTHONPATH": path}, capture_output=True)

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(whole).returncode == 0
    assert run(broken, "kill").returncode == -9
    done = run(broken)
    assert done.returncode == 0, done.stderr.decode()
    one, other = (torch.load(folder / "last.pt")["detector"] for folder in (whole, broken))
    assert all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.detection
def test_a_clipped_gradient_does_not_diverge(few_images):
    pytest.importorskip("pycocotools")
    from graphnas.detection.torchvision_training import train_torchvision

    data = load_coco(few_images)
    fast = DetectorSettings(**{**QUICK, "learning_rate": 100.0, "warmup": 0})
    with pytest.raises(TrainingFailed, match="a clip of the gradient"):
        train_torchvision(CELL, fast, data, **NETWORK, progress=False)
    report = train_torchvision(CELL, replace(fast, clip=1e-5), data, **NETWORK, progress=False)
    assert report.epochs == 2


@pytest.mark.detection
def test_what_goes_wrong_is_said(few_images, tmp_path):
    pytest.importorskip("pycocotools")
    from graphnas.detection.torchvision_training import train_torchvision

    data = load_coco(few_images)
    wild = DetectorSettings(**{**QUICK, "learning_rate": 1e12, "warmup": 0})
    with pytest.raises(TrainingFailed, match="the loss of epoch 1 is"):
        train_torchvision(CELL, wild, data, **NETWORK, progress=False)
    one = DetectorSettings(**{**QUICK, "epochs": 1})
    train_torchvision(CELL, one, data, **NETWORK, output=tmp_path, progress=False)
    with pytest.raises(InvalidArgument, match="checkpoint of another training"):
        train_torchvision(CELL, DetectorSettings(**QUICK), data, **NETWORK, output=tmp_path, progress=False)


@pytest.mark.detection
def test_average_precision_of_the_truth_is_everything(few_images):
    pytest.importorskip("pycocotools")
    from graphnas.detection.average_precision import average_precision

    data = load_coco(few_images)
    perfect = [
        {"image_id": box["image_id"], "category_id": box["category_id"], "bbox": box["bbox"], "score": 1.0}
        for boxes in data.val.boxes.values()
        for box in boxes
        if not box.get("iscrowd")
    ]
    figures = average_precision(data.val, perfect)
    assert figures["ap"] == pytest.approx(100)
    halved = average_precision(data.val, perfect[::2])
    assert 0 < halved["ap"] < 100
    assert set(average_precision(data.val, []).values()) == {0.0}


@pytest.mark.detection
def test_evaluation_neither_prints_nor_redirects_what_others_print(few_images, capsys):
    pytest.importorskip("pycocotools")
    from graphnas.detection.average_precision import average_precision

    data = load_coco(few_images)
    seen = []

    class Watched(UserDict):
        def keys(self):
            seen.append(sys.stdout)
            return super().keys()

    box = next(box for boxes in data.val.boxes.values() for box in boxes)
    found = {name: box[name] for name in ("image_id", "category_id", "bbox")} | {"score": 1.0}
    average_precision(data.val, [Watched(found)])
    assert seen == [sys.stdout]
    assert capsys.readouterr().out == ""
