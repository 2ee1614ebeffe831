"""The training loop and its configuration."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from graphnas.configuration import replaced
from graphnas.errors import InvalidArgument
from graphnas.training.images import MemoryImages, Normalisation
from graphnas.training.loop import Training, fastest_layout, train_epochs
from graphnas.training.measuring import Diverged, measure_accuracy
from graphnas.training.optimisation import cosine_learning_rate
from graphnas.training.training_config import TrainingConfig

AS_IT_IS = Normalisation((0.0,), (1.0,), 1.0)


# ---------------------------------------------------------------- learning rate


def test_cosine_falls_from_the_peak_to_nearly_nothing():
    rates = [cosine_learning_rate(step, 100, 0.4) for step in range(100)]
    assert rates[0] == 0.4
    assert rates[50] == pytest.approx(0.2)
    assert rates[25] == pytest.approx(0.2 * (1 + math.sqrt(0.5)))
    assert 0 < rates[99] < 0.4 * 0.001
    assert rates == sorted(rates, reverse=True)


def test_warm_up_rises_in_equal_steps_and_then_falls():
    rates = [cosine_learning_rate(step, 13, 1.0, 3) for step in range(13)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[3:] == pytest.approx([cosine_learning_rate(step, 10, 1.0) for step in range(10)])


def test_the_loop_follows_the_schedule(monkeypatch):
    seen = []
    step = torch.optim.SGD.step

    def recorded(self, *args, **kwargs):
        seen.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.SGD, "step", recorded)
    config = TrainingConfig(
        epochs=4, batch_size=5, learning_rate=0.2, warmup_epochs=0.5, flip=False, crop_padding=0
    )
    list(_train(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), config, count=20))
    assert seen == [cosine_learning_rate(k, 16, 0.2, 2) for k in range(16)]


# ---------------------------------------------------------------- the loop


def _images(count: int) -> MemoryImages:
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    pixels = torch.randn(count, 1, 2, 2, generator=rng) + 2.0 * labels[:, None, None, None]
    return MemoryImages(pixels, labels)


def _train(module: nn.Module, config: TrainingConfig, count: int = 60, seed: int = 0):
    images = _images(count)
    everything = torch.arange(count)
    training = Training(module, images, everything, config, AS_IT_IS, seed=seed)
    return train_epochs(training, validation=everything)


PLAIN = TrainingConfig(epochs=5, batch_size=8, learning_rate=0.1, flip=False, crop_padding=0)


def _linear() -> nn.Module:
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    nn.init.zeros_(module[1].weight)
    nn.init.zeros_(module[1].bias)
    return module


def test_learns_what_can_be_learnt():
    results = list(_train(_linear(), PLAIN))
    assert [result.epoch for result in results] == [1, 2, 3, 4, 5]
    assert results[-1].train_loss < results[0].train_loss < math.log(2)
    assert results[-1].validation_accuracy > 95


def test_one_step_is_the_textbook_step():
    config = TrainingConfig(
        epochs=1, batch_size=64, learning_rate=0.5, weight_decay=0.1, flip=False, crop_padding=0
    )
    module, images = _linear(), _images(60)
    module[1].weight.data.fill_(0.3)
    weight = module[1].weight.detach().clone().requires_grad_()
    bias = module[1].bias.detach().clone().requires_grad_()
    loss = nn.functional.cross_entropy(images.images.flatten(1) @ weight.T + bias, images.labels)
    loss.backward()
    (result,) = _train(module, config)
    # The first step with Nesterov momentum: gradient g plus momentum times g.
    expected = weight - 0.5 * 1.9 * (weight.grad + 0.1 * weight)
    assert torch.allclose(module[1].weight, expected, atol=1e-6)
    assert result.train_loss == pytest.approx(loss.item(), rel=1e-5)


def test_gradient_clip_bounds_the_step():
    config = TrainingConfig(
        epochs=1,
        batch_size=64,
        learning_rate=1.0,
        momentum=0,
        weight_decay=0,
        gradient_clip=0.01,
        flip=False,
        crop_padding=0,
    )
    module = _linear()
    list(_train(module, config))
    moved = torch.cat([parameter.detach().flatten() for parameter in module.parameters()]).norm()
    assert moved == pytest.approx(0.01, rel=1e-3)


def test_label_smoothing_raises_the_loss_of_a_sure_network():
    sharp = TrainingConfig(epochs=8, batch_size=8, learning_rate=0.5, flip=False, crop_padding=0)
    plain, smoothed = (
        list(_train(_linear(), replaced(sharp, label_smoothing=s)))[-1].train_loss for s in (0.0, 0.3)
    )
    assert smoothed > plain + 0.1


def test_a_last_batch_of_one_image_is_avoided():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    results = list(_train(module, PLAIN, count=57))  # 7 * 8 + 1
    assert len(results) == 5


class _Recorder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen.append(images.clone())
        return self.linear(images.flatten(1))


def test_every_epoch_sees_every_image_once_in_a_new_seeded_order():
    orders = []
    for seed in (0, 0, 1):
        module = _Recorder()
        list(_train(module, PLAIN, seed=seed))
        orders.append(torch.cat(module.seen).reshape(5, 60, 4))
    everything = _images(60).images.flatten(1)
    for epoch in orders[0]:
        assert torch.equal(epoch.sort(0).values, everything.sort(0).values)
    assert not torch.equal(orders[0][0], orders[0][1])
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_dropout_is_drawn_in_every_step_from_the_seed():
    def trained(seed: int) -> torch.Tensor:
        module = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(4, 2))
        nn.init.zeros_(module[2].weight)
        nn.init.zeros_(module[2].bias)
        list(_train(module, PLAIN, seed=seed))
        return module[2].weight.detach()

    state = torch.get_rng_state()
    first = trained(0)
    torch.set_rng_state(torch.Generator().manual_seed(77).get_state())
    assert torch.equal(first, trained(0))
    assert not torch.equal(first, trained(1))
    torch.set_rng_state(state)


def test_divergence_is_noticed():
    config = replaced(PLAIN, learning_rate=1e30)
    with pytest.raises(Diverged, match="loss is not finite in epoch"):
        list(_train(_linear(), config))


class _BadInEvaluation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        output = self.linear(images.flatten(1))
        return output if self.training else output * math.inf


def test_an_output_that_is_not_finite_is_not_an_accuracy():
    with pytest.raises(Diverged, match="validation images"):
        list(_train(_BadInEvaluation(), PLAIN))


def test_works_where_the_caller_has_switched_gradients_off():
    with torch.no_grad():
        results = list(_train(_linear(), PLAIN))
        assert not torch.is_grad_enabled()
    assert results[-1].validation_accuracy > 95


def test_a_network_of_doubles_trains():
    assert list(_train(_linear().double(), PLAIN))[-1].validation_accuracy > 95


def test_measure_accuracy_counts():
    module = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
    nn.init.zeros_(module[1].weight)
    module[1].bias.data = torch.tensor([0.0, 1.0])  # always class 1
    images = MemoryImages(torch.zeros(10, 1, 2, 2), torch.tensor([0, 1, 1, 0, 0, 0, 0, 0, 0, 0]))
    assert measure_accuracy(module, images, torch.arange(10), AS_IT_IS, batch_size=3).top1 == 20.0
    assert measure_accuracy(module, images, torch.tensor([1, 2, 3, 4]), AS_IT_IS).top1 == 50.0
    assert not module.training


class _Viewer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 1)
        self.linear = nn.Linear(16, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.linear(self.convolution(images).view(len(images), 16))


def test_a_network_that_needs_the_plain_layout_gets_it():
    assert fastest_layout(_Viewer(), (3, 2, 2)) is torch.contiguous_format
    assert fastest_layout(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten()), (3, 2, 2)) is torch.channels_last
    grey = _images(60)
    images = MemoryImages(grey.images.expand(-1, 3, -1, -1), grey.labels)
    everything = torch.arange(60)
    colours = Normalisation((0.0,) * 3, (1.0,) * 3, 1.0)
    training = Training(_Viewer(), images, everything, PLAIN, colours, seed=0)
    (*_, last) = train_epochs(training, validation=everything)
    assert last.validation_accuracy > 90


# ---------------------------------------------------------------- configuration


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("epochs", 0, "epochs must be an integer of at least 1, got 0"),
        ("epochs", 2.5, "epochs .* got 2.5"),
        ("epochs", True, "epochs .* got True"),
        ("batch_size", -3, "batch_size .* got -3"),
        ("learning_rate", 0, r"learning_rate must be a number in \(0, inf\), got 0"),
        ("learning_rate", math.nan, "learning_rate .* got nan"),
        ("momentum", 1, r"momentum must be a number in \[0, 1\), got 1"),
        ("weight_decay", -1e-4, "weight_decay .* got -0.0001"),
        ("warmup_epochs", 20, r"warmup_epochs must be a number in \[0, 20\), got 20"),
        ("label_smoothing", 1.0, "label_smoothing .* got 1.0"),
        ("flip", 1, "flip must be True or False, got 1"),
        ("crop_padding", -1, "crop_padding .* got -1"),
        ("cutout", 1.5, "cutout .* got 1.5"),
        ("train_fraction", 1.0, r"train_fraction must be a number in \(0, 1\), got 1.0"),
        ("validation_limit", 0, "validation_limit .* got 0"),
        ("reward_epochs", 0, "reward_epochs .* got 0"),
        ("patience", 0, "patience .* got 0"),
        ("gradient_clip", 0.0, r"gradient_clip must be a number in \(0, inf\), got 0.0"),
        ("batch_size", 1, "batch_size must be an integer of at least 2, got 1"),
        ("precision", None, "precision must be one of .'auto', 'float32', 'bfloat16', 'float16'., got None"),
        ("optimizer", "adam", "optimizer must be one of .'sgd', 'adamw'., got 'adam'"),
        ("resized_crop", (0.5, 0.1), r"resized_crop must be two numbers .* got \(0.5, 0.1\)"),
        ("ema_decay", 1.0, r"ema_decay must be a number in \(0, 1\), got 1.0"),
    ],
)
def test_a_bad_value_is_named(field, value, message):
    with pytest.raises(InvalidArgument, match=message):
        TrainingConfig(**{field: value})


def test_an_unknown_field_or_preset_is_named():
    with pytest.raises(InvalidArgument, match="'learning_rat'; did you mean 'learning_rate'"):
        replaced(TrainingConfig(), learning_rat=0.1)
    with pytest.raises(InvalidArgument, match=r"one of .'digits', 'cifar10', .*, got 'mnist'"):
        TrainingConfig.preset("mnist")


def test_presets():
    for name in TrainingConfig.presets:
        TrainingConfig.preset(name)
    paper = TrainingConfig.preset("oracle")  # GraphPNAS, oracle of the RandWire experiments
    assert (paper.epochs, paper.batch_size, paper.learning_rate, paper.weight_decay) == (300, 256, 0.1, 1e-4)
    assert (paper.train_fraction, paper.validation_limit, paper.reward_epochs) == (0.1, None, 3)
    assert (paper.flip, paper.crop_padding, paper.gradient_clip) == (True, 4, None)
    assert not TrainingConfig.preset("digits").flip  # a mirrored digit is another sign
    assert TrainingConfig.preset("digits", epochs=3).epochs == 3
