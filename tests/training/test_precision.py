"""Half precision, skipped steps, sparse gradients and lazy modules: what a user's network may bring."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphnas.configuration import replaced
from graphnas.evaluate import OracleEvaluator
from graphnas.training.images import MemoryImages, Normalisation
from graphnas.training.loop import Training, train_epochs
from graphnas.training.optimisation import make_optimiser
from graphnas.training.precision import precision_of
from graphnas.training.training_config import TrainingConfig

AS_IT_IS = Normalisation((0.0,), (1.0,), 1.0)
PLAIN = TrainingConfig(epochs=4, batch_size=16, learning_rate=0.1, flip=False, crop_padding=0)


def _images(count: int = 64) -> MemoryImages:
    labels = torch.arange(count) % 2
    noise = torch.randn(count, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return MemoryImages(noise + 2.0 * labels[:, None, None, None], labels)


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2)
    )


def _training(module: nn.Module, config: TrainingConfig = PLAIN) -> Training:
    return Training(module, _images(), torch.arange(64), config, AS_IT_IS, seed=0)


@pytest.fixture(autouse=True)
def _same_random_state():
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_network_of_half_precision_trains_as_well_as_one_of_full_precision(dtype):
    full, half = _training(_network()), _training(_network().to(dtype))
    last_full = list(train_epochs(full, validation=torch.arange(64)))[-1]
    last_half = list(train_epochs(half, validation=torch.arange(64)))[-1]
    assert last_half.train_loss == pytest.approx(last_full.train_loss, rel=0.1)
    assert last_half.validation_accuracy > 95
    module = half.finished()
    assert precision_of(module) is dtype
    assert module[1].running_mean.dtype is dtype
    assert module[1].num_batches_tracked.dtype is torch.int64


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_can_be_asked_for_on_the_cpu(precision):
    training = _training(_network(), replaced(PLAIN, precision=precision))
    seen = []
    training.module[0].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    result = list(train_epochs(training, validation=torch.arange(64)))[-1]
    assert set(seen) == {getattr(torch, precision)}
    assert result.validation_accuracy > 95
    assert precision_of(training.finished()) is torch.float32


def test_prediction_casts_as_training_does(tiny_space, chain):
    class Half(tiny_space):
        def build(self, architecture, num_classes, **shape):
            return super().build(architecture, num_classes, **shape).to(torch.bfloat16)

    oracle = OracleEvaluator(Half(), epochs=4, progress=False)
    trained = oracle.train(chain)
    assert precision_of(trained.module) is torch.bfloat16
    images = oracle.data.test.images
    probabilities = trained.predict(images)
    assert probabilities.dtype is torch.float32
    right = (probabilities.argmax(1) == oracle.data.test.labels).float().mean() * 100
    assert right == pytest.approx(trained.evaluation.value)
    assert trained.evaluation.value == pytest.approx(
        OracleEvaluator(tiny_space(), epochs=4, progress=False).train(chain).evaluation.value, abs=5
    )


def test_the_step_after_a_skipped_one_is_as_without_the_skip():
    def after(skips: int) -> torch.Tensor:
        module = nn.Linear(3, 1, bias=False)
        nn.init.ones_(module.weight)
        optimiser = make_optimiser(module, PLAIN, torch.device("cpu"))
        scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
        for gradient in [float("inf")] * skips + [1.0, 2.0]:
            optimiser.zero_grad()
            scaler.scale(module(torch.full((1, 3), gradient)).sum()).backward()
            scaler.step(optimiser)
            scaler.update(new_scale=1.0)
        return module.weight.detach()

    assert torch.equal(after(1), after(0))
    assert torch.isfinite(after(1)).all()


def test_momentum_from_zero_is_torchs_own_rule():
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    optimiser = make_optimiser(ours, PLAIN, torch.device("cpu"))
    reference = torch.optim.SGD(
        theirs.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=PLAIN.weight_decay
    )
    for step in range(3):
        for module, stepper in ((ours, optimiser), (theirs, reference)):
            stepper.zero_grad()
            module(torch.full((2, 3), 1.0 + step)).square().sum().backward()
            stepper.step()
    assert torch.allclose(ours.weight, theirs.weight, atol=1e-6)


class _Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(4, 8, sparse=True)
        self.linear = nn.Linear(8, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(self.table((images.mean((1, 2, 3)).clamp(-1, 2) + 1).long()))


def test_sparse_gradients_train():
    (*_, last) = train_epochs(_training(_Words()), validation=torch.arange(64))
    assert last.validation_accuracy > 90


def test_lazy_modules_are_initialised_by_the_images(tiny_space, chain):
    class Lazy(tiny_space):
        def build(self, architecture, num_classes, *, in_channels=1, width=4):
            return nn.Sequential(
                nn.LazyConv2d(width, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(num_classes)
            )

    oracle = OracleEvaluator(Lazy(), epochs=3, progress=False)
    evaluation = oracle.evaluate(chain)
    assert not evaluation.failed
    assert evaluation.parameters == 4 * 9 + 4 + (4 * 64 + 1) * 10
    assert evaluation.value > 50
    assert oracle.evaluate(chain).value == evaluation.value


@pytest.mark.parametrize(("count", "size"), [(57, 2), (57, 8), (3, 2), (5, 4), (64, 64), (65, 64)])
def test_no_batch_has_a_single_image(count, size):
    seen = []

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(16, 2)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(len(images))
            return self.linear(images.flatten(1))

    config = replaced(PLAIN, batch_size=size, epochs=1)
    everything = torch.arange(count)
    list(train_epochs(Training(Counting(), _images(count), everything, config, AS_IT_IS, seed=0)))
    assert sum(seen) == count
    assert 2 <= min(seen) <= max(seen) <= size + 1
