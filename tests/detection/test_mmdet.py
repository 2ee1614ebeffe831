"""mmdet's detectors with found networks: configurations, training, resumption, and mmdet's own tools."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("mmdet")
pytest.importorskip("mmcv.ops")

from detection.conftest import CELL, SHAPE, SPACE

from graphnas.detection.coco import load_coco
from graphnas.detection.mmdet_config import write_config
from graphnas.detection.mmdet_training import detector_sizes, train_mmdet
from graphnas.detection.settings import DetectorSettings
from graphnas.errors import CorruptData, DataNotFound, InvalidArgument, TrainingFailed
from search_spaces import RandWire

pytestmark = pytest.mark.detection
QUICK = {"image_size": (64, 96), "batch_size": 4, "warmup": 2, "epochs": 2}


def write(folder: Path, images: Path, network: str = "gemnet", **settings) -> Path:
    config = DetectorSettings(**{**QUICK, **settings})
    if network == "randwire":
        space = RandWire(8)
        cell, shape = space.sample(np.random.default_rng(0)), {"stem_widths": (8, 8), "widths": (8, 16, 16)}
    else:
        space, cell, shape = SPACE, CELL, SHAPE
    return write_config(folder / "config.py", cell, config, load_coco(images), space=space, shape=shape)


def last_weights(folder: Path) -> dict[str, torch.Tensor]:
    name = (folder / "last_checkpoint").read_text()
    content = torch.load(Path(name), weights_only=False)
    return content["state_dict"]


@pytest.mark.parametrize("detector", ["retinanet", "faster-rcnn"])
@pytest.mark.parametrize("network", ["gemnet", "randwire"])
def test_a_config_loads_builds_trains_and_evaluates(few_images, tmp_path, detector, network):
    config = write(tmp_path, few_images, network, detector=detector, epochs=1)
    report = train_mmdet(config, tmp_path, progress=False)
    assert report.detector == detector
    assert report.ap is not None
    assert 0 <= report.ap <= 100
    assert report.epochs == 1
    assert 0 < report.backbone_parameters < report.parameters
    assert 0 < report.backbone_macs < report.macs


def test_a_killed_training_goes_on_as_if_nothing_had_happened(few_images, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train_mmdet(write(whole, few_images), whole, progress=False)
    program = f"""
import os, signal
from pathlib import Path
from graphnas.detection.mmdet_training import train_mmdet
train_mmdet(Path({str(broken / "config.py")!r}), Path({str(broken)!r}), progress=False,
            report=lambda epoch, ap: os.kill(os.getpid(), signal.SIGKILL))
"""
    config = write(broken, few_images)
    killed = subprocess.run([sys.executable, "-c", program], env={**os.environ}, capture_output=True)
    assert killed.returncode == -9, killed.stderr.decode()
    assert "epoch_1" in (broken / "last_checkpoint").read_text()
    report = train_mmdet(config, broken, progress=False)
    assert report.epochs == 2
    for name, value in last_weights(whole).items():
        assert torch.equal(value, last_weights(broken)[name]), name
    again = train_mmdet(config, broken, progress=False)  # nothing left to train
    assert again.ap == report.ap


def test_mmdets_own_tools_give_the_same_result(few_images, tmp_path):
    import mmdet

    tool = Path(mmdet.__file__).parent / ".mim" / "tools" / "train.py"
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    config = write(ours, few_images, epochs=1)
    train_mmdet(config, ours, progress=False)
    command = [sys.executable, str(tool), str(config), "--work-dir", str(theirs)]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, value in last_weights(ours).items():
        assert torch.equal(value, last_weights(theirs)[name]), name


def test_the_process_of_the_user_is_left_as_it_was(few_images, tmp_path):
    import cv2

    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    expected = random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
    random.seed(1), np.random.seed(1), torch.manual_seed(1)  # noqa: NPY002
    before = torch.get_num_threads(), cv2.getNumThreads(), dict(os.environ)
    train_mmdet(write(tmp_path, few_images, epochs=1), tmp_path, progress=False, threads=1)
    assert (torch.get_num_threads(), cv2.getNumThreads(), dict(os.environ)) == before
    assert (random.random(), np.random.random(), torch.rand(1)) == expected  # noqa: NPY002


def test_a_clipped_gradient_does_not_diverge(few_images, tmp_path):
    fast = {"learning_rate": 100.0, "warmup": 0}
    with pytest.raises(TrainingFailed, match="the loss of epoch"):
        train_mmdet(write(tmp_path, few_images, **fast), tmp_path, progress=False)
    config = write(tmp_path / "clipped", few_images, **fast, clip=1e-5)
    assert train_mmdet(config, tmp_path / "clipped", progress=False).epochs == 2


def test_a_diverging_detector_fails_with_its_reason(few_images, tmp_path):
    config = write(tmp_path, few_images, learning_rate=1e9, warmup=0)
    with pytest.raises(TrainingFailed, match="the loss of epoch 1 is"):
        train_mmdet(config, tmp_path, progress=False)


def test_weights_of_a_classifier_and_what_did_not_load(few_images, tmp_path, caplog):
    from graphnas.detection.mmdet_modules import GraphNAS

    network = SPACE.build(CELL, 10, **SHAPE)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    config = write_config(
        tmp_path / "config.py",
        CELL,
        DetectorSettings(**QUICK),
        load_coco(few_images),
        space=SPACE,
        shape=SHAPE,
        weights=tmp_path / "model.pt",
    )
    text = config.read_text()
    assert "norm_eval=True" in text  # the statistics of trained weights are kept
    assert repr(str(tmp_path / "model.pt")) in text
    backbone = GraphNAS(CELL, space=SPACE, shape=SHAPE, pretrained=str(tmp_path / "model.pt"))
    backbone.init_weights()
    for name, value in backbone.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])
    by_config = GraphNAS(
        CELL,
        space=SPACE,
        shape=SHAPE,
        init_cfg={"type": "Pretrained", "checkpoint": str(tmp_path / "model.pt")},
    )
    by_config.init_weights()
    assert torch.equal(*(next(iter(b.parameters())) for b in (backbone, by_config)))


def test_a_hand_written_config_need_not_count_channels(tmp_path):
    from mmdet.registry import MODELS
    from mmengine.config import Config

    text = """
custom_imports = dict(imports="graphnas.detection")
default_scope = "mmdet"
backbone = dict(type="GraphNAS", architecture="gemnet-a", out_indices=(1, 2, 3), frozen_stages=1)
neck = dict(type="GraphNASFPN", out_channels=256, num_outs=5)
"""
    (tmp_path / "config.py").write_text(text)
    config = Config.fromfile(tmp_path / "config.py")
    backbone = MODELS.build(config.backbone)
    neck = MODELS.build(config.neck)
    levels = neck(backbone(torch.rand(1, 3, 64, 64)))
    assert [tuple(level.shape[1:]) for level in levels] == [(256, s, s) for s in (8, 4, 2, 1, 1)]
    with pytest.raises(InvalidArgument, match="needs a GraphNAS before it"):
        MODELS.build(config.neck)  # of another detector: the channels are not its own
    MODELS.build(config.backbone)
    with pytest.raises(InvalidArgument, match=r"in_channels must be \[44, 108, 228\]"):
        MODELS.build({**config.neck, "in_channels": [1, 2, 3]})
    another = MODELS.build({**config.neck, "in_channels": [1, 2, 3]})  # of no GraphNAS
    assert another.in_channels == [1, 2, 3]


def test_channels_that_were_edited_wrongly_are_named(few_images, tmp_path):
    config = write(tmp_path, few_images)
    text = config.read_text()
    assert text.count("in_channels=[8, 16, 16],") == 1
    config.write_text(text.replace("in_channels=[8, 16, 16],", "in_channels=[8, 16],"))
    with pytest.raises(InvalidArgument, match=r"in_channels must be \[8, 16, 16\].*got \[8, 16\]"):
        train_mmdet(config, tmp_path, progress=False)


def test_a_training_without_our_hook_is_continued(few_images, tmp_path):
    """Its checkpoints hold what torch.load refuses by default."""
    config = write(tmp_path, few_images, epochs=1)
    text = config.read_text()
    hook = '[dict(type="ExactResumption")]'
    assert hook in text
    config.write_text(text.replace(hook, "[]"))
    train_mmdet(config, tmp_path, progress=False)
    config.write_text(config.read_text().replace("max_epochs=1", "max_epochs=2"))
    allowed = torch.serialization.get_safe_globals()
    assert train_mmdet(config, tmp_path, progress=False).epochs == 2
    assert set(torch.serialization.get_safe_globals()) == set(allowed)  # their order is that of a set


def test_a_training_that_starts_from_a_checkpoint_trains(few_images, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    train_mmdet(write(first, few_images, epochs=1), first, progress=False)
    config = write(second, few_images, epochs=1, learning_rate=1e-12, seed=1)
    start = repr(str(first / "epoch_1.pth"))
    config.write_text(config.read_text().replace("load_from = None", f"load_from = {start}"))
    for _ in range(2):  # the second time it is complete
        assert train_mmdet(config, second, progress=False).epochs == 1
        for name, value in last_weights(first).items():
            torch.testing.assert_close(value, last_weights(second)[name], rtol=1e-4, atol=1e-6)
    assert (second / "epoch_1.pth").is_file()


def test_the_log_has_losses_and_what_did_not_load(few_images, tmp_path, capfd):
    state = SPACE.build(CELL, 10, **SHAPE).state_dict()
    lost = next(name for name in state if name.endswith("weight"))
    del state[lost]
    torch.save(state, tmp_path / "model.pt")
    config = write_config(
        tmp_path / "config.py",
        CELL,
        DetectorSettings(**{**QUICK, "epochs": 1}),
        load_coco(few_images),
        space=SPACE,
        shape=SHAPE,
        weights=tmp_path / "model.pt",
    )
    config.write_text(config.read_text().replace("interval=50", "interval=1"))
    train_mmdet(config, tmp_path)
    (log,) = tmp_path.glob("*/*.log")
    text, shown = log.read_text(), capfd.readouterr()
    said = f"1 not in the checkpoint ({lost})"
    assert said in text
    assert said in shown.out
    assert "loss_cls" in text
    assert "loss_cls" not in shown.out
    assert "training: 100%" in shown.err
    assert "evaluation:" in shown.err


@pytest.mark.skipif(
    "onedl-mmdetection" in packages_distributions()["mmdet"],
    reason="the fork of mmdet takes any version of mmcv",
)
def test_an_mmcv_that_mmdet_refuses_leaves_the_rest_usable():
    program = """
import mmcv
mmcv.__version__ = "99.0"
from graphnas.detection import FeatureMaps, train_torchvision
from graphnas.detection.mmengine_compat import import_mmdet, why_unusable
assert "MMCV==99.0 is used but incompatible" in why_unusable()
import_mmdet()
"""
    path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "MissingExtra: mmdet does not accept what is installed beside it: MMCV==99.0" in done.stderr


def test_counts_are_those_of_the_paper(few_images, tmp_path):
    """NASGEM, Table 2, GEMNet-A: 13.5 M and 21.4 M parameters."""
    data = load_coco(few_images)
    for detector, parameters, macs in (("retinanet", 13.52, 167.5), ("faster-rcnn", 21.43, 130.1)):
        path = write_config(tmp_path / f"{detector}.py", "gemnet-a", DetectorSettings(detector), data)
        _, whole = detector_sizes(path)
        assert round(whole.parameters / 1e6, 2) == parameters
        assert round(whole.macs / 1e9, 1) == macs


def test_frozen_parameters_count(few_images, tmp_path):
    """The sizes of a detector do not depend on which of its stages are trained."""
    sizes = [
        detector_sizes(write(tmp_path / str(frozen), few_images, frozen_stages=frozen)) for frozen in (0, 2)
    ]
    assert sizes[0] == sizes[1]


def test_what_is_wrong_is_named(few_images, tmp_path):
    data = load_coco(few_images)
    with pytest.raises(InvalidArgument, match="strides 1, 2, 4, and retinanet starts at 8"):
        write_config(tmp_path / "c.py", CELL, DetectorSettings(), data, space=SPACE)
    settings = DetectorSettings(out_indices=(7,))
    with pytest.raises(InvalidArgument, match="asked for 7"):
        write_config(tmp_path / "c.py", "gemnet-a", settings, data)
    with pytest.raises(DataNotFound):
        write_config(tmp_path / "c.py", tmp_path / "no", DetectorSettings(), data)
    (tmp_path / "bad.py").write_text("model = dict(")
    with pytest.raises(CorruptData, match="no configuration of mmdet"):
        train_mmdet(tmp_path / "bad.py", tmp_path)
