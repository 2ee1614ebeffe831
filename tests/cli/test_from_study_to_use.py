"""From a study to a network in use: searched, trained, killed, continued, exported, and read by others."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from graphnas.cli.main import main
from graphnas.training import load_dataset, load_model


def _killed_while_training(line: list[str], curve) -> None:
    """Start ``graphnas train`` and kill it after some epochs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "graphnas", *line],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while not (curve.is_file() and len(curve.read_text().splitlines()) > 3):
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.e2e
def test_search_train_kill_resume_export_and_predict(tmp_path, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    study, broken, straight = tmp_path / "study", tmp_path / "broken", tmp_path / "straight"
    search = (
        "search --space gemnet --nodes 6 --dataset digits --method graphbo --trials 4 --startup 3 --epochs 1 "
        "--training train_fraction=0.2 --shape width=6 --retrain-epochs 0"
    )
    assert main([*search.split(), "--output", str(study)]) == 0

    train = ["train", str(study), "--epochs", "12", "--holdout", "0.2"]
    _killed_while_training([*train, "--output", str(broken)], broken / "curve.csv")
    assert not (broken / "model.json").exists()
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the one that was killed: the sums are the same with as many threads only
    try:
        assert main([*train, "--output", str(broken)]) == 0
        assert main([*train, "--output", str(straight)]) == 0
    finally:
        torch.set_num_threads(threads)
    assert "continued after" in (broken / "train.log").read_text()
    model = load_model(broken)
    for (name, resumed), whole in zip(
        model.module.state_dict().items(), load_model(straight).module.state_dict().values(), strict=True
    ):
        assert torch.equal(resumed, whole), name

    assert main(["export", str(broken), "--format", "onnx"]) == 0
    assert main(["export", str(broken), "--format", "timm"]) == 0
    assert "opset 18" in capsys.readouterr().out
    test = load_dataset("digits").test
    inputs = model.normalisation(test.images)
    session = onnxruntime.InferenceSession(str(broken / "model.onnx"))
    (name,) = [entry.name for entry in session.get_inputs()]
    by_onnx = session.run(None, {name: inputs.numpy()})[0].argmax(1)

    import timm

    import graphnas.timm  # noqa: F401 - registers the model, and comes before timm

    network = timm.create_model("graphnas", architecture=str(broken / "timm"), pretrained=True).eval()
    with torch.no_grad():
        by_timm = network(inputs).argmax(1).numpy()
    ours = model.predict(test.images).argmax(1).numpy()
    assert np.array_equal(by_onnx, ours)
    assert np.array_equal(by_timm, ours)
    right = 100 * np.mean(by_onnx == test.labels.numpy())
    assert right == pytest.approx(model.evaluation.metrics["test_accuracy"], abs=1e-9)
