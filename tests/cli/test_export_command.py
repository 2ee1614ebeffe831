"""``graphnas export``: what a search found, as a file for other programs."""

from __future__ import annotations

import shutil

import onnx
import onnxruntime
import pytest
import torch

from graphnas.export import FORMATS
from graphnas.training import load_dataset, load_model


@pytest.fixture
def study(searched, tmp_path):
    """A copy of the output directory of a search, with its best model."""
    return shutil.copytree(searched, tmp_path / "study")


def test_the_best_of_a_search_predicts_the_same_in_onnxruntime(command, study):
    done = command("export", study, "--format", "onnx")
    assert done.code == 0, done.err
    path = study / "best" / "model.onnx"
    assert f"Written to {path} (onnx, opset 18): any batch, any height and width" in done.out
    assert "1x1x8x8, 3x1x8x8" in done.out
    trained = load_model(study / "best")
    test = load_dataset("digits").test
    images = test.take(torch.arange(len(test)))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": trained.normalisation(images).numpy()})
    assert (logits.argmax(1) == trained.predict(images).argmax(1).numpy()).all()
    accuracy = 100 * (logits.argmax(1) == test.labels.numpy()).mean()
    assert accuracy == pytest.approx(trained.evaluation.metrics["test_accuracy"])


def test_every_format_has_a_place_beside_the_model(command, study):
    for format in FORMATS[1:]:
        done = command("export", study / "best", "--format", format)
        assert done.code == 0, done.err
        assert f"({format}, " in done.out
    names = {path.name for path in (study / "best").iterdir()}
    assert names == {
        *("model.pt", "model.json"),
        *("model.pt2", "model.torchscript", "timm", "network"),
    }


def test_output_and_opset(command, study, tmp_path):
    target = tmp_path / "new" / "net.onnx"
    done = command("export", study, "--format", "onnx", "--opset", "19", "--output", target)
    assert done.code == 0, done.err
    assert "opset 19" in done.out
    assert [entry.version for entry in onnx.load(target).opset_import if not entry.domain] == [19]


def test_a_study_without_weights_names_the_training(command, study):
    shutil.rmtree(study / "best")
    done = command("export", study, "--format", "onnx")
    assert done.code == 2
    assert done.err == (
        f"graphnas: error: {study} has no trained weights; train first: graphnas train {study}\n"
    )


def test_several_models_are_listed(command, study, tmp_path):
    folder = tmp_path / "trained"
    for number in range(2):
        shutil.copytree(study / "best", folder / f"network-{number}")
    done = command("export", folder, "--format", "timm")
    assert done.code == 2
    assert "network-0" in done.err
    assert "network-1" in done.err
    assert command("export", folder / "network-1", "--format", "torchscript").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no/such/place", "--format", "onnx"], "'no/such/place' does not exist"),
        (["STUDY", "--format", "tflite"], "invalid choice: 'tflite'"),
        (["STUDY"], "--format"),
        (["STUDY", "--format", "pt2", "--opset", "18"], "--opset 18 is for --format onnx, not for pt2"),
        (["STUDY", "--format", "onnx", "--opset", "3"], "opset must be from 18 to"),
        (["STUDY", "--format", "onnx", "--output", "STUDY"], "is a folder, but is to be a file"),
        (["STUDY", "--format", "timm", "--output", "STUDY"], "not empty and no earlier export"),
        (["STUDY", "--format", "timm", "--space", "enas"], "'gemnet', not 'enas'"),
    ],
)
def test_what_is_wrong_is_named(command, study, arguments, message):
    before = sorted(path for path in study.rglob("*"))
    done = command("export", *[str(study) if word == "STUDY" else word for word in arguments])
    assert done.code == 2
    assert message in done.err
    assert len(done.err.splitlines()) <= 2
    assert sorted(path for path in study.rglob("*")) == before
