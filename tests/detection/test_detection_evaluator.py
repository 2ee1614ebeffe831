"""Searching for a detector's average precision: with Optuna, with NNI, and what fails."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("torchvision")
pytest.importorskip("pycocotools")

from detection.conftest import CELL, SHAPE, SPACE

from graphnas.detection import DetectionEvaluator
from graphnas.errors import InvalidArchitecture, InvalidArgument
from search_spaces import GEMNet

pytestmark = pytest.mark.detection
QUICK = {"image_size": (64, 96), "batch_size": 4, "warmup": 2, "epochs": 1}


def make(images, **more) -> DetectionEvaluator:
    return DetectionEvaluator(SPACE, images, shape=SHAPE, progress=False, device="cpu", **{**QUICK, **more})


@pytest.mark.parametrize("library", ["torchvision", "mmdet"])
def test_a_study_of_three_trials_on_average_precision(few_images, library):
    if library == "mmdet":
        pytest.importorskip("mmcv.ops")
    import optuna

    from optuna_graphnas import GraphBOSampler, Objective

    evaluator = make(few_images, library=library)
    study = optuna.create_study(sampler=GraphBOSampler(SPACE, seed=0), direction="maximize")
    study.optimize(Objective(SPACE, evaluator), n_trials=3)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
    assert all(0 <= trial.value <= 100 for trial in study.trials)
    assert len({trial.user_attrs["architecture"] for trial in study.trials}) == 3


def test_precision_and_size_together(few_images):
    import optuna

    from optuna_graphnas import GraphBOSampler, Objective

    study = optuna.create_study(sampler=GraphBOSampler(SPACE, seed=0), directions=["maximize", "minimize"])
    study.optimize(Objective(SPACE, make(few_images), objectives=("value", "macs")), n_trials=2)
    assert all(trial.values[1] > 1e6 for trial in study.trials)


def test_the_same_architecture_gives_the_same_value_in_another_process_too(few_images):
    evaluator = make(few_images)
    one = evaluator.evaluate(CELL)
    other = pickle.loads(pickle.dumps(evaluator)).evaluate(CELL)
    assert (one.value, one.macs, one.metrics["ap50"]) == (other.value, other.macs, other.metrics["ap50"])


@pytest.mark.parametrize("library", ["torchvision", "mmdet"])
def test_a_diverging_detector_is_a_failed_evaluation(few_images, library):
    if library == "mmdet":
        pytest.importorskip("mmcv.ops")
    found = make(few_images, learning_rate=1e12, warmup=0, library=library).evaluate(CELL)
    assert found.failed
    assert "the loss of epoch 1 is" in found.reason


class Unbuildable(GEMNet):
    def build(self, *args, **options):
        raise RuntimeError("a layer is broken")


class Unrunnable(GEMNet):
    def build(self, *args, **options):
        network = super().build(*args, **options)
        network.features = lambda images: images.no_such_method()
        return network


@pytest.mark.parametrize(("kind", "reason"), [(Unbuildable, "a layer is broken"), (Unrunnable, "no_such_")])
def test_a_broken_network_is_a_failed_trial_and_the_study_goes_on(few_images, kind, reason):
    import optuna

    from optuna_graphnas import GraphBOSampler, Objective

    space = kind(6)
    evaluator = DetectionEvaluator(space, few_images, shape=SHAPE, progress=False, device="cpu", **QUICK)
    study = optuna.create_study(sampler=GraphBOSampler(space, seed=0), direction="maximize")
    study.optimize(Objective(space, evaluator), n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["FAIL"] * 2
    assert all(reason in trial.user_attrs["reason"] for trial in study.trials)


@pytest.mark.parametrize("library", ["torchvision", "mmdet"])
def test_a_trial_is_pruned_by_its_precision(few_images, library):
    if library == "mmdet":
        pytest.importorskip("mmcv.ops")
    import optuna

    from optuna_graphnas import GraphBOSampler, Objective

    class Second(optuna.pruners.BasePruner):
        def prune(self, study, trial):
            return trial.number == 1

    study = optuna.create_study(sampler=GraphBOSampler(SPACE, seed=0), direction="maximize", pruner=Second())
    study.optimize(Objective(SPACE, make(few_images, epochs=2, library=library)), n_trials=2)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED"]
    assert [list(trial.intermediate_values) for trial in study.trials] == [[1, 2], [1]]


def test_arguments_are_checked_before_any_work(few_images):
    with pytest.raises(InvalidArgument, match="library must be one of"):
        make(few_images, library="detectron")
    with pytest.raises(InvalidArgument, match="has no 'epoch'; did you mean 'epochs'"):
        make(few_images, epoch=3)
    with pytest.raises(InvalidArchitecture):
        make(few_images).evaluate(GEMNet(9).sample(np.random.default_rng(0)))


NNI = """
import sys
from detection.conftest import SHAPE, SPACE
from graphnas.detection import DetectionEvaluator
import nni
from nni.nas.evaluator import FunctionalEvaluator
from nni.nas.experiment import NasExperiment
import nni_graphnas
from nni_graphnas import architecture, model_space, strategy

def detect(model, images):
    quick = dict(image_size=(64, 96), batch_size=4, warmup=2, epochs=1)
    evaluator = DetectionEvaluator(SPACE, images, shape=SHAPE, progress=False, device="cpu", **quick)
    found = evaluator.evaluate(architecture(nni.get_current_parameter().sample, SPACE))
    nni.report_final_result(found.value)

def main(images, port):
    made = strategy.GraphBO(seed=0)
    trial = FunctionalEvaluator(detect, images=images)
    experiment = NasExperiment(model_space(SPACE, num_classes=2), trial, made)
    experiment.config.max_trial_number = 2
    experiment.config.trial_concurrency = 1
    experiment.run(port)
    experiment.stop()
    print("values", [result.value for result in made.results()], flush=True)

if __name__ == "__main__":
    import nni_detection
    nni_detection.main(sys.argv[1], int(sys.argv[2]))
"""


@pytest.mark.e2e
@pytest.mark.slow
def test_an_nni_experiment_whose_trials_train_detectors(few_images, tmp_path):
    pytest.importorskip("nni")
    (tmp_path / "nni_detection.py").write_text(NNI)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tests = os.path.dirname(os.path.dirname(__file__))
    path = os.pathsep.join([str(tmp_path), tests, *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "nni_detection.py", str(few_images), str(port)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=500,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("values")), None)
    assert line is not None, done.stdout + done.stderr
    values = json.loads(line.removeprefix("values "))
    assert len(values) == 2
    assert all(0 <= value <= 100 for value in values)
