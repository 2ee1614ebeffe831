"""Training as an evaluator: learning, repeatability, failures."""

from __future__ import annotations

import logging
import math
import os
import pickle
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from graphnas import Architecture
from graphnas.configuration import replaced
from graphnas.errors import CorruptData, InvalidArchitecture, InvalidArgument, TrainingFailed
from graphnas.evaluate import OracleEvaluator
from graphnas.training import TrainingConfig
from graphnas.training.lazy_images import LazyImages
from search_spaces import GEMNet, NASBench201

QUICK = {"epochs": 2, "train_fraction": 0.2, "validation_limit": 200, "progress": False}


def _fields(evaluation):
    return (evaluation.value, evaluation.parameters, evaluation.macs, dict(evaluation.metrics))


# ---------------------------------------------------------------- learning


def test_digits_are_learnt(tiny_space, chain):
    evaluation = OracleEvaluator(tiny_space(), progress=False).evaluate(chain)
    assert evaluation.value > 88  # chance is 10
    assert not evaluation.failed
    assert evaluation.seconds > 0
    assert evaluation.metrics["epochs"] == 8
    assert evaluation.metrics["train_loss"] < 0.5
    assert evaluation.metrics["best_validation_accuracy"] >= evaluation.metrics["last_validation_accuracy"]


def test_gemnet_is_learnt_and_counted():
    space = GEMNet(6)
    architecture = space.sample(np.random.default_rng(0))
    oracle = OracleEvaluator(space, shape={"width": 8, "stages": 1}, progress=False)
    evaluation = oracle.evaluate(architecture)
    module = space.build(architecture, 10, in_channels=1, width=8, stages=1)
    assert evaluation.parameters == sum(p.numel() for p in module.parameters())
    assert evaluation.macs > evaluation.parameters
    assert evaluation.value > 60


def test_nasbench201_cells_train(tmp_path):
    space = NASBench201()
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 2
    images = torch.rand(60, 3, 8, 8, generator=rng) + 0.5 * labels[:, None, None, None]
    oracle = OracleEvaluator(
        space,
        ((images, labels), (images, labels)),
        epochs=2,
        batch_size=8,
        train_fraction=0.5,
        progress=False,
    )
    evaluation = oracle.evaluate(space.sample(np.random.default_rng(1)))
    assert math.isfinite(evaluation.value)
    assert evaluation.parameters > 0


def test_the_value_is_the_mean_of_the_last_epochs(tiny_space, chain):
    told = []
    oracle = OracleEvaluator(tiny_space(), **{**QUICK, "epochs": 5})
    evaluation = oracle.evaluate(
        chain, report=lambda epoch, accuracy: told.append((epoch, accuracy)) or False
    )
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4, 5]
    accuracies = [accuracy for _, accuracy in told]
    assert evaluation.value == pytest.approx(sum(accuracies[-3:]) / 3)
    assert evaluation.metrics["last_validation_accuracy"] == accuracies[-1]
    assert evaluation.metrics["best_validation_accuracy"] == max(accuracies)
    single = OracleEvaluator(tiny_space(), **{**QUICK, "epochs": 5}, reward_epochs=1)
    assert single.evaluate(chain).value == accuracies[-1]


def test_the_split_is_stratified_and_keeps_the_test_images_out(tiny_space, chain):
    oracle = OracleEvaluator(tiny_space(), progress=False)
    labels = oracle.data.train.labels
    train, validation = oracle.train_indices, oracle.validation_indices
    assert not set(train.tolist()) & set(validation.tolist())
    whole = torch.bincount(labels)
    assert (torch.bincount(labels[train]) - whole / 2).abs().max() <= 0.5
    assert len(train) + len(validation) == len(labels)
    quick = OracleEvaluator(tiny_space(), **QUICK)
    quick.evaluate(chain)
    assert "test" not in vars(quick.data)  # the test images were not even loaded


# ---------------------------------------------------------------- repeatability


def test_same_seed_same_result_other_seed_another(tiny_space, chain):
    first = OracleEvaluator(tiny_space(), **QUICK).evaluate(chain)
    assert _fields(OracleEvaluator(tiny_space(), **QUICK).evaluate(chain)) == _fields(first)
    oracle = OracleEvaluator(tiny_space(), seed=1, **QUICK)
    assert _fields(oracle.evaluate(chain)) != _fields(first)
    assert _fields(oracle.evaluate(chain)) == _fields(oracle.evaluate(chain))


def test_same_result_in_another_process():
    code = (
        "import numpy as np, torch\n"
        "torch.manual_seed(12345); torch.rand(3)\n"
        "from search_spaces import GEMNet\n"
        "from graphnas.evaluate import OracleEvaluator\n"
        "space = GEMNet(5)\n"
        "oracle = OracleEvaluator(space, shape={'width': 4, 'stages': 1}, epochs=1, progress=False)\n"
        "evaluation = oracle.evaluate(space.sample(np.random.default_rng(3)))\n"
        "figures = (evaluation.value.hex(), evaluation.metrics['train_loss'].hex())"
    )
    here: dict[str, tuple[str, str]] = {}
    state = torch.get_rng_state()
    exec(code, here)  # the same lines in this process
    torch.set_rng_state(state)
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code + "\nprint(*figures)"]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=300)
    assert tuple(run.stdout.split()) == here["figures"]


def test_threads_get_what_a_single_thread_gets(tiny_space):
    space = tiny_space()
    rng = np.random.default_rng(0)
    architectures = [space.sample(rng) for _ in range(3)]
    oracle = OracleEvaluator(space, **{**QUICK, "epochs": 1})
    expected = [_fields(oracle.evaluate(a)) for a in architectures]
    with ThreadPoolExecutor(3) as pool:
        for _ in range(2):
            assert [_fields(e) for e in pool.map(oracle.evaluate, architectures)] == expected


def test_global_state_is_not_touched(tiny_space, chain):
    oracle = OracleEvaluator(tiny_space(), **QUICK)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    oracle.evaluate(chain)
    oracle.train(chain)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, dtype)
    assert torch.is_grad_enabled()


def test_can_be_pickled(chain):
    space = GEMNet(3)
    oracle = OracleEvaluator(space, shape={"width": 4, "stages": 1}, **QUICK)
    architecture = space.sample(np.random.default_rng(0))
    again = pickle.loads(pickle.dumps(oracle))
    assert _fields(again.evaluate(architecture)) == _fields(oracle.evaluate(architecture))


# ---------------------------------------------------------------- stopping early


def test_report_can_stop(tiny_space, chain):
    oracle = OracleEvaluator(tiny_space(), **{**QUICK, "epochs": 6})
    evaluation = oracle.evaluate(chain, report=lambda epoch, accuracy: epoch == 2)
    assert evaluation.metrics["epochs"] == 2
    assert not evaluation.failed


class _Constant(nn.Module):
    """Always answers class 0, however it is trained."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.num_classes = num_classes

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        logits = torch.zeros(len(images), self.num_classes)
        logits[:, 0] = 1
        return logits + 0 * self.weight


def test_patience_stops_what_does_not_improve(tiny_space, chain):
    space = tiny_space(lambda architecture, classes, channels: _Constant(classes))
    evaluation = OracleEvaluator(space, **{**QUICK, "epochs": 9}, patience=2).evaluate(chain)
    assert evaluation.metrics["epochs"] == 3  # the first is the best, two more bring nothing
    assert evaluation.value == pytest.approx(10, abs=1)
    patient = OracleEvaluator(space, **{**QUICK, "epochs": 4}).evaluate(chain)
    assert patient.metrics["epochs"] == 4


# ---------------------------------------------------------------- failures


class _Raising(nn.Module):
    def __init__(self, error: BaseException, late: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        self.error, self.late, self.steps = error, late, 0

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.steps += self.training
        if not self.late or self.steps > 3:
            raise self.error
        return self.layers(images)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            "out of memory: CUDA out",
        ),
        (
            RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"),
            "out of memory: Default",
        ),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory: Default"),
        (MemoryError(), "out of memory: MemoryError"),
        (
            RuntimeError("mat1 and mat2 shapes cannot be multiplied\n(3x4 and 5x6)"),
            "RuntimeError: mat1 .* 5x6",
        ),
        (ZeroDivisionError("float division by zero"), "ZeroDivisionError: float division by zero"),
    ],
)
@pytest.mark.parametrize("late", [False, True])
def test_a_network_that_fails_is_a_failed_evaluation(tiny_space, chain, caplog, error, reason, late):
    space = tiny_space(lambda architecture, classes, channels: _Raising(error, late))
    with caplog.at_level(logging.WARNING, logger="graphnas.evaluate.oracle"):
        evaluation = OracleEvaluator(space, **QUICK).evaluate(chain)
    assert evaluation.failed
    assert math.isnan(evaluation.value)
    assert re.match(reason, evaluation.reason)
    assert "\n" not in evaluation.reason
    assert evaluation.parameters == 650
    assert evaluation.reason in caplog.text


def test_a_network_that_cannot_be_built_is_a_failed_evaluation(tiny_space, chain):
    def builder(architecture, classes, channels):
        raise RuntimeError("no such layer")

    evaluation = OracleEvaluator(tiny_space(builder), **QUICK).evaluate(chain)
    assert evaluation.reason == "RuntimeError: no such layer"


def test_divergence_is_a_failed_evaluation(tiny_space, chain):
    evaluation = OracleEvaluator(tiny_space(), **QUICK, learning_rate=1e20).evaluate(chain)
    assert evaluation.failed
    assert evaluation.reason.startswith("diverged: ")
    assert evaluation.parameters > 0
    assert evaluation.macs > 0


def test_an_output_of_the_wrong_shape_is_a_failed_evaluation(tiny_space, chain):
    space = tiny_space(lambda architecture, classes, channels: nn.Conv2d(channels, classes, 1))
    evaluation = OracleEvaluator(space, **QUICK).evaluate(chain)
    assert "must give logits of shape" in evaluation.reason


def test_what_is_not_the_networks_fault_is_raised(tiny_space, chain):
    oracle = OracleEvaluator(tiny_space(), **QUICK)
    with pytest.raises(InvalidArchitecture, match="4 nodes, at most 3"):
        oracle.evaluate(Architecture(np.triu(np.ones((4, 4), int), 1)))
    with pytest.raises(InvalidArchitecture, match="expected an Architecture, got str"):
        oracle.train("cell")

    def report(epoch, accuracy):
        raise LookupError("the user's own mistake")

    with pytest.raises(LookupError, match="own mistake"):
        oracle.evaluate(chain, report=report)
    interrupted = tiny_space(lambda architecture, classes, channels: _Raising(KeyboardInterrupt(), True))
    with pytest.raises(KeyboardInterrupt):
        OracleEvaluator(interrupted, **QUICK).evaluate(chain)


def test_damaged_images_are_not_the_networks_fault(tiny_space, chain):
    def read(index: int) -> torch.Tensor:
        if index == 33 and broken:
            raise CorruptData("image 33 is damaged")
        return torch.full((1, 8, 8), float(index % 2))

    broken: list[bool] = []
    images = LazyImages(read, torch.arange(40) % 2, (1, 8, 8))
    oracle = OracleEvaluator(tiny_space(), (images, images), epochs=2, train_fraction=0.5, progress=False)
    assert oracle.evaluate(chain).value > 50
    broken.append(True)
    with pytest.raises(CorruptData, match="image 33"):
        oracle.evaluate(chain)


def test_a_network_that_cannot_be_counted_still_trains(tiny_space, chain):
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.layers(images) * float(images.sum().item() < 1e9)

    evaluation = OracleEvaluator(tiny_space(lambda a, n, c: Counting()), **QUICK).evaluate(chain)
    assert evaluation.value > 10
    assert (evaluation.parameters, evaluation.macs) == (650, None)


# ---------------------------------------------------------------- the final training


def test_train_keeps_the_network_and_measures_the_test_images(tiny_space, chain):
    oracle = OracleEvaluator(tiny_space(), progress=False)
    trained = oracle.train(chain, epochs=6)
    metrics = trained.evaluation.metrics
    assert metrics["test_accuracy"] == trained.evaluation.value > 85
    assert metrics["epochs"] == 6
    assert not trained.module.training
    test = oracle.data.test
    predicted = trained.predict(test.images)
    assert torch.allclose(predicted.sum(1), torch.ones(len(test)), atol=1e-5)
    correct = (predicted.argmax(1) == test.labels).float().mean()
    assert 100 * correct.item() == pytest.approx(metrics["test_accuracy"], abs=1e-3)
    part = oracle.train(chain, full=False, epochs=6).evaluation.metrics
    assert part["validation_accuracy"] > 80
    assert "validation_accuracy" not in metrics


def test_a_training_that_fails_says_why(tiny_space, chain):
    space = tiny_space(lambda a, n, c: _Raising(MemoryError("no room"), True))
    with pytest.raises(TrainingFailed, match="out of memory: no room"):
        OracleEvaluator(space, **QUICK).train(chain)
    with pytest.raises(InvalidArgument, match="epochs must be an integer of at least 1, got 0"):
        OracleEvaluator(tiny_space(), **QUICK).train(chain, epochs=0)


# ---------------------------------------------------------------- arguments


def test_the_configuration_follows_the_data_set(tiny_space):
    assert OracleEvaluator(tiny_space()).config == TrainingConfig.preset("digits")
    own = TrainingConfig(epochs=4)
    assert OracleEvaluator(tiny_space(), config=own).config == own
    assert OracleEvaluator(tiny_space(), config=own, batch_size=7).config == replaced(own, batch_size=7)
    assert OracleEvaluator(tiny_space(), config="oracle", epochs=2).config.learning_rate == 0.1
    pair = ((torch.zeros(20, 1, 4, 4), torch.arange(20) % 2),) * 2
    assert OracleEvaluator(tiny_space(), pair).config == TrainingConfig.preset("cifar10")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": {"widht": 3}}, "tiny does not take 'widht' in shape; allowed: in_channels, width"),
        ({"shape": {"num_classes": 3}}, "does not take 'num_classes'"),
        ({"shape": {"in_channels": 3}}, "in_channels is 3, but the images have 1"),
        ({"seed": -1}, "seed must be .* got -1"),
        ({"device": "gpu"}, "device must be 'auto' or a torch device, got 'gpu'"),
        ({"config": 3}, "config must be a TrainingConfig or a preset's name, got 3"),
        ({"config": "fast"}, r"preset must be one of .'digits', 'cifar10', .*, got 'fast'"),
        ({"epoch": 3}, "TrainingConfig has no 'epoch'; did you mean 'epochs'"),
        ({"dataset": "imagenet"}, "unknown data set 'imagenet'"),
    ],
)
def test_a_bad_argument_is_named(tiny_space, arguments, message):
    with pytest.raises(InvalidArgument, match=message):
        OracleEvaluator(tiny_space(), **arguments)


def test_the_space_must_be_one():
    with pytest.raises(InvalidArgument, match="space must be a GraphSpace, got str"):
        OracleEvaluator("gemnet")


def test_cuda_must_be_there_if_asked_for(tiny_space):
    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with pytest.raises(InvalidArgument, match="torch finds no CUDA device"):
        OracleEvaluator(tiny_space(), device="cuda")


def test_mixed_precision_on_cuda(tiny_space, chain):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    for mixed in (True, False):
        oracle = OracleEvaluator(tiny_space(), device="cuda", mixed_precision=mixed, progress=False)
        assert oracle.evaluate(chain).value > 85
        assert next(oracle.train(chain, epochs=1).module.parameters()).device.type == "cpu"


def test_the_progress_bar_can_be_switched_off(tiny_space, chain, capfd):
    OracleEvaluator(tiny_space(), **QUICK).evaluate(chain)
    assert capfd.readouterr().err == ""
    OracleEvaluator(tiny_space(), **{**QUICK, "progress": True}).evaluate(chain)
    assert "training" in capfd.readouterr().err
