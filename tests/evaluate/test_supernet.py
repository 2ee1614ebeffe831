"""The supernet as an evaluator: learning, measuring many at once, repeatability, checkpoints, failures."""

from __future__ import annotations

import dataclasses
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from graphnas.configuration import replaced
from graphnas.errors import CorruptData, DataNotFound, InvalidArchitecture, InvalidArgument, TrainingFailed
from graphnas.evaluate import Evaluator, SupernetConfig, SupernetEvaluator
from graphnas.evaluate.supernet_training import batches_of_epoch
from graphnas.training.images import MemoryImages
from search_spaces import ENASMacro, ENASMacro6, NASBench201

SPACE = ENASMacro(3)


def blobs(count: int = 240) -> tuple[torch.Tensor, torch.Tensor]:
    """Two classes of 8x8 images that differ in their upper half."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 2
    images = torch.rand(count, 1, 8, 8, generator=generator)
    images[:, :, :4] += 0.4 * labels[:, None, None, None]
    return images, labels


def sorted_blobs(count: int = 240) -> tuple[torch.Tensor, torch.Tensor]:
    """The same, one class after the other."""
    images, labels = blobs(count)
    order = torch.argsort(labels, stable=True)
    return images[order], labels[order]


DATA = (blobs(), blobs())
QUICK = {"batch_size": 24, "flip": False, "crop_padding": 0, "epochs": 4, "progress": False}


def quick(space=SPACE, **changes):
    arguments = {**QUICK, "shape": {"width": 4}, **changes}
    return SupernetEvaluator(space, arguments.pop("dataset", DATA), **arguments)


def some(count: int, space=SPACE, seed: int = 0):
    return list(space.sample_batch(np.random.default_rng(seed), count))


def weights_of(evaluator) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in evaluator.network.state_dict().items()}


def same(one, other) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def values(evaluations):
    return [evaluation.value for evaluation in evaluations]


# ---------------------------------------------------------------- learning and measuring


def test_digits_are_learnt():
    space = ENASMacro6(skip_probability=0.4)
    evaluator = SupernetEvaluator(space, "digits", shape={"width": 6}, epochs=4, progress=False)
    architectures = some(10, space)
    before = np.mean(values(evaluator.evaluate_batch(architectures)))
    results = evaluator.train(4)
    after = np.mean(values(evaluator.evaluate_batch(architectures)))
    assert before < 20  # chance is 10
    assert after > 30
    assert [result.epoch for result in results] == [1, 2, 3, 4]
    assert results[-1].train_loss < 0.9 * results[0].train_loss
    assert evaluator.epoch == 4


def test_what_is_trained_gets_better_than_what_is_not():
    """Training one architecture only: its operations learn, those of its opposite do not."""
    one, other = SPACE.from_string("[[0], [0, 0], [0, 0, 0]]"), SPACE.from_string("[[3], [3, 0], [3, 0, 0]]")
    evaluator = quick()
    evaluator.train(4, [one])
    trained, untrained = evaluator.evaluate_batch([one, other])
    assert trained.value > 90 > untrained.value
    fresh = weights_of(quick())
    now = weights_of(evaluator)
    for name, value in fresh.items():
        if ".branches." in name and name.endswith("weight"):
            assert torch.equal(value, now[name]) == (".branches.conv3x3." not in name), name


def test_an_evaluation_says_what_was_measured():
    evaluator = quick()
    evaluator.train(1)
    architecture = some(1)[0]
    evaluation = evaluator.evaluate(architecture)
    module = SPACE.build(architecture, 2, in_channels=1, width=4)
    assert evaluation.parameters == sum(p.numel() for p in module.parameters())
    assert evaluation.macs == SPACE.complexity(architecture, 2, 8, in_channels=1, width=4)[1]
    assert evaluation.seconds > 0
    assert evaluation.metrics == {"supernet_epochs": 1.0}
    assert 0 <= evaluation.value <= 100
    assert isinstance(evaluator, Evaluator)


@pytest.mark.parametrize("statistics", ["batch", "running"])
def test_many_together_are_as_each_alone(statistics):
    evaluator = quick(statistics=statistics, validation_fraction=0.4, validation_batch_size=50)
    evaluator.train(2)
    architectures = [*some(12), some(1)[0]]
    together = values(evaluator.evaluate_batch(architectures))
    assert together == [evaluator.evaluate(architecture).value for architecture in architectures]
    assert len(set(together)) > 1


def test_the_value_is_the_accuracy_of_the_network_that_is_taken_out():
    evaluator = quick(statistics="running", validation_fraction=0.3)
    evaluator.train(3)
    images, labels = DATA[0]
    held = evaluator.validation_indices
    for architecture in some(5):
        network = evaluator.network.extract(architecture).eval()
        with torch.no_grad():
            answers = network(evaluator.data.normalisation(images[held])).argmax(1)
        expected = 100 * (answers == labels[held]).double().mean().item()
        assert evaluator.evaluate(architecture).value == pytest.approx(expected)


def test_batch_statistics_are_those_of_the_images_at_hand():
    evaluator = quick(statistics="batch", validation_fraction=0.3)
    evaluator.train(2)
    images, labels = DATA[0]
    held = evaluator.validation_indices
    for architecture in some(5):
        network = evaluator.network.extract(architecture).train()
        with torch.no_grad():
            answers = network(evaluator.data.normalisation(images[held])).argmax(1)
        expected = 100 * (answers == labels[held]).double().mean().item()
        assert evaluator.evaluate(architecture).value == pytest.approx(expected)


def test_measuring_changes_nothing():
    evaluator = quick()
    evaluator.train(1)
    before = weights_of(evaluator)
    assert values(evaluator.evaluate_batch(some(4))) == values(evaluator.evaluate_batch(some(4)))
    assert same(before, weights_of(evaluator))


def test_a_tenth_of_each_class_is_held_out_and_no_test_image_is_read():
    evaluator = SupernetEvaluator(SPACE, "digits", progress=False)
    labels = evaluator.data.train.labels
    held = evaluator.validation_indices
    tenth = (torch.bincount(labels) / 10).round().int()
    assert torch.bincount(labels[held]).tolist() == tenth.tolist()
    assert sorted([*held.tolist(), *evaluator.train_indices.tolist()]) == list(range(len(labels)))
    assert "test" not in vars(evaluator.data)


def test_no_part_of_sorted_images_is_left_out_of_training():
    """Images of a class that are sorted by kind, the classes in turn: the last are of kinds of their own."""
    kinds = torch.arange(240) // 24
    images, labels = blobs(240)
    images = images + kinds[:, None, None, None]
    evaluator = quick(dataset=((images, labels), (images, labels)), validation_fraction=0.25)
    for part in (evaluator.train_indices, evaluator.validation_indices):
        assert kinds[part].unique().tolist() == list(range(10))


def test_each_batch_of_sorted_images_has_all_classes():
    """Else the statistics of a batch would be those of a class."""
    data = sorted_blobs()
    evaluator = quick(dataset=(data, data), validation_fraction=0.5)
    for batch in evaluator.validation_indices.tensor_split(4):
        assert torch.bincount(data[1][batch]).min() >= 8


def test_other_ways_to_hold_out():
    last = quick(validation_split="last", validation_fraction=0.25)
    assert last.train_indices.tolist() == list(range(180))
    assert sorted(last.validation_indices.tolist()) == list(range(180, 240))
    limited = quick(validation_split="last", validation_fraction=0.5, validation_limit=12)
    assert sorted(limited.validation_indices.tolist()) == list(range(120, 240, 10))
    data = sorted_blobs(20)
    with pytest.raises(InvalidArgument, match=r"class 0 .* validation_split='stratified'"):
        quick(dataset=(data, data), validation_split="last")


def test_random_changes_of_the_images_measured_on():
    plain = quick(crop_padding=2, validation_fraction=0.5)
    changed = quick(crop_padding=2, validation_fraction=0.5, validation_augmentation=True)
    for evaluator in (plain, changed):
        evaluator.train(3)
    assert same(weights_of(plain), weights_of(changed))
    assert values(plain.evaluate_batch(some(8))) != values(changed.evaluate_batch(some(8)))
    assert values(changed.evaluate_batch(some(8))) == values(changed.evaluate_batch(some(8)))


# ---------------------------------------------------------------- what is trained


def test_architectures_come_from_the_source():
    evaluator = quick(architectures_per_step=2)
    asked = []

    def source(count, rng):
        asked.append((count, int(rng.integers(10**9))))
        return SPACE.sample_batch(rng, count).to_architectures()

    evaluator.train(2, source)
    # 216 images are 9 batches of 24.
    assert [count for count, _ in asked] == [18, 18]
    assert asked[0][1] != asked[1][1]
    with pytest.raises(InvalidArgument, match="gave 1 instead of 18"):
        evaluator.train(1, lambda count, rng: some(1))


def test_gradients_of_a_step_are_averaged():
    """Two sub-networks per step that are the same one are that one."""
    architecture = some(1)
    one, two = quick(), quick(architectures_per_step=2)
    for evaluator in (one, two):
        with torch.no_grad():
            for module in evaluator.network.modules():
                if isinstance(module, torch.nn.BatchNorm2d):
                    module.momentum = 0.0
        evaluator.train(1, architecture)
    for a, b in zip(one.network.parameters(), two.network.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_steps_and_rates():
    config = SupernetConfig.preset("paper")
    assert (config.learning_rate, config.momentum, config.weight_decay) == (0.05, 0.9, 1e-4)
    assert (config.batch_size, config.gradient_clip, config.epochs) == (128, 5.0, 310)
    assert config.learning_rate_at(1) == 0.05
    assert config.learning_rate_at(156) == pytest.approx((0.05 + 0.001) / 2)
    assert config.learning_rate_at(311) == config.learning_rate_at(1500) == pytest.approx(0.001)
    batches = batches_of_epoch(torch.arange(45_000), config, 0)
    assert len(batches) == 500
    assert {len(batch) for batch in batches} == {128}
    assert len(torch.cat(batches[:351]).unique()) == 351 * 128  # the first pass shows each image once
    counts = torch.bincount(torch.cat(batches), minlength=45_000)
    assert counts.min() >= 1
    assert counts.max() == 2
    whole = batches_of_epoch(torch.arange(100), replaced(config, steps_per_epoch=None, batch_size=33), 1)
    assert [len(batch) for batch in whole] == [25, 25, 25, 25]
    assert torch.cat(whole).sort()[0].tolist() == list(range(100))


def test_the_steps_are_those_of_sgd():
    """One architecture, whole batches: the weights are those of a plain loop with torch's own SGD."""
    architecture = some(1)[0]
    evaluator = quick(batch_size=1000, momentum=0.5, weight_decay=0.01, gradient_clip=0.3, epochs=2)
    network = evaluator.network.extract(architecture).train()
    optimiser = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.5, weight_decay=0.01)
    images, labels = DATA[0]
    for rate in (0.05, 0.001 + 0.049 * 0.5):
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad()
        logits = network(evaluator.data.normalisation(images[evaluator.train_indices]))
        torch.nn.functional.cross_entropy(logits, labels[evaluator.train_indices]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.3)
        optimiser.step()
    results = evaluator.train(2, [architecture])
    assert [result.learning_rate for result in results] == pytest.approx([0.05, 0.0255])
    trained = evaluator.network.extract(architecture).state_dict()
    for name, value in network.state_dict().items():
        assert torch.allclose(trained[name], value, atol=2e-5), name


# ---------------------------------------------------------------- repeatability


def test_same_seed_same_weights_other_seed_others():
    first, second, other = quick(), quick(), quick(seed=1)
    results = [evaluator.train(2)[-1].train_loss for evaluator in (first, second, other)]
    assert results[0] == results[1] != results[2]
    assert same(weights_of(first), weights_of(second))
    assert not same(weights_of(first), weights_of(other))


def test_global_state_is_not_touched():
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    evaluator = quick(shape={"width": 4, "dropout": 0.2})
    evaluator.train(1)
    evaluator.evaluate_batch(some(3))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_checkpoint_goes_on_bit_for_bit(tmp_path, dropout):
    settings = {"shape": {"width": 4, "dropout": dropout}, "crop_padding": 1, "cutout": 2}
    whole = quick(**settings)
    losses = [result.train_loss for result in whole.train(3)]
    first = quick(**settings)
    first.train(2)
    first.save(tmp_path / "supernet.pt")
    second = quick(**settings)
    second.load(tmp_path / "supernet.pt")
    assert second.epoch == 2
    assert values(second.evaluate_batch(some(5))) == values(first.evaluate_batch(some(5)))
    assert second.train(1)[0].train_loss == losses[2]
    assert same(weights_of(second), weights_of(whole))
    assert values(second.evaluate_batch(some(5))) == values(whole.evaluate_batch(some(5)))
    assert [path.name for path in tmp_path.iterdir()] == ["supernet.pt"]


def test_a_checkpoint_goes_on_in_another_process(tmp_path):
    code = (
        "import torch\n"
        "torch.manual_seed(5); torch.rand(3)\n"
        "from search_spaces import ENASMacro\n"
        "from graphnas.evaluate import SupernetEvaluator\n"
        "evaluator = SupernetEvaluator(ENASMacro(2), 'digits', shape={'width': 2}, progress=False)\n"
        "evaluator.load('supernet.pt')\n"
        "print(evaluator.train(1)[0].train_loss.hex())\n"
    )
    evaluator = SupernetEvaluator(ENASMacro(2), "digits", shape={"width": 2}, progress=False)
    evaluator.train(1)
    evaluator.save(tmp_path / "supernet.pt")
    expected = evaluator.train(1)[0].train_loss.hex()
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "PYTHONHASHSEED": "7"}
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.stdout.split() == [expected]


def test_threads_measure_what_a_single_thread_does():
    evaluator = quick()
    evaluator.train(1)
    architectures = some(6)
    expected = [evaluator.evaluate(architecture).value for architecture in architectures]
    with ThreadPoolExecutor(3) as pool:
        assert [e.value for e in pool.map(evaluator.evaluate, architectures)] == expected


def test_can_be_pickled():
    evaluator = quick()
    evaluator.train(1)
    again = pickle.loads(pickle.dumps(evaluator))
    assert again.train(1)[0].train_loss == evaluator.train(1)[0].train_loss
    assert values(again.evaluate_batch(some(4))) == values(evaluator.evaluate_batch(some(4)))


# ---------------------------------------------------------------- what goes wrong


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    quick().save(tmp_path / "supernet.pt")
    for changes, message in (
        ({"seed": 1}, "seed 0, not 1"),
        ({"learning_rate": 0.1}, "config"),
        ({"shape": {"width": 6}}, "shape"),
        ({"space": ENASMacro(2)}, "arguments"),
        ({"dataset": "digits"}, "dataset"),
    ):
        evaluator = quick(**changes)
        before = weights_of(evaluator)
        with pytest.raises(InvalidArgument, match=message):
            evaluator.load(tmp_path / "supernet.pt")
        assert same(before, weights_of(evaluator))


def test_a_damaged_checkpoint_is_refused(tmp_path):
    evaluator = quick()
    evaluator.train(1)
    path = tmp_path / "supernet.pt"
    evaluator.save(path)
    whole, state = path.read_bytes(), evaluator.state_dict()
    before = weights_of(evaluator)
    for content in (whole[: len(whole) // 2], b"", b"nothing of the kind", whole[:200] + whole[300:]):
        path.write_bytes(content)
        with pytest.raises(CorruptData):
            evaluator.load(path)
    torch.save({"weights": 1}, path)
    with pytest.raises(CorruptData, match="format None"):
        evaluator.load(path)
    with pytest.raises(DataNotFound, match=r"none\.pt"):
        evaluator.load(tmp_path / "none.pt")
    narrow = {**state["weights"], "classifier.weight": torch.zeros(2, 3)}
    other = quick(shape={"width": 6}).state_dict()["optimiser"]
    del (lacking := dict(state))["optimiser"]
    for damaged, message in (
        ({**state, "weights": narrow}, r"classifier\.weight.*\(2, 3\).*\(2, 4\)"),
        ({**state, "weights": {}}, "stem"),
        ({**state, "optimiser": other}, "other parameters"),
        ({**state, "optimiser": 3}, "optimiser is damaged"),
        ({**state, "epoch": -1}, "epochs -1"),
        (lacking, "lacks 'optimiser'"),
    ):
        with pytest.raises(CorruptData, match=message):
            evaluator.load_state_dict(damaged)
    assert same(before, weights_of(evaluator))
    assert evaluator.epoch == 1


def test_training_that_diverges_is_told():
    with pytest.raises(TrainingFailed, match=r"diverged: .* epoch 1"):
        quick(learning_rate=1e30, gradient_clip=None).train(2)


def test_an_output_that_is_not_finite_is_a_failed_evaluation():
    evaluator = quick()
    evaluator.train(1)
    bad, good = SPACE.from_string("[[0], [1, 0], [2, 0, 0]]"), SPACE.from_string("[[3], [1, 0], [2, 0, 0]]")
    with torch.no_grad():
        evaluator.network.layers[0].branches["conv3x3"][0].weight.fill_(float("inf"))
    failed, fine = evaluator.evaluate_batch([bad, good])
    assert failed.failed
    assert "not finite" in failed.reason
    assert failed.parameters > 0
    assert not fine.failed


def test_before_training_there_is_a_warning(caplog):
    quick().evaluate(some(1)[0])
    assert "train first" in caplog.text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": NASBench201()}, r"nasbench201.*no supernet\(\)"),
        ({"space": "enas"}, "GraphSpace.*str"),
        ({"config": "papers"}, "'digits', 'cifar10', 'paper'.*'papers'"),
        ({"config": 3}, "SupernetConfig"),
        ({"learning_rat": 3}, "learning_rate"),
        ({"shape": {"depth": 3}}, "'depth'.*width"),
        ({"seed": -1}, "-1"),
        ({"device": "abacus"}, "abacus"),
    ],
)
def test_bad_arguments(changes, message):
    with pytest.raises(InvalidArgument, match=message):
        quick(**changes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("steps_per_epoch", 0),
        ("batch_size", 1.5),
        ("learning_rate", 0),
        ("final_learning_rate", 0.1),
        ("momentum", 1),
        ("weight_decay", -1),
        ("gradient_clip", 0),
        ("architectures_per_step", 0),
        ("flip", 1),
        ("crop_padding", -1),
        ("validation_fraction", 1),
        ("validation_split", "first"),
        ("validation_limit", 0),
        ("validation_batch_size", True),
        ("statistics", "none"),
        ("mixed_precision", "yes"),
    ],
)
def test_bad_settings(field, value):
    with pytest.raises(InvalidArgument, match=f"{field}.*{value!r}"):
        SupernetConfig(**{field: value})


def test_bad_calls():
    evaluator = quick()
    stranger = some(1, ENASMacro(4))[0]
    for call in (
        lambda: evaluator.evaluate(stranger),
        lambda: evaluator.evaluate_batch([*some(2), stranger]),
        lambda: evaluator.train(1, [stranger]),
        lambda: evaluator.train(1, lambda count, rng: [stranger] * count),
    ):
        with pytest.raises(InvalidArchitecture, match="6 nodes, at most 5"):
            call()
    with pytest.raises(InvalidArgument, match="at least one"):
        evaluator.evaluate_batch([])
    with pytest.raises(InvalidArgument, match="at least one"):
        evaluator.train(1, [])
    with pytest.raises(InvalidArgument, match=r"epochs.*0"):
        evaluator.train(0)
    assert evaluator.epoch == 0


def test_every_field_is_described_and_can_be_changed():
    fields = {field.name for field in dataclasses.fields(SupernetConfig)}
    assert all(f"        {name}: " in SupernetConfig.__doc__ for name in fields)
    assert replaced(SupernetConfig(), epochs=3).epochs == 3


# ---------------------------------------------------------------- CUDA


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("mixed", [False, True])
def test_on_cuda(tmp_path, mixed):
    space = ENASMacro6(skip_probability=0.4)
    settings = {"shape": {"width": 8}, "device": "cuda", "mixed_precision": mixed, "progress": False}
    evaluator = SupernetEvaluator(space, "digits", **settings)
    evaluator.train(8)
    architectures = some(6, space)
    found = values(evaluator.evaluate_batch(architectures))
    assert np.mean(found) > 40
    evaluator.save(tmp_path / "supernet.pt")
    here = SupernetEvaluator(space, "digits", shape={"width": 8}, device="cpu", progress=False)
    here.load(tmp_path / "supernet.pt")
    np.testing.assert_allclose(values(here.evaluate_batch(architectures)), found, atol=2)
    here.save(tmp_path / "supernet.pt")  # from a CPU, where the loss has no scale
    evaluator.load(tmp_path / "supernet.pt")
    assert evaluator.train(1)[0].epoch == 9


def test_images_in_memory_are_not_copied_on_the_cpu():
    evaluator = quick(device="cpu")
    assert isinstance(evaluator.data.train, MemoryImages)
    assert evaluator._images is evaluator.data.train
